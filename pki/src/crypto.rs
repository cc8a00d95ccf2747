//! The one source of cryptography in the tree.

use std::sync::{Arc, OnceLock};

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// aws-lc-rs, X25519MLKEM768 and AES-128-GCM with SHA-256 first. Always named, never rustls'
/// process-wide default, which panics where two providers are compiled in.
///
/// Processors have instructions for SHA-256 and, as a rule, none for the SHA-384 that comes with AES-256.
/// A server goes by what its client would rather have.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = || {
        let mut provider = aws_lc_rs::default_provider();
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        Arc::new(provider)
    };
    PROVIDER.get_or_init(provider).clone()
}
