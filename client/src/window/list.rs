//! The list of the people here, at the right of a wide window.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use wire::{Here, Role};

use super::app::App;
use super::items::{STAFF, is_staff};
use super::rows::{fit, width};
use crate::room::Standing;
use crate::words::drawable;

/// Draws the list. Without a connection nobody tells who is here, so all of it is dim.
pub(super) fn draw_list(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let dim = app.colours.dim();
    let here = app.room.people.here();
    let rows = usize::from(area.height);
    let is_known = matches!(app.room.standing, Standing::Connected | Standing::Leaving);
    let head = if is_known {
        format!("│ {} here", here.len())
    } else {
        format!("│ {} were here", here.len())
    };
    let mut lines = vec![Line::styled(head, dim)];
    let shown = if here.len() + 1 > rows {
        rows.saturating_sub(2)
    } else {
        here.len()
    };
    let columns = usize::from(area.width).saturating_sub(2);
    for here in here.iter().take(shown) {
        lines.push(person(app, here, columns, is_known));
    }
    if shown < here.len() {
        lines.push(Line::styled(
            format!("│ and {} more", here.len() - shown),
            dim,
        ));
    }
    lines.resize(rows, Line::styled("│", dim));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Returns the row of a person: the mark of staff, the ID in its colour, and what they are.
fn person(app: &App, here: &Here, columns: usize, is_known: bool) -> Line<'static> {
    let dim = app.colours.dim();
    let is_me = here.id == app.room.welcome.id;
    let role = match here.role {
        Role::Unknown => "other role",
        role => role.as_str(),
    };
    let mark = match (is_me, here.role) {
        (true, _) => format!(" (you, {role})"),
        (false, Role::Student) => String::new(),
        (false, _) => format!(" {role}"),
    };
    let name = fit(here.id.as_str(), columns.saturating_sub(mark.len()));
    let mut style = match is_me {
        true => app.colours.own(),
        false => app.colours.name(app.names.number(&here.id)),
    };
    // Their connection was lost a moment ago.
    if here.sessions == 0 || !is_known {
        style = Style::new().patch(dim);
    }
    let staff = match is_staff(here.role) {
        true => Span::styled(STAFF, if is_known { app.colours.staff() } else { dim }),
        false => Span::raw(" "),
    };
    let full_name = full_name(here, columns.saturating_sub(width(&name) + mark.len()));
    Line::from(vec![
        Span::styled("│", dim),
        staff,
        Span::styled(name, style),
        Span::styled(mark, dim),
        Span::styled(full_name, dim),
    ])
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
