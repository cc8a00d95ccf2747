//! Writes rows as SQLite's binary JSON, so that SQLite parses nothing and we escape nothing. The
//! format is public, <https://sqlite.org/jsonb.html>; only the part that rows need is here.

use std::fmt::Display;
use std::io::Write as _;

const NULL: u8 = 0;
const INTEGER: u8 = 3;
/// A text as it is, with any characters.
const TEXT: u8 = 10;
const ARRAY: u8 = 11;

/// The upper half of an element's first byte says how many bytes its length has.
const LENGTH_IN_1: u8 = 12 << 4;
const LENGTH_IN_4: u8 = 14 << 4;

/// An array of rows, each an array of values.
#[derive(Debug)]
pub(crate) struct Rows(Vec<u8>);

/// A row that is being written.
#[derive(Debug)]
pub(crate) struct Row<'a>(&'a mut Vec<u8>);

impl Rows {
    pub(crate) fn new() -> Self {
        let mut bytes = Vec::new();
        open(&mut bytes, ARRAY | LENGTH_IN_4);
        Self(bytes)
    }

    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Row<'_>)) {
        let start = self.0.len();
        open(&mut self.0, ARRAY | LENGTH_IN_4);
        write(&mut Row(&mut self.0));
        close(&mut self.0, start);
    }

    /// Returns the rows; `None` when there are none.
    pub(crate) fn close(mut self) -> Option<Vec<u8>> {
        let is_empty = self.0.len() == HEADER_BYTES;
        close(&mut self.0, 0);
        (!is_empty).then_some(self.0)
    }
}

/// Header size of an element whose length is not known in advance.
const HEADER_BYTES: usize = 5;

fn open(bytes: &mut Vec<u8>, first: u8) {
    bytes.extend([first, 0, 0, 0, 0]);
}

fn close(bytes: &mut [u8], start: usize) {
    let length = bytes.len() - start - HEADER_BYTES;
    let length = u32::try_from(length).expect("a batch is far smaller than 4 GiB");
    bytes[start + 1..start + HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
}

impl Row<'_> {
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        if let Ok(length) = u8::try_from(text.len()) {
            self.0.extend([TEXT | LENGTH_IN_1, length]);
            self.0.extend(text.as_bytes());
        } else {
            let start = self.0.len();
            open(self.0, TEXT | LENGTH_IN_4);
            self.0.extend(text.as_bytes());
            close(self.0, start);
        }
        self
    }

    /// Writes a text of at most 255 bytes that is formatted on the way.
    pub(crate) fn shown(&mut self, what: impl Display) -> &mut Self {
        self.short(TEXT, what)
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.short(INTEGER, number)
    }

    pub(crate) fn or_null<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => {
                self.0.push(NULL);
                self
            }
        }
    }

    fn short(&mut self, kind: u8, what: impl Display) -> &mut Self {
        let start = self.0.len();
        self.0.extend([kind | LENGTH_IN_1, 0]);
        write!(self.0, "{what}").expect("memory takes what is written");
        let length = self.0.len() - start - 2;
        self.0[start + 1] = u8::try_from(length).expect("names, addresses and times are short");
        self
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn sqlite_reads_the_rows_that_were_written() {
        let long = "\"长\" \\ \t".repeat(700);
        let texts = ["", "a", "\"quoted\" \\ 'single' {}[]", "你好 👨‍👩‍👧", &long];
        let mut rows = Rows::new();
        for (n, text) in texts.into_iter().enumerate() {
            rows.push(|row| {
                row.number(u64::MAX >> (1 + n))
                    .text(text)
                    .or_null((n % 2 == 0).then_some(text.len()), Row::shown);
            });
        }
        let mut sqlite = SqliteConnection::connect("sqlite::memory:")
            .await
            .expect("memory");
        let read = sqlx::query(
            "select value ->> 0, value ->> 1, value ->> 2, json_valid(?1, 8) from jsonb_each(?1)",
        )
        .bind(rows.close())
        .fetch_all(&mut sqlite)
        .await
        .expect("rows");
        assert_eq!(read.len(), texts.len());
        for (n, (row, text)) in read.iter().zip(texts).enumerate() {
            assert_eq!(row.get::<i64, _>(0), i64::MAX >> n);
            assert_eq!(row.get::<&str, _>(1), text);
            let length = (n % 2 == 0).then(|| text.len().to_string());
            assert_eq!(row.get::<Option<String>, _>(2), length);
            assert!(
                row.get::<bool, _>(3),
                "what SQLite looks at most closely is right"
            );
        }
    }

    #[test]
    fn no_rows_are_nothing() {
        assert_eq!(Rows::new().close(), None);
    }
}
