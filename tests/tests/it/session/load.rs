//! Many people at once.

use tests::{Options, Peer, World, within};
use wire::{Entry, Kind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_people_who_all_talk_at_once_see_one_order_and_it_is_the_record() {
    const PEOPLE: usize = 20;
    const LINES: usize = 500;
    let w = World::with(Options::without_pace).await;
    let mut talking = Vec::new();
    for person in 0..PEOPLE {
        // Half of them in each dialect.
        let name = format!("person{person}");
        let peer = if person % 2 == 0 {
            w.enter(&name).await
        } else {
            w.enter_ours(&name).await
        };
        talking.push((person, peer));
    }
    let head = 20;
    let talk = |(person, peer)| tokio::spawn(talk(peer, person, LINES, head, PEOPLE * LINES));
    // All of them begin before any of them is waited for.
    let tasks: Vec<_> = talking.into_iter().map(talk).collect();
    let mut seen: Vec<Vec<Entry>> = Vec::new();
    for task in tasks {
        seen.push(within("everything", task).await.expect("nobody fails"));
    }
    for (person, theirs) in seen.iter().enumerate() {
        assert_eq!(theirs.len(), PEOPLE * LINES);
        assert!(
            theirs
                .iter()
                .zip(head + 1..)
                .all(|(entry, seq)| entry.seq == seq),
            "{person}"
        );
        assert_eq!(theirs, &seen[0], "person {person} saw another order");
    }
    let stored = w
        .column(&format!(
            "select seq || ' ' || at || ' ' || line from transcript where seq > {head} order by seq"
        ))
        .await;
    let shown: Vec<String> = seen[0].iter().map(ToString::to_string).collect();
    assert!(stored == shown, "what was shown is what is stored");
    for person in 0..PEOPLE {
        let id = format!("person{person}");
        let said: Vec<&str> = seen[0]
            .iter()
            .filter(|e| e.id.as_str() == id)
            .map(text)
            .collect();
        let meant: Vec<String> = (0..LINES).map(|n| format!("{person}: line {n}")).collect();
        assert_eq!(said, meant, "each person's lines keep their order");
    }
}

/// Says lines and listens, both at once, until `expected` entries after `head` have come.
async fn talk(
    mut peer: Peer,
    person: usize,
    lines: usize,
    head: u64,
    expected: usize,
) -> Vec<Entry> {
    let text: String = (0..lines)
        .map(|n| format!("{person}: line {n}\n"))
        .collect();
    peer.send(text).await;
    let mut entries = Vec::new();
    while entries.len() < expected {
        let entry = peer.next_entry().await.expect("the session goes on");
        if entry.seq > head {
            entries.push(entry);
        }
    }
    entries
}

fn text(entry: &Entry) -> &str {
    match &entry.kind {
        Kind::Message(line) => line.as_str(),
        _ => "",
    }
}
