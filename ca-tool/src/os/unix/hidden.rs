//! Asks at a terminal, and does not show what is typed. However the asking ends, short of SIGKILL, the
//! terminal shows input again before the program is gone.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::process::{getpgrp, getsid};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr,
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level::emulate_default_handler;
use zeroize::Zeroizing;

/// The signals that end or stop a program and can be caught, and the one that continues a program
/// after a stop that cannot be caught.
const SIGNALS: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT];
/// The most that a terminal hands over at once.
const PIECE_BYTES: usize = 4096;
/// A longer line is no passphrase.
const LINE_BYTES_MAX: usize = 16 * PIECE_BYTES;

/// Asks for one line. Returns `None` when the input ends instead.
pub(in crate::os) fn ask_hidden(prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut asking = Asking::begin(prompt)?;
    // Allocated in advance: growing would leave a copy behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + PIECE_BYTES));
    let mut piece = Zeroizing::new([0; PIECE_BYTES]);
    while line.len() <= LINE_BYTES_MAX {
        if asking.wait()? {
            line.clear();
            continue;
        }
        let count = asking.terminal.read(&mut *piece)?;
        if count == 0 {
            // The cursor is still on the line of the prompt.
            writeln!(asking.terminal)?;
            return Ok(None);
        }
        line.extend_from_slice(&piece[..count]);
        if line.last() == Some(&b'\n') {
            line.pop();
            break;
        }
    }
    Ok(Some(line))
}

/// A terminal that does not show what is typed until this is dropped.
struct Asking<'a> {
    prompt: &'a str,
    terminal: File,
    before: Termios,
    signals: SignalDelivery<UnixStream, SignalOnly>,
}

/// Whether signals do what they do in any other program. A handler cannot be removed once it is
/// registered; it can only be told that nobody asks any more.
static NOBODY_ASKS: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

impl<'a> Asking<'a> {
    fn begin(prompt: &'a str) -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        // In the background this stops until the user types `fg`. Only then are the modes the user's,
        // and not those of a shell that edits its line.
        tcflush(&terminal, QueueSelector::IFlush)?;
        let before = tcgetattr(&terminal)?;
        let (read, write) = UnixStream::pair()?;
        let signals = SignalDelivery::with_pipe(read, write, SignalOnly, SIGNALS)?;
        NOBODY_ASKS.store(false, Ordering::SeqCst);
        let mut asking = Self {
            prompt,
            terminal,
            before,
            signals,
        };
        for signal in SIGNALS {
            register_conditional_default(signal, Arc::clone(&NOBODY_ASKS))?;
        }
        asking.hide()?;
        asking.prompt()?;
        Ok(asking)
    }

    /// Waits for input. Returns `true` when the program was stopped meanwhile: then what was typed
    /// before is lost.
    fn wait(&mut self) -> io::Result<bool> {
        let mut fds = [
            PollFd::new(&self.terminal, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.get_read().as_fd(), PollFlags::IN),
        ];
        // A signal that arrives in between is in the pipe by now.
        retry_on_intr(|| poll(&mut fds, None))?;
        if fds[1].revents().is_empty() {
            return Ok(false);
        }
        // Another program has had the terminal meanwhile. Hiding stops again in the background, so
        // one more signal may be there afterwards.
        while self.obey()? {
            self.hide()?;
        }
        self.prompt()?;
        Ok(true)
    }

    /// Lets signals do what they would have done, on a terminal in its original state. Returns
    /// whether there were any.
    fn obey(&mut self) -> io::Result<bool> {
        let signals: Vec<i32> = self.signals.pending().collect();
        for signal in &signals {
            if *signal != SIGCONT && (*signal != SIGTSTP || has_shell()) {
                self.show();
                let _ = writeln!(self.terminal);
                emulate_default_handler(*signal)?;
            }
        }
        Ok(!signals.is_empty())
    }

    /// Hides what is typed, and discards what was typed before the question.
    fn hide(&mut self) -> io::Result<()> {
        let mut modes = self.before.clone();
        // Enter ends the line, whatever the terminal was used for before.
        modes.input_modes &= !(InputModes::IGNCR | InputModes::INLCR);
        modes.input_modes |= InputModes::ICRNL;
        modes.local_modes &= !LocalModes::ECHO;
        // Only the end of the line is shown; keys that send signals still do.
        modes.local_modes |= LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        Ok(tcsetattr(&self.terminal, OptionalActions::Flush, &modes)?)
    }

    fn prompt(&mut self) -> io::Result<()> {
        self.terminal.write_all(self.prompt.as_bytes())
    }

    fn show(&mut self) {
        // If the terminal is gone, there is nothing to show and nobody to tell.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.show();
        NOBODY_ASKS.store(true, Ordering::SeqCst);
        // A signal that arrived just before is not lost.
        let _ = self.obey();
    }
}

/// Returns whether a shell could continue us: the first process group of a session has none.
fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}
