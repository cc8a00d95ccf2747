//! Lines that were said before: `/history`, and following from where a client left off.

use tests::{Peer, World};
use wire::{Reply, ServerLine};

/// Starts a room in which `lines` lines were said; the first entry is alice's enter.
async fn room(lines: u64) -> (World, Peer) {
    // A small tail, so that most of it must come from the database.
    let w = World::with(|o| {
        o.without_pace();
        o.limits.tail_bytes_max = 4 * 1024;
    })
    .await;
    let mut alice = w.enter("alice").await;
    alice
        .send(
            (2..lines + 2)
                .map(|n| format!("line {n}\n"))
                .collect::<String>(),
        )
        .await;
    alice.expect(&format!("] line {}", lines + 1)).await;
    (w, alice)
}

/// Returns the seqs that `/history` answers with.
async fn history(peer: &mut Peer, command: &str) -> Vec<u64> {
    peer.say(command).await;
    peer.expect("= begin history").await;
    let mut seqs = Vec::new();
    loop {
        match peer.next().await {
            Some(ServerLine::Reply(Reply::Replayed(entry))) => seqs.push(entry.seq),
            Some(ServerLine::Reply(Reply::End(_))) => return seqs,
            Some(ServerLine::Entry(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn history_answers_everything_or_what_is_asked_for() {
    let (w, _alice) = room(2000).await;
    let mut bob = w.enter_ours("bob").await;
    let all: Vec<u64> = (1..=2002).collect();
    assert_eq!(history(&mut bob, "/history").await, all);
    assert_eq!(history(&mut bob, "history").await, all);
    assert_eq!(history(&mut bob, "/history 3").await, [2000, 2001, 2002]);
    assert_eq!(history(&mut bob, "/history 3 before 10").await, [7, 8, 9]);
    assert_eq!(history(&mut bob, "/history 3 before 2").await, [1]);
    assert_eq!(history(&mut bob, "/history 3 before 1").await, [0u64; 0]);
    assert_eq!(history(&mut bob, "/history 0").await, [0u64; 0]);
    assert_eq!(history(&mut bob, "/history 5000 before 99999").await, all);
}

#[tokio::test]
async fn history_knows_what_was_said_just_before_it() {
    let (_w, mut alice) = room(1).await;
    alice.send("a\nb\nc\n/history 3\n").await;
    alice.expect("= begin history").await;
    for text in ["a", "b", "c"] {
        let line = alice.expect("= ").await;
        assert!(line.ends_with(&format!("] {text}")), "{line}");
    }
}

#[tokio::test]
async fn what_is_said_meanwhile_passes_between_the_lines_of_a_long_answer() {
    let (w, mut alice) = room(20_000).await;
    let mut bob = w.enter_ours("bob").await;
    bob.say("/history").await;
    bob.expect("= begin history").await;
    alice.say("meanwhile").await;
    let mut replayed = 0;
    let mut live = 0;
    loop {
        match bob.next().await {
            Some(ServerLine::Reply(Reply::Replayed(_))) => replayed += 1,
            Some(ServerLine::Entry(_)) => live += 1,
            Some(ServerLine::Reply(Reply::End(_))) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((replayed, live), (20_002, 1));
}

#[tokio::test]
async fn a_client_follows_on_from_the_last_entry_it_has() {
    let (w, mut alice) = room(3000).await;
    let at = w
        .column("select at from history where seq = 5")
        .await
        .remove(0);
    let mut bob = w.connect_ours("bob").await;
    bob.welcome().await;
    bob.say(&format!("/follow 5 {at}")).await;
    for seq in 6..=3002 {
        assert_eq!(bob.next_entry().await.map(|entry| entry.seq), Some(seq));
    }
    assert_eq!(bob.next().await, Some(ServerLine::Reply(Reply::At(3002))));
    alice.say("on").await;
    assert_eq!(bob.next_entry().await.map(|entry| entry.seq), Some(3003));
    bob.say("/follow 0").await;
    bob.expect("! already-following - ").await;
}

#[tokio::test]
async fn another_history_is_noticed_and_one_can_start_afresh() {
    let (w, _alice) = room(5).await;
    let mut bob = w.connect_ours("bob").await;
    bob.welcome().await;
    for follow in [
        "/follow 3 2001-01-01T00:00:00.000Z",
        "/follow 99 2001-01-01T00:00:00.000Z",
    ] {
        bob.say(follow).await;
        bob.expect("! other-history - ").await;
    }
    bob.say("/follow 0").await;
    assert_eq!(bob.next_entry().await.map(|entry| entry.seq), Some(1));
}

#[tokio::test]
async fn after_a_restart_the_tail_and_the_seqs_go_on() {
    let (mut w, alice) = room(50).await;
    drop(alice);
    w.until("select count(*) = 1 from joins where left_at is not null")
        .await;
    w.stop().await.expect("a good end");
    w.serve().await;
    let mut bob = w.connect("bob").await;
    let head = bob.welcome().await.head;
    assert_eq!(head, 52);
    for seq in 33..=52 {
        assert_eq!(bob.next_entry().await.map(|entry| entry.seq), Some(seq));
    }
}
