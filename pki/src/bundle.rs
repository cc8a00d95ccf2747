//! A leaf, its key and its trust anchor in one PEM file, for one holder.
//!
//! Plain PEM with a preamble of `# key = value` lines, so that `openssl s_client -cert alice.pem
//! -key alice.pem -CAfile alice.pem` and Python's `load_cert_chain("alice.pem")` take it as it is.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::certificate::{Certificate, CertificateError};
use crate::crypto::provider;
use crate::limits::BUNDLE_BYTES_MAX;

/// A leaf, its key and its trust anchor.
pub struct Bundle {
    preamble: Vec<(String, String)>,
    chain: Vec<CertificateDer<'static>>,
    anchor: CertificateDer<'static>,
    key: Arc<CertifiedKey>,
}

/// The reason why a file is not a bundle: names the file, its contents, and the missing part.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {fault}", path.display())]
pub struct BundleError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("it is too large to be a bundle")]
    TooLarge,
    #[error("it is not PEM, as certificates are: no line in it begins with '-----BEGIN'")]
    NotPem,
    #[error("a PEM section in it is damaged")]
    Damaged,
    #[error("it holds no certificate")]
    NoCertificate,
    #[error("it holds no certificate but that of a CA")]
    OnlyAnchor,
    #[error("it holds a certificate but no private key")]
    NoKey,
    #[error("its private key is encrypted, and this program cannot ask for a passphrase")]
    EncryptedKey,
    #[error("it holds {0} private keys, so it is unclear which one to use")]
    TwoKeys(usize),
    #[error("it holds no CA certificate to trust")]
    NoAnchor,
    #[error("its private key does not belong to its certificate")]
    OtherKey,
    #[error("its private key cannot be used: {0}")]
    BadKey(rustls::Error),
    #[error("a certificate in it cannot be read")]
    BadCertificate(#[from] CertificateError),
}

impl BundleError {
    /// Returns what the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self.fault {
            Fault::NoKey | Fault::NoAnchor | Fault::NoCertificate | Fault::NotPem => Some(
                "use the whole file that `ca-tool issue` made, for example ca/people/alice.pem",
            ),
            Fault::OnlyAnchor => Some(
                "a CA's certificate is there to check others; use the whole file that `ca-tool issue` made, for example ca/people/alice.pem",
            ),
            Fault::EncryptedKey => {
                Some("`openssl pkey -in FILE` writes the key without a passphrase")
            }
            Fault::OtherKey => {
                Some("the file was assembled from two people's files; ask for a new one")
            }
            _ => None,
        }
    }

    /// Returns whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.fault, Fault::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Returns whether the file could not be read at all, which may pass.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(&self.fault, Fault::Io(_))
    }
}

impl Bundle {
    /// Reads a bundle from a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not a complete bundle whose key matches its certificate.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        read_bounded(path)
            .and_then(|bytes| Self::parse_bytes(&bytes))
            .map_err(|fault| BundleError {
                path: path.to_owned(),
                fault,
            })
    }

    /// Reads a bundle from memory; errors call it `path`.
    ///
    /// # Errors
    ///
    /// The same as those of [`Bundle::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, BundleError> {
        Self::parse_bytes(bytes).map_err(|fault| BundleError {
            path: path.to_owned(),
            fault,
        })
    }

    fn parse_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (mut certificates, mut keys) = (Vec::new(), Vec::new());
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            match section.map_err(|_| Fault::Damaged)? {
                (SectionKind::Certificate, der) => certificates.push(CertificateDer::from(der)),
                (SectionKind::PrivateKey, der) => keys.push(PrivateKeyDer::Pkcs8(der.into())),
                (SectionKind::EcPrivateKey, der) => keys.push(PrivateKeyDer::Sec1(der.into())),
                (SectionKind::RsaPrivateKey, der) => keys.push(PrivateKeyDer::Pkcs1(der.into())),
                _ => {}
            }
        }
        let text = String::from_utf8_lossy(bytes);
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(Fault::EncryptedKey);
        }
        if certificates.is_empty() && keys.is_empty() {
            return Err(if text.contains("-----BEGIN") {
                Fault::NoCertificate
            } else {
                Fault::NotPem
            });
        }
        if keys.len() > 1 {
            return Err(Fault::TwoKeys(keys.len()));
        }
        let (chain, anchor) = sort(certificates)?;
        let key = keys.pop().ok_or(Fault::NoKey)?;
        let key =
            CertifiedKey::from_der(chain.clone(), key, &provider()).map_err(
                |error| match error {
                    rustls::Error::InconsistentKeys(_) => Fault::OtherKey,
                    other => Fault::BadKey(other),
                },
            )?;
        Ok(Self {
            preamble: parse_preamble(&text),
            chain,
            anchor,
            key: Arc::new(key),
        })
    }

    /// Returns the holder's own certificate.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// Returns the fields of the holder's own certificate.
    pub fn certificate(&self) -> Certificate {
        Certificate::parse(self.leaf()).expect("a bundle's certificates were read when it was made")
    }

    /// Returns the CA certificate that the holder trusts.
    pub fn anchor(&self) -> &CertificateDer<'static> {
        &self.anchor
    }

    /// Returns the holder's own certificate, and those between it and the CA's.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Returns the certificates to present, and the key that proves them.
    pub(crate) fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// Returns the value of a `# key = value` line before the first certificate.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.preamble
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the text of a bundle, its preamble first. Without a key it is not a bundle yet.
    pub fn compose(notes: &[(&str, &str)], leaf: &str, anchor: &str, key: &str) -> String {
        let notes = notes.iter();
        let notes: String = notes
            .map(|(n, value)| format!("# {n} = {value}\n"))
            .collect();
        let sections = [leaf, anchor, key];
        // Room for everything: growing would leave a copy of the key behind.
        let bytes = sections.iter().map(|section| section.len() + 1);
        let mut text = String::with_capacity(notes.len() + bytes.sum::<usize>());
        text.push_str(&notes);
        for section in sections.into_iter().filter(|s| !s.is_empty()) {
            text.push_str(section.trim_end());
            text.push('\n');
        }
        text
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        f.debug_struct("Bundle")
            .field("preamble", &self.preamble)
            .finish_non_exhaustive()
    }
}

/// Returns the chain to present, and the last self-issued CA certificate as the trust anchor.
fn sort(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<(Vec<CertificateDer<'static>>, CertificateDer<'static>), Fault> {
    let mut chain = Vec::new();
    let mut anchor = None;
    for der in certificates {
        let said = Certificate::parse(&der)?;
        if said.is_ca && said.subject == said.issuer {
            anchor = Some(der);
        } else {
            chain.push(der);
        }
    }
    match (chain.is_empty(), anchor) {
        (true, None) => Err(Fault::NoCertificate),
        (true, Some(_)) => Err(Fault::OnlyAnchor),
        (false, None) => Err(Fault::NoAnchor),
        (false, Some(anchor)) => Ok((chain, anchor)),
    }
}

fn parse_preamble(text: &str) -> Vec<(String, String)> {
    text.lines()
        .take_while(|line| !line.starts_with("-----BEGIN"))
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(BUNDLE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BUNDLE_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
        PKCS_ECDSA_P256_SHA256,
    };

    use super::*;

    /// The PEM sections of one person's bundle.
    struct Parts {
        leaf: String,
        anchor: String,
        key: String,
    }

    fn parts() -> Parts {
        let new_key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut ca = named("Networks 101");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = new_key();
        let anchor = ca.self_signed(&ca_key).expect("a CA").pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = new_key();
        let leaf = named("alice")
            .signed_by(&key, &issuer)
            .expect("a leaf")
            .pem();
        Parts {
            leaf,
            anchor,
            key: key.serialize_pem(),
        }
    }

    fn parse(text: &str) -> Result<Bundle, String> {
        Bundle::parse(text.as_bytes(), Path::new("alice.pem")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bundle_is_read_in_any_order_and_with_any_line_ends() {
        let Parts { leaf, anchor, key } = parts();
        let whole = Bundle::compose(&[("id", "alice"), ("server", "h:1")], &leaf, &anchor, &key);
        for text in [
            whole.clone(),
            whole.replace('\n', "\r\n"),
            format!("{key}{leaf}{anchor}"),
            format!("{anchor}{leaf}{key}"),
        ] {
            let bundle = parse(&text).expect("a bundle");
            assert_eq!(bundle.certificate().subject.common_names, ["alice"]);
        }
        let bundle = parse(&whole).expect("a bundle");
        assert_eq!(
            (bundle.note("server"), bundle.note("port")),
            (Some("h:1"), None)
        );
    }

    #[test]
    fn an_error_about_a_bundle_names_the_missing_part() {
        let Parts { leaf, anchor, key } = parts();
        let other = parts();
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (text, why) in [
            (String::new(), "it is not PEM"),
            ("\u{0}\u{1}der".to_owned(), "it is not PEM"),
            (key.clone(), "it holds no certificate"),
            (
                format!("{leaf}{anchor}"),
                "it holds a certificate but no private key",
            ),
            (
                format!("{leaf}{anchor}{encrypted}"),
                "its private key is encrypted",
            ),
            (
                format!("{leaf}{key}"),
                "it holds no CA certificate to trust",
            ),
            (
                format!("{anchor}{key}"),
                "it holds no certificate but that of a CA",
            ),
            (anchor.clone(), "it holds no certificate but that of a CA"),
            (
                "# Read me\n\nA chat.\n".to_owned(),
                "it is not PEM, as certificates are: no line in it begins with '-----BEGIN'",
            ),
            (
                format!("{leaf}{anchor}{}", other.key),
                "does not belong to its certificate",
            ),
            (
                format!("{leaf}{anchor}{key}{}", other.key),
                "it holds 2 private keys",
            ),
            (
                format!("{leaf}{anchor}{}", &key[..key.len() - 40]),
                "a PEM section in it is damaged",
            ),
        ] {
            let error = parse(&text).expect_err(why);
            assert!(
                error.starts_with("cannot read alice.pem: ") && error.contains(why),
                "{error}"
            );
        }
    }
}
