//! What only Unix has: whose a file is, what others may do with it, and links that others put in its
//! place. Elsewhere nothing is told and every file is opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::fs::Metadata;
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

#[cfg(unix)]
use rustix::fs::OFlags;

/// What others may do with a file, by its mode.
#[cfg(unix)]
const GROUP_OR_OTHERS: u32 = 0o077;
#[cfg(unix)]
const GROUP_WRITES_OR_OTHERS: u32 = 0o027;
#[cfg(unix)]
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;

/// What the operator is told of a key that others can read.
#[cfg(unix)]
pub(crate) fn warning_of_readers(path: &Path) -> Option<String> {
    // That the file can be read was seen a moment ago.
    let file = std::fs::metadata(path).ok()?;
    // This program may read somebody else's file by its group alone.
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

/// What the operator is told of a file that others can write to.
#[cfg(unix)]
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

/// Opens the log, or makes it.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    options.mode(0o640);
    match open_no_link(&mut options, path) {
        Err(_) if is_link(path) => {}
        opened => return opened,
    }
    refuse_planted_link(path)?;
    #[cfg(unix)]
    options.custom_flags(0);
    options.open(path)
}

/// Opens a file where it is no link.
#[cfg(unix)]
pub(crate) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path).map_err(|error| match is_link(path) {
        true => io::Error::other("it is a link, and has to be a file; remove it"),
        false => error,
    })
}

/// Refuses a link that somebody else made: in a folder that several people write to, it would have
/// this program write to any file of ours. A link of our own, or the system's, is meant.
///
/// Whoever may remove a link of ours can put another in its place between this look and the next; so
/// it helps in folders where that cannot be done, such as those with the sticky bit.
#[cfg(unix)]
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

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink())
}

/// Whether it belongs to this program's user or to root, who can do anything anyway.
#[cfg(unix)]
fn is_trusted(file: &Metadata) -> bool {
    let uid = file.uid();
    uid == own_uid() || uid == 0
}

#[cfg(unix)]
fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub(crate) fn warning_of_readers(_path: &Path) -> Option<String> {
    None
}

#[cfg(not(unix))]
pub(crate) fn warnings_of_writers(_path: &Path, _what: &str) -> Vec<String> {
    Vec::new()
}

#[cfg(not(unix))]
pub(crate) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

#[cfg(not(unix))]
pub(crate) fn refuse_planted_link(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
    use std::path::PathBuf;

    use super::*;

    /// Somebody else.
    const NOBODY: u32 = 65534;

    /// A file of that mode.
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
    fn a_key_that_others_can_read_is_told_of_and_no_other() {
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
    #[ignore = "needs root, to give a file away: run with --include-ignored"]
    fn a_key_that_is_ours_by_its_group_alone_is_told_of_when_it_is_everybodys() {
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
    fn a_file_that_others_can_write_to_is_told_of_with_the_command_that_mends_it() {
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
    #[ignore = "needs root, to give a file away: run with --include-ignored"]
    fn a_log_that_belongs_to_somebody_else_is_told_of() {
        let folder = folder();
        let path = file(&folder, 0o640);
        let shown = path.display();
        chown(&path, Some(NOBODY), None).expect("another owner");
        let by_owner =
            format!("{shown} belongs to user 65534, who can change the log; run `chown 0 {shown}`");
        assert_eq!(warnings_of_writers(&path, "the log"), [by_owner]);
    }

    #[test]
    fn a_log_is_opened_through_a_link_of_ours() {
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
    #[ignore = "needs root, to give a file away: run with --include-ignored"]
    fn a_log_is_not_opened_through_a_link_of_somebody_elses() {
        let folder = folder();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        symlink(&target, &link).expect("a link");
        lchown(&link, Some(NOBODY), None).expect("another owner");
        let refused = open_log(&link).expect_err("somebody else's link");
        let words = "it is a link, and user 65534 made it; remove it, or name another file";
        assert_eq!(refused.to_string(), words);
        assert!(!target.exists(), "the link was followed");
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
