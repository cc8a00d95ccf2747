//! Staying in the room through trouble: each line is said and shown once, and failures that time cannot
//! fix are not retried.

use crate::room::{GREETING, Outcome, Room, Session, entry};

const AT: &str = "2026-11-21T10:00:00.123Z";

/// The kinds of events, without their causes and times.
fn kinds(outcome: &Outcome) -> Vec<&str> {
    let kind = |line| {
        [
            "connection lost",
            "connected again",
            "still no connection",
            "this is a different history",
            "not sent",
        ]
        .into_iter()
        .find(|kind| str::contains(line, kind))
        .unwrap_or(line)
    };
    outcome.told().1.into_iter().map(kind).collect()
}

/// A session that goes on after this entry.
async fn enter_after(room: &Room, seq: u64) -> Session {
    let mut session = room.greet().await;
    assert_eq!(session.next().await, format!("/follow {seq} {AT}"));
    session
}

#[tokio::test]
async fn after_a_loss_it_follows_on_and_says_unacknowledged_lines_again() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    alice.types("one\ntwo\nthree\n").await;
    let mut session = room.enter().await;
    assert_eq!(session.take(42).await, "one");
    let second = session.said().await;
    let third = session.said().await;
    // The second is on the disk, and its acknowledgement is lost with the connection.
    assert_eq!(alice.shows().await, "[bob@192.0.2.9] one");
    session.close().await;

    let mut session = enter_after(&room, 42).await;
    assert_eq!(session.said().await, second);
    assert_eq!(session.said().await, third);
    session.send(&entry(43, "two")).await;
    session.send("= at 43").await;
    session.send(&format!("= ok {} 43", second.0)).await;
    session.send(&format!("= ok {} 44", third.0)).await;
    session.send(&entry(44, "three")).await;
    alice.types("four\n").await;
    alice.stops_typing();
    assert_eq!(session.take(45).await, "four");
    session.goodbye().await;
    let outcome = alice.ends().await;
    let shown = ["two", "three", "four"].map(|text| format!("[bob@192.0.2.9] {text}\n"));
    assert_eq!(outcome.stdout, shown.concat());
    assert_eq!(kinds(&outcome), ["connection lost", "connected again"]);
    let why = "client: connection lost (the server closed it); trying again ";
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
}

#[tokio::test]
async fn entries_missed_in_a_quiet_room_are_asked_for() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare", "--commands"]);
    let mut session = room.enter().await;
    // Once this is shown, so was the `= at` before it.
    alice.types("/ping\n").await;
    assert_eq!(session.next().await, "/ping");
    session.send("= at 41").await;
    assert_eq!(alice.shows().await, "the newest entry is 41");
    session.close().await;
    let mut session = room.accept().await;
    session.send(&GREETING.replace("head=41", "head=43")).await;
    // The newest entry of then too, which was not wanted, to follow on from it.
    assert_eq!(session.next().await, "/history 3 before 44");
    session.send("= begin history").await;
    session.send(&format!("= {}", entry(41, "old"))).await;
    session.send(&format!("= {}", entry(42, "a"))).await;
    session.send(&format!("= {}", entry(43, "b"))).await;
    session.send("= end history").await;
    assert_eq!(session.next().await, format!("/follow 43 {AT}"));
    session.send("= at 43").await;
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.stdout, "[bob@192.0.2.9] a\n[bob@192.0.2.9] b\n");
    assert_eq!(outcome.code, Some(0));
}

#[tokio::test]
async fn a_line_that_was_stored_before_anything_came_is_shown_all_the_same() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    alice.types("one\n").await;
    let mut session = room.greet().await;
    assert_eq!(session.next().await, "/follow head");
    let said = session.said().await;
    // It is on the disk, and nothing but the greeting has come.
    session.close().await;
    let mut session = room.accept().await;
    session.send(&GREETING.replace("head=41", "head=42")).await;
    assert_eq!(session.next().await, "/history 2 before 43");
    session.send("= begin history").await;
    session.send(&format!("= {}", entry(41, "old"))).await;
    session.send(&format!("= {}", entry(42, "one"))).await;
    session.send("= end history").await;
    assert_eq!(session.next().await, format!("/follow 42 {AT}"));
    assert_eq!(session.said().await, said);
    session.send("= at 42").await;
    session.send(&format!("= ok {} 42", said.0)).await;
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.stdout, "[bob@192.0.2.9] one\n");
    assert_eq!(kinds(&outcome), ["connection lost", "connected again"]);
    assert_eq!(outcome.code, Some(0));
}

#[tokio::test]
async fn a_shorter_record_is_another_one_also_for_a_client_that_has_seen_nothing() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let mut session = room.greet().await;
    assert_eq!(session.next().await, "/follow head");
    session.close().await;
    let mut session = room.accept().await;
    session.send(&GREETING.replace("head=41", "head=40")).await;
    assert_eq!(session.next().await, "/history 1 before 41");
    session.send("= begin history").await;
    session.send(&format!("= {}", entry(40, "old"))).await;
    session.send("= end history").await;
    assert_eq!(session.next().await, format!("/follow 40 {AT}"));
    session.send("= at 40").await;
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.stdout, "");
    let told = [
        "connection lost",
        "connected again",
        "this is a different history",
    ];
    assert_eq!(kinds(&outcome), told);
}

#[tokio::test]
async fn a_refused_line_is_told_once_and_never_said_again() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    alice.types("one\ntwo\n").await;
    let mut session = room.enter().await;
    let (first, _) = session.said().await;
    let second = session.said().await;
    session.send(&format!("! disk-low {first} full")).await;
    session.send(&entry(42, "seen")).await;
    alice.shows().await;
    session.close().await;
    let mut session = enter_after(&room, 42).await;
    assert_eq!(session.said().await, second);
    session.send(&format!("= ok {} 43", second.0)).await;
    session.send(&entry(43, "two")).await;
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(
        kinds(&outcome),
        ["not sent", "connection lost", "connected again"]
    );
    assert_eq!(outcome.code, Some(1));
}

#[tokio::test]
async fn a_restored_record_gets_the_lines_and_another_database_does_not() {
    for is_restored in [true, false] {
        let room = Room::open().await;
        let mut alice = room.alice(&["--bare"]);
        alice.types("one\n").await;
        let mut session = room.enter().await;
        let said = session.said().await;
        session.send(&entry(42, "seen")).await;
        alice.shows().await;
        session.close().await;
        if is_restored {
            let mut session = enter_after(&room, 42).await;
            assert_eq!(session.said().await, said);
            session.send("! other-history - entry 42 is another").await;
            session.send(&format!("= ok {} 42", said.0)).await;
            // From what was the newest before the line came, so that it is shown.
            assert_eq!(session.next().await, "/history 1 before 42");
            session.send("= begin history").await;
            session.send(&format!("= {}", entry(41, "old"))).await;
            session.send("= end history").await;
            assert_eq!(session.next().await, format!("/follow 41 {AT}"));
            session.send(&entry(42, "one")).await;
            session.send("= at 42").await;
            assert_eq!(alice.shows().await, "[bob@192.0.2.9] one");
            alice.stops_typing();
            session.goodbye().await;
        } else {
            let mut session = room.accept().await;
            session.send(&GREETING.replace("9f86", "0000")).await;
            assert_eq!(session.next().await, "/follow head");
            session.send("= at 41").await;
            alice.stops_typing();
            session.goodbye().await;
        }
        let outcome = alice.ends().await;
        let history = "this is a different history";
        assert_eq!(
            kinds(&outcome)[..3],
            ["connection lost", "connected again", history]
        );
        let (code, told) = outcome.told();
        let doubt = "client: warning: the server did not acknowledge 1 line; it may or may not be in the record";
        assert_eq!(told.contains(&doubt), !is_restored, "{told:?}");
        assert_eq!(code, Some(i32::from(!is_restored)));
    }
}

#[tokio::test]
async fn a_failure_that_time_cannot_fix_is_not_retried() {
    for (bye, is_tried) in [
        ("replaced from 192.0.2.9", false),
        ("revoked", false),
        ("expired", false),
        ("flooding", false),
        ("kicked out", false),
        ("shutting-down", true),
        ("stalled", true),
    ] {
        let room = Room::open().await;
        let mut alice = room.alice(&["--bare"]);
        let mut session = room.enter().await;
        session.send(&entry(42, "seen")).await;
        alice.shows().await;
        session.send(&format!("= bye {bye}")).await;
        session.closed().await;
        if is_tried {
            let session = enter_after(&room, 42).await;
            alice.stops_typing();
            session.goodbye().await;
        }
        let outcome = alice.ends_by_itself().await;
        let code = if is_tried { 0 } else { 6 };
        assert_eq!(outcome.code, Some(code), "{bye}: {}", outcome.stderr);
    }
    for (refusal, is_tried) in [
        ("! already-here - here", false),
        ("! too-many-sessions - later", true),
        ("! try-later - disk full", true),
    ] {
        let room = Room::open().await;
        let alice = room.alice(&[]);
        let mut session = room.accept().await;
        session.send(refusal).await;
        session.close().await;
        let outcome = if is_tried {
            let session = room.enter().await;
            let (outcome, ()) = tokio::join!(alice.ends(), session.goodbye());
            outcome
        } else {
            alice.ends_by_itself().await
        };
        let code = if is_tried { 0 } else { 61 };
        assert_eq!(outcome.code, Some(code), "{refusal}: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_server_that_says_how_long_to_wait_is_tried_again_then() {
    let room = Room::open().await;
    let alice = room.alice(&[]);
    let mut session = room.accept().await;
    session
        .send("! too-many-sessions - you may begin 10 sessions a minute; try again in 2 s")
        .await;
    session.close().await;
    let begin = std::time::Instant::now();
    let session = room.enter().await;
    assert!(begin.elapsed().as_secs_f32() > 1.5, "{:?}", begin.elapsed());
    let (outcome, ()) = tokio::join!(alice.ends(), session.goodbye());
    let port = room.port;
    let told = format!(
        "client: 127.0.0.1:{port} does not admit alice now: you may begin 10 sessions a minute; try again in 2 s; waiting"
    );
    assert_eq!(outcome.told(), (Some(0), vec![told.as_str()]));
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_at_once_while_there_is_no_connection() {
    use tokio::io::AsyncBufReadExt as _;
    for is_said in [false, true] {
        let room = Room::open().await;
        let mut alice = room.alice(&[]);
        let mut session = room.enter().await;
        if is_said {
            alice.types("one\n").await;
            session.said().await;
        }
        let stderr = alice.child.stderr.take().expect("standard error is open");
        let mut told = tokio::io::BufReader::new(stderr).lines();
        drop(room);
        session.close().await;
        while let Some(line) = told.next_line().await.expect("text") {
            if line.contains("connection lost") {
                break;
            }
        }
        alice.signal("TERM").await;
        let outcome = alice.ends_by_itself().await;
        assert_eq!(outcome.code, Some(i32::from(is_said)));
        let mut rest = Vec::new();
        while let Some(line) = told.next_line().await.expect("text") {
            rest.push(line);
        }
        let doubt = rest
            .iter()
            .any(|line| line.contains("did not acknowledge 1 line"));
        assert_eq!(doubt, is_said, "{rest:?}");
    }
}

#[tokio::test]
async fn giving_up_says_which_lines_are_in_doubt() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--give-up-after", "1"]);
    alice.types("one\n").await;
    alice.stops_typing();
    let mut session = room.enter().await;
    session.said().await;
    drop(room);
    session.close().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.code, Some(4), "{}", outcome.stderr);
    let doubt = "the server did not acknowledge 1 line";
    assert!(outcome.stderr.contains(doubt), "{}", outcome.stderr);
}
