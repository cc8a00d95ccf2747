//! A progress bar for commands that take more than a second. It appears only on a terminal.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::notice::Progress;

/// A progress bar that may never appear.
#[derive(Debug)]
pub(super) struct Bar {
    /// When the first progress was reported: the time to type a passphrase does not count.
    began: Option<Instant>,
    /// The tenths of a percent on the screen, if the bar is there.
    shown: Option<usize>,
    is_terminal: bool,
}

/// A command that takes less time needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// The width of the bar itself, in columns.
const COLUMNS: usize = 40;

impl Bar {
    pub(super) fn new(is_terminal: bool) -> Self {
        Self {
            began: None,
            shown: None,
            is_terminal,
        }
    }

    /// Shows how far it is. If the terminal cannot be written to, the command goes on.
    pub(super) fn show(&mut self, progress: Progress, out: &mut dyn Write) {
        let began = *self.began.get_or_insert_with(Instant::now);
        let permille = progress.done * 1000 / progress.of.max(1);
        if !self.is_terminal || self.shown == Some(permille) || began.elapsed() < PATIENCE {
            return;
        }
        self.shown = Some(permille);
        let full = "#".repeat(permille * COLUMNS / 1000);
        let percent = permille / 10;
        let _ = write!(out, "\r[{full:COLUMNS$}] {percent:3} %").and_then(|()| out.flush());
    }

    /// Takes the bar away, so that the next line begins on an empty one.
    pub(super) fn clear(&mut self, out: &mut dyn Write) {
        if self.shown.take().is_some() {
            let _ = write!(out, "\r{:width$}\r", "", width = COLUMNS + 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(is_terminal: bool, seconds: u64) -> String {
        let mut bar = Bar::new(is_terminal);
        let began = Instant::now().checked_sub(Duration::from_secs(seconds));
        bar.began = Some(began.expect("a clock that has run for a while"));
        let mut out = Vec::new();
        for done in [1, 1, 2, 4] {
            bar.show(Progress { done, of: 4 }, &mut out);
        }
        bar.clear(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_bar_is_drawn_on_a_terminal_after_a_second_and_is_taken_away() {
        let drawn = said(true, 2);
        let bars: Vec<_> = drawn.split('\r').collect();
        let tens = "#".repeat(10);
        assert_eq!(bars[1], format!("[{tens:40}]  25 %"));
        assert_eq!(bars[3], format!("[{}] 100 %", "#".repeat(40)));
        assert!(bars[4].len() >= bars[3].len() && bars[4].trim().is_empty());
        assert_eq!(bars.len(), 6, "once for each step: {drawn:?}");
        assert_eq!(said(false, 2), "");
        assert_eq!(said(true, 0), "");
    }
}
