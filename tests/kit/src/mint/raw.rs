//! Certificates as no honest issuer makes them, put together byte by byte (RFC 5280, section 4.1)
//! and signed with any key.

#![expect(
    missing_docs,
    reason = "the constants have the names of RFC 5280 and X.690"
)]

use rcgen::{KeyPair, SigningKey};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

/// The content of a certificate before it is signed.
pub struct Leaf {
    /// The names, in DER.
    pub subject: Vec<u8>,
    pub issuer: Vec<u8>,
    /// The SubjectPublicKeyInfo, in DER.
    pub key: Vec<u8>,
    /// Days from now.
    pub valid: (i64, i64),
    /// The bits of keyUsage, if it has one.
    pub usage: Option<KeyUsage>,
    /// Extended key usages: each an extension of its own, with its purposes.
    pub purposes: Vec<&'static [&'static [u8]]>,
    pub is_ca: bool,
    /// More extensions, in DER.
    pub others: Vec<Vec<u8>>,
    /// Not version 1, which has no extensions.
    pub is_version_3: bool,
}

/// A BIT STRING's content: how many bits are unused, and the bits.
pub type KeyUsage = [u8; 2];

pub const DIGITAL_SIGNATURE: KeyUsage = [7, 0x80];
pub const KEY_ENCIPHERMENT: KeyUsage = [5, 0x20];
pub const SIGNS_CERTIFICATES: KeyUsage = [1, 0x06];

pub const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0];

pub const COMMON_NAME: &[u8] = &[0x55, 4, 3];
pub const ORGANIZATION: &[u8] = &[0x55, 4, 10];
pub const UNIT: &[u8] = &[0x55, 4, 11];
pub const FULL_NAME: &[u8] = &[0x55, 4, 41];

pub const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub const CURVE_P224: &[u8] = &[0x2b, 0x81, 4, 0, 0x21];
pub const CURVE_SECP256K1: &[u8] = &[0x2b, 0x81, 4, 0, 0x0a];

// The tags of DER (X.690) that are used here.
const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const BITS: u8 = 3;
pub const OCTETS: u8 = 4;
const NULL: u8 = 5;
const OID: u8 = 6;
pub const UTF8: u8 = 12;
pub const NUMERIC: u8 = 18;
pub const PRINTABLE: u8 = 19;
pub const TELETEX: u8 = 20;
pub const IA5: u8 = 22;
const UTC_TIME: u8 = 23;
pub const UNIVERSAL: u8 = 28;
pub const BMP: u8 = 30;
pub const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `rfc822Name [1]` and `iPAddress [7]` of a GeneralName.
pub const MAIL: u8 = 0x81;
pub const ADDRESS: u8 = 0x87;
/// `version [0]` and `extensions [3]` of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

pub fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// Signs with any P-256 key, and returns the certificate.
pub fn sign(leaf: &Leaf, issuer: &impl SigningKey) -> CertificateDer<'static> {
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

pub fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = der(BOOLEAN, &[0xff]);
    let critical: &[u8] = if is_critical { &critical } else { &[] };
    sequence(&[&der(OID, oid), critical, &der(OCTETS, value)])
}

/// Returns a name of one CN.
pub fn common_name(text: &str) -> Vec<u8> {
    name(&[&[&attribute(COMMON_NAME, UTF8, text.as_bytes())]])
}

/// Returns a name of these RDNs, each of which is a set of attributes.
pub fn name(rdns: &[&[&[u8]]]) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = rdns.iter().map(|rdn| der(SET, &rdn.concat())).collect();
    der(SEQUENCE, &rdns.concat())
}

/// Returns an attribute of a name, with its text in any of the string types.
pub fn attribute(oid: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
    sequence(&[&der(OID, oid), &der(tag, text)])
}

/// Returns a public key whose point is on no curve, which nobody checks before the key is used.
pub fn ec_key(curve: &[u8], coordinate_bytes: usize) -> Vec<u8> {
    let algorithm = sequence(&[&der(OID, EC_PUBLIC_KEY), &der(OID, curve)]);
    let point = [vec![0, 4], vec![7; 2 * coordinate_bytes]].concat();
    sequence(&[&algorithm, &der(BITS, &point)])
}

/// Returns a public key whose modulus has this many bits and is no product of two primes.
pub fn rsa_key(bits: usize) -> Vec<u8> {
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

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(SEQUENCE, &parts.concat())
}

/// Returns a tag, the shortest length, and the content.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
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
