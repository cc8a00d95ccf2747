//! A folder that was restored from an old copy does not readmit people who were revoked later.

use std::fs;
use std::path::Path;

use ca_tool::{Reason, Which};
use kit::require;

use crate::{Asked, World, shell, snapshot, stdout, succeed};

/// Copies the CA's folder, while the CA stays in use.
fn copy(w: &World) {
    succeed(w.above.path(), "cp -a ca copy");
}

/// Puts the copy in the folder's place.
fn put_back(w: &World) {
    succeed(
        w.above.path(),
        "cp ca/crl.pem server-has.pem && rm -r ca && mv copy ca",
    );
}

fn number(folder: &Path, file: &str) -> u128 {
    let said = succeed(folder, &format!("ca-tool show {file} --json"));
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let number = said[0]["number"].as_str().expect("a number");
    u128::from_str_radix(number, 16).expect("hexadecimal")
}
#[test]
fn people_revoked_after_a_copy_stay_out_once_the_servers_list_is_merged() {
    merge_the_servers_list(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_reads_a_list_that_was_merged() {
    merge_the_servers_list(Asked::of(&["openssl"]));
}

fn merge_the_servers_list(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool issue alice bob carol && ca-tool revoke carol",
    );
    copy(&w);
    succeed(
        above,
        "ca-tool issue dave && cp ca/people/dave.pem . && ca-tool revoke dave && \
         ca-tool revoke alice --reason superseded && ca-tool revoke carol --reason keyCompromise",
    );
    put_back(&w);
    w.admit(&w.path("ca/people/alice.pem"))
        .expect("the copy knows nothing of it");
    let (code, said, _) = shell(above, "ca-tool doctor --crl server-has.pem");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("has 3 revocations that the index lacks")
            && said.contains("fix: `ca-tool crl --merge 'server-has.pem'`"),
        "{said}"
    );
    let said = succeed(above, "ca-tool crl --merge server-has.pem");
    assert!(
        said.contains("added 3 revocations") && said.contains("3 revoked"),
        "{said}"
    );
    for name in ["ca/people/alice.pem", "ca/people/carol.pem", "dave.pem"] {
        w.admit(&w.path(name)).expect_err("revoked");
    }
    w.admit(&w.path("ca/people/bob.pem")).expect("not meant");
    assert!(number(above, "ca/crl.pem") > number(above, "server-has.pem"));
    let listed = stdout(&w.run(&["list", "--revoked"]));
    for (name, reason) in [
        ("alice", "superseded"),
        ("carol", "keyCompromise"),
        // Nothing in the copy names its owner.
        ("unknown", "unspecified"),
    ] {
        let line = listed.lines().find(|line| line.starts_with(name));
        assert!(line.is_some_and(|line| line.contains(reason)), "{listed}");
    }
    if asked.includes("openssl") {
        let said = succeed(
            above,
            "openssl crl -in ca/crl.pem -noout -text -CAfile ca/ca.pem && \
             openssl x509 -in dave.pem -out dave.crt && \
             ! openssl verify -crl_check -CAfile ca/ca.pem -CRLfile ca/crl.pem dave.crt",
        );
        for word in [
            "verify OK",
            "Superseded",
            "Key Compromise",
            "certificate revoked",
        ] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    // Once is enough, and then everything is well.
    let index = fs::read(w.path("ca/index.txt")).expect("an index");
    let said = succeed(
        above,
        "ca-tool doctor --crl server-has.pem && ca-tool crl --merge server-has.pem",
    );
    assert!(
        said.contains("has nothing that this folder lacks"),
        "{said}"
    );
    assert!(
        said.contains("every revocation on that list was known already"),
        "{said}"
    );
    assert_eq!(fs::read(w.path("ca/index.txt")).expect("an index"), index);
}
#[test]
fn only_a_whole_list_of_this_ca_is_merged() {
    merge_only_whole_lists(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_list_that_openssl_wrote_as_der_is_merged() {
    merge_only_whole_lists(Asked::of(&["openssl"]));
}

fn merge_only_whole_lists(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool --dir other init --name 'Networks 101' --no-passphrase && cp other/crl.pem other.pem && \
         cat ca/crl.pem ca/crl.pem >two.pem && head -n 5 ca/crl.pem >cut.pem && : >empty.pem",
    );
    let before = snapshot(above);
    for (file, why) in [
        ("other.pem", "it was not signed by this CA"),
        ("two.pem", "it holds more than one revocation list"),
        (
            "cut.pem",
            "PEM section 1 (X509 CRL) in it is damaged: its line '-----END ...' is missing",
        ),
        ("empty.pem", "it is empty"),
        (
            "ca/ca.pem",
            "it holds no revocation list, only: CERTIFICATE",
        ),
        ("none.pem", "cannot read none.pem"),
    ] {
        let (code, _, err) = shell(above, &format!("ca-tool crl --merge {file}"));
        assert_eq!(code, Some(1), "{file}: {err}");
        assert!(err.contains(why), "{file}: {err}");
        assert_eq!(snapshot(above), before, "{file}");
    }
    if asked.includes("openssl") {
        succeed(
            above,
            "openssl crl -in ca/crl.pem -outform der -out crl.der && ca-tool crl --merge crl.der",
        );
    }
}

#[test]
fn an_index_that_was_put_back_alone_learns_from_the_list_beside_it() {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    w.issue("bob");
    succeed(above, "cp ca/index.txt old.txt");
    succeed(
        above,
        "ca-tool issue dave erin && ca-tool revoke dave --reason keyCompromise && \
         ca-tool revoke alice --reason certificateHold",
    );
    let put_back = "cp old.txt ca/index.txt";
    let said = succeed(above, &format!("{put_back} && ca-tool list --revoked"));
    assert!(
        said.contains("added 2 revocations from ca/crl.pem that ca/index.txt lacked"),
        "{said}"
    );
    // All certificates are there, and name their owners.
    assert!(said.contains("dave") && !said.contains("unknown"), "{said}");
    w.admit(&w.path("ca/people/dave.pem")).expect_err("revoked");
    w.admit(&w.path("ca/people/alice.pem"))
        .expect_err("on hold");
    // A person who got a certificate meanwhile is in the room, and not in the index.
    let (code, said, _) = shell(above, "ca-tool doctor");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("it lacks 1 of the certificates in certs/"),
        "{said}"
    );
    let erin = pki::Bundle::read(&w.path("ca/people/erin.pem")).expect("a bundle");
    let erin = erin.certificate().serial;
    succeed(above, &format!("ca-tool revoke --serial {erin}"));
    w.admit(&w.path("ca/people/erin.pem")).expect_err("revoked");
    succeed(above, "ca-tool unhold alice && ca-tool doctor");
    w.admit(&w.path("ca/people/alice.pem")).expect("in again");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn without_the_key_the_index_and_the_list_are_compared_and_left() {
    require("openssl");
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    succeed(above, "cp ca/index.txt old.txt && ca-tool revoke alice");
    succeed(
        above,
        "cp old.txt ca/index.txt && \
         openssl pkcs8 -topk8 -v2 aes256 -in ca/private/ca.key -passout pass:sesame -out locked && \
         mv locked ca/private/ca.key && chmod 600 ca/private/ca.key && echo sesame >sesame",
    );
    let before = snapshot(above);
    let (code, said, _) = shell(above, "ca-tool status");
    assert_eq!(code, Some(3), "{said}");
    let fault = "the index lacks 1 revocation from the revocation list";
    assert!(said.contains(fault), "{said}");
    let (code, said, _) = shell(above, "ca-tool doctor");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(fault) && said.contains("fix: `ca-tool crl`"),
        "{said}"
    );
    assert_eq!(snapshot(above), before);
    succeed(
        above,
        "ca-tool crl --passphrase-file sesame && ca-tool status && ca-tool doctor",
    );
}
#[test]
fn a_reason_that_a_run_cut_short_did_not_bring_to_the_list_is_brought_by_the_next() {
    cut_a_reason_short(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_reads_the_reason_that_the_next_run_brought() {
    cut_a_reason_short(Asked::of(&["openssl"]));
}

fn cut_a_reason_short(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    let alice = Which::people(["alice"]);
    let revoke = |reason| w.ca.revoke_which(&alice, reason, None).expect("revoked");
    revoke(Reason::Superseded);
    let list = fs::read(w.ca.register().revocation_list()).expect("a list");
    revoke(Reason::KeyCompromise);
    let reason = || {
        let said = succeed(above, "openssl crl -in ca/crl.pem -noout -text");
        said.contains("Key Compromise")
    };
    fs::write(w.ca.register().revocation_list(), list).expect("written");
    if asked.includes("openssl") {
        assert!(!reason());
    }
    let said = succeed(above, "ca-tool list");
    assert!(said.contains("crl.pem was signed again"), "{said}");
    if asked.includes("openssl") {
        assert!(reason());
    }
    let said = succeed(above, "ca-tool list");
    assert!(!said.contains("was signed again"), "{said}");
}
#[test]
fn a_number_that_the_index_does_not_know_is_revoked_all_the_same() {
    revoke_an_unknown_number(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_says_of_an_unknown_number_that_it_is_revoked() {
    revoke_an_unknown_number(Asked::of(&["openssl"]));
}

fn revoke_an_unknown_number(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    w.issue("carol");
    let said = succeed(above, "ca-tool revoke carol");
    assert!(!said.contains("joins"), "{said}");
    copy(&w);
    let alice = w.issue("alice");
    succeed(above, "cp ca/people/alice.pem .");
    put_back(&w);
    w.admit(&w.path("alice.pem")).expect("this CA signed it");
    let serial = alice.serial.to_string();
    let revoke = format!("ca-tool revoke --serial {serial}");
    let said = succeed(
        above,
        &format!("{revoke} --reason superseded --note 'old laptop'"),
    );
    assert!(
        said.contains("no certificate with that number is known here"),
        "{said}"
    );
    w.admit(&w.path("alice.pem")).expect_err("revoked");
    let records = w.ca.register().entries().expect("readable");
    let record = records.last().expect("a record");
    assert!(record.is_unseen());
    assert_eq!(
        (record.name(), record.note("note"), record.person()),
        ("unknown", Some("old laptop"), None)
    );
    let before = snapshot(above);
    let said = succeed(above, &revoke);
    assert!(said.contains("nothing was done"), "{said}");
    assert_eq!(snapshot(above), before);
    succeed(above, &format!("{revoke} --reason keyCompromise"));
    let said = succeed(
        above,
        "ca-tool list --revoked && ca-tool doctor && ca-tool status",
    );
    assert!(said.contains("(keyCompromise)"), "{said}");
    // A person revoked by name may have another certificate, of which nothing is known here.
    w.issue("bob");
    let said = succeed(above, "ca-tool revoke bob");
    assert!(
        said.contains("the table joins in the server's database has"),
        "{said}"
    );
    if asked.includes("openssl") {
        // OpenSSL reads what stands in the index.
        succeed(
            above,
            &format!(
                "openssl ocsp -index ca/index.txt -CA ca/ca.pem -issuer ca/ca.pem -serial 0x{serial} \
                 -rsigner ca/ca.pem -rkey ca/private/ca.key -reqout q.der -no_nonce && \
                 openssl ocsp -index ca/index.txt -CA ca/ca.pem -rsigner ca/ca.pem \
                 -rkey ca/private/ca.key -reqin q.der -respout a.der && \
                 openssl ocsp -respin a.der -noverify -text | grep -q 'Cert Status: revoked'"
            ),
        );
    }
}

#[test]
fn an_old_list_puts_nobody_back_on_hold_who_was_taken_off_it() {
    let w = World::new();
    let above = w.above.path();
    w.issue("bob");
    w.issue("carol");
    succeed(
        above,
        "ca-tool revoke bob --reason certificateHold && cp ca/crl.pem held.pem && ca-tool unhold bob",
    );
    let bob = w.path("ca/people/bob.pem");
    w.admit(&bob).expect("off hold");
    let said = succeed(above, "ca-tool doctor --crl held.pem");
    assert!(
        said.contains(
            "held.pem is older than the one in this folder, and has nothing that this folder lacks"
        ) && said.contains("fix: cp 'ca/crl.pem' 'held.pem'")
            && !said.contains("put back"),
        "{said}"
    );
    let said = succeed(above, "ca-tool crl --merge held.pem");
    assert!(
        said.contains("every revocation on that list was known already"),
        "{said}"
    );
    w.admit(&bob).expect("still off hold");

    // The same list in place of the folder's own lasts until the next run.
    succeed(above, "cp held.pem ca/crl.pem");
    w.admit(&bob).expect_err("on that list");
    let said = succeed(above, "ca-tool list");
    assert!(said.contains("was signed again"), "{said}");
    w.admit(&bob).expect("off hold");
    succeed(above, "cp held.pem ca/crl.pem && ca-tool revoke carol");
    w.admit(&bob).expect("off hold");
}

#[test]
fn a_roster_does_not_bring_back_whose_renewed_certificate_was_revoked_after_the_copy() {
    let w = World::new();
    let above = w.above.path();
    fs::write(w.path("class.csv"), "id\nbob\n").expect("written");
    succeed(above, "ca-tool issue --roster class.csv");
    copy(&w);
    succeed(
        above,
        "ca-tool renew bob --yes && ca-tool revoke bob --reason privilegeWithdrawn",
    );
    put_back(&w);
    succeed(above, "ca-tool crl --merge server-has.pem");
    let said = succeed(above, "ca-tool issue --roster class.csv");
    assert!(
        said.contains("skipped bob: the replacement of their certificate is unknown here")
            && said.contains("To issue another: `ca-tool issue bob`"),
        "{said}"
    );
    w.admit(&w.path("ca/people/bob.pem")).expect_err("revoked");
    succeed(above, "ca-tool issue bob");
    w.admit(&w.path("ca/people/bob.pem")).expect("meant");
}
