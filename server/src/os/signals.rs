//! Signals of Unix: what stops the server, what makes it read its files again, and which of the two a hang-up means.
//!
//! SIGHUP has two meanings. To a program on a terminal it says that the terminal is gone, and such a program should
//! end. To one without a terminal it is a request, which operators and tools that rotate logs send. The terminal
//! itself tells which: it is gone, or it is not.

use std::io;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::info;

/// How often to look whether the terminal is still there. If it goes without a hang-up, later ones are requests.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Returns a future that completes at the first SIGTERM or SIGINT, or when the server's terminal is closed; a second
/// signal of the first two ends the program at once. Any other SIGHUP asks for the files to be read again.
///
/// # Errors
///
/// When the system does not let this program handle a signal.
pub fn stop_signal(reload: watch::Sender<()>) -> io::Result<impl Future<Output = ()>> {
    // Before the handler is there, which hides what the system did with the signal until now.
    let terminal = Terminal::of_this_program();
    let mut hangups = Hangups {
        signals: signal(SignalKind::hangup())?,
        reload,
        terminal,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut stop = Some(stop);
        loop {
            let code = tokio::select! {
                biased;
                _ = terminate.recv() => Some(143),
                _ = interrupt.recv() => Some(130),
                () = hangups.terminal_closed() => None,
            };
            match (stop.take(), code) {
                (Some(stop), None) => {
                    info!("the terminal was closed");
                    drop(stop);
                }
                (Some(stop), Some(_)) => drop(stop),
                (None, Some(code)) => std::process::exit(code),
                // A shell passes on the hang-up that the system sends too.
                (None, None) => {}
            }
        }
    });
    Ok(async move {
        // The other end is dropped, never used: either way it is time to stop.
        let _dropped = stopped.await;
    })
}

/// The hang-ups that this program gets.
struct Hangups {
    signals: Signal,
    reload: watch::Sender<()>,
    terminal: Terminal,
}

impl Hangups {
    /// Waits until the terminal is closed. Meanwhile a hang-up asks for the files to be read again.
    async fn terminal_closed(&mut self) {
        loop {
            let look_at = Instant::now() + LOOK_INTERVAL;
            tokio::select! {
                biased;
                received = self.signals.recv() => {
                    if self.terminal.is_closed() {
                        return;
                    }
                    // The channel has no end: the runtime ends first.
                    if received.is_some() {
                        self.reload.send_replace(());
                    }
                }
                () = tokio::time::sleep_until(look_at), if self.terminal == Terminal::Open => {
                    self.terminal.forget_if_closed();
                }
            }
        }
    }
}

/// The terminal that this program was started on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terminal {
    /// It was open a moment ago.
    Open,
    /// There is none, or this program is to outlive it, as `nohup` says.
    None,
}

impl Terminal {
    fn of_this_program() -> Self {
        match is_reachable() && !are_hangups_ignored() {
            true => Terminal::Open,
            false => Terminal::None,
        }
    }

    /// Returns whether the terminal has just been closed.
    fn is_closed(self) -> bool {
        self == Terminal::Open && !is_reachable()
    }

    fn forget_if_closed(&mut self) {
        if self.is_closed() {
            *self = Terminal::None;
        }
    }
}

/// Returns whether this program has a terminal that it could read from: the system takes it away when it is closed.
fn is_reachable() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

/// Returns whether this program was started with hang-ups ignored, as `nohup` does.
fn are_hangups_ignored() -> bool {
    // SIGHUP is signal 1 everywhere.
    const HANGUP: u64 = 1 << 0;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    match ignored.map(|mask| u64::from_str_radix(mask.trim(), 16)) {
        Some(Ok(mask)) => mask & HANGUP != 0,
        // A system without this file. `nohup` leaves no standard stream on the terminal.
        _ => {
            use std::io::IsTerminal as _;
            !(io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal())
        }
    }
}
