//! The way from a bundle and a target to the server's greeting.
//!
//! In TLS 1.3 a client's handshake is complete before the server has judged its certificate. So
//! nothing is sent and nothing is claimed here before the greeting has come.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::Welcome;

use super::greeting::{check_name, early, hear_greeting};
use super::incoming::Incoming;
use super::network::{interface_of, reach, resolve};
use super::opening::{FirstWords, Opening};
use super::tls::TlsFacts;
use crate::explain::{Explainer, Handshake};
use crate::limits::{GREETING_BEFORE_NEXT_TIMEOUT, GREETING_TIMEOUT};
use crate::settings::Target;
use crate::words::{Cause, Clock, Failure, Scene, explain};

/// A connection that the server has greeted.
#[derive(Debug)]
pub struct Connected<S = TlsStream<Opening<TcpStream>>> {
    /// Our name and the room, as the server says them.
    pub welcome: Welcome,
    /// The greeting as it came.
    pub greeting: String,
    /// How the connection is protected.
    pub tls: TlsFacts,
    /// Our own end.
    pub local: SocketAddr,
    /// The network interface of our own end, if it is known.
    pub interface: Option<String>,
    /// The address that answered.
    pub server: SocketAddr,
    pub(crate) scene: Arc<Scene>,
    pub(crate) stream: S,
    pub(crate) incoming: Incoming,
}

/// Connects to the addresses of the server in turn, presents our certificate, and waits for a
/// greeting.
///
/// # Errors
///
/// Says why the room was not entered, and what to do next.
pub async fn connect(
    bundle: &pki::Bundle,
    target: &Target,
    clock: &Clock,
) -> Result<Connected, Failure> {
    connect_explained(bundle, target, clock, &Explainer::default()).await
}

/// Does the same, and explains each step.
///
/// # Errors
///
/// The same as those of [`connect()`].
pub async fn connect_explained(
    bundle: &pki::Bundle,
    target: &Target,
    clock: &Clock,
    explainer: &Explainer,
) -> Result<Connected, Failure> {
    let scene = Arc::new(scene(bundle, target, clock));
    explainer.bundle(&scene.own, bundle.anchor());
    enter(bundle, scene.clone(), explainer)
        .await
        .map_err(|cause| {
            let failure = explain(&cause, &scene, SystemTime::now());
            explainer.failed(&failure);
            failure
        })
}

/// Returns the circumstances that failures will be explained with.
fn scene(bundle: &pki::Bundle, target: &Target, clock: &Clock) -> Scene {
    let anchor = pki::Certificate::parse(bundle.anchor())
        .expect("a bundle's certificates were read when it was made");
    Scene {
        target: target.clone(),
        own: bundle.certificate(),
        anchor: anchor.subject.to_string(),
        anchor_print: anchor.fingerprint.short(),
        clock: clock.clone(),
    }
}

async fn enter(
    bundle: &pki::Bundle,
    scene: Arc<Scene>,
    explainer: &Explainer,
) -> Result<Connected, Cause> {
    // The server would only say the same in its own words, and perhaps with the wrong clock.
    if !scene.own.is_valid_at(SystemTime::now()) {
        return Err(Cause::OwnDates);
    }
    let addresses = resolve(&scene.target).await?;
    explainer.resolved(&scene.target, &addresses);
    enter_at(&addresses, bundle, scene, explainer).await
}

/// Tries the addresses until a server greets us at one of them, or judges us.
async fn enter_at(
    addresses: &[SocketAddr],
    bundle: &pki::Bundle,
    scene: Arc<Scene>,
    explainer: &Explainer,
) -> Result<Connected, Cause> {
    let mut met = Met::default();
    for (at, address) in addresses.iter().enumerate() {
        let handshake = explainer.handshake();
        let config = pki::watched_client_config(bundle, &[wire::ALPN], handshake.witness())
            .map_err(|error| Cause::Setup(error.to_string()))?;
        let tcp = match reach(*address).await {
            Ok(tcp) => tcp,
            Err(error) => {
                met.unreachable.push((*address, error));
                continue;
            }
        };
        // The last one is waited for as long as a busy server may need.
        let patience = match at + 1 == addresses.len() {
            true => GREETING_TIMEOUT,
            false => GREETING_BEFORE_NEXT_TIMEOUT,
        };
        let explained = (explainer, handshake);
        let greeted = greet(config, tcp, *address, scene.clone(), explained);
        match timeout(patience, greeted).await.unwrap_or(Err(Cause::Slow)) {
            Ok(connected) => return Ok(connected),
            Err(cause) if cause.is_verdict() => return Err(cause),
            Err(cause) => met.take(cause),
        }
    }
    Err(met.worst())
}

/// The failures at the addresses of a name. Another address may belong to another machine or lead
/// another way, so it is tried whatever the one before it did, except that it judged us.
#[derive(Default)]
struct Met {
    unreachable: Vec<(SocketAddr, String)>,
    cause: Option<Cause>,
}

impl Met {
    /// Keeps the cause that came closest to a greeting, and the first among those alike.
    fn take(&mut self, cause: Cause) {
        if self
            .cause
            .as_ref()
            .is_none_or(|kept| kept.nearness() < cause.nearness())
        {
            self.cause = Some(cause);
        }
    }

    fn worst(self) -> Cause {
        self.cause.unwrap_or(Cause::Unreachable(self.unreachable))
    }
}

async fn greet(
    config: Arc<rustls::ClientConfig>,
    tcp: TcpStream,
    server: SocketAddr,
    scene: Arc<Scene>,
    (explainer, handshake): (&Explainer, Handshake),
) -> Result<Connected, Cause> {
    let gone = |_| Cause::ClosedUnheard;
    // Without this, an exchange of two lines takes 44 ms instead of 1.
    tcp.set_nodelay(true).map_err(gone)?;
    let local = tcp.local_addr().map_err(gone)?;
    explainer.reached(local, server, || interface_of(local.ip()));
    let connecting = TlsConnector::from(config)
        .connect(
            scene.target.server_name(),
            Opening::new(tcp).before(handshake.clone()),
        )
        .into_fallible();
    let mut stream = match connecting.await {
        Ok(stream) => stream,
        Err((error, opening)) => return Err(before_tls(&error, opening).await),
    };
    stream.get_mut().0.is_over();
    handshake.complete(stream.get_ref().1.alpn_protocol());
    let mut incoming = Incoming::new();
    let said = hear_greeting(&mut stream, &mut incoming).await;
    // A server that rejects our certificate says so by an alert, even if it knows no dialect.
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
    explainer.greeted(&greeting);
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

/// Finds out why there was no handshake. A server without room may say so in plain text, or close
/// without a word.
async fn before_tls(error: &io::Error, opening: Opening<TcpStream>) -> Cause {
    match early(error) {
        cause @ (Cause::ClosedEarly | Cause::Tls(rustls::Error::InvalidMessage(_))) => {
            match opening.first_words().await {
                FirstWords::TryLater(refusal) => Cause::Refused(refusal),
                FirstWords::Nothing => Cause::ClosedUnheard,
                FirstWords::Other => cause,
            }
        }
        cause => cause,
    }
}

fn speaks_our_dialect(stream: &TlsStream<Opening<TcpStream>>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(wire::ALPN)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connected<S> {
    /// Waits for the greeting on a connection without TLS, for simulated networks. No program can
    /// get here: such a connection proves nothing to anybody.
    ///
    /// # Errors
    ///
    /// Says why there was no greeting.
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

impl<S> Connected<S> {
    /// Returns how this connection reaches the server.
    pub fn route(&self) -> Route {
        Route {
            interface: self.interface.clone(),
            target: self.scene.target.clone(),
            tls: self.tls.clone(),
        }
    }
}

/// How a connection reaches the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network interface of our own end, if it is known.
    pub interface: Option<String>,
    /// The server that was asked for.
    pub target: Target,
    /// How the connection is protected.
    pub tls: TlsFacts,
}

impl Route {
    /// Returns `as alice from 192.0.2.7 via eth0 to "Networks 101" at chat.example:27332 (TLS 1.3,
    /// ...)`.
    pub fn describe(&self, welcome: &Welcome) -> String {
        let Self {
            interface,
            target,
            tls,
        } = self;
        let via = match interface {
            Some(interface) => format!(" via {interface}"),
            None => String::new(),
        };
        format!(
            "as {} from {}{via} to \"{}\" at {target} ({}, {}, {})",
            welcome.id, welcome.ip, welcome.room, tls.version, tls.key_exchange, tls.cipher
        )
    }
}

#[cfg(test)]
mod tests {
    use kit::mint::{Authority, Leaf};
    use pki::{Bundle, CaHints, Gate, Revocations, ServerTls};
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const GREETING: &[u8] = b"= welcome id=alice role=student ip=::1 room=x head=0 epoch=9f86 \
        clock=2026-11-21T10:00:00.123Z version=0.1.0\n";

    /// What a machine at an address does with a connection.
    #[derive(Clone, Copy, PartialEq)]
    enum Does {
        Refuse,
        Close,
        Keep,
        Talk(&'static [u8]),
        Greet,
    }

    fn authority() -> (Authority, Bundle, Bundle) {
        let authority = Authority::new("Networks 101");
        let bundle = |leaf: &Leaf| {
            let text = authority.bundle(leaf, &authority, &[]);
            Bundle::parse(text.as_bytes(), "x.pem".as_ref()).expect("a bundle")
        };
        let server = bundle(&Leaf::server(&["127.0.0.1"]));
        let alice = bundle(&Leaf::person("alice"));
        (authority, server, alice)
    }

    /// Returns the address of a machine that does so, with each connection.
    async fn machine(does: Does, server: &Bundle) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        if does == Does::Refuse {
            return address;
        }
        let gate = Gate::new(server.anchor().clone(), false).expect("a gate");
        let tls = ServerTls::new(server, Arc::new(gate), CaHints::default());
        let (config, _) = tls.accept(Revocations::Unchecked).expect("a configuration");
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut tcp, _)) = listener.accept().await {
                match does {
                    Does::Refuse | Does::Close => {}
                    Does::Keep => kept.push(tcp),
                    Does::Talk(words) => tcp.write_all(words).await.expect("it is read"),
                    Does::Greet => {
                        let acceptor = TlsAcceptor::from(Arc::clone(&config));
                        let mut stream = acceptor.accept(tcp).await.expect("a handshake");
                        stream.write_all(GREETING).await.expect("it is read");
                        stream.flush().await.expect("it is read");
                        kept.push(stream.into_inner().0);
                    }
                }
            }
        });
        address
    }

    async fn enter_among(machines: &[Does]) -> Result<SocketAddr, Cause> {
        let (_authority, server, alice) = authority();
        let mut addresses = Vec::new();
        for does in machines {
            addresses.push(machine(*does, &server).await);
        }
        let target = Target::parse("127.0.0.1").expect("a target");
        let scene = Arc::new(scene(&alice, &target, &Clock::utc()));
        let entered = enter_at(&addresses, &alice, scene, &Explainer::default()).await;
        entered.map(|connected| connected.server)
    }

    #[tokio::test]
    async fn the_addresses_of_a_name_are_tried_until_one_greets() {
        for others in [
            &[Does::Refuse][..],
            &[Does::Close],
            &[Does::Talk(b"SSH-2.0-OpenSSH_9.2\r\n")],
            &[Does::Talk(b"! try-later - it is full\n")],
            &[Does::Keep],
            &[Does::Refuse, Does::Close, Does::Close],
        ] {
            let machines = [others, &[Does::Greet]].concat();
            let entered = enter_among(&machines).await;
            assert!(entered.is_ok(), "{entered:?}");
        }
    }

    #[tokio::test]
    async fn of_the_failures_at_several_addresses_the_one_nearest_to_a_greeting_is_told() {
        let met = |machines: &'static [Does]| async {
            enter_among(machines).await.expect_err("no greeting")
        };
        let unreachable = met(&[Does::Refuse, Does::Refuse]).await;
        assert!(matches!(&unreachable, Cause::Unreachable(tried) if tried.len() == 2));
        assert_eq!(
            met(&[Does::Close, Does::Refuse]).await,
            Cause::ClosedUnheard
        );
        let full = met(&[Does::Talk(b"! try-later - it is full\n"), Does::Close]).await;
        assert!(matches!(full, Cause::Refused(_)), "{full:?}");
        assert!(matches!(met(&[]).await, Cause::Unreachable(tried) if tried.is_empty()));
    }
}
