//! What strangers can make a server log: little, whatever they send and however often.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pki::Bundle;
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use tests::{Site, client_hello, program, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connections of each kind, and how many of them there are at once.
const CONNECTIONS: usize = 240;
const AT_ONCE: usize = 8;

/// What the log may take at once, and then each second.
const BURST_BYTES: u64 = 64 * 1024;
const BYTES_PER_SECOND: u64 = 20 * 1024;

/// The same in lines.
const BURST_LINES: u64 = 60;
const LINES_PER_SECOND: u64 = 12;

/// A bound on each, so that the test ends.
const FLOOD_TIMEOUT: Duration = Duration::from_secs(60);

/// A longest line.
const LINE_BYTES: usize = 512;

/// A handshake record with a ClientHello whose only extension is this.
fn hello_with(extension: u16, content: &[u8]) -> Vec<u8> {
    let of_length = |bytes: &[u8]| -> Vec<u8> {
        let length = u16::try_from(bytes.len()).expect("it fits").to_be_bytes();
        [&length, bytes].concat()
    };
    let extensions = [&extension.to_be_bytes(), of_length(content).as_slice()].concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session, one cipher suite, no compression.
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(of_length(&extensions));
    let mut message = vec![1, 0];
    message.extend(of_length(&body));
    [&[22, 3, 1][..], &of_length(&message)].concat()
}

/// A ClientHello whose server name is no name, and is as long as a hello may be.
fn illegal_name() -> Vec<u8> {
    let name = vec![0x1b; 15_000];
    let length = u16::try_from(name.len()).expect("it fits");
    let list = [&[0][..], &length.to_be_bytes(), &name].concat();
    let length = u16::try_from(list.len()).expect("it fits");
    hello_with(0, &[&length.to_be_bytes(), list.as_slice()].concat())
}

/// Every kind of opening that a peer without a certificate may have a server log.
fn openings(hello: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut old_version = hello.to_vec();
    // The extension by which a client offers TLS 1.3 becomes one that nobody knows.
    let offer = [0, 43, 0, 3, 2, 3, 4];
    let mut windows = hello.windows(offer.len());
    let at = windows.position(|part| part == offer).expect("an offer");
    old_version[at] = 0x7a;
    vec![
        ("nothing", vec![]),
        ("plain text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a name that is none", illegal_name()),
        (
            "a long unknown extension",
            hello_with(0x7a7a, &[0x41; 15_000]),
        ),
        (
            "an unknown message",
            vec![22, 3, 1, 0, 8, 0xff, 0, 0, 4, 0x61, 0x62, 0x63, 0x64],
        ),
        (
            "a message that is too large",
            vec![22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
        ),
        ("an alert", vec![22, 3, 1, 0, 0, 21, 3, 1, 0, 2, 2, 40]),
        ("an old version", old_version),
        ("half a hello", hello[..hello.len() / 2].to_vec()),
        (
            "a hello, and then garbage",
            [hello, &[23, 3, 3, 0, 40], &[0x55; 40]].concat(),
        ),
        (
            "a hello, and then an alert",
            [hello, &[21, 3, 3, 0, 2, 2, 40]].concat(),
        ),
        (
            "a hello, and then plain text",
            [hello, &[0; 5], b"\n\x1b[2J\n"].concat(),
        ),
    ]
}

/// So many connections, a few at once.
async fn flood<F: Future<Output = ()> + Send + 'static>(connections: usize, one: impl Fn() -> F) {
    let mut under_way = JoinSet::new();
    for _ in 0..connections {
        if under_way.len() == AT_ONCE {
            under_way.join_next().await;
        }
        under_way.spawn(one());
    }
    under_way.join_all().await;
}

/// Opens a connection, says this, and closes its half; waits for the server's end of it.
async fn say(address: SocketAddr, opening: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return;
    };
    let _gone = stream.write_all(opening).await;
    let _gone = stream.shutdown().await;
    let _reset = stream.read_to_end(&mut Vec::new()).await;
}

/// Connects with TLS, and waits until it is refused.
async fn shake(address: SocketAddr, config: &Arc<ClientConfig>) {
    if let Ok(mut peer) = tests::Peer::connect_with(address, config.clone()).await {
        let _refused = peer.read_line().await;
    }
}

/// Has no certificate.
#[derive(Debug)]
struct Nobody;

impl ResolvesClientCert for Nobody {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// TLS clients that are refused, or that refuse the server.
fn clients(site: &Site) -> Vec<(&'static str, Arc<ClientConfig>)> {
    let tls = |path: &Path| {
        let bundle = Bundle::read(path).expect("a bundle");
        pki::client_config(&bundle, &[]).expect("a client's TLS")
    };
    let alice = site.path(&site.bundle("alice"));
    let revoked = site.path(&site.bundle("mallory"));
    let list = site
        .ca()
        .revoke(&["mallory".to_owned()], ca_tool::Reason::Unspecified);
    list.expect("a new list");
    let elsewhere = Site::new("Elsewhere");
    let mut nobody = Arc::unwrap_or_clone(tls(&alice));
    nobody.client_auth_cert_resolver = Arc::new(Nobody);
    let other = tls(&elsewhere.path(&elsewhere.bundle("alice")));
    let mut stranger = Arc::unwrap_or_clone(tls(&alice));
    stranger.client_auth_cert_resolver = other.client_auth_cert_resolver.clone();
    vec![
        ("no certificate", Arc::new(nobody)),
        ("another CA's certificate", Arc::new(stranger)),
        ("a revoked certificate", tls(&revoked)),
        ("a client that believes another CA", other),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flood_fills_the_log() {
    let site = Site::new("Networks 101");
    let hello = client_hello(&Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle"));
    let clients = clients(&site);
    let stderr = site.path("stderr");
    let script = "exec \"$@\" 2> stderr";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(program("server"));
    command.args(["--listen", "127.0.0.1:0", "--log-file", "log"]);
    let mut server = command
        .current_dir(site.folder())
        .stdin(Stdio::null())
        .spawn()
        .expect("a server");
    let address = address(&stderr).await;
    let mut floods: Vec<(&str, u64)> = Vec::new();
    for (what, opening) in openings(&hello) {
        let opening: Arc<[u8]> = opening.into();
        let one = || {
            let opening = opening.clone();
            async move { say(address, &opening).await }
        };
        floods.push((what, measure(&site, flood(CONNECTIONS, one)).await));
    }
    for (what, config) in clients {
        let one = || {
            let config = config.clone();
            async move { shake(address, &config).await }
        };
        floods.push((what, measure(&site, flood(CONNECTIONS, one)).await));
    }
    println!("{floods:?}");
    for log in ["stderr", "log"] {
        let written = std::fs::read(site.path(log)).expect("a log");
        let longest = written.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert!(longest < Some(LINE_BYTES), "{longest:?} in {log}");
        let has_controls = written
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\n');
        assert!(!has_controls, "{log}");
    }
    // It is still there, and lets people in.
    let bundle = Bundle::read(&site.path("ca/people/alice.pem")).expect("a bundle");
    let mut alice = tests::Peer::connect(address, &bundle, &[])
        .await
        .expect("a connection");
    alice.welcome().await;
    server.kill().expect("it runs");
    server.wait().expect("its end");
}

/// The lines that a flood adds to the log, which are few.
async fn measure(site: &Site, flood: impl Future<Output = ()>) -> u64 {
    let logs = || {
        ["stderr", "log"].map(|log| {
            let log = std::fs::read(site.path(log)).expect("a log");
            let lines = log.iter().filter(|byte| **byte == b'\n').count();
            (log.len() as u64, lines as u64)
        })
    };
    let (before, began) = (logs(), Instant::now());
    tokio::time::timeout(FLOOD_TIMEOUT, flood)
        .await
        .expect("the end of a flood");
    let seconds = began.elapsed().as_secs() + 1;
    let mut most = 0;
    for (before, after) in before.into_iter().zip(logs()) {
        let (bytes, lines) = (after.0 - before.0, after.1 - before.1);
        assert!(
            bytes <= BURST_BYTES + BYTES_PER_SECOND * seconds,
            "{bytes} in {seconds} s"
        );
        assert!(
            lines <= BURST_LINES + LINES_PER_SECOND * seconds,
            "{lines} in {seconds} s"
        );
        most = most.max(lines);
    }
    most
}

/// Where a server says that it listens, once it says so in this file.
async fn address(log: &Path) -> SocketAddr {
    let said = async {
        loop {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let rest = said.split("listening on ").nth(1);
            if let Some(address) = rest.and_then(|rest| rest.split([' ', '\n']).next())
                && let Ok(address) = address.parse()
            {
                return address;
            }
            // A file tells nobody that it was written to.
            tokio::task::yield_now().await;
        }
    };
    within("the server's address", said).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_takes_no_memory_while_nobody_reads_standard_error() {
    const GROWTH_KIB_MAX: u64 = 64 * 1024;
    const FLOOD: usize = 2000;
    let site = Site::new("Networks 101");
    let alice = Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle");
    let mut server = Command::new(program("server"))
        .args(["--listen", "127.0.0.1:0", "--log-file", "log"])
        .current_dir(site.folder())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a server");
    let address = address(&site.path("log")).await;
    let rest = crate::strangers::peak_kib(server.id());
    let opening: Arc<[u8]> = illegal_name().into();
    let one = || {
        let opening = opening.clone();
        async move { say(address, &opening).await }
    };
    tokio::time::timeout(FLOOD_TIMEOUT, flood(FLOOD, one))
        .await
        .expect("the end of a flood");
    let grown = crate::strangers::peak_kib(server.id()) - rest;
    println!("{grown} KiB more than {rest} KiB");
    assert!(grown <= GROWTH_KIB_MAX, "{grown} KiB more than {rest} KiB");
    let mut peer = tests::Peer::connect(address, &alice, &[])
        .await
        .expect("a connection");
    peer.welcome().await;
    // Nor does it hold up the end.
    let id = server.id().to_string();
    let told = Command::new("sh")
        .args(["-c", "kill -TERM $0", &id])
        .status();
    assert!(told.expect("a shell").success());
    assert!(server.wait().expect("its end").success());
    let mut stderr = String::new();
    let mut pipe = server.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut stderr).expect("text");
    assert!(stderr.contains("refused"), "{stderr}");
}
