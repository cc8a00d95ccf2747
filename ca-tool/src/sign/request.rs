//! A request for a certificate (PKCS#10, RFC 2986), made by any program. Only its public key is used,
//! because its signature proves that whoever made it has the private key. Everything else in it is a
//! claim.

use std::path::Path;

use pki::pem::{self, Kind, PemError};
use rcgen::{PublicKeyData as _, SubjectPublicKeyInfo};
use x509_parser::asn1_rs::Oid;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo as ParsedKey};

use crate::disk::files;
use crate::error::Error;
use crate::words::{NAMES_SHOWN_MAX, first_few};

/// A request whose signature is valid.
#[derive(Debug)]
pub struct Request {
    pub(crate) key: SubjectPublicKeyInfo,
    /// The same key, as certificates contain it.
    pub(crate) key_der: Vec<u8>,
    /// The subject that it asks for.
    subject: String,
    common_name: Option<String>,
    /// Everything else that it asks for.
    wishes: Vec<String>,
}

/// A request, in bytes. With the largest key that is accepted it has 2 KiB.
const BYTES_MAX: u64 = 64 << 10;
/// An RSA key, in bits. Every handshake checks a signature with it, so a larger key would be a way
/// to keep a server busy.
const RSA_BITS_MAX: usize = 4096;
/// How much to show of a text from outside.
const SHOWN_CHARS_MAX: usize = 64;

impl Request {
    /// Reads a request from a file, PEM or DER.
    ///
    /// # Errors
    ///
    /// When the file holds no request, its signature is not valid, or its key is too weak, too large,
    /// or of a kind that servers do not accept.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = files::read_if_there(path, BYTES_MAX)?.ok_or_else(|| files::missing(path))?;
        Self::parse(&bytes).map_err(|fault| Error::Request {
            path: path.to_owned(),
            fault,
        })
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let none = "it holds no request for a certificate";
        let der = pem::first_of(Kind::Request, bytes).map_err(|error| match error {
            PemError::NotPem | PemError::Empty => none.to_owned(),
            PemError::Form(_) => format!("{none}: {error}"),
            PemError::Damaged { .. } => error.to_string(),
        })?;
        let der = der.ok_or(none)?;
        let Ok(([], request)) = X509CertificationRequest::from_der(&der) else {
            return Err("its request for a certificate is damaged".to_owned());
        };
        let info = &request.certification_request_info;
        check_key(&info.subject_pki)?;
        request
            .verify_signature()
            .map_err(|error| signature_fault(&request.signature_algorithm, &error))?;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
            .map_err(|_| "its key cannot be used")?;
        let mut names = info.subject.iter_common_name();
        let common_name = names.next().and_then(|name| name.as_str().ok());
        Ok(Self {
            key_der: key.subject_public_key_info(),
            key,
            subject: info.subject.to_string(),
            common_name: common_name.map(str::to_owned),
            wishes: wishes(&request),
        })
    }

    /// Returns everything that it asks for and does not get, if the certificate is for `id`.
    pub(crate) fn ignored(&self, id: &str) -> Vec<String> {
        let excerpt = |text| wire::excerpt(text, SHOWN_CHARS_MAX);
        let subject = (self.common_name.as_deref() != Some(id) && !self.subject.is_empty())
            .then(|| format!("the subject \"{}\"", excerpt(&self.subject)));
        let wishes = self.wishes.iter().map(|wish| excerpt(wish));
        subject.into_iter().chain(wishes).collect()
    }
}

/// Checks that a server's gate accepts the key, and that an RSA key does not keep it busy.
fn check_key(key: &ParsedKey<'_>) -> Result<(), String> {
    let kind = pki::describe_key(key);
    if !pki::key_is_acceptable(key) {
        return Err(format!(
            "its key is {kind}; P-256, P-384, Ed25519 and RSA from 2048 bits are accepted"
        ));
    }
    if is_in_another_form(key) {
        return Err(format!(
            "its key is {kind} in compressed or hybrid form; only the uncompressed form is accepted"
        ));
    }
    if let Ok(PublicKey::RSA(rsa)) = key.parsed() {
        if rsa.key_size() > RSA_BITS_MAX {
            return Err(format!(
                "its key is {kind}; at most {RSA_BITS_MAX} bits are accepted"
            ));
        }
        if rsa.try_exponent().map_or(true, |exponent| exponent < 65537) {
            return Err(format!(
                "its key is {kind} with an exponent other than 65537"
            ));
        }
    }
    Ok(())
}

/// Returns why a signature does not prove who has the key.
fn signature_fault(how: &AlgorithmIdentifier<'_>, error: &X509Error) -> String {
    if let Ok(SignatureAlgorithm::RSASSA_PSS(pss)) = SignatureAlgorithm::try_from(how) {
        let bytes = pss.salt_length();
        // OpenSSL uses the longest possible salt by default, and none of our libraries checks that.
        if hash_bytes(pss.hash_algorithm_oid()).is_none_or(|hash| hash != bytes) {
            return format!(
                "its signature is RSA-PSS with a salt of {bytes} bytes; the salt has to be as long as the hash, which OpenSSL does with `-sigopt rsa_pss_saltlen:digest`"
            );
        }
    }
    match error {
        X509Error::SignatureUnsupportedAlgorithm => {
            let name = oid2sn(&how.algorithm, oid_registry());
            let name = name.map_or_else(|_| how.algorithm.to_id_string(), str::to_owned);
            format!(
                "its signature is {name}; ECDSA with SHA-256 or SHA-384, RSA with SHA-256 to SHA-512, and Ed25519 are accepted"
            )
        }
        _ => "its signature is not valid, so nothing proves who has the key".to_owned(),
    }
}

/// Returns the length of a SHA-2 hash.
fn hash_bytes(hash: &Oid<'_>) -> Option<u32> {
    match hash.to_id_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Some(32),
        "2.16.840.1.101.3.4.2.2" => Some(48),
        "2.16.840.1.101.3.4.2.3" => Some(64),
        _ => None,
    }
}

/// Returns whether a key is a curve's point in another form than the uncompressed one (SEC 1, section
/// 2.3.3). Keys are compared by their bytes, so a revoked key in a second form would pass as new.
pub(crate) fn is_in_another_form(key: &ParsedKey<'_>) -> bool {
    matches!(key.parsed(), Ok(PublicKey::EC(_))) && key.subject_public_key.data.first() != Some(&4)
}

/// Returns everything that a request asks for beside its subject, except for the things that every
/// certificate from here has anyway.
pub(crate) fn wishes(request: &X509CertificationRequest<'_>) -> Vec<String> {
    let mut wishes = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        let wish = match extension {
            ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                "CA:TRUE".to_owned()
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                let names = names.general_names.iter().map(ToString::to_string);
                let names: Vec<_> = names.collect();
                format!("other names ({})", first_few(&names, NAMES_SHOWN_MAX, ", "))
            }
            // The profile sets these, and most programs ask for the same.
            ParsedExtension::BasicConstraints(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::SubjectKeyIdentifier(_) => continue,
            _ => "further extensions".to_owned(),
        };
        if !wishes.contains(&wish) {
            wishes.push(wish);
        }
    }
    wishes
}
