//! Tells the kind of a file by its first bytes, so that no file is taken for a database, a log or an answer that is
//! something else.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes with which every SQLite database begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// How much of a file is looked at. A certificate's description, which may stand above it, is shorter.
const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// There is nothing in it.
    Empty,
    /// A database of SQLite.
    Database,
    /// A text without certificates or keys.
    Text,
    /// Another well-known kind, in words.
    Other(&'static str),
    /// It may be anything, also a damaged database.
    Unknown,
}

impl FileKind {
    /// Looks at a file. Call it for regular files only: opening a named pipe would wait for its other end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut head = Vec::new();
        File::open(path)?
            .take(HEAD_BYTES_MAX)
            .read_to_end(&mut head)?;
        Ok(Self::of_head(&head))
    }

    fn of_head(head: &[u8]) -> Self {
        const KNOWN: [(&[u8], &str); 5] = [
            (b"PK\x03\x04", "a zip file, or a document made of one"),
            (b"\x1f\x8b", "a compressed file"),
            (b"\x28\xb5\x2f\xfd", "a compressed file"),
            (b"%PDF-", "a PDF document"),
            (b"\x7fELF", "a program"),
        ];
        if head.is_empty() {
            return Self::Empty;
        }
        if head.starts_with(MAGIC) {
            return Self::Database;
        }
        if let Some((_, kind)) = KNOWN.iter().find(|(begins, _)| head.starts_with(begins)) {
            return Self::Other(kind);
        }
        if has_pem(head) {
            return Self::Other("a file of certificates or keys (PEM)");
        }
        // A sequence with a long length, or one that begins with a small number, as keys do.
        if matches!(head, [0x30, 0x81..=0x83, ..] | [0x30, _, 0x02, 0x01, ..]) {
            return Self::Other("a certificate or key (DER)");
        }
        match is_text(head) {
            true => Self::Text,
            false => Self::Unknown,
        }
    }

    /// Returns the kind in words when the file is plainly no database; `None` for an empty file, which becomes one, and
    /// for bytes that may be a damaged one.
    pub(crate) fn no_database(self) -> Option<&'static str> {
        match self {
            Self::Text => Some("a text file"),
            Self::Other(kind) => Some(kind),
            Self::Empty | Self::Database | Self::Unknown => None,
        }
    }

    /// Returns the kind in words when nobody would append lines to such a file on purpose.
    pub(crate) fn no_log(self) -> Option<&'static str> {
        match self {
            Self::Database => Some("a database"),
            Self::Other(kind) => Some(kind),
            Self::Empty | Self::Text | Self::Unknown => None,
        }
    }

    /// Returns the kind in words when no query can have written such a file.
    pub(crate) fn no_answer(self) -> Option<&'static str> {
        match self {
            Self::Database => Some("a database"),
            Self::Other(kind) => Some(kind),
            Self::Unknown => Some("not a text file"),
            Self::Empty | Self::Text => None,
        }
    }
}

/// Returns whether a line begins as a certificate or key in PEM does. In the middle of a line these words may be
/// anybody's: a peer must not be able to put them into a log that is then refused.
fn has_pem(head: &[u8]) -> bool {
    memchr::memmem::find_iter(head, b"-----BEGIN ")
        .any(|place| matches!(head[..place], [] | [.., b'\n' | b'\r'] | [0xef, 0xbb, 0xbf]))
}

fn is_text(head: &[u8]) -> bool {
    // UTF-16, as Windows writes it.
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let is_utf_8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character may have been cut in two where the looking ended.
        Err(error) => error.error_len().is_none(),
    };
    let is_printed = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    is_utf_8 && head.iter().all(is_printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: FileKind = FileKind::Other("a file of certificates or keys (PEM)");
    const DER: FileKind = FileKind::Other("a certificate or key (DER)");

    #[test]
    fn a_file_is_known_by_its_first_bytes_and_a_damaged_database_is_unknown() {
        for (head, kind) in [
            (&b""[..], FileKind::Empty),
            (b"SQLite format 3\0\x10\0\x02", FileKind::Database),
            (b"\0\0\0\0\0\0\0\0\0\0", FileKind::Unknown),
            (b"\xffQLite format 3\0", FileKind::Unknown),
            (b"my notes\n", FileKind::Text),
            ("notes with an \u{e9}".as_bytes(), FileKind::Text),
            (
                "cut \u{e9}".as_bytes().split_last().expect("bytes").1,
                FileKind::Text,
            ),
            (b"\xff\xfen\0o\0", FileKind::Text),
            (b"0,1\n", FileKind::Text),
            (b"2026 refused -----BEGIN X\n", FileKind::Text),
            (
                b"PK\x03\x04\x14\0",
                FileKind::Other("a zip file, or a document made of one"),
            ),
            (b"%PDF-1.7\n\xe2\xe3", FileKind::Other("a PDF document")),
            (b"subject=CN = x\n-----BEGIN CERTIFICATE-----\nMIIB", PEM),
            (b"-----BEGIN PRIVATE KEY-----", PEM),
            (b"\xef\xbb\xbf-----BEGIN PRIVATE KEY-----", PEM),
            (b"\r\n-----BEGIN X509 CRL-----", PEM),
            (b"\x30\x82\x01\x40\x30", DER),
            (b"\x30\x2e\x02\x01\x00\x30", DER),
        ] {
            let shown = head.escape_ascii().to_string();
            assert_eq!(FileKind::of_head(head), kind, "{shown}");
        }
    }

    #[test]
    fn each_use_of_a_file_refuses_other_kinds() {
        for (kind, database, log, answer) in [
            (FileKind::Empty, true, true, true),
            (FileKind::Database, true, false, false),
            (FileKind::Text, false, true, true),
            (FileKind::Unknown, true, true, false),
            (PEM, false, false, false),
            (DER, false, false, false),
        ] {
            let allowed = [kind.no_database(), kind.no_log(), kind.no_answer()];
            assert_eq!(
                allowed.map(|refusal| refusal.is_none()),
                [database, log, answer],
                "{kind:?}"
            );
        }
    }
}
