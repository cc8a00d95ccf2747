//! Files as other programs, mail and Windows leave them: the same reader reads all of them.

use std::fs;

use kit::require;

use crate::{World, shell, succeed};

/// The ways in which a PEM text is changed on its way without being damaged.
fn forms(pem: &str) -> Vec<(&'static str, Vec<u8>)> {
    let lines_of = |columns: usize| {
        let mut text = String::new();
        let mut base64 = String::new();
        for line in pem.lines() {
            if line.starts_with("-----") || line.starts_with('#') {
                for chunk in base64.as_bytes().chunks(columns) {
                    text += std::str::from_utf8(chunk).expect("ASCII");
                    text.push('\n');
                }
                base64.clear();
                text += line;
                text.push('\n');
            } else {
                base64 += line;
            }
        }
        text
    };
    let forms = [
        ("a byte order mark", format!("\u{feff}{pem}")),
        ("DOS line ends", pem.replace('\n', "\r\n")),
        ("both", format!("\u{feff}{}", pem.replace('\n', "\r\n"))),
        ("lines of 76", lines_of(76)),
        ("one line", lines_of(100_000)),
        ("blanks at the ends", pem.replace('\n', "  \n")),
        ("a blank line", pem.replacen("-----\n", "-----\n\n", 1)),
        (
            "a blank line at the end",
            pem.replace("-----END", "\n-----END"),
        ),
        (
            "text around",
            format!("Dear Alice,\nhere it is:\n{pem}\nYours, Bob\n"),
        ),
    ];
    forms.map(|(name, text)| (name, text.into_bytes())).into()
}

#[test]
fn every_file_is_read_in_every_form() {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    succeed(
        above,
        "printf 'secret enough\\n' >word && ca-tool request carol && \
         ca-tool sign carol.csr --as carol && ca-tool request dave && \
         ca-tool --dir school init --name School --passphrase-file word && \
         cat school/private/ca.key school/ca.pem >school.key && cp ca/crl.pem list",
    );
    for (file, line) in [
        (
            "ca/people/alice.pem",
            "ca-tool verify ca/people/alice.pem && ca-tool show ca/people/alice.pem",
        ),
        (
            "ca/people/alice.pem",
            "rm -f ca/people/alice.p12; ca-tool export ca/people/alice.pem --p12",
        ),
        (
            "ca/people/carol.crt",
            "rm -f carol.pem; ca-tool adopt ca/people/carol.crt --key carol.key --out .",
        ),
        (
            "carol.key",
            "rm -f carol.pem; ca-tool adopt ca/people/carol.crt --key carol.key --out .",
        ),
        (
            "dave.csr",
            "ca-tool revoke dave --reason superseded --yes; ca-tool sign dave.csr --as dave --out $(mktemp -d)",
        ),
        (
            "list",
            "ca-tool crl --merge list && ca-tool verify ca/people/alice.pem --crl list",
        ),
        (
            "ca/ca.pem",
            "ca-tool status && ca-tool verify ca/people/alice.pem",
        ),
        ("ca/private/ca.key", "ca-tool crl"),
        (
            "school/ca.pem",
            "rm -rf new; ca-tool --dir new init --ca-cert school/ca.pem --ca-key school/private/ca.key --passphrase-file word",
        ),
        // An encrypted key with a certificate behind it.
        (
            "school.key",
            "rm -rf new; ca-tool --dir new init --ca-cert school/ca.pem --ca-key school.key --passphrase-file word",
        ),
    ] {
        let path = w.path(file);
        let pem = fs::read_to_string(&path).expect("PEM");
        for (form, bytes) in forms(&pem) {
            fs::write(&path, bytes).expect("written");
            let (code, out, err) = shell(above, line);
            assert_eq!(code, Some(0), "{file}, {form}: {out}{err}");
        }
        fs::write(&path, pem).expect("written");
    }
    // The notes of a bundle are not lost behind a byte order mark.
    let server = fs::read_to_string(w.path("ca/people/alice.pem")).expect("a bundle");
    assert!(server.starts_with("# "), "{server}");
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_reads_the_same_forms() {
    require("openssl");
    let w = World::new();
    w.issue("alice");
    let bundle = fs::read_to_string(w.path("ca/people/alice.pem")).expect("a bundle");
    for (form, bytes) in forms(&bundle) {
        fs::write(w.path("a.pem"), bytes).expect("written");
        let openssl = "openssl x509 -in a.pem -noout && openssl pkey -in a.pem -noout";
        let (code, _, err) = shell(w.above.path(), openssl);
        // These are read here and not by OpenSSL 3.0, which wants a section to begin in the first column
        // and to end right after its base64.
        let is_ours_alone =
            ["a byte order mark", "both", "a blank line at the end"].contains(&form);
        assert!(code == Some(0) || is_ours_alone, "{form}: {err}");
        succeed(w.above.path(), "ca-tool verify a.pem");
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn another_form_is_named_and_the_command_that_is_told_converts_it() {
    require("openssl");
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    succeed(
        above,
        "cp ca/people/alice.pem a.pem && openssl pkcs12 -export -in a.pem -passout pass: -out p.p12 && \
         openssl pkey -in a.pem -outform DER -out k.der && iconv -f UTF-8 -t UTF-16 a.pem >u.txt && \
         openssl ec -in a.pem -aes128 -passout pass:abcd -out old.key && \
         (sed '/BEGIN PRIVATE/,$d' a.pem; cat old.key) >old.pem",
    );
    for (file, words, command) in [
        (
            "p.p12",
            "it is PKCS#12",
            "openssl pkcs12 -in p.p12 -nodes -out p.pem",
        ),
        (
            "u.txt",
            "it is text in UTF-16",
            "iconv -f UTF-16 -t UTF-8 u.txt > u.pem",
        ),
        (
            "k.der",
            "it is a private key in DER",
            "openssl pkey -inform DER -in k.der -out k.pem",
        ),
    ] {
        let (_, out, err) = shell(above, &format!("ca-tool export {file} --p12"));
        assert!(
            err.contains(words) && err.contains(&format!("`{command}`")),
            "{out}{err}"
        );
        let command = command.replace("pkcs12 ", "pkcs12 -passin pass: ");
        let made = command.rsplit(' ').next().expect("a name").to_owned();
        succeed(above, &command);
        if file == "k.der" {
            succeed(
                above,
                &format!(
                    "(cat ca/people/alice.pem | sed '/BEGIN PRIVATE/,$d'; cat {made}) >whole && mv whole {made}"
                ),
            );
        }
        if file == "p.p12" {
            // Ours has the CA's certificate; that of `pkcs12 -export` without -certfile has not.
            succeed(above, &format!("cat ca/ca.pem >>{made}"));
        }
        let said = succeed(above, &format!("ca-tool verify {made}"));
        assert!(said.contains("admitted as alice"), "{file}: {said}");
    }
    let (code, out, err) = shell(above, "ca-tool verify old.pem");
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("its private key is encrypted"), "{out}{err}");
    assert!(err.contains("`openssl pkey -in old.pem`"), "{out}{err}");
}
