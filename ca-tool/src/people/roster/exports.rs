//! The exports of learning platforms that are known by their headings, and their habits: rows that are no
//! people, names written the other way round, numbers that mean nothing outside the platform.

use super::headings::{self, are_same};
use super::sheet::Row;

/// A learning platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Platform {
    Moodle,
    Canvas,
    Blackboard,
    Classroom,
    Brightspace,
}

impl Platform {
    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Platform::Moodle => "Moodle",
            Platform::Canvas => "Canvas",
            Platform::Blackboard => "Blackboard",
            Platform::Classroom => "Google Classroom",
            Platform::Brightspace => "Brightspace",
        }
    }

    /// Recognises an export by its headings, and a Canvas gradebook by its second line too.
    pub(super) fn of(headings: &[String], rows: &[Row]) -> Option<Self> {
        let has = |wanted: &str| headings.iter().any(|heading| are_same(heading, wanted));
        let first = |wanted: &[&str]| {
            headings.len() >= wanted.len()
                && wanted
                    .iter()
                    .zip(headings)
                    .all(|(wanted, heading)| are_same(wanted, heading))
        };
        let has_person =
            has("Student") || has("Student Name") || has("LastName") && has("FirstName");
        // Somebody may have deleted some columns.
        let is_gradebook = || {
            has("Section")
                || headings.iter().any(|heading| is_exercise(heading))
                || rows.iter().take(3).any(is_points_possible)
                || has_canvas_rows(headings, rows)
        };
        if has("SIS Login ID") || has("SIS User ID") || has_person && has("ID") && is_gradebook() {
            return Some(Platform::Canvas);
        }
        if has("OrgDefinedId") {
            return Some(Platform::Brightspace);
        }
        let has_names = has("First name") && (has("Surname") || has("Last name"));
        if has("Last downloaded from this course") {
            return Some(Platform::Moodle);
        }
        if first(&["Last Name", "First Name", "Username"]) {
            return Some(Platform::Blackboard);
        }
        if first(&["Last Name", "First Name", "Email Address"]) {
            return Some(Platform::Classroom);
        }
        let is_moodle = has_names && has("Email address") && first(&["First name"]);
        is_moodle.then_some(Platform::Moodle)
    }

    /// Returns why a row is no person, if it is none. `headings` are the names of the columns.
    pub(super) fn passes_over(self, row: &Row, headings: &[String]) -> Option<&'static str> {
        let cell = |heading: &str| {
            let column = headings.iter().position(|there| are_same(there, heading));
            column.map_or("", |column| row.cell(column))
        };
        match self {
            Platform::Canvas => {
                let (student, login) = (cell("Student"), cell("SIS Login ID"));
                let (last, first) = (cell("LastName"), cell("FirstName"));
                let is_test = student.eq_ignore_ascii_case("Student, Test")
                    || student.eq_ignore_ascii_case("Test Student")
                    || last.eq_ignore_ascii_case("Student") && first.eq_ignore_ascii_case("Test");
                if is_points_possible(row) {
                    Some("\"Points Possible\"")
                } else if is_test || is_test_login(login) && cell("SIS User ID").is_empty() {
                    Some("Canvas's test student")
                } else if [student, last, first, login, cell("ID"), cell("SIS User ID")]
                    .iter()
                    .all(|cell| cell.is_empty())
                {
                    Some("a second row of headings")
                } else {
                    None
                }
            }
            Platform::Blackboard => {
                let is_preview = ["Username", "Last Name"]
                    .iter()
                    .any(|column| cell(column).to_lowercase().ends_with("_previewuser"));
                is_preview.then_some("Blackboard's preview user")
            }
            Platform::Classroom => {
                let has_name = !(cell("First Name").is_empty() && cell("Last Name").is_empty());
                if !has_name && !cell("Email Address").contains('@') {
                    return Some("a second row of headings");
                }
                let has_nobody = cell("Email Address").is_empty() && cell("First Name").is_empty();
                let word = row.cells.iter().find(|cell| !cell.is_empty());
                let is_known = word.is_some_and(|word| {
                    [
                        "date",
                        "due date",
                        "points",
                        "points possible",
                        "out of",
                        "class average",
                        "average",
                    ]
                    .contains(&word.to_lowercase().trim_end_matches(':'))
                });
                let is_second = cell("Last Name").is_empty() || is_known;
                (has_nobody && is_second).then_some("a second row of headings")
            }
            Platform::Moodle | Platform::Brightspace => None,
        }
    }

    /// Returns whether the names in a column are written as `Brown, Erin`.
    pub(super) fn writes_last_name_first(self, heading: &str) -> bool {
        self == Platform::Canvas && are_same(heading, "Student")
    }

    /// Returns whether the numbers in a column mean nothing outside the platform.
    pub(super) fn is_internal(self, heading: &str) -> bool {
        self == Platform::Canvas && are_same(heading, "ID")
    }

    /// Returns a value without the sign that Brightspace puts before it, so that a spreadsheet keeps it.
    pub(super) fn value(self, text: &str) -> &str {
        match self {
            Platform::Brightspace => text.strip_prefix('#').unwrap_or(text),
            _ => text,
        }
    }
}

/// Returns whether a row repeats the headings, as a list of several pages does.
pub(super) fn repeats_headings(row: &Row, headings: &[String]) -> bool {
    let known = headings
        .iter()
        .filter(|heading| headings::is_heading(heading))
        .count();
    let mut cells = headings.iter().enumerate();
    (known > 0 || headings.len() > 1) && cells.all(|(column, heading)| row.cell(column) == heading)
}

/// Returns whether the last row of a table counts or sums up the others: it has such a word, numbers, and
/// nothing else.
pub(super) fn is_total(row: &Row) -> bool {
    let mut cells = row.cells.iter().filter(|cell| !cell.is_empty());
    let word = cells.next().map(|word| word.to_lowercase());
    let word = word
        .as_deref()
        .map(|word| word.trim_end_matches([':', '：', ' ']));
    let mut numbers = cells.peekable();
    row.cells.len() > 1
        && word.is_some_and(|word| TOTALS.contains(&word))
        && numbers.peek().is_some()
        && numbers.all(|cell| cell.chars().all(|c| c.is_numeric() || ".,%".contains(c)))
}

const TOTALS: [&str; 22] = [
    "total",
    "totals",
    "sum",
    "count",
    "average",
    "mean",
    "summe",
    "gesamt",
    "insgesamt",
    "anzahl",
    "somme",
    "moyenne",
    "suma",
    "totale",
    "totaal",
    "razem",
    "toplam",
    "итого",
    "всего",
    "合計",
    "合计",
    "总计",
];

/// Returns a name that is written as `Brown, Erin` the other way round. Other commas stay.
pub(super) fn turned_round(name: &str) -> String {
    match name.split(',').map(str::trim).collect::<Vec<_>>()[..] {
        [last, first] if !last.is_empty() && !first.is_empty() => format!("{first} {last}"),
        _ => name.to_owned(),
    }
}

/// Returns whether a heading is an exercise's with its number, such as `Homework 1 (4711)`.
fn is_exercise(heading: &str) -> bool {
    let number = heading
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once('('));
    number
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns whether rows are like `Brown, Erin` and a number, which Canvas writes.
fn has_canvas_rows(headings: &[String], rows: &[Row]) -> bool {
    let column = |wanted: &str| {
        headings
            .iter()
            .position(|heading| are_same(heading, wanted))
    };
    let (Some(student), Some(id)) = (column("Student"), column("ID")) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    !rows.is_empty()
        && rows.iter().all(|row| is_number(row.cell(id)))
        && rows
            .iter()
            .any(|row| turned_round(row.cell(student)) != row.cell(student))
}

fn is_points_possible(row: &Row) -> bool {
    let first = row.cell(0);
    first.eq_ignore_ascii_case("Points Possible")
}

/// Canvas gives its test student a hash for a login.
fn is_test_login(login: &str) -> bool {
    login.len() == 40
        && login
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(headings: &str) -> Option<&'static str> {
        let headings: Vec<String> = headings.split(',').map(str::to_owned).collect();
        Platform::of(&headings, &[]).map(Platform::name)
    }

    #[test]
    fn exports_are_known_by_their_headings() {
        for (headings, expected) in [
            (
                "First name,Surname,ID number,Institution,Department,Email address,Last downloaded from this course",
                Some("Moodle"),
            ),
            ("First name,Last name,Email address,Groups", Some("Moodle")),
            (
                "Student,ID,SIS User ID,SIS Login ID,Section,Quiz (1)",
                Some("Canvas"),
            ),
            ("LastName,FirstName,ID,SIS Login ID,Section", Some("Canvas")),
            ("Student,ID,Section", Some("Canvas")),
            ("Student,ID,Quiz (1)", Some("Canvas")),
            ("Student,ID,Quiz (easy)", None),
            (
                "Last Name,First Name,Username,Student ID,Last Access,Availability",
                Some("Blackboard"),
            ),
            (
                "Last Name,First Name,Email Address,Quiz",
                Some("Google Classroom"),
            ),
            (
                "OrgDefinedId,Username,Last Name,First Name,Email",
                Some("Brightspace"),
            ),
            ("id,name,email,role", None),
            ("Student ID,Name,Email,Section", None),
            ("Username,Email", None),
        ] {
            assert_eq!(platform(headings), expected, "{headings}");
        }
    }

    #[test]
    fn only_a_name_with_one_comma_is_turned_round() {
        for (name, turned) in [
            ("Brown, Erin", "Erin Brown"),
            ("Brown,Erin", "Erin Brown"),
            ("Erin Brown", "Erin Brown"),
            ("Brown, Erin, Jr.", "Brown, Erin, Jr."),
            ("Brown,", "Brown,"),
        ] {
            assert_eq!(turned_round(name), turned);
        }
    }
}
