//! Decides which columns of a roster hold what: as somebody chose, else by their headings. It decides about
//! headings and never about people.

use super::choices::Choices;
use super::exports::Platform;
use super::headings::{Meaning, are_same, is_address, is_heading, meaning};
use super::sheet::Row;
use crate::words::first_few;

/// The columns that are used, by number from 0.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) id: IdColumn,
    pub(super) names: Vec<usize>,
    /// Whether the columns of names were only recognised. Then a name that cannot be one is left out instead of
    /// refused: next week's export would have it again.
    pub(super) are_names_recognised: bool,
    pub(super) email: Option<usize>,
    /// Whether the column of mail addresses was only recognised. Then an address that no certificate can
    /// have is left out instead of refused.
    pub(super) is_email_recognised: bool,
    pub(super) role: Option<usize>,
}

/// The column of IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdColumn {
    /// Its texts are IDs.
    Exact(usize),
    /// IDs are made from its texts.
    From(usize),
}

impl IdColumn {
    pub(super) fn column(self) -> usize {
        match self {
            IdColumn::Exact(column) | IdColumn::From(column) => column,
        }
    }
}

/// The names of the columns, and the export that has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    /// The headings; numbers if there are none.
    pub(super) headings: &'a [String],
    pub(super) has_heading: bool,
    pub(super) platform: Option<Platform>,
    pub(super) rows: &'a [Row],
}

impl Table<'_> {
    /// Decides about all columns. Returns `None` if nothing says where IDs come from.
    pub(super) fn columns(&self, choices: &Choices) -> Result<Option<Columns>, String> {
        let id = match (&choices.id_column, &choices.id_from) {
            (Some(column), _) => Some(IdColumn::Exact(self.find(column, "--id-column")?)),
            (None, Some(column)) => Some(IdColumn::From(self.find(column, "--id-from")?)),
            (None, None) => self.unchosen_id()?.map(IdColumn::Exact),
        };
        let Some(id) = id else {
            return Ok(None);
        };
        let heading = &self.headings[id.column()];
        if self
            .platform
            .is_some_and(|platform| platform.is_internal(heading))
        {
            return Err(
                "its column ID holds Canvas's own numbers, which nobody knows people by; use --id-from \"SIS Login ID\""
                    .to_owned(),
            );
        }
        let names = match &choices.name_columns[..] {
            [] => self.names()?,
            chosen => {
                let columns = chosen
                    .iter()
                    .map(|column| self.find(column, "--name-column"));
                columns.collect::<Result<_, _>>()?
            }
        };
        // Texts that are IDs already are no names as well.
        let is_id =
            |column: &usize| choices.name_columns.is_empty() && id == IdColumn::Exact(*column);
        let names: Vec<usize> = names.into_iter().filter(|column| !is_id(column)).collect();
        let is_called = |column: usize, name: &str| are_same(&self.headings[column], name);
        let are_names_recognised =
            choices.name_columns.is_empty() && !names.iter().any(|at| is_called(*at, "name"));
        let email = match &choices.email_column {
            Some(column) => Some(self.find(column, "--email-column")?),
            None => self.email()?,
        };
        let email =
            email.filter(|column| choices.email_column.is_some() || id != IdColumn::Exact(*column));
        Ok(Some(Columns {
            id,
            names,
            are_names_recognised,
            email,
            is_email_recognised: choices.email_column.is_none()
                && email.is_some_and(|at| !is_called(at, "email")),
            role: self.plain("role")?.filter(|column| id.column() != *column),
        }))
    }

    /// Returns the column that holds IDs although nobody chose one: it is called `id`, or it is the only one
    /// and has no heading.
    fn unchosen_id(&self) -> Result<Option<usize>, String> {
        if !self.has_heading {
            let is_alone = self.headings.len() == 1;
            // Addresses and full names are no IDs, but IDs can be made from them.
            let is_no_id = |row: &Row| is_address(row.cell(0)) || row.cell(0).contains(' ');
            let is_something_else = !self.rows.is_empty() && self.rows.iter().all(is_no_id);
            return Ok((is_alone && !is_something_else).then_some(0));
        }
        let id = self.plain("id")?;
        Ok(id.filter(|column| {
            let heading = &self.headings[*column];
            !self
                .platform
                .is_some_and(|platform| platform.is_internal(heading))
        }))
    }

    /// Finds the column that somebody named, by its heading or by its number from 1.
    pub(super) fn find(&self, wanted: &str, flag: &str) -> Result<usize, String> {
        if self.has_heading
            && let Some(column) = self.only(wanted, flag)?
        {
            return Ok(column);
        }
        let number = wanted.trim().parse::<usize>().ok();
        let column = number.and_then(|number| number.checked_sub(1));
        column
            .filter(|column| *column < self.headings.len())
            .ok_or_else(|| self.no_column(wanted, flag))
    }

    /// Finds a column by its heading, which must be there once if at all.
    fn only(&self, wanted: &str, flag: &str) -> Result<Option<usize>, String> {
        let columns = self.headings.iter().enumerate();
        let same: Vec<usize> = columns
            .filter(|(_, heading)| are_same(heading, wanted))
            .map(|(column, _)| column)
            .collect();
        match same[..] {
            [] => Ok(None),
            [column] => Ok(Some(column)),
            [first, ..] => {
                let numbers: Vec<String> =
                    same.iter().map(|column| (column + 1).to_string()).collect();
                Err(format!(
                    "its first line names the column {} twice: columns {}; give a number, as in {flag} {}",
                    wire::excerpt(wanted, HEADING_CHARS_SHOWN_MAX),
                    first_few(&numbers, COLUMNS_SHOWN_MAX, " and "),
                    first + 1
                ))
            }
        }
    }

    /// Finds a column that has one of the names that need no flag.
    fn plain(&self, wanted: &str) -> Result<Option<usize>, String> {
        if !self.has_heading {
            return Ok(None);
        }
        let flag = match wanted {
            "id" => "--id-column",
            "name" => "--name-column",
            _ => "--email-column",
        };
        self.only(wanted, flag)
    }

    /// Recognises the columns of full names.
    fn names(&self) -> Result<Vec<usize>, String> {
        if !self.has_heading {
            return Ok(Vec::new());
        }
        let plain = self.plain("name")?;
        let first = self.with(Meaning::FirstName);
        let last = self.with(Meaning::LastName);
        let full = self.with(Meaning::FullName);
        let name = plain.or_else(|| self.with(Meaning::Name));
        Ok(match (name, first, last, full) {
            // `name` is the family name beside a first name, unless it contains that too.
            (Some(name), Some(first), None, _) if !self.contains(name, first) => vec![first, name],
            (Some(name), None, Some(last), _) if !self.contains(name, last) => vec![name, last],
            (_, Some(first), Some(last), _) if plain.is_none() => vec![first, last],
            (Some(name), ..) => vec![name],
            (None, _, _, Some(full)) => vec![full],
            (None, Some(first), Some(last), None) => vec![first, last],
            (None, one, other, None) => one.or(other).into_iter().collect(),
        })
    }

    /// Returns whether the first row shows that one column repeats what is in another.
    fn contains(&self, whole: usize, part: usize) -> bool {
        let row = self
            .rows
            .iter()
            .find(|row| !row.cell(whole).is_empty() && !row.cell(part).is_empty());
        row.is_some_and(|row| {
            row.cell(whole)
                .to_lowercase()
                .contains(&row.cell(part).to_lowercase())
        })
    }

    /// Recognises the column of mail addresses.
    fn email(&self) -> Result<Option<usize>, String> {
        if !self.has_heading {
            return Ok(None);
        }
        Ok(self.plain("email")?.or_else(|| self.with(Meaning::Email)))
    }

    /// Returns the first column whose heading has this meaning.
    fn with(&self, wanted: Meaning) -> Option<usize> {
        let mut headings = self.headings.iter();
        headings.position(|heading| meaning(heading) == Some(wanted))
    }

    /// Proposes the column from which IDs could be made: logins, then addresses, then numbers; best one that
    /// everybody has and no two people share.
    pub(super) fn proposed_id(&self) -> Option<usize> {
        let mut found: Vec<usize> = Vec::new();
        for wanted in PROPOSED {
            let columns = 0..self.headings.len();
            let is_good = |column: usize| {
                let heading = &self.headings[column];
                let is_internal = self
                    .platform
                    .is_some_and(|platform| platform.is_internal(heading));
                let means = match self.has_heading {
                    true => meaning(heading) == Some(wanted),
                    false if self.headings.len() == 1 => wanted == Meaning::Name,
                    false => wanted == Meaning::Email && self.holds_addresses(column),
                };
                means && !is_internal && self.filled(column) > 0
            };
            found.extend(columns.filter(|column| is_good(*column)));
        }
        if found.is_empty() {
            let addresses = (0..self.headings.len()).find(|column| self.holds_addresses(*column));
            found.extend(addresses);
        }
        let people = self.rows.len();
        let complete = found.iter().find(|column| self.filled(**column) == people);
        let by_account = found.iter().filter(|column| !self.is_name(**column));
        let fullest = by_account.max_by_key(|column| self.filled(**column));
        let is_better = |column: &&usize| !self.is_name(**column) || fullest.is_none();
        complete
            .filter(is_better)
            .or(fullest)
            .or(found.first())
            .copied()
    }

    /// Returns whether a column holds names of people, which are the last resort for IDs.
    fn is_name(&self, column: usize) -> bool {
        use Meaning::{FirstName, FullName, LastName, Name};
        self.has_heading
            && matches!(
                meaning(&self.headings[column]),
                Some(FullName | Name | FirstName | LastName)
            )
    }

    fn filled(&self, column: usize) -> usize {
        let values = self.rows.iter().map(|row| row.cell(column));
        let values: std::collections::HashSet<&str> =
            values.filter(|value| !value.is_empty()).collect();
        values.len()
    }

    fn holds_addresses(&self, column: usize) -> bool {
        let values = self
            .rows
            .iter()
            .map(|row| row.cell(column))
            .filter(|value| !value.is_empty());
        let (addresses, others): (Vec<&str>, Vec<&str>) =
            values.partition(|value| is_address(value));
        // A few may be faulty.
        addresses.len() > others.len()
    }

    /// Returns the text by which a flag names a column: its heading, or its number if the heading is not
    /// enough.
    pub(super) fn named(&self, column: usize) -> String {
        let heading = &self.headings[column];
        let same = self
            .headings
            .iter()
            .filter(|there| are_same(there, heading))
            .count();
        let is_typable = !heading.is_empty()
            && !heading.starts_with('-')
            && wire::escape(heading) == *heading
            && heading.chars().count() <= HEADING_CHARS_SHOWN_MAX;
        match same == 1 && is_typable && self.has_heading {
            true => heading.clone(),
            false => (column + 1).to_string(),
        }
    }

    /// Returns a column for a sentence: `"Email address"`, or `column 2`.
    pub(super) fn quoted(&self, column: usize) -> String {
        match self.named(column) {
            name if name == self.headings[column] && self.has_heading => format!("\"{name}\""),
            number => format!("column {number}"),
        }
    }

    /// Returns the headings of the columns that are not used.
    pub(super) fn ignored(&self, columns: &Columns) -> Vec<String> {
        if !self.has_heading {
            return Vec::new();
        }
        let is_used = |column: usize| {
            columns.id.column() == column
                || columns.names.contains(&column)
                || columns.email == Some(column)
                || columns.role == Some(column)
        };
        let headings = self.headings.iter().enumerate();
        let unused = headings.filter(|(column, heading)| !heading.is_empty() && !is_used(*column));
        unused
            .map(|(_, heading)| wire::excerpt(heading, HEADING_CHARS_SHOWN_MAX))
            .collect()
    }

    /// Returns the error for a column that is not there: it shows those that are.
    pub(super) fn no_column(&self, wanted: &str, flag: &str) -> String {
        let wanted = wire::excerpt(wanted, HEADING_CHARS_SHOWN_MAX);
        if !self.has_heading {
            let columns = self.headings.len();
            return format!(
                "it has no column {wanted}; without a heading its columns are the numbers 1 to {columns}, as in {flag} 1"
            );
        }
        let headings = self.headings.iter().filter(|heading| !heading.is_empty());
        let headings: Vec<_> = headings
            .map(|heading| format!("\"{}\"", wire::excerpt(heading, HEADING_CHARS_SHOWN_MAX)))
            .collect();
        let Some(first) = headings.first() else {
            return format!("its first line has no column {wanted}, nor any other");
        };
        let shown = first_few(&headings, COLUMNS_SHOWN_MAX, ", ");
        let is_known = self.headings.iter().any(|heading| is_heading(heading));
        let or_person = match is_known {
            true => "",
            false => "; or, if that line is a person, add --no-header",
        };
        format!(
            "its first line has no column {wanted}, but {shown}; say which one to use, as in {flag} {first}{or_person}"
        )
    }
}

/// The columns from which IDs can be made, the best first.
const PROPOSED: [Meaning; 8] = [
    Meaning::Login,
    Meaning::Email,
    Meaning::Number,
    Meaning::Id,
    Meaning::FullName,
    Meaning::Name,
    Meaning::FirstName,
    Meaning::LastName,
];
/// How many columns an error shows: a file of another kind may have anything in its first line.
const COLUMNS_SHOWN_MAX: usize = 12;
/// How much it shows of each.
pub(super) const HEADING_CHARS_SHOWN_MAX: usize = 40;
