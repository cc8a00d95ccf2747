//! A witness of a handshake: it is told each time rustls hands us a certificate, a signature or a
//! choice, and has no part in any decision.
//!
//! TLS 1.3 encrypts every message after the ServerHello (RFC 8446, section 2), and rustls shows
//! none of them. But it asks us exactly when it handles a CertificateRequest, a Certificate or a
//! CertificateVerify, so these moments can be told as they happen.
// No key, no secret and no signature is in a sight, so a witness cannot show one.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::identity::Identity;
use crate::refusal::Refusal;

/// Is told what happens in one handshake, in its order.
pub trait Witness: Debug + Send + Sync {
    /// Takes note of one moment. It must not wait: the handshake does.
    fn saw(&self, sight: Sight<'_>);
}

/// One moment of a handshake.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// The peer asks for our certificate and for a signature of one of these kinds: in its
    /// ClientHello if we are the server, in its CertificateRequest if we are the client.
    Asked {
        /// The kinds of signature that the peer accepts.
        schemes: &'a [SignatureScheme],
        /// The number of CAs that it names as acceptable.
        cas: usize,
    },
    /// These are the certificates in our Certificate message.
    Presents(&'a [CertificateDer<'a>]),
    /// Our private key has signed our CertificateVerify message in this way.
    Signed(SignatureScheme),
    /// The peer's Certificate message holds this certificate and some others.
    Certificate {
        /// The certificate of the peer itself.
        leaf: &'a CertificateDer<'a>,
        /// The number of further certificates.
        others: usize,
    },
    /// The peer's certificate has passed one check.
    Passed(Check),
    /// The server admits the client.
    Admitted(&'a Identity),
    /// The server does not admit the client.
    Refused(&'a Refusal),
    /// The client trusts the server's certificate.
    Trusted,
    /// The client does not trust the server's certificate.
    Distrusted(&'a rustls::Error),
    /// The signature in the peer's CertificateVerify message was checked.
    Verified {
        /// How it was made.
        scheme: SignatureScheme,
        /// Whether it is good.
        is_good: bool,
    },
}

/// One check of a peer's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is no larger than [`LEAF_BYTES_MAX`](crate::limits::LEAF_BYTES_MAX).
    Size,
    /// The CA certificate itself is valid now.
    Anchor,
    /// It is X.509, and can be read.
    Readable,
    /// webpki finds a path to our CA: within its dates, with the right purpose, no CA, and with our
    /// CA's signature (RFC 5280, section 6).
    Path,
    /// Its key usage and extended key usage are those of a person.
    Profile,
    /// Its key is of a kind that is strong enough.
    Key,
    /// It has one name, and that name is acceptable.
    Name,
    /// It is within its dates, it is not revoked, and the revocation list may be relied on.
    Revocation,
    /// It is for the server that was asked for (RFC 9525).
    ServerName,
    /// Its extended key usage names serverAuth.
    ServerPurpose,
}

/// Presents a certificate like the resolver of rustls, and tells a witness.
#[derive(Debug)]
pub(crate) struct Presented {
    certified: Arc<CertifiedKey>,
    witness: Arc<dyn Witness>,
}

impl Presented {
    pub(crate) fn new(certified: &CertifiedKey, witness: Arc<dyn Witness>) -> Self {
        let key = Arc::new(SeenKey {
            key: certified.key.clone(),
            witness: witness.clone(),
        });
        let mut certified = certified.clone();
        certified.key = key;
        Self {
            certified: Arc::new(certified),
            witness,
        }
    }

    fn present(&self, schemes: &[SignatureScheme], cas: usize) -> Arc<CertifiedKey> {
        self.witness.saw(Sight::Asked { schemes, cas });
        self.witness.saw(Sight::Presents(&self.certified.cert));
        self.certified.clone()
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present(hello.signature_schemes(), 0))
    }
}

impl ResolvesClientCert for Presented {
    fn resolve(&self, cas: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.present(schemes, cas.len()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A private key that tells a witness about each of its signatures.
#[derive(Debug)]
struct SeenKey {
    key: Arc<dyn SigningKey>,
    witness: Arc<dyn Witness>,
}

impl SigningKey for SeenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        let witness = self.witness.clone();
        Some(Box::new(SeenSigner { signer, witness }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct SeenSigner {
    signer: Box<dyn Signer>,
    witness: Arc<dyn Witness>,
}

impl Signer for SeenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature = self.signer.sign(message)?;
        self.witness.saw(Sight::Signed(self.signer.scheme()));
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}
