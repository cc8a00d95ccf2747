//! Facts about the connection of an admitted client, as plain values.

use std::fmt;
use std::net::IpAddr;

use pki::{Fingerprint, Identity, Serial};
use wire::{ClientId, FullName, Role};

/// A connection: its member, its addresses, and its encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionFacts {
    pub(crate) member: Member,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) local: LocalEnd,
    pub(crate) tls: String,
    pub(crate) cipher: String,
    pub(crate) key_exchange: Option<String>,
    pub(crate) dialect: Dialect,
}

/// The way in which a client speaks with the server.
// Both write the same lines. They differ in whether the client says where to start, and in whether
// a silent client is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Any TLS tool: entries are sent without being asked for.
    Plain,
    /// `countersign/1`: the client says where to start, and sends pings.
    Ours,
}

/// The owner of a certificate.
// Not an `Identity`, which only the gate makes: these values prove nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: ClientId,
    pub(crate) role: Role,
    pub(crate) name: Option<FullName>,
    pub(crate) serial: Serial,
    pub(crate) fingerprint: Fingerprint,
}

/// The server's own end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalEnd {
    pub(crate) ip: IpAddr,
    /// `None` when no interface has that address, for example behind some translators.
    pub(crate) interface: Option<Interface>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: Option<u32>,
    pub(crate) prefix_bits: u8,
}

impl Dialect {
    /// Returns the dialect of a client with which this protocol was agreed in the handshake (ALPN,
    /// RFC 7301).
    pub(crate) fn of(protocol: Option<&[u8]>) -> Self {
        match protocol {
            Some(wire::ALPN) => Dialect::Ours,
            _ => Dialect::Plain,
        }
    }

    /// Returns the name that a client of this dialect gave; `None` for the plain one.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Dialect::Plain => None,
            Dialect::Ours => std::str::from_utf8(wire::ALPN).ok(),
        }
    }
}

impl From<&Identity> for Member {
    fn from(identity: &Identity) -> Self {
        Self {
            id: identity.id().clone(),
            role: identity.role(),
            name: identity.full_name().cloned(),
            serial: identity.serial().clone(),
            fingerprint: identity.fingerprint(),
        }
    }
}

impl fmt::Display for LocalEnd {
    /// Writes `192.0.2.1/24 eth0#2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        let Some(interface) = &self.interface else {
            return Ok(());
        };
        write!(f, "/{} {}", interface.prefix_bits, interface.name)?;
        interface
            .index
            .map_or(Ok(()), |index| write!(f, "#{index}"))
    }
}
