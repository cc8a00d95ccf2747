//! The window as a whole: where things stand on screens of many sizes.

use super::*;

#[test]
fn lines_of_others_stand_on_the_left_and_our_own_on_the_right() {
    let mut w = Window::open();
    w.size(100, 12);
    w.says("bob", "hello there");
    w.says("alice", "hi bob");
    w.minute = 1;
    w.says("张三", "你好 👨‍👩‍👧");
    w.shows(
        "
        ┃                                                                        │ 1 here
        ┃                                                                        │ alice (you, student)
        ┃                                                                        │
        ┃                                                                        │
        ┃                                                                        │
        ┃                                                                        │
        ┃───────────────────────────── 2026-11-21 ────────────────────────────── │
        ┃19:00 [bob@192.0.2.9] hello there                                       │
        ┃                                               [alice@192.0.2.7] hi bob │
        ┃19:01 [张三@192.0.2.9] 你好 👨‍👩‍👧                                          │
        ┃<bar>
        ┃>",
    );
    let own = w.style_of("hi bob").fg;
    assert!(own != Some(Color::Reset) && w.style_of("alice (you").fg == own);
    assert_eq!(w.style_of("hello there").fg, Some(Color::Reset));
    let (bob, zhang) = (w.style_of("bob@"), w.style_of("张"));
    assert!(bob.fg != Some(Color::Reset) && bob.fg != zhang.fg);
}

/// What a person most needs is left, and the way to the rest is right, at every width.
#[test]
fn the_status_line_says_what_matters_most_and_where_help_is() {
    let mut w = Window::open();
    for (columns, bar) in [
        (
            120,
            " connected · \"Networks 101\" · 12 ms · chat.example:27332",
        ),
        (
            80,
            " connected · \"Networks 101\" · 1 here · 12 ms · chat.example:27332",
        ),
        (40, " connected · \"Networks 101\" · … F1 help"),
        (20, " connected · \"Netwo…"),
    ] {
        w.size(columns, 12);
        let shown = w.bar();
        assert!(shown.starts_with(bar), "{columns}: {shown}");
        assert!(
            columns < 30 || shown.ends_with(" F1 help"),
            "{columns}: {shown}"
        );
    }
    w.key(KeyCode::F(1));
    assert!(w.screen().join("\n").contains("/whois ID"));
}

#[test]
fn a_narrow_window_leaves_out_addresses_and_the_list_unless_it_is_asked_for_them() {
    let mut w = Window::with(|choices, _| choices.is_short = None);
    w.says("bob", "hello");
    w.entry("* carol@192.0.2.9 entered");
    for columns in [99, 100] {
        w.size(columns, 12);
        let screen = w.screen().join("\n");
        let is_wide = columns >= 100;
        assert_eq!(
            screen.contains("[bob@192.0.2.9] hello"),
            is_wide,
            "{screen}"
        );
        assert_eq!(
            screen.contains("carol@192.0.2.9 entered"),
            is_wide,
            "{screen}"
        );
        assert_eq!(screen.contains("│ 1 here"), is_wide, "{screen}");
        assert_eq!(w.bar().contains(" 1 here"), !is_wide, "{screen}");
        w.key(KeyCode::F(9));
        assert_eq!(w.screen().join("\n").contains("[bob] hello"), is_wide);
        w.app.choices.is_short = None;
    }
}

/// Everything that the window shows at once, on the page that shows it.
#[test]
fn the_window_in_the_readme_is_the_one_that_is_drawn() {
    let mut w = Window::open();
    w.size(100, 14);
    w.answers("= who 3 count=4");
    for (id, more) in [
        ("alice", "role=student"),
        ("bob", "role=student name=\"Bob Li\""),
        ("dr.okafor", "role=instructor"),
        ("张三", "role=student"),
    ] {
        w.answers(&format!(
            "= here {id} {more} ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    w.entry("* dr.okafor@192.0.2.9 entered");
    w.entry("* bob@192.0.2.9 entered");
    w.entry("* 张三@192.0.2.9 entered");
    w.says(
        "dr.okafor",
        "good evening! who has a certificate that OpenSSL believes?",
    );
    w.minute = 1;
    w.says("alice", "mine verifies with -x509_strict");
    w.says(
        "张三",
        "我的也可以 🎉 alice, how did you get the CRL's number to go up?",
    );
    w.types("ca-tool does it at each");
    let readme = include_str!("../../../../README.md");
    let shown = readme
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let drawn = w.screen().join("\n") + "\n";
    assert!(shown == Some(drawn.as_str()), "put this there:\n{drawn}");
}

#[test]
fn a_large_terminal_shows_everything_at_once() {
    let mut w = Window::open();
    w.size(200, 50);
    w.says("bob", &"好 ".repeat(90));
    w.says("alice", &"ok ".repeat(60));
    let screen = w.screen();
    assert_eq!(screen.len(), 50);
    let said: Vec<&str> = screen[44..48]
        .iter()
        .map(|row| row.split('│').next().unwrap_or_default().trim_end())
        .collect();
    assert_eq!(
        said,
        [
            format!("19:00 [bob@192.0.2.9] {}", "好 ".repeat(50).trim_end()),
            format!("        {}", "好 ".repeat(40).trim_end()),
            format!(
                "{}[alice@192.0.2.7] {}",
                " ".repeat(40),
                "ok ".repeat(38).trim_end()
            ),
            format!("{}{}", " ".repeat(42), "ok ".repeat(22).trim_end()),
        ]
    );
}

#[test]
fn the_classic_theme_has_own_lines_green_and_those_of_others_red() {
    let mut w = Window::with(|choices, _| choices.theme = Theme::Classic);
    w.says("bob", "hello there");
    w.says("alice", "hi bob");
    assert_eq!(w.style_of("hi bob").fg, Some(Color::Green));
    assert_eq!(w.style_of("hello").fg, Some(Color::Red));
}

#[test]
fn a_narrow_terminal_has_no_list_and_a_tiny_one_no_times() {
    let mut w = Window::open();
    w.says("bob", "a longer text that has to go on in the next row");
    w.says("alice", "mine");
    w.size(40, 12);
    w.shows(
        "
        ┃────────────── 2026-11-21 ──────────────
        ┃19:00 [bob@192.0.2.9] a longer text that
        ┃        has to go on in the next row
        ┃                  [alice@192.0.2.7] mine
        ┃<bar>
        ┃>",
    );
    w.size(20, 8);
    w.shows(
        "
        ┃[bob@192.0.2.9] a
        ┃  longer text that
        ┃  has to go on in
        ┃  the next row
        ┃[alice@192.0.2.7] mi
        ┃  ne
        ┃<bar>
        ┃>",
    );
}

#[test]
fn nothing_breaks_on_a_terminal_of_any_size() {
    let mut w = Window::open();
    for n in 1..30 {
        w.says("bob", &"x张👨‍👩‍👧 ".repeat(n));
        w.says("alice", "hello");
    }
    w.types("some 张三 👨‍👩‍👧 text");
    // All narrow ones, and those where something begins to be shown.
    for columns in (0..45).chain([60, 80, 99, 100, 101, 140]) {
        for rows in [0, 1, 2, 3, 4, 5, 24] {
            w.size(columns, rows);
            if columns > 0 && rows > 0 {
                w.buffer();
            }
            w.key(KeyCode::PageUp);
            w.key(KeyCode::PageDown);
            w.wheel(MouseEventKind::Down(MouseButton::Left), 3, 0);
        }
    }
    for mode in [
        Mode::Help { first: 3 },
        Mode::Asking(vec!["one".to_owned(); 20]),
    ] {
        w.app.mode = mode;
        for columns in (1..45).chain([60, 80, 100, 140]) {
            for rows in 1..12 {
                w.size(columns, rows);
                w.buffer();
            }
        }
    }
}

#[test]
fn no_continuation_begins_where_a_stamp_begins() {
    let mut w = Window::open();
    let forged = "[carol@192.0.2.8] I did it";
    // At some widths, one of these would wrap so that the forged stamp begins a row.
    for pad in 0..80 {
        w.says("eve", &format!("{} {forged}", "x".repeat(pad)));
    }
    for columns in 30..90 {
        w.size(columns, 400);
        for row in w.screen() {
            let row: String = row.chars().collect();
            assert!(!row.starts_with("      [carol"), "{columns}: {row}");
            assert!(!row.starts_with("[carol"), "{columns}: {row}");
        }
    }
}

#[test]
fn days_are_set_apart() {
    let mut w = Window::open();
    w.size(40, 10);
    w.says("bob", "good night");
    w.minute = 600;
    w.says("bob", "good morning");
    w.shows(
        "
        ┃────────────── 2026-11-21 ──────────────
        ┃19:00 [bob@192.0.2.9] good night
        ┃────────────── 2026-11-22 ──────────────
        ┃05:00 [bob@192.0.2.9] good morning
        ┃<bar>
        ┃>",
    );
}

#[test]
fn all_of_the_help_can_be_read_on_any_terminal() {
    let mut w = Window::open();
    let all = |w: &mut Window| {
        w.key(KeyCode::F(1));
        let mut seen = w.screen().join("\n");
        let mut before = String::new();
        while before != w.screen().join("\n") {
            before = w.screen().join("\n");
            w.key(KeyCode::Down);
            seen += &w.screen().join("\n");
        }
        w.key(KeyCode::Enter);
        assert_eq!(w.app.mode, Mode::Writing);
        seen
    };
    for (columns, rows) in [(80, 24), (40, 12), (200, 50), (60, 5)] {
        w.size(columns, rows);
        let seen = all(&mut w);
        for part in [
            "/whois ID",
            "show or hide the people list",
            "N [before SEQ]",
            "C-c, C-d, /quit",
        ] {
            assert!(seen.contains(part), "{columns}x{rows}: {part}");
        }
        for (row, _) in seen.lines().filter_map(|row| row.rsplit_once('│')) {
            assert!(!row.contains('…'), "{columns}x{rows}: {row}");
        }
    }
    w.size(40, 12);
    w.key(KeyCode::F(1));
    w.key(KeyCode::PageDown);
    w.key(KeyCode::PageUp);
    w.shows(
        "
        ┃┌ help: Esc closes it, PgDn goes on ───┐
        ┃│ /help                                │
        ┃│   list the commands                  │
        ┃│ /who                                 │
        ┃│   list the people here               │
        ┃│ /whois ID                            │
        ┃│   show a person's role, address and  │
        ┃│   sessions                           │
        ┃│ /history [N [before SEQ]]            │
        ┃└──────────────────────────────────────┘
        ┃<bar>
        ┃>",
    );
}

#[test]
fn the_help_covers_all_of_the_room_and_not_the_status_line() {
    let mut w = Window::open();
    for (columns, rows) in [(80, 24), (120, 40), (200, 50)] {
        w.size(columns, rows);
        for n in 1..=60 {
            w.says("bob", &format!("{n} {}", "words ".repeat(40)));
        }
        let bar = w.bar();
        w.key(KeyCode::F(1));
        let screen = w.screen();
        assert_eq!(screen.len(), usize::from(rows));
        assert!(
            screen[0].starts_with("┌ help: Esc closes it"),
            "{}",
            screen[0]
        );
        for row in &screen[1..usize::from(rows) - 3] {
            assert!(row.starts_with("│ ") && row.ends_with('│'), "{row}");
            assert!(!row.contains("bob@") && !row.contains("alice"), "{row}");
        }
        assert!(screen[usize::from(rows) - 3].starts_with('└'));
        assert!(
            w.bar()
                .starts_with(bar.trim_end_matches(" F1 help").trim_end()),
            "{}",
            w.bar()
        );
        w.key(KeyCode::Esc);
        assert_eq!(w.app.mode, Mode::Writing);
    }
}

#[test]
fn a_box_has_its_edge_also_where_it_cuts_a_wide_character() {
    let mut w = Window::open();
    for text in ["张".repeat(30), format!("x{}", "张".repeat(30))] {
        w.says("bob", &text);
        w.says("bob", &text);
    }
    w.size(70, 9);
    w.happens(Happened::Paste("1\n2\n3\n4".to_owned()));
    let screen = w.screen();
    let edges = screen
        .iter()
        .filter(|row| row.contains("│ ") && row.ends_with(|c| c != '┐'));
    assert_eq!(edges.count(), 4, "{}", screen.join("\n"));
}

#[test]
fn the_text_of_others_moves_no_cursor() {
    let mut w = Window::open();
    let evil = "whois \u{1b}]52;c;aGk=\u{7} \u{1b}[2J \u{202e}evil";
    // The parser refuses it, and the window does not rely on that.
    assert!(ServerLine::parse(&format!("= {evil}")).is_err());
    w.hears(Event::Reply(Reply::Other(evil.to_owned())));
    assert!(w.screen().join("\n").contains("evil"));
    for row in w.screen() {
        assert!(!row.chars().any(wire::is_forbidden), "{row:?}");
    }
}
