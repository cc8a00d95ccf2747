//! Limits and deadlines, and what happens to clients that want more than there is.

use std::time::Duration;

use tests::{World, client_hello, said, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A time limit that runs out soon, but not before an honest client on a busy machine has done its part.
const SHORT: Duration = Duration::from_secs(2);

/// Returns everything that the server sends until it closes.
async fn everything(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the last byte is an end too.
    let _end = within("the server's answer", stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns whether the server still listens to a silent connection: it answers the first line, which is
/// not TLS, and said nothing before.
async fn is_still_heard(mut silent: TcpStream) -> bool {
    let _gone = silent.write_all(b"hello\n").await;
    everything(silent).await.starts_with("this room needs TLS")
}

#[tokio::test]
async fn a_client_that_does_not_speak_tls_is_told_what_is_needed() {
    let w = World::start().await;
    for opening in [
        "GET / HTTP/1.1\r\n\r\n",
        "hello\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0",
    ] {
        let mut stream = TcpStream::connect(w.address()).await.expect("a connection");
        stream.write_all(opening.as_bytes()).await.expect("written");
        let told = everything(stream).await;
        assert!(
            told.starts_with("this room needs TLS and a client certificate: "),
            "{told:?}"
        );
    }
    assert_eq!(w.column("select id from joins").await, [""; 0]);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let w = World::with(|o| o.limits.handshake_timeout = SHORT).await;
    let silent = TcpStream::connect(w.address()).await.expect("a connection");
    let mut slow = TcpStream::connect(w.address()).await.expect("a connection");
    // The beginning of a TLS record of 512 bytes that never comes whole.
    slow.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("written");
    assert_eq!(everything(silent).await, "");
    assert_eq!(everything(slow).await, "");
    let _alice = w.enter("alice").await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_and_the_others_stay() {
    let w = World::with(|o| {
        o.limits.connections_max = 2;
        // Longer than any test waits, so that this limit does not close the third connection.
        o.limits.handshake_timeout = Duration::from_secs(3600);
    })
    .await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let third = TcpStream::connect(w.address()).await.expect("a connection");
    assert_eq!(
        everything(third).await,
        "! try-later - there is no room for more connections; try again later\n"
    );
    alice.say("there is room for two").await;
    bob.expect("there is room for two").await;
    bob.close().await;
    alice.expect("* bob@127.0.0.1 left").await;
    // The place is free when the session has ended.
    let entered = async {
        loop {
            let mut carol = w.connect("carol").await;
            if carol
                .next_line()
                .await
                .is_some_and(|line| line.starts_with("= welcome"))
            {
                return;
            }
        }
    };
    within("a free place", entered).await;
}

/// Returns a connection that has sent a good ClientHello, and will send nothing more.
async fn stalled_handshake(w: &World) -> TcpStream {
    let hello = client_hello(&w.bundle("mallory"));
    let mut stream = TcpStream::connect(w.address()).await.expect("a connection");
    stream.write_all(&hello).await.expect("written");
    // The server has answered, so it has given the handshake its place.
    let mut first = [0];
    within("a ServerHello", stream.read_exact(&mut first))
        .await
        .expect("a ServerHello");
    stream
}

#[tokio::test]
async fn a_class_behind_one_address_waits_its_turn_and_gets_in() {
    let w = World::with(|o| {
        o.limits.handshakes_per_address_max = 1;
        o.limits.handshake_timeout = Duration::from_secs(3600);
        o.limits.crowded_handshake_timeout = SHORT;
    })
    .await;
    // Somebody holds the only place for as long as others let it.
    let slow = stalled_handshake(&w).await;
    let (_a, _b, _c, _d, _e) = tokio::join!(
        w.enter("alice"),
        w.enter("bob"),
        w.enter("carol"),
        w.enter("dave"),
        w.enter("erin"),
    );
    everything(slow).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_holds_up_nobody() {
    let w = World::with(|o| {
        o.limits.handshakes_max = 1;
        o.limits.handshakes_per_address_max = 1;
        o.limits.handshake_timeout = Duration::from_secs(3600);
        o.limits.crowded_handshake_timeout = Duration::from_secs(3600);
    })
    .await;
    let mut idle = Vec::new();
    for opening in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1]] {
        let mut stream = TcpStream::connect(w.address()).await.expect("a connection");
        stream.write_all(opening).await.expect("written");
        idle.push(stream);
    }
    let _alice = w.enter("alice").await;
}

#[tokio::test]
async fn silent_connections_of_an_address_make_room_for_one_that_speaks() {
    let w = World::with(|o| {
        o.limits.connections_max = 100;
        o.limits.waiting_per_address_max = 4;
        o.limits.handshake_timeout = Duration::from_secs(3600);
        o.limits.crowded_handshake_timeout = Duration::from_secs(3600);
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(TcpStream::connect(w.address()).await.expect("a connection"));
    }
    let _alice = w.enter("alice").await;
    // The oldest has made room, and only that one.
    let mut idle = idle.into_iter();
    let oldest = everything(idle.next().expect("four of them")).await;
    assert_eq!(
        oldest,
        "! try-later - this connection said nothing, and another one needs its place; try again later\n"
    );
    let _bob = w.enter("bob").await;
    for kept in idle {
        assert!(is_still_heard(kept).await, "one more had to go");
    }
}

#[tokio::test]
async fn silence_is_cut_short_where_others_need_the_room() {
    let w = World::with(|o| {
        o.limits.waiting_per_address_max = 4;
        o.limits.handshake_timeout = Duration::from_secs(3600);
        o.limits.crowded_handshake_timeout = SHORT;
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(w.address()).await.expect("a connection"));
    }
    let last = silent.remove(0);
    // Two of four are not a crowd, so only the first one ends.
    assert_eq!(everything(last).await, "");
    let _alice = w.enter("alice").await;
    let mut heard = 0;
    for one in silent {
        heard += usize::from(is_still_heard(one).await);
    }
    assert!(heard >= 1, "one of them is still here");
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_cut() {
    let w = World::with(|o| {
        o.without_pace();
        o.limits.write_stall_timeout = SHORT;
    })
    .await;
    let (mut alice, stalled) = w.pair("alice", "bob").await;
    // More than the system's own buffers take, so that a write to bob cannot go on.
    alice.say_much(6400).await;
    w.until("select count(*) = 1 from joins where id = 'bob' and reason = 'stalled'")
        .await;
    drop(stalled);
    // And follows on without a gap when it comes back.
    let at = w
        .column("select at from history where seq = 2")
        .await
        .remove(0);
    let mut bob = w.connect_ours("bob").await;
    bob.welcome().await;
    bob.say(&format!("/follow 2 {at}")).await;
    for seq in 3..6403 {
        assert_eq!(bob.next_entry().await.map(|entry| entry.seq), Some(seq));
    }
}

/// The system also gives up on such a peer, and counts from an earlier moment than the server: when
/// data first waited, not when the system had no more room for it.
#[tokio::test]
async fn a_reader_that_never_reads_has_stalled_before_the_system_calls_it_lost() {
    let w = World::with(|o| {
        o.without_pace();
        o.limits.write_stall_timeout = Duration::from_secs(8);
        o.limits.silence_timeout = Duration::from_secs(9);
    })
    .await;
    let (mut alice, _stalled) = w.pair("alice", "bob").await;
    alice.say_much(3200).await;
    w.until("select count(*) = 1 from joins where id = 'bob' and reason is not null")
        .await;
    let reason = w.column("select reason from joins where id = 'bob'").await;
    assert_eq!(reason, ["stalled"]);
}

#[tokio::test]
async fn a_client_that_waits_for_its_turn_is_not_silent() {
    let w = World::with(|o| {
        (o.limits.line_rate, o.limits.line_burst) = (1, 1);
        o.limits.silence_timeout = SHORT;
    })
    .await;
    let mut alice = w.enter_ours("alice").await;
    alice.send("one\ntwo\nthree\nfour\n").await;
    // Each of the last three waits for a second, and the last one for longer than the silence may be.
    for text in ["one", "two", "three", "four"] {
        assert_eq!(alice.next_said().await, said("alice", text));
    }
    alice.expect("= bye silent").await;
}

#[tokio::test]
async fn a_client_of_our_dialect_that_is_silent_for_too_long_has_gone() {
    let w = World::with(|o| o.limits.silence_timeout = SHORT).await;
    let mut alice = w.enter_ours("alice").await;
    let bye = alice.expect("= bye ").await;
    assert!(
        bye.starts_with("= bye silent nothing was heard for "),
        "{bye}"
    );
    w.until("select count(*) = 1 from joins where id = 'alice' and reason = 'silent'")
        .await;
    // In the plain dialect nobody has to say anything.
    let mut bob = w.enter("bob").await;
    let mut carol = w.enter_ours("carol").await;
    carol.expect("= bye silent").await;
    bob.say("/ping").await;
    bob.expect("= at ").await;
}
