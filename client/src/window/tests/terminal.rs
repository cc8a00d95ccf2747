//! The window on a terminal of its own.

use super::*;

/// The test is two programs: on a terminal it is the one that panics.
#[test]
fn a_panic_is_told_on_a_terminal_that_is_as_it_was() {
    const PANICS: &str = "COUNTERSIGN_TEST_PANICS";
    if std::env::var_os(PANICS).is_some() {
        let mut screen = super::super::screen::Screen::open(true).expect("a terminal");
        let w = Window::open();
        screen.draw(&w.app).expect("drawn");
        panic!("on purpose");
    }
    let test = std::env::current_exe().expect("a test knows its own program");
    let (_, module) = module_path!()
        .split_once("::")
        .expect("a module of a crate");
    let name = format!("{module}::a_panic_is_told_on_a_terminal_that_is_as_it_was");
    let command = pty_process::blocking::Command::new(test)
        .args(["--exact", &name, "--nocapture"])
        .env(PANICS, "1");
    let mut terminal = kit::Terminal::open(80, 24, command);
    assert!(!terminal.ends().success());
    let written = String::from_utf8_lossy(terminal.written()).into_owned();
    let taken = written
        .find("\x1b[?1049h")
        .expect("the terminal was taken over");
    let told = written.find("on purpose").expect("the panic is told");
    let given_back = written
        .find("\x1b[?1049l")
        .expect("the terminal was given back");
    assert!(taken < given_back && given_back < told, "{written:?}");
    let screen = terminal.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), kit::MouseProtocolMode::None);
    let settings = terminal.settings();
    assert!(
        settings.contains(" icanon ") && settings.contains(" echo "),
        "{settings}"
    );
}
