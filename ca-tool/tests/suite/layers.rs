//! Each folder of the source leaves some work to another.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every file of the source outside of these folders: its path, and its text before its tests.
fn sources_outside(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in kit::files_below(&root) {
        let within = path.strip_prefix(&root).expect("below it").to_owned();
        if !folders.iter().any(|folder| within.starts_with(folder)) {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]\nmod ").next();
            found.push((within, code.unwrap_or_default().to_owned()));
        }
    }
    assert!(found.len() > 50, "only {} were found", found.len());
    found
}

fn assert_absent(sources: &[(PathBuf, String)], banned: &[&str]) {
    for (path, text) in sources {
        for word in banned {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    let printing = ["println!", "eprint", "io::stderr()", "print!("];
    assert_absent(&sources_outside(&["cli"]), &printing);
    // The system is asked where standard output leads, and nothing is written to it.
    assert_absent(&sources_outside(&["cli", "os"]), &["io::stdout()"]);
}

#[test]
fn no_report_can_load_a_key() {
    let mut reports = sources_outside(&[]);
    reports.retain(|(path, _)| path.starts_with("commands/report"));
    assert!(reports.len() > 5, "only {} were found", reports.len());
    assert_absent(
        &reports,
        &["crate::ca", "crate::keys", "crate::sign::issuer"],
    );
}

#[test]
fn only_one_folder_knows_the_operating_systems() {
    let branches = ["cfg(unix", "cfg(windows", "cfg(not(", "cfg(target", "cfg!("];
    assert_absent(&sources_outside(&["os"]), &branches);
}
