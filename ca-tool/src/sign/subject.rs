//! The subject of a certificate: a person or a server, and how each is written.

use rcgen::string::Ia5String;
use rcgen::{DistinguishedName, DnType, DnValue, SanType};
use wire::{ClientId, FullName, Role};

use super::host::Host;
use crate::error::Error;

/// The person or server that a certificate is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A person.
    Person {
        id: &'a ClientId,
        role: Role,
        full_name: Option<&'a FullName>,
        email: Option<&'a str>,
    },
    /// A server with all its names. The first one becomes its common name.
    Server { hosts: &'a [Host] },
}

/// The attribute of a full name, as OpenSSL calls it in its database.
pub(crate) const FULL_NAME: &str = "name";
/// The same by its number (X.520, section 6.2.1).
const FULL_NAME_OID: [u64; 4] = [2, 5, 4, 41];

impl Subject<'_> {
    /// Returns what a certificate for this subject may be used for.
    pub(super) fn profile(&self) -> pki::Profile {
        match self {
            Subject::Person { .. } => pki::CLIENT,
            Subject::Server { .. } => pki::SERVER,
        }
    }

    /// Returns the parts of the name: CN, OU for a person, the CA's name as O, and the person's full
    /// name.
    pub(crate) fn parts(&self, ca: &str) -> Vec<(&'static str, String)> {
        let mut parts = Vec::new();
        let mut name = None;
        match self {
            Subject::Person {
                id,
                role,
                full_name,
                ..
            } => {
                parts.push(("CN", id.to_string()));
                parts.push(("OU", role.to_string()));
                name = *full_name;
            }
            // A CN has at most 64 characters (X.520). A longer host is in the SAN only.
            Subject::Server { hosts } => {
                let short = hosts
                    .iter()
                    .map(Host::to_string)
                    .find(|host| host.len() <= 64);
                parts.extend(short.map(|host| ("CN", host)));
            }
        }
        parts.push(("O", ca.to_owned()));
        parts.extend(name.map(|name| (FULL_NAME, name.to_string())));
        parts
    }

    /// Returns the name as the certificate has it.
    pub(super) fn distinguished_name(&self, ca: &str) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        for (kind, text) in self.parts(ca) {
            let kind = match kind {
                "CN" => DnType::CommonName,
                "OU" => DnType::OrganizationalUnitName,
                FULL_NAME => DnType::CustomDnType(FULL_NAME_OID.to_vec()),
                _ => DnType::OrganizationName,
            };
            name.push(kind, DnValue::Utf8String(text));
        }
        name
    }

    /// Returns the names beside it: a mail address, or all hosts.
    pub(super) fn other_names(&self) -> Result<Vec<SanType>, Error> {
        Ok(match self {
            Subject::Person { email, .. } => email
                .map(|email| Ia5String::try_from(email).map(SanType::Rfc822Name))
                .transpose()?
                .into_iter()
                .collect(),
            Subject::Server { hosts } => hosts
                .iter()
                .map(|host| match host {
                    Host::Name(name) => Ia5String::try_from(name.as_str()).map(SanType::DnsName),
                    Host::Address(address) => Ok(SanType::IpAddress(*address)),
                })
                .collect::<Result<_, _>>()?,
        })
    }
}
