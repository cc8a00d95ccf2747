//! How sessions and servers end.

use std::time::Duration;

use pki::Bundle;
use tests::{Options, Peer, World, lasting};
use wire::{Reply, ServerLine};

#[tokio::test]
async fn a_session_ends_with_its_certificate() {
    let w = World::start().await;
    w.issue("alice", &lasting(Duration::from_secs(4)));
    let mut alice = w.enter("alice").await;
    alice
        .expect("= bye expired your certificate has expired")
        .await;
    let bundle = Bundle::read(&w.bundle_path("alice")).expect("a bundle");
    let mut again = Peer::connect(w.address(), &bundle, &[])
        .await
        .expect("a connection");
    let refused = again.read_line().await.expect_err("an alert").to_string();
    assert!(refused.contains("CertificateExpired"), "{refused}");
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_it_read_and_says_goodbye() {
    let mut w = World::with(Options::without_pace).await;
    let mut alice = w.enter_ours("alice").await;
    let lines: String = (1..=500)
        .map(|n| format!("/say k3v9q2a7-{n} line {n}\n"))
        .collect();
    alice.send(lines).await;
    // Some are answered before the server is told to stop, some after, some never.
    alice.expect("= ok k3v9q2a7-1 ").await;
    w.begin_to_stop();
    let mut acknowledged = 1;
    let mut shown = 0;
    let mut bye = None;
    while let Some(line) = alice.next().await {
        match line {
            ServerLine::Reply(Reply::Ok { .. }) => acknowledged += 1,
            ServerLine::Reply(Reply::Bye { reason, .. }) => bye = Some(reason),
            ServerLine::Entry(_) => shown += 1,
            other => panic!("{other:?}"),
        }
    }
    w.ended().await.expect("a good end");
    assert_eq!(bye, Some(wire::Reason::ShuttingDown.into()));
    let stored = w
        .column("select text from history where kind = 'message' order by seq")
        .await;
    assert_eq!(
        stored.len(),
        acknowledged,
        "what was stored is what was acknowledged"
    );
    assert!(shown <= stored.len());
    assert_eq!(
        w.column("select reason from joins").await,
        ["shutting-down"]
    );
}

#[tokio::test]
async fn lines_that_were_read_and_wait_for_their_turn_are_recorded_when_the_server_stops() {
    let mut w = World::with(|o| (o.limits.line_rate, o.limits.line_burst) = (1, 1)).await;
    let mut alice = w.enter_ours("alice").await;
    // One record, so that all of it is read at once; at one line a second it would take a while.
    let lines: String = (1..=20)
        .map(|n| format!("/say k3v9q2a7-{n} line {n}\n"))
        .collect();
    alice.send(lines).await;
    alice.expect("= ok k3v9q2a7-1 ").await;
    w.begin_to_stop();
    alice.expect("= ok k3v9q2a7-20 ").await;
    alice.expect("= bye shutting-down").await;
    w.ended().await.expect("a good end");
    let stored = w
        .column("select text from history where kind = 'message'")
        .await;
    assert_eq!(stored.len(), 20);
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_a_client_that_reads_nothing() {
    let mut w = World::with(|o| {
        o.without_pace();
        o.limits.stop_sessions_timeout = Duration::from_millis(500);
    })
    .await;
    let (mut alice, _stalled) = w.pair("alice", "bob").await;
    alice.say_much(5120).await;
    w.stop().await.expect("a good end");
    let open = w.column("select id from joins where left_at is null").await;
    assert_eq!(open, [""; 0]);
}

#[tokio::test]
async fn nothing_is_shown_while_it_cannot_be_stored_and_all_of_it_afterwards() {
    let w = World::with(Options::without_pace).await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let mut carol = w.enter_ours("carol").await;
    alice.expect("* carol@").await;
    bob.expect("* carol@").await;
    let mut holder = w.sqlite().await;
    sqlx::query("begin immediate")
        .execute(&mut holder)
        .await
        .expect("the write lock");

    for n in 1..=200 {
        alice.say(&format!("alice {n}")).await;
        carol.say(&format!("/say k3v9q2a7-{n} carol {n}")).await;
    }
    // Each is told once that lines wait; nothing else comes, and newcomers are sent away in words.
    for peer in [&mut alice, &mut bob, &mut carol] {
        let next = peer.next_line().await;
        assert_eq!(
            next.as_deref(),
            Some("! waiting - the database is locked; lines are kept")
        );
    }
    let mut dave = w.connect("dave").await;
    dave.expect("! try-later - nothing can be recorded now (the database is locked)")
        .await;
    bob.say("/who").await;
    assert_eq!(
        bob.next_line().await.as_deref(),
        Some("= who 3 count=3"),
        "sessions are answered"
    );
    for _ in 0..3 {
        assert!(
            bob.next_line()
                .await
                .is_some_and(|line| line.starts_with("= here "))
        );
    }
    // Nothing came before the answer to this.
    bob.say("/ping").await;
    let next = bob.next_line().await.expect("the session goes on");
    assert!(next.starts_with("= at "), "{next}");

    sqlx::query("rollback")
        .execute(&mut holder)
        .await
        .expect("released");
    let mut heard = Vec::new();
    while heard.len() < 400 {
        heard.push(bob.next_said().await);
    }
    for id in ["alice", "carol"] {
        let theirs: Vec<_> = heard
            .iter()
            .filter(|said| said.id == id)
            .map(|said| &said.text)
            .collect();
        let expected: Vec<String> = (1..=200).map(|n| format!("{id} {n}")).collect();
        assert!(
            theirs.iter().copied().eq(expected.iter()),
            "{id}: {theirs:?}"
        );
    }
    let stored = w
        .column("select text from history where kind = 'message' order by seq")
        .await;
    assert!(stored.iter().eq(heard.iter().map(|said| &said.text)));
}

#[tokio::test]
async fn a_server_that_cannot_store_and_is_stopped_says_how_much_was_not() {
    let mut w = World::with(|o| {
        o.without_pace();
        o.limits.stop_database_timeout = Duration::from_millis(300);
        o.limits.stop_sessions_timeout = Duration::from_millis(300);
    })
    .await;
    let mut alice = w.enter_ours("alice").await;
    let mut holder = w.sqlite().await;
    sqlx::query("begin immediate")
        .execute(&mut holder)
        .await
        .expect("the write lock");
    for n in 1..=7 {
        alice.say(&format!("/say k3v9q2a7-{n} line {n}")).await;
    }
    alice.expect("! waiting - ").await;
    alice.say("/ping").await;
    let failure = w.stop().await.expect_err("lines were not stored");
    assert_eq!(failure.exit_code(), 75);
    assert!(
        failure.to_string().contains("7 lines were not stored"),
        "{failure}"
    );
    let rest = alice.rest().await;
    assert!(
        !rest.iter().any(|line| line.starts_with("= ok")),
        "{rest:?}"
    );
}

#[tokio::test]
async fn a_server_whose_database_was_taken_away_ends_and_says_so() {
    for take_away in ["delete", "replace"] {
        let mut w = World::start().await;
        let mut alice = w.enter_ours("alice").await;
        let db = w.db();
        match take_away {
            "delete" => std::fs::remove_file(&db).expect("deleted"),
            _ => {
                std::fs::copy(&db, w.folder().join("other.db")).expect("copied");
                std::fs::rename(w.folder().join("other.db"), &db).expect("replaced");
            }
        }
        let failure = w.ended().await.expect_err("nothing can be stored any more");
        assert_eq!(failure.exit_code(), 74);
        assert!(
            failure
                .to_string()
                .contains("was deleted, moved or replaced"),
            "{failure}"
        );
        alice.rest().await;
    }
}
