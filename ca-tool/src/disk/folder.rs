//! The CA's folder: where everything lies in it, and how it is written so that a crash leaves
//! either the old file or the new one.
//!
//! The names follow OpenSSL's conventions, so that `openssl ca` finds its way.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pki::Serial;

use crate::commands::counted;
use crate::error::{Error, io_error};
use crate::os::{self, Access};
use crate::sign::issuer::random;

/// A CA's folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// Keeps other runs away from the folder for as long as it is held.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the file is open, and so locked")] File);

/// A new file whose bytes are on the disk, but not yet under its name. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Staged {
    temporary: PathBuf,
    destination: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The CA's certificate. It is there when, and only when, the folder holds a CA.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    pub(crate) fn private(&self) -> PathBuf {
        self.0.join("private")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.private().join("ca.key")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.0.join("certs")
    }

    /// Every certificate that was issued, under its serial number in OpenSSL's spelling.
    pub(crate) fn issued(&self, serial: &Serial) -> PathBuf {
        self.certificates().join(Self::issued_name(serial))
    }

    pub(crate) fn issued_name(serial: &Serial) -> String {
        format!("{}.pem", serial.to_string().to_uppercase())
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.0.join("index.txt")
    }

    pub(crate) fn list(&self) -> PathBuf {
        self.0.join("crl.pem")
    }

    /// The number that the next revocation list may have at least.
    pub(crate) fn list_number(&self) -> PathBuf {
        self.0.join("crlnumber")
    }

    pub(crate) fn people(&self) -> PathBuf {
        self.0.join("people")
    }

    pub(crate) fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.0.join("settings")
    }

    /// Names the folders in which files wait for their names.
    pub(crate) fn pending(&self) -> PathBuf {
        self.0.join(".pending")
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join(".lock")
    }

    /// Keeps other runs away, and removes what those before left half done. Waits for one that is
    /// at work, but not for long.
    pub(crate) fn lock_files(&self) -> Result<Lock, Error> {
        let path = self.lock_file();
        let file = os::open_lock(&path).map_err(io_error("open", &path))?;
        wait_for(&file, &self.0)?.map_err(io_error("lock", &path))?;
        self.remove_leftovers();
        remove_drafts(&self.0)?;
        Ok(Lock(file))
    }

    /// Removes the temporary files of runs that were killed: some hold private keys. Nobody else
    /// is at work while the lock is held, so no file of a living run is among them.
    fn remove_leftovers(&self) {
        let mut removed = 0;
        let below = [self.private(), self.certificates(), self.people()];
        // Who put a link in a folder's place keeps other things there.
        let below = below.into_iter().filter(|place| is_folder(place));
        for place in std::iter::once(self.0.clone()).chain(below) {
            for leftover in temporary_files(&place) {
                match fs::remove_file(&leftover) {
                    Ok(()) => removed += 1,
                    Err(error) => {
                        let leftover = leftover.display();
                        say!("ca-tool: note: cannot remove {leftover}: {error}");
                    }
                }
            }
        }
        if removed > 0 {
            let files = counted(removed, "temporary file", "temporary files");
            say!(
                "ca-tool: note: removed {files} that a run which was cut short left in {}",
                self.0.display()
            );
        }
    }
}

/// Keeps other runs away that would give the same name to a file in this folder, which need not be a
/// CA's. Where folders cannot be locked it keeps nobody away.
pub(crate) fn lock_place(place: &Path) -> Result<Option<Lock>, Error> {
    let Ok(file) = File::open(place) else {
        return Ok(None);
    };
    Ok(wait_for(&file, place)?.ok().map(|()| Lock(file)))
}

/// Waits until no other run has this lock, but not for long.
fn wait_for(file: &File, folder: &Path) -> Result<io::Result<()>, Error> {
    let start = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Ok(())),
            Err(TryLockError::Error(source)) => return Ok(Err(source)),
            Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_TIMEOUT => {
                return Err(Error::Locked(folder.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !told && start.elapsed() > LOCK_PATIENCE {
            let folder = folder.display();
            say!("ca-tool: note: waiting for another run that is using {folder}");
            told = true;
        }
        thread::sleep(LOCK_POLL);
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
}

/// Removes the folders beside a CA's in which a run of `init` was cut short: they hold keys.
pub(crate) fn remove_drafts(above: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(above).into_iter().flatten().flatten();
    let drafts: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| entry.file_name().to_str().is_some_and(is_draft))
        .map(|entry| entry.path())
        .collect();
    for draft in drafts {
        // Its run may give it its name at this very moment: whoever renames it first has it.
        // One without a lock was made just before its run was killed; a living run begins again.
        if fs::remove_dir(&draft).is_ok() {
            continue;
        }
        let ours = above.join(temporary_name(DRAFT)?);
        if !is_abandoned(&draft) || fs::rename(&draft, &ours).is_err() {
            continue;
        }
        match fs::remove_dir_all(&ours) {
            Ok(()) => say!(
                "ca-tool: note: removed {}, which a run that was cut short left",
                draft.display()
            ),
            Err(error) => say!("ca-tool: note: cannot remove {}: {error}", ours.display()),
        }
    }
    Ok(())
}

/// Whether no run holds a draft's lock.
fn is_abandoned(draft: &Path) -> bool {
    let lock = Folder::new(draft).lock_file();
    let is_file = fs::symlink_metadata(&lock).is_ok_and(|there| there.is_file());
    let open = || File::options().read(true).write(true).open(&lock);
    is_file && open().is_ok_and(|file| file.try_lock().is_ok())
}

/// The plain files of a folder that have a name as [`Staged`] gives it.
fn temporary_files(folder: &Path) -> Vec<PathBuf> {
    // A folder that cannot be read is told of by whoever needs it.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        // A symbolic link is none of ours, whatever its name.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| is_temporary(name, ""))
        })
        .map(|entry| entry.path())
        .collect()
}

/// How long another run is waited for; a large class on a slow disk takes its time.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long without saying so.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// How often it is tried: no operating system tells when a lock is free and gives up after a time.
const LOCK_POLL: Duration = Duration::from_millis(20);

impl Staged {
    /// Writes the bytes next to where they will be, under a name that nobody can foresee.
    pub(crate) fn write(destination: &Path, bytes: &[u8], access: Access) -> Result<Self, Error> {
        let folder = parent(destination);
        let temporary = folder.join(temporary_name("")?);
        let mut file = os::create_new(&temporary, access).map_err(io_error("write", &temporary))?;
        // From here on the file is there, so it is removed when something fails.
        let staged = Self {
            temporary,
            destination: destination.to_owned(),
        };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(io_error("write", &staged.temporary))?;
        Ok(staged)
    }

    /// Gives the file its name; refuses when something has that name, were it a symbolic link.
    pub(crate) fn publish(self) -> Result<PathBuf, Error> {
        rename_new(&self.temporary, &self.destination)?;
        let folder = parent(&self.destination);
        os::sync_folder(folder).map_err(io_error("write to", folder))?;
        Ok(self.destination.clone())
    }

    /// Gives the file its name; what had that name is gone.
    fn replace(self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.destination)
            .map_err(io_error("replace", &self.destination))?;
        let folder = parent(&self.destination);
        os::sync_folder(folder).map_err(io_error("write to", folder))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename nothing is left to remove, and no one to tell if it cannot be removed.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes a file that was not there.
pub(crate) fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    Staged::write(path, bytes, access)?.publish().map(drop)
}

/// Writes a file that this program keeps, in place of the one before.
pub(crate) fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    Staged::write(path, bytes, access)?.replace()
}

/// Gives a file another name in the same file system, unless something has that name.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::Exists(to.to_owned()));
        }
        // Some file systems know no hard links (FAT, on a stick for the class). There an empty
        // file takes the name first, which fails if something has it; then it is replaced.
        Err(_) => {
            os::create_new(to, Access::Private).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::Exists(to.to_owned()),
                _ => io_error("write", to)(error),
            })?;
            return fs::rename(from, to).map_err(|error| {
                // Nobody else made it, and whoever comes next would find the name taken.
                let _ = fs::remove_file(to);
                io_error("write", to)(error)
            });
        }
    }
    fs::remove_file(from).map_err(io_error("remove", from))
}

/// A name that nobody can foresee, for what has not its own yet.
pub(crate) fn temporary_name(kind: &str) -> Result<String, Error> {
    let random = random::<TEMPORARY_BYTES>()?.map(hex).concat();
    Ok(format!(".{kind}{random}.tmp"))
}

/// Whether [`temporary_name`] could have given this name.
pub(crate) fn is_temporary(name: &str, kind: &str) -> bool {
    let random = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(kind))
        .and_then(|rest| rest.strip_suffix(".tmp"));
    random.is_some_and(|random| {
        random.len() == 2 * TEMPORARY_BYTES
            && random
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether a CA's folder that has not its own name yet has this one.
pub(crate) fn is_draft(name: &str) -> bool {
    is_temporary(name, DRAFT)
}

/// In the name of a CA's folder that has not its own yet.
pub(crate) const DRAFT: &str = "ca-";
/// The random bytes in the name of a temporary file.
const TEMPORARY_BYTES: usize = 12;

/// Makes a folder that nobody else can enter.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    os::create_folder(path).map_err(io_error("make", path))
}

/// Reads a file of at most `bytes_max`; `None` when it is not there.
pub(crate) fn read_if_there(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    use std::io::Read as _;

    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    // Room for all of it: growing would leave a copy behind, and it may be a key.
    let room = file.metadata().map_or(0, |there| there.len());
    let room = usize::try_from(room.min(bytes_max) + 1).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Error::Damaged {
            path: path.to_owned(),
            fault: format!("it has more than {} MiB", bytes_max >> 20),
        });
    }
    Ok(Some(bytes))
}

/// Reads a text file of at most `bytes_max`; `None` when it is not there.
pub(crate) fn read_text_if_there(path: &Path, bytes_max: u64) -> Result<Option<String>, Error> {
    let Some(bytes) = read_if_there(path, bytes_max)? else {
        return Ok(None);
    };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::Damaged {
            path: path.to_owned(),
            fault: "it is not UTF-8".to_owned(),
        })
}

/// Says that a file which has to be there is not.
pub(crate) fn missing(path: &Path) -> Error {
    Error::NoFile(path.to_owned())
}

/// The folder that a file lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

pub(crate) fn hex(byte: u8) -> String {
    format!("{byte:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("alice.pem");
        write_new(&path, b"one", Access::Private).expect("written");
        let staged = Staged::write(&path, b"two", Access::Private).expect("beside it");
        assert!(matches!(staged.publish(), Err(Error::Exists(_))));
        assert_eq!(fs::read(&path).expect("a file"), b"one");
        assert_eq!(names(above.path()), ["alice.pem"], "nothing is left over");

        replace(&path, b"three", Access::Private).expect("replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"three");
        assert_eq!(names(above.path()), ["alice.pem"], "nothing is left over");
    }

    #[test]
    fn a_rename_that_fails_takes_no_name() {
        let above = tempfile::tempdir().expect("a folder");
        let (from, to) = (above.path().join("none"), above.path().join("alice.pem"));
        rename_new(&from, &to).expect_err("nothing to rename");
        assert!(names(above.path()).is_empty());
    }

    #[test]
    fn a_file_that_is_not_published_is_gone() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("alice.pem");
        drop(Staged::write(&path, b"one", Access::Private).expect("written"));
        assert!(names(above.path()).is_empty());
    }

    #[test]
    fn only_names_that_are_given_here_are_temporary() {
        let name = temporary_name("").expect("random bytes");
        assert!(is_temporary(&name, ""), "{name}");
        let digits = "0123456789abcdef01234567";
        assert!(is_temporary(&format!(".{digits}.tmp"), ""));
        assert!(is_temporary(&format!(".ca-{digits}.tmp"), DRAFT));
        assert!(!is_temporary(&format!(".{digits}.tmp"), DRAFT));
        for other in [
            format!("{digits}.tmp"),
            format!(".{digits}"),
            format!(".{digits}.pem"),
            format!(".{digits}0.tmp"),
            format!(".{}.tmp", &digits[1..]),
            format!(".{}.tmp", digits.to_uppercase()),
            format!(".{}g.tmp", &digits[1..]),
            format!(".ca-{digits}.tmp"),
            ".tmp".to_owned(),
        ] {
            assert!(!is_temporary(&other, ""), "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_that_was_planted_is_not_followed() {
        let above = tempfile::tempdir().expect("a folder");
        let (path, elsewhere) = (
            above.path().join("alice.pem"),
            above.path().join("elsewhere"),
        );
        std::os::unix::fs::symlink(&elsewhere, &path).expect("linked");
        let refused = write_new(&path, b"key", Access::Private);
        assert!(matches!(refused, Err(Error::Exists(_))));
        assert!(!elsewhere.exists());
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("index.txt");
        fs::write(&path, "12345").expect("written");
        assert_eq!(
            read_if_there(&path, 5).expect("5 bytes"),
            Some(b"12345".to_vec())
        );
        assert!(matches!(
            read_if_there(&path, 4),
            Err(Error::Damaged { .. })
        ));
        assert_eq!(
            read_if_there(&above.path().join("none"), 4).expect("none"),
            None
        );
    }
}
