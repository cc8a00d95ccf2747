//! Certificates as no honest issuer makes them, put together byte by byte (RFC 5280, section 4.1)
//! and signed with the CA's real key.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use ca_tool::Ca;
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyPair, PublicKeyData as _, SerialNumber,
    SigningKey as _,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tests::Site;
use time::OffsetDateTime;

/// A CA's folder, and its key in the hands of somebody who signs anything.
pub(crate) struct Mint {
    pub(crate) site: Site,
    pub(crate) anchor: CertificateDer<'static>,
    /// The key that people of this mint have, unless a test says otherwise.
    pub(crate) key: KeyPair,
    /// The CA's name, in DER.
    issuer: Vec<u8>,
}

/// What a certificate says before it is signed.
pub(crate) struct Leaf {
    /// The names, in DER.
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    /// The SubjectPublicKeyInfo, in DER.
    pub(crate) key: Vec<u8>,
    /// Days from now.
    pub(crate) valid: (i64, i64),
    /// The bits of keyUsage, if it has one.
    pub(crate) usage: Option<KeyUsage>,
    /// Extended key usages: each an extension of its own, with its purposes.
    pub(crate) purposes: Vec<&'static [&'static [u8]]>,
    pub(crate) is_ca: bool,
    /// More extensions, in DER.
    pub(crate) others: Vec<Vec<u8>>,
    /// Not version 1, which has no extensions.
    pub(crate) is_version_3: bool,
}

/// A BIT STRING's content: how many bits are unused, and the bits.
pub(crate) type KeyUsage = [u8; 2];

pub(crate) const DIGITAL_SIGNATURE: KeyUsage = [7, 0x80];
pub(crate) const KEY_ENCIPHERMENT: KeyUsage = [5, 0x20];
pub(crate) const SIGNS_CERTIFICATES: KeyUsage = [1, 0x06];

pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub(crate) const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0];

pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];
pub(crate) const UNIT: &[u8] = &[0x55, 4, 11];

pub(crate) const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(crate) const CURVE_P224: &[u8] = &[0x2b, 0x81, 4, 0, 0x21];
pub(crate) const CURVE_SECP256K1: &[u8] = &[0x2b, 0x81, 4, 0, 0x0a];

// The tags of DER (X.690) that are used here.
const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const BITS: u8 = 3;
pub(crate) const OCTETS: u8 = 4;
const NULL: u8 = 5;
const OID: u8 = 6;
pub(crate) const UTF8: u8 = 12;
pub(crate) const NUMERIC: u8 = 18;
pub(crate) const PRINTABLE: u8 = 19;
pub(crate) const TELETEX: u8 = 20;
pub(crate) const IA5: u8 = 22;
const UTC_TIME: u8 = 23;
pub(crate) const UNIVERSAL: u8 = 28;
pub(crate) const BMP: u8 = 30;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `rfc822Name [1]` and `iPAddress [7]` of a GeneralName.
pub(crate) const MAIL: u8 = 0x81;
pub(crate) const ADDRESS: u8 = 0x87;
/// `version [0]` and `extensions [3]` of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

impl Mint {
    pub(crate) fn new() -> Self {
        let site = Site::new("Networks 101");
        let anchor = site.ca().anchor().clone();
        let issuer = roots(&anchor).roots[0].subject.to_vec();
        Self {
            issuer: der(SEQUENCE, &issuer),
            key: new_key(),
            site,
            anchor,
        }
    }

    /// Trust in this CA alone.
    pub(crate) fn roots(&self) -> RootCertStore {
        roots(&self.anchor)
    }

    /// What an honest issuer would sign for somebody.
    pub(crate) fn leaf(&self, id: &str) -> Leaf {
        self.leaf_of(common_name(id))
    }

    /// The same, for somebody of any name.
    pub(crate) fn leaf_of(&self, subject: Vec<u8>) -> Leaf {
        Leaf {
            subject,
            issuer: self.issuer.clone(),
            key: self.key.subject_public_key_info(),
            valid: (-10, 10),
            usage: Some(DIGITAL_SIGNATURE),
            purposes: vec![&[CLIENT_AUTH]],
            is_ca: false,
            others: Vec::new(),
            is_version_3: true,
        }
    }

    /// Signs with the CA's key: a chain of one.
    pub(crate) fn sign(&self, leaf: &Leaf) -> Vec<CertificateDer<'static>> {
        vec![sign(leaf, self.site.ca().issuer().key())]
    }

    /// A good certificate for alice of exactly so many bytes.
    pub(crate) fn sized(&self, bytes: usize) -> Vec<CertificateDer<'static>> {
        let padded = |padding: usize| {
            let padding = extension(&[0x2a, 3, 4], false, &vec![0; padding]);
            self.sign(&Leaf {
                others: vec![padding],
                ..self.leaf("alice")
            })
        };
        let spare = padded(bytes)[0].len() - bytes;
        // A signature has 70 to 72 bytes, as it happens.
        let mut tries = std::iter::repeat_with(|| padded(bytes - spare)).take(1000);
        tries
            .find(|chain| chain[0].len() == bytes)
            .expect("one has that length")
    }

    /// A good certificate for alice, and others that have nothing to do with it.
    pub(crate) fn beside(&self, others: usize) -> Vec<CertificateDer<'static>> {
        let mut chain = self.sign(&self.leaf("alice"));
        chain.extend((0..others).map(|_| self.anchor.clone()));
        chain
    }

    /// A certificate for alice by one of many CAs which have all the same name.
    pub(crate) fn maze(&self, cas: usize) -> Vec<CertificateDer<'static>> {
        let of_maze = |leaf: Leaf| Leaf {
            issuer: common_name("Maze"),
            ..leaf
        };
        let nobody = new_key();
        let mut chain = vec![sign(&of_maze(self.leaf("alice")), &nobody)];
        chain.extend((0..cas).map(|_| {
            let key = new_key();
            let ca = Leaf {
                key: key.subject_public_key_info(),
                is_ca: true,
                usage: Some(SIGNS_CERTIFICATES),
                purposes: Vec::new(),
                ..self.leaf("Maze")
            };
            sign(&of_maze(ca), &key)
        }));
        chain
    }

    /// A good certificate for alice that somebody changed.
    pub(crate) fn altered(
        &self,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<CertificateDer<'static>> {
        let mut bytes = self.sign(&self.leaf("alice"))[0].to_vec();
        change(&mut bytes);
        vec![CertificateDer::from(bytes)]
    }
}

/// Signs an empty list that is valid between these days from now, newer than any before, and puts it
/// where the server reads it, as ca-tool does.
pub(crate) fn publish_list(ca: &Ca, from: i64, until: i64) {
    let day = |days| OffsetDateTime::now_utc() + time::Duration::days(days);
    // As ca-tool counts.
    let number = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock")
        .as_millis();
    let number = u64::try_from(number).expect("not so late");
    let list = CertificateRevocationListParams {
        this_update: day(from),
        next_update: day(until),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(ca.issuer()).expect("a list");
    replace(&ca.revocation_list(), list.pem().expect("PEM").as_bytes());
}

/// Puts a file in the place of another, as ca-tool does: nobody sees half of it.
pub(crate) fn replace(path: &Path, bytes: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).expect("written");
    fs::rename(&new, path).expect("renamed");
}

fn roots(anchor: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone()).expect("a trust anchor");
    roots
}

pub(crate) fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// Signs with any P-256 key.
pub(crate) fn sign(leaf: &Leaf, issuer: &KeyPair) -> CertificateDer<'static> {
    let algorithm = sequence(&[&der(OID, ECDSA_WITH_SHA256)]);
    let validity = sequence(&[&utc_time(leaf.valid.0), &utc_time(leaf.valid.1)]);
    let version = der(VERSION, &der(INTEGER, &[2]));
    let extensions = der(EXTENSIONS, &der(SEQUENCE, &leaf.extensions()));
    let unless_v1 = |part| if leaf.is_version_3 { part } else { Vec::new() };
    let said = sequence(&[
        &unless_v1(version),
        &der(INTEGER, &[0x4d]),
        &algorithm,
        &leaf.issuer,
        &validity,
        &leaf.subject,
        &leaf.key,
        &unless_v1(extensions),
    ]);
    let signature = issuer.sign(&said).expect("a signature");
    let signature = der(BITS, &[&[0], signature.as_slice()].concat());
    CertificateDer::from(sequence(&[&said, &algorithm, &signature]))
}

impl Leaf {
    fn extensions(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut constraints = Vec::new();
        if self.is_ca {
            constraints.extend(der(BOOLEAN, &[0xff]));
        }
        let constraints = der(SEQUENCE, &constraints);
        extensions.push(extension(BASIC_CONSTRAINTS, true, &constraints));
        if let Some(usage) = &self.usage {
            extensions.push(extension(KEY_USAGE, true, &der(BITS, usage)));
        }
        for purposes in &self.purposes {
            let purposes: Vec<Vec<u8>> = purposes.iter().map(|oid| der(OID, oid)).collect();
            let purposes = der(SEQUENCE, &purposes.concat());
            extensions.push(extension(EXTENDED_KEY_USAGE, false, &purposes));
        }
        extensions.extend(self.others.clone());
        extensions.concat()
    }
}

pub(crate) fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = der(BOOLEAN, &[0xff]);
    let critical: &[u8] = if is_critical { &critical } else { &[] };
    sequence(&[&der(OID, oid), critical, &der(OCTETS, value)])
}

/// A name of one CN.
pub(crate) fn common_name(text: &str) -> Vec<u8> {
    name(&[&[&attribute(COMMON_NAME, UTF8, text.as_bytes())]])
}

/// A name of these RDNs, each a set of attributes.
pub(crate) fn name(rdns: &[&[&[u8]]]) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = rdns.iter().map(|rdn| der(SET, &rdn.concat())).collect();
    der(SEQUENCE, &rdns.concat())
}

/// An attribute of a name, its text in any of the string types.
pub(crate) fn attribute(oid: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
    sequence(&[&der(OID, oid), &der(tag, text)])
}

/// A point that is on no curve, which nobody looks at before the key is used.
pub(crate) fn ec_key(curve: &[u8], coordinate_bytes: usize) -> Vec<u8> {
    let algorithm = sequence(&[&der(OID, EC_PUBLIC_KEY), &der(OID, curve)]);
    let point = [vec![0, 4], vec![7; 2 * coordinate_bytes]].concat();
    sequence(&[&algorithm, &der(BITS, &point)])
}

/// A modulus of so many bits that is no product of two primes.
pub(crate) fn rsa_key(bits: usize) -> Vec<u8> {
    let algorithm = sequence(&[&der(OID, RSA_ENCRYPTION), &der(NULL, &[])]);
    let modulus = [vec![0], vec![0xc5; bits / 8]].concat();
    let key = sequence(&[&der(INTEGER, &modulus), &der(INTEGER, &[1, 0, 1])]);
    let key = [vec![0], key].concat();
    sequence(&[&algorithm, &der(BITS, &key)])
}

fn utc_time(days: i64) -> Vec<u8> {
    let at = OffsetDateTime::now_utc() + time::Duration::days(days);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let (year, month) = (year % 100, u8::from(month));
    let text = format!("{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    der(UTC_TIME, text.as_bytes())
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(SEQUENCE, &parts.concat())
}

/// A tag, the shortest length, and the content.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(length.len() - 1);
    let length = &length[first..];
    let mut bytes = vec![tag];
    if let [short @ 0..=0x7f] = length {
        bytes.push(*short);
    } else {
        bytes.push(0x80 | u8::try_from(length.len()).expect("a usize has 8 bytes"));
        bytes.extend(length);
    }
    bytes.extend(content);
    bytes
}
