//! The record as it is read: pages of history, put together by SQLite.

use std::path::Path;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use wire::ClientId;

/// Readers of history at once; the others wait their turn.
const READERS_MAX: u32 = 4;

/// How long somebody waits for a reader. A page takes about a millisecond, so whoever waits longer
/// waits for a disk that does not answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// Connections that only read.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    pool: SqlitePool,
}

impl Pages {
    /// Connects the readers, all of them now and for good: when files or memory run out later, those
    /// who need history can still be served.
    pub(crate) async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let pool = SqlitePoolOptions::new()
            .min_connections(READERS_MAX)
            .max_connections(READERS_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(SqliteConnectOptions::new().filename(path).read_only(true))
            .await?;
        Ok(Self { pool })
    }

    /// The entries after `after` up to `to` as they go out, at most so many, and the seq of the
    /// last one; `None` when there is none.
    pub(crate) async fn page(
        &self,
        after: u64,
        to: u64,
        entries_max: u64,
    ) -> Result<Option<(String, u64)>, sqlx::Error> {
        let row = sqlx::query(PAGE)
            .bind(after.cast_signed())
            .bind(to.cast_signed())
            .bind(entries_max.cast_signed())
            .fetch_one(&self.pool)
            .await?;
        let (lines, last): (Option<String>, Option<i64>) = (row.get(0), row.get(1));
        Ok(lines.zip(last.map(i64::unsigned_abs)))
    }

    /// When an entry was recorded; `None` when there is no such entry.
    pub(crate) async fn time_of(&self, seq: u64) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar(TIME_OF)
            .bind(seq.cast_signed())
            .fetch_optional(&self.pool)
            .await
    }

    /// The last session of an ID: role, ip, when it ended and why.
    pub(crate) async fn last_session(
        &self,
        id: &ClientId,
    ) -> Result<Option<(String, String, Option<String>, Option<String>)>, sqlx::Error> {
        sqlx::query_as(LAST_SESSION)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
    }

    /// Where to begin so that at most so many bytes of text follow: the seq before the first.
    pub(crate) async fn start_of_tail(&self, head: u64, bytes: usize) -> Result<u64, sqlx::Error> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before: Option<i64> = sqlx::query_scalar(START_OF_TAIL)
            .bind(head.cast_signed())
            .bind(bytes)
            .fetch_one(&self.pool)
            .await?;
        Ok(before.map_or(head, i64::unsigned_abs))
    }
}

/// A page is put together by SQLite, one row a page: four times as fast as row by row.
pub(crate) const PAGE: &str = "
    select group_concat(seq || ' ' || at || ' ' || line, char(10)) || char(10), max(seq)
    from (select seq, at, line from transcript where seq > ? and seq <= ? order by seq limit ?)";

pub(crate) const LAST_SESSION: &str = "
    select role, ip, left_at, reason from joins where id = ? order by session desc limit 1";

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
