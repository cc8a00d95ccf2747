//! From an admitted client to its session, and that session to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::SystemTime;

use pki::{Gate, Identity, Refusal as GateRefusal, Revocations};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use wire::{Reason, Refusal, Timestamp, Welcome};

use crate::config::Limits;
use crate::explain::Explainer;
use crate::log::BOUNDED;
use crate::room::ask::Ask;
use crate::room::desk::{Asks, Posted, Waiter, cannot_record};
use crate::room::facts::{ConnectionFacts, Dialect};
use crate::room::mailbox::{Admission, Mailbox};
use crate::session::closing::{close, drain, refuse};
use crate::session::end_watch::EndWatch;
use crate::session::flusher::Flushers;
use crate::session::inbound::{Inbound, Links};
use crate::session::life::{Ended, Session};
use crate::session::outbound::Outbound;
use crate::transcript::reader::Transcript;

/// The parts of the server that every session uses.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) gate: Arc<Gate>,
    pub(crate) revocations: watch::Receiver<Revocations>,
    pub(crate) asks: Asks,
    pub(crate) transcript: Transcript,
    pub(crate) flushers: Flushers,
    pub(crate) room: String,
    pub(crate) epoch: String,
    pub(crate) limits: Arc<Limits>,
    pub(crate) stop: CancellationToken,
    pub(crate) explainer: Explainer,
}

/// A client that the gate admitted.
pub(crate) struct Admitted<S> {
    pub(crate) stream: S,
    /// Counts the bytes that have left, which distinguishes a slow write from a stalled one.
    pub(crate) written: Arc<AtomicU64>,
    pub(crate) identity: Identity,
    pub(crate) facts: ConnectionFacts,
    /// Subscribed before the gate judged, so that the session sees a list that arrived since.
    pub(crate) revocations: watch::Receiver<Revocations>,
}

/// A session whose client was greeted.
pub(crate) struct Begun<S> {
    identity: Arc<Identity>,
    /// Its number in `joins`.
    session: u64,
    running: Box<Session<ReadHalf<S>, WriteHalf<S>>>,
}

/// A session that did not begin.
pub(crate) struct NotBegun<S> {
    stream: S,
    dialect: Dialect,
    why: WhyNot,
}

/// The reason why a session did not begin.
enum WhyNot {
    /// The certificate is no longer good.
    Gate(GateRefusal),
    /// The person may not enter now.
    Room(Refusal),
    /// The recorder has ended, and the server is ending.
    NoRecorder,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Admitted<S> {
    /// Asks the recorder to admit the person, and sends the greeting before anything else.
    ///
    /// # Errors
    ///
    /// When the session may not begin after all.
    pub(crate) async fn begin(self, serving: &Serving) -> Result<Begun<S>, NotBegun<S>> {
        let Self {
            stream,
            written,
            identity,
            facts,
            mut revocations,
        } = self;
        let dialect = facts.dialect;
        let not_begun = |stream, why| NotBegun {
            stream,
            dialect,
            why,
        };
        let gate = serving.gate.clone();
        let list = revocations.borrow_and_update().clone();
        if let Err(refusal) = gate.still_welcome(&identity, &list, SystemTime::now()) {
            return Err(not_begun(stream, WhyNot::Gate(refusal)));
        }
        let identity = Arc::new(identity);
        let mailbox = Arc::new(Mailbox::default());
        let Admission { session, pace } = match enter(serving, &facts, &mailbox).await {
            Some(Ok(admission)) => admission,
            Some(Err(refusal)) => return Err(not_begun(stream, WhyNot::Room(refusal))),
            None => return Err(not_begun(stream, WhyNot::NoRecorder)),
        };
        log_entered(&facts, session);
        log_unshown_name(&identity);
        serving.explainer.entered(&facts, session);

        let limits = serving.limits.clone();
        let (transcript, asks) = (serving.transcript.clone(), serving.asks.clone());
        let (reader, writer) = tokio::io::split(stream);
        let backlog = transcript.head().saturating_sub(limits.backlog_entries);
        let follow = dialect.follows_by_itself().then_some(backlog);
        let outbound = Arc::new(Outbound::new(
            writer,
            written,
            transcript.clone(),
            mailbox.clone(),
            dialect,
            &limits,
            (welcome(&identity, &facts, serving), follow),
        ));
        // A weak reference, so that the connection is closed when the session ends.
        let weak = Arc::downgrade(&outbound);
        serving.flushers.add(weak);
        let links = Links {
            identity: identity.clone(),
            session,
            pace,
            asks,
            mailbox: mailbox.clone(),
            transcript,
            revocations: revocations.clone(),
        };
        let inbound = Inbound::new(reader, dialect, links);
        let watch = EndWatch {
            identity: identity.clone(),
            mailbox,
            gate,
            revocations,
            stop: serving.stop.clone(),
        };
        Ok(Begun {
            identity,
            session,
            running: Box::new(Session {
                inbound,
                outbound,
                watch,
                limits,
            }),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Begun<S> {
    /// Runs the session until it ends, and closes its connection.
    pub(crate) async fn run(mut self, serving: &Serving) {
        let ended = until_panic(Box::pin(self.running.run())).await;
        let Self {
            identity,
            session,
            running,
        } = self;
        let (reason, cause) = (ended.reason, ended.cause);
        let closed = ended.is_closed.then(|| running.inbound.into_reader());

        info!(target: BOUNDED, id = %identity.id(), session, %reason, cause = cause.as_deref(), "left");
        let explainer = &serving.explainer;
        explainer.left(identity.id(), session, reason, cause.as_deref());
        let leave = Ask::Leave {
            id: identity.id().clone(),
            session,
            reason,
        };
        if Box::pin(serving.asks.send(leave.into())).await.is_err() {
            debug!("the recorder ended before the session");
        }
        if let Some(mut reader) = closed {
            Box::pin(drain(&mut reader)).await;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> NotBegun<S> {
    /// Returns the cause for the log; `None` if it is not a refusal.
    pub(crate) fn cause(&self) -> Option<String> {
        match &self.why {
            WhyNot::Gate(refusal) => Some(refusal.to_string()),
            WhyNot::Room(refusal) => Some(refusal.words.clone()),
            WhyNot::NoRecorder => None,
        }
    }

    /// Sends the refusal, if there is one, and closes the connection.
    pub(crate) async fn close(mut self) {
        match &self.why {
            WhyNot::Gate(_) => close(&mut self.stream).await,
            WhyNot::Room(refusal) => refuse(&mut self.stream, self.dialect, refusal).await,
            WhyNot::NoRecorder => {}
        }
    }
}

/// Asks the recorder to admit the person. It always answers, so that nobody is here without a
/// session. Returns `None` when the recorder has ended.
async fn enter(
    serving: &Serving,
    facts: &ConnectionFacts,
    mailbox: &Arc<Mailbox>,
) -> Option<Result<Admission, Refusal>> {
    // While nothing can be written, the recorder's queue may be full and a newcomer would hang.
    if let Some(cause) = serving.transcript.clone().view().waiting {
        return Some(Err(cannot_record(cause)));
    }
    let enter = Posted {
        ask: Ask::Enter(Box::new(facts.clone())),
        waiter: Waiter::entering(mailbox.clone()),
    };
    serving.asks.send(enter).await.ok()?;
    mailbox.admission().await
}

fn welcome(identity: &Identity, facts: &ConnectionFacts, serving: &Serving) -> Welcome {
    let now = SystemTime::now();
    // A certificate that was renewed may end earlier than it says itself.
    let superseded = serving.revocations.borrow().ends_at(identity.serial());
    let not_after = identity.not_after();
    let not_after = superseded.map_or(not_after, |at| at.min(not_after));
    let is_near = not_after < now + serving.limits.expiry_notice;
    Welcome {
        id: identity.id().clone(),
        role: identity.role(),
        ip: facts.ip,
        room: serving.room.clone(),
        head: serving.transcript.head(),
        epoch: serving.epoch.clone(),
        clock: Timestamp::from(now),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        expires: is_near.then(|| Timestamp::from(not_after)),
        name: identity.full_name().cloned(),
    }
}

/// Logs that somebody entered. Bounded, like the line about leaving, by `sessions_per_minute_max`:
/// ten sessions a minute for one ID, and two lines each.
fn log_entered(facts: &ConnectionFacts, session: u64) {
    let member = &facts.member;
    info!(
        target: BOUNDED,
        id = %member.id,
        ip = %facts.ip,
        port = facts.port,
        local = %facts.local,
        session,
        role = %member.role,
        tls = facts.tls,
        cipher = %facts.cipher,
        key_exchange = facts.key_exchange.as_deref().unwrap_or("none"),
        serial = %member.serial,
        fingerprint = %member.fingerprint,
        dialect = facts.dialect.name().unwrap_or("plain"),
        "entered"
    );
}

/// Logs why a full name is not shown: nobody in the room can see that it is there. Bounded like the
/// line before it, and never the name itself, which is what somebody wrote.
fn log_unshown_name(identity: &Identity) {
    if let Some(fault) = identity.full_name_fault() {
        warn!(
            target: BOUNDED,
            id = %identity.id(),
            serial = %identity.serial(),
            %fault,
            "the full name in this certificate is not shown"
        );
    }
}

/// Runs a session. A panic in it ends this session only.
async fn until_panic(mut session: impl Future<Output = Ended> + Unpin) -> Ended {
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut session).poll(cx)));
        polled.unwrap_or_else(|_| {
            error!("a session panicked; the others go on");
            Poll::Ready(Ended {
                reason: Reason::Lost,
                is_closed: false,
                cause: Some("the session panicked".to_owned()),
            })
        })
    })
    .await
}
