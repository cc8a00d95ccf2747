//! A leaf, its key and its trust anchor in one PEM file, for one holder.
//!
//! Plain PEM with a preamble of `# key = value` lines, so that `openssl s_client -cert alice.pem
//! -key alice.pem -CAfile alice.pem` and Python's `load_cert_chain("alice.pem")` take it as it is.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use zeroize::Zeroizing;

use crate::certificate::{Certificate, parse_der};
use crate::crypto::provider;
use crate::fault::CertificateFault;
use crate::form::shell_word;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::neighbour;
use crate::pem::{Kind, Pem, PemError};
use crate::profile::Purpose;

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
    #[error("{}", io_words(.0))]
    Io(#[from] io::Error),
    #[error("it has more than {} KiB, too much for a bundle", BUNDLE_BYTES_MAX >> 10)]
    TooLarge,
    #[error("{0}")]
    Pem(#[from] PemError),
    #[error("it holds no certificate, only: {0}")]
    NoCertificate(String),
    #[error("it is the certificate of the CA \"{0}\", which checks others and admits nobody")]
    OnlyAnchor(String),
    #[error("it is the certificate and the key of \"{0}\", a CA or a self-signed certificate")]
    SelfSigned(String),
    #[error("it holds a certificate but no private key")]
    NoKey,
    #[error("its private key is encrypted, and this program cannot ask for a passphrase")]
    EncryptedKey,
    #[error("its private key is of the kind \"{0}\", which this program cannot read")]
    KeyKind(String),
    #[error("it holds {0} private keys, so it is unclear which one to use")]
    TwoKeys(usize),
    #[error("it holds no CA certificate to trust")]
    NoAnchor,
    #[error("it holds {}, and none of them issued the certificate of \"{leaf}\"", list(.anchors))]
    TwoAnchors { leaf: String, anchors: Vec<String> },
    #[error(
        "the certificate of \"{leaf}\" in it was issued by {issuer}, and not by the CA whose certificate is beside it: {anchor}"
    )]
    OtherAnchor {
        leaf: String,
        issuer: String,
        anchor: String,
    },
    #[error("its private key does not belong to its certificate")]
    OtherKey,
    #[error("its private key is damaged, or of a kind that TLS does not use")]
    BadKey,
    #[error("the certificate in its PEM section {number} {fault}")]
    BadCertificate {
        number: usize,
        fault: CertificateFault,
    },
}

/// An error of the operating system in our words, if it is one that people meet.
fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

fn list(anchors: &[String]) -> String {
    format!("{} CA certificates ({})", anchors.len(), anchors.join("; "))
}

impl BundleError {
    /// Returns what the user can do about it, if anything. The advice depends on whose bundle is
    /// wanted: a server's or a person's.
    pub fn hint(&self, wanted: Purpose) -> Option<String> {
        let path = &self.path;
        let fits = |file: &Path| {
            let bundle = Bundle::read(file);
            bundle.is_ok_and(|bundle| bundle.certificate().purposes.contains(&wanted))
        };
        let whole = |why: &str| {
            Some(match wanted {
                Purpose::Client => format!(
                    "{why}use the whole file that `ca-tool issue` made, for example {}",
                    neighbour::persons_file(path, &fits)
                ),
                Purpose::Server => format!(
                    "{why}use the whole file that `ca-tool init` or `ca-tool issue-server` made, for example {}",
                    neighbour::servers_file(path)
                ),
            })
        };
        match &self.fault {
            Fault::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => match neighbour::alike(path) {
                    Some(other) => Some(format!("did you mean {}?", shell_word(&other))),
                    None if wanted == Purpose::Client => Some(format!(
                        "`ca-tool issue` writes a file for each person, for example {}; pass the path of yours",
                        neighbour::persons_file(path, &fits)
                    )),
                    None => whole(""),
                },
                io::ErrorKind::IsADirectory => {
                    let here = neighbour::example_in(path, &fits);
                    let found =
                        here.or_else(|| neighbour::example_in(&path.join("people"), &fits));
                    Some(match found {
                        Some(file) => {
                            format!("name a file in it, for example {}", shell_word(&file))
                        }
                        None => format!(
                            "name your file, not its folder; no .pem file in it is a {wanted}'s",
                            wanted = match wanted {
                                Purpose::Client => "person",
                                Purpose::Server => "server",
                            }
                        ),
                    })
                }
                io::ErrorKind::PermissionDenied => Some(
                    "only its owner may read such a file; `ls -l` shows the owner. Use your own file, or run this as that user".to_owned(),
                ),
                _ => None,
            },
            Fault::TooLarge => whole("it is something else; "),
            Fault::Pem(PemError::NotPem) => whole(""),
            Fault::Pem(error) => error.hint(path),
            Fault::NoKey if wanted == Purpose::Client => Some(format!(
                "if you made the key yourself, combine the two: `ca-tool adopt {} --key {}`; otherwise use the whole file that `ca-tool issue` made",
                shell_word(path),
                shell_word(path.with_extension("key"))
            )),
            Fault::NoKey | Fault::NoAnchor | Fault::NoCertificate(_) | Fault::OnlyAnchor(_) => whole(""),
            Fault::SelfSigned(_) => whole("the room's CA has to issue the certificate: "),
            Fault::EncryptedKey => Some(format!(
                "`openssl pkey -in {}` asks for the passphrase and prints the key without it; put that in place of the encrypted key",
                shell_word(path)
            )),
            Fault::OtherKey => {
                Some("the file was assembled from two people's files; ask for a new one".to_owned())
            }
            Fault::OtherAnchor { .. } => whole("the two belong to different rooms, or to an old and a new CA; "),
            Fault::TwoAnchors { .. } => {
                Some("keep the certificate of the CA that issued yours, and delete the others; or ask for a new file".to_owned())
            }
            Fault::TwoKeys(_) => Some("keep the key that belongs to the certificate, and delete the others; or ask for a new file".to_owned()),
            Fault::BadCertificate { .. } => {
                Some("ask whoever runs the room for a new certificate".to_owned())
            }
            Fault::KeyKind(_) | Fault::BadKey => {
                Some("P-256, P-384, Ed25519 and RSA from 2048 bits are accepted; `ca-tool issue` makes a P-256 key".to_owned())
            }
        }
    }

    /// Returns whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.fault, Fault::Io(error) if error.kind() == io::ErrorKind::NotFound)
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
        let pem = Pem::parse(bytes)?;
        let certificates = read_certificates(&pem)?;
        check_keys(&pem, &certificates)?;
        let key = pem.sections.iter().find_map(|section| {
            let der = section.der.to_vec();
            match section.kind {
                Kind::Pkcs8Key => Some(PrivateKeyDer::Pkcs8(der.into())),
                Kind::Sec1Key => Some(PrivateKeyDer::Sec1(der.into())),
                Kind::Pkcs1Key => Some(PrivateKeyDer::Pkcs1(der.into())),
                _ => None,
            }
        });
        let public = match &key {
            Some(key) => Some(public_key(key)?),
            None => None,
        };
        let (chain, anchor) = sort(&certificates, public.as_deref(), pem.has_key())?;
        let key = key.ok_or(Fault::NoKey)?;
        // The library reads it more strictly than we did; its words would be about the key.
        if let Some(fault) = CertificateFault::of(&chain[0]) {
            let number = certificates.iter().find(|one| one.der == chain[0]);
            return Err(Fault::BadCertificate {
                number: number.map_or(1, |one| one.number),
                fault,
            });
        }
        let key =
            CertifiedKey::from_der(chain.clone(), key, &provider()).map_err(
                |error| match error {
                    rustls::Error::InconsistentKeys(_) => Fault::OtherKey,
                    _ => Fault::BadKey,
                },
            )?;
        Ok(Self {
            preamble: parse_preamble(&pem.preamble),
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

/// A certificate in a bundle.
struct Held {
    number: usize,
    der: CertificateDer<'static>,
    said: Certificate,
}

impl Held {
    fn is_anchor(&self) -> bool {
        self.said.is_ca && self.said.subject == self.said.issuer
    }

    fn parsed(&self) -> X509Certificate<'_> {
        parse_der(&self.der).expect("it was read when the bundle was")
    }

    /// Returns whether this one's key signed the other. TLS knows more algorithms than the library
    /// that is asked here: what this one cannot judge is left to TLS.
    fn signed(&self, other: &Self) -> bool {
        let (ours, other) = (self.parsed(), other.parsed());
        matches!(
            other.verify_signature(Some(ours.public_key())),
            Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm)
        )
    }
}

fn read_certificates(pem: &Pem) -> Result<Vec<Held>, Fault> {
    let mut certificates: Vec<Held> = Vec::new();
    for section in pem.of(Kind::Certificate) {
        let der = CertificateDer::from(section.der.to_vec());
        // The same one twice is one.
        if certificates.iter().any(|held| held.der == der) {
            continue;
        }
        let said = Certificate::parse(&der).map_err(|_| Fault::BadCertificate {
            number: section.number,
            fault: CertificateFault::Unreadable,
        })?;
        certificates.push(Held {
            number: section.number,
            der,
            said,
        });
    }
    Ok(certificates)
}

/// Checks that there is something to use, and at most one key.
fn check_keys(pem: &Pem, certificates: &[Held]) -> Result<(), Fault> {
    let keys: Vec<_> = pem.sections.iter().filter(|s| s.kind.is_key()).collect();
    let is_encrypted = |kind| matches!(kind, Kind::EncryptedKey | Kind::OldEncryptedKey);
    if keys.iter().any(|key| is_encrypted(key.kind)) {
        return Err(Fault::EncryptedKey);
    }
    if certificates.is_empty() {
        return Err(Fault::NoCertificate(pem.labels()));
    }
    if let Some(key) = keys.iter().find(|key| key.kind == Kind::OtherKey) {
        return Err(Fault::KeyKind(wire::excerpt(&key.label, 48)));
    }
    match keys.len() {
        0 | 1 => Ok(()),
        more => Err(Fault::TwoKeys(more)),
    }
}

/// Returns a private key's public half, as certificates contain it.
fn public_key(key: &PrivateKeyDer<'static>) -> Result<Vec<u8>, Fault> {
    let key = provider()
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|_| Fault::BadKey)?;
    let public = key.public_key().ok_or(Fault::BadKey)?;
    Ok(public.to_vec())
}

type Sorted = (Vec<CertificateDer<'static>>, CertificateDer<'static>);

/// Returns the chain to present and the trust anchor. The leaf is the certificate that the key
/// belongs to; of several, for example after a renewal was appended, the newest. The anchor is the
/// CA that issued it.
fn sort(certificates: &[Held], key: Option<&[u8]>, has_key: bool) -> Result<Sorted, Fault> {
    let (anchors, others): (Vec<&Held>, Vec<&Held>) =
        certificates.iter().partition(|held| held.is_anchor());
    let is_the_keys = |held: &&&Held| key.is_none_or(|key| held.parsed().public_key().raw == key);
    let newest = |candidates: Vec<&Held>| -> Option<usize> {
        let number = |held: &&Held| (held.said.not_before, held.said.not_after);
        let mut newest: Option<&Held> = None;
        for held in candidates {
            if newest.is_none_or(|so_far| number(&held) > number(&so_far)) {
                newest = Some(held);
            }
        }
        newest.map(|held| held.number)
    };
    let theirs = newest(others.iter().filter(is_the_keys).copied().collect());
    let leaf = others.iter().find(|held| Some(held.number) == theirs);
    let Some(leaf) = leaf.or(others.first()) else {
        let Some(anchor) = anchors.first() else {
            return Err(Fault::NoCertificate(String::new()));
        };
        let name = anchor.said.subject.to_string();
        return Err(match has_key {
            true => Fault::SelfSigned(name),
            false => Fault::OnlyAnchor(name),
        });
    };
    let intermediates: Vec<&Held> = others
        .iter()
        .filter(|held| held.said.is_ca && held.number != leaf.number)
        .copied()
        .collect();
    let anchor = match anchors.as_slice() {
        [] if leaf.said.subject == leaf.said.issuer => {
            return Err(Fault::SelfSigned(leaf.said.subject.to_string()));
        }
        [] => return Err(Fault::NoAnchor),
        several => issuer_of(leaf, &intermediates, several)?,
    };
    let chain = std::iter::once(leaf).chain(&intermediates);
    let chain = chain.map(|held| held.der.clone()).collect();
    Ok((chain, anchor.der.clone()))
}

/// Returns the CA that issued a certificate, with or without CAs between. A CA that
/// was renewed with the same key has two certificates that fit: the newest one counts.
fn issuer_of<'a>(
    leaf: &Held,
    intermediates: &[&Held],
    anchors: &[&'a Held],
) -> Result<&'a Held, Fault> {
    let mut below = leaf;
    // Each step needs another intermediate.
    for _ in 0..=intermediates.len() {
        let named = anchors
            .iter()
            .filter(|anchor| anchor.said.subject == below.said.issuer && anchor.signed(below));
        if let Some(anchor) = named.max_by_key(|anchor| anchor.said.not_after) {
            return Ok(anchor);
        }
        let next = intermediates
            .iter()
            .find(|held| held.said.subject == below.said.issuer && held.signed(below));
        match next {
            Some(next) => below = next,
            None => break,
        }
    }
    if let [anchor] = anchors {
        // Below is the last one of the chain: the CA that is missing issued it.
        let (issuer, ours) = (
            below.said.issuer.to_string(),
            anchor.said.subject.to_string(),
        );
        return Err(Fault::OtherAnchor {
            leaf: leaf.said.subject.to_string(),
            issuer: match issuer == ours {
                true => format!("another CA that is called \"{issuer}\" too"),
                false => format!("\"{issuer}\""),
            },
            anchor: anchor.said.to_string(),
        });
    }
    let shown = anchors.iter().map(|anchor| anchor.said.to_string());
    Err(Fault::TwoAnchors {
        leaf: leaf.said.subject.to_string(),
        anchors: shown.collect(),
    })
}

fn parse_preamble(lines: &[String]) -> Vec<(String, String)> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn read_bounded(path: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let file = File::open(path)?;
    // Allocated for the whole file: growing would leave a copy behind, and it holds a key.
    let length = file.metadata().map_or(0, |there| there.len());
    let capacity = usize::try_from(length.min(BUNDLE_BYTES_MAX) + 1).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
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

    fn new_key() -> KeyPair {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
    }

    fn named(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn parts() -> Parts {
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
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old_encrypted = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
        for (text, why) in [
            (String::new(), "it is empty"),
            ("\u{0}\u{1}der".to_owned(), "it is not PEM"),
            (key.clone(), "it holds no certificate, only: PRIVATE KEY"),
            (
                format!("{leaf}{anchor}"),
                "it holds a certificate but no private key",
            ),
            (
                format!("{leaf}{anchor}{encrypted}"),
                "its private key is encrypted",
            ),
            (
                format!("{leaf}{anchor}{old_encrypted}"),
                "its private key is encrypted",
            ),
            (
                format!(
                    "{leaf}{anchor}{}",
                    key.replace("PRIVATE", "OPENSSH PRIVATE")
                ),
                "its private key is of the kind \"OPENSSH PRIVATE KEY\"",
            ),
            (
                format!("{leaf}{key}"),
                "it holds no CA certificate to trust",
            ),
            (
                format!("{anchor}{key}"),
                "it is the certificate and the key of \"Networks 101\", a CA or a self-signed certificate",
            ),
            (
                anchor.clone(),
                "it is the certificate of the CA \"Networks 101\", which checks others and admits nobody",
            ),
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
                "PEM section 3 (PRIVATE KEY) in it is damaged: its line '-----END ...' is missing",
            ),
        ] {
            let error = parse(&text).expect_err(why);
            assert!(
                error.starts_with("cannot read alice.pem: ") && error.contains(why),
                "{error}"
            );
        }
    }

    /// A CA that can issue, and its certificate as PEM.
    struct Authority {
        pem: String,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Authority {
        fn new(name: &str) -> Self {
            let key = new_key();
            let mut params = named(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let pem = params.self_signed(&key).expect("a CA").pem();
            let issuer = Issuer::new(params, key);
            Self { pem, issuer }
        }

        fn below(name: &str, above: &Self) -> Self {
            let key = new_key();
            let mut params = named(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let pem = params.signed_by(&key, &above.issuer).expect("a CA").pem();
            let issuer = Issuer::new(params, key);
            Self { pem, issuer }
        }

        fn issue(&self, name: &str, key: &KeyPair, day: u8) -> String {
            let mut params = named(name);
            params.not_before = rcgen::date_time_ymd(2026, 1, day);
            params.signed_by(key, &self.issuer).expect("a leaf").pem()
        }

        fn der(&self) -> Vec<u8> {
            let pem = Pem::parse(self.pem.as_bytes()).expect("PEM");
            pem.sections[0].der.to_vec()
        }
    }

    #[test]
    fn of_several_cas_the_one_that_issued_the_certificate_is_trusted() {
        let (old, new) = (
            Authority::new("Networks 101"),
            Authority::new("Networks 102"),
        );
        let twin = Authority::new("Networks 101");
        let key = new_key();
        let secret = key.serialize_pem();
        for (issuer, others) in [
            (&old, [&new, &twin]),
            (&twin, [&old, &new]),
            (&new, [&twin, &old]),
        ] {
            let leaf = issuer.issue("alice", &key, 1);
            let (a, b) = (&others[0].pem, &others[1].pem);
            for text in [
                format!("{leaf}{}{a}{b}{secret}", issuer.pem),
                format!("{a}{leaf}{b}{}{secret}", issuer.pem),
                format!("{a}{b}{}{secret}{leaf}", issuer.pem),
            ] {
                let bundle = parse(&text).expect("a bundle");
                assert_eq!(bundle.anchor().as_ref(), issuer.der());
                assert_eq!(bundle.chain().len(), 1);
            }
        }
        // With a CA between, the one above it.
        let between = Authority::below("Between", &old);
        let leaf = between.issue("alice", &key, 1);
        let text = format!(
            "{leaf}{}{}{}{}{secret}",
            twin.pem, between.pem, old.pem, new.pem
        );
        let bundle = parse(&text).expect("a bundle");
        assert_eq!(bundle.anchor().as_ref(), old.der());
        assert_eq!(bundle.chain().len(), 2);

        // None of them, although one has the right name: both are named, apart.
        let stranger = Authority::new("Networks 101").issue("alice", &key, 1);
        let refused = parse(&format!("{stranger}{}{}{secret}", old.pem, twin.pem));
        let refused = refused.expect_err("no issuer");
        let print = |authority: &Authority| crate::Fingerprint::of(&authority.der()).short();
        assert!(
            refused.contains("none of them issued the certificate of \"alice\""),
            "{refused}"
        );
        for ca in [&old, &twin] {
            let named = format!("\"Networks 101\", SHA-256 {}", print(ca));
            assert!(refused.contains(&named), "{refused}");
        }
    }

    #[test]
    fn a_ca_alone_has_to_be_the_issuer_too() {
        let (ours, other) = (
            Authority::new("Networks 101"),
            Authority::new("Networks 102"),
        );
        let key = new_key();
        let secret = key.serialize_pem();
        let leaf = ours.issue("alice", &key, 1);
        assert!(parse(&format!("{leaf}{}{secret}", ours.pem)).is_ok());
        let twin = Authority::new("Networks 101");
        for (ca, words) in [
            (
                &other,
                "issued by \"Networks 101\", and not by the CA whose certificate is beside it: \"Networks 102\", SHA-256 ",
            ),
            (
                &twin,
                "issued by another CA that is called \"Networks 101\" too, and not by the CA",
            ),
        ] {
            let refused = parse(&format!("{leaf}{}{secret}", ca.pem)).expect_err("another CA");
            let print = crate::Fingerprint::of(&ca.der()).short();
            assert!(
                refused.contains("certificate of \"alice\" in it was"),
                "{refused}"
            );
            assert!(
                refused.contains(words) && refused.contains(&print),
                "{refused}"
            );
        }
        // A CA that was renewed with its key issued it as much as the old one did.
        let mut params = named("Networks 101");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(2099, 1, 1);
        let renewed = params.self_signed(ours.issuer.key()).expect("a CA").pem();
        assert_ne!(renewed, ours.pem);
        assert!(parse(&format!("{leaf}{renewed}{secret}")).is_ok());
    }

    #[test]
    fn a_folder_is_answered_with_a_file_in_it_that_is_ones_own() {
        let there = tempfile::tempdir().expect("a folder");
        let folder = there.path();
        let people = folder.join("people");
        std::fs::create_dir(&people).expect("a folder");
        let ca = Authority::new("Networks 101");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("written");
        };
        let bundle = |name: &str, purpose| {
            let key = new_key();
            let mut params = named(name);
            params.extended_key_usages = vec![purpose];
            let leaf = params.signed_by(&key, &ca.issuer).expect("a leaf").pem();
            Bundle::compose(&[], &leaf, &ca.pem, &key.serialize_pem())
        };
        write("ca.pem", &ca.pem);
        let hint = |wanted| {
            let refused = Bundle::read(folder).expect_err("a folder");
            refused.hint(wanted).expect("a hint")
        };
        assert!(hint(Purpose::Client).contains("no .pem file in it is a person's"));
        assert!(hint(Purpose::Server).contains("no .pem file in it is a server's"));
        write(
            "server.pem",
            &bundle("server", rcgen::ExtendedKeyUsagePurpose::ServerAuth),
        );
        write(
            "people/alice.pem",
            &bundle("alice", rcgen::ExtendedKeyUsagePurpose::ClientAuth),
        );
        for (wanted, file) in [
            (Purpose::Client, people.join("alice.pem")),
            (Purpose::Server, folder.join("server.pem")),
        ] {
            let example = format!("for example {}", shell_word(&file));
            assert!(hint(wanted).ends_with(&example), "{}", hint(wanted));
        }
    }

    #[test]
    fn of_several_certificates_the_newest_of_the_key_is_presented() {
        let ca = Authority::new("Networks 101");
        let (key, other) = (new_key(), new_key());
        let secret = key.serialize_pem();
        let (first, second) = (ca.issue("alice", &key, 1), ca.issue("alice", &key, 9));
        let bobs = ca.issue("bob", &other, 20);
        let newest = Pem::parse(second.as_bytes()).expect("PEM").sections[0]
            .der
            .to_vec();
        for text in [
            format!("{first}{second}{bobs}{}{secret}", ca.pem),
            format!("{bobs}{second}{first}{}{secret}", ca.pem),
        ] {
            let bundle = parse(&text).expect("a bundle");
            assert_eq!(bundle.leaf().as_ref(), newest);
            assert_eq!(bundle.chain().len(), 1);
        }
    }

    #[test]
    fn a_certificate_that_tls_refuses_is_described_itself_and_not_its_key() {
        let ca = Authority::new("Networks 101");
        let key = new_key();
        let mut params = named("alice");
        let mut extension =
            rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
        let leaf = params.signed_by(&key, &ca.issuer).expect("a leaf").pem();
        let refused = parse(&format!("{}{leaf}{}", ca.pem, key.serialize_pem()));
        assert_eq!(
            refused.expect_err("refused"),
            "cannot read alice.pem: the certificate in its PEM section 2 has the critical extension 1.3.6.1.4.1.99.1, which programs have to refuse unless they understand it, and this one does not"
        );
    }
}
