//! Revokes certificates, for good or as a hold that can be ended.

use std::collections::HashSet;
use std::path::PathBuf;

use pki::Serial;
use time::OffsetDateTime;
use wire::ClientId;

use super::Ca;
use crate::error::Error;
use crate::ledger::index::{Index, IndexEntry};
use crate::people::suggestion::never_issued;
use crate::sign::reason::Reason;

/// A selection of certificates to revoke, or to take off hold.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those of these people.
    pub names: Vec<String>,
    /// Only the one with this number. If a name is given too, it has to be that person's.
    pub serial: Option<Serial>,
}

/// The result of `revoke`.
#[derive(Debug)]
pub struct Revocation {
    /// Each name, and how many certificates changed; 0 if nothing was left to do.
    pub people: Vec<(String, usize)>,
    /// Those certificates, each with its name.
    pub certificates: Vec<(String, Serial)>,
    /// The new revocation list.
    pub list: PathBuf,
    /// Whether nothing but the certificate's number is known.
    pub is_unseen: bool,
    /// Whether the people may have certificates that this folder does not know.
    pub may_miss_some: bool,
}

/// A serial number, in hexadecimal digits; it has at most 20 bytes (RFC 5280, section 4.1.2.2).
const SERIAL_DIGITS_MAX: usize = 40;

impl Which {
    /// Selects the certificates of these people.
    pub fn people<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            serial: None,
        }
    }

    /// Returns the names, each once. Fails if one of them was never issued a certificate.
    fn find(&self, index: &Index) -> Result<Vec<String>, Error> {
        let Some(serial) = &self.serial else {
            let ids = known(&self.names, index)?;
            return Ok(ids.iter().map(ClientId::to_string).collect());
        };
        let entry = index
            .find(serial)
            .ok_or_else(|| Error::UnknownSerial(serial.clone()))?;
        let is_theirs = self.names.is_empty()
            || known(&self.names, index)?
                .iter()
                .all(|id| id.as_str() == entry.name());
        if !is_theirs {
            return Err(Error::OtherSerial {
                serial: serial.clone(),
                name: entry.name().to_owned(),
            });
        }
        Ok(vec![entry.name().to_owned()])
    }

    /// Returns the number if it could belong to a certificate that is not in the index.
    fn stranger(&self, index: &Index) -> Option<&Serial> {
        let serial = self.serial.as_ref()?;
        let is_one = (1..=SERIAL_DIGITS_MAX).contains(&serial.to_string().len());
        (self.names.is_empty() && is_one && index.find(serial).is_none()).then_some(serial)
    }

    /// Returns whether nothing but the certificate's number is known.
    fn is_unseen(&self, index: &Index) -> bool {
        let entry = self.serial.as_ref().and_then(|serial| index.find(serial));
        entry.is_some_and(IndexEntry::is_unseen)
    }

    /// Returns whether this selects an entry, for this name.
    fn matches(&self, entry: &IndexEntry, name: &str) -> bool {
        match &self.serial {
            Some(serial) => entry.serial == *serial,
            None => entry.person().is_some_and(|(id, _)| id.as_str() == name),
        }
    }
}

impl Ca {
    /// Revokes every certificate of these people that is not revoked yet, and signs the list at once. It
    /// is no error if somebody has none left, but it is one if somebody never had any: then nobody's is
    /// revoked.
    ///
    /// # Errors
    ///
    /// When a name is unknown, or the list cannot be written.
    pub fn revoke(&self, names: &[String], reason: Reason) -> Result<Revocation, Error> {
        self.revoke_which(&Which::people(names), reason, None)
    }

    /// Revokes the certificates that `which` selects, and stores a note about why. A key that turns out
    /// to be compromised overrides an earlier reason, and takes every other certificate for the same
    /// key with it.
    ///
    /// # Errors
    ///
    /// As [`Ca::revoke`], or when the certificate with the serial number is not that person's. Without a
    /// name, a number that is not in the index is accepted: the certificate may come from elsewhere.
    pub fn revoke_which(
        &self,
        which: &Which,
        reason: Reason,
        note: Option<&str>,
    ) -> Result<Revocation, Error> {
        let now = OffsetDateTime::now_utc();
        let (_lock, mut index) = self.lock()?;
        if let Some(serial) = which.stranger(&index) {
            index.push(self.entry_of(serial)?);
        }
        let before = revocations(&index);
        let mut people = Vec::new();
        for name in which.find(&index)? {
            // Expired ones too: some server's clock may be slow.
            let meant = self.meant(which, &name, reason, &index);
            let is_meant = |entry: &IndexEntry| meant.contains(&entry.serial);
            let revoked = index.revoke(is_meant, now, reason, note);
            people.push((name, revoked));
        }
        if people.iter().any(|(_, revoked)| *revoked > 0) {
            // The index first. If this run is interrupted here, the next one finds that the list lacks a
            // revocation, and signs it.
            self.write_index(&index)?;
            self.sign_list(&index, now)?;
        }
        Ok(Revocation {
            people,
            certificates: changed(&index, &before),
            list: self.folder().list(),
            is_unseen: which.is_unseen(&index),
            may_miss_some: which.serial.is_none() && index.last_unseen_revocation().is_some(),
        })
    }

    /// Returns the certificates to revoke. A compromised key adds every certificate that was ever issued
    /// for it. A person's revoked certificates count only if there are no others: otherwise their keys
    /// are not the one in question.
    fn meant(&self, which: &Which, name: &str, reason: Reason, index: &Index) -> HashSet<Serial> {
        let named = || {
            let entries = index.entries().iter();
            entries.filter(|entry| which.matches(entry, name))
        };
        let is_open = |entry: &IndexEntry| entry.revoked.is_none() || entry.is_on_hold();
        let only_open = which.serial.is_none() && named().any(is_open);
        let first: Vec<&IndexEntry> = named()
            .filter(|entry| !only_open || is_open(entry))
            .collect();
        let mut meant: HashSet<Serial> = first.iter().map(|one| one.serial.clone()).collect();
        if reason == Reason::KeyCompromise {
            // An unknown key may be any key of the same person, and must not prevent a revocation.
            let key = |entry: &IndexEntry| match self.key_of(entry) {
                Ok(hash) => hash.map(CertifiedKey::Known),
                Err(_) => Some(CertifiedKey::LostOf(entry.name().to_owned())),
            };
            let keys: HashSet<CertifiedKey> = first.into_iter().filter_map(key).collect();
            let entries = index.entries().iter();
            let same = entries.filter(|r| key(r).is_some_and(|key| keys.contains(&key)));
            meant.extend(same.map(|entry| entry.serial.clone()));
        }
        meant
    }

    /// Takes certificates off hold, so that servers admit the people again. The counts are of
    /// certificates that were on hold. One that has been replaced by now stays revoked.
    ///
    /// # Errors
    ///
    /// As [`Ca::revoke_which`].
    pub fn unhold(&self, which: &Which) -> Result<Revocation, Error> {
        self.unhold_at(which, OffsetDateTime::now_utc())
    }

    pub(super) fn unhold_at(
        &self,
        which: &Which,
        now: OffsetDateTime,
    ) -> Result<Revocation, Error> {
        let (_lock, mut index) = self.lock()?;
        // A certificate that was replaced while on hold is first revoked for good.
        if index.revoke_overdue(now) > 0 {
            self.write_index(&index)?;
            self.sign_list(&index, now)?;
        }
        let before = revocations(&index);
        let mut people = Vec::new();
        let mut freed = 0;
        for name in which.find(&index)? {
            let entries = index.unhold(|entry| which.matches(entry, &name), now);
            freed += entries.len();
            people.push((name, entries.len()));
        }
        if freed > 0 {
            // The list first. If this run is interrupted here, the next one finds that the list lacks a
            // certificate on hold, and everything is as before.
            self.sign_list(&index, now)?;
            self.write_index(&index)?;
        }
        Ok(Revocation {
            people,
            certificates: changed(&index, &before),
            list: self.folder().list(),
            is_unseen: which.is_unseen(&index),
            may_miss_some: which.serial.is_none() && index.last_unseen_revocation().is_some(),
        })
    }
}

type RevokedSince = Option<(OffsetDateTime, Reason)>;

fn revocations(index: &Index) -> Vec<RevokedSince> {
    let entries = index.entries().iter();
    entries.map(|entry| entry.revoked).collect()
}

/// Returns the certificates that were revoked or taken off hold since, each with its name.
fn changed(index: &Index, before: &[RevokedSince]) -> Vec<(String, Serial)> {
    let entries = index.entries().iter().zip(before);
    entries
        .filter(|(entry, before)| entry.revoked != **before)
        .map(|(entry, _)| (entry.name().to_owned(), entry.serial.clone()))
        .collect()
}

/// The key of a certificate.
#[derive(PartialEq, Eq, Hash)]
enum CertifiedKey {
    /// Its hash.
    Known(String),
    /// Unknown, because the certificate is lost; one of this person's.
    LostOf(String),
}

/// Returns the people with these names. Fails if one of them was never issued a certificate.
pub(super) fn known(names: &[String], index: &Index) -> Result<Vec<ClientId>, Error> {
    if names.is_empty() {
        return Err(Error::Nobody);
    }
    let people: Vec<ClientId> = index
        .entries()
        .iter()
        .filter_map(|entry| Some(entry.person()?.0))
        .collect();
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match ClientId::parse_typed(name) {
            Ok(id) if !people.contains(&id) => unknown.push(never_issued(id.as_str(), &people)),
            Ok(id) if !ids.contains(&id) => ids.push(id),
            Ok(_) => {}
            Err(_) => unknown.push(never_issued(name, &people)),
        }
    }
    if unknown.is_empty() {
        Ok(ids)
    } else {
        Err(Error::Unknown(unknown))
    }
}
