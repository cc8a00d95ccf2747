//! Takes over a CA that another program made, if what it signs can be trusted by it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use super::Ca;
use super::founding::{Found, check_name};
use crate::error::Error;
use crate::folder;
use crate::host::Host;
use crate::issuer::Issuer;
use crate::passphrase::Passphrase;
use crate::private_key;
use crate::register::TEXT_BYTES_MAX;
use crate::request::is_in_another_form;

/// A CA that is there already.
#[derive(Debug, Clone)]
pub struct AdoptOptions {
    /// Its certificate, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
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
    /// Makes the folder of a CA that is there already. The files that it was in stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Ca::init`], or when the CA cannot be used: its key is not the certificate's, it may
    /// not sign both certificates and lists, its time is over, it is not its own issuer, or its
    /// name would not be written as it stands there.
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

fn load(options: &AdoptOptions, now: OffsetDateTime) -> Result<Issuer, Error> {
    let certificate = &options.certificate;
    let pem = folder::read_if_there(certificate, TEXT_BYTES_MAX)?
        .ok_or_else(|| folder::missing(certificate))?;
    if let Some(fault) = fault(&pem) {
        return Err(Error::NotAdoptable {
            path: certificate.clone(),
            fault,
        });
    }
    let key = options.read_key()?;
    let passphrase = |key: &Path| {
        let encrypted = || Error::EncryptedKey(key.to_owned());
        options.passphrase.clone().ok_or_else(encrypted)
    };
    let issuer = Issuer::load((certificate, &pem), (&options.key, &key), passphrase, now)?;
    check_name(issuer.name())?;
    Ok(issuer)
}

/// Why nothing that this CA signs would lead to it. What is no certificate is told by who loads it.
fn fault(pem: &[u8]) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let is_own_issuer = certificate.subject().as_raw() == certificate.issuer().as_raw()
        && certificate.verify_signature(None).is_ok();
    if !is_own_issuer {
        return Some("another CA signed it, and this room trusts its own CA alone".to_owned());
    }
    if is_in_another_form(certificate.public_key()) {
        return Some("its key is in compressed or hybrid form".to_owned());
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
