//! Certificates for keys that never leave their owners' machines: `request`, `sign` and `adopt`, and
//! requests that other programs made.

use std::fs;

use kit::{python_with, require};
use pki::Bundle;

use crate::{Asked, World, shell, snapshot, succeed};

/// Makes a request with OpenSSL: `who.key` and `who.csr`.
fn openssl_request(w: &World, who: &str, key: &str, more: &str) {
    let line = format!(
        "openssl req -new -noenc -newkey {key} -keyout {who}.key -out {who}.csr -subj /CN={who} {more}"
    );
    succeed(w.above.path(), &line);
}

/// Asks the gate, and whoever else is asked, whether an answer lets its owner in, joined with its key.
#[track_caller]
fn check_joined(w: &World, who: &str, asked: Asked) {
    let above = w.above.path();
    succeed(
        above,
        &format!("ca-tool adopt ca/people/{who}.crt --key {who}.key --out ."),
    );
    let bundle = w.path(&format!("{who}.pem"));
    let identity = w.admit(&bundle).expect("admitted");
    assert_eq!(identity.id().as_str(), who);
    if asked.includes("openssl") {
        let verify = format!(
            "openssl verify -x509_strict -crl_check -purpose sslclient -CAfile {who}.pem -CRLfile ca/crl.pem {who}.pem \
             && openssl pkey -in {who}.pem -pubout >one && openssl x509 -in {who}.pem -noout -pubkey | cmp - one"
        );
        succeed(above, &verify);
    }
    if asked.includes("certtool") {
        let verify = format!(
            "openssl x509 -in {who}.pem >leaf && certtool --verify --load-ca-certificate ca/ca.pem \
             --load-crl ca/crl.pem --infile leaf"
        );
        succeed(above, &verify);
    }
}
#[test]
fn a_key_is_made_where_there_is_no_ca_and_its_answer_is_joined_with_it() {
    request_and_join(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl and certtool: run with --include-ignored"]
fn openssl_and_gnutls_read_a_request_and_its_key() {
    request_and_join(Asked::of(&["openssl", "certtool"]));
}

fn request_and_join(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    let said = succeed(
        above,
        "mkdir home && cd home && umask 000 && ca-tool request 张三",
    );
    assert!(
        said.contains("张三.key") && said.contains("张三.csr"),
        "{said}"
    );
    let mode = succeed(above, "stat -c %a home/张三.key home/张三.csr");
    assert_eq!(mode, "600\n644\n");
    if asked.includes("openssl") {
        let said = succeed(
            above,
            "openssl req -in home/张三.csr -verify -noout -text -nameopt utf8",
        );
        assert!(
            said.contains("verify OK") && said.contains("张三"),
            "{said}"
        );
        succeed(above, "openssl pkey -in home/张三.key -noout");
    }
    if asked.includes("certtool") {
        let said = succeed(above, "certtool --crq-info --infile home/张三.csr");
        assert!(said.contains("Self signature: verified"), "{said}");
    }
    let sent = "cp home/张三.csr sent.csr && ca-tool sign sent.csr --as 张三 --role instructor --server chat.example:99";
    let said = succeed(above, sent);
    assert!(
        said.contains("ca/people/张三.crt") && !said.contains("also asks"),
        "{said}"
    );
    let answer = fs::read_to_string(w.path("ca/people/张三.crt")).expect("an answer");
    assert!(!answer.contains("PRIVATE"), "{answer}");
    assert_eq!(answer.matches("-----BEGIN CERTIFICATE-----").count(), 2);

    let said = succeed(
        above,
        "cd home && cp ../ca/people/张三.crt . && ca-tool adopt 张三.crt --key 张三.key",
    );
    let fingerprint = w.ca.register().says().fingerprint.to_string();
    assert!(said.contains(&fingerprint), "{said}");
    assert_eq!(succeed(above, "stat -c %a home/张三.pem"), "600\n");
    let bundle = w.path("home/张三.pem");
    let identity = w.admit(&bundle).expect("admitted");
    assert_eq!(
        (identity.id().as_str(), identity.role().as_str()),
        ("张三", "instructor")
    );
    let read = Bundle::read(&bundle).expect("a bundle");
    assert_eq!(read.note("server"), Some("chat.example:99"));

    // A second time changes nothing.
    let before = snapshot(above);
    for (line, code, why) in [
        ("ca-tool sign sent.csr --as 张三", 0, "for this key until"),
        (
            "cd home && ca-tool request 张三",
            1,
            "张三.key already exists",
        ),
        (
            "cd home && ca-tool adopt 张三.crt --key 张三.key",
            0,
            "it replaced the bundle with the same key",
        ),
    ] {
        let (said, _, err) = shell(above, line);
        assert_eq!(said, Some(code), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert_eq!(snapshot(above), before, "{line}");
    }
}

#[test]
fn a_renewed_answer_takes_the_place_of_the_bundle_with_the_same_key_and_of_nothing_else() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request dave && ca-tool sign dave.csr --as dave --out sent
         cp sent/dave.crt first.crt
         ca-tool adopt sent/dave.crt --key dave.key --out .",
    );
    let until = || {
        let bundle = Bundle::read(&w.path("dave.pem")).expect("a bundle");
        bundle.certificate().not_after
    };
    let first = until();
    succeed(above, "ca-tool renew dave --until 2030-01-01");
    let adopt = "ca-tool adopt ca/people/dave.crt --key dave.key --out .";
    let said = succeed(above, adopt);
    assert!(said.contains("it replaced the bundle"), "{said}");
    assert!(until() > first);
    w.admit(&w.path("dave.pem")).expect("admitted");
    let mode = succeed(above, "stat -c %a dave.pem");
    assert_eq!(mode, "600\n");

    // Nothing else is replaced.
    let first = "ca-tool adopt first.crt --key dave.key --out .";
    let (code, _, err) = shell(above, first);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("holds a newer certificate"), "{err}");
    w.admit(&w.path("dave.pem")).expect("still admitted");
    succeed(
        above,
        "ca-tool request erin && ca-tool sign erin.csr --as erin --out sent
         mkdir other && cd other && ca-tool request erin
         ca-tool --dir ca init --name Other --no-passphrase
         ca-tool sign ../erin.csr --as erin --out sent",
    );
    let hers = "ca-tool adopt sent/erin.crt --key erin.key --out .";
    for (setting, line, fault) in [
        ("echo mine >erin.pem", hers, "is not a readable bundle"),
        ("cp dave.pem erin.pem", hers, "holds another key"),
        (
            "rm erin.pem && ca-tool adopt other/sent/erin.crt --key erin.key --out .",
            hers,
            "is of another CA (`ca-tool show` prints the fingerprints of both)",
        ),
        (
            "rm erin.pem && ln -s dave.pem erin.pem",
            hers,
            "is no plain file",
        ),
    ] {
        succeed(above, setting);
        let before = snapshot(above);
        let (code, _, err) = shell(above, line);
        assert_eq!(code, Some(1), "{fault}: {err}");
        let said = format!("erin.pem already exists and {fault}; nothing is overwritten");
        assert!(err.contains(&said), "{err}");
        assert!(err.contains("hint: move it away first"), "{err}");
        assert_eq!(snapshot(above), before, "{fault}");
    }
}

#[test]
fn a_request_that_is_in_the_way_of_another_leaves_no_key_behind() {
    let w = World::new();
    fs::write(w.path("alice.csr"), "mine").expect("written");
    let before = snapshot(w.above.path());
    let (code, _, err) = shell(w.above.path(), "ca-tool request alice");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("alice.csr already exists"), "{err}");
    assert_eq!(snapshot(w.above.path()), before);
    for bad in ["../x", "-- -rf", "CON", ".", "'a b'", &"x".repeat(65)] {
        let (code, _, err) = shell(w.above.path(), &format!("ca-tool request {bad}"));
        assert_eq!(code, Some(1), "{bad}: {err}");
        assert_eq!(snapshot(w.above.path()), before, "{bad}");
    }
}
#[test]
fn a_key_that_has_no_request_is_asked_with_if_it_is_ones_own() {
    request_with_a_key_that_is_there(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl and certtool: run with --include-ignored"]
fn keys_of_openssl_that_are_no_good_are_not_asked_with() {
    request_with_a_key_that_is_there(Asked::of(&["openssl", "certtool"]));
}

fn request_with_a_key_that_is_there(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request dave && cp dave.key key && mv dave.csr sent.csr",
    );
    let said = succeed(above, "ca-tool request dave && cmp dave.key key");
    assert!(
        said.contains("dave.key existed already, so the request is for it"),
        "{said}"
    );
    succeed(above, "ca-tool sign dave.csr --as dave");
    check_joined(&w, "dave", asked);

    // A file that others can read or have put there, that is no key, or that is encrypted is not used.
    for (setting, why) in [
        ("chmod 640 dave.key", "dave.key already exists"),
        ("ln -sf key dave.key", "dave.key already exists"),
        ("rm dave.key; mkdir dave.key", "dave.key already exists"),
        (
            "rmdir dave.key; umask 077; echo junk >dave.key",
            "it is not PEM",
        ),
        (
            "umask 077; openssl ecparam -name secp521r1 -genkey -noout -out dave.key",
            "dave.key: its key is P-521; P-256, P-384",
        ),
        (
            "umask 077; openssl pkcs8 -topk8 -v2 aes256 -in key -passout pass:x -out dave.key",
            "dave.key already exists",
        ),
    ] {
        if setting.contains("openssl") && !asked.includes("openssl") {
            continue;
        }
        succeed(above, &format!("rm -f dave.csr; {setting}"));
        let before = snapshot(above);
        let (code, out, err) = shell(above, "ca-tool request dave");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{setting}: {err}");
        assert!(err.contains(why), "{setting}: {err}");
        assert_eq!(snapshot(above), before, "{setting}");
    }
}

/// Another run finds the key before the request has its name, and makes a request for it.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn a_key_that_has_its_name_is_never_removed() {
    require("strace");
    let w = World::new();
    let above = w.above.path();
    let late = "linkat:error=EEXIST:when=4";
    let output = crate::crashes::strace(above, late, &["request", "zoe", "--out", "."]);
    let err = crate::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("zoe.csr already exists"), "{err}");
    let said = succeed(above, "ca-tool request zoe");
    assert!(said.contains("zoe.key existed already"), "{said}");
    succeed(above, "ca-tool sign zoe.csr --as zoe");
    check_joined(&w, "zoe", Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl and certtool: run with --include-ignored"]
fn requests_of_openssl_are_signed_with_every_key_that_servers_take() {
    let asked = Asked::of(&["openssl", "certtool"]);
    let w = World::new();
    for (who, key, more) in [
        ("p256", "ec -pkeyopt ec_paramgen_curve:P-256", ""),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384", ""),
        (
            "p384sha384",
            "ec -pkeyopt ec_paramgen_curve:P-384",
            "-sha384",
        ),
        ("ed25519", "ed25519", ""),
        ("rsa2048", "rsa:2048", ""),
        ("rsa3072", "rsa:3072", "-sha512"),
        (
            "pss",
            "rsa:2048",
            "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1",
        ),
        ("der", "ec -pkeyopt ec_paramgen_curve:P-256", "-outform DER"),
        ("newhdr", "ec -pkeyopt ec_paramgen_curve:P-256", "-newhdr"),
    ] {
        openssl_request(&w, who, key, more);
        let said = succeed(
            w.above.path(),
            &format!("ca-tool sign {who}.csr --as {who}"),
        );
        assert!(!said.contains("also asks"), "{said}");
        check_joined(&w, who, asked);
    }
}

#[test]
#[ignore = "needs certtool and openssl: run with --include-ignored"]
fn requests_of_certtool_are_signed() {
    let asked = Asked::of(&["certtool", "openssl"]);
    let w = World::new();
    let above = w.above.path();
    fs::write(w.path("template"), "cn = gnu\n").expect("written");
    for (kind, who) in [
        ("ecdsa --curve secp256r1", "gnu"),
        ("rsa --bits 3072", "gnu-rsa"),
    ] {
        succeed(
            above,
            &format!(
                "certtool --generate-privkey --key-type {kind} --outfile {who}.key && \
                 certtool --generate-request --load-privkey {who}.key --template template --outfile {who}.csr && \
                 ca-tool sign {who}.csr --as {who}"
            ),
        );
        check_joined(&w, who, asked);
    }
}

#[test]
#[ignore = "needs python3 with its module cryptography: run with --include-ignored"]
fn requests_of_python_are_signed() {
    let python = python_with("cryptography");
    let w = World::new();
    let above = w.above.path();
    let script = r#"
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP384R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "python")])
names = x509.SubjectAlternativeName([x509.RFC822Name("python@example.org")])
csr = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(names, False)
csr = csr.sign(key, hashes.SHA256())
open("python.csr", "wb").write(csr.public_bytes(s.Encoding.PEM))
open("python.key", "wb").write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8,
    s.BestAvailableEncryption(b"open sesame")))
"#;
    fs::write(w.path("make.py"), script).expect("written");
    let said = succeed(
        above,
        &format!("{python} make.py && ca-tool sign python.csr --as python"),
    );
    assert!(said.contains("also asks for other names"), "{said}");
    let adopt = "ca-tool adopt ca/people/python.crt --key python.key --out home";
    let (code, _, err) = shell(above, adopt);
    assert_eq!(code, Some(77), "{err}");
    succeed(
        above,
        &format!("echo open sesame >sesame && {adopt} --passphrase-file sesame"),
    );
    w.admit(&w.path("home/python.pem")).expect("admitted");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn of_a_request_only_the_key_is_taken() {
    require("openssl");
    let w = World::new();
    let more = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
                -addext extendedKeyUsage=serverAuth -addext subjectAltName=DNS:chat.example,email:root@example.org \
                -addext subjectKeyIdentifier=hash -addext certificatePolicies=1.2.3.4 \
                -addext 1.2.3.4.5=ASN1:UTF8String:x -subj /CN=root/CN=alice/OU=instructor/O=Other";
    openssl_request(&w, "mallory", "ec -pkeyopt ec_paramgen_curve:P-384", more);
    let said = succeed(w.above.path(), "ca-tool sign mallory.csr --as mallory");
    for expected in [
        "the subject \"CN=root",
        "CA:TRUE",
        "DNS",
        "further extensions",
        "only its key was used",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    check_joined(&w, "mallory", Asked::NOBODY);
    let text = succeed(w.above.path(), "openssl x509 -in mallory.pem -noout -text");
    for absent in [
        "CA:TRUE",
        "chat.example",
        "root",
        "Server Auth",
        "1.2.3.4",
        "Certificate Sign",
        "Other",
    ] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    for present in [
        "CN = mallory",
        "OU = student",
        "CA:FALSE",
        "TLS Web Client Authentication",
    ] {
        assert!(text.contains(present), "{present}: {text}");
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_request_that_is_weak_forged_or_none_is_refused_before_anything_is_written() {
    require("openssl");
    let w = World::new();
    let above = w.above.path();
    for (who, key, more) in [
        ("rsa1024", "rsa:1024", ""),
        ("rsa8192", "dummy", ""),
        ("exponent", "rsa:2048 -pkeyopt rsa_keygen_pubexp:3", ""),
        ("p224", "ec -pkeyopt ec_paramgen_curve:secp224r1", ""),
        ("k256", "ec -pkeyopt ec_paramgen_curve:secp256k1", ""),
        ("ed448", "ed448", ""),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521", ""),
        ("psskey", "rsa-pss -pkeyopt rsa_keygen_bits:2048", ""),
        ("pss", "rsa:2048", "-sigopt rsa_padding_mode:pss"),
        ("sha512", "ec -pkeyopt ec_paramgen_curve:P-256", "-sha512"),
        ("sha3", "ec -pkeyopt ec_paramgen_curve:P-256", "-sha3-256"),
        ("good", "ec -pkeyopt ec_paramgen_curve:P-256", ""),
    ] {
        if key == "dummy" {
            // Finding one takes a minute; this one was found before.
            fs::write(w.path("rsa8192.csr"), include_str!("rsa8192.csr")).expect("written");
        } else {
            openssl_request(&w, who, key, more);
        }
    }
    let good = fs::read(w.path("good.csr")).expect("a request");
    let der = succeed(
        above,
        "openssl req -in good.csr -outform DER | od -An -v -tx1 | tr -d ' \n'",
    );
    let mut forged: Vec<u8> = (0..der.len() / 2)
        .map(|i| u8::from_str_radix(&der[2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    let place = forged.len() - 5;
    forged[place] ^= 1;
    let mut trailing = forged.clone();
    trailing[place] ^= 1;
    trailing.push(0);
    for (name, bytes) in [
        ("forged.csr", forged),
        ("trailing.csr", trailing),
        ("short.csr", good[..good.len() / 2].to_vec()),
        ("empty.csr", Vec::new()),
        ("huge.csr", vec![b'x'; 1 << 20]),
    ] {
        fs::write(w.path(name), bytes).expect("written");
    }
    let before = snapshot(&w.path("ca"));
    for (file, why) in [
        (
            "rsa1024.csr",
            "its key is RSA-1024; P-256, P-384, Ed25519 and RSA from 2048 bits are accepted",
        ),
        (
            "rsa8192.csr",
            "its key is RSA-8192; at most 4096 bits are accepted",
        ),
        (
            "exponent.csr",
            "its key is RSA-2048 with an exponent other than 65537",
        ),
        ("p224.csr", "its key is curve 1.3.132.0.33"),
        ("k256.csr", "its key is curve 1.3.132.0.10"),
        ("ed448.csr", "its key is algorithm 1.3.101.113"),
        (
            "p521.csr",
            "its key is P-521; P-256, P-384, Ed25519 and RSA from 2048 bits are accepted",
        ),
        ("psskey.csr", "its key is RSA-PSS; P-256, P-384"),
        (
            "pss.csr",
            "its signature is RSA-PSS with a salt of 222 bytes; the salt has to be as long as the hash, \
             which OpenSSL does with `-sigopt rsa_pss_saltlen:digest`",
        ),
        (
            "sha512.csr",
            "its signature is ecdsa-with-SHA512; ECDSA with SHA-256 or SHA-384, RSA with SHA-256 to SHA-512, \
             and Ed25519 are accepted",
        ),
        (
            "sha3.csr",
            "its signature is 2.16.840.1.101.3.4.3.10; ECDSA with",
        ),
        ("sha3.csr", "hint: `ca-tool request NAME` makes a good one"),
        (
            "forged.csr",
            "its signature is not valid, so nothing proves who has the key",
        ),
        ("trailing.csr", "it holds no request"),
        (
            "short.csr",
            "PEM section 1 (CERTIFICATE REQUEST) in it is damaged",
        ),
        ("empty.csr", "it holds no request"),
        ("huge.csr", "it has more than"),
        ("good.key", "it holds no request"),
        ("nowhere.csr", "cannot read nowhere.csr"),
    ] {
        let (code, out, err) = shell(above, &format!("ca-tool sign {file} --as alice"));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{file}: {err}");
        assert!(err.contains(why), "{file}: {err}");
        assert_eq!(snapshot(&w.path("ca")), before, "{file}");
    }
    for bad in ["../x", "CON", "''", "server", &"x".repeat(65)] {
        let (code, _, err) = shell(above, &format!("ca-tool sign good.csr --as {bad}"));
        assert_eq!(code, Some(1), "{bad}: {err}");
        assert!(err.starts_with("--as: "), "{bad}: {err}");
        assert_eq!(snapshot(&w.path("ca")), before, "{bad}");
    }
}

#[test]
fn a_key_is_one_persons_and_a_person_has_one_key_at_a_time() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request alice && ca-tool sign alice.csr --as alice && ca-tool request alice --out new && \
         ca-tool issue bob && ca-tool request dave && ca-tool sign dave.csr --as dave",
    );
    let before = snapshot(&w.path("ca"));
    for (line, why) in [
        (
            "ca-tool sign alice.csr --as carol",
            "it is that of \"alice\"",
        ),
        (
            "ca-tool sign new/alice.csr --as alice",
            "alice has a certificate for another key until",
        ),
        (
            "ca-tool sign new/alice.csr --as Alice",
            "only in upper and lower case",
        ),
        (
            "ca-tool sign new/alice.csr --as a1ice",
            "looks like \"alice\"",
        ),
        (
            "ca-tool sign new/alice.csr --as bob",
            "bob has a certificate for another key",
        ),
        (
            "ca-tool sign new/alice.csr --as dan --until 2020-01-01",
            "is in the past",
        ),
    ] {
        let (code, _, err) = shell(above, line);
        assert_eq!(code, Some(1), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert_eq!(snapshot(&w.path("ca")), before, "{line}");
    }
    // A key that somebody else may have is not signed again; a replaced one may be.
    succeed(
        above,
        "ca-tool revoke alice --reason keyCompromise && ca-tool revoke dave --reason superseded",
    );
    let (code, _, err) = shell(above, "ca-tool sign alice.csr --as alice");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("it was revoked as compromised"), "{err}");
    succeed(
        above,
        "ca-tool sign new/alice.csr --as alice && ca-tool sign dave.csr --as dave",
    );
    succeed(
        above,
        "ls ca/people/old/alice-*.crt ca/people/old/dave-*.crt",
    );
    let said = succeed(above, "ca-tool issue alice");
    assert!(
        said.contains("skipped") && !said.contains("not there"),
        "{said}"
    );
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_key_in_another_form_does_not_pass_for_another_key() {
    require("openssl");
    let w = World::new();
    let above = w.above.path();
    let curve = "ec -pkeyopt ec_paramgen_curve:P-256";
    openssl_request(&w, "eva", curve, "");
    succeed(
        above,
        "ca-tool sign eva.csr --as eva && ca-tool revoke eva --reason keyCompromise && \
         cp ca/private/ca.key ca.key",
    );
    for form in ["compressed", "hybrid"] {
        for key in ["eva", "ca"] {
            let line = format!(
                "openssl ec -in {key}.key -conv_form {form} -out {key}-{form}.key && \
                 openssl req -new -key {key}-{form}.key -out {key}-{form}.csr -subj /CN=x"
            );
            succeed(above, &line);
            let before = snapshot(&w.path("ca"));
            for who in ["eva", "mallory"] {
                let line = format!("ca-tool sign {key}-{form}.csr --as {who}");
                let (code, _, err) = shell(above, &line);
                assert_eq!(code, Some(1), "{line}: {err}");
                let why = "its key is P-256 in compressed or hybrid form; only the uncompressed";
                assert!(err.contains(why), "{line}: {err}");
                assert_eq!(snapshot(&w.path("ca")), before, "{line}");
            }
        }
    }
}

#[test]
fn an_answer_is_joined_only_with_its_own_key_and_only_while_it_lets_somebody_in() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool request alice && ca-tool sign alice.csr --as alice && ca-tool request alice --out other && \
         cp ca/people/alice.crt . && sed '/BEGIN/,/END/!d' ca/ca.pem >only-ca && \
         awk '/BEGIN/ {n++} n < 2' alice.crt >only-alice && cat only-alice >other-ca && \
         ca-tool --dir ca2 init --name Other --no-passphrase && cat ca2/ca.pem >>other-ca && \
         cat ca/server.pem >server.crt && sed -n '/BEGIN PRIVATE/,/END PRIVATE/p' ca/server.pem >server.key && \
         echo >empty",
    );
    let before = snapshot(above);
    for (line, why) in [
        (
            "alice.crt --key other/alice.key",
            "other/alice.key is not the key that alice.crt was made for",
        ),
        (
            "only-ca --key alice.key",
            "it contains no person's certificate",
        ),
        (
            "only-alice --key alice.key",
            "it lacks the CA's certificate",
        ),
        ("other-ca --key alice.key", "cannot adopt other-ca: "),
        ("server.crt --key server.key", "cannot adopt server.crt: "),
        ("alice.crt --key empty", "cannot read empty: it is not PEM"),
        (
            "alice.crt --key only-ca",
            "cannot read only-ca: it holds no private key, only: CERTIFICATE",
        ),
        (
            "alice.csr --key alice.key",
            "it contains no person's certificate",
        ),
        ("nowhere --key alice.key", "cannot read nowhere"),
    ] {
        let (code, _, err) = shell(above, &format!("ca-tool adopt {line}"));
        assert_eq!(code, Some(1), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert_eq!(snapshot(above), before, "{line}");
    }
}
