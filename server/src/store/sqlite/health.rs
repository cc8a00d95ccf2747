//! Checks that SQLite took our settings, and that the file is not damaged.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;
use tracing::warn;

use crate::transcript::fault::DatabaseError;

/// How many of SQLite's steps pass between two looks at the clock during the check for damage.
const CHECK_STEPS: i32 = 1_000;

/// Reads our settings back from SQLite, which does not report a setting that it did not take.
pub(super) async fn check_pragmas(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), DatabaseError> {
    let sqlite = |cause| DatabaseError::sqlite(path, cause);
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

/// Looks for damage that SQLite can detect, before anybody relies on the record. A large one takes
/// longer than a start may; damage in the unchecked part is found when it is read.
pub(super) async fn look_for_damage(
    connection: &mut SqliteConnection,
    path: &Path,
    timeout: Duration,
) -> Result<(), DatabaseError> {
    let sqlite = |cause| DatabaseError::sqlite(path, cause);
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
            // SQLite puts a heading on a separate line before it.
            what: what.replace('\n', " "),
        }),
        Err(failure) if failure.is_interruption() => {
            warn!(
                ?timeout,
                "the database is too large to be checked for damage completely at the start; only a part was checked"
            );
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}
