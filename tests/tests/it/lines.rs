//! What may be said, and what becomes of the rest: raw bytes through TLS.

use tests::{World, said};

#[tokio::test]
async fn an_over_long_line_is_refused_once_and_the_next_is_fine() {
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let exact = "x".repeat(4096);
    alice
        .send(format!("{exact}y\n{exact}\n{}\nnext\n", "z".repeat(60_000)))
        .await;
    alice
        .expect("! too-long - a line may have 4096 bytes")
        .await;
    assert_eq!(bob.next_said().await, said("alice", &exact));
    assert_eq!(bob.next_said().await, said("alice", "next"));
    alice
        .send(format!("/say k3v9q2a7-7 {}\n", "z".repeat(5000)))
        .await;
    alice
        .expect("! too-long k3v9q2a7-7 a line may have 4096 bytes")
        .await;
}

#[tokio::test]
async fn a_line_without_end_ends_its_session_and_no_other() {
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    alice.send("x".repeat(70_000)).await;
    alice.expect("! too-long - ").await;
    alice
        .expect("= bye flooding a line went on without end")
        .await;
    assert_eq!(alice.next_line().await, None);
    bob.say("still here").await;
    assert_eq!(bob.next_said().await, said("bob", "still here"));
}

#[tokio::test]
async fn what_is_refused_is_never_stored_and_what_is_stored_is_what_was_sent() {
    let w = World::with(|o| o.limits.line_rate = 0).await;
    let mut alice = w.enter("alice").await;
    for (line, answer) in [
        (&b"\xff\n"[..], "! not-utf8 - "),
        (b"a\xc0\x80\n", "! not-utf8 - "),
        (
            b"\x1b[31mred\n",
            "! forbidden-character - a line may not contain U+001B",
        ),
        (
            "a\u{202e}b\n".as_bytes(),
            "! forbidden-character - a line may not contain U+202E",
        ),
        (
            "a\u{2028}b\n".as_bytes(),
            "! forbidden-character - a line may not contain U+2028",
        ),
        (
            b"a\rb\n",
            "! forbidden-character - a line may not contain U+000D",
        ),
    ] {
        alice.send(line).await;
        let refused = alice.expect("! ").await;
        assert!(refused.starts_with(answer), "{refused}");
    }
    let texts = [
        "",
        "tab\there",
        "你好 👨‍👩‍👧",
        "[bob@192.0.2.9] hi",
        "= ok",
        " spaces  ",
        "{\"a\":[1]}",
    ];
    for text in texts {
        alice.send(format!("{text}\r\n")).await;
    }
    alice.expect("{\"a\":[1]}").await;
    let stored = w
        .column("select text from history where kind = 'message' order by seq")
        .await;
    assert_eq!(stored, texts[1..], "the empty line is nothing");
}

#[tokio::test]
async fn lines_are_the_same_however_they_come() {
    let w = World::with(|o| o.limits.line_rate = 0).await;
    let mut alice = w.enter("alice").await;
    let hundred: String = (0..100).map(|n| format!("at once {n}\n")).collect();
    alice.send(hundred).await;
    for byte in "字 by byte\n".bytes() {
        alice.send([byte]).await;
    }
    for n in 0..100 {
        assert_eq!(
            alice.next_said().await,
            said("alice", &format!("at once {n}"))
        );
    }
    assert_eq!(alice.next_said().await, said("alice", "字 by byte"));
}

#[tokio::test]
async fn a_partial_line_at_the_end_was_never_a_line() {
    let w = World::start().await;
    let alice = w.enter("alice").await;
    let mut alice = alice;
    alice.send("whole\nhalf").await;
    let last = alice.close().await;
    assert!(
        last.iter().any(|line| line.ends_with("] whole")),
        "{last:?}"
    );
    let stored = w
        .column("select text from history where kind = 'message'")
        .await;
    assert_eq!(stored, ["whole"]);
}

#[tokio::test]
async fn lines_beyond_the_rate_wait_and_are_not_dropped() {
    let w = World::with(|o| (o.limits.line_rate, o.limits.line_burst) = (50, 5)).await;
    let mut alice = w.enter("alice").await;
    let begun = std::time::Instant::now();
    alice
        .send((0..30).map(|n| format!("{n}\n")).collect::<String>())
        .await;
    for n in 0..30 {
        assert_eq!(alice.next_said().await, said("alice", &n.to_string()));
    }
    // 25 lines beyond the burst, one every 20 ms.
    assert!(begun.elapsed().as_millis() >= 480, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn empty_lines_are_nothing_and_take_their_turn_all_the_same() {
    let w = World::with(|o| (o.limits.line_rate, o.limits.line_burst) = (50, 5)).await;
    let mut alice = w.enter("alice").await;
    let begun = std::time::Instant::now();
    alice.send("\n".repeat(30) + "said\n").await;
    assert_eq!(alice.next_said().await, said("alice", "said"));
    assert!(begun.elapsed().as_millis() >= 480, "{:?}", begun.elapsed());
}
