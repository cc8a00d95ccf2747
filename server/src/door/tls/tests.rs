//! Tests against a client of tokio-rustls, over connections that take a few bytes at a time.

use std::future::poll_fn;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use kit::mint::{Authority, Leaf};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use tokio::io::{DuplexStream, Join, ReadHalf, SimplexStream, WriteHalf, duplex, simplex};
use tokio_rustls::TlsConnector;

use super::*;

trait Socket: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for S {}

type Narrow = Join<ReadHalf<SimplexStream>, WriteHalf<SimplexStream>>;
type Client = tokio_rustls::client::TlsStream<DuplexStream>;
type Server = TlsStream<DuplexStream>;

/// The certificates and keys of both ends, from a CA that only these tests use.
struct Papers {
    roots: Arc<RootCertStore>,
    leaf: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Papers {
    fn get() -> &'static Self {
        static PAPERS: OnceLock<Papers> = OnceLock::new();
        PAPERS.get_or_init(|| {
            let ca = Authority::new("Networks 101");
            // Of no purpose, so that both ends can use it.
            let (leaf, key) = ca.sign(&Leaf {
                purpose: None,
                ..Leaf::server(&["localhost"])
            });
            let mut roots = RootCertStore::empty();
            roots.add(ca.certificate().clone()).expect("a trust anchor");
            Papers {
                roots: Arc::new(roots),
                leaf: leaf.der().clone(),
                key: PrivatePkcs8KeyDer::from(key.serialize_der()),
            }
        })
    }

    /// Returns a client whose chain is longer by this many bytes, in records of this size.
    fn client_with(&self, more_bytes: usize, record_bytes: Option<usize>) -> ClientConfig {
        let more = CertificateDer::from(vec![0; more_bytes]);
        let chain = [self.leaf.clone(), more].into_iter();
        let mut config = self.client(chain.filter(|one| !one.is_empty()).collect());
        config.max_fragment_size = record_bytes;
        config
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key().into()
    }

    fn server(&self) -> Arc<ServerConfig> {
        let provider = pki::provider();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider.clone());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("a version")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![self.leaf.clone()], self.key())
            .expect("a certificate");
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }

    /// Returns a client that shows these certificates, or none if there are none.
    fn client(&self, chain: Vec<CertificateDer<'static>>) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(pki::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("a version")
            .with_root_certificates(self.roots.clone());
        if chain.is_empty() {
            return config.with_no_client_auth();
        }
        config
            .with_client_auth_cert(chain, self.key())
            .expect("a certificate")
    }
}

impl<S> TlsStream<S> {
    /// Returns the size of its buffers.
    fn room_bytes(&self) -> usize {
        self.incoming.capacity() + self.plaintext.capacity() + self.outgoing.capacity()
    }
}

/// No test waits longer than this for anything.
async fn within<T>(future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(30), future).await;
    done.expect("it does not happen")
}

async fn answer<S: Socket>(socket: S) -> Result<TlsStream<S>, (io::Error, S)> {
    ClientHello::read(socket)
        .await?
        .answer(Papers::get().server())?
        .finish()
        .await
}

async fn connect<S: Socket>(
    socket: S,
    config: ClientConfig,
) -> io::Result<tokio_rustls::client::TlsStream<S>> {
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await
}

/// Returns two ends whose handshake is complete, with at most this many bytes on the way in each
/// direction.
async fn pair(bytes: usize) -> (Server, Client) {
    pair_over(duplex(bytes)).await
}

async fn pair_over<S: Socket>(
    (ours, theirs): (S, S),
) -> (TlsStream<S>, tokio_rustls::client::TlsStream<S>) {
    let papers = Papers::get();
    let connecting = connect(theirs, papers.client(vec![papers.leaf.clone()]));
    let (server, client) = within(async { tokio::join!(answer(ours), connecting) }).await;
    let server = server.map_err(|(failure, _)| failure);
    (server.expect("a handshake"), client.expect("a handshake"))
}

/// Returns a connection with at most these many bytes on the way to the server, and to the client.
fn narrow((to_server, to_client): (usize, usize)) -> (Narrow, Narrow) {
    let (server_reader, client_writer) = simplex(to_server);
    let (client_reader, server_writer) = simplex(to_client);
    (
        tokio::io::join(server_reader, server_writer),
        tokio::io::join(client_reader, client_writer),
    )
}

/// Returns bytes in which no two stretches are alike.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..count).map(next).collect()
}

async fn read(stream: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<u8> {
    let mut read = vec![0; count];
    within(stream.read_exact(&mut read)).await.expect("bytes");
    read
}

/// Writes as a flusher does: without a task that could be woken.
fn write_at_once(stream: &mut Server, bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
}

/// Returns rustls's error.
fn of_tls(failure: &io::Error) -> &rustls::Error {
    let inner = failure.get_ref().and_then(|inner| inner.downcast_ref());
    inner.expect("a failure of TLS")
}

fn is_alert(failure: &io::Error, alert: AlertDescription) -> bool {
    *of_tls(failure) == rustls::Error::AlertReceived(alert)
}

#[tokio::test]
async fn data_arrives_both_ways_at_once_however_narrow_the_connection() {
    const WIDE: usize = 1024 * 1024;
    // In a handshake neither end reads while it has something to send: with one byte each way, both
    // would wait forever.
    for width in [(1, WIDE), (WIDE, 1), (7, 7), (64, 64), (WIDE, WIDE)] {
        for count in [1, 16 * 1024, 300 * 1024] {
            let (server, client) = pair_over(narrow(width)).await;
            assert_eq!(server.room_bytes(), 0, "after the handshake");
            let said = bytes(count);
            let (mut server_reader, mut server_writer) = tokio::io::split(server);
            let (mut client_reader, mut client_writer) = tokio::io::split(client);
            let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
            let all = async {
                tokio::try_join!(
                    async {
                        server_writer.write_all(&said).await?;
                        server_writer.shutdown().await
                    },
                    async {
                        // At most one record waits in it, or it makes a record of each byte.
                        for record in said.chunks(16 * 1024) {
                            client_writer.write_all(record).await?;
                            client_writer.flush().await?;
                        }
                        client_writer.shutdown().await
                    },
                    server_reader.read_to_end(&mut to_server),
                    client_reader.read_to_end(&mut to_client),
                )
            };
            within(all).await.expect("two good ends");
            assert!(to_server == said && to_client == said, "{width:?}, {count}");
            let server = server_reader.unsplit(server_writer);
            assert_eq!(server.room_bytes(), 0, "{width:?}, {count}");
        }
    }
}

#[tokio::test]
async fn a_reader_of_small_pieces_gets_everything_and_little_is_buffered() {
    let (mut server, mut client) = pair(1024 * 1024).await;
    let said = bytes(300 * 1000);
    client.write_all(&said).await.expect("room for it");
    client.flush().await.expect("room for it");
    let mut heard = Vec::new();
    while heard.len() < said.len() {
        heard.extend(read(&mut server, 100).await);
        // One record, and the beginning of the next.
        let waiting = server.plaintext.len() + server.incoming.len();
        assert!(waiting <= 16 * 1024 + READ_BYTES, "{waiting}");
    }
    assert!(heard == said);
    assert_eq!(server.room_bytes(), 0);
}

#[tokio::test]
async fn bytes_that_do_not_leave_at_once_are_kept_and_leave_first() {
    let (mut server, mut client) = pair(64).await;
    let said = bytes(1000);
    let taken = write_at_once(&mut server, &said);
    assert!(matches!(taken, Poll::Ready(Ok(1000))), "{taken:?}");
    assert!(!server.outgoing.is_empty());
    // Nothing more is taken meanwhile, so that a slow reader takes no more memory.
    assert!(write_at_once(&mut server, b"more").is_pending());
    let flushed = tokio::join!(within(server.flush()), read(&mut client, 1000));
    flushed.0.expect("a reader");
    assert!(flushed.1 == said);
    assert_eq!(server.room_bytes(), 0);

    assert!(write_at_once(&mut server, &said).is_ready());
    let written = tokio::join!(within(server.write_all(b"more")), read(&mut client, 1000));
    written.0.expect("a reader");
    within(server.flush()).await.expect("room for it");
    assert_eq!(read(&mut client, 4).await, b"more");
}

#[tokio::test]
async fn bytes_that_a_socket_refused_once_are_neither_lost_nor_encrypted_again() {
    let (ours, theirs) = duplex(64 * 1024);
    let has_failed = Arc::new(AtomicBool::new(true));
    let ours = Moody(ours, has_failed.clone());
    let theirs = Moody(theirs, Arc::new(AtomicBool::new(true)));
    let (mut server, mut client) = pair_over((ours, theirs)).await;
    has_failed.store(false, Ordering::Relaxed);
    let mut cx = Context::from_waker(Waker::noop());
    let wrote = Pin::new(&mut server).poll_write(&mut cx, b"one");
    assert!(matches!(wrote, Poll::Ready(Ok(3))), "{wrote:?}");
    assert!(has_failed.load(Ordering::Relaxed));
    server.write_all(b"two").await.expect("a socket");
    server.flush().await.expect("a socket");
    assert_eq!(within(read(&mut client, 6)).await, b"onetwo");
}

/// A connection whose writing fails once.
struct Moody<S>(S, Arc<AtomicBool>);

impl<S: Socket> AsyncRead for Moody<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: Socket> AsyncWrite for Moody<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.1.swap(true, Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn pending_bytes_are_sent_before_the_connection_is_closed() {
    let (mut server, mut client) = pair(64).await;
    let said = bytes(1000);
    assert!(write_at_once(&mut server, &said).is_ready());
    let mut heard = Vec::new();
    let closed = tokio::join!(
        within(server.shutdown()),
        within(client.read_to_end(&mut heard))
    );
    closed.0.expect("a reader");
    closed.1.expect("a good end");
    assert!(heard == said);
}

#[tokio::test]
async fn no_more_is_sealed_at_once_than_may_be_kept() {
    let (mut server, _client) = pair(64).await;
    let taken = write_at_once(&mut server, &bytes(1024 * 1024));
    assert!(
        matches!(taken, Poll::Ready(Ok(WRITE_BYTES_MAX))),
        "{taken:?}"
    );
    assert!(server.room_bytes() < WRITE_BYTES_MAX + 1024);
}

#[tokio::test]
async fn a_client_may_ask_for_new_keys_at_any_time() {
    let (mut server, mut client) = pair(256).await;
    for round in 0..100 {
        // Some of it is still on its way with the old keys.
        let said = bytes(500 + round);
        assert!(write_at_once(&mut server, &said).is_ready());
        let (_, tls) = client.get_mut();
        tls.refresh_traffic_keys().expect("new keys");
        client.write_all(b"hi").await.expect("room for it");
        client.flush().await.expect("room for it");
        assert_eq!(read(&mut server, 2).await, b"hi");
        let answered = async {
            server.write_all(&said).await?;
            server.flush().await
        };
        let (answered, heard) = tokio::join!(within(answered), read(&mut client, 2 * said.len()));
        answered.expect("a reader");
        assert!(heard == [&said[..], &said].concat(), "{round}");
        assert_eq!(server.room_bytes(), 0);
    }
}

#[tokio::test]
async fn new_keys_may_be_asked_for_without_a_word() {
    let (mut server, mut client) = pair(1024).await;
    client.get_mut().1.refresh_traffic_keys().expect("new keys");
    client.flush().await.expect("room for it");
    let mut room = [0; 9];
    let mut room = ReadBuf::new(&mut room);
    let mut context = Context::from_waker(Waker::noop());
    assert!(
        Pin::new(&mut server)
            .poll_read(&mut context, &mut room)
            .is_pending()
    );
    within(server.shutdown()).await.expect("room for it");
    let mut heard = Vec::new();
    within(client.read_to_end(&mut heard))
        .await
        .expect("a goodbye under the new keys");
}

#[tokio::test]
async fn new_keys_may_not_be_asked_for_without_end() {
    let (mut server, mut client) = pair(1024 * 1024).await;
    for _ in 0..99 {
        let (_, tls) = client.get_mut();
        tls.refresh_traffic_keys().expect("new keys");
        client.flush().await.expect("room for it");
    }
    let failed = within(server.read(&mut [0; 9])).await;
    of_tls(&failed.expect_err("too often"));
    // There is no alert for this, but the connection is over all the same.
    let late = server.write_all(b"more").await.expect_err("it is over");
    assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(server.room_bytes(), 0);
}

#[tokio::test]
async fn a_client_that_closed_its_half_can_still_receive() {
    let (mut server, mut client) = pair(1024).await;
    client.write_all(b"bye").await.expect("room for it");
    client.shutdown().await.expect("room for it");
    let mut heard = Vec::new();
    within(server.read_to_end(&mut heard))
        .await
        .expect("a good end");
    assert_eq!(heard, b"bye");
    for _ in 0..3 {
        assert_eq!(within(server.read(&mut [0; 9])).await.expect("an end"), 0);
    }
    server.write_all(b"goodbye").await.expect("room for it");
    server.shutdown().await.expect("room for it");
    let mut heard = Vec::new();
    within(client.read_to_end(&mut heard))
        .await
        .expect("a good end");
    assert_eq!(heard, b"goodbye");
    assert_eq!(server.room_bytes(), 0);
}

#[tokio::test]
async fn a_client_can_still_send_after_we_closed_our_half() {
    let (mut server, mut client) = pair(1024).await;
    server.shutdown().await.expect("room for it");
    // close_notify is sent once.
    server.shutdown().await.expect("nothing to send");
    let late = server.write_all(b"more").await.expect_err("it is closed");
    assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(within(client.read(&mut [0; 9])).await.expect("an end"), 0);
    let (raw, _) = client.get_mut();
    assert_eq!(within(raw.read(&mut [0; 9])).await.expect("an end"), 0);

    client.write_all(b"but").await.expect("room for it");
    client.shutdown().await.expect("room for it");
    let mut heard = Vec::new();
    within(server.read_to_end(&mut heard))
        .await
        .expect("a good end");
    assert_eq!(heard, b"but");
}

#[tokio::test]
async fn a_connection_that_ends_without_a_goodbye_is_torn() {
    let (mut server, mut client) = pair(1024).await;
    client.write_all(b"hello").await.expect("room for it");
    client.flush().await.expect("room for it");
    let (mut raw, _) = client.into_inner();
    // In the middle of a record, too.
    raw.write_all(&[23, 3, 3, 0, 99, 1])
        .await
        .expect("room for it");
    drop(raw);
    assert_eq!(read(&mut server, 5).await, b"hello");
    for _ in 0..2 {
        let torn = within(server.read(&mut [0; 9])).await.expect_err("no end");
        assert_eq!(torn.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn bytes_that_are_not_tls_end_a_session_with_an_alert() {
    for (garbage, alert) in [
        (
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            AlertDescription::DecodeError,
        ),
        // A record that nobody sealed, and one that is too large.
        (
            &[
                23, 3, 3, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7,
            ][..],
            AlertDescription::BadRecordMac,
        ),
        (&[23, 3, 3, 0xff, 0xff][..], AlertDescription::DecodeError),
    ] {
        let (mut server, mut client) = pair(1024).await;
        client.write_all(b"hello").await.expect("room for it");
        client.flush().await.expect("room for it");
        let (raw, _) = client.get_mut();
        raw.write_all(garbage).await.expect("room for it");
        // Bytes that were sent before it still count.
        assert_eq!(read(&mut server, 5).await, b"hello");
        for _ in 0..2 {
            let failed = within(server.read(&mut [0; 9])).await.expect_err("no TLS");
            assert_eq!(failed.kind(), io::ErrorKind::InvalidData);
            of_tls(&failed);
        }
        let late = server.write_all(b"more").await.expect_err("it is over");
        assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
        let told = within(client.read(&mut [0; 9]))
            .await
            .expect_err("an alert");
        assert!(is_alert(&told, alert), "{told}");
        within(server.shutdown()).await.expect("room for it");
        assert_eq!(server.room_bytes(), 0);
    }
}

#[tokio::test]
async fn an_alert_waits_for_its_place_behind_what_was_said() {
    let (mut server, mut client) = pair(64).await;
    let said = bytes(1000);
    assert!(write_at_once(&mut server, &said).is_ready());
    let (raw, _) = client.get_mut();
    raw.write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("room for it");
    within(server.read(&mut [0; 9])).await.expect_err("no TLS");
    let (flushed, heard) = tokio::join!(within(server.flush()), async {
        let heard = read(&mut client, 1000).await;
        let told = within(client.read(&mut [0; 9])).await;
        (heard, told.expect_err("an alert"))
    });
    flushed.expect("a reader");
    assert!(heard.0 == said);
    assert!(is_alert(&heard.1, AlertDescription::DecodeError));
}

#[tokio::test]
async fn bytes_that_are_not_a_client_hello_are_refused() {
    let decode_error = AlertDescription::DecodeError;
    for (hello, alert) in [
        // A message that is not one, and a record that is too large.
        (&[22, 3, 1, 0, 5, 1, 0, 0, 1, 7][..], decode_error),
        (&[22, 3, 1, 0xff, 0xff], decode_error),
        // A message that is too large, and no handshake message at all: rustls itself has no alert
        // for these.
        (&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff], decode_error),
        (&[23, 3, 1, 0, 1, 0], AlertDescription::UnexpectedMessage),
    ] {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(hello).await.expect("room for it");
        let (failure, ours) = within(ClientHello::read(ours)).await.err().expect("no");
        of_tls(&failure);
        drop(ours);
        let mut told = Vec::new();
        theirs.read_to_end(&mut told).await.expect("an end");
        assert_eq!(told, [21, 3, 3, 0, 2, 2, alert.into()], "{failure}");
    }
}

#[tokio::test]
async fn a_client_hello_is_not_waited_for_for_ever() {
    // Records of a message that claims to have 65,000 bytes, and is never complete.
    let mut endless = vec![22, 3, 1, 0x3e, 0x80, 1, 0, 0xfd, 0xe8];
    endless.resize(5 + 16_000, 0);
    endless.extend([22, 3, 1, 0x3e, 0x80]);
    endless.resize(2 * (5 + 16_000), 0);
    let (ours, mut theirs) = duplex(64 * 1024);
    theirs.write_all(&endless).await.expect("room for it");
    let (failure, ours) = within(ClientHello::read(ours)).await.err().expect("no");
    let too_large = InvalidMessage::HandshakePayloadTooLarge;
    assert_eq!(*of_tls(&failure), too_large.into());
    drop(ours);
    let mut told = Vec::new();
    theirs.read_to_end(&mut told).await.expect("an end");
    let decode_error = u8::from(AlertDescription::DecodeError);
    assert_eq!(told, [21, 3, 3, 0, 2, 2, decode_error]);
}

#[tokio::test]
async fn a_client_that_leaves_before_its_hello_is_complete_is_told_nothing() {
    let (ours, mut theirs) = duplex(1024);
    theirs.write_all(&[22, 3, 1, 0]).await.expect("room for it");
    theirs.shutdown().await.expect("an end");
    let (failure, ours) = within(ClientHello::read(ours)).await.err().expect("no");
    assert_eq!(failure.kind(), io::ErrorKind::UnexpectedEof);
    drop(ours);
    let mut told = Vec::new();
    theirs.read_to_end(&mut told).await.expect("an end");
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_handshake_is_complete_has_failed() {
    let (ours, mut theirs) = duplex(64 * 1024);
    theirs.write_all(&hello().await).await.expect("room for it");
    theirs.shutdown().await.expect("an end");
    let (failure, _ours) = within(answer(ours)).await.err().expect("no");
    assert_eq!(failure.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_that_one_is_required() {
    for width in [(1024, 1), (1024, 1024)] {
        let (ours, theirs) = narrow(width);
        let heard = async {
            let client = connect(theirs, Papers::get().client(Vec::new())).await;
            // In TLS 1.3 a client is done before the server has judged it.
            let mut client = client.expect("its end of the handshake");
            client.read(&mut [0; 9]).await.expect_err("an alert")
        };
        let (answered, told) = within(async { tokio::join!(answer(ours), heard) }).await;
        let (failure, _ours) = answered.err().expect("a refusal");
        assert_eq!(*of_tls(&failure), rustls::Error::NoCertificatesPresented);
        assert!(
            is_alert(&told, AlertDescription::CertificateRequired),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_client_with_an_older_tls_gets_the_alert_about_the_version() {
    let mut hello = hello().await;
    // The extension by which a client offers TLS 1.3 becomes one that nobody knows.
    let offer = [0, 43, 0, 3, 2, 3, 4];
    let mut windows = hello.windows(offer.len());
    let at = windows.position(|part| part == offer).expect("an offer");
    hello[at] = 0x7a;
    let (ours, mut theirs) = duplex(64 * 1024);
    theirs.write_all(&hello).await.expect("room for it");
    let (_failure, ours) = within(answer(ours)).await.err().expect("a refusal");
    drop(ours);
    let mut told = Vec::new();
    theirs.read_to_end(&mut told).await.expect("an end");
    let version = u8::from(AlertDescription::ProtocolVersion);
    assert_eq!(told, [21, 3, 3, 0, 2, 2, version]);
}

#[tokio::test]
async fn a_handshake_may_come_in_shreds_but_not_for_ever() {
    let papers = Papers::get();
    for (more_bytes, is_too_much) in [(0, false), (20_000, false), (45_000, true)] {
        let config = papers.client_with(more_bytes, Some(32));
        let (ours, theirs) = duplex(1024 * 1024);
        let hear = async {
            // In TLS 1.3 a client is done before the server has judged it.
            let client = connect(theirs, config).await;
            let mut client = client.expect("its end of the handshake");
            match is_too_much {
                true => client.read(&mut [0; 9]).await,
                false => Ok(0),
            }
        };
        let (server, heard) = within(async { tokio::join!(answer(ours), hear) }).await;
        let failure = server.err().map(|(failure, _)| of_tls(&failure).clone());
        let too_large = Some(InvalidMessage::HandshakePayloadTooLarge.into());
        assert_eq!(failure == too_large, is_too_much, "{failure:?}");
        assert!(more_bytes > 0 || failure.is_none(), "{failure:?}");
        assert_eq!(heard.is_err(), is_too_much);
        if let Err(told) = heard {
            assert!(is_alert(&told, AlertDescription::BadRecordMac), "{told}");
        }
    }
}

#[tokio::test]
async fn a_chain_that_says_that_it_is_too_large_is_refused_at_once() {
    // rustls refuses it by its length, and has no alert for that: the client hears the end.
    let config = Papers::get().client_with(70_000, None);
    let (ours, theirs) = duplex(1024 * 1024);
    let both = async { tokio::join!(answer(ours), connect(theirs, config)) };
    let (server, client) = within(both).await;
    let (failure, ours) = server.err().expect("a refusal");
    let too_large = InvalidMessage::HandshakePayloadTooLarge;
    assert_eq!(*of_tls(&failure), too_large.into());
    drop(ours);
    let heard = client.expect("its end").read(&mut [0; 9]).await;
    let end = heard.expect_err("an end").kind();
    assert_eq!(end, io::ErrorKind::UnexpectedEof);
}

/// Returns a client's first message.
async fn hello() -> Vec<u8> {
    let (mut ours, theirs) = duplex(64 * 1024);
    let mut connecting = Box::pin(connect(theirs, Papers::get().client(Vec::new())));
    // It is complete when the client waits for the answer.
    poll_fn(|cx| {
        assert!(connecting.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(connecting);
    let mut hello = Vec::new();
    ours.read_to_end(&mut hello).await.expect("an end");
    hello
}
