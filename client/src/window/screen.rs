//! The terminal as a screen: taken over, and always restored.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::Once;

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture,
};
use crossterm::terminal::{
    DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::layout::Rect;

use super::app::App;
use super::background::QUESTION;
use super::cells::Careful;
use super::view;
use crate::os;

/// A frame is written at once, not in pieces that could be seen one after the other.
const FRAME_BYTES: usize = 64 * 1024;

/// The screen while it is ours. It is restored when this is dropped, and when anything panics.
pub(crate) struct Screen {
    terminal: Terminal<Careful<BufWriter<Stdout>>>,
    has_mouse: bool,
}

impl Screen {
    /// Takes the terminal over, with its mouse or without.
    pub(crate) fn open(has_mouse: bool) -> io::Result<Self> {
        give_back_on_panic();
        take_over(has_mouse)?;
        let out = BufWriter::with_capacity(FRAME_BYTES, io::stdout());
        let terminal = Terminal::new(Careful::new(out));
        if terminal.is_err() {
            give_back();
        }
        Ok(Self {
            terminal: terminal?,
            has_mouse,
        })
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn take_mouse(&mut self, has_mouse: bool) -> io::Result<()> {
        self.has_mouse = has_mouse;
        match has_mouse {
            true => execute!(io::stdout(), EnableMouseCapture),
            false => execute!(io::stdout(), DisableMouseCapture),
        }
    }

    /// Asks the terminal for its background. The answer will come among the keys.
    pub(crate) fn ask_background(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(QUESTION)?;
        stdout.flush()
    }

    /// Returns the columns and rows.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws everything that has changed.
    pub(crate) fn draw(&mut self, app: &App) -> io::Result<()> {
        self.terminal.draw(|frame| view::draw(frame, app))?;
        Ok(())
    }

    /// Draws everything anew the next time.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        // Not `clear`: that asks the terminal for its cursor, and the answer would arrive among the
        // keys.
        let (columns, rows) = self.size()?;
        self.terminal.resize(Rect::new(0, 0, columns, rows))
    }

    /// Rings the terminal's bell.
    pub(crate) fn ring(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(b"\x07")?;
        stdout.flush()
    }

    /// Stops the program, as C-z does, until somebody continues it.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        os::stop_until_continued()?;
        take_over(self.has_mouse)?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over(has_mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    let mut taken = execute!(
        io::stdout(),
        EnterAlternateScreen,
        // If a terminal draws something wider than we do, it must not spill into the next row.
        DisableLineWrap,
        EnableBracketedPaste,
        EnableFocusChange
    );
    if taken.is_ok() && has_mouse {
        taken = execute!(io::stdout(), EnableMouseCapture);
    }
    if taken.is_err() {
        give_back();
    }
    taken
}

fn give_back() {
    // A terminal that is gone needs no restoring, and nobody is left to tell.
    let _gone = execute!(
        io::stdout(),
        DisableFocusChange,
        DisableBracketedPaste,
        DisableMouseCapture,
        EnableLineWrap,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _gone = disable_raw_mode();
}

/// Restores the terminal before a panic is reported.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}
