//! Draws the window from what it knows, and changes nothing.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use wire::{COMMANDS, Role};

use super::app::{App, Connection, Mode, days};
use super::layout::{self, Row};
use super::rows::{fit, width, wrap};
use crate::room::timeline::{Item, Look};

/// The columns of the list of who is here, its border included.
const HERE_COLUMNS: u16 = 24;

/// Narrower terminals have no list.
const COLUMNS_WITH_HERE_MIN: u16 = 80;

/// Rows that the input may take.
const INPUT_ROWS_MAX: usize = 5;

/// Stands before what is written.
const PROMPT: &str = "> ";

/// From so few bytes on, one is told how many are left.
const BYTES_LEFT_TOLD: usize = 200;

/// From when on one is reminded of the end of one's certificate, in days.
const EXPIRY_DAYS: u64 = 14;

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Places {
    timeline: Rect,
    here: Option<Rect>,
    status: Option<Rect>,
    input: Rect,
}

/// The columns of the timeline.
pub(crate) fn timeline_columns(app: &App) -> usize {
    places(app).timeline.width.into()
}

/// The rows of the timeline.
pub(crate) fn timeline_rows(app: &App) -> usize {
    places(app).timeline.height.into()
}

/// The item that is drawn there.
pub(crate) fn item_at(app: &App, column: u16, row: u16) -> Option<i64> {
    let area = places(app).timeline;
    if !area.contains(Position::new(column, row)) {
        return None;
    }
    let (items, pending) = timeline(app, area.height.into());
    let first = usize::from(area.height) - items.len() - pending.len();
    let index = usize::from(row - area.y).checked_sub(first)?;
    items.get(index).map(|row| row.item)
}

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &App) {
    let (columns, rows) = app.size;
    if frame.area() != Rect::new(0, 0, columns, rows) {
        // The terminal has another size already; we are about to be told.
        return;
    }
    let places = places(app);
    draw_timeline(frame, app, places.timeline);
    if let Some(area) = places.here {
        draw_here(frame, app, area);
    }
    if let Some(area) = places.status {
        let (text, style) = status(app, area.width.into());
        frame.render_widget(Paragraph::new(text).style(style), area);
    }
    draw_input(frame, app, places.input);
    match &app.mode {
        Mode::Help { first } => draw_help(frame, app, *first),
        Mode::Asking(lines) => draw_question(frame, app, lines),
        Mode::Writing | Mode::Finding { .. } => {}
    }
}

fn places(app: &App) -> Places {
    let (columns, rows) = app.size;
    let input_rows = app
        .editor
        .rows(input_columns(columns))
        .rows
        .len()
        .min(INPUT_ROWS_MAX)
        .min(usize::from(rows / 3).max(1));
    let input_rows = u16::try_from(input_rows).unwrap_or(1).min(rows);
    let status_rows = u16::from(rows > input_rows);
    let timeline_rows = rows - input_rows - status_rows;
    let here_columns = if app.shows_here && columns >= COLUMNS_WITH_HERE_MIN {
        HERE_COLUMNS
    } else {
        0
    };
    Places {
        // A column between what one says and the list.
        timeline: Rect::new(
            0,
            0,
            columns - here_columns - u16::from(here_columns > 0),
            timeline_rows,
        ),
        here: (here_columns > 0 && timeline_rows > 0)
            .then(|| Rect::new(columns - here_columns, 0, here_columns, timeline_rows)),
        status: (status_rows > 0).then(|| Rect::new(0, timeline_rows, columns, 1)),
        input: Rect::new(0, rows - input_rows, columns, input_rows),
    }
}

fn input_columns(columns: u16) -> usize {
    usize::from(columns).saturating_sub(PROMPT.len() + 1).max(1)
}

/// The rows that are looked at, and below them those of one's own lines that still wait.
fn timeline(app: &App, height: usize) -> (Vec<Row>, Vec<Line<'static>>) {
    let looks = app.looks();
    let mut pending = Vec::new();
    if app.timeline.look == Look::Newest {
        let ip = app.facts.welcome.ip.to_string();
        // Only as many as can be seen, the newest ones.
        for line in app.pending.iter().rev() {
            if pending.len() >= height {
                break;
            }
            let rows = layout::pending(&line.text, &ip, line.seq.is_some(), &looks);
            pending.extend(rows.into_iter().rev());
        }
        pending.truncate(height);
        pending.reverse();
    }
    let items = layout::screen(&app.timeline, &looks, height - pending.len());
    (items, pending)
}

fn draw_timeline(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let height = usize::from(area.height);
    let (items, pending) = timeline(app, height);
    let mut lines = vec![Line::default(); height - items.len() - pending.len()];
    lines.extend(items.into_iter().map(|row| row.line));
    lines.extend(pending);
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_here(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let inner = usize::from(area.width).saturating_sub(2);
    let rows = usize::from(area.height);
    let mut lines = vec![Line::styled(
        format!("│ {} here", app.here.len()),
        app.choices.theme.dim(),
    )];
    let shown = if app.here.len() + 1 > rows {
        rows.saturating_sub(2)
    } else {
        app.here.len()
    };
    for here in app.here.iter().take(shown) {
        let mark = match here.role {
            Role::Student => "",
            Role::Assistant => " assistant",
            Role::Instructor => " instructor",
            Role::Bot => " bot",
        };
        let is_me = here.id == app.facts.welcome.id;
        let mark = if is_me { " (you)" } else { mark };
        let name = fit(here.id.as_str(), inner.saturating_sub(mark.len()));
        let style = if is_me {
            app.choices.theme.own()
        } else {
            app.choices.theme.name(&here.id)
        };
        let mut style = style;
        if here.sessions == 0 {
            style = style.patch(app.choices.theme.dim());
        }
        lines.push(Line::from(vec![
            Span::styled("│ ", app.choices.theme.dim()),
            Span::styled(name, style),
            Span::styled(mark, app.choices.theme.dim()),
        ]));
    }
    if shown < app.here.len() {
        let more = format!("│ and {} more", app.here.len() - shown);
        lines.push(Line::styled(more, app.choices.theme.dim()));
    }
    lines.resize(rows, Line::styled("│", app.choices.theme.dim()));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The status line: what matters most comes first, because the end may not fit.
fn status(app: &App, columns: usize) -> (String, Style) {
    let theme = app.choices.theme;
    let mut parts = Vec::new();
    let mut style = theme.status();
    match &app.connection {
        Connection::Connected => parts.push("connected".to_owned()),
        Connection::Leaving => parts.push("leaving".to_owned()),
        Connection::Lost { why, again_at } => {
            style = theme.alarm();
            let left = again_at.saturating_duration_since(app.now).as_secs_f32();
            parts.push(format!("reconnecting in {:.0} s", left.ceil()));
            parts.push(why.clone());
        }
        Connection::Ended { why, hint } => {
            style = theme.alarm();
            parts.push(format!("ended, C-c closes: {why}"));
            parts.extend(hint.clone());
        }
    }
    if let Some(waiting) = &app.waiting {
        style = theme.alarm();
        parts.push(format!("the server waits: {waiting}"));
    }
    if let Mode::Finding { text } = &app.mode {
        parts = vec![format!("find: {text}▏ Enter older, Down newer, Esc ends")];
    } else if let Some(stamp) = selected_stamp(app) {
        parts = vec![stamp];
    } else if app.timeline.look != Look::Newest {
        let unread = match app.timeline.unread {
            0 => "looking back".to_owned(),
            1 => "1 new line below".to_owned(),
            unread => format!("{unread} new lines below"),
        };
        parts.insert(0, unread);
    }
    if app.editor.bytes_left() <= BYTES_LEFT_TOLD {
        parts.insert(0, format!("{} bytes left", app.editor.bytes_left()));
    }
    if app.facts.days_left < EXPIRY_DAYS {
        parts.push(format!("certificate: {} left", days(app.facts.days_left)));
    }
    let facts = &app.facts;
    parts.push(format!("\"{}\" at {}", facts.welcome.room, facts.server));
    parts.push(format!("{} here", app.here.len()));
    if let Some(took) = app.round_trip {
        parts.push(format!("{} ms", took.as_millis()));
    }
    parts.push(facts.tls.clone());
    let text = super::rows::shown(&format!(" {}", parts.join(" · ")));
    (fit(&text, columns), style)
}

/// All that a short stamp leaves out.
fn selected_stamp(app: &App) -> Option<String> {
    let number = app.timeline.selected?;
    let Item::Said(said) = app.timeline.item(number)? else {
        return None;
    };
    let at = app.choices.clock.show(said.at);
    let stamp = layout::stamp(&said.id, &said.ip, false);
    Some(format!("{} {at} {stamp}", said.seq))
}

fn draw_input(frame: &mut Frame<'_>, app: &App, area: Rect) {
    if area.is_empty() {
        return;
    }
    if let Some(search) = app.editor.searching() {
        let found = search.found.unwrap_or_default();
        let text = super::rows::shown(&format!("search \"{}\": {found}", search.query));
        let text = fit(&text, area.width.into());
        let column = u16::try_from(width(&text)).unwrap_or(0);
        frame.render_widget(Paragraph::new(text), area);
        let column = column.min(area.width - 1);
        return frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
    let written = app.editor.rows(input_columns(area.width));
    let (row, column) = written.cursor;
    let height = usize::from(area.height);
    // As many rows as there are, the cursor's among them.
    let first = (row + 1).saturating_sub(height);
    let lines: Vec<Line<'_>> = written
        .rows
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(at, text)| {
            let prompt = if at == 0 { PROMPT } else { "  " };
            Line::from(vec![
                Span::styled(prompt, app.choices.theme.dim()),
                Span::raw(text.clone()),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
    let place = |offset: usize, from: u16, length: u16| {
        let offset = u16::try_from(offset).unwrap_or(u16::MAX);
        from + offset.min(length - 1)
    };
    frame.set_cursor_position(Position::new(
        place(column + PROMPT.len(), area.x, area.width),
        place(row - first, area.y, area.height),
    ));
}

/// The keys, for the overlay and nowhere else.
const KEYS: [(&str, &str); 12] = [
    ("Enter", "say what is written"),
    ("Tab", "complete a name or a command"),
    ("Up, Down, C-r", "what was written before; search it"),
    ("PgUp, PgDn, wheel", "look back, and forth again"),
    ("Home, End", "to the oldest loaded, to the newest"),
    ("M-Up, M-Down, click", "select a line: its full stamp"),
    ("C-f", "find"),
    (
        "C-a C-e C-k C-u C-w C-y",
        "edit as in a shell; M-b, M-f go by words",
    ),
    ("F8", "who is here, or not"),
    ("F9", "addresses in stamps, or not"),
    ("C-z", "stop for a while"),
    ("C-c, C-d, /quit", "leave"),
];

/// The commands, from the table that the server and the documents use, and the keys.
fn help() -> impl Iterator<Item = (String, &'static str)> {
    // What programs say is no use to a person here.
    let commands = COMMANDS
        .iter()
        .filter(|command| !command.what.starts_with("for programs"))
        .map(|command| {
            let usage = format!("{} {}", command.name, command.arguments);
            (usage.trim_end().to_owned(), command.what)
        });
    let slash = ("//text".to_owned(), "say a text that begins with a slash");
    let nothing = (String::new(), "");
    let keys = KEYS.map(|(key, what)| (key.to_owned(), what));
    commands.chain([slash, nothing]).chain(keys)
}

/// The same as rows of at most so many columns: in two columns where there is room for them.
fn help_lines(columns: usize) -> Vec<String> {
    const FIRST_COLUMNS: usize = 27;
    const BOTH_COLUMNS_MIN: usize = 60;
    let mut lines = Vec::new();
    for (key, what) in help() {
        let (indent, mut first) = if columns < BOTH_COLUMNS_MIN {
            lines.push(fit(&key, columns));
            (2, String::new())
        } else {
            (FIRST_COLUMNS, key)
        };
        let room = columns.saturating_sub(indent);
        for row in wrap(what, room, room) {
            let row = row.trim_end();
            if !row.is_empty() || !first.is_empty() || indent == FIRST_COLUMNS {
                lines.push(format!("{first:indent$}{row}").trim_end().to_owned());
            }
            first.clear();
        }
    }
    lines
}

/// The columns of text in the box.
fn help_columns(app: &App) -> usize {
    const COLUMNS_MAX: usize = 100;
    usize::from(app.size.0).saturating_sub(4).min(COLUMNS_MAX)
}

/// How many rows the help has, and how many of them are seen at once.
pub(crate) fn help_rows(app: &App) -> (usize, usize) {
    let page = usize::from(app.size.1).saturating_sub(2).max(1);
    (help_lines(help_columns(app)).len(), page)
}

fn draw_help(frame: &mut Frame<'_>, app: &App, first: usize) {
    let (rows, page) = help_rows(app);
    // The terminal may have grown since.
    let first = first.min(rows.saturating_sub(page));
    let all = help_lines(help_columns(app));
    // The box is as wide as the widest of them, whichever are seen.
    let widest = all.iter().map(|line| width(line)).max().unwrap_or(0);
    let lines: Vec<String> = all
        .into_iter()
        .skip(first)
        .take(page)
        .map(|line| format!("{line:widest$}"))
        .collect();
    let title = if rows > page {
        " help: PgDn goes on, Enter ends "
    } else {
        " help: any key closes it "
    };
    draw_box(frame, app, title, &lines);
}

fn draw_question(frame: &mut Frame<'_>, app: &App, lines: &[String]) {
    const LINES_SHOWN: usize = 8;
    let mut text: Vec<String> = lines
        .iter()
        .take(LINES_SHOWN)
        .map(|line| super::rows::shown(line))
        .collect();
    if lines.len() > LINES_SHOWN {
        text.push(format!("and {} more", lines.len() - LINES_SHOWN));
    }
    let title = format!(" send these {} lines? Enter yes, Esc no ", lines.len());
    draw_box(frame, app, &title, &text);
}

/// A box in the middle, as large as its text where there is room.
fn draw_box(frame: &mut Frame<'_>, app: &App, title: &str, lines: &[String]) {
    let (columns, rows) = app.size;
    let widest = lines
        .iter()
        .map(|line| width(line))
        .chain([width(title)])
        .max()
        .unwrap_or(0);
    let box_columns = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(columns);
    let box_rows = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(rows);
    let area = Rect::new(
        (columns - box_columns) / 2,
        (rows - box_rows) / 2,
        box_columns,
        box_rows,
    );
    let inner = usize::from(box_columns).saturating_sub(4);
    let text: Vec<Line<'_>> = lines
        .iter()
        .map(|line| Line::raw(format!(" {}", fit(line, inner))))
        .collect();
    let title = fit(title, usize::from(box_columns).saturating_sub(2));
    frame.render_widget(Clear, area);
    // Half of a wide character would take the place of the box's edge.
    if let Some(beside) = area.x.checked_sub(1) {
        let buffer = frame.buffer_mut();
        for y in area.top()..area.bottom() {
            let cell = &mut buffer[(beside, y)];
            if width(cell.symbol()) > 1 {
                cell.set_symbol(" ");
            }
        }
    }
    frame.render_widget(
        Paragraph::new(text).block(Block::bordered().title(title)),
        area,
    );
}
