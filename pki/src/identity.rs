//! The identity of a person: a verified certificate.

use std::time::SystemTime;

use wire::{ClientId, FullName, FullNameError, Role};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::OID_X509_NAME;
use x509_parser::x509::AttributeTypeAndValue;

use crate::certificate::{Certificate, Fingerprint, Serial};
use crate::refusal::Refusal;

/// A verified certificate. The only way to get one is through the [`Gate`](crate::Gate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    id: ClientId,
    role: Role,
    full_name: Result<Option<FullName>, FullNameFault>,
    serial: Serial,
    fingerprint: Fingerprint,
    not_after: SystemTime,
}

impl Identity {
    /// Takes the name and the role from a verified certificate, whose fields are `said`.
    pub(crate) fn of(
        certificate: &X509Certificate<'_>,
        said: Certificate,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            id: client_id(certificate)?,
            role: role(&said.subject.units),
            full_name: full_name(certificate),
            serial: said.serial,
            fingerprint: said.fingerprint,
            not_after: said.not_after,
        })
    }

    /// Returns the name in the certificate's CN.
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// Returns the role in its OU.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the full name in it, if there is one that can be shown.
    pub fn full_name(&self) -> Option<&FullName> {
        self.full_name.as_ref().ok()?.as_ref()
    }

    /// Returns why the full name in it is not shown, if it has one that is not. That keeps nobody out:
    /// the name identifies nobody, and its holder did not write it.
    pub fn full_name_fault(&self) -> Option<&FullNameFault> {
        self.full_name.as_ref().err()
    }

    /// Returns its serial number.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Returns its SHA-256.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the last moment at which it is valid.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

/// Returns the name: exactly one CN, alone in its RDN, as UTF8String or PrintableString. If there
/// could be two, two readers could find different people.
fn client_id(certificate: &X509Certificate<'_>) -> Result<ClientId, Refusal> {
    let mut names = certificate.subject().iter_common_name();
    let name = names.next().ok_or(Refusal::NoName)?;
    if names.next().is_some() {
        return Err(Refusal::TwoNames);
    }
    let is_common_name = |a: &AttributeTypeAndValue<'_>| a.attr_type() == name.attr_type();
    let shares_its_rdn = certificate
        .subject()
        .iter_rdn()
        .any(|rdn| rdn.iter().any(is_common_name) && rdn.iter().count() > 1);
    if shares_its_rdn {
        return Err(Refusal::NameNotAlone);
    }
    let text = text_of(name).ok_or(Refusal::NameEncoding)?;
    ClientId::parse(text).map_err(|error| Refusal::Name {
        name: escape(text),
        error,
    })
}

/// Returns the text of an attribute. IA5String and NumericString could be read too, but names use only
/// UTF8String and PrintableString.
fn text_of<'a>(attribute: &'a AttributeTypeAndValue<'_>) -> Option<&'a str> {
    const UTF8_STRING: u32 = 12;
    const PRINTABLE_STRING: u32 = 19;
    match attribute.attr_value().header.tag().0 {
        UTF8_STRING | PRINTABLE_STRING => attribute.as_str().ok(),
        _ => None,
    }
}

/// Why the full name in a certificate is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FullNameFault {
    /// There could be two, and two readers could show different ones.
    #[error("there is more than one")]
    Several,
    /// It is neither UTF8String nor PrintableString.
    #[error("it is not a UTF8String or PrintableString")]
    Encoding,
    /// It breaks a rule of [`FullName`].
    #[error(transparent)]
    Rule(#[from] FullNameError),
}

/// Returns the full name: the attribute `name` (OID 2.5.4.41), if there is exactly one.
// Not givenName and surname: their order is not the same everywhere, and nobody here could know it.
fn full_name(certificate: &X509Certificate<'_>) -> Result<Option<FullName>, FullNameFault> {
    let mut names = certificate.subject().iter_by_oid(&OID_X509_NAME);
    let Some(name) = names.next() else {
        return Ok(None);
    };
    if names.next().is_some() {
        return Err(FullNameFault::Several);
    }
    let text = text_of(name).ok_or(FullNameFault::Encoding)?;
    Ok(Some(FullName::parse(text)?))
}

/// Escapes an invalid name for the log, in at most some 128 bytes. Every character that is not
/// plainly visible is escaped, as Rust does it: it may be the only fault.
fn escape(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= 128 {
            shown.push('…');
            break;
        }
        if c.is_alphanumeric() || c == ' ' || c.is_ascii_graphic() {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

/// Returns the role if the only OU is one; an OU with another meaning gives nobody more than the
/// lowest role.
fn role(units: &[String]) -> Role {
    match units {
        [unit] => Role::parse(unit).unwrap_or_default(),
        _ => Role::default(),
    }
}
