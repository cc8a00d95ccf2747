//! The only source of cryptography in the tree.

use std::sync::{Arc, OnceLock};

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Returns aws-lc-rs with X25519MLKEM768 and AES-128-GCM with SHA-256 first. It is always named, so
/// that rustls' process-wide default is never used, which panics where two providers are compiled
/// in.
///
/// Processors have instructions for SHA-256, but usually none for the SHA-384 that belongs to
/// AES-256. A server follows its client's preference.
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
