//! Revoking: by person, by number, for each reason, and as a hold.

use ca_tool::{Candidate, IssueOptions, Reason, Which};

use crate::{Asked, World, shell, snapshot, stdout, succeed};

/// Returns the numbers of somebody's certificates, oldest first.
fn serials(w: &World, name: &str) -> Vec<String> {
    let records = w.ca.register().entries().expect("readable");
    let theirs = records.iter().filter(|record| record.name() == name);
    theirs.map(|record| record.serial.to_string()).collect()
}
#[test]
fn a_person_on_hold_is_kept_out_until_they_are_taken_off_hold() {
    hold_and_let_go(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_reads_that_a_person_is_on_hold() {
    hold_and_let_go(Asked::of(&["openssl"]));
}

fn hold_and_let_go(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    let alice = w.issue("alice").bundle;
    let bob = w.issue("bob").bundle;
    succeed(above, "ca-tool revoke bob");
    let said = succeed(
        above,
        "ca-tool revoke alice --reason certificateHold --note 'exam, room 3'",
    );
    assert!(said.contains("alice is on hold\n"), "{said}");
    let held = w.admit(&alice).expect_err("on hold").to_string();
    assert!(held.contains("is on hold"), "{held}");
    for (line, words, hint) in [
        (
            "ca-tool verify ca/people/alice.pem",
            "is on hold\n",
            "hint: `ca-tool unhold alice` lets them in again",
        ),
        (
            "ca-tool verify ca/people/bob.pem",
            "was revoked\n",
            "`ca-tool issue bob` makes one, if the person is still welcome",
        ),
        ("ca-tool show alice", "on hold since 2", ""),
        ("ca-tool show bob", "revoked 2", ""),
        ("ca-tool list --revoked", "on hold since 2", ""),
        ("ca-tool list --revoked", "(unspecified)", ""),
    ] {
        let (_, out, err) = shell(above, line);
        assert!(out.contains(words), "{line}: {out}");
        assert!(err.contains(hint), "{line}: {err}");
    }
    if asked.includes("openssl") {
        let said = succeed(
            above,
            "openssl crl -in ca/crl.pem -noout -text -CAfile ca/ca.pem",
        );
        assert!(
            said.contains("Certificate Hold") && said.contains("verify OK"),
            "{said}"
        );
    }
    // Another certificate is no way around it.
    let (code, _, err) = shell(above, "ca-tool issue alice");
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("\"alice\" is on hold; `ca-tool unhold alice`"),
        "{err}"
    );

    let said = succeed(above, "ca-tool unhold alice bob");
    assert!(said.contains("alice may enter again\n"), "{said}");
    assert!(
        said.contains("bob is not on hold; nothing was done"),
        "{said}"
    );
    w.admit(&alice).expect("in again");
    w.admit(&bob).expect_err("revoked for good");
    let before = snapshot(above);
    let said = succeed(above, "ca-tool unhold alice");
    assert!(said.contains("alice is not on hold"), "{said}");
    assert_eq!(snapshot(above), before);

    // A certificate on hold can be revoked for good; then there is no way back.
    succeed(above, "ca-tool revoke alice --reason certificateHold");
    succeed(above, "ca-tool revoke alice --reason keyCompromise");
    let said = succeed(above, "ca-tool unhold alice; ca-tool list");
    assert!(said.contains("(keyCompromise)"), "{said}");
    w.admit(&alice).expect_err("revoked");
    let before = snapshot(above);
    succeed(above, "ca-tool revoke alice --reason certificateHold");
    assert_eq!(snapshot(above), before);
}

#[test]
fn a_run_that_is_cut_short_while_it_takes_somebody_off_hold_leaves_them_on_hold() {
    let w = World::new();
    let alice = w.issue("alice").bundle;
    let hold = Which::people(["alice"]);
    w.ca.revoke_which(&hold, Reason::CertificateHold, None)
        .expect("on hold");
    let index = std::fs::read(w.path("ca/index.txt")).expect("an index");
    w.ca.unhold(&hold).expect("off hold");
    w.admit(&alice).expect("in");
    // As if the list had been written and the index had not.
    std::fs::write(w.path("ca/index.txt"), index).expect("written");
    assert!(w.ca.renew_list().expect("signed"));
    w.admit(&alice).expect_err("on hold");
    w.ca.unhold(&hold).expect("off hold");
    w.admit(&alice).expect("in");
}

#[test]
fn one_certificate_is_revoked_by_its_number_whoever_has_it() {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    let bob = w.issue("bob");
    succeed(above, "ca-tool renew alice --overlap 14 --out new");
    let [alice, _] = &serials(&w, "alice")[..] else {
        panic!("two certificates")
    };
    let before = snapshot(above);
    for (line, code, why) in [
        (format!("bob --serial {alice}"), 1, "belongs to \"alice\""),
        (
            format!("alice bob --serial {alice}"),
            1,
            "belongs to \"alice\"",
        ),
        (
            "alice --serial 0123".to_owned(),
            1,
            "no certificate has the number 0123",
        ),
        (
            format!("--serial {}", "01".repeat(21)),
            1,
            "no certificate has the number 0101",
        ),
        ("--serial xyz".to_owned(), 2, "hexadecimal"),
        (String::new(), 2, "required"),
        ("carol".to_owned(), 1, "never issued"),
        ("alice --note ''".to_owned(), 2, "1 to 256 bytes"),
    ] {
        let (said, _, err) = shell(above, &format!("ca-tool revoke {line}"));
        assert_eq!(said, Some(code), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert_eq!(snapshot(above), before, "{line}");
    }
    let said = succeed(
        above,
        &format!("ca-tool revoke alice --serial {}", alice.to_uppercase()),
    );
    assert!(said.contains("revoked the certificate of alice"), "{said}");
    w.admit(&w.path("ca/people/alice.pem"))
        .expect_err("revoked");
    w.admit(&w.path("new/alice.pem")).expect("not meant");
    w.admit(&bob.bundle).expect("not meant");

    // A server's certificate has a number too.
    let records = w.ca.register().entries().expect("readable");
    let server = records.iter().find(|record| record.person().is_none());
    let server = server.expect("the server's").serial.to_string();
    succeed(
        above,
        &format!("ca-tool revoke --serial {server} --reason superseded"),
    );
    let before = snapshot(above);
    let said = succeed(above, &format!("ca-tool revoke --serial {server}"));
    assert!(said.contains("nothing was done"), "{said}");
    assert_eq!(snapshot(above), before);
}
#[test]
fn a_key_that_turns_out_to_be_stolen_is_never_certified_again() {
    steal_a_key(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_reads_that_a_key_was_stolen() {
    steal_a_key(Asked::of(&["openssl"]));
}

fn steal_a_key(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request eva && ca-tool sign eva.csr --as eva && ca-tool revoke eva",
    );
    let said = succeed(
        above,
        "ca-tool revoke eva --reason keyCompromise --note stolen",
    );
    assert!(said.contains("revoked the certificate of eva"), "{said}");
    let records = w.ca.register().entries().expect("readable");
    let eva = records.iter().find(|record| record.name() == "eva");
    assert_eq!(eva.and_then(|record| record.note("note")), Some("stolen"));
    let said = succeed(above, "ca-tool list --revoked");
    assert!(said.contains("(keyCompromise)"), "{said}");
    if asked.includes("openssl") {
        let said = succeed(above, "openssl crl -in ca/crl.pem -noout -text");
        assert!(said.contains("Key Compromise"), "{said}");
    }
    let (code, _, err) = shell(above, "ca-tool sign eva.csr --as eva");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("it was revoked as compromised"), "{err}");
    // It happens once, and no other reason replaces it.
    let before = snapshot(above);
    for reason in ["keyCompromise", "superseded", "certificateHold"] {
        let said = succeed(above, &format!("ca-tool revoke eva --reason {reason}"));
        assert!(said.contains("nothing was done"), "{said}");
        assert_eq!(snapshot(above), before);
    }
}

#[test]
fn with_a_stolen_key_every_certificate_for_it_is_revoked_and_no_other() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request eva && ca-tool sign eva.csr --as eva && ca-tool renew eva --overlap 14 && \
         ca-tool issue bob && ca-tool renew bob",
    );
    let [old, _] = &serials(&w, "eva")[..] else {
        panic!("two certificates")
    };
    let line = format!("ca-tool revoke --serial {old} --reason keyCompromise");
    let said = succeed(above, &line);
    assert!(said.contains("revoked 2 certificates of eva"), "{said}");
    for line in ["ca-tool renew eva", "ca-tool sign eva.csr --as eva"] {
        let (code, _, err) = shell(above, line);
        assert_eq!(code, Some(1), "{line}: {err}");
    }
    // Keys that are made here are new each time, so the one before is not in question.
    let said = succeed(above, "ca-tool revoke bob --reason keyCompromise");
    assert!(said.contains("revoked the certificate of bob"), "{said}");
    let said = succeed(above, "ca-tool list --revoked");
    assert!(said.contains("(superseded)"), "{said}");
}

#[test]
fn a_stolen_key_is_known_again_when_its_certificates_are_lost() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request eva && ca-tool sign eva.csr --as eva && ca-tool renew eva --overlap 14 && \
         ca-tool request bob && rm ca/certs/*",
    );
    let [old, _] = &serials(&w, "eva")[..] else {
        panic!("two certificates")
    };
    let line = format!("ca-tool revoke --serial {old} --reason keyCompromise");
    let said = succeed(above, &line);
    assert!(said.contains("revoked 2 certificates of eva"), "{said}");
    for (line, why) in [
        ("sign eva.csr --as eva", "it was revoked as compromised"),
        ("sign eva.csr --as mallory", "it is that of \"eva\""),
    ] {
        let (code, _, err) = shell(above, &format!("ca-tool {line}"));
        assert_eq!(code, Some(1), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
    }
    succeed(above, "ca-tool sign bob.csr --as bob");
}

#[test]
fn where_a_key_cannot_be_told_nothing_is_certified_and_all_that_may_have_it_is_revoked() {
    let w = World::new();
    let above = w.above.path();
    // As earlier versions wrote it, which looked for keys only in certs/.
    let forget = "sed -i 's/keyhash=[0-9a-f]*;key/key/; s/keyhash=[0-9a-f]*/unknown/' ca/index.txt";
    succeed(
        above,
        &format!(
            "ca-tool request eva && ca-tool sign eva.csr --as eva && ca-tool renew eva --overlap 14 && \
             ca-tool issue alice && ca-tool request bob && {forget} && ca-tool sign bob.csr --as bob"
        ),
    );
    let [old, _] = &serials(&w, "eva")[..] else {
        panic!("two certificates")
    };
    let eva = old.to_uppercase();
    succeed(above, &format!("mv ca/certs/{eva}.pem lost.pem"));
    for line in ["sign eva.csr --as mallory", "sign eva.csr --as eva"] {
        let (code, _, err) = shell(above, &format!("ca-tool {line}"));
        assert_eq!(code, Some(1), "{line}: {err}");
        let why = "it is missing or damaged, so the key of \"eva\" is unknown";
        assert!(err.contains(why), "{line}: {err}");
    }
    succeed(above, "rm ca/certs/*");
    let line = format!("ca-tool revoke --serial {old} --reason keyCompromise");
    let said = succeed(above, &line);
    assert!(said.contains("revoked 2 certificates of eva"), "{said}");
    let records = w.ca.register().entries().expect("readable");
    let revoked = records.iter().filter(|record| record.revoked.is_some());
    assert_eq!(revoked.count(), 2);
}

#[test]
fn a_renewal_does_not_certify_a_key_that_was_revoked_as_compromised() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request eva && ca-tool sign eva.csr --as eva && ca-tool renew eva --overlap 14",
    );
    // As earlier versions left it, which revoked one certificate of the two.
    let index = std::fs::read_to_string(w.path("ca/index.txt")).expect("an index");
    succeed(above, "ca-tool revoke eva --reason keyCompromise");
    let revoked = std::fs::read_to_string(w.path("ca/index.txt")).expect("an index");
    let last = |text: &str| text.lines().last().expect("a line").to_owned();
    let mixed = revoked.replace(&last(&revoked), &last(&index));
    std::fs::write(w.path("ca/index.txt"), mixed).expect("written");
    std::fs::remove_file(w.path("ca/crl.pem")).expect("removed");
    let (code, _, err) = shell(above, "ca-tool renew eva");
    assert_eq!(code, Some(1), "{err}");
    let why = "the key of \"eva\" was revoked as compromised";
    assert!(err.contains(why), "{err}");
}

#[test]
fn why_somebody_was_revoked_is_kept_beside_it() {
    let w = World::new();
    w.ca.issue(
        &Candidate::named(["alice", "bob"]),
        &IssueOptions::default(),
    )
    .expect("issued");
    let note = "said: \"lost; stolen?\" 100% \\ 手机";
    let which = Which::people(["alice"]);
    w.ca.revoke_which(&which, Reason::KeyCompromise, Some(note))
        .expect("revoked");
    let noted = |name: &str| {
        let records = w.ca.register().entries().expect("readable");
        let record = records.iter().find(|record| record.name() == name);
        record.and_then(|record| record.note("note").map(str::to_owned))
    };
    assert_eq!(noted("alice").as_deref(), Some(note));
    assert_eq!(noted("bob"), None);
    // The first note stays.
    w.ca.revoke_which(&which, Reason::Superseded, Some("again"))
        .expect("no error");
    assert_eq!(noted("alice").as_deref(), Some(note));
    assert!(stdout(&w.run(&["list"])).contains("keyCompromise"));
}
