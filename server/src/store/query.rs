//! `server query`: queries the record on machines without `sqlite3`. It can only read.
//!
//! Rows are written as they come, so an answer of any length takes little memory.
// Not sqlx: it has no authorizer, and it reads every text as UTF-8, even when it is not.

mod answer;
mod guard;
mod out_file;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::answer::Answer;
pub use self::out_file::{Older, OutFile};
use super::sqlite::files::{beside, percent_encoded};
use crate::file_kind::FileKind;
use crate::os;

/// The largest value that a query may compute. The record's own values are far smaller, and a value
/// is held in memory whole.
const VALUE_BYTES_MAX: i32 = 16 * 1024 * 1024;

/// The format of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    Table,
    /// RFC 4180, with a header, for people: nothing in it is a formula to a spreadsheet.
    Csv,
    /// The same with a byte order mark in front, without which Excel takes UTF-8 for something older.
    CsvFile,
    /// RFC 4180, with a header, for programs: each text to the byte.
    RawCsv,
    /// A JSON array of objects.
    Json,
}

/// The reason why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The file does not exist.
    #[error("there is no database {}", .0.display())]
    Missing(PathBuf),
    /// The path names a folder, a named pipe or a device.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file is plainly something else.
    #[error("{} is not a database, but {kind}", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The file cannot be opened as a database.
    #[error("cannot open {}: {}", path.display(), in_words(cause))]
    Open {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        cause: rusqlite::Error,
    },
    /// Its tables are not a server's.
    #[error("{} is damaged: its schema is not UTF-8", .0.display())]
    Damaged(PathBuf),
    /// The query would do something other than read.
    #[error("a query may only read the record, and this one would do more")]
    NotReading,
    /// There is more than one statement.
    #[error("a query is one statement, and this is more than one")]
    Several,
    /// There is no statement, or one without an answer.
    #[error("this query has no statement that returns rows")]
    NoQuestion,
    /// SQLite does not understand the query, or cannot answer it.
    #[error("{0}")]
    Sql(String),
    /// The answer cannot be written.
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
    /// The answer would take the place of the record.
    #[error("{} belongs to the database itself", .0.display())]
    OutIsDatabase(PathBuf),
    /// The place for the answer is a folder, a named pipe or a device.
    #[error("cannot write the answer to {}: it is not a regular file", .0.display())]
    OutNotAFile(PathBuf),
    /// There is a file already, and it may be worth more than the answer.
    #[error("{} exists", .0.display())]
    OutExists(PathBuf),
    /// There is a file that no query wrote.
    #[error("{} is {kind}, which no answer replaces", path.display())]
    OutIsOther {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The file for the answer cannot be written.
    #[error("cannot write the answer to {}: {}", path.display(), out_words(cause))]
    Out {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
}

impl QueryError {
    /// Returns what the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            QueryError::Missing(_) => Some(
                "the server creates its database in the folder where it was started; name the file with --db FILE",
            ),
            QueryError::NotAFile(_) => Some("--db takes the name of a file, such as --db chat.db"),
            QueryError::NotADatabase { .. } => Some(
                "--db takes the file of a room's record, which is chat.db unless the server was given another name",
            ),
            QueryError::OutIsDatabase(_) => {
                Some("--out needs a file of its own, such as --out answer.csv")
            }
            QueryError::OutNotAFile(_) => {
                Some("name a file with --out, or leave --out away to write to standard output")
            }
            QueryError::OutExists(_) => Some(
                "name another file with --out, or add --replace to put the answer in its place",
            ),
            QueryError::OutIsOther { .. } => Some(
                "--replace takes the place of text files alone; name another file with --out, or remove this one first",
            ),
            QueryError::Out { .. } => {
                Some("--out needs a folder that exists and that you may write to")
            }
            QueryError::Sql(words) if words.starts_with("no such table") => Some(
                "tables: joins, history, senders, meta; views: transcript, attendance. If they are not there, is this the record of a room? --db names another file",
            ),
            QueryError::Sql(words) if words.starts_with("no such column") => Some(
                "texts stand in 'single quotes', as in id = 'alice'; \"pragma table_info(history)\" lists the columns of history",
            ),
            QueryError::Sql(words) if words.starts_with("near \".\"") => Some(
                "commands that begin with a dot belong to sqlite3. Tables: joins, history, senders, meta; views: transcript, attendance; \"pragma table_info(joins)\" lists the columns of joins",
            ),
            QueryError::Open { cause, .. }
                if cause.sqlite_error_code() == Some(ErrorCode::NotADatabase) =>
            {
                Some(
                    "does --db name another kind of file? If it is the database, its first bytes are damaged",
                )
            }
            QueryError::Open { cause, .. } => match cause.sqlite_error_code() {
                Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                    Some("only the server's user and group can read the database")
                }
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    Some("another program is using it alone; ask again when that has ended")
                }
                Some(ErrorCode::DatabaseCorrupt) => Some(
                    "is it a whole copy? docs/record.md says how to copy a database that is in use",
                ),
                _ => None,
            },
            QueryError::NotReading => {
                Some("to change or copy a record, use sqlite3 on a copy of the file")
            }
            QueryError::NoQuestion => Some("for example \"select * from transcript\""),
            QueryError::Damaged(_)
            | QueryError::Several
            | QueryError::Sql(_)
            | QueryError::Write(_) => None,
        }
    }
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        let words = in_words(&error);
        let is_refused = error.sqlite_error_code()
            == Some(ErrorCode::AuthorizationForStatementDenied)
            || words.starts_with("not authorized");
        match error {
            rusqlite::Error::MultipleStatement => QueryError::Several,
            _ if is_refused => QueryError::NotReading,
            _ => QueryError::Sql(words),
        }
    }
}

/// Returns why a file cannot be written.
fn out_words(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "its folder is a file".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not create files in its folder".to_owned(),
        _ => cause.to_string(),
    }
}

/// Returns SQLite's message without its number. It may quote the record, so it is escaped.
fn in_words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => wire::escape(words),
        rusqlite::Error::SqliteFailure(error, None) => {
            wire::escape(rusqlite::ffi::code_to_str(error.extended_code))
        }
        other => wire::escape(&other.to_string()),
    }
}

/// Queries the database at `path` and writes the answer to `out`. `columns` returns the current
/// width of `out`, if it is a terminal. Returns the number of rows.
///
/// # Errors
///
/// When the database cannot be opened, the SQL is wrong or would do anything but read, or the
/// answer cannot be written.
pub fn query(
    path: &Path,
    sql: &str,
    format: Format,
    out: impl Write,
    columns: fn() -> Option<usize>,
) -> Result<u64, QueryError> {
    let connection = open(path)?;
    allow_reading_only(&connection)?;
    let mut statement = connection.prepare(sql)?;
    if !statement.readonly() {
        return Err(QueryError::NotReading);
    }
    let names: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        return Err(QueryError::NoQuestion);
    }
    let width = names.len();
    let mut rows = statement.raw_query();
    // Nothing is written before the first row: most errors show by then.
    let mut next = rows.next()?;
    let mut answer = Answer::begin(format, names, out, columns)?;
    let mut count = 0;
    while let Some(row) = next {
        let values = (0..width).map(|index| row.get_ref(index));
        let values: Vec<ValueRef<'_>> = values.collect::<Result<_, _>>()?;
        answer.row(&values)?;
        count += 1;
        next = rows.next()?;
    }
    answer.end()?;
    Ok(count)
}

fn open(path: &Path) -> Result<Connection, QueryError> {
    if !path.exists() {
        return Err(QueryError::Missing(path.to_owned()));
    }
    // Opening a named pipe would wait for its other end.
    if !path.is_file() {
        return Err(QueryError::NotAFile(path.to_owned()));
    }
    let kind = FileKind::of(path).ok().and_then(FileKind::no_database);
    if let Some(kind) = kind {
        return Err(QueryError::NotADatabase {
            path: path.to_owned(),
            kind,
        });
    }
    let unreadable = |cause| QueryError::Open {
        path: path.to_owned(),
        cause,
    };
    // Never a URI: a file name may begin with "file:".
    let file = std::path::absolute(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // While no server runs and the write-ahead log is empty, the file alone is the whole record.
    let open_alone = || {
        let uri = format!("file:{}?immutable=1", percent_encoded(&file));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).and_then(probe)
    };
    let damaged = || QueryError::Damaged(path.to_owned());
    // SQLite creates files that it shares between processes, and a reader leaves them behind. If
    // they belonged to another user, the server could not write to them.
    if os::is_of_another_user(path)
        && !beside(path, "-wal").exists()
        && let Ok(probed) = open_alone()
    {
        return probed.ok_or_else(damaged);
    }
    let opened = Connection::open_with_flags(&file, flags);
    let failure = match opened.and_then(probe) {
        Ok(probed) => return probed.ok_or_else(damaged),
        Err(failure) => failure,
    };
    // A reader who may not write to the folder cannot create these files at all.
    if has_journal(path) {
        return Err(unreadable(failure));
    }
    match open_alone() {
        Ok(probed) => probed.ok_or_else(damaged),
        Err(_) => Err(unreadable(failure)),
    }
}

/// Tries to read the schema: opening a database reads nothing yet. Returns `None` when the schema
/// is not UTF-8, which rusqlite takes for granted.
fn probe(connection: Connection) -> Result<Option<Connection>, rusqlite::Error> {
    let mut is_utf8 = true;
    {
        let mut schema = connection.prepare("select name, tbl_name, sql from sqlite_schema")?;
        let mut rows = schema.raw_query();
        while let Some(row) = rows.next()? {
            for index in 0..3 {
                if let ValueRef::Text(text) = row.get_ref(index)? {
                    is_utf8 &= std::str::from_utf8(text).is_ok();
                }
            }
        }
    }
    Ok(is_utf8.then_some(connection))
}

fn has_journal(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|journal| journal.len() > 0)
}

/// Makes SQLite refuse every statement that does more than read when it is prepared. The file is
/// also opened read-only, and no other file can be attached.
fn allow_reading_only(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.authorizer(Some(|context: AuthContext<'_>| {
        if is_reading(&context.action) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }))
}

fn is_reading(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => {
            !FUNCTIONS_REFUSED.contains(&function_name.to_ascii_lowercase().as_str())
        }
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => {
            let name = pragma_name.to_ascii_lowercase();
            let name = name.as_str();
            PRAGMAS_THAT_DESCRIBE.contains(&name)
                || pragma_value.is_none() && PRAGMAS_THAT_TELL.contains(&name)
        }
        _ => false,
    }
}

/// Functions that reach beyond the record. All others in SQLite's library only compute.
const FUNCTIONS_REFUSED: [&str; 3] = ["load_extension", "fts3_tokenizer", "sqlite_log"];

/// Pragmas that describe the object their value names.
const PRAGMAS_THAT_DESCRIBE: [&str; 10] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
];

/// Pragmas that return something, some of which would change it if they were given a value.
const PRAGMAS_THAT_TELL: [&str; 10] = [
    "database_list",
    "collation_list",
    "function_list",
    "compile_options",
    "user_version",
    "application_id",
    "encoding",
    "page_count",
    "page_size",
    "freelist_count",
];

#[cfg(test)]
mod tests;
