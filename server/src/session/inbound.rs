//! What comes in from one session: lines to say and commands, one after the other.
//!
//! Memory is bounded by not reading: a session has at most 64 lines on their way to their
//! answers, and one command on its way to its reply.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::SystemTime;

use bytes::BytesMut;
use pki::{Identity, Revocations};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wire::limits::{LINE_BYTES_MAX, UNACKNOWLEDGED_LINES_MAX};
use wire::{
    ClientId, Code, Line, LineDecoder, Nonce, Overlong, Reason, Refusal, Reply, Request, Role,
    Start, Timestamp,
};

use crate::room::ask::{Ask, Asks, End, Said};
use crate::room::mailbox::{Owed, Owing};
use crate::room::pace::Paces;
use crate::transcript::record::LastSession;
use crate::session::life::broken;
use crate::session::silence::LastHeard;
use crate::transcript::reader::Transcript;

/// What is read at once.
const READ_BYTES: usize = 2 * 1024;

/// The inbound half of a session.
pub(crate) struct Inbound<R> {
    reader: R,
    decoder: LineDecoder,
    buffer: BytesMut,
    /// What waits for its turn. It stays here while it waits, so that nothing which was read whole
    /// is lost when the wait is broken off.
    pending: Option<Pending>,
    /// One for each line that may be on its way to its answer.
    lines: Arc<Semaphore>,
    /// One for the command that may be on its way to its reply.
    command: Arc<Semaphore>,
    speaks: Dialect,
    has_followed: bool,
    heard: Arc<LastHeard>,
    /// Whether the server is being stopped: nothing more is read, and nothing waits for its turn.
    is_finishing: bool,
    links: Links,
}

/// Whose half it is, and what it is tied to.
pub(crate) struct Links {
    pub(crate) identity: Arc<Identity>,
    /// Of `joins`.
    pub(crate) session: u64,
    pub(crate) pace: Arc<Paces>,
    pub(crate) asks: Asks,
    pub(crate) owing: Arc<Owing>,
    pub(crate) transcript: Transcript,
    pub(crate) revocations: watch::Receiver<Revocations>,
}

/// The two ways to speak with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Any TLS tool: entries come by themselves.
    Plain,
    /// `countersign/1`: the client says where to start.
    Ours,
}

#[derive(Debug, Clone)]
enum Pending {
    Say(Option<Nonce>, Line),
    Command(Request),
    Refuse(Refusal),
    /// An empty line: nothing, in its turn, or they could be sent without end.
    Nothing,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    pub(crate) fn new(reader: R, speaks: Dialect, links: Links) -> Self {
        Self {
            reader,
            decoder: LineDecoder::new(LINE_BYTES_MAX),
            buffer: BytesMut::new(),
            pending: None,
            lines: Arc::new(Semaphore::new(UNACKNOWLEDGED_LINES_MAX)),
            command: Arc::new(Semaphore::new(1)),
            speaks,
            has_followed: speaks == Dialect::Plain,
            heard: Arc::new(LastHeard::now()),
            is_finishing: false,
            links,
        }
    }

    /// One thing: reads until there is a line, waits for its turn, does it. May be broken off at
    /// any point and taken up again.
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
                Some(Ok(line)) => self.take_on(understand(&line)),
                Some(Err(Overlong::Line(prefix))) => {
                    self.take_on(Pending::Refuse(Request::too_long(&prefix)));
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

    /// The server stops: what was read whole is still recorded, nothing more is read.
    pub(crate) async fn finish_what_was_read(&mut self) {
        self.is_finishing = true;
        while self.step().await.is_none() {}
    }

    /// When this session was last heard of; `None` where nobody has to say anything.
    pub(crate) fn heard(&self) -> Option<Arc<LastHeard>> {
        (self.speaks == Dialect::Ours).then(|| self.heard.clone())
    }

    /// Waits until every line under way has been answered.
    pub(crate) async fn all_answered(&self) {
        let all = u32::try_from(UNACKNOWLEDGED_LINES_MAX).expect("the limit is small");
        // The semaphore is never closed, so this ends when the last permit is back.
        let _all_permits = self.lines.acquire_many(all).await;
    }

    /// Waits until the reply to the last command has gone out.
    pub(crate) async fn all_replied(&self) {
        let _permit = self.command.acquire().await;
    }

    /// Hands something to the outbound half.
    pub(crate) fn owe(&self, owed: Owed) {
        self.links.owing.owe(owed);
    }

    /// What is still coming.
    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    async fn say(&mut self, nonce: Option<Nonce>, line: Line) -> Option<End> {
        let permit = self.turn(&self.lines, line.as_str().len()).await;
        let Ok(place) = self.links.asks.reserve().await else {
            return Some(server_gone());
        };
        let (id, session) = (self.links.identity.id().clone(), self.links.session);
        place.send(Ask::Say(Said {
            id,
            session,
            nonce,
            line,
            permit,
        }));
        self.done()
    }

    async fn refuse(&mut self, refusal: Refusal) -> Option<End> {
        // A refused line takes a line's turn, or refusals could be had without end.
        let permit = self.turn(&self.lines, 0).await;
        if let Some(nonce) = refusal.nonce.clone() {
            let Ok(place) = self.links.asks.reserve().await else {
                return Some(server_gone());
            };
            let (id, session) = (self.links.identity.id().clone(), self.links.session);
            place.send(Ask::Spend { id, session, nonce });
        }
        self.owe(Owed::Answer(Some(format!("{refusal}\n")), permit));
        self.done()
    }

    async fn command(&mut self, request: Request) -> Option<End> {
        // The next command waits until this one's reply has gone out.
        let permit = self.turn(&self.command, 0).await;
        // And it knows of everything that this session said before it.
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
                Err(refusal) => Owed::Reply(format!("{refusal}\n"), permit),
            },
            Request::Who => Owed::Reply(self.who(), permit),
            Request::Whois(id) => Owed::Reply(self.whois(&id).await, permit),
            Request::Help => Owed::Reply(help(), permit),
            Request::Nick => Owed::Reply(nick(&self.links.identity), permit),
            // Lines are not commands; `understand` tells them apart.
            Request::Say(_) | Request::SayOnce(..) => return self.done(),
        };
        let follows = matches!(owed, Owed::Follow { .. });
        self.owe(owed);
        self.has_followed |= follows;
        self.done()
    }

    /// Waits for a permit, and for the person's pace: of a line, and of so many bytes of text.
    async fn turn(&self, permits: &Arc<Semaphore>, bytes: usize) -> OwnedSemaphorePermit {
        let permit = permits.clone().acquire_owned().await;
        if !self.is_finishing {
            self.links.pace.turn(bytes).await;
        }
        permit.expect("a session's semaphore is never closed")
    }

    /// This is next, and until it is done nothing more is read.
    fn take_on(&mut self, pending: Pending) {
        self.pending = Some(pending);
        self.heard.excuse();
    }

    /// The pending thing is done, and nothing can break it off any more.
    fn done(&mut self) -> Option<End> {
        self.pending = None;
        self.heard.note();
        None
    }

    /// The seq after which to follow.
    async fn follow(&self, start: Start, head: u64) -> Result<u64, Refusal> {
        if self.has_followed {
            let words = "this session follows already; connect anew to start elsewhere";
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
        if found.is_some_and(|found| found == at.to_string()) {
            return Ok(seq);
        }
        let words = format!(
            "entry {seq} is not the one you know: the database was replaced or restored; \
             /follow 0 or /follow head starts afresh"
        );
        Err(Refusal::new(Code::OtherHistory, words))
    }

    fn who(&self) -> String {
        let view = self.links.transcript.clone().view();
        let count = view.here.len() as u64;
        let mut text = String::new();
        // Before the count, so that the last person who is here still ends the reply.
        if let Some(note) = self.note() {
            text.push_str(&format!("{note}\n"));
        }
        let who = Reply::Who {
            seq: view.head,
            count,
        };
        text.push_str(&format!("{who}\n"));
        for here in view.here.iter() {
            text.push_str(&format!("{}\n", Reply::Here(here.clone())));
        }
        text
    }

    /// What an instructor should know; others could do nothing about it.
    fn note(&self) -> Option<Reply> {
        if self.links.identity.role() != Role::Instructor {
            return None;
        }
        let since = self
            .links
            .revocations
            .borrow()
            .stale_since(SystemTime::now())?;
        Some(Reply::Note {
            about: "stale-list".to_owned(),
            words: format!(
                "the revocation list was to be renewed by {} (any run of ca-tool does it)",
                Timestamp::from(since)
            ),
        })
    }

    async fn whois(&self, id: &ClientId) -> String {
        let view = self.links.transcript.clone().view();
        if let Some(here) = view.here.iter().find(|here| here.id == *id) {
            return format!(
                "= whois {id} role={} ip={} since={} sessions={}\n",
                here.role, here.ip, here.since, here.sessions
            );
        }
        let refusal = match self.links.transcript.last_session(id).await {
            Ok(Some(last)) => {
                let LastSession { role, ip, .. } = last;
                let left = last.left_at.unwrap_or_default();
                let why = last.reason.unwrap_or_default();
                return format!(
                    "= whois {id} role={role} ip={ip} left={left} reason={why} sessions=0\n"
                );
            }
            Ok(None) => Refusal::new(Code::UnknownId, format!("{id} was never here")),
            Err(error) => {
                tracing::error!(%error, "joins cannot be read");
                Refusal::new(Code::TryLater, "the record cannot be read now")
            }
        };
        format!("{refusal}\n")
    }
}

/// Reads what has come. What it is read into is on the stack, so that a session which waits, as most
/// do, holds no room for it.
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

/// What a line asks for.
fn understand(line: &[u8]) -> Pending {
    match Request::parse(line) {
        Ok(None) => Pending::Nothing,
        Ok(Some(Request::Say(line))) => Pending::Say(None, line),
        Ok(Some(Request::SayOnce(nonce, line))) => Pending::Say(Some(nonce), line),
        Ok(Some(request)) => Pending::Command(request),
        Err(refusal) => Pending::Refuse(refusal),
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
        words: "the server cannot record any more".into(),
    }
}

fn help() -> String {
    let mut text = format!("{}\n", Reply::Begin("help".into()));
    for command in wire::COMMANDS {
        let usage = format!("{} {}", command.name, command.arguments);
        let line = format!("help {:<30} {}", usage.trim_end(), command.what);
        text.push_str(&format!("{}\n", Reply::Other(line)));
    }
    let line = "help anything else is said; // at the beginning says one slash".to_owned();
    text.push_str(&format!(
        "{}\n{}\n",
        Reply::Other(line),
        Reply::End("help".into())
    ));
    text
}

fn nick(identity: &Identity) -> String {
    let words = format!(
        "you are {} because your certificate says so; for another name, ask for another certificate",
        identity.id()
    );
    format!("{}\n", Refusal::new(Code::NameFromCertificate, words))
}
