//! The record in SQLite: opens its file, commits a batch at a time, and checks that the file is
//! still there.
//!
//! `run` opens the `Database`; the recorder commits through the port `Record`, and readers ask through
//! `Pages`. Only two statements write rows: the commit, and at the start the one that closes the
//! sessions that a crash left open (`find.rs`).

mod commit;
mod disk;
pub(super) mod files;
mod find;
mod health;
mod journal;
mod jsonb;
mod kind;
mod migrations;
mod pages;
mod rows;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tracing::warn;
use wire::Timestamp;

use crate::config::Limits;
use crate::os;
use crate::room::batch::Batch;
use crate::room::senders::{Known, LINES_MAX, Sender, Stored};
use crate::transcript::fault::{DatabaseError, Fault};
use crate::transcript::record::{Found, Record, Space};
use commit::{BATCH, COMMIT, STORED};
use disk::Disk;
use files::{beside, check_writable, create, lock, name_for_sqlx};
use health::{check_pragmas, look_for_damage};
use journal::Journal;
use kind::check_kind;
use migrations::MIGRATIONS;
use pages::Readers;

/// How long one attempt to commit waits for another program that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// The recorder's connection, the only one that writes.
#[derive(Debug)]
pub(crate) struct Database {
    connection: SqliteConnection,
    /// Keeps a second server away for as long as this one runs.
    _lock: File,
    path: PathBuf,
    journal: Journal,
    /// The files that were opened: the database and its write-ahead log.
    files: [Option<u64>; 2],
    /// The message of a reader that found damage.
    damage: Arc<OnceLock<String>>,
    disk: Disk,
    /// The newest entry as `meta` has it since the last commit.
    head: String,
}

impl Database {
    /// Opens or creates the database, closes the sessions that a crash left open, and reads the
    /// state that it holds.
    ///
    /// # Errors
    ///
    /// When another server uses it, when it cannot be opened, when it is damaged, or when it would
    /// not keep commits safe.
    pub(crate) async fn open(
        path: &Path,
        limits: &Limits,
    ) -> Result<(Self, Readers, Found), DatabaseError> {
        let open = |source| DatabaseError::Open {
            path: path.to_owned(),
            source,
        };
        os::refuse_planted_link(path).map_err(open)?;
        // SQLite reports a folder or a pipe as an I/O error, as if the disk had failed.
        if path.exists() && !path.is_file() {
            return Err(DatabaseError::NotAFile {
                path: path.to_owned(),
            });
        }
        create(path)?;
        let given = path;
        // The canonical name: a second server must not find the database free under another one.
        let path = &path.canonicalize().map_err(open)?;
        // A file that is no record gets no lock beside it. Where there is a lock, a server of this very process may
        // have the file open, and looking at it would release SQLite's own locks. Other faults are told below, where they
        // matter.
        if !beside(path, ".lock").exists()
            && let Err(
                error @ (DatabaseError::NotADatabase { .. }
                | DatabaseError::OfAnotherProgram { .. }),
            ) = check_kind(path, given).await
        {
            return Err(error);
        }
        let lock = lock(path)?;
        check_writable(path)?;
        if os::names_of(path).is_some_and(|names| names > 1) {
            return Err(DatabaseError::Linked {
                path: path.to_owned(),
            });
        }
        check_kind(path, given).await?;
        for warning in os::warnings_of_writers(path, "the record") {
            warn!("{warning}");
        }
        let sqlite = |cause| DatabaseError::sqlite(path, cause);
        let options = SqliteConnectOptions::new()
            .filename(name_for_sqlx(path))
            .journal_mode(SqliteJournalMode::Wal)
            // Without this no commit survives a power cut: WAL alone syncs only at checkpoints.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("journal_size_limit", limits.journal_bytes_max.to_string())
            // The view that takes commits needs no file, which a full disk would refuse.
            .pragma("temp_store", "memory");
        let mut connection = options.connect().await.map_err(sqlite)?;
        check_pragmas(&mut connection, path).await?;
        look_for_damage(&mut connection, path, limits.check_at_start_timeout).await?;
        // `run` cannot be awaited in a task that may change threads: its bound on the connection is
        // too narrow for the compiler. It calls this function.
        MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|cause| DatabaseError::Migrate {
                path: path.to_owned(),
                cause,
            })?;
        let mut database = Self {
            connection,
            _lock: lock,
            path: path.to_owned(),
            journal: Journal::new(beside(path, "-wal"), limits.journal_bytes_max),
            files: [None, None],
            damage: Arc::default(),
            disk: Disk::new(path.to_owned()),
            head: String::new(),
        };
        let crashed = database.close_crashed().await?;
        let timeout = limits.count_at_start_timeout;
        let found = database.find(crashed, timeout).await?;
        database.files = database.file_numbers();
        let batch = database.connection.execute(BATCH).await;
        batch.map_err(|source| database.error(source))?;
        let timeout = format!("pragma busy_timeout = {}", BUSY_TIMEOUT.as_millis());
        database
            .connection
            .execute(sqlx::AssertSqlSafe(timeout))
            .await
            .map_err(|source| database.error(source))?;
        let readers = Readers::open(path, database.damage.clone()).await?;
        Ok((database, readers, found))
    }

    fn file_numbers(&self) -> [Option<u64>; 2] {
        let number = |path: &Path| os::file_number(&std::fs::metadata(path).ok()?);
        [number(&self.path), number(self.journal.path())]
    }

    fn error(&self, source: sqlx::Error) -> DatabaseError {
        DatabaseError::sqlite(&self.path, source)
    }

    fn damaged(&self, what: &str) -> DatabaseError {
        DatabaseError::Damaged {
            path: self.path.clone(),
            what: what.to_owned(),
        }
    }
}

impl Record for Database {
    async fn commit(
        &mut self,
        batch: &Batch,
        head: u64,
        alive_at: Timestamp,
    ) -> Result<(), DatabaseError> {
        let head = head.to_string();
        let query = sqlx::query(COMMIT)
            .bind(rows::entries(batch))
            .bind(rows::begun(batch))
            .bind(rows::continued(batch))
            .bind(rows::joins(batch))
            .bind(rows::ends(batch))
            .bind(rows::leaves(batch))
            .bind(&self.head)
            .bind(&head)
            .bind(alive_at.to_string())
            .bind(batch.crl_number.as_ref().map(ToString::to_string));
        let Err(source) = query.execute(&mut self.connection).await else {
            self.head = head;
            return Ok(());
        };
        // There is nothing to roll back: a statement that is a transaction of its own ends with it.
        let failure = self.error(source);
        if failure.is_missing_value() {
            return Err(DatabaseError::Replaced {
                path: self.path.clone(),
            });
        }
        Err(failure)
    }

    async fn known_run(&mut self, sender: &Sender) -> Result<Known, DatabaseError> {
        let (id, run) = sender;
        let rows = sqlx::query(STORED)
            .bind(id.as_str())
            .bind(run.as_str())
            .bind(LINES_MAX as i64)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|source| self.error(source))?;
        let Some(newest) = rows.first() else {
            return Ok(Known::default());
        };
        let number = |row: &SqliteRow, name| row.get::<i64, _>(name).unsigned_abs();
        let stored = |row: &SqliteRow| {
            let (nonce, text): (Option<&str>, Option<&str>) = (row.get("nonce"), row.get("text"));
            Stored::read(number(row, "seq"), run, nonce?, text?)
        };
        Ok(Known::read(
            number(newest, "first"),
            number(newest, "last"),
            number(newest, "n"),
            rows.iter().map(stored).collect(),
        ))
    }

    /// Checks that the open files are still the ones under their names, and that no reader found
    /// damage. SQLite goes on writing to a file that was deleted, and everything in it would be
    /// gone with the server. A large write-ahead log stops nobody, but is logged.
    fn check(&mut self) -> Result<(), DatabaseError> {
        self.journal.look();
        let names = [self.path.as_path(), self.journal.path()];
        for ((name, open), now) in names.iter().zip(self.files).zip(self.file_numbers()) {
            if open.is_some() && now != open {
                return Err(DatabaseError::Replaced {
                    path: (*name).to_owned(),
                });
            }
        }
        match self.damage.get() {
            Some(why) => Err(DatabaseError::Unreadable {
                path: self.path.clone(),
                why: why.clone(),
            }),
            None => Ok(()),
        }
    }

    fn space(&mut self) -> Space {
        self.disk.space()
    }

    /// Moves the write-ahead log into the file, as far as readers allow, and closes both.
    async fn close(mut self) -> Result<(), DatabaseError> {
        let checkpoint = self
            .connection
            .execute("pragma wal_checkpoint(passive)")
            .await;
        let checkpoint = checkpoint.map_err(|source| self.error(source));
        match checkpoint {
            // All of it is safe in the write-ahead log, and the next start finds it there.
            Err(failure) if failure.fault() != Fault::Fatal => {
                warn!(error = %failure, "the write-ahead log could not be moved into the database");
            }
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
        let path = self.path;
        self.connection
            .close()
            .await
            .map_err(|cause| DatabaseError::sqlite(&path, cause))
    }
}

#[cfg(test)]
mod tests;
