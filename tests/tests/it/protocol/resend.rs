//! Sending a line again is safe: it is stored once, and answered with its first place.

use tests::{Peer, World};

async fn in_the_room(w: &World) -> Peer {
    let mut alice = w.connect_ours("alice").await;
    alice.welcome().await;
    alice
}

/// Sends a line and returns the answer to it.
async fn answer(peer: &mut Peer, line: &str) -> String {
    peer.say(line).await;
    peer.next_line().await.expect("an answer")
}

#[tokio::test]
async fn a_line_sent_again_is_stored_once() {
    let w = World::start().await;
    let mut alice = in_the_room(&w).await;
    let first = answer(&mut alice, "/say k3v9q2a7-1 once").await;
    assert_eq!(first, "= ok k3v9q2a7-1 2");
    assert_eq!(answer(&mut alice, "/say k3v9q2a7-1 once").await, first);
    assert!(
        answer(&mut alice, "/say k3v9q2a7-1 other")
            .await
            .starts_with("! reused k3v9q2a7-1 ")
    );
    assert_eq!(
        answer(&mut alice, "/say k3v9q2a7-5 jumped").await,
        "= ok k3v9q2a7-5 3"
    );
    let passed = answer(&mut alice, "/say k3v9q2a7-3 late").await;
    assert!(passed.starts_with("! passed-over k3v9q2a7-3 "), "{passed}");
    assert_eq!(
        w.column("select text from history where kind = 'message'")
            .await,
        ["once", "jumped"]
    );
}

#[tokio::test]
async fn a_line_sent_again_after_a_restart_is_stored_once() {
    let mut w = World::start().await;
    let mut alice = in_the_room(&w).await;
    assert_eq!(
        answer(&mut alice, "/say k3v9q2a7-1 once").await,
        "= ok k3v9q2a7-1 2"
    );
    w.stop().await.expect("a good end");
    w.serve().await;
    let mut alice = in_the_room(&w).await;
    assert_eq!(
        answer(&mut alice, "/say k3v9q2a7-1 once").await,
        "= ok k3v9q2a7-1 2"
    );
    assert!(
        answer(&mut alice, "/say k3v9q2a7-1 other")
            .await
            .starts_with("! reused ")
    );
}

#[tokio::test]
async fn a_refused_line_has_spent_its_number() {
    let w = World::start().await;
    let mut alice = in_the_room(&w).await;
    let refused = answer(&mut alice, "/say k3v9q2a7-1 a\u{7}b").await;
    assert!(
        refused.starts_with("! forbidden-character k3v9q2a7-1 "),
        "{refused}"
    );
    let again = answer(&mut alice, "/say k3v9q2a7-1 mended").await;
    assert!(again.starts_with("! passed-over k3v9q2a7-1 "), "{again}");
    assert_eq!(
        answer(&mut alice, "/say k3v9q2a7-2 mended").await,
        "= ok k3v9q2a7-2 2"
    );
}

#[tokio::test]
async fn the_same_number_of_another_person_is_another_line() {
    let w = World::start().await;
    let mut alice = in_the_room(&w).await;
    assert_eq!(
        answer(&mut alice, "/say k3v9q2a7-1 mine").await,
        "= ok k3v9q2a7-1 2"
    );
    let mut bob = w.connect_ours("bob").await;
    bob.welcome().await;
    assert_eq!(
        answer(&mut bob, "/say k3v9q2a7-1 his").await,
        "= ok k3v9q2a7-1 4"
    );
}

#[tokio::test]
async fn the_same_line_twice_in_one_batch_is_stored_once() {
    let w = World::start().await;
    let mut alice = in_the_room(&w).await;
    alice.send("/say k3v9q2a7-1 once\n".repeat(10)).await;
    for _ in 0..10 {
        assert_eq!(
            alice.next_line().await.as_deref(),
            Some("= ok k3v9q2a7-1 2")
        );
    }
}
