//! The file that holds the record: opening it, one commit for a batch, and whether it is still there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pki::CrlNumber;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tracing::warn;
use wire::{ClientId, Reason, Role, Timestamp};

use crate::batch::Batch;
use crate::config::Limits;
use crate::disk::Disk;
use crate::fault::{DatabaseError, Fault};
use crate::journal::Journal;
use crate::os;
use crate::pages::Readers;
use crate::presence::Left;
use crate::quota::{ROW_BYTES, Used, start_of_day};
use crate::record::{Found, Record, Space};
use crate::senders::{Known, LINES_MAX, Sender, Stored};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long one attempt to commit waits for another program that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// How many entries are counted between two looks at the clock.
const COUNT_ENTRIES: i64 = 4096;

/// How many of SQLite's steps pass between two looks at the clock while it looks for damage.
const CHECK_STEPS: i32 = 1_000;

/// The recorder's connection: the only one that writes.
#[derive(Debug)]
pub(crate) struct Database {
    connection: SqliteConnection,
    /// Keeps a second server away for as long as this one runs.
    _lock: File,
    path: PathBuf,
    journal: Journal,
    /// The files that were opened: the database and its write-ahead log.
    files: [Option<u64>; 2],
    /// What a reader was told when it found damage.
    damage: Arc<OnceLock<String>>,
    disk: Disk,
    /// The newest entry, as `meta` has it since the last commit.
    head: String,
}

impl Database {
    /// Opens or makes the database, closes what a crash left open, and says what is in it.
    ///
    /// # Errors
    ///
    /// When another server has it, when it cannot be opened, when it is damaged, or when it would
    /// not keep its word.
    pub(crate) async fn open(
        path: &Path,
        limits: &Limits,
    ) -> Result<(Self, Readers, Found), DatabaseError> {
        let open = |source| DatabaseError::Open {
            path: path.to_owned(),
            source,
        };
        os::refuse_planted_link(path).map_err(open)?;
        create(path)?;
        // By its own name: a second server must not find it free under another one.
        let path = &path.canonicalize().map_err(open)?;
        let lock = lock(path)?;
        check_writable(path)?;
        if names_of(path).is_some_and(|names| names > 1) {
            return Err(DatabaseError::Linked {
                path: path.to_owned(),
            });
        }
        for warning in os::warnings_of_writers(path, "the record") {
            warn!("{warning}");
        }
        let sqlite = |source| DatabaseError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // Without this no commit survives a power cut: WAL alone syncs only at checkpoints.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("journal_size_limit", limits.journal_bytes_max.to_string())
            // The view that takes commits is no reason for a file, which a full disk would refuse.
            .pragma("temp_store", "memory");
        let mut connection = options.connect().await.map_err(sqlite)?;
        check_pragmas(&mut connection, path).await?;
        look_for_damage(&mut connection, path, limits.check_at_start_timeout).await?;
        // `run` cannot be awaited in a task that may change threads: its bound on the connection
        // is too narrow for the compiler. This is what it calls.
        MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|source| DatabaseError::Migrate {
                path: path.to_owned(),
                source,
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
        let found = database.find(limits.count_at_start_timeout).await?;
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

    async fn find(&mut self, count_timeout: Duration) -> Result<Found, DatabaseError> {
        let crashed = sqlx::query(CLOSE_CRASHED)
            .execute(&mut self.connection)
            .await;
        let crashed = crashed
            .map_err(|source| self.error(source))?
            .rows_affected();
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

    /// What each ID has added on the day of the newest entry: from there back, until the day began or
    /// the time is over. A large day is not counted to its beginning; what was said before then is free.
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
            // Nobody can come under a name that is none.
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
                    "too much was said today to be counted at the start; --daily-bytes and --daily-runs count from entry {before} on"
                );
                break;
            }
        }
        used.retain(|_, used| *used != Used::default());
        Ok(used)
    }

    fn file_numbers(&self) -> [Option<u64>; 2] {
        [file_number(&self.path), file_number(self.journal.path())]
    }

    fn error(&self, source: sqlx::Error) -> DatabaseError {
        DatabaseError::Sqlite {
            path: self.path.clone(),
            source,
        }
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
            .bind(batch.entries_rows())
            .bind(batch.begun_rows())
            .bind(batch.continued_rows())
            .bind(batch.joins_rows())
            .bind(batch.ends_rows())
            .bind(batch.leaves_rows())
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

    async fn stored(&mut self, sender: &Sender) -> Result<Known, DatabaseError> {
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

    /// Whether the files that are open are still the ones under their names: SQLite goes on writing
    /// to a file that was deleted, and everything in it would be gone with the server. And whether
    /// a reader found damage. How large the log is does not stop anybody, and is told.
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

    /// Moves what the log holds into the file, as far as readers let it, and closes both.
    async fn close(mut self) -> Result<(), DatabaseError> {
        let checkpoint = self
            .connection
            .execute("pragma wal_checkpoint(passive)")
            .await;
        let checkpoint = checkpoint.map_err(|source| self.error(source));
        match checkpoint {
            // All of it is safe in the log, and the next start finds it there.
            Err(failure) if failure.fault() != Fault::Fatal => {
                warn!(error = %failure, "the log could not be moved into the database");
            }
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
        let path = self.path;
        self.connection
            .close()
            .await
            .map_err(|source| DatabaseError::Sqlite { path, source })
    }
}

fn parse_here(row: &SqliteRow) -> Option<(Left, Timestamp, Role)> {
    let left = Left {
        id: ClientId::parse(row.get("id")).ok()?,
        ip: row.get::<&str, _>("ip").parse().ok()?,
        session: row.get::<i64, _>("session").unsigned_abs(),
        reason: Reason::parse(row.get("reason"))?,
    };
    Some((
        left,
        Timestamp::parse(row.get("joined_at")).ok()?,
        Role::parse(row.get("role"))?,
    ))
}

fn lock(path: &Path) -> Result<File, DatabaseError> {
    let name = beside(path, ".lock");
    let open = |source| DatabaseError::Open {
        path: name.clone(),
        source,
    };
    let mut options = private_options();
    options.create(true).truncate(false);
    // A link that somebody put here would have a file of theirs made or locked.
    let file = os::open_no_link(&mut options, &name).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}

/// Makes the file before SQLite does, so that it never has another mode than it should.
fn create(path: &Path) -> Result<(), DatabaseError> {
    match private_options().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(DatabaseError::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A file that lies beside the database.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// SQLite opens a file that it may not write for reading, and says so only at the first write. This
/// must come after the lock: to close a file lets go of what this process locked of it.
fn check_writable(path: &Path) -> Result<(), DatabaseError> {
    match private_options().open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(DatabaseError::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

/// How many names a file has; `None` where the system does not say.
#[cfg(unix)]
fn names_of(path: &Path) -> Option<u64> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(std::os::unix::fs::MetadataExt::nlink(&metadata))
}

#[cfg(not(unix))]
fn names_of(_path: &Path) -> Option<u64> {
    None
}

/// What tells a file from another one of the same name; `None` where the system does not say.
#[cfg(unix)]
fn file_number(path: &Path) -> Option<u64> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(std::os::unix::fs::MetadataExt::ino(&metadata))
}

#[cfg(not(unix))]
fn file_number(_path: &Path) -> Option<u64> {
    None
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options
}

/// What was asked of SQLite is read back, because a setting that was not taken says nothing.
async fn check_pragmas(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), DatabaseError> {
    let sqlite = |source| DatabaseError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let journal: String = sqlx::query_scalar("pragma journal_mode")
        .fetch_one(&mut *connection)
        .await
        .map_err(sqlite)?;
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous")
        .fetch_one(&mut *connection)
        .await
        .map_err(sqlite)?;
    let found = [
        ("journal_mode", journal, "wal"),
        // 2 is FULL.
        ("synchronous", synchronous.to_string(), "2"),
    ];
    for (pragma, found, wanted) in found {
        if found != wanted {
            return Err(DatabaseError::Pragma {
                path: path.to_owned(),
                pragma,
                found,
                wanted,
            });
        }
    }
    Ok(())
}

/// Damage that SQLite can tell is found before anybody relies on the record. A large one takes
/// longer than a start may; what was not looked at then is found when it is read.
async fn look_for_damage(
    connection: &mut SqliteConnection,
    path: &Path,
    timeout: Duration,
) -> Result<(), DatabaseError> {
    let sqlite = |source| DatabaseError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let began = Instant::now();
    let mut handle = connection.lock_handle().await.map_err(sqlite)?;
    handle.set_progress_handler(CHECK_STEPS, move || began.elapsed() < timeout);
    drop(handle);
    let told: Result<String, DatabaseError> = sqlx::query_scalar("pragma quick_check(1)")
        .fetch_one(&mut *connection)
        .await
        .map_err(sqlite);
    let mut handle = connection.lock_handle().await.map_err(sqlite)?;
    handle.remove_progress_handler();
    drop(handle);
    match told {
        Ok(told) if told == "ok" => Ok(()),
        Ok(what) => Err(DatabaseError::Damaged {
            path: path.to_owned(),
            // SQLite puts a heading on a line of its own before it.
            what: what.replace('\n', " "),
        }),
        Err(failure) if failure.is_interruption() => {
            warn!(
                ?timeout,
                "the database is too large to be looked through for damage at the start; some of it was"
            );
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

/// A commit is one row for this view: one statement, which is a transaction of its own. Of several, each
/// would wake who waits for the commit, and SQLite would note what each might have to take back. A
/// statement for each row would cost ten times as much.
// For this connection only: the file holds what people ask about, and nothing else.
const BATCH: &str = "
    create temp view batch as
    select
        null as entries, null as begun, null as continued, null as joins, null as ends,
        null as leaves, null as old_head, null as head, null as alive_at, null as crl_number;

    create temp trigger people instead of insert on batch
    when coalesce(new.joins, new.ends, new.leaves) is not null begin
        insert into joins (session, id, role, ip, port, local_ip, prefix, interface, interface_index,
            serial, fingerprint, tls, cipher, key_exchange, client, joined_at)
        select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', value ->> '$[4]', value ->> '$[5]',
            value ->> '$[6]', value ->> '$[7]', value ->> '$[8]', value ->> '$[9]', value ->> '$[10]', value ->> '$[11]',
            value ->> '$[12]', value ->> '$[13]', value ->> '$[14]', value ->> '$[15]'
        from jsonb_each(new.joins);

        update joins set left_at = ended.value ->> '$[1]', reason = ended.value ->> '$[2]'
        from jsonb_each(new.ends) as ended
        where joins.session = ended.value ->> '$[0]';

        update joins set leave_seq = gone.value ->> '$[1]'
        from jsonb_each(new.leaves) as gone
        where joins.id = gone.value ->> '$[0]'
            and joins.session <= gone.value ->> '$[2]'
            and joins.leave_seq is null;
    end;

    create temp trigger lines instead of insert on batch begin
        insert into history (seq, at, kind, id, ip, text, session, nonce, prev)
        select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', value ->> '$[4]', value ->> '$[5]',
            value ->> '$[6]', value ->> '$[7]', value ->> '$[8]'
        from jsonb_each(new.entries);

        update senders set last = newest.value ->> '$[1]', n = newest.value ->> '$[2]'
        from jsonb_each(new.continued) as newest
        where senders.first = newest.value ->> '$[0]';

        update meta
        set value = case key
            when 'alive_at' then new.alive_at
            else case value when new.old_head then new.head end
        end
        where key in ('head', 'alive_at');
    end;

    create temp trigger runs instead of insert on batch when new.begun is not null begin
        insert into senders (first, id, run, last, n)
        select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', value ->> '$[4]'
        from jsonb_each(new.begun);
    end;

    create temp trigger lists instead of insert on batch when new.crl_number is not null begin
        update meta set value = new.crl_number where key = 'crl_number';
    end";

/// Commits a batch. A head that is not the one that we left is set to nothing, which its table
/// refuses: somebody has written another record into the file.
const COMMIT: &str = "insert into batch values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// What is known of a run: from its newest line back to the one that is 64 lines old, or to where one
/// was deleted, which has neither nonce nor text here.
const STORED: &str = "
    with recursive back (seq, lines) as (
        select last, 1 from senders where id = ?1 and run = ?2
        union all
        select history.prev, lines + 1
        from back join history using (seq)
        where history.prev is not null and lines < ?3
    )
    select first, last, n, back.seq as seq, nonce, text
    from senders cross join back left join history using (seq)
    where senders.id = ?1 and senders.run = ?2
    order by lines";

/// A session that was open when the server died ended when the server was last known to run.
const CLOSE_CRASHED: &str = "
    update joins
    set left_at = max(joined_at, (select value from meta where key = 'alive_at')),
        reason = 'server-crash'
    where left_at is null";

const FIND: &str = "
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

const FIND_HERE: &str = "
    select id, role, ip, max(session) as session, joined_at, coalesce(reason, 'server-crash') as reason
    from joins
    where leave_seq is null
    group by id";

/// Every ID once, by as many steps through the index as there are IDs.
const FIND_IDS: &str = "
    with recursive ids (id) as (
        select min(id) from joins
        union all
        select (select min(joins.id) from joins where joins.id > ids.id) from ids
        where ids.id is not null
    )
    select id from ids where id is not null";

/// What each ID has said with some entries, from one back, as far as they are of a day; and the first and
/// the oldest of these entries.
const COUNT_LINES: &str = "
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

/// The runs that each ID began with these entries, as far as they are of a day.
const COUNT_RUNS: &str = "
    select senders.id as id, count(*) as runs
    from senders cross join history on history.seq = senders.first
    where senders.first >= ?1 and senders.first < ?2 and history.at >= ?3
    group by senders.id";

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, SqlSafeStr as _};
    use wire::{Entry, Kind, Nonce};

    use super::*;
    use crate::batch::{Newest, Recorded};
    use crate::fault::Fault;
    use crate::pages::{LAST_SESSION, PAGE, START_OF_TAIL, TIME_OF};
    use crate::record::Pages as _;
    use crate::senders::hash;

    async fn open(folder: &tempfile::TempDir) -> (Database, Readers, Found) {
        Database::open(&folder.path().join("chat.db"), &Limits::default())
            .await
            .expect("a database")
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn entry(seq: u64, kind: Kind) -> Recorded {
        let entry = Entry {
            seq,
            at: Timestamp::from_unix_millis(1_795_255_200_000 + seq.cast_signed()),
            id: ClientId::parse("张三").expect("a name"),
            ip: "2001:db8::1".parse().expect("an address"),
            kind,
        };
        Recorded {
            entry,
            session: 1,
            nonce: None,
            prev: None,
        }
    }

    /// Entries of every kind, with texts that JSON and SQL must leave alone.
    fn entries() -> Vec<Recorded> {
        let texts = [
            "hello",
            "\"quoted\" \\ 'single' \t tab",
            "你好 👨‍👩‍👧",
            "] [bob@::1] hi",
            "{}[]",
        ];
        let messages =
            texts.map(|text| Kind::Message(wire::Line::parse(text.as_bytes()).expect("a line")));
        let others = [Kind::Enter, Kind::Leave(Reason::Lost)];
        let kinds = messages.into_iter().chain(others);
        kinds.zip(1..).map(|(kind, seq)| entry(seq, kind)).collect()
    }

    /// A database that holds them.
    async fn filled(folder: &tempfile::TempDir) -> (Database, Readers) {
        let (mut database, pages, _) = open(folder).await;
        let batch = Batch {
            entries: entries(),
            ..Batch::default()
        };
        database
            .commit(&batch, 7, Timestamp::EPOCH)
            .await
            .expect("a commit");
        (database, pages)
    }

    #[tokio::test]
    async fn every_statement_fits_the_tables() {
        let folder = folder();
        let (mut database, _, _) = open(&folder).await;
        for sql in [
            // With it everything that the triggers do.
            COMMIT,
            CLOSE_CRASHED,
            FIND,
            FIND_HERE,
            FIND_IDS,
            STORED,
            PAGE,
            LAST_SESSION,
            START_OF_TAIL,
            TIME_OF,
            COUNT_LINES,
            COUNT_RUNS,
        ] {
            let sql = AssertSqlSafe(sql).into_sql_str();
            let prepared = database.connection.prepare(sql.clone()).await;
            assert!(prepared.is_ok(), "{}: {:?}", sql.as_str(), prepared.err());
        }
    }

    #[tokio::test]
    async fn a_page_is_what_the_recorder_would_have_sent() {
        let folder = folder();
        let (mut database, pages, _) = open(&folder).await;
        let batch = Batch {
            entries: entries(),
            ..Batch::default()
        };
        database
            .commit(&batch, 7, Timestamp::EPOCH)
            .await
            .expect("a commit");
        let mut sent = Vec::new();
        batch
            .entries
            .iter()
            .for_each(|recorded| recorded.entry.encode(&mut sent));
        let page = pages.page(0, 100, 256).await.expect("a page");
        assert_eq!(page, Some((String::from_utf8(sent).expect("text"), 7)));
        let part = pages.page(2, 5, 2).await.expect("a page").expect("entries");
        assert_eq!((part.0.lines().count(), part.1), (2, 4));
        assert_eq!(pages.page(7, 100, 256).await.expect("no page"), None);
    }

    #[tokio::test]
    async fn the_tail_begins_where_it_fits() {
        let folder = folder();
        let (_database, pages) = filled(&folder).await;
        assert_eq!(pages.start_of_tail(7, 1_000_000).await.expect("a start"), 0);
        assert_eq!(pages.start_of_tail(7, 0).await.expect("a start"), 7);
        let some = pages.start_of_tail(7, 200).await.expect("a start");
        assert!((4..7).contains(&some), "{some}");
    }

    #[tokio::test]
    async fn a_batch_that_fails_leaves_nothing_behind_and_can_be_tried_again() {
        let folder = folder();
        let (mut database, pages, _) = open(&folder).await;
        let mut other = SqliteConnectOptions::new()
            .filename(folder.path().join("chat.db"))
            .connect()
            .await
            .expect("a second connection");
        other.execute("begin immediate").await.expect("the lock");
        let batch = Batch {
            entries: entries(),
            ..Batch::default()
        };
        let failure = database
            .commit(&batch, 7, Timestamp::EPOCH)
            .await
            .expect_err("locked");
        assert_eq!(failure.fault(), Fault::Passing("the database is locked"));
        other.execute("rollback").await.expect("no lock");
        assert_eq!(pages.page(0, 100, 256).await.expect("no page"), None);
        database
            .commit(&batch, 7, Timestamp::EPOCH)
            .await
            .expect("a commit");

        // A seq that is there already is no passing fault, and nothing of its batch is stored.
        let mut twice = entries();
        twice.push(entry(8, Kind::Enter));
        twice.reverse();
        let batch = Batch {
            entries: twice,
            ..Batch::default()
        };
        let failure = database
            .commit(&batch, 8, Timestamp::EPOCH)
            .await
            .expect_err("twice");
        assert_eq!(failure.fault(), Fault::Fatal);
        assert_eq!(pages.page(7, 100, 256).await.expect("no page"), None);
    }

    #[tokio::test]
    async fn a_second_server_is_kept_away_by_whatever_name_it_comes() {
        let folder = folder();
        let (_database, _, _) = open(&folder).await;
        let path = folder.path().join("chat.db");
        let mut names = vec![path.clone(), folder.path().join(".").join("chat.db")];
        #[cfg(unix)]
        {
            let link = folder.path().join("link.db");
            std::os::unix::fs::symlink(&path, &link).expect("a link");
            names.push(link);
        }
        for name in names {
            let second = Database::open(&name, &Limits::default()).await;
            assert!(
                matches!(second, Err(DatabaseError::InUse { .. })),
                "{}",
                name.display()
            );
        }
    }

    #[tokio::test]
    async fn a_number_does_not_return_when_the_newest_entries_are_pruned() {
        let folder = folder();
        let (mut database, _) = filled(&folder).await;
        database
            .connection
            .execute("delete from history")
            .await
            .expect("pruned");
        database.close().await.expect("a good end");
        let (_, _, found) = open(&folder).await;
        assert_eq!(found.head, 7);
    }

    fn alice(run: &str) -> Sender {
        let id = ClientId::parse("alice").expect("a name");
        (id, wire::Run::parse(run).expect("a run"))
    }

    /// What is known of a run, each line as its N and its seq.
    async fn lines_of(database: &mut Database, run: &str) -> (Known, Vec<(u64, u64)>) {
        let known = database.stored(&alice(run)).await.expect("a run");
        let lines = known.lines.iter().map(|line| (line.n, line.seq)).collect();
        (known, lines)
    }

    #[tokio::test]
    async fn a_database_of_the_first_version_keeps_the_last_lines_of_each_run() {
        let folder = folder();
        let path = folder.path().join("chat.db");
        let mut old = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .connect()
            .await
            .expect("a database");
        let first: Vec<_> = MIGRATIONS.iter().take(1).cloned().collect();
        let first = Migrator {
            migrations: first.into(),
            ..Migrator::DEFAULT
        };
        first
            .run_direct(None, &mut old, false)
            .await
            .expect("the tables of the first version");
        // Two runs take turns; the second one's N jumps. Their slots go round, as they did then.
        old.execute(
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < 200)
            insert into history (seq, at, kind, id, ip, text, session, nonce)
            select n, '2026-11-21T10:00:00.000Z', 'message', 'alice', '::1', 'line ' || n, 1,
                case n % 2 when 1 then 'firstrun-' || ((n + 1) / 2) else 'otherrun-' || (5 * n) end
            from n;
            insert or replace into senders (id, run, slot, n, seq, hash)
            select id, substr(nonce, 1, 8), (seq - 1) / 2 % 64,
                cast(substr(nonce, 10) as integer), seq, 7
            from history order by seq;
            update meta set value = '200' where key = 'head'",
        )
        .await
        .expect("a full database");
        old.close().await.expect("a good end");

        let (mut database, _, found) = open(&folder).await;
        assert_eq!(found.head, 200);
        let (known, lines) = lines_of(&mut database, "firstrun").await;
        assert_eq!((known.last, known.last_n), (Some(199), 100));
        let expected: Vec<_> = (37..=100).map(|n| (n, 2 * n - 1)).collect();
        assert_eq!(lines, expected);
        assert_eq!(known.lines[63].hash, hash("line 199"));
        let (known, lines) = lines_of(&mut database, "otherrun").await;
        assert_eq!((known.first, known.last_n), (Some(74), 1000));
        assert_eq!((lines.len(), lines[0]), (64, (370, 74)));
        let schema: String = sqlx::query_scalar("select value from meta where key = 'schema'")
            .fetch_one(&mut database.connection)
            .await
            .expect("a version");
        assert_eq!(schema, "2");
    }

    #[tokio::test]
    async fn the_lines_before_a_deleted_one_are_not_known_and_the_newest_n_is() {
        let folder = folder();
        let (mut database, _, _) = open(&folder).await;
        let runs = [(1, 5, Some("firstrun")), (1, 70, None)];
        let mut seq = 0;
        for (first, last, begun) in runs {
            let newest = Newest {
                begun: begun.map(alice),
                seq: last,
                n: last,
            };
            let entries = (seq + 1..=last).map(|seq| Recorded {
                nonce: Some(Nonce::parse(&format!("firstrun-{seq}")).expect("a nonce")),
                prev: (seq > first).then(|| seq - 1),
                ..entry(seq, Kind::Message(wire::Line::parse(b"a").expect("a line")))
            });
            let batch = Batch {
                entries: entries.collect(),
                runs: [(first, newest)].into(),
                ..Batch::default()
            };
            let committed = database.commit(&batch, last, Timestamp::EPOCH).await;
            committed.expect("a commit");
            seq = last;
        }
        let (known, lines) = lines_of(&mut database, "firstrun").await;
        assert_eq!((known.first, known.last_n), (Some(1), 70));
        assert_eq!((lines.len(), lines[0], lines[63]), (64, (7, 7), (70, 70)));
        assert_eq!(
            lines_of(&mut database, "another1").await.0,
            Known::default()
        );

        for (deleted, left, is_cut) in [("seq < 20", 51, true), ("seq > 60", 0, true)] {
            let delete = format!("delete from history where {deleted}");
            database
                .connection
                .execute(AssertSqlSafe(delete))
                .await
                .expect("pruned");
            let (known, lines) = lines_of(&mut database, "firstrun").await;
            assert_eq!((lines.len(), known.is_cut), (left, is_cut), "{deleted}");
            assert_eq!((known.last, known.last_n), (Some(70), 70), "{deleted}");
        }
    }

    /// A record in which bob writes one line a second, and alice begins a run with each of hers.
    async fn two_days(folder: &tempfile::TempDir, entries: u64) {
        let (mut database, _, _) = open(folder).await;
        let fill = format!(
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < {entries})
            insert into history (seq, at, kind, id, ip, text, session)
            select n, strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-22', (n - 10) || ' seconds'),
                iif(n % 10 = 9, 'enter', 'message'), iif(n % 2, 'alice', 'bob'), '::1',
                iif(n % 10 = 9, '', 'ü'), 1
            from n;
            insert into senders (first, id, run, last, n)
            select seq, id, 'run' || (10000000 + seq), seq, 1
            from history where id = 'alice' and kind = 'message'"
        );
        let filled = database.connection.execute(AssertSqlSafe(fill)).await;
        filled.expect("two days");
        database.close().await.expect("a good end");
    }

    #[tokio::test]
    async fn what_was_said_on_the_newest_day_is_counted_at_the_start_and_nothing_before() {
        let folder = folder();
        // Ten thousand entries, so that it takes several looks; the first nine are of the day before.
        two_days(&folder, 10_009).await;
        let (_, _, found) = open(&folder).await;
        let bob = 5_000;
        // Of alice's 5,000, every fifth is an enter.
        let alice = 4_000;
        let used = |lines, runs| Used {
            bytes: lines * (2 + ROW_BYTES),
            runs,
        };
        let id = |name| ClientId::parse(name).expect("a name");
        let expected = [(id("alice"), used(alice, alice)), (id("bob"), used(bob, 0))];
        assert_eq!(found.used, expected.into());
    }

    #[tokio::test]
    async fn a_day_that_is_too_large_is_counted_from_its_end_as_far_as_the_time_goes() {
        let folder = folder();
        two_days(&folder, 10_009).await;
        let limits = Limits {
            count_at_start_timeout: Duration::ZERO,
            ..Limits::default()
        };
        let path = folder.path().join("chat.db");
        let (_, _, found) = Database::open(&path, &limits).await.expect("a database");
        let lines: u64 = found.used.values().map(|u| u.bytes / (2 + ROW_BYTES)).sum();
        assert!(lines > 3_600 && lines < 4_096, "{lines}");
    }

    #[tokio::test]
    async fn a_database_that_would_not_keep_its_word_is_refused() {
        let folder = folder();
        let path = folder.path().join("chat.db");
        for (options, wrong) in [
            (
                SqliteConnectOptions::new().journal_mode(SqliteJournalMode::Delete),
                "journal_mode",
            ),
            (
                SqliteConnectOptions::new()
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal),
                "synchronous",
            ),
        ] {
            let options = options.filename(&path).create_if_missing(true);
            let mut connection = options.connect().await.expect("a connection");
            let refused = check_pragmas(&mut connection, &path).await;
            assert!(
                matches!(&refused, Err(DatabaseError::Pragma { pragma, .. }) if *pragma == wrong),
                "{refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn another_record_in_the_same_file_is_not_gone_on_with() {
        let folder = folder();
        let (mut database, _) = filled(&folder).await;
        // As after `.restore`: older entries, and a head that goes with them.
        let mut other = SqliteConnectOptions::new()
            .filename(folder.path().join("chat.db"))
            .connect()
            .await
            .expect("a second connection");
        other
            .execute(
                "delete from history where seq > 5; update meta set value = '5' where key = 'head'",
            )
            .await
            .expect("an older record");
        let batch = Batch {
            entries: vec![entry(8, Kind::Enter)],
            ..Batch::default()
        };
        let failure = database
            .commit(&batch, 8, Timestamp::EPOCH)
            .await
            .expect_err("not the record that was left");
        assert!(
            matches!(failure, DatabaseError::Replaced { .. }),
            "{failure}"
        );
        assert_eq!(failure.fault(), Fault::Fatal);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_with_two_names_is_refused() {
        let folder = folder();
        let (database, _, _) = open(&folder).await;
        database.close().await.expect("a good end");
        let path = folder.path().join("chat.db");
        std::fs::hard_link(&path, folder.path().join("other.db")).expect("a second name");
        let refused = Database::open(&path, &Limits::default()).await;
        assert!(matches!(refused, Err(DatabaseError::Linked { .. })));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_in_the_place_of_the_lock_is_refused_and_not_followed() {
        let folder = folder();
        let target = folder.path().join("precious");
        let link = folder.path().join("chat.db.lock");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        let refused = Database::open(&folder.path().join("chat.db"), &Limits::default())
            .await
            .expect_err("a link");
        let words = refused.to_string();
        assert!(
            words.ends_with("chat.db.lock: it is a link, and has to be a file; remove it"),
            "{words}"
        );
        assert!(!target.exists(), "the link was followed");
        std::fs::remove_file(&link).expect("gone");
        open(&folder).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    #[ignore = "needs root, to give a link away: run with --include-ignored"]
    async fn a_database_behind_a_link_that_somebody_else_made_is_refused() {
        const NOBODY: u32 = 65534;
        let folder = folder();
        let link = folder.path().join("link.db");
        let path = folder.path().join("chat.db");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        std::os::unix::fs::lchown(&link, Some(NOBODY), None).expect("this test runs as root");
        let refused = Database::open(&link, &Limits::default()).await;
        let words = refused.expect_err("somebody else's link").to_string();
        assert!(words.contains("user 65534 made it"), "{words}");
        assert!(!path.exists(), "the link was followed");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_file_is_not_for_everyone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder();
        let (_database, _, _) = open(&folder).await;
        let mode = std::fs::metadata(folder.path().join("chat.db"))
            .expect("a file")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o640);
    }

    #[tokio::test]
    async fn what_is_no_database_is_said_to_be_damaged() {
        let folder = folder();
        let path = folder.path().join("chat.db");
        std::fs::write(
            &path,
            "this is not a database, and long enough to be looked at".repeat(20),
        )
        .expect("a file");
        let failure = Database::open(&path, &Limits::default())
            .await
            .expect_err("no database");
        assert!(failure.is_io_or_corruption(), "{failure}");
    }
}
