//! New certificates for people who have one, and the end of the old ones.

use std::fs;

use ca_tool::{IssueOptions, Reason, Which, Whose};
use kit::require;
use pki::Bundle;
use time::Duration;

use crate::passphrase::type_in;
use crate::{Asked, World, shell, snapshot, stdout, succeed};

/// Returns the bundle of an earlier certificate, which was moved aside.
fn old_bundle(w: &World, name: &str) -> std::path::PathBuf {
    let mut entries = fs::read_dir(w.path("ca/people/old")).expect("a folder");
    let mut paths = entries
        .by_ref()
        .map(|entry| entry.expect("an entry").path());
    let begins = |path: &std::path::PathBuf| {
        let name_of = path.file_name().and_then(|name| name.to_str());
        name_of.is_some_and(|found| found.starts_with(&format!("{name}-")))
    };
    paths.find(begins).expect("an old bundle")
}
#[test]
fn a_renewed_person_has_a_new_number_and_key_and_is_the_same_person() {
    renew_a_person(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl and certtool: run with --include-ignored"]
fn openssl_and_gnutls_verify_a_renewed_certificate() {
    renew_a_person(Asked::of(&["openssl", "certtool"]));
}

fn renew_a_person(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    let roster = "id,name,email,role\n张三,\"Zhang, San\",zhang@example.org,assistant\n";
    fs::write(w.path("class.csv"), roster).expect("written");
    succeed(
        above,
        "ca-tool issue --roster class.csv --server chat.example:1234",
    );
    let before = Bundle::read(&w.path("ca/people/张三.pem")).expect("a bundle");
    let said = succeed(
        above,
        "ca-tool renew 张三 --until 2030-01-31 --server chat.example:1234",
    );
    assert!(
        said.contains("ca/people/张三.pem  valid until 2030-01-31"),
        "{said}"
    );
    assert!(
        said.contains("crl.pem, which revokes the old certificate now"),
        "{said}"
    );

    let after = Bundle::read(&w.path("ca/people/张三.pem")).expect("a bundle");
    let (old, new) = (before.certificate(), after.certificate());
    assert_ne!(old.serial, new.serial);
    assert_eq!((&old.subject, &old.emails), (&new.subject, &new.emails));
    assert_eq!(after.note("server"), Some("chat.example:1234"));
    let identity = w.admit(&w.path("ca/people/张三.pem")).expect("admitted");
    assert_eq!(identity.role().as_str(), "assistant");
    w.admit(&old_bundle(&w, "张三")).expect_err("superseded");
    let list = stdout(&w.run(&["list"]));
    assert_eq!(list.matches("Zhang, San").count(), 2, "{list}");
    assert!(list.contains("(superseded)"), "{list}");
    if asked.includes("openssl") {
        let said = succeed(
            above,
            "openssl verify -x509_strict -crl_check -purpose sslclient -CAfile ca/ca.pem -CRLfile ca/crl.pem \
             ca/people/张三.pem && openssl crl -in ca/crl.pem -noout -text && \
             openssl x509 -in ca/people/张三.pem -noout -pubkey >one && \
             openssl x509 -in ca/people/old/张三-*.pem -noout -pubkey >two && ! cmp -s one two",
        );
        assert!(said.contains("Superseded"), "{said}");
    }
    if asked.includes("certtool") {
        succeed(
            above,
            "sed -n '/BEGIN/,/END/p;/END/q' ca/people/张三.pem >leaf && \
             certtool --verify --load-ca-certificate ca/ca.pem --load-crl ca/crl.pem --infile leaf",
        );
    }
    // And once more, starting from the newest one.
    succeed(above, "ca-tool renew 张三 --out elsewhere");
    w.admit(&w.path("elsewhere/张三.pem")).expect("admitted");
    w.admit(&w.path("ca/people/张三.pem"))
        .expect_err("superseded");
}

#[test]
fn an_old_certificate_may_stay_good_for_some_days() {
    let w = World::new();
    let above = w.above.path();
    let said = succeed(
        above,
        "ca-tool issue alice bob && ca-tool renew alice bob --overlap 14",
    );
    assert!(
        said.contains("the first ca-tool command after that revokes them"),
        "{said}"
    );
    w.admit(&w.path("ca/people/alice.pem"))
        .expect("the new one");
    w.admit(&old_bundle(&w, "alice"))
        .expect("the old one, still");
    let records = w.ca.register().entries().expect("readable");
    let ends = records
        .iter()
        .filter_map(ca_tool::IndexEntry::superseded_at);
    assert_eq!(ends.count(), 2);
    // A revocation meanwhile revokes both certificates.
    succeed(above, "ca-tool revoke alice");
    w.admit(&w.path("ca/people/alice.pem"))
        .expect_err("revoked");
    w.admit(&old_bundle(&w, "alice")).expect_err("revoked");
    w.admit(&old_bundle(&w, "bob")).expect("not meant");
    // A person taken off hold again has the time that was left before.
    let bob = Which::people(["bob"]);
    w.ca.revoke_which(&bob, Reason::CertificateHold, None)
        .expect("on hold");
    w.ca.unhold(&bob).expect("off hold");
    let records = w.ca.register().entries().expect("readable");
    let ends = records.iter().filter(|record| record.name() == "bob");
    assert_eq!(
        ends.filter_map(ca_tool::IndexEntry::superseded_at).count(),
        1
    );
    for bad in ["366", "-1", "x"] {
        let (code, _, _) = shell(above, &format!("ca-tool renew bob --overlap={bad}"));
        assert_eq!(code, Some(2), "{bad}");
    }
}

#[test]
fn whoever_made_their_own_key_keeps_it() {
    let w = World::new();
    let above = w.above.path();
    let said = succeed(
        above,
        "ca-tool request dave && ca-tool sign dave.csr --as dave && \
         ca-tool adopt ca/people/dave.crt --key dave.key --out . && mv dave.pem first.pem && \
         ca-tool issue erin && ca-tool renew dave erin --zip",
    );
    assert!(
        said.contains("ca/people/dave.crt") && said.contains("ca/people/erin.zip"),
        "{said}"
    );
    // Each note says how to go on, and none mentions a key that does not exist.
    let (adopt, hand_out) = (
        "`ca-tool adopt dave.crt --key dave.key`",
        "contains its owner's private key",
    );
    assert!(said.contains(adopt) && said.contains(hand_out), "{said}");
    let said = succeed(above, "ca-tool renew dave");
    assert!(said.contains(adopt) && !said.contains(hand_out), "{said}");
    let said = succeed(above, "ca-tool renew erin");
    assert!(!said.contains("adopt") && said.contains(hand_out), "{said}");
    assert!(
        !fs::read_to_string(w.path("ca/people/dave.crt"))
            .expect("text")
            .contains("PRIVATE")
    );
    succeed(
        above,
        "ca-tool adopt ca/people/dave.crt --key first.pem --out .",
    );
    w.admit(&w.path("dave.pem")).expect("admitted");
    w.admit(&w.path("first.pem")).expect_err("superseded");
    // The owner of the key stays known from one renewal to the next.
    succeed(
        above,
        "ca-tool renew dave && ca-tool adopt ca/people/dave.crt --key dave.key --out third",
    );
    w.admit(&w.path("third/dave.pem")).expect("admitted");
}

#[test]
fn everybody_is_renewed_once_and_nobody_who_was_revoked() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool issue alice bob carol dave && ca-tool revoke bob && \
         ca-tool revoke dave --reason certificateHold",
    );
    let before = snapshot(above);
    let (code, _, err) = shell(above, "ca-tool renew --all");
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("there is no terminal to ask") && err.contains("--yes"),
        "{err}"
    );
    assert_eq!(snapshot(above), before);

    let all = "ca-tool renew --all --yes --until 2031-12-31";
    let said = succeed(above, all);
    for (name, renewed) in [
        ("alice", true),
        ("bob", false),
        ("carol", true),
        ("dave", false),
    ] {
        assert_eq!(
            said.contains(&format!("{name}  ca/people")),
            renewed,
            "{name}: {said}"
        );
    }
    for (name, good) in [
        ("alice", true),
        ("bob", false),
        ("carol", true),
        ("dave", false),
    ] {
        let bundle = w.path(&format!("ca/people/{name}.pem"));
        assert_eq!(w.admit(&bundle).is_ok(), good, "{name}");
    }
    let before = snapshot(above);
    let said = succeed(above, all);
    assert!(
        said.contains("2 people have a certificate that lasts as long already; skipped"),
        "{said}"
    );
    assert_eq!(snapshot(above), before);
    // With an overlap nobody is shut out, so nobody is asked.
    succeed(above, "ca-tool renew --all --until 2032-12-31 --overlap 7");
}

#[test]
fn people_on_hold_are_named_and_hold_up_nobody_else() {
    let w = World::new();
    let above = w.above.path();
    // Bob has two certificates, of which one is on hold, and dave one.
    succeed(
        above,
        "ca-tool issue alice bob carol dave && ca-tool renew bob --overlap 14 && \
         ca-tool revoke dave --reason certificateHold",
    );
    let records = w.ca.register().entries().expect("readable");
    let bob = records.iter().find(|record| record.name() == "bob");
    let bob = bob.expect("bob's").serial.to_string();
    succeed(
        above,
        &format!("ca-tool revoke --serial {bob} --reason certificateHold"),
    );
    let said = succeed(above, "ca-tool renew --all --yes --until 2031-12-31");
    assert!(
        said.contains("on hold, so not renewed: bob dave;"),
        "{said}"
    );
    for (name, renewed) in [("alice", 1), ("bob", 0), ("carol", 1), ("dave", 0)] {
        let line = format!("{name}  ca/people/{name}.pem");
        assert_eq!(said.matches(&line).count(), renewed, "{name}: {said}");
    }
    // By name they are refused, as before; off hold they are renewed.
    let (code, _, err) = shell(above, "ca-tool renew bob");
    assert_eq!(code, Some(1), "{err}");
    let said = succeed(
        above,
        "ca-tool unhold dave && ca-tool renew --all --yes --until 2031-12-31",
    );
    assert!(said.contains("dave  ca/people/dave.pem"), "{said}");
    assert!(said.contains("not renewed: bob;"), "{said}");
}

#[cfg(unix)]
#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn whoever_renews_everybody_at_a_terminal_is_asked_whether_that_is_meant() {
    require("python3");
    let w = World::new();
    w.issue("alice");
    let all = ["renew", "--all", "--until", "2032-12-31"];
    let before = snapshot(w.above.path());
    for answer in ["n", "", "what?"] {
        let (code, said) = type_in(w.above.path(), &[answer], &all);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("everybody's certificates would end now"),
            "{said}"
        );
        assert_eq!(snapshot(w.above.path()), before, "{answer}");
    }
    let (code, said) = type_in(w.above.path(), &["y"], &all);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("alice  ca/people/alice.pem"), "{said}");
}

#[test]
fn people_who_cannot_be_renewed_are_named_and_then_nobody_is_renewed() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool issue alice bob carol dave erin && ca-tool revoke bob && \
         ca-tool revoke carol --reason certificateHold",
    );
    let records = w.ca.register().entries().expect("readable");
    let dave = records.iter().find(|record| record.name() == "dave");
    let dave = dave.expect("dave's").serial.to_string().to_uppercase();
    succeed(
        above,
        &format!("rm ca/certs/{dave}.pem && echo mine >ca/people/erin.pem"),
    );
    let before = snapshot(above);
    for (line, code, why) in [
        (
            "renew alice bob carol",
            1,
            "argument 2: every certificate of \"bob\" was revoked; `ca-tool issue bob`",
        ),
        (
            "renew alice bob carol",
            1,
            "argument 3: \"carol\" is on hold; `ca-tool unhold carol`",
        ),
        ("renew alice dave", 1, "is missing or damaged"),
        (
            "renew alice erin",
            1,
            "erin.pem already exists; nothing is overwritten",
        ),
        (
            "renew alice frank",
            1,
            "\"frank\" was never issued a certificate",
        ),
        ("renew alice --until 2020-01-01", 1, "is in the past"),
        ("renew", 2, "required"),
        ("renew alice --all", 2, "cannot be used with"),
        ("renew localhost", 1, "never issued"),
    ] {
        let (said, out, err) = shell(above, &format!("ca-tool {line}"));
        assert_eq!((said, out.as_str()), (Some(code), ""), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert_eq!(snapshot(above), before, "{line}");
    }
}

#[test]
fn a_certificate_never_outlives_its_ca_by_being_renewed() {
    let w = World::new();
    w.issue("alice");
    let end: time::OffsetDateTime = w.ca.register().says().not_after.into();
    let options = IssueOptions {
        until: Some(end + Duration::days(400)),
        ..IssueOptions::default()
    };
    let whose = Whose::People(vec!["alice".to_owned()]);
    let done =
        w.ca.renew(&whose, Duration::ZERO, &options)
            .expect("renewed");
    assert_eq!(done.clamped, Some(end));
    assert_eq!(done.issued[0].not_after, end);
}

#[test]
#[ignore = "needs faketime: run with --include-ignored"]
fn an_overlap_that_is_over_and_could_not_be_ended_is_told_of() {
    require("faketime");
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "echo open sesame >pw && ca-tool --dir two init --name Two --passphrase-file pw --host localhost && \
         ca-tool --dir two issue ann --passphrase-file pw && \
         ca-tool --dir two renew ann --overlap 3 --passphrase-file pw",
    );
    let over = "the overlap of a renewal is over";
    let (code, said, _) = shell(above, "faketime -f +2d ca-tool --dir two status");
    // Until then it ends soon.
    assert!(code == Some(1) && !said.contains(over), "{said}");
    // A job that asks every night has no passphrase at hand.
    let (code, said, _) = shell(above, "faketime -f +5d ca-tool --dir two status");
    assert!(code == Some(3) && said.contains(over), "{said}");
    let (code, said, _) = shell(above, "faketime -f +5d ca-tool --dir two doctor");
    assert!(code == Some(1) && said.contains(over), "{said}");
    let opened = "faketime -f +5d ca-tool --dir two status --passphrase-file pw";
    let (code, said, _) = shell(above, opened);
    assert!(code == Some(0) && !said.contains(over), "{said}");
}
