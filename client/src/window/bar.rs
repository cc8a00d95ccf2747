//! The status line: how we stand with the server, and what the keys do now.

use ratatui::style::Style;

use super::app::{App, Mode};
use super::items::stamp;
use super::rows::{fit, width};
use super::viewport::Scroll;
use crate::room::{Item, Progress, Standing};
use crate::words::drawable;

/// With this many bytes left or fewer, the status line says how many.
const BYTES_LEFT_TOLD: usize = 200;

/// Stands at the right end, so that everybody finds the rest.
const HELP: &str = " F1 help ";

/// Narrower status lines leave it out.
const COLUMNS_WITH_HELP_MIN: usize = 30;

/// Stands before the text that is sought.
const FIND: &str = " find: ";

/// How we stand with the server.
struct Stand {
    /// In a few words each, the most important first.
    short: Vec<String>,
    /// The reason for bad news, which may be long.
    why: Option<String>,
    is_bad: bool,
}

/// Returns the status line. The most important parts come first, because the end may not fit.
pub(super) fn status(app: &App, columns: usize) -> (String, Style) {
    let Stand { short, why, is_bad } = standing(app);
    let style = match is_bad {
        true => app.colours.alarm(),
        false => app.colours.status(),
    };
    let mut parts = Vec::new();
    if let Mode::Finding { text, .. } = &app.mode {
        parts.push(format!("{}{text}", FIND.trim_start()));
        // Nothing takes the place of bad news.
        parts.extend(is_bad.then_some(short).into_iter().flatten());
        parts.push(finding(app, text));
    } else if let Some(stamp) = selected_stamp(app) {
        parts.extend(is_bad.then_some(short).into_iter().flatten());
        parts.push(stamp);
    } else {
        if app.editor.bytes_left() <= BYTES_LEFT_TOLD {
            parts.push(format!("{} bytes left", app.editor.bytes_left()));
        }
        if app.editor.is_literal() {
            parts.push("pasted: the slash is said".to_owned());
        }
        if app.viewport.scroll(&app.room.timeline) != Scroll::Newest {
            parts.push(match app.room.timeline.unread {
                0 => "looking back".to_owned(),
                1 => "1 new line below".to_owned(),
                unread => format!("{unread} new lines below"),
            });
        }
        parts.extend(short);
    }
    if app.facts.expiry.is_near() {
        parts.push(format!("certificate: {} left", app.facts.expiry.left()));
    }
    parts.push(format!("\"{}\"", app.room.welcome.room));
    parts.extend(why);
    // A wider window has the list, which begins with the count.
    let is_connected = matches!(app.room.standing, Standing::Connected | Standing::Leaving);
    if is_connected && app.areas().here.is_none() {
        parts.push(format!("{} here", app.room.people.here().len()));
    }
    // Measured before the silence, it would be a promise.
    if let Some(took) = app.room.round_trip
        && app.room.silent_for().is_none()
    {
        parts.push(format!("{} ms", took.as_millis()));
    }
    parts.push(app.facts.server.clone());
    let text = drawable(&format!(" {}", parts.join(" · ")));
    // The key is one of those for writing.
    if columns < COLUMNS_WITH_HELP_MIN || app.mode != Mode::Writing {
        return (fit(&text, columns), style);
    }
    let left = columns - HELP.len();
    let text = fit(&text, left);
    let pad = " ".repeat(left - width(&text));
    (format!("{text}{pad}{HELP}"), style)
}

/// Returns the column of the cursor in the status line, while a text is sought.
pub(super) fn cursor(app: &App, columns: usize) -> Option<usize> {
    let Mode::Finding { text, .. } = &app.mode else {
        return None;
    };
    let before = width(&drawable(&format!("{FIND}{text}")));
    Some(before.min(columns.saturating_sub(1)))
}

fn standing(app: &App) -> Stand {
    let room = &app.room;
    let mut is_bad = true;
    let mut why_bad = None;
    let mut short = match &room.standing {
        Standing::Connected | Standing::Leaving if let Some(silent) = room.silent_for() => {
            vec![format!("no answer for {} s", silent.as_secs())]
        }
        Standing::Connected if room.leaves_when_stored() => {
            is_bad = false;
            Vec::new()
        }
        Standing::Connected => {
            is_bad = false;
            vec!["connected".to_owned()]
        }
        Standing::Leaving => {
            is_bad = false;
            vec!["leaving".to_owned()]
        }
        Standing::Lost { why, again_at } => {
            let left = again_at.saturating_duration_since(room.now).as_secs_f32();
            why_bad = Some(why.clone());
            vec![format!("reconnecting in {:.0} s", left.ceil())]
        }
        Standing::Ended { why } => {
            why_bad = Some(why.clone());
            vec!["ended: F5 tries again, C-c closes".to_owned()]
        }
    };
    if let Some(waiting) = &room.waiting {
        is_bad = true;
        short.push(format!("the server waits: {waiting}"));
    }
    match room.unacknowledged() {
        waiting if room.leaves_when_stored() => {
            let (when, without) = match waiting {
                1 => ("leaving when 1 line is stored".to_owned(), "it"),
                more => (format!("leaving when {more} lines are stored"), "them"),
            };
            short.extend([when, format!("C-c leaves without {without}")]);
        }
        // One is nothing strange: nearly every line waits for a moment.
        0 | 1 => {}
        waiting => short.push(format!("{waiting} lines wait")),
    }
    Stand {
        short,
        why: why_bad,
        is_bad,
    }
}

/// Returns how far a search has come, and what the keys do.
fn finding(app: &App, text: &str) -> String {
    let room = &app.room;
    let show = |at| app.choices.clock.show_day(at);
    if let Some(search) = &room.search {
        let back_to = search.back_to().map(show);
        return match (search.progress, back_to) {
            (Progress::Going, Some(day)) => format!("searched back to {day}, Esc stops"),
            (Progress::Going, None) => "searching, Esc stops".to_owned(),
            (Progress::AtTheBeginning, _) if app.viewport.selected.is_some() => {
                "no other line before this one".to_owned()
            }
            (Progress::AtTheBeginning, _) => "not found in the whole record".to_owned(),
            (Progress::Stopped | Progress::Found(_), day) => {
                let since = day.map_or(String::new(), |day| format!(" since {day}"));
                match room.standing {
                    Standing::Connected => format!("Enter goes on; not found{since}"),
                    _ => format!("not found{since}; the rest needs a connection"),
                }
            }
        };
    }
    if text.is_empty() || app.viewport.selected.is_some() {
        return "Enter older, Down newer, Esc ends".to_owned();
    }
    match room.timeline.first_at().map(show) {
        Some(day) => format!("Enter searches the record; not found since {day}"),
        None => "Enter searches the record".to_owned(),
    }
}

/// Returns the full stamp of the selected line.
fn selected_stamp(app: &App) -> Option<String> {
    let number = app.viewport.selected?;
    let Item::Said(said) = app.room.timeline.item(number)? else {
        return None;
    };
    let at = app.choices.clock.show(said.at);
    let stamp = stamp(&said.id, &said.ip, false);
    Some(format!("{} {at} {stamp}", said.seq))
}
