//! Why somebody is not let in: a cause for the log, and an alert for the client.

use std::sync::Arc;

use rustls::CertificateError as TlsCertificateError;

use crate::certificate::Serial;
use crate::limits::LEAF_BYTES_MAX;
use crate::profile::ProfileError;

/// Why somebody is not let in. What comes from a certificate is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A certificate larger than any honest one.
    #[error("a certificate of {0} bytes, more than {LEAF_BYTES_MAX}")]
    TooLarge(usize),
    /// Not an X.509 certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// No path leads to the trust anchor.
    #[error("the certificate was issued by \"{issuer}\", not by this room's CA")]
    UnknownIssuer {
        /// Who says to have issued it.
        issuer: String,
    },
    /// Its time is over.
    #[error("the certificate of \"{name}\" has expired")]
    Expired {
        /// Whose it says to be.
        name: String,
    },
    /// Its time has not begun.
    #[error("the certificate of \"{name}\" is not valid yet")]
    NotYetValid {
        /// Whose it says to be.
        name: String,
    },
    /// It is on the revocation list.
    #[error("the certificate {serial} of \"{name}\" {}", revoked_or_held(*.is_on_hold))]
    Revoked {
        /// Whose it says to be.
        name: String,
        /// Its number.
        serial: Serial,
        /// Whether it may be good again: its reason is `certificateHold`.
        is_on_hold: bool,
    },
    /// Our CA's name, but not its signature.
    #[error(
        "the signature of \"{name}\"'s certificate does not hold: it was changed, or is by another CA of this name"
    )]
    Signature {
        /// Whose it says to be.
        name: String,
    },
    /// webpki found something else wrong, and this is its name for it.
    #[error("the certificate does not hold: {0}")]
    Chain(String),
    /// It is not made for people.
    #[error("the certificate is not one for a person: {0}")]
    Profile(ProfileError),
    /// A key that is too weak or of a kind that is not taken.
    #[error("a key of the kind {0} is not accepted")]
    Key(String),
    /// No CN.
    #[error("the certificate has no name (CN)")]
    NoName,
    /// More than one CN.
    #[error("the certificate has more than one name (CN)")]
    TwoNames,
    /// The CN shares its RDN with other attributes.
    #[error("the name (CN) is not alone in its RDN")]
    NameNotAlone,
    /// The CN is neither UTF8String nor PrintableString.
    #[error("the name (CN) is not a UTF8String or PrintableString")]
    NameEncoding,
    /// The CN is not a name as this room has them.
    #[error("the name \"{name}\" is not acceptable: {error}")]
    Name {
        /// The name, escaped.
        name: String,
        /// The rule that it breaks.
        error: wire::IdError,
    },
    /// The CA certificate's own time is over, which webpki does not look at.
    #[error("the CA certificate itself is not valid now")]
    Anchor,
    /// The revocation list is past its nextUpdate, and the operator wants nobody in then.
    #[error("the revocation list is out of date")]
    StaleList,
}

fn revoked_or_held(is_on_hold: bool) -> &'static str {
    match is_on_hold {
        true => "is on hold (suspended)",
        false => "was revoked",
    }
}

impl Refusal {
    /// The TLS error that makes rustls send the alert which fits best (RFC 8446, section 6.2).
    pub(crate) fn to_tls(&self) -> rustls::Error {
        let error = match self {
            Refusal::Expired { .. } => TlsCertificateError::Expired,
            Refusal::NotYetValid { .. } => TlsCertificateError::NotValidYet,
            Refusal::Revoked { .. } => TlsCertificateError::Revoked,
            Refusal::UnknownIssuer { .. } => TlsCertificateError::UnknownIssuer,
            Refusal::Profile(_) => TlsCertificateError::InvalidPurpose,
            Refusal::Unreadable | Refusal::TooLarge(_) | Refusal::Chain(_) => {
                TlsCertificateError::BadEncoding
            }
            Refusal::Signature { .. } => TlsCertificateError::BadSignature,
            Refusal::Key(_)
            | Refusal::NoName
            | Refusal::TwoNames
            | Refusal::NameNotAlone
            | Refusal::NameEncoding
            | Refusal::Name { .. } => TlsCertificateError::ApplicationVerificationFailure,
            // The client's certificate is not to blame; "unknown" says so, and the log says why.
            Refusal::Anchor | Refusal::StaleList => {
                TlsCertificateError::Other(rustls::OtherError(Arc::new(self.clone())))
            }
        };
        rustls::Error::InvalidCertificate(error)
    }
}
