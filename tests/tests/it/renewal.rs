//! What is replaced on the disk while a room is served: who is revoked, and how the server proves
//! itself.

use tests::{Peer, World, instructors, within};
use wire::{Reply, ServerLine};

use crate::mint::publish_list;

#[tokio::test]
async fn instructors_are_told_of_a_list_that_is_out_of_date_and_nobody_else_is() {
    let w = World::with(|o| o.limits.line_rate = 0).await;
    w.issue("ivy", &instructors());
    let (mut ivy, mut alice) = w.pair("ivy", "alice").await;
    assert_eq!(note(&mut ivy).await, None);
    publish_list(w.ca(), -10, -1);
    w.reload();
    within("a note", async { while note(&mut ivy).await.is_none() {} }).await;
    let told = note(&mut ivy).await.expect("a note");
    assert!(
        told.starts_with("= note stale-list the revocation list was to be renewed by 20"),
        "{told}"
    );
    assert_eq!(note(&mut alice).await, None);
    publish_list(w.ca(), -1, 1);
    w.reload();
    within("no note", async { while note(&mut ivy).await.is_some() {} }).await;
}

/// What stands before the count in the answer to `/who`, all of which is read.
async fn note(peer: &mut Peer) -> Option<String> {
    peer.say("/who").await;
    let mut note = None;
    let mut left = None;
    while left != Some(0) {
        match peer.next().await.expect("an answer") {
            ServerLine::Reply(note_line @ Reply::Note { .. }) => note = Some(note_line.to_string()),
            ServerLine::Reply(Reply::Who { count, .. }) => left = Some(count),
            ServerLine::Reply(Reply::Here(_)) => left = left.map(|left| left - 1),
            _ => {}
        }
    }
    note
}
