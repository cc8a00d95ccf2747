//! From a bundle and a target to the server's greeting.
//!
//! In TLS 1.3 a client believes that it is connected before the server has judged its certificate.
//! So nothing is sent and nothing is claimed here before the greeting has come.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use rustls::CipherSuite;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::limits::SERVER_LINE_BYTES_MAX;
use wire::{LineDecoder, Overlong, Reply, ReplyError, ServerLine, Welcome};

use crate::connect::opening::{Opening, Said};
use crate::limits::{CONNECT_TIMEOUT, GREETING_TIMEOUT, READ_BYTES_MAX, RESOLVE_TIMEOUT};
use crate::link::connection::Link;
use crate::link::outbox::Outbox;
use crate::settings::target::Target;
use crate::words::clock::Clock;
use crate::words::failure::{Cause, Failure, Scene, explain};

/// A connection that the server has greeted.
#[derive(Debug)]
pub struct Connected<S = TlsStream<Opening<TcpStream>>> {
    /// Who the server says we are, and what room this is.
    pub welcome: Welcome,
    /// The greeting as it came.
    pub greeting: String,
    /// How the connection is protected.
    pub tls: TlsFacts,
    /// Our own end.
    pub local: SocketAddr,
    /// The network interface that our own end is on, where it can be told.
    pub interface: Option<String>,
    /// The address that answered.
    pub server: SocketAddr,
    pub(crate) scene: Arc<Scene>,
    pub(crate) stream: S,
    pub(crate) incoming: Incoming,
}

/// How a connection is protected, in the words of the trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// Such as `TLS 1.3`; no other is spoken.
    pub version: &'static str,
    /// Such as `X25519MLKEM768`.
    pub key_exchange: String,
    /// Such as `AES-128-GCM`.
    pub cipher: String,
}

/// Connects to the first address that answers, proves who we are, and waits for the greeting.
///
/// # Errors
///
/// Says in words why the room was not entered, and what to do next.
pub async fn connect(
    bundle: &pki::Bundle,
    target: &Target,
    clock: &Clock,
) -> Result<Connected, Failure> {
    let scene = Arc::new(scene(bundle, target, clock));
    enter(bundle, scene.clone())
        .await
        .map_err(|cause| explain(&cause, &scene, SystemTime::now()))
}

/// What failures will be told about.
fn scene(bundle: &pki::Bundle, target: &Target, clock: &Clock) -> Scene {
    let anchor = pki::Certificate::parse(bundle.anchor())
        .expect("a bundle's certificates were read when it was made");
    Scene {
        target: target.clone(),
        own: bundle.certificate(),
        anchor: anchor.subject.to_string(),
        clock: clock.clone(),
    }
}

async fn enter(bundle: &pki::Bundle, scene: Arc<Scene>) -> Result<Connected, Cause> {
    // The server would only say so in its own words, and perhaps with the wrong clock.
    if !scene.own.is_valid_at(SystemTime::now()) {
        return Err(Cause::OwnDates);
    }
    let config = pki::client_config(bundle, &[wire::ALPN])
        .map_err(|error| Cause::Setup(error.to_string()))?;
    let addresses = resolve(&scene.target).await?;
    let (tcp, server) = reach(&addresses).await?;
    timeout(GREETING_TIMEOUT, greet(config, tcp, server, scene))
        .await
        .map_err(|_| Cause::Slow)?
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Cause> {
    let found = tokio::net::lookup_host((target.host(), target.port()));
    match timeout(RESOLVE_TIMEOUT, found).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(Cause::Unresolved(error.to_string())),
        Err(_) => Err(Cause::Unresolved("no answer in time".to_owned())),
    }
}

/// Tries each address in turn: the first may be of a network that does not work here.
async fn reach(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Cause> {
    let mut tried = Vec::new();
    for address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok((tcp, *address)),
            Ok(Err(error)) => tried.push((*address, error.to_string())),
            Err(_) => tried.push((*address, "no answer in 3 seconds".to_owned())),
        }
    }
    Err(Cause::Unreachable(tried))
}

async fn greet(
    config: Arc<rustls::ClientConfig>,
    tcp: TcpStream,
    server: SocketAddr,
    scene: Arc<Scene>,
) -> Result<Connected, Cause> {
    let gone = |_| Cause::ClosedUnheard;
    // Without it, an exchange of two lines takes 44 ms instead of 1.
    tcp.set_nodelay(true).map_err(gone)?;
    let local = tcp.local_addr().map_err(gone)?;
    let connecting = TlsConnector::from(config)
        .connect(scene.target.server_name(), Opening::new(tcp))
        .into_fallible();
    let mut stream = match connecting.await {
        Ok(stream) => stream,
        Err((error, opening)) => return Err(before_tls(&error, opening).await),
    };
    stream.get_mut().0.is_over();
    let mut incoming = Incoming::new();
    let said = hear_greeting(&mut stream, &mut incoming).await;
    // A server that judges our certificate says so by an alert, also where it knows no dialect.
    let (welcome, greeting) = match said {
        Err(Cause::ClosedEarly | Cause::ClosedUnheard) if !speaks_our_dialect(&stream) => {
            return Err(Cause::OtherProtocol);
        }
        said => said?,
    };
    if !speaks_our_dialect(&stream) {
        return Err(Cause::OtherProtocol);
    }
    check_name(&welcome, &scene)?;
    Ok(Connected {
        welcome,
        greeting,
        tls: TlsFacts::of(stream.get_ref().1),
        local,
        interface: interface_of(local.ip()),
        server,
        scene,
        stream,
        incoming,
    })
}

/// Why there was no handshake. A server without room may say so in plain text, or not at all.
async fn before_tls(error: &io::Error, opening: Opening<TcpStream>) -> Cause {
    match early(error) {
        cause @ (Cause::ClosedEarly | Cause::Tls(rustls::Error::InvalidMessage(_))) => {
            match opening.said().await {
                Said::TryLater(refusal) => Cause::Refused(refusal),
                Said::Nothing => Cause::ClosedUnheard,
                Said::Other => cause,
            }
        }
        cause => cause,
    }
}

fn speaks_our_dialect(stream: &TlsStream<Opening<TcpStream>>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(wire::ALPN)
}

/// The name is the certificate's, whatever a server makes of it.
fn check_name(welcome: &Welcome, scene: &Scene) -> Result<(), Cause> {
    if scene.own.subject.common_names != [welcome.id.as_str()] {
        return Err(Cause::OtherName(welcome.id.to_string()));
    }
    Ok(())
}

async fn hear_greeting<S: AsyncRead + Unpin>(
    stream: &mut S,
    incoming: &mut Incoming,
) -> Result<(Welcome, String), Cause> {
    loop {
        while let Some(line) = incoming.next_line() {
            let text = match line {
                Ok(line) => String::from_utf8_lossy(&line).into_owned(),
                Err(Overlong::Line(_)) => continue,
                Err(Overlong::Endless) => return Err(Cause::Endless),
            };
            match ServerLine::parse(&text) {
                Ok(ServerLine::Reply(Reply::Welcome(welcome))) => return Ok((welcome, text)),
                Ok(ServerLine::Refusal(refusal)) => return Err(Cause::Refused(refusal)),
                Ok(ServerLine::Reply(Reply::Bye { reason, words })) => {
                    let reason = reason.to_string();
                    return Err(Cause::Bye { reason, words });
                }
                Err(ReplyError::Grammar(_)) if !text.starts_with("= welcome ") => {}
                Err(error) => return Err(Cause::Greeting(error.to_string())),
                // What we do not know is not for us; the deadline ends a server that goes on so.
                Ok(_) => {}
            }
        }
        match stream.read_buf(incoming.room()).await {
            Ok(0) => return Err(Cause::ClosedEarly),
            Ok(_) => {}
            Err(error) => {
                return Err(match early(&error) {
                    // Not even TLS was ended: so a server ends a handshake that others wait for.
                    Cause::ClosedEarly => Cause::ClosedUnheard,
                    cause => cause,
                });
            }
        }
    }
}

/// An error before the greeting: TLS says what it is, anything else is a connection that broke.
fn early(error: &io::Error) -> Cause {
    match tls_error(error) {
        Some(error) => Cause::Tls(error.clone()),
        None => Cause::ClosedEarly,
    }
}

/// The error of TLS inside an error of the connection, if there is one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connected<S> {
    /// Waits for the greeting on a connection without TLS, for simulated networks. No program has a
    /// way to here: such a connection proves nothing to anybody.
    ///
    /// # Errors
    ///
    /// Says in words why there was no greeting.
    pub async fn without_tls(
        mut stream: S,
        local: SocketAddr,
        server: SocketAddr,
        scene: Arc<Scene>,
    ) -> Result<Self, Failure> {
        let mut incoming = Incoming::new();
        let heard = hear_greeting(&mut stream, &mut incoming);
        let heard = timeout(GREETING_TIMEOUT, heard).await;
        let named = heard.unwrap_or(Err(Cause::Slow)).and_then(|heard| {
            check_name(&heard.0, &scene)?;
            Ok(heard)
        });
        let (welcome, greeting) =
            named.map_err(|cause| explain(&cause, &scene, SystemTime::now()))?;
        Ok(Self {
            welcome,
            greeting,
            tls: TlsFacts::none(),
            local,
            interface: None,
            server,
            scene,
            stream,
            incoming,
        })
    }
}

impl<S: AsyncRead + AsyncWrite> Connected<S> {
    /// The task that owns this connection from here on.
    pub fn into_link(self, outbox: Outbox) -> Link<S> {
        Link::new(self.stream, self.incoming, outbox, self.scene)
    }

    /// `as alice from 192.0.2.7 via eth0 to "Networks 101" at chat.example:27332 (TLS 1.3, ...)`
    pub fn describe(&self) -> String {
        let (welcome, target) = (&self.welcome, &self.scene.target);
        let via = match &self.interface {
            Some(interface) => format!(" via {interface}"),
            None => String::new(),
        };
        let tls = &self.tls;
        format!(
            "as {} from {}{via} to \"{}\" at {target} ({}, {}, {})",
            welcome.id, welcome.ip, welcome.room, tls.version, tls.key_exchange, tls.cipher
        )
    }
}

/// What was read and not yet cut into lines.
#[derive(Debug)]
pub(crate) struct Incoming {
    buffer: BytesMut,
    decoder: LineDecoder,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            decoder: LineDecoder::new(SERVER_LINE_BYTES_MAX),
        }
    }

    pub(crate) fn next_line(&mut self) -> Option<Result<BytesMut, Overlong>> {
        self.decoder.decode(&mut self.buffer)
    }

    /// Where to read to. The decoder leaves less than a line in it, so it stays bounded.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ_BYTES_MAX);
        &mut self.buffer
    }
}

impl TlsFacts {
    fn none() -> Self {
        Self {
            version: "no TLS",
            key_exchange: "no key exchange".to_owned(),
            cipher: "no cipher".to_owned(),
        }
    }

    fn of(connection: &rustls::ClientConnection) -> Self {
        let cipher = match connection.negotiated_cipher_suite().map(|c| c.suite()) {
            Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => "AES-256-GCM".to_owned(),
            Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => "AES-128-GCM".to_owned(),
            Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => "CHACHA20-POLY1305".to_owned(),
            Some(other) => format!("{other:?}"),
            None => "unknown cipher".to_owned(),
        };
        let key_exchange = match connection.negotiated_key_exchange_group() {
            Some(group) => format!("{:?}", group.name()),
            None => "unknown key exchange".to_owned(),
        };
        Self {
            version: "TLS 1.3",
            key_exchange,
            cipher,
        }
    }
}

/// The name of the interface that has this address.
fn interface_of(ip: IpAddr) -> Option<String> {
    let ip = ip.to_canonical();
    // Not knowing is no failure: the words are left out then.
    let interfaces = if_addrs::get_if_addrs().ok()?;
    interfaces
        .into_iter()
        .find(|interface| interface.ip() == ip)
        .map(|interface| interface.name)
}
