//! The names of versions, ciphers, groups and signatures as the standards write them (RFC 8446, and
//! IANA's registries for what came later), not as a library does.

use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

/// A number of TLS that has a name in a standard.
pub(crate) trait Named {
    /// Returns the name; a number without one is told as `0x009F`.
    fn named(&self) -> String;
}

impl Named for ProtocolVersion {
    fn named(&self) -> String {
        let name = match u16::from(*self) {
            0x0300 => "SSL 3.0",
            0x0301 => "TLS 1.0",
            0x0302 => "TLS 1.1",
            0x0303 => "TLS 1.2",
            0x0304 => "TLS 1.3",
            other => return number(other),
        };
        name.to_owned()
    }
}

impl Named for CipherSuite {
    fn named(&self) -> String {
        match self.as_str() {
            // rustls tells the ciphers of TLS 1.3 from the others by a longer beginning.
            Some(name) => name.replacen("TLS13_", "TLS_", 1),
            None => number(u16::from(*self)),
        }
    }
}

impl Named for NamedGroup {
    fn named(&self) -> String {
        let name = match u16::from(*self) {
            0x0017 => "secp256r1",
            0x0018 => "secp384r1",
            0x0019 => "secp521r1",
            0x001d => "x25519",
            0x001e => "x448",
            0x001f => "brainpoolP256r1tls13",
            0x0020 => "brainpoolP384r1tls13",
            0x0021 => "brainpoolP512r1tls13",
            0x0100 => "ffdhe2048",
            0x0101 => "ffdhe3072",
            0x0102 => "ffdhe4096",
            0x0103 => "ffdhe6144",
            0x0104 => "ffdhe8192",
            0x0200 => "MLKEM512",
            0x0201 => "MLKEM768",
            0x0202 => "MLKEM1024",
            0x11eb => "SecP256r1MLKEM768",
            0x11ec => "X25519MLKEM768",
            0x11ed => "SecP384r1MLKEM1024",
            other => return number(other),
        };
        name.to_owned()
    }
}

impl Named for SignatureScheme {
    fn named(&self) -> String {
        let name = match u16::from(*self) {
            0x0201 => "rsa_pkcs1_sha1",
            0x0203 => "ecdsa_sha1",
            0x0401 => "rsa_pkcs1_sha256",
            0x0403 => "ecdsa_secp256r1_sha256",
            0x0501 => "rsa_pkcs1_sha384",
            0x0503 => "ecdsa_secp384r1_sha384",
            0x0601 => "rsa_pkcs1_sha512",
            0x0603 => "ecdsa_secp521r1_sha512",
            0x0804 => "rsa_pss_rsae_sha256",
            0x0805 => "rsa_pss_rsae_sha384",
            0x0806 => "rsa_pss_rsae_sha512",
            0x0807 => "ed25519",
            0x0808 => "ed448",
            0x0809 => "rsa_pss_pss_sha256",
            0x080a => "rsa_pss_pss_sha384",
            0x080b => "rsa_pss_pss_sha512",
            0x081a => "ecdsa_brainpoolP256r1tls13_sha256",
            0x081b => "ecdsa_brainpoolP384r1tls13_sha384",
            0x081c => "ecdsa_brainpoolP512r1tls13_sha512",
            0x0904 => "mldsa44",
            0x0905 => "mldsa65",
            0x0906 => "mldsa87",
            other => return number(other),
        };
        name.to_owned()
    }
}

impl<T: Named> Named for &T {
    fn named(&self) -> String {
        (*self).named()
    }
}

fn number(number: u16) -> String {
    format!("0x{number:04X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_standard_and_other_numbers_are_numbers() {
        let version = |number: u16| ProtocolVersion::from(number).named();
        assert_eq!(version(0x0304), "TLS 1.3");
        assert_eq!(version(0x0303), "TLS 1.2");
        assert_eq!(version(0x7a7a), "0x7A7A");
        let cipher = |number: u16| CipherSuite::from(number).named();
        assert_eq!(cipher(0x1301), "TLS_AES_128_GCM_SHA256");
        assert_eq!(cipher(0x1303), "TLS_CHACHA20_POLY1305_SHA256");
        assert_eq!(cipher(0xc02b), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
        assert_eq!(cipher(0x0a0a), "0x0A0A");
        let group = |number: u16| NamedGroup::from(number).named();
        assert_eq!(group(0x0017), "secp256r1");
        assert_eq!(group(0x001d), "x25519");
        assert_eq!(group(0x11ec), "X25519MLKEM768");
        assert_eq!(group(0x0100), "ffdhe2048");
        assert_eq!(group(0x000a), "0x000A");
        let scheme = |number: u16| SignatureScheme::from(number).named();
        assert_eq!(scheme(0x0403), "ecdsa_secp256r1_sha256");
        assert_eq!(scheme(0x0809), "rsa_pss_pss_sha256");
        assert_eq!(scheme(0x0804), "rsa_pss_rsae_sha256");
        assert_eq!(scheme(0x0302), "0x0302");
    }

    #[test]
    fn every_number_that_the_library_names_has_a_name_here() {
        for number in 0..=u16::MAX {
            let is_known = [
                (
                    SignatureScheme::from(number).as_str().is_some(),
                    SignatureScheme::from(number).named(),
                ),
                (
                    NamedGroup::from(number).as_str().is_some(),
                    NamedGroup::from(number).named(),
                ),
                (
                    CipherSuite::from(number).as_str().is_some(),
                    CipherSuite::from(number).named(),
                ),
            ];
            for (is_known, named) in is_known {
                assert!(!is_known || !named.starts_with("0x"), "{named}");
                assert!(!named.contains("TLS13_"), "{named}");
            }
        }
    }
}
