//! Moves older bundles out of the way of new ones, and never overwrites a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::files;
use crate::error::{Error, io_error};
use crate::ledger::index::Index;
use crate::people::parcel::serial_in;

/// Returns where to move the file that has a bundle's place, or `None` if the place is free. The only
/// file that is ever moved is an older bundle of the same person.
pub(super) fn old_place(place: &Path, index: &Index) -> Result<Option<PathBuf>, String> {
    let in_the_way = |why: &str| {
        let place = place.display();
        Err(format!(
            "{place} already exists{why}; nothing is overwritten"
        ))
    };
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot look at {}: {error}", place.display())),
        Ok(there) if !there.is_file() => return in_the_way(" and is no plain file"),
        Ok(_) => {}
    }
    let (Some(stem), Some(extension)) = (
        place.file_stem().and_then(|stem| stem.to_str()),
        place.extension().and_then(|extension| extension.to_str()),
    ) else {
        return in_the_way("");
    };
    let Some(serial) = serial_in(place) else {
        return in_the_way("");
    };
    // A person with a valid certificate was skipped, so this bundle is an old one.
    let theirs = index.find(&serial).and_then(|entry| entry.person());
    if theirs.is_none_or(|(person, _)| person.as_str() != stem) {
        return in_the_way("");
    }
    let name = format!("{stem}-{}.{extension}", serial.to_string().to_uppercase());
    Ok(Some(files::parent(place).join("old").join(name)))
}

/// Moves an old bundle out of the way of the new one.
pub(super) fn move_old(place: &Path, old: &Path) -> Result<(), Error> {
    files::create_folder(files::parent(old))?;
    if !finish_rename(place, old)? {
        files::rename_new(place, old)?;
    }
    files::sync_folder(files::parent(old))
}

/// Finishes the renaming of a file if a run was killed during it: then both names are the same file, or
/// the second is an empty file that kept the place. Returns whether that was so.
pub(super) fn finish_rename(from: &Path, to: &Path) -> Result<bool, Error> {
    if !fs::symlink_metadata(to).is_ok_and(|there| there.is_file()) {
        return Ok(false);
    }
    let there = fs::read(to).map_err(io_error("read", to))?;
    let waiting = fs::read(from).map_err(io_error("read", from))?;
    if there == waiting {
        fs::remove_file(from).map_err(io_error("remove", from))?;
        return Ok(true);
    }
    if there.is_empty() {
        fs::rename(from, to).map_err(io_error("write", to))?;
        return Ok(true);
    }
    Ok(false)
}
