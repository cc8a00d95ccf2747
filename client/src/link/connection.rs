//! The link owns a connection: it reads, writes and watches for silence, all at once.
//!
//! While events are not taken it does not read, and while 64 lines are unacknowledged it takes no
//! orders: every queue is bounded by not serving the one before it. Reading never waits for writing
//! nor the other way round, so two ends that both have much to say cannot block each other.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use wire::Reason;

use crate::connect::connected::{Incoming, tls_error};
use crate::connect::opening::Opening;
use crate::limits::{
    CLOSE_TIMEOUT, FAREWELL_TIMEOUT, LEAVE_CLOSE_TIMEOUT, LEAVE_TIMEOUT, SILENCE_BEFORE_LOST,
    SILENCE_BEFORE_PING,
};
use crate::link::course::{Course, Farewell};
use crate::link::outbox::{Event, Outbox};
use crate::words::failure::{Cause, Failure, Scene, explain};

/// The task that owns a connection.
#[derive(Debug)]
pub struct Link<S = TlsStream<Opening<TcpStream>>> {
    stream: S,
    incoming: Incoming,
    outbox: Outbox,
    scene: Arc<Scene>,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// We said `/quit`, and the server said goodbye.
    Goodbye,
    /// The server ended the session, or the connection was lost.
    Failed(Failure),
}

impl<S: AsyncRead + AsyncWrite> Link<S> {
    pub(crate) fn new(stream: S, incoming: Incoming, outbox: Outbox, scene: Arc<Scene>) -> Self {
        Self {
            stream,
            incoming,
            outbox,
            scene,
        }
    }

    /// Runs until the session ends; gives back what the next connection needs.
    pub async fn run(self) -> (End, Outbox) {
        let (mut reader, mut writer) = tokio::io::split(self.stream);
        let mut incoming = self.incoming;
        let mut course = Course::new(self.outbox);
        let mut watch = Watch::new();
        let mut unflushed = false;
        // Why nothing can be written any more. The server may still have said why.
        let mut broken: Option<io::Error> = None;
        let alarm = sleep_until(watch.next(true));
        tokio::pin!(alarm);

        let cause = loop {
            course.deliver();
            // What was read is understood before more is read, but no faster than it is taken.
            while course.owed.is_empty()
                && course.farewell.is_none()
                && let Some(line) = incoming.next_line()
            {
                course.hear(line, watch.heard);
                course.deliver();
            }
            let hears = course.owed.is_empty();
            if hears && let Some(farewell) = course.farewell.take() {
                break Stop::Said(farewell);
            }
            let writes = broken.is_none();
            let takes_orders = writes && course.takes_orders();
            // In an order that does not depend on chance, so that a run can be repeated; it starves
            // nobody. We leave once, and the alarm moves on whenever it rings. Events make room for
            // no more than was read. What is written grows by orders alone: lines stop at 64 of
            // them, commands when the connection is full, because the server does not read the next
            // one before its reply is written. Reading comes last: it would never have to stop.
            tokio::select! {
                biased;
                () = course.outbox.leave.cancelled(), if !watch.impatient => {
                    watch.leave_soon();
                    course.quit();
                }
                () = &mut alarm => match watch.ring(hears) {
                    Ring::Silent => break Stop::Silent,
                    Ring::NoFarewell => break Stop::NoFarewell,
                    Ring::Ping if writes && course.out.is_empty() && !course.quitting => course.ping(),
                    Ring::Ping | Ring::Nothing => {}
                },
                taken = room(&course.outbox.events), if !hears => {
                    // While nobody took events, the server was not listened to.
                    watch.listened_again();
                    if !taken {
                        // Nobody will ever hear it.
                        course.owed.clear();
                        course.quit();
                    }
                }
                wrote = write(&mut writer, &course.out), if writes && (unflushed || !course.out.is_empty()) => match wrote {
                    Ok(0) => unflushed = false,
                    Ok(count) => {
                        course.out.advance(count);
                        unflushed = true;
                        watch.wrote();
                    }
                    Err(error) => broken = Some(error),
                },
                order = course.outbox.orders.recv(), if takes_orders => match order {
                    Some(order) => {
                        course.order(order);
                        while course.takes_orders() && let Ok(order) = course.outbox.orders.try_recv() {
                            course.order(order);
                        }
                    }
                    // Whoever could say something is gone.
                    None => course.quit(),
                },
                read = reader.read_buf(incoming.room()), if hears => match read {
                    Ok(0) => break Stop::Closed,
                    Ok(_) => watch.heard(course.is_owed()),
                    Err(error) => break Stop::Broke(error),
                },
            }
            if course.quitting || broken.is_some() {
                watch.expect_farewell();
                alarm.as_mut().reset(watch.next(hears));
            } else if alarm.is_elapsed() {
                alarm.as_mut().reset(watch.next(hears));
            }
        };
        // The server learns that nothing was cut off; whether it still listens changes nothing.
        tokio::select! {
            biased;
            _ = writer.shutdown() => {}
            () = patience_to_close(&course.outbox.leave) => {}
        }
        let end = judge(cause, broken, &course, &self.scene);
        (end, course.outbox)
    }
}

/// Writes what can be written of `out`; when there is nothing, lets out what TLS still holds, and
/// gives 0. May be cancelled: then nothing was written.
async fn write(writer: &mut (impl AsyncWrite + Unpin), out: &[u8]) -> io::Result<usize> {
    if out.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(out).await {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        wrote => wrote,
    }
}

/// Waits until an event can be handed over; whether anybody will ever take it.
async fn room(events: &mpsc::Sender<Event>) -> bool {
    events.reserve().await.is_ok()
}

/// As long as a server may take to hear that the connection ends.
async fn patience_to_close(leave: &CancellationToken) {
    let leaves = async {
        leave.cancelled().await;
        sleep(LEAVE_CLOSE_TIMEOUT).await;
    };
    tokio::select! {
        () = sleep(CLOSE_TIMEOUT) => {}
        () = leaves => {}
    }
}

/// Why the loop of a link was left.
enum Stop {
    Said(Farewell),
    Closed,
    Broke(io::Error),
    Silent,
    NoFarewell,
}

fn judge(stop: Stop, broken: Option<io::Error>, course: &Course, scene: &Scene) -> End {
    let nothing_waits = course.outbox.unacknowledged().len() == 0;
    let cause = match stop {
        Stop::Said(Farewell::Bye { reason, .. }) if reason == Reason::Goodbye.as_str() => {
            return End::Goodbye;
        }
        Stop::Closed if course.quitting && nothing_waits => return End::Goodbye,
        Stop::Said(Farewell::Bye { reason, words }) => Cause::Bye { reason, words },
        Stop::Said(Farewell::Endless) => Cause::Endless,
        Stop::Said(Farewell::Disorder { after, came }) => Cause::Disorder { after, came },
        // Nobody needs a server's leave to go. What it did not acknowledge is told apart.
        Stop::NoFarewell if course.outbox.leave.is_cancelled() => return End::Goodbye,
        Stop::Silent => Cause::Silent,
        Stop::NoFarewell => Cause::Lost("the server does not answer".to_owned()),
        Stop::Broke(error) => match tls_error(&error) {
            Some(tls) => Cause::Tls(tls.clone()),
            None => lost(&broken.unwrap_or(error)),
        },
        Stop::Closed => match broken {
            Some(error) => lost(&error),
            None => Cause::Lost("the server closed it".to_owned()),
        },
    };
    End::Failed(explain(&cause, scene, SystemTime::now()))
}

fn lost(error: &io::Error) -> Cause {
    Cause::Lost(match error.kind() {
        // What TLS says of a connection that ends without a close_notify.
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    })
}

/// When something was last heard and sent, and until when a farewell is waited for.
struct Watch {
    heard: Instant,
    wrote_at: Instant,
    farewell_by: Option<Instant>,
    /// Whether the person wants to leave at once, whatever the server still has to say.
    impatient: bool,
}

/// What the alarm means.
#[derive(Debug, PartialEq, Eq)]
enum Ring {
    Nothing,
    Ping,
    Silent,
    NoFarewell,
}

impl Watch {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            wrote_at: now,
            farewell_by: None,
            impatient: false,
        }
    }

    /// `is_owed` says whether the server still owes us something before its farewell, as a long answer. Nothing
    /// else that it sends puts off the end.
    fn heard(&mut self, is_owed: bool) {
        self.heard = Instant::now();
        if is_owed && !self.impatient && self.farewell_by.is_some() {
            self.farewell_by = Some(self.heard + FAREWELL_TIMEOUT);
        }
    }

    fn wrote(&mut self) {
        self.wrote_at = Instant::now();
    }

    /// The person leaves at once, whatever the server still has to say.
    fn leave_soon(&mut self) {
        self.impatient = true;
        let soon = Instant::now() + LEAVE_TIMEOUT;
        self.farewell_by = Some(self.farewell_by.map_or(soon, |by| by.min(soon)));
    }

    fn listened_again(&mut self) {
        self.heard = Instant::now();
        if !self.impatient && self.farewell_by.is_some() {
            self.farewell_by = Some(self.heard + FAREWELL_TIMEOUT);
        }
    }

    fn expect_farewell(&mut self) {
        let by = Instant::now() + FAREWELL_TIMEOUT;
        self.farewell_by.get_or_insert(by);
    }

    /// The next moment at which something may be due. While we do not listen, silence is ours.
    fn next(&self, hears: bool) -> Instant {
        let ping = self.wrote_at + SILENCE_BEFORE_PING;
        if !hears {
            return ping;
        }
        let silent = self.heard + SILENCE_BEFORE_LOST;
        ping.min(silent).min(self.farewell_by.unwrap_or(silent))
    }

    fn ring(&mut self, hears: bool) -> Ring {
        let now = Instant::now();
        if hears && now >= self.heard + SILENCE_BEFORE_LOST {
            return Ring::Silent;
        }
        if hears && self.farewell_by.is_some_and(|by| now >= by) {
            return Ring::NoFarewell;
        }
        // However much is heard meanwhile: the server counts what it hears from us.
        if now >= self.wrote_at + SILENCE_BEFORE_PING {
            self.wrote_at = now;
            return Ring::Ping;
        }
        Ring::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncBufReadExt as _, BufReader, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;
    use wire::Line;

    use super::*;
    use crate::link::outbox::{Handle, Since, open};
    use crate::words::failure::Exit;

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
    async fn who_listens_to_a_busy_room_still_tells_the_server_that_they_are_there() {
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

    #[test]
    fn only_what_a_server_owes_puts_off_the_end() {
        let mut watch = Watch::new();
        watch.expect_farewell();
        let by = watch.farewell_by.expect("a farewell is waited for");
        watch.heard(false);
        assert_eq!(watch.farewell_by, Some(by));
        watch.heard(true);
        assert!(watch.farewell_by > Some(by));
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
    async fn a_server_that_goes_back_is_left() {
        for came in [6, 7] {
            let mut world = World::start(Since::Head);
            assert_eq!(world.next().await, "/follow head");
            world.send("= at 5").await;
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
            assert!(!failure.may_pass, "{failure}");
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
                        Some(Event::Garbled(words)) => world.told.push(words),
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
    async fn whoever_listens_again_gives_the_server_time_to_speak() {
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
    async fn whoever_leaves_at_once_does_not_hear_everything() {
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
    async fn what_was_not_acknowledged_is_said_again_after_a_loss() {
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
}
