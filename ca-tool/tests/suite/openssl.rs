//! OpenSSL checks the certificates and lists that ca-tool makes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use ca_tool::{Candidate, Host, IssueOptions, Reason};
use kit::require;

use crate::{World, succeed};

/// Runs `openssl` in the folder above the CA: whether it succeeded, and all that it printed.
fn openssl(w: &World, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .current_dir(w.above.path())
        .args(arguments)
        .output()
        .expect("openssl runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

#[track_caller]
fn content(w: &World, arguments: &[&str]) -> String {
    let (content, said) = openssl(w, arguments);
    assert!(content, "{arguments:?}: {said}");
    said
}

#[test]
#[ignore = "needs openssl and certtool: run with --include-ignored"]
fn openssl_verifies_what_is_issued_and_refuses_what_was_revoked() {
    require("openssl");
    require("certtool");
    let w = World::new();
    let mut zhang = Candidate::named(["张三"]);
    zhang[0].email = Some("zhang@example.org".to_owned());
    w.ca.issue(&zhang, &IssueOptions::default())
        .expect("issued");
    let verify = |purpose, file| {
        let arguments = [
            "verify",
            "-x509_strict",
            "-crl_check",
            "-CAfile",
            "ca/ca.pem",
            "-CRLfile",
            "ca/crl.pem",
            "-purpose",
            purpose,
            file,
        ];
        openssl(&w, &arguments)
    };
    let host = Host::parse("chat.example.org").expect("a host");
    w.ca.issue_server(&[host], None).expect("issued");
    let another = "ca/server-chat.example.org.pem";
    for file in ["ca/server.pem", another] {
        succeed(
            w.above.path(),
            &format!(
                "openssl x509 -in {file} >leaf && certtool --verify --load-ca-certificate ca/ca.pem \
                 --load-crl ca/crl.pem --verify-purpose 1.3.6.1.5.5.7.3.1 --infile leaf"
            ),
        );
    }
    for (purpose, file, good) in [
        ("sslserver", "ca/server.pem", true),
        ("sslserver", another, true),
        ("sslclient", another, false),
        ("sslclient", "ca/server.pem", false),
        ("sslclient", "ca/people/张三.pem", true),
        ("sslserver", "ca/people/张三.pem", false),
    ] {
        let (content, said) = verify(purpose, file);
        assert_eq!(content, good, "{purpose} {file}: {said}");
    }
    content(
        &w,
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca/ca.pem",
            "ca/ca.pem",
        ],
    );
    w.ca.revoke(&["张三".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    let (content, said) = verify("sslclient", "ca/people/张三.pem");
    assert!(!content && said.contains("certificate revoked"), "{said}");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_reads_the_keys_and_the_list() {
    require("openssl");
    let w = World::new();
    w.issue("alice");
    for file in ["ca/private/ca.key", "ca/server.pem", "ca/people/alice.pem"] {
        let said = content(&w, &["pkey", "-in", file, "-noout", "-text"]);
        assert!(said.contains("prime256v1"), "{said}");
    }
    w.ca.revoke(&["alice".to_owned()], Reason::Superseded)
        .expect("revoked");
    let list = [
        "crl",
        "-in",
        "ca/crl.pem",
        "-noout",
        "-text",
        "-CAfile",
        "ca/ca.pem",
    ];
    let said = content(&w, &list);
    for expected in ["verify OK", "Superseded", "X509v3 CRL Number", "Version 2"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("critical"), "{said}");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_ca_can_take_over() {
    require("openssl");
    let w = World::new();
    let reasons = Reason::ALL;
    for (number, reason) in reasons.into_iter().enumerate() {
        let name = format!("s{number}");
        w.issue(&name);
        w.ca.revoke(&[name], reason).expect("revoked");
    }
    let alice = w.issue("alice");
    let config = "[ca]\ndefault_ca = d\n[d]\ndatabase = ca/index.txt\ncertificate = ca/ca.pem\n\
                  private_key = ca/private/ca.key\nnew_certs_dir = ca/certs\n\
                  crlnumber = ca/crlnumber\ndefault_md = sha256\ndefault_crl_days = 30\n\
                  unique_subject = no\n";
    fs::write(w.path("openssl.cnf"), config).expect("written");
    let serial = alice.serial.to_string().to_uppercase();
    // It prints the status and then fails, whatever the status is.
    let (_, said) = openssl(&w, &["ca", "-config", "openssl.cnf", "-status", &serial]);
    assert!(said.contains(&format!("{serial}=Valid (V)")), "{said}");
    content(
        &w,
        &[
            "ca",
            "-config",
            "openssl.cnf",
            "-gencrl",
            "-out",
            "theirs.pem",
        ],
    );
    let said = content(&w, &["crl", "-in", "theirs.pem", "-noout", "-text"]);
    assert_eq!(said.matches("Serial Number").count(), reasons.len());

    // And back again: its revocations are on our next list, and the numbers continue from its own.
    let certificate = format!("ca/certs/{serial}.pem");
    content(
        &w,
        &["ca", "-config", "openssl.cnf", "-revoke", &certificate],
    );
    w.admit(&alice.bundle)
        .expect("our list is still the old one");
    let ca = ca_tool::Ca::open(w.ca.register().path()).expect("opens");
    w.admit(&alice.bundle).expect_err("and now the new one");
    let (_, theirs) = openssl(&w, &["crl", "-in", "theirs.pem", "-noout", "-crlnumber"]);
    let ours = ["crl", "-in", "ca/crl.pem", "-noout", "-crlnumber"];
    assert!(content(&w, &ours) > theirs);
    let people = ca.register().entries().expect("a database");
    assert_eq!(people.len(), reasons.len() + 2);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_logs_in_with_a_bundle_as_it_is() {
    require("openssl");
    let w = World::new();
    w.issue("alice");
    let mut server = Command::new("openssl")
        .current_dir(w.above.path())
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-naccept",
            "1",
            "-tls1_3",
        ])
        .args([
            "-cert",
            "ca/server.pem",
            "-key",
            "ca/server.pem",
            "-CAfile",
            "ca/server.pem",
        ])
        .args(["-Verify", "1", "-verify_return_error", "-x509_strict"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut said = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.starts_with("ACCEPT ") {
        line.clear();
        let bytes = said.read_line(&mut line).expect("UTF-8");
        assert_ne!(bytes, 0, "the server ended");
    }
    let address = line.trim_start_matches("ACCEPT ").trim();
    let bundle = "ca/people/alice.pem";
    let client = Command::new("openssl")
        .current_dir(w.above.path())
        .args([
            "s_client",
            "-connect",
            address,
            "-verify_return_error",
            "-x509_strict",
        ])
        .args(["-verify_hostname", "localhost", "-brief"])
        .args(["-cert", bundle, "-key", bundle, "-CAfile", bundle])
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    // Its input ends, so the server ends too, however the handshake went.
    drop(server.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("UTF-8");
    server.wait().expect("it ends");
    let told = String::from_utf8_lossy(&client.stderr);
    assert!(client.status.success(), "{told}");
    assert!(told.contains("Verification: OK"), "{told}");
    assert!(rest.contains("CN = alice, OU = student"), "{rest}");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_answers_ocsp_from_the_index() {
    require("openssl");
    let w = World::new();
    fs::write(
        w.path("class.csv"),
        "id,name\nalice,\"Liddell, Alice s/o X\"\n张三,\nbob,\n",
    )
    .expect("written");
    assert!(w.run(&["issue", "--roster", "class.csv"]).status.success());
    let revoke = ["revoke", "bob", "--reason", "keyCompromise"];
    assert!(w.run(&revoke).status.success());
    let withdrawn = ["revoke", "张三", "--reason", "privilegeWithdrawn"];
    assert!(w.run(&withdrawn).status.success());
    // Another CA's index, which contains none of them.
    let other = World::new();
    other.issue("alice");
    fs::copy(
        other.ca.register().path().join("index.txt"),
        w.path("other.txt"),
    )
    .expect("copied");
    for (name, index, status) in [
        ("alice", "ca/index.txt", "good"),
        ("bob", "ca/index.txt", "revoked"),
        ("张三", "ca/index.txt", "revoked"),
        ("alice", "other.txt", "unknown"),
    ] {
        let certificate = format!("ca/people/{name}.pem");
        let ask = format!("ocsp -issuer ca/ca.pem -cert {certificate}");
        let run = |line: &str| content(&w, &line.split(' ').collect::<Vec<_>>());
        run(&format!("{ask} -reqout ask.der"));
        let signer = "-CA ca/ca.pem -rsigner ca/ca.pem -rkey ca/private/ca.key";
        run(&format!(
            "ocsp -index {index} {signer} -reqin ask.der -respout answer.der"
        ));
        let said = run(&format!(
            "{ask} -respin answer.der -CAfile ca/ca.pem -no_nonce"
        ));
        assert!(said.contains("Response verify OK"), "{said}");
        assert!(said.contains(&format!("{certificate}: {status}")), "{said}");
        assert_eq!(
            said.contains("Reason: keyCompromise"),
            name == "bob",
            "{said}"
        );
    }
}
