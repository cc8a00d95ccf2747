//! Files that are not PEM, recognised by their first bytes: each has a command that makes PEM of it.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use x509_parser::prelude::{
    CertificateRevocationList, FromDer as _, X509Certificate, X509CertificationRequest,
};

/// The form of a file that is not PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text of two bytes a character; the name is that of `iconv`.
    Utf16(&'static str),
    /// PFX of RFC 7292, also called .pfx.
    Pkcs12,
    /// A certificate in DER.
    Certificate,
    /// A revocation list in DER.
    List,
    /// A request in DER.
    Request,
    /// Certificates in PKCS#7, also called .p7b.
    Pkcs7,
    /// A private key in DER.
    Key,
    /// A private key in DER that a passphrase protects.
    EncryptedKey,
    /// A zip, such as the one that `issue --zip` makes.
    Zip,
    /// SQLite's.
    Database,
    /// A page of the web, such as one that asks for a login.
    Page,
}

impl Form {
    /// Returns the form of these bytes; `None` if they may be PEM, or are something unknown.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(Self::Utf16("UTF-16")),
            [b'-', 0, b'-', 0, ..] | [b'#', 0, b' ', 0, ..] => {
                return Some(Self::Utf16("UTF-16LE"));
            }
            [0, b'-', 0, b'-', ..] | [0, b'#', 0, b' ', ..] => {
                return Some(Self::Utf16("UTF-16BE"));
            }
            _ => {}
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Some(Self::Zip);
        }
        if bytes.starts_with(b"SQLite format 3\0") {
            return Some(Self::Database);
        }
        let begin = bytes.trim_ascii_start();
        let begin = &begin[..begin.len().min(16)];
        let begin = begin.to_ascii_lowercase();
        if begin.starts_with(b"<!doctype html") || begin.starts_with(b"<html") {
            return Some(Self::Page);
        }
        Self::of_der(bytes)
    }

    fn of_der(bytes: &[u8]) -> Option<Self> {
        let [0x30, length, rest @ ..] = bytes else {
            return None;
        };
        // A short length is in the first byte; 0x80 says that the end is marked instead (BER).
        let content = match length {
            0..=0x80 => rest,
            long => rest.get(usize::from(long & 0x7f)..)?,
        };
        // A SEQUENCE that begins with version 3.
        if content.starts_with(&[0x02, 0x01, 0x03]) {
            return Some(Self::Pkcs12);
        }
        // id-signedData (RFC 5652).
        if content.starts_with(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") {
            return Some(Self::Pkcs7);
        }
        let all = der_bytes(bytes)?;
        // A newline may follow, for example from an editor.
        if bytes.len() < all || !bytes[all..].trim_ascii().is_empty() {
            return None;
        }
        if X509Certificate::from_der(bytes).is_ok() {
            return Some(Self::Certificate);
        }
        if CertificateRevocationList::from_der(bytes).is_ok() {
            return Some(Self::List);
        }
        if X509CertificationRequest::from_der(bytes).is_ok() {
            return Some(Self::Request);
        }
        match content {
            // The version, then an algorithm (PKCS#8), a number (PKCS#1) or an octet string (SEC 1).
            [0x02, 0x01, 0x00 | 0x01, 0x30 | 0x02 | 0x04, ..] => Some(Self::Key),
            // An algorithm of PKCS#5, then an octet string.
            [
                0x30,
                _,
                0x06,
                0x09,
                0x2a,
                0x86,
                0x48,
                0x86,
                0xf7,
                0x0d,
                0x01,
                0x05,
                ..,
            ] => Some(Self::EncryptedKey),
            _ => None,
        }
    }

    /// Returns the command that makes PEM of it.
    pub(crate) fn hint(self, path: &Path) -> Option<String> {
        let (from, to) = (shell_word(path), shell_word(name_for_pem(path)));
        let pem = path.with_extension("pem");
        let hint = match self {
            Self::Utf16(name) => format!(
                "convert it: `iconv -f {name} -t UTF-8 {from} > {to}`, or in PowerShell `Get-Content {from} | Set-Content -Encoding ascii {to}`"
            ),
            Self::Pkcs12 if pem != path && pem.is_file() => format!(
                "PKCS#12 is for browsers; use the PEM file beside it: {}",
                shell_word(&pem)
            ),
            Self::Pkcs12 => format!(
                "PKCS#12 is for browsers; `openssl pkcs12 -in {from} -nodes -out {to}` makes PEM of it"
            ),
            Self::Certificate => {
                format!("`openssl x509 -inform DER -in {from} -out {to}` makes PEM of it")
            }
            Self::List => format!("`openssl crl -inform DER -in {from} -out {to}` makes PEM of it"),
            Self::Request => {
                format!("`openssl req -inform DER -in {from} -out {to}` makes PEM of it")
            }
            Self::Pkcs7 => format!(
                "it holds no private key; `openssl pkcs7 -inform DER -in {from} -print_certs -out {to}` takes its certificates out"
            ),
            Self::Key | Self::EncryptedKey => {
                format!("`openssl pkey -inform DER -in {from} -out {to}` makes PEM of it")
            }
            Self::Zip => "unpack it first, and use the .pem file that is in it".to_owned(),
            Self::Page => {
                "it was probably saved from a page that asks for a login; download it again"
                    .to_owned()
            }
            Self::Database => return None,
        };
        Some(hint)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16(_) => "it is text in UTF-16, as Windows writes it, and not plain PEM",
            Self::Pkcs12 => "it is PKCS#12 (.p12 or .pfx), not PEM",
            Self::Certificate => "it is a certificate in DER, the binary form, not PEM",
            Self::List => "it is a revocation list in DER, the binary form, not PEM",
            Self::Request => "it is a request in DER, the binary form, not PEM",
            Self::Pkcs7 => "it is PKCS#7 (.p7b), not PEM",
            Self::Key => "it is a private key in DER, the binary form, not PEM",
            Self::EncryptedKey => "it is an encrypted private key in DER, the binary form, not PEM",
            Self::Zip => "it is a zip, not PEM",
            Self::Database => "it is an SQLite database, not PEM",
            Self::Page => "it is a web page, not PEM",
        })
    }
}

/// Returns a path or another word of a command, quoted if a shell would read it otherwise. Double quotes come
/// first, because the shells of Windows know no others.
pub fn shell_word(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    let is_plain =
        |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c) || cfg!(windows) && c == '\\';
    let is_quotable =
        |c: char| !"\"$`!".contains(c) && !c.is_control() && (cfg!(windows) || c != '\\');
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into_owned()
    } else if word.chars().all(is_quotable) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", wire::escape(&word).replace('\'', r"'\''"))
    }
}

/// Returns how many bytes the SEQUENCE at the start of these bytes says that it has, with its header.
pub(crate) fn der_bytes(der: &[u8]) -> Option<usize> {
    let [0x30, first, rest @ ..] = der else {
        return None;
    };
    if *first < 0x80 {
        return Some(2 + usize::from(*first));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None;
    }
    let length = rest.get(..count)?;
    let length = length
        .iter()
        .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    length.checked_add(2 + count)
}

/// Returns a name beside `path` that a converted file can have without overwriting anything.
fn name_for_pem(path: &Path) -> PathBuf {
    let pem = path.with_extension("pem");
    match pem.exists() {
        true => path.with_extension("new.pem"),
        false => pem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_command_is_one_word_for_a_shell() {
        for (word, quoted) in [
            ("class.csv", "class.csv"),
            ("Email address", "\"Email address\""),
            ("学号", "学号"),
            ("N° étudiant", "\"N° étudiant\""),
            ("O'Brien's", "\"O'Brien's\""),
            ("$(rm) `x` \"y\"", "'$(rm) `x` \"y\"'"),
            ("it's $1", "'it'\\''s $1'"),
            ("~/a", "\"~/a\""),
            ("=ls", "\"=ls\""),
            ("a\u{1b}b", "'a\\u{1b}b'"),
            ("", "\"\""),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
        let of_windows = if cfg!(windows) { r"C:\a" } else { r"'C:\a'" };
        assert_eq!(shell_word(r"C:\a"), of_windows);
    }
}
