//! Entries as they come, and the limits of what is kept of them.

use super::*;

#[test]
fn enters_and_leaves_take_one_dim_line() {
    let mut w = Window::open();
    w.size(60, 8);
    for name in ["bob", "carol", "dave", "erin", "frank"] {
        w.entry(&format!("* {name}@192.0.2.9 entered"));
    }
    w.entry("* bob@192.0.2.9 left (goodbye)");
    w.says("carol", "hi");
    w.entry("* carol@192.0.2.9 left (lost)");
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 * carol, dave, erin and 1 more entered; bob came and
        ┃        went
        ┃      [carol@192.0.2.9] hi
        ┃      * carol@192.0.2.9 left (lost)
        ┃<bar>
        ┃>",
    );
    assert_eq!(w.style_of("* carol").fg, w.app.colours.dim().fg);
    // The people here are asked for, but not for each arrival.
    assert_eq!(w.out, [""; 0]);
    w.passes(Duration::from_secs(1));
    w.happens(Happened::Tick);
    assert_eq!(w.out, ["/who"]);
}

#[test]
fn an_entry_of_a_newer_server_keeps_its_place_and_is_shown_plainly() {
    let mut w = Window::open();
    w.size(60, 8);
    w.says("bob", "hello");
    w.out.clear();
    w.passes(Duration::from_secs(2));
    w.newer("* bob@192.0.2.9 left (kicked)");
    // It counts as a leave: the people here are asked for again.
    assert_eq!(w.out, ["/who"]);
    w.answers("= who 2 count=1 away=1");
    w.answers("= here alice mood=good role=student ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1");
    w.newer("topic: \u{600} what we do today");
    w.says("bob", "fine");
    w.answers("= frobnicated x");
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [bob@192.0.2.9] hello
        ┃      * bob@192.0.2.9 left (kicked)
        ┃      ? topic: \u{fffd} what we do today
        ┃      [bob@192.0.2.9] fine
        ┃<bar>
        ┃>",
    );
    // Asked for by the person, the same is shown as an answer.
    w.size(80, 24);
    w.enters("/history");
    w.answers("= begin history");
    w.answers("= 1 2026-11-21T19:00:00.000Z * bob@192.0.2.9 left (kicked)");
    w.answers("= 2 2026-11-21T19:00:00.000Z topic: x");
    w.answers("= end history");
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· 2026-11-21 19:00:00 * bob@192.0.2.9 left"),
        "{screen}"
    );
    assert!(
        screen.contains("· 2026-11-21 19:00:00 ? topic: x"),
        "{screen}"
    );
}

#[test]
fn older_entries_of_a_newer_server_are_loaded_without_a_gap() {
    let mut w = Window::open();
    w.size(60, 8);
    w.seq = 4;
    w.says("bob", "the newest");
    w.key(KeyCode::PageUp);
    w.key(KeyCode::End);
    assert_eq!(
        w.out.last().map(String::as_str),
        Some("/history 200 before 5")
    );
    w.answers("= begin history");
    let older = [
        "[bob@192.0.2.9] the oldest",
        "* bob@192.0.2.9 left (kicked)",
        "a poll was opened",
        "* bob@192.0.2.9 entered",
    ];
    for (seq, rest) in (1..).zip(older) {
        w.answers(&format!("= {seq} 2026-11-21T19:00:00.000Z {rest}"));
    }
    w.answers("= end history");
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [bob@192.0.2.9] the oldest
        ┃      * bob@192.0.2.9 left (kicked)
        ┃      ? a poll was opened
        ┃      * bob@192.0.2.9 entered
        ┃      [bob@192.0.2.9] the newest
        ┃<bar>
        ┃>",
    );
}

#[test]
fn a_mention_rings_and_is_marked_unless_it_is_old_or_the_bell_is_off() {
    let mut w = Window::open();
    w.says("bob", "hi Alice!");
    assert_eq!(w.effects, [Effect::Bell]);
    // Only the name is marked, and nothing is inverted.
    let is_marked = |text: &str| w.style_of(text).add_modifier.contains(Modifier::UNDERLINED);
    assert!(is_marked("Alice!") && !is_marked("hi Alice") && !is_marked("!"));
    let styles = w.styles_of("[bob@192.0.2.9] hi Alice!");
    assert!(
        styles
            .iter()
            .all(|style| !style.add_modifier.contains(Modifier::REVERSED))
    );
    w.says("bob", "hi carol");
    assert_eq!(w.effects, []);
    w.app.choices.bell = Bell::Off;
    w.says("bob", "alice?");
    assert_eq!(w.effects, []);
    w.app.choices.bell = Bell::All;
    w.says("bob", "hi carol");
    assert_eq!(w.effects, [Effect::Bell]);
    w.says("alice", "it was me, alice");
    assert_eq!(w.effects, []);
}

#[test]
fn another_history_starts_afresh_and_says_so() {
    let mut w = Window::open();
    w.size(150, 12);
    w.says("bob", "from the old one");
    w.enters("unacknowledged");
    w.hears(Event::OtherHistory { set_aside: 1 });
    let screen = w.screen().join("\n");
    assert!(!screen.contains("from the old one"), "{screen}");
    assert!(screen.contains("this is a different history"), "{screen}");
    assert!(
        screen.contains("because the history is a different one: unacknowledged"),
        "{screen}"
    );
    assert!(w.app.room.own.iter().next().is_none());
}

#[test]
fn no_server_makes_a_list_of_the_window_grow_without_end() {
    use crate::limits::HERE_MAX;
    use crate::limits::{PAGE_ENTRIES, QUESTIONS_MAX};
    let mut w = Window::open();
    w.answers("= who 10 count=9007199254740992");
    for n in 0..HERE_MAX + 100 {
        w.answers(&format!(
            "= here p{n} role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    assert_eq!(w.app.room.kept(), [1, HERE_MAX, 0, 0]);
    // The next answer takes its place.
    w.answers("= who 10 count=1");
    w.answers("= here alice role=student ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1");
    assert_eq!(w.app.room.kept(), [1, 0, 0, 0]);
    // So many people are no lie, and the list of them is still cut.
    w.answers(&format!("= who 10 count={}", HERE_MAX + 100));
    for n in 0..HERE_MAX + 100 {
        w.answers(&format!(
            "= here p{n} role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    assert_eq!(w.app.room.kept(), [HERE_MAX, 0, 0, 0]);

    w.answers("= begin history");
    for seq in 1..=2 * PAGE_ENTRIES {
        w.answers(&format!(
            "= {seq} 2026-11-21T19:00:00.000Z [bob@192.0.2.9] x"
        ));
    }
    let page = usize::try_from(PAGE_ENTRIES).expect("a small number");
    assert_eq!(w.app.room.kept(), [HERE_MAX, 0, page, 0]);
    w.answers("= end history");

    for _ in 0..2 * QUESTIONS_MAX {
        w.enters("/who");
    }
    assert_eq!(w.app.room.kept()[3], QUESTIONS_MAX);
    let words = "not asked (64 questions wait already): /who";
    assert!(w.screen().join("\n").contains(words));
    // The notes of the program are bounded as the lines of people are.
    let long = Refusal::new(Code::TryLater, "x".repeat(4000));
    for _ in 0..2100 {
        w.hears(Event::Garbled(Fault::StrayRefusal(long.clone())));
    }
    assert!(w.app.room.timeline.bytes() <= 8 * 1024 * 1024);
}
