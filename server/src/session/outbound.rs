//! The output of one session: everything owed to it alone, and the transcript from its cursor on.
//!
//! There is no queue of entries. A slow reader's cursor falls behind, and catches up from the
//! database; its connection is cut only when a write makes no progress at all.
//!
//! The session's task and its flusher share the output; whoever holds the lock sends. The task
//! holds it while there is something to wait for, and the flusher at other times. A flusher that
//! finds the lock taken, or something to wait for, wakes the task, which then looks again.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::Instant;
use wire::{Code, Refusal, Reply, Welcome};

use crate::config::Limits;
use crate::room::facts::Dialect;
use crate::room::mailbox::{End, Mailbox, Owed, Told};
use crate::session::flusher::Flush;
use crate::transcript::fault::DatabaseError;
use crate::transcript::reader::{Cursor, Transcript, View};

/// The topic of the reply to `/history`.
const HISTORY: &str = "history";

/// The reason why nothing more can be sent.
#[derive(Debug)]
pub(crate) enum Gone {
    /// The connection broke, with this error.
    Lost(std::io::Error),
    /// A write made no progress for too long.
    Stalled,
    /// The transcript can no longer be read.
    NoTranscript,
}

/// The outbound half of a session.
pub(crate) struct Outbound<W> {
    half: Mutex<Half<W>>,
    mailbox: Arc<Mailbox>,
}

/// The state that only one task may use at a time.
struct Half<W> {
    writer: W,
    /// Counts the bytes that left through `writer`, which distinguishes a slow write from a stalled
    /// one.
    written: Arc<AtomicU64>,
    transcript: Transcript,
    mailbox: Arc<Mailbox>,
    dialect: Dialect,
    write_bytes_max: usize,
    write_stall_timeout: Duration,

    out: Vec<u8>,
    /// Whether written bytes may not have left yet.
    is_unflushed: bool,
    permits: Vec<OwnedSemaphorePermit>,
    following: Option<Following>,
    replay: Option<Replay>,
    at_owed: bool,
    told_waiting: bool,
    bye: Option<(End, Instant)>,
}

#[derive(Debug)]
struct Following {
    cursor: Cursor,
    /// Whether `= at SEQ` has said that the catch-up is complete.
    caught_up: bool,
}

#[derive(Debug)]
struct Replay {
    cursor: Cursor,
    to: u64,
    permit: OwnedSemaphorePermit,
}

impl Following {
    fn note_caught_up(&mut self, head: u64, dialect: Dialect, out: &mut Vec<u8>) {
        if !self.caught_up && self.cursor.seq() >= head {
            self.caught_up = true;
            dialect.write_reply(&Reply::At(self.cursor.seq()), out);
        }
    }
}

impl<W: AsyncWrite + Unpin> Outbound<W> {
    /// Returns an output that sends the greeting first and then the entries after `follow`.
    pub(crate) fn new(
        writer: W,
        written: Arc<AtomicU64>,
        transcript: Transcript,
        mailbox: Arc<Mailbox>,
        dialect: Dialect,
        limits: &Limits,
        (welcome, follow): (Welcome, Option<u64>),
    ) -> Self {
        let mut half = Half {
            writer,
            written,
            transcript,
            mailbox: mailbox.clone(),
            dialect,
            write_bytes_max: limits.write_bytes_max,
            write_stall_timeout: limits.write_stall_timeout,
            out: Vec::new(),
            is_unflushed: false,
            permits: Vec::new(),
            following: None,
            replay: None,
            at_owed: false,
            told_waiting: false,
            bye: None,
        };
        half.greet(welcome);
        if let Some(after) = follow {
            half.follow(after);
        }
        Self {
            half: Mutex::new(half),
            mailbox,
        }
    }

    /// Returns whether something is being sent that has not left yet.
    pub(crate) fn is_sending(&self) -> bool {
        self.half.try_lock().is_err()
    }

    /// Sends until the session says goodbye.
    pub(crate) async fn run(&self) -> Result<(), Gone> {
        while !self.half.lock().await.send().await? {
            self.mailbox.stirred().await;
        }
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin + Send> Flush for Outbound<W> {
    fn flush(&self, view: &View, scratch: &mut Vec<u8>) {
        let is_done = match self.half.try_lock() {
            Ok(mut half) => half.flush(view, scratch),
            Err(_) => false,
        };
        if !is_done {
            self.mailbox.stir();
        }
    }
}

impl<W: AsyncWrite + Unpin> Half<W> {
    fn greet(&mut self, welcome: Welcome) {
        self.dialect
            .write_reply(&Reply::Welcome(welcome), &mut self.out);
    }

    fn follow(&mut self, after: u64) {
        self.following = Some(Following {
            cursor: Cursor::after(after),
            caught_up: false,
        });
    }

    /// Sends everything pending. Returns `true` if it ended with a goodbye.
    async fn send(&mut self) -> Result<bool, Gone> {
        loop {
            let head = self.collect().await?;
            if !self.out.is_empty() || self.is_unflushed {
                self.write().await?;
                // A long history has many pages, each of which may be read and sent without a wait:
                // without this, the thread would do nothing else until the last one, and not even
                // check its sockets.
                if self.replay.is_some() || self.is_behind(head) {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            let Some((end, entries_until)) = &self.bye else {
                if self.transcript.is_over() {
                    return Err(Gone::NoTranscript);
                }
                // Quiet sessions are many, and their flusher assembles what they are sent next.
                self.out = Vec::new();
                self.permits = Vec::new();
                self.mailbox.shrink();
                return Ok(false);
            };
            if self.is_behind(head) && Instant::now() < *entries_until {
                continue;
            }
            let bye = Reply::Bye {
                reason: end.reason.into(),
                words: end.words.clone(),
            };
            self.dialect.write_reply(&bye, &mut self.out);
            self.write().await?;
            self.close().await?;
            return Ok(true);
        }
    }

    /// Returns whether the session has not been sent every entry that it follows.
    fn is_behind(&self, head: u64) -> bool {
        self.following
            .as_ref()
            .is_some_and(|following| following.cursor.seq() < head)
    }

    /// Sends everything new. Returns whether nothing is left that must be waited for.
    fn flush(&mut self, view: &View, scratch: &mut Vec<u8>) -> bool {
        if !self.out.is_empty() || self.is_unflushed || self.transcript.is_over() {
            return false;
        }
        scratch.clear();
        std::mem::swap(&mut self.out, scratch);
        self.collect_owed();
        // Usually there is nothing but entries for everybody, which are sent from where they are.
        let entries = self.take_entries_alone(view);
        let is_all = entries.is_some() || self.collect_at_hand(view);
        std::mem::swap(&mut self.out, scratch);
        let bytes = entries.unwrap_or(scratch);
        let written = self.write_at_once(bytes);
        self.out.extend_from_slice(&bytes[written..]);
        is_all && self.out.is_empty() && !self.is_unflushed
    }

    /// Returns the entries up to the head if nothing else has to be sent and they are in one piece.
    fn take_entries_alone<'a>(&mut self, view: &'a View) -> Option<&'a [u8]> {
        let has_notes = self.at_owed || self.told_waiting || view.waiting.is_some();
        if !self.out.is_empty() || self.bye.is_some() || self.replay.is_some() || has_notes {
            return None;
        }
        let following = self.following.as_mut().filter(|f| f.caught_up)?;
        following
            .cursor
            .take_in_one_piece(view, self.write_bytes_max)
    }

    /// Appends what follows the owed replies, as far as that needs no wait. Returns whether that is
    /// everything.
    fn collect_at_hand(&mut self, view: &View) -> bool {
        if self.bye.is_some() || self.replay.is_some() {
            return false;
        }
        let is_all = self.following.as_mut().is_none_or(|following| {
            let bytes_max = self.write_bytes_max;
            let cursor = &mut following.cursor;
            let is_taken = cursor.take_at_hand(view, view.head, &mut self.out, bytes_max);
            following.note_caught_up(view.head, self.dialect, &mut self.out);
            is_taken && following.cursor.seq() >= view.head
        });
        if is_all {
            self.collect_notes(view);
        }
        is_all
    }

    /// Writes as much as leaves at once. Returns the number of bytes. Errors are left to whoever
    /// writes the rest.
    fn write_at_once(&mut self, bytes: &[u8]) -> usize {
        // Nobody is woken: the session's task takes over the bytes that do not leave at once.
        let mut context = Context::from_waker(Waker::noop());
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            match Pin::new(&mut self.writer).poll_write(&mut context, rest) {
                Poll::Ready(Ok(more)) if more > 0 => written += more,
                _ => break,
            }
        }
        let is_all = written == bytes.len();
        if is_all && written > 0 {
            let flushed = Pin::new(&mut self.writer).poll_flush(&mut context);
            self.is_unflushed = !matches!(flushed, Poll::Ready(Ok(())));
        }
        if is_all && !self.is_unflushed {
            self.permits.clear();
        }
        written
    }

    /// Assembles what is sent next. Returns the newest entry's seq. The view is dropped before
    /// anything is written: a slow reader must not keep an old tail in memory.
    async fn collect(&mut self) -> Result<u64, Gone> {
        let view = self.transcript.view();
        self.collect_owed();
        self.collect_replay(&view).await?;
        self.collect_entries(&view).await?;
        self.collect_notes(&view);
        Ok(view.head)
    }

    fn collect_owed(&mut self) {
        // A reply that is being sent page by page holds back nothing: the next command is not read
        // before it is complete.
        while self.bye.is_none() && self.out.len() < self.write_bytes_max {
            let Some(owed) = self.mailbox.next() else {
                break;
            };
            self.take(owed);
        }
    }

    fn take(&mut self, owed: Owed) {
        match owed {
            Owed::Answer(answer, permit) => {
                // A line without a RUN-N is answered only by its entry in the transcript.
                if let Some(answer) = answer {
                    self.dialect.write(&answer, &mut self.out);
                    self.permits.push(permit);
                }
            }
            Owed::Reply(reply, permit) => {
                for line in &reply {
                    self.dialect.write(line, &mut self.out);
                }
                self.permits.push(permit);
            }
            Owed::Replay { after, to, permit } => {
                let begin = Reply::Begin(HISTORY.to_owned());
                self.dialect.write_reply(&begin, &mut self.out);
                self.replay = Some(Replay {
                    cursor: Cursor::after(after),
                    to,
                    permit,
                });
            }
            Owed::At(permit) => {
                self.at_owed = true;
                self.permits.push(permit);
            }
            Owed::Follow { after, permit } => {
                self.follow(after);
                self.permits.push(permit);
            }
            Owed::Bye { end, entries_until } => self.bye = Some((end, entries_until)),
        }
    }

    async fn collect_replay(&mut self, view: &View) -> Result<(), Gone> {
        let Some(mut replay) = self.replay.take() else {
            return Ok(());
        };
        if self.has_to_end() {
            return Ok(());
        }
        // Half of a write, so that a long history does not delay new entries.
        let bytes_max = (self.write_bytes_max / 2).saturating_sub(self.out.len());
        let mut lines = Vec::new();
        replay
            .cursor
            .take(&self.transcript, view, replay.to, &mut lines, bytes_max)
            .await
            .map_err(no_transcript)?;
        self.dialect.write_replayed(&lines, &mut self.out);
        if replay.cursor.seq() < replay.to {
            self.replay = Some(replay);
        } else {
            let end = Reply::End(HISTORY.to_owned());
            self.dialect.write_reply(&end, &mut self.out);
            self.permits.push(replay.permit);
        }
        Ok(())
    }

    /// Returns whether it is time to say goodbye, whatever else is pending.
    fn has_to_end(&self) -> bool {
        self.bye
            .as_ref()
            .is_some_and(|(_, until)| Instant::now() >= *until)
    }

    async fn collect_entries(&mut self, view: &View) -> Result<(), Gone> {
        if self.has_to_end() {
            return Ok(());
        }
        let Some(following) = &mut self.following else {
            return Ok(());
        };
        let bytes_max = self.write_bytes_max;
        following
            .cursor
            .take(&self.transcript, view, view.head, &mut self.out, bytes_max)
            .await
            .map_err(no_transcript)?;
        following.note_caught_up(view.head, self.dialect, &mut self.out);
        Ok(())
    }

    fn collect_notes(&mut self, view: &View) {
        if std::mem::take(&mut self.at_owed) {
            let sent = self
                .following
                .as_ref()
                .map_or(view.head, |f| f.cursor.seq());
            self.dialect.write_reply(&Reply::At(sent), &mut self.out);
        }
        match view.waiting {
            Some(cause) if !self.told_waiting => {
                let refusal = Refusal::new(Code::Waiting, format!("{cause}; lines are kept"));
                self.dialect.write(&Told::Refusal(refusal), &mut self.out);
                self.told_waiting = true;
            }
            Some(_) => {}
            None => self.told_waiting = false,
        }
    }

    async fn write(&mut self) -> Result<(), Gone> {
        let Self {
            writer,
            written,
            out,
            write_stall_timeout,
            ..
        } = self;
        let writing = async {
            writer.write_all(out).await?;
            writer.flush().await
        };
        with_progress(writing, written, *write_stall_timeout).await?;
        self.out.clear();
        self.is_unflushed = false;
        // Everything owed was sent: the lines and the command that it answers are done.
        self.permits.clear();
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Gone> {
        let Self {
            writer,
            written,
            write_stall_timeout,
            ..
        } = self;
        with_progress(writer.shutdown(), written, *write_stall_timeout).await
    }
}

/// Lets a write continue while any bytes leave. It has stalled when none have left for
/// `stall_timeout`, counted from the last byte that did.
async fn with_progress(
    writing: impl Future<Output = std::io::Result<()>>,
    written: &AtomicU64,
    stall_timeout: Duration,
) -> Result<(), Gone> {
    let mut writing = pin!(writing);
    let mut stalled = pin!(tokio::time::sleep(stall_timeout));
    let mut seen = written.load(Ordering::Relaxed);
    poll_fn(|cx| {
        if let Poll::Ready(wrote) = writing.as_mut().poll(cx) {
            return Poll::Ready(wrote.map_err(Gone::Lost));
        }
        // Bytes leave only while `writing` is polled.
        let now = written.load(Ordering::Relaxed);
        if now != seen {
            seen = now;
            stalled.as_mut().reset(Instant::now() + stall_timeout);
        }
        stalled.as_mut().poll(cx).map(|()| Err(Gone::Stalled))
    })
    .await
}

fn no_transcript(error: DatabaseError) -> Gone {
    tracing::error!(%error, "history cannot be read");
    Gone::NoTranscript
}

#[cfg(test)]
mod tests;
