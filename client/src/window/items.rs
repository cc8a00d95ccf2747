//! Each item of the timeline as rows of a screen.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use wire::{ClientId, Here, Role, Timestamp};

use super::names::Names;
use super::rows::{fit, width, wrap};
use super::theme::Colours;
use super::viewport::Viewport;
use crate::room::{Item, Move, NoteKind, OwnLine, People, Said, Timeline, mentioned, places};
use crate::words::{Clock, drawable, few, unknown};

/// The column of times: `19:00 `. Its last place is for the mark of staff.
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

/// Stands before the names of instructors and assistants. No text of anybody can stand there.
pub(super) const STAFF: &str = "»";

/// The widest ID in the answer to `/who`; longer ones are cut there, and whole in the list.
const ID_COLUMNS_MAX: usize = 24;

/// The widest full name there, with its quotes and the blanks before it.
const NAME_COLUMNS_MAX: usize = 26;

/// Everything besides an item that decides how it becomes rows.
#[derive(Debug)]
pub(crate) struct Looks<'a> {
    pub(crate) columns: usize,
    pub(crate) me: &'a ClientId,
    pub(crate) colours: Colours,
    pub(crate) names: &'a Names,
    pub(crate) people: &'a People,
    /// Whether stamps leave out addresses.
    pub(crate) is_short: bool,
    pub(crate) clock: &'a Clock,
    /// The words that are searched for.
    pub(crate) sought: Option<&'a str>,
}

/// A row, and the number of its item.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) item: i64,
    pub(crate) line: Line<'static>,
    /// Whether its first span is the column of times.
    pub(crate) has_time_column: bool,
}

/// Returns an item as rows; none if there is no such item.
pub(super) fn rows_of(
    timeline: &Timeline,
    view: &Viewport,
    number: i64,
    looks: &Looks<'_>,
) -> Vec<Row> {
    let Some(item) = timeline.item(number) else {
        return Vec::new();
    };
    let before = before(timeline, number);
    let mut rules = Vec::new();
    let at = item.at().map(|at| looks.clock.show(at));
    let at_before = before.and_then(Item::at).map(|at| looks.clock.show(at));
    if let Some(at) = &at
        && at_before.as_deref().and_then(day) != day(at)
    {
        rules.push(rule(
            day(at).unwrap_or_default(),
            looks,
            looks.colours.dim(),
        ));
    }
    if let Some(new_from) = timeline.new_from
        && item.begins(new_from, before.and_then(Item::last_seq))
    {
        rules.push(rule("new", looks, looks.colours.notice()));
    }
    let is_new_minute = at_before.as_deref().and_then(minute) != at.as_deref().and_then(minute);
    let time = at
        .as_deref()
        .filter(|_| is_new_minute)
        .and_then(time)
        .unwrap_or_default();
    let is_selected = view.selected == Some(number);
    let colours = looks.colours;
    let lines = match item {
        Item::Said(said) => line_of(said, time, is_selected, looks),
        Item::Moved(moves) => {
            let text = format!("* {}", tell_moves(moves, looks.is_short));
            plain(&text, time, looks, colours.dim())
        }
        Item::Other(other) => plain(&unknown(&other.text), time, looks, colours.dim()),
        Item::Note(note) => match note.kind {
            NoteKind::Notice => plain(&format!("· {}", note.text), "", looks, colours.notice()),
            NoteKind::Answer => plain(&format!("· {}", note.text), "", looks, Style::new()),
            NoteKind::Failure => plain(&format!("! {}", note.text), "", looks, colours.failure()),
        },
        Item::People(people) => list(people, looks),
    };
    let row = |has_time_column| {
        move |line| Row {
            item: number,
            line,
            has_time_column,
        }
    };
    let rules = rules.into_iter().map(row(false));
    rules.chain(lines.into_iter().map(row(true))).collect()
}

/// Returns the rows of a line of our own that is not in the transcript yet.
pub(super) fn own_line(own: &OwnLine, ip: &str, looks: &Looks<'_>) -> Vec<Line<'static>> {
    let said = Said {
        seq: 0,
        at: Timestamp::EPOCH,
        id: looks.me.clone(),
        ip: ip.to_owned(),
        text: own.line.as_str().to_owned(),
        is_pasted: own.is_pasted,
    };
    let rows = line_of(&said, "", false, looks);
    if own.is_stored() {
        return rows;
    }
    let dim = looks.colours.dim();
    let dimmed = |row: Line<'static>| {
        let spans = row.spans.into_iter();
        spans.map(|span| span.patch_style(dim)).collect()
    };
    rows.into_iter().map(dimmed).collect()
}

/// Returns the rows of a line that somebody said: our own on the right, unless its blanks mean
/// something, and all others on the left.
fn line_of(said: &Said, time: &str, is_selected: bool, looks: &Looks<'_>) -> Vec<Line<'static>> {
    let is_own = said.id == *looks.me;
    let is_right = is_own && !said.is_pasted && !said.text.starts_with([' ', '\t']);
    let colours = looks.colours;
    let stamp = stamp(&said.id, &said.ip, looks.is_short);
    let shown = drawable(&said.text);
    let line = format!("{stamp} {shown}");
    let text = stamp.len() + 1;

    let name = 1..1 + said.id.as_str().len();
    let mut styles = Vec::new();
    if is_own {
        styles.push((0..line.len(), colours.own()));
    } else {
        styles.push((0..line.len(), colours.others()));
        styles.push((name, name_style(&said.id, looks)));
        let named = mentioned(&shown, looks.me).into_iter();
        styles.extend(named.map(|at| (at.start + text..at.end + text, colours.mention())));
    }
    if is_selected {
        styles.push((0..stamp.len(), colours.selected()));
    }
    if let Some(sought) = looks.sought {
        let found = places(&shown, sought).into_iter();
        styles.extend(found.map(|at| (at.start + text..at.end + text, colours.found())));
        let found = places(said.id.as_str(), sought).into_iter();
        styles.extend(found.map(|at| (at.start + 1..at.end + 1, colours.found())));
    }

    let columns = looks.columns.saturating_sub(time_columns(looks));
    // A margin on the left shows that even a long line is our own.
    let block = match columns {
        COLUMNS_WITH_MARGIN_MIN.. if is_right => columns - columns / 5,
        _ => columns,
    };
    let rows = wrap(&line, text, block, block.saturating_sub(INDENT.len()));
    let indent = |at: usize| if at == 0 { 0 } else { INDENT.len() };
    let widest = rows
        .iter()
        .enumerate()
        .map(|(at, row)| width(row.trim_end()) + indent(at))
        .max()
        .unwrap_or(0);
    let left = if is_right {
        columns.saturating_sub(widest)
    } else {
        0
    };
    let is_staff = is_staff(looks.people.role(&said.id));
    let mut lines = Vec::new();
    for (at, spans) in paint(&rows, &styles).into_iter().enumerate() {
        let mut line = vec![time_span(if at == 0 { time } else { "" }, looks)];
        let before = left + indent(at);
        if at == 0 && is_staff && before > 0 {
            line.push(Span::raw(" ".repeat(before - 1)));
            line.push(Span::styled(STAFF, colours.staff()));
        } else {
            line.push(Span::raw(" ".repeat(before)));
        }
        line.extend(spans);
        lines.push(Line::from(line));
    }
    if is_staff
        && left == 0
        && let Some(first) = lines.first_mut()
        && time_columns(looks) > 0
    {
        mark(first, looks);
    }
    lines
}

/// Puts the mark of staff into the last place of the column of times.
fn mark(line: &mut Line<'static>, looks: &Looks<'_>) {
    if let Some(time) = line.spans.first_mut() {
        let shortened = time
            .content
            .chars()
            .take(TIME_COLUMNS - 1)
            .collect::<String>();
        *time = Span::styled(shortened, time.style);
        line.spans
            .insert(1, Span::styled(STAFF, looks.colours.staff()));
    }
}

pub(super) fn is_staff(role: Role) -> bool {
    matches!(role, Role::Instructor | Role::Assistant)
}

/// Returns how a name looks in a stamp.
fn name_style(id: &ClientId, looks: &Looks<'_>) -> Style {
    Style::new()
        .bold()
        .patch(looks.colours.name(looks.names.number(id)))
}

/// Returns the answer to `/who`: one row a person, in columns.
fn list(people: &[Here], looks: &Looks<'_>) -> Vec<Line<'static>> {
    let columns = looks.columns.saturating_sub(time_columns(looks));
    let head = match people.len() {
        1 => "· 1 person is here".to_owned(),
        count => format!("· {count} people are here"),
    };
    let widest = |text: &dyn Fn(&Here) -> usize, most: usize| {
        people.iter().map(text).max().unwrap_or(0).min(most)
    };
    let ids = widest(&|here| width(here.id.as_str()), ID_COLUMNS_MAX);
    let quoted = |here: &Here| match &here.name {
        Some(name) => drawable(&format!("  {}", name.quoted())),
        None => String::new(),
    };
    let names = widest(&|here| width(&quoted(here)), NAME_COLUMNS_MAX);
    let roles = widest(&|here| here.role.as_str().len(), usize::MAX);
    let row = |here: &Here| {
        let id = fit(here.id.as_str(), ids);
        let pad = " ".repeat(ids - width(&id));
        let since = looks.clock.show(here.since);
        let since = minute(&since).unwrap_or_default();
        let name = fit(&quoted(here), names);
        let after_name = " ".repeat(names - width(&name));
        let mut rest = format!(
            "{name}{after_name}  {:roles$}  since {since}  {}",
            here.role.as_str(),
            here.ip
        );
        rest.push_str(&match here.sessions {
            0 => "  connection lost a moment ago".to_owned(),
            1 => String::new(),
            more => format!("  {more} sessions"),
        });
        let left = columns.saturating_sub(INDENT.len() + ids);
        Line::from(vec![
            time_span("", looks),
            Span::raw(INDENT),
            Span::styled(id, looks.colours.name(looks.names.number(&here.id))),
            Span::raw(pad),
            Span::raw(fit(&rest, left)),
        ])
    };
    let head = Line::from(vec![time_span("", looks), Span::raw(fit(&head, columns))]);
    std::iter::once(head)
        .chain(people.iter().map(row))
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
    Span::styled(format!("{time:columns$}"), looks.colours.dim())
}

/// Puts a time into a row's column of times.
pub(super) fn put_time(row: &mut Row, at: Timestamp, looks: &Looks<'_>) {
    if let Some(span) = row.line.spans.first_mut() {
        let columns = span.content.len();
        let at = looks.clock.show(at);
        let time = time(&at).filter(|time| time.len() <= columns);
        let time = time.unwrap_or_default();
        span.content = format!("{time:columns$}").into();
    }
}

fn plain(text: &str, time: &str, looks: &Looks<'_>, style: Style) -> Vec<Line<'static>> {
    let columns = looks.columns.saturating_sub(time_columns(looks));
    let text = drawable(text);
    // Its mark and the blank after it.
    let kept = text.chars().take(2).map(char::len_utf8).sum();
    let rows = wrap(&text, kept, columns, columns.saturating_sub(INDENT.len()));
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

/// Gives each row the styles of the parts of its text; a later style is laid over an earlier one.
fn paint(rows: &[String], styles: &[(Range<usize>, Style)]) -> Vec<Vec<Span<'static>>> {
    let mut edges: Vec<usize> = styles
        .iter()
        .flat_map(|(at, _)| [at.start, at.end])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut lines = Vec::new();
    let mut start = 0;
    for row in rows {
        let end = start + row.len();
        let inner = edges
            .iter()
            .copied()
            .filter(|edge| *edge > start && *edge < end);
        let mut spans = Vec::new();
        let mut from = start;
        for to in inner.chain([end]) {
            let style = styles
                .iter()
                .filter(|(at, _)| at.start <= from && at.end >= to)
                .fold(Style::new(), |all, (_, style)| all.patch(*style));
            if from < to {
                spans.push(Span::styled(
                    row[from - start..to - start].to_owned(),
                    style,
                ));
            }
            from = to;
        }
        lines.push(spans);
        start = end;
    }
    lines
}

/// Returns `alice, bob and 3 more entered; carol left (lost)`.
fn tell_moves(moves: &[Move], is_short: bool) -> String {
    if let [one] = moves {
        let who = if is_short {
            one.id.to_string()
        } else {
            format!("{}@{}", one.id, one.ip)
        };
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
        let tell = |moves: &[&Move]| {
            tell_moves(&moves.iter().copied().cloned().collect::<Vec<_>>(), false)
        };
        assert_eq!(tell(&[&a]), "a1@::1 entered");
        assert_eq!(tell(&[&c]), "c1@::1 left (lost)");
        assert_eq!(tell_moves(std::slice::from_ref(&a), true), "a1 entered");
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
        assert_eq!(tell_moves(&many, false), "p1, p2, p3 and 2 more entered");
    }
}
