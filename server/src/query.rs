//! `server query`: asks the record, for machines without `sqlite3`. It cannot change anything.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Row as _, TypeInfo as _, ValueRef as _,
};

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
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// SQLite does not understand the question, or refuses it.
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
            QueryError::Sql(_) | QueryError::Write(_) => None,
        }
    }
}

/// Asks the database at `path` and writes the answer to `out`.
///
/// # Errors
///
/// When the database cannot be opened, the SQL is wrong or would change something, or the answer
/// cannot be written.
pub async fn query(
    path: &Path,
    sql: String,
    format: Format,
    out: &mut impl Write,
) -> Result<(), QueryError> {
    let mut connection = open(path).await?;
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&mut connection)
        .await
        .map_err(|error| QueryError::Sql(in_words(&error)))?;
    let header: Vec<String> = rows.first().map_or_else(Vec::new, |row| {
        row.columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect()
    });
    match format {
        Format::Table => write_table(&header, &rows, out)?,
        Format::Csv => write_csv(&header, &rows, out)?,
        Format::Json => write_json(&rows, out)?,
    }
    out.flush()?;
    Ok(())
}

/// What SQLite says, without its number.
fn in_words(error: &sqlx::Error) -> String {
    let database = error.as_database_error();
    database.map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

async fn open(path: &Path) -> Result<SqliteConnection, QueryError> {
    if !path.exists() {
        return Err(QueryError::Missing(path.to_owned()));
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let failure = match probe(&options).await {
        Ok(connection) => return Ok(connection),
        Err(failure) => failure,
    };
    // A reader who may not write to the folder cannot make the files that SQLite shares between
    // processes. While no server runs and the log is empty, the file alone is the whole record.
    if has_log(path) {
        return Err(QueryError::Open {
            path: path.to_owned(),
            source: failure,
        });
    }
    let alone = options.immutable(true);
    probe(&alone).await.map_err(|_| QueryError::Open {
        path: path.to_owned(),
        source: failure,
    })
}

/// Opening a database reads nothing yet, so a first question tells whether it can be read.
async fn probe(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::query("select count(*) from sqlite_schema")
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn write_table(header: &[String], rows: &[SqliteRow], out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "(no rows)");
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(values(row).iter().map(|value| visible(&plain(value))));
    }
    writeln!(out, "{}", table.trim_fmt())
}

fn write_csv(header: &[String], rows: &[SqliteRow], out: &mut impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    if !header.is_empty() {
        csv.write_record(header)?;
    }
    for row in rows {
        csv.write_record(values(row).iter().map(plain))?;
    }
    csv.flush()
}

fn write_json(rows: &[SqliteRow], out: &mut impl Write) -> io::Result<()> {
    let objects = rows.iter().map(|row| {
        let names = row.columns().iter().map(|column| column.name().to_owned());
        Value::Object(names.zip(values(row)).collect())
    });
    let array = Value::Array(objects.collect());
    writeln!(out, "{}", serde_json::to_string_pretty(&array)?)
}

fn values(row: &SqliteRow) -> Vec<Value> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

/// One value, by the type that it has in this row.
fn value(row: &SqliteRow, index: usize) -> Value {
    let Ok(raw) = row.try_get_raw(index) else {
        return Value::Null;
    };
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" => row.get_unchecked::<i64, _>(index).into(),
        "REAL" => row.get_unchecked::<f64, _>(index).into(),
        "BLOB" => {
            let bytes: Vec<u8> = row.get_unchecked(index);
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into()
        }
        _ => row.get_unchecked::<String, _>(index).into(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text as it may stand on a terminal: what could move the cursor is shown as a replacement.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
