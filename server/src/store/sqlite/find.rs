//! Brings the record into order when it is opened, and reads its state: its end, the people who were
//! here, and how much each ID has written today.
//!
//! `CLOSE_CRASHED` is the only statement here that writes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pki::CrlNumber;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tracing::warn;
use wire::{ClientId, FullName, Reason, Role, Timestamp};

use super::Database;
use crate::room::found::{Found, WasHere};
use crate::room::presence::Left;
use crate::room::quota::{ROW_BYTES, Used, start_of_day};
use crate::transcript::fault::DatabaseError;

/// How many entries are counted between two looks at the clock.
const COUNT_ENTRIES: i64 = 4096;

impl Database {
    /// Closes the sessions that a crash left open. Returns their number.
    pub(super) async fn close_crashed(&mut self) -> Result<u64, DatabaseError> {
        let closed = sqlx::query(CLOSE_CRASHED)
            .execute(&mut self.connection)
            .await;
        Ok(closed.map_err(|source| self.error(source))?.rows_affected())
    }

    /// Returns the state of the record, in which `crashed` sessions were just closed.
    pub(super) async fn find(
        &mut self,
        crashed: u64,
        count_timeout: Duration,
    ) -> Result<Found, DatabaseError> {
        let row = sqlx::query(FIND).fetch_one(&mut self.connection).await;
        let row = row.map_err(|source| self.error(source))?;
        self.head = row.get::<i64, _>("head").to_string();
        let (head, last): (i64, i64) = (row.get("head"), row.get("last"));
        let last_at = Timestamp::parse(row.get("last_at"));
        let crl_number = CrlNumber::parse(row.get("crl_number"));
        let here = sqlx::query(FIND_HERE).fetch_all(&mut self.connection).await;
        let here = here.map_err(|source| self.error(source))?;
        let ids = sqlx::query_scalar(FIND_IDS)
            .fetch_all(&mut self.connection)
            .await;
        let last_at = last_at.map_err(|_| self.damaged("a time in history"))?;
        Ok(Found {
            epoch: row.get("epoch"),
            head: head.max(last).unsigned_abs(),
            last_at,
            last_session: row.get::<i64, _>("last_session").unsigned_abs(),
            crl_number: crl_number.ok_or_else(|| self.damaged("meta.crl_number"))?,
            crashed,
            here: here
                .iter()
                .map(|row| parse_here(row).ok_or_else(|| self.damaged("a row of joins")))
                .collect::<Result<_, _>>()?,
            ids: ids.map_err(|source| self.error(source))?,
            used: self.count_day(last_at, count_timeout).await?,
        })
    }

    /// Returns what each ID has added on the day of the newest entry. Counts backwards until the
    /// day began or the time is over: of a large day, the lines before that are not counted.
    async fn count_day(
        &mut self,
        newest: Timestamp,
        timeout: Duration,
    ) -> Result<BTreeMap<ClientId, Used>, DatabaseError> {
        let (began, start) = (Instant::now(), start_of_day(newest).to_string());
        let mut used: BTreeMap<ClientId, Used> = BTreeMap::new();
        let mut before = i64::MAX;
        loop {
            let rows = sqlx::query(COUNT_LINES)
                .bind(before)
                .bind(COUNT_ENTRIES)
                .bind(&start)
                .fetch_all(&mut self.connection)
                .await
                .map_err(|source| self.error(source))?;
            let Some(first) = rows.iter().map(|row| row.get::<i64, _>("first")).min() else {
                break;
            };
            let runs = sqlx::query(COUNT_RUNS)
                .bind(first)
                .bind(before)
                .bind(&start)
                .fetch_all(&mut self.connection)
                .await
                .map_err(|source| self.error(source))?;
            let number = |row: &SqliteRow, name| row.get::<i64, _>(name).unsigned_abs();
            // Nobody can connect with an invalid name.
            let id = |row: &SqliteRow| ClientId::parse(row.get("id")).ok();
            for (id, row) in rows.iter().filter_map(|row| Some((id(row)?, row))) {
                let used = used.entry(id).or_default();
                used.bytes += number(row, "bytes") + ROW_BYTES * number(row, "lines");
            }
            for (id, row) in runs.iter().filter_map(|row| Some((id(row)?, row))) {
                used.entry(id).or_default().runs += number(row, "runs");
            }
            before = first;
            let is_older = |row: &SqliteRow| row.get::<&str, _>("oldest") < start.as_str();
            if rows.iter().any(is_older) {
                break;
            }
            if began.elapsed() > timeout {
                warn!(
                    ?timeout,
                    "too much was written today to count it all at the start; --daily-bytes and --daily-runs count only from entry {before} on"
                );
                break;
            }
        }
        used.retain(|_, used| *used != Used::default());
        Ok(used)
    }
}

/// Returns `None` for a row that no server wrote.
fn parse_here(row: &SqliteRow) -> Option<WasHere> {
    let left = Left {
        id: ClientId::parse(row.get("id")).ok()?,
        ip: row.get::<&str, _>("ip").parse().ok()?,
        session: row.get::<i64, _>("session").unsigned_abs(),
        // A later version may know more reasons. Whatever it was, nobody said goodbye.
        reason: Reason::parse(row.get("reason")).unwrap_or(Reason::Lost),
    };
    Some(WasHere {
        left,
        since: Timestamp::parse(row.get("joined_at")).ok()?,
        role: Role::parse(row.get("role"))?,
        name: parse_name(row),
    })
}

/// Returns the full name in a row of `joins`. A version with other rules may have written it; it
/// identifies nobody, so a name that breaks the rules is not shown, and is no damage.
pub(super) fn parse_name(row: &SqliteRow) -> Option<FullName> {
    let name: Option<&str> = row.get("name");
    FullName::parse(name?).ok()
}

/// A session that was open when the server died ended when the server was last known to run.
pub(super) const CLOSE_CRASHED: &str = "
    update joins
    set left_at = max(joined_at, (select value from meta where key = 'alive_at')),
        reason = 'server-crash'
    where left_at is null";

pub(super) const FIND: &str = "
    select
        (select value from meta where key = 'epoch') as epoch,
        (select cast(value as integer) from meta where key = 'head') as head,
        (select coalesce(max(seq), 0) from history) as last,
        coalesce(
            (select at from history order by seq desc limit 1),
            '1970-01-01T00:00:00.000Z'
        ) as last_at,
        (select coalesce(max(session), 0) from joins) as last_session,
        (select value from meta where key = 'crl_number') as crl_number";

pub(super) const FIND_HERE: &str = "
    select id, role, name, ip, max(session) as session, joined_at,
        coalesce(reason, 'server-crash') as reason
    from joins
    where leave_seq is null
    group by id";

/// Selects every ID once, in as many steps through the index as there are IDs.
pub(super) const FIND_IDS: &str = "
    with recursive ids (id) as (
        select min(id) from joins
        union all
        select (select min(joins.id) from joins where joins.id > ids.id) from ids
        where ids.id is not null
    )
    select id from ids where id is not null";

/// Sums up what each ID has said in some entries, from one backwards, as far as they are of one
/// day; also returns the first and the oldest of these entries.
pub(super) const COUNT_LINES: &str = "
    with some (seq, at, id, length) as (
        select seq, at, id, iif(kind = 'message' and at >= ?3, octet_length(text), null)
        from history
        where seq < ?1
        order by seq desc
        limit ?2
    )
    select
        id,
        count(length) as lines,
        coalesce(sum(length), 0) as bytes,
        min(seq) as first,
        min(at) as oldest
    from some
    group by id";

/// Counts the runs that each ID began with these entries, as far as they are of one day.
pub(super) const COUNT_RUNS: &str = "
    select senders.id as id, count(*) as runs
    from senders cross join history on history.seq = senders.first
    where senders.first >= ?1 and senders.first < ?2 and history.at >= ?3
    group by senders.id";
