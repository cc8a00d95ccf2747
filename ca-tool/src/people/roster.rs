//! Reads a roster: the people of a class, in CSV or one name per line. It checks the form of the file
//! and nothing else; `plan.rs` decides about the people.

use std::path::Path;

use super::candidate::{Candidate, Location};
use crate::disk::files::{missing, read_if_there};
use crate::error::Error;
use crate::words::first_few;

/// The contents of a roster.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Its people, in order.
    pub candidates: Vec<Candidate>,
    /// The columns that are not used.
    pub ignored: Vec<String>,
}

/// A roster, in bytes.
const ROSTER_BYTES_MAX: u64 = 16 << 20;
/// A roster, in people; more than any university has.
const ROSTER_PEOPLE_MAX: usize = 100_000;

impl Roster {
    /// Reads a roster: CSV (RFC 4180) in UTF-8 whose first line names the columns, or one name per line.
    /// The column `id` is required, unless `id_column` gives it another name; `name`, `email` and
    /// `role` are optional. Columns are separated by commas, semicolons or tabs, whichever the first
    /// line has. A byte order mark is skipped.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not a roster at all. A bad row becomes a candidate with a
    /// fault, so that all problems can be reported together.
    pub fn read(path: &Path, id_column: Option<&str>) -> Result<Self, Error> {
        let bytes = read_if_there(path, ROSTER_BYTES_MAX)?.ok_or_else(|| missing(path))?;
        Self::parse(&bytes, path, id_column)
    }

    /// Reads a roster from memory. Errors name `path`.
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
        if let Some(kind) = other_kind(bytes) {
            return Err(unreadable(kind.to_owned()));
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

/// Returns the kind of a file that cannot be a roster. The faults of a roster quote its lines, and must not
/// print a key or a database.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    if contains(b"\0") {
        Some("it is not a text file")
    } else if contains(b"PRIVATE KEY-----") {
        Some("it is a key, not a roster")
    } else if contains(b"-----BEGIN ") {
        Some("it is a PEM file, not a roster")
    } else if bytes.trim_ascii().is_empty() {
        Some("it is empty")
    } else {
        None
    }
}

/// Returns whether the first line that is not blank is one name, and not the names of columns.
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
                location: Location::Line(path.to_owned(), number),
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
        // Spreadsheets leave empty rows at the end.
        if row.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let start = row.position().map_or(0, csv::Position::byte);
        let location = Location::Line(path.to_owned(), lines.number_at(start));
        let mut fault = (row.len() > header.len()).then(|| {
            format!(
                "it has {} columns, and the first line names {}; a text that contains a comma needs quotes",
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
            location,
            fault,
        });
    }
    Ok(Roster {
        candidates,
        ignored: columns.ignored,
    })
}

/// Refuses a quote that is never closed, and text after a closing quote. The CSV crate accepts both, and
/// would lose every person up to the next quote in one column.
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
            // Two quotes in a row mean one.
            (Quoting::Closed, b'"') => Quoting::Inside,
            (_, _) if ends => Quoting::Before,
            (Quoting::Closed | Quoting::Behind, b' ' | b'\t') => Quoting::Behind,
            (Quoting::Closed | Quoting::Behind, _) => {
                return Err(format!(
                    "there is text after the quoted text that begins in line {opened}"
                ));
            }
            (Quoting::Before | Quoting::Plain, _) => Quoting::Plain,
        };
        line += u64::from(*byte == b'\n');
    }
    match at {
        Quoting::Inside => Err(format!("the quote in line {opened} is never closed")),
        _ => Ok(()),
    }
}

/// The state of a scan for quotes.
enum Quoting {
    /// At the beginning of a column.
    Before,
    /// In a text without quotes. Here a quote is an ordinary character.
    Plain,
    /// In a quoted text.
    Inside,
    /// After a quote that may have closed the text.
    Closed,
    /// In the space after a quoted text.
    Behind,
}

/// Returns a text without the space around it, and its fault if it has one.
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
        // A column has only one meaning.
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

/// Returns the error for a first line that lacks the column of people's names: it shows the columns that
/// there are.
fn no_column(id_column: &str, header: &csv::StringRecord) -> String {
    let columns = header.iter().filter(|name| !name.is_empty());
    let columns: Vec<_> = columns
        .map(|name| format!("\"{}\"", wire::excerpt(name, COLUMN_CHARS_SHOWN_MAX)))
        .collect();
    let id_column = wire::escape(id_column);
    let Some(first) = columns.first() else {
        return format!("its first line has no column {id_column}, nor any other");
    };
    let shown = first_few(&columns, COLUMNS_SHOWN_MAX, ", ");
    format!(
        "its first line has no column {id_column}, but {shown}; say which one to use, as in --id-column {first}"
    )
}

/// How many columns an error shows: a file of another kind may have anything in its first line.
const COLUMNS_SHOWN_MAX: usize = 12;
/// How much it shows of each.
const COLUMN_CHARS_SHOWN_MAX: usize = 40;
/// The columns that are used.
const COLUMNS: [&str; 4] = ["id", "name", "email", "role"];
/// The characters that can separate columns.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Returns the character that separates the columns: spreadsheets in many countries write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let has = |delimiter| first.contains(&delimiter);
    DELIMITERS
        .into_iter()
        .find(|delimiter| has(*delimiter))
        .unwrap_or(b',')
}

/// Counts lines. The CSV crate's own count is one too low after CRLF and blank lines, because a row
/// begins before the line break that it skips.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Roster, Error> {
        Roster::parse(text, Path::new("class.csv"), None)
    }

    /// Returns the rows with a fault as `line fault`.
    fn faults(text: &[u8]) -> Vec<String> {
        let candidates = parse(text).expect("a roster").candidates.into_iter();
        let faults = candidates.filter_map(|c| Some(format!("{}: {}", c.location, c.fault?)));
        faults.collect()
    }

    /// Returns the rows as `line name email role`.
    fn rows(text: &[u8]) -> Vec<String> {
        let roster = parse(text).expect("a roster");
        let show = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        roster
            .candidates
            .into_iter()
            .map(|c| {
                let Location::Line(_, line) = c.location else {
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
        // If the names serve as IDs, there are no full names.
        let roster = Roster::parse(text, path, Some("Name")).expect("a roster");
        assert_eq!(roster.candidates[0].name, "Alice Liddell");
        assert_eq!(roster.candidates[0].full_name, None);
        let error = Roster::parse(text, path, Some("Login")).expect_err("no such column");
        assert_eq!(
            error.to_string(),
            "cannot read class.csv: its first line has no column Login, but \"ID\", \"Student ID\", \"Name\", \"Section\"; say which one to use, as in --id-column \"ID\""
        );
    }

    #[test]
    fn of_a_first_line_that_names_much_else_only_the_beginning_is_shown() {
        let long = "x".repeat(1000);
        let text = format!("{long},\u{1b}[2J{}\n", ",more".repeat(20));
        let error = parse(text.as_bytes()).expect_err("no column").to_string();
        assert!(error.len() < 400, "{error}");
        assert!(error.contains(", \"\\u{1b}[2J\", \"more\""), "{error}");
        assert!(
            error.contains(" and 10 more; say which one to use, as in --id-column "),
            "{error}"
        );
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
        // The second name is wrong, but that is not decided here.
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
                "its first line has no column id, but \"alice\"; say which one to use, as in --id-column \"alice\"",
            ),
            (
                b"name\nalice\n",
                "its first line has no column id, but \"name\"; say which one to use, as in --id-column \"name\"",
            ),
            (b"", "it is empty"),
            (b",\n", "its first line has no column id, nor any other"),
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
                "the quote in line 2 is never closed",
            ),
            (
                "id,section\r\nian,B\r\njan,\"C\r\nkay,\"D\r\n",
                "there is text after the quoted text that begins in line 3",
            ),
            (
                "\"id,section\nian,B\n",
                "the quote in line 1 is never closed",
            ),
            (
                "id;section\nian;\"B\"\"\njan;C\n",
                "the quote in line 2 is never closed",
            ),
        ] {
            let error = parse(text.as_bytes()).expect_err(why).to_string();
            assert_eq!(error, format!("cannot read class.csv: {why}"));
        }
        // A text that is quoted properly may contain anything; elsewhere a quote is an ordinary character.
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
                "class.csv:2: it has 3 columns, and the first line names 2; a text that contains a comma needs quotes",
                "class.csv:4: it is not UTF-8; save the file as \"CSV UTF-8\"",
                "class.csv:5: it has 4 columns, and the first line names 2; a text that contains a comma needs quotes",
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
