//! The main path: people enter and talk, everybody sees it, and commands are answered.

use std::time::{Duration, SystemTime};

use ca_tool::{IssueOptions, Whose};
use pki::Bundle;
use tests::{Options, PATIENCE, Peer, World, lasting, said, within};
use wire::{Kind, Reply, Role, ServerLine, Timestamp};

#[tokio::test]
async fn what_alice_says_bob_sees_with_the_name_in_her_certificate() {
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "张三").await;
    alice.say("hello").await;
    assert_eq!(bob.next_said().await, said("alice", "hello"));
    bob.say("你好").await;
    assert_eq!(
        alice.next_said().await,
        said("alice", "hello"),
        "own lines come back too"
    );
    assert_eq!(alice.next_said().await, said("张三", "你好"));
}

#[tokio::test]
async fn the_greeting_says_who_where_and_how_far() {
    let w = World::start().await;
    let mut alice = w.connect("alice").await;
    let welcome = alice.welcome().await;
    assert_eq!(welcome.id.as_str(), "alice");
    assert_eq!(
        (welcome.role, welcome.room.as_str()),
        (Role::Student, "Networks 101")
    );
    assert_eq!(
        (welcome.ip.to_string().as_str(), welcome.head),
        ("127.0.0.1", 1)
    );
    assert_eq!(
        w.column("select value from meta where key = 'epoch'").await,
        [welcome.epoch]
    );
}

#[tokio::test]
async fn whose_certificate_ends_within_14_days_is_told_so_in_the_greeting() {
    const FORTNIGHT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
    let w = World::start().await;
    w.issue("alice", &lasting(FORTNIGHT - PATIENCE));
    w.issue("bob", &lasting(FORTNIGHT + PATIENCE));
    let not_after = w.bundle("alice").certificate().not_after;
    let mut alice = w.connect("alice").await;
    let expires = alice.welcome().await.expires;
    assert_eq!(expires, Some(Timestamp::from(not_after)));
    let mut in_ours = w.connect_ours("alice").await;
    assert_eq!(in_ours.welcome().await.expires, expires);
    let mut bob = w.connect("bob").await;
    assert_eq!(bob.welcome().await.expires, None);
}

#[tokio::test]
async fn whose_certificate_is_being_replaced_is_told_the_earlier_end() {
    const OVERLAP_DAYS: u64 = 5;
    let w = World::with(|o| o.limits.sessions_per_minute_max = 0).await;
    let (old, bobs) = (w.bundle("alice"), w.bundle("bob"));
    let overlap = Duration::from_secs(OVERLAP_DAYS * 24 * 60 * 60);
    let whose = Whose::People(vec!["alice".to_owned()]);
    let ends = SystemTime::now() + overlap;
    let overlap = overlap.try_into().expect("a few days");
    let renewed = w.ca().renew(&whose, overlap, &IssueOptions::default());
    let new = Bundle::read(&renewed.expect("renewed").issued[0].bundle).expect("a bundle");
    w.reload();
    let greeted = async |bundle: &Bundle| {
        let mut peer = Peer::connect(w.address(), bundle, &[])
            .await
            .expect("a connection");
        peer.welcome().await.expires
    };
    // The list has to be read first.
    let told = within("the new list", async {
        loop {
            if let Some(told) = greeted(&old).await {
                return told;
            }
        }
    });
    let told = told.await.to_system_time();
    assert!(
        told + Duration::from_secs(1) > ends && told < ends + PATIENCE,
        "{told:?}"
    );
    // The new certificate lasts, and so does that of somebody else.
    assert_eq!(greeted(&new).await, None);
    assert_eq!(greeted(&bobs).await, None);
}

#[tokio::test]
async fn a_plain_client_gets_the_last_20_entries_and_then_what_is_said() {
    let w = World::with(Options::without_pace).await;
    let mut alice = w.enter("alice").await;
    for n in 1..=30 {
        alice.say(&format!("line {n}")).await;
    }
    alice.expect("line 30").await;
    let mut bob = w.connect("bob").await;
    let head = bob.welcome().await.head;
    assert_eq!(head, 32, "30 lines and two enters");
    for seq in 13..=32 {
        assert_eq!(bob.next_entry().await.map(|entry| entry.seq), Some(seq));
    }
    assert_eq!(bob.next().await, Some(ServerLine::Reply(Reply::At(32))));
    alice.say("live").await;
    assert_eq!(bob.next_said().await, said("alice", "live"));
}

#[tokio::test]
async fn our_dialect_is_sent_nothing_before_it_says_where_to_start() {
    let w = World::start().await;
    let (mut alice, _bob) = w.pair("alice", "bob").await;
    let mut carol = w.connect_ours("carol").await;
    carol.welcome().await;
    alice.say("said before").await;
    alice.expect("said before").await;
    carol.say("/ping").await;
    assert_eq!(carol.next().await, Some(ServerLine::Reply(Reply::At(4))));
    carol.say("/follow head").await;
    assert_eq!(carol.next().await, Some(ServerLine::Reply(Reply::At(4))));
    alice.say("said after").await;
    assert_eq!(carol.next_said().await, said("alice", "said after"));
}

#[tokio::test]
async fn a_line_in_our_dialect_is_acknowledged_with_its_place() {
    let w = World::start().await;
    let mut alice = w.enter_ours("alice").await;
    alice.say("/say k3v9q2a7-1 /literally this").await;
    let mut acknowledged = None;
    let mut shown = None;
    while acknowledged.is_none() || shown.is_none() {
        match alice.next().await.expect("the session goes on") {
            ServerLine::Reply(Reply::Ok { nonce, seq }) => {
                assert_eq!(nonce.to_string(), "k3v9q2a7-1");
                acknowledged = Some(seq);
            }
            ServerLine::Entry(entry) => {
                let Kind::Message(line) = &entry.kind else {
                    panic!("{entry:?}")
                };
                assert_eq!(line.as_str(), "/literally this");
                shown = Some(entry.seq);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acknowledged, shown);
}

#[tokio::test]
async fn more_lines_than_may_be_under_way_are_all_taken_even_from_a_client_that_follows_nothing() {
    let w = World::with(Options::without_pace).await;
    let mut alice = w.connect_ours("alice").await;
    alice.welcome().await;
    let lines: String = (1..=300).map(|n| format!("line {n}\n")).collect();
    alice.send(lines).await;
    alice.say("/ping").await;
    assert_eq!(alice.next_line().await.as_deref(), Some("= at 301"));
}

#[tokio::test]
async fn each_command_is_answered_in_the_grammar() {
    let w = World::start().await;
    let (mut alice, _bob) = w.pair("alice", "bob").await;
    for (command, answers) in [
        (
            "/who",
            &[
                "= who 2 count=2",
                "= here alice role=student ip=127.0.0.1 since=",
                "= here bob ",
            ][..],
        ),
        (
            "/whois bob",
            &["= whois bob role=student ip=127.0.0.1 since="],
        ),
        ("/whois carol", &["! unknown-id - carol was never here"]),
        ("/whois al ice", &["! bad-argument - usage: /whois ID"]),
        (
            "/nick root",
            &["! name-from-certificate - you are alice because your certificate says so"],
        ),
        ("/ping", &["= at 2"]),
        ("/help", &["= begin help", "= help /help", "= end help"]),
        (
            "/hsitory",
            &["! unknown-command - there is no /hsitory; did you mean /history?"],
        ),
        ("/history 1", &["= begin history", "= 2 ", "= end history"]),
        (
            "history",
            &["= begin history", "= 1 ", "= 2 ", "= end history"],
        ),
    ] {
        alice.say(command).await;
        for answer in answers {
            let line = alice.expect(answer).await;
            assert!(line.starts_with(answer), "{command}: {line}");
            assert!(ServerLine::parse(&line).is_ok(), "{command}: {line}");
        }
    }
    alice.say("//who").await;
    assert_eq!(alice.next_said().await, said("alice", "/who"));
    alice.say("/quit").await;
    assert_eq!(alice.rest().await, ["= bye goodbye"]);
}

#[tokio::test]
async fn whois_knows_who_was_here() {
    let w = World::start().await;
    let (mut alice, bob) = w.pair("alice", "bob").await;
    bob.close().await;
    alice.expect("* bob@127.0.0.1 left (goodbye)").await;
    alice.say("/whois bob").await;
    let answer = alice.expect("= whois bob").await;
    assert!(answer.contains("reason=goodbye sessions=0"), "{answer}");
}
