//! Writing, pasting and saying.

use super::*;

#[test]
fn a_line_is_dim_until_it_is_acknowledged_and_is_shown_once() {
    let mut w = Window::open();
    w.size(60, 8);
    w.enters("hello");
    assert_eq!(w.out, ["hello"]);
    assert_eq!(w.style_of("hello").fg, w.app.colours.dim().fg);
    w.answers("= ok k3v9q2a7-1 1");
    assert_eq!(w.style_of("hello").fg, w.app.colours.own().fg);
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
        screen.contains("! not sent (the disk is nearly full): hello"),
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
    assert_eq!(w.out, ["/whois bob", "/slash"]);
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
fn a_paste_of_more_than_one_line_is_one_question() {
    let mut w = Window::open();
    w.size(60, 10);
    w.happens(Happened::Paste("one\r\ntwo".to_owned()));
    assert!(
        w.screen()
            .join("\n")
            .contains(" say these 2 lines to everybody? Enter yes, Esc no ")
    );
    w.key(KeyCode::Enter);
    assert_eq!(w.out, ["one", "two"]);
    w.out.clear();
    w.types("x");
    let pasted = (1..=12)
        .map(|n| format!("pasted {n}\n"))
        .collect::<String>();
    w.happens(Happened::Paste(pasted.clone()));
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" say these 12 lines to everybody? Enter yes, Esc no "),
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

/// Nothing in a paste is a command, wherever it stands.
#[test]
fn pasted_text_is_said_as_it_is() {
    let mut w = Window::open();
    w.size(60, 14);
    w.happens(Happened::Paste(
        "#!/bin/sh\n/quit\n\n/* a comment */\n//x\n\n".to_owned(),
    ));
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" say these 4 lines to everybody? "),
        "{screen}"
    );
    assert!(screen.contains("blank lines are left out"), "{screen}");
    w.key(KeyCode::Char('y'));
    assert_eq!(w.out, ["#!/bin/sh", "/quit", "/* a comment */", "//x"]);
    assert_eq!(w.effects, []);
    w.out.clear();
    // One line waits for Enter, like one that is typed.
    w.happens(Happened::Paste("/usr/bin/env".to_owned()));
    assert!(w.bar().contains("pasted: the slash is said"), "{}", w.bar());
    w.key(KeyCode::Enter);
    assert_eq!(w.out, ["/usr/bin/env"]);
    // With the rest typed, it was perhaps meant as a command.
    w.happens(Happened::Paste("/msg dr.okafor ".to_owned()));
    w.types("secret");
    w.key(KeyCode::Enter);
    assert!(matches!(w.app.mode, Mode::Doubting(_)), "{:?}", w.app.mode);
    // A second paste does not answer, and is not lost in silence.
    w.happens(Happened::Paste("y\n/quit\n".to_owned()));
    assert!(matches!(w.app.mode, Mode::Doubting(_)), "{:?}", w.app.mode);
    w.key(KeyCode::Esc);
    let screen = w.screen().join("\n");
    assert!(screen.contains("the paste was dropped"), "{screen}");
    assert_eq!(w.out.len(), 1);
    // A pasted command is asked about, because people do paste commands.
    w.happens(Happened::Paste("/who".to_owned()));
    w.key(KeyCode::Enter);
    assert_eq!(w.out.len(), 1);
    assert!(
        w.screen()
            .join("\n")
            .contains("/who was pasted, so it is text and not a command")
    );
    w.key(KeyCode::Esc);
    // A slash that was typed is a command as ever, also in place of a pasted one.
    w.happens(Happened::Paste("/who".to_owned()));
    w.control('u');
    w.enters("/who");
    // Recalled, the pasted line is what it was.
    w.key(KeyCode::Up);
    w.key(KeyCode::Up);
    w.key(KeyCode::Up);
    w.key(KeyCode::Up);
    assert_eq!(w.app.editor.text(), "//usr/bin/env");
    w.key(KeyCode::Enter);
    assert_eq!(w.out[1..], ["/who", "/usr/bin/env"]);
}

#[test]
fn pastes_and_lines_that_begin_with_blanks_stay_left_and_keep_their_indentation() {
    let mut w = Window::open();
    w.size(60, 10);
    w.happens(Happened::Paste("def f():\n    return 1".to_owned()));
    w.key(KeyCode::Enter);
    let rows = "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [alice@192.0.2.7] def f():
        ┃      [alice@192.0.2.7]     return 1
        ┃<bar>
        ┃>";
    let waiting: Vec<String> = w.screen();
    assert_eq!(waiting[0], "      [alice@192.0.2.7] def f():");
    assert_eq!(waiting[1], "      [alice@192.0.2.7]     return 1");
    w.says("alice", "def f():");
    w.says("alice", "    return 1");
    w.shows(rows);
    w.enters("  typed");
    assert!(
        w.screen()
            .join("\n")
            .contains("\n      [alice@192.0.2.7]   typed")
    );
}

#[test]
fn a_near_miss_of_a_command_is_not_said_to_everybody() {
    let mut w = Window::open();
    w.enters(" /msg dr.okafor secret");
    assert_eq!(w.out, [""; 0]);
    let screen = w.screen().join("\n");
    assert!(screen.contains("! not sent (there is no /msg"), "{screen}");
    w.enters("help");
    assert_eq!(w.out, [""; 0]);
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" say it to everybody? Enter yes, Esc no "),
        "{screen}"
    );
    assert!(
        screen.contains("the command is /help; without its slash"),
        "{screen}"
    );
    w.key(KeyCode::Esc);
    assert_eq!(w.out, [""; 0]);
    w.enters("help");
    w.key(KeyCode::Enter);
    w.enters("help me");
    w.enters("// a slash");
    w.enters(" ／who");
    assert_eq!(w.out, ["help", "help me", "/ a slash", "/who"]);
}

#[test]
fn one_key_gives_the_mouse_to_the_terminal_and_takes_it_back() {
    let mut w = Window::open();
    w.key(KeyCode::F(7));
    assert_eq!(w.effects, [Effect::Mouse(false)]);
    w.key(KeyCode::F(7));
    assert_eq!(w.effects, [Effect::Mouse(true)]);
    w.key(KeyCode::F(1));
    w.key(KeyCode::PageDown);
    let screen = w.screen().join("\n");
    assert!(screen.contains("hold Shift"), "{screen}");
}

#[test]
fn the_colours_follow_the_background_that_the_terminal_tells() {
    let mut w = Window::with(|choices, facts| {
        choices.theme = Theme::Auto;
        facts.ground = Ground::Unknown;
    });
    w.says("bob", "hello");
    let unknown = w.style_of("bob").fg;
    w.happens(Happened::Background(Rgb([1.0; 3])));
    let light = w.style_of("bob").fg;
    w.happens(Happened::Background(Rgb([0.0; 3])));
    let dark = w.style_of("bob").fg;
    assert!(unknown != light && light != dark && dark != unknown);
    // A theme that was chosen stays.
    let mut w = Window::open();
    w.says("bob", "hello");
    w.happens(Happened::Background(Rgb([1.0; 3])));
    assert_eq!(w.style_of("bob").fg, dark);
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
