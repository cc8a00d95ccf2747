//! A CA that other programs refuse is adopted with a warning that names them.

use kit::require;

use crate::{World, shell, succeed};

#[test]
fn a_ca_of_our_own_is_strict_and_doctor_says_so() {
    let w = World::new();
    let said = succeed(w.above.path(), "ca-tool doctor");
    assert!(
        said.contains("CA certificate   strict programs take it too"),
        "{said}"
    );
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn whoever_adopts_a_ca_is_told_exactly_when_openssl_is_strict_about_it() {
    require("openssl");
    for (name, extensions, words) in [
        (
            "good",
            "basicConstraints=critical,CA:TRUE\\nsubjectKeyIdentifier=hash\\n",
            "",
        ),
        (
            "loose",
            "basicConstraints=CA:TRUE\\nsubjectKeyIdentifier=hash\\n",
            "its basicConstraints are not critical",
        ),
        (
            "nameless",
            "basicConstraints=critical,CA:TRUE\\nsubjectKeyIdentifier=none\\n",
            "it has no subjectKeyIdentifier",
        ),
        (
            "both",
            "basicConstraints=CA:TRUE\\nsubjectKeyIdentifier=none\\n",
            "its basicConstraints are not critical, it has no subjectKeyIdentifier",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let above = folder.path();
        let made = succeed(
            above,
            &format!(
                "printf '{extensions}keyUsage=critical,keyCertSign,cRLSign\\n' >ext && \
                 openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.key -out k.csr -subj '/CN=School' && \
                 openssl x509 -req -in k.csr -signkey k.key -extfile ext -days 90 -out k.pem && \
                 ca-tool init --ca-cert k.pem --ca-key k.key --no-passphrase && ca-tool issue alice"
            ),
        );
        let strictly =
            "openssl verify -x509_strict -purpose sslclient -CAfile ca/ca.pem ca/people/alice.pem";
        let (code, _, err) = shell(above, strictly);
        assert_eq!(code == Some(0), words.is_empty(), "{name}: {err}");
        let (_, checked, _) = shell(above, "ca-tool doctor");
        if words.is_empty() {
            assert!(!made.contains("Python"), "{made}");
            assert!(checked.contains("strict programs take it too"), "{checked}");
            continue;
        }
        for said in [&made, &checked] {
            assert!(
                said.contains(&format!("{words}: programs that check strictly")),
                "{said}"
            );
            assert!(said.contains("Python from 3.13 on"), "{said}");
        }
        // The commands that are told make one that is strict, and certificates stay valid under it.
        let commands: Vec<&str> = made
            .split('`')
            .filter(|part| part.starts_with("printf ") || part.starts_with("openssl x509 -in"))
            .collect();
        assert_eq!(commands.len(), 2, "{made}");
        succeed(above, &commands.join(" && "));
        succeed(
            above,
            "openssl verify -x509_strict -CAfile strict.pem strict.pem && \
             ca-tool --dir new init --ca-cert strict.pem --ca-key k.key --no-passphrase && \
             ca-tool --dir new issue bob && \
             openssl verify -x509_strict -purpose sslclient -CAfile new/ca.pem new/people/bob.pem",
        );
        if !words.contains("subjectKeyIdentifier") {
            succeed(
                above,
                "openssl verify -x509_strict -CAfile strict.pem ca/people/alice.pem",
            );
        }
    }
}
