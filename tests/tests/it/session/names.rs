//! Full names in the room: beside the IDs in the greeting, in `/who`, `/whois` and the record, and never
//! in their place.

use ca_tool::{Candidate, IssueOptions, Whose};
use sqlx::Row as _;
use tests::{Peer, World, said};
use time::Duration;
use wire::FullName;

/// Issues a certificate with a full name.
fn issue(w: &World, id: &str, name: &str) {
    let mut candidates = Candidate::named([id]);
    candidates[0].full_name = Some(name.to_owned());
    let issued = w.ca().issue(&candidates, &IssueOptions::default());
    issued.expect("a certificate");
}

/// Gives a person another full name, in another certificate.
fn rename(w: &World, id: &str, name: &str) {
    let options = IssueOptions {
        full_name: Some(FullName::parse(name).expect("a full name")),
        ..IssueOptions::default()
    };
    let whose = Whose::People(vec![id.to_owned()]);
    let renewed = w.ca().renew(&whose, Duration::days(7), &options);
    renewed.expect("another certificate");
}

/// Returns the last pair of the answer, from its first letter on.
async fn name_in(peer: &mut Peer, asked: &str, answer: &str) -> Option<String> {
    peer.say(asked).await;
    let line = peer.expect(answer).await;
    let at = line.find(" name=")?;
    Some(line[at + 1..].to_owned())
}

#[tokio::test]
async fn everybody_is_told_the_full_name_in_a_certificate_and_the_stamp_keeps_the_id() {
    let w = World::start().await;
    issue(&w, "s100003", "Alice Ng");
    // The ID of somebody else, and letters that are written from right to left.
    issue(&w, "mallory", "s100003 Ng");
    issue(&w, "محمد", "محمد بن عبد الله");
    let mut alice = w.connect("s100003").await;
    let welcome = alice.next_line().await.expect("a greeting");
    assert!(welcome.ends_with(" name=\"Alice Ng\""), "{welcome}");
    let mut bob = w.enter("bob").await;
    let (_mallory, _muhammad) = (w.enter("mallory").await, w.enter("محمد").await);
    for (id, name) in [
        ("s100003", Some("name=\"Alice Ng\"")),
        ("mallory", Some("name=\"s100003 Ng\"")),
        ("محمد", Some("name=\"محمد بن عبد الله\"")),
        // Whoever has no name has no pair.
        ("bob", None),
    ] {
        let name = name.map(str::to_owned);
        let here = format!("= here {id} role=student ip=127.0.0.1 since=");
        assert_eq!(name_in(&mut bob, "/who", &here).await, name, "{id}");
        let whois = format!("= whois {id} role=student ip=127.0.0.1 since=");
        let asked = format!("/whois {id}");
        assert_eq!(name_in(&mut bob, &asked, &whois).await, name, "{id}");
    }
    // Nobody is found by a name.
    bob.say("/whois Alice").await;
    bob.expect("! unknown-id - Alice was never here").await;
    bob.say("/whois \"Alice Ng\"").await;
    bob.expect("! bad-argument").await;
    alice.say("hello").await;
    assert_eq!(bob.next_said().await, said("s100003", "hello"));

    alice.close().await;
    bob.expect("* s100003@127.0.0.1 left (goodbye)").await;
    let left = "= whois s100003 role=student ip=127.0.0.1 left=";
    let name = name_in(&mut bob, "/whois s100003", left).await;
    assert_eq!(name.as_deref(), Some("name=\"Alice Ng\""));
    let rows = w.rows("select id, name from joins order by session").await;
    let names: Vec<(&str, Option<&str>)> = rows
        .iter()
        .map(|row| (row.get("id"), row.get("name")))
        .collect();
    assert_eq!(
        names,
        [
            ("s100003", Some("Alice Ng")),
            ("bob", None),
            ("mallory", Some("s100003 Ng")),
            ("محمد", Some("محمد بن عبد الله"))
        ]
    );
}

#[tokio::test]
async fn the_newest_certificate_names_a_person_and_a_restart_keeps_the_name() {
    let mut w = World::start().await;
    issue(&w, "alice", "Alice Ng");
    let mut bob = w.enter("bob").await;
    let first = w.enter("alice").await;
    rename(&w, "alice", "Alice Li");
    let second = w.enter("alice").await;
    let here = "= here alice role=student";
    let name = name_in(&mut bob, "/who", here).await;
    assert_eq!(name.as_deref(), Some("name=\"Alice Li\""));
    drop((first, second));
    // Her leave is not written yet when the server comes back.
    w.stop().await.expect("a good end");
    w.serve().await;
    let mut bob = w.enter("bob").await;
    let name = name_in(&mut bob, "/who", here).await;
    assert_eq!(name.as_deref(), Some("name=\"Alice Li\""));
    let names = w.column("select name from joins where id = 'alice' order by session");
    assert_eq!(names.await, ["Alice Ng", "Alice Li"]);
}

#[tokio::test]
async fn a_name_in_the_record_that_breaks_a_rule_is_told_to_nobody() {
    let w = World::start().await;
    issue(&w, "alice", "Alice Ng");
    w.enter("alice").await.close().await;
    let mut bob = w.enter("bob").await;
    let mut connection = w.sqlite().await;
    sqlx::query("update joins set name = 'x\" role=instructor' where id = 'alice'")
        .execute(&mut connection)
        .await
        .expect("written");
    let whois = "= whois alice role=student";
    assert_eq!(name_in(&mut bob, "/whois alice", whois).await, None);
}
