//! The server: a name or an address, and a port.

use std::fmt;
use std::net::Ipv6Addr;

use rustls::pki_types::ServerName;

/// A server to connect to, as the person named it. Its certificate must hold the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
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
}

impl Target {
    /// Reads `HOST`, `HOST:PORT`, `[::1]:PORT`, `[::1]` or `::1`; the port is [`wire::PORT`] unless
    /// it is given.
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
        // The same name is looked for in the server's certificate, so it must be one that can be.
        ServerName::try_from(host).map_err(|_| TargetError::Host(host.to_owned()))?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Returns the name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
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

/// Returns the host and the part after its colon. A bare IPv6 address has colons but no port.
fn split(text: &str) -> (&str, Option<&str>) {
    if text.parse::<Ipv6Addr>().is_ok() {
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
            write!(f, "[{}]:{}", self.host, self.port)
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
