//! The folders in which files wait for delivery, as the file `.pending` names them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pki::Serial;

use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::disk::folder::Folder;
use crate::error::{Error, io_error};
use crate::os::{self, Access};

/// A folder in which files wait: one line of `.pending`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitingFolder {
    /// Its path. It is relative if it is within the CA's folder, because then it moves with that.
    path: String,
    /// Its device, if it is elsewhere: where a USB stick was mounted, an empty folder may remain.
    device: Option<u64>,
}

impl WaitingFolder {
    /// Names a folder whose destination exists.
    pub(super) fn new(folder: &Folder, path: &Path) -> Result<Self, Error> {
        let destination = files::parent(path);
        let (place, device) = match path.strip_prefix(folder.path()) {
            Ok(inside) => (inside.to_owned(), None),
            Err(_) => {
                let place = std::path::absolute(path).map_err(io_error("find", path))?;
                let device = os::device(destination).map_err(io_error("find", destination))?;
                (place, device)
            }
        };
        let line = place.to_str().filter(|line| !line.contains(['\n', '\r']));
        let path = line.ok_or_else(|| Error::PlaceName(destination.to_owned()))?;
        Ok(Self {
            path: path.to_owned(),
            device,
        })
    }

    fn parse(line: &str) -> Self {
        let with_device = line.strip_prefix(DEVICE).and_then(|rest| {
            let (device, path) = rest.split_once(' ')?;
            Some((path, device.parse().ok()?))
        });
        let (path, device) = with_device.map_or((line, None), |(path, n)| (path, Some(n)));
        Self {
            path: path.to_owned(),
            device,
        }
    }

    fn format(&self) -> String {
        match self.device {
            Some(device) => format!("{DEVICE}{device} {}\n", self.path),
            None => format!("{}\n", self.path),
        }
    }

    /// Returns its path.
    pub(super) fn path(&self, folder: &Folder) -> PathBuf {
        folder.path().join(&self.path)
    }

    /// Returns whether its destination is still the same one. If it is, and this folder does not exist
    /// there, it does not exist at all.
    pub(super) fn is_within_reach(&self, folder: &Folder) -> bool {
        let path = self.path(folder);
        let destination = files::parent(&path);
        let device = || os::device(destination).ok().flatten();
        destination.is_dir() && (self.device.is_none() || self.device == device())
    }
}

/// Comes before a device's number.
const DEVICE: &str = "device=";

/// Reads `.pending`.
pub(super) fn read_pending(folder: &Folder) -> Result<Vec<WaitingFolder>, Error> {
    let text = files::read_text_if_there(&folder.pending(), TEXT_BYTES_MAX)?;
    let text = text.unwrap_or_default();
    Ok(text.lines().map(WaitingFolder::parse).collect())
}

/// Writes `.pending`, or removes it if nothing waits.
pub(super) fn write_pending(folder: &Folder, waiting: &[WaitingFolder]) -> Result<(), Error> {
    let path = folder.pending();
    if waiting.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &path)(error))
            }
            _ => files::sync_folder(folder.path()),
        };
    }
    let text: String = waiting.iter().map(WaitingFolder::format).collect();
    files::replace(&path, text.as_bytes(), Access::Public)
}

/// Removes these folders and their lines, except for folders in which something waits.
pub(super) fn forget(folder: &Folder, paths: &[PathBuf]) -> Result<(), Error> {
    let mut gone = Vec::new();
    for path in paths {
        // This fails if something waits in it.
        let _ = fs::remove_dir(path);
        if fs::symlink_metadata(path).is_err() {
            gone.push(path);
        }
    }
    let before = read_pending(folder)?;
    let left: Vec<_> = before
        .iter()
        .filter(|waiting| !gone.contains(&&waiting.path(folder)))
        .cloned()
        .collect();
    if left != before {
        write_pending(folder, &left)?;
    }
    Ok(())
}

/// Returns the name under which a file waits. It begins with the serial number, so that the index can be
/// asked about it.
pub(super) fn waiting_name(serial: &Serial, name: &str) -> String {
    format!("{}-{name}", serial.to_string().to_uppercase())
}

/// Splits a name that [`waiting_name`] made.
pub(super) fn read_waiting_name(name: &str) -> Option<(Serial, &str)> {
    let (serial, name) = name.split_once('-')?;
    Some((Serial::parse(serial)?, name))
}
