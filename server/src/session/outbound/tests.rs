//! Tests of the bytes that a session's task and its flusher send, and of the time that a write may
//! take.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex as Lock;

use tokio::sync::{Semaphore, watch};
use wire::{ClientId, Entry, Kind, Line, Role, Timestamp};

use super::*;
use crate::lock::lock;
use crate::store::memory::Memory;
use crate::transcript::tail::Segment;

/// A connection that accepts a limited number of bytes.
#[derive(Clone)]
struct Narrow(Arc<Lock<Taken>>);

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    room: usize,
    waiting: Option<Waker>,
}

impl Narrow {
    fn widen(&self, room: usize) {
        let mut taken = lock(&self.0);
        taken.room = room;
        if let Some(waiting) = taken.waiting.take() {
            waiting.wake();
        }
    }

    fn taken(&self) -> String {
        let taken = lock(&self.0);
        String::from_utf8(taken.bytes.clone()).expect("lines are UTF-8")
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut taken = lock(&self.0);
        let count = bytes.len().min(taken.room);
        if count == 0 {
            taken.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        taken.room -= count;
        taken.bytes.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn ok() -> Told {
    let nonce = wire::Nonce::parse("k3v9q2a7-1").expect("a nonce");
    Told::Reply(Reply::Ok { nonce, seq: 1 })
}

/// A session that follows from the beginning, and the channel of the views that it reads.
struct Stage {
    outbound: Arc<Outbound<Narrow>>,
    wire: Narrow,
    mailbox: Arc<Mailbox>,
    views: watch::Sender<View>,
}

fn room() -> Stage {
    let limits = Limits::default();
    let (views, view) = watch::channel(View {
        head: 0,
        tail: Arc::default(),
        here: Arc::default(),
        waiting: None,
    });
    let transcript = Transcript::new(view, Arc::new(Memory::new("9f86")), &limits);
    let wire = Narrow(Arc::default());
    wire.widen(usize::MAX);
    let mailbox = Arc::new(Mailbox::default());
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let welcome = Welcome {
        id: ClientId::parse("alice").expect("a name"),
        role: Role::Student,
        ip,
        room: "room".into(),
        head: 0,
        epoch: "9f86".into(),
        clock: Timestamp::EPOCH,
        version: "0".into(),
        expires: None,
        name: None,
    };
    let outbound = Arc::new(Outbound::new(
        wire.clone(),
        Arc::default(),
        transcript,
        mailbox.clone(),
        Dialect::Ours,
        &limits,
        (welcome, Some(0)),
    ));
    Stage {
        outbound,
        wire,
        mailbox,
        views,
    }
}

impl Stage {
    fn publish(&self, text: &str) {
        self.views.send_modify(|view| {
            view.head += 1;
            let entry = Entry {
                seq: view.head,
                at: Timestamp::EPOCH,
                id: ClientId::parse("bob").expect("a name"),
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                kind: Kind::Message(Line::parse(text.as_bytes()).expect("a line")),
            };
            view.tail = Arc::new(view.tail.with(Segment::encode([&entry]), usize::MAX));
        });
    }

    fn flush(&self) {
        let view = self.views.borrow().clone();
        self.outbound.flush(&view, &mut Vec::new());
    }

    /// Returns the lines that were said, in the order in which it arrived.
    fn said(&self) -> Vec<String> {
        let taken = self.wire.taken();
        let texts = taken.lines().filter_map(|line| line.split("] ").nth(1));
        texts.map(ToOwned::to_owned).collect()
    }
}

async fn until(is_done: impl Fn() -> bool) {
    let done = async {
        while !is_done() {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(10), done).await;
    done.expect("it does not happen");
}

#[tokio::test]
async fn the_flusher_sends_new_entries_to_a_session_that_has_everything_without_its_task() {
    let room = room();
    let mut run = std::pin::pin!(room.outbound.run());
    // Up to the greeting, and no further.
    assert!(poll_once(run.as_mut()).is_pending());
    let permits = Arc::new(Semaphore::new(1));
    let permit = permits.clone().try_acquire_owned().expect("a permit");
    room.mailbox.add(Owed::Answer(Some(ok()), permit));
    room.publish("hello");
    room.flush();
    assert_eq!(room.said(), ["hello"]);
    assert!(room.wire.taken().contains("= ok k3v9q2a7-1 1\n"));
    assert_eq!(permits.available_permits(), 1);
    // Neither of them sends anything twice.
    room.flush();
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(room.said(), ["hello"]);
}

#[tokio::test]
async fn between_two_writes_of_a_long_history_others_have_their_turn() {
    let room = room();
    let text = "x".repeat(wire::limits::TEXT_BYTES_MAX);
    let write = Limits::default().write_bytes_max;
    let lines = 4 * write / text.len();
    for _ in 0..lines {
        room.publish(&text);
    }
    let mut run = std::pin::pin!(room.outbound.run());
    let mut one_turn = || {
        let before = room.wire.taken().len();
        assert!(poll_once(run.as_mut()).is_pending());
        let taken = room.wire.taken().len() - before;
        assert!(taken < 2 * write, "{taken}");
    };
    // First the entries that it follows, then the answer that it asks for.
    while room.said().len() < lines {
        one_turn();
    }
    one_turn();
    let permits = Arc::new(Semaphore::new(1));
    let permit = permits.clone().try_acquire_owned().expect("a permit");
    let (after, to) = (0, lines as u64);
    room.mailbox.reply(Owed::Replay { after, to, permit });
    while permits.available_permits() == 0 {
        one_turn();
    }
    assert_eq!(room.said().len(), 2 * lines);
}

#[tokio::test]
async fn the_task_sends_the_bytes_that_did_not_leave_at_once_before_any_others() {
    let room = room();
    let outbound = room.outbound.clone();
    let task = tokio::spawn(async move { outbound.run().await });
    until(|| room.wire.taken().contains("= at 0\n")).await;
    let permits = Arc::new(Semaphore::new(1));
    let permit = permits.clone().try_acquire_owned().expect("a permit");
    room.mailbox.add(Owed::Answer(Some(ok()), permit));
    room.wire.widen(5);
    room.publish("one");
    room.flush();
    assert_eq!(permits.available_permits(), 0, "the answer has not left");
    room.publish("two");
    room.flush();
    assert_eq!(room.said(), [""; 0]);
    room.wire.widen(usize::MAX);
    until(|| room.said().len() == 2).await;
    assert_eq!(room.said(), ["one", "two"]);
    assert_eq!(permits.available_permits(), 1);
    task.abort();
}

#[tokio::test]
async fn entries_alone_go_out_as_they_lie_and_no_room_is_kept_for_them() {
    let room = room();
    let outbound = room.outbound.clone();
    let task = tokio::spawn(async move { outbound.run().await });
    until(|| room.wire.taken().contains("= at 0\n")).await;
    let kept = || {
        room.outbound
            .half
            .try_lock()
            .map(|half| half.out.capacity())
    };
    let view = |room: &Stage| room.views.borrow().clone();
    let mut scratch = Vec::with_capacity(1024);
    room.publish("one");
    room.outbound.flush(&view(&room), &mut scratch);
    assert_eq!(room.said(), ["one"]);
    assert_eq!((kept().ok(), scratch.capacity()), (Some(0), 1024));

    room.wire.widen(5);
    room.publish("two");
    room.outbound.flush(&view(&room), &mut scratch);
    room.publish("three");
    room.outbound.flush(&view(&room), &mut scratch);
    room.wire.widen(usize::MAX);
    until(|| room.said().len() == 3).await;
    assert_eq!(room.said(), ["one", "two", "three"]);
    until(|| kept().is_ok_and(|kept| kept == 0)).await;
    task.abort();
}

#[tokio::test]
async fn entries_published_while_the_task_sends_are_not_forgotten() {
    let room = room();
    room.wire.widen(1);
    let outbound = room.outbound.clone();
    let task = tokio::spawn(async move { outbound.run().await });
    // In the middle of its greeting, with the lock.
    until(|| !room.wire.taken().is_empty()).await;
    room.publish("hello");
    room.flush();
    room.wire.widen(usize::MAX);
    until(|| room.said().len() == 1).await;
    task.abort();
}

#[tokio::test]
async fn when_the_recorder_has_ended_so_do_the_sessions() {
    let room = room();
    let outbound = room.outbound.clone();
    let task = tokio::spawn(async move { outbound.run().await });
    until(|| room.wire.taken().contains("= at 0\n")).await;
    let view = room.views.borrow().clone();
    drop(room.views);
    room.outbound.flush(&view, &mut Vec::new());
    let ended = tokio::time::timeout(Duration::from_secs(10), task).await;
    let ended = ended.expect("it ends").expect("no panic");
    assert!(matches!(ended, Err(Gone::NoTranscript)), "{ended:?}");
}

fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn a_write_has_stalled_a_minute_after_its_last_byte_and_not_while_anything_leaves() {
    const STALL_TIMEOUT: Duration = Duration::from_secs(60);
    let began = Instant::now();
    let written = AtomicU64::new(0);
    // A byte leaves at once, and five more 50 seconds apart.
    let slow = async {
        for _ in 0..5 {
            written.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
        written.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    };
    let ended = with_progress(slow, &written, STALL_TIMEOUT).await;
    assert!(matches!(ended, Err(Gone::Stalled)), "{ended:?}");
    let last_byte = began + Duration::from_secs(250);
    assert_eq!(Instant::now(), last_byte + STALL_TIMEOUT);
}
