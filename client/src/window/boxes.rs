//! The boxes in the middle of the window: the help and the questions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::App;
use super::help;
use super::rows::{fit, width, wrap};
use crate::room::meaning::{Doubt, SAY_IT};
use crate::words::drawable;

/// Lines of a paste that are shown before it is sent.
const LINES_SHOWN: usize = 8;

/// Draws the list of commands and keys, from row `first` on. It fills its place: beside a narrower
/// box, pieces of the room could be read as part of it.
pub(super) fn draw_help(frame: &mut Frame<'_>, first: usize, area: Rect) {
    let (rows, page) = help::rows(area);
    // The terminal may have grown since.
    let first = first.min(rows.saturating_sub(page));
    let lines: Vec<String> = help::lines(help::columns(area.width))
        .into_iter()
        .skip(first)
        .take(page)
        .collect();
    let title = if rows > page {
        " help: Esc closes it, PgDn goes on "
    } else {
        " help: Esc closes it "
    };
    draw_in(frame, area, title, &lines);
}

/// Asks whether to say the lines of a paste.
pub(super) fn draw_question(frame: &mut Frame<'_>, app: &App, lines: &[String]) {
    let mut text: Vec<String> = lines
        .iter()
        .take(LINES_SHOWN)
        .map(|line| drawable(line))
        .collect();
    if lines.len() > LINES_SHOWN {
        text.push(format!("and {} more", lines.len() - LINES_SHOWN));
    }
    let said = lines.iter().filter(|line| !wire::is_blank(line)).count();
    if said < lines.len() {
        text.push("(blank lines are left out, because the room has none)".to_owned());
    }
    let lines = match said {
        1 => "this line".to_owned(),
        said => format!("these {said} lines"),
    };
    let title = format!(" say {lines} to everybody? Enter yes, Esc no ");
    draw_box(frame, app, &title, &text);
}

/// Asks whether to say a line that may have been meant as a command.
pub(super) fn draw_doubt(frame: &mut Frame<'_>, app: &App, doubt: &Doubt) {
    let title = format!(" {SAY_IT} Enter yes, Esc no ");
    let columns = help::columns(app.size.0);
    let line = fit(&drawable(doubt.line.as_str()), columns);
    let why = wrap(&drawable(&doubt.why), 0, columns, columns);
    let text: Vec<String> = [line, String::new()].into_iter().chain(why).collect();
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
    draw_in(frame, area, title, lines);
}

fn draw_in(frame: &mut Frame<'_>, area: Rect, title: &str, lines: &[String]) {
    let inner = usize::from(area.width).saturating_sub(4);
    let text: Vec<Line<'_>> = lines
        .iter()
        .map(|line| Line::raw(format!(" {}", fit(line, inner))))
        .collect();
    let title = fit(title, usize::from(area.width).saturating_sub(2));
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
