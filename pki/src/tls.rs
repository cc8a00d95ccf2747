//! TLS for both ends: 1.3 only, mutual, never resumed.
//!
//! rustls does not check a client's certificate again on a resumed session, so a revoked or expired
//! person could come back forever. A full handshake costs well under a millisecond.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ResolvesClientCert, Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
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
use crate::witness::{Check, Presented, Sight, Witness};
use crate::words::{Peer, tls_words};

/// A TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {}", tls_words(.0, Peer::Server))]
pub struct TlsError(rustls::Error);

// Not a source: the sentence has its words already, and the library's are for programmers.
impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(error)
    }
}

/// A server's end of TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    gate: Arc<Gate>,
    certified: Arc<CertifiedKey>,
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
        Self {
            gate,
            certified: bundle.certified_key().clone(),
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
        self.accept_before(revocations, None)
    }

    /// Does the same before a witness, who is told each step of the handshake.
    ///
    /// # Errors
    ///
    /// The same as those of [`Self::accept`].
    pub fn accept_before(
        &self,
        revocations: Revocations,
        witness: Option<Arc<dyn Witness>>,
    ) -> Result<(Arc<ServerConfig>, Verdict), TlsError> {
        let resolver: Arc<dyn ResolvesServerCert> = match &witness {
            Some(witness) => Arc::new(Presented::new(&self.certified, witness.clone())),
            None => Arc::new(SingleCertAndKey::from(self.certified.clone())),
        };
        let verdict = Verdict::default();
        let verifier = Judge {
            gate: self.gate.clone(),
            revocations,
            verdict: verdict.clone(),
            ca_hints: self.ca_hints,
            witness,
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(resolver);
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
    watched_client_config(bundle, alpn, None)
}

/// Returns the same before a witness, who is told each step of the handshake.
///
/// # Errors
///
/// The same as those of [`client_config`].
pub fn watched_client_config(
    bundle: &Bundle,
    alpn: &[&[u8]],
    witness: Option<Arc<dyn Witness>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let certified = bundle.certified_key();
    let resolver: Arc<dyn ResolvesClientCert> = match &witness {
        Some(witness) => Arc::new(Presented::new(certified, witness.clone())),
        None => Arc::new(SingleCertAndKey::from(certified.clone())),
    };
    let mut roots = RootCertStore::empty();
    roots.add(bundle.anchor().clone())?;
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        // Stricter than webpki: everything that webpki refuses is refused.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PurposeVerifier { chains, witness }))
        .with_client_cert_resolver(resolver);
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
    witness: Option<Arc<dyn Witness>>,
}

impl PurposeVerifier {
    /// Judges a server's certificate, and tells each check that it passes.
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chains = &self.chains;
        let verified = chains.verify_server_cert(leaf, intermediates, name, ocsp, now);
        // rustls looks at the name only once there is a path to the CA.
        if verified.as_ref().is_ok() || verified.as_ref().is_err_and(is_about_the_name) {
            tell(&self.witness, Sight::Passed(Check::Path));
        }
        let verified = verified.map_err(|error| with_true_names(error, leaf))?;
        tell(&self.witness, Sight::Passed(Check::ServerName));
        names_a_server(leaf)?;
        tell(&self.witness, Sight::Passed(Check::ServerPurpose));
        Ok(verified)
    }
}

/// Returns the error with the names of the certificate written as we read them. webpki writes
/// `fd00:0:0:1::5` as `fd00::1::5`, which is no address; RFC 5952 is what people and programs read.
fn with_true_names(error: rustls::Error, leaf: &CertificateDer<'_>) -> rustls::Error {
    use CertificateError::NotValidForNameContext;
    match (error, Certificate::parse(leaf)) {
        (
            rustls::Error::InvalidCertificate(NotValidForNameContext { expected, .. }),
            Ok(certificate),
        ) => {
            let names = certificate.dns_names.iter();
            let names = names.map(|name| format!("DnsName({name:?})"));
            let addresses = certificate.addresses.iter();
            let addresses = addresses.map(|address| format!("IpAddress({address})"));
            let presented = names.chain(addresses).collect();
            rustls::Error::InvalidCertificate(NotValidForNameContext {
                expected,
                presented,
            })
        }
        (error, _) => error,
    }
}

fn is_about_the_name(error: &rustls::Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })
    )
}

fn tell(witness: &Option<Arc<dyn Witness>>, sight: Sight<'_>) {
    if let Some(witness) = witness {
        witness.saw(sight);
    }
}

/// Passes on whether a signature is good, and tells it.
fn tell_verified(
    witness: &Option<Arc<dyn Witness>>,
    signature: &DigitallySignedStruct,
    verified: Result<HandshakeSignatureValid, rustls::Error>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let sight = Sight::Verified {
        scheme: signature.scheme,
        is_good: verified.is_ok(),
    };
    tell(witness, sight);
    verified
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
        let others = intermediates.len();
        tell(&self.witness, Sight::Certificate { leaf, others });
        let judged = self.judge(leaf, intermediates, name, ocsp, now);
        match &judged {
            Ok(_) => tell(&self.witness, Sight::Trusted),
            Err(error) => tell(&self.witness, Sight::Distrusted(error)),
        }
        judged
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
        let verified = self
            .chains
            .verify_tls13_signature(message, certificate, signature);
        tell_verified(&self.witness, signature, verified)
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
    witness: Option<Arc<dyn Witness>>,
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
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let now: SystemTime = UNIX_EPOCH + Duration::from_secs(now.as_secs());
        let others = intermediates.len();
        tell(&self.witness, Sight::Certificate { leaf, others });
        let passed = |check| tell(&self.witness, Sight::Passed(check));
        let said = self
            .gate
            .admit_telling(leaf, &self.revocations, now, passed);
        match &said {
            Ok(identity) => tell(&self.witness, Sight::Admitted(identity)),
            Err(refusal) => tell(&self.witness, Sight::Refused(refusal)),
        }
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
        let chains = self.gate.chains();
        let verified = chains.verify_tls13_signature(message, certificate, signature);
        tell_verified(&self.witness, signature, verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.gate.chains().supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    #[test]
    fn addresses_of_another_server_are_written_as_rfc_5952_says() {
        let mut params = CertificateParams::new(vec!["chat.example".to_owned()]).expect("a name");
        let written = ["::1", "fd00:0:0:1::5", "2001:db8::1:0:0:1", "192.0.2.7"];
        for address in written {
            let address = address.parse().expect("an address");
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
        let key = KeyPair::generate().expect("a key");
        let leaf = params.self_signed(&key).expect("a certificate");
        let expected = ServerName::try_from("other.example").expect("a name");
        let error = rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected,
            presented: vec!["IpAddress(0::1)".to_owned()],
        });
        let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        }) = with_true_names(error, leaf.der())
        else {
            panic!("another error");
        };
        let addresses = written.map(|address| format!("IpAddress({address})"));
        assert_eq!(presented[0], "DnsName(\"chat.example\")");
        assert_eq!(presented[1..], addresses);
    }
}
