//! TLS for both ends: 1.3 only, mutual, never resumed.
//!
//! rustls does not check a client's certificate again on a resumed session, so a revoked or expired
//! person could come back forever. A full handshake costs well under a millisecond.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ExtendedKeyPurpose,
    RootCertStore, ServerConfig, SignatureScheme,
};

use crate::bundle::Bundle;
use crate::certificate::Certificate;
use crate::crypto::provider;
use crate::gate::Gate;
use crate::identity::Identity;
use crate::profile::Purpose;
use crate::refusal::Refusal;
use crate::revocation::Revocations;

/// A TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// A server's end of TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    gate: Arc<Gate>,
    certified: Arc<SingleCertAndKey>,
    ca_hints: CaHints,
}

/// Whether a server names its CA when it asks for a certificate (RFC 8446, section 4.2.4). A client
/// with several certificates can then choose the right one, but a stranger learns who runs the
/// server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaHints {
    /// It names no CA.
    #[default]
    Off,
    /// It names the CA.
    On,
}

/// The gate's decision in one handshake.
#[derive(Debug, Clone, Default)]
pub struct Verdict(Arc<OnceLock<Result<Identity, Refusal>>>);

impl ServerTls {
    /// Returns a server's end that presents `bundle` and admits everybody whom `gate` admits.
    pub fn new(bundle: &Bundle, gate: Arc<Gate>, ca_hints: CaHints) -> Self {
        let certified = Arc::new(SingleCertAndKey::from(bundle.certified_key().clone()));
        Self {
            gate,
            certified,
            ca_hints,
        }
    }

    /// Returns the same end with a renewed bundle.
    #[must_use]
    pub fn renewed(&self, bundle: &Bundle) -> Self {
        Self::new(bundle, self.gate.clone(), self.ca_hints)
    }

    /// Returns the gate.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Returns the configuration for one handshake, which is judged by `revocations`, and the place
    /// where the gate's decision will appear. Each handshake has its own, so that the identity
    /// which was verified is the one that is used.
    ///
    /// # Errors
    ///
    /// When the provider lacks TLS 1.3; that of this crate has it.
    pub fn accept(
        &self,
        revocations: Revocations,
    ) -> Result<(Arc<ServerConfig>, Verdict), TlsError> {
        let verdict = Verdict::default();
        let verifier = Judge {
            gate: self.gate.clone(),
            revocations,
            verdict: verdict.clone(),
            ca_hints: self.ca_hints,
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(self.certified.clone());
        config.alpn_protocols = vec![wire::ALPN.to_vec()];
        // No kind of resumption.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok((Arc::new(config), verdict))
    }
}

impl Verdict {
    /// Returns the decision; `None` when the handshake did not get that far.
    pub fn get(&self) -> Option<&Result<Identity, Refusal>> {
        self.0.get()
    }
}

/// Returns a client's end of TLS: it presents the bundle's certificate, and trusts only
/// certificates of the bundle's CA whose extended key usage names serverAuth.
///
/// # Errors
///
/// When the CA certificate cannot serve as a trust anchor.
pub fn client_config(bundle: &Bundle, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(bundle.anchor().clone())?;
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        // Stricter than webpki: everything that webpki refuses is refused.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PurposeVerifier { chains }))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(
            bundle.certified_key().clone(),
        )));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Returns whether the clients of a bundle's CA would trust this server at `now`: as their own end
/// of TLS decides, except for the server's name, which only they know.
pub fn proves_a_server(bundle: &Bundle, now: SystemTime) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(bundle.anchor().clone()).is_err() {
        return false;
    }
    let [leaf, intermediates @ ..] = bundle.chain() else {
        return false;
    };
    if names_a_server(leaf).is_err() {
        return false;
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    ParsedCertificate::try_from(leaf).is_ok_and(|leaf| {
        verify_server_cert_signed_by_trust_anchor(
            &leaf,
            &roots,
            intermediates,
            UnixTime::since_unix_epoch(now),
            provider().signature_verification_algorithms.all,
        )
        .is_ok()
    })
}

/// Checks that a certificate names serverAuth as its purpose. webpki accepts one without a purpose,
/// since that means "any" in RFC 5280; a CA may issue such certificates to anybody.
fn names_a_server(leaf: &CertificateDer<'_>) -> Result<(), CertificateError> {
    let certificate = Certificate::parse(leaf).map_err(|_| CertificateError::BadEncoding)?;
    if certificate.purposes.contains(&Purpose::Server) {
        return Ok(());
    }
    let mut presented = Vec::new();
    if certificate.purposes.contains(&Purpose::Client) {
        presented.push(ExtendedKeyPurpose::ClientAuth);
    }
    Err(CertificateError::InvalidPurposeContext {
        required: ExtendedKeyPurpose::ServerAuth,
        presented,
    })
}

/// A client's judgement of a server's certificate, behind rustls' trait.
#[derive(Debug)]
struct PurposeVerifier {
    chains: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for PurposeVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .chains
            .verify_server_cert(leaf, intermediates, name, ocsp, now)?;
        names_a_server(leaf)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// The gate, behind rustls' trait.
#[derive(Debug)]
struct Judge {
    gate: Arc<Gate>,
    revocations: Revocations,
    verdict: Verdict,
    ca_hints: CaHints,
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match self.ca_hints {
            CaHints::Off => &[],
            CaHints::On => self.gate.chains().root_hint_subjects(),
        }
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        // A client that presents its whole file also sends its CA's certificate. Further
        // certificates are ignored.
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let now: SystemTime = UNIX_EPOCH + Duration::from_secs(now.as_secs());
        let said = self.gate.admit(leaf, &self.revocations, now);
        let answer = match &said {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(refusal) => Err(refusal.to_tls()),
        };
        // A handshake presents its certificates once; a second verdict could not replace the first.
        let first = self.verdict.0.set(said).is_ok();
        if first {
            answer
        } else {
            Err(rustls::Error::General("a second certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.gate
            .chains()
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.gate
            .chains()
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.gate.chains().supported_verify_schemes()
    }
}
