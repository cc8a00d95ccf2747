//! Cells on a terminal that may think otherwise about the width of a character.
//!
//! No two terminals have the same table of widths. One that draws a character wider or narrower than
//! ratatui counted would shift the rest of the row, and what stood there before, perhaps another
//! person's words, would stay. So a row in which the width of anything is in doubt is wiped and
//! written as a whole when something in it changes, and the cursor is put into its place after each
//! such character.

use std::io::{self, Write};

use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::terminal::{Clear as Wipe, ClearType as Wiped};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::{Buffer, Cell, CellWidth as _};
use ratatui::layout::{Position, Rect, Size};

/// A terminal whose width table is not trusted.
#[derive(Debug)]
pub(crate) struct Careful<W: Write> {
    inner: CrosstermBackend<W>,
    /// Everything that was written, to write whole rows again.
    written: Buffer,
}

/// Returns whether all terminals give a grapheme the columns that ratatui counts: a printable
/// character of ASCII, or one character of the scripts that were wide from the beginning.
pub(crate) fn is_sure(grapheme: &str) -> bool {
    let mut chars = grapheme.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else {
        return false;
    };
    matches!(c,
        ' '..='~'
        // Hiragana and Katakana.
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}'
        // Ideographs: also those that have no character yet are wide in every table.
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        // Hangul.
        | '\u{ac00}'..='\u{d7a3}'
        // The fullwidth forms of ASCII.
        | '\u{ff01}'..='\u{ff60}')
}

impl<W: Write> Careful<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self {
            inner: CrosstermBackend::new(writer),
            written: Buffer::empty(Rect::ZERO),
        }
    }

    fn is_doubtful(&self, y: u16) -> bool {
        let columns = self.written.area.width;
        // The end of a wide character is an empty cell.
        let is_doubted = |symbol: &str| !symbol.is_empty() && !is_sure(symbol);
        (0..columns).any(|x| is_doubted(self.written[(x, y)].symbol()))
    }

    /// Keeps the cells, growing as they need it.
    fn keep(&mut self, changes: &[(u16, u16, &Cell)]) {
        let area = self.written.area;
        let reach = |length: u16, at: Option<u16>| length.max(at.map_or(0, |at| at + 1));
        let columns = reach(area.width, changes.iter().map(|(x, _, _)| *x).max());
        let rows = reach(area.height, changes.iter().map(|(_, y, _)| *y).max());
        if (columns, rows) != (area.width, area.height) {
            let mut grown = Buffer::empty(Rect::new(0, 0, columns, rows));
            grown.merge(&self.written);
            self.written = grown;
        }
        for (x, y, cell) in changes {
            self.written[(*x, *y)] = (*cell).clone();
            // ratatui leaves out the cells that a wide character covers.
            let covered = x + 1..(x + cell.cell_width().max(1)).min(columns);
            covered.for_each(|x| self.written[(x, *y)].reset());
        }
    }

    /// Writes all of a row, wiped before, in pieces that end where a width is in doubt.
    fn write_row(&mut self, y: u16) -> io::Result<()> {
        queue!(self.inner, MoveTo(0, y), Wipe(Wiped::UntilNewLine))?;
        let columns = self.written.area.width;
        let mut piece: Vec<(u16, u16, &Cell)> = Vec::new();
        let mut x = 0;
        while x < columns {
            let cell = &self.written[(x, y)];
            piece.push((x, y, cell));
            if !is_sure(cell.symbol()) {
                self.inner.draw(piece.drain(..))?;
            }
            x += cell.cell_width().max(1);
        }
        self.inner.draw(piece.into_iter())
    }
}

impl<W: Write> Backend for Careful<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let changes: Vec<(u16, u16, &Cell)> = content.collect();
        for row in changes.chunk_by(|(_, one, _), (_, other, _)| one == other) {
            let y = row[0].1;
            let was_doubtful = y < self.written.area.height && self.is_doubtful(y);
            self.keep(row);
            if was_doubtful || self.is_doubtful(y) {
                self.write_row(y)?;
            } else {
                self.inner.draw(row.iter().copied())?;
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.written = Buffer::empty(Rect::ZERO);
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        // The window clears nothing but everything.
        self.written = Buffer::empty(Rect::ZERO);
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}
