//! Looking back, selecting and searching.

use super::*;

#[test]
fn looking_back_keeps_its_place_counts_new_lines_and_asks_for_more() {
    let mut w = Window::open();
    w.size(60, 8);
    w.seq = 100;
    for n in 1..=20 {
        w.says("bob", &format!("line {n}"));
    }
    w.key(KeyCode::PageUp);
    w.says("bob", "line 21");
    w.says("bob", "line 22");
    w.shows(
        "
        ┃19:00 [bob@192.0.2.9] line 11
        ┃      [bob@192.0.2.9] line 12
        ┃      [bob@192.0.2.9] line 13
        ┃      [bob@192.0.2.9] line 14
        ┃      [bob@192.0.2.9] line 15
        ┃      [bob@192.0.2.9] line 16
        ┃<bar>
        ┃>",
    );
    assert!(
        w.bar().starts_with(" 2 new lines below · connected · "),
        "{}",
        w.bar()
    );
    w.key(KeyCode::Home);
    assert_eq!(w.out, ["/history 200 before 101"]);
    let before = w.screen();
    w.answers("= begin history");
    for seq in 91..=100 {
        w.answers(&format!(
            "= {seq} 2026-11-21T19:00:00.000Z [bob@192.0.2.9] older {seq}"
        ));
    }
    w.answers("= end history");
    // The visible lines stay in place, except the day, which stands above its first line.
    assert_eq!(w.screen()[2..], before[2..]);
    w.wheel(MouseEventKind::ScrollUp, 0, 0);
    assert!(w.screen().join("\n").contains("older 98"));
    w.key(KeyCode::End);
    w.shows(
        "
        ┃19:00 [bob@192.0.2.9] line 18
        ┃      [bob@192.0.2.9] line 19
        ┃      [bob@192.0.2.9] line 20
        ┃─────────────────────────── new ────────────────────────────
        ┃      [bob@192.0.2.9] line 21
        ┃      [bob@192.0.2.9] line 22
        ┃<bar>
        ┃>",
    );
}

#[test]
fn the_beginning_is_not_asked_for_twice() {
    let mut w = Window::open();
    w.seq = 100;
    w.says("bob", "line");
    w.key(KeyCode::Home);
    w.answers("= begin history");
    w.answers("= 1 2026-11-21T19:00:00.000Z [bob@192.0.2.9] first");
    w.answers("= end history");
    w.out.clear();
    w.key(KeyCode::Home);
    w.key(KeyCode::PageUp);
    assert_eq!(w.out, [""; 0]);
}

#[test]
fn lines_since_the_person_looked_away_are_below_a_rule() {
    let mut w = Window::open();
    w.size(40, 8);
    w.says("bob", "seen");
    w.happens(Happened::FocusLost);
    w.says("bob", "unseen");
    w.shows(
        "
        ┃────────────── 2026-11-21 ──────────────
        ┃19:00 [bob@192.0.2.9] seen
        ┃───────────────── new ──────────────────
        ┃      [bob@192.0.2.9] unseen
        ┃<bar>
        ┃>",
    );
}

#[test]
fn without_addresses_the_selected_line_still_has_its_whole_stamp() {
    let mut w = Window::open();
    w.size(60, 8);
    w.says("bob", "one");
    w.says("bob", "two");
    w.key(KeyCode::F(9));
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [bob] one
        ┃      [bob] two
        ┃<bar>
        ┃>",
    );
    assert!(
        w.bar()
            .starts_with(" 1 2026-11-21 19:00:00 [bob@192.0.2.9] · "),
        "{}",
        w.bar()
    );
    // Its stamp is marked, and its text can be read as before.
    let is_reversed = |text: &str| w.style_of(text).add_modifier.contains(Modifier::REVERSED);
    assert!(is_reversed("[bob] one") && !is_reversed("one"));
    // A click selects too, and a second one lets go.
    w.wheel(MouseEventKind::Down(MouseButton::Left), 10, 5);
    assert!(w.screen().join("\n").contains(" 2 2026-11-21"));
    w.wheel(MouseEventKind::Down(MouseButton::Left), 10, 5);
    w.key(KeyCode::F(9));
    assert!(w.screen().join("\n").contains("[bob@192.0.2.9] two"));
}

#[test]
fn the_loaded_lines_can_be_searched_and_the_words_are_marked() {
    let mut w = Window::open();
    w.size(60, 8);
    for n in 1..=30 {
        w.says("bob", &format!("line {n}"));
    }
    w.control('f');
    w.types("LINE 1");
    let is_selected =
        |w: &Window, text: &str| w.style_of(text).add_modifier.contains(Modifier::REVERSED);
    assert!(is_selected(&w, "[bob@192.0.2.9] line 19"));
    // The words that were found, in each line that is in view, and nothing else.
    for line in ["line 19", "line 18"] {
        let styles = w.styles_of(line);
        let marked = styles
            .iter()
            .take_while(|style| style.bg == w.app.colours.found().bg);
        assert_eq!(marked.count(), "line 1".len(), "{line}");
        assert_ne!(styles[6].bg, w.app.colours.found().bg, "{line}");
    }
    w.key(KeyCode::Enter);
    assert!(is_selected(&w, "[bob@192.0.2.9] line 18"));
    w.key(KeyCode::Down);
    assert!(is_selected(&w, "[bob@192.0.2.9] line 19"));
    assert!(w.bar().contains("find: LINE 1"));
    w.key(KeyCode::Esc);
    assert_eq!(w.app.mode, Mode::Writing);
    assert_ne!(w.style_of("line 19").bg, w.app.colours.found().bg);
    w.key(KeyCode::Esc);
    w.key(KeyCode::Esc);
    assert!(w.screen().join("\n").contains("line 30"));
}

/// Returns the place of the cursor, if it is shown.
fn cursor(w: &Window) -> Option<(u16, u16)> {
    let (columns, rows) = w.app.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
    terminal.hide_cursor().expect("hidden");
    terminal
        .draw(|frame| view::draw(frame, &w.app))
        .expect("drawn");
    let at = terminal.backend().cursor_position();
    terminal.backend().cursor_visible().then_some((at.x, at.y))
}

#[test]
fn the_one_cursor_is_where_the_next_key_goes() {
    let mut w = Window::open();
    w.types("hi");
    assert_eq!(cursor(&w), Some((4, 23)));
    w.control('f');
    w.types("l张");
    assert!(w.bar().starts_with(" find: l张 · "), "{}", w.bar());
    assert_eq!(cursor(&w), Some((10, 22)));
    w.types(&"long".repeat(100));
    assert_eq!(cursor(&w), Some((79, 22)));
    w.key(KeyCode::Esc);
    w.key(KeyCode::F(1));
    assert_eq!(cursor(&w), None);
    w.key(KeyCode::Esc);
    w.happens(Happened::Paste("1\n2".to_owned()));
    assert_eq!(cursor(&w), None);
    w.key(KeyCode::Esc);
    assert_eq!(cursor(&w), Some((4, 23)));
}

#[test]
fn what_is_not_found_leaves_the_view_where_it_was() {
    for looks_back in [false, true] {
        let mut w = Window::open();
        w.size(80, 8);
        w.says("bob", "the lab is open");
        for n in 1..=40 {
            w.says("bob", &format!("row {n}"));
        }
        if looks_back {
            w.key(KeyCode::PageUp);
        }
        let timeline = |w: &Window| w.screen()[..6].to_vec();
        let before = timeline(&w);
        w.control('f');
        w.types("lab");
        assert!(w.screen().concat().contains("the lab is open"));
        w.types("x");
        assert_eq!(timeline(&w), before);
        // What matters stands within 80 columns.
        assert!(
            w.bar()
                .contains(" Enter searches the record; not found since 2026-11-21"),
            "{}",
            w.bar()
        );
        w.key(KeyCode::Backspace);
        assert!(w.screen().concat().contains("the lab is open"));
        for _ in 0..3 {
            w.key(KeyCode::Backspace);
        }
        assert_eq!(timeline(&w), before);
    }
}

/// Answers a question for a page of the record, in which entry 32 holds the word.
fn answer_page(w: &mut Window, question: &str) {
    let before = question
        .rsplit(' ')
        .next()
        .and_then(|seq| seq.parse::<u64>().ok());
    let before = before.expect("a question for a page");
    w.answers("= begin history");
    for seq in before.saturating_sub(200).max(1)..before {
        let text = if seq == 32 { "a needle" } else { "hay" };
        let day = 1 + (seq / 40) % 28;
        w.answers(&format!(
            "= {seq} 2026-11-{day:02}T19:00:00.000Z [bob@192.0.2.9] {text}"
        ));
    }
    w.answers("= end history");
}

fn in_a_long_record() -> Window {
    let mut w = Window::open();
    w.size(100, 12);
    w.seq = 600;
    for n in 1..=14 {
        w.says("bob", &format!("line {n}"));
    }
    w.out.clear();
    w
}

#[test]
fn a_search_goes_on_into_the_record_and_says_how_far_it_is() {
    let mut w = in_a_long_record();
    w.control('f');
    w.types("needle");
    assert!(
        w.bar()
            .contains("Enter searches the record; not found since 2026-11-21"),
        "{}",
        w.bar()
    );
    assert_eq!(w.out, [""; 0]);
    w.key(KeyCode::Enter);
    for (question, day) in [
        ("/history 200 before 601", "2026-11-21"),
        ("/history 200 before 401", "2026-11-11"),
        ("/history 200 before 201", "2026-11-06"),
    ] {
        assert_eq!(w.out.last().map(String::as_str), Some(question));
        assert!(
            w.bar()
                .contains(&format!("searched back to {day}, Esc stops")),
            "{}",
            w.bar()
        );
        // What was in view stays in view.
        assert!(w.screen().join("\n").contains("line 14"));
        answer_page(&mut w, question);
    }
    let screen = w.screen().join("\n");
    assert!(screen.contains("[bob@192.0.2.9] a needle"), "{screen}");
    assert_eq!(w.style_of("needle").bg, w.app.colours.found().bg);
    assert_eq!(w.out.len(), 3);
    // Everything between is there, so the way back needs no question.
    assert!(!w.app.room.timeline.is_detached());
    // And there is no older one.
    w.key(KeyCode::Enter);
    assert!(
        w.bar().contains("no other line before this one"),
        "{}",
        w.bar()
    );
    assert_eq!(w.out.len(), 3);
}

#[test]
fn a_search_that_finds_nothing_says_so_and_can_be_stopped_and_gone_on_with() {
    let mut w = in_a_long_record();
    w.control('f');
    w.types("nowhere");
    w.key(KeyCode::Enter);
    let first = w.out[0].clone();
    w.key(KeyCode::Esc);
    assert!(
        w.bar()
            .contains("Enter goes on; not found since 2026-11-21"),
        "{}",
        w.bar()
    );
    // The answer was on its way.
    answer_page(&mut w, &first);
    assert_eq!(w.out.len(), 1);
    assert!(
        w.bar()
            .contains("Enter goes on; not found since 2026-11-11"),
        "{}",
        w.bar()
    );
    w.key(KeyCode::Enter);
    for _ in 0..2 {
        let question = w.out.last().expect("a question").clone();
        answer_page(&mut w, &question);
    }
    assert_eq!(w.out.len(), 3);
    assert!(
        w.bar().contains("not found in the whole record"),
        "{}",
        w.bar()
    );
    assert!(w.screen().join("\n").contains("line 14"));
    // Another word begins anew, and an old answer does not confuse it.
    w.key(KeyCode::Backspace);
    assert!(
        w.bar().contains("not found since 2026-11-21"),
        "{}",
        w.bar()
    );
}

#[test]
fn a_page_that_is_known_already_is_not_the_beginning_of_the_record() {
    use crate::limits::SEARCH_PAGES_MAX;
    let mut w = in_a_long_record();
    w.control('f');
    w.types("nowhere");
    w.key(KeyCode::Enter);
    // The last entries again, which a server should not send.
    let mut pages = 0;
    while w.app.is_searching() {
        answer_page(&mut w, "/history 200 before 615");
        pages += 1;
        assert!(!w.bar().contains("whole record"), "{}", w.bar());
        answer_page(&mut w, "/history 200 before 300");
        pages += 1;
    }
    assert!(pages <= SEARCH_PAGES_MAX, "{pages}");
    assert!(w.bar().contains("Enter goes on"), "{}", w.bar());
    // An answer without an entry is the beginning, whatever its number would be.
    w.key(KeyCode::Enter);
    answer_page(&mut w, "/history 200 before 1");
    assert!(
        w.bar().contains("not found in the whole record"),
        "{}",
        w.bar()
    );
}

#[test]
fn a_lost_connection_and_a_refusal_stop_a_search() {
    let mut w = in_a_long_record();
    w.size(140, 12);
    w.control('f');
    w.types("nowhere");
    w.key(KeyCode::Enter);
    w.answers("! try-later - too much at once");
    assert!(
        w.bar()
            .contains("Enter goes on; not found since 2026-11-21"),
        "{}",
        w.bar()
    );
    assert!(
        w.screen()
            .join("\n")
            .contains("! the search stopped: too much at once")
    );
    w.key(KeyCode::Enter);
    w.hears(Event::Lost {
        failure: Failure::new(Exit::Network, "no route"),
        pause: Duration::from_secs(4),
    });
    assert!(
        w.bar()
            .contains("not found since 2026-11-21; the rest needs a connection"),
        "{}",
        w.bar()
    );
    assert!(w.bar().contains("reconnecting in 4 s"), "{}", w.bar());
}

#[test]
fn a_search_is_bounded_and_keeps_only_the_last_pages() {
    use crate::limits::{SEARCH_PAGES_MAX, SEARCHED_BYTES_MAX};
    let mut w = Window::open();
    w.size(100, 12);
    w.seq = 50_000;
    w.says("bob", "line");
    w.out.clear();
    w.control('f');
    w.types("nowhere");
    w.key(KeyCode::Enter);
    while w.app.is_searching() {
        let question = w.out.last().expect("a question").clone();
        answer_page(&mut w, &question);
    }
    assert_eq!(w.out.len(), SEARCH_PAGES_MAX);
    assert!(w.bar().contains("Enter goes on"), "{}", w.bar());
    w.key(KeyCode::Backspace);
    w.types("eedle");
    w.key(KeyCode::Enter);
    for _ in 0..3 {
        while w.app.is_searching() {
            let question = w.out.last().expect("a question").clone();
            answer_page(&mut w, &question);
        }
        w.key(KeyCode::Enter);
    }
    let bytes = w.app.room.timeline.bytes();
    assert!(bytes <= SEARCHED_BYTES_MAX, "{bytes}");
}

#[test]
fn the_line_at_the_top_always_carries_its_time() {
    let mut w = Window::open();
    w.size(60, 6);
    for n in 1..=20 {
        w.says("bob", &format!("line {n}"));
    }
    assert!(w.screen()[0].starts_with("19:00 [bob"), "{:?}", w.screen());
    w.says("bob", &"long ".repeat(100));
    // Its first row is further up.
    assert!(
        w.screen()[0].starts_with("19:00   long"),
        "{:?}",
        w.screen()
    );
    w.key(KeyCode::PageUp);
    assert!(w.screen()[0].starts_with("19:00 "), "{:?}", w.screen());
}
