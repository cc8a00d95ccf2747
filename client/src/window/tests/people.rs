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
        ┃      · bob role=student ip=192.0.2.9
        ┃        since=2026-11-21T19:00:00.000Z sessions=1
        ┃      · refused: your certificate says so
        ┃      · 2026-11-21 19:00:00 [bob@192.0.2.9] hello
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
        ┃>",
    );
}

#[test]
fn the_people_here_are_listed_with_roles_ourselves_first() {
    let mut w = Window::open();
    w.size(80, 8);
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
        ┃                                                        │ 8 here
        ┃                                                        │ alice (you)
        ┃                                                        │ a-very-long… assistant
        ┃                                                        │ bob
        ┃───────────────────── 2026-11-21 ────────────────────── │ helper bot
        ┃19:00 * bob@192.0.2.9 entered                           │ and 4 more
        ┃ connected · \"Networks 101\" at chat.example:27332 · 8 here · 12 ms · TLS 1.3 X2…
        ┃>",
    );
    w.key(KeyCode::F(8));
    assert!(!w.screen().join("\n").contains("helper"));
}
