//! Who is let in: one decision over a chain of certificates, a revocation list and a clock.
//!
//! webpki proves that a chain leads to the trust anchor. It accepts far more than that: names of
//! any kind, no key usage, no extended key usage, chains that take long to refuse. The rest of the
//! decision is here, and is made before anything is recorded.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    CertificateError as TlsCertificateError, RootCertStore, server::WebPkiClientVerifier,
};

use crate::certificate::{Certificate, Serial, key_is_acceptable, parse_der};
use crate::identity::Identity;
use crate::limits::{INTERMEDIATES_MAX, LEAF_BYTES_MAX};
use crate::profile::{CA, CLIENT, ProfileError};
use crate::revocation::{RevocationError, RevocationList, Revocations};
use crate::tls::provider;

/// Decides who is let in.
#[derive(Debug)]
pub struct Gate {
    anchor: CertificateDer<'static>,
    anchor_says: Certificate,
    chains: Arc<dyn ClientCertVerifier>,
    /// Whether a revocation list past its nextUpdate lets nobody in.
    strict: bool,
}

/// Why a gate could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The CA certificate cannot serve as one.
    #[error("the CA certificate cannot be used: {0}")]
    Anchor(ProfileError),
    /// The CA certificate cannot be read.
    #[error("the CA certificate cannot be read")]
    Unreadable,
}

/// Why somebody is not let in. What comes from a certificate is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// More certificates than any honest chain has; counted before path building.
    #[error("{0} intermediate certificates, more than {INTERMEDIATES_MAX}")]
    TooManyIntermediates(usize),
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
    #[error("the certificate {serial} of \"{name}\" was revoked")]
    Revoked {
        /// Whose it says to be.
        name: String,
        /// Its number.
        serial: Serial,
    },
    /// Path building failed otherwise.
    #[error("the chain does not hold: {0}")]
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

impl Gate {
    /// A gate for the people of one trust anchor.
    ///
    /// # Errors
    ///
    /// When the certificate cannot serve as a trust anchor.
    pub fn new(anchor: CertificateDer<'static>, strict: bool) -> Result<Self, GateError> {
        let parsed = parse_der(&anchor).map_err(|_| GateError::Unreadable)?;
        CA.check(&parsed).map_err(GateError::Anchor)?;
        let anchor_says = Certificate::parse(&anchor).map_err(|_| GateError::Unreadable)?;
        let mut roots = RootCertStore::empty();
        roots
            .add(anchor.clone())
            .map_err(|_| GateError::Unreadable)?;
        // Revocation is looked at below, with a cause in words; webpki gets no lists.
        let chains = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| GateError::Unreadable)?;
        Ok(Self {
            anchor,
            anchor_says,
            chains,
            strict,
        })
    }

    /// Decides over the chain that a client presented, its own certificate first.
    ///
    /// # Errors
    ///
    /// Says why this client is not let in.
    pub fn admit(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        revocations: &Revocations,
        now: SystemTime,
    ) -> Result<Identity, Refusal> {
        // First what costs nothing: path building over many certificates costs a lot.
        if intermediates.len() > INTERMEDIATES_MAX {
            return Err(Refusal::TooManyIntermediates(intermediates.len()));
        }
        let largest = intermediates
            .iter()
            .chain([leaf])
            .map(|der| der.len())
            .max()
            .unwrap_or(0);
        if largest > LEAF_BYTES_MAX {
            return Err(Refusal::TooLarge(largest));
        }
        if !self.anchor_says.is_valid_at(now) {
            return Err(Refusal::Anchor);
        }
        let said = Certificate::parse(leaf).map_err(|_| Refusal::Unreadable)?;
        self.chains
            .verify_client_cert(leaf, intermediates, unix_time(now))
            .map_err(|error| refuse_chain(&error, &said))?;

        let certificate = parse_der(leaf).map_err(|_| Refusal::Unreadable)?;
        CLIENT.check(&certificate).map_err(Refusal::Profile)?;
        if !key_is_acceptable(certificate.public_key()) {
            return Err(Refusal::Key(said.key));
        }
        let identity = Identity::of(leaf, &certificate)?;
        self.still_welcome(&identity, revocations, now)?;
        Ok(identity)
    }

    /// Whether somebody who was let in may stay: asked again before the enter, and whenever the
    /// list or the clock moves on.
    ///
    /// # Errors
    ///
    /// When the certificate was revoked or has expired meanwhile, or the list is too old.
    pub fn still_welcome(
        &self,
        identity: &Identity,
        revocations: &Revocations,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let name = identity.id().to_string();
        if now > identity.not_after() {
            return Err(Refusal::Expired { name });
        }
        if revocations.revokes(identity) {
            return Err(Refusal::Revoked {
                name,
                serial: identity.serial().clone(),
            });
        }
        match revocations {
            Revocations::List(list) if self.strict && list.next_update() < now => {
                Err(Refusal::StaleList)
            }
            _ => Ok(()),
        }
    }

    /// Reads a revocation list of this gate's trust anchor.
    ///
    /// # Errors
    ///
    /// As [`RevocationList::parse`].
    pub fn revocation_list(
        &self,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<RevocationList, RevocationError> {
        RevocationList::parse(bytes, &self.anchor, now)
    }

    /// What the trust anchor says of itself.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor_says
    }

    /// What webpki needs for the rest of a handshake.
    pub(crate) fn chains(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.chains
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
            Refusal::Unreadable | Refusal::TooLarge(_) | Refusal::TooManyIntermediates(_) => {
                TlsCertificateError::BadEncoding
            }
            Refusal::Chain(_) => TlsCertificateError::BadSignature,
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

fn refuse_chain(error: &rustls::Error, said: &Certificate) -> Refusal {
    use TlsCertificateError as E;
    let name = said.subject.to_string();
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            E::Expired | E::ExpiredContext { .. } => Refusal::Expired { name },
            E::NotValidYet | E::NotValidYetContext { .. } => Refusal::NotYetValid { name },
            E::UnknownIssuer => Refusal::UnknownIssuer {
                issuer: said.issuer.to_string(),
            },
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
                Refusal::Profile(ProfileError::Purpose)
            }
            E::BadEncoding => Refusal::Unreadable,
            other => Refusal::Chain(other.to_string()),
        },
        other => Refusal::Chain(other.to_string()),
    }
}

fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}
