//! Every field of certificates and lists is read again, and the gate judges them.

use std::fs;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ca_tool::{Candidate, Host, InitOptions, IssueOptions, Reason};
use kit::mint::Leaf;
use pki::{Bundle, Certificate, Profile, Refusal};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use wire::Role;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use crate::{World, shell, succeed};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks what holds for every certificate: its profile, and nothing that is not in it.
fn check(der: &[u8], anchor: &[u8], profile: &Profile, not_after: SystemTime) {
    let (rest, certificate) = X509Certificate::from_der(der).expect("a certificate");
    let (_, anchor) = X509Certificate::from_der(anchor).expect("a certificate");
    assert!(rest.is_empty());
    profile.check(&certificate).expect("its profile");
    certificate
        .verify_signature(Some(anchor.public_key()))
        .expect("signed by the CA");
    assert_eq!(certificate.issuer().as_raw(), anchor.subject().as_raw());

    let serial = certificate.raw_serial();
    assert_eq!((serial.len(), serial[0] & 0xc0), (16, 0x40));

    let said = Certificate::parse(der).expect("a certificate");
    assert_eq!(said.key, "P-256");
    let backdated = SystemTime::now() - pki::BACKDATE;
    assert!(said.not_before <= backdated && said.not_before > backdated - Duration::from_secs(60));
    let off = |a: SystemTime, b: SystemTime| a.duration_since(b).map_err(|e| e.duration());
    let off = off(said.not_after, not_after).unwrap_or_else(|before| before);
    assert!(off < Duration::from_secs(60), "{:?}", said.not_after);

    let mut seen = Vec::new();
    for extension in certificate.extensions() {
        let critical = extension.critical;
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => {
                assert!(critical);
                assert_eq!(constraints.ca, profile.is_ca);
                assert_eq!(constraints.path_len_constraint, profile.is_ca.then_some(0));
                seen.push("basicConstraints");
            }
            ParsedExtension::KeyUsage(usage) => {
                assert!(critical);
                // Bit 0 is digitalSignature, 5 keyCertSign, 6 cRLSign.
                assert_eq!(usage.flags, if profile.is_ca { 0x60 } else { 0x01 });
                seen.push("keyUsage");
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                assert!(!critical && !usage.any && usage.other.is_empty());
                let named = (usage.server_auth, usage.client_auth);
                let server = profile.purpose == Some(pki::Purpose::Server);
                assert_eq!(named, (server, !server));
                assert!(!usage.code_signing && !usage.email_protection);
                seen.push("extendedKeyUsage");
            }
            ParsedExtension::SubjectKeyIdentifier(id) => {
                use sha2::{Digest as _, Sha256};
                let key = &certificate.public_key().subject_public_key.data;
                assert_eq!(id.0, &Sha256::digest(key)[..20], "RFC 7093, method 1");
                seen.push("subjectKeyIdentifier");
            }
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                let id = id.key_identifier.as_ref().expect("a key identifier");
                assert_eq!(id.0, key_id(&anchor));
                seen.push("authorityKeyIdentifier");
            }
            ParsedExtension::SubjectAlternativeName(_) => {
                assert!(!critical);
                seen.push("subjectAltName");
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }
    seen.retain(|extension| *extension != "subjectAltName");
    seen.sort_unstable();
    let expected: &[&str] = match profile.is_ca {
        true => &["basicConstraints", "keyUsage", "subjectKeyIdentifier"],
        false => &[
            "authorityKeyIdentifier",
            "basicConstraints",
            "extendedKeyUsage",
            "keyUsage",
            "subjectKeyIdentifier",
        ],
    };
    assert_eq!(seen, expected);
}

fn key_id(certificate: &X509Certificate<'_>) -> Vec<u8> {
    let mut ids = certificate.extensions().iter().filter_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        }
    });
    ids.next().expect("a subject key identifier")
}

/// Returns the tags of the strings in a subject, in order: 12 is UTF8String.
fn tags(certificate: &X509Certificate<'_>) -> Vec<u32> {
    let attributes = certificate.subject().iter_attributes();
    attributes.map(|a| a.attr_value().header.tag().0).collect()
}

#[test]
fn the_ca_is_as_its_profile_says() {
    let w = World::new();
    let anchor = w.ca.register().anchor();
    let end = SystemTime::now() + DAY * pki::CA.days;
    check(anchor, anchor, &pki::CA, end);
    let says = w.ca.register().says();
    assert_eq!(says.subject, says.issuer);
    assert_eq!(says.subject.common_names, ["Networks 101"]);
    assert_eq!(says.subject.organizations, ["Networks 101"]);
    let file = CertificateDer::from_pem_file(w.ca.register().certificate()).expect("ca.pem");
    assert_eq!(&file, anchor);
}

#[test]
fn a_persons_certificate_is_as_its_profile_says_and_the_gate_admits_it() {
    let w = World::new();
    let mut candidates = Candidate::named(["张三", "alice"]);
    candidates[0].email = Some("zhang@example.org".to_owned());
    candidates[0].role = Some("instructor".to_owned());
    let issuance =
        w.ca.issue(&candidates, &IssueOptions::default())
            .expect("issued");

    let zhang = Bundle::read(&issuance.issued[0].bundle).expect("a bundle");
    let end = SystemTime::now() + DAY * pki::CLIENT.days;
    check(zhang.leaf(), w.ca.register().anchor(), &pki::CLIENT, end);
    assert_eq!(zhang.anchor(), w.ca.register().anchor());
    let said = zhang.certificate();
    assert_eq!(said.subject.common_names, ["张三"]);
    assert_eq!(said.subject.units, ["instructor"]);
    assert_eq!(said.subject.organizations, ["Networks 101"]);
    assert_eq!(said.emails, ["zhang@example.org"]);
    assert!(said.dns_names.is_empty() && said.addresses.is_empty());
    let (_, parsed) = X509Certificate::from_der(zhang.leaf()).expect("a certificate");
    assert_eq!(tags(&parsed), [12, 12, 12]);

    let identity = w.admit(&issuance.issued[0].bundle).expect("admitted");
    assert_eq!(identity.id().as_str(), "张三");
    assert_eq!(identity.role(), Role::Instructor);
    assert_eq!(identity.serial(), &issuance.issued[0].serial);
    let identity = w.admit(&issuance.issued[1].bundle).expect("admitted");
    assert_eq!(identity.role(), Role::Student);
}

#[test]
fn a_bundle_says_whose_it_is_and_where_the_server_is() {
    let above = tempfile::tempdir().expect("a folder");
    let options = InitOptions {
        name: "Café \"9/4\" \\ 数学".to_owned(),
        hosts: vec![
            Host::parse("2001:db8::7").expect("a host"),
            Host::parse("chat.example.org").expect("a host"),
        ],
        port: 4433,
        passphrase: None,
    };
    let ca = ca_tool::Ca::init(&above.path().join("ca"), &options).expect("a CA");
    let issuance = ca
        .issue(&Candidate::named(["alice"]), &IssueOptions::default())
        .expect("issued");
    let alice = Bundle::read(&issuance.issued[0].bundle).expect("a bundle");
    let until = issuance.issued[0].not_after.date().to_string();
    for (key, value) in [
        ("id", "alice"),
        ("role", "student"),
        ("server", "[2001:db8::7]:4433"),
        ("room", "Café \"9/4\" \\ 数学"),
        ("expires", until.as_str()),
        ("issuer", &ca.register().says().fingerprint.to_string()),
    ] {
        assert_eq!(alice.note(key), Some(value), "{key}");
    }
    // The index has the same name, slashes included.
    let again = ca_tool::Ca::open(ca.register().path()).expect("opens again");
    assert_eq!(again.register().entries().expect("a database").len(), 2);

    let elsewhere = IssueOptions {
        server: Some(ca_tool::Reach::parse("other.example").expect("a server")),
        ..IssueOptions::default()
    };
    let issuance = ca
        .issue(&Candidate::named(["bob"]), &elsewhere)
        .expect("issued");
    let bob = Bundle::read(&issuance.issued[0].bundle).expect("a bundle");
    assert_eq!(bob.note("server"), Some("other.example:27332"));
}

#[test]
fn the_servers_certificate_names_it_and_this_machine() {
    let above = tempfile::tempdir().expect("a folder");
    let options = InitOptions {
        hosts: vec![
            Host::parse("chat.example.org").expect("a host"),
            Host::parse("192.0.2.77").expect("a host"),
            Host::parse("localhost").expect("a host"),
        ],
        ..InitOptions::named("Networks 101")
    };
    let ca = ca_tool::Ca::init(&above.path().join("ca"), &options).expect("a CA");
    let server = Bundle::read(&ca.register().server_bundle()).expect("a bundle");
    let end = SystemTime::now() + DAY * pki::SERVER.days;
    check(server.leaf(), ca.register().anchor(), &pki::SERVER, end);
    let said = server.certificate();
    assert_eq!(said.subject.common_names, ["chat.example.org"]);
    assert_eq!(said.dns_names[..2], ["chat.example.org", "localhost"]);
    let names: Vec<_> = said
        .dns_names
        .iter()
        .filter(|n| *n == "localhost")
        .collect();
    assert_eq!(names.len(), 1, "each name stands once");
    for address in ["192.0.2.77", "127.0.0.1", "::1"] {
        let address: IpAddr = address.parse().expect("an address");
        assert!(said.addresses.contains(&address), "{address}");
    }
    for host in Host::of_this_machine() {
        let is_there = match &host {
            Host::Name(name) => said.dns_names.contains(name),
            Host::Address(address) => said.addresses.contains(address),
        };
        assert!(is_there, "{host}");
    }
}

#[test]
fn another_server_has_its_own_names_only() {
    let w = World::new();
    let hosts = ["chat2.example.org", "2001:db8::8"].map(|h| Host::parse(h).expect("a host"));
    let issued = w.ca.issue_server(&hosts, None).expect("issued");
    assert!(issued.bundle.ends_with("ca/server-chat2.example.org.pem"));
    let said = Bundle::read(&issued.bundle)
        .expect("a bundle")
        .certificate();
    assert_eq!(said.dns_names, ["chat2.example.org"]);
    assert_eq!(said.addresses.len(), 1);

    let before = fs::read(&issued.bundle).expect("a bundle");
    let again =
        w.ca.issue_server(&hosts, None)
            .expect_err("it is there already");
    assert!(matches!(again, ca_tool::Error::Exists(_)), "{again}");
    assert_eq!(fs::read(&issued.bundle).expect("a bundle"), before);
    let refused = w.admit(&issued.bundle).expect_err("a server is no person");
    assert!(matches!(refused, Refusal::Profile(_)), "{refused}");
}

#[test]
fn a_newer_bundle_for_the_same_server_has_its_names_and_this_machines() {
    let above = tempfile::tempdir().expect("a folder");
    let above = above.path();
    succeed(
        above,
        "ca-tool init --name 'Networks 101' --host chat.example --host 192.0.2.8 --no-passphrase",
    );
    let names = |bundle: &str| {
        let said = Bundle::read(&above.join(bundle)).expect("a bundle");
        let said = said.certificate();
        let addresses = said.addresses.iter().map(ToString::to_string);
        let mut names: Vec<_> = said.dns_names.iter().cloned().chain(addresses).collect();
        names.sort();
        (names, said.serial)
    };
    let (old, old_serial) = names("ca/server.pem");
    let said = succeed(above, "ca-tool issue-server");
    assert!(said.contains("  valid for  chat.example, "), "{said}");
    let (new, new_serial) = names("ca/server-chat.example.pem");
    assert_eq!(new, old);
    assert_ne!(new_serial, old_serial);
    // The command in the note puts it in place.
    let rename = said.split('`').find(|part| part.starts_with("mv "));
    succeed(above, rename.expect("a command"));
    assert_eq!(names("ca/server.pem").1, new_serial);

    // If a bundle is there already, the hint works.
    succeed(above, "ca-tool issue-server chat.example");
    let again = "ca-tool issue-server chat.example";
    let (code, _, err) = shell(above, again);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("--out DIR"), "{err}");
    succeed(above, &format!("{again} --out elsewhere"));
    assert_eq!(
        names("elsewhere/server-chat.example.pem").0,
        ["chat.example"]
    );
    // Without the old one, the address in people's files remains.
    fs::remove_file(above.join("ca/server.pem")).expect("removed");
    succeed(above, "ca-tool issue-server --out anew");
    let (names, _) = names("anew/server-chat.example.pem");
    assert!(names.contains(&"localhost".to_owned()), "{names:?}");
    assert!(!names.contains(&"192.0.2.8".to_owned()), "{names:?}");
}

#[test]
fn a_revoked_person_is_refused_and_the_list_says_why() {
    let w = World::new();
    let (alice, bob) = (w.issue("alice"), w.issue("bob"));
    w.admit(&alice.bundle).expect("admitted before");
    w.ca.revoke(&["alice".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    w.ca.revoke(&["bob".to_owned()], Reason::Unspecified)
        .expect("revoked");
    let refused = w.admit(&alice.bundle).expect_err("revoked");
    assert!(matches!(refused, Refusal::Revoked { .. }), "{refused}");

    let der = CertificateRevocationListDer::from_pem_file(w.ca.register().revocation_list())
        .expect("a list");
    let (rest, list) = CertificateRevocationList::from_der(&der).expect("a list");
    assert!(rest.is_empty());
    assert!(
        list.extensions()
            .iter()
            .all(|extension| !extension.critical)
    );
    let now = x509_parser::time::ASN1Time::now().timestamp();
    let age = now - list.last_update().timestamp();
    assert!(
        (300..360).contains(&age),
        "{age} s: for clocks that are slow"
    );
    let (_, anchor) = X509Certificate::from_der(w.ca.register().anchor()).expect("a certificate");
    let signer =
        list.extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
                _ => None,
            });
    assert_eq!(signer.expect("a signer").0, key_id(&anchor));
    let entries: Vec<_> = list
        .iter_revoked_certificates()
        .map(|entry| {
            let serial = pki::Serial::new(entry.raw_serial());
            (serial, entry.reason_code().map(|(_, reason)| reason.0))
        })
        .collect();
    // RFC 5280, section 5.3.1: "unspecified" is expressed by its absence.
    assert_eq!(entries, [(alice.serial, Some(1)), (bob.serial, None)]);
}

#[test]
fn whoever_has_the_key_can_sign_what_the_gate_refuses() {
    let w = World::new();
    let path = w.path("hostile.pem");
    let anchor = fs::read_to_string(w.ca.register().certificate()).expect("ca.pem");
    let leaf = Leaf {
        purpose: None,
        ..Leaf::person("hostile")
    };
    let text = kit::mint::bundle(
        &leaf,
        &kit::mint::issuer(w.ca.register().path()),
        &anchor,
        &[],
    );
    fs::write(&path, text).expect("written");
    w.admit(&path).expect_err("no profile");
}
