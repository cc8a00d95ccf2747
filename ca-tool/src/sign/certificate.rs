//! Facts about a certificate and the public key in it.

use pki::PemError;
use pki::pem::{self as reader, Kind};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::words::hex;

/// Returns the hash by which a public key is recognized: the SHA-256, in hexadecimal, of the key as
/// certificates contain it (SubjectPublicKeyInfo, RFC 5280, section 4.1).
pub(crate) fn key_hash(der: &[u8]) -> String {
    Sha256::digest(der).iter().map(|byte| hex(*byte)).collect()
}

/// Returns the public key in a certificate, in the form that [`key_hash`] takes.
pub(crate) fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.tbs_certificate.subject_pki.raw)
}

/// Returns the first certificate in a file, PEM or DER.
pub(crate) fn first_in(bytes: &[u8]) -> Result<Option<CertificateDer<'static>>, PemError> {
    let der = reader::first_of(Kind::Certificate, bytes)?;
    Ok(der.map(|der| CertificateDer::from(der.to_vec())))
}

/// Returns a certificate as PEM, with the same line ends on every system.
pub(crate) fn pem_of(der: &[u8]) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der), lines)
}
