//! The list of commands and keys.

use ratatui::layout::Rect;
use wire::COMMANDS;

use super::items::STAFF;
use super::rows::{fit, width, wrap};

/// The keys. No other place lists them.
const KEYS: [(&str, &str); 17] = [
    ("Enter", "say the line"),
    ("Tab", "complete a name or a command"),
    ("Up, Down, C-r", "your earlier lines; search them"),
    ("PgUp, PgDn, wheel", "scroll"),
    (
        "Home, End",
        "jump to the oldest loaded line, or to the newest",
    ),
    (
        "M-Up, M-Down, click",
        "select a line and see its full stamp",
    ),
    ("C-f", "find a line, in the whole record if you like"),
    (
        "C-a C-e C-k C-u C-w C-y",
        "edit as in a shell; M-b, M-f go by words",
    ),
    ("F5", "try again, after the session has ended"),
    (
        "F7",
        "mouse: leave it to the terminal, so that you can select and copy; without F7, hold Shift",
    ),
    ("F8", "show or hide the people list"),
    ("F9", "show or hide addresses in stamps"),
    ("C-l", "draw everything again"),
    ("C-z", "suspend"),
    ("C-c, C-d, /quit", "leave"),
    (STAFF, "before a name: an instructor or assistant"),
    ("C-f, M-Up", "here these mean Ctrl-F and Alt-Up"),
];

/// Returns the commands, from the table that the server and the documents use, and the keys.
fn all() -> impl Iterator<Item = (String, &'static str)> {
    // People here have no use for commands that programs send.
    let commands = COMMANDS
        .iter()
        .filter(|command| !command.is_for_programs)
        .map(|command| {
            let usage = format!("{} {}", command.name, command.arguments);
            (usage.trim_end().to_owned(), command.what)
        });
    let slash = ("//text".to_owned(), "say a text that begins with a slash");
    let nothing = (String::new(), "");
    let keys = KEYS.map(|(key, what)| (key.to_owned(), what));
    commands.chain([slash, nothing]).chain(keys)
}

/// Returns the list as rows of at most `columns`, with the explanations in a column of their own if
/// there is room.
pub(super) fn lines(columns: usize) -> Vec<String> {
    const FIRST_COLUMNS: usize = 27;
    const BOTH_COLUMNS_MIN: usize = 60;
    let mut rows = Vec::new();
    for (key, what) in all() {
        let (indent, mut first) = if columns < BOTH_COLUMNS_MIN {
            rows.push(fit(&key, columns));
            (2, String::new())
        } else {
            (FIRST_COLUMNS, key)
        };
        let room = columns.saturating_sub(indent);
        for row in wrap(what, 0, room, room) {
            let row = row.trim_end();
            if !row.is_empty() || !first.is_empty() || indent == FIRST_COLUMNS {
                let pad = " ".repeat(indent.saturating_sub(width(&first)));
                rows.push(format!("{first}{pad}{row}").trim_end().to_owned());
            }
            first.clear();
        }
    }
    rows
}

/// Returns the columns of text in a box on a screen with so many columns.
pub(super) fn columns(screen: u16) -> usize {
    const COLUMNS_MAX: usize = 100;
    usize::from(screen).saturating_sub(4).min(COLUMNS_MAX)
}

/// Returns how many rows the help has, and how many of them are seen at once in this place.
pub(super) fn rows(area: Rect) -> (usize, usize) {
    let page = usize::from(area.height).saturating_sub(2).max(1);
    (lines(columns(area.width)).len(), page)
}
