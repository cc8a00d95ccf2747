//! Keys go in, and the line with its cursor comes out.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use unicode_segmentation::UnicodeSegmentation as _;
use wire::Line;

use super::*;

/// Keys as they are written here: `<C-a>`, `<M-b>`, `<Left>`; anything else is typed.
fn keys(keys: &str) -> Vec<KeyEvent> {
    let mut all = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let key = name.and_then(|(name, after)| Some((named(name)?, after)));
        let typed = || (bare(KeyCode::Char(c)), &rest[c.len_utf8()..]);
        let (key, after) = key.unwrap_or_else(typed);
        all.push(key);
        rest = after;
    }
    all
}

fn named(name: &str) -> Option<KeyEvent> {
    let (modifiers, name) = match name.split_once('-') {
        Some(("C", name)) => (KeyModifiers::CONTROL, name),
        Some(("M", name)) => (KeyModifiers::ALT, name),
        Some(("CM", name)) => (KeyModifiers::CONTROL | KeyModifiers::ALT, name),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Backspace" => KeyCode::Backspace,
        "Delete" => KeyCode::Delete,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Tab" => KeyCode::Tab,
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "F8" => KeyCode::F(8),
        _ => KeyCode::Char(name.chars().next().filter(|c| name.len() == c.len_utf8())?),
    };
    Some(KeyEvent::new(code, modifiers))
}

fn bare(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

const HERE: [&str; 5] = ["alice", "bob", "Alina", "张三", "प्रिया"];

/// Presses keys. Returns the effect of the last of them.
fn press(editor: &mut Editor, text: &str) -> Pressed {
    let mut last = Pressed::Ignored;
    for key in keys(text) {
        last = editor.press(key);
        if last == Pressed::Complete {
            last = editor.complete(HERE.into_iter());
        }
    }
    last
}

/// An editor in which keys were pressed.
fn after(keys: &str) -> Editor {
    let mut editor = Editor::new();
    press(&mut editor, keys);
    editor
}

/// The line, with the cursor as `|`.
fn seen(editor: &Editor) -> String {
    let (before, after) = editor.text().split_at(editor.cursor());
    format!("{before}|{after}")
}

fn check(rows: &[(&str, &str)]) {
    for (keys, expected) in rows {
        assert_eq!(seen(&after(keys)), *expected, "{keys}");
    }
}

#[test]
fn typed_text_stands_at_the_cursor() {
    check(&[
        ("", "|"),
        ("hello", "hello|"),
        ("ho<Left>ell", "hell|o"),
        ("ello<Home>h", "h|ello"),
        ("ello<C-a>h<C-e>!", "hello!|"),
        ("a<Left><Left><Left>b<End><Right>c", "bac|"),
        ("abc<C-b><C-b>x", "ax|bc"),
        ("你好<Left>们", "你们|好"),
    ]);
}

#[test]
fn a_character_is_a_grapheme() {
    check(&[
        ("a👨‍👩‍👧<Backspace>", "a|"),
        ("👨‍👩‍👧b<Left><Left>", "|👨‍👩‍👧b"),
        ("ae\u{301}<Backspace>", "a|"),
        ("e\u{301}x<Home><Delete>", "|x"),
        ("e\u{301}x<Home><C-d>", "|x"),
        ("🇩🇪🇨🇳<Left>", "🇩🇪|🇨🇳"),
        ("नमस्ते<Backspace>", "नम|"),
        ("张三<C-h>", "张|"),
    ]);
}

#[test]
fn when_two_characters_become_one_the_cursor_stands_after_it() {
    check(&[
        // An accent that comes late, and half a flag before another.
        ("ex<Left>\u{301}", "e\u{301}|x"),
        ("🇩🇪<Home>🇨", "🇨🇩|🇪"),
        ("👨x👩<Left><Backspace>\u{200d}", "👨\u{200d}👩|"),
    ]);
}

#[test]
fn cut_text_comes_back() {
    check(&[
        ("one two<C-w>", "one |"),
        ("one two  <C-w><C-w>", "|"),
        ("one two<C-u>", "|"),
        ("one two<Left><C-u>", "|o"),
        ("one two<Home><Right><C-k>", "o|"),
        ("one two<C-w><Home><C-y> ", "two |one "),
        ("one two<Home><C-k><C-y><C-y>", "one twoone two|"),
        // Several cuts in a row are one, in the order of the text.
        ("one two<C-w><C-w>x<C-y>", "xone two|"),
        ("one two<Home><M-d><M-d>x<C-y>", "xone two|"),
        ("one two<M-b><C-k><C-u><C-y>", "one two|"),
        ("one two<C-w><Left><Right><C-w><C-y>", "one |"),
        // Nothing is nothing: the last cut stays, and goes on.
        ("one two<C-w><C-k><C-w>x<C-y>", "xone two|"),
        ("one<C-u>x<C-k><C-y>", "xone|"),
    ]);
}

#[test]
fn words_are_letters_and_digits_or_stand_between_blanks() {
    check(&[
        ("one two.three<M-b>", "one two.|three"),
        ("one two.three<C-w>", "one |"),
        ("one two.three<M-b><M-b>", "one |two.three"),
        ("one two<Home><M-f>", "one| two"),
        ("one two<Home><M-f><M-f><M-f>", "one two|"),
        ("one two<Home><M-d>", "| two"),
        ("one, two<M-Backspace><M-Backspace>", "|"),
        ("one two<C-Left>", "one |two"),
        ("one two<Home><M-Right>", "one| two"),
        ("one two<C-Backspace>", "one |"),
        ("你好，张三<M-b>", "你好，|张三"),
        ("ne\u{301}e<M-b>", "|ne\u{301}e"),
    ]);
}

#[test]
fn enter_sends_the_line_and_never_an_empty_one() {
    let mut editor = after("hello");
    assert_eq!(
        press(&mut editor, "<Enter>"),
        Pressed::Send("hello".to_owned())
    );
    assert_eq!(seen(&editor), "|");
    assert_eq!(press(&mut editor, "<Enter>"), Pressed::Ignored);
    assert_eq!(press(&mut editor, "x<C-j>"), Pressed::Send("x".to_owned()));
}

#[test]
fn keys_that_are_not_for_the_line_are_left_to_others() {
    let mut editor = after("x<Home>");
    for key in [
        "<C-f>", "<C-c>", "<C-z>", "<C-g>", "<Esc>", "<F8>", "<M-x>", "<CM-x>",
    ] {
        assert_eq!(press(&mut editor, key), Pressed::Ignored, "{key}");
    }
    // Of an empty line C-d means to leave, and else to remove.
    assert_eq!(press(&mut editor, "<C-d>"), Pressed::Changed);
    assert_eq!(press(&mut editor, "<C-d>"), Pressed::Ignored);
    let released = KeyEvent {
        kind: KeyEventKind::Release,
        ..bare(KeyCode::Char('x'))
    };
    assert_eq!(editor.press(released), Pressed::Ignored);
    assert_eq!(seen(&editor), "|");
}

#[test]
fn alt_gr_types_the_character_that_it_makes() {
    check(&[("a<CM-@>b<CM-ą>", "a@bą|")]);
}

#[test]
fn text_that_may_not_be_said_cannot_be_typed() {
    check(&[("a\u{1b}\u{202e}\u{7}\u{200e}\u{feff}b\tc", "ab\tc|")]);
}

#[test]
fn text_that_does_not_fit_is_refused_and_nothing_changes() {
    let mut editor = Editor::new();
    editor.set(&"x".repeat(4094));
    assert_eq!(editor.bytes_left(), 2);
    assert_eq!(press(&mut editor, "张"), Pressed::Full);
    assert_eq!(press(&mut editor, "ab"), Pressed::Changed);
    assert_eq!(press(&mut editor, "c"), Pressed::Full);
    assert_eq!(editor.bytes_left(), 0);
    assert_eq!(press(&mut editor, "<C-w><C-y><C-y>"), Pressed::Full);
    assert_eq!(editor.paste("c"), Pasted::Full);
    assert_eq!(editor.paste("c\nd"), Pasted::Full);
    assert_eq!(editor.paste("\u{1b}"), Pasted::Nothing);
    assert_eq!(editor.text().len(), 4096);
    editor.set("");
    assert_eq!(editor.paste(&"x".repeat(4097)), Pasted::Full);
    assert!(editor.is_empty());
}

#[test]
fn up_and_down_go_through_the_sent_lines_and_lose_nothing() {
    let sent = "one<Enter>two<Enter>two<Enter>three<Enter>";
    for (keys, expected) in [
        ("<Up>", "three|"),
        ("<Up><Up>", "two|"),
        ("<Up><Up><Up>", "one|"),
        ("<Up><Up><Up><Up>", "one|"),
        ("new<Up><Up><Down><Down>", "new|"),
        ("new<Up><Down><Down>", "new|"),
        ("<Down>", "|"),
        ("<C-p><C-p><C-n>", "three|"),
        // The changed line is still there, until something is sent.
        ("<Up>!<Up>?<Down>", "three!|"),
        ("<Up>!<Up>?<Down><Up>", "two?|"),
        ("<Up>!<Up><Down><Backspace><Up><Down>", "three|"),
        ("<Up>!<Up><Enter><Up><Up>", "three|"),
    ] {
        assert_eq!(seen(&after(&format!("{sent}{keys}"))), expected, "{keys}");
    }
}

#[test]
fn only_so_many_lines_are_remembered() {
    let mut editor = Editor::new();
    for number in 0..600 {
        press(&mut editor, &format!("{number}<Enter>"));
    }
    press(&mut editor, &"<Up>".repeat(600));
    assert_eq!(seen(&editor), "100|");
}

#[test]
fn a_line_that_was_sent_is_found_by_a_part_of_it() {
    let sent = "make tea<Enter>take a seat<Enter>make cake<Enter>make tea<Enter>";
    for (keys, query, found) in [
        ("<C-r>", "", None),
        ("<C-r>ak", "ak", Some("make tea")),
        ("<C-r>ake a", "ake a", Some("take a seat")),
        ("<C-r>ak<C-r>", "ak", Some("make cake")),
        ("<C-r>ak<C-r><C-r>", "ak", Some("take a seat")),
        ("<C-r>ak<C-r><C-r><C-r><C-r>", "ak", Some("make tea")),
        ("<C-r>xyz", "xyz", None),
        ("<C-r>xyz<C-r>", "xyz", None),
        ("<C-r>cakx<Backspace>", "cak", Some("make cake")),
        ("<C-r>c<Backspace><Backspace>", "", None),
        ("<C-r>c<C-f>", "c", Some("make cake")),
        // Equal lines are shown once.
        (
            "x<Enter>take a seat<Enter><C-r>ta<C-r>",
            "ta",
            Some("take a seat"),
        ),
        (
            "x<Enter>make tea<Enter><C-r>ak<C-r><C-r>",
            "ak",
            Some("take a seat"),
        ),
    ] {
        let editor = after(&format!("{sent}{keys}"));
        let searching = Some(Searching { query, found });
        assert_eq!(editor.searching(), searching, "{keys}");
        assert_eq!(seen(&editor), "|", "{keys}");
    }
}

#[test]
fn a_found_line_is_sent_or_taken_or_left() {
    let sent = "make tea<Enter>make cake<Enter>";
    for (keys, expected) in [
        ("new<C-r>tea<C-g>", "new|"),
        ("new<C-r>tea<Esc>", "make tea|"),
        ("new<C-r>tea<Right>!", "make tea!|"),
        ("new<C-r>tea<Home>", "|make tea"),
        ("new<C-r>tea<Esc><Down><Down>", "new|"),
        ("new<C-r>xyz<Esc>", "new|"),
        // Invisible text is not sent.
        ("new<C-r>xyz<Enter>", "new|"),
        ("new<C-r>tea<Enter>", "|"),
    ] {
        let editor = after(&format!("{sent}{keys}"));
        assert_eq!(seen(&editor), expected, "{keys}");
        assert_eq!(editor.searching(), None, "{keys}");
    }
    let mut editor = after(&format!("{sent}<C-r>tea"));
    let send = Pressed::Send("make tea".to_owned());
    assert_eq!(press(&mut editor, "<Enter>"), send);
    assert_eq!(press(&mut editor, "<C-r>tea<Enter>"), send);
}

#[test]
fn tab_completes_names() {
    check(&[
        ("al<Tab>", "alice: |"),
        ("al<Tab><Tab>", "Alina: |"),
        ("al<Tab><Tab><Tab>", "alice: |"),
        ("AL<Tab>", "alice: |"),
        ("thanks al<Tab>", "thanks alice |"),
        ("thanks al<Tab><Tab>!", "thanks Alina !|"),
        ("thanks @b<Tab>", "thanks @bob |"),
        ("(b<Tab>", "(bob |"),
        ("你好，张<Tab>", "你好，张三 |"),
        ("प्र<Tab>", "प्रिया: |"),
        ("hi<Home>b<Tab>", "bob: |hi"),
        ("/whois b<Tab>", "/whois bob |"),
        ("<Tab><Tab>", "bob: |"),
        // Another key ends it, and the next Tab completes the word that stands there now.
        ("al<Tab><Tab><Backspace><Backspace><Tab>", "Alina: |"),
        ("x<Tab>", "x|"),
    ]);
    assert_eq!(press(&mut Editor::new(), "x<Tab>"), Pressed::Ignored);
}

#[test]
fn tab_completes_commands_at_the_beginning_of_a_line() {
    check(&[
        ("/wh<Tab>", "/who|"),
        ("/wh<Tab><Tab>", "/whois |"),
        ("/HI<Tab>", "/history |"),
        ("/q<Tab>", "/quit|"),
        ("say /wh<Tab>", "say /wh|"),
        ("//wh<Tab>", "//wh|"),
        // The program itself says these.
        ("/sa<Tab>", "/sa|"),
        ("/fo<Tab>", "/fo|"),
    ]);
}

#[test]
fn a_completion_that_does_not_fit_is_refused() {
    let mut editor = Editor::new();
    let text = format!("{} al", "x".repeat(4090));
    editor.set(&text);
    assert_eq!(press(&mut editor, "<Tab>"), Pressed::Full);
    assert_eq!(press(&mut editor, "<Tab>"), Pressed::Full);
    assert_eq!(editor.text(), text);
    // The text that it replaces makes room for it.
    editor.set(&text[1..]);
    assert_eq!(press(&mut editor, "<Tab>"), Pressed::Changed);
    assert_eq!(editor.bytes_left(), 0);
}

#[test]
fn a_paste_of_one_line_is_a_part_of_the_line() {
    for (keys, pasted, expected) in [
        ("", "hi", "hi|"),
        ("ad<Left>", "bc", "abc|d"),
        ("", "hi\r\n", "hi|"),
        ("", "\n\nhi\r", "hi|"),
        ("", "a\tb", "a\tb|"),
        ("", "\u{1b}[31mred\u{202e}\u{200e}", "[31mred|"),
        ("", "👨‍👩‍👧 می‌خواهم", "👨‍👩‍👧 می‌خواهم|"),
    ] {
        let mut editor = after(keys);
        assert_eq!(editor.paste(pasted), Pasted::Inserted, "{pasted:?}");
        assert_eq!(seen(&editor), expected, "{pasted:?}");
    }
}

#[test]
fn a_paste_of_several_lines_waits_for_a_decision() {
    for pasted in [
        "1\n2\n3",
        "\r\n1\r\n2\r\n3\r\n\r\n",
        "1\r2\r3",
        "1\u{2028}2\u{85}3",
    ] {
        let mut editor = after("ad<Left>");
        let lines = ["a1", "2", "3d"].map(str::to_owned).to_vec();
        assert_eq!(editor.paste(pasted), Pasted::Lines(lines.clone()));
        assert_eq!(seen(&editor), "a|d");
        editor.sent(&lines);
        assert_eq!(seen(&editor), "|");
        press(&mut editor, "<Up><Up><Up><Up>");
        assert_eq!(seen(&editor), "a1|");
    }
}

#[test]
fn a_paste_keeps_the_blank_lines_within_it() {
    let mut editor = after("");
    let lines = ["1", "", " ", "2"].map(str::to_owned).to_vec();
    assert_eq!(editor.paste("1\r\n\r\n \n2\n"), Pasted::Lines(lines));
}

#[test]
fn a_pasted_slash_is_a_slash_until_it_is_gone() {
    let sends = |typed: &[(&str, bool)]| {
        let mut editor = Editor::new();
        for (text, is_pasted) in typed {
            match is_pasted {
                true => drop(editor.paste(text)),
                false => drop(press(&mut editor, text)),
            }
        }
        press(&mut editor, "<Enter>")
    };
    let as_it_is = |line: &str, share| Pressed::SendAsItIs(line.to_owned(), share);
    let (whole, begin) = (
        as_it_is("/etc/hosts", Share::Whole),
        as_it_is("/etc/hosts", Share::Begin),
    );
    assert_eq!(sends(&[("/etc/hosts", true)]), whole);
    assert_eq!(sends(&[("/etc", true), ("/hosts", false)]), begin);
    assert_eq!(
        sends(&[("/hosts", false), ("<Home>", false), ("/etc", true)]),
        begin
    );
    assert_eq!(
        sends(&[(" ", false), ("/quit", true)]),
        as_it_is(" /quit", Share::Whole)
    );
    let command = Pressed::Send("/etc/hosts".to_owned());
    assert_eq!(sends(&[("/etc/hosts", false)]), command);
    assert_eq!(sends(&[("/", false), ("etc/hosts", true)]), command);
    assert_eq!(sends(&[("/x", true), ("<C-u>/etc/hosts", false)]), command);
}

#[test]
fn a_paste_ends_a_search_and_a_completion() {
    for (before, pasted, then, expected) in [
        ("make tea<Enter><C-r>tea", "!", "", "make tea!|"),
        ("al<Tab>", "x", "<Tab>", "alice: x|"),
        ("one<C-w>", "two", "<C-w><C-y>", "two|"),
    ] {
        let mut editor = after(before);
        assert_eq!(editor.paste(pasted), Pasted::Inserted, "{before}");
        assert_eq!(editor.searching(), None, "{before}");
        press(&mut editor, then);
        assert_eq!(seen(&editor), expected, "{before}");
    }
}

#[test]
fn another_text_can_be_put_in_place_of_the_line() {
    let mut editor = after("old<Left>");
    editor.set("a\u{1b}b\r\nc");
    assert_eq!(seen(&editor), "ab c|");
    editor.set(&"张".repeat(2000));
    assert_eq!(editor.text().len(), 4095);
    assert_eq!(editor.take().len(), 4095);
    assert_eq!(seen(&editor), "|");
    assert_eq!(editor.take(), "");
    press(&mut editor, "<Up>");
    assert_eq!(editor.text().len(), 4095, "nothing is not remembered");
}

/// The acts of a person, and the forms that a terminal may give them.
#[derive(Debug, Clone)]
enum Did {
    Press(KeyEvent),
    Type(String),
    Paste(String),
    Set(String),
}

const PIECES: [&str; 16] = [
    "a", " ", "张", "👨", "\u{200d}", "👩", "\u{301}", "🇩", "🇪", "\u{fe0f}", "\u{200b}", "\t", "क",
    "\u{94d}", "\u{600}", "@",
];

fn did() -> impl Strategy<Value = Did> {
    let codes = "abdefghijkmnpruwy".chars().map(KeyCode::Char);
    let others = [
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Tab,
        KeyCode::Enter,
        KeyCode::Esc,
    ];
    let codes = codes.chain(others).collect::<Vec<_>>();
    let modifiers = (0..8_u8).prop_map(KeyModifiers::from_bits_truncate);
    let piece = select(&PIECES[..]).prop_map(str::to_owned);
    let text = vec(select(&PIECES[..]), 0..9).prop_map(|pieces| pieces.concat());
    prop_oneof![
        8 => (select(codes), modifiers).prop_map(|(code, with)| Did::Press(KeyEvent::new(code, with))),
        8 => piece.prop_map(Did::Type),
        1 => any::<String>().prop_map(Did::Type),
        1 => any::<String>().prop_map(Did::Paste),
        1 => (text, select(vec![1, 300, 1000])).prop_map(|(text, times)| Did::Paste(text.repeat(times))),
        1 => ".{0,9}[\r\n].{0,9}".prop_map(Did::Paste),
        1 => any::<String>().prop_map(Did::Set),
    ]
}

fn act(editor: &mut Editor, did: &Did) -> Vec<String> {
    let mut sent = Vec::new();
    let mut press = |editor: &mut Editor, key| match editor.press(key) {
        Pressed::Complete => drop(editor.complete(HERE.into_iter())),
        Pressed::Send(line) | Pressed::SendAsItIs(line, _) => sent.push(line),
        Pressed::Changed | Pressed::Full | Pressed::Ignored => {}
    };
    match did {
        Did::Press(key) => press(editor, *key),
        Did::Type(text) => text
            .chars()
            .for_each(|c| press(editor, bare(KeyCode::Char(c)))),
        Did::Paste(text) => {
            if let Pasted::Lines(lines) = editor.paste(text) {
                editor.sent(&lines);
                // A blank line is shown in the question, and nobody says it.
                sent = lines;
                sent.retain(|line| !wire::is_blank(line));
            }
        }
        Did::Set(text) => editor.set(text),
    }
    sent
}

proptest! {
    #[test]
    fn after_any_keys_a_sent_line_may_be_said_and_no_character_is_broken(
        all in vec(did(), 0..60),
        columns in 0..20_usize,
    ) {
        let mut editor = Editor::new();
        for did in &all {
            for line in act(&mut editor, did) {
                prop_assert!(Line::parse(line.as_bytes()).is_ok(), "{line:?}");
            }
            let text = editor.text();
            // Characters that only old texts may have are left out when the line is sent.
            prop_assert!(!text.chars().any(wire::is_forbidden));
            let mut starts = text.grapheme_indices(true).map(|(at, _)| at);
            let is_between = editor.cursor() == text.len() || starts.any(|at| at == editor.cursor());
            prop_assert!(is_between, "{:?}", seen(&editor));
            prop_assert_eq!(editor.bytes_left(), TEXT_BYTES_MAX - text.len());
            let rows = editor.drawn(columns);
            prop_assert!(rows.cursor.0 < rows.rows.len());
        }
    }
}
