//! Everything about X.509 and TLS that does not sign: profiles, identities, revocation, bundles.
//!
//! Only the [`Gate`] makes an [`Identity`], from a verified chain. This crate is only code: keys
//! and certificates are kept in a CA's folder, never here.

mod bundle;
mod certificate;
mod crypto;
mod fault;
mod form;
mod gate;
mod identity;
mod neighbour;
pub mod pem;
mod profile;
mod refusal;
mod revocation;
mod tls;
mod witness;
mod words;

pub use bundle::{Bundle, BundleError};
pub use certificate::{
    Certificate, CertificateError, Fingerprint, Name, Serial, describe_key, key_is_acceptable,
};
pub use crypto::provider;
pub use fault::CertificateFault;
pub use form::{Form, shell_word};
pub use gate::{Gate, GateError};
pub use identity::{FullNameFault, Identity};
pub use neighbour::alike;
pub use pem::{Pem, PemError};
pub use profile::{BACKDATE, CA, CLIENT, Profile, ProfileError, Purpose, SERVER};
pub use refusal::Refusal;
pub use revocation::{
    CRL_DAYS, CRL_RENEW_DAYS, CrlNumber, RevocationError, RevocationList, Revocations,
};
pub use tls::{
    CaHints, ServerTls, TlsError, Verdict, client_config, proves_a_server, watched_client_config,
};
pub use witness::{Check, Sight, Witness};
pub use words::{Peer, alert_name, alert_words, judged_words, tls_words, without_number};

/// The limits on inputs, units last.
pub mod limits {
    /// A client's own certificate, in bytes of DER.
    pub const LEAF_BYTES_MAX: usize = 8 * 1024;
    /// A bundle, in bytes of PEM.
    pub const BUNDLE_BYTES_MAX: u64 = 256 * 1024;
    /// A revocation list, in bytes; some 300,000 revoked certificates.
    pub const CRL_BYTES_MAX: u64 = 16 * 1024 * 1024;
    /// The modulus of an RSA key, in bits.
    pub const RSA_BITS_MIN: usize = 2048;
}
