//! Reads the rows of a text: CSV (RFC 4180) with any of four delimiters, or one name on each line.

use super::headings;
use super::sheet::{CELLS_MAX, Row, Sheet, cell_text};

/// The characters that can separate columns. Spreadsheets in many countries write semicolons. Of two that
/// are equally frequent, the first is meant.
const DELIMITERS: [char; 4] = ['\t', ';', ',', '|'];
/// In how many lines the names of the columns are looked for: a title may stand above them.
pub(super) const HEADING_LINES_MAX: usize = 10;

/// Reads the rows. `is_heading` says whether a line with a single cell is a heading all the same.
pub(super) fn rows(text: &str, is_heading: impl Fn(&str) -> bool) -> Result<Sheet, String> {
    let (told, text) = take_separator_line(text);
    let first = first_record(&text);
    let delimiter = told
        .or_else(|| delimiter(first))
        .or_else(|| delimiter_below_a_title(&text));
    match delimiter {
        None if !is_heading(unquoted(first)) && !is_open(first) => Ok(Sheet {
            rows: names(&text),
            notes: Vec::new(),
        }),
        delimiter => columns(&text, delimiter.unwrap_or(',')),
    }
}

/// Returns whether a record begins with a quote that it does not close.
fn is_open(record: &str) -> bool {
    record.starts_with('"') && unquoted(record.trim_end()) == record.trim_end()
}

/// Takes away the line `sep=;`, with which a file can tell Excel its delimiter. The line itself stays, so
/// that those below keep their numbers.
fn take_separator_line(text: &str) -> (Option<char>, String) {
    let start = text.len() - text.trim_start_matches(['\u{feff}', '\n', ' ']).len();
    let line = text[start..].split('\n').next().unwrap_or_default();
    let told = unquoted(line.trim_end_matches(' '));
    let told = told
        .get(..4)
        .filter(|key| key.eq_ignore_ascii_case("sep="))
        .map(|_| &told[4..]);
    let delimiter = match told {
        Some("\\t") => Some('\t'),
        Some(told) => told
            .chars()
            .next()
            .filter(|c| c.is_ascii() && told.len() == 1),
        None => None,
    };
    match delimiter {
        Some(delimiter) => (
            Some(delimiter),
            text[..start].to_owned() + &text[start + line.len()..],
        ),
        None => (None, text.to_owned()),
    }
}

/// Returns the first record that has text; a quoted text in it may have several lines.
fn first_record(text: &str) -> &str {
    let start = text.len() - text.trim_start_matches(['\u{feff}', '\n', ' ', '\r']).len();
    let text = &text[start..];
    let mut ends = Outside::of(text)
        .filter(|(_, c)| *c == '\n')
        .map(|(at, _)| at);
    match ends.next() {
        Some(end) => &text[..end],
        // A quote that is never closed is found later; here it is an ordinary character.
        None => text.split('\n').next().unwrap_or_default(),
    }
}

/// Returns the delimiter that a record has most of, outside quotes.
fn delimiter(record: &str) -> Option<char> {
    let mut found = DELIMITERS.map(|delimiter| (0_usize, delimiter));
    for (_, c) in Outside::of(record) {
        for (count, delimiter) in &mut found {
            *count += usize::from(*delimiter == c);
        }
    }
    let most = found
        .iter()
        .map(|(count, _)| *count)
        .max()
        .filter(|most| *most > 0)?;
    found
        .iter()
        .find(|(count, _)| *count == most)
        .map(|(_, delimiter)| *delimiter)
}

/// Returns the delimiter of the names of columns that stand below a title.
fn delimiter_below_a_title(text: &str) -> Option<char> {
    let lines = text.split('\n').filter(|line| !line.trim().is_empty());
    lines.take(HEADING_LINES_MAX).find_map(|line| {
        let delimiter = delimiter(line)?;
        let cells = line.split(delimiter).map(|cell| unquoted(cell_text(cell)));
        let known = cells.filter(|cell| headings::is_heading(cell)).count();
        (known >= 2).then_some(delimiter)
    })
}

/// Iterates over the characters outside quoted texts, with their positions.
struct Outside<'a> {
    chars: std::iter::Peekable<std::str::CharIndices<'a>>,
    begins: bool,
}

impl<'a> Outside<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            chars: text.char_indices().peekable(),
            begins: true,
        }
    }
}

impl Iterator for Outside<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, c) = self.chars.next()?;
        if c != '"' || !self.begins {
            self.begins = DELIMITERS.contains(&c) || c == '\n' || c == '\u{feff}';
            return Some((at, c));
        }
        self.begins = false;
        loop {
            let (_, c) = self.chars.next()?;
            // Two quotes in a row mean one.
            if c == '"' && self.chars.next_if(|(_, next)| *next == '"').is_none() {
                return self.next();
            }
        }
    }
}

/// Returns a text without the pair of quotes around it.
fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

/// Reads one name from each line.
fn names(text: &str) -> Vec<Row> {
    let lines = text.split('\n').zip(1..);
    let rows = lines.map(|(line, number)| {
        let name = unquoted(cell_text(line)).trim();
        Row::new(number, vec![name.to_owned()])
    });
    rows.flatten().collect()
}

fn columns(text: &str, delimiter: char) -> Result<Sheet, String> {
    let delimiter = u8::try_from(delimiter).map_err(|_| "its delimiter is not ASCII".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_quotes(text.as_bytes(), delimiter)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Lines::new(text.as_bytes());
    let mut rows = Vec::new();
    let mut cells = 0;
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        cells += record.len();
        if cells > CELLS_MAX {
            return Err(format!("it has more than {CELLS_MAX} cells"));
        }
        let start = record.position().map_or(0, csv::Position::byte);
        let number = lines.number_at(start);
        let texts = record.iter().map(|cell| {
            let text = cell_text(cell);
            // The CSV crate leaves quotes alone behind a space.
            let is_quoted = cell.starts_with(' ') && text.starts_with('"');
            if is_quoted { unquoted(text) } else { text }.to_owned()
        });
        rows.extend(Row::new(number, texts.collect()));
    }
    Ok(Sheet {
        rows,
        notes: Vec::new(),
    })
}

/// Refuses a quote that is never closed, and text after a closing quote. The CSV crate accepts both, and
/// would lose every person up to the next quote in one column.
fn check_quotes(bytes: &[u8], delimiter: u8) -> Result<(), String> {
    let mut at = Quoting::Before;
    let (mut line, mut opened) = (1_u64, 0);
    for byte in bytes {
        let ends = *byte == delimiter || *byte == b'\n';
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

/// Counts lines. The CSV crate's own count is too low after blank lines, because a row begins before the
/// line breaks that it skips.
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
        while self.bytes.get(start) == Some(&b'\n') {
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

    /// Returns the rows as `number cell|cell`.
    fn read(text: &str) -> Vec<String> {
        let sheet = rows(text, headings::is_heading).expect("rows");
        let show = |row: &Row| format!("{} {}", row.number, row.cells.join("|"));
        sheet.rows.iter().map(show).collect()
    }

    #[test]
    fn delimiters_count_outside_quotes_in_the_first_line_that_has_text() {
        for (text, first) in [
            (
                "id;\"Name, first, second\";email\n",
                "1 id|Name, first, second|email",
            ),
            ("\n \n\nid;name\n", "4 id|name"),
            ("\"a\nb,c,d\";id\n", "1 a\nb,c,d|id"),
            ("id\tnote; a, b\n", "1 id|note; a, b"),
            ("id|name\n", "1 id|name"),
            ("id,name; and more,email\n", "1 id|name; and more|email"),
            ("\"say \"\"a,b\"\"\";id;x\n", "1 say \"a,b\"|id|x"),
            ("6\" tall, very;id;x\n", "1 6\" tall, very|id|x"),
        ] {
            assert_eq!(read(text)[0], first, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_tells_its_delimiter_is_obeyed() {
        for (text, expected) in [
            ("sep=;\nid;a,b,c\nerin;1\n", ["2 id|a,b,c", "3 erin|1"]),
            ("SEP=,\n\nid,a;b;c\nerin,1\n", ["3 id|a;b;c", "4 erin|1"]),
            ("\"sep=|\"\nid|a,b\nerin|1\n", ["2 id|a,b", "3 erin|1"]),
            ("sep=\t\nid\ta,b\nerin\t1\n", ["2 id|a,b", "3 erin|1"]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        // Anything else is a person, whatever it means.
        assert_eq!(read("sep=\nerin\n"), ["1 sep=", "2 erin"]);
    }

    #[test]
    fn a_title_above_the_columns_does_not_make_a_list() {
        let text = "Networks 101\n\nUsername;Full name\nerin;Erin Brown\n";
        assert_eq!(
            read(text)[1..],
            ["3 Username|Full name", "4 erin|Erin Brown"]
        );
    }

    #[test]
    fn a_list_keeps_its_lines_whole() {
        let text = "erin\n\n\"frank\"\n gina, hal \n=\"0042\"\n";
        assert_eq!(read(text), ["1 erin", "3 frank", "4 gina, hal", "5 0042"]);
    }
}
