//! Every alert in the protocol's table comes from a real server, and no row is missing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use ca_tool::Reason;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription as Alert, ClientConfig, ClientConnection};
use tests::{page, section, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::mint::*;

#[tokio::test]
async fn every_alert_in_the_protocol_can_be_provoked_and_no_other_stands_there() {
    let m = Mint::new();
    let alice = m.leaf("alice");
    let dated = |valid| {
        m.sign(&Leaf {
            valid,
            ..m.leaf("alice")
        })
    };
    m.site.bundle("bob");
    let bob = pki::Bundle::read(&m.site.path("ca/people/bob.pem")).expect("a bundle");
    let revoked = m.site.ca().revoke(&["bob".to_owned()], Reason::Unspecified);
    revoked.expect("a revocation");
    let servers = vec![&[SERVER_AUTH][..]];
    let other_ca = Leaf {
        issuer: common_name("Chemistry 7"),
        ..m.leaf("alice")
    };

    let mut seen = BTreeSet::new();
    let served = m.site.serve(&[]);
    let server = served.address;
    for (chain, expected) in [
        (vec![sign(&other_ca, &new_key())], Alert::UnknownCA),
        // Of another CA that has the name of ours.
        (vec![sign(&alice, &new_key())], Alert::DecryptError),
        (dated((-10, -1)), Alert::CertificateExpired),
        (dated((1, 10)), Alert::CertificateExpired),
        (vec![bob.leaf().clone()], Alert::CertificateRevoked),
        (
            m.sign(&Leaf {
                purposes: servers,
                ..m.leaf("alice")
            }),
            Alert::UnsupportedCertificate,
        ),
        (m.sign(&m.leaf("two words")), Alert::AccessDenied),
        (m.altered(|der| der.truncate(200)), Alert::BadCertificate),
    ] {
        let (_, alert) = m.knock(&served, &chain).await;
        assert_eq!(alert, Ok(expected));
        seen.insert(word(expected));
    }
    let config = client(&m, &[]);
    let mut nobody = tests::Peer::connect_with(server, Arc::new(config))
        .await
        .expect("a connection");
    let told = within("an alert", nobody.read_line())
        .await
        .expect_err("an alert");
    assert_eq!(alert_in(&told), Some(Alert::CertificateRequired));
    seen.insert(word(Alert::CertificateRequired));

    // In answer to the first message.
    let http = tests::Peer::connect_with(server, Arc::new(client(&m, &[b"h2"]))).await;
    assert_eq!(
        alert_in(&http.expect_err("an alert")),
        Some(Alert::NoApplicationProtocol)
    );
    seen.insert(word(Alert::NoApplicationProtocol));
    let hello = hello(client(&m, &[]));
    let with = |part: &[u8], instead: &[u8]| {
        let mut hello = hello.clone();
        let at = hello.windows(part.len()).position(|window| window == part);
        let at = at.expect("it is part of a hello");
        hello[at..at + part.len()].copy_from_slice(instead);
        hello
    };
    // The three suites of TLS 1.3 become others that nobody has.
    let suites: Vec<u8> = hello.clone();
    let suites =
        [[0x13, 0x01], [0x13, 0x02], [0x13, 0x03]]
            .iter()
            .fold(suites, |mut hello, suite| {
                let list = 5 + 4 + 2 + 32;
                let at = hello[list..].windows(2).position(|window| window == suite);
                hello[list + at.expect("a suite")] = 0x5a;
                hello
            });
    for (hello, expected) in [
        // The extension that offers TLS 1.3 becomes one that nobody knows.
        (
            with(&[0, 43, 0, 3, 2, 3, 4], &[0x7a, 43, 0, 3, 2, 3, 4]),
            Alert::ProtocolVersion,
        ),
        (suites, Alert::HandshakeFailure),
        (
            vec![22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 0, 0],
            Alert::DecodeError,
        ),
    ] {
        assert_eq!(
            answer(server, &hello).await,
            [21, 3, 3, 0, 2, 2, u8::from(expected)]
        );
        seen.insert(word(expected));
    }

    // A server that may not judge by an old list.
    publish_list(m.site.ca(), -10, -1);
    let strict = m.site.serve(&["--strict-revocation", "--db", "strict.db"]);
    let (_, alert) = m.knock(&strict, &m.sign(&alice)).await;
    assert_eq!(alert, Ok(Alert::CertificateUnknown));
    seen.insert(word(Alert::CertificateUnknown));

    let rows = section(page("PROTOCOL.md"), "## 1. The connection").lines();
    let table: BTreeSet<String> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(table, seen);
}

/// Returns the name that RFC 8446 gives an alert.
fn word(alert: Alert) -> String {
    let name = match alert {
        Alert::UnknownCA => "UnknownCa".to_owned(),
        other => format!("{other:?}"),
    };
    let mut word = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

fn alert_in(error: &std::io::Error) -> Option<Alert> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// A client without a certificate.
fn client(m: &Mint, alpn: &[&[u8]]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(pki::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(m.roots())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

/// Returns the first message of a client.
fn hello(config: ClientConfig) -> Vec<u8> {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("memory takes it");
    hello
}

/// Sends a first message, and returns everything that the server answers.
async fn answer(server: SocketAddr, hello: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(server).await.expect("a connection");
    tcp.write_all(hello).await.expect("sent");
    let mut told = Vec::new();
    within("an answer", tcp.read_to_end(&mut told))
        .await
        .expect("an end");
    told
}
