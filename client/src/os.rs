//! The differences between operating systems: every `cfg` of this program is here.
// Differences that a library already hides, such as the size of a terminal, have no place here.

use std::io;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Waits until the person, or the system, asks this program to end: SIGINT, SIGTERM, or Ctrl-C
/// where there are no signals.
///
/// # Errors
///
/// When the system does not let the program hear them.
pub async fn interrupted() -> io::Result<()> {
    imp::interrupted().await
}

/// Stops the program, as C-z does in a shell, until somebody continues it. Returns at once on
/// systems that cannot stop a program.
pub(crate) fn stop_until_continued() -> io::Result<()> {
    imp::stop_until_continued()
}

/// Returns whether anybody but its owner can read a file, or `false` where files have no mode.
pub(crate) fn others_can_read(path: &Path) -> bool {
    imp::others_can_read(path)
}

/// Makes a folder that only its owner can enter, and that is removed with everything in it.
pub(crate) fn private_folder() -> io::Result<TempDir> {
    imp::private_folder()
}

/// Has a command lead a group of processes, which [`kill_group`] ends with everything that it
/// started.
pub(crate) fn lead_a_group(command: &mut Command) {
    imp::lead_a_group(command);
}

/// Ends a program by force, and where there are groups of processes, everything in the group that it
/// leads. `leader` is the ID that it had when it began.
pub(crate) fn kill_group(child: &mut Child, leader: Option<u32>) {
    imp::kill_group(child, leader);
}

/// Returns whether terminals here speak UTF-8, as far as the environment says: the first of `LC_ALL`,
/// `LC_CTYPE` and `LANG` that is set names the character set (POSIX, section 8.2).
pub(crate) fn speaks_utf_8() -> bool {
    imp::speaks_utf_8()
}

/// Returns whether the terminal understands escape sequences, by its name in `TERM`.
pub(crate) fn has_escapes() -> bool {
    imp::has_escapes()
}

/// Returns whether the terminal says that it understands no escape sequences, so that no window can
/// be drawn on it.
pub(crate) fn is_dumb_terminal() -> bool {
    imp::is_dumb_terminal()
}

/// The terminal while the program edits the line that a person types. It is given back when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Typing(());

impl Typing {
    /// Takes over the line that is typed, if standard input and standard output are a terminal that
    /// can be used so. Ctrl-C and Ctrl-Z stay signals.
    pub(crate) fn begin() -> Option<Self> {
        imp::take_line_over().then_some(Self(()))
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        give_line_back();
    }
}

/// Gives the terminal back its line, if it was taken over: before the program ends at once.
pub fn give_line_back() {
    imp::give_line_back();
}

/// Gives the terminal back whenever the program is stopped, as by Ctrl-Z, and takes it over again
/// when it goes on; then calls `back`. Runs for ever.
pub(crate) async fn mind_stops(back: impl FnMut()) -> io::Result<()> {
    imp::mind_stops(back).await
}

/// Sends a sequence to the terminal, on a thread that is waited for only a moment: a terminal that
/// accepts nothing more does not keep the program from ending.
#[cfg(unix)]
fn escape(sequence: &'static [u8]) {
    use std::io::Write as _;
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);
    let waiting = std::thread::current();
    std::thread::spawn(move || {
        let mut stdout = io::stdout();
        // A terminal that is gone needs no sequence.
        let _gone = stdout.write_all(sequence).and_then(|()| stdout.flush());
        waiting.unpark();
    });
    std::thread::park_timeout(PATIENCE);
}

#[cfg(unix)]
mod imp {
    use std::fs::Permissions;
    use std::io::{self, IsTerminal as _};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
    use tempfile::TempDir;
    use tokio::process::{Child, Command};
    use tokio::signal::unix::{SignalKind, signal};

    use crate::os::escape;

    /// The settings to give back. Global, because whatever ends the program must find them.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    pub(super) fn speaks_utf_8() -> bool {
        let locales = ["LC_ALL", "LC_CTYPE", "LANG"].map(std::env::var_os);
        let locale = locales
            .into_iter()
            .flatten()
            .find(|locale| !locale.is_empty());
        // Where none is set, as after many an ssh, the terminal is nearly always one of today.
        locale.is_none_or(|locale| {
            let locale = locale.to_string_lossy().to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }

    pub(super) fn has_escapes() -> bool {
        std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
    }

    pub(super) fn is_dumb_terminal() -> bool {
        !has_escapes()
    }

    pub(super) fn take_line_over() -> bool {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        if !stdin.is_terminal() || !stdout.is_terminal() || !has_escapes() {
            return false;
        }
        let Ok(before) = tcgetattr(&stdin) else {
            return false;
        };
        BEFORE
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(before);
        take_over_again();
        true
    }

    /// Does nothing in the background: there the terminal belongs to somebody else.
    fn take_over_again() {
        let stdin = io::stdin();
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = before.as_ref() else {
            return;
        };
        if !tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp()) {
            return;
        }
        let mut ours = before.clone();
        // Each key comes at once and is not shown; signals and the ends of lines stay as they are.
        ours.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // If it fails, the terminal is gone, and reading says so.
        let _gone = tcsetattr(&stdin, OptionalActions::Now, &ours);
        escape(b"\x1b[?2004h");
    }

    pub(super) fn give_line_back() {
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            restore(&before);
        }
    }

    fn restore(before: &Termios) {
        let stdin = io::stdin();
        if tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp()) {
            escape(b"\x1b[?2004l\x1b[?7h");
            let _gone = tcsetattr(&stdin, OptionalActions::Now, before);
        }
    }

    pub(super) async fn mind_stops(mut back: impl FnMut()) -> io::Result<()> {
        let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
        let mut go_on = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        loop {
            tokio::select! {
                _ = stop.recv() => {
                    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if let Some(before) = before {
                        restore(&before);
                    }
                    kill_process(getpid(), Signal::STOP)?;
                }
                _ = go_on.recv() => {
                    take_over_again();
                    back();
                }
            }
        }
    }

    pub(super) async fn interrupted() -> io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }

    pub(super) fn stop_until_continued() -> io::Result<()> {
        // The shell that started us notices, and shows its prompt.
        Ok(kill_process(getpid(), Signal::TSTP)?)
    }

    pub(super) fn others_can_read(path: &Path) -> bool {
        const GROUP_OR_OTHERS: u32 = 0o077;
        std::fs::metadata(path).is_ok_and(|file| file.mode() & GROUP_OR_OTHERS != 0)
    }

    pub(super) fn private_folder() -> io::Result<TempDir> {
        let owner_only = Permissions::from_mode(0o700);
        tempfile::Builder::new().permissions(owner_only).tempdir()
    }

    pub(super) fn lead_a_group(command: &mut Command) {
        command.process_group(0);
    }

    pub(super) fn kill_group(_child: &mut Child, leader: Option<u32>) {
        // The leader may have ended. Its ID names the group as long as anybody is in it.
        let id = leader.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io;
    use std::path::Path;

    use tempfile::TempDir;
    use tokio::process::{Child, Command};

    // Windows converts what is printed itself.
    pub(super) fn speaks_utf_8() -> bool {
        true
    }

    pub(super) fn has_escapes() -> bool {
        false
    }

    pub(super) fn is_dumb_terminal() -> bool {
        // Here no variable tells.
        false
    }

    // The terminal edits the line itself.
    pub(super) fn take_line_over() -> bool {
        false
    }

    pub(super) fn give_line_back() {}

    pub(super) async fn mind_stops(_back: impl FnMut()) -> io::Result<()> {
        std::future::pending().await
    }

    pub(super) async fn interrupted() -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }

    pub(super) fn stop_until_continued() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn others_can_read(_path: &Path) -> bool {
        false
    }

    pub(super) fn private_folder() -> io::Result<TempDir> {
        // The folder for temporary files is the user's own where files have no mode.
        tempfile::tempdir()
    }

    pub(super) fn lead_a_group(_command: &mut Command) {}

    pub(super) fn kill_group(child: &mut Child, _leader: Option<u32>) {
        let _gone = child.start_kill();
    }
}
