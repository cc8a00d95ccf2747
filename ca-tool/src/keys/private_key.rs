//! Private keys as files hold them: plain, or encrypted in a way that `openssl pkey` can open.

use std::ops::Deref;
use std::path::Path;

use pkcs8::der::asn1::{AnyRef, OctetStringRef};
use pkcs8::pkcs5::pbes2;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
};
use pki::Pem;
use pki::pem::Kind;
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use rustls::pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use crate::error::{Error, pem_error};
use crate::keys::passphrase::Passphrase;
use crate::keys::random::random;

/// A private key. Its copy in rcgen is wiped from memory when this is dropped; the other copy belongs
/// to the cryptography, which wipes the memory that it frees.
#[derive(Debug)]
pub(crate) struct PrivateKey(Zeroizing<KeyPair>);

impl PrivateKey {
    /// Makes a new key.
    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self(Zeroizing::new(KeyPair::generate()?)))
    }
}

impl Deref for PrivateKey {
    type Target = KeyPair;

    fn deref(&self) -> &KeyPair {
        &self.0
    }
}

impl PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

/// Rounds of PBKDF2-HMAC-SHA256 (OWASP, Password Storage, 2023). Scrypt would be stronger, but OpenSSL
/// refuses the memory that scrypt needs at its usual cost.
const ROUNDS: u32 = 600_000;
/// The PEM label of an encrypted key in PKCS#8 (RFC 7468, section 11).
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// The PEM label of a plain one (section 10).
const PLAIN: &str = "PRIVATE KEY";

/// Returns a key as the text of a file, encrypted if there is a passphrase.
pub(crate) fn write(
    key: &KeyPair,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::KeyFile(error.to_string());
    let plain = to_pkcs8(key)?;
    let Some(passphrase) = passphrase else {
        return plain
            .to_pem(PLAIN, LineEnding::LF)
            .map_err(|error| failed(&error));
    };
    let plain = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(|error| failed(&error))?;
    let how =
        pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &random::<16>()?, random()?)
            .map_err(|error| failed(&error))?;
    plain
        .encrypt_with_params(how, passphrase.bytes())
        .and_then(|encrypted| Ok(encrypted.to_pem(ENCRYPTED, LineEnding::LF)?))
        .map_err(|error| failed(&error))
}

/// Reads the first key in a file. Errors name `path`. The passphrase is asked for only when the key is
/// encrypted.
pub(crate) fn read(
    bytes: &[u8],
    path: &Path,
    passphrase: impl FnOnce() -> Result<Passphrase, Error>,
) -> Result<PrivateKey, Error> {
    let damaged = |fault: &str| Error::Damaged {
        path: path.to_owned(),
        fault: fault.to_owned(),
    };
    let pem = Pem::parse(bytes).map_err(pem_error(path))?;
    let key = pem.sections.iter().find(|section| section.kind.is_key());
    let key =
        key.ok_or_else(|| damaged(&format!("it holds no private key, only: {}", pem.labels())))?;
    let plain = || key.der.to_vec();
    let der: PrivateKeyDer<'static> = match key.kind {
        Kind::EncryptedKey => {
            let encrypted = EncryptedPrivateKeyInfoRef::try_from(key.der.as_slice())
                .ok()
                .filter(|encrypted| encrypted.encryption_algorithm.pbes2().is_some())
                .ok_or_else(|| Error::UnknownEncryption(path.to_owned()))?;
            let passphrase = passphrase()?;
            let wrong = |_| Error::WrongPassphrase {
                key: path.to_owned(),
                origin: passphrase.origin().clone(),
            };
            let plain = encrypted.decrypt(passphrase.bytes()).map_err(wrong)?;
            PrivateKeyDer::Pkcs8(plain.as_bytes().to_vec().into())
        }
        Kind::Pkcs8Key => PrivateKeyDer::Pkcs8(plain().into()),
        Kind::Sec1Key => PrivateKeyDer::Sec1(plain().into()),
        Kind::Pkcs1Key => PrivateKeyDer::Pkcs1(plain().into()),
        Kind::OldEncryptedKey => return Err(Error::UnknownEncryption(path.to_owned())),
        _ => {
            return Err(damaged(&format!(
                "its private key is of the kind \"{}\", which ca-tool cannot read",
                wire::excerpt(&key.label, 48)
            )));
        }
    };
    KeyPair::try_from(&*Zeroizing::new(der))
        .map(|key| PrivateKey(Zeroizing::new(key)))
        .map_err(|_| damaged("its private key is of a kind that ca-tool cannot sign with"))
}

/// Returns a key in PKCS#8. A key in SEC1 or PKCS#1, which `openssl ecparam` and older programs write,
/// is wrapped: PKCS#8 contains these forms.
pub(crate) fn to_pkcs8(key: &KeyPair) -> Result<SecretDocument, Error> {
    wrap(key).map_err(|error| Error::KeyFile(error.to_string()))
}

fn wrap(key: &KeyPair) -> pkcs8::Result<SecretDocument> {
    let der = Zeroizing::new(key.serialize_der());
    if let Ok(plain) = PrivateKeyInfoRef::try_from(der.as_slice()) {
        return Ok(SecretDocument::encode_msg(&plain)?);
    }
    let curve = CURVES
        .iter()
        .find(|(algorithm, _)| *algorithm == key.algorithm())
        .map(|(_, curve)| curve);
    let algorithm = AlgorithmIdentifierRef {
        oid: if curve.is_some() { EC_KEY } else { RSA_KEY },
        parameters: Some(curve.map_or(AnyRef::NULL, AnyRef::from)),
    };
    let wrapped = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&der)?);
    Ok(SecretDocument::encode_msg(&wrapped)?)
}

/// id-ecPublicKey (RFC 5480).
const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// rsaEncryption (RFC 8017).
const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// The curves that rcgen signs with.
static CURVES: [(&SignatureAlgorithm, ObjectIdentifier); 3] = [
    (
        &rcgen::PKCS_ECDSA_P256_SHA256,
        ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    ),
    (
        &rcgen::PKCS_ECDSA_P384_SHA384,
        ObjectIdentifier::new_unwrap("1.3.132.0.34"),
    ),
    (
        &rcgen::PKCS_ECDSA_P521_SHA512,
        ObjectIdentifier::new_unwrap("1.3.132.0.35"),
    ),
];

/// Returns whether the key in a file needs a passphrase. A file that cannot be read needs none: reading
/// it says why.
pub(crate) fn is_encrypted(bytes: &[u8]) -> bool {
    Pem::parse(bytes).is_ok_and(|pem| pem.of(Kind::EncryptedKey).next().is_some())
}
