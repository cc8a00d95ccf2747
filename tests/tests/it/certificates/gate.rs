//! The identity gate, as tables: the certificate, the verdict of webpki alone, the verdict of the gate
//! (which is also the cause in the server's log), and the alert that the client gets.
//!
//! Each row is judged three times: by webpki, by `Gate::admit`, and by the program `server` in a
//! real handshake, while somebody else is in the room. Certificates that no honest issuer makes
//! are put together byte by byte. A server judges a certificate before it looks at the proof of
//! its key, so a row's chain is sent with the key of another where no library would sign with its
//! own (RSA of 1024 bits, secp256k1, the CA's).

use std::sync::Arc;
use std::time::SystemTime;

use ca_tool::Reason;
use pki::{Bundle, Gate, Revocations};
use rcgen::{
    KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256,
    PublicKeyData as _, RsaKeySize,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription as Alert, ClientConfig};
use tests::{Peer, Served, within};

use super::mint::*;

/// webpki says nothing against it.
const ACCEPTS: &str = "accepts";

const NO_PURPOSE: &str =
    "the certificate is not one for a person: its extended key usage does not name this purpose";
const NO_KEY_USAGE: &str =
    "the certificate is not one for a person: its key usage does not allow this use";
const IS_CA: &str = "the certificate is not one for a person: \
    it is a CA certificate where a person's or a server's is needed, or the reverse";

#[tokio::test]
async fn a_certificate_that_is_not_for_a_person_is_refused() {
    let m = Mint::new();
    let alice = || m.leaf("alice");
    let usage = |bits| Leaf {
        usage: bits,
        ..alice()
    };
    let purposes = |purposes: &'static [&'static [u8]]| Leaf {
        purposes: vec![purposes],
        ..alice()
    };
    let unsupported = Alert::UnsupportedCertificate;
    #[rustfmt::skip]
    let rows = vec![
        row("no extended key usage, which means any to RFC 5280 and nothing to us",
            m.sign(&Leaf { purposes: vec![], ..alice() }), ACCEPTS, NO_PURPOSE, unsupported),
        row("a server's certificate",
            m.sign(&purposes(&[SERVER_AUTH])), "InvalidPurposeContext", NO_PURPOSE, unsupported),
        row("any extended key usage",
            m.sign(&purposes(&[ANY_PURPOSE])), "InvalidPurposeContext", NO_PURPOSE, unsupported),
        row("no key usage",
            m.sign(&usage(None)), ACCEPTS, NO_KEY_USAGE, unsupported),
        row("a key that may encipher and not sign",
            m.sign(&usage(Some(KEY_ENCIPHERMENT))), ACCEPTS, NO_KEY_USAGE, unsupported),
        row("a key that may sign certificates and not handshakes",
            m.sign(&usage(Some(SIGNS_CERTIFICATES))), ACCEPTS, NO_KEY_USAGE, unsupported),
        row("a CA below the CA, itself as a client",
            m.sign(&Leaf { is_ca: true, ..alice() }), "CaUsedAsEndEntity", IS_CA, unsupported),
        row("the CA's own certificate",
            vec![m.anchor.clone()], "CaUsedAsEndEntity", IS_CA, unsupported),
    ];
    m.nobody_gets_in(rows).await;
}

#[tokio::test]
async fn two_names_or_none_are_no_name() {
    let m = Mint::new();
    let named = |subject| m.sign(&m.leaf_of(subject));
    let common = |text: &str| attribute(COMMON_NAME, UTF8, text.as_bytes());
    let unit = || attribute(UNIT, UTF8, b"student");
    let (alice, bob) = (common("alice"), common("bob"));
    let denied = Alert::AccessDenied;
    let none = "the certificate has no name (CN)";
    let two = "the certificate has more than one name (CN)";
    let not_alone = "the name (CN) in the certificate is tied to another attribute, so it is unclear which of them is the name";
    #[rustfmt::skip]
    let rows = vec![
        row("no subject at all", named(name(&[])), ACCEPTS, none, denied),
        row("an organizational unit and no CN", named(name(&[&[&unit()]])), ACCEPTS, none, denied),
        row("two CNs: one library takes the first, another the last",
            named(name(&[&[&alice], &[&bob]])), ACCEPTS, two, denied),
        row("the same CN twice",
            named(name(&[&[&alice], &[&alice]])), ACCEPTS, two, denied),
        row("two CNs in one RDN",
            named(name(&[&[&alice, &bob]])), ACCEPTS, two, denied),
        row("a CN that shares its RDN with a unit",
            named(name(&[&[&alice, &unit()]])), ACCEPTS, not_alone, denied),
    ];
    m.nobody_gets_in(rows).await;
}

#[tokio::test]
async fn a_name_that_could_deceive_is_no_name() {
    let m = Mint::new();
    let (x33, x65, x7000) = ("x".repeat(33), "x".repeat(65), "x".repeat(7000));
    let cut = format!("{}…", "x".repeat(128));
    let long = "a name has at most 32 characters and 64 bytes";
    let dots = "'.', '_' and '-' stand alone, and only inside a name";
    let mixed = "a name cannot mix the letters of different scripts";
    // The name in the certificate, how the log shows it, and the fault in it.
    #[rustfmt::skip]
    let rows = [
        ("nothing", "", "", "a name cannot be empty"),
        ("NUL, where some libraries end a text", "alice\0evil", r"alice\u{0}evil", "a name cannot contain U+0000"),
        ("LF and a forged stamp", "1001\n[1002@10.0.0.9] hi", r"1001\u{a}[1002@10.0.0.9] hi", "a name cannot contain U+000A"),
        ("ESC, which a terminal obeys", "alice\u{1b}[2J", r"alice\u{1b}[2J", "a name cannot contain U+001B"),
        ("CSI of the C1 controls", "alice\u{9b}2J", r"alice\u{9b}2J", "a name cannot contain U+009B"),
        ("a bidi override", "alice\u{202e}bob", r"alice\u{202e}bob", "a name cannot contain U+202E"),
        ("a space of no width", "al\u{200b}ice", r"al\u{200b}ice", "a name cannot contain U+200B"),
        ("a space", "alice b", "alice b", "a name cannot contain a space"),
        ("a stamp", "1001@127.0.0.1", "1001@127.0.0.1", "a name cannot contain '@' (U+0040)"),
        ("a path", "../etc", "../etc", "a name cannot contain '/' (U+002F)"),
        ("a fullwidth letter", "ａlice", "ａlice", "a name cannot contain 'ａ' (U+FF41)"),
        ("a Cyrillic letter before Latin ones", "аlice", "аlice", mixed),
        ("normalization form D", "Zoe\u{308}", r"Zoe\u{308}", "a name must be in Unicode normalization form C"),
        ("33 characters", &x33, &x33, long),
        ("65 characters, more than X.520 has", &x65, &x65, long),
        ("7000 characters", &x7000, &cut, long),
        ("a reserved word", "server", "server", "this name is reserved"),
        ("a reserved word in capitals", "SERVER", "SERVER", "this name is reserved"),
        ("a dot at the end", "alice.", "alice.", dots),
    ];
    let rows = rows.map(|(presented, text, shown, why)| {
        let says = format!("the name \"{shown}\" is not acceptable: {why}");
        let chain = m.sign(&m.leaf(text));
        row(presented, chain, ACCEPTS, &says, Alert::AccessDenied)
    });
    m.nobody_gets_in(rows.into()).await;
}

#[tokio::test]
async fn a_name_has_one_encoding_or_the_other() {
    let m = Mint::new();
    let wide = |bytes: usize| -> Vec<u8> {
        let zeros = vec![0; bytes - 1];
        let characters = "alice".bytes().map(|b| [zeros.as_slice(), &[b]].concat());
        characters.collect::<Vec<_>>().concat()
    };
    let rows = [
        ("BMPString", BMP, wide(2)),
        ("TeletexString", TELETEX, b"alice".to_vec()),
        ("UniversalString", UNIVERSAL, wide(4)),
        ("IA5String", IA5, b"alice".to_vec()),
        ("NumericString", NUMERIC, b"1001".to_vec()),
        ("UTF8String that is not UTF-8", UTF8, b"alice\xff".to_vec()),
        ("OCTET STRING", OCTETS, b"alice".to_vec()),
    ];
    let says = "the name (CN) in the certificate is in an old encoding; UTF8String and PrintableString are accepted";
    let rows = rows.map(|(presented, tag, text)| {
        let subject = name(&[&[&attribute(COMMON_NAME, tag, &text)]]);
        let chain = m.sign(&m.leaf_of(subject));
        row(presented, chain, ACCEPTS, says, Alert::AccessDenied)
    });
    m.nobody_gets_in(rows.into()).await;
}

#[tokio::test]
async fn a_certificate_that_is_expired_or_not_yet_valid_or_revoked_is_refused() {
    let m = Mint::new();
    let valid = |valid| {
        m.sign(&Leaf {
            valid,
            ..m.leaf("alice")
        })
    };
    let bundle = m.site.path(&m.site.bundle("bob"));
    let bob = Bundle::read(&bundle).expect("bob's bundle").leaf().clone();
    let serial = pki::Certificate::parse(&bob).expect("a certificate").serial;
    let revoked = m.site.ca().revoke(&["bob".to_owned()], Reason::Unspecified);
    revoked.expect("a revocation");
    let revoked = format!("the certificate {serial} of \"bob\" was revoked");
    #[rustfmt::skip]
    let rows = vec![
        row("expired yesterday", valid((-10, -1)), "ExpiredContext",
            "the certificate of \"alice\" has expired", Alert::CertificateExpired),
        row("valid from tomorrow", valid((1, 10)), "NotValidYetContext",
            "the certificate of \"alice\" is not valid yet", Alert::CertificateExpired),
        row("valid never: it ends before it begins", valid((10, -10)), "Expired",
            "the certificate of \"alice\" has expired", Alert::CertificateExpired),
        row("revoked; webpki is given no list, so that the cause has words",
            vec![bob], ACCEPTS, &revoked, Alert::CertificateRevoked),
    ];
    m.nobody_gets_in(rows).await;
}

#[tokio::test]
async fn whoever_else_signs_is_not_our_ca() {
    let m = Mint::new();
    let (other, below) = (new_key(), new_key());
    let chemistry = Leaf {
        issuer: common_name("Chemistry 7"),
        ..m.leaf("alice")
    };
    let shown_alike = Leaf {
        issuer: name(&[
            &[&attribute(COMMON_NAME, UTF8, b"Networks 101")],
            &[&attribute(ORGANIZATION, UTF8, b"Elsewhere")],
        ]),
        ..m.leaf("alice")
    };
    let of_bob = Leaf {
        issuer: common_name("bob"),
        ..m.leaf("alice")
    };
    let of_sub = Leaf {
        issuer: common_name("Sub"),
        ..m.leaf("alice")
    };
    let bob = Leaf {
        key: below.subject_public_key_info(),
        ..m.leaf("bob")
    };
    let sub = Leaf {
        key: below.subject_public_key_info(),
        is_ca: true,
        usage: Some(SIGNS_CERTIFICATES),
        purposes: vec![],
        ..m.leaf("Sub")
    };
    let own = Leaf {
        issuer: common_name("alice"),
        ..m.leaf("alice")
    };
    let changed = format!(
        "the signature of \"alice\"'s certificate is invalid: \
         it was changed, or signed by another CA with the name of this room's CA, which is {}",
        m.site.ca().register().says()
    );
    let namesake = format!(
        "the certificate was issued by another CA that is called \"Networks 101\" too; this room's CA is {}",
        m.site.ca().register().says()
    );
    let by =
        |issuer: &str| format!("the certificate was issued by \"{issuer}\", not by this room's CA");
    #[rustfmt::skip]
    let rows = vec![
        row("issued by another CA", vec![sign(&chemistry, &other)],
            "UnknownIssuer", &by("Chemistry 7"), Alert::UnknownCA),
        row("issued by another CA of a name that is shown alike", vec![sign(&shown_alike, &other)],
            "UnknownIssuer", &namesake, Alert::UnknownCA),
        row("issued by another CA of the same name", vec![sign(&m.leaf("alice"), &other)],
            "BadSignature", &changed, Alert::DecryptError),
        row("signed with its own key", vec![sign(&own, &m.key)],
            "UnknownIssuer", &by("alice"), Alert::UnknownCA),
        row("issued by a person", [vec![sign(&of_bob, &below)], m.sign(&bob)].concat(),
            "EndEntityUsedAsCa", &by("bob"), Alert::UnknownCA),
        // Nobody could revoke a certificate that it signed: the list is our CA's, and so are the numbers on it.
        row("issued by a CA below ours",
            [vec![sign(&of_sub, &below)], m.sign(&sub)].concat(), ACCEPTS, &by("Sub"), Alert::UnknownCA),
    ];
    m.nobody_gets_in(rows).await;
}

#[tokio::test]
async fn a_certificate_that_no_honest_issuer_makes_is_refused_early() {
    let m = Mint::new();
    let alice = || m.leaf("alice");
    let others = |others| m.sign(&Leaf { others, ..alice() });
    let large = m.sign(&m.leaf(&"x".repeat(60_000)));
    let too_large = format!(
        "the certificate has {} bytes, more than 8192",
        large[0].len()
    );
    let critical = extension(&[0x2a, 3, 4], true, &der(OCTETS, b"?"));
    let unreadable = "the certificate cannot be read";
    #[rustfmt::skip]
    let rows = vec![
        row("a name of 60,000 bytes", large, ACCEPTS, &too_large, Alert::BadCertificate),
        row("one byte more than 8 KiB", m.sized(8193), ACCEPTS,
            "the certificate has 8193 bytes, more than 8192", Alert::BadCertificate),
        row("twenty CAs of one name, which keep webpki busy", m.maze(20), "MaximumPathBuildCallsExceeded",
            "the certificate was issued by \"Maze\", not by this room's CA", Alert::UnknownCA),
        row("an extension that we do not know and must not ignore",
            others(vec![critical]), "UnsupportedCriticalExtension",
            "the certificate of \"alice\" has the critical extension 1.2.3.4, which programs have to refuse unless they understand it, and this one does not", Alert::BadCertificate),
        row("two extended key usages, one for servers and one for clients",
            m.sign(&Leaf { purposes: vec![&[SERVER_AUTH], &[CLIENT_AUTH]], ..alice() }),
            "ExtensionValueInvalid", "the certificate of \"alice\" has the extension extendedKeyUsage (2.5.29.37) twice", Alert::BadCertificate),
        row("a byte after the certificate", m.altered(|der| der.push(0)), "BadEncoding", unreadable, Alert::BadCertificate),
        row("a certificate that ends in the middle", m.altered(|der| der.truncate(200)), "BadEncoding", unreadable, Alert::BadCertificate),
        row("no certificate, but something of that length", vec![CertificateDer::from(vec![7; 600])], "BadEncoding", unreadable, Alert::BadCertificate),
        row("a name that was changed after it was signed",
            m.altered(|der| rename(der)), "BadSignature",
            &format!("the signature of \"alicf\"'s certificate is invalid: it was changed, or signed by another CA with the name of this room's CA, which is {}", m.site.ca().register().says()),
            Alert::DecryptError),
        row("version 1, which has no extensions",
            m.sign(&Leaf { is_version_3: false, ..alice() }), "UnsupportedCertVersion",
            "the certificate of \"alice\" is of version 1; TLS needs version 3, which has extensions", Alert::BadCertificate),
    ];
    m.nobody_gets_in(rows).await;
}

#[tokio::test]
async fn a_key_that_is_weak_or_that_few_can_use_is_not_accepted() {
    let m = Mint::new();
    let holder = |key: Vec<u8>| {
        m.sign(&Leaf {
            key,
            ..m.leaf("alice")
        })
    };
    let p521 = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
    let kind = |kind: &str| format!("a key of the kind {kind} is not accepted");
    let p521 = holder(p521.subject_public_key_info());
    let denied = Alert::AccessDenied;
    #[rustfmt::skip]
    let rows = vec![
        row("RSA of 1024 bits", holder(rsa_key(1024)), ACCEPTS, &kind("RSA-1024"), denied),
        row("RSA of 2040 bits", holder(rsa_key(2040)), ACCEPTS, &kind("RSA-2040"), denied),
        row("P-521", p521, ACCEPTS, &kind("P-521"), denied),
        row("P-224", holder(ec_key(CURVE_P224, 28)), ACCEPTS, &kind("curve 1.3.132.0.33"), denied),
        row("secp256k1", holder(ec_key(CURVE_SECP256K1, 32)), ACCEPTS, &kind("curve 1.3.132.0.10"), denied),
    ];
    m.nobody_gets_in(rows).await;
}

/// The gate lets alice in by this chain; whoever presents it must still prove that the key is hers.
#[tokio::test]
async fn a_certificate_without_its_key_is_nobodys() {
    let m = Mint::new();
    let stolen = m.sign(&Leaf {
        key: new_key().subject_public_key_info(),
        ..m.leaf("alice")
    });
    let (by_webpki, by_gate) = m.judge(&stolen);
    assert_eq!(
        (by_webpki.as_str(), by_gate),
        (ACCEPTS, Ok("alice".to_owned()))
    );
    let served = m.site.serve(&[]);
    let (port, alert) = m.knock(&served, &stolen).await;
    assert_eq!(alert, Ok(Alert::DecryptError));
    let says = "the client presented the certificate of \"alice\", and did not prove that it has the private key";
    assert_eq!(refusals(&end(served)), [refused(port, says)]);
    assert_eq!(m.site.query("select count(*) from joins"), ["0"]);
}

#[tokio::test]
async fn a_list_past_its_next_update_admits_people_unless_the_operator_is_strict() {
    let m = Mint::new();
    publish_list(m.site.ca(), -10, -1);
    let chain = m.sign(&m.leaf("alice"));

    let served = m.site.serve(&[]);
    assert_eq!(m.enter(&served, &chain, &m.key).await, "alice");
    let log = end(served);
    assert_eq!(refusals(&log), [""; 0]);
    assert!(
        log.iter()
            .any(|line| line.contains("the revocation list is out of date; sign it again with")),
        "{log:?}"
    );

    let served = m.site.serve(&["--strict-revocation"]);
    let (port, alert) = m.knock(&served, &chain).await;
    assert_eq!(alert, Ok(Alert::CertificateUnknown));
    let says = "the revocation list is out of date";
    assert_eq!(refusals(&end(served)), [refused(port, says)]);
    assert_eq!(m.site.query("select id from joins"), ["alice"]);
}

#[tokio::test]
async fn a_certificate_of_an_honest_issuer_is_admitted() {
    let m = Mint::new();
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let encoded = |tag| m.leaf_of(name(&[&[&attribute(COMMON_NAME, tag, b"alice")]]));
    let with_key = |key: &KeyPair| Leaf {
        key: key.subject_public_key_info(),
        ..m.leaf("alice")
    };
    let others = |others| {
        m.sign(&Leaf {
            others,
            ..m.leaf("alice")
        })
    };
    let named = |text: &str| m.sign(&m.leaf(text));
    let mail = sequence(&[&der(MAIL, b"alice@example.com")]);
    let mail = extension(ALTERNATIVE_NAMES, false, &mail);
    let unknown = extension(&[0x2a, 3, 4], false, &der(OCTETS, b"?"));
    let one_name = name(&[
        &[&attribute(UNIT, UTF8, b"student")],
        &[&attribute(COMMON_NAME, UTF8, b"alice")],
        &[&attribute(ORGANIZATION, UTF8, b"Networks 101")],
    ]);
    let x32 = "x".repeat(32);
    let own = &m.key;
    let served = m.site.serve(&["--sessions-per-minute", "0"]);
    #[rustfmt::skip]
    let rows = [
        ("UTF8String", m.sign(&encoded(UTF8)), own, "alice"),
        ("PrintableString", m.sign(&encoded(PRINTABLE)), own, "alice"),
        ("one CN among other attributes", m.sign(&m.leaf_of(one_name)), own, "alice"),
        ("a Chinese name", named("张三"), own, "张三"),
        ("normalization form C", named("Zoë"), own, "Zoë"),
        ("a dot inside", named("alice.b"), own, "alice.b"),
        ("32 characters", named(&x32), own, x32.as_str()),
        ("P-384", m.sign(&with_key(&p384)), &p384, "alice"),
        ("RSA of 2048 bits", m.sign(&with_key(&rsa)), &rsa, "alice"),
        ("Ed25519", m.sign(&with_key(&ed25519)), &ed25519, "alice"),
        ("another use beside clientAuth",
            m.sign(&Leaf { purposes: vec![&[SERVER_AUTH, CLIENT_AUTH]], ..m.leaf("alice") }), own, "alice"),
        ("a mail address", others(vec![mail]), own, "alice"),
        ("an extension that may be ignored", others(vec![unknown]), own, "alice"),
        ("8 KiB", m.sized(8192), own, "alice"),
        ("certificates beside one's own, which nobody looks at", m.beside(20), own, "alice"),
    ];
    for (presented, chain, key, id) in rows {
        let judged = m.judge(&chain);
        assert_eq!(
            judged,
            (ACCEPTS.to_owned(), Ok(id.to_owned())),
            "{presented}"
        );
        assert_eq!(m.enter(&served, &chain, key).await, id, "{presented}");
    }
    assert_eq!(refusals(&end(served)), [""; 0]);
}

#[tokio::test]
async fn a_full_name_that_breaks_a_rule_is_not_shown_and_keeps_nobody_out() {
    let m = Mint::new();
    let full_name = |tag, bytes: &[u8]| attribute(FULL_NAME, tag, bytes);
    let named = |names: &[Vec<u8>]| {
        let common = attribute(COMMON_NAME, UTF8, b"alice");
        let mut parts: Vec<Vec<&[u8]>> = vec![vec![&common]];
        parts.extend(names.iter().map(|one| vec![one.as_slice()]));
        let parts: Vec<&[&[u8]]> = parts.iter().map(Vec::as_slice).collect();
        m.sign(&m.leaf_of(name(&parts)))
    };
    let utf8 = |text: &str| named(&[full_name(UTF8, text.as_bytes())]);
    let cjk = "張".repeat(64);
    let allowed = "; letters, digits, spaces and ' - . , ( ) / & @ are allowed";
    // The certificate, the name that is shown, or how the log says that there is none.
    #[rustfmt::skip]
    let rows = [
        ("no full name", named(&[]), Ok(None)),
        ("UTF8String", utf8("Alice Ng"), Ok(Some("Alice Ng"))),
        ("PrintableString", named(&[full_name(PRINTABLE, b"Alice Ng")]), Ok(Some("Alice Ng"))),
        ("the ID of somebody else", utf8("wendy"), Ok(Some("wendy"))),
        ("64 characters", utf8(&cjk), Ok(Some(cjk.as_str()))),
        ("65 characters", utf8(&"x".repeat(65)), Err("it has more than 64 characters".to_owned())),
        ("7000 characters", utf8(&"x".repeat(7000)), Err("it has more than 64 characters".to_owned())),
        ("nothing", utf8(""), Err("it is empty".to_owned())),
        ("LF and a forged stamp", utf8("x\n[wendy@10.0.0.9] hi"), Err(format!("it contains U+000A{allowed}"))),
        ("ESC, which a terminal obeys", utf8("\u{1b}[2J"), Err(format!("it contains U+001B{allowed}"))),
        ("a bidi override", utf8("a\u{202e}b"), Err(format!("it contains U+202E{allowed}"))),
        ("the end of a pair", utf8("a\" role=instructor"), Err(format!("it contains '\"' (U+0022){allowed}"))),
        ("a stamp without brackets", utf8("wendy@10.0.0.9"), Err("it contains '@' within a word, like a mail address".to_owned())),
        ("normalization form D", utf8("Zoe\u{308}"), Err("it is not in Unicode normalization form C".to_owned())),
        ("two of them", named(&[full_name(UTF8, b"Alice"), full_name(UTF8, b"Bob")]), Err("there is more than one".to_owned())),
        ("BMPString", named(&[full_name(BMP, &[0, 65])]), Err("it is not a UTF8String or PrintableString".to_owned())),
        ("not UTF-8", named(&[full_name(UTF8, b"\xff\xfe")]), Err("it is not a UTF8String or PrintableString".to_owned())),
    ];
    let served = m.site.serve(&["--sessions-per-minute", "0"]);
    let mut faults = Vec::new();
    for (presented, chain, shown) in rows {
        let mut alice = m.peer(&served, &chain, &m.key).await;
        let welcome = alice.welcome().await;
        assert_eq!(welcome.id.as_str(), "alice", "{presented}");
        let name = welcome.name.as_ref().map(ToString::to_string);
        let expected = shown.as_ref().ok().copied().flatten();
        assert_eq!(name.as_deref(), expected, "{presented}");
        faults.extend(shown.err());
        alice.close().await;
    }
    // One line for each, and never the name itself.
    let log = end(served);
    let told: Vec<&str> = log
        .iter()
        .filter_map(|line| line.split_once("the full name in this certificate is not shown"))
        .map(|(_, fields)| fields.trim())
        .collect();
    let expected: Vec<String> = faults
        .iter()
        .map(|fault| format!("id=alice serial=4d fault={fault}"))
        .collect();
    assert_eq!(told, expected);
    assert!(
        log.iter().all(|line| !line.contains(char::is_control)),
        "{log:?}"
    );
    let names = m
        .site
        .query("select distinct name from joins where name is not null order by 1");
    assert_eq!(names, ["Alice Ng", "wendy", cjk.as_str()]);
}

/// A certificate that should not pass, and how it is refused.
struct Row {
    presented: &'static str,
    chain: Vec<CertificateDer<'static>>,
    /// The verdict of webpki alone: [`ACCEPTS`], or the name of its error.
    webpki: &'static str,
    /// The verdict of the gate, which is the cause in the log.
    says: String,
    alert: Alert,
}

fn row(
    presented: &'static str,
    chain: Vec<CertificateDer<'static>>,
    webpki: &'static str,
    says: &str,
    alert: Alert,
) -> Row {
    Row {
        presented,
        chain,
        webpki,
        says: says.to_owned(),
        alert,
    }
}

/// Makes alice alicf.
fn rename(der: &mut [u8]) {
    let at = der.windows(5).position(|window| window == b"alice");
    der[at.expect("her name") + 4] += 1;
}

impl Mint {
    /// Presents every row to the program `server` while wendy is in the room.
    async fn nobody_gets_in(&self, rows: Vec<Row>) {
        let served = self.site.serve(&[]);
        let mut wendy = self
            .peer(&served, &self.sign(&self.leaf("wendy")), &self.key)
            .await;
        wendy.welcome().await;
        let mut logged = Vec::new();
        let mut wrong = Vec::new();
        for row in rows {
            let (by_webpki, by_gate) = self.judge(&row.chain);
            let (port, alert) = self.knock(&served, &row.chain).await;
            let came = (by_webpki.as_str(), by_gate, alert);
            if came != (row.webpki, Err(row.says.clone()), Ok(row.alert)) {
                wrong.push(format!("{}: {came:?}", row.presented));
            }
            logged.push(refused(port, &row.says));
        }
        // Together, so that a change which moves many rows is seen at once.
        assert_eq!(wrong, [""; 0]);
        wendy.say("still here").await;
        wendy.expect("] still here").await;
        wendy.close().await;
        let log = end(served);
        assert_eq!(refusals(&log), logged);
        for line in &log {
            // One event a line, and nothing in it that a terminal would obey.
            assert!(
                line.starts_with("20") && !line.contains(char::is_control),
                "{line:?}"
            );
        }
        assert_eq!(self.site.query("select id from joins"), ["wendy"]);
        assert_eq!(
            self.site.query("select distinct id from history"),
            ["wendy"]
        );
    }

    /// Returns the verdicts of webpki and of the gate, by today's list and clock.
    fn judge(&self, chain: &[CertificateDer<'static>]) -> (String, Result<String, String>) {
        let gate = self.gate();
        let list = std::fs::read(self.site.ca().register().revocation_list()).expect("a list");
        let now = SystemTime::now();
        let list = gate.revocation_list(&list, now).expect("a list");
        let said = gate.admit(&chain[0], &Revocations::List(Arc::new(list)), now);
        let said = said
            .map(|identity| identity.id().to_string())
            .map_err(|refusal| refusal.to_string());
        (self.webpki(chain), said)
    }

    fn gate(&self) -> Gate {
        Gate::new(self.anchor.clone(), false).expect("a gate")
    }

    /// Returns the verdict of webpki alone: [`ACCEPTS`], or the name of its error.
    fn webpki(&self, chain: &[CertificateDer<'static>]) -> String {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), pki::provider())
                .build()
                .expect("a verifier");
        let now = UnixTime::now();
        match verifier.verify_client_cert(&chain[0], &chain[1..], now) {
            Ok(_) => ACCEPTS.to_owned(),
            Err(rustls::Error::InvalidCertificate(error)) => {
                let error = format!("{error:?}");
                let error = error.trim_start_matches("Other(OtherError(");
                let end = error.find([' ', ')']).unwrap_or(error.len());
                error[..end].to_owned()
            }
            Err(other) => other.to_string(),
        }
    }

    /// Presents a chain and is not let in: from which port, and by which alert.
    pub(super) async fn knock(
        &self,
        served: &Served,
        chain: &[CertificateDer<'static>],
    ) -> (u16, Result<Alert, String>) {
        let mut peer = self.peer(served, chain, &self.key).await;
        let port = peer
            .stream
            .get_ref()
            .0
            .local_addr()
            .expect("an address")
            .port();
        let alert = match within("an alert", peer.read_line()).await {
            Ok(line) => Err(format!("no alert, but {line:?}")),
            Err(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
                Some(rustls::Error::AlertReceived(alert)) => Ok(*alert),
                _ => Err(error.to_string()),
            },
        };
        (port, alert)
    }

    /// Enters, leaves again, and tells by which name.
    async fn enter(
        &self,
        served: &Served,
        chain: &[CertificateDer<'static>],
        key: &KeyPair,
    ) -> String {
        let mut peer = self.peer(served, chain, key).await;
        let id = peer.welcome().await.id.to_string();
        peer.close().await;
        id
    }

    async fn peer(
        &self,
        served: &Served,
        chain: &[CertificateDer<'static>],
        key: &KeyPair,
    ) -> Peer {
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
        // Nothing is checked here: the chain may be of another key, or no chain at all.
        let certified = Arc::new(CertifiedKey::new(chain.to_vec(), key));
        let config = ClientConfig::builder_with_provider(pki::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(self.roots())
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let connected = Peer::connect_with(served.address, Arc::new(config)).await;
        connected.expect("a connection")
    }
}

/// Returns the log line about somebody who was not admitted, without its time.
fn refused(port: u16, says: &str) -> String {
    format!("WARN refused ip=127.0.0.1 port={port} cause={says:?}")
}

fn refusals(log: &[String]) -> Vec<String> {
    let refused = log.iter().filter(|line| line.contains("refused"));
    refused
        .map(|line| {
            line.split_once("Z")
                .map_or(line.as_str(), |(_, rest)| rest.trim())
                .to_owned()
        })
        .collect()
}

/// Ends the server and gives its log from the moment it listened.
fn end(served: Served) -> Vec<String> {
    served.program.signal("-TERM");
    let output = served.program.finish();
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stderr).expect("UTF-8");
    let log = log.split_once(&served.said).expect("it listened").1;
    log.lines().skip(1).map(str::to_owned).collect()
}
