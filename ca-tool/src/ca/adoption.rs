//! Takes over a CA that another program made, if what it signs can be trusted by it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::Ca;
use super::draft::check_empty;
use super::founding::{Found, check_name};
use super::list::GIVEN_NUMBER_MAX;
use crate::disk::folder;
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::keys::private_key;
use crate::ledger::register::TEXT_BYTES_MAX;
use crate::ledger::revoked::GivenList;
use crate::sign::host::Host;
use crate::sign::issuer::Issuer;
use crate::sign::request::is_in_another_form;

/// A CA that is there already.
#[derive(Debug, Clone)]
pub struct AdoptOptions {
    /// Its certificate, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// The list of what it has revoked, PEM or DER, to be taken over.
    pub list: Option<PathBuf>,
    /// Where the server can be reached, the best first, as in [`InitOptions`](crate::InitOptions).
    pub hosts: Vec<Host>,
    /// The server's port, for people's bundles.
    pub port: u16,
    /// What opens the key if it is encrypted, and what its copy is encrypted with in any case.
    pub passphrase: Option<Passphrase>,
}

impl AdoptOptions {
    /// Whether the key is encrypted now.
    pub(crate) fn is_encrypted(&self) -> Result<bool, Error> {
        Ok(private_key::is_encrypted(&self.read_key()?))
    }

    fn read_key(&self) -> Result<Zeroizing<String>, Error> {
        let text = folder::read_text_if_there(&self.key, TEXT_BYTES_MAX)?;
        Ok(Zeroizing::new(
            text.ok_or_else(|| folder::missing(&self.key))?,
        ))
    }
}

impl Ca {
    /// Whether [`Ca::adopt`] could take this CA, before anybody is asked for a passphrase.
    pub(crate) fn may_adopt(path: &Path, options: &AdoptOptions) -> Result<(), Error> {
        check_empty(path)?;
        read_certificate(&options.certificate).map(drop)
    }

    /// Makes the folder of a CA that is there already. The files that it was in stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Ca::init`], or when the CA cannot be used: its key is not the certificate's, it may
    /// not sign both certificates and lists, its time is over, it is not its own issuer, its name
    /// would not be written as it stands there, its key is weak, or it is bound in a way that is
    /// not looked at here; or when it did not sign its list.
    pub fn adopt(path: &Path, options: &AdoptOptions) -> Result<Self, Error> {
        let now = OffsetDateTime::now_utc();
        let found = Found {
            hosts: &options.hosts,
            port: options.port,
            passphrase: options.passphrase.as_ref(),
        };
        Self::found(path, &found, now, || load(options, now))
    }
}

fn load(options: &AdoptOptions, now: OffsetDateTime) -> Result<(Issuer, GivenList), Error> {
    let certificate = &options.certificate;
    let pem = read_certificate(certificate)?;
    let key = options.read_key()?;
    let passphrase = |key: &Path| {
        let encrypted = || Error::EncryptedKey(key.to_owned());
        options.passphrase.clone().ok_or_else(encrypted)
    };
    let issuer = Issuer::load((certificate, &pem), (&options.key, &key), passphrase, now)?;
    check_name(issuer.name())?;
    let list = match &options.list {
        Some(path) => GivenList::read(path, issuer.certificate(), GIVEN_NUMBER_MAX)?,
        None => GivenList::default(),
    };
    Ok((issuer, list))
}

fn read_certificate(path: &Path) -> Result<Vec<u8>, Error> {
    let pem = folder::read_if_there(path, TEXT_BYTES_MAX)?.ok_or_else(|| folder::missing(path))?;
    match fault(&pem) {
        None => Ok(pem),
        Some(fault) => Err(Error::NotAdoptable {
            path: path.to_owned(),
            fault,
        }),
    }
}

/// Why nothing that this CA signs would lead to it. What is no certificate is told by who loads it.
fn fault(pem: &[u8]) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    fault_of_key(certificate.public_key())
        .or_else(|| fault_of_signature(&certificate))
        .or_else(|| fault_of_extensions(&certificate))
        .or_else(|| fault_of_subject(&certificate))
}

fn fault_of_key(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    let kind = pki::describe_key(key);
    if !pki::key_is_acceptable(key) {
        return Some(format!(
            "its key is {kind}; P-256, P-384, Ed25519 and RSA from 2048 bits are taken"
        ));
    }
    is_in_another_form(key).then(|| "its key is in compressed or hybrid form".to_owned())
}

fn fault_of_signature(certificate: &X509Certificate<'_>) -> Option<String> {
    if certificate.subject().as_raw() != certificate.issuer().as_raw() {
        return Some("another CA signed it, and this room trusts its own CA alone".to_owned());
    }
    let holds = certificate.verify_signature(None).is_ok();
    (!holds).then(|| "its own key did not sign it, or in a way that is not known here".to_owned())
}

/// What would bind all that the CA signs, and that a server here, its clients or other programs
/// would take in different ways.
fn fault_of_extensions(certificate: &X509Certificate<'_>) -> Option<String> {
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::NameConstraints(_) => {
                return Some(
                    "it may sign for some names alone (nameConstraints), which is not looked at here"
                        .to_owned(),
                );
            }
            // OpenSSL asks it of the CA too, and does not take `any` for an answer.
            ParsedExtension::ExtendedKeyUsage(usage)
                if !(usage.client_auth && usage.server_auth) =>
            {
                return Some(
                    "its extended key usage does not name both clientAuth and serverAuth"
                        .to_owned(),
                );
            }
            ParsedExtension::BasicConstraints(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            // Whoever does not know what is critical must refuse it (RFC 5280, section 4.2).
            _ if extension.critical => {
                let oid = extension.oid.to_id_string();
                return Some(format!(
                    "its extension {oid} is critical, and is not known here"
                ));
            }
            _ => {}
        }
    }
    None
}

fn fault_of_subject(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject();
    let mut names = names.iter_common_name().chain(names.iter_organization());
    let is_read = |bytes: &[u8]| bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    if names.any(|name| name.as_str().is_err() && !is_read(name.as_slice())) {
        return Some(
            "its name is written in an old encoding, as a BMPString is, and would not be read the same everywhere"
                .to_owned(),
        );
    }
    // rcgen's names are maps: of what stands there twice, one would be lost in all that is signed.
    let mut seen = HashSet::new();
    let mut attributes = certificate.subject().iter_attributes();
    let repeated = attributes.find(|attribute| !seen.insert(attribute.attr_type().to_id_string()));
    repeated.map(|attribute| {
        let kind = x509_parser::objects::oid2abbrev(
            attribute.attr_type(),
            x509_parser::objects::oid_registry(),
        );
        let kind = kind.map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
        format!("its subject has more than one {kind}")
    })
}
