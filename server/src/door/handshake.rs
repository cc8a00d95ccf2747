//! From an accepted socket to an admitted client: the first byte, TLS, the gate.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use pki::{Identity, Peer, ServerTls, Verdict};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::config::Limits;
use crate::door::lobby::{Guest, NoRoom};
use crate::door::permits::{HalfDone, Permit};
use crate::door::refusal_log::RefusalLog;
use crate::door::socket::send_at_once;
use crate::door::tls::{ClientHello, TlsStream};
use crate::room::facts::{ConnectionFacts, Dialect, LocalEnd, Member};
use crate::session::admitted::{Admitted, Serving};
use crate::session::closing::{close, tls_error};
use crate::session::metered::Metered;

/// Everything that connections are served with.
#[derive(Debug)]
pub(crate) struct Door {
    /// The TLS configuration of the newest bundle.
    pub(crate) tls: watch::Receiver<ServerTls>,
    pub(crate) serving: Serving,
    pub(crate) refusals: RefusalLog,
    /// Ends sessions that did not end when they were told to.
    pub(crate) abandon: CancellationToken,
}

/// An accepted connection; nothing was read from it yet.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) local: LocalEnd,
}

/// A client that sent its ClientHello; nothing was answered yet.
pub(crate) struct Hello {
    hello: ClientHello<Metered<TcpStream>>,
    ip: IpAddr,
    port: u16,
    local: LocalEnd,
}

/// A client that the gate admitted, over TLS.
pub(crate) type AdmittedByTls = Admitted<TlsStream<Metered<TcpStream>>>;

/// The first byte of a TLS record with a handshake message (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The text for clients that do not speak TLS.
const NOT_TLS: &str = "this room needs TLS and a client certificate: \
    use `client --cert YOU.pem`, or `openssl s_client -cert YOU.pem -key YOU.pem -CAfile YOU.pem -connect HOST:PORT`\n";

/// Waits for a ClientHello (RFC 8446, section 4.1.2). This costs only a place in the lobby. Returns
/// `None` when none came, which has been logged.
pub(crate) async fn hear(connection: Connection, guest: &Guest, door: &Door) -> Option<Hello> {
    let (ip, port) = (connection.ip, connection.port);
    let limits = &door.serving.limits;
    let mut hearing = pin!(try_hear(connection, guest, door));
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
            door.refusals.log(ip, port, &cause);
            None
        }
    }
}

async fn try_hear(connection: Connection, guest: &Guest, door: &Door) -> Option<Hello> {
    let Connection {
        mut stream,
        ip,
        port,
        local,
    } = connection;
    let first = tokio::select! {
        first = first_byte(&stream) => first,
        () = guest.told_to_end() => {
            door.refusals.log(ip, port, &NoRoom::Silent.to_string());
            send_at_once(&stream, NoRoom::Silent.line().as_bytes());
            return None;
        }
    };
    match first {
        Some(TLS_HANDSHAKE) => {}
        Some(_) => {
            door.refusals.log(ip, port, "not TLS");
            if stream.write_all(NOT_TLS.as_bytes()).await.is_ok() {
                unless_told(guest, close(&mut stream)).await;
            }
            return None;
        }
        None => {
            debug!(%ip, port, "closed before it sent anything");
            return None;
        }
    }
    let read = tokio::select! {
        read = ClientHello::read(Metered::new(stream)) => read,
        () = guest.told_to_end() => {
            door.refusals.log(ip, port, &NoRoom::Silent.to_string());
            return None;
        }
    };
    match read {
        Ok(hello) => {
            guest.note_hello();
            let explainer = &door.serving.explainer;
            explainer.heard_hello(ip, port, hello.bytes());
            Some(Hello {
                hello,
                ip,
                port,
                local,
            })
        }
        Err((failure, mut stream)) => {
            door.refusals.log(ip, port, &describe(&failure));
            unless_told(guest, close(&mut stream)).await;
            None
        }
    }
}

impl Hello {
    /// Tells the client that there is no room for its handshake, without waiting. The server has
    /// sent nothing yet, so this is plain text.
    pub(crate) async fn turn_away(self, cause: NoRoom, door: &Door) {
        door.refusals.log(self.ip, self.port, &cause.to_string());
        let mut socket = self.hello.into_socket();
        let line = cause.line();
        // Another connection may need this place now.
        let _told = tokio::time::timeout(Duration::ZERO, socket.write_all(line.as_bytes())).await;
    }

    /// Completes the handshake, with a permit to answer. Returns `None` when the client was not
    /// admitted, which has been logged. A slow handshake ends when others wait for its place.
    pub(crate) async fn shake(
        self,
        permit: Permit,
        guest: &Guest,
        door: &Door,
    ) -> Option<AdmittedByTls> {
        let Self {
            hello,
            ip,
            port,
            local,
        } = self;
        let refusals = &door.refusals;
        // Subscribed before the client is judged: the session sees a list that arrives in between.
        let mut revocations = door.serving.revocations.clone();
        let list = revocations.borrow_and_update().clone();
        let explained = door.serving.explainer.handshake(ip, port, &list);
        let accepted = door.tls.borrow().accept_before(list, explained.witness());
        let (config, verdict) = match accepted {
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
                explained.answered(handshake.answer());
                let finishing = pin!(handshake.finish());
                tokio::select! {
                    // First, so that a completed handshake is never thrown away.
                    biased;
                    finished = finish(finishing, &half_done, guest, &door.serving.limits) => finished,
                    () = half_done.ended() => None,
                    () = guest.told_to_end() => None,
                }
            }
            Err(refused) => Some(Err(refused)),
        };
        match finished {
            Some(Ok(stream)) => {
                let (identity, facts) = facts(&stream, &verdict, ip, port, local, door)?;
                half_done.finished();
                explained.complete(stream.tls().alpn_protocol());
                Some(Admitted {
                    written: stream.socket().written(),
                    stream,
                    identity,
                    facts,
                    revocations,
                })
            }
            Some(Err((failure, mut stream))) => {
                // A refused peer keeps nobody waiting while it receives the refusal.
                drop(half_done);
                // The gate's own words if it judged the client, otherwise rustls's error.
                let cause = match verdict.get() {
                    Some(Err(refusal)) => refusal.to_string(),
                    judged => {
                        explained.failed(tls_error(&failure));
                        match judged {
                            // The certificate is good, so its name may be told: somebody may have copied it.
                            Some(Ok(identity)) if is_signature_wrong(&failure) => format!(
                                "the client presented the certificate of \"{}\", and did not prove that it has the private key",
                                identity.id()
                            ),
                            _ => describe(&failure),
                        }
                    }
                };
                refusals.log(ip, port, &cause);
                unless_told(guest, close(&mut stream)).await;
                None
            }
            None => {
                let waited = begun.elapsed().as_secs_f32();
                let cause = format!("the handshake was not complete after {waited:.1} s");
                refusals.log(ip, port, &cause);
                None
            }
        }
    }
}

/// Waits for a handshake to complete; returns `None` when its time is over. After its patience it
/// marks itself as slow, so that a waiting handshake can take its place.
async fn finish<T>(
    mut finishing: Pin<&mut impl Future<Output = T>>,
    half_done: &HalfDone,
    guest: &Guest,
    limits: &Limits,
) -> Option<T> {
    // One deadline covers everything: the phases of a handshake have none of their own.
    let deadline = Instant::now() + limits.handshake_timeout;
    let patience = Instant::now() + limits.crowded_handshake_timeout;
    match tokio::time::timeout_at(patience.min(deadline), finishing.as_mut()).await {
        Ok(finished) => return Some(finished),
        Err(_) if patience >= deadline => return None,
        Err(_) => {
            guest.mark_slow();
            half_done.mark_slow();
        }
    }
    tokio::time::timeout_at(deadline, finishing).await.ok()
}

/// Waits for a future that has `timeout`, or only `crowded` while others need its place.
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

/// Collects the facts about a connection whose client was admitted.
fn facts(
    stream: &TlsStream<Metered<TcpStream>>,
    verdict: &Verdict,
    ip: IpAddr,
    port: u16,
    local: LocalEnd,
    door: &Door,
) -> Option<(Identity, ConnectionFacts)> {
    let tls = stream.tls();
    // With resumption off, every handshake is a full one and the gate has judged it.
    let was_judged = tls.handshake_kind() != Some(HandshakeKind::Resumed);
    let Some(Ok(identity)) = verdict.get().filter(|_| was_judged) else {
        error!(%ip, port, "a handshake succeeded that the gate never judged");
        door.refusals.log(ip, port, "not judged by the gate");
        return None;
    };
    let facts = ConnectionFacts {
        member: Member::from(identity),
        ip,
        port,
        local,
        tls: match tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            _ => "unknown".to_owned(),
        },
        cipher: tls
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| {
                suite.suite().as_str().unwrap_or_default().to_owned()
            }),
        key_exchange: tls
            .negotiated_key_exchange_group()
            .map(|g| format!("{:?}", g.name())),
        dialect: Dialect::of(tls.alpn_protocol()),
    };
    Some((identity.clone(), facts))
}

/// Returns the first byte that a peer sends without consuming it; `None` when it sends nothing.
async fn first_byte(stream: &TcpStream) -> Option<u8> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) => Some(first[0]),
        _ => None,
    }
}

/// Finishes a refused connection, unless another one needs its place.
pub(crate) async fn unless_told(guest: &Guest, closing: impl Future<Output = ()>) {
    guest.mark_refused();
    tokio::select! {
        () = closing => {}
        () = guest.told_to_end() => {}
    }
}

/// Returns whether a signature was wrong: the one of a certificate, or the one by which a client proves its key.
fn is_signature_wrong(failure: &std::io::Error) -> bool {
    matches!(
        tls_error(failure),
        Some(rustls::Error::InvalidCertificate(
            rustls::CertificateError::BadSignature
        ))
    )
}

/// Describes why a handshake failed when the gate did not judge the client.
fn describe(failure: &std::io::Error) -> String {
    match tls_error(failure) {
        Some(rustls::Error::NoCertificatesPresented) => "no certificate was presented".to_owned(),
        Some(error) => pki::tls_words(error, Peer::Client),
        None if failure.kind() == ErrorKind::UnexpectedEof => {
            "the client closed the connection during the handshake".to_owned()
        }
        None => match failure.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                "the client cut the connection during the handshake".to_owned()
            }
            ErrorKind::TimedOut => "the network lost the client during the handshake".to_owned(),
            _ => failure.to_string(),
        },
    }
}
