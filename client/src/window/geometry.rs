//! The division of a screen of any size.

use ratatui::layout::Rect;

use super::editor::Editor;

/// The columns of the list of people, its border included.
const HERE_COLUMNS: u16 = 28;

/// Narrower terminals have no list, only a count in the status line, and no addresses in stamps unless
/// the person wants them.
pub(super) const COLUMNS_WITH_HERE_MIN: u16 = 100;

/// Rows that the input may take.
const INPUT_ROWS_MAX: usize = 5;

/// Stands before the line that is being written.
pub(super) const PROMPT: &str = "> ";

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(super) timeline: Rect,
    pub(super) here: Option<Rect>,
    pub(super) status: Option<Rect>,
    pub(super) input: Rect,
}

impl Areas {
    /// Returns the place of the list of commands and keys: everything above the status line, or
    /// everything if that is little.
    pub(super) fn help(&self) -> Rect {
        const ROWS_MIN: u16 = 8;
        let rows = match self.timeline.height {
            few if few < ROWS_MIN => self.input.bottom(),
            enough => enough,
        };
        Rect::new(0, 0, self.input.width, rows)
    }
}

/// Divides a screen of `size` columns and rows.
pub(super) fn areas(size: (u16, u16), shows_here: bool, editor: &Editor) -> Areas {
    let (columns, rows) = size;
    let input_rows = editor
        .drawn(input_columns(columns))
        .rows
        .len()
        .min(INPUT_ROWS_MAX)
        .min(usize::from(rows / 3).max(1));
    let input_rows = u16::try_from(input_rows).unwrap_or(1).min(rows);
    let status_rows = u16::from(rows > input_rows);
    let timeline_rows = rows - input_rows - status_rows;
    let here_columns = if shows_here && columns >= COLUMNS_WITH_HERE_MIN {
        HERE_COLUMNS
    } else {
        0
    };
    Areas {
        // One column stays free between our own lines and the list.
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

/// Returns the columns that are left for the line that is being written.
pub(super) fn input_columns(columns: u16) -> usize {
    usize::from(columns).saturating_sub(PROMPT.len() + 1).max(1)
}
