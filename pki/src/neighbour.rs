//! Files that somebody may have meant: one with a similar name, or one that lies where `ca-tool`
//! puts it. Only for advice; nothing is ever read instead of the file that was named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::form::shell_word;
use crate::profile::Purpose;

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 4096;
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

/// Returns a .pem file in a folder, of the wanted kind if it is a CA's folder.
pub(crate) fn example_for(wanted: Purpose, folder: &Path) -> Option<PathBuf> {
    let usual = match wanted {
        Purpose::Client => example_in(&folder.join("people")),
        Purpose::Server => Some(folder.join("server.pem")).filter(|file| file.is_file()),
    };
    usual.or_else(|| example_in(folder))
}

/// Returns a .pem file in a folder: the first one by name.
fn example_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().take(ENTRIES_MAX);
    let files = entries.map(|entry| entry.path());
    files
        .filter(|file| file.extension().is_some_and(|e| e == "pem") && file.is_file())
        .min()
}

/// Returns a person's file as an example: one near `path` if there is one.
pub(crate) fn persons_file(path: &Path) -> String {
    let people = folder_of(path).join("people");
    let there = example_in(&people).or_else(|| example_in(Path::new("ca/people")));
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
    fn in_the_folder_of_a_ca_the_file_of_a_person_or_of_the_server_is_named() {
        let ca = std::env::temp_dir().join(format!("neighbours-{}", std::process::id()));
        let example = |wanted| example_for(wanted, &ca);
        fs::create_dir_all(&ca).expect("a folder");
        fs::write(ca.join("ca.pem"), "x").expect("written");
        assert_eq!(example(Purpose::Client), Some(ca.join("ca.pem")));
        fs::create_dir(ca.join("people")).expect("a folder");
        fs::write(ca.join("people/bob.pem"), "x").expect("written");
        fs::write(ca.join("server.pem"), "x").expect("written");
        assert_eq!(example(Purpose::Client), Some(ca.join("people/bob.pem")));
        assert_eq!(example(Purpose::Server), Some(ca.join("server.pem")));
        fs::remove_dir_all(&ca).expect("removed");
    }

    #[test]
    fn a_mistyped_name_finds_the_file_that_was_meant() {
        let folder = std::env::temp_dir().join(format!("neighbour-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
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
        fs::remove_dir_all(&folder).expect("removed");
    }
}
