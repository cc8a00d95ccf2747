//! The fields of a certificate, for people and for the gate. Nothing here is verified.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_X509_NAME;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::limits::RSA_BITS_MIN;
use crate::profile::Purpose;

/// The fields of a certificate as it states them. Reading it verifies nothing: an
/// [`Identity`](crate::Identity) is something else.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The holder's name.
    pub subject: Name,
    /// The issuer's name.
    pub issuer: Name,
    /// Its serial number, which is unique for its issuer.
    pub serial: Serial,
    /// SHA-256 of the whole certificate.
    pub fingerprint: Fingerprint,
    /// The first moment at which it is valid.
    pub not_before: SystemTime,
    /// The last moment at which it is valid.
    pub not_after: SystemTime,
    /// DNS names in its subjectAltName.
    pub dns_names: Vec<String>,
    /// Addresses in its subjectAltName.
    pub addresses: Vec<IpAddr>,
    /// Mail addresses in its subjectAltName.
    pub emails: Vec<String>,
    /// The purposes it may be used for.
    pub purposes: Vec<Purpose>,
    /// Whether it is a CA's.
    pub is_ca: bool,
    /// The kind of its key, such as `P-256`.
    pub key: String,
}

/// The parts of a distinguished name that people read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// Every CN.
    pub common_names: Vec<String>,
    /// Every OU.
    pub units: Vec<String>,
    /// Every O.
    pub organizations: Vec<String>,
    /// Every `name` (OID 2.5.4.41): a person's full name.
    pub full_names: Vec<String>,
}

/// A certificate's serial number: its bytes, written as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Box<[u8]>);

/// SHA-256 of a certificate's DER, written as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// The bytes are not a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a readable X.509 certificate")]
pub struct CertificateError;

impl Certificate {
    /// Reads a certificate's DER.
    ///
    /// # Errors
    ///
    /// When the bytes are not one certificate and nothing else.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        Ok(Self::of(der, &parse_der(der)?))
    }

    /// Returns the fields of a certificate that was parsed already.
    pub(crate) fn of(der: &[u8], parsed: &X509Certificate<'_>) -> Self {
        let mut certificate = Self {
            subject: Name::of(parsed.subject()),
            issuer: Name::of(parsed.issuer()),
            serial: Serial::new(parsed.raw_serial()),
            fingerprint: Fingerprint::of(der),
            not_before: system_time(parsed.validity().not_before),
            not_after: system_time(parsed.validity().not_after),
            dns_names: Vec::new(),
            addresses: Vec::new(),
            emails: Vec::new(),
            purposes: Vec::new(),
            is_ca: parsed.is_ca(),
            key: describe_key(parsed.public_key()),
        };
        if let Ok(Some(names)) = parsed.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => certificate.dns_names.push((*name).to_owned()),
                    GeneralName::RFC822Name(mail) => certificate.emails.push((*mail).to_owned()),
                    GeneralName::IPAddress(bytes) => {
                        certificate.addresses.extend(address(bytes));
                    }
                    _ => {}
                }
            }
        }
        if let Ok(Some(usage)) = parsed.extended_key_usage() {
            if usage.value.server_auth {
                certificate.purposes.push(Purpose::Server);
            }
            if usage.value.client_auth {
                certificate.purposes.push(Purpose::Client);
            }
        }
        certificate
    }

    /// Returns the name of its subject; with its fingerprint if `other` has the same name, because then
    /// the name alone would say nothing.
    pub fn told_apart_from(&self, other: &Self) -> String {
        match self.subject.to_string() == other.subject.to_string() {
            true => self.to_string(),
            false => format!("\"{}\"", self.subject),
        }
    }

    /// Returns whether it is valid at `now`.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

impl fmt::Display for Certificate {
    /// Writes the name with the beginning of the fingerprint, for when the name alone is not enough.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\", SHA-256 {}",
            self.subject,
            self.fingerprint.short()
        )
    }
}

impl Name {
    fn of(name: &X509Name<'_>) -> Self {
        fn texts<'a>(
            attributes: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
        ) -> Vec<String> {
            attributes
                .map(|attribute| match attribute.as_str() {
                    Ok(text) => text.to_owned(),
                    Err(_) => attribute.as_slice().escape_ascii().to_string(),
                })
                .collect()
        }
        Self {
            common_names: texts(name.iter_common_name()),
            units: texts(name.iter_organizational_unit()),
            organizations: texts(name.iter_organization()),
            full_names: texts(name.iter_by_oid(&OID_X509_NAME)),
        }
    }

    /// Returns the first CN, or else the first O, as it is.
    pub fn first(&self) -> Option<&str> {
        let first = self.common_names.first().or(self.organizations.first());
        first.map(String::as_str)
    }
}

/// The length of a name that is shown; honest ones have half as many characters.
const NAME_CHARS_SHOWN: usize = 128;

impl fmt::Display for Name {
    /// Writes [`Name::first`]; everything that could move a cursor is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first() {
            Some(name) => f.write_str(&wire::excerpt(name, NAME_CHARS_SHOWN)),
            None => f.write_str("(no name)"),
        }
    }
}

impl Serial {
    /// Takes the bytes of the number, most significant first; leading zeros do not count.
    pub fn new(bytes: &[u8]) -> Self {
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        Self(bytes[first..].into())
    }

    /// Returns the bytes of the number, most significant first; zero has one.
    pub fn bytes(&self) -> &[u8] {
        if self.0.is_empty() { &[0] } else { &self.0 }
    }

    /// Reads the hexadecimal form, with or without colons between the bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        if digits.is_empty() || digits.len() > 64 {
            return None;
        }
        let bytes: Vec<u8> = digits
            .rchunks(2)
            .rev()
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        Some(Self::new(&bytes))
    }
}

impl Fingerprint {
    /// Returns the fingerprint of a certificate's DER.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Returns its first 8 bytes: enough to tell two certificates apart, and to find the whole one.
    pub fn short(&self) -> String {
        let digits = self.to_string();
        format!("{}…", &digits[..16])
    }
}

/// Reads exactly one certificate, with nothing after it.
pub(crate) fn parse_der(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CertificateError),
    }
}

pub(crate) fn system_time(time: ASN1Time) -> SystemTime {
    let seconds = time.timestamp();
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Returns whether a key is strong enough, and of a kind that everybody can use: P-256, P-384,
/// Ed25519, or RSA from 2048 bits.
pub fn key_is_acceptable(key: &SubjectPublicKeyInfo<'_>) -> bool {
    matches!(describe_key(key).as_str(), "P-256" | "P-384" | "Ed25519")
        || matches!(key.parsed(), Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= RSA_BITS_MIN)
}

/// Returns the kind of a key in a word, such as `P-256` or `RSA-2048`.
pub fn describe_key(key: &SubjectPublicKeyInfo<'_>) -> String {
    let curve = key
        .algorithm
        .parameters
        .as_ref()
        .and_then(|p| p.as_oid().ok());
    match (key.algorithm.algorithm.to_id_string().as_str(), curve) {
        ("1.2.840.10045.2.1", Some(curve)) => match curve.to_id_string().as_str() {
            "1.2.840.10045.3.1.7" => "P-256".to_owned(),
            "1.3.132.0.34" => "P-384".to_owned(),
            "1.3.132.0.35" => "P-521".to_owned(),
            other => format!("curve {other}"),
        },
        ("1.3.101.112", _) => "Ed25519".to_owned(),
        // A key that is restricted to one way of signing, for which TLS has another name.
        ("1.2.840.113549.1.1.10", _) => "RSA-PSS".to_owned(),
        ("1.2.840.113549.1.1.1", _) => match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => format!("RSA-{}", rsa.key_size()),
            _ => "RSA".to_owned(),
        },
        (other, _) => format!("algorithm {other}"),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|v6| Ipv6Addr::from(v6).into())
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(self.bytes(), f)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_reads_back_as_it_was_written() {
        for (text, canonical) in [
            ("0", "00"),
            ("0a:ff", "0aff"),
            ("aff", "0aff"),
            ("00000AFF", "0aff"),
        ] {
            let serial = Serial::parse(text).expect(text);
            assert_eq!(serial.to_string(), canonical);
            assert_eq!(Serial::parse(canonical), Some(serial));
        }
        for text in ["", ":", "xyz", "-1", &"1".repeat(65)] {
            assert_eq!(Serial::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_certificates_name_is_safe_to_print() {
        let named = |name: &str| Name {
            common_names: vec![name.to_owned()],
            ..Name::default()
        };
        let shown = named("a\n[b@10.0.0.9]\u{1b}\u{202e}").to_string();
        assert_eq!(shown, r"a\n[b@10.0.0.9]\u{1b}\u{202e}");
        assert!(named(&"x".repeat(60_000)).to_string().len() < 140);
        assert_eq!(named("น้อง").to_string(), "น้อง");
    }
}
