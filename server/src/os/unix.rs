//! Unix: owners, modes and links of files, and the limit on open files.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::Socket;

use super::{DiskBytes, is_link};

/// The permission bits of other users, by what they allow.
const GROUP_OR_OTHERS: u32 = 0o077;
const GROUP_WRITES_OR_OTHERS: u32 = 0o027;
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;

/// Returns a warning about a key that other users can read.
pub(crate) fn warning_of_readers(path: &Path) -> Option<String> {
    // If the file is gone by now, it was read a moment ago.
    let file = std::fs::metadata(path).ok()?;
    // This program may be allowed to read another user's file only through the file's group.
    let (others, mend) = match file.uid() == own_uid() {
        true => (GROUP_OR_OTHERS, "go="),
        false => (GROUP_WRITES_OR_OTHERS, "g-w,o="),
    };
    let mode = file.mode() & 0o777;
    let path = path.display();
    (mode & others != 0).then(|| {
        format!("others can read {path} (mode {mode:04o}) and pose as this server; run `chmod {mend} {path}`")
    })
}

/// Returns warnings about a file that other users can change.
pub(crate) fn warnings_of_writers(path: &Path, what: &str) -> Vec<String> {
    let Ok(file) = std::fs::metadata(path) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if file.is_file() && !is_trusted(&file) {
        warnings.push(format!(
            "{0} belongs to user {1}, who can change {what}; run `chown {2} {0}`",
            path.display(),
            file.uid(),
            own_uid()
        ));
    }
    let mode = file.mode() & 0o777;
    if file.is_file() && mode & GROUP_OR_OTHERS_WRITE != 0 {
        warnings.push(format!(
            "others can write to {0} (mode {mode:04o}) and change {what}; run `chmod go-w {0}`",
            path.display()
        ));
    }
    warnings
}

/// Returns the reason why a file cannot be a log, or `None` when it can.
pub(crate) fn why_no_log(file: &Metadata) -> Option<&'static str> {
    let kind = file.file_type();
    if kind.is_file() || kind.is_char_device() {
        None
    } else if kind.is_dir() {
        Some("it is a folder; a log is a file or a terminal")
    } else if kind.is_fifo() {
        Some("it is a named pipe; a log is a file or a terminal")
    } else {
        Some("it is not a regular file; a log is a file or a terminal")
    }
}

/// Returns whether the file belongs to a user other than this program's, and this program does not
/// run as root.
pub(crate) fn is_of_another_user(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| own_uid() != 0 && file.uid() != own_uid())
}

/// Opens a file unless it is a link. Opening a named pipe fails or succeeds at once: it does not wait
/// for the other end.
pub(crate) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    options.open(path).map_err(|error| match is_link(path) {
        true => io::Error::other("it is a link, and has to be a file; remove it"),
        false => error,
    })
}

/// Refuses a link that another user made: in a folder that several people can write to, it could
/// make this program write to any file of ours. A link of our own, or of root's, is intended.
///
/// Anyone who may remove a link of ours can replace it between this check and the next; so this
/// helps only in folders where others cannot, such as those with the sticky bit.
pub(crate) fn refuse_planted_link(path: &Path) -> io::Result<()> {
    let Ok(link) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !link.is_symlink() || is_trusted(&link) {
        return Ok(());
    }
    let uid = link.uid();
    Err(io::Error::other(format!(
        "it is a link, and user {uid} made it; remove it, or name another file"
    )))
}

/// Returns whether the file belongs to this program's user, or to root, who can do anything anyway.
fn is_trusted(file: &Metadata) -> bool {
    let uid = file.uid();
    uid == own_uid() || uid == 0
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns the size of the disk that holds `folder`, or `None` when the system does not tell.
pub(crate) fn disk_bytes(folder: &Path) -> Option<DiskBytes> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(DiskBytes {
        // The blocks that only root may use are not free to us.
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        total: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

/// Raises the limit on open files as far as the system allows. Returns the new limit, or `None`
/// when open files have no limit.
pub(crate) fn raise_file_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    let most = match limit.maximum {
        // macOS refuses a limit above its OPEN_MAX, whatever the maximum is.
        most if cfg!(target_vendor = "apple") => Some(most.unwrap_or(u64::MAX).min(10_240)),
        most => most,
    };
    let is_less = |current: u64| most.is_none_or(|most| current < most);
    match limit.current {
        Some(current) if is_less(current) => setrlimit(
            Resource::Nofile,
            Rlimit {
                current: most,
                maximum: limit.maximum,
            },
        )
        .map(|()| most)
        .map_err(io::Error::from),
        current => Ok(current),
    }
}

/// Returns whether this program, or the whole system, has no file descriptor left.
pub(crate) fn is_out_of_files(failure: &io::Error) -> bool {
    // ENFILE and EMFILE, which have these numbers on Linux, the BSDs and macOS.
    matches!(failure.raw_os_error(), Some(23 | 24))
}

/// Makes a new file accessible to its owner and group only.
pub(crate) fn keep_private(options: &mut OpenOptions) {
    options.mode(0o640);
}

/// Makes [`OpenOptions`] follow links again. A named pipe still does not wait for its other end.
pub(crate) fn follow_links(options: &mut OpenOptions) {
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
}

/// Makes writes to the file wait until it takes them, as they do by default.
pub(crate) fn let_writes_wait(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags - OFlags::NONBLOCK)?)
}

/// Returns whether standard output is a file that nothing has been written to, as after `> FILE`.
pub fn stdout_is_new_file() -> bool {
    rustix::fs::fstat(io::stdout()).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size == 0
    })
}

/// Returns how many names a file has, or `None` when it cannot be examined.
pub(crate) fn names_of(path: &Path) -> Option<u64> {
    Some(std::fs::metadata(path).ok()?.nlink())
}

/// Returns the number that distinguishes a file from another one that had the same name.
pub(crate) fn file_number(file: &Metadata) -> Option<u64> {
    Some(file.ino())
}

/// Lets a server listen again on the same port right after it ended.
pub(crate) fn reuse_address(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Makes the system end a connection whose peer has accepted no data for this long (RFC 5482).
pub(crate) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(timeout))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (socket, timeout);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
    use std::path::PathBuf;

    use super::*;
    use crate::os::open_log;

    #[test]
    fn a_disk_tells_its_size_and_a_folder_that_is_not_there_tells_nothing() {
        let folder = folder();
        let disk = disk_bytes(folder.path()).expect("a disk");
        assert!(disk.total > 0 && disk.free <= disk.total, "{disk:?}");
        assert!(disk_bytes(&folder.path().join("missing")).is_none());
    }

    #[test]
    fn the_limit_on_open_files_is_raised_to_the_most_that_is_allowed_and_stays_there() {
        let most = getrlimit(Resource::Nofile).maximum;
        let raised = raise_file_limit().expect("a limit");
        let limit = getrlimit(Resource::Nofile);
        assert_eq!((limit.current, limit.maximum), (raised, most));
        if cfg!(target_os = "linux") {
            assert_eq!(raised, most);
        }
        assert_eq!(raise_file_limit().expect("the same limit"), raised);
    }

    /// Another user.
    const NOBODY: u32 = 65534;

    /// Creates a file with this mode.
    fn file(folder: &tempfile::TempDir, mode: u32) -> PathBuf {
        let path = folder.path().join("file");
        fs::write(&path, "").expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        path
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn a_key_that_others_can_read_is_reported_and_no_other() {
        let folder = folder();
        for mode in [0o600, 0o400] {
            assert_eq!(warning_of_readers(&file(&folder, mode)), None);
        }
        for (mode, shown) in [(0o644, "0644"), (0o640, "0640"), (0o604, "0604")] {
            let path = file(&folder, mode);
            let path_shown = path.display();
            assert_eq!(
                warning_of_readers(&path),
                Some(format!(
                    "others can read {path_shown} (mode {shown}) and pose as this server; run `chmod go= {path_shown}`"
                ))
            );
        }
    }

    #[test]
    #[ignore = "needs root, to give a file to somebody else: run with --include-ignored"]
    fn a_key_that_we_read_through_its_group_is_reported_when_everybody_can_read_it() {
        let folder = folder();
        for (mode, is_told) in [(0o640, false), (0o660, true), (0o644, true)] {
            let path = file(&folder, mode);
            chown(&path, Some(NOBODY), None).expect("another owner");
            let told = warning_of_readers(&path);
            assert_eq!(told.is_some(), is_told, "{told:?}");
            chown(&path, Some(0), None).expect("the owner again");
        }
    }

    #[test]
    fn a_file_that_others_can_write_to_is_reported_with_the_command_that_mends_it() {
        let folder = folder();
        assert_eq!(warnings_of_writers(&file(&folder, 0o644), "it"), [""; 0]);
        let path = file(&folder, 0o664);
        let shown = path.display();
        let by_mode = format!(
            "others can write to {shown} (mode 0664) and change the record; run `chmod go-w {shown}`"
        );
        assert_eq!(warnings_of_writers(&path, "the record"), [by_mode]);
    }

    #[test]
    #[ignore = "needs root, to give a file to somebody else: run with --include-ignored"]
    fn a_file_of_another_user_is_reported_with_the_command_that_mends_it() {
        let folder = folder();
        let path = file(&folder, 0o640);
        let shown = path.display();
        chown(&path, Some(NOBODY), None).expect("another owner");
        let by_owner =
            format!("{shown} belongs to user 65534, who can change the log; run `chown 0 {shown}`");
        assert_eq!(warnings_of_writers(&path, "the log"), [by_owner]);
    }

    #[test]
    fn a_log_is_opened_through_a_link_of_ours_and_not_through_somebody_elses() {
        let folder = folder();
        let (target, link) = (folder.path().join("target"), folder.path().join("log"));
        let new = folder.path().join("new");
        open_log(&new).expect("a new log");
        let mode = fs::metadata(&new).expect("a file").mode();
        assert_eq!(mode & 0o777, 0o640);
        open_log(&new).expect("a log that is there");
        symlink(&target, &link).expect("a link");
        open_log(&link).expect("through a link of ours");
        assert!(target.exists());
    }

    #[test]
    #[ignore = "needs root, to give a file to somebody else: run with --include-ignored"]
    fn a_log_behind_a_link_that_somebody_else_made_is_refused() {
        let folder = folder();
        let (target, link) = (folder.path().join("target"), folder.path().join("log"));
        fs::write(&target, "").expect("a file");
        symlink(&target, &link).expect("a link");
        fs::remove_file(&target).expect("gone");
        lchown(&link, Some(NOBODY), None).expect("another owner");
        let refused = open_log(&link).expect_err("somebody else's link");
        let words = "it is a link, and user 65534 made it; remove it, or name another file";
        assert_eq!(refused.to_string(), words);
        assert!(!target.exists(), "the link was followed");
    }

    #[test]
    fn a_log_is_a_regular_file_or_a_character_device_and_a_named_pipe_is_refused_at_once() {
        let folder = folder();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).expect("a pipe");
        symlink(&pipe, &link).expect("a link");
        for path in [&pipe, &link] {
            let refused = open_log(path).expect_err("a pipe").to_string();
            assert_eq!(refused, "it is a named pipe; a log is a file or a terminal");
        }
        let refused = open_log(folder.path()).expect_err("a folder").to_string();
        assert_eq!(refused, "it is a folder; a log is a file or a terminal");
        open_log(Path::new("/dev/null")).expect("a device");
    }

    #[test]
    #[ignore = "needs root, to give a file to somebody else: run with --include-ignored"]
    fn root_takes_every_file_for_its_own() {
        let folder = folder();
        let path = file(&folder, 0o640);
        chown(&path, Some(NOBODY), None).expect("another owner");
        assert!(!is_of_another_user(&path));
    }

    #[test]
    fn a_link_is_not_followed_where_there_should_be_a_file() {
        let folder = folder();
        let (target, link) = (folder.path().join("target"), folder.path().join("lock"));
        symlink(&target, &link).expect("a link");
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            open_no_link(&mut options, path)
        };
        let refused = open(&link).expect_err("a link");
        let words = "it is a link, and has to be a file; remove it";
        assert_eq!(refused.to_string(), words);
        assert!(!target.exists(), "the link was followed");
        open(&target).expect("a file");
        open(&target).expect("a file that is there");
    }
}
