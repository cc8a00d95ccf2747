//! The names and addresses of a server: all of them in its certificate, and the one in people's
//! bundles.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;

use crate::os;

/// A DNS name or an address, as in a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name, lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A host and a TCP port, `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The host.
    pub host: Host,
    /// The port, not 0.
    pub port: u16,
}

/// The text is neither a DNS name nor an address that a client could reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(String);

impl Host {
    /// Reads a DNS name or an address. An IPv6 address may be in brackets.
    ///
    /// # Errors
    ///
    /// When it is neither, or no client could reach it.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let refuse = |why: &str| Err(HostError(format!("\"{}\" {why}", wire::escape(text))));
        if let Some(authority) = authority(text) {
            return match Reach::parse(authority) {
                Ok(reach) => refuse(&format!("is a URL; write {}", reach.host)),
                Err(_) => refuse("is a URL; write a name or an address"),
            };
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            if address.is_unspecified() || address.is_multicast() {
                return refuse("is not the address of one machine");
            }
            return Ok(Host::Address(address));
        }
        if let Some((address, _)) = bare.split_once('%') {
            return Err(HostError(format!(
                "\"{}\" has a zone, and each machine has its own for the same address: leave the zone out, and write {}",
                wire::escape(text),
                wire::escape(address)
            )));
        }
        if !text.is_ascii() {
            return refuse("is not ASCII; write an international name in its xn-- form");
        }
        if let Some((_, port)) = text.rsplit_once(':')
            && port.parse::<u16>().is_ok()
        {
            return refuse("has a port; give only a name or an address");
        }
        // DNS allows a dot at the end, but a certificate never contains it (RFC 6125).
        let name = text.to_ascii_lowercase();
        match ServerName::try_from(name.as_str()) {
            Ok(ServerName::DnsName(_)) if !name.ends_with('.') && !name.contains('_') => {
                Ok(Host::Name(name))
            }
            _ => refuse("is neither a DNS name nor an address"),
        }
    }

    /// Returns the names and addresses by which programs on this machine, and on others near it, can
    /// reach it. Link-local addresses are left out: a client would need a zone beside each of them.
    pub fn of_this_machine() -> Vec<Self> {
        let mut hosts = vec![
            Host::Name("localhost".to_owned()),
            Host::Address(std::net::Ipv4Addr::LOCALHOST.into()),
            Host::Address(std::net::Ipv6Addr::LOCALHOST.into()),
        ];
        hosts.extend(os::machine_name().and_then(|name| Host::parse(&name).ok()));
        // A machine that cannot list its interfaces still has the names above.
        for interface in if_addrs::get_if_addrs().unwrap_or_default() {
            let address = interface.ip();
            if !needs_zone(address) {
                hosts.push(Host::Address(address));
            }
        }
        hosts
    }

    /// Returns the hosts without repetitions, in the same order.
    pub(crate) fn each_once(hosts: Vec<Self>) -> Vec<Self> {
        let mut once: Vec<Self> = Vec::new();
        for host in hosts {
            if !once.contains(&host) {
                once.push(host);
            }
        }
        once
    }

    /// Returns this host in a form that a file name can contain.
    pub(crate) fn file_stem(&self) -> String {
        // A colon has another meaning in file names on Windows.
        self.to_string().replace(':', "-")
    }
}

/// Returns the part of a URL that names the server; `None` if the text is not a URL.
fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

fn needs_zone(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(address) => write!(f, "{address}"),
        }
    }
}

impl Reach {
    /// Reads `host:port`, `[v6]:port`, or a host without a port, which gets the usual one.
    ///
    /// # Errors
    ///
    /// When the host is not one, or the port is not between 1 and 65535.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(authority) = authority(text) {
            let text = wire::escape(text);
            return Err(HostError(match Self::parse(authority) {
                Ok(_) => format!("\"{text}\" is a URL; write {authority}"),
                Err(_) => format!("\"{text}\" is a URL; write a name or an address"),
            }));
        }
        let with_port = text
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let Some((host, port)) = with_port else {
            return Ok(Self {
                host: Host::parse(text)?,
                port: wire::PORT,
            });
        };
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self {
                host: Host::parse(host)?,
                port,
            }),
            _ => Err(HostError(format!(
                "\"{}\" is not a port",
                wire::escape(port)
            ))),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_dns_name_or_an_address() {
        for (text, canonical) in [
            ("chat.example.org", "chat.example.org"),
            ("Chat.Example.ORG", "chat.example.org"),
            ("localhost", "localhost"),
            ("xn--mller-kva.example", "xn--mller-kva.example"),
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[2001:DB8::1]", "2001:db8::1"),
            // Each client adds the zone that leads there from its own machine.
            ("fe80::1", "fe80::1"),
        ] {
            let host = Host::parse(text).map(|host| host.to_string());
            assert_eq!(host.as_deref(), Ok(canonical), "{text}");
        }
        for text in [
            "",
            ".",
            "a b",
            "-a.example",
            "a..example",
            "a.example.",
            "*.example",
            "a_b.example",
            "müller.example",
            "1.2.3.999",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "fe80::1%eth0",
            "chat.example:443",
            "https://chat.example",
            "a\nb",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        let refused = Host::parse("[fe80::1%eth0]").expect_err("a zone");
        assert!(
            refused
                .to_string()
                .contains("leave the zone out, and write fe80::1"),
            "{refused}"
        );
    }

    #[test]
    fn a_server_is_reached_by_host_and_port() {
        for (text, canonical) in [
            ("chat.example", "chat.example:27332"),
            ("chat.example:443", "chat.example:443"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("2001:db8::1", "[2001:db8::1]:27332"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ] {
            let reach = Reach::parse(text).map(|reach| reach.to_string());
            assert_eq!(reach.as_deref(), Ok(canonical), "{text}");
        }
        for text in ["", ":443", "chat.example:0", "chat.example:65536", "a:b"] {
            assert!(Reach::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_names_but_none_that_needs_a_zone() {
        let hosts = Host::of_this_machine();
        assert!(hosts.contains(&Host::Name("localhost".into())));
        assert!(hosts.contains(&Host::Address([127, 0, 0, 1].into())));
        for host in hosts {
            assert!(!matches!(host, Host::Address(address) if needs_zone(address)));
            assert_eq!(Host::parse(&host.to_string()), Ok(host));
        }
        for (address, needed) in [
            ("fe80::1", true),
            ("fd00::1", false),
            ("169.254.0.1", false),
        ] {
            assert_eq!(needs_zone(address.parse().expect("an address")), needed);
        }
    }
}
