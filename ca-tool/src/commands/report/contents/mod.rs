//! Describes a certificate, a bundle, a request or a revocation list. It verifies only two things:
//! whether this folder's CA signed a list, and whether the key of a request signed it.

mod words;

use std::path::Path;

use pki::pem::{self, Kind, Pem, PemError};
use pki::{Certificate, Name, Purpose, RevocationList, Serial};
use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use crate::disk::files;
use crate::error::{Error, pem_error};
use crate::ledger::index::IndexEntry;
use crate::ledger::register::Register;
use crate::sign::reason::Reason;
use crate::sign::request::wishes;
use crate::words::moment;

/// One thing in a file.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Shown {
    Certificate(Box<ShownCertificate>),
    RevocationList(ShownList),
    Request(ShownRequest),
    PrivateKey { encrypted: bool },
}

#[derive(Debug, Serialize)]
pub(super) struct ShownCertificate {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    organization: Option<String>,
    issuer: String,
    purpose: &'static str,
    not_before: String,
    not_after: String,
    state: String,
    dns_names: Vec<String>,
    addresses: Vec<String>,
    emails: Vec<String>,
    key: String,
    serial: String,
    fingerprint: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ShownList {
    issuer: String,
    number: String,
    this_update: String,
    next_update: Option<String>,
    revoked: Vec<String>,
    signature: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct ShownRequest {
    name: String,
    key: String,
    signature: &'static str,
    asks_for: Vec<String>,
}

impl Shown {
    /// Reads everything in a file, in order. `ca` knows the revocations.
    pub(super) fn read(
        path: &Path,
        ca: Option<&Register>,
        now: OffsetDateTime,
    ) -> Result<Vec<Self>, Error> {
        let bytes = files::read_if_there(path, pki::limits::CRL_BYTES_MAX)?.unwrap_or_default();
        Self::parse(&bytes, path, ca, now)
    }

    /// Reads everything in these bytes. Errors name `path`.
    pub(super) fn parse(
        bytes: &[u8],
        path: &Path,
        ca: Option<&Register>,
        now: OffsetDateTime,
    ) -> Result<Vec<Self>, Error> {
        let damaged = |fault: &str| Error::Damaged {
            path: path.to_owned(),
            fault: fault.to_owned(),
        };
        let mut all = Vec::new();
        let (sections, der) = match Pem::parse(bytes) {
            Ok(pem) => (pem.sections, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        for section in sections {
            let unreadable = |what: &str| {
                let number = section.number;
                damaged(&format!(
                    "the {what} in its PEM section {number} cannot be read"
                ))
            };
            let der = &section.der;
            let shown = match section.kind {
                Kind::Certificate => {
                    Self::certificate(der, ca, now).ok_or_else(|| unreadable("certificate"))?
                }
                Kind::List => {
                    Self::list(der, ca, now).ok_or_else(|| unreadable("revocation list"))?
                }
                Kind::Request => Self::request(der).ok_or_else(|| unreadable("request"))?,
                Kind::EncryptedKey | Kind::OldEncryptedKey => Shown::PrivateKey { encrypted: true },
                kind if kind.is_key() => Shown::PrivateKey { encrypted: false },
                _ => continue,
            };
            all.push(shown);
        }
        if let Some(error) = der {
            let in_der = |kind| pem::first_of(kind, bytes).ok().flatten();
            let certificate = in_der(Kind::Certificate).map(|der| Self::certificate(&der, ca, now));
            let list = || in_der(Kind::List).map(|der| Self::list(&der, ca, now));
            let request = || in_der(Kind::Request).map(|der| Self::request(&der));
            match (certificate.or_else(list).or_else(request).flatten(), error) {
                (Some(der), _) => all.push(der),
                (None, PemError::NotPem) => {}
                (None, error) => return Err(pem_error(path)(error)),
            }
        }
        if all.is_empty() {
            return Err(damaged(
                "it contains no certificate, revocation list, request or key",
            ));
        }
        Ok(all)
    }

    fn certificate(der: &[u8], ca: Option<&Register>, now: OffsetDateTime) -> Option<Self> {
        let said = Certificate::parse(der).ok()?;
        let is_person = said.purposes.contains(&Purpose::Client);
        let role = is_person.then(|| said.subject.units.first()).flatten();
        let entry = entry_of(&said, ca);
        let noted = entry.as_ref().and_then(|entry| entry.full_name());
        let full_name = said.subject.full_names.first().map(String::as_str);
        Some(Shown::Certificate(Box::new(ShownCertificate {
            name: name_in(&said.subject),
            full_name: full_name.or(noted).map(str::to_owned),
            role: role.cloned(),
            organization: said.subject.organizations.first().cloned(),
            issuer: name_in(&said.issuer),
            purpose: purpose(&said),
            not_before: moment(said.not_before.into()),
            not_after: moment(said.not_after.into()),
            state: state(&said, entry.as_ref(), now),
            dns_names: said.dns_names.clone(),
            addresses: said.addresses.iter().map(ToString::to_string).collect(),
            emails: said.emails.clone(),
            key: said.key.clone(),
            serial: said.serial.to_string(),
            fingerprint: said.fingerprint.to_string(),
        })))
    }

    fn list(der: &[u8], ca: Option<&Register>, now: OffsetDateTime) -> Option<Self> {
        let ([], list) = CertificateRevocationList::from_der(der).ok()? else {
            return None;
        };
        let signature = match ca {
            None => "not verified: there is no CA here to verify it with",
            Some(ca) => match RevocationList::parse(der, ca.anchor(), now.into()) {
                Ok(_) => "good, by this CA",
                Err(_) => "not one that this CA's servers would accept",
            },
        };
        let revoked = list.iter_revoked_certificates();
        Some(Shown::RevocationList(ShownList {
            issuer: issuer_of(&list),
            number: list.crl_number().map_or_else(
                || "none".to_owned(),
                |n| Serial::new(&n.to_bytes_be()).to_string(),
            ),
            this_update: moment(list.last_update().to_datetime()),
            next_update: list.next_update().map(|next| moment(next.to_datetime())),
            revoked: revoked
                .map(|revoked| Serial::new(revoked.raw_serial()).to_string())
                .collect(),
            signature,
        }))
    }

    fn request(der: &[u8]) -> Option<Self> {
        let ([], request) = X509CertificationRequest::from_der(der).ok()? else {
            return None;
        };
        let info = &request.certification_request_info;
        let signature = match request.verify_signature() {
            Ok(()) => "good: whoever made it has the key",
            Err(_) => "not valid, or of an unknown kind",
        };
        let name = info.subject.iter_common_name().next();
        Some(Shown::Request(ShownRequest {
            name: name
                .and_then(|name| name.as_str().ok())
                .unwrap_or(NO_NAME)
                .to_owned(),
            key: pki::describe_key(&info.subject_pki),
            signature,
            asks_for: wishes(&request),
        }))
    }
}

fn purpose(said: &Certificate) -> &'static str {
    let server = said.purposes.contains(&Purpose::Server);
    let client = said.purposes.contains(&Purpose::Client);
    match (said.is_ca, server, client) {
        (true, _, _) => "signing certificates and revocation lists",
        (_, true, true) => "proving a server and a person",
        (_, true, false) => "proving a server",
        (_, false, true) => "proving a person",
        _ => "nothing that a room uses",
    }
}

/// Returns the index entry of a certificate, if this CA issued it.
fn entry_of(said: &Certificate, ca: Option<&Register>) -> Option<IndexEntry> {
    let ca = ca.filter(|ca| ca.says().subject == said.issuer)?;
    ca.index().ok()?.find(&said.serial).cloned()
}

fn state(said: &Certificate, entry: Option<&IndexEntry>, now: OffsetDateTime) -> String {
    let revoked = entry.and_then(|entry| entry.revoked);
    if let Some((at, reason)) = revoked {
        return match reason {
            Reason::CertificateHold => format!("on hold since {}", moment(at)),
            reason => format!("revoked {} ({reason})", moment(at)),
        };
    }
    let not_after = OffsetDateTime::from(said.not_after);
    if now < said.not_before {
        "not valid yet".to_owned()
    } else if now > not_after {
        "expired".to_owned()
    } else {
        match (not_after - now).whole_days() {
            1 => "valid, 1 day left".to_owned(),
            days => format!("valid, {days} days left"),
        }
    }
}

fn issuer_of(list: &CertificateRevocationList<'_>) -> String {
    let mut names = list.issuer().iter_common_name();
    let name = names.next().and_then(|name| name.as_str().ok());
    name.unwrap_or(NO_NAME).to_owned()
}

/// Returns when a revocation list was signed, according to itself.
pub(super) fn list_signed_at(bytes: &[u8]) -> Option<OffsetDateTime> {
    let list = RevocationList::der_in(bytes).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&list).ok()?;
    Some(list.last_update().to_datetime())
}

/// Returns the first part of a name.
fn name_in(name: &Name) -> String {
    name.first().unwrap_or(NO_NAME).to_owned()
}

/// Stands for a missing name.
const NO_NAME: &str = "(no name)";
