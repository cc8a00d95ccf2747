//! Certificates for tests, of any content. Here they are made by a library; those that no library
//! would make are put together byte by byte in [`raw`].

pub mod raw;

use std::fs;
use std::path::Path;

use pki::Bundle;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationList,
    CertificateRevocationListParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, SigningKey,
};
pub use rcgen::{ExtendedKeyUsagePurpose as Purpose, RevocationReason as Reason};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

/// A CA that signs whatever a test wants.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// The content of a certificate for a person or a server.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The common name.
    pub name: &'static str,
    /// The alternative names.
    pub hosts: Vec<&'static str>,
    /// `None` for no extended key usage at all.
    pub purpose: Option<Purpose>,
    /// Days from now.
    pub valid: (i64, i64),
    /// The serial number.
    pub serial: u64,
}

impl Leaf {
    /// Returns the content of a good certificate for a person.
    pub fn person(name: &'static str) -> Self {
        Self {
            name,
            hosts: Vec::new(),
            purpose: Some(Purpose::ClientAuth),
            valid: (-10, 10),
            serial: 7,
        }
    }

    /// Returns the content of a good certificate for a server of these names.
    pub fn server(hosts: &[&'static str]) -> Self {
        Self {
            hosts: hosts.to_vec(),
            purpose: Some(Purpose::ServerAuth),
            serial: 8,
            ..Self::person("server")
        }
    }
}

impl Authority {
    /// Makes a CA of this name, with a new key.
    pub fn new(name: &str) -> Self {
        let params = authority(name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a CA");
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Returns a bundle, as text. Its holder may trust another authority than this one.
    pub fn bundle(&self, leaf: &Leaf, trusts: &Authority, notes: &[(&str, &str)]) -> String {
        bundle(leaf, &self.issuer, &trusts.certificate.pem(), notes)
    }

    /// Returns its own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// Signs a certificate for a new key, and returns both.
    pub fn sign(&self, leaf: &Leaf) -> (Certificate, KeyPair) {
        sign(leaf, &self.issuer)
    }

    /// Returns a list, in DER, on which this serial number stands.
    pub fn revocation_list(&self, serial: u64) -> Vec<u8> {
        self.revocation_list_of([(serial, None)])
    }

    /// Returns a list, in DER, of these serial numbers, each with the reason for its revocation.
    pub fn revocation_list_of(
        &self,
        revoked: impl IntoIterator<Item = (u64, Option<Reason>)>,
    ) -> Vec<u8> {
        let list = revocation_list(&self.issuer, 1, (-1, 10), revoked);
        list.der().to_vec()
    }
}

/// Reads the key of the CA that `ca-tool` made in a folder, to sign things that `ca-tool` would never
/// sign. The key must not be encrypted.
pub fn issuer(ca: &Path) -> Issuer<'static, KeyPair> {
    let read = |name: &str| {
        let path = ca.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let key = KeyPair::from_pem(&read("private/ca.key")).expect("a key");
    Issuer::from_ca_cert_pem(&read("ca.pem"), key).expect("a CA certificate")
}

/// Returns the content of the certificate of a CA of this name.
pub fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (days(-100), days(100));
    params
}

/// Signs a certificate for a new key, and returns it with that key and the CA that its holder trusts
/// as the text of a bundle.
pub fn bundle(
    leaf: &Leaf,
    issuer: &Issuer<'_, impl SigningKey>,
    anchor_pem: &str,
    notes: &[(&str, &str)],
) -> String {
    let (certificate, key) = sign(leaf, issuer);
    Bundle::compose(notes, &certificate.pem(), anchor_pem, &key.serialize_pem())
}

fn sign(leaf: &Leaf, issuer: &Issuer<'_, impl SigningKey>) -> (Certificate, KeyPair) {
    let hosts: Vec<String> = leaf.hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names");
    params.distinguished_name = common_name(leaf.name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = leaf.purpose.iter().cloned().collect();
    params.serial_number = Some(SerialNumber::from(leaf.serial));
    (params.not_before, params.not_after) = (days(leaf.valid.0), days(leaf.valid.1));
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    (certificate, key)
}

/// Signs a list of these serial numbers, each with the reason for its revocation. `valid` is in days from
/// now.
pub fn revocation_list(
    issuer: &Issuer<'_, impl SigningKey>,
    number: u64,
    valid: (i64, i64),
    revoked: impl IntoIterator<Item = (u64, Option<Reason>)>,
) -> CertificateRevocationList {
    let revoked = revoked.into_iter();
    let revoked = revoked.map(|(serial, reason_code)| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: days(-1),
        reason_code,
        invalidity_date: None,
    });
    let list = CertificateRevocationListParams {
        this_update: days(valid.0),
        next_update: days(valid.1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).expect("a list")
}

fn common_name(text: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, DnValue::Utf8String(text.to_owned()));
    names
}

fn days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::days(days)
}
