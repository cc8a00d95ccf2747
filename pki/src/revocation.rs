//! The signed list of revoked certificates, and the rules for accepting a new one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, ReasonCode};

use crate::certificate::{Serial, parse_der, system_time};
use crate::pem::{self, Kind, Pem, PemError};

/// The validity of a list in days.
pub const CRL_DAYS: u32 = 180;

/// If fewer days than this are left, every run of ca-tool signs the list again.
pub const CRL_RENEW_DAYS: u32 = 30;

/// A revocation list that was signed by the trust anchor (RFC 5280, section 5).
#[derive(Debug, Clone)]
pub struct RevocationList {
    number: CrlNumber,
    this_update: SystemTime,
    next_update: SystemTime,
    /// The certificates on it; the value is true for those that are only on hold.
    revoked: HashMap<Serial, bool>,
    /// When certificates that are still good will be revoked, from the notes in its file.
    ends: HashMap<Serial, SystemTime>,
}

/// The server's knowledge about revoked certificates.
#[derive(Debug, Clone)]
pub enum Revocations {
    /// The operator said `--no-revocation`.
    Unchecked,
    /// The current list.
    List(Arc<RevocationList>),
}

/// The limit on the bytes of a list's number, without leading zeros.
const NUMBER_BYTES_MAX: usize = 20;

/// A list's number, which only ever increases. It may have 20 bytes, so it is kept as bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct CrlNumber(Vec<u8>);

/// The reason why a list was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// It is neither PEM nor a list in DER.
    #[error("{0}")]
    Pem(PemError),
    /// It is PEM without a list.
    #[error("it holds no revocation list, only: {0}")]
    None(String),
    /// Reading only one of them would let in people whom the others revoke.
    #[error("it holds more than one revocation list")]
    Several,
    /// Its contents are not a list.
    #[error("it is not a whole revocation list")]
    Unreadable,
    /// It was signed by another CA, or changed after it was signed.
    #[error("it was not signed by this CA")]
    Signature,
    /// Without these it is unknown whether it is newer, or still good.
    #[error("it has no number or no nextUpdate")]
    Undated,
    /// RFC 5280, section 5.2.3, allows 20 bytes.
    #[error("its number is longer than {NUMBER_BYTES_MAX} bytes")]
    Number,
    /// It covers only some certificates, or only changes to another list.
    #[error("it covers only a part of the certificates")]
    Partial,
    /// It was signed by a clock that is ahead of ours.
    #[error("it is dated in the future; is a clock wrong?")]
    Future,
}

impl RevocationList {
    /// Reads a list, PEM or DER, and verifies it against the trust anchor.
    ///
    /// # Errors
    ///
    /// The reason why the list cannot be trusted. An expired list is accepted: the caller decides
    /// whether to continue with it, using [`RevocationList::next_update`].
    pub fn parse(
        bytes: &[u8],
        anchor: &CertificateDer<'_>,
        now: SystemTime,
    ) -> Result<Self, RevocationError> {
        let der = Self::der_in(bytes)?;
        let Ok(([], list)) = CertificateRevocationList::from_der(&der) else {
            return Err(RevocationError::Unreadable);
        };
        let anchor = parse_der(anchor).map_err(|_| RevocationError::Signature)?;
        if list.issuer().as_raw() != anchor.subject().as_raw()
            || list.verify_signature(anchor.public_key()).is_err()
        {
            return Err(RevocationError::Signature);
        }
        // A critical extension of a list always narrows what it covers.
        if list.extensions().iter().any(|extension| extension.critical) {
            return Err(RevocationError::Partial);
        }
        let number = list.crl_number().ok_or(RevocationError::Undated)?;
        let number = CrlNumber::new(&number.to_bytes_be());
        // An accepted number is stored, and must be readable at the next start.
        if number.0.len() > NUMBER_BYTES_MAX {
            return Err(RevocationError::Number);
        }
        let next_update = list.next_update().ok_or(RevocationError::Undated)?;
        let this_update = system_time(list.last_update());
        if this_update > now {
            return Err(RevocationError::Future);
        }
        Ok(Self {
            number,
            this_update,
            next_update: system_time(next_update),
            revoked: list
                .iter_revoked_certificates()
                .map(|revoked| {
                    let reason = revoked.reason_code().map(|(_, reason)| reason);
                    let is_on_hold = reason == Some(ReasonCode::CertificateHold);
                    (Serial::new(revoked.raw_serial()), is_on_hold)
                })
                .collect(),
            ends: read_ends(bytes),
        })
    }

    /// Returns the text of a list's file: the list as PEM, and a note for each certificate that will
    /// be revoked because another replaces it.
    ///
    /// A list has no place for the future: a date in it, whatever it says, is one on which the
    /// certificate was revoked (RFC 5280, section 5.3). So the notes follow the list, where every
    /// reader of PEM passes over them. They are not signed, and serve only to tell people in time;
    /// nobody is refused because of one.
    pub fn with_ends<'a>(
        list: &str,
        ends: impl IntoIterator<Item = (&'a Serial, SystemTime)>,
    ) -> String {
        let mut text = list.to_owned();
        for (serial, at) in ends {
            let at = wire::Timestamp::from(at);
            text.push_str(&format!("{ENDS_NOTE} {serial} {at}\n"));
        }
        text
    }

    /// Returns when a certificate will be revoked because another replaces it, if its CA decided so.
    pub fn ends_at(&self, serial: &Serial) -> Option<SystemTime> {
        self.ends.get(serial).copied()
    }

    /// Returns every certificate for which that was decided, in no order.
    pub fn ends(&self) -> impl Iterator<Item = (&Serial, SystemTime)> {
        self.ends.iter().map(|(serial, at)| (serial, *at))
    }

    /// Returns the DER of the one list in a file, PEM or DER. Nothing is verified.
    ///
    /// # Errors
    ///
    /// When there is no list in it, a damaged one, or more than one: reading only one of them would
    /// let in people whom the others revoke.
    pub fn der_in(bytes: &[u8]) -> Result<Vec<u8>, RevocationError> {
        match Pem::parse(bytes) {
            Ok(pem) if pem.of(Kind::List).count() > 1 => Err(RevocationError::Several),
            Ok(pem) => match pem.of(Kind::List).next() {
                Some(section) => Ok(section.der.to_vec()),
                None => Err(RevocationError::None(pem.labels())),
            },
            Err(error) => match pem::first_of(Kind::List, bytes) {
                Ok(Some(der)) => Ok(der.to_vec()),
                _ => Err(RevocationError::Pem(error)),
            },
        }
    }

    /// Returns its number.
    pub fn number(&self) -> &CrlNumber {
        &self.number
    }

    /// Returns the time of its signature, as it states it.
    pub fn this_update(&self) -> SystemTime {
        self.this_update
    }

    /// Returns when a newer list is due.
    pub fn next_update(&self) -> SystemTime {
        self.next_update
    }

    /// Returns how many certificates are on it.
    pub fn count(&self) -> usize {
        self.revoked.len()
    }

    /// Returns the certificates on it, in no order.
    pub fn serials(&self) -> impl Iterator<Item = &Serial> {
        self.revoked.keys()
    }

    /// Returns whether a certificate is on it.
    pub fn revokes(&self, serial: &Serial) -> bool {
        self.revoked.contains_key(serial)
    }

    /// Returns whether a certificate is only on hold: its reason is `certificateHold`.
    pub fn holds(&self, serial: &Serial) -> bool {
        self.revoked
            .get(serial)
            .is_some_and(|is_on_hold| *is_on_hold)
    }
}

/// Begins a note about a certificate that will be revoked.
const ENDS_NOTE: &str = "# ends";

fn read_ends(bytes: &[u8]) -> HashMap<Serial, SystemTime> {
    // DER has no lines; what looks like one there is no note of ours.
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let notes = text.lines().filter_map(|line| {
        let (serial, at) = line
            .trim()
            .strip_prefix(ENDS_NOTE)?
            .trim()
            .split_once(' ')?;
        let at = wire::Timestamp::parse(at.trim()).ok()?;
        Some((Serial::parse(serial)?, at.to_system_time()))
    });
    notes.collect()
}

impl Revocations {
    /// Returns when a certificate will be revoked because another replaces it, if that is known.
    pub fn ends_at(&self, serial: &Serial) -> Option<SystemTime> {
        match self {
            Revocations::Unchecked => None,
            Revocations::List(list) => list.ends_at(serial),
        }
    }

    /// Returns whether this certificate was revoked.
    pub fn revokes(&self, serial: &Serial) -> bool {
        match self {
            Revocations::Unchecked => false,
            Revocations::List(list) => list.revokes(serial),
        }
    }

    /// Returns whether it is only on hold.
    pub fn holds(&self, serial: &Serial) -> bool {
        match self {
            Revocations::Unchecked => false,
            Revocations::List(list) => list.holds(serial),
        }
    }

    /// Returns the moment at which a newer list was due, if it has passed.
    pub fn stale_since(&self, now: SystemTime) -> Option<SystemTime> {
        match self {
            Revocations::Unchecked => None,
            Revocations::List(list) => Some(list.next_update()).filter(|due| *due < now),
        }
    }
}

impl CrlNumber {
    /// Takes bytes, most significant first.
    pub fn new(bytes: &[u8]) -> Self {
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        Self(bytes[first..].to_vec())
    }

    /// Reads the hexadecimal form that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self::new(Serial::parse(text)?.bytes()))
    }

    /// Returns the number if it is at most 2^64 - 1.
    pub fn to_u64(&self) -> Option<u64> {
        if self.0.len() > 8 {
            return None;
        }
        Some(
            self.0
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }
}

impl PartialOrd for CrlNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CrlNumber {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Without leading zeros, the longer number is the larger one.
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Serial::new(&self.0), f)
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, SerialNumber,
    };

    use super::*;

    #[test]
    fn a_list_number_has_at_most_20_bytes_and_is_read_back_as_it_was_written() {
        let key = KeyPair::generate().expect("a key");
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let anchor = ca.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(ca, key);
        let now = SystemTime::now();
        let read = |number: &[u8]| {
            let list = CertificateRevocationListParams {
                this_update: now.into(),
                next_update: (now + std::time::Duration::from_secs(60)).into(),
                crl_number: SerialNumber::from_slice(number),
                issuing_distribution_point: None,
                revoked_certs: Vec::new(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            let list = list.signed_by(&issuer).expect("a list");
            RevocationList::parse(list.der(), anchor.der(), now)
        };
        // The largest number, and one whose leading zero does not count.
        let zero_first = [&[0][..], &[0x7f; 20]].concat();
        for number in [&[0xff; 20][..], &zero_first, &[1]] {
            let taken = read(number).expect("a list").number().clone();
            assert_eq!(taken, CrlNumber::new(number));
            assert_eq!(CrlNumber::parse(&taken.to_string()), Some(taken));
        }
        for number in [&[1; 21][..], &[0xff; 33]] {
            let refused = read(number).expect_err("too long");
            assert_eq!(refused, RevocationError::Number);
            assert_eq!(refused.to_string(), "its number is longer than 20 bytes");
        }
    }

    #[test]
    fn the_notes_after_a_list_say_when_certificates_will_end() {
        let key = KeyPair::generate().expect("a key");
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let anchor = ca.self_signed(&key).expect("a certificate");
        let now = SystemTime::now();
        let list = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + std::time::Duration::from_secs(60)).into(),
            crl_number: SerialNumber::from(7),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&Issuer::new(ca, key)).expect("a list");
        let list = list.pem().expect("PEM");
        let end = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
        let (alice, bob) = (Serial::new(&[7, 1]), Serial::new(&[7, 2]));
        let text = RevocationList::with_ends(&list, [(&alice, end)]);
        let damaged = "# ends 0702\n# ends x 2027\n# ends 0702 tomorrow\n";
        for text in [text.clone(), text.replace('\n', "\r\n"), text + damaged] {
            let read = RevocationList::parse(text.as_bytes(), anchor.der(), now).expect("a list");
            assert_eq!(read.ends_at(&alice), Some(end));
            assert_eq!(read.ends_at(&bob), None);
            // It is good until then.
            assert!(!read.revokes(&alice));
        }
        let read = RevocationList::parse(list.as_bytes(), anchor.der(), now).expect("a list");
        assert_eq!(read.ends().count(), 0);
    }

    #[test]
    fn list_numbers_are_compared_as_numbers() {
        let number = |text| CrlNumber::parse(text).expect("a number");
        assert!(number("0100") > number("ff"));
        assert!(number("00ff") == number("ff"));
        assert!(number("ff0000000000000000") > number("ffffffffffffffff"));
        assert_eq!(number("0100").to_u64(), Some(256));
        assert_eq!(number("010000000000000000").to_u64(), None);
        assert_eq!(number("0100").to_string(), "0100");
    }
}
