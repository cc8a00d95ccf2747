//! A CA that another program made is used as it is, if its certificates lead to it.

use std::fs;
use std::path::Path;

use ca_tool::{AdoptOptions, Ca, Error};
use kit::require;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::{World, shell, succeed};

const REQUEST: &str = "openssl req -x509 -new -key school.key -days 3650 -out school.pem \
                       -addext keyUsage=critical,keyCertSign,cRLSign";
const ADOPT: &str = "ca-tool init --ca-cert school.pem --ca-key school.key --host chat.example";

fn empty() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Issues a certificate with an adopted CA, and checks it with OpenSSL, GnuTLS and the gate.
fn check_what_it_signs(above: TempDir, passphrase: &str) {
    let issued = format!(
        "ca-tool issue alice bob {passphrase} && ca-tool revoke bob --reason keyCompromise {passphrase}"
    );
    succeed(above.path(), &issued);
    let verify = |purpose: &str, file: &str| {
        let line = format!(
            "openssl verify -x509_strict -crl_check -CAfile ca/ca.pem -CRLfile ca/crl.pem \
             -purpose {purpose} {file}"
        );
        shell(above.path(), &line)
    };
    for (purpose, file) in [
        ("sslserver", "ca/server.pem"),
        ("sslclient", "ca/people/alice.pem"),
    ] {
        let (code, out, err) = verify(purpose, file);
        assert_eq!(code, Some(0), "{out}{err}");
    }
    let (code, _, err) = verify("sslclient", "ca/people/bob.pem");
    assert!(
        code != Some(0) && err.contains("certificate revoked"),
        "{err}"
    );
    succeed(
        above.path(),
        "openssl x509 -in ca/people/alice.pem >leaf && \
         certtool --verify --load-ca-certificate ca/ca.pem --infile leaf --load-crl ca/crl.pem",
    );
    let ca = Ca::load_with(&above.path().join("ca"), |_| {
        ca_tool::Passphrase::new("sesame")
    });
    let w = World {
        ca: ca.expect("a CA"),
        above,
    };
    w.admit(&w.path("ca/people/alice.pem")).expect("admitted");
    w.admit(&w.path("ca/people/bob.pem")).expect_err("revoked");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_ca_that_openssl_made_is_adopted_whatever_form_its_key_has() {
    require("openssl");
    for (key, first_line) in [
        (
            "openssl ecparam -name prime256v1 -genkey -out school.key",
            "-----BEGIN PRIVATE KEY-----",
        ),
        (
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out school.key",
            "-----BEGIN PRIVATE KEY-----",
        ),
        (
            "openssl genrsa -traditional -out school.key 3072",
            "-----BEGIN PRIVATE KEY-----",
        ),
    ] {
        let above = empty();
        let subject = "-utf8 -subj '/C=DE/O=学校/CN=School CA'";
        succeed(above.path(), &format!("{key} && {REQUEST} {subject}"));
        let given = fs::read(above.path().join("school.key")).expect("a key");
        let said = succeed(above.path(), &format!("{ADOPT} --no-passphrase"));
        assert!(said.contains("made the CA \"学校\""), "{said}");
        let kept = fs::read_to_string(above.path().join("ca/private/ca.key")).expect("a key");
        assert_eq!(kept.lines().next(), Some(first_line));
        succeed(
            above.path(),
            "openssl pkey -in ca/private/ca.key -out kept && openssl pkey -in school.key -out given && cmp kept given \
             && openssl x509 -in school.pem -outform der >given && openssl x509 -in ca/ca.pem -outform der | cmp - given",
        );
        // It is not ours.
        let after = fs::read(above.path().join("school.key")).expect("a key");
        assert_eq!(given, after);
        check_what_it_signs(above, "");
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn an_adopted_key_is_encrypted_too_and_keeps_the_passphrase_that_it_had() {
    require("openssl");
    let above = empty();
    let key = "echo open sesame >sesame && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out";
    succeed(
        above.path(),
        &format!("{key} school.key -aes256 -pass file:sesame"),
    );
    succeed(
        above.path(),
        &format!("{REQUEST} -passin file:sesame -subj '/CN=School'"),
    );
    for (line, expected, why) in [
        (
            ADOPT.to_owned(),
            77,
            "it is encrypted, and there is no terminal",
        ),
        (
            format!("{ADOPT} --no-passphrase"),
            2,
            "its copy stays encrypted",
        ),
        (
            format!("{ADOPT} --passphrase-file school.pem"),
            77,
            "the passphrase is wrong",
        ),
    ] {
        let (code, _, err) = shell(above.path(), &line);
        assert_eq!(code, Some(expected), "{err}");
        assert!(err.contains(why), "{err}");
        assert!(!above.path().join("ca").exists());
    }
    succeed(above.path(), &format!("{ADOPT} --passphrase-file sesame"));
    succeed(
        above.path(),
        "openssl pkey -in ca/private/ca.key -passin file:sesame -noout",
    );
    check_what_it_signs(above, "--passphrase-file sesame");

    // A key without a passphrase gets one.
    let above = empty();
    succeed(
        above.path(),
        &format!("{key} school.key && {REQUEST} -subj '/CN=School'"),
    );
    succeed(above.path(), &format!("{ADOPT} --passphrase-file sesame"));
    let kept = fs::read_to_string(above.path().join("ca/private/ca.key")).expect("a key");
    assert!(
        kept.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
        "{kept}"
    );
}

#[test]
#[ignore = "needs certtool and openssl: run with --include-ignored"]
fn a_ca_that_certtool_made_is_adopted() {
    require("certtool");
    require("openssl");
    let above = empty();
    let template = "cn = \"School\"\norganization = \"School\"\nca\ncert_signing_key\ncrl_signing_key\n\
                    expiration_days = 700\n";
    fs::write(above.path().join("template"), template).expect("written");
    succeed(
        above.path(),
        "certtool --generate-privkey --key-type ecdsa --curve secp384r1 --outfile school.key && \
         certtool --generate-self-signed --load-privkey school.key --template template --outfile school.pem",
    );
    succeed(above.path(), &format!("{ADOPT} --no-passphrase"));
    check_what_it_signs(above, "");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_ca_whose_certificates_would_not_lead_to_it_is_not_adopted() {
    require("openssl");
    let key = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out school.key";
    for (more, why) in [
        (
            "-subj '/DC=org/DC=school/CN=School'",
            "cannot adopt school.pem: its subject has more than one DC",
        ),
        (
            "-subj '/CN=School/OU=a+OU=b'",
            "cannot adopt school.pem: its subject has more than one OU",
        ),
        ("-subj /CN=/O=", "cannot be the CA's name"),
        (
            "-subj /CN=School && openssl ec -in school.key -conv_form compressed -out small.key && \
             openssl req -x509 -new -key small.key -days 9 -out school.pem -subj /CN=School \
             -addext keyUsage=critical,keyCertSign,cRLSign",
            "cannot adopt school.pem: its key is in compressed or hybrid form",
        ),
        (
            "-subj /CN=School && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out school.key",
            "cannot sign: school.key does not belong to school.pem",
        ),
        (
            "-subj /CN=School && echo >school.key",
            "cannot read school.key: it is not PEM",
        ),
        (
            "-subj /CN=School && echo >school.pem",
            "cannot read school.pem: it is not PEM",
        ),
        (
            "-subj /CN=School && rm school.pem",
            "cannot read school.pem: ",
        ),
    ] {
        let above = empty();
        succeed(above.path(), &format!("{key} && {REQUEST} {more}"));
        let (code, _, err) = shell(above.path(), &format!("{ADOPT} --no-passphrase"));
        assert_eq!(code, Some(1), "{more}: {err}");
        assert!(err.contains(why), "{more}: {err}");
        assert!(!above.path().join("ca").exists(), "{more}");
    }
}

/// Adopts a CA with these parameters, and returns the CA or what is wrong with it.
fn adopt(params: CertificateParams, signed_by_another: Option<&str>) -> Result<Ca, Error> {
    let above = empty();
    let key = KeyPair::generate().expect("a key");
    let certificate = if let Some(name) = signed_by_another {
        let mut other = school();
        other.distinguished_name.push(DnType::CommonName, name);
        let other = rcgen::Issuer::new(other, KeyPair::generate().expect("a key"));
        params.signed_by(&key, &other)
    } else {
        params.self_signed(&key)
    };
    let options = AdoptOptions {
        certificate: above.path().join("school.pem"),
        key: above.path().join("school.key"),
        list: None,
        hosts: Vec::new(),
        port: 1,
        passphrase: None,
    };
    let write = |path: &Path, text: String| fs::write(path, text).expect("written");
    write(
        &options.certificate,
        certificate.expect("a certificate").pem(),
    );
    write(&options.key, key.serialize_pem());
    Ca::adopt(&above.path().join("ca"), &options)
}

fn school() -> CertificateParams {
    let mut params = kit::mint::authority("School");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[test]
fn a_ca_that_may_not_sign_both_certificates_and_lists_now_is_not_adopted() {
    let change = |change: fn(&mut CertificateParams)| {
        let mut params = school();
        change(&mut params);
        let error = adopt(params, None).expect_err("refused");
        error.to_string()
    };
    let adopted = adopt(school(), None).expect("a good CA");
    assert_eq!(adopted.name(), "School");

    let no_lists = change(|params| params.key_usages.truncate(1));
    assert!(
        no_lists.contains("its key usage does not allow this use"),
        "{no_lists}"
    );
    let no_certificates = change(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    assert!(
        no_certificates.contains("its key usage"),
        "{no_certificates}"
    );
    let leaf = change(|params| params.is_ca = IsCa::ExplicitNoCa);
    assert!(leaf.contains("it is a CA certificate where"), "{leaf}");
    let over = change(|params| params.not_after = OffsetDateTime::now_utc() - Duration::days(1));
    assert!(over.contains("it is valid from"), "{over}");
    let early = change(|params| params.not_before = OffsetDateTime::now_utc() + Duration::days(1));
    assert!(early.contains("it is valid from"), "{early}");
    for (by, why) in [
        ("Ministry", "another CA signed it"),
        ("School", "its own key did not sign it"),
    ] {
        let error = adopt(school(), Some(by)).expect_err("refused").to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_ca_whose_name_is_in_an_old_encoding_is_not_adopted() {
    require("openssl");
    // In OpenSSL's masks: BMPString; T61String, in ASCII; UTF8String; PrintableString.
    for (mask, code) in [("0x800", 1), ("0x4", 0), ("0x2000", 0), ("0x2", 0)] {
        let above = empty();
        let conf = format!("[req]\ndistinguished_name = n\nstring_mask = MASK:{mask}\n[n]\n");
        fs::write(above.path().join("old.cnf"), conf).expect("written");
        succeed(
            above.path(),
            &format!(
                "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out school.key && \
                 {REQUEST} -config old.cnf -subj /CN=School -addext basicConstraints=critical,CA:TRUE \
                 -addext subjectKeyIdentifier=hash"
            ),
        );
        let (said, _, err) = shell(above.path(), &format!("{ADOPT} --no-passphrase"));
        assert_eq!(said, Some(code), "{mask}: {err}");
        assert_eq!(
            err.contains("its name is in an old encoding, such as BMPString"),
            code == 1,
            "{mask}: {err}"
        );
        assert_eq!(above.path().join("ca").exists(), code == 0);
    }
}
