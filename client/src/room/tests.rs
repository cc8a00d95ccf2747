//! The model of a room by itself: events and wishes go in, outgoing lines and the state come out.

use std::time::{Duration, Instant};

use wire::{Entry, Line, Nonce, Reply, ServerLine, Welcome};

use super::*;
use crate::link::Event;
use crate::words::{Clock, Exit, Failure};

const AT: &str = "2026-11-21T19:00:00.000Z";

fn welcome() -> Welcome {
    let greeting = format!(
        "= welcome id=alice role=student ip=192.0.2.7 room=x head=0 epoch=9f86 clock={AT} version=0.1.0"
    );
    match ServerLine::parse(&greeting) {
        Ok(ServerLine::Reply(Reply::Welcome(welcome))) => welcome,
        other => panic!("{other:?}"),
    }
}

/// A room that is caught up, and has asked for the people and the time of an answer.
fn room() -> Room {
    let mut room = Room::new(welcome(), Clock::utc(), Instant::now());
    room.hear(Event::CaughtUp(0));
    assert_eq!(out(&mut room), ["/who", "/ping"]);
    room
}

/// Takes everything that goes out.
fn out(room: &mut Room) -> Vec<String> {
    room.ask_what_is_due();
    let mut all = Vec::new();
    while let Some(out) = room.next_out() {
        all.push(match out {
            Outgoing::Say(line) => {
                room.named(nonce(room.said() + 1));
                line.to_string()
            }
            Outgoing::Command(line, _) => line.to_string(),
            Outgoing::Quit => "(quit)".to_owned(),
        });
    }
    all
}

fn line(text: &str) -> Line {
    Line::parse(text.as_bytes()).expect("a line")
}

fn nonce(n: u64) -> Nonce {
    Nonce::parse(&format!("k3v9q2a7-{n}")).expect("a nonce")
}

fn hear(room: &mut Room, line: &str) -> News {
    room.hear(match ServerLine::parse(line) {
        Ok(ServerLine::Entry(entry)) => Event::Entry(entry),
        Ok(ServerLine::NewerEntry(entry)) => Event::NewerEntry(entry),
        Ok(ServerLine::Reply(reply)) => Event::Reply(reply),
        Ok(ServerLine::Refusal(refusal)) => Event::Refused(refusal),
        other => panic!("{line}: {other:?}"),
    })
}

fn entry(seq: u64, rest: &str) -> String {
    let entry = Entry::parse(&format!("{seq} {AT} {rest}")).expect("an entry");
    entry.to_string()
}

#[test]
fn a_line_of_ours_waits_until_its_entry_comes_before_or_after_the_acknowledgement() {
    for is_entry_first in [true, false] {
        let mut room = room();
        room.say(line("hello"), false);
        assert_eq!(out(&mut room), ["hello"]);
        assert_eq!(room.unacknowledged(), 1);
        let lines = [
            entry(1, "[alice@192.0.2.7] hello"),
            format!("= ok {} 1", nonce(1)),
        ];
        let order = if is_entry_first { [0, 1] } else { [1, 0] };
        hear(&mut room, &lines[order[0]]);
        assert_eq!(room.own.iter().count(), usize::from(!is_entry_first));
        hear(&mut room, &lines[order[1]]);
        assert_eq!(room.own.iter().count(), 0);
        assert_eq!((room.unacknowledged(), room.said()), (0, 1));
        assert_eq!(room.timeline.newest_seq(), Some(1));
    }
}

#[test]
fn answers_find_their_questions_in_order_and_none_survives_a_lost_connection() {
    let mut room = room();
    room.ask_typed(line("/ping"));
    assert_eq!(out(&mut room), ["/ping"]);
    hear(&mut room, "= who 0 count=2");
    hear(
        &mut room,
        &format!("= here bob role=bot ip=::1 since={AT} sessions=1"),
    );
    assert_eq!(room.people.here().len(), 0);
    hear(
        &mut room,
        &format!("= here alice role=student ip=192.0.2.7 since={AT} sessions=1"),
    );
    let ids = room.people.here().iter().map(|here| here.id.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), ["alice", "bob"]);
    room.now += Duration::from_millis(7);
    hear(&mut room, "= at 0");
    assert_eq!(room.round_trip, Some(Duration::from_millis(7)));
    assert_eq!(room.kept()[3], 1);
    room.hear(Event::Lost {
        failure: Failure::new(Exit::Network, "no route"),
        pause: Duration::from_secs(1),
    });
    assert_eq!(room.kept()[3], 0);
    room.ask_typed(line("/who"));
    assert_eq!(out(&mut room), [""; 0]);
}

#[test]
fn a_mention_is_news_of_its_own_and_nothing_old_is_news() {
    let said = |mentions_us| News::Said { mentions_us };
    let mut room = room();
    let hi = entry(1, "[bob@192.0.2.9] hi");
    assert_eq!(hear(&mut room, &hi), said(false));
    let hi = entry(2, "[bob@192.0.2.9] hi Alice");
    assert_eq!(hear(&mut room, &hi), said(true));
    let own = entry(3, "[alice@192.0.2.7] hi alice");
    assert_eq!(hear(&mut room, &own), News::Nothing);
    let other = format!("4 {AT} a poll: alice or bob?");
    assert_eq!(hear(&mut room, &other), News::Nothing);
    let mut fresh = Room::new(welcome(), Clock::utc(), Instant::now());
    assert_eq!(hear(&mut fresh, &hi), News::Nothing);
}

#[test]
fn a_leave_counts_for_every_reason() {
    for left in ["left (lost)", "left (kicked)"] {
        let mut room = room();
        hear(&mut room, "= who 0 count=0");
        room.now += Duration::from_secs(1);
        hear(&mut room, &format!("1 {AT} * bob@192.0.2.9 {left}"));
        assert_eq!(out(&mut room), ["/who"], "{left}");
        assert!(matches!(room.timeline.item(0), Some(Item::Moved(_))));
    }
}

#[test]
fn leaving_waits_for_our_lines_unless_it_is_asked_for_twice() {
    let mut quiet = room();
    assert_eq!(quiet.leave(), Parting::Soon);
    assert_eq!(out(&mut quiet), ["(quit)"]);
    let mut room = room();
    room.say(line("hello"), false);
    assert_eq!(room.leave(), Parting::WhenStored);
    assert_eq!(room.leave(), Parting::AtOnce);
    assert!(room.end(None));
}

#[test]
fn somebody_unknown_who_may_be_here_is_named() {
    let mut room = room();
    hear(&mut room, "= who 0 count=3");
    for person in ["gina name=\"Gina Rossi\"", "bob name=\"Bob Li\"", "alice"] {
        let (id, name) = person.split_once(' ').unwrap_or((person, ""));
        let line = format!("= here {id} role=student ip=::1 since={AT} sessions=1 {name}");
        hear(&mut room, line.trim_end());
    }
    hear(&mut room, "= at 0");
    for (asked, said) in [
        ("Gina", "Gina was never here; did you mean gina?"),
        ("rossi", "rossi was never here; did you mean gina?"),
        ("Li", "Li was never here; did you mean bob?"),
        ("carol", "carol was never here"),
    ] {
        room.ask_typed(line(&format!("/whois {asked}")));
        out(&mut room);
        hear(&mut room, &format!("! unknown-id - {asked} was never here"));
        let last = room.timeline.item(room.timeline.numbers().end - 1);
        let Some(Item::Note(note)) = last else {
            panic!("{last:?}");
        };
        assert_eq!(note.text, format!("refused: {said}"));
    }
}

#[test]
fn every_text_is_kept_as_it_came() {
    let mut room = room();
    room.say(line("a\tb"), false);
    out(&mut room);
    let own = room.own.iter().next().expect("a line of ours");
    assert_eq!(own.line.as_str(), "a\tb");
    hear(&mut room, &entry(1, "[bob@192.0.2.9] a\tb"));
    let Some(Item::Said(said)) = room.timeline.item(0) else {
        panic!("a line");
    };
    assert_eq!(said.text, "a\tb");
}
