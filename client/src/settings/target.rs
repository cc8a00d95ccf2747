//! The server: a name or an address, and a port.

use std::fmt;
use std::net::Ipv6Addr;

use rustls::pki_types::ServerName;

/// A server to connect to, as the person named it. Its certificate must hold the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    /// The interface of a link-local address, which means something on this machine alone.
    zone: Option<String>,
    port: u16,
}

/// Why a text does not name a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The part before the port is neither a DNS name nor an address.
    #[error("\"{0}\" is neither a host name nor an address")]
    Host(String),
    /// The text is a URL, such as a browser takes.
    #[error("\"{url}\" is a URL; write the server's name alone{}", suggest(.host.as_deref()))]
    Url {
        /// The whole text.
        url: String,
        /// The host in it, and the port if it has one.
        host: Option<String>,
    },
    /// The part after the colon is not a port.
    #[error("\"{0}\" is not a port from 1 to 65535")]
    Port(String),
    /// A link-local address is in use on every interface, so it needs the name of one.
    #[error(
        "{0} is a link-local address; write it with the network interface that leads there, such as {0}%eth0"
    )]
    NoZone(String),
    /// Only a link-local address has a zone.
    #[error(
        "only a link-local IPv6 address, such as fe80::1%eth0, has a part after %, and \"{0}\" is not one"
    )]
    Zone(String),
}

impl Target {
    /// Reads `HOST`, `HOST:PORT`, `[::1]:PORT`, `[::1]` or `::1`; the port is [`wire::PORT`] unless
    /// it is given. A link-local address has a zone: `fe80::1%eth0`, `[fe80::1%eth0]:PORT`.
    ///
    /// # Errors
    ///
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return Err(TargetError::Url {
                url: text.to_owned(),
                host: Self::parse(host).is_ok().then(|| host.to_owned()),
            });
        }
        let (host, port) = split(text);
        let port = match port {
            None => wire::PORT,
            Some(port) => parse_port(port).ok_or_else(|| TargetError::Port(port.to_owned()))?,
        };
        let (host, zone) = split_zone(host)?;
        // The same name is looked for in the server's certificate, so it must be one that can be.
        ServerName::try_from(host).map_err(|_| TargetError::Host(host.to_owned()))?;
        Ok(Self {
            host: host.to_owned(),
            zone: zone.map(str::to_owned),
            port,
        })
    }

    /// Returns the name or address, without brackets and without a zone, as a certificate has it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the name or address that leads there from this machine.
    pub(crate) fn route(&self) -> String {
        match &self.zone {
            Some(zone) => format!("{}%{zone}", self.host),
            None => self.host.clone(),
        }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the name that the server's certificate must hold.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.host.clone()).expect("the name was read when the target was made")
    }
}

fn suggest(host: Option<&str>) -> String {
    host.map_or_else(String::new, |host| format!(": {host}"))
}

/// Returns the address and its zone (RFC 4007, section 11). No other host has a zone.
fn split_zone(host: &str) -> Result<(&str, Option<&str>), TargetError> {
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    let is_link_local = address
        .parse::<Ipv6Addr>()
        .is_ok_and(|address| address.is_unicast_link_local());
    match zone {
        None if is_link_local => Err(TargetError::NoZone(address.to_owned())),
        Some(zone) if !is_link_local || !is_zone(zone) => Err(TargetError::Zone(host.to_owned())),
        zone => Ok((address, zone)),
    }
}

/// Returns whether a text may be the name or the number of an interface.
fn is_zone(text: &str) -> bool {
    const CHARS_MAX: usize = 32;
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._-:@ ".contains(c);
    (1..=CHARS_MAX).contains(&text.len()) && text.chars().all(is_fine)
}

/// Returns the host and the part after its colon. A bare IPv6 address has colons but no port.
fn split(text: &str) -> (&str, Option<&str>) {
    let address = text.split('%').next().unwrap_or(text);
    if address.parse::<Ipv6Addr>().is_ok() {
        return (text, None);
    }
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => (text, None),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port > 0)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.route(), self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_names_a_server() {
        for (text, shown) in [
            ("chat.example", "chat.example:27332"),
            ("chat.example:4000", "chat.example:4000"),
            ("192.0.2.7", "192.0.2.7:27332"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("::1", "[::1]:27332"),
            ("[::1]", "[::1]:27332"),
            ("[2001:db8::1]:4000", "[2001:db8::1]:4000"),
            ("fe80::1%lo", "[fe80::1%lo]:27332"),
            ("[fe80::1%lo]", "[fe80::1%lo]:27332"),
            ("[fe80::1%eth0.7]:4000", "[fe80::1%eth0.7]:4000"),
            ("fe80::1%3", "[fe80::1%3]:27332"),
        ] {
            let target = Target::parse(text).map(|target| target.to_string());
            assert_eq!(target.as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn a_url_is_told_which_part_of_it_names_the_server() {
        for (url, words) in [
            (
                "http://chat.example/",
                "write the server's name alone: chat.example",
            ),
            (
                "https://chat.example:4000/room?x#y",
                "alone: chat.example:4000",
            ),
            ("tls://[::1]:4000", "alone: [::1]:4000"),
            ("https://", "write the server's name alone"),
            ("http://a b/", "write the server's name alone"),
            ("http://a://b/", "write the server's name alone"),
        ] {
            let refused = Target::parse(url).expect_err(url).to_string();
            assert!(
                refused.starts_with(&format!("\"{url}\" is a URL; ")),
                "{refused}"
            );
            assert!(refused.ends_with(words), "{refused}");
        }
    }

    #[test]
    fn a_zone_leads_to_a_server_and_is_no_part_of_its_name() {
        let target = Target::parse("[fe80::1%lo]:4000").expect("a target");
        assert_eq!(
            (target.host(), target.route().as_str()),
            ("fe80::1", "fe80::1%lo")
        );
        let zone = |text: &str| Err(TargetError::Zone(text.to_owned()));
        for bad in [
            "::1%lo",
            "chat.example%lo",
            "192.0.2.7%lo",
            "fe80::1%",
            "fe80::1%a/b",
        ] {
            assert_eq!(Target::parse(bad), zone(bad));
        }
        assert_eq!(
            Target::parse("[2001:db8::1%lo]:4000"),
            zone("2001:db8::1%lo")
        );
        for text in ["fe80::1", "[fe80::1]:4000"] {
            let refused = Target::parse(text).expect_err(text).to_string();
            assert!(refused.ends_with("such as fe80::1%eth0"), "{refused}");
        }
    }

    #[test]
    fn nothing_else_does() {
        let host = |host: &str| Err(TargetError::Host(host.to_owned()));
        let port = |port: &str| Err(TargetError::Port(port.to_owned()));
        assert_eq!(Target::parse(""), host(""));
        assert_eq!(Target::parse(":4000"), host(""));
        assert_eq!(Target::parse("a b"), host("a b"));
        assert_eq!(Target::parse("[::1"), host("[:"));
        assert_eq!(Target::parse("[::1]x"), host("[::1]x"));
        for bad in ["0", "", "65536", "-1", "+1", "x"] {
            assert_eq!(Target::parse(&format!("chat.example:{bad}")), port(bad));
        }
    }
}
