//! `--explain`: what both programs tell about a connection, and what they never tell.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use ca_tool::{Host, Reason};
use pki::Bundle;
use tests::{PATIENCE, Served, Site, fences, page, section};

use super::{Ended, end, finish, run_client, site};

/// The text that is said; it must not be told.
const TEXT: &str = "nobody else shall read this";

/// Returns the lines of an explanation, each without the word before it.
fn told(err: &str) -> impl Iterator<Item = &str> {
    err.lines().filter_map(|line| line.strip_prefix("explain "))
}

/// Returns the steps of an explanation: their numbers and words.
fn steps(err: &str) -> BTreeSet<(u8, String)> {
    let steps = told(err).filter_map(|line| line.split_once(" == "));
    let steps = steps.map(|(before, words)| {
        let number = before.rsplit(' ').next().unwrap_or_default();
        (number.parse().expect("a number"), words.to_owned())
    });
    steps.collect()
}

/// Returns the boxes of a chart: their numbers and words.
fn boxes(heading: &str) -> BTreeMap<u8, String> {
    let chart = section(page("docs/flow.md"), heading);
    let chart = fences(chart, "mermaid\n").next().expect("a chart");
    let labels = chart.split('"').skip(1).step_by(2);
    let boxes = labels.filter_map(|label| {
        let (number, words) = label.split_once(' ')?;
        Some((number.parse().ok()?, words.replace("<br>", " ")))
    });
    boxes.collect()
}

/// Checks that each step that was told is a box of the chart in the same words, and that all of
/// them were told.
fn are_all_told(steps: &BTreeSet<(u8, String)>, heading: &str) {
    let boxes = boxes(heading);
    for (number, words) in steps {
        assert_eq!(boxes.get(number), Some(words), "{heading}");
    }
    let told: BTreeSet<u8> = steps.iter().map(|(number, _)| *number).collect();
    let all: BTreeSet<u8> = boxes.into_keys().collect();
    assert_eq!(told, all, "{heading}");
}

/// Checks that these texts are told, in this order.
#[track_caller]
fn tells_in_order(err: &str, parts: &[&str]) {
    let mut lines = told(err);
    for part in parts {
        assert!(
            lines.any(|line| line.contains(part)),
            "no {part:?}, in its order, in:\n{err}"
        );
    }
}

fn stop(served: Served) -> Ended {
    served.program.signal("-TERM");
    end(served.program)
}

/// Alice says something, loses her connection and comes back; bob was revoked. Returns what the two
/// servers and alice told.
fn walk(site: &Site) -> (Vec<Ended>, Ended) {
    let served = site.serve(&["--explain"]);
    let address = served.address;
    let mut alice = site.enter(&served, "alice", &["--explain"]);
    alice.send(&format!("{TEXT}\n"));
    alice.expect_out(TEXT);
    alice.expect_err("is entry ");
    let first = stop(served);
    let served = site.serve_again(address, &["--explain"]);
    alice.expect_err("connected again");
    site.bundle("bob");
    let revoked = site.ca().revoke(&["bob".to_owned()], Reason::Unspecified);
    revoked.expect("a revocation");
    served.program.signal("-HUP");
    let mut served = served;
    served.program.expect_err("revoked=1");
    run_client(site, &address.to_string(), "bob", "").failed(62, "revoked", "");
    let alice = finish(alice);
    (vec![first, stop(served)], alice)
}

#[test]
fn a_walk_tells_every_step_of_both_charts_in_their_words() {
    let site = site();
    let (servers, alice) = walk(&site);
    let all: BTreeSet<_> = servers
        .iter()
        .flat_map(|server| steps(&server.err))
        .collect();
    are_all_told(&all, "## The server, step by step");
    are_all_told(&steps(&alice.err), "## The client, step by step");
    assert_eq!(alice.code, Some(0), "{}", alice.err);
}

#[test]
fn both_ends_tell_the_messages_of_tls_in_their_order_and_what_each_proves() {
    let site = site();
    let (servers, alice) = walk(&site);
    let own = Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle");
    let serial = own.certificate().serial.to_string();
    let fingerprint = own.certificate().fingerprint.to_string();
    tells_in_order(
        &alice.err,
        &[
            "through the network interface lo",
            "-> ClientHello, ",
            "key shares for: X25519MLKEM768",
            "signatures the client can check: ecdsa_secp384r1_sha384, ecdsa_secp256r1_sha256",
            "protocols: countersign/1",
            "<- ServerHello, ",
            "chosen: TLS 1.3, cipher TLS_AES_128_GCM_SHA256, key exchange X25519MLKEM768",
            "<- EncryptedExtensions",
            "<- CertificateRequest",
            "<- Certificate: the server says who it is",
            "proves a server (EKU serverAuth)",
            "yes: our CA has signed it",
            "yes: it is for the server that we asked for",
            "<- CertificateVerify: the server signs",
            "the signature fits the certificate",
            "<- Finished",
            "-> Certificate: ours",
            &serial,
            &fingerprint,
            "-> CertificateVerify: our private key signs",
            "-> Finished",
            "<- = welcome: you are alice (student), I see you at 127.0.0.1",
            "-> /follow head",
            "-> /say ",
            "= ok ",
            "a message with 27 bytes of text, from alice at 127.0.0.1",
            "connects again after a pause",
            "-> /quit",
            "<- = bye goodbye",
            "exit code 0",
        ],
    );
    let commit = format!(
        "a message with {} bytes of text from alice at 127.0.0.1, the line ",
        TEXT.len()
    );
    tells_in_order(
        &servers[0].err,
        &[
            "TCP from 127.0.0.1, port ",
            "<- ClientHello, ",
            "-> ServerHello, ",
            "-> EncryptedExtensions",
            "-> CertificateRequest",
            "-> Certificate: ours",
            "-> CertificateVerify: our private key signs",
            "-> Finished",
            "<- Certificate: the client says who it is",
            &serial,
            "proves a person (EKU clientAuth)",
            "yes: our CA has signed it",
            "yes: it is one for a person",
            "yes: it has exactly one name",
            "yes: it is not revoked",
            "yes: this is alice (student)",
            "<- CertificateVerify: the client signs",
            "the signature fits the certificate",
            "<- Finished",
            "yes: alice (student) is session 1",
            "-> = welcome: you are alice",
            "<- /follow head",
            "<- /say ",
            &commit,
            "on the disk (fsync) after ",
            "the newest entry is 2; 1 person is here",
            "-> = ok ",
            "-> = bye shutting-down",
        ],
    );
    // The acknowledgement comes after the commit, and is told after it.
    tells_in_order(
        &servers[1].err,
        &[
            "of \"bob\" was revoked",
            "the alert certificate_revoked (44)",
        ],
    );
}

#[test]
fn no_key_no_secret_and_nothing_that_people_say_is_told() {
    let site = site();
    let (servers, alice) = walk(&site);
    let server_bundle = site.ca().register().server_bundle();
    let files = [
        site.path(&site.bundle("alice")),
        server_bundle,
        site.path("ca/ca.pem"),
    ];
    let texts = files.map(|file| std::fs::read_to_string(file).expect("PEM"));
    let mut public = BTreeSet::new();
    for file in [
        site.path(&site.bundle("alice")),
        site.path(&site.bundle("bob")),
    ] {
        let bundle = Bundle::read(&file).expect("a bundle");
        let anchor = pki::Certificate::parse(bundle.anchor()).expect("a certificate");
        for certificate in [bundle.certificate(), anchor] {
            public.insert(certificate.serial.to_string());
            public.insert(certificate.fingerprint.to_string());
        }
    }
    let server = Bundle::read(&site.ca().register().server_bundle()).expect("a bundle");
    public.insert(server.certificate().serial.to_string());
    public.insert(server.certificate().fingerprint.to_string());
    let mut lines = 0;
    for err in servers.iter().map(|server| &server.err).chain([&alice.err]) {
        assert!(!err.contains(TEXT), "{err}");
        for part in ["nobody else", "shall read"] {
            assert!(!err.contains(part), "{err}");
        }
        for text in &texts {
            let secret = text
                .split("-----BEGIN PRIVATE KEY-----")
                .nth(1)
                .unwrap_or_default();
            for line in secret
                .lines()
                .filter(|line| line.len() > 8 && !line.starts_with('-'))
            {
                assert!(!err.contains(&line[..8]), "{line}");
            }
        }
        // Whatever it is: a long number or a long text in base64 is only told if it is public.
        for line in told(err) {
            lines += 1;
            let is_code = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
            for word in line.split(|c| !is_code(c)).filter(|word| word.len() >= 28) {
                assert!(public.contains(word), "{word} in {line}");
            }
        }
    }
    assert!(lines > 200, "only {lines} lines were told");
}

#[test]
fn a_client_tells_why_it_does_not_trust_a_server() {
    let (site, others) = (site(), Site::new("Compilers 202"));
    let hosts = [Host::parse("chat.example").expect("a host")];
    let elsewhere = site.ca().issue_server(&hosts, None).expect("a bundle");
    let bundle = elsewhere.bundle.to_string_lossy().into_owned();
    let mut served = site.serve(&["--cert", &bundle, "--explain"]);
    let alice = finish(site.client(&served, "alice", &["--explain"]));
    assert_eq!(alice.code, Some(5), "{}", alice.err);
    tells_in_order(
        &alice.err,
        &[
            "names     DNS chat.example",
            "yes: our CA has signed it",
            "NOT trusted: it is not for the server that we asked for",
            "the alert bad_certificate (42)",
            "trying again would not help",
            "exit code 5",
        ],
    );
    let (steps, failure) = alice.err.split_once("client: error:").expect("a failure");
    assert!(steps.contains("trying again would not help"), "{steps}");
    assert!(failure.contains("explain 16 == "), "{failure}");
    assert!(
        !alice.err.contains("-> Certificate"),
        "nothing was shown to it: {}",
        alice.err
    );
    served
        .program
        .expect_err("<- the alert bad_certificate (42): the client ends TLS");
    served.program.expect_err(" 8 == says why not, and closes");

    let stranger = others.path(&others.bundle("alice"));
    let stranger = stranger.to_string_lossy();
    let server = served.address.to_string();
    let arguments = ["--cert", &*stranger, "--server", &server, "--explain"];
    let stranger = Ended::from(site.run("client", &arguments));
    tells_in_order(
        &stranger.err,
        &[
            "issuer    CN=Networks 101",
            "NOT trusted: our CA did not issue it",
            "the alert unknown_ca (48)",
        ],
    );
}

#[test]
fn a_server_tells_why_it_does_not_admit_a_stranger() {
    let (site, others) = (site(), Site::new("Compilers 202"));
    let mut served = site.serve(&["--explain"]);
    // Somebody with a certificate of another CA who takes our server for the right one.
    let stranger = Bundle::read(&others.path(&others.bundle("mallory"))).expect("a bundle");
    let ours = Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle");
    let mixed = Mixed::new(&stranger, &ours);
    let refused = mixed.shake(&served);
    assert!(refused.contains("UnknownCA"), "{refused}");
    served.program.expect_err("issuer    CN=Compilers 202");
    served
        .program
        .expect_err(" 7 -- NO: the certificate was issued by \"Compilers 202\"");
    served
        .program
        .expect_err("the client is sent the alert unknown_ca (48)");
    served.program.expect_err(" 8 == says why not, and closes");

    let refused = mixed.showing_nothing().shake(&served);
    assert!(refused.contains("CertificateRequired"), "{refused}");
    served.program.expect_err(" 6 <- Certificate: empty");
    served
        .program
        .expect_err("the client is sent the alert certificate_required (116)");

    let mut plain = TcpStream::connect(served.address).expect("a connection");
    plain.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let mut answer = String::new();
    plain.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("this room needs TLS"), "{answer}");
    served.program.expect_err(" 8 -- not TLS");
}

/// A client with one person's certificate that trusts another room's CA.
struct Mixed(std::sync::Arc<rustls::ClientConfig>);

impl Mixed {
    fn new(presents: &Bundle, trusts: &Bundle) -> Self {
        let presented = pki::client_config(presents, &[]).expect("a configuration");
        let mut config = (*pki::client_config(trusts, &[]).expect("a configuration")).clone();
        config.client_auth_cert_resolver = presented.client_auth_cert_resolver.clone();
        Self(config.into())
    }

    /// Returns the same client without a certificate.
    fn showing_nothing(&self) -> Self {
        let nobody = rustls::ClientConfig::builder_with_provider(pki::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut config = (*self.0).clone();
        config.client_auth_cert_resolver = nobody.client_auth_cert_resolver;
        Self(config.into())
    }

    /// Connects, and returns the error that the server's alert becomes.
    fn shake(&self, served: &Served) -> String {
        let mut tcp = TcpStream::connect(served.address).expect("a connection");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let name = served.address.ip().into();
        let mut tls = rustls::ClientConnection::new(self.0.clone(), name).expect("a client");
        let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
        let mut read = [0; 64];
        let refused = stream.read(&mut read).expect_err("it is refused");
        format!("{refused:?}")
    }
}

#[test]
fn without_the_flag_nothing_is_told() {
    let site = site();
    let mut served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &[]);
    alice.send("hello\n");
    alice.expect_out("hello");
    let alice = finish(alice);
    assert_eq!(told(&alice.err).count(), 0, "{}", alice.err);
    served.program.expect_err(" left ");
    let served = stop(served);
    assert_eq!(told(&served.err).count(), 0, "{}", served.err);
}
