//! The rows of a roster, whichever kind of file they came from.

/// The rows that have text, in order.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) rows: Vec<Row>,
    /// What was assumed while reading the file, to be told.
    pub(super) notes: Vec<String>,
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    /// Its line in the file, or its row in the spreadsheet, from 1.
    pub(super) number: u64,
    /// Its cells, without the space around them.
    pub(super) cells: Vec<String>,
}

/// A roster, in cells: 100,000 people with 40 columns.
pub(super) const CELLS_MAX: usize = 4_000_000;

impl Row {
    /// Makes a row, or `None` if no cell has text.
    pub(super) fn new(number: u64, cells: Vec<String>) -> Option<Self> {
        let has_text = cells.iter().any(|cell| !cell.is_empty());
        has_text.then_some(Self { number, cells })
    }

    /// Returns the text of a cell, which is empty beyond the end of the row.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// Returns the text of a cell without the space around it. `="00123"` is how some programs keep a
/// spreadsheet from dropping the zeros; the text is `00123`.
pub(super) fn cell_text(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let inner = text.strip_prefix("=\"").and_then(|t| t.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('"') => inner.trim(),
        _ => text,
    }
}
