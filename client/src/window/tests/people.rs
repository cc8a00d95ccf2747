//! The people here, and the answers about them.

use super::*;

#[test]
fn answers_to_commands_are_shown() {
    let mut w = Window::open();
    w.size(60, 9);
    w.enters("/whois bob");
    w.answers("= whois bob role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1");
    w.answers("= moon full");
    w.enters("/nick carol");
    w.answers("! name-from-certificate - your certificate says so");
    w.enters("/history 1");
    w.answers("= begin history");
    w.answers("= 1 2026-11-21T19:00:00.000Z [bob@192.0.2.9] hello");
    w.answers("= end history");
    w.shows(
        "
        ┃      · bob is a student, here since 2026-11-21 19:00:00
        ┃        from 192.0.2.9
        ┃      ! refused: your certificate says so
        ┃      · 2026-11-21 19:00:00 [bob@192.0.2.9] hello
        ┃<bar>
        ┃>",
    );
}

#[test]
fn the_people_here_are_listed_with_roles_staff_first() {
    let mut w = Window::open();
    w.size(100, 8);
    w.passes(Duration::from_secs(2));
    w.entry("* bob@192.0.2.9 entered");
    assert_eq!(w.out, ["/who"]);
    w.answers("= who 1 count=8");
    let since = "since=2026-11-21T19:00:00.000Z";
    for (id, role) in [
        ("bob", "student"),
        ("alice", "student"),
        ("helper", "bot"),
        ("prof", "instructor"),
        ("a-very-long-name-that-does-n.fit", "assistant"),
        ("s1", "student"),
        ("s2", "student"),
        ("s3", "student"),
    ] {
        w.answers(&format!(
            "= here {id} role={role} ip=192.0.2.9 {since} sessions=1"
        ));
    }
    w.shows(
        "
        ┃                                                                        │ 8 here
        ┃                                                                        │»prof instructor
        ┃                                                                        │»a-very-long-nam… assistant
        ┃                                                                        │ alice (you, student)
        ┃───────────────────────────── 2026-11-21 ────────────────────────────── │ bob
        ┃19:00 * bob@192.0.2.9 entered                                           │ and 4 more
        ┃<bar>
        ┃>",
    );
    // Names are coloured, and not all of them bold.
    assert!(!w.style_of("bob ").add_modifier.contains(Modifier::BOLD));
    // Staff are marked where they speak, too, and nobody can forge the mark.
    w.says("prof", "good evening");
    w.says("bob", "»[prof@192.0.2.9] no");
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("     »[prof@192.0.2.9] good evening"),
        "{screen}"
    );
    assert!(screen.contains("      [bob@192.0.2.9] »[prof"), "{screen}");
    w.key(KeyCode::F(8));
    assert!(!w.screen().join("\n").contains("│"));
}

#[test]
fn our_own_entry_shows_our_role() {
    let mut w = Window::open();
    w.size(100, 8);
    w.passes(Duration::from_secs(2));
    w.entry("* bob@192.0.2.9 entered");
    w.answers("= who 1 count=1");
    w.answers(
        "= here alice role=instructor ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1",
    );
    assert!(
        w.screen().join("\n").contains("│»alice (you, instructor)"),
        "{:?}",
        w.screen()
    );
    w.says("alice", "hello");
    assert!(
        w.screen().join("\n").contains(" »[alice@192.0.2.7] hello"),
        "{:?}",
        w.screen()
    );
}

#[test]
fn the_answer_to_who_is_one_row_a_person_in_columns() {
    let mut w = Window::open();
    w.size(80, 10);
    w.enters("/who");
    w.answers("= who 7 count=4");
    for (id, role, more) in [
        (
            "dr.okafor",
            "instructor",
            "ip=192.0.2.1 since=2026-11-21T18:55:00.000Z sessions=2",
        ),
        (
            "alice",
            "student",
            "ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1",
        ),
        (
            "张三",
            "student",
            "ip=2001:db8::7 since=2026-11-21T19:01:00.000Z sessions=1",
        ),
        (
            "bob",
            "bot",
            "ip=192.0.2.9 since=2026-11-21T19:02:00.000Z sessions=0",
        ),
    ] {
        w.answers(&format!("= here {id} role={role} {more}"));
    }
    w.shows(
        "
        ┃      · 4 people are here
        ┃        dr.okafor  instructor  since 2026-11-21 18:55  192.0.2.1  2 sessions
        ┃        alice      student     since 2026-11-21 19:00  192.0.2.7
        ┃        张三       student     since 2026-11-21 19:01  2001:db8::7
        ┃        bob        bot         since 2026-11-21 19:02  192.0.2.9  connection lo…
        ┃<bar>
        ┃>",
    );
}

#[test]
fn twenty_seven_people_have_colours_that_hardly_repeat() {
    let mut w = Window::open();
    w.size(100, 40);
    w.passes(Duration::from_secs(2));
    w.entry("* s1@192.0.2.9 entered");
    w.answers("= who 1 count=27");
    for n in 1..=27 {
        w.answers(&format!(
            "= here s{n} role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    let mut seen = std::collections::HashMap::new();
    for n in 1..=27 {
        *seen
            .entry(w.style_of(&format!("│ s{n} ")[..].replace("│ ", "")).fg)
            .or_insert(0) += 1;
    }
    assert!(seen.values().all(|count| *count <= 2), "{seen:?}");
}

#[test]
fn help_answers_notices_and_failures_look_different() {
    let mut w = Window::open();
    w.size(100, 10);
    w.enters("/whois bob");
    w.answers("= whois bob role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1");
    w.enters("/nick carol");
    w.answers("! name-from-certificate - your certificate says so");
    w.key(KeyCode::F(7));
    let [answer, failure, notice] =
        ["· bob is", "! refused", "· the mouse"].map(|text| w.style_of(text));
    assert!(answer.fg != failure.fg && failure.fg != notice.fg && notice.fg != answer.fg);
    assert!(failure.add_modifier.contains(Modifier::BOLD));
}

#[test]
fn full_names_stand_in_quotes_after_the_ids_and_take_no_row_of_their_own() {
    let mut w = Window::open();
    w.size(100, 14);
    w.passes(Duration::from_secs(2));
    w.entry("* bob@192.0.2.9 entered");
    let since = "since=2026-11-21T19:00:00.000Z";
    let cjk = "張".repeat(64);
    let marks = "q\u{323}\u{302}x\u{331} ".repeat(10);
    let people = [
        ("bob", "student", "Bob Li"),
        // Another person's ID, as a name.
        ("mallory", "student", "bob"),
        ("prof", "instructor", "Prof. Dr. Eve Okafor-Adeyemi"),
        ("s1", "student", cjk.as_str()),
        ("s2", "student", "محمد بن عبد الله"),
        ("s3", "student", marks.trim()),
        (
            "a-very-long-name-that-does-n.fit",
            "assistant",
            "Nobody Sees This",
        ),
        // Names that break the rules, from a server that does not keep them.
        ("t1", "student", "😀"),
        ("t2", "student", "bob\\\" (instructor"),
    ];
    w.answers(&format!("= who 1 count={}", people.len()));
    for (id, role, name) in people {
        w.answers(&format!(
            "= here {id} role={role} ip=192.0.2.9 {since} sessions=1 name=\"{name}\""
        ));
    }
    let list: Vec<String> = w
        .screen()
        .iter()
        .filter_map(|row| Some(row.split_once('│')?.1.trim().to_owned()))
        .filter(|row| !row.is_empty())
        .collect();
    let s3 = list.iter().find(|row| row.starts_with("s3 ")).cloned();
    let s3 = s3.expect("s3 is here");
    assert!(s3.starts_with("s3 \"q\u{323}\u{302}x\u{331} "), "{s3:?}");
    assert_eq!(
        list.iter().filter(|row| **row != s3).collect::<Vec<_>>(),
        [
            "9 here",
            "»prof instructor \"Prof. Dr…",
            "»a-very-long-nam… assistant",
            "bob \"Bob Li\"",
            "mallory \"bob\"",
            "s1 \"張張張張張張張張張張…",
            "s2 \"محمد بن عبد الله\"",
            "t1",
            "t2",
        ]
    );
    assert_eq!(w.style_of("\"Bob Li\"").fg, w.app.colours.dim().fg);
}
