//! Draws the window from its state, and changes nothing.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::app::{App, Mode};
use super::bar;
use super::boxes::{draw_doubt, draw_help, draw_question};
use super::geometry::{PROMPT, input_columns};
use super::layout;
use super::list::draw_list;
use super::rows::{fit, width};
use crate::words::drawable;

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
        draw_list(frame, app, area);
    }
    if let Some(area) = areas.status {
        let (text, style) = bar::status(app, area.width.into());
        frame.render_widget(Paragraph::new(text).style(style), area);
    }
    if let Some(cursor) = draw_input(frame, app, areas.input)
        && app.mode == Mode::Writing
    {
        frame.set_cursor_position(cursor);
    }
    // The cursor is where the next key goes, and nowhere while a box waits for one.
    if let Some(area) = areas.status
        && let Some(column) = bar::cursor(app, area.width.into())
    {
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position::new(area.x + column.min(area.width - 1), area.y));
    }
    match &app.mode {
        Mode::Help { first } => draw_help(frame, *first, areas.help()),
        Mode::Asking(lines) => draw_question(frame, app, lines),
        Mode::Doubting(doubt) => draw_doubt(frame, app, doubt),
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

/// Draws the line that is being written. Returns the place of its cursor.
fn draw_input(frame: &mut Frame<'_>, app: &App, area: Rect) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    if let Some(search) = app.editor.searching() {
        let found = search.found.unwrap_or_default();
        let text = drawable(&format!("search \"{}\": {found}", search.query));
        let text = fit(&text, area.width.into());
        let column = u16::try_from(width(&text)).unwrap_or(0);
        frame.render_widget(Paragraph::new(text), area);
        let column = column.min(area.width - 1);
        return Some(Position::new(area.x + column, area.y));
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
                Span::styled(prompt, app.colours.dim()),
                Span::raw(text.clone()),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
    let place = |offset: usize, from: u16, length: u16| {
        let offset = u16::try_from(offset).unwrap_or(u16::MAX);
        from + offset.min(length - 1)
    };
    Some(Position::new(
        place(column + PROMPT.len(), area.x, area.width),
        place(row - first, area.y, area.height),
    ))
}
