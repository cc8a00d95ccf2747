//! What is wrong with a certificate that TLS libraries refuse, in our words and about the certificate.

use std::fmt;

use rustls::CertificateError as Judged;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::x509::X509Version;

use crate::certificate::parse_der;
use crate::words::{Peer, judged_words, tls_words};

/// The fault of a certificate, as the end of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is not X.509 in DER.
    Unreadable,
    /// It is of version 1 or 2, which have no extensions.
    Version(u32),
    /// It demands that a program understands something that no program here understands.
    CriticalExtension(String),
    /// An extension stands in it twice.
    TwiceExtension(String),
    /// Something else, in these words.
    Other(String),
}

impl CertificateFault {
    /// Returns the fault of a certificate that TLS would refuse whoever signed it.
    pub(crate) fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let Ok(parsed) = parse_der(der) else {
            return Some(Self::Unreadable);
        };
        let refused = ParsedCertificate::try_from(der).err();
        Self::of_extensions(&parsed).or_else(|| refused.map(|error| Self::of_library(&error)))
    }

    /// Returns the fault that we can name ourselves.
    pub(crate) fn of_extensions(certificate: &X509Certificate<'_>) -> Option<Self> {
        if certificate.version() != X509Version::V3 {
            return Some(Self::Version(certificate.version().0 + 1));
        }
        let mut seen = Vec::new();
        for extension in certificate.extensions() {
            let oid = extension.oid.to_id_string();
            let name = extension_name(&oid);
            if seen.contains(&oid) {
                return Some(Self::TwiceExtension(name));
            }
            if extension.critical && !is_understood(&oid) {
                return Some(Self::CriticalExtension(name));
            }
            seen.push(oid);
        }
        None
    }

    fn of_library(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(Judged::BadEncoding) => Self::Unreadable,
            rustls::Error::InvalidCertificate(judged) => Self::Other(judged_words(judged)),
            other => Self::Other(format!("is refused: {}", tls_words(other, Peer::Client))),
        }
    }
}

/// Returns whether webpki understands an extension, so that it may be critical.
fn is_understood(oid: &str) -> bool {
    const UNDERSTOOD: [&str; 6] = [
        "2.5.29.15", // keyUsage
        "2.5.29.17", // subjectAltName
        "2.5.29.19", // basicConstraints
        "2.5.29.30", // nameConstraints
        "2.5.29.31", // cRLDistributionPoints
        "2.5.29.37", // extKeyUsage
    ];
    UNDERSTOOD.contains(&oid)
}

/// Returns an extension's name and number; only the number if it has no well-known name.
pub(crate) fn extension_name(oid: &str) -> String {
    let parsed: Option<Vec<u64>> = oid.split('.').map(|part| part.parse().ok()).collect();
    let parsed = parsed.and_then(|parts| x509_parser::asn1_rs::Oid::from(&parts).ok());
    let name = parsed.and_then(|oid| {
        let name = oid2sn(&oid, oid_registry());
        name.ok().map(str::to_owned)
    });
    match name {
        Some(name) => format!("{name} ({oid})"),
        None => oid.to_owned(),
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("cannot be read: it is not X.509, or it is damaged"),
            Self::Version(version) => write!(
                f,
                "is of version {version}; TLS needs version 3, which has extensions"
            ),
            Self::CriticalExtension(name) => write!(
                f,
                "has the critical extension {name}, which programs have to refuse unless they understand it, and this one does not"
            ),
            Self::TwiceExtension(name) => write!(f, "has the extension {name} twice"),
            Self::Other(words) => f.write_str(words),
        }
    }
}
