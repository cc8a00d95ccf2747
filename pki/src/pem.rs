//! Reads PEM as it arrives: from other programs, through mail and through Windows.
//!
//! The readers of the libraries are strict, each in its own way (RFC 7468 wants lines of 64
//! characters), and OpenSSL is not. A file that `openssl` reads must not be "damaged" here, so every
//! file is read by this one reader: lines of any length, blanks at their ends, blank lines, any line
//! ends, a byte order mark, and text around the sections. What it does not pass over is damage: a
//! section that we need and that is not whole is an error that names the section.

use std::fmt;
use std::path::Path;

use base64ct::{Base64Unpadded, Encoding as _};
use zeroize::Zeroizing;

use crate::form::{Form, der_bytes};

/// A PEM text.
#[derive(Debug)]
pub struct Pem {
    /// The lines before the first section, without blanks at their ends.
    pub preamble: Vec<String>,
    /// Its sections, in order.
    pub sections: Vec<Section>,
}

/// A section of a PEM text.
pub struct Section {
    /// Its place: 1 for the first.
    pub number: usize,
    /// The kind of its contents.
    pub kind: Kind,
    /// Its label, such as `CERTIFICATE`.
    pub label: String,
    /// Its contents; empty for the kinds that nobody here can use. Wiped when dropped, because they
    /// may be a key.
    pub der: Zeroizing<Vec<u8>>,
}

/// The kind of a section, by its label (RFC 7468, and the older labels that OpenSSL reads).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A certificate.
    Certificate,
    /// A key in PKCS#8.
    Pkcs8Key,
    /// A key of a curve in SEC 1.
    Sec1Key,
    /// An RSA key in PKCS#1.
    Pkcs1Key,
    /// A key in PKCS#8 that a passphrase protects.
    EncryptedKey,
    /// A key that a passphrase protects in the way from before PKCS#8: a header `Proc-Type`. It is
    /// not decoded.
    OldEncryptedKey,
    /// A key of another kind, such as OpenSSH's. It is not decoded.
    OtherKey,
    /// A revocation list.
    List,
    /// A request for a certificate.
    Request,
    /// Anything else. It is passed over: it is not even checked for damage.
    Other,
}

/// The reason why a file cannot be read as PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is something else.
    #[error("it is not PEM, as certificates are: no line in it begins with '-----BEGIN'")]
    NotPem,
    /// It is something else that we know.
    #[error("{0}")]
    Form(Form),
    /// A section is not whole.
    #[error(
        "PEM section {number} ({}) in it is damaged: {damage}",
        wire::excerpt(label, LABEL_CHARS_SHOWN)
    )]
    Damaged {
        /// Its place: 1 for the first.
        number: usize,
        /// Its label.
        label: String,
        /// The damage.
        damage: Damage,
    },
}

/// The damage of a section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file ends, or the next section begins, before it ends.
    #[error("its line '-----END ...' is missing, so the file was cut off or badly put together")]
    NoEnd,
    /// It ends with the label of another.
    #[error("it ends as \"{}\"", wire::excerpt(.0, LABEL_CHARS_SHOWN))]
    OtherEnd(String),
    /// A character that base64 does not have.
    #[error("line {0} of the file is not base64")]
    NotBase64(usize),
    /// The base64 lacks characters.
    #[error("characters are missing in it")]
    Cut,
    /// The contents are shorter than they say.
    #[error("only {there} of its {all} bytes are there")]
    Short {
        /// The bytes that are there.
        there: usize,
        /// The bytes that it says it has.
        all: usize,
    },
    /// Something follows the contents.
    #[error("something follows its contents")]
    Long,
    /// The contents are not DER.
    #[error("its contents are not DER")]
    NotDer,
}

/// The length of a label that is shown; honest ones have half as many characters.
const LABEL_CHARS_SHOWN: usize = 48;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl PemError {
    /// Returns what the user can do about the file, if anything.
    pub fn hint(&self, path: &Path) -> Option<String> {
        match self {
            PemError::Form(form) => form.hint(path),
            PemError::Empty | PemError::Damaged { .. } => Some(
                "copy the file again from where it was made; if that is lost, ask for a new one, or restore it from a backup".to_owned(),
            ),
            PemError::NotPem => None,
        }
    }
}

impl Pem {
    /// Reads a PEM text.
    ///
    /// # Errors
    ///
    /// When it has no section at all, or a section that we could use is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, PemError> {
        if bytes.is_empty() {
            return Err(PemError::Empty);
        }
        if let Some(form) = Form::of(bytes) {
            return Err(PemError::Form(form));
        }
        let mut reading = Reading::default();
        for (index, line) in lines(bytes).enumerate() {
            reading.take(index + 1, line)?;
        }
        reading.end()
    }

    /// Returns the sections of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Section> {
        self.sections
            .iter()
            .filter(move |section| section.kind == kind)
    }

    /// Returns whether any section is a key, readable or not.
    pub fn has_key(&self) -> bool {
        self.sections.iter().any(|section| section.kind.is_key())
    }

    /// Returns the labels of its sections, each once, for a message about what is missing.
    pub fn labels(&self) -> String {
        let mut labels: Vec<String> = Vec::new();
        for section in &self.sections {
            let label = wire::excerpt(&section.label, LABEL_CHARS_SHOWN);
            if !labels.contains(&label) {
                labels.push(label);
            }
            if labels.len() == LABELS_SHOWN_MAX {
                break;
            }
        }
        labels.join(", ")
    }
}

const LABELS_SHOWN_MAX: usize = 4;

/// Returns the contents of a file that holds one thing of one kind, in PEM or in DER.
///
/// # Errors
///
/// When it is neither. `Ok(None)` says that it is PEM without this kind.
pub fn first_of(kind: Kind, bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, PemError> {
    match Pem::parse(bytes) {
        Ok(pem) => Ok(pem.of(kind).next().map(|section| section.der.clone())),
        Err(PemError::Form(form)) if kind.is_in(form) => {
            // A newline may follow.
            let all = der_bytes(bytes).unwrap_or(bytes.len());
            Ok(Some(bytes[..all].to_vec().into()))
        }
        Err(error) => Err(error),
    }
}

/// Returns the lines of a text with any line ends, without a byte order mark and without blanks at
/// both ends. A file that was put together from several may have a mark in its midst.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    bytes.split(move |byte| *byte == end).map(|line| {
        let line = line.trim_ascii();
        line.strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(line)
            .trim_ascii()
    })
}

/// A text that is being read.
#[derive(Default)]
struct Reading {
    preamble: Vec<String>,
    sections: Vec<Section>,
    open: Option<Open>,
}

/// A section whose end was not read yet.
struct Open {
    kind: Kind,
    label: String,
    /// Whether the last line was one of RFC 1421's headers.
    is_in_headers: bool,
    base64: Zeroizing<Vec<u8>>,
}

impl Reading {
    fn take(&mut self, number: usize, line: &[u8]) -> Result<(), PemError> {
        if let Some(label) = label_of(line, b"-----BEGIN ") {
            self.close()?;
            self.open = Some(Open {
                kind: Kind::of(&label),
                label,
                is_in_headers: false,
                // Room for a key: growing would leave a copy of it behind.
                base64: Zeroizing::new(Vec::with_capacity(KEY_BASE64_BYTES)),
            });
            return Ok(());
        }
        let Some(open) = &mut self.open else {
            if self.sections.is_empty() {
                self.preamble
                    .push(String::from_utf8_lossy(line).into_owned());
            }
            return Ok(());
        };
        if let Some(label) = label_of(line, b"-----END ") {
            if label == open.label {
                return self.complete();
            }
            return match open.kind {
                Kind::Other => Ok(()),
                _ => Err(self.damaged(Damage::OtherEnd(label))),
            };
        }
        if !open.kind.is_read() {
            return Ok(());
        }
        let is_header = open.base64.is_empty() && line.contains(&b':');
        if is_header {
            open.is_in_headers = true;
            if is_encryption(line) {
                open.kind = Kind::OldEncryptedKey;
            }
            return Ok(());
        }
        // A blank line ends the headers; any other line goes on with the last one.
        if open.is_in_headers {
            open.is_in_headers = !line.is_empty();
            return Ok(());
        }
        let base64 = line.iter().copied().filter(|b| !b.is_ascii_whitespace());
        for byte in base64 {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
                return Err(self.damaged(Damage::NotBase64(number)));
            }
            open.base64.push(byte);
        }
        Ok(())
    }

    /// Ends a section that the file left open.
    fn close(&mut self) -> Result<(), PemError> {
        match &self.open {
            Some(open) if open.kind != Kind::Other => Err(self.damaged(Damage::NoEnd)),
            Some(_) => self.complete(),
            None => Ok(()),
        }
    }

    fn complete(&mut self) -> Result<(), PemError> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let der = match open.kind.is_read() {
            true => decode(&open.base64, &open.label).map_err(|damage| self.damaged(damage))?,
            false => Zeroizing::new(Vec::new()),
        };
        let (kind, label) = (open.kind, open.label.clone());
        self.open = None;
        self.sections.push(Section {
            number: self.sections.len() + 1,
            kind,
            label,
            der,
        });
        Ok(())
    }

    fn damaged(&self, damage: Damage) -> PemError {
        let label = self.open.as_ref().map(|open| open.label.clone());
        PemError::Damaged {
            number: self.sections.len() + 1,
            label: label.unwrap_or_default(),
            damage,
        }
    }

    fn end(mut self) -> Result<Pem, PemError> {
        self.close()?;
        if self.sections.is_empty() {
            return Err(PemError::NotPem);
        }
        Ok(Pem {
            preamble: self.preamble,
            sections: self.sections,
        })
    }
}

/// Returns the label in a line that begins or ends a section.
fn label_of(line: &[u8], begin: &[u8]) -> Option<String> {
    let label = line.strip_prefix(begin)?.strip_suffix(b"-----")?;
    Some(String::from_utf8_lossy(label.trim_ascii()).into_owned())
}

/// Returns whether a header says that the contents are encrypted (RFC 1421, section 4.6.1.1).
fn is_encryption(header: &[u8]) -> bool {
    let header = header.to_ascii_uppercase();
    let contains = |wanted: &[u8]| header.windows(wanted.len()).any(|window| window == wanted);
    header.starts_with(b"PROC-TYPE") && contains(b"ENCRYPTED")
}

/// Decodes base64, and checks that the result is one whole element in DER.
fn decode(base64: &[u8], label: &str) -> Result<Zeroizing<Vec<u8>>, Damage> {
    let padding = base64.iter().rev().take_while(|byte| **byte == b'=');
    let base64 = &base64[..base64.len() - padding.count()];
    let mut der = Zeroizing::new(vec![0; base64.len() / 4 * 3 + 3]);
    // The decoder takes the same time for each key.
    let there = Base64Unpadded::decode(base64, &mut der)
        .map_err(|_| Damage::Cut)?
        .len();
    der.truncate(there);
    let all = der_bytes(&der).ok_or(Damage::NotDer)?;
    if there < all {
        return Err(Damage::Short { there, all });
    }
    if there > all {
        // OpenSSL writes its own opinions about a certificate after it.
        if label != TRUSTED_CERTIFICATE {
            return Err(Damage::Long);
        }
        der.truncate(all);
    }
    Ok(der)
}

/// The base64 of a key has fewer bytes; an RSA key of 16,384 bits has 12,600.
const KEY_BASE64_BYTES: usize = 16 * 1024;

const TRUSTED_CERTIFICATE: &str = "TRUSTED CERTIFICATE";

impl Kind {
    fn of(label: &str) -> Self {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | TRUSTED_CERTIFICATE => Self::Certificate,
            "PRIVATE KEY" => Self::Pkcs8Key,
            "EC PRIVATE KEY" => Self::Sec1Key,
            "RSA PRIVATE KEY" => Self::Pkcs1Key,
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedKey,
            "X509 CRL" => Self::List,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::Request,
            other if other.ends_with("PRIVATE KEY") => Self::OtherKey,
            _ => Self::Other,
        }
    }

    /// Returns whether it is a private key.
    pub fn is_key(self) -> bool {
        matches!(
            self,
            Self::Pkcs8Key
                | Self::Sec1Key
                | Self::Pkcs1Key
                | Self::EncryptedKey
                | Self::OldEncryptedKey
                | Self::OtherKey
        )
    }

    /// Returns whether a file of this form is the DER of what such a section contains.
    fn is_in(self, form: Form) -> bool {
        matches!(
            (self, form),
            (Self::Certificate, Form::Certificate)
                | (Self::List, Form::List)
                | (Self::Request, Form::Request)
        )
    }

    /// Returns whether its contents are decoded.
    fn is_read(self) -> bool {
        !matches!(self, Self::OldEncryptedKey | Self::OtherKey | Self::Other)
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the contents.
        f.debug_struct("Section")
            .field("number", &self.number)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding as _};

    use super::*;

    /// A SEQUENCE of `length` bytes, as DER.
    fn der(length: u8) -> Vec<u8> {
        let mut der = vec![0x30, 0x81, length];
        der.extend((0..length).map(|byte| byte.wrapping_mul(37)));
        der
    }

    /// A section with lines of `columns` characters.
    fn section(label: &str, der: &[u8], columns: usize) -> String {
        let base64 = Base64::encode_string(der);
        let lines: Vec<&str> = base64
            .as_bytes()
            .chunks(columns)
            .map(|line| std::str::from_utf8(line).expect("ASCII"))
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    }

    fn read(text: impl AsRef<[u8]>) -> Vec<(Kind, Vec<u8>)> {
        let pem = Pem::parse(text.as_ref()).expect("PEM");
        let sections = pem.sections.into_iter();
        sections
            .map(|section| (section.kind, section.der.to_vec()))
            .collect()
    }

    #[test]
    fn every_form_that_openssl_reads_is_read() {
        let (one, two) = (der(200), der(130));
        let wanted = [
            (Kind::EncryptedKey, one.clone()),
            (Kind::Certificate, two.clone()),
        ];
        let in_columns = |columns| {
            section("ENCRYPTED PRIVATE KEY", &one, columns) + &section("CERTIFICATE", &two, columns)
        };
        let plain = in_columns(64);
        for columns in [1, 3, 60, 64, 65, 76, 100, 100_000] {
            assert_eq!(read(in_columns(columns)), wanted, "{columns} columns");
        }
        for (form, text) in [
            ("a byte order mark", format!("\u{feff}{plain}")),
            (
                "one in the midst",
                plain.replace("-----BEGIN C", "\u{feff}-----BEGIN C"),
            ),
            ("DOS line ends", plain.replace('\n', "\r\n")),
            ("old Macintosh line ends", plain.replace('\n', "\r")),
            ("blanks at the ends", plain.replace('\n', " \t\n")),
            ("blanks at the beginnings", plain.replace('\n', "\n  ")),
            ("blank lines", plain.replace('\n', "\n\n")),
            ("no newline at the end", plain.trim_end().to_owned()),
            (
                "text around",
                format!("Bag Attributes: <none>\n{plain}subject=CN = x\n"),
            ),
            (
                "text between",
                plain.replace("-----BEGIN C", "issuer=/CN=x: y\n\n-----BEGIN C"),
            ),
            (
                "unknown sections, damaged ones too",
                format!(
                    "{}-----BEGIN X-----\n!\n{plain}-----BEGIN Y-----\n",
                    section("DH PARAMETERS", &one, 64)
                ),
            ),
            (
                "an unneeded header",
                plain.replacen("-----\n", "-----\nComment: \"a\n  b\"\n\n", 1),
            ),
        ] {
            let known = read(text).into_iter();
            let known: Vec<_> = known.filter(|(kind, _)| *kind != Kind::Other).collect();
            assert_eq!(known, wanted, "{form}");
        }
    }

    #[test]
    fn the_lines_before_the_first_section_are_kept() {
        let text = format!(
            "\u{feff}# id = alice \r\n#  x=y\r\n{}",
            section("CERTIFICATE", &der(9), 64)
        );
        let pem = Pem::parse(text.as_bytes()).expect("PEM");
        assert_eq!(pem.preamble, ["# id = alice", "#  x=y"]);
    }

    #[test]
    fn a_key_that_is_encrypted_in_the_old_way_is_not_called_damaged() {
        let text = section("RSA PRIVATE KEY", &[7; 96], 64).replacen(
            "-----\n",
            "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0102\n\n",
            1,
        );
        assert_eq!(read(&text), [(Kind::OldEncryptedKey, Vec::new())]);
        assert_eq!(
            read(text.replace('\n', "\r\n")),
            [(Kind::OldEncryptedKey, Vec::new())]
        );
    }

    #[test]
    fn a_certificate_with_openssls_opinions_after_it_is_only_the_certificate() {
        let trusted = [der(50), der(20)].concat();
        assert_eq!(
            read(section("TRUSTED CERTIFICATE", &trusted, 64)),
            [(Kind::Certificate, der(50))]
        );
    }

    #[test]
    fn damage_is_named_with_its_section_and_nothing_is_guessed() {
        let whole = section("CERTIFICATE", &der(200), 64);
        let second = |text: &str| format!("{whole}{text}");
        let lines: Vec<&str> = whole.lines().collect();
        let without_a_line = [&lines[..2], &lines[3..]].concat().join("\n");
        for (text, words) in [
            (
                second(&whole[..100]),
                "PEM section 2 (CERTIFICATE) in it is damaged: its line '-----END ...' is missing",
            ),
            (
                whole.replace("-----END CERTIFICATE-----\n", "") + &whole,
                "PEM section 1 (CERTIFICATE) in it is damaged: its line '-----END ...' is missing",
            ),
            (
                second(&whole.replace("END CERTIFICATE", "END PRIVATE KEY")),
                "PEM section 2 (CERTIFICATE) in it is damaged: it ends as \"PRIVATE KEY\"",
            ),
            (
                whole.replacen("MIHI", "MI\u{2026}I", 1),
                "PEM section 1 (CERTIFICATE) in it is damaged: line 2 of the file is not base64",
            ),
            (
                second(&without_a_line),
                "PEM section 2 (CERTIFICATE) in it is damaged: only 155 of its 203 bytes are there",
            ),
            (
                section("PRIVATE KEY", &[der(9), der(9)].concat(), 64),
                "PEM section 1 (PRIVATE KEY) in it is damaged: something follows its contents",
            ),
            (
                section("PRIVATE KEY", b"hello", 64),
                "PEM section 1 (PRIVATE KEY) in it is damaged: its contents are not DER",
            ),
            (
                section("X509 CRL", &[], 64),
                "PEM section 1 (X509 CRL) in it is damaged: its contents are not DER",
            ),
            (String::new(), "it is empty"),
            (
                "hello\n".to_owned(),
                "it is not PEM, as certificates are: no line in it begins with '-----BEGIN'",
            ),
        ] {
            let error = Pem::parse(text.as_bytes()).expect_err(words);
            assert!(error.to_string().starts_with(words), "{error}");
        }
        assert!(whole.contains("MIHI"), "{whole}");
    }

    #[test]
    fn another_form_is_named_with_the_command_that_converts() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            let units = text.encode_utf16();
            units
                .flat_map(|unit| {
                    if big {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    }
                })
                .collect()
        };
        let whole = section("CERTIFICATE", &der(200), 64);
        let noted = format!("# id = alice\n{whole}");
        for (bytes, words, command) in [
            (
                wide(&format!("\u{feff}{whole}"), false),
                "UTF-16",
                r#"iconv -f UTF-16 -t UTF-8 "a b.crt" > "a b.pem""#,
            ),
            (
                wide(&format!("\u{feff}{noted}"), true),
                "UTF-16",
                "iconv -f UTF-16 -t",
            ),
            (wide(&whole, false), "UTF-16", "iconv -f UTF-16LE -t"),
            (wide(&noted, true), "UTF-16", "iconv -f UTF-16BE -t"),
            (
                b"\x30\x82\x05\x5a\x02\x01\x03\x30\x82".to_vec(),
                "PKCS#12",
                r#"openssl pkcs12 -in "a b.crt" -nodes -out "a b.pem""#,
            ),
            (
                b"\x30\x80\x02\x01\x03\x30\x80".to_vec(),
                "PKCS#12",
                "openssl pkcs12",
            ),
            (b"PK\x03\x04....".to_vec(), "a zip", "unpack it"),
            (
                b"\r\n<!DOCTYPE HTML><p>".to_vec(),
                "a web page",
                "download it again",
            ),
        ] {
            let error = Pem::parse(&bytes).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
            let hint = error.hint(Path::new("a b.crt")).unwrap_or_default();
            assert!(hint.contains(command), "{hint}");
        }
    }

    #[test]
    fn nothing_that_a_stranger_writes_makes_the_reader_fail_in_another_way() {
        let whole = section("CERTIFICATE", &der(200), 64) + &section("PRIVATE KEY", &der(90), 64);
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(random >> 33).expect("31 bits") % below
        };
        let mut damaged = 0;
        for _ in 0..2000 {
            let mut bytes = whole.clone().into_bytes();
            for _ in 0..=next(4) {
                let place = next(bytes.len());
                match next(3) {
                    0 => bytes[place] = u8::try_from(next(256)).expect("a byte"),
                    1 => drop(bytes.remove(place)),
                    _ => bytes.truncate(place.max(1)),
                }
            }
            match Pem::parse(&bytes) {
                Ok(pem) => assert!(pem.sections.iter().all(|s| s.der.len() < 300)),
                Err(error) => {
                    damaged += 1;
                    assert!(
                        error.to_string().chars().all(|c| !c.is_control()),
                        "{error}"
                    );
                }
            }
        }
        assert!(damaged > 500, "{damaged}");
    }
}
