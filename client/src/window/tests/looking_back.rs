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
        ┃      [bob@192.0.2.9] line 11
        ┃      [bob@192.0.2.9] line 12
        ┃      [bob@192.0.2.9] line 13
        ┃      [bob@192.0.2.9] line 14
        ┃      [bob@192.0.2.9] line 15
        ┃      [bob@192.0.2.9] line 16
        ┃ 2 new lines below · connected · \"Networks 101\" at chat.exa…
        ┃>",
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
        ┃      [bob@192.0.2.9] line 18
        ┃      [bob@192.0.2.9] line 19
        ┃      [bob@192.0.2.9] line 20
        ┃─────────────────────────── new ────────────────────────────
        ┃      [bob@192.0.2.9] line 21
        ┃      [bob@192.0.2.9] line 22
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
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
        ┃ connected · \"Networks 101\" at chat.exa…
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
        ┃ 1 2026-11-21 19:00:00 [bob@192.0.2.9] · \"Networks 101\" at …
        ┃>",
    );
    assert!(
        w.style_of("[bob] one")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    // A click selects too, and a second one lets go.
    w.wheel(MouseEventKind::Down(MouseButton::Left), 10, 5);
    assert!(w.screen().join("\n").contains(" 2 2026-11-21"));
    w.wheel(MouseEventKind::Down(MouseButton::Left), 10, 5);
    w.key(KeyCode::F(9));
    assert!(w.screen().join("\n").contains("[bob@192.0.2.9] two"));
}

#[test]
fn the_loaded_lines_can_be_searched() {
    let mut w = Window::open();
    w.size(60, 8);
    for n in 1..=30 {
        w.says("bob", &format!("line {n}"));
    }
    w.control('f');
    w.types("LINE 1");
    assert!(
        w.style_of("[bob@192.0.2.9] line 19")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    w.key(KeyCode::Enter);
    assert!(
        w.style_of("[bob@192.0.2.9] line 18")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    w.key(KeyCode::Down);
    assert!(
        w.style_of("[bob@192.0.2.9] line 19")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    assert!(w.screen().join("\n").contains("find: LINE 1"));
    w.key(KeyCode::Esc);
    assert_eq!(w.app.mode, Mode::Writing);
    w.key(KeyCode::Esc);
    w.key(KeyCode::Esc);
    assert!(w.screen().join("\n").contains("line 30"));
}
