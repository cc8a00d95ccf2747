//! What goes out to one session: what is owed to it alone, and the transcript from its cursor on.
//!
//! There is no queue of entries. A slow reader's cursor falls behind, and catches up from the
//! database; it is cut only when a write makes no progress at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;
use wire::{Code, Refusal, Reply, Welcome};

use crate::config::Limits;
use crate::fault::DatabaseError;
use crate::transcript::{Cursor, Transcript, View};

/// Room for everything that can be owed at once: an answer for each line under way, the reply to
/// one command, a start and an end.
pub(crate) const OWED_MAX: usize = UNACKNOWLEDGED_LINES_MAX + 4;

/// A buffer larger than this is not kept by an idle session.
const IDLE_BUFFER_BYTES_MAX: usize = 4 * 1024;

/// What one session alone is to be sent. A permit is given back when the bytes have been written.
#[derive(Debug)]
pub(crate) enum Owed {
    /// A line was judged; the answer, if the line had a RUN-N.
    Answer(Option<String>, OwnedSemaphorePermit),
    /// The reply to a command, with its line ends.
    Reply(String, OwnedSemaphorePermit),
    /// The reply to `/history`: the entries after one seq up to another.
    Replay {
        after: u64,
        to: u64,
        permit: OwnedSemaphorePermit,
    },
    /// The reply to `/ping`: how far the session has been sent.
    At(OwnedSemaphorePermit),
    /// The session follows the transcript from there on.
    Follow {
        after: u64,
        permit: OwnedSemaphorePermit,
    },
    /// The session ends with this line, after the entries that can be sent until then.
    Bye {
        line: String,
        entries_until: Instant,
    },
}

/// Why nothing more can be sent.
#[derive(Debug)]
pub(crate) enum Gone {
    /// The connection broke.
    Lost,
    /// A write made no progress for too long.
    Stalled,
    /// The transcript cannot be read any more.
    NoTranscript,
}

/// The outbound half of a session.
pub(crate) struct Outbound<W> {
    writer: W,
    /// What has left through `writer`, by which a slow write is told from a stalled one.
    written: Arc<AtomicU64>,
    transcript: Transcript,
    owed: mpsc::Receiver<Owed>,
    write_bytes_max: usize,
    write_stall_timeout: Duration,

    out: Vec<u8>,
    permits: Vec<OwnedSemaphorePermit>,
    following: Option<Following>,
    replay: Option<Replay>,
    at_owed: bool,
    told_waiting: bool,
    bye: Option<(String, Instant)>,
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

impl<W: AsyncWrite + Unpin> Outbound<W> {
    pub(crate) fn new(
        writer: W,
        written: Arc<AtomicU64>,
        transcript: Transcript,
        owed: mpsc::Receiver<Owed>,
        limits: &Limits,
    ) -> Self {
        Self {
            writer,
            written,
            transcript,
            owed,
            write_bytes_max: limits.write_bytes_max,
            write_stall_timeout: limits.write_stall_timeout,
            out: Vec::new(),
            permits: Vec::new(),
            following: None,
            replay: None,
            at_owed: false,
            told_waiting: false,
            bye: None,
        }
    }

    /// The first line that goes out.
    pub(crate) fn greet(&mut self, welcome: &Welcome) {
        let welcome = Reply::Welcome(welcome.clone());
        self.out
            .extend_from_slice(format!("{welcome}\n").as_bytes());
    }

    /// Follows the transcript after an entry.
    pub(crate) fn follow(&mut self, after: u64) {
        self.following = Some(Following {
            cursor: Cursor::after(after),
            caught_up: false,
        });
    }

    /// Sends until the session says goodbye.
    pub(crate) async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let head = self.collect().await?;
            if !self.out.is_empty() {
                self.write().await?;
                continue;
            }
            let Some((line, entries_until)) = &self.bye else {
                self.wait().await?;
                continue;
            };
            let is_behind = self
                .following
                .as_ref()
                .is_some_and(|f| f.cursor.seq() < head);
            if is_behind && Instant::now() < *entries_until {
                continue;
            }
            self.out.extend_from_slice(line.as_bytes());
            self.write().await?;
            return self.close().await;
        }
    }

    /// Puts together what goes out next, and gives the newest entry's seq. The view is let go
    /// before anything is written: a slow reader must not keep an old tail in memory.
    async fn collect(&mut self) -> Result<u64, Gone> {
        let view = self.transcript.view();
        self.collect_owed();
        self.collect_replay(&view).await?;
        self.collect_entries(&view).await?;
        self.collect_notes(&view);
        Ok(view.head)
    }

    /// Waits until there is something to send.
    async fn wait(&mut self) -> Result<(), Gone> {
        if self.out.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.out = Vec::new();
        }
        // In an order that does not depend on chance, so that a run can be repeated. Whichever it is,
        // what goes out next is put together from both.
        tokio::select! {
            biased;
            owed = self.owed.recv() => match owed {
                Some(owed) => self.take(owed),
                None => return Err(Gone::Lost),
            },
            changed = self.transcript.changed() => {
                changed.map_err(|_| Gone::NoTranscript)?;
            }
        }
        Ok(())
    }

    fn collect_owed(&mut self) {
        // A reply that is being sent page by page holds back nothing: the next one is not read
        // before it is complete.
        while self.bye.is_none() && self.out.len() < self.write_bytes_max {
            let Ok(owed) = self.owed.try_recv() else {
                break;
            };
            self.take(owed);
        }
    }

    fn take(&mut self, owed: Owed) {
        match owed {
            Owed::Answer(answer, permit) => {
                // A line without a RUN-N is answered by nothing but its place in the transcript.
                if let Some(answer) = answer {
                    self.out.extend_from_slice(answer.as_bytes());
                    self.permits.push(permit);
                }
            }
            Owed::Reply(reply, permit) => {
                self.out.extend_from_slice(reply.as_bytes());
                self.permits.push(permit);
            }
            Owed::Replay { after, to, permit } => {
                self.out.extend_from_slice(b"= begin history\n");
                self.replay = Some(Replay {
                    cursor: Cursor::replaying_after(after),
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
            Owed::Bye {
                line,
                entries_until,
            } => self.bye = Some((line, entries_until)),
        }
    }

    async fn collect_replay(&mut self, view: &View) -> Result<(), Gone> {
        let Some(mut replay) = self.replay.take() else {
            return Ok(());
        };
        if self.has_to_end() {
            return Ok(());
        }
        // Half of a write, so that what is said meanwhile is not held up by a long history.
        let bytes_max = self.write_bytes_max / 2;
        replay
            .cursor
            .take(&self.transcript, view, replay.to, &mut self.out, bytes_max)
            .await
            .map_err(no_transcript)?;
        if replay.cursor.seq() < replay.to {
            self.replay = Some(replay);
        } else {
            self.out.extend_from_slice(b"= end history\n");
            self.permits.push(replay.permit);
        }
        Ok(())
    }

    /// Whether it is time to say goodbye, whatever else there would be to send.
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
        if !following.caught_up && following.cursor.seq() >= view.head {
            following.caught_up = true;
            let at = Reply::At(following.cursor.seq());
            self.out.extend_from_slice(format!("{at}\n").as_bytes());
        }
        Ok(())
    }

    fn collect_notes(&mut self, view: &View) {
        if std::mem::take(&mut self.at_owed) {
            let sent = self
                .following
                .as_ref()
                .map_or(view.head, |f| f.cursor.seq());
            self.out
                .extend_from_slice(format!("{}\n", Reply::At(sent)).as_bytes());
        }
        match view.waiting {
            Some(cause) if !self.told_waiting => {
                let refusal = Refusal::new(Code::Waiting, format!("{cause}; lines are kept"));
                self.out
                    .extend_from_slice(format!("{refusal}\n").as_bytes());
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
        // What was owed has gone out: the lines and the command that it answers are done with.
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

/// Lets a write go on for as long as anything leaves.
async fn with_progress(
    writing: impl Future<Output = std::io::Result<()>>,
    written: &AtomicU64,
    stall_timeout: Duration,
) -> Result<(), Gone> {
    tokio::pin!(writing);
    let mut seen = written.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            biased;
            wrote = &mut writing => return wrote.map_err(|_| Gone::Lost),
            () = tokio::time::sleep(stall_timeout) => {
                let now = written.load(Ordering::Relaxed);
                if now == seen {
                    return Err(Gone::Stalled);
                }
                seen = now;
            }
        }
    }
}

fn no_transcript(error: DatabaseError) -> Gone {
    tracing::error!(%error, "history cannot be read");
    Gone::NoTranscript
}
