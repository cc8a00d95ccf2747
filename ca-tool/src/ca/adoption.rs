//! Adopts a CA that another program made, if everybody can verify its signatures.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki::pem::{Kind, Pem, PemError};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::Ca;
use super::founding::{Founding, check_name};
use super::list::GIVEN_NUMBER_MAX;
use super::place::check_empty;
use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::error::{Error, pem_error};
use crate::keys::passphrase::Passphrase;
use crate::keys::private_key;
use crate::ledger::revoked::GivenList;
use crate::notice::{Listener, Silent};
use crate::sign::certificate::first_in;
use crate::sign::host::Host;
use crate::sign::issuer::Issuer;
use crate::sign::request::is_in_another_form;
use crate::words::{NAMES_SHOWN_MAX, first_few};

/// A CA that exists already.
#[derive(Debug, Clone)]
pub struct AdoptOptions {
    /// Its certificate, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// Its revocation list so far, PEM or DER.
    pub list: Option<PathBuf>,
    /// The names and addresses of the server, as in [`InitOptions`](crate::InitOptions).
    pub hosts: Vec<Host>,
    /// The server's port, for people's bundles.
    pub port: u16,
    /// The passphrase of the key if it is encrypted, and of its copy in any case.
    pub passphrase: Option<Passphrase>,
}

impl AdoptOptions {
    /// Returns whether the key is encrypted.
    pub(crate) fn is_encrypted(&self) -> Result<bool, Error> {
        Ok(private_key::is_encrypted(&self.read_key()?))
    }

    fn read_key(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let bytes = files::read_if_there(&self.key, TEXT_BYTES_MAX)?;
        Ok(Zeroizing::new(
            bytes.ok_or_else(|| files::missing(&self.key))?,
        ))
    }
}

impl Ca {
    /// Checks that [`Ca::adopt`] could adopt this CA, before anybody is asked for a passphrase.
    pub(crate) fn may_adopt(path: &Path, options: &AdoptOptions) -> Result<(), Error> {
        check_empty(path)?;
        read_certificate(&options.certificate).map(drop)
    }

    /// Makes the folder of a CA that exists already. Its own files stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Ca::init`], or when the CA cannot be used: its key does not belong to its certificate, it
    /// may not sign both certificates and lists, it has expired, another CA signed it, its name would
    /// be written differently here, its key is weak, or it has a restriction that ca-tool does not
    /// check; or when it did not sign the list.
    pub fn adopt(path: &Path, options: &AdoptOptions) -> Result<Self, Error> {
        Self::adopt_heard(path, options, Arc::new(Silent))
    }

    /// The same, with a listener.
    pub(crate) fn adopt_heard(
        path: &Path,
        options: &AdoptOptions,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, Error> {
        let now = OffsetDateTime::now_utc();
        let founding = Founding {
            hosts: &options.hosts,
            port: options.port,
            passphrase: options.passphrase.as_ref(),
        };
        Self::found(path, &founding, listener, now, || load(options, now))
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
    let pem = files::read_if_there(path, TEXT_BYTES_MAX)?.ok_or_else(|| files::missing(path))?;
    let unfit = |fault| Error::NotAdoptable {
        path: path.to_owned(),
        fault,
    };
    let all = certificates_in(&pem).map_err(pem_error(path))?;
    // Which of them is meant, nobody can know: the folder of a new CA is no place for a guess.
    if let [_, _, ..] = &all[..] {
        let said = all
            .iter()
            .filter_map(|der| pki::Certificate::parse(der).ok());
        let shown: Vec<_> = said.map(|said| said.to_string()).collect();
        return Err(unfit(format!(
            "it holds {} certificates ({}); give a file that holds only the CA's own",
            all.len(),
            first_few(&shown, NAMES_SHOWN_MAX, "; ")
        )));
    }
    match all.first().and_then(fault) {
        None => Ok(pem),
        Some(fault) => Err(unfit(fault)),
    }
}

/// Returns the different certificates in a file, PEM or DER.
fn certificates_in(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let pem = match Pem::parse(bytes) {
        Ok(pem) => pem,
        Err(error) => {
            return first_in(bytes)
                .map(|one| one.into_iter().collect())
                .map_err(|_| error);
        }
    };
    let mut all: Vec<CertificateDer<'static>> = Vec::new();
    for section in pem.of(Kind::Certificate) {
        let der = CertificateDer::from(section.der.to_vec());
        if !all.contains(&der) {
            all.push(der);
        }
    }
    Ok(all)
}

/// Returns why nothing that this CA signs could be verified. If this is no certificate at all, loading
/// it reports that.
fn fault(der: &CertificateDer<'static>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    fault_of_key(certificate.public_key())
        .or_else(|| fault_of_signature(&certificate))
        .or_else(|| fault_of_extensions(&certificate))
        .or_else(|| fault_of_subject(&certificate))
}

fn fault_of_key(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    let kind = pki::describe_key(key);
    if !pki::key_is_acceptable(key) {
        return Some(format!(
            "its key is {kind}; P-256, P-384, Ed25519 and RSA from 2048 bits are accepted"
        ));
    }
    is_in_another_form(key).then(|| "its key is in compressed or hybrid form".to_owned())
}

fn fault_of_signature(certificate: &X509Certificate<'_>) -> Option<String> {
    if certificate.subject().as_raw() != certificate.issuer().as_raw() {
        return Some("another CA signed it, and a room trusts only its own CA".to_owned());
    }
    let holds = certificate.verify_signature(None).is_ok();
    (!holds)
        .then(|| "its own key did not sign it, or signed it with an unknown algorithm".to_owned())
}

/// Returns an extension that would restrict everything that the CA signs, and that servers, clients and
/// other programs would treat differently.
fn fault_of_extensions(certificate: &X509Certificate<'_>) -> Option<String> {
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::NameConstraints(_) => {
                return Some(
                    "it may sign only for some names (nameConstraints), which ca-tool does not check"
                        .to_owned(),
                );
            }
            // OpenSSL checks it for the CA too, and does not accept `any`.
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
            // An unknown critical extension must be refused (RFC 5280, section 4.2).
            _ if extension.critical => {
                let oid = extension.oid.to_id_string();
                return Some(format!(
                    "its extension {oid} is critical, and ca-tool does not know it"
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
            "its name is in an old encoding, such as BMPString, which programs read differently"
                .to_owned(),
        );
    }
    // rcgen's names are maps: a repeated attribute would be lost in everything that is signed.
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
