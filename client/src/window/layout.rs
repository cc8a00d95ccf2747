//! The timeline on a screen: each item as rows, and the rows that are in view.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use wire::{ClientId, Timestamp};

use super::rows::{width, wrap};
use super::viewport::{Scroll, Viewport};
use crate::room::{Item, Move, Room, Said, Timeline, mentions};
use crate::settings::Theme;
use crate::words::{Clock, drawable, few, unknown};

/// The column of times: `19:00 `.
const TIME_COLUMNS: usize = 6;

/// Narrower timelines have no times.
const COLUMNS_WITH_TIMES_MIN: usize = 30;

/// In narrower timelines our own lines may take all columns.
const COLUMNS_WITH_MARGIN_MIN: usize = 40;

/// The indent of a continued line against its stamp. Nothing that somebody says can begin where a
/// stamp begins.
const INDENT: &str = "  ";

/// The names that a line of enters and leaves shows before it counts the rest.
const NAMES_MAX: usize = 3;

/// Everything besides an item that decides how it becomes rows.
#[derive(Debug)]
pub(crate) struct Looks<'a> {
    pub(crate) columns: usize,
    pub(crate) me: &'a ClientId,
    pub(crate) theme: Theme,
    /// Whether stamps leave out addresses.
    pub(crate) is_short: bool,
    pub(crate) clock: &'a Clock,
}

/// A row, and the number of its item.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) item: i64,
    pub(crate) line: Line<'static>,
}

/// The rows that fill the timeline's part of the screen.
pub(crate) struct Bottom {
    /// The number of empty rows, at the top.
    pub(crate) empty_rows: usize,
    /// The rows of the timeline that are in view.
    pub(crate) items: Vec<Row>,
    /// Below them, the rows of our own lines that still wait.
    pub(crate) own: Vec<Line<'static>>,
}

/// Returns `height` rows, filled from the bottom.
pub(crate) fn bottom(room: &Room, view: &Viewport, looks: &Looks<'_>, height: usize) -> Bottom {
    let mut own = Vec::new();
    if view.scroll(&room.timeline) == Scroll::Newest {
        let ip = room.welcome.ip.to_string();
        // Only as many as are visible, the newest ones.
        for line in room.own.iter().rev() {
            if own.len() >= height {
                break;
            }
            let rows = own_line(line.line.as_str(), &ip, line.is_stored(), looks);
            own.extend(rows.into_iter().rev());
        }
        own.truncate(height);
        own.reverse();
    }
    let items = visible(&room.timeline, view, looks, height - own.len());
    Bottom {
        empty_rows: height - items.len() - own.len(),
        items,
        own,
    }
}

/// Returns the rows in view, from the top, at most `height`.
fn visible(timeline: &Timeline, view: &Viewport, looks: &Looks<'_>, height: usize) -> Vec<Row> {
    let mut rows = upwards(timeline, view, looks, height);
    rows.truncate(height);
    rows.reverse();
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Scrolls up by some rows. Returns whether the loaded entries end before that.
pub(crate) fn scroll_up(
    timeline: &mut Timeline,
    view: &mut Viewport,
    looks: &Looks<'_>,
    by: usize,
    height: usize,
) -> bool {
    let rows = upwards(timeline, view, looks, height + by);
    let moved = by.min(rows.len().saturating_sub(height));
    if let Some((below, row)) = rows.get(moved).filter(|_| moved > 0) {
        view.look_at(timeline, row.item, *below);
    }
    moved < by
}

/// Scrolls down by some rows. Returns whether the loaded entries end before that.
pub(crate) fn scroll_down(
    timeline: &mut Timeline,
    view: &mut Viewport,
    looks: &Looks<'_>,
    by: usize,
) -> bool {
    let Scroll::At {
        mut item,
        mut below,
    } = view.scroll(timeline)
    else {
        return true;
    };
    let mut left = by;
    loop {
        if below >= left {
            view.look_at(timeline, item, below - left);
            return false;
        }
        left -= below;
        item += 1;
        let rows = rows_of(timeline, view, item, looks).len();
        if rows == 0 {
            if !timeline.is_detached() {
                view.look_at_newest(timeline);
            } else {
                view.look_at(timeline, item - 1, 0);
            }
            return true;
        }
        below = rows;
    }
}

/// Scrolls to an item, so that all of it is visible if it fits.
pub(crate) fn show(
    timeline: &mut Timeline,
    view: &mut Viewport,
    looks: &Looks<'_>,
    item: i64,
    height: usize,
) {
    let seen = visible(timeline, view, looks, height);
    if seen.iter().filter(|row| row.item == item).count()
        == rows_of(timeline, view, item, looks).len()
    {
        return;
    }
    view.look_at(timeline, item, 0);
    // In the middle, if there is enough below it.
    scroll_down(timeline, view, looks, height / 2);
}

/// Returns rows from the bottom edge upwards, each with the number of its item's rows below it.
fn upwards(
    timeline: &Timeline,
    view: &Viewport,
    looks: &Looks<'_>,
    count: usize,
) -> Vec<(usize, Row)> {
    let numbers = timeline.numbers();
    let (mut item, mut below) = match view.scroll(timeline) {
        Scroll::Newest => (numbers.end - 1, 0),
        // The item that it named may have been dropped.
        Scroll::At { item, below } => (item.clamp(numbers.start, numbers.end - 1), below),
    };
    let mut found = Vec::new();
    while found.len() < count && item >= numbers.start {
        let rows = rows_of(timeline, view, item, looks);
        let total = rows.len();
        for (at, line) in rows.into_iter().enumerate().rev().skip(below) {
            found.push((total - 1 - at, Row { item, line }));
        }
        below = 0;
        item -= 1;
    }
    found
}

/// Returns an item as rows; none if there is no such item.
fn rows_of(
    timeline: &Timeline,
    view: &Viewport,
    number: i64,
    looks: &Looks<'_>,
) -> Vec<Line<'static>> {
    let Some(item) = timeline.item(number) else {
        return Vec::new();
    };
    let before = before(timeline, number);
    let mut rows = Vec::new();
    let at = item.at().map(|at| looks.clock.show(at));
    let at_before = before.and_then(Item::at).map(|at| looks.clock.show(at));
    if let Some(at) = &at
        && at_before.as_deref().and_then(day) != day(at)
    {
        rows.push(rule(day(at).unwrap_or_default(), looks, looks.theme.dim()));
    }
    if let Some(new_from) = timeline.new_from
        && item.begins(new_from, before.and_then(Item::last_seq))
    {
        rows.push(rule("new", looks, looks.theme.note()));
    }
    let is_new_minute = at_before.as_deref().and_then(minute) != at.as_deref().and_then(minute);
    let time = at
        .as_deref()
        .filter(|_| is_new_minute)
        .and_then(time)
        .unwrap_or_default();
    rows.extend(match item {
        Item::Said(said) if said.id == *looks.me => own(said, time, looks),
        Item::Said(said) => of_others(said, time, looks),
        Item::Moved(moves) => {
            let text = format!("* {}", tell_moves(moves));
            plain(&text, time, looks, looks.theme.dim())
        }
        Item::Other(other) => plain(&unknown(&other.text), time, looks, looks.theme.dim()),
        Item::Note(text) => plain(&format!("· {text}"), "", looks, looks.theme.note()),
    });
    if view.selected == Some(number) {
        rows = rows
            .into_iter()
            .map(|row| row.patch_style(looks.theme.selected()))
            .collect();
    }
    rows
}

/// Returns the rows of a line of our own that is not in the transcript yet.
fn own_line(text: &str, ip: &str, is_stored: bool, looks: &Looks<'_>) -> Vec<Line<'static>> {
    let said = Said {
        seq: 0,
        at: Timestamp::EPOCH,
        id: looks.me.clone(),
        ip: ip.to_owned(),
        text: text.to_owned(),
    };
    let rows = own(&said, "", looks);
    if is_stored {
        return rows;
    }
    rows.into_iter()
        .map(|row| row.patch_style(looks.theme.dim()))
        .collect()
}

/// Returns the item before, leaving out notes.
fn before(timeline: &Timeline, number: i64) -> Option<&Item> {
    (timeline.numbers().start..number)
        .rev()
        .filter_map(|number| timeline.item(number))
        .find(|item| item.at().is_some())
}

/// Returns `2026-11-21` of `2026-11-21 19:00:00`.
fn day(at: &str) -> Option<&str> {
    at.get(..10)
}

/// Returns `2026-11-21 19:00`.
fn minute(at: &str) -> Option<&str> {
    at.get(..16)
}

/// Returns `19:00`.
fn time(at: &str) -> Option<&str> {
    at.get(11..16)
}

/// Returns `[alice@192.0.2.7]`, or `[alice]`.
pub(crate) fn stamp(id: &ClientId, ip: &str, is_short: bool) -> String {
    if is_short {
        format!("[{id}]")
    } else {
        format!("[{id}@{ip}]")
    }
}

fn rule(text: &str, looks: &Looks<'_>, style: Style) -> Line<'static> {
    let sides = looks.columns.saturating_sub(text.len() + 2);
    let (left, right) = (sides / 2, sides - sides / 2);
    let text = format!("{} {text} {}", "─".repeat(left), "─".repeat(right));
    Line::styled(text, style)
}

fn time_columns(looks: &Looks<'_>) -> usize {
    if looks.columns < COLUMNS_WITH_TIMES_MIN {
        0
    } else {
        TIME_COLUMNS
    }
}

fn time_span(time: &str, looks: &Looks<'_>) -> Span<'static> {
    let columns = time_columns(looks);
    let time = if columns == 0 { "" } else { time };
    Span::styled(format!("{time:columns$}"), looks.theme.dim())
}

/// Returns the rows of another person's line: on the left, after its stamp.
fn of_others(said: &Said, time: &str, looks: &Looks<'_>) -> Vec<Line<'static>> {
    let stamp = stamp(&said.id, &said.ip, looks.is_short);
    let shown = drawable(&said.text);
    let columns = looks.columns.saturating_sub(time_columns(looks));
    let rows = wrap(
        &format!("{stamp} {shown}"),
        columns,
        columns.saturating_sub(INDENT.len()),
    );
    let text = if mentions(&said.text, looks.me) {
        looks.theme.mention()
    } else {
        looks.theme.others()
    };
    let name = looks.theme.name(&said.id);
    let parts = parts(said, &stamp, &shown, [name, looks.theme.others(), text]);
    let mut lines = Vec::new();
    for (at, spans) in cut(&rows, &parts).into_iter().enumerate() {
        let mut line = vec![time_span(if at == 0 { time } else { "" }, looks)];
        if at > 0 {
            line.push(Span::raw(INDENT));
        }
        line.extend(spans);
        lines.push(Line::from(line));
    }
    lines
}

/// Returns the rows of our own line: on the right, as one block.
fn own(said: &Said, time: &str, looks: &Looks<'_>) -> Vec<Line<'static>> {
    let stamp = stamp(&said.id, &said.ip, looks.is_short);
    let shown = drawable(&said.text);
    let columns = looks.columns.saturating_sub(time_columns(looks));
    // A margin on the left shows that even a long line is our own.
    let block = match columns {
        0..COLUMNS_WITH_MARGIN_MIN => columns,
        _ => columns - columns / 5,
    };
    let rows = wrap(
        &format!("{stamp} {shown}"),
        block,
        block.saturating_sub(INDENT.len()),
    );
    let indent = |at: usize| if at == 0 { 0 } else { INDENT.len() };
    let widest = rows
        .iter()
        .enumerate()
        .map(|(at, row)| width(row.trim_end()) + indent(at))
        .max()
        .unwrap_or(0);
    let left = columns.saturating_sub(widest);
    let style = looks.theme.own();
    let parts = parts(said, &stamp, &shown, [style; 3]);
    let mut lines = Vec::new();
    for (at, spans) in cut(&rows, &parts).into_iter().enumerate() {
        let mut line = vec![time_span(if at == 0 { time } else { "" }, looks)];
        line.push(Span::raw(" ".repeat(left + indent(at))));
        line.extend(spans);
        lines.push(Line::from(line));
    }
    lines
}

fn plain(text: &str, time: &str, looks: &Looks<'_>, style: Style) -> Vec<Line<'static>> {
    let columns = looks.columns.saturating_sub(time_columns(looks));
    let text = drawable(text);
    let rows = wrap(&text, columns, columns.saturating_sub(INDENT.len()));
    let mut lines = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        let mut line = vec![time_span(if at == 0 { time } else { "" }, looks)];
        if at > 0 {
            line.push(Span::raw(INDENT));
        }
        line.push(Span::styled(row, style));
        lines.push(Line::from(line));
    }
    lines
}

/// Returns the lengths and styles of the parts of a line, whose text is `shown`. The styles are
/// those of its name, of the rest of its stamp, and of its text.
fn parts(said: &Said, stamp: &str, shown: &str, styles: [Style; 3]) -> [(usize, Style); 4] {
    let [name, rest, text] = styles;
    let id = said.id.as_str().len();
    [
        (1, rest),
        (id, name),
        (stamp.len() + 1 - 1 - id, rest),
        (shown.len(), text),
    ]
}

/// Gives each row the styles of the parts that it consists of.
fn cut(rows: &[String], parts: &[(usize, Style)]) -> Vec<Vec<Span<'static>>> {
    let mut parts = parts.iter().copied();
    let mut part = parts.next();
    let mut lines = Vec::new();
    for row in rows {
        let mut spans = Vec::new();
        let mut rest = row.as_str();
        while let Some((length, style)) = part
            && !rest.is_empty()
        {
            let taken = length.min(rest.len());
            let (head, tail) = rest.split_at(taken);
            if !head.is_empty() {
                spans.push(Span::styled(head.to_owned(), style));
            }
            rest = tail;
            part = match length - taken {
                0 => parts.next(),
                left => Some((left, style)),
            };
        }
        lines.push(spans);
    }
    lines
}

/// Returns `alice, bob and 3 more entered; carol left (lost)`.
fn tell_moves(moves: &[Move]) -> String {
    if let [one] = moves {
        let who = format!("{}@{}", one.id, one.ip);
        return match &one.left {
            None => format!("{who} entered"),
            Some(why) => format!("{who} left ({why})"),
        };
    }
    // Each person's first and last move, which say where they began and ended up.
    let mut people: Vec<(&Move, &Move)> = Vec::new();
    for moved in moves {
        match people.iter_mut().find(|(first, _)| first.id == moved.id) {
            Some((_, last)) => *last = moved,
            None => people.push((moved, moved)),
        }
    }
    let names = |was_here: bool, is_here: bool| -> Vec<&str> {
        let is_so = |(first, last): &&(&Move, &Move)| {
            (first.left.is_some(), last.left.is_none()) == (was_here, is_here)
        };
        let some = people.iter().filter(is_so);
        some.map(|(first, _)| first.id.as_str()).collect()
    };
    let tell =
        |names: &[&str], verb: &str| few(names, NAMES_MAX).map(|few| format!("{few} {verb}"));
    let all = [
        tell(&names(false, true), "entered"),
        tell(&names(true, false), "left"),
        tell(&names(true, true), "left and came back"),
        tell(&names(false, false), "came and went"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enters_and_leaves_are_told_in_one_line() {
        let moved = |id: &str, left: bool| Move {
            seq: 1,
            at: Timestamp::EPOCH,
            id: ClientId::parse(id).expect("a name"),
            ip: "::1".to_owned(),
            left: left.then(|| "lost".to_owned()),
        };
        let (a, b, c) = (moved("a1", false), moved("b1", false), moved("c1", true));
        let tell =
            |moves: &[&Move]| tell_moves(&moves.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(tell(&[&a]), "a1@::1 entered");
        assert_eq!(tell(&[&c]), "c1@::1 left (lost)");
        assert_eq!(tell(&[&a, &b]), "a1 and b1 entered");
        assert_eq!(tell(&[&a, &c, &b, &a]), "a1 and b1 entered; c1 left");
        let (back, gone) = (moved("c1", false), moved("a1", true));
        assert_eq!(tell(&[&a, &gone, &a]), "a1 entered");
        assert_eq!(tell(&[&c, &back]), "c1 left and came back");
        assert_eq!(
            tell(&[&a, &b, &gone, &c]),
            "b1 entered; c1 left; a1 came and went"
        );
        let many: Vec<Move> = (1..=5).map(|n| moved(&format!("p{n}"), false)).collect();
        assert_eq!(tell_moves(&many), "p1, p2, p3 and 2 more entered");
    }
}
