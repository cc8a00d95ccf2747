//! Files that somebody may have meant: one with a similar name, or one that lies where `ca-tool`
//! puts it. Only for advice; nothing is ever read instead of the file that was named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::form::shell_word;

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 4096;
/// Files that are read in search of an example.
const EXAMPLES_MAX: usize = 64;
/// Letters in which a mistyped name may differ: changed, missing, too many, or swapped.
const DISTANCE_MAX: usize = 2;

/// Returns the file beside `path` whose name is most like its own, if any is.
pub fn alike(path: &Path) -> Option<PathBuf> {
    let wanted = path.file_name()?.to_str()?.to_lowercase();
    let folder = folder_of(path);
    let with_pem = path.with_file_name(format!("{}.pem", path.file_name()?.to_str()?));
    if with_pem.is_file() {
        return Some(with_pem);
    }
    let mut near: Vec<(usize, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).ok()?.flatten().take(ENTRIES_MAX) {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let distance = strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
        let stem = name.split('.').next().unwrap_or_default().chars().count();
        if distance <= DISTANCE_MAX.min(stem / 2) && entry.path().is_file() {
            near.push((distance, path.with_file_name(name)));
        }
    }
    near.sort();
    let nearest = near.into_iter().next().map(|(_, file)| file);
    // A file that lies where `ca-tool issue` puts it.
    let in_people = Path::new("ca/people").join(path.file_name()?);
    nearest.or_else(|| in_people.is_file().then_some(in_people))
}

/// Returns the first .pem file in a folder, by name, that fits. Few are read: this is for advice alone.
pub(crate) fn example_in(folder: &Path, fits: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().take(ENTRIES_MAX);
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|e| e == "pem") && file.is_file())
        .collect();
    files.sort();
    files.into_iter().take(EXAMPLES_MAX).find(|file| fits(file))
}

/// Returns a person's file as an example: one near `path` if there is one that fits.
pub(crate) fn persons_file(path: &Path, fits: &dyn Fn(&Path) -> bool) -> String {
    let people = folder_of(path).join("people");
    let there = example_in(&people, fits).or_else(|| example_in(Path::new("ca/people"), fits));
    there.map_or_else(
        || "ca/people/alice.pem".to_owned(),
        |file| shell_word(&file),
    )
}

/// Returns a server's file as an example: one near `path` if there is one.
pub(crate) fn servers_file(path: &Path) -> String {
    let beside = path.with_file_name("server.pem");
    match beside.is_file() && beside != path {
        true => shell_word(&beside),
        false => "ca/server.pem".to_owned(),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_the_file_that_was_meant() {
        let there = tempfile::tempdir().expect("a folder");
        let folder = there.path();
        for name in ["alice.pem", "bob.pem", "notes.txt"] {
            fs::write(folder.join(name), "x").expect("written");
        }
        for (typed, meant) in [
            ("alcie.pem", Some("alice.pem")),
            ("Alice.pem", Some("alice.pem")),
            ("alice", Some("alice.pem")),
            ("alice.pme", Some("alice.pem")),
            ("alise.pem", Some("alice.pem")),
            // Everything but one letter differs.
            ("eve.pem", None),
            ("zoe.pem", None),
        ] {
            let found = alike(&folder.join(typed));
            assert_eq!(found, meant.map(|name| folder.join(name)), "{typed}");
        }
    }

    #[test]
    fn an_example_is_the_first_file_that_fits() {
        let there = tempfile::tempdir().expect("a folder");
        let folder = there.path();
        let people = folder.join("people");
        fs::create_dir(&people).expect("a folder");
        for file in [
            "ca.pem",
            "server.pem",
            "notes.txt",
            "people/bob.pem",
            "people/zoe.pem",
        ] {
            fs::write(folder.join(file), "x").expect("written");
        }
        let fits = |file: &Path| !file.ends_with("ca.pem") && !file.ends_with("bob.pem");
        assert_eq!(example_in(folder, &fits), Some(folder.join("server.pem")));
        assert_eq!(example_in(&people, &fits), Some(people.join("zoe.pem")));
        assert_eq!(example_in(&people, &|_: &Path| false), None);
        assert_eq!(example_in(&folder.join("gone"), &fits), None);

        let ca = folder.join("ca.pem");
        let zoe = shell_word(people.join("zoe.pem"));
        assert_eq!(persons_file(&ca, &fits), zoe);
        assert_eq!(persons_file(&ca, &|_: &Path| false), "ca/people/alice.pem");
        let server = folder.join("server.pem");
        assert_eq!(servers_file(&ca), shell_word(&server));
        // It is the file that was refused.
        assert_eq!(servers_file(&server), "ca/server.pem");
    }
}
