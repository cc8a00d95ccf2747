//! Files that are replaced while a room is served: the revocation list, and the bundle with which the
//! server proves itself.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ca_tool::{Ca, Host, Reason, Which};
use kit::mint::Leaf;
use pki::limits::CRL_BYTES_MAX;
use pki::{Bundle, Certificate, Gate, Serial};
use tests::{Options, Peer, Site, World, instructors, said, within};
use wire::{Reply, ServerLine};

use super::mint::{publish_list, replace};

#[tokio::test]
async fn a_new_bundle_is_shown_to_the_next_client_and_disturbs_nobody() {
    let w = World::with(|o| o.limits.sessions_per_minute_max = 0).await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let carols = w.bundle("carol");
    let old = shown(w.address(), &carols).await;
    let new = renew(w.ca());
    within("the new certificate", async {
        while shown(w.address(), &carols).await == old {}
    })
    .await;
    assert_eq!(shown(w.address(), &carols).await, serial(&new));
    alice.say("still here").await;
    assert_eq!(bob.next_said().await, said("alice", "still here"));
    assert_eq!(
        w.column("select id from joins where left_at is null order by id")
            .await,
        ["alice", "bob"]
    );
}

#[tokio::test]
async fn whoever_asks_has_the_list_and_the_bundle_read_at_once() {
    let w = World::with(|o| {
        o.limits.file_poll_interval = Duration::from_secs(3600);
        o.limits.sessions_per_minute_max = 0;
    })
    .await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let alices = w.bundle("alice");
    w.revoke("bob");
    let new = renew(w.ca());
    w.reload();
    bob.expect("= bye revoked ").await;
    alice.expect("* bob@127.0.0.1 left (revoked)").await;
    within("the new certificate", async {
        while shown(w.address(), &alices).await != serial(&new) {}
    })
    .await;
}

#[tokio::test]
async fn a_bundle_that_is_worse_than_the_last_one_is_refused_loudly() {
    let site = Site::new("Networks 101");
    let (cert, alices) = (site.ca().register().server_bundle(), site.bundle("alice"));
    let alices = fs::read_to_string(site.path(&alices)).expect("a bundle");
    let alice = Bundle::parse(alices.as_bytes(), "alice.pem".as_ref()).expect("a bundle");
    let good = fs::read_to_string(&cert).expect("a bundle");
    let others = Site::new("Networks 101");
    let theirs = fs::read_to_string(others.ca().register().server_bundle()).expect("a bundle");
    let [leaf, anchor, _] = &sections(&good)[..] else {
        panic!("a bundle has three sections: {good}");
    };
    let [their_leaf, _, their_key] = &sections(&theirs)[..] else {
        panic!("a bundle has three sections: {theirs}");
    };
    // Made in time, and revoked since.
    let spare = Host::parse("localhost").expect("a host");
    let spare = site.ca().issue_server(&[spare], None).expect("a bundle");
    let revoked = Which {
        names: Vec::new(),
        serial: Some(spare.serial),
    };
    let reason = Reason::KeyCompromise;
    let list = site.ca().revoke_which(&revoked, reason, None);
    list.expect("revoked");
    let revoked = fs::read_to_string(spare.bundle).expect("a bundle");
    let mut served = site.serve(&["--sessions-per-minute", "0"]);
    served.program.expect_err(" certificate read ");
    let first = shown(served.address, &alice).await;
    let mut wendy = Peer::connect(served.address, &bundle_of(&site, "wendy"), &[])
        .await
        .expect("a connection");
    wendy.welcome().await;
    for (bad, cause) in [
        (String::new(), "it is empty"),
        (
            good[..good.len() / 2].to_owned(),
            "in it is damaged: its line '-----END ...' is missing",
        ),
        (
            format!("{leaf}{anchor}{their_key}"),
            "does not belong to its certificate",
        ),
        (alices, "server.pem is not a server's certificate"),
        (minted(site.ca(), (-2, -1)), "not now"),
        (minted(site.ca(), (1, 2)), "not now"),
        (
            theirs.clone(),
            "is not the one that this server was started with",
        ),
        (
            format!("{their_leaf}{anchor}{their_key}"),
            "was not issued by the CA",
        ),
        (revoked, "the certificate in ca/server.pem is revoked"),
    ] {
        replace(&cert, &bad);
        let line = served
            .program
            .expect_err("the last good certificate stays in use");
        assert!(line.contains(" ERROR ") && line.contains(cause), "{line}");
        assert_eq!(shown(served.address, &alice).await, first, "{cause}");
    }
    fs::remove_file(&cert).expect("removed");
    let line = served
        .program
        .expect_err("the last good certificate stays in use");
    assert!(line.contains("cannot read ca/server.pem"), "{line}");
    assert_eq!(shown(served.address, &alice).await, first);

    let new = minted(site.ca(), (-1, 100));
    replace(&cert, &new);
    let line = served
        .program
        .expect_err(&format!(" certificate read serial={} ", serial(&cert)));
    assert!(line.contains(" INFO "), "{line}");
    // It has no name but one.
    let line = served.program.expect_err("lacks names of the last one");
    assert!(
        line.contains(" WARN ") && line.contains("127.0.0.1"),
        "{line}"
    );
    let line = served.program.expect_err("ends before the last one");
    assert!(
        line.contains(" WARN ") && line.contains("before=20"),
        "{line}"
    );
    assert_eq!(shown(served.address, &alice).await, serial(&cert));
    // If the certificate in use is revoked, the server says so, because clients go on believing it.
    let found_out = Which {
        names: Vec::new(),
        serial: Serial::parse(&serial(&cert)),
    };
    let list = site.ca().revoke_which(&found_out, reason, None);
    list.expect("revoked");
    let line = served
        .program
        .expect_err("the server's certificate is revoked");
    assert!(line.contains(" ERROR "), "{line}");
    wendy.say("still here").await;
    wendy.expect("[wendy@127.0.0.1] still here").await;
}

#[test]
fn a_list_that_is_too_large_is_said_to_be_so() {
    let site = Site::new("Networks 101");
    let list = site.ca().register().revocation_list();
    let gate = Gate::new(site.ca().register().anchor().clone(), false).expect("a gate");
    let good = fs::read(&list).expect("a list");
    for (bytes_over, fault) in [(0, None), (1, Some("it has more than 16 MiB"))] {
        let mut bytes = good.clone();
        let room = usize::try_from(CRL_BYTES_MAX).expect("it fits");
        bytes.resize(room + bytes_over, b'\n');
        replace(&list, &bytes);
        let error = server::read_list(&list, &gate).err();
        let said = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.ends_with(fault.unwrap_or_default()), "{said}");
        assert_eq!(said.is_empty(), fault.is_none(), "{said}");
    }
}

#[test]
fn a_server_whose_certificate_ends_soon_says_so_until_it_has_a_newer_one() {
    let site = Site::new("Networks 101");
    let cert = site.ca().register().server_bundle();
    replace(&cert, minted(site.ca(), (-1, 20)));
    let mut served = site.serve(&[]);
    let line = served
        .program
        .expect_err("the server's certificate ends in ");
    for part in [
        " WARN ",
        "in 19 days",
        "path=ca/server.pem",
        "`ca-tool issue-server`",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    replace(&cert, minted(site.ca(), (-1, 100)));
    let read = format!(" certificate read serial={} ", serial(&cert));
    served.program.expect_err(&read);
    // When it is read again, all that was to be said of it the first time has been said.
    served.program.signal("-HUP");
    served.program.expect_err(&read);
    served.program.signal("-TERM");
    served.program.wait();
    let told = served.program.finish().stderr;
    let told = String::from_utf8(told).expect("UTF-8");
    // Once, of the first one.
    assert_eq!(told.matches("the server's certificate ends").count(), 1);
}

#[tokio::test]
async fn instructors_are_told_of_a_list_that_is_out_of_date_and_nobody_else_is() {
    let w = World::with(Options::without_pace).await;
    w.issue("ivy", &instructors());
    let (mut ivy, mut alice) = w.pair("ivy", "alice").await;
    assert_eq!(note(&mut ivy).await, None);
    publish_list(w.ca(), -10, -1);
    w.reload();
    within("a note", async { while note(&mut ivy).await.is_none() {} }).await;
    let told = note(&mut ivy).await.expect("a note");
    assert!(
        told.starts_with("= note stale-list the revocation list should have been renewed by 20"),
        "{told}"
    );
    assert_eq!(note(&mut alice).await, None);
    publish_list(w.ca(), -1, 1);
    w.reload();
    within("no note", async { while note(&mut ivy).await.is_some() {} }).await;
}

/// Reads the whole answer to `/who`, and returns the note that stands before the count, if there is one.
async fn note(peer: &mut Peer) -> Option<String> {
    peer.say("/who").await;
    let mut note = None;
    let mut left = None;
    while left != Some(0) {
        match peer.next().await.expect("an answer") {
            ServerLine::Reply(note_line @ Reply::Note { .. }) => note = Some(note_line.to_string()),
            ServerLine::Reply(Reply::Who { count, .. }) => left = Some(count),
            ServerLine::Reply(Reply::Here(_)) => left = left.map(|left| left - 1),
            _ => {}
        }
    }
    note
}

/// Returns the serial number of the certificate that the server shows to a new client.
async fn shown(address: SocketAddr, bundle: &Bundle) -> String {
    let connected = Peer::connect(address, bundle, &[]).await;
    let mut peer = connected.expect("a connection");
    peer.welcome().await;
    let chain = peer.stream.get_ref().1.peer_certificates();
    let leaf = &chain.expect("the server proved itself")[0];
    let serial = Certificate::parse(leaf).expect("a certificate").serial;
    peer.close().await;
    serial.to_string()
}

/// Replaces the server's certificate by another one, and returns its path.
fn renew(ca: &Ca) -> PathBuf {
    let host = Host::parse("localhost").expect("a host");
    let issued = ca.issue_server(&[host], None).expect("a bundle");
    let cert = ca.register().server_bundle();
    fs::rename(issued.bundle, &cert).expect("renamed");
    cert
}

/// Returns the serial number of a bundle's certificate.
fn serial(bundle: &std::path::Path) -> String {
    let bundle = Bundle::read(bundle).expect("a bundle");
    bundle.certificate().serial.to_string()
}

fn bundle_of(site: &Site, name: &str) -> Bundle {
    Bundle::read(&site.path(&site.bundle(name))).expect("a bundle")
}

/// Returns a bundle for a server, valid between these days from now.
fn minted(ca: &Ca, valid: (i64, i64)) -> String {
    let anchor = fs::read_to_string(ca.register().certificate()).expect("a certificate");
    let leaf = Leaf {
        valid,
        ..Leaf::server(&["localhost"])
    };
    kit::mint::bundle(
        &leaf,
        &kit::mint::issuer(ca.register().path()),
        &anchor,
        &[],
    )
}

/// Returns the PEM sections of a bundle: certificate, CA certificate, key.
fn sections(bundle: &str) -> Vec<String> {
    let sections = bundle.split("-----BEGIN ").skip(1);
    sections.map(|rest| format!("-----BEGIN {rest}")).collect()
}
