//! Reads a roster: the people of a class, as a spreadsheet or a learning platform exports them, or one name
//! per line. It decides what is a heading and what is a person, and which column holds what; `naming.rs`
//! makes the IDs, and `plan.rs` decides about the people.
//!
//! Nobody is issued a certificate from a guess: what the headings do not settle becomes a [`Question`], with
//! the answer that looks right and the flags that give it.

mod choices;
mod columns;
mod delimited;
mod exports;
mod headings;
mod sheet;
mod text;
mod workbook;

use std::collections::HashMap;
use std::path::Path;

use wire::FullName;

use super::candidate::{Candidate, Location};
use super::plan::email_fault;
use super::shape::{RULES, shape};
use crate::disk::files::{missing, read_if_there};
use crate::error::{Answer, Error};
use crate::words::{counted, first_few};
use columns::{Columns, HEADING_CHARS_SHOWN_MAX, IdColumn, Table};
use delimited::HEADING_LINES_MAX;
use exports::{Platform, is_total, repeats_headings, turned_round};
use headings::{are_same, is_address, is_heading};
use sheet::{Row, Sheet};

pub use choices::Choices;
pub(crate) use choices::{Kind, Remembered};

/// The contents of a roster.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Its people, in order.
    pub candidates: Vec<Candidate>,
    /// The columns that are not used.
    pub ignored: Vec<String>,
    /// What was assumed and passed over while reading it, one sentence each.
    pub notes: Vec<String>,
    /// What to remember of it: the columns that somebody chose.
    pub(crate) kind: Option<Kind>,
}

/// What reading a roster comes to.
#[derive(Debug)]
pub(crate) enum Reading {
    Roster(Roster),
    Question(Question),
}

/// What a roster does not settle.
#[derive(Debug)]
pub(crate) struct Question {
    /// The fact that is not settled.
    pub(crate) what: String,
    /// The possible answers.
    pub(crate) answers: Vec<Answer>,
    /// The roster according to the first answer, if that is likely.
    pub(crate) proposal: Option<Roster>,
}

/// A roster, in bytes.
const ROSTER_BYTES_MAX: u64 = 16 << 20;
/// A roster, in people; more than any university has.
const ROSTER_PEOPLE_MAX: usize = 100_000;
/// How many rows a sentence names.
const ROWS_SHOWN_MAX: usize = 8;

impl Roster {
    /// Reads a roster: an Excel workbook, CSV (RFC 4180) whose first line names the columns, or one name per
    /// line. The column `id` is required unless `choices` names another; `name`, `email` and `role` are
    /// optional, and are recognised under other names too. Columns are separated by commas, semicolons, tabs
    /// or bars, whichever the first line has most of.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is not a roster at all, or does not say where IDs come from. A bad row
    /// becomes a candidate with a fault, so that all problems can be reported together.
    pub fn read(path: &Path, choices: &Choices) -> Result<Self, Error> {
        let bytes = read_if_there(path, ROSTER_BYTES_MAX)?.ok_or_else(|| missing(path))?;
        Self::parse(&bytes, path, choices)
    }

    /// Reads a roster from memory. Errors name `path`.
    ///
    /// # Errors
    ///
    /// As [`Roster::read`].
    pub fn parse(bytes: &[u8], path: &Path, choices: &Choices) -> Result<Self, Error> {
        match Reading::of(bytes, path, choices, &Remembered::default())? {
            Reading::Roster(roster) => Ok(roster),
            Reading::Question(question) => Err(question.into_error(path, Vec::new(), &[])),
        }
    }
}

impl Question {
    /// Returns the question as an error. `typed` is the command to which the answers belong.
    pub(crate) fn into_error(self, path: &Path, shown: Vec<String>, typed: &[String]) -> Error {
        let typed = match typed {
            [] => {
                let path = path.display().to_string();
                ["ca-tool", "issue", "--roster", &path]
                    .map(str::to_owned)
                    .to_vec()
            }
            typed => typed.to_vec(),
        };
        Error::Question {
            path: path.to_owned(),
            what: self.what,
            shown,
            typed,
            answers: self.answers,
        }
    }
}

impl Reading {
    /// Reads the file of a roster.
    pub(crate) fn read(
        path: &Path,
        choices: &Choices,
        remembered: &Remembered,
    ) -> Result<Self, Error> {
        let bytes = read_if_there(path, ROSTER_BYTES_MAX)?.ok_or_else(|| missing(path))?;
        Self::of(&bytes, path, choices, remembered)
    }

    fn of(
        bytes: &[u8],
        path: &Path,
        choices: &Choices,
        remembered: &Remembered,
    ) -> Result<Self, Error> {
        let read = || {
            let sheet = sheet_of(bytes, choices)?;
            let reader = Reader {
                path,
                choices,
                remembered,
            };
            reader.read(sheet)
        };
        read().map_err(|fault| Error::Roster {
            path: path.to_owned(),
            fault,
        })
    }
}

/// Reads the rows. The file's bytes decide what kind of file it is; its name does not count.
fn sheet_of(bytes: &[u8], choices: &Choices) -> Result<Sheet, String> {
    if bytes.starts_with(workbook::MAGIC) {
        return workbook::rows(bytes, choices.sheet.as_deref());
    }
    if choices.sheet.is_some() {
        return Err(
            "it is not an Excel workbook, so it has no sheets; leave out --sheet".to_owned(),
        );
    }
    let text = text::decode(bytes, choices.encoding)?;
    let is_chosen = |line: &str| choices.columns().any(|column| are_same(column, line));
    let is_heading = |line: &str| !choices.no_header && (is_heading(line) || is_chosen(line));
    let mut sheet = delimited::rows(&text.text, is_heading)?;
    sheet.notes.extend(text.note);
    Ok(sheet)
}

struct Reader<'a> {
    path: &'a Path,
    choices: &'a Choices,
    remembered: &'a Remembered,
}

impl Reader<'_> {
    fn read(&self, sheet: Sheet) -> Result<Reading, String> {
        let Sheet {
            mut rows,
            mut notes,
        } = sheet;
        let heading = match self.heading(&rows) {
            Heading::Row(at) => Some(at),
            Heading::None => None,
            Heading::Doubtful(word) => {
                return Err(format!(
                    "its first line, which begins with \"{}\", may be a heading or a person; name the column by its heading, or add --no-header",
                    wire::excerpt(&word, HEADING_CHARS_SHOWN_MAX)
                ));
            }
            Heading::Unclear(word) => {
                return Ok(Reading::Question(self.is_it_a_heading(&word, rows)));
            }
        };
        let mut passed = Vec::new();
        let headings = match heading {
            Some(at) => {
                let mut above: Vec<Row> = rows.drain(..=at).collect();
                let row = above.pop().map(|row| row.cells).unwrap_or_default();
                passed.extend(above.iter().map(|row| (row.number, "a title".to_owned())));
                row
            }
            None => {
                let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(1);
                (1..=width).map(|number| number.to_string()).collect()
            }
        };
        // Spreadsheets leave empty columns at the end.
        let used = headings
            .iter()
            .rposition(|heading| !heading.is_empty())
            .map_or(0, |last| last + 1);
        let headings = &headings[..used];
        if headings.is_empty() && !rows.is_empty() {
            return Err("its first line has no column id, nor any other".to_owned());
        }
        let platform = heading.and_then(|_| Platform::of(headings, &rows));
        rows.retain(|row| {
            let why = platform
                .and_then(|platform| platform.passes_over(row, headings))
                .or_else(|| {
                    let is_repeated = heading.is_some() && repeats_headings(row, headings);
                    is_repeated.then_some("the headings again")
                });
            passed.extend(why.map(|why| (row.number, why.to_owned())));
            why.is_none()
        });
        if heading.is_some()
            && rows.len() > 1
            && let Some(last) = rows.pop_if(|last| is_total(last))
        {
            passed.push((last.number, "a total".to_owned()));
        }
        let table = Table {
            headings,
            has_heading: heading.is_some(),
            platform,
            rows: &rows,
        };
        let known = self
            .remembered
            .find(platform.map(Platform::name), &identifying(&table));
        let known = known.filter(|_| table.has_heading);
        let chosen = known.map_or_else(|| self.choices.clone(), |kind| self.choices.or(kind));
        if let Some(columns) = table.columns(&chosen)? {
            if rows.len() > ROSTER_PEOPLE_MAX {
                return Err(format!("it names more than {ROSTER_PEOPLE_MAX} people"));
            }
            let mut roster = self.people(&table, &columns, &mut passed);
            if roster.candidates.is_empty() {
                return Err("it names nobody".to_owned());
            }
            let is_remembered = known.is_some() && !self.choices.has_columns();
            notes.extend(told(&table, &columns, is_remembered));
            // Whoever gave --no-header has said so.
            if let (None, 1, Some(first)) = (heading, headings.len(), rows.first())
                && !self.choices.no_header
            {
                notes.push(format!(
                    "line {} is a person: {}",
                    first.number,
                    wire::excerpt(first.cell(0), HEADING_CHARS_SHOWN_MAX)
                ));
            }
            notes.extend(told_passed(&passed));
            notes.append(&mut roster.notes);
            roster.notes = notes;
            roster.kind = (self.choices.has_columns() && table.has_heading)
                .then(|| remember(&table, &chosen));
            return Ok(Reading::Roster(roster));
        }
        if rows.is_empty() {
            return Err("it names nobody".to_owned());
        }
        self.propose(&table, &chosen, notes, &mut passed)
    }

    /// Finds the row that names the columns.
    fn heading(&self, rows: &[Row]) -> Heading {
        let Some(first) = rows.first() else {
            return Heading::None;
        };
        if self.choices.no_header {
            return Heading::None;
        }
        let names_a_chosen_column = |row: &Row| {
            let mut chosen = self.choices.columns();
            chosen.any(|column| row.cells.iter().any(|cell| are_same(cell, column)))
        };
        let beginning = || rows.iter().take(HEADING_LINES_MAX).enumerate();
        let has_id = |row: &Row| row.cells.iter().any(|cell| are_same(cell, "id"));
        if let Some((at, _)) = beginning().find(|(_, row)| names_a_chosen_column(row)) {
            return Heading::Row(at);
        }
        if has_id(first) {
            return Heading::Row(0);
        }
        let known = |row: &Row| row.cells.iter().filter(|cell| is_heading(cell)).count();
        if known(first) < 2 {
            // A title may stand above the headings. It has fewer cells than they have.
            let filled = |row: &Row| row.cells.iter().filter(|cell| !cell.is_empty()).count();
            let is_below_a_title = |at: usize, row: &Row| {
                known(row) >= 2 && rows[..at].iter().all(|above| filled(above) < filled(row))
            };
            let below = beginning()
                .skip(1)
                .find(|(at, row)| is_below_a_title(*at, row));
            if let Some((at, _)) = below {
                return Heading::Row(at);
            }
        }
        let is_one_column = rows
            .iter()
            .take(HEADING_LINES_MAX)
            .all(|row| row.cells.len() == 1);
        if !is_one_column {
            if first.cells.iter().any(|cell| is_address(cell)) {
                return Heading::None;
            }
            // A number names a column without saying whether the first line is a person.
            let is_by_number = self.choices.has_id();
            return match is_by_number && known(first) == 0 {
                true => Heading::Doubtful(first.cells.join(" ").trim().to_owned()),
                false => Heading::Row(0),
            };
        }
        let word = first.cell(0);
        if self.remembered.find(None, &[remembered_as(word)]).is_some() {
            return Heading::Row(0);
        }
        if !(is_heading(word) || is_odd_one_out(rows)) {
            return Heading::None;
        }
        match self.choices.has_id() {
            // `--id-from 1` says nothing about the first line; a heading is not a person.
            true => Heading::Row(0),
            false => Heading::Unclear(word.to_owned()),
        }
    }

    /// Asks whether the first line of a list is a heading.
    fn is_it_a_heading(&self, word: &str, mut rows: Vec<Row>) -> Question {
        rows.remove(0);
        let headings = [word.to_owned()];
        let table = Table {
            headings: &headings,
            has_heading: true,
            platform: None,
            rows: &rows,
        };
        let column = table.named(0);
        let choices = Choices {
            id_from: Some(column.clone()),
            ..self.choices.clone()
        };
        let columns = table.columns(&choices).ok().flatten();
        let proposal = columns.map(|columns| self.people(&table, &columns, &mut Vec::new()));
        Question {
            what: format!(
                "the first line, \"{}\", may be a heading or a person",
                wire::excerpt(word, HEADING_CHARS_SHOWN_MAX)
            ),
            answers: vec![
                Answer {
                    when: "if it is a heading, type".to_owned(),
                    flags: vec!["--id-from".to_owned(), column],
                },
                Answer {
                    when: "if it is a person, type".to_owned(),
                    flags: vec!["--no-header".to_owned()],
                },
            ],
            proposal: proposal.filter(|roster| !roster.candidates.is_empty()),
        }
    }

    /// Asks where IDs come from, and proposes an answer.
    fn propose(
        &self,
        table: &Table<'_>,
        chosen: &Choices,
        mut notes: Vec<String>,
        passed: &mut Vec<(u64, String)>,
    ) -> Result<Reading, String> {
        let Some(id) = table.proposed_id() else {
            return Err(table.no_column("id", "--id-from"));
        };
        let mut choices = chosen.clone();
        choices.id_from = Some(table.named(id));
        let Some(columns) = table.columns(&choices)? else {
            return Err(table.no_column("id", "--id-from"));
        };
        let mut flags = vec!["--id-from".to_owned(), table.named(id)];
        if self.choices.name_columns.is_empty() {
            for name in &columns.names {
                flags.extend(["--name-column".to_owned(), table.named(*name)]);
            }
        }
        if let (None, Some(email)) = (&self.choices.email_column, columns.email) {
            flags.extend(["--email-column".to_owned(), table.named(email)]);
        }
        let mut proposal = self.people(table, &columns, passed);
        notes.extend(told_passed(passed));
        notes.append(&mut proposal.notes);
        proposal.notes = notes;
        let what = match (table.platform, table.has_heading) {
            (Some(platform), _) => {
                format!(
                    "it looks like a list from {}, and has no column of IDs",
                    platform.name()
                )
            }
            (None, true) => "it has no column id".to_owned(),
            (None, false) => "it does not say which column holds IDs".to_owned(),
        };
        Ok(Reading::Question(Question {
            what: format!("{what}; {} could give them", table.quoted(id)),
            answers: vec![Answer {
                when: "if these are the right people and IDs, type".to_owned(),
                flags,
            }],
            proposal: Some(proposal).filter(|roster| !roster.candidates.is_empty()),
        }))
    }

    /// Makes the candidates.
    fn people(
        &self,
        table: &Table<'_>,
        columns: &Columns,
        passed: &mut Vec<(u64, String)>,
    ) -> Roster {
        let mut roster = Roster {
            ignored: table.ignored(columns),
            ..Roster::default()
        };
        let mut seen: HashMap<[String; 3], u64> = HashMap::new();
        let mut left_out = LeftOut::default();
        for row in table.rows {
            let candidate = self.person(table, columns, row, &mut left_out);
            if let Some(value) = &candidate.made_from {
                let part = |text: Option<&String>| {
                    text.map(|text| text.to_lowercase()).unwrap_or_default()
                };
                let name = part(candidate.full_name.as_ref());
                let key = [value.to_lowercase(), name, part(candidate.email.as_ref())];
                if let Some(first) = seen.get(&key) {
                    passed.push((row.number, format!("line {first} again")));
                    continue;
                }
                seen.insert(key, row.number);
            }
            roster.candidates.push(candidate);
        }
        roster.notes.extend(left_out.notes());
        roster
    }

    fn person(
        &self,
        table: &Table<'_>,
        columns: &Columns,
        row: &Row,
        left_out: &mut LeftOut,
    ) -> Candidate {
        let mut fault = None;
        if row
            .cells
            .iter()
            .skip(table.headings.len())
            .any(|cell| !cell.is_empty())
        {
            fault = Some(format!(
                "it has {} columns, and the first line names {}; a text that contains a comma needs quotes",
                row.cells.len(),
                table.headings.len()
            ));
        }
        let mut text = |column: usize| {
            let cell = row.cell(column);
            if is_spreadsheet_error(cell) && fault.is_none() {
                fault = Some(format!("{} holds the error {cell}", table.quoted(column)));
            }
            let platform = table.platform;
            let value = platform.map_or(cell, |platform| platform.value(cell));
            Some(value.to_owned()).filter(|value| !value.is_empty())
        };
        let value = text(columns.id.column());
        let names: Vec<String> = columns
            .names
            .iter()
            .filter_map(|column| text(*column))
            .collect();
        let mut full_name = Some(names.join(" ")).filter(|name| !name.is_empty());
        if let ([column], Some(name), Some(platform)) =
            (&columns.names[..], &full_name, table.platform)
            && platform.writes_last_name_first(&table.headings[*column])
        {
            full_name = Some(turned_round(name));
        }
        let mut email = columns.email.and_then(&mut text);
        let role = columns.role.and_then(&mut text);
        if columns.is_email_recognised && email.as_deref().and_then(email_fault).is_some() {
            left_out.emails.push(LeftOut::one(email.take(), row));
        }
        let name = full_name.as_deref().map(FullName::parse_typed);
        if columns.are_names_recognised && matches!(name, Some(Err(_))) {
            left_out.names.push(LeftOut::one(full_name.take(), row));
        }
        if value.is_none() && fault.is_none() {
            let who = full_name.as_deref().or(email.as_deref());
            fault = who.map(|who| {
                let who = wire::excerpt(who, HEADING_CHARS_SHOWN_MAX);
                format!("{who} has nothing in {}", table.quoted(columns.id.column()))
            });
        }
        let (name, made_from) = match (columns.id, value) {
            (IdColumn::Exact(_), value) => (value.unwrap_or_default(), None),
            (IdColumn::From(_), None) => (String::new(), None),
            (IdColumn::From(_), Some(value)) => (shape(&value).id, Some(value)),
        };
        Candidate {
            name,
            full_name,
            email,
            role,
            location: Location::Line(self.path.to_owned(), row.number),
            fault,
            made_from,
        }
    }
}

/// Texts of recognised columns that no certificate can contain.
#[derive(Debug, Default)]
struct LeftOut {
    emails: Vec<String>,
    names: Vec<String>,
}

impl LeftOut {
    fn one(text: Option<String>, row: &Row) -> String {
        let text = wire::excerpt(&text.unwrap_or_default(), HEADING_CHARS_SHOWN_MAX);
        format!("\"{text}\" (line {})", row.number)
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let kinds = [
            (&self.emails, "mail address is", "mail addresses are"),
            (&self.names, "name is", "names are"),
        ];
        let some = kinds.into_iter().filter(|(texts, ..)| !texts.is_empty());
        some.map(|(texts, one, many)| {
            format!(
                "{} left out, because a certificate cannot contain {}: {}",
                counted(texts.len(), one, many),
                if texts.len() == 1 { "it" } else { "them" },
                first_few(texts, ROWS_SHOWN_MAX, ", ")
            )
        })
    }
}

/// What the first rows of a roster are.
enum Heading {
    /// This row names the columns.
    Row(usize),
    /// No row does.
    None,
    /// The first line of a list is a word that is known as a heading.
    Unclear(String),
    /// The first line of a table has no known heading, and somebody named a column by its number.
    Doubtful(String),
}

/// Returns whether the first line of a list is unlike all others, as a heading in a language that is not
/// known here: the others are numbered, or are addresses, or have no capital letter.
fn is_odd_one_out(rows: &[Row]) -> bool {
    let [first, others @ ..] = rows else {
        return false;
    };
    let word = first.cell(0);
    if others.len() < 2 || word.chars().count() < 2 || word.contains('@') {
        return false;
    }
    let all = |is: fn(&str) -> bool| others.iter().all(|row| is(row.cell(0)));
    let has_digits = |text: &str| text.chars().filter(char::is_ascii_digit).count() >= 3;
    let is_lower =
        |text: &str| text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase);
    let is_capitalised = word.chars().next().is_some_and(char::is_uppercase);
    all(is_address)
        || all(has_digits) && !word.chars().any(|c| c.is_ascii_digit())
        || all(is_lower) && is_capitalised
}

/// Returns whether a cell holds what a spreadsheet writes where a formula failed.
fn is_spreadsheet_error(cell: &str) -> bool {
    let errors = [
        "#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#DATA!", "#SPILL!",
        "#CALC!",
    ];
    errors.contains(&cell)
}

/// Returns the headings by which a roster is recognised again. A known export is recognised by those that
/// identify people, as each new exercise adds a column; any other roster by all of them.
fn identifying(table: &Table<'_>) -> Vec<String> {
    let headings = table.headings.iter();
    match table.platform {
        Some(_) => headings
            .filter(|heading| {
                let meaning = headings::meaning(heading);
                meaning.is_some_and(|meaning| meaning != headings::Meaning::Other)
            })
            .map(|heading| remembered_as(heading))
            .collect(),
        None => headings.map(|heading| remembered_as(heading)).collect(),
    }
}

/// Returns the form in which a heading is remembered: its case does not count.
fn remembered_as(heading: &str) -> String {
    wire::excerpt(&heading.to_lowercase(), HEADING_CHARS_REMEMBERED_MAX)
}

/// How much of a heading is remembered.
const HEADING_CHARS_REMEMBERED_MAX: usize = 80;

/// Returns what to remember of a roster. It names columns as somebody typed them, and holds no cell.
fn remember(table: &Table<'_>, chosen: &Choices) -> Kind {
    Kind {
        platform: table.platform.map(|platform| platform.name().to_owned()),
        headings: identifying(table),
        id_column: chosen.id_column.clone(),
        id_from: chosen.id_from.clone(),
        name_columns: chosen.name_columns.clone(),
        email_column: chosen.email_column.clone(),
    }
}

/// Says which columns hold what, unless their names are `id`, `name` and `email`.
fn told(table: &Table<'_>, columns: &Columns, is_remembered: bool) -> Option<String> {
    let is_plain = |column: usize, name: &str| are_same(&table.headings[column], name);
    let is_all_plain = matches!(columns.id, IdColumn::Exact(column) if is_plain(column, "id"))
        && columns.names.iter().all(|column| is_plain(*column, "name"))
        && columns.email.is_none_or(|column| is_plain(column, "email"));
    if !table.has_heading && matches!(columns.id, IdColumn::Exact(0))
        || is_all_plain && !is_remembered
    {
        return None;
    }
    let mut parts = vec![match columns.id {
        IdColumn::Exact(column) => format!("IDs are {}", table.quoted(column)),
        IdColumn::From(column) if is_remembered => {
            format!("IDs are made from {}", table.quoted(column))
        }
        IdColumn::From(column) => format!("IDs are made from {} ({RULES})", table.quoted(column)),
    }];
    if !columns.names.is_empty() {
        let names: Vec<String> = columns
            .names
            .iter()
            .map(|column| table.quoted(*column))
            .collect();
        let is_turned = table.platform.is_some_and(|platform| {
            matches!(columns.names[..], [column] if platform.writes_last_name_first(&table.headings[column]))
        });
        let turned = if is_turned {
            ", where the last name comes first"
        } else {
            ""
        };
        parts.push(format!("names are {}{turned}", names.join(" and ")));
    }
    if let Some(column) = columns.email {
        parts.push(format!("mail addresses are {}", table.quoted(column)));
    }
    let beginning = match (table.platform, is_remembered) {
        (Some(platform), true) => format!("a list from {}, read as before: ", platform.name()),
        (Some(platform), false) => format!("a list from {}: ", platform.name()),
        (None, true) => "read as before: ".to_owned(),
        (None, false) => String::new(),
    };
    let ending = if is_remembered {
        " (remembered in the CA's folder)"
    } else {
        ""
    };
    Some(format!("{beginning}{}{ending}", parts.join("; ")))
}

/// Says which rows are no people.
fn told_passed(passed: &[(u64, String)]) -> Option<String> {
    let mut passed: Vec<_> = passed.to_vec();
    passed.sort();
    let rows: Vec<String> = passed
        .iter()
        .map(|(line, why)| format!("line {line} ({why})"))
        .collect();
    (!rows.is_empty()).then(|| format!("passed over {}", first_few(&rows, ROWS_SHOWN_MAX, ", ")))
}

#[cfg(test)]
mod tests;
