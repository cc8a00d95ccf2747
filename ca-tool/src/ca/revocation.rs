//! Revokes certificates, for good or for the time being.

use std::collections::HashSet;
use std::path::PathBuf;

use pki::Serial;
use time::OffsetDateTime;
use wire::ClientId;

use super::Ca;
use crate::error::Error;
use crate::ledger::index::{Index, Record};
use crate::sign::reason::Reason;

/// Which certificates are revoked, or taken off hold.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those of these people.
    pub names: Vec<String>,
    /// The one of this number alone. If a name is given too, it is that person's.
    pub serial: Option<Serial>,
}

/// What `revoke` did.
#[derive(Debug)]
pub struct Revocation {
    /// Each name, and how many certificates were revoked now; 0 if all of them were before.
    pub people: Vec<(String, usize)>,
    /// Those certificates, each with the name in it.
    pub certificates: Vec<(String, Serial)>,
    /// The list that says so.
    pub list: PathBuf,
    /// Whether nothing is known of the certificate but its number.
    pub is_unseen: bool,
    /// Whether people were named whose certificates may not all be known here.
    pub may_miss_some: bool,
}

/// A certificate's number has at most 20 bytes (RFC 5280, section 4.1.2.2).
const SERIAL_DIGITS_MAX: usize = 40;

impl Which {
    /// The certificates of these people that are not revoked yet.
    pub fn people<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            serial: None,
        }
    }

    /// The names meant, each once. Every one of them was issued a certificate.
    fn find(&self, index: &Index) -> Result<Vec<String>, Error> {
        let Some(serial) = &self.serial else {
            let ids = known(&self.names, index)?;
            return Ok(ids.iter().map(ClientId::to_string).collect());
        };
        let record = index
            .find(serial)
            .ok_or_else(|| Error::UnknownSerial(serial.clone()))?;
        let is_theirs = self.names.is_empty()
            || known(&self.names, index)?
                .iter()
                .all(|id| id.as_str() == record.name());
        if !is_theirs {
            return Err(Error::OtherSerial {
                serial: serial.clone(),
                name: record.name().to_owned(),
            });
        }
        Ok(vec![record.name().to_owned()])
    }

    /// A number that may be that of a certificate, and is of none in the index.
    fn stranger(&self, index: &Index) -> Option<&Serial> {
        let serial = self.serial.as_ref()?;
        let is_one = (1..=SERIAL_DIGITS_MAX).contains(&serial.to_string().len());
        (self.names.is_empty() && is_one && index.find(serial).is_none()).then_some(serial)
    }

    fn is_unseen(&self, index: &Index) -> bool {
        let record = self.serial.as_ref().and_then(|serial| index.find(serial));
        record.is_some_and(Record::is_unseen)
    }

    /// Whether a certificate of this name is meant.
    fn matches(&self, record: &Record, name: &str) -> bool {
        match &self.serial {
            Some(serial) => record.serial == *serial,
            None => record.person().is_some_and(|(id, _)| id.as_str() == name),
        }
    }
}

impl Ca {
    /// Revokes every certificate of these people that is not revoked yet, and signs the list at once. Who has none
    /// left is no error; who never had one is, and then nobody is revoked.
    ///
    /// # Errors
    ///
    /// When a name is unknown, or the list cannot be written.
    pub fn revoke(&self, names: &[String], reason: Reason) -> Result<Revocation, Error> {
        self.revoke_which(&Which::people(names), reason, None)
    }

    /// Revokes the certificates that `which` says, and keeps a note about why. As compromised, what
    /// was revoked for a lesser reason can be revoked once more, and every certificate for the same
    /// key goes with it.
    ///
    /// # Errors
    ///
    /// As [`Ca::revoke`], or when a serial number is another person's. A number that the index does
    /// not know is taken where nobody is named: the certificate may have been issued elsewhere.
    pub fn revoke_which(
        &self,
        which: &Which,
        reason: Reason,
        note: Option<&str>,
    ) -> Result<Revocation, Error> {
        let now = OffsetDateTime::now_utc();
        let (_lock, mut index) = self.lock()?;
        if let Some(serial) = which.stranger(&index) {
            index.push(self.record_of(serial)?);
        }
        let before = states(&index);
        let mut people = Vec::new();
        for name in which.find(&index)? {
            // Also what has expired: somewhere there may be a clock that is slow.
            let meant = self.meant(which, &name, reason, &index);
            let is_meant = |record: &Record| meant.contains(&record.serial);
            let revoked = index.revoke(is_meant, now, reason, note);
            people.push((name, revoked));
        }
        if people.iter().any(|(_, revoked)| *revoked > 0) {
            // First the database. If this run is cut short here, the next one finds that the list
            // lacks somebody, and signs it.
            self.write_index(&index)?;
            self.sign_list(&index, now)?;
        }
        Ok(Revocation {
            people,
            certificates: changed(&index, &before),
            list: self.folder.list(),
            is_unseen: which.is_unseen(&index),
            may_miss_some: which.serial.is_none() && index.last_unseen_revocation().is_some(),
        })
    }

    /// The certificates that are to be revoked. With a key that is compromised go all that were
    /// ever issued for it. A person's certificates that were revoked before are meant only where
    /// no other is left: their keys are not the one that is at stake now.
    fn meant(&self, which: &Which, name: &str, reason: Reason, index: &Index) -> HashSet<Serial> {
        let named = || {
            let records = index.records().iter();
            records.filter(|record| which.matches(record, name))
        };
        let is_open = |record: &Record| record.revoked.is_none() || record.is_on_hold();
        let only_open = which.serial.is_none() && named().any(is_open);
        let first: Vec<&Record> = named()
            .filter(|record| !only_open || is_open(record))
            .collect();
        let mut meant: HashSet<Serial> = first.iter().map(|one| one.serial.clone()).collect();
        if reason == Reason::KeyCompromise {
            // A key that cannot be told may be any that its holder had, and stops no revocation.
            let key = |record: &Record| match self.key_of(record) {
                Ok(hash) => hash.map(Key::Known),
                Err(_) => Some(Key::LostOf(record.name().to_owned())),
            };
            let keys: HashSet<Key> = first.into_iter().filter_map(key).collect();
            let records = index.records().iter();
            let same = records.filter(|r| key(r).is_some_and(|key| keys.contains(&key)));
            meant.extend(same.map(|record| record.serial.clone()));
        }
        meant
    }

    /// Takes certificates off hold, so that their holders are let in again. The counts are of those
    /// that were on hold; one that another has replaced by now stays there.
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
        // What another replaced while it was on hold is revoked for good first.
        if index.revoke_overdue(now) > 0 {
            self.write_index(&index)?;
            self.sign_list(&index, now)?;
        }
        let before = states(&index);
        let mut people = Vec::new();
        let mut freed = 0;
        for name in which.find(&index)? {
            let records = index.unhold(|record| which.matches(record, &name), now);
            freed += records.len();
            people.push((name, records.len()));
        }
        if freed > 0 {
            // First the list. If this run is cut short here, the next one finds that the list lacks
            // somebody who is on hold, and all is as it was.
            self.sign_list(&index, now)?;
            self.write_index(&index)?;
        }
        Ok(Revocation {
            people,
            certificates: changed(&index, &before),
            list: self.folder.list(),
            is_unseen: which.is_unseen(&index),
            may_miss_some: which.serial.is_none() && index.last_unseen_revocation().is_some(),
        })
    }
}

type State = Option<(OffsetDateTime, Reason)>;

fn states(index: &Index) -> Vec<State> {
    let records = index.records().iter();
    records.map(|record| record.revoked).collect()
}

/// The certificates that are in another state than before, and whose they are.
fn changed(index: &Index, before: &[State]) -> Vec<(String, Serial)> {
    let records = index.records().iter().zip(before);
    records
        .filter(|(record, before)| record.revoked != **before)
        .map(|(record, _)| (record.name().to_owned(), record.serial.clone()))
        .collect()
}

/// A key that is compromised.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// As its hash says it.
    Known(String),
    /// One of this holder's, whose certificate is lost.
    LostOf(String),
}

/// The people of these names; each of them was issued a certificate.
pub(super) fn known(names: &[String], index: &Index) -> Result<Vec<ClientId>, Error> {
    if names.is_empty() {
        return Err(Error::Nobody);
    }
    let people: Vec<ClientId> = index
        .records()
        .iter()
        .filter_map(|record| Some(record.person()?.0))
        .collect();
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match ClientId::parse_typed(name) {
            Ok(id) if !people.contains(&id) => unknown.push(nobody(id.as_str(), &people)),
            Ok(id) if !ids.contains(&id) => ids.push(id),
            Ok(_) => {}
            Err(_) => unknown.push(nobody(name, &people)),
        }
    }
    if unknown.is_empty() {
        Ok(ids)
    } else {
        Err(Error::Unknown(unknown))
    }
}

/// Says that a name was never issued, and which one may have been meant.
pub(crate) fn nobody(name: &str, people: &[ClientId]) -> String {
    // Three letters in ten may be wrong; beyond that a suggestion only confuses.
    let nearest = people
        .iter()
        .map(|id| {
            let distance = strsim::damerau_levenshtein(name, id.as_str());
            (distance, id)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, id)| distance * 10 <= id.as_str().chars().count() * 4);
    let said = format!("\"{}\" was never issued a certificate", wire::escape(name));
    match nearest {
        Some((_, id)) => format!("{said} (is \"{id}\" meant?)"),
        None => said,
    }
}
