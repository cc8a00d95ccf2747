//! The people to issue certificates for: names from the command line, or a roster in CSV.
//!
//! Nothing is judged here. A candidate remembers where it stands, so that whoever judges it can
//! say so.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::disk::folder::{missing, read_if_there};
use crate::error::Error;

/// Somebody who is to have a certificate, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name, not yet known to be one.
    pub name: String,
    /// What the person is called in full, if that is known.
    pub full_name: Option<String>,
    /// The mail address, if there is one.
    pub email: Option<String>,
    /// The role, if it is not the one that all others have.
    pub role: Option<String>,
    /// Where it was written.
    pub place: Place,
    /// Why it could not be read as it should be, if so. Whoever judges it names this with all else.
    pub fault: Option<String>,
}

/// Where a candidate was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The number of the argument, from 1.
    Argument(usize),
    /// The file and the line, from 1.
    Line(PathBuf, u64),
    /// The flag that says it.
    Flag(&'static str),
}

impl Candidate {
    /// Names, as they are given to a command.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<Self> {
        let names = names.into_iter().enumerate();
        names
            .map(|(index, name)| Self {
                name: name.into(),
                full_name: None,
                email: None,
                role: None,
                place: Place::Argument(index + 1),
                fault: None,
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
/// A roster, in people; a university has fewer.
const ROSTER_PEOPLE_MAX: usize = 100_000;

impl Roster {
    /// Reads a roster: CSV (RFC 4180) in UTF-8, whose first line names the columns, or one name a
    /// line. The column `id` has to be there, unless `id_column` says what it is called; `name`,
    /// `email` and `role` are used. Commas, semicolons or tabs stand between columns, whichever
    /// the first line has. A byte order mark is passed over.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not a roster at all. A bad row is a candidate with a
    /// fault, so that everything that is wrong can be named at once.
    pub fn read(path: &Path, id_column: Option<&str>) -> Result<Self, Error> {
        let bytes = read_if_there(path, ROSTER_BYTES_MAX)?.ok_or_else(|| missing(path))?;
        Self::parse(&bytes, path, id_column)
    }

    /// Reads a roster from memory; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`Roster::read`].
    pub fn parse(bytes: &[u8], path: &Path, id_column: Option<&str>) -> Result<Self, Error> {
        let unreadable = |fault: String| Error::Roster {
            path: path.to_owned(),
            fault,
        };
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(unreadable("it is UTF-16".to_owned()));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let roster = if id_column.is_none() && is_one_name_a_line(bytes) {
            Self {
                candidates: parse_names(bytes, path),
                ignored: Vec::new(),
            }
        } else {
            parse_columns(bytes, path, id_column).map_err(unreadable)?
        };
        if roster.candidates.len() > ROSTER_PEOPLE_MAX {
            return Err(unreadable(format!(
                "it names more than {ROSTER_PEOPLE_MAX} people"
            )));
        }
        Ok(roster)
    }
}

/// Whether the first line that says something is one name and not the names of columns.
fn is_one_name_a_line(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let Some(first) = lines.find(|line| !line.is_empty()) else {
        return false;
    };
    let word = first.strip_prefix(b"\"").unwrap_or(first);
    let word = word.strip_suffix(b"\"").unwrap_or(word);
    !first.iter().any(|b| DELIMITERS.contains(b))
        && !COLUMNS
            .iter()
            .any(|c| word.eq_ignore_ascii_case(c.as_bytes()))
}

fn parse_names(bytes: &[u8], path: &Path) -> Vec<Candidate> {
    let lines = bytes.split(|b| *b == b'\n').zip(1..);
    lines
        .map(|(line, number)| {
            let (text, fault) = read_text(line);
            Candidate {
                name: text,
                full_name: None,
                email: None,
                role: None,
                place: Place::Line(path.to_owned(), number),
                fault,
            }
        })
        .filter(|candidate| !candidate.name.is_empty())
        .collect()
}

fn parse_columns(bytes: &[u8], path: &Path, id_column: Option<&str>) -> Result<Roster, String> {
    let delimiter = delimiter(bytes);
    check_quotes(bytes, delimiter)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let columns = Columns::of(&header, id_column.unwrap_or("id"))?;

    let mut lines = Lines::new(bytes);
    let mut candidates = Vec::new();
    for row in reader.byte_records() {
        let row = row.map_err(|error| error.to_string())?;
        // A spreadsheet leaves such rows at the end.
        if row.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let start = row.position().map_or(0, csv::Position::byte);
        let place = Place::Line(path.to_owned(), lines.number_at(start));
        let mut fault = (row.len() > header.len()).then(|| {
            format!(
                "{} columns, where the first line names {}; a text with a comma needs quotes",
                row.len(),
                header.len()
            )
        });
        let mut text = |column: Option<usize>| {
            let (text, bad) = read_text(row.get(column?)?);
            fault = fault.take().or(bad);
            Some(text).filter(|text| !text.is_empty())
        };
        candidates.push(Candidate {
            name: text(Some(columns.id)).unwrap_or_default(),
            full_name: text(columns.full_name),
            email: text(columns.email),
            role: text(columns.role),
            place,
            fault,
        });
    }
    Ok(Roster {
        candidates,
        ignored: columns.ignored,
    })
}

/// Finds a quote that nothing closes, or that something stands behind. The crate takes both, and
/// the lines up to the next quote, each of them a person, would be lost in one column.
fn check_quotes(bytes: &[u8], delimiter: u8) -> Result<(), String> {
    let mut at = Quoting::Before;
    let (mut line, mut opened) = (1_u64, 0);
    for byte in bytes {
        let ends = *byte == delimiter || matches!(byte, b'\r' | b'\n');
        at = match (at, byte) {
            (Quoting::Before, b'"') => {
                opened = line;
                Quoting::Inside
            }
            (Quoting::Inside, b'"') => Quoting::Closed,
            (Quoting::Inside, _) => Quoting::Inside,
            // Two of them are one that is meant.
            (Quoting::Closed, b'"') => Quoting::Inside,
            (_, _) if ends => Quoting::Before,
            (Quoting::Closed | Quoting::Behind, b' ' | b'\t') => Quoting::Behind,
            (Quoting::Closed | Quoting::Behind, _) => {
                return Err(format!(
                    "something stands behind the text whose quote opens in line {opened}"
                ));
            }
            (Quoting::Before | Quoting::Plain, _) => Quoting::Plain,
        };
        line += u64::from(*byte == b'\n');
    }
    match at {
        Quoting::Inside => Err(format!(
            "the quote that opens in line {opened} is never closed"
        )),
        _ => Ok(()),
    }
}

/// Where a byte of a roster stands.
enum Quoting {
    /// At the beginning of a column.
    Before,
    /// In a text without quotes, where a quote is a character like any other.
    Plain,
    /// In a quoted text.
    Inside,
    /// After a quote that may have closed one.
    Closed,
    /// In the space after a quoted text.
    Behind,
}

/// A text without the space around it, and what is wrong with it.
fn read_text(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.trim().to_owned(), None),
        Err(_) => {
            let text = String::from_utf8_lossy(bytes);
            let fault = "it is not UTF-8; save the file as \"CSV UTF-8\"";
            (text.trim().to_owned(), Some(fault.to_owned()))
        }
    }
}

struct Columns {
    id: usize,
    full_name: Option<usize>,
    email: Option<usize>,
    role: Option<usize>,
    ignored: Vec<String>,
}

impl Columns {
    fn of(header: &csv::StringRecord, id_column: &str) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(str::to_lowercase).collect();
        let find = |wanted: &str| {
            let lower = wanted.trim().to_lowercase();
            let mut at = (0..names.len()).filter(|&column| names[column] == lower);
            match (at.next(), at.next()) {
                (_, Some(_)) => Err(format!("its first line names the column {wanted} twice")),
                (first, None) => Ok(first),
            }
        };
        let id = find(id_column)?;
        // What one column is taken for, it is taken for alone.
        let find = |wanted| Ok::<_, String>(find(wanted)?.filter(|at| Some(*at) != id));
        let (full_name, email, role) = (find("name")?, find("email")?, find("role")?);
        let ignored = header
            .iter()
            .enumerate()
            .filter(|(column, name)| {
                !name.is_empty() && ![id, full_name, email, role].contains(&Some(*column))
            })
            .map(|(_, name)| wire::escape(name))
            .collect();
        Ok(Self {
            id: id.ok_or_else(|| no_column(id_column, header))?,
            full_name,
            email,
            role,
            ignored,
        })
    }
}

/// What a first line names, where it does not name the column of people's names.
fn no_column(id_column: &str, header: &csv::StringRecord) -> String {
    let columns = header.iter().filter(|name| !name.is_empty());
    let columns: Vec<_> = columns
        .map(|name| format!("\"{}\"", wire::excerpt(name, COLUMN_CHARS_SHOWN)))
        .collect();
    let id_column = wire::escape(id_column);
    let Some(first) = columns.first() else {
        return format!("its first line names no column {id_column}, nor any other");
    };
    let shown = columns[..columns.len().min(COLUMNS_SHOWN)].join(", ");
    let more = match columns.len().saturating_sub(COLUMNS_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "its first line names no column {id_column}, but {shown}{more}; --id-column says which is meant, as in --id-column {first}"
    )
}

/// How much of a first line is shown: a file of another kind may have anything there.
const COLUMNS_SHOWN: usize = 12;
/// How much of one name in it.
const COLUMN_CHARS_SHOWN: usize = 40;
/// The columns that something is done with.
const COLUMNS: [&str; 4] = ["id", "name", "email", "role"];
/// What can stand between columns.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// What stands between columns: spreadsheets in many countries write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let has = |delimiter| first.contains(&delimiter);
    DELIMITERS
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
            Place::Flag(flag) => f.write_str(flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Roster, Error> {
        Roster::parse(text, Path::new("class.csv"), None)
    }

    /// The rows with a fault as `line fault`.
    fn faults(text: &[u8]) -> Vec<String> {
        let candidates = parse(text).expect("a roster").candidates.into_iter();
        let faults = candidates.filter_map(|c| Some(format!("{}: {}", c.place, c.fault?)));
        faults.collect()
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
        let text = b"name,id,phone\nAlice Liddell,alice,1\n";
        let roster = parse(text).expect("a roster");
        assert_eq!(roster.ignored, ["phone"]);
        let name = roster.candidates[0].full_name.as_deref();
        assert_eq!(name, Some("Alice Liddell"));
    }

    #[test]
    fn a_learning_platform_calls_the_id_what_it_likes() {
        let text = b"ID,Student ID,Name,Section\n1,alice,Alice Liddell,B\n";
        let path = Path::new("class.csv");
        let roster = Roster::parse(text, path, Some("student id")).expect("a roster");
        assert_eq!(roster.candidates[0].name, "alice");
        assert_eq!(roster.ignored, ["ID", "Section"]);
        // Where the names are the IDs, there are no full names.
        let roster = Roster::parse(text, path, Some("Name")).expect("a roster");
        assert_eq!(roster.candidates[0].name, "Alice Liddell");
        assert_eq!(roster.candidates[0].full_name, None);
        let error = Roster::parse(text, path, Some("Login")).expect_err("no such column");
        assert_eq!(
            error.to_string(),
            "cannot read class.csv: its first line names no column Login, but \"ID\", \"Student ID\", \"Name\", \"Section\"; --id-column says which is meant, as in --id-column \"ID\""
        );
    }

    #[test]
    fn of_a_first_line_that_names_much_else_only_the_beginning_is_shown() {
        let long = "x".repeat(1000);
        let text = format!("{long},\u{1b}[2J{}\n", ",more".repeat(20));
        let error = parse(text.as_bytes()).expect_err("no column").to_string();
        assert!(error.len() < 400, "{error}");
        assert!(error.contains(", \"\\u{1b}[2J\", \"more\""), "{error}");
        assert!(error.contains(" and 10 more; --id-column "), "{error}");
    }

    #[test]
    fn a_list_of_names_is_a_roster_too() {
        let expected = ["1 alice - -", "3 张三 - -", "4 bob - -"];
        for text in [
            "alice\n\n张三\n bob \n",
            "\u{feff}alice\r\n \r\n张三\r\nbob",
        ] {
            assert_eq!(rows(text.as_bytes()), expected, "{text:?}");
        }
        // Whoever judges names says what is wrong with the second one.
        assert_eq!(
            rows(b"alice\nbob, carol\n"),
            ["1 alice - -", "2 bob, carol - -"]
        );
    }

    #[test]
    fn what_is_not_a_roster_is_refused() {
        for (text, why) in [
            (
                &b"alice,\nbob,\n"[..],
                "its first line names no column id, but \"alice\"; --id-column says which is meant, as in --id-column \"alice\"",
            ),
            (
                b"name\nalice\n",
                "its first line names no column id, but \"name\"; --id-column says which is meant, as in --id-column \"name\"",
            ),
            (b"", "its first line names no column id, nor any other"),
            (b"\xff\xfei\0d\0\n\0", "it is UTF-16"),
            (b"id,id\na,b\n", "its first line names the column id twice"),
        ] {
            let error = parse(text).expect_err(why).to_string();
            assert_eq!(error, format!("cannot read class.csv: {why}"));
        }
    }

    #[test]
    fn a_quote_that_would_swallow_people_is_refused_with_its_line() {
        for (text, why) in [
            (
                "id,section\nian,\"B\njan,C\nkay,D\n",
                "the quote that opens in line 2 is never closed",
            ),
            (
                "id,section\r\nian,B\r\njan,\"C\r\nkay,\"D\r\n",
                "something stands behind the text whose quote opens in line 3",
            ),
            (
                "\"id,section\nian,B\n",
                "the quote that opens in line 1 is never closed",
            ),
            (
                "id;section\nian;\"B\"\"\njan;C\n",
                "the quote that opens in line 2 is never closed",
            ),
        ] {
            let error = parse(text.as_bytes()).expect_err(why).to_string();
            assert_eq!(error, format!("cannot read class.csv: {why}"));
        }
        // What is quoted as it should be may hold anything, and elsewhere a quote is a character.
        let text = "id,note\nian,\"a \"\"b\"\", c\" \njan,6\" tall\nkay,\"\"\n";
        assert_eq!(
            rows(text.as_bytes()),
            ["2 ian - -", "3 jan - -", "4 kay - -"]
        );
    }

    #[test]
    fn every_row_that_cannot_be_read_is_named() {
        assert_eq!(
            faults(b"id,email\na,b,c\nbob,x@y.z\nc\xffc,\nd,e,f,g\n"),
            [
                "class.csv:2: 3 columns, where the first line names 2; a text with a comma needs quotes",
                "class.csv:4: it is not UTF-8; save the file as \"CSV UTF-8\"",
                "class.csv:5: 4 columns, where the first line names 2; a text with a comma needs quotes",
            ]
        );
        assert_eq!(
            faults(b"alice\nb\xffb\n"),
            ["class.csv:2: it is not UTF-8; save the file as \"CSV UTF-8\""]
        );
    }

    #[test]
    fn a_roster_of_everybody_in_a_country_is_refused() {
        let text = "x\n".repeat(ROSTER_PEOPLE_MAX + 1);
        assert!(parse(text.as_bytes()).is_err());
        assert!(parse(&text.as_bytes()[2..]).is_ok());
    }
}
