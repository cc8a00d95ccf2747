//! What differs between operating systems, and nothing else: every `cfg` of this program is here.
// Whatever a library already hides, as the size of a terminal, has no place here.

use std::io;
use std::path::Path;

/// Waits for the person, or the system, to ask this program to end: SIGINT, SIGTERM, or Ctrl-C where there are no signals.
///
/// # Errors
///
/// When the system does not let the program hear them.
pub async fn interrupted() -> io::Result<()> {
    imp::interrupted().await
}

/// Stops the program, as C-z does in a shell, until somebody lets it go on. Returns at once where programs cannot be stopped.
pub(crate) fn stop_until_continued() -> io::Result<()> {
    imp::stop_until_continued()
}

/// Returns whether anybody but its owner can read a file. Where files have no mode, nobody is known to.
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
        // The shell that started us learns of it, and shows its prompt.
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
