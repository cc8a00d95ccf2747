//! The identity of a person: a verified certificate.

use std::time::SystemTime;

use wire::{ClientId, Role};
use x509_parser::certificate::X509Certificate;

use crate::certificate::{Certificate, Fingerprint, Serial};
use crate::refusal::Refusal;

/// A verified certificate. The only way to get one is through the [`Gate`](crate::Gate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    id: ClientId,
    role: Role,
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
    let is_common_name =
        |a: &x509_parser::x509::AttributeTypeAndValue<'_>| a.attr_type() == name.attr_type();
    let shares_its_rdn = certificate
        .subject()
        .iter_rdn()
        .any(|rdn| rdn.iter().any(is_common_name) && rdn.iter().count() > 1);
    if shares_its_rdn {
        return Err(Refusal::NameNotAlone);
    }
    // IA5String and NumericString can be read too, but names use only these two encodings.
    const UTF8_STRING: u32 = 12;
    const PRINTABLE_STRING: u32 = 19;
    let text = match name.attr_value().header.tag().0 {
        UTF8_STRING | PRINTABLE_STRING => name.as_str().map_err(|_| Refusal::NameEncoding)?,
        _ => return Err(Refusal::NameEncoding),
    };
    ClientId::parse(text).map_err(|error| Refusal::Name {
        name: escape(text),
        error,
    })
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
