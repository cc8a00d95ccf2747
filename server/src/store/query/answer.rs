//! The answer to a query, written row by row as a table, as CSV or as JSON.
//!
//! It contains text from members, and a column can have any name. So no table contains a character
//! that moves a cursor, and nothing on a terminal does; there each line is also wrapped with an
//! indent.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Write};

use rusqlite::types::ValueRef;
use unicode_width::UnicodeWidthStr as _;
use wire::terminal::{escape_json, inert, shown};

use super::Format;
use super::guard::guarded;
use crate::terminal::COLUMNS;

/// The number of rows from which a table determines the widths of its columns.
const SAMPLE_ROWS_MAX: usize = 1000;

/// The limit on the text of these rows, in bytes.
const SAMPLE_BYTES_MAX: usize = 1024 * 1024;

/// No column of a table is padded to more than this. A longer text shifts the columns after it.
const PADDED_COLUMNS_MAX: usize = 60;

/// U+FEFF, which tells some programs that the text after it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Precedes a text that is not UTF-8, which is written in hexadecimal digits.
const NOT_UTF8: &str = "not UTF-8: ";

/// An answer that is being written.
pub(super) enum Answer<W: Write> {
    Table(Table<W>),
    Csv(Box<Csv<W>>),
    Json(Json<W>),
}

impl<W: Write> Answer<W> {
    pub(super) fn begin(
        format: Format,
        names: Vec<String>,
        out: W,
        columns: fn() -> Option<usize>,
    ) -> io::Result<Self> {
        let out = Screen {
            out,
            columns: columns().map(|_| columns),
            line: Vec::new(),
        };
        Ok(match format {
            Format::Table => Answer::Table(Table::new(names, out)),
            Format::Csv | Format::CsvFile | Format::RawCsv => {
                Answer::Csv(Box::new(Csv::new(format, names, out)?))
            }
            Format::Json => Answer::Json(Json::new(&names, out)?),
        })
    }

    pub(super) fn row(&mut self, values: &[ValueRef<'_>]) -> io::Result<()> {
        match self {
            Answer::Table(table) => table.row(values),
            Answer::Csv(csv) => csv.row(values.iter().copied()),
            Answer::Json(json) => json.row(values),
        }
    }

    pub(super) fn end(self) -> io::Result<()> {
        match self {
            Answer::Table(table) => table.end(),
            Answer::Csv(mut csv) => csv.writer.flush(),
            Answer::Json(json) => json.end(),
        }
    }
}

/// CSV records; the first is the header.
pub(super) struct Csv<W: Write> {
    writer: csv::Writer<Screen<W>>,
    is_terminal: bool,
    is_raw: bool,
}

impl<W: Write> Csv<W> {
    fn new(format: Format, names: Vec<String>, mut out: Screen<W>) -> io::Result<Self> {
        let is_terminal = out.columns.is_some();
        if format == Format::CsvFile {
            out.write_all(BYTE_ORDER_MARK)?;
        }
        let mut csv = Self {
            writer: csv::Writer::from_writer(out),
            is_terminal,
            is_raw: format == Format::RawCsv,
        };
        csv.row(names.iter().map(|name| ValueRef::Text(name.as_bytes())))?;
        Ok(csv)
    }

    /// Writes a row. Raw, each value is unchanged, byte for byte; otherwise a text that a spreadsheet
    /// would compute is marked. On a terminal a line end in a value would begin a new row of the
    /// screen, so it is escaped.
    fn row<'a>(&mut self, values: impl Iterator<Item = ValueRef<'a>>) -> io::Result<()> {
        for value in values {
            let is_number = match value {
                ValueRef::Integer(_) => true,
                ValueRef::Real(number) => number.is_finite(),
                ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => false,
            };
            let shown = text(value);
            let shown = match self.is_raw || is_number {
                true => shown,
                false => Cow::Owned(guarded(&shown).into_owned()),
            };
            let shown = match self.is_terminal {
                true => Cow::Owned(inert(&shown).into_owned()),
                false => shown,
            };
            self.writer.write_field(shown.as_bytes()).map_err(of_csv)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(of_csv)
    }
}

/// Returns the cause, which tells whether the reader has gone.
fn of_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A table whose columns are as wide as its first rows need.
pub(super) struct Table<W: Write> {
    names: Vec<String>,
    out: Screen<W>,
    sample: Vec<Vec<String>>,
    sample_bytes: usize,
    /// Set once the sample has been written.
    widths: Option<Vec<usize>>,
}

impl<W: Write> Table<W> {
    fn new(names: Vec<String>, out: Screen<W>) -> Self {
        Self {
            names: names.iter().map(|name| cell(name)).collect(),
            out,
            sample: Vec::new(),
            sample_bytes: 0,
            widths: None,
        }
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> io::Result<()> {
        let cells: Vec<String> = values.iter().map(|value| cell(&text(*value))).collect();
        if let Some(widths) = &self.widths {
            return write_cells(&mut self.out, &cells, widths);
        }
        self.sample_bytes += cells.iter().map(String::len).sum::<usize>();
        self.sample.push(cells);
        if self.sample.len() == SAMPLE_ROWS_MAX || self.sample_bytes >= SAMPLE_BYTES_MAX {
            self.write_sample()?;
        }
        Ok(())
    }

    fn write_sample(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.sample);
        let mut widths: Vec<usize> = vec![0; self.names.len()];
        for row in rows.iter().chain([&self.names]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().min(PADDED_COLUMNS_MAX).max(*width);
            }
        }
        write_cells(&mut self.out, &self.names, &widths)?;
        for row in &rows {
            write_cells(&mut self.out, row, &widths)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        if self.widths.is_none() && self.sample.is_empty() {
            writeln!(self.out, "(no rows)")?;
        } else if self.widths.is_none() {
            self.write_sample()?;
        }
        self.out.flush()
    }
}

/// Writes a row: a space, then the cells with two spaces between them, and no space at the end.
fn write_cells(out: &mut impl Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(if line.is_empty() { " " } else { "  " });
        line.push_str(cell);
        let padding = width.saturating_sub(cell.width());
        line.extend(std::iter::repeat_n(' ', padding));
    }
    writeln!(out, "{}", line.trim_end_matches(' '))
}

/// Returns a text as a cell shows it.
fn cell(text: &str) -> String {
    inert(text).replace('\t', "    ")
}

/// A JSON array with one object per line.
pub(super) struct Json<W: Write> {
    out: Screen<W>,
    /// In quotes, and all different.
    keys: Vec<String>,
    has_rows: bool,
}

impl<W: Write> Json<W> {
    fn new(names: &[String], mut out: Screen<W>) -> io::Result<Self> {
        out.write_all(b"[")?;
        let mut taken: HashSet<String> = names.iter().cloned().collect();
        let mut seen = HashSet::new();
        let mut keys = Vec::new();
        for name in names {
            let mut key = name.clone();
            if !seen.insert(name) {
                // Another column of the same name.
                let mut numbers = 2..;
                while !taken.insert(key.clone()) {
                    key = format!("{name}_{}", numbers.next().unwrap_or(u32::MAX));
                }
            }
            keys.push(json_string(&key)?);
        }
        Ok(Self {
            out,
            keys,
            has_rows: false,
        })
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> io::Result<()> {
        self.out
            .write_all(if self.has_rows { b",\n{" } else { b"\n{" })?;
        self.has_rows = true;
        for (index, (key, value)) in self.keys.iter().zip(values).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(self.out, "{comma}{key}:{}", json(*value)?)?;
        }
        self.out.write_all(b"}")
    }

    fn end(mut self) -> io::Result<()> {
        writeln!(self.out, "{}]", if self.has_rows { "\n" } else { "" })?;
        self.out.flush()
    }
}

fn json(value: ValueRef<'_>) -> io::Result<String> {
    Ok(match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) if number.is_finite() => text(value).into_owned(),
        ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => json_string(&text(value))?,
    })
}

/// Returns a text in quotes. Characters that do not print are escaped, so that nobody overlooks
/// them.
fn json_string(text: &str) -> io::Result<String> {
    let quoted = serde_json::to_string(text)?;
    Ok(escape_json(&quoted).into_owned())
}

/// Returns a value as text: BLOBs, and texts that are not UTF-8, in hexadecimal digits.
fn text(value: ValueRef<'_>) -> Cow<'_, str> {
    match value {
        ValueRef::Null => Cow::Borrowed(""),
        ValueRef::Integer(number) => Cow::Owned(number.to_string()),
        ValueRef::Real(number) => Cow::Owned(match serde_json::Number::from_f64(number) {
            Some(number) => number.to_string(),
            None if number > 0.0 => "Inf".to_owned(),
            // SQLite has no NaN.
            None => "-Inf".to_owned(),
        }),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(format!("{NOT_UTF8}{}", hexadecimal(bytes))),
        },
        ValueRef::Blob(bytes) => Cow::Owned(hexadecimal(bytes)),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The destination of the answer. On a terminal each line is escaped and wrapped; a pipe gets every
/// byte.
pub(super) struct Screen<W: Write> {
    out: W,
    /// Returns the current width of the terminal; `None` when the destination is not one.
    columns: Option<fn() -> Option<usize>>,
    /// The unfinished line, on a terminal.
    line: Vec<u8>,
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(columns) = self.columns else {
            return self.out.write(bytes);
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(piece);
            if self.line.pop_if(|byte| *byte == b'\n').is_some() {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                let columns = columns().unwrap_or(COLUMNS);
                writeln!(self.out, "{}", shown(&line, Some(columns)))?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
