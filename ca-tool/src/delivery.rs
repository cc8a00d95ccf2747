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

use crate::error::{Error, io_error};
use crate::folder::{self, Folder};
use crate::index::Index;
use crate::os::{self, Access};
use crate::register::TEXT_BYTES_MAX;

/// Files that are on their way.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    folder: &'a Folder,
    /// The folders in which files wait, each inside the one to which they go.
    rooms: Vec<PathBuf>,
    parcels: Vec<Parcel>,
    /// Whether the index may know them. Until then, to drop a delivery is to undo it.
    may_be_recorded: bool,
}

/// One file.
#[derive(Debug)]
struct Parcel {
    waiting: PathBuf,
    bytes: Vec<u8>,
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
            let line = line_of(folder, &destination.join(folder::temporary_name("")?))?;
            delivery.rooms.push(folder.path().join(&line));
            pending.push(line);
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
        bytes: Vec<u8>,
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
    let mut rooms = Vec::new();
    for line in read_pending(folder)? {
        let room = folder.path().join(&line);
        let name = room.file_name().and_then(|name| name.to_str());
        // Only what a delivery made is touched, whatever stands in the file.
        if name.is_some_and(|name| folder::is_temporary(name, "")) {
            rooms.push(room);
        }
    }
    let mut settled = Vec::new();
    for room in rooms {
        if settle_room(&room, index, &mut outcome)? {
            settled.push(room);
        }
    }
    forget(folder, &settled)?;
    Ok(outcome)
}

/// Says whether nothing of the room is left.
fn settle_room(room: &Path, index: &Index, outcome: &mut Outcome) -> Result<bool, Error> {
    let destination = folder::parent(room);
    match fs::symlink_metadata(room) {
        // Who put a link in its place keeps other things there.
        Ok(there) if !there.is_dir() => return Ok(true),
        Ok(_) => {}
        Err(_) if destination.is_dir() => return Ok(true),
        Err(_) => {
            say!(
                "ca-tool: note: {} cannot be reached; a run that was cut short may have left keys there",
                room.display()
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
    let Some(serial) = crate::parcel::serial_in(place) else {
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

/// A folder as `.pending` names it. What lies in the CA's folder may move with it.
fn line_of(folder: &Folder, room: &Path) -> Result<String, Error> {
    let path = match room.strip_prefix(folder.path()) {
        Ok(inside) => inside.to_owned(),
        Err(_) => std::path::absolute(room).map_err(io_error("find", room))?,
    };
    let line = path.to_str().filter(|line| !line.contains(['\n', '\r']));
    line.map(str::to_owned)
        .ok_or_else(|| Error::PlaceName(folder::parent(room).to_owned()))
}

fn read_pending(folder: &Folder) -> Result<Vec<String>, Error> {
    let text = folder::read_text_if_there(&folder.pending(), TEXT_BYTES_MAX)?;
    let text = text.unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

fn write_pending(folder: &Folder, lines: &[String]) -> Result<(), Error> {
    let path = folder.pending();
    if lines.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &path)(error))
            }
            _ => sync_folder(folder.path()),
        };
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
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
    let lines: Vec<_> = before
        .iter()
        .filter(|line| !gone.contains(&&folder.path().join(line)))
        .cloned()
        .collect();
    if lines != before {
        write_pending(folder, &lines)?;
    }
    Ok(())
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    os::sync_folder(path).map_err(io_error("write to", path))
}
