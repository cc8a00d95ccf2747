//! The parts of the program that a view without a terminal could use know nothing of one.

use std::fs;
use std::path::Path;

#[test]
fn only_the_window_knows_the_libraries_that_draw_on_a_terminal() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut in_window) = (0, 0);
    for path in kit::files_below(&src) {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let draws = ["ratatui::", "crossterm::"]
            .iter()
            .any(|library| text.contains(library));
        files += 1;
        if path.starts_with(src.join("window")) {
            in_window += usize::from(draws);
        } else {
            assert!(!draws, "{}", path.display());
        }
    }
    assert!(files > 40 && in_window > 5, "{files} {in_window}");
}
