//! An adopted CA was used before: people it admitted or revoked there are admitted or revoked here.

use std::fs;
use std::path::Path;

use ca_tool::Ca;
use kit::require;
use tempfile::TempDir;

use crate::{World, shell, succeed};

const ADOPT: &str =
    "ca-tool init --ca-cert school.pem --ca-key school.key --host chat.example --no-passphrase";

/// A CA that `openssl ca` ran. It certified eve and mallory, and revoked mallory.
fn school() -> TempDir {
    let above = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(above.path().join(name), text).expect("written");
    write(
        "ca.cnf",
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\n\
         default_crl_days = 30\ncrl_extensions = e\n[e]\nauthorityKeyIdentifier = keyid\n\
         [person]\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = clientAuth\n\
         basicConstraints = critical,CA:FALSE\n",
    );
    // Far above a number from the clock.
    write("number", "0100000000000000\n");
    write("index", "");
    let key = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out";
    succeed(
        above.path(),
        &format!(
            "{key} school.key && openssl req -x509 -new -key school.key -days 3650 -out school.pem \
             -subj /CN=School -addext keyUsage=critical,keyCertSign,cRLSign"
        ),
    );
    for (serial, name) in [("0x1001", "eve"), ("0x1002", "mallory")] {
        succeed(
            above.path(),
            &format!(
                "{key} {name}.key && openssl req -new -key {name}.key -subj /CN={name}/OU=student -out {name}.csr && \
                 openssl x509 -req -in {name}.csr -CA school.pem -CAkey school.key -set_serial {serial} -days 90 \
                 -extfile ca.cnf -extensions person -out {name}.crt && \
                 cat {name}.crt school.pem {name}.key >{name}.pem"
            ),
        );
    }
    succeed(
        above.path(),
        "ca='openssl ca -config ca.cnf -cert school.pem -keyfile school.key' && \
         $ca -revoke mallory.crt -crl_reason keyCompromise && $ca -gencrl -out school.crl",
    );
    above
}

fn world(above: TempDir) -> World {
    let ca = Ca::load(&above.path().join("ca")).expect("a CA");
    World { above, ca }
}

fn number(folder: &Path) -> u128 {
    let said = succeed(folder, "openssl crl -in ca/crl.pem -noout -crlnumber");
    let digits = said.trim().trim_start_matches("crlNumber=");
    u128::from_str_radix(digits.trim_start_matches("0x"), 16).expect("hexadecimal")
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn what_an_adopted_ca_had_revoked_stays_revoked_and_its_numbers_go_on() {
    require("openssl");
    let above = school();
    let said = succeed(above.path(), &format!("{ADOPT} --crl school.crl"));
    assert!(
        said.contains("that this CA signed elsewhere are valid here too")
            && said.contains("1 that it has revoked stays revoked"),
        "{said}"
    );
    let w = world(above);
    let above = w.above.path();
    w.admit(&w.path("eve.pem")).expect("good");
    w.admit(&w.path("mallory.pem")).expect_err("revoked");
    assert!(number(above) > 0x0100_0000_0000_0000);
    let said = succeed(
        above,
        "openssl crl -in ca/crl.pem -noout -text -CAfile ca/ca.pem && ca-tool list --revoked && \
         ca-tool doctor && ca-tool status && ca-tool issue alice",
    );
    assert!(
        said.contains("verify OK") && said.contains("Key Compromise"),
        "{said}"
    );
    assert!(said.contains("unknown"), "{said}");
    w.admit(&w.path("ca/people/alice.pem")).expect("good");
    let (code, _, err) = shell(
        above,
        "openssl verify -crl_check -CAfile ca/ca.pem -CRLfile ca/crl.pem mallory.crt",
    );
    assert!(
        code != Some(0) && err.contains("certificate revoked"),
        "{err}"
    );
    // A certificate of the old CA can be revoked here by its number.
    let before = number(above);
    succeed(above, "ca-tool revoke --serial 1001");
    w.admit(&w.path("eve.pem")).expect_err("revoked");
    assert!(number(above) > before);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn an_adopted_ca_may_bring_its_list_later_and_one_without_a_number() {
    require("openssl");
    let above = school();
    let said = succeed(above.path(), ADOPT);
    assert!(
        said.contains("`ca-tool crl --merge FILE` adds the revocations"),
        "{said}"
    );
    let w = world(above);
    w.admit(&w.path("mallory.pem")).expect("nobody said so");
    succeed(
        w.above.path(),
        "sed -i '/crl_extensions/d' ca.cnf && \
         openssl ca -config ca.cnf -cert school.pem -keyfile school.key -gencrl -out old.crl && \
         openssl crl -in old.crl -outform der -out old.der && ca-tool crl --merge old.der",
    );
    w.admit(&w.path("mallory.pem")).expect_err("revoked");
    w.admit(&w.path("eve.pem")).expect("not meant");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_ca_is_not_adopted_with_a_list_that_it_did_not_sign() {
    require("openssl");
    let above = school();
    succeed(
        above.path(),
        "ca-tool --dir other init --name School --no-passphrase && cp other/crl.pem other.crl && \
         head -n 3 school.crl >cut.crl && echo 0101010101010101010101 >number && \
         openssl ca -config ca.cnf -cert school.pem -keyfile school.key -gencrl -out high.crl",
    );
    for (file, why) in [
        ("other.crl", "it was not signed by this CA"),
        (
            "cut.crl",
            "PEM section 1 (X509 CRL) in it is damaged: its line '-----END ...' is missing",
        ),
        (
            "school.pem",
            "it holds no revocation list, only: CERTIFICATE",
        ),
        ("high.crl", "its number is too large to continue from"),
        ("none.crl", "cannot read none.crl"),
    ] {
        let (code, _, err) = shell(above.path(), &format!("{ADOPT} --crl {file}"));
        assert_eq!(code, Some(1), "{file}: {err}");
        assert!(err.contains(why), "{file}: {err}");
        assert!(!above.path().join("ca").exists(), "{file}");
    }
    let (code, _, err) = shell(above.path(), "ca-tool init --name School --crl school.crl");
    assert_eq!(code, Some(2), "{err}");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_ca_that_is_weak_or_bound_is_not_adopted_and_it_is_said_why() {
    require("openssl");
    let request = "openssl req -x509 -new -key school.key -days 3650 -out school.pem \
                   -subj /CN=School -addext keyUsage=critical,keyCertSign,cRLSign";
    let curve = |name| {
        format!("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{name} -out school.key")
    };
    let p256 = curve("P-256");
    for (key, more, why) in [
        (
            "openssl genrsa -out school.key 1024".to_owned(),
            "",
            "its key is RSA-1024; P-256, P-384, Ed25519 and RSA from 2048 bits are accepted",
        ),
        (curve("P-521"), "", "its key is P-521; "),
        (curve("secp256k1"), "", "its key is curve 1.3.132.0.10; "),
        (
            p256.clone(),
            "-addext nameConstraints=permitted;DNS:school.example",
            "it may sign only for some names",
        ),
        (
            p256.clone(),
            "-addext nameConstraints=critical,permitted;DNS:school.example",
            "it may sign only for some names",
        ),
        (
            p256.clone(),
            "-addext 1.2.3.4=critical,ASN1:UTF8String:x",
            "its extension 1.2.3.4 is critical, and ca-tool does not know it",
        ),
        (
            p256.clone(),
            "-addext extendedKeyUsage=codeSigning,clientAuth",
            "its extended key usage does not name both clientAuth and serverAuth",
        ),
        (
            p256.clone(),
            "-addext extendedKeyUsage=anyExtendedKeyUsage",
            "its extended key usage does not name both clientAuth and serverAuth",
        ),
        // And an extension that restricts nothing.
        (p256.clone(), "-addext 1.2.3.4=ASN1:UTF8String:x", ""),
        (p256, "-addext extendedKeyUsage=serverAuth,clientAuth", ""),
    ] {
        let above = tempfile::tempdir().expect("a folder");
        // Some distributions make certificates for such weak keys only when told to.
        let weak = "OPENSSL_CONF=weak.cnf";
        let conf = "openssl_conf = o\n[o]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\n\
                    CipherString = DEFAULT@SECLEVEL=0\n[req]\ndistinguished_name = n\n\
                    x509_extensions = x\n[n]\n[x]\nbasicConstraints = critical,CA:TRUE\n\
                    subjectKeyIdentifier = hash\n";
        fs::write(above.path().join("weak.cnf"), conf).expect("written");
        let quoted = more.replace("-addext ", "-addext '");
        let close = if more.is_empty() { "" } else { "'" };
        succeed(
            above.path(),
            &format!("{key} && {weak} {request} {quoted}{close}"),
        );
        let (code, _, err) = shell(above.path(), ADOPT);
        if why.is_empty() {
            assert_eq!(code, Some(0), "{more}: {err}");
            succeed(
                above.path(),
                "ca-tool issue alice && openssl verify -x509_strict -purpose sslclient \
                 -CAfile ca/ca.pem ca/people/alice.pem",
            );
            continue;
        }
        assert_eq!(code, Some(1), "{more}: {err}");
        assert!(
            err.contains(&format!("cannot adopt school.pem: {why}")),
            "{more}: {err}"
        );
        assert!(!above.path().join("ca").exists(), "{more}");
    }
}
