//! The people to issue certificates for: names from the command line, or a roster in CSV.
//!
//! Nothing is judged here. A candidate remembers where it stands, so that whoever judges it can
//! say so.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Problem};
use crate::folder::read_if_there;

/// Somebody who is to have a certificate, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name, not yet known to be one.
    pub name: String,
    /// The mail address, if there is one.
    pub email: Option<String>,
    /// The role, if it is not the one that all others have.
    pub role: Option<String>,
    /// Where it was written.
    pub place: Place,
}

/// Where a candidate was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The number of the argument, from 1.
    Argument(usize),
    /// The file and the line, from 1.
    Line(PathBuf, u64),
}

impl Candidate {
    /// Names, as they are given to a command.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<Self> {
        let names = names.into_iter().enumerate();
        names
            .map(|(index, name)| Self {
                name: name.into(),
                email: None,
                role: None,
                place: Place::Argument(index + 1),
            })
            .collect()
    }
}

/// What a roster holds.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Its people, in order.
    pub candidates: Vec<Candidate>,
    /// Columns that nothing is done with.
    pub ignored: Vec<String>,
}

/// A roster, in bytes.
const ROSTER_BYTES_MAX: u64 = 16 << 20;

impl Roster {
    /// Reads a roster: CSV (RFC 4180) in UTF-8, whose first line names the columns. `id` has to
    /// be there; `email` and `role` are used. Commas, semicolons or tabs stand between columns,
    /// whichever the first line has. A byte order mark is passed over.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not such a roster; every bad row is listed.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read_if_there(path, ROSTER_BYTES_MAX)?.ok_or_else(|| Error::Roster {
            path: path.to_owned(),
            fault: "there is no such file".to_owned(),
        })?;
        Self::parse(&bytes, path)
    }

    /// Reads a roster from memory; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`Roster::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let unreadable = |fault: String| Error::Roster {
            path: path.to_owned(),
            fault,
        };
        std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + newlines(&bytes[..error.valid_up_to()]);
            unreadable(format!("line {line} is not UTF-8"))
        })?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(bytes))
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(bytes);
        let header = reader
            .headers()
            .map_err(|error| unreadable(error.to_string()))?
            .clone();
        let columns = Columns::of(&header).map_err(unreadable)?;

        let mut lines = Lines::new(bytes);
        let mut candidates = Vec::new();
        let mut problems = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| unreadable(error.to_string()))?;
            let start = row.position().map_or(0, csv::Position::byte);
            let place = Place::Line(path.to_owned(), lines.number_at(start));
            // A spreadsheet leaves such rows at the end.
            if row.iter().all(str::is_empty) {
                continue;
            }
            if row.len() > header.len() {
                problems.push(Problem {
                    place: place.to_string(),
                    what: format!(
                        "{} columns, where the first line names {}; a text with a comma needs quotes",
                        row.len(),
                        header.len()
                    ),
                });
                continue;
            }
            let text = |column: Option<usize>| column.and_then(|column| row.get(column));
            let filled = |column| text(column).filter(|t| !t.is_empty()).map(str::to_owned);
            candidates.push(Candidate {
                name: text(Some(columns.id)).unwrap_or_default().to_owned(),
                email: filled(columns.email),
                role: filled(columns.role),
                place,
            });
        }
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        Ok(Self {
            candidates,
            ignored: columns.ignored,
        })
    }
}

struct Columns {
    id: usize,
    email: Option<usize>,
    role: Option<usize>,
    ignored: Vec<String>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(str::to_lowercase).collect();
        let find = |wanted: &str| {
            let mut at = (0..names.len()).filter(|&column| names[column] == wanted);
            match (at.next(), at.next()) {
                (_, Some(_)) => Err(format!("its first line names the column {wanted} twice")),
                (first, None) => Ok(first),
            }
        };
        let (id, email, role) = (find("id")?, find("email")?, find("role")?);
        let ignored = header
            .iter()
            .enumerate()
            .filter(|(column, name)| {
                !name.is_empty() && ![id, email, role].contains(&Some(*column))
            })
            .map(|(_, name)| name.escape_debug().to_string())
            .collect();
        Ok(Self {
            id: id.ok_or("its first line names no column id")?,
            email,
            role,
            ignored,
        })
    }
}

/// What stands between columns: spreadsheets in many countries write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let has = |delimiter| first.contains(&delimiter);
    [b',', b';', b'\t']
        .into_iter()
        .find(|delimiter| has(*delimiter))
        .unwrap_or(b',')
}

/// Tells the line of a row. The crate's own count is one behind after CRLF and blank lines, where
/// a row begins before the line end that it skips.
struct Lines<'a> {
    bytes: &'a [u8],
    counted: usize,
    newlines: u64,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            counted: 0,
            newlines: 0,
        }
    }

    fn number_at(&mut self, start: u64) -> u64 {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let mut start = start.clamp(self.counted, self.bytes.len());
        while matches!(self.bytes.get(start), Some(b'\r' | b'\n')) {
            start += 1;
        }
        self.newlines += newlines(&self.bytes[self.counted..start]);
        self.counted = start;
        self.newlines + 1
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Argument(number) => write!(f, "argument {number}"),
            Place::Line(path, line) => write!(f, "{}:{line}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Roster, Error> {
        Roster::parse(text, Path::new("class.csv"))
    }

    /// The rows as `line name email role`.
    fn rows(text: &[u8]) -> Vec<String> {
        let roster = parse(text).expect("a roster");
        let show = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        roster
            .candidates
            .into_iter()
            .map(|c| {
                let Place::Line(_, line) = c.place else {
                    panic!("a row has a line")
                };
                format!("{line} {} {} {}", c.name, show(c.email), show(c.role))
            })
            .collect()
    }

    #[test]
    fn a_roster_is_read_as_spreadsheets_write_it() {
        let expected = ["2 alice a@x.org instructor", "4 张三 - -"];
        for text in [
            "id,email,role\nalice,a@x.org,instructor\n\n张三,,\n",
            "\u{feff}ID , Email,Role\r\nalice, a@x.org ,instructor\r\n\r\n张三\r\n,,\r\n",
            "id;email;role\nalice;a@x.org;instructor\n\n\"张三\";;",
            "role\tid\temail\ninstructor\talice\ta@x.org\n\n\t张三\n",
        ] {
            assert_eq!(rows(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_after_a_quoted_line_end_has_its_own_line() {
        let text = b"id,note\nalice,\"two\r\nlines\"\r\nbob,x\r\n\r\ncarol,y\r\n";
        assert_eq!(rows(text), ["2 alice - -", "4 bob - -", "6 carol - -"]);
    }

    #[test]
    fn other_columns_are_named() {
        let roster = parse(b"name,id,phone\nA,alice,1\n").expect("a roster");
        assert_eq!(roster.ignored, ["name", "phone"]);
    }

    #[test]
    fn what_is_not_a_roster_is_refused() {
        for (text, why) in [
            (&b"alice\nbob\n"[..], "its first line names no column id"),
            (b"", "its first line names no column id"),
            (b"id,id\na,b\n", "its first line names the column id twice"),
            (b"id\nalice\nb\xffb\n", "line 3 is not UTF-8"),
        ] {
            let error = parse(text).expect_err(why).to_string();
            assert_eq!(error, format!("cannot read class.csv: {why}"));
        }
    }

    #[test]
    fn every_row_with_too_many_columns_is_listed() {
        let error = parse(b"id,email\na,b,c\nbob,x@y.z\nd,e,f,g\n").expect_err("two bad rows");
        let places: Vec<_> = error.problems().iter().map(|p| p.place.as_str()).collect();
        assert_eq!(places, ["class.csv:2", "class.csv:4"]);
    }
}
