//! The reasons for not admitting somebody: a cause for the log, and an alert for the client.

use std::sync::Arc;

use rustls::{AlertDescription, CertificateError as TlsCertificateError};

use crate::certificate::Serial;
use crate::fault::CertificateFault;
use crate::limits::LEAF_BYTES_MAX;
use crate::profile::ProfileError;

/// The reason for not admitting somebody. Text from a certificate is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A certificate larger than any honest one.
    #[error("the certificate has {0} bytes, more than {LEAF_BYTES_MAX}")]
    TooLarge(usize),
    /// Not an X.509 certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// No path leads to the trust anchor.
    #[error("the certificate was issued by \"{issuer}\", not by this room's CA")]
    UnknownIssuer {
        /// The issuer as the certificate names it.
        issuer: String,
    },
    /// No path leads to the trust anchor, and its issuer is shown with the same name: the rest of the two names differs.
    #[error(
        "the certificate was issued by another CA that is called \"{issuer}\" too; this room's CA is {ca}"
    )]
    Namesake {
        /// The issuer as the certificate names it.
        issuer: String,
        /// Our CA, with its fingerprint.
        ca: String,
    },
    /// Its time is over.
    #[error("the certificate of \"{name}\" has expired")]
    Expired {
        /// The holder as the certificate names it.
        name: String,
    },
    /// Its time has not begun.
    #[error("the certificate of \"{name}\" is not valid yet")]
    NotYetValid {
        /// The holder as the certificate names it.
        name: String,
    },
    /// It is on the revocation list.
    #[error("the certificate {serial} of \"{name}\" {}", revoked_or_held(*.is_on_hold))]
    Revoked {
        /// The holder as the certificate names it.
        name: String,
        /// Its number.
        serial: Serial,
        /// Whether it may be good again: its reason is `certificateHold`.
        is_on_hold: bool,
    },
    /// It names our CA as its issuer, but our CA did not sign it.
    #[error(
        "the signature of \"{name}\"'s certificate is invalid: it was changed, or signed by another CA with the name of this room's CA, which is {ca}"
    )]
    Signature {
        /// The holder as the certificate names it.
        name: String,
        /// Our CA, with its fingerprint.
        ca: String,
    },
    /// It is built in a way that TLS refuses, whoever signed it.
    #[error("the certificate of \"{name}\" {fault}")]
    Fault {
        /// The holder as the certificate names it.
        name: String,
        /// The fault.
        fault: CertificateFault,
    },
    /// webpki found another fault; the words end the sentence.
    #[error("the certificate {0}")]
    Chain(String),
    /// It is not for a person.
    #[error("the certificate is not one for a person: {0}")]
    Profile(ProfileError),
    /// Its key is too weak, or of a kind that is not accepted.
    #[error("a key of the kind {0} is not accepted")]
    Key(String),
    /// No CN.
    #[error("the certificate has no name (CN)")]
    NoName,
    /// More than one CN.
    #[error("the certificate has more than one name (CN)")]
    TwoNames,
    /// The CN shares its RDN with other attributes.
    #[error(
        "the name (CN) in the certificate is tied to another attribute, so it is unclear which of them is the name"
    )]
    NameNotAlone,
    /// The CN is neither UTF8String nor PrintableString.
    #[error(
        "the name (CN) in the certificate is in an old encoding; UTF8String and PrintableString are accepted"
    )]
    NameEncoding,
    /// The CN is not a valid name in this room.
    #[error("the name \"{name}\" is not acceptable: {error}")]
    Name {
        /// The name, escaped.
        name: String,
        /// The rule that it breaks.
        error: wire::IdError,
    },
    /// The CA certificate itself has expired or is not valid yet, which webpki does not check.
    #[error("the CA certificate itself is not valid now")]
    Anchor,
    /// The revocation list is past its nextUpdate, and the operator wants nobody admitted then.
    #[error("the revocation list is out of date")]
    StaleList,
}

fn revoked_or_held(is_on_hold: bool) -> &'static str {
    match is_on_hold {
        true => "is on hold",
        false => "was revoked",
    }
}

impl Refusal {
    /// Returns the alert that the client is sent (RFC 8446, section 6.2).
    pub fn alert(&self) -> AlertDescription {
        match self.to_tls() {
            rustls::Error::InvalidCertificate(error) => AlertDescription::from(error),
            // Every refusal is about a certificate.
            _ => AlertDescription::InternalError,
        }
    }

    /// Returns the TLS error for which rustls sends the most fitting alert (RFC 8446, section 6.2).
    pub(crate) fn to_tls(&self) -> rustls::Error {
        let error = match self {
            Refusal::Expired { .. } => TlsCertificateError::Expired,
            Refusal::NotYetValid { .. } => TlsCertificateError::NotValidYet,
            Refusal::Revoked { .. } => TlsCertificateError::Revoked,
            Refusal::UnknownIssuer { .. } | Refusal::Namesake { .. } => {
                TlsCertificateError::UnknownIssuer
            }
            Refusal::Profile(_) => TlsCertificateError::InvalidPurpose,
            Refusal::Unreadable
            | Refusal::TooLarge(_)
            | Refusal::Fault { .. }
            | Refusal::Chain(_) => TlsCertificateError::BadEncoding,
            Refusal::Signature { .. } => TlsCertificateError::BadSignature,
            Refusal::Key(_)
            | Refusal::NoName
            | Refusal::TwoNames
            | Refusal::NameNotAlone
            | Refusal::NameEncoding
            | Refusal::Name { .. } => TlsCertificateError::ApplicationVerificationFailure,
            // The client's certificate is not at fault; the alert "unknown" says so, and the log
            // names the cause.
            Refusal::Anchor | Refusal::StaleList => {
                TlsCertificateError::Other(rustls::OtherError(Arc::new(self.clone())))
            }
        };
        rustls::Error::InvalidCertificate(error)
    }
}
