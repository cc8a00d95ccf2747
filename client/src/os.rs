//! The differences between operating systems: every `cfg` of this program is here.
// Differences that a library already hides, such as the size of a terminal, have no place here.

use std::io;
use std::path::Path;

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

#[cfg(unix)]
mod imp {
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use rustix::process::{Signal, getpid, kill_process};
    use tokio::signal::unix::{SignalKind, signal};

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
}

#[cfg(not(unix))]
mod imp {
    use std::io;
    use std::path::Path;

    pub(super) async fn interrupted() -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }

    pub(super) fn stop_until_continued() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn others_can_read(_path: &Path) -> bool {
        false
    }
}
