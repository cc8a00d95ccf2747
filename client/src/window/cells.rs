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
use wire::terminal::{columns_max, columns_min};

/// A terminal whose width table is not trusted.
#[derive(Debug)]
pub(crate) struct Careful<W: Write> {
    inner: CrosstermBackend<W>,
    /// Everything that was written, to write whole rows again.
    written: Buffer,
}

/// Returns whether all terminals give a grapheme the columns that ratatui counts: one character about
/// which no table and no setting differs.
pub(crate) fn is_sure(grapheme: &str) -> bool {
    let mut chars = grapheme.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else {
        return false;
    };
    matches!(c, ' '..='~') || columns_min(c) == columns_max(c)
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

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::text::Line;
    use ratatui::widgets::Paragraph;
    use ratatui::{TerminalOptions, Viewport};

    use super::*;
    use crate::words::drawable;

    const COLUMNS: u16 = 80;
    const ROWS: u16 = 24;

    /// Stands at the right end of each row, in this column.
    const END: &str = "|end";
    const END_COLUMN: u16 = 70;

    /// Characters that stand in one row.
    const IN_A_ROW: usize = 8;

    /// Texts whose characters join, or seem to.
    const JOINED: [&str; 14] = [
        "e\u{301}\u{302}",
        "क\u{94d}ष\u{93f}",
        "কা",
        "กำ",
        "\u{1112}\u{1161}\u{11ab}",
        "\u{1161}",
        "👨\u{200d}👩\u{200d}👧",
        "👩🏽\u{200d}💻",
        "🏽",
        "❤\u{fe0f}",
        "❤\u{fe0e}",
        "1\u{fe0f}\u{20e3}",
        "\u{1f1e9}\u{1f1ea}",
        "\u{1f1e9}",
    ];

    /// Returns every text about whose width terminals may disagree, as the window would draw it.
    fn doubtful() -> Vec<String> {
        let one = (' '..=char::MAX).filter(|c| !is_sure(c.encode_utf8(&mut [0; 4])));
        // Of the characters for private use, and of those that do not exist, a few stand for all.
        let is_like_many = |c: char| u32::from(c) >= 0xe000 && columns_max(c) != columns_min(c);
        let mut texts: Vec<String> = Vec::new();
        for (at, c) in one.filter(|c| !wire::is_forbidden(*c)).enumerate() {
            if u32::from(c) < 0xd800
                || (0x1f000..0x20000).contains(&u32::from(c))
                || (is_like_many(c) && at % 97 == 0)
            {
                texts.push(drawable(&format!("{c}")));
            }
        }
        texts.extend(JOINED.map(str::to_owned));
        texts
    }

    /// Returns the rows of the frames that show all of it: `a❤b…`, and a mark at the right end.
    fn frames() -> Vec<Vec<String>> {
        let rows: Vec<String> = doubtful()
            .chunks(IN_A_ROW)
            .map(|some| some.iter().map(|text| format!("a{text}b")).collect())
            .collect();
        rows.chunks(usize::from(ROWS))
            .map(<[String]>::to_vec)
            .collect()
    }

    /// Draws frames one after the other. Returns the bytes for a terminal.
    fn drawn(frames: &[&[String]], end: &str) -> Vec<u8> {
        let mut bytes = b"\x1b[?7l\x1b[2J".to_vec();
        let area = Rect::new(0, 0, COLUMNS, ROWS);
        let viewport = Viewport::Fixed(area);
        let backend = Careful::new(&mut bytes);
        let mut terminal =
            Terminal::with_options(backend, TerminalOptions { viewport }).expect("a terminal");
        for rows in frames {
            let draw = |frame: &mut ratatui::Frame<'_>| {
                let lines: Vec<Line<'_>> = rows.iter().map(|row| Line::raw(row.as_str())).collect();
                frame.render_widget(Paragraph::new(lines), area);
                for y in 0..ROWS {
                    frame
                        .buffer_mut()
                        .set_string(END_COLUMN, y, end, ratatui::style::Style::new());
                }
            };
            terminal.draw(draw).expect("drawn");
        }
        drop(terminal);
        bytes
    }

    /// Other text in every row, so that whatever stays of a frame shows.
    fn plain() -> Vec<String> {
        (1..=ROWS).map(|row| format!("{row:-<20}")).collect()
    }

    #[test]
    fn a_sure_character_is_ascii_or_wide_everywhere() {
        for sure in ["a", " ", "~", "张", "あ", "한"] {
            assert!(is_sure(sure), "{sure}");
        }
        for doubtful in [
            "\u{e9}",
            "ж",
            "│",
            "…",
            "❤\u{fe0f}",
            "\u{600}",
            "e\u{301}",
            "",
            "☰",
        ] {
            assert!(!is_sure(doubtful), "{doubtful}");
        }
    }

    /// vt100 has a width table of its own, which is not ours.
    #[test]
    fn nothing_shifts_the_end_of_a_row_and_nothing_stays_of_it() {
        let frames = frames();
        assert!(frames.len() > 10, "{}", frames.len());
        let shown = |bytes: &[u8]| {
            let mut parser = vt100::Parser::new(ROWS, COLUMNS, 0);
            parser.process(bytes);
            parser
        };
        let fresh = shown(&drawn(&[&plain()], END));
        for frame in &frames {
            let after = shown(&drawn(&[frame, &plain()], END));
            assert_eq!(
                after.screen().contents(),
                fresh.screen().contents(),
                "{frame:?}"
            );
            let during = shown(&drawn(&[&plain(), frame], END));
            for y in 0..ROWS {
                let end: String = (END_COLUMN..COLUMNS)
                    .filter_map(|x| {
                        during
                            .screen()
                            .cell(y, x)
                            .map(|cell| cell.contents().to_owned())
                    })
                    .collect();
                assert_eq!(end, END, "{:?}", frame.get(usize::from(y)));
            }
        }
    }

    /// The same on terminals that other people wrote. Each shows the last frame after all the others,
    /// and by itself: there must be no difference.
    #[cfg(unix)]
    #[test]
    #[ignore = "needs tmux, screen, xterm and Xvfb: run with --include-ignored"]
    fn nothing_stays_of_a_row_on_other_terminals() {
        let folder = tempfile::tempdir().expect("a folder");
        let frames = frames();
        let plain = plain();
        let mut all: Vec<&[String]> = Vec::new();
        for frame in &frames {
            all.extend([frame.as_slice(), plain.as_slice()]);
        }
        let put = |name: &str, frames: &[&[String]]| {
            let file = folder.path().join(name);
            let mut bytes = drawn(frames, END);
            // Below everything, where the next words of the terminal stand.
            bytes.extend(format!("\x1b[{ROWS};1H\r\n").bytes());
            std::fs::write(&file, bytes).expect("a file");
            format!("cat {}", file.display())
        };
        let (after, fresh) = (put("after", &all), put("fresh", &[&plain]));
        for emulator in kit::Emulator::ALL {
            emulator.require();
            // The first rows may have been scrolled away by the words of the script.
            let rows = |script: &str| {
                let rows = emulator.run(COLUMNS, script).rows();
                let ours = rows.into_iter().skip_while(|row| !row.starts_with("5-"));
                ours.take(usize::from(ROWS) - 4).collect::<Vec<_>>()
            };
            let fresh = rows(&fresh);
            assert_eq!(
                fresh.len(),
                usize::from(ROWS) - 4,
                "{emulator:?}: {fresh:?}"
            );
            assert!(
                fresh.iter().all(|row| row.ends_with(END)),
                "{emulator:?}: {fresh:?}"
            );
            let after = rows(&after);
            assert_eq!(after.join("\n"), fresh.join("\n"), "{emulator:?}");
        }
    }
}
