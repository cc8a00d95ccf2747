//! Revocation as a running server and a person's client show it.

use std::fs;
use std::process::Command;

use ca_tool::{Ca, Reason, Which};
use pki::Bundle;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use tests::Site;

use super::mint::replace;
use crate::programs::{Ended, end, run_at, run_client, site};

#[cfg(unix)]
#[test]
fn a_revocation_list_that_is_worse_than_the_last_one_is_refused_loudly() {
    let site = site();
    let list = site.ca().register().revocation_list();
    let (first, alice) = (fs::read(&list).expect("a list"), site.bundle("alice"));
    let others = Site::new("Compilers 202");
    let theirs = fs::read(others.ca().register().revocation_list()).expect("a list");
    site.bundle("bob");
    let revoke = |name: &str| {
        let revoked = site.ca().revoke(&[name.to_owned()], Reason::KeyCompromise);
        revoked.expect("a revocation");
    };
    revoke("bob");
    let good = fs::read(&list).expect("a list");
    let mut served = site.serve(&[]);
    let address = served.address.to_string();
    let put = |bytes: &[u8]| replace(&list, bytes);
    // DER is taken too, and its last byte is one of the signature.
    let mut changed = CertificateRevocationListDer::from_pem_slice(&good)
        .expect("PEM")
        .to_vec();
    *changed.last_mut().expect("a signature") ^= 1;
    // Another CA may call itself by the same name.
    let namesake = Site::new("Networks 101");
    let namesakes = fs::read(namesake.ca().register().revocation_list()).expect("a list");
    for (bad, cause) in [
        (
            &good[..good.len() / 2],
            "PEM section 1 (X509 CRL) in it is damaged",
        ),
        (&[], "it is empty"),
        (&theirs, "it was not signed by this CA"),
        (&namesakes, "it was not signed by this CA"),
        (&changed, "it was not signed by this CA"),
        (&first, "is lower than"),
    ] {
        put(bad);
        let line = served.program.expect_err("the last good list stays in use");
        assert!(line.contains(" ERROR ") && line.contains(cause), "{line}");
        run_client(&site, &address, "bob", "").failed(62, "revoked", "");
        let said = run_at(&site, &address, &alice, "hello\n");
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    // Nor does it start with an older list than it has ever seen.
    served.program.signal("-TERM");
    assert_eq!(end(served.program).code, Some(0));
    let started = Ended::from(site.run("server", &["--listen", "127.0.0.1:0"]));
    started.failed(1, "is lower than", "an old copy of the CA's folder");
    put(&good);
    let mut served = site.serve(&[]);
    revoke("alice");
    served.program.expect_err("revoked=2");
    run_at(&site, &served.address.to_string(), &alice, "").failed(62, "revoked", "");
}

#[cfg(unix)]
#[test]
fn a_list_that_takes_people_off_hold_is_noted_and_one_that_forgets_revocations_is_complained_about()
{
    let site = site();
    let list = site.ca().register().revocation_list();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(str::to_owned);
    for name in [&alice, &bob, &carol] {
        site.bundle(name);
    }
    let revoke = |ca: &Ca, name: &String, reason| {
        let revoked = ca.revoke(std::slice::from_ref(name), reason);
        revoked.expect("a revocation");
    };
    // An old copy, which somebody would put back one day.
    let copy = site.path("copy");
    let folder = list.parent().expect("the CA's folder");
    let copied = Command::new("cp").arg("-a").arg(folder).arg(&copy).status();
    assert!(copied.expect("cp").success());
    let copy = Ca::open(&copy).expect("a CA");
    revoke(site.ca(), &alice, Reason::CertificateHold);
    revoke(site.ca(), &bob, Reason::KeyCompromise);
    let mut served = site.serve(&[]);
    served.program.expect_err("revoked=2");

    let on_hold = Which::people(std::slice::from_ref(&alice));
    site.ca().unhold(&on_hold).expect("no hold");
    let line = served.program.expect_err("no longer on hold");
    assert!(line.contains(" INFO "), "{line}");

    // More often than the CA did, so that its list has a higher number.
    for name in [&alice, &carol] {
        revoke(&copy, name, Reason::Unspecified);
        revoke(&copy, name, Reason::KeyCompromise);
    }
    let listed = fs::read(copy.register().revocation_list()).expect("a list");
    replace(&list, &listed);
    let line = served.program.expect_err("lets in certificates");
    assert!(line.contains(" ERROR "), "{line}");
}

#[test]
fn a_person_on_hold_is_told_so_in_the_room_in_the_record_and_in_the_log_and_comes_back_with_the_same_file()
 {
    let site = site();
    let mut served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--raw"]);
    let bob = site.enter(&served, "bob", &[]);
    let on_hold = Which::people(&["bob".to_owned()]);
    let held = site
        .ca()
        .revoke(&["bob".to_owned()], Reason::CertificateHold);
    held.expect("a hold");
    alice.expect_out("* bob@127.0.0.1 left (on-hold)");
    let bob = end(bob);
    bob.failed(6, "your certificate is on hold", "with the same file");
    assert!(!bob.err.contains("revoked"), "{}", bob.err);
    let line = served.program.expect_err("reason=on-hold");
    assert!(!line.contains("revoked"), "{line}");
    assert_eq!(
        site.query("select reason from joins where id = 'bob'"),
        ["on-hold"]
    );
    let address = served.address.to_string();
    let refused = run_client(&site, &address, "bob", "");
    refused.failed(62, "or is on hold", "works again after a hold");
    let line = served.program.expect_err("refused");
    assert!(line.contains("is on hold"), "{line}");

    site.ca().unhold(&on_hold).expect("no hold");
    served.program.expect_err("no longer on hold");
    let back = run_client(&site, &address, "bob", "hello again\n");
    assert_eq!(back.code, Some(0), "{}", back.err);
}

#[cfg(unix)]
#[test]
fn sighup_reads_the_revocation_list_though_nothing_changed() {
    let site = site();
    let mut served = site.serve(&[]);
    // Once at the start, and then only when it is asked to.
    served.program.expect_err("revocation list read");
    for _ in 0..2 {
        served.program.signal("-HUP");
        let line = served.program.expect_err("revocation list read");
        assert!(line.contains("revoked=0"), "{line}");
    }
    let mut alice = site.enter(&served, "alice", &["--bare"]);
    alice.send("it did not end the server\n");
    alice.expect_out("it did not end");
}

#[cfg(unix)]
#[test]
fn sighup_reads_the_bundle_though_nothing_changed_and_there_is_no_list() {
    let site = site();
    let mut served = site.serve(&["--no-revocation"]);
    let certificate = Bundle::read(&site.ca().register().server_bundle()).expect("a bundle");
    let read = format!(
        "certificate read serial={}",
        certificate.certificate().serial
    );
    served.program.expect_err(&read);
    for _ in 0..2 {
        served.program.signal("-HUP");
        served.program.expect_err(&read);
    }
}

#[test]
fn without_revocation_a_server_warns_and_lets_the_revoked_in() {
    let site = site();
    site.bundle("bob");
    let revoked = site.ca().revoke(&["bob".to_owned()], Reason::Unspecified);
    revoked.expect("a revocation");
    let mut served = site.serve(&["--no-revocation"]);
    assert!(
        served.said.contains("revocation=\"off\""),
        "{}",
        served.said
    );
    let warning = served.program.expect_err("revoked or on hold are let in");
    assert!(warning.contains(" WARN "), "{warning}");
    let said = run_client(&site, &served.address.to_string(), "bob", "hello\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
}
