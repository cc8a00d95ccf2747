//! Bundles and certificates go out together with their lines of the index: all of them or none.
//!
//! They are written into folders that nobody can foresee, and `.pending` says which. Then the index
//! names their serial numbers: that is the moment at which they exist. Then they get their own
//! names. Whoever takes the lock next finishes what the index knows and removes what it does not,
//! so a run that is cut short at any moment is one that was, or one that never was.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use pki::Serial;
use zeroize::Zeroizing;

use crate::disk::folder::{self, Folder};
use crate::error::{Error, io_error};
use crate::ledger::index::Index;
use crate::ledger::register::TEXT_BYTES_MAX;
use crate::os::{self, Access};

/// Files that are on their way.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    folder: &'a Folder,
    /// Where files wait, each inside the folder to which they go.
    rooms: Vec<PathBuf>,
    parcels: Vec<Parcel>,
    /// Whether the index may know them. Until then, to drop a delivery is to undo it.
    may_be_recorded: bool,
}

/// One file.
#[derive(Debug)]
struct Parcel {
    waiting: PathBuf,
    /// A key may be among them.
    bytes: Zeroizing<Vec<u8>>,
    access: Access,
}

/// What a delivery that was cut short came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Files that have their names now.
    pub(crate) finished: usize,
    /// Files that nobody was ever to see.
    pub(crate) removed: usize,
}

impl<'a> Delivery<'a> {
    /// Begins a delivery to these folders. The lock is held.
    pub(crate) fn begin(folder: &'a Folder, destinations: &[&Path]) -> Result<Self, Error> {
        let mut delivery = Self {
            folder,
            rooms: Vec::new(),
            parcels: Vec::new(),
            may_be_recorded: false,
        };
        let mut pending = read_pending(folder)?;
        for destination in destinations {
            let room = Room::new(folder, &destination.join(folder::temporary_name("")?))?;
            delivery.rooms.push(room.path(folder));
            pending.push(room);
        }
        // Before the first key is on the disk it is known where it will be.
        write_pending(folder, &pending)?;
        for room in &delivery.rooms {
            folder::create_folder(room)?;
        }
        Ok(delivery)
    }

    /// Adds a file for the destination of this number. Nothing is written yet.
    pub(crate) fn add(
        &mut self,
        destination: usize,
        serial: &Serial,
        name: &str,
        bytes: Zeroizing<Vec<u8>>,
        access: Access,
    ) {
        self.parcels.push(Parcel {
            waiting: self.rooms[destination].join(waiting_name(serial, name)),
            bytes,
            access,
        });
    }

    /// Brings the files to the disk, and calls `progress` with how many there are by then.
    pub(crate) fn write(&self, mut progress: impl FnMut(usize)) -> Result<(), Error> {
        let mut written = 0;
        // A disk is faster when it is asked for many things at once. For a few it is not worth a
        // thread.
        let at_once = if self.parcels.len() < 2 * WRITERS {
            1
        } else {
            WRITERS
        };
        for parcels in self.parcels.chunks(at_once * WRITES_BETWEEN_REPORTS) {
            if at_once == 1 {
                parcels.iter().try_for_each(Parcel::write)?;
            } else {
                write_at_once(parcels)?;
            }
            written += parcels.len();
            progress(written);
        }
        for room in &self.rooms {
            sync_folder(room)?;
            sync_folder(folder::parent(room))?;
        }
        Ok(())
    }

    /// The index is being written. From here on only who reads it knows what became of this.
    pub(crate) fn may_be_recorded(&mut self) {
        self.may_be_recorded = true;
    }

    /// Gives a file its name. When something has that name by now, the file waits.
    pub(crate) fn publish(
        &self,
        destination: usize,
        serial: &Serial,
        name: &str,
    ) -> Result<PathBuf, Error> {
        let room = &self.rooms[destination];
        let place = folder::parent(room).join(name);
        folder::rename_new(&room.join(waiting_name(serial, name)), &place)?;
        Ok(place)
    }

    /// Ends a delivery; files that did not get their names are tried again by the next run.
    pub(crate) fn end(self) -> Result<(), Error> {
        for room in &self.rooms {
            sync_folder(folder::parent(room))?;
        }
        forget(self.folder, &self.rooms)
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if !self.may_be_recorded {
            for room in &self.rooms {
                // No one to tell if it cannot be removed; the next run tries again.
                let _ = fs::remove_dir_all(room);
            }
            let _ = forget(self.folder, &self.rooms);
        }
    }
}

impl Parcel {
    fn write(&self) -> Result<(), Error> {
        use std::io::Write as _;

        os::create_new(&self.waiting, self.access)
            .and_then(|mut file| {
                file.write_all(&self.bytes)?;
                file.sync_all()
            })
            .map_err(io_error("write", &self.waiting))
    }
}

fn write_at_once(parcels: &[Parcel]) -> Result<(), Error> {
    let share = parcels.len().div_ceil(WRITERS);
    thread::scope(|scope| {
        let writers: Vec<_> = parcels
            .chunks(share)
            .map(|parcels| scope.spawn(|| parcels.iter().try_for_each(Parcel::write)))
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })
}

/// How many files are brought to the disk at once.
const WRITERS: usize = 8;
/// How many each writer writes before somebody hears of it.
const WRITES_BETWEEN_REPORTS: usize = 8;

/// Finishes the deliveries that were cut short, or undoes them. The lock is held.
pub(crate) fn settle(folder: &Folder, index: &Index) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let mut settled = Vec::new();
    for room in read_pending(folder)? {
        let path = room.path(folder);
        let name = path.file_name().and_then(|name| name.to_str());
        // Only what a delivery made is touched, whatever stands in the file.
        if !name.is_some_and(|name| folder::is_temporary(name, "")) {
            continue;
        }
        match settle_room(&room, folder, index, &mut outcome) {
            Ok(true) => settled.push(path),
            Ok(false) => {}
            // A stick that cannot be written holds up nobody, least of all who is to be revoked.
            Err(error) => {
                let path = path.display();
                say!("ca-tool: note: what a run that was cut short left in {path} stays: {error}");
            }
        }
    }
    forget(folder, &settled)?;
    Ok(outcome)
}

/// Says whether nothing of the room is left.
fn settle_room(
    room: &Room,
    folder: &Folder,
    index: &Index,
    outcome: &mut Outcome,
) -> Result<bool, Error> {
    let is_here = room.is_within_reach(folder);
    let room = &room.path(folder);
    let destination = folder::parent(room);
    match fs::symlink_metadata(room) {
        // Who put a link in its place keeps other things there.
        Ok(there) if !there.is_dir() => return Ok(true),
        Ok(_) => {}
        Err(_) if is_here => return Ok(true),
        Err(_) => {
            let pending = folder.pending();
            let (room, pending) = (room.display(), pending.display());
            say!(
                "ca-tool: note: {room} cannot be reached; a run that was cut short may have left keys there; if it is gone for good, take its line out of {pending}"
            );
            return Ok(false);
        }
    }
    let mut is_empty = true;
    let entries = fs::read_dir(room).map_err(io_error("read", room))?;
    for entry in entries.flatten() {
        let waiting = entry.path();
        let name = entry.file_name();
        let Some((serial, name)) = name.to_str().and_then(read_waiting_name) else {
            is_empty = false;
            continue;
        };
        let is_good = index
            .find(&serial)
            .is_some_and(|record| record.revoked.is_none() || record.is_on_hold());
        if !is_good {
            fs::remove_file(&waiting).map_err(io_error("remove", &waiting))?;
            outcome.removed += 1;
        } else if settle_file(&waiting, &destination.join(name), index)? {
            outcome.finished += 1;
        } else {
            is_empty = false;
        }
    }
    sync_folder(destination)?;
    if is_empty {
        fs::remove_dir(room).map_err(io_error("remove", room))?;
    }
    Ok(is_empty)
}

/// Gives a file the name that it was to have, unless something else has that name.
fn settle_file(waiting: &Path, place: &Path, index: &Index) -> Result<bool, Error> {
    if finish_rename(waiting, place)? {
        return Ok(true);
    }
    let moved = match old_place(place, index) {
        Ok(None) => Ok(()),
        Ok(Some(old)) => move_old(place, &old),
        Err(what) => {
            say!("ca-tool: note: {what}, and {} waits", waiting.display());
            return Ok(false);
        }
    };
    moved.and_then(|()| folder::rename_new(waiting, place))?;
    Ok(true)
}

/// Whether a run was killed while it renamed this file: then both names are the same file, or the
/// second is the empty one that kept the place. If so, the file has its new name alone now.
fn finish_rename(from: &Path, to: &Path) -> Result<bool, Error> {
    if !fs::symlink_metadata(to).is_ok_and(|there| there.is_file()) {
        return Ok(false);
    }
    let lies_there = fs::read(to).map_err(io_error("read", to))?;
    let waits = fs::read(from).map_err(io_error("read", from))?;
    if lies_there == waits {
        fs::remove_file(from).map_err(io_error("remove", from))?;
        return Ok(true);
    }
    if lies_there.is_empty() {
        fs::rename(from, to).map_err(io_error("write", to))?;
        return Ok(true);
    }
    Ok(false)
}

/// Where to put what lies in a bundle's place; `None` when nothing lies there. Only a bundle of
/// the same person, whose certificate is over, is ever moved.
pub(crate) fn old_place(place: &Path, index: &Index) -> Result<Option<PathBuf>, String> {
    let in_the_way = |why: &str| {
        let place = place.display();
        Err(format!(
            "{place} is there already{why}; nothing is overwritten"
        ))
    };
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot look at {}: {error}", place.display())),
        Ok(there) if !there.is_file() => return in_the_way(", and is no plain file"),
        Ok(_) => {}
    }
    let (Some(stem), Some(extension)) = (
        place.file_stem().and_then(|stem| stem.to_str()),
        place.extension().and_then(|extension| extension.to_str()),
    ) else {
        return in_the_way("");
    };
    let Some(serial) = crate::people::parcel::serial_in(place) else {
        return in_the_way("");
    };
    // Who has a certificate that is good was skipped, so theirs is one that is over.
    let theirs = index.find(&serial).and_then(|record| record.person());
    if theirs.is_none_or(|(person, _)| person.as_str() != stem) {
        return in_the_way("");
    }
    let name = format!("{stem}-{}.{extension}", serial.to_string().to_uppercase());
    Ok(Some(folder::parent(place).join("old").join(name)))
}

/// Moves an old bundle out of the way of the new one.
pub(crate) fn move_old(place: &Path, old: &Path) -> Result<(), Error> {
    folder::create_folder(folder::parent(old))?;
    if !finish_rename(place, old)? {
        folder::rename_new(place, old)?;
    }
    sync_folder(folder::parent(old))
}

/// The names of files that wait begin with the number by which the index may know them.
fn waiting_name(serial: &Serial, name: &str) -> String {
    format!("{}-{name}", serial.to_string().to_uppercase())
}

fn read_waiting_name(name: &str) -> Option<(Serial, &str)> {
    let (serial, name) = name.split_once('-')?;
    Some((Serial::parse(serial)?, name))
}

/// A folder in which files wait, as a line of `.pending` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Room {
    /// From the CA's folder on, if it is in there: then it moves with it.
    path: String,
    /// On which device it is, if it is not: where a stick was, an empty folder may stay.
    device: Option<u64>,
}

impl Room {
    /// The folder to which its files go is there.
    fn new(folder: &Folder, path: &Path) -> Result<Self, Error> {
        let destination = folder::parent(path);
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

    fn path(&self, folder: &Folder) -> PathBuf {
        folder.path().join(&self.path)
    }

    /// Whether the folder to which its files go is the one that it was: if the room is not there
    /// then, it is nowhere.
    fn is_within_reach(&self, folder: &Folder) -> bool {
        let path = self.path(folder);
        let destination = folder::parent(&path);
        let device = || os::device(destination).ok().flatten();
        destination.is_dir() && (self.device.is_none() || self.device == device())
    }
}

/// Before a device's number.
const DEVICE: &str = "device=";

fn read_pending(folder: &Folder) -> Result<Vec<Room>, Error> {
    let text = folder::read_text_if_there(&folder.pending(), TEXT_BYTES_MAX)?;
    let text = text.unwrap_or_default();
    Ok(text.lines().map(Room::parse).collect())
}

fn write_pending(folder: &Folder, rooms: &[Room]) -> Result<(), Error> {
    let path = folder.pending();
    if rooms.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &path)(error))
            }
            _ => sync_folder(folder.path()),
        };
    }
    let text: String = rooms.iter().map(Room::format).collect();
    folder::replace(&path, text.as_bytes(), Access::Public)
}

/// Removes these folders, unless something waits in them, and their lines.
fn forget(folder: &Folder, rooms: &[PathBuf]) -> Result<(), Error> {
    let mut gone = Vec::new();
    for room in rooms {
        // A folder in which something waits is not removed.
        let _ = fs::remove_dir(room);
        if fs::symlink_metadata(room).is_err() {
            gone.push(room);
        }
    }
    let before = read_pending(folder)?;
    let left: Vec<_> = before
        .iter()
        .filter(|room| !gone.contains(&&room.path(folder)))
        .cloned()
        .collect();
    if left != before {
        write_pending(folder, &left)?;
    }
    Ok(())
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    os::sync_folder(path).map_err(io_error("write to", path))
}
