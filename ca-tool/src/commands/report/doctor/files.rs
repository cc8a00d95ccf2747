//! The files in a folder, by their extension.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the plain files in a folder that have one of these extensions, sorted.
pub(super) fn files_in(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    // A folder that does not exist contains nothing.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| extensions.contains(&extension))
        })
        .collect();
    files.sort();
    files
}
