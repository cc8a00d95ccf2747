//! Strangers can write only a little into the log, whatever they send, and whether or not somebody reads
//! it. Each kind of bad input that can reach a log line floods the real program.

use std::fs::{self, File};
use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tests::{Logging, PATIENCE, Peer, peak_kib, resident_kib, within};
use tokio::io::AsyncWriteExt as _;

use crate::certificates::mint::*;

/// The most that a flood may write into each place of the log within a second.
const LOG_BYTES_PER_SECOND_MAX: u64 = 20_000;

/// No line is longer, its end included.
const LINE_BYTES_MAX: usize = 512;

/// The most that a flood may add to the server's memory.
const MEMORY_KIB_MAX: u64 = 64 * 1024;

/// Returns a record of TLS with these bytes in it (RFC 8446, section 5.1).
fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("it fits");
    [&[kind, 3, 1][..], &length.to_be_bytes(), bytes].concat()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("it fits");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Returns a ClientHello with these extensions, in one record (RFC 8446, section 4.1.2).
fn hello(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let extensions: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, bytes)| [kind.to_be_bytes().to_vec(), with_length(bytes)].concat())
        .collect();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &with_length(&[0x13, 0x01]),
        &[1, 0],
        &with_length(&extensions),
    ]
    .concat();
    let length = u32::try_from(body.len()).expect("it fits").to_be_bytes();
    record(22, &[&[1], &length[1..], &body].concat())
}

/// Returns the extension in which a client names the server (RFC 6066, section 3).
fn names(names: &[&[u8]]) -> (u16, Vec<u8>) {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| [vec![0], with_length(name)].concat())
        .collect();
    (0, with_length(&list))
}

/// Returns a name that no host can have, as long as a ClientHello allows.
fn bad_name() -> Vec<u8> {
    hello(&[names(&[&[0x01; 15_000]])])
}

/// Returns every kind of bytes that is refused before a certificate is looked at.
fn openings() -> Vec<(&'static str, Vec<u8>)> {
    let versions = |bytes: &[u8]| (43, bytes.to_vec());
    vec![
        ("nothing", Vec::new()),
        ("garbage", vec![0xff; 2000]),
        ("a line", b"\x1b[2J hello\n".to_vec()),
        ("an alert first", record(21, &[2, 40])),
        ("half a hello", bad_name()[..700].to_vec()),
        (
            "no message",
            b"\x16\x03\x01\x00\x08\xff\x00\x00\x04abcd".to_vec(),
        ),
        ("a bad name", bad_name()),
        ("a name of line ends", hello(&[names(&[&[b'\n'; 15_000]])])),
        ("two names", hello(&[names(&[b"localhost", b"localhost"])])),
        ("an address as a name", hello(&[names(&[b"127.0.0.1"])])),
        ("no version of ours", hello(&[versions(&[2, 3, 3])])),
        ("no versions", hello(&[versions(&[0])])),
        ("no extensions", hello(&[])),
        (
            "the same extension twice",
            hello(&[(1, vec![1]), (1, vec![1])]),
        ),
        (
            "an alert within a hello",
            [record(22, &bad_name()[5..99]), record(21, &[1, 90])].concat(),
        ),
        (
            "a hello without end",
            record(22, &[1, 0xff, 0xff, 0xff]).repeat(2000),
        ),
        ("a record too long", vec![22, 3, 1, 0xff, 0xff, 1]),
    ]
}

/// Sends it on a connection of its own and waits until the server has closed that.
fn knock(address: SocketAddr, opening: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    // The server may have refused it before all of it was sent.
    let _refused = stream
        .write_all(opening)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let _closed = stream.read_to_end(&mut Vec::new());
}

/// Shakes hands and waits until the server has closed the connection.
fn knock_with(address: SocketAddr, config: &Arc<ClientConfig>) {
    let name = "localhost".try_into().expect("a name");
    let tls = ClientConnection::new(config.clone(), name).expect("a handshake");
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let mut stream = StreamOwned::new(tls, stream);
    let told = stream.read(&mut [0]).expect_err("a refusal");
    assert!(told.to_string().contains("alert"), "{told}");
}

/// Returns the TLS of a client that presents this certificate, or none.
fn config(m: &Mint, certificate: Option<CertificateDer<'static>>) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(pki::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(m.roots());
    Arc::new(match certificate {
        None => config.with_no_client_auth(),
        Some(certificate) => {
            let key = PrivateKeyDer::Pkcs8(m.key.serialize_der().into());
            let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
            // Nothing is checked here: it may be anybody's.
            let certified = Arc::new(CertifiedKey::new(vec![certificate], key));
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    })
}

/// Each line whole, printable and no longer than a line may be.
fn check_lines(log: &[u8]) {
    let text = std::str::from_utf8(log).expect("UTF-8");
    for line in text.lines() {
        assert!(line.len() < LINE_BYTES_MAX, "{} bytes: {line}", line.len());
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.starts_with("20"), "it begins with its time: {line:?}");
    }
}

/// Returns how many bytes each place of the log may have grown by since this moment.
fn allowed(since: Instant) -> u64 {
    let seconds = u64::try_from(since.elapsed().as_millis()).expect("it ends") + 1000;
    seconds * LOG_BYTES_PER_SECOND_MAX / 1000
}

#[test]
fn no_flood_of_strangers_writes_more_than_20_kb_a_second_into_the_log() {
    let m = Mint::new();
    let (server, mut log) = Logging::start(&m.site, None);
    let on_stderr = m.site.path("stderr.log");
    let mut copy = File::create(&on_stderr).expect("a file");
    let copying = std::thread::spawn(move || std::io::copy(&mut log, &mut copy));
    let places = [on_stderr, m.site.path("room.log")];
    let bytes = || {
        places
            .each_ref()
            .map(|place| fs::metadata(place).map_or(0, |m| m.len()))
    };

    let begun = Instant::now();
    let at_rest = bytes();
    let mut too_much = Vec::new();
    let mut flood = |what: &str, count: usize, knock: &dyn Fn()| {
        let (begun, before) = (Instant::now(), bytes());
        for _ in 0..count {
            knock();
        }
        let allowed = allowed(begun);
        for (before, after) in before.into_iter().zip(bytes()) {
            if after - before > allowed {
                too_much.push(format!("{what}: {} of {allowed} bytes", after - before));
            }
        }
    };
    for (what, opening) in openings() {
        flood(what, 400, &|| knock(server.address, &opening));
    }
    let expired = Leaf {
        valid: (-10, -1),
        ..m.leaf("alice")
    };
    let configs = [
        ("no certificate", config(&m, None)),
        (
            "another CA",
            config(&m, Some(sign(&m.leaf("alice"), &new_key()))),
        ),
        ("expired", config(&m, Some(m.sign(&expired).remove(0)))),
    ];
    for (what, config) in configs {
        flood(what, 50, &|| knock_with(server.address, &config));
    }
    let allowed = allowed(begun);
    server.stop();
    copying.join().expect("a copy").expect("it is written");
    for (place, before) in places.iter().zip(at_rest) {
        let log = fs::read(place).expect("a log");
        let written = log.len() as u64 - before;
        assert!(
            written <= allowed,
            "{place:?}: {written} of {allowed} bytes"
        );
        check_lines(&log);
        let log = String::from_utf8_lossy(&log);
        assert!(
            log.contains("no certificate was presented"),
            "refusals are logged"
        );
        assert!(log.contains("more="), "and counted where they are too many");
    }
    assert_eq!(too_much, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_nobody_and_keeps_little() {
    let m = Mint::new();
    // As much as can be logged at all: by default there would be too little to fill the queue.
    let (server, mut log) = Logging::start(&m.site, Some("trace"));
    let at_rest = resident_kib(server.id());
    for _ in 0..1000 {
        knock(server.address, &bad_name());
    }
    for _ in 0..20_000 {
        drop(TcpStream::connect(server.address).expect("a connection"));
    }
    let most = peak_kib(server.id());
    assert!(
        most < at_rest + MEMORY_KIB_MAX,
        "{at_rest} KiB at rest, then {most}"
    );

    // The room goes on, and can be stopped.
    let alice = pki::Bundle::read(&m.site.path(&m.site.bundle("alice"))).expect("a bundle");
    let mut alice = Peer::connect(server.address, &alice, &[])
        .await
        .expect("a connection");
    alice.welcome().await;
    alice.say("is anybody here?").await;
    within("a line", alice.expect("] is anybody here?")).await;
    alice.close().await;

    // Whoever reads again is told how much is missing.
    let reading = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        loop {
            let began = read.len();
            let more = log.read_until(b'\n', &mut read).expect("a pipe");
            assert!(more > 0, "the log ended before it told");
            let line = String::from_utf8_lossy(&read[began..]);
            if line.ends_with(" log lines were not written\n") {
                check_lines(&read);
                return log;
            }
        }
    });
    let unread = within("a note", reading).await.expect("it reads");
    server.stop();
    drop(unread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_line_about_a_sessions_end_says_what_broke_the_connection() {
    let m = Mint::new();
    let mut served = m.site.serve(&[]);
    let alice = pki::Bundle::read(&m.site.path(&m.site.bundle("alice"))).expect("a bundle");
    let no_record = "TLS failed: received corrupt message of type InvalidContentType";
    for (bytes, cause) in [
        // A record that was sealed with another key, one of no kind, and a closed connection.
        (
            record(23, &[0; 40]),
            "TLS failed: cannot decrypt peer's message",
        ),
        (vec![0; 40], no_record),
        (Vec::new(), "the connection ended without close_notify"),
    ] {
        let mut peer = Peer::connect(served.address, &alice, &[])
            .await
            .expect("a connection");
        peer.welcome().await;
        let (tcp, _) = peer.stream.get_mut();
        tcp.write_all(&bytes).await.expect("sent");
        tcp.shutdown().await.expect("closed");
        let left = served.program.expect_err(" left id=alice ");
        let end = format!(" reason=lost cause={cause:?}");
        assert!(left.ends_with(&end), "{left}");
    }
    // A goodbye has no cause.
    let peer = Peer::connect(served.address, &alice, &[]).await;
    let mut peer = peer.expect("a connection");
    peer.welcome().await;
    peer.close().await;
    let left = served.program.expect_err(" left id=alice ");
    assert!(left.ends_with(" reason=goodbye"), "{left}");
}

#[test]
fn rust_log_chooses_what_is_logged_and_is_named_when_it_cannot_be_read() {
    const WARNING: &str = "RUST_LOG cannot be read, so the default filter applies: ";
    for (rust_log, logged, missing) in [
        ("server=debug", "listening on ", WARNING),
        ("off,server=info", "listening on ", WARNING),
        ("server=loud", WARNING, " DEBUG "),
        ("server[session]=info", WARNING, " DEBUG "),
    ] {
        let site = tests::Site::new("Networks 101");
        let (server, _log) = Logging::start(&site, Some(rust_log));
        server.stop();
        let log = fs::read_to_string(site.path("room.log")).expect("a log");
        assert!(log.contains(logged), "{rust_log}: {log}");
        assert!(!log.contains(missing), "{rust_log}: {log}");
    }
}

#[test]
fn a_log_that_was_renamed_is_begun_anew_on_sighup_and_goes_on_where_that_fails() {
    let site = tests::Site::new("Networks 101");
    fs::create_dir(site.path("logs")).expect("a folder");
    // As operators name it: relative, and behind a link.
    std::os::unix::fs::symlink("logs/room.log", site.path("room.log")).expect("a link");
    let (log, first, second) = (
        site.path("logs/room.log"),
        site.path("logs/room.log.1"),
        site.path("logs/room.log.2"),
    );
    let mut served = site.serve(&["--log-file", "room.log"]);
    let until = |path: &std::path::Path, part: &str| {
        let read = || {
            fs::read_to_string(path)
                .ok()
                .filter(|log| log.contains(part))
        };
        kit::look_until(&format!("{part} in {}", path.display()), read)
    };
    until(&log, "listening on ");
    fs::rename(&log, &first).expect("renamed");
    served.program.signal("-HUP");
    served.program.expect_err("log opened again");
    let begun = until(&log, "log opened again");
    assert!(!begun.contains("listening on "), "{begun}");
    let rotated = fs::read_to_string(&first).expect("a log");
    assert!(!rotated.contains("log opened again"), "{rotated}");

    fs::rename(&log, &second).expect("renamed");
    fs::create_dir(&log).expect("a folder in its place");
    served.program.signal("-HUP");
    let line = served.program.expect_err("cannot be opened again");
    assert!(line.contains("it is a folder"), "{line}");
    until(&second, "cannot be opened again");
    fs::remove_dir(&log).expect("removed");
    served.program.signal("-HUP");
    until(&log, "log opened again");
}
