//! The parts of the program that a view without a terminal could use know nothing of one.

use std::fs;
use std::path::Path;

#[test]
fn only_the_views_know_the_libraries_of_a_terminal() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Both views read keys, and one file does it for them.
    let (window, plain) = (src.join("window"), src.join("plain"));
    let keys = src.join("keys.rs");
    let (mut files, mut in_window) = (0, 0);
    for path in kit::files_below(&src) {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let (draws, reads_keys) = (text.contains("ratatui::"), text.contains("crossterm::"));
        files += 1;
        if path.starts_with(&window) {
            in_window += usize::from(draws || reads_keys);
        } else {
            assert!(!draws, "{}", path.display());
            assert!(
                !reads_keys || path.starts_with(&plain) || path == keys,
                "{}",
                path.display()
            );
        }
    }
    assert!(files > 40 && in_window > 5, "{files} {in_window}");
}
