//! What the commands that report say, and their exit codes.

use std::fs;
use std::process::Command;

use ca_tool::Reason;
use serde_json::Value;

use crate::{World, stderr, stdout};

fn json(w: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = w.run(arguments);
    let said = serde_json::from_str(&stdout(&output));
    let said = said.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    (output.status.code(), said)
}

#[test]
fn verify_says_what_the_gate_would() {
    let (w, other) = (World::new(), World::new());
    for name in ["alice", "bob", "carol"] {
        w.issue(name);
    }
    fs::copy(w.ca.revocation_list(), w.path("before.pem")).expect("copied");
    w.ca.revoke(&["bob".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    let stranger = other.issue("alice");
    fs::copy(stranger.bundle, w.path("stranger.pem")).expect("copied");
    // Two people's files in one, as by a wrong paste.
    let (alice, carol) = (
        w.ca.people().join("alice.pem"),
        w.ca.people().join("carol.pem"),
    );
    let (alice, carol) = (
        fs::read_to_string(alice).expect("a bundle"),
        fs::read_to_string(carol).expect("a bundle"),
    );
    let (_, her_key) = carol.rsplit_once("-----BEGIN PRIVATE").expect("a key");
    let (hers, _) = alice.rsplit_once("-----BEGIN PRIVATE").expect("a key");
    fs::write(
        w.path("mixed.pem"),
        format!("{hers}-----BEGIN PRIVATE{her_key}"),
    )
    .expect("written");
    fs::write(w.path("alone.pem"), hers).expect("written");
    for (arguments, code, expected) in [
        (
            &["ca/people/alice.pem"][..],
            0,
            "admitted as alice (student), until 2",
        ),
        (&["alone.pem"], 0, "admitted as alice"),
        (&["ca/people/bob.pem"], 1, "not admitted: the certificate "),
        (
            &["ca/people/bob.pem", "--crl", "before.pem"],
            0,
            "admitted as bob",
        ),
        (
            &["ca/people/alice.pem", "--strict-revocation"],
            0,
            "admitted",
        ),
        (&["ca/server.pem"], 1, "not one for a person"),
        (&["ca/ca.pem"], 1, "not admitted"),
        (&["stranger.pem"], 1, "not admitted"),
        (&["mixed.pem"], 1, "not admitted: "),
        (&["ca/index.txt"], 1, ""),
        (&["nowhere.pem"], 1, ""),
        (&["ca/people/alice.pem", "--crl", "ca/ca.pem"], 1, ""),
    ] {
        let output = w.run(&[&["verify"], arguments].concat());
        let (said, notes) = (stdout(&output), stderr(&output));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {said}{notes}"
        );
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
        assert_eq!(said.is_empty(), notes.contains("error: "), "{notes}");
        // The library's own gate is of the same mind.
        if let [bundle] = arguments
            && said.contains("admitted as")
            && bundle.starts_with("ca/")
        {
            w.admit(&w.path(bundle)).expect("admitted");
        }
    }
    let (code, said) = json(&w, &["verify", "ca/people/bob.pem", "--json"]);
    assert_eq!((code, &said["admitted"]), (Some(1), &Value::Bool(false)));
    assert!(
        said["reason"]
            .as_str()
            .expect("a reason")
            .contains("was revoked")
    );
    let (code, said) = json(&w, &["verify", "ca/people/alice.pem", "--json"]);
    assert_eq!((code, said["id"].as_str()), (Some(0), Some("alice")));
}

#[test]
fn crl_signs_the_list_again_under_a_higher_number() {
    let w = World::new();
    w.issue("alice");
    w.ca.revoke(&["alice".to_owned()], Reason::Superseded)
        .expect("revoked");
    let number = |said: &Value| {
        let number = said["number"].as_str().expect("a number");
        u64::from_str_radix(number, 16).expect("hexadecimal")
    };
    let (code, first) = json(&w, &["crl", "--json"]);
    assert_eq!((code, &first["revoked"]), (Some(0), &Value::from(1)));
    let said = stdout(&w.run(&["crl"]));
    assert!(said.starts_with("signed ca"), "{said}");
    let (_, third) = json(&w, &["crl", "--json"]);
    assert_eq!(number(&third), number(&first) + 2);
    let (_, shown) = json(&w, &["show", "ca/crl.pem", "--json"]);
    assert_eq!(shown[0]["number"], third["number"]);
}

#[test]
fn a_request_and_an_encrypted_key_are_shown_in_words() {
    if !crate::openssl::is_here() {
        return;
    }
    let w = World::new();
    let mut openssl = Command::new("openssl");
    let made = openssl.current_dir(w.above.path()).args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-passout",
        "pass:secret",
        "-keyout",
        "eve.key",
        "-out",
        "eve.csr",
        "-subj",
        "/CN=eve",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "subjectAltName=DNS:chat.example",
    ]);
    let made = made.output().expect("openssl runs");
    assert!(made.status.success(), "{}", stderr(&made));
    let said = stdout(&w.run(&["show", "eve.csr"]));
    for expected in [
        "request for a certificate by \"eve\"",
        "P-384",
        "good: whoever made it has the key",
        "to sign certificates itself",
        "chat.example",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // One bit of the signature, and nobody knows who made it.
    let mut der = pem_body(&fs::read_to_string(w.path("eve.csr")).expect("a request"));
    *der.last_mut().expect("a byte") ^= 1;
    fs::write(w.path("bad.csr"), der).expect("written");
    let said = stdout(&w.run(&["show", "bad.csr"]));
    assert!(said.contains("does not hold"), "{said}");
    let said = stdout(&w.run(&["show", "eve.key"]));
    assert_eq!(said, "private key, encrypted: keep this file to yourself\n");
}

fn pem_body(text: &str) -> Vec<u8> {
    use rustls::pki_types::CertificateSigningRequestDer;
    use rustls::pki_types::pem::PemObject as _;

    CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
        .expect("a request")
        .to_vec()
}
