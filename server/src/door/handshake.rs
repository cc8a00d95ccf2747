//! From an accepted socket to a session: TLS, the gate, the row in `joins`, the greeting.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use pki::{Gate, Identity, Revocations, ServerTls, Verdict};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};
use wire::{Reason, Refusal, Timestamp, Welcome};

use crate::room::ask::{Ask, Asks, Ending, Enter, Entered, SessionHandle, try_later};
use crate::room::batch::Facts;
use crate::config::Limits;
use crate::session::flusher::Flushers;
use crate::session::inbound::{Dialect, Inbound, Links};
use crate::door::lobby::{Guest, NoRoom};
use crate::log::BOUNDED;
use crate::door::socket::{LocalEnd, Metered, send_at_once};
use crate::session::outbound::Outbound;
use crate::room::mailbox::Owing;
use crate::door::permits::{HalfDone, Permit};
use crate::door::refusal_log::Refusals;
use crate::session::life::{Ended, Session, Watch, drain};
use crate::door::tls::{ClientHello, TlsStream};
use crate::transcript::reader::Transcript;

/// What every connection is served with.
#[derive(Debug)]
pub(crate) struct Shared {
    /// As the newest bundle has it.
    pub(crate) tls: watch::Receiver<ServerTls>,
    pub(crate) serving: Serving,
    /// Ends sessions that did not end when they were told to.
    pub(crate) abandon: CancellationToken,
}

/// What every session is served with.
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
    pub(crate) refusals: Refusals,
}

/// A connection that was accepted, and nothing more.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) local: LocalEnd,
}

/// A client that has said hello, and nothing more.
pub(crate) struct Hello {
    hello: ClientHello<Metered<TcpStream>>,
    ip: IpAddr,
    port: u16,
    local: LocalEnd,
}

/// A client that was let in.
pub(crate) struct Admitted<S = TlsStream<Metered<TcpStream>>> {
    pub(crate) stream: S,
    /// The bytes that have left, by which a slow write is told from a stalled one.
    pub(crate) written: Arc<AtomicU64>,
    pub(crate) facts: Facts,
    pub(crate) revocations: watch::Receiver<Revocations>,
    /// Its place in the lobby, where it came through one.
    pub(crate) guest: Option<Guest>,
}

/// A client that was greeted.
struct Begun<S> {
    identity: Arc<Identity>,
    /// Of `joins`.
    session: u64,
    running: Box<Session<ReadHalf<S>, WriteHalf<S>>>,
    /// Given back when the connection is closed.
    guest: Option<Guest>,
}

/// The first byte of a TLS record with a handshake message (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// How long a refused peer has to take its refusal.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What somebody is told who does not speak TLS.
const NOT_TLS: &str = "this room needs TLS and a client certificate: \
    use `client --cert YOU.pem`, or `openssl s_client -cert YOU.pem -key YOU.pem -CAfile YOU.pem -connect HOST:PORT`\n";

/// Waits until a client has said hello (RFC 8446, section 4.1.2). This costs nothing but a place in
/// the lobby. `None` when it never did, which has been logged.
pub(crate) async fn hear(connection: Connection, guest: &Guest, shared: &Shared) -> Option<Hello> {
    let (ip, port) = (connection.ip, connection.port);
    let limits = &shared.serving.limits;
    let mut hearing = pin!(try_hear(connection, guest, shared));
    let heard = in_time(
        hearing.as_mut(),
        limits.handshake_timeout,
        limits.crowded_handshake_timeout,
        || guest.is_crowded(),
    );
    match heard.await {
        Ok(hello) => hello,
        Err(waited) => {
            let cause = format!("no ClientHello within {} s", waited.as_secs());
            shared.serving.refusals.log(ip, port, &cause);
            None
        }
    }
}

async fn try_hear(connection: Connection, guest: &Guest, shared: &Shared) -> Option<Hello> {
    let Connection {
        mut stream,
        ip,
        port,
        local,
    } = connection;
    let first = tokio::select! {
        first = first_byte(&stream) => first,
        () = guest.told_to_end() => {
            shared.serving.refusals.log(ip, port, &NoRoom::Silent.to_string());
            send_at_once(&stream, NoRoom::Silent.line().as_bytes());
            return None;
        }
    };
    match first {
        Some(TLS_HANDSHAKE) => {}
        Some(_) => {
            shared.serving.refusals.log(ip, port, "not TLS");
            if stream.write_all(NOT_TLS.as_bytes()).await.is_ok() {
                unless_told(Some(guest), close(&mut stream)).await;
            }
            return None;
        }
        None => {
            debug!(%ip, port, "closed before it said anything");
            return None;
        }
    }
    let read = tokio::select! {
        read = ClientHello::read(Metered::new(stream)) => read,
        () = guest.told_to_end() => {
            shared.serving.refusals.log(ip, port, &NoRoom::Silent.to_string());
            return None;
        }
    };
    match read {
        Ok(hello) => {
            guest.spoke();
            Some(Hello {
                hello,
                ip,
                port,
                local,
            })
        }
        Err((failure, mut stream)) => {
            shared.serving.refusals.log(ip, port, &describe(&failure));
            unless_told(Some(guest), close(&mut stream)).await;
            None
        }
    }
}

impl Hello {
    /// Tells the client that there is no room for its handshake, as much as goes at once. The server has
    /// said nothing yet, so this is plain text.
    pub(crate) async fn turn_away(self, cause: NoRoom, shared: &Shared) {
        shared
            .serving
            .refusals
            .log(self.ip, self.port, &cause.to_string());
        let mut socket = self.hello.into_socket();
        let line = cause.line();
        // It may be a connection whose place is needed now.
        let _told = tokio::time::timeout(Duration::ZERO, socket.write_all(line.as_bytes())).await;
    }

    /// Shakes hands, with a permit to answer. `None` when the client was not let in, which has been
    /// logged. A slow handshake ends when others wait for its place.
    pub(crate) async fn shake(
        self,
        permit: Permit,
        guest: &Guest,
        shared: &Shared,
    ) -> Option<Admitted> {
        let Self {
            hello,
            ip,
            port,
            local,
        } = self;
        let refusals = &shared.serving.refusals;
        // Subscribed before it is judged: a list that comes in between is seen by the session.
        let mut revocations = shared.serving.revocations.clone();
        let list = revocations.borrow_and_update().clone();
        let (config, verdict) = match shared.tls.borrow().accept(list) {
            Ok(accepted) => accepted,
            Err(failure) => {
                error!("{failure}");
                return None;
            }
        };
        let begun = Instant::now();
        let answered = hello.answer(config);
        let half_done = permit.answered();
        let finished = match answered {
            Ok(handshake) => {
                let finishing = pin!(handshake.finish());
                tokio::select! {
                    // First, so that a handshake which is over is never thrown away.
                    biased;
                    finished = finish(finishing, &half_done, guest, &shared.serving.limits) => finished,
                    () = half_done.ended() => None,
                    () = guest.told_to_end() => None,
                }
            }
            Err(refused) => Some(Err(refused)),
        };
        match finished {
            Some(Ok(stream)) => {
                let facts = facts(&stream, &verdict, ip, port, local, shared)?;
                half_done.finished();
                Some(Admitted {
                    written: stream.socket().written(),
                    stream,
                    facts,
                    revocations,
                    guest: None,
                })
            }
            Some(Err((failure, mut stream))) => {
                // A refused peer keeps nobody waiting while it hears why.
                drop(half_done);
                // The gate's own words, where it had a say; what rustls saw, where it had not.
                match verdict.get() {
                    Some(Err(refusal)) => refusals.log(ip, port, &refusal.to_string()),
                    _ => refusals.log(ip, port, &describe(&failure)),
                }
                unless_told(Some(guest), close(&mut stream)).await;
                None
            }
            None => {
                let waited = begun.elapsed().as_secs_f32();
                let cause = format!("the handshake was not over after {waited:.1} s");
                refusals.log(ip, port, &cause);
                None
            }
        }
    }
}

/// Waits for a handshake's end; `None` when it has had its time. After its patience it says that it
/// is slow, so that one that waits can have its place.
async fn finish<T>(
    mut finishing: Pin<&mut impl Future<Output = T>>,
    half_done: &HalfDone,
    guest: &Guest,
    limits: &Limits,
) -> Option<T> {
    // One deadline around everything: no phase of a handshake has its own.
    let deadline = Instant::now() + limits.handshake_timeout;
    let patience = Instant::now() + limits.crowded_handshake_timeout;
    match tokio::time::timeout_at(patience.min(deadline), finishing.as_mut()).await {
        Ok(finished) => return Some(finished),
        Err(_) if patience >= deadline => return None,
        Err(_) => {
            guest.is_slow();
            half_done.is_slow();
        }
    }
    tokio::time::timeout_at(deadline, finishing).await.ok()
}

/// Waits for something that has `timeout`, or only `crowded` where others want its place.
async fn in_time<T>(
    mut waiting: Pin<&mut impl Future<Output = T>>,
    timeout: Duration,
    crowded: Duration,
    is_crowded: impl Fn() -> bool,
) -> Result<T, Duration> {
    let begun = Instant::now();
    let deadline = begun + timeout;
    loop {
        let look = (Instant::now() + crowded).min(deadline);
        match tokio::time::timeout_at(look, waiting.as_mut()).await {
            Ok(done) => return Ok(done),
            Err(_) if Instant::now() < deadline && !is_crowded() => {}
            Err(_) => return Err(begun.elapsed()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Admitted<S> {
    /// Asks the recorder in, greets, and serves the session until it ends.
    // The beginning and the session are in boxes of their own, and so is what is rare: a task is as
    // large as the largest of what it does in itself, for as long as it lasts.
    #[expect(
        clippy::boxed_local,
        reason = "whoever took it out of its box would keep the box until the session ends"
    )]
    pub(crate) fn serve(self: Box<Self>, serving: &Serving) -> impl Future<Output = ()> {
        let beginning = Box::pin((*self).begin(serving));
        async move {
            let Some(begun) = beginning.await else { return };
            let Begun {
                identity,
                session,
                mut running,
                guest: _guest,
            } = begun;
            let ended = until_panic(Box::pin(running.run())).await;
            let (reason, cause) = (ended.reason, ended.cause);
            let closed = ended.is_closed.then(|| running.inbound.into_reader());

            info!(target: BOUNDED, id = %identity.id(), session, %reason, cause, "left");
            let leave = Ask::Leave {
                id: identity.id().clone(),
                session,
                reason,
            };
            if Box::pin(serving.asks.send(leave)).await.is_err() {
                debug!("the recorder ended before the session");
            }
            if let Some(mut reader) = closed {
                Box::pin(drain(&mut reader)).await;
            }
        }
    }

    /// `None` when the client was not let in after all.
    async fn begin(self, serving: &Serving) -> Option<Begun<S>> {
        let Self {
            mut stream,
            written,
            facts,
            mut revocations,
            guest,
        } = self;
        // Before the recorder is asked: nobody waits for a connection that waits for the recorder.
        if let Some(guest) = &guest {
            guest.has_session();
        }
        let identity = Arc::new(facts.identity.clone());
        let gate = serving.gate.clone();
        let list = revocations.borrow_and_update().clone();
        if let Err(refusal) = gate.still_welcome(&identity, &list, SystemTime::now()) {
            serving
                .refusals
                .log(facts.ip, facts.port, &refusal.to_string());
            unless_told(guest.as_ref(), close(&mut stream)).await;
            return None;
        }
        let owing = Arc::new(Owing::default());
        let ending = Arc::new(Ending::default());
        let handle = SessionHandle {
            owing: owing.clone(),
            ending: ending.clone(),
        };
        let Entered { session, pace } = match enter(serving, &facts, handle).await {
            Some(Ok(entered)) => entered,
            Some(Err(refusal)) => {
                serving.refusals.log(facts.ip, facts.port, &refusal.words);
                unless_told(guest.as_ref(), refuse(&mut stream, &refusal)).await;
                return None;
            }
            None => return None,
        };
        log_entered(&facts, session);

        let limits = serving.limits.clone();
        let (transcript, asks) = (serving.transcript.clone(), serving.asks.clone());
        let speaks = if facts.dialect.is_some() {
            Dialect::Ours
        } else {
            Dialect::Plain
        };
        let (reader, writer) = tokio::io::split(stream);
        let backlog = transcript.head().saturating_sub(limits.backlog_entries);
        let follow = (speaks == Dialect::Plain).then_some(backlog);
        let outbound = Arc::new(Outbound::new(
            writer,
            written,
            transcript.clone(),
            owing.clone(),
            &limits,
            (&welcome(&facts, serving), follow),
        ));
        // Weakly, so that the connection is closed when the session ends.
        let weak = Arc::downgrade(&outbound);
        serving.flushers.add(weak);
        let links = Links {
            identity: identity.clone(),
            session,
            pace,
            asks,
            owing,
            transcript,
            revocations: revocations.clone(),
        };
        let inbound = Inbound::new(reader, speaks, links);
        let stop = serving.stop.clone();
        let watch = Watch {
            identity: identity.clone(),
            ending,
            gate,
            revocations,
            stop,
        };
        Some(Begun {
            identity,
            session,
            guest,
            running: Box::new(Session {
                inbound,
                outbound,
                watch,
                limits,
            }),
        })
    }
}

/// Asks the recorder in. It always answers, so that nobody is here without a session; `None` when
/// it has ended.
async fn enter(
    serving: &Serving,
    facts: &Facts,
    handle: SessionHandle,
) -> Option<Result<Entered, Refusal>> {
    // While nothing can be written the recorder's queue may be full, and a newcomer would hang.
    if let Some(cause) = serving.transcript.clone().view().waiting {
        return Some(Err(try_later(cause)));
    }
    let (reply, answer) = oneshot::channel();
    let enter = Enter {
        facts: facts.clone(),
        handle,
        reply,
    };
    serving.asks.send(Ask::Enter(Box::new(enter))).await.ok()?;
    answer.await.ok()
}

/// What is known of a connection now that its client was let in.
fn facts(
    stream: &TlsStream<Metered<TcpStream>>,
    verdict: &Verdict,
    ip: IpAddr,
    port: u16,
    local: LocalEnd,
    shared: &Shared,
) -> Option<Facts> {
    let tls = stream.tls();
    // With resumption off, every handshake is a full one and the gate has judged it.
    let was_judged = tls.handshake_kind() != Some(HandshakeKind::Resumed);
    let Some(Ok(identity)) = verdict.get().filter(|_| was_judged) else {
        error!(%ip, port, "a handshake succeeded that the gate never judged");
        shared
            .serving
            .refusals
            .log(ip, port, "not judged by the gate");
        return None;
    };
    Some(Facts {
        identity: identity.clone(),
        ip,
        port,
        local,
        tls: match tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        },
        cipher: tls
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| {
                suite.suite().as_str().unwrap_or_default().to_owned()
            }),
        key_exchange: tls
            .negotiated_key_exchange_group()
            .map(|g| format!("{:?}", g.name())),
        dialect: (tls.alpn_protocol() == Some(wire::ALPN)).then_some("countersign/1"),
    })
}

fn welcome(facts: &Facts, serving: &Serving) -> Welcome {
    let now = SystemTime::now();
    let not_after = facts.identity.not_after();
    let is_near = not_after < now + serving.limits.expiry_notice;
    Welcome {
        id: facts.identity.id().clone(),
        role: facts.identity.role(),
        ip: facts.ip,
        room: serving.room.clone(),
        head: serving.transcript.head(),
        epoch: serving.epoch.clone(),
        clock: Timestamp::from(now),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        expires: is_near.then(|| Timestamp::from(not_after)),
    }
}

/// Bounded, as the line about leaving is, by `sessions_per_minute_max`: of one ID ten sessions a
/// minute, and two lines each.
fn log_entered(facts: &Facts, session: u64) {
    let identity = &facts.identity;
    info!(
        target: BOUNDED,
        id = %identity.id(),
        ip = %facts.ip,
        port = facts.port,
        local = %facts.local,
        session,
        role = %identity.role(),
        tls = facts.tls,
        cipher = %facts.cipher,
        key_exchange = facts.key_exchange.as_deref().unwrap_or("none"),
        serial = %identity.serial(),
        fingerprint = %identity.fingerprint(),
        dialect = facts.dialect.unwrap_or("plain"),
        "entered"
    );
}

/// The first byte that a peer sends, left where it is; `None` when it sends nothing.
async fn first_byte(stream: &TcpStream) -> Option<u8> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) => Some(first[0]),
        _ => None,
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, refusal: &Refusal) {
    let line = format!("{refusal}\n");
    if stream.write_all(line.as_bytes()).await.is_ok() {
        close(stream).await;
    }
}

/// Does what is left to do for a refused connection, unless another one needs its place.
async fn unless_told(guest: Option<&Guest>, closing: impl Future<Output = ()>) {
    let Some(guest) = guest else {
        return closing.await;
    };
    guest.was_refused();
    tokio::select! {
        () = closing => {}
        () = guest.told_to_end() => {}
    }
}

/// Ends a connection so that what was sent last arrives: half-close, then drain for a moment.
pub(crate) async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    // A peer that is gone already needs no goodbye.
    let half_closed = tokio::time::timeout(CLOSE_TIMEOUT, stream.shutdown()).await;
    if matches!(half_closed, Ok(Ok(()))) {
        drain(stream).await;
    }
}

/// Why a handshake failed, in words, when the gate had no say in it.
fn describe(failure: &std::io::Error) -> String {
    let inner = failure
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::NoCertificatesPresented) => "no certificate was presented".to_owned(),
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the client refused this server: {alert:?}")
        }
        Some(other) => other.to_string(),
        None if failure.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the client closed the connection during the handshake".to_owned()
        }
        None => failure.to_string(),
    }
}

/// Runs a session; a panic in it ends this session and no other.
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
