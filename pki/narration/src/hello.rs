//! The two handshake messages that cross the wire unencrypted, as anybody on the way can read them:
//! ClientHello and ServerHello (RFC 8446, sections 4.1.2 and 4.1.3).
//!
//! rustls does not show them, so they are read from the bytes. Nothing depends on the result.

use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

/// The fields of a ClientHello that people read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) bytes: usize,
    pub(crate) versions: Vec<ProtocolVersion>,
    pub(crate) ciphers: Vec<CipherSuite>,
    pub(crate) groups: Vec<NamedGroup>,
    /// The groups for which there is a key share.
    pub(crate) shares: Vec<NamedGroup>,
    pub(crate) schemes: Vec<SignatureScheme>,
    pub(crate) protocols: Vec<String>,
    pub(crate) server_name: Option<String>,
}

/// The fields of a ServerHello that people read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) bytes: usize,
    /// Whether it is a HelloRetryRequest: it asks for a ClientHello with another key share.
    pub(crate) is_retry: bool,
    pub(crate) cipher: Option<CipherSuite>,
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) group: Option<NamedGroup>,
}

// Records and messages (RFC 8446, sections 5.1 and 4), and extensions (section 4.2).
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// The random number that makes a ServerHello a HelloRetryRequest (RFC 8446, section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl ClientHello {
    /// Reads the first message of a connection; `None` if it is not complete or no ClientHello.
    pub(crate) fn read(records: &[u8]) -> Option<Self> {
        let message = message(records, CLIENT_HELLO)?;
        let mut rest = Reader(&message);
        rest.take(2 + 32)?;
        rest.short_list()?;
        let mut hello = ClientHello {
            bytes: message.len(),
            ciphers: rest.list()?.numbers().map(CipherSuite::from).collect(),
            ..Self::default()
        };
        rest.short_list()?;
        for (kind, mut body) in rest.list()?.extensions() {
            hello.take(kind, &mut body);
        }
        Some(hello)
    }

    /// An extension that breaks its grammar is left out: the programs themselves refuse it.
    fn take(&mut self, kind: u16, body: &mut Reader<'_>) -> Option<()> {
        match kind {
            SERVER_NAME => {
                let mut names = body.list()?;
                names.take(1)?;
                let name = names.list()?.0;
                self.server_name = Some(text(name));
            }
            SUPPORTED_GROUPS => {
                self.groups = body.list()?.numbers().map(NamedGroup::from).collect()
            }
            SIGNATURE_ALGORITHMS => {
                self.schemes = body.list()?.numbers().map(SignatureScheme::from).collect();
            }
            ALPN => {
                let mut names = body.list()?;
                while let Some(name) = names.short_list() {
                    self.protocols.push(text(name.0));
                }
            }
            SUPPORTED_VERSIONS => {
                self.versions = body
                    .short_list()?
                    .numbers()
                    .map(ProtocolVersion::from)
                    .collect();
            }
            KEY_SHARE => {
                let mut shares = body.list()?;
                while let Some(group) = shares.number() {
                    self.shares.push(NamedGroup::from(group));
                    shares.list()?;
                }
            }
            _ => {}
        }
        Some(())
    }
}

impl ServerHello {
    /// Reads the first message of a server; `None` if it is not complete or no ServerHello.
    pub(crate) fn read(records: &[u8]) -> Option<Self> {
        let message = message(records, SERVER_HELLO)?;
        let mut rest = Reader(&message);
        rest.take(2)?;
        let mut hello = ServerHello {
            bytes: message.len(),
            is_retry: rest.take(32)? == RETRY,
            ..Self::default()
        };
        rest.short_list()?;
        hello.cipher = Some(CipherSuite::from(rest.number()?));
        rest.take(1)?;
        for (kind, mut body) in rest.list()?.extensions() {
            match kind {
                SUPPORTED_VERSIONS => hello.version = body.number().map(ProtocolVersion::from),
                KEY_SHARE => hello.group = body.number().map(NamedGroup::from),
                _ => {}
            }
        }
        Some(hello)
    }
}

/// Returns the body of the first handshake message if it is of this kind and complete. It may be
/// spread over several records.
fn message(records: &[u8], kind: u8) -> Option<Vec<u8>> {
    let mut records = Reader(records);
    let mut bytes = Vec::new();
    while records.take(1) == Some(&[HANDSHAKE]) {
        records.take(2)?;
        bytes.extend_from_slice(records.list()?.0);
        let mut message = Reader(&bytes);
        let [is, high, middle, low] = *message.take(4)? else {
            return None;
        };
        if is != kind {
            return None;
        }
        let length = u32::from_be_bytes([0, high, middle, low]);
        if let Some(body) = message.take(usize::try_from(length).ok()?) {
            return Some(body.to_vec());
        }
    }
    None
}

fn text(bytes: &[u8]) -> String {
    const CHARS_MAX: usize = 64;
    wire::excerpt(&String::from_utf8_lossy(bytes), CHARS_MAX)
}

/// Bytes that were not read yet.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// Reads bytes whose number stands before them, in two bytes.
    fn list(&mut self) -> Option<Self> {
        let length = self.number()?;
        self.take(usize::from(length)).map(Self)
    }

    /// Reads bytes whose number stands before them, in one byte.
    fn short_list(&mut self) -> Option<Self> {
        let [length] = *self.take(1)? else {
            return None;
        };
        self.take(usize::from(length)).map(Self)
    }

    fn numbers(mut self) -> impl Iterator<Item = u16> {
        std::iter::from_fn(move || self.number())
    }

    fn extensions(mut self) -> impl Iterator<Item = (u16, Self)> {
        std::iter::from_fn(move || Some((self.number()?, self.list()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// Returns the first bytes that a client of rustls sends.
    fn client_hello() -> Vec<u8> {
        let mut config = ClientConfig::builder_with_provider(pki::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = vec![wire::ALPN.to_vec()];
        let name = "chat.example".try_into().expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("written");
        bytes
    }

    #[test]
    fn a_client_hello_says_what_anybody_on_the_way_can_read() {
        let bytes = client_hello();
        let hello = ClientHello::read(&bytes).expect("a ClientHello");
        assert_eq!(hello.server_name.as_deref(), Some("chat.example"));
        assert_eq!(hello.protocols, ["countersign/1"]);
        assert_eq!(hello.versions, [ProtocolVersion::TLSv1_3]);
        assert!(
            hello
                .ciphers
                .contains(&CipherSuite::TLS13_AES_256_GCM_SHA384)
        );
        assert_eq!(hello.groups.first(), Some(&NamedGroup::X25519MLKEM768));
        assert!(
            hello.shares.contains(&NamedGroup::X25519MLKEM768),
            "{hello:?}"
        );
        assert!(
            hello
                .schemes
                .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
        );
        assert_eq!(hello.bytes + 4 + 5, bytes.len());
    }

    #[test]
    fn bytes_that_are_no_complete_hello_are_no_hello() {
        let bytes = client_hello();
        for length in 0..bytes.len() {
            assert_eq!(ClientHello::read(&bytes[..length]), None, "{length}");
        }
        assert_eq!(ServerHello::read(&bytes), None);
        // A record of another kind, and any byte changed: no panic, whatever is read.
        for at in 0..bytes.len() {
            for value in [0, 1, 127, 255] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _read = ClientHello::read(&changed);
                let _read = ServerHello::read(&changed);
            }
        }
        assert_eq!(ClientHello::read(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn a_message_may_be_spread_over_records() {
        let bytes = client_hello();
        let (header, body) = bytes.split_at(5);
        let mut spread = Vec::new();
        for piece in body.chunks(100) {
            spread.extend_from_slice(&header[..3]);
            spread.extend_from_slice(&(piece.len() as u16).to_be_bytes());
            spread.extend_from_slice(piece);
        }
        assert_eq!(ClientHello::read(&spread), ClientHello::read(&bytes));
    }

    #[test]
    fn a_server_hello_says_what_was_chosen() {
        // RFC 8446 gives the layout: version, random, session, cipher, compression, extensions.
        let hello = |random: [u8; 32]| {
            let mut body = vec![3, 3];
            body.extend(random);
            body.extend([0, 0x13, 0x02, 0]);
            body.extend([0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 29]);
            let mut bytes = vec![22, 3, 3, 0, body.len() as u8 + 4, 2, 0, 0, body.len() as u8];
            bytes.extend(body);
            bytes
        };
        let read = ServerHello::read(&hello([7; 32])).expect("a ServerHello");
        assert_eq!(read.cipher, Some(CipherSuite::TLS13_AES_256_GCM_SHA384));
        assert_eq!(read.version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(
            (read.group, read.is_retry),
            (Some(NamedGroup::X25519), false)
        );
        assert!(ServerHello::read(&hello(RETRY)).expect("a retry").is_retry);
    }
}
