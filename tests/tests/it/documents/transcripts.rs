//! Every transcript in a document happens as it is written.

use std::time::Duration;

use ca_tool::{Candidate, IssueOptions};
use tests::{Scene, Transcript, World, fences, instructors, lasting, pages};

use crate::certificates::mint::publish_list;

#[tokio::test]
async fn every_transcript_in_the_protocol_happens_as_it_is_written() {
    let mut refusals = 0;
    for page in pages() {
        let transcripts: Vec<Transcript> = fences(&page.text, "transcript")
            .map(Transcript::read)
            .collect();
        refusals += transcripts.iter().map(Transcript::refusals).sum::<usize>();
        let mut scene: Option<Scene> = None;
        for transcript in &transcripts {
            let mut now = match (scene.take(), transcript.setting.as_str()) {
                (Some(before), "continued") => before,
                (_, setting) => Scene::new(room(setting).await),
            };
            now.play(transcript).await;
            scene = Some(now);
        }
    }
    assert!(refusals > 10, "the transcripts show refusals too");
}

#[tokio::test]
#[should_panic(expected = "2 <time> [alice@127.0.0.1] goodbye")]
async fn a_transcript_that_is_not_true_fails() {
    let text = "plain\n\
        S: = welcome id=alice role=student ip=127.0.0.1 room=\"Networks 101\" head=1 epoch=<epoch> clock=<time> version=<version>\n\
        S: 1 <time> * alice@127.0.0.1 entered\n\
        S: = at 1\n\
        C: hello\n\
        S: 2 <time> [alice@127.0.0.1] goodbye\n";
    let transcript = Transcript::read(text);
    Scene::new(room("").await).play(&transcript).await;
}

/// Starts a room in which nobody has been before.
async fn room(setting: &str) -> World {
    let mut world = World::start().await;
    match setting {
        "" => {}
        // Alice's certificate has 9 days left.
        "expiring" => world.issue(
            "alice",
            &lasting(Duration::from_secs(9 * 24 * 60 * 60 + 60)),
        ),
        "named" => {
            let mut alice = Candidate::named(["alice"]);
            alice[0].full_name = Some("Ng, Alice (Ally)".to_owned());
            let issued = world.ca().issue(&alice, &IssueOptions::default());
            issued.expect("a certificate");
        }
        // Alice is an instructor, and the revocation list is out of date.
        "stale-list" => {
            world.stop().await.expect("a good end");
            world.issue("alice", &instructors());
            publish_list(world.ca(), -10, -1);
            world.serve().await;
        }
        other => panic!("no such setting: {other}"),
    }
    world
}
