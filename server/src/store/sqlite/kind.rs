//! Tells what a file is that is not a room's record, before anything in it is changed.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::files::name_for_sqlx;
use crate::few::few;
use crate::file_kind::FileKind;
use crate::transcript::fault::DatabaseError;

/// The tables that every version of a record has.
const OURS: [&str; 3] = ["history", "joins", "meta"];

/// Refuses a file that plainly is no database, and another program's database. `given` is how the operator named the
/// file. Changes nothing: the settings that the record needs would change the file.
pub(super) async fn check_kind(path: &Path, given: &Path) -> Result<(), DatabaseError> {
    // A file that cannot be read is reported where it is opened.
    let kind = FileKind::of(path).ok().and_then(FileKind::no_database);
    if let Some(kind) = kind {
        return Err(DatabaseError::NotADatabase {
            path: given.to_owned(),
            kind,
        });
    }
    let sqlite = |cause| DatabaseError::sqlite(path, cause);
    let options = SqliteConnectOptions::new().filename(name_for_sqlx(path));
    let mut connection = options.connect().await.map_err(sqlite)?;
    // sqlx makes its table before the first of ours, so it is there alone after a kill in between.
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from sqlite_schema
        where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut connection)
    .await
    .map_err(sqlite)?;
    connection.close().await.map_err(sqlite)?;
    let is_ours = OURS
        .iter()
        .all(|ours| tables.iter().any(|table| table == ours));
    if tables.is_empty() || is_ours {
        return Ok(());
    }
    Err(DatabaseError::OfAnotherProgram {
        path: given.to_owned(),
        tables: wire::escape(&few(tables)),
    })
}
