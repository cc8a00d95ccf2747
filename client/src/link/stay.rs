//! The task that stays in the room through trouble: link after link over one outbox, with growing
//! pauses.
//!
//! Failures that time cannot fix are not retried: [`Failure::may_pass`] tells them apart.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};

use super::connection::End;
use super::event::Event;
use super::outbox::Outbox;
use super::pauses::Pauses;
use crate::connect::Connected;
use crate::limits::{CONNECT_TIMEOUT, HEALTH_BEFORE_RESET, LOST_BEFORE_KNOWN};
use crate::words::{Exit, Failure};

/// The task that owns an outbox and takes it from one connection to the next.
#[derive(Debug)]
pub struct Stay<D> {
    dial: D,
    outbox: Outbox,
    give_up_after: Option<Duration>,
    pauses: Pauses,
    /// The database that was followed until now.
    epoch: String,
    set_aside: usize,
}

/// How connections are made: over the network, or over memory where time is paused.
pub trait Dial: Send {
    /// The stream of a connection.
    type Stream: AsyncRead + AsyncWrite + Send;

    /// Connects and waits for the greeting. May be cancelled.
    fn dial(&mut self) -> impl Future<Output = Result<Connected<Self::Stream>, Failure>> + Send;
}

/// How a stay ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How the last connection ended, or the last try to connect.
    pub end: End,
    /// The lines that may or may not be stored.
    pub unacknowledged: usize,
    /// The number of further such lines, about which another database cannot be asked.
    pub set_aside: usize,
    /// The lines that the server has stored or refused, even if nobody took the event.
    pub answered: u64,
    /// The refused ones among them.
    pub refused: u64,
}

impl<D: Dial> Stay<D> {
    /// Creates the task. Without `give_up_after`, it tries to reconnect forever; with zero, never.
    pub fn new(dial: D, outbox: Outbox, give_up_after: Option<Duration>) -> Self {
        Self {
            dial,
            outbox,
            give_up_after,
            pauses: Pauses::default(),
            epoch: String::new(),
            set_aside: 0,
        }
    }

    /// Returns the same task with other pauses.
    pub fn pausing(self, pauses: Pauses) -> Self {
        Self { pauses, ..self }
    }

    /// Runs until the person leaves, or until reconnecting is impossible.
    pub async fn run(self, first: Connected<D::Stream>) -> Outcome {
        self.stay(first).await.0
    }

    /// Runs as [`Stay::run`] does. Returns the task too, which can try [`again`](Stay::again).
    pub async fn stay(mut self, first: Connected<D::Stream>) -> (Outcome, Self) {
        self.epoch.clone_from(&first.welcome.epoch);
        self.outbox.begin(first.welcome.head);
        self.go_on(first).await
    }

    /// Connects once more after the end, because the person wishes it, and stays as before. The lines
    /// that were not acknowledged are sent again under their old names, so each is said once.
    pub async fn again(mut self) -> (Outcome, Self) {
        self.pauses.reset();
        let leave = self.outbox.leave.clone();
        let dialled = tokio::select! {
            biased;
            () = leave.cancelled() => Err(End::Goodbye),
            dialled = self.dial.dial() => dialled.map_err(End::Failed),
        };
        let greeted = match dialled {
            Ok(connected) => self.greet(&connected).await.map(|()| connected),
            Err(end) => Err(end),
        };
        match greeted {
            Ok(connected) => self.go_on(connected).await,
            Err(end) => self.ended(end),
        }
    }

    async fn go_on(mut self, mut connected: Connected<D::Stream>) -> (Outcome, Self) {
        let end = loop {
            let entered = Instant::now();
            let (end, outbox) = connected.into_link(self.outbox).run().await;
            self.outbox = outbox;
            let End::Failed(failure) = end else {
                break end;
            };
            self.outbox.explainer.failed(&failure);
            if entered.elapsed() >= HEALTH_BEFORE_RESET {
                self.pauses.reset();
            }
            match self.come_back(failure).await {
                Ok(next) => connected = next,
                Err(end) => break end,
            }
        };
        self.ended(end)
    }

    fn ended(self, end: End) -> (Outcome, Self) {
        let outcome = Outcome {
            end,
            unacknowledged: self.outbox.unacknowledged().len(),
            set_aside: self.set_aside,
            answered: self.outbox.answered,
            refused: self.outbox.refused,
        };
        (outcome, self)
    }

    async fn come_back(&mut self, mut failure: Failure) -> Result<Connected<D::Stream>, End> {
        let lost_at = Instant::now();
        let give_up_at = self
            .give_up_after
            .and_then(|after| lost_at.checked_add(after));
        let leave = self.outbox.leave.clone();
        let mut is_tried = false;
        loop {
            let is_in_our_own_way = failure.may_be_ours() && lost_at.elapsed() < LOST_BEFORE_KNOWN;
            if !failure.may_pass() && !is_in_our_own_way {
                return Err(End::Failed(failure));
            }
            // Leaving needs no connection.
            if self.outbox.is_leaving() {
                return Err(End::Goodbye);
            }
            let now = Instant::now();
            let left = give_up_at.map(|by| by.saturating_duration_since(now));
            if left == Some(Duration::ZERO) {
                // Even if the last try met something else: during all that time there was no
                // connection.
                if is_tried {
                    failure.exit = Exit::Network;
                }
                return Err(End::Failed(failure));
            }
            let pause = self.pauses.next().max(failure.wait().unwrap_or_default());
            let pause = left.map_or(pause, |left| pause.min(left));
            let lost = Event::Lost {
                failure: failure.clone(),
                pause,
            };
            self.outbox.explainer.comes_back(pause);
            self.tell(lost).await?;
            // A server that is slow to answer does not extend the time that the person allowed.
            // Only the last try may take as long as any other needs to reach a server.
            let patience = left.map(|left| left.max(pause + CONNECT_TIMEOUT));
            let tried = tokio::select! {
                biased;
                () = leave.cancelled() => return Err(End::Goodbye),
                tried = within(patience, after(pause, self.dial.dial())) => match tried {
                    Some(tried) => tried,
                    None => {
                        failure.exit = Exit::Network;
                        return Err(End::Failed(failure));
                    }
                },
            };
            is_tried = true;
            match tried {
                Ok(connected) => {
                    self.greet(&connected).await?;
                    return Ok(connected);
                }
                Err(next) => failure = next,
            }
        }
    }

    async fn greet(&mut self, connected: &Connected<D::Stream>) -> Result<(), End> {
        let welcome = &connected.welcome;
        self.tell(Event::Back {
            welcome: Box::new(welcome.clone()),
            greeting: connected.greeting.clone(),
            route: connected.route(),
        })
        .await?;
        if welcome.epoch != self.epoch {
            self.epoch.clone_from(&welcome.epoch);
            // Another database may be another room's, and cannot tell whether the old one has these
            // lines. Sent here, they could be said twice, or to other people.
            let set_aside = self.outbox.begin_afresh().len();
            self.outbox.begin(welcome.head);
            self.set_aside += set_aside;
            return self.tell(Event::OtherHistory { set_aside }).await;
        }
        self.outbox.head = Some(welcome.head);
        Ok(())
    }

    /// Hands over an event, waiting for a place, unless the person leaves.
    async fn tell(&self, event: Event) -> Result<(), End> {
        tokio::select! {
            biased;
            () = self.outbox.leave.cancelled() => Err(End::Goodbye),
            told = self.outbox.events.send(event) => told.map_err(|_| End::Goodbye),
        }
    }
}

/// Waits for an event, at most for `patience` if there is one.
async fn within<T>(patience: Option<Duration>, event: impl Future<Output = T>) -> Option<T> {
    match patience {
        Some(patience) => timeout(patience, event).await.ok(),
        None => Some(event.await),
    }
}

async fn after<T>(pause: Duration, then: impl Future<Output = T>) -> T {
    sleep(pause).await;
    then.await
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::time::SystemTime;

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex};
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;
    use wire::{Code, Refusal, Reply, ServerLine};

    use super::*;
    use crate::connect::{Incoming, TlsFacts};
    use crate::limits::{PAUSE_FIRST, PAUSE_MAX};
    use crate::link::{Handle, open};
    use crate::settings::Since;
    use crate::words::{Cause, Scene, explain};

    /// The result of each try to connect; after those, always the same.
    struct Script(VecDeque<Result<DuplexStream, Failure>>, fn() -> Failure);

    impl Dial for Script {
        type Stream = DuplexStream;

        async fn dial(&mut self) -> Result<Connected<DuplexStream>, Failure> {
            let met = self.0.pop_front();
            met.unwrap_or_else(|| Err((self.1)())).map(connected)
        }
    }

    fn failure(may_pass: bool) -> Failure {
        of(&if may_pass {
            Cause::Unreachable(Vec::new())
        } else {
            Cause::OtherProtocol
        })
    }

    fn of(cause: &Cause) -> Failure {
        explain(cause, &Scene::example(), SystemTime::UNIX_EPOCH)
    }

    fn connected(stream: DuplexStream) -> Connected<DuplexStream> {
        let greeting = "= welcome id=alice role=student ip=192.0.2.7 room=x head=0 epoch=9f86 \
                        clock=2026-11-21T10:00:00.123Z version=0.1.0";
        let Ok(ServerLine::Reply(Reply::Welcome(welcome))) = ServerLine::parse(greeting) else {
            panic!("a greeting");
        };
        let local = "192.0.2.7:1".parse().expect("an address");
        Connected {
            welcome,
            greeting: greeting.to_owned(),
            tls: TlsFacts {
                version: "TLS 1.3",
                key_exchange: String::new(),
                cipher: String::new(),
            },
            local,
            interface: None,
            server: local,
            scene: Arc::new(Scene::example()),
            stream,
            incoming: Incoming::new(),
        }
    }

    struct World {
        handle: Handle,
        events: mpsc::Receiver<Event>,
        stay: JoinHandle<Outcome>,
        servers: VecDeque<DuplexStream>,
    }

    impl World {
        /// Starts with a connection; the tries after its loss meet `tries`.
        fn start(tries: &[Result<(), bool>], give_up_after: Option<Duration>) -> Self {
            Self::start_meeting(tries, give_up_after, || failure(true))
        }

        /// Does the same, and every try after them meets `then`.
        fn start_meeting(
            tries: &[Result<(), bool>],
            give_up_after: Option<Duration>,
            then: fn() -> Failure,
        ) -> Self {
            let (handle, outbox, events) = open(Since::Head, false).expect("random numbers");
            let (first, server) = duplex(1024);
            let mut servers = VecDeque::from([server]);
            let script = tries.iter().map(|met| {
                met.map_err(failure).map(|()| {
                    let (client, server) = duplex(1024);
                    servers.push_back(server);
                    client
                })
            });
            let script = Script(script.collect(), then);
            let stay = Stay::new(script, outbox, give_up_after).run(connected(first));
            Self {
                handle,
                events,
                stay: tokio::spawn(stay),
                servers,
            }
        }

        fn lose(&mut self) {
            drop(self.servers.pop_front().expect("a connection"));
        }

        /// Answers for a minute as a server does; a client that is not heard counts as lost.
        async fn live_a_minute(&mut self) {
            let server = self.servers.front_mut().expect("a connection");
            let (reader, mut writer) = tokio::io::split(server);
            let mut lines = BufReader::new(reader).lines();
            for asked in ["/follow ", "/ping", "/ping"] {
                let line = lines.next_line().await.expect("a line");
                assert!(line.is_some_and(|line| line.starts_with(asked)));
                writer.write_all(b"= at 0\n").await.expect("sent");
            }
        }

        /// Returns the pause of the next loss.
        async fn pause(&mut self) -> Option<Duration> {
            loop {
                if let Event::Lost { pause, .. } = self.events.recv().await? {
                    return Some(pause);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_for_ever_in_growing_pauses() {
        let mut world = World::start(&[], None);
        world.lose();
        let begin = Instant::now();
        let mut longest = Duration::ZERO;
        let mut told = Duration::ZERO;
        for n in 0..100 {
            let pause = world.pause().await.expect("it is tried again");
            // A timer rings up to a millisecond late.
            let late = begin.elapsed().saturating_sub(told);
            assert!(late < Duration::from_millis(200), "{late:?}");
            assert!(begin.elapsed() >= told);
            let bound = (PAUSE_FIRST * 2_u32.pow(n.min(10))).min(PAUSE_MAX);
            assert!(pause <= bound, "{n}: {pause:?}");
            longest = longest.max(pause);
            told += pause;
        }
        // A hundred of them are never all short.
        assert!(longest > Duration::from_secs(10), "{longest:?}");
        world.handle.quit();
        let left = world.stay.await.expect("it ends");
        assert_eq!((left.end, left.unacknowledged), (End::Goodbye, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_minute_of_health_makes_the_pauses_short_again() {
        for is_healthy in [true, false] {
            let mut world = World::start(&[Ok(()); 20], None);
            let mut longest = Duration::ZERO;
            for _ in 0..20 {
                if is_healthy {
                    world.live_a_minute().await;
                }
                world.lose();
                let pause = world.pause().await.expect("it is tried again");
                longest = longest.max(pause);
                while !matches!(world.events.recv().await, Some(Event::Back { .. })) {}
            }
            assert_eq!(longest <= PAUSE_FIRST, is_healthy, "{longest:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_given_time_it_gives_up_and_not_before() {
        let wait = Duration::from_secs(100);
        let mut world = World::start(&[], Some(wait));
        world.lose();
        let begin = Instant::now();
        while world.pause().await.is_some() {}
        assert!(begin.elapsed().as_millis().abs_diff(wait.as_millis()) < 100);
        let left = world.stay.await.expect("it ends");
        assert_eq!(left.end, End::Failed(failure(true)));
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_lost_session_is_outwaited_and_somebody_elses_is_not() {
        let begin = Instant::now();
        let mut world = World::start_meeting(&[], None, || {
            of(&Cause::Refused(Refusal::new(
                Code::AlreadyHere,
                "leave there first",
            )))
        });
        world.lose();
        while world.pause().await.is_some() {}
        let left = world.stay.await.expect("it ends");
        assert!(matches!(left.end, End::Failed(_)));
        let waited = begin.elapsed();
        assert!(
            waited >= LOST_BEFORE_KNOWN && waited < LOST_BEFORE_KNOWN + PAUSE_MAX * 2,
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_told_in_short_and_the_end_in_full() {
        let lost = || of(&Cause::Lost("the server closed it".to_owned()));
        let mut world = World::start_meeting(&[], Some(Duration::from_secs(100)), lost);
        world.lose();
        let mut told = Vec::new();
        while let Some(event) = world.events.recv().await {
            if let Event::Lost { failure, .. } = event {
                told.push(failure.in_short().to_owned());
            }
        }
        assert!(told.len() > 1);
        assert!(!told[0].contains("was lost"), "{told:?}");
        let after = &told[1..];
        assert!(
            after.iter().all(|why| why == "the server closed it"),
            "{told:?}"
        );
        let left = world.stay.await.expect("it ends");
        assert_eq!(left.end, End::Failed(lost()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_time_cannot_fix_ends_it() {
        let mut world = World::start(&[Err(true), Err(false), Ok(())], None);
        world.lose();
        while world.pause().await.is_some() {}
        let left = world.stay.await.expect("it ends");
        assert_eq!(left.end, End::Failed(failure(false)));
    }
}
