//! Coming and going: enters and leaves are about people, `joins` is about connections.

use std::time::Duration;

use server::SameId;
use tests::{World, said};

#[tokio::test]
async fn by_default_a_newer_session_takes_the_older_ones_place() {
    let w = World::start().await;
    let (mut old, mut bob) = w.pair("alice", "bob").await;
    let mut new = w.enter("alice").await;
    let bye = old.expect("= bye ").await;
    assert!(
        bye.starts_with("= bye replaced alice connected again from 127.0.0.1 at "),
        "{bye}"
    );
    assert!(bye.contains("--same-id allow"), "{bye}");
    assert_eq!(old.next_line().await, None);
    new.say("it is me").await;
    let next = bob.next_entry().await.expect("an entry").to_string();
    assert!(
        next.ends_with("] it is me"),
        "neither an enter nor a leave was written: {next}"
    );
    assert_eq!(
        w.column("select coalesce(reason, 'here') from joins where id = 'alice' order by session")
            .await,
        ["replaced", "here"]
    );
}

#[tokio::test]
async fn a_replaced_session_can_say_nothing_any_more() {
    let w = World::with(|o| {
        o.without_pace();
        o.limits.sessions_per_minute_max = 0;
    })
    .await;
    let lines: String = (0..2000).map(|n| format!("{n}\n")).collect();
    let mut old = w.enter("alice").await;
    for _ in 0..10 {
        // As fast as it can, while its successor enters.
        old.send(&lines).await;
        let new = w.connect("alice").await;
        old.expect("= bye replaced").await;
        old = new;
    }
    old.close().await;
    let late = "select h.at || ' ' || h.text from history h join joins j on j.session = h.session
        where h.kind = 'message' and j.reason = 'replaced' and h.at > j.left_at";
    assert_eq!(w.column(late).await, [""; 0]);
}

#[tokio::test]
async fn a_server_can_keep_the_older_session() {
    let w = World::with(|o| o.same_id = SameId::Refuse).await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let mut second = w.connect("alice").await;
    let refused = second.next_line().await.expect("a refusal");
    let told = "! already-here - alice is already here, since ";
    assert!(
        refused.starts_with(told) && refused.ends_with("from 127.0.0.1"),
        "{refused}"
    );
    assert_eq!(second.next_line().await, None);
    alice.say("the first").await;
    assert_eq!(bob.next_said().await, said("alice", "the first"));
    assert_eq!(
        w.column("select id from joins order by session").await,
        ["alice", "bob"]
    );
}

#[tokio::test]
async fn a_server_can_allow_both() {
    let w = World::with(|o| o.same_id = SameId::Allow).await;
    let (mut first, mut bob) = w.pair("alice", "bob").await;
    let mut second = w.enter("alice").await;
    second.say("/who").await;
    second.expect("= who 2 count=2").await;
    let here = second.expect("= here alice ").await;
    assert!(here.ends_with("sessions=2"), "{here}");
    first.say("one").await;
    second.say("two").await;
    assert_eq!(bob.next_said().await.id, "alice");
    assert_eq!(bob.next_said().await.id, "alice");
    first.close().await;
    second.say("still here").await;
    let next = bob.next_entry().await.expect("an entry").to_string();
    assert!(
        next.ends_with("] still here"),
        "no leave while a session is left: {next}"
    );
    second.close().await;
    bob.expect("* alice@127.0.0.1 left (goodbye)").await;
}

#[tokio::test]
async fn whoever_had_several_sessions_has_left_with_all_of_them() {
    let mut w = World::with(|o| o.same_id = SameId::Allow).await;
    let first = w.enter("alice").await;
    let second = w.enter("alice").await;
    // The newer one first.
    second.close().await;
    w.until("select count(*) = 1 from joins where left_at is not null")
        .await;
    first.close().await;
    w.until("select count(*) = 1 from history where kind = 'leave'")
        .await;
    assert_eq!(
        w.column("select id from joins where leave_seq is null")
            .await,
        [""; 0]
    );
    w.stop().await.expect("a good end");
    w.serve().await;
    let mut again = w.connect("alice").await;
    again.welcome().await;
    again.expect("= at 3").await;
    let kinds = w.column("select kind from history order by seq").await;
    assert_eq!(kinds, ["enter", "leave", "enter"]);
}

#[tokio::test]
async fn a_person_who_says_goodbye_has_left_at_once() {
    let w = World::start().await;
    let (alice, mut bob) = w.pair("alice", "bob").await;
    alice.close().await;
    bob.expect("* alice@127.0.0.1 left (goodbye)").await;
    bob.say("/who").await;
    bob.expect("= who 3 count=1").await;
}

#[tokio::test]
async fn a_connection_that_breaks_and_comes_back_is_no_event() {
    let w = World::start().await;
    let (alice, mut bob) = w.pair("alice", "bob").await;
    drop(alice);
    w.until("select count(*) = 1 from joins where reason = 'lost'")
        .await;
    bob.say("/who").await;
    let here = bob.expect("= here alice ").await;
    assert!(here.ends_with("sessions=0"), "{here}");
    let mut alice = w.enter("alice").await;
    alice.say("back").await;
    let next = bob.next_entry().await.expect("an entry").to_string();
    assert!(next.ends_with("] back"), "{next}");
}

#[tokio::test]
async fn a_person_who_does_not_come_back_has_left() {
    let w = World::with(|o| o.limits.absence_max = Duration::from_millis(50)).await;
    let (alice, mut bob) = w.pair("alice", "bob").await;
    drop(alice);
    bob.expect("* alice@127.0.0.1 left (lost)").await;
    // And comes in anew.
    let _alice = w.enter("alice").await;
    bob.expect("* alice@127.0.0.1 entered").await;
}

#[tokio::test]
async fn a_restart_of_the_server_is_no_event_for_people_who_come_back() {
    let mut w = World::start().await;
    let (mut alice, _bob) = w.pair("alice", "bob").await;
    w.begin_to_stop();
    alice.expect("= bye shutting-down").await;
    w.ended().await.expect("a good end");
    w.serve().await;
    let (mut alice, mut bob) = (w.enter("alice").await, w.enter("bob").await);
    alice.say("we are back").await;
    assert_eq!(bob.next_said().await, said("alice", "we are back"));
    let kinds = w.column("select kind from history order by seq").await;
    assert_eq!(kinds, ["enter", "enter", "message"]);
}

#[tokio::test]
async fn people_who_do_not_come_back_after_a_restart_have_left() {
    let mut w = World::with(|o| o.limits.absence_after_start_max = Duration::from_millis(50)).await;
    let (_alice, _bob) = w.pair("alice", "bob").await;
    w.stop().await.expect("a good end");
    w.serve().await;
    w.until("select count(*) = 2 from history where kind = 'leave' and text = 'shutting-down'")
        .await;
    assert_eq!(
        w.column("select id from joins where leave_seq is null")
            .await,
        [""; 0]
    );
}

#[tokio::test]
async fn too_many_sessions_of_one_id_are_told_how_long_to_wait() {
    let w = World::with(|o| o.limits.sessions_per_minute_max = 3).await;
    for _ in 0..3 {
        w.enter("alice").await.close().await;
    }
    let mut fourth = w.connect("alice").await;
    let refused = fourth.next_line().await.expect("a refusal");
    assert!(
        refused.starts_with("! too-many-sessions - you may begin 3 sessions a minute"),
        "{refused}"
    );
    let _bob = w.enter("bob").await;
}

#[tokio::test]
async fn where_several_sessions_of_one_id_are_allowed_they_are_not_without_number() {
    let w = World::with(|o| {
        o.same_id = SameId::Allow;
        o.limits.sessions_per_id_max = 3;
    })
    .await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(w.enter("alice").await);
    }
    let mut fourth = w.connect("alice").await;
    let refused = fourth.next_line().await.expect("a refusal");
    assert_eq!(
        refused,
        "! too-many-sessions - alice already has 3 sessions here, the maximum; end one first"
    );
    let _bob = w.enter("bob").await;
    sessions.pop().expect("a session").close().await;
    w.until("select count(*) = 1 from joins where id = 'alice' and left_at is not null")
        .await;
    let _again = w.enter("alice").await;
}

#[tokio::test]
async fn every_session_has_its_row() {
    let w = World::start().await;
    w.enter_ours("alice").await.close().await;
    w.until("select count(*) = 1 from joins where left_at is not null")
        .await;
    let row = "select json_array(id, role, ip, port > 0, local_ip, prefix, interface is not null,
        interface_index > 0, length(serial), length(fingerprint), tls, cipher, key_exchange,
        client, joined_at <= left_at, reason) from joins";
    let expected = r#"["alice","student","127.0.0.1",1,"127.0.0.1",8,1,1,32,64,"TLSv1.3","TLS13_AES_128_GCM_SHA256","X25519MLKEM768","countersign/1",1,"goodbye"]"#;
    assert_eq!(w.column(row).await, [expected]);
}
