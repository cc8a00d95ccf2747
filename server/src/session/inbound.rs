//! The input of one session: lines to say and commands, one after the other.
//!
//! Not reading bounds the memory: a session has at most 64 lines that wait for their answers, and
//! one command that waits for its reply.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::BytesMut;
use pki::{Identity, Revocations};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wire::limits::{LINE_BYTES_MAX, UNACKNOWLEDGED_LINES_MAX};
use wire::{Code, Line, LineDecoder, Nonce, Overlong, Reason, Refusal, Request, Start};

use crate::room::ask::{Ask, Said};
use crate::room::desk::{Asks, Posted, Waiter};
use crate::room::facts::Dialect;
use crate::room::mailbox::{End, Mailbox, Owed, Told};
use crate::room::pace::Paces;
use crate::session::closing::broken;
use crate::session::replies;
use crate::session::silence::LastHeard;
use crate::transcript::reader::Transcript;

/// Bytes read at once.
const READ_BYTES: usize = 2 * 1024;

/// The inbound half of a session.
pub(crate) struct Inbound<R> {
    reader: R,
    decoder: LineDecoder,
    buffer: BytesMut,
    /// The next thing to do. It stays here while it waits for its turn, so that nothing that was
    /// read completely is lost when the wait is cancelled.
    pending: Option<Pending>,
    /// One permit for each line that may wait for its answer.
    lines: Arc<Semaphore>,
    /// One permit for the command that may wait for its reply.
    command: Arc<Semaphore>,
    dialect: Dialect,
    has_followed: bool,
    heard: Arc<LastHeard>,
    /// Whether the server stops: nothing more is read, and nothing waits for its turn.
    is_finishing: bool,
    links: Links,
}

/// The owner of this half, and its connections to the rest of the server.
pub(crate) struct Links {
    pub(crate) identity: Arc<Identity>,
    /// Its number in `joins`.
    pub(crate) session: u64,
    pub(crate) pace: Arc<Paces>,
    pub(crate) asks: Asks,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) transcript: Transcript,
    pub(crate) revocations: watch::Receiver<Revocations>,
}

#[derive(Debug, Clone)]
enum Pending {
    Say(Option<Nonce>, Line),
    Command(Request),
    Refuse(Refusal),
    /// An empty line does nothing, but waits for its turn; otherwise empty lines could be sent
    /// without end.
    Nothing,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    pub(crate) fn new(reader: R, dialect: Dialect, links: Links) -> Self {
        Self {
            reader,
            decoder: LineDecoder::new(LINE_BYTES_MAX),
            buffer: BytesMut::new(),
            pending: None,
            lines: Arc::new(Semaphore::new(UNACKNOWLEDGED_LINES_MAX)),
            command: Arc::new(Semaphore::new(1)),
            dialect,
            has_followed: dialect.follows_by_itself(),
            heard: Arc::new(LastHeard::now()),
            is_finishing: false,
            links,
        }
    }

    /// Does one thing: reads until there is a line, waits for its turn, and handles it. It may be
    /// cancelled at any point and called again.
    pub(crate) async fn step(&mut self) -> Option<End> {
        loop {
            match self.pending.clone() {
                Some(Pending::Say(nonce, line)) => return self.say(nonce, line).await,
                Some(Pending::Command(request)) => return self.command(request).await,
                Some(Pending::Refuse(refusal)) => return self.refuse(refusal).await,
                Some(Pending::Nothing) => {
                    drop(self.turn(&self.command, 0).await);
                    return self.done();
                }
                None => {}
            }
            match self.decoder.decode(&mut self.buffer) {
                Some(Ok(line)) => self.take_on(self.dialect.read(&line).into()),
                Some(Err(Overlong::Line(prefix))) => {
                    self.take_on(Pending::Refuse(self.dialect.too_long(&prefix)));
                }
                Some(Err(Overlong::Endless)) => {
                    let words = "a line went on without end".into();
                    return Some(End {
                        reason: Reason::Flooding,
                        words,
                    });
                }
                None if self.is_finishing => return Some(end(Reason::ShuttingDown)),
                None => {
                    if self.buffer.is_empty() {
                        self.buffer = BytesMut::new();
                    }
                    match read(&mut self.reader, &mut self.buffer).await {
                        Ok(0) => return Some(end(Reason::Goodbye)),
                        Ok(_) => self.heard.note(),
                        Err(failure) => return Some(broken(&failure)),
                    }
                }
            }
        }
    }

    /// Records everything that was read completely, and reads nothing more, because the server
    /// stops.
    pub(crate) async fn finish_what_was_read(&mut self) {
        self.is_finishing = true;
        while self.step().await.is_none() {}
    }

    /// Returns when this session was last heard from; `None` for clients that need not say
    /// anything.
    pub(crate) fn heard(&self) -> Option<Arc<LastHeard>> {
        let has_to = self.dialect.has_to_be_heard();
        has_to.then(|| self.heard.clone())
    }

    /// Waits until every line under way has been answered.
    pub(crate) async fn all_answered(&self) {
        let all = u32::try_from(UNACKNOWLEDGED_LINES_MAX).expect("the limit is small");
        // The semaphore is never closed, so this ends when the last permit is back.
        let _all_permits = self.lines.acquire_many(all).await;
    }

    /// Waits until the reply to the last command was sent.
    pub(crate) async fn all_replied(&self) {
        let _permit = self.command.acquire().await;
    }

    /// Gives something to the outbound half.
    pub(crate) fn owe(&self, owed: Owed) {
        self.links.mailbox.reply(owed);
    }

    /// Returns the reader, from which bytes may still arrive.
    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    async fn say(&mut self, nonce: Option<Nonce>, line: Line) -> Option<End> {
        let permit = self.turn(&self.lines, line.as_str().len()).await;
        let Ok(place) = self.links.asks.reserve().await else {
            return Some(server_gone());
        };
        let (id, session) = (self.links.identity.id().clone(), self.links.session);
        let said = Said {
            id,
            session,
            nonce,
            line,
        };
        place.send(Posted {
            ask: Ask::Say(said),
            waiter: Waiter::Line(self.links.mailbox.clone(), permit),
        });
        self.done()
    }

    async fn refuse(&mut self, refusal: Refusal) -> Option<End> {
        // A refused line takes the turn of a line; otherwise a client could cause refusals without
        // end.
        let permit = self.turn(&self.lines, 0).await;
        if let Some(nonce) = refusal.nonce.clone() {
            let Ok(place) = self.links.asks.reserve().await else {
                return Some(server_gone());
            };
            let (id, session) = (self.links.identity.id().clone(), self.links.session);
            place.send(Ask::Spend { id, session, nonce }.into());
        }
        self.owe(Owed::Answer(Some(Told::Refusal(refusal)), permit));
        self.done()
    }

    async fn command(&mut self, request: Request) -> Option<End> {
        // The next command waits until this one's reply was sent.
        let permit = self.turn(&self.command, 0).await;
        // The reply reflects everything that this session said before the command.
        self.all_answered().await;
        let head = self.links.transcript.head();
        let owed = match request {
            Request::Quit => return Some(end(Reason::Goodbye)),
            Request::Ping => Owed::At(permit),
            Request::History { last, before } => {
                let to = before.map_or(head, |before| before.saturating_sub(1).min(head));
                let after = last.map_or(0, |last| to.saturating_sub(last));
                Owed::Replay { after, to, permit }
            }
            Request::Follow(start) => match self.follow(start, head).await {
                Ok(after) => Owed::Follow { after, permit },
                Err(refusal) => Owed::Reply(vec![Told::Refusal(refusal)], permit),
            },
            Request::Who => Owed::Reply(self.who(), permit),
            Request::Whois(id) => {
                let reply = replies::whois(&self.links.transcript, &id).await;
                Owed::Reply(vec![reply], permit)
            }
            Request::Help => Owed::Reply(replies::help(), permit),
            Request::Nick => Owed::Reply(vec![replies::nick(&self.links.identity)], permit),
            // Lines are not commands; `Pending` distinguishes them.
            Request::Say(_) | Request::SayOnce(..) => return self.done(),
        };
        let follows = matches!(owed, Owed::Follow { .. });
        self.owe(owed);
        self.has_followed |= follows;
        self.done()
    }

    /// Waits for a permit, and for the person's pace: one line with this many bytes of text.
    async fn turn(&self, permits: &Arc<Semaphore>, bytes: usize) -> OwnedSemaphorePermit {
        let permit = permits.clone().acquire_owned().await;
        if !self.is_finishing {
            self.links.pace.turn(bytes).await;
        }
        permit.expect("a session's semaphore is never closed")
    }

    /// Makes this the next thing to do; nothing more is read until it is done.
    fn take_on(&mut self, pending: Pending) {
        self.pending = Some(pending);
        self.heard.excuse();
    }

    /// Marks the pending thing as done: it can no longer be cancelled.
    fn done(&mut self) -> Option<End> {
        self.pending = None;
        self.heard.note();
        None
    }

    /// Returns the seq after which to follow.
    async fn follow(&self, start: Start, head: u64) -> Result<u64, Refusal> {
        if self.has_followed {
            let words = "this session already follows; reconnect to start elsewhere";
            return Err(Refusal::new(Code::AlreadyFollowing, words));
        }
        let (seq, at) = match start {
            Start::Beginning => return Ok(0),
            Start::Head => return Ok(head),
            Start::After { seq, at } => (seq, at),
        };
        let found = self.links.transcript.time_of(seq).await.map_err(|error| {
            tracing::error!(%error, "history cannot be read");
            Refusal::new(Code::TryLater, "history cannot be read now")
        })?;
        if found == Some(at) {
            return Ok(seq);
        }
        let words = format!(
            "entry {seq} is not the one you know: the database was replaced or restored; \
             /follow 0 or /follow head starts afresh"
        );
        Err(Refusal::new(Code::OtherHistory, words))
    }
}

impl<R> Inbound<R> {
    fn who(&self) -> Vec<Told> {
        let Links {
            transcript,
            identity,
            revocations,
            ..
        } = &self.links;
        replies::who(transcript, identity, &revocations.borrow())
    }
}

/// Reads incoming bytes into a buffer on the stack, so that a waiting session, as most are, holds
/// none.
async fn read<R: AsyncRead + Unpin>(reader: &mut R, into: &mut BytesMut) -> std::io::Result<usize> {
    poll_fn(|cx| {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut *reader).poll_read(cx, &mut bytes))?;
        into.extend_from_slice(bytes.filled());
        Poll::Ready(Ok(bytes.filled().len()))
    })
    .await
}

impl From<Result<Option<Request>, Refusal>> for Pending {
    fn from(read: Result<Option<Request>, Refusal>) -> Self {
        match read {
            Ok(None) => Pending::Nothing,
            Ok(Some(Request::Say(line))) => Pending::Say(None, line),
            Ok(Some(Request::SayOnce(nonce, line))) => Pending::Say(Some(nonce), line),
            Ok(Some(request)) => Pending::Command(request),
            Err(refusal) => Pending::Refuse(refusal),
        }
    }
}

fn end(reason: Reason) -> End {
    End {
        reason,
        words: String::new(),
    }
}

fn server_gone() -> End {
    End {
        reason: Reason::ShuttingDown,
        words: "the server can no longer record".into(),
    }
}
