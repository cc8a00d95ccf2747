//! A revocation takes effect within two seconds.

use std::time::{Duration, Instant};

use tests::{Ended, Options, Site, World, end, finish, run_client};

use crate::{alone, alone_blocking};

#[tokio::test]
async fn a_revoked_person_is_out_within_two_seconds_and_stays_out() {
    let _alone = alone().await;
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let begun = Instant::now();
    w.revoke("bob");
    let bye = bob.expect("= bye ").await;
    assert!(
        bye.starts_with("= bye revoked your certificate was revoked"),
        "{bye}"
    );
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    alice.expect("* bob@127.0.0.1 left (revoked)").await;
    let mut again = w.connect("bob").await;
    let refused = again.read_line().await.expect_err("an alert").to_string();
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    assert_eq!(
        w.column("select id from joins order by session").await,
        ["alice", "bob"]
    );
    alice.say("/ping").await;
    alice.expect("= at ").await;
}

#[tokio::test]
async fn a_revoked_person_who_reads_nothing_is_out_within_two_seconds_too() {
    let _alone = alone().await;
    let w = World::with(Options::without_pace).await;
    let (mut alice, _stalled) = w.pair("alice", "bob").await;
    alice.say_much(5120).await;
    let begun = Instant::now();
    w.revoke("bob");
    w.until("select count(*) = 1 from joins where id = 'bob' and reason = 'revoked'")
        .await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_client_whose_certificate_is_revoked_is_out_within_two_seconds_and_nobody_else_notices() {
    let _alone = alone_blocking();
    let site = Site::new("Networks 101");
    let served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--bare"]);
    let bob = site.enter(&served, "bob", &[]);
    let revoked = Ended::from(site.run("ca-tool", &["revoke", "bob"]));
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    let since = Instant::now();
    let bob = end(bob);
    bob.failed(
        6,
        "revoked",
        "ask whoever runs the room for a new certificate",
    );
    let again = run_client(&site, &served.address.to_string(), "bob", "hello\n");
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );
    again.failed(62, "revoked", "ask whoever runs the room");
    alice.send("still here\n");
    alice.expect_out("[alice@127.0.0.1] still here");
    assert_eq!(finish(alice).code, Some(0));
    assert_eq!(
        site.query("select id, reason from joins order by session"),
        ["alice,goodbye", "bob,revoked"]
    );
}
