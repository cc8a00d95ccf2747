//! Draws the window from its state, and changes nothing.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use wire::{Here, Role};

use super::app::{App, Mode};
use super::geometry::{PROMPT, input_columns};
use super::help;
use super::layout;
use super::rows::{fit, width};
use super::viewport::Scroll;
use crate::room::{Item, Standing};
use crate::words::drawable;

/// With this many bytes left or fewer, the status line says how many.
const BYTES_LEFT_TOLD: usize = 200;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &App) {
    let (columns, rows) = app.size;
    if frame.area() != Rect::new(0, 0, columns, rows) {
        // The terminal has another size already, and the news of it is on its way.
        return;
    }
    let areas = app.areas();
    draw_timeline(frame, app, areas.timeline);
    if let Some(area) = areas.here {
        draw_here(frame, app, area);
    }
    if let Some(area) = areas.status {
        let (text, style) = status(app, area.width.into());
        frame.render_widget(Paragraph::new(text).style(style), area);
    }
    draw_input(frame, app, areas.input);
    match &app.mode {
        Mode::Help { first } => draw_help(frame, app, *first),
        Mode::Asking(lines) => draw_question(frame, app, lines),
        Mode::Writing | Mode::Finding { .. } => {}
    }
}

fn draw_timeline(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let height = usize::from(area.height);
    let bottom = layout::bottom(&app.room, &app.viewport, &app.looks(), height);
    let mut lines = vec![Line::default(); bottom.empty_rows];
    lines.extend(bottom.items.into_iter().map(|row| row.line));
    lines.extend(bottom.own);
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_here(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let inner = usize::from(area.width).saturating_sub(2);
    let rows = usize::from(area.height);
    let mut lines = vec![Line::styled(
        format!("│ {} here", app.room.people.here().len()),
        app.choices.theme.dim(),
    )];
    let shown = if app.room.people.here().len() + 1 > rows {
        rows.saturating_sub(2)
    } else {
        app.room.people.here().len()
    };
    for here in app.room.people.here().iter().take(shown) {
        let mark = match here.role {
            Role::Student => "",
            Role::Assistant => " assistant",
            Role::Instructor => " instructor",
            Role::Bot => " bot",
            Role::Unknown => " other role",
        };
        let is_me = here.id == app.room.welcome.id;
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
        let full_name = full_name(here, inner.saturating_sub(width(&name) + mark.len()));
        lines.push(Line::from(vec![
            Span::styled("│ ", app.choices.theme.dim()),
            Span::styled(name, style),
            Span::styled(mark, app.choices.theme.dim()),
            Span::styled(full_name, app.choices.theme.dim()),
        ]));
    }
    if shown < app.room.people.here().len() {
        let more = format!("│ and {} more", app.room.people.here().len() - shown);
        lines.push(Line::styled(more, app.choices.theme.dim()));
    }
    lines.resize(rows, Line::styled("│", app.choices.theme.dim()));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Returns the full name, as far as it fits. It always follows the ID and begins with a quotation mark,
/// which no ID has, so it passes for nobody's ID even where colours are missing.
fn full_name(here: &Here, columns: usize) -> String {
    /// Less of a name tells nobody apart.
    const COLUMNS_MIN: usize = 6;
    match &here.name {
        Some(name) if columns >= COLUMNS_MIN => {
            fit(&drawable(&format!(" {}", name.quoted())), columns)
        }
        _ => String::new(),
    }
}

/// Returns the status line. The most important parts come first, because the end may not fit.
fn status(app: &App, columns: usize) -> (String, Style) {
    let theme = app.choices.theme;
    let mut parts = Vec::new();
    let mut style = theme.status();
    match &app.room.standing {
        Standing::Connected => parts.push("connected".to_owned()),
        Standing::Leaving => parts.push("leaving".to_owned()),
        Standing::Lost { why, again_at } => {
            style = theme.alarm();
            let left = again_at
                .saturating_duration_since(app.room.now)
                .as_secs_f32();
            parts.push(format!("reconnecting in {:.0} s", left.ceil()));
            parts.push(why.clone());
        }
        Standing::Ended { why, hint } => {
            style = theme.alarm();
            parts.push(format!("ended, C-c closes: {why}"));
            parts.extend(hint.clone());
        }
    }
    if let Some(waiting) = &app.room.waiting {
        style = theme.alarm();
        parts.push(format!("the server waits: {waiting}"));
    }
    // Nothing takes the place of bad news.
    let bad_news = match &app.room.standing {
        Standing::Lost { .. } | Standing::Ended { .. } => parts.clone(),
        Standing::Connected | Standing::Leaving => Vec::new(),
    };
    if let Mode::Finding { text } = &app.mode {
        parts = vec![format!("find: {text}▏ Enter older, Down newer, Esc ends")];
        parts.extend(bad_news);
    } else if let Some(stamp) = selected_stamp(app) {
        parts = bad_news;
        parts.push(stamp);
    } else if app.viewport.scroll(&app.room.timeline) != Scroll::Newest {
        let unread = match app.room.timeline.unread {
            0 => "looking back".to_owned(),
            1 => "1 new line below".to_owned(),
            unread => format!("{unread} new lines below"),
        };
        parts.insert(0, unread);
    }
    if app.editor.bytes_left() <= BYTES_LEFT_TOLD {
        parts.insert(0, format!("{} bytes left", app.editor.bytes_left()));
    }
    if app.facts.expiry.is_near() {
        parts.push(format!("certificate: {} left", app.facts.expiry.left()));
    }
    let facts = &app.facts;
    parts.push(format!("\"{}\" at {}", app.room.welcome.room, facts.server));
    if !app.room.has_ended() {
        parts.push(format!("{} here", app.room.people.here().len()));
    }
    if let Some(took) = app.room.round_trip {
        parts.push(format!("{} ms", took.as_millis()));
    }
    parts.push(facts.tls.clone());
    let text = drawable(&format!(" {}", parts.join(" · ")));
    (fit(&text, columns), style)
}

/// Returns the full stamp of the selected line.
fn selected_stamp(app: &App) -> Option<String> {
    let number = app.viewport.selected?;
    let Item::Said(said) = app.room.timeline.item(number)? else {
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
        let text = drawable(&format!("search \"{}\": {found}", search.query));
        let text = fit(&text, area.width.into());
        let column = u16::try_from(width(&text)).unwrap_or(0);
        frame.render_widget(Paragraph::new(text), area);
        let column = column.min(area.width - 1);
        return frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
    let written = app.editor.drawn(input_columns(area.width));
    let (row, column) = written.cursor;
    let height = usize::from(area.height);
    // As many rows as fit, the row of the cursor among them.
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

fn draw_help(frame: &mut Frame<'_>, app: &App, first: usize) {
    let (rows, page) = help::rows(app.size);
    // The terminal may have grown since.
    let first = first.min(rows.saturating_sub(page));
    let all = help::lines(help::columns(app.size));
    // The box is as wide as the widest row, visible or not.
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
        .map(|line| drawable(line))
        .collect();
    if lines.len() > LINES_SHOWN {
        text.push(format!("and {} more", lines.len() - LINES_SHOWN));
    }
    let title = format!(" send these {} lines? Enter yes, Esc no ", lines.len());
    draw_box(frame, app, &title, &text);
}

/// Draws a box in the middle, as large as its text if there is room.
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
