//! The view that TLS has of a connection: how it is protected, or why it failed.

use std::io;

use rustls::CipherSuite;

/// How a connection is protected, in technical terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// Such as `TLS 1.3`; the client speaks no other.
    pub version: &'static str,
    /// Such as `X25519MLKEM768`.
    pub key_exchange: String,
    /// Such as `AES-128-GCM`.
    pub cipher: String,
}

impl TlsFacts {
    pub(crate) fn none() -> Self {
        Self {
            version: "no TLS",
            key_exchange: "no key exchange".to_owned(),
            cipher: "no cipher".to_owned(),
        }
    }

    pub(super) fn of(connection: &rustls::ClientConnection) -> Self {
        let cipher = match connection.negotiated_cipher_suite().map(|c| c.suite()) {
            Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => "AES-256-GCM".to_owned(),
            Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => "AES-128-GCM".to_owned(),
            Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => "CHACHA20-POLY1305".to_owned(),
            Some(other) => format!("{other:?}"),
            None => "unknown cipher".to_owned(),
        };
        let key_exchange = match connection.negotiated_key_exchange_group() {
            Some(group) => format!("{:?}", group.name()),
            None => "unknown key exchange".to_owned(),
        };
        Self {
            version: "TLS 1.3",
            key_exchange,
            cipher,
        }
    }
}

/// Returns the error of TLS inside an error of the connection, if there is one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
