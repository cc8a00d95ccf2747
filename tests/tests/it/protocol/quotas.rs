//! How much one person may say in a while and in a day: more has to wait, and then it is refused in words.

use std::time::{Duration, Instant};

use tests::{Peer, World, said, same_day};

/// Returns a text of this many bytes.
fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Says a line of a run and returns the answer to it.
async fn say(peer: &mut Peer, nonce: &str, text: &str) -> String {
    peer.say(&format!("/say {nonce} {text}")).await;
    peer.expect(&format!(" {nonce}")).await
}

#[tokio::test]
async fn bytes_beyond_the_rate_wait_and_are_not_dropped() {
    let w = World::with(|o| {
        o.limits.line_rate = 0;
        (o.limits.byte_rate, o.limits.byte_burst) = (16_384, 4096);
    })
    .await;
    let mut alice = w.enter("alice").await;
    let began = Instant::now();
    alice.send((text(4096) + "\n").repeat(4)).await;
    for _ in 0..4 {
        assert_eq!(alice.next_said().await, said("alice", &text(4096)));
    }
    // Three lines beyond the burst, one every 250 ms.
    assert!(
        began.elapsed() >= Duration::from_millis(740),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn whoever_has_used_up_the_day_is_refused_in_words_and_others_are_not() {
    same_day().await;
    let mut w = World::with(|o| {
        o.limits.line_rate = 0;
        o.limits.daily_bytes_max = 2 * (1000 + 128);
    })
    .await;
    let mut alice = w.enter_ours("alice").await;
    for n in 1..=2 {
        let taken = say(&mut alice, &format!("k3v9q2a7-{n}"), &text(1000)).await;
        assert!(taken.starts_with("= ok "), "{taken}");
    }
    let refused = say(&mut alice, "k3v9q2a7-3", "and more").await;
    let words = "! quota k3v9q2a7-3 one person may write 2256 bytes a day, and this line would exceed that; you can go on after ";
    assert!(refused.starts_with(words), "{refused}");
    assert!(refused.ends_with("T00:00:00.000Z"), "{refused}");
    // Its number is spent, and what is stored is known all the same.
    let again = say(&mut alice, "k3v9q2a7-3", "and more").await;
    assert!(again.starts_with("! passed-over k3v9q2a7-3 "), "{again}");
    let again = say(&mut alice, "k3v9q2a7-2", &text(1000)).await;
    assert!(again.starts_with("= ok k3v9q2a7-2 "), "{again}");
    let mut bob = w.enter("bob").await;
    bob.say("good morning").await;
    assert_eq!(bob.next_said().await, said("bob", "good morning"));
    drop((alice, bob));

    // A restart is no new day, and without RUN-N it is the same.
    w.stop().await.expect("a good end");
    w.serve().await;
    let mut alice = w.enter("alice").await;
    alice.say("and more").await;
    alice.expect("! quota - one person may write ").await;
    alice.say("/who").await;
    alice.expect("= who ").await;
}

#[tokio::test]
async fn whoever_has_begun_enough_runs_today_is_refused_another_and_goes_on_with_those() {
    same_day().await;
    let mut w = World::with(|o| o.limits.daily_runs_max = 2).await;
    let mut alice = w.enter_ours("alice").await;
    for nonce in ["firstrun-1", "otherrun-1", "otherrun-2"] {
        let taken = say(&mut alice, nonce, "hi").await;
        assert!(taken.starts_with("= ok "), "{taken}");
    }
    let words = "you have started the client 2 times today, the maximum; ";
    let refused = say(&mut alice, "thirdrun-1", "hi").await;
    let expected = format!("! quota thirdrun-1 {words}");
    assert!(refused.starts_with(&expected), "{refused}");
    let taken = say(&mut alice, "firstrun-2", "hi").await;
    assert!(taken.starts_with("= ok "), "{taken}");
    drop(alice);

    w.stop().await.expect("a good end");
    w.serve().await;
    let mut alice = w.enter_ours("alice").await;
    let refused = say(&mut alice, "thirdrun-2", "hi").await;
    let expected = format!("! quota thirdrun-2 {words}");
    assert!(refused.starts_with(&expected), "{refused}");
    let taken = say(&mut alice, "firstrun-3", "hi").await;
    assert!(taken.starts_with("= ok "), "{taken}");
    let runs = w.column("select run from senders order by run").await;
    assert_eq!(runs, ["firstrun", "otherrun"]);
}

#[tokio::test]
async fn nobody_gets_a_new_burst_by_coming_back() {
    let w = World::with(|o| {
        o.limits.sessions_per_minute_max = 0;
        (o.limits.byte_rate, o.limits.byte_burst) = (4096, 4096);
    })
    .await;
    let mut alice = w.enter_ours("alice").await;
    // Taken before the first line is said, so that the measured time is never too short.
    let began = Instant::now();
    say(&mut alice, "k3v9q2a7-1", &text(4096)).await;
    alice.close().await;
    let mut alice = w.enter_ours("alice").await;
    say(&mut alice, "k3v9q2a7-2", &text(4096)).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
}
