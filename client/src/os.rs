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

#[cfg(unix)]
mod imp {
    use std::fs::Permissions;
    use std::io;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;

    use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};
    use tempfile::TempDir;
    use tokio::process::{Child, Command};
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
