//! `server query`: asks the record, for machines without `sqlite3`. It can read and nothing else.
//!
//! Rows are written as they come, so an answer of any length takes little memory.
// Not sqlx: it has no authorizer, and it reads a text as UTF-8 whether it is or not.

mod answer;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::answer::Answer;

/// The largest value that a question may make. The record's own are far smaller, and one value is held in memory whole.
const VALUE_BYTES_MAX: i32 = 16 * 1024 * 1024;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    Table,
    /// RFC 4180, with a header.
    Csv,
    /// An array of objects.
    Json,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is no such file.
    #[error("there is no database {}", .0.display())]
    Missing(PathBuf),
    /// It cannot be opened.
    #[error("cannot open {}: {}", path.display(), in_words(source))]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Its tables are not those of a server.
    #[error("{} is damaged: its schema is not UTF-8", .0.display())]
    Damaged(PathBuf),
    /// The question would do something else than read.
    #[error("a query may only read the record, and this one would do more")]
    NotReading,
    /// There is more than one statement.
    #[error("a query is one statement, and this is more than one")]
    Several,
    /// There is no statement, or one that has no answer.
    #[error("there is no question in this query")]
    NoQuestion,
    /// SQLite does not understand the question, or cannot answer it.
    #[error("{0}")]
    Sql(String),
    /// The answer cannot be written.
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
}

impl QueryError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            QueryError::Missing(_) => {
                Some("a server makes it in the folder where it runs; --db FILE names another")
            }
            QueryError::Open { .. } => {
                Some("the record is readable for the server's user and group only")
            }
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

/// What SQLite says, without its number. It may quote the record, so it is made inert.
fn in_words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => wire::escape(words),
        other => wire::escape(&other.to_string()),
    }
}

/// Asks the database at `path` and writes the answer to `out`. `columns` asks how many columns `out`
/// has now, if it is a terminal.
///
/// # Errors
///
/// When the database cannot be opened, the SQL is wrong or would do anything but read, or the answer
/// cannot be written.
pub fn query(
    path: &Path,
    sql: &str,
    format: Format,
    out: impl Write,
    columns: fn() -> Option<usize>,
) -> Result<(), QueryError> {
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
    // Nothing is written before the first row: until then most errors show.
    let mut next = rows.next()?;
    let mut answer = Answer::begin(format, names, out, columns)?;
    while let Some(row) = next {
        let values = (0..width).map(|index| row.get_ref(index));
        let values: Vec<ValueRef<'_>> = values.collect::<Result<_, _>>()?;
        answer.row(&values)?;
        next = rows.next()?;
    }
    answer.end()?;
    Ok(())
}

fn open(path: &Path) -> Result<Connection, QueryError> {
    if !path.exists() {
        return Err(QueryError::Missing(path.to_owned()));
    }
    let unreadable = |source| QueryError::Open {
        path: path.to_owned(),
        source,
    };
    // Never a URI, as a name that begins with "file:" would be.
    let file = std::path::absolute(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&file, flags);
    let failure = match opened.and_then(probe) {
        Ok(probed) => return probed.ok_or_else(|| QueryError::Damaged(path.to_owned())),
        Err(failure) => failure,
    };
    // A reader without the right to write to the folder cannot make the files that SQLite shares
    // between processes. While no server runs and the log is empty, the file alone is the whole
    // record.
    if has_log(path) {
        return Err(unreadable(failure));
    }
    let alone = Connection::open_with_flags(
        format!("file:{}?immutable=1", percent_encoded(&file)),
        flags | OpenFlags::SQLITE_OPEN_URI,
    );
    match alone.and_then(probe) {
        Ok(probed) => probed.ok_or_else(|| QueryError::Damaged(path.to_owned())),
        Err(_) => Err(unreadable(failure)),
    }
}

/// Opening a database reads nothing yet, so a first question tells whether it can be read. `None`
/// when its names are not UTF-8, which rusqlite takes for granted.
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

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// An absolute path as it stands in a URI of SQLite's.
fn percent_encoded(path: &Path) -> String {
    let mut encoded = String::new();
    if cfg!(windows) {
        encoded.push('/');
    }
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => encoded.push('/'),
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Has SQLite refuse whatever is not reading, when it prepares a statement. The file is opened for
/// reading besides, and no other one can be attached.
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

/// Functions that reach beyond the record. The others of SQLite's library compute.
const FUNCTIONS_REFUSED: [&str; 3] = ["load_extension", "fts3_tokenizer", "sqlite_log"];

/// Pragmas that tell something of what their value names.
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

/// Pragmas that tell something, and of which some would set it if they had a value.
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
