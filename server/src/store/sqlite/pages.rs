//! Reads the record: pages of history, assembled by SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use wire::{ClientId, Reason, Role, Timestamp};

use super::files::name_for_sqlx;
use super::find::parse_name;
use crate::transcript::fault::DatabaseError;
use crate::transcript::record::{Answer, LastSession, Pages};

/// Readers of history at once; others wait for their turn.
const READERS_MAX: u32 = 4;

/// How long a request waits for a reader. A page takes about a millisecond, so a longer wait means
/// that the disk does not answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// Connections that only read.
#[derive(Debug)]
pub(crate) struct Readers {
    pool: SqlitePool,
    path: PathBuf,
    /// SQLite's message when it found damage, for the recorder, which ends the server.
    damage: Arc<OnceLock<String>>,
}

impl Readers {
    /// Connects all readers now and keeps them: when files or memory run out later, history can
    /// still be read.
    pub(crate) async fn open(
        path: &Path,
        damage: Arc<OnceLock<String>>,
    ) -> Result<Self, DatabaseError> {
        let pool = SqlitePoolOptions::new()
            .min_connections(READERS_MAX)
            .max_connections(READERS_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(
                SqliteConnectOptions::new()
                    .filename(name_for_sqlx(path))
                    .read_only(true),
            )
            .await;
        Ok(Self {
            pool: pool.map_err(|source| DatabaseError::sqlite(path, source))?,
            path: path.to_owned(),
            damage,
        })
    }

    /// Returns the error for the session that asked, which gets no wrong answer. Nobody else should
    /// be answered from a damaged file, so the recorder learns of it too.
    fn error(&self, source: sqlx::Error) -> DatabaseError {
        let why = source.to_string();
        let failure = DatabaseError::sqlite(&self.path, source);
        if failure.is_io_or_corruption() {
            // The first message is kept, because it says most.
            let _was_told = self.damage.set(why);
        }
        failure
    }

    fn damaged(&self, what: &str) -> DatabaseError {
        DatabaseError::Damaged {
            path: self.path.clone(),
            what: what.to_owned(),
        }
    }
}

impl Pages for Readers {
    fn page(&self, after: u64, to: u64, entries_max: u64) -> Answer<'_, Option<(String, u64)>> {
        Box::pin(async move {
            let row = sqlx::query(PAGE)
                .bind(after.cast_signed())
                .bind(to.cast_signed())
                .bind(entries_max.cast_signed())
                .fetch_one(&self.pool)
                .await
                .map_err(|source| self.error(source))?;
            let (lines, last): (Option<String>, Option<i64>) = (row.get(0), row.get(1));
            Ok(lines.zip(last.map(i64::unsigned_abs)))
        })
    }

    fn time_of(&self, seq: u64) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async move {
            let time: Option<String> = sqlx::query_scalar(TIME_OF)
                .bind(seq.cast_signed())
                .fetch_optional(&self.pool)
                .await
                .map_err(|source| self.error(source))?;
            let time = time.as_deref().map(Timestamp::parse).transpose();
            time.map_err(|_| self.damaged("a time in history"))
        })
    }

    fn last_session<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<LastSession>> {
        Box::pin(async move {
            let row = sqlx::query(LAST_SESSION)
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(|source| self.error(source))?;
            let last = |row| parse_last_session(&row).ok_or_else(|| self.damaged("a row of joins"));
            row.map(last).transpose()
        })
    }

    fn start_of_tail(&self, head: u64, bytes: usize) -> Answer<'_, u64> {
        Box::pin(async move {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            let before: Option<i64> = sqlx::query_scalar(START_OF_TAIL)
                .bind(head.cast_signed())
                .bind(bytes)
                .fetch_one(&self.pool)
                .await
                .map_err(|source| self.error(source))?;
            Ok(before.map_or(head, i64::unsigned_abs))
        })
    }
}

/// Returns `None` for a row that no server wrote.
fn parse_last_session(row: &SqliteRow) -> Option<LastSession> {
    let left_at: Option<&str> = row.get("left_at");
    let reason: Option<&str> = row.get("reason");
    Some(LastSession {
        role: Role::parse(row.get("role"))?,
        name: parse_name(row),
        ip: row.get::<&str, _>("ip").parse().ok()?,
        left_at: left_at.map(Timestamp::parse).transpose().ok()?,
        // A later version may know more reasons, and is no damage.
        reason: reason.and_then(Reason::parse),
    })
}

/// A page is assembled by SQLite into one row: four times as fast as row by row.
pub(crate) const PAGE: &str = "
    select group_concat(seq || ' ' || at || ' ' || line, char(10)) || char(10), max(seq)
    from (select seq, at, line from transcript where seq > ? and seq <= ? order by seq limit ?)";

pub(crate) const LAST_SESSION: &str = "
    select role, name, ip, left_at, reason from joins where id = ? order by session desc limit 1";

/// Walks back from the head until the texts, each with some 80 bytes of stamp, fill the tail.
pub(crate) const START_OF_TAIL: &str = "
    with recursive back (seq, bytes, allowed) as (
        select ?, 0, ?
        union all
        select back.seq - 1, back.bytes + octet_length(history.text) + 80, allowed
        from back join history on history.seq = back.seq
        where back.bytes + octet_length(history.text) + 80 <= allowed
    )
    select min(seq) from back";

pub(crate) const TIME_OF: &str = "select at from history where seq = ?";
