//! PKCS#12 for browsers and key chains, as OpenSSL, NSS, GnuTLS and Python read it.

use std::fs;
use std::process::Stdio;

use kit::{python_with, require};

use crate::{World, shell, snapshot, stderr, stdout, succeed};

/// Writes the password that `export` printed into the file `password`.
fn keep_password(w: &World, said: &str) -> String {
    let line = said.lines().find(|line| line.starts_with("password"));
    let password = line.and_then(|line| line.split_whitespace().nth(1));
    let password = password.expect("a password").to_owned();
    fs::write(w.path("password"), format!("{password}\n")).expect("written");
    password
}

/// Asks OpenSSL, NSS, GnuTLS and Python whether they find this bundle's certificates and key in a p12.
fn check(w: &World, p12: &str, bundle: &str, password: &str) {
    for tool in ["openssl", "pk12util", "certtool"] {
        require(tool);
    }
    let above = w.above.path();
    let same = format!(
        "openssl pkcs12 -in {p12} -passin file:password -noenc -out all && \
         openssl pkey -in all -out one && openssl pkey -in {bundle} -out two && cmp one two && \
         openssl pkcs12 -in {p12} -passin file:password -nokeys -clcerts | openssl x509 >one && \
         openssl x509 -in {bundle} >two && cmp one two && \
         openssl pkcs12 -in {p12} -passin file:password -nokeys -cacerts | openssl x509 >one && \
         openssl x509 -in ca/ca.pem >two && cmp one two"
    );
    succeed(above, &same);
    let wrong = format!("openssl pkcs12 -in {p12} -passin pass:changeit -noout");
    assert_ne!(shell(above, &wrong).0, Some(0));
    let said = succeed(above, &format!("pk12util -l {p12} -W {password}"));
    assert!(
        said.contains("Certificate") && said.contains("Key"),
        "{said}"
    );
    let import = format!(
        "rm -rf nss && mkdir nss && certutil -N -d sql:nss --empty-password && \
         pk12util -i {p12} -d sql:nss -W {password} && certutil -K -d sql:nss && certutil -L -d sql:nss"
    );
    let said = succeed(above, &import);
    assert!(
        said.contains("PKCS12 IMPORT SUCCESSFUL") && said.contains("u,u,u"),
        "{said}"
    );
    let said = succeed(
        above,
        &format!("certtool --p12-info --inder --infile {p12} --password {password}"),
    );
    assert!(said.contains("BEGIN CERTIFICATE"), "{said}");
    let python = python_with("cryptography");
    let line = format!(
        "{python} -c 'from cryptography.hazmat.primitives.serialization import pkcs12 as p; \
         key, leaf, more = p.load_key_and_certificates(open(\"{p12}\", \"rb\").read(), b\"{password}\"); \
         assert key.public_key() == leaf.public_key() and len(more) == 1'"
    );
    succeed(above, &line);
}

#[test]
fn a_bundle_becomes_a_p12_that_only_its_owner_reads() {
    let w = World::new();
    let above = w.above.path();
    w.issue("s2024.017");
    let said = succeed(above, "umask 000; ca-tool export s2024.017 --p12");
    assert!(said.contains("ca/people/s2024.017.p12"), "{said}");
    keep_password(&w, &said);
    let mode = succeed(above, "stat -c %a ca/people/s2024.017.p12");
    assert_eq!(mode, "600\n");
}

#[test]
#[ignore = "needs openssl, pk12util, certtool and python3 with its module cryptography: run with --include-ignored"]
fn a_bundle_becomes_a_p12_that_every_key_chain_reads() {
    let w = World::new();
    let above = w.above.path();
    w.issue("s2024.017");
    let said = succeed(above, "umask 000; ca-tool export s2024.017 --p12");
    assert!(said.contains("ca/people/s2024.017.p12"), "{said}");
    let password = keep_password(&w, &said);
    let p12 = "ca/people/s2024.017.p12";
    assert_eq!(succeed(above, &format!("stat -c %a {p12}")), "600\n");
    check(&w, p12, "ca/people/s2024.017.pem", &password);
    let said = succeed(
        above,
        &format!("openssl pkcs12 -info -in {p12} -passin file:password -noout"),
    );
    for expected in ["PBES2", "AES-256-CBC", "hmacWithSHA256", "MAC: sha256"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
#[ignore = "needs openssl, pk12util, certtool and python3 with its module cryptography: run with --include-ignored"]
fn a_legacy_p12_is_made_for_systems_that_take_nothing_else() {
    let w = World::new();
    let above = w.above.path();
    w.issue("张三");
    let said = succeed(above, "ca-tool export 张三 --p12 --legacy --out browser");
    let password = keep_password(&w, &said);
    check(&w, "browser/张三.p12", "ca/people/张三.pem", &password);
    let said = succeed(
        above,
        "openssl pkcs12 -info -in browser/张三.p12 -passin file:password -noout",
    );
    for expected in ["pbeWithSHA1And3-KeyTripleDES-CBC", "MAC: sha1"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
#[ignore = "needs openssl, pk12util, certtool and python3 with its module cryptography: run with --include-ignored"]
fn a_bundle_is_exported_where_there_is_no_ca_and_whatever_kind_its_key_is() {
    require("openssl");
    let w = World::new();
    let above = w.above.path();
    for (who, key) in [
        ("rsa", "rsa:2048"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
    ] {
        let line = format!(
            "openssl req -new -noenc -newkey {key} -keyout {who}.key -out {who}.csr -subj /CN={who} && \
             ca-tool sign {who}.csr --as {who} && mkdir -p home && cd home && \
             ca-tool adopt ../ca/people/{who}.crt --key ../{who}.key --out . && ca-tool export {who}.pem --p12"
        );
        let said = succeed(above, &line);
        let password = keep_password(&w, &said);
        check(
            &w,
            &format!("home/{who}.p12"),
            &format!("home/{who}.pem"),
            &password,
        );
    }
}

#[test]
fn nothing_is_exported_that_is_no_bundle_or_would_take_the_place_of_something() {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    w.issue("bob");
    succeed(
        above,
        "ca-tool export alice --p12 && ln -s ../../target ca/people/bob.p12 && \
         ca-tool request dave && ca-tool sign dave.csr --as dave && echo junk >junk.pem",
    );
    let before = snapshot(above);
    for (line, code, why) in [
        ("export alice --p12", 1, "alice.p12 already exists"),
        ("export bob --p12", 1, "bob.p12 already exists"),
        (
            "export carol --p12",
            1,
            "\"carol\" was never issued a certificate; nothing was done",
        ),
        (
            "export dave --p12",
            1,
            "people who made their own key have their own bundle",
        ),
        ("export junk.pem --p12", 1, "it is not PEM"),
        (
            "export ca/ca.pem --p12",
            1,
            "it is the certificate of the CA",
        ),
        ("export ../x --p12", 1, "../x does not exist"),
        // --p12 need not be said.
        ("export alice", 1, "alice.p12 already exists"),
    ] {
        let (said, out, err) = shell(above, &format!("ca-tool {line}"));
        assert_eq!((said, out.as_str()), (Some(code), ""), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert_eq!(snapshot(above), before, "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_p12_whose_password_nobody_was_told_is_not_made() {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    let before = snapshot(above);
    let full = fs::File::options().write(true).open("/dev/full");
    // A reader that has gone does not learn it either.
    let (reader, pipe) = std::io::pipe().expect("a pipe");
    drop(reader);
    for place in [Stdio::from(full.expect("a device")), Stdio::from(pipe)] {
        let mut export = w.command(&["export", "alice", "--p12"]);
        let output = export.stdout(place).output().expect("it runs");
        let err = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(
            err.contains("ca/people/alice.p12 was not made: its password cannot be printed: "),
            "{err}"
        );
        assert_eq!(snapshot(above), before);
    }
    for nowhere in [">&-", ">/dev/null", "--json >&-"] {
        let (code, _, err) = shell(above, &format!("ca-tool export alice --p12 {nowhere}"));
        assert_eq!(code, Some(1), "{nowhere}: {err}");
        assert!(
            err.contains("its password cannot be printed: standard output is closed"),
            "{nowhere}: {err}"
        );
        assert_eq!(snapshot(above), before, "{nowhere}");
    }
    succeed(
        above,
        "ca-tool export alice --p12 && test -s ca/people/alice.p12",
    );
}

/// The first of two runs is delayed between the password and the file.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn of_two_exports_at_once_the_one_that_loses_says_no_password() {
    require("strace");
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    let (first, second) = std::thread::scope(|scope| {
        let slow = "linkat:delay_enter=3000000:when=2";
        let export = ["export", "alice", "--p12"];
        let first = scope.spawn(move || crate::crashes::strace(above, slow, &export));
        let is_begun = || fs::read_dir(w.path("ca/people")).is_ok_and(|all| all.count() > 1);
        while !is_begun() && !first.is_finished() {
            std::thread::yield_now();
        }
        let second = w.run(&export);
        (first.join().expect("it runs"), second)
    });
    let both = [&first, &second];
    for output in both {
        let said = !stdout(output).is_empty();
        assert_eq!(output.status.success(), said, "{}", stderr(output));
    }
    assert_eq!(both.iter().filter(|o| o.status.success()).count(), 1);
}
