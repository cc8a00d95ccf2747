//! Tells what a file is that is not a room's record, before anything in it is changed.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::files::name_for_sqlx;
use crate::few::few;
use crate::transcript::fault::DatabaseError;

/// The bytes with which every SQLite database begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// How much of a file is looked at.
const HEAD_BYTES_MAX: u64 = 4096;

/// The tables that every version of a record has.
const OURS: [&str; 3] = ["history", "joins", "meta"];

/// Returns what a file is that is plainly not a database; `None` for a database, for an empty file, which becomes
/// one, and for bytes that may be a damaged one.
pub(in crate::store) fn other_kind(path: &Path) -> Option<&'static str> {
    let mut head = Vec::new();
    // A file that cannot be read is reported where it is opened.
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES_MAX).read_to_end(&mut head))
        .ok()?;
    kind_of(&head)
}

fn kind_of(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "a zip file, or a document made of one"),
        (b"\x1f\x8b", "a compressed file"),
        (b"\x28\xb5\x2f\xfd", "a compressed file"),
        (b"%PDF-", "a PDF document"),
        (b"\x7fELF", "a program"),
        (b"\xff\xfe", "a text file"),
        (b"\xfe\xff", "a text file"),
    ];
    if head.is_empty() || head.starts_with(MAGIC) {
        return None;
    }
    if let Some((_, kind)) = KNOWN.iter().find(|(begins, _)| head.starts_with(begins)) {
        return Some(kind);
    }
    if memchr::memmem::find(head, b"-----BEGIN ").is_some() {
        return Some("a file of certificates or keys (PEM)");
    }
    let is_text = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character may have been cut in two where the looking ended.
        Err(error) => error.error_len().is_none(),
    };
    let is_printed = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    (is_text && head.iter().all(is_printed)).then_some("a text file")
}

/// Refuses a file that plainly is no database, and another program's database. `given` is how the operator named the
/// file. Changes nothing: the settings that the record needs would change the file.
pub(super) async fn check_kind(path: &Path, given: &Path) -> Result<(), DatabaseError> {
    if let Some(kind) = other_kind(path) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plainly_something_else_is_named_and_what_may_be_a_damaged_database_is_not() {
        for (head, kind) in [
            (&b""[..], None),
            (b"SQLite format 3\0\x10\0\x02", None),
            (b"\0\0\0\0\0\0\0\0\0\0", None),
            (b"\xffQLite format 3\0", None),
            (b"my notes\n", Some("a text file")),
            ("notes with an \u{e9}".as_bytes(), Some("a text file")),
            (
                "cut \u{e9}".as_bytes().split_last().expect("bytes").1,
                Some("a text file"),
            ),
            (b"\xff\xfen\0o\0", Some("a text file")),
            (
                b"PK\x03\x04\x14\0",
                Some("a zip file, or a document made of one"),
            ),
            (b"%PDF-1.7\n\xe2\xe3", Some("a PDF document")),
            (
                b"subject=CN = x\n-----BEGIN CERTIFICATE-----\nMIIB",
                Some("a file of certificates or keys (PEM)"),
            ),
        ] {
            assert_eq!(kind_of(head), kind, "{:?}", head.escape_ascii().to_string());
        }
    }
}
