//! Decides who is admitted: one decision from a certificate, a revocation list and a clock.
//!
//! webpki proves that the trust anchor signed a certificate. It accepts far more than that: names
//! of any kind, no key usage, no extended key usage, intermediate CAs. The rest of the decision is
//! here, and is made before anything is recorded.
//!
//! There are no intermediate CAs: ca-tool makes none. The trust anchor's revocation list does not
//! cover certificates that one would sign, and the numbers on the list would not refer to them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    CertificateError as TlsCertificateError, RootCertStore, server::WebPkiClientVerifier,
};
use x509_parser::certificate::X509Certificate;

use crate::certificate::{Certificate, key_is_acceptable, parse_der};
use crate::crypto::provider;
use crate::fault::CertificateFault;
use crate::identity::Identity;
use crate::limits::LEAF_BYTES_MAX;
use crate::profile::{CA, CLIENT, ProfileError};
use crate::refusal::Refusal;
use crate::revocation::{RevocationError, RevocationList, Revocations};
use crate::witness::Check;
use crate::words::{Peer, judged_words, tls_words};

/// Decides who is admitted.
#[derive(Debug)]
pub struct Gate {
    anchor: CertificateDer<'static>,
    anchor_says: Certificate,
    chains: Arc<dyn ClientCertVerifier>,
    /// Whether nobody is admitted while the revocation list is past its nextUpdate.
    strict: bool,
}

/// The reason why a gate could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The CA certificate cannot serve as one.
    #[error("the CA certificate cannot be used: {0}")]
    Anchor(ProfileError),
    /// The CA certificate cannot be read.
    #[error("the CA certificate cannot be read")]
    Unreadable,
}

impl Gate {
    /// Returns a gate for the people of one trust anchor.
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
        // Revocation is checked below, with a cause in words; webpki gets no lists.
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

    /// Judges the certificate that a client presented. Further certificates that the client sent
    /// are ignored, so no long path has to be tried.
    ///
    /// # Errors
    ///
    /// The reason why this client is not admitted.
    pub fn admit(
        &self,
        leaf: &CertificateDer<'_>,
        revocations: &Revocations,
        now: SystemTime,
    ) -> Result<Identity, Refusal> {
        self.admit_telling(leaf, revocations, now, |_| {})
    }

    /// Does the same, and tells each check that the certificate passes.
    pub(crate) fn admit_telling(
        &self,
        leaf: &CertificateDer<'_>,
        revocations: &Revocations,
        now: SystemTime,
        mut passed: impl FnMut(Check),
    ) -> Result<Identity, Refusal> {
        if leaf.len() > LEAF_BYTES_MAX {
            return Err(Refusal::TooLarge(leaf.len()));
        }
        passed(Check::Size);
        if !self.anchor_says.is_valid_at(now) {
            return Err(Refusal::Anchor);
        }
        passed(Check::Anchor);
        let certificate = parse_der(leaf).map_err(|_| Refusal::Unreadable)?;
        passed(Check::Readable);
        let said = Certificate::of(leaf, &certificate);
        self.chains
            .verify_client_cert(leaf, &[], unix_time(now))
            .map_err(|error| self.refuse_chain(&error, &said, &certificate))?;
        passed(Check::Path);

        CLIENT.check(&certificate).map_err(Refusal::Profile)?;
        passed(Check::Profile);
        if !key_is_acceptable(certificate.public_key()) {
            return Err(Refusal::Key(said.key));
        }
        passed(Check::Key);
        let identity = Identity::of(&certificate, said)?;
        passed(Check::Name);
        self.still_welcome(&identity, revocations, now)?;
        passed(Check::Revocation);
        Ok(identity)
    }

    /// Returns the reason why webpki refused a certificate, in our words.
    fn refuse_chain(
        &self,
        error: &rustls::Error,
        said: &Certificate,
        certificate: &X509Certificate<'_>,
    ) -> Refusal {
        use TlsCertificateError as E;
        let name = said.subject.to_string();
        let rustls::Error::InvalidCertificate(error) = error else {
            return Refusal::Chain(format!("is refused: {}", tls_words(error, Peer::Client)));
        };
        match error {
            E::Expired | E::ExpiredContext { .. } => Refusal::Expired { name },
            E::NotValidYet | E::NotValidYetContext { .. } => Refusal::NotYetValid { name },
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
                Refusal::Profile(ProfileError::Purpose)
            }
            E::BadEncoding => Refusal::Unreadable,
            E::Other(_) if said.is_ca => Refusal::Profile(ProfileError::BasicConstraints),
            // Whatever stopped webpki, our CA did not sign this.
            E::UnknownIssuer | E::Other(_) if said.issuer != self.anchor_says.subject => {
                let issuer = said.issuer.to_string();
                // Two names that differ may be shown alike.
                match issuer == self.anchor_says.subject.to_string() {
                    true => Refusal::Namesake {
                        issuer,
                        ca: self.anchor_says.to_string(),
                    },
                    false => Refusal::UnknownIssuer { issuer },
                }
            }
            E::UnknownIssuer | E::BadSignature => Refusal::Signature {
                name,
                ca: self.anchor_says.to_string(),
            },
            other => match CertificateFault::of_extensions(certificate) {
                Some(fault) => Refusal::Fault { name, fault },
                None => Refusal::Chain(judged_words(other)),
            },
        }
    }

    /// Checks that somebody who was admitted may stay: called again before the enter, and whenever
    /// the list or the clock advances.
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
        if revocations.revokes(identity.serial()) {
            return Err(Refusal::Revoked {
                name,
                serial: identity.serial().clone(),
                is_on_hold: revocations.holds(identity.serial()),
            });
        }
        if self.strict && revocations.stale_since(now).is_some() {
            return Err(Refusal::StaleList);
        }
        Ok(())
    }

    /// Reads a revocation list of this gate's trust anchor.
    ///
    /// # Errors
    ///
    /// The same as those of [`RevocationList::parse`].
    pub fn revocation_list(
        &self,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<RevocationList, RevocationError> {
        RevocationList::parse(bytes, &self.anchor, now)
    }

    /// Returns the fields of the trust anchor's certificate.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor_says
    }

    /// Returns the webpki verifier, for the rest of a handshake.
    pub(crate) fn chains(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.chains
    }
}

fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}
