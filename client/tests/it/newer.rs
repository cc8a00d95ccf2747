//! The words of a newer server: this program shows them plainly or ignores them, and takes none for
//! damage.

use crate::room::{GREETING, Person, Room, Session, entry};

const AT: &str = "2026-11-21T10:00:00.123Z";

/// Says something of everything that this version does not know, between two lines that it does.
async fn say_newer(session: &mut Session) {
    session.send(&entry(42, "hello")).await;
    for line in [
        format!("43 {AT} * bob@192.0.2.9 left (kicked)"),
        "= frobnicated x".to_owned(),
        "~ a kind of line".to_owned(),
        "{\"kind\":\"line\"}".to_owned(),
        format!("44 {AT} * bob@192.0.2.9 waved"),
        format!("45 {AT} topic: what we do today"),
        format!("46 {AT} * bob@192.0.2.9 left (lost-his-way)"),
    ] {
        session.send(&line).await;
    }
    session.send(&entry(47, "fine")).await;
}

/// Asks for the people here, and hears more about them than this version knows.
async fn asks_who(alice: &mut Person, session: &mut Session) {
    alice.types("/who\n").await;
    assert_eq!(session.next().await, "/who");
    session.send("= who 47 away=2 count=1").await;
    session
        .send(&format!(
            "= here bob mood=\"not so good\" role=bot ip=::1 since={AT} sessions=1 hand=up"
        ))
        .await;
}

#[tokio::test]
async fn lines_of_a_newer_server_are_shown_or_ignored_in_every_form() {
    for (form, expected) in [
        (
            "--plain",
            "2026-11-21 18:00:00 [bob@192.0.2.9] hello\n\
             2026-11-21 18:00:00 * bob@192.0.2.9 left (kicked)\n\
             2026-11-21 18:00:00 ? * bob@192.0.2.9 waved\n\
             2026-11-21 18:00:00 ? topic: what we do today\n\
             2026-11-21 18:00:00 * bob@192.0.2.9 left (lost-his-way)\n\
             2026-11-21 18:00:00 [bob@192.0.2.9] fine\n\
             one person is here:\n  \
               bob@::1 (bot) since 2026-11-21 18:00:00\n",
        ),
        (
            "--bare",
            "[bob@192.0.2.9] hello\n\
             [bob@192.0.2.9] fine\n\
             one person is here:\n  \
               bob@::1 (bot) since 2026-11-21 18:00:00\n",
        ),
        (
            "--json",
            "{\"kind\":\"message\",\"seq\":42,\"at\":\"2026-11-21T10:00:00.123Z\",\"id\":\"bob\",\"ip\":\"192.0.2.9\",\"text\":\"hello\"}\n\
             {\"kind\":\"leave\",\"seq\":43,\"at\":\"2026-11-21T10:00:00.123Z\",\"id\":\"bob\",\"ip\":\"192.0.2.9\",\"reason\":\"kicked\"}\n\
             {\"kind\":\"other\",\"seq\":44,\"at\":\"2026-11-21T10:00:00.123Z\",\"text\":\"* bob@192.0.2.9 waved\"}\n\
             {\"kind\":\"other\",\"seq\":45,\"at\":\"2026-11-21T10:00:00.123Z\",\"text\":\"topic: what we do today\"}\n\
             {\"kind\":\"leave\",\"seq\":46,\"at\":\"2026-11-21T10:00:00.123Z\",\"id\":\"bob\",\"ip\":\"192.0.2.9\",\"reason\":\"lost-his-way\"}\n\
             {\"kind\":\"message\",\"seq\":47,\"at\":\"2026-11-21T10:00:00.123Z\",\"id\":\"bob\",\"ip\":\"192.0.2.9\",\"text\":\"fine\"}\n\
             {\"kind\":\"who\",\"seq\":47,\"count\":1}\n\
             {\"kind\":\"here\",\"id\":\"bob\",\"role\":\"bot\",\"ip\":\"::1\",\"since\":\"2026-11-21T10:00:00.123Z\",\"sessions\":1}\n",
        ),
        (
            "--raw",
            "42 2026-11-21T10:00:00.123Z [bob@192.0.2.9] hello\n\
             43 2026-11-21T10:00:00.123Z * bob@192.0.2.9 left (kicked)\n\
             = frobnicated x\n\
             ~ a kind of line\n\
             {\"kind\":\"line\"}\n\
             44 2026-11-21T10:00:00.123Z * bob@192.0.2.9 waved\n\
             45 2026-11-21T10:00:00.123Z topic: what we do today\n\
             46 2026-11-21T10:00:00.123Z * bob@192.0.2.9 left (lost-his-way)\n\
             47 2026-11-21T10:00:00.123Z [bob@192.0.2.9] fine\n\
             = who 47 away=2 count=1\n\
             = here bob mood=\"not so good\" role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1 hand=up\n",
        ),
    ] {
        let room = Room::open().await;
        let mut alice = room.alice(&[form, "--commands"]);
        let mut session = room.enter().await;
        say_newer(&mut session).await;
        asks_who(&mut alice, &mut session).await;
        alice.stops_typing();
        session.goodbye().await;
        let outcome = alice.ends().await;
        // No gap, no damage, and a proper end.
        assert_eq!(outcome.told(), (Some(0), vec![]), "{form}");
        // The greeting, the answer to /follow and the goodbye are as ever.
        let is_as_ever = |line: &&str| {
            let of = |kind| {
                line.starts_with(&format!("= {kind} "))
                    || line.starts_with(&format!("{{\"kind\":\"{kind}\""))
            };
            ["welcome", "at", "bye"].into_iter().any(of)
        };
        let shown = outcome.stdout.split_inclusive('\n');
        let shown: String = shown.filter(|line| !is_as_ever(line)).collect();
        assert_eq!(shown, expected, "{form}");
    }
}

#[tokio::test]
async fn an_entry_of_a_newer_server_is_followed_on_from() {
    let room = Room::open().await;
    let alice = room.alice(&["--since", "3", "--utc"]);
    let mut session = room.greet().await;
    assert_eq!(session.next().await, "/history 3");
    session.send("= begin history").await;
    session.send(&format!("= {}", entry(39, "hello"))).await;
    session
        .send(&format!("= 40 {AT} * bob@192.0.2.9 left (kicked)"))
        .await;
    session.send(&format!("= 41 {AT} a poll was opened")).await;
    session.send("= end history").await;
    assert_eq!(session.next().await, format!("/follow 41 {AT}"));
    session.send("= at 41").await;
    session.send(&entry(42, "fine")).await;
    session.send("= bye kicked you were asked to leave").await;
    session.closed().await;
    let outcome = alice.ends_by_itself().await;
    assert_eq!(
        outcome.stdout,
        "2026-11-21 10:00:00 [bob@192.0.2.9] hello\n\
         2026-11-21 10:00:00 * bob@192.0.2.9 left (kicked)\n\
         2026-11-21 10:00:00 ? a poll was opened\n\
         2026-11-21 10:00:00 [bob@192.0.2.9] fine\n"
    );
    assert_eq!(
        outcome.told(),
        (
            Some(6),
            vec!["client: error: the server ended the session: you were asked to leave (kicked)"]
        )
    );
}

#[tokio::test]
async fn an_entry_of_a_newer_server_that_goes_back_or_leaves_a_gap_is_told_as_any_other() {
    let room = Room::open().await;
    let alice = room.alice(&[]);
    let mut session = room.enter().await;
    session.send(&format!("42 {AT} a poll was opened")).await;
    session.send(&format!("44 {AT} a poll was closed")).await;
    session
        .send(&format!("44 {AT} * bob@192.0.2.9 left (kicked)"))
        .await;
    session.closed().await;
    let outcome = alice.ends_by_itself().await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(1));
    assert!(told[0].contains("sent entry 44 after entry 42"), "{told:?}");
    assert!(told[1].contains("sent entry 44 after entry 44"), "{told:?}");
}

#[tokio::test]
async fn a_goodbye_for_a_reason_that_is_not_known_ends_the_session() {
    for (bye, words) in [
        ("= bye kicked", "kicked"),
        ("= bye kicked by bob", "by bob (kicked)"),
    ] {
        for form in ["--plain", "--json", "--raw", "--bare"] {
            for is_greeted in [true, false] {
                let room = Room::open().await;
                let alice = room.alice(&[form]);
                let mut session = match is_greeted {
                    true => room.enter().await,
                    false => room.accept().await,
                };
                session.send(bye).await;
                let outcome = alice.ends_by_itself().await;
                let told = format!("client: error: the server ended the session: {words}");
                assert_eq!(
                    outcome.told(),
                    (Some(6), vec![&*told]),
                    "{form} {is_greeted}"
                );
                if form == "--json" && is_greeted {
                    let bye = outcome.stdout.lines().last().expect("a line");
                    assert!(
                        bye.starts_with("{\"kind\":\"bye\",\"reason\":\"kicked\""),
                        "{bye}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_greeting_with_more_in_it_is_one() {
    let room = Room::open().await;
    let mut alice = room.alice(&[]);
    let mut session = room.accept().await;
    session.send("~ a kind of line").await;
    session.send("= motd be kind").await;
    session.send(&format!("7 {AT} a poll was opened")).await;
    session
        .send(&GREETING.replace("id=alice", "colour=\"dark \\\"red\\\"\" id=alice"))
        .await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= at 41").await;
    alice.stops_typing();
    session.goodbye().await;
    assert_eq!(alice.ends().await.told(), (Some(0), vec![]));
}
