//! Lines that one person says too fast have to wait, and nobody else's do.

use std::time::{Duration, Instant};

use tests::{Peer, World, same_day};

use crate::alone;

#[tokio::test]
async fn all_sessions_of_one_id_share_its_bytes_and_nobody_else_waits() {
    let _alone = alone().await;
    let w = World::with(|o| {
        o.same_id = server::SameId::Allow;
        (o.limits.byte_rate, o.limits.byte_burst) = (16_384, 4096);
    })
    .await;
    let (mut one, mut two) = (w.enter_ours("alice").await, w.enter_ours("alice").await);
    let mut bob = w.enter_ours("bob").await;
    let began = Instant::now();
    say(&mut one, "firstrun-1", &text(4096)).await;
    let long = text(4096);
    let (alices, bobs) = tokio::join!(
        async {
            say(&mut two, "otherrun-1", &long).await;
            began.elapsed()
        },
        async {
            say(&mut bob, "bobsrun1-1", &long).await;
            began.elapsed()
        },
    );
    assert!(alices >= Duration::from_millis(240), "{alices:?}");
    assert!(bobs < alices, "{bobs:?}, {alices:?}");
}

#[tokio::test]
async fn a_line_that_is_sent_again_is_not_paid_for_twice() {
    let _alone = alone().await;
    same_day().await;
    let w = World::with(|o| {
        (o.limits.byte_rate, o.limits.byte_burst) = (4096, 4096);
        // Of the text and its row, three times.
        o.limits.daily_bytes_max = 3 * (4096 + 128);
    })
    .await;
    let mut alice = w.enter_ours("alice").await;
    let first = say(&mut alice, "k3v9q2a7-1", &text(4096)).await;
    let began = Instant::now();
    for _ in 0..6 {
        assert_eq!(say(&mut alice, "k3v9q2a7-1", &text(4096)).await, first);
    }
    let second = say(&mut alice, "k3v9q2a7-2", &text(4096)).await;
    assert!(second.starts_with("= ok "), "{second}");
    // The first waits for its second, and what it gives back is enough for all the others.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    let third = say(&mut alice, "k3v9q2a7-3", &text(4096)).await;
    assert!(third.starts_with("= ok "), "{third}");
}

/// Returns a text of this many bytes.
fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Says a line of a run and returns the answer to it.
async fn say(peer: &mut Peer, nonce: &str, text: &str) -> String {
    peer.say(&format!("/say {nonce} {text}")).await;
    peer.expect(&format!(" {nonce}")).await
}
