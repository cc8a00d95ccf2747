//! Who somebody is: a verified certificate.

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
    /// Takes the name and the role out of a certificate that was verified already, and of which
    /// `said` was read.
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

    /// The name in the certificate's CN.
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// The role in its OU.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its serial number.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Its SHA-256.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The last moment at which it is valid.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

/// Exactly one CN, alone in its RDN, as UTF8String or PrintableString: where two could be found,
/// two readers could find different people.
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
    // IA5String and NumericString can be read too, but a name has one encoding or the other.
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

/// A name that is not one, for the log: at most 128 bytes. Here whatever is not plainly visible is
/// escaped, as Rust does it: it may be all that is wrong.
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

/// The one OU, when it is a role; an OU of another meaning gives nobody more than the least.
fn role(units: &[String]) -> Role {
    match units {
        [unit] => Role::parse(unit).unwrap_or_default(),
        _ => Role::default(),
    }
}
