//! Writing, pasting and saying.

use super::*;

#[test]
fn a_line_is_dim_until_it_is_acknowledged_and_is_shown_once() {
    let mut w = Window::open();
    w.size(60, 8);
    w.enters("hello");
    assert_eq!(w.out, ["hello"]);
    assert!(w.style_of("hello").add_modifier.contains(Modifier::DIM));
    w.answers("= ok k3v9q2a7-1 1");
    assert!(!w.style_of("hello").add_modifier.contains(Modifier::DIM));
    w.says("alice", "hello");
    let shown = |w: &Window| w.screen().concat().matches("hello").count();
    assert_eq!(shown(&w), 1);
    // The entry may come first.
    w.enters("again");
    w.says("alice", "again");
    assert_eq!(w.screen().concat().matches("again").count(), 1);
    w.answers("= ok k3v9q2a7-2 2");
    assert_eq!(w.screen().concat().matches("again").count(), 1);
    assert!(w.app.room.own.iter().next().is_none());
}

#[test]
fn a_refused_line_is_told_with_the_reason() {
    let mut w = Window::open();
    w.enters("hello");
    w.answers("! disk-low k3v9q2a7-1 the disk is nearly full");
    assert!(w.app.room.own.iter().next().is_none());
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· not sent (the disk is nearly full): hello"),
        "{screen}"
    );
}

#[test]
fn text_that_may_not_be_said_is_not_sent_and_slashes_are_commands() {
    let mut w = Window::open();
    w.enters("/hsitory");
    w.enters("/say k3v9q2a7-1 hi");
    w.enters("/whois bob");
    w.enters("//slash");
    w.enters("history");
    assert_eq!(w.out, ["/whois bob", "/slash", "history"]);
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("there is no /hsitory; did you mean"),
        "{screen}"
    );
    w.enters("/help");
    assert_eq!(w.app.mode, Mode::Help { first: 0 });
    assert!(w.screen().join("\n").contains("/whois ID"));
    w.types("x");
    assert_eq!(w.app.mode, Mode::Writing);
}

#[test]
fn more_than_three_pasted_lines_are_asked_about() {
    let mut w = Window::open();
    w.size(60, 10);
    w.happens(Happened::Paste("one\r\ntwo\rthree".to_owned()));
    assert_eq!(w.out, ["one", "two", "three"]);
    w.out.clear();
    w.types("x");
    let pasted = (1..=12)
        .map(|n| format!("pasted {n}\n"))
        .collect::<String>();
    w.happens(Happened::Paste(pasted.clone()));
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" send these 12 lines? Enter yes, Esc no "),
        "{screen}"
    );
    assert!(screen.contains("│ xpasted 1 "), "{screen}");
    w.key(KeyCode::Esc);
    assert_eq!((w.out.len(), w.app.editor.text()), (0, "x"));
    w.happens(Happened::Paste(pasted));
    w.key(KeyCode::Enter);
    assert_eq!(w.out.len(), 12);
    assert_eq!(w.out[0], "xpasted 1");
    assert!(w.app.editor.is_empty());
}

#[test]
fn the_input_grows_and_tells_how_much_is_left() {
    let mut w = Window::open();
    w.size(20, 12);
    w.types("张三张三张三张三张三 and on");
    assert_eq!(
        w.screen()[w.screen().len() - 2..],
        ["> 张三张三张三张三", "  张三 and on"]
    );
    w.size(80, 12);
    w.happens(Happened::Paste("x".repeat(3990)));
    assert!(
        w.screen().join("\n").contains("bytes left"),
        "{:?}",
        w.screen()
    );
}

#[test]
fn a_tab_completes_people_here_and_people_who_spoke() {
    let mut w = Window::open();
    w.says("barbara", "hi");
    w.types("ba");
    w.key(KeyCode::Tab);
    assert_eq!(w.app.editor.text(), "barbara: ");
}

#[test]
fn a_key_counts_when_it_goes_down_and_not_when_it_comes_up() {
    let mut w = Window::open();
    for kind in [KeyEventKind::Press, KeyEventKind::Release] {
        let key = KeyEvent::new_with_kind(KeyCode::Char('a'), KeyModifiers::NONE, kind);
        w.happens(Happened::Key(key));
    }
    assert_eq!(w.app.editor.text(), "a");
}
