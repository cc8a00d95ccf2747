//! A link over memory, where time can be paused, and a server that a test plays.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use wire::Line;

use super::*;
use crate::limits::{FAREWELL_TIMEOUT, LEAVE_TIMEOUT};
use crate::link::{Handle, open};
use crate::settings::Since;
use crate::words::Exit;

/// A link over memory, where time can be paused, and the server's end of it.
struct World {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    server: BufReader<DuplexStream>,
    link: JoinHandle<(End, Outbox)>,
    /// The warnings that were told.
    told: Vec<String>,
}

impl World {
    fn start(since: Since) -> Self {
        let (handle, outbox, events) = open(since, false).expect("random numbers");
        Self::go_on(handle, outbox, events)
    }

    fn go_on(handle: Handle, outbox: Outbox, events: mpsc::Receiver<Event>) -> Self {
        // A small pipe, so that both ends often have to wait for one another.
        let (client, server) = duplex(256);
        let link = Link::new(client, Incoming::new(), outbox, Arc::new(Scene::example()));
        Self {
            handle,
            events,
            server: BufReader::new(server),
            link: tokio::spawn(link.run()),
            told: Vec::new(),
        }
    }

    async fn next(&mut self) -> String {
        let mut line = String::new();
        self.server.read_line(&mut line).await.expect("a line");
        line.trim_end().to_owned()
    }

    async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        let sent = self.server.write_all(line.as_bytes()).await;
        sent.expect("the link reads");
    }

    async fn end(self) -> End {
        self.link.await.expect("the link ends").0
    }
}

fn line(text: &str) -> Line {
    Line::parse(text.as_bytes()).expect("a line")
}

#[tokio::test(start_paused = true)]
async fn silence_is_asked_about_and_then_taken_for_a_loss() {
    let mut world = World::start(Since::Head);
    let begin = Instant::now();
    assert_eq!(world.next().await, "/follow head");
    assert_eq!(world.next().await, "/ping");
    assert_eq!(begin.elapsed().as_secs(), 30);
    world.send("= at 1").await;
    assert_eq!(world.next().await, "/ping");
    assert_eq!(begin.elapsed().as_secs(), 60);
    assert_eq!(world.next().await, "/ping");
    let end = world.end().await;
    let End::Failed(failure) = end else {
        panic!("{end:?}");
    };
    assert_eq!(failure.exit, Exit::Network);
    // 75 seconds after the last byte, which came after 30.
    assert_eq!(begin.elapsed().as_secs(), 105);
}

#[tokio::test(start_paused = true)]
async fn a_listener_in_a_busy_room_still_pings_the_server() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    world.send("= at 0").await;
    let begin = Instant::now();
    let mut seq = 0;
    let mut pings = Vec::new();
    while pings.len() < 3 && seq < 30 {
        // Something is said every ten seconds, so the line is never quiet.
        match timeout(Duration::from_secs(10), world.next()).await {
            Ok(line) => pings.push((line, begin.elapsed().as_secs())),
            Err(_) => {
                seq += 1;
                let at = "2026-11-21T10:00:00.123Z";
                world.send(&format!("{seq} {at} [bob@192.0.2.9] x")).await;
            }
        }
    }
    let at = |seconds| ("/ping".to_owned(), seconds);
    assert_eq!(pings, [at(30), at(60), at(90)]);
}

#[tokio::test(start_paused = true)]
async fn a_farewell_is_not_waited_for_for_ever() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    let begin = Instant::now();
    world.handle.reserve().await.expect("a link").quit();
    assert_eq!(world.next().await, "/quit");
    let end = world.end().await;
    assert!(matches!(end, End::Failed(failure) if failure.exit == Exit::Network));
    assert_eq!(begin.elapsed(), FAREWELL_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_person_who_interrupts_hardly_waits_for_the_farewell() {
    // Also when the farewell was waited for already, with more patience.
    for quits_before in [false, true] {
        let mut world = World::start(Since::Head);
        assert_eq!(world.next().await, "/follow head");
        if quits_before {
            world.handle.reserve().await.expect("a link").quit();
            assert_eq!(world.next().await, "/quit");
        }
        let begin = Instant::now();
        world.handle.quit();
        if !quits_before {
            assert_eq!(world.next().await, "/quit");
        }
        assert_eq!(world.end().await, End::Goodbye);
        assert_eq!(begin.elapsed(), LEAVE_TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_interrupts_while_nobody_listens_still_gets_the_acknowledgements() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    let first = world.handle.say(line("one")).await.expect("a link");
    let second = world.handle.say(line("two")).await.expect("a link");
    assert_eq!(world.next().await, format!("/say {first} one"));
    assert_eq!(world.next().await, format!("/say {second} two"));
    world.send("= at 0").await;
    // One more than the channel takes, so that nothing more is read.
    for seq in 1..=crate::limits::EVENTS_MAX {
        let at = "2026-11-21T10:00:00.123Z";
        world.send(&format!("{seq} {at} [bob@192.0.2.9] x")).await;
    }
    let begin = Instant::now();
    world.handle.quit();
    world.send(&format!("= ok {first} 300")).await;
    world.send(&format!("! disk-low {second} full")).await;
    assert_eq!(world.next().await, "/quit");
    world.send("= bye goodbye").await;
    let ended = timeout(FAREWELL_TIMEOUT, world.link).await;
    let (end, outbox) = ended.expect("at once").expect("the link ends");
    assert_eq!(end, End::Goodbye);
    assert!(begin.elapsed() < LEAVE_TIMEOUT);
    assert_eq!((outbox.answered, outbox.refused), (2, 1));
    assert_eq!(outbox.unacknowledged().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_not_waited_for_when_a_person_interrupts() {
    let world = World::start(Since::Head);
    // More than the pipe takes, and nobody reads it.
    let mut handle = world.handle;
    for _ in 0..10 {
        let long = line(&"y".repeat(100));
        handle.say(long).await.expect("a link");
    }
    let begin = Instant::now();
    handle.quit();
    let (end, outbox) = world.link.await.expect("the link ends");
    assert_eq!(end, End::Goodbye);
    assert!(begin.elapsed() <= LEAVE_TIMEOUT + LEAVE_CLOSE_TIMEOUT);
    assert!(outbox.unacknowledged().len() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_nobody_asked_for_is_an_end_by_the_server() {
    for asks in [false, true] {
        let mut world = World::start(Since::Head);
        assert_eq!(world.next().await, "/follow head");
        let nonce = world.handle.say(line("one")).await.expect("a link");
        assert_eq!(world.next().await, format!("/say {nonce} one"));
        if asks {
            world.handle.reserve().await.expect("a link").quit();
            assert_eq!(world.next().await, "/quit");
        }
        world.send("= bye goodbye").await;
        match world.end().await {
            End::Goodbye => assert!(asks),
            End::Failed(failure) => {
                assert!(!asks, "{failure}");
                assert_eq!(failure.exit, Exit::Ended);
                assert!(!failure.may_pass());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_entry_comes_after_the_one_where_a_start_at_head_began() {
    // The number that comes, and whether it is reported, and whether the server is left.
    for (came, is_told, is_left) in [
        (11, false, false),
        (15, true, false),
        (10, true, true),
        (3, true, true),
    ] {
        let mut world = World::start(Since::Head);
        assert_eq!(world.next().await, "/follow head");
        world.send("= at 10").await;
        let at = "2026-11-21T10:00:00.123Z";
        world.send(&format!("{came} {at} [bob@192.0.2.9] x")).await;
        assert_eq!(world.events.recv().await, Some(Event::CaughtUp(10)));
        let next = world.events.recv().await;
        let told = Event::Disorder { after: 10, came };
        assert_eq!(next == Some(told), is_told, "{came}: {next:?}");
        if is_left {
            let end = world.end().await;
            assert!(matches!(end, End::Failed(failure) if !failure.may_pass()));
        }
    }
    // While it catches up, the number where it began is not known yet.
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    let at = "2026-11-21T10:00:00.123Z";
    world.send(&format!("11 {at} [bob@192.0.2.9] x")).await;
    world.send("= at 11").await;
    assert!(matches!(world.events.recv().await, Some(Event::Entry(_))));
    assert_eq!(world.events.recv().await, Some(Event::CaughtUp(11)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_back_is_left() {
    for came in [6, 7] {
        let mut world = World::start(Since::Head);
        assert_eq!(world.next().await, "/follow head");
        world.send("= at 6").await;
        for seq in [7, came, 8] {
            let at = "2026-11-21T10:00:00.123Z";
            world.send(&format!("{seq} {at} [bob@192.0.2.9] x")).await;
        }
        // That all has come, entry 7, and the one warning.
        let (end, _outbox) = (&mut world.link).await.expect("the link ends");
        let mut told = Vec::new();
        while let Ok(event) = world.events.try_recv() {
            told.push(event);
        }
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[2], Event::Disorder { after: 7, came });
        let End::Failed(failure) = end else {
            panic!("{end:?}");
        };
        assert!(!failure.may_pass(), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_warned_of_a_few_times_a_minute() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    world.send("= at 0").await;
    assert!(world.events.recv().await.is_some());
    let mut seq = 0;
    for minute in 0..2 {
        if minute > 0 {
            tokio::time::advance(crate::limits::WARNINGS_INTERVAL).await;
            assert_eq!(world.next().await, "/ping");
            world.send("= at 0").await;
            assert!(world.events.recv().await.is_some());
        }
        for _ in 0..100 {
            seq += 2;
            let at = "2026-11-21T10:00:00.123Z";
            for bad in [
                "! waiting - full".to_owned(),
                "! moon - no".to_owned(),
                "! other-history - again".to_owned(),
                format!("! disk-low k3v9q2a7-{seq} no"),
                format!("= ok k3v9q2a7-{seq} {seq}"),
                format!("{seq} nothing"),
                "= moon \u{1b}[2J".to_owned(),
                "= who 1 count=9007199254740992".to_owned(),
                "= note moon full".to_owned(),
                "= begin history".to_owned(),
                "= moon full".to_owned(),
            ] {
                world.send(&bad).await;
            }
            world.send(&format!("{seq} {at} [bob@192.0.2.9] x")).await;
            // Until the entry, which is always told.
            loop {
                match world.events.recv().await {
                    Some(Event::Entry(entry)) if entry.seq == seq => break,
                    Some(Event::Garbled(fault)) => world.told.push(fault.to_string()),
                    Some(Event::WarningsLeftOut) => world.told.push("left out".to_owned()),
                    Some(Event::Disorder { .. } | Event::Refused(_)) => {
                        world.told.push("another".to_owned());
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        // The eighth of them is followed by a word about the rest.
        assert_eq!(world.told.len(), 9, "{:?}", world.told);
        assert!(world.told[8].contains("left out"), "{:?}", world.told);
        world.told.clear();
    }
}

#[tokio::test(start_paused = true)]
async fn while_nobody_listens_the_server_is_not_blamed_for_silence() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    world.send("= at 0").await;
    // More than the channel and the pipe hold together, and nobody takes an event.
    let flood = async {
        for seq in 1..=400 {
            let at = "2026-11-21T10:00:00.123Z";
            world.send(&format!("{seq} {at} [bob@192.0.2.9] x")).await;
        }
    };
    assert!(timeout(Duration::from_secs(200), flood).await.is_err());
    assert!(!world.link.is_finished());
    // Yet it was asked for, so that the server knows that we are still here.
    assert_eq!(world.next().await, "/ping");
    assert_eq!(world.events.len(), crate::limits::EVENTS_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_person_who_listens_again_gives_the_server_time_to_speak() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    world.send("= at 0").await;
    // Exactly one event more than the channel takes: nothing is left to be read after it.
    for seq in 1..=crate::limits::EVENTS_MAX {
        let at = "2026-11-21T10:00:00.123Z";
        world.send(&format!("{seq} {at} [bob@192.0.2.9] x")).await;
    }
    for _ in 0..4 {
        assert_eq!(world.next().await, "/ping");
    }
    for _ in 0..=crate::limits::EVENTS_MAX {
        assert!(world.events.recv().await.is_some());
    }
    assert_eq!(world.next().await, "/ping");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_leaves_at_once_does_not_hear_everything() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    let begin = Instant::now();
    world.handle.quit();
    assert_eq!(world.next().await, "/quit");
    // A server that goes on as if nothing had been said.
    for seq in 1..=10 {
        let at = "2026-11-21T10:00:00.123Z";
        let entry = format!("{seq} {at} [bob@192.0.2.9] x\n");
        tokio::time::advance(Duration::from_secs(3)).await;
        if world.server.write_all(entry.as_bytes()).await.is_err() {
            break;
        }
    }
    world.end().await;
    assert!(begin.elapsed() < FAREWELL_TIMEOUT);
}

#[tokio::test]
async fn an_empty_history_is_followed_from_its_beginning() {
    let mut world = World::start(Since::Last(5));
    assert_eq!(world.next().await, "/history 5");
    world.send("= begin history").await;
    world.send("= end history").await;
    assert_eq!(world.next().await, "/follow 0");
}

#[tokio::test]
async fn unacknowledged_lines_are_said_again_after_a_loss() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    let first = world.handle.say(line("one")).await.expect("a link");
    let second = world.handle.say(line("/two")).await.expect("a link");
    assert_eq!(world.next().await, format!("/say {first} one"));
    assert_eq!(world.next().await, format!("/say {second} /two"));
    world.send("= at 6").await;
    world
        .send("7 2026-11-21T10:00:00.123Z [bob@192.0.2.9] one")
        .await;
    world.send(&format!("= ok {first} 7")).await;
    for _ in 0..3 {
        assert!(world.events.recv().await.is_some());
    }
    let World {
        handle,
        events,
        server,
        link,
        ..
    } = world;
    drop(server);
    let (end, outbox) = link.await.expect("the link ends");
    assert!(matches!(end, End::Failed(failure) if failure.exit == Exit::Network));
    assert_eq!(outbox.unacknowledged().len(), 1);

    let mut world = World::go_on(handle, outbox, events);
    assert_eq!(world.next().await, "/follow 7 2026-11-21T10:00:00.123Z");
    assert_eq!(world.next().await, format!("/say {second} /two"));
    world.send("= at 7").await;
    world.send(&format!("= ok {second} 8")).await;
    let third = world.handle.say(line("three")).await.expect("a link");
    assert_eq!(third.n, 3);
    assert_eq!(world.next().await, format!("/say {third} three"));
}

#[tokio::test]
async fn another_history_is_told_and_followed_afresh() {
    let mut world = World::start(Since::Head);
    assert_eq!(world.next().await, "/follow head");
    world
        .send("7 2026-11-21T10:00:00.123Z [bob@192.0.2.9] one")
        .await;
    assert!(matches!(world.events.recv().await, Some(Event::Entry(_))));
    let World {
        handle,
        events,
        server,
        link,
        ..
    } = world;
    drop(server);
    let (_, outbox) = link.await.expect("the link ends");
    let mut world = World::go_on(handle, outbox, events);
    assert_eq!(world.next().await, "/follow 7 2026-11-21T10:00:00.123Z");
    world
        .send("! other-history - entry 7 is another one here")
        .await;
    assert_eq!(world.next().await, "/follow head");
    assert_eq!(
        world.events.recv().await,
        Some(Event::OtherHistory { set_aside: 0 })
    );
}

#[tokio::test]
async fn both_ends_may_have_much_to_say_at_once() {
    let mut world = World::start(Since::Beginning);
    assert_eq!(world.next().await, "/follow 0");
    // Neither reads before it has written all that it has: the pipe holds 256 bytes.
    for seq in 1..=200 {
        if seq <= 64 {
            let long = line(&"y".repeat(100));
            world.handle.say(long).await.expect("a link");
        }
        world
            .send(&format!("{seq} 2026-11-21T10:00:00.123Z [bob@192.0.2.9] x"))
            .await;
    }
    for n in 1..=64 {
        assert!(world.next().await.contains(&format!("-{n} y")));
    }
    assert_eq!(world.events.len(), 200);
}
