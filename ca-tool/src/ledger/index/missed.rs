//! What an index has missed: an old copy of it was put back, or its CA was at work elsewhere. It
//! learns that from a revocation list.

use std::collections::HashMap;

use pki::Serial;
use time::OffsetDateTime;

use super::{Index, Record, raised};
use crate::sign::issuer::Revoked;
use crate::sign::reason::Reason;

/// A certificate of which nothing is known but its number.
const UNSEEN: &str = "certificate";
/// What stands there, and for its name.
const UNKNOWN: &str = "unknown";

impl Record {
    /// Of a certificate that was issued, if it was, where this index was not kept. When it ends is
    /// not known either; no certificate is good for longer than its CA, until `not_after`.
    pub(crate) fn unseen(serial: Serial, not_after: OffsetDateTime) -> Self {
        let mut record = Self::new(serial, not_after, vec![("CN", UNKNOWN.to_owned())]);
        record.set_note(UNSEEN, UNKNOWN);
        record
    }

    /// Whether nothing is known of the certificate but its number.
    pub fn is_unseen(&self) -> bool {
        self.note(UNSEEN).is_some()
    }
}

impl Index {
    /// When a certificate was revoked for the last time of which nothing is known but its number.
    pub(crate) fn last_unseen_revocation(&self) -> Option<OffsetDateTime> {
        let unseen = self.0.iter().filter(|record| record.is_unseen());
        unseen.filter_map(|record| Some(record.revoked?.0)).max()
    }

    /// What a list says beyond the index: it revokes a certificate that the index does not know or
    /// takes for good, or it revokes for good what is on hold here, or as compromised. A hold that
    /// was ended here is nothing new, however old the list is.
    pub(crate) fn missed<'a>(&self, entries: &'a [Revoked]) -> Vec<&'a Revoked> {
        let places = self.places();
        let is_missed = |entry: &&Revoked| match places.get(&entry.serial) {
            None => true,
            Some(place) => {
                let known = &self.0[*place];
                let is_over =
                    entry.reason == Reason::CertificateHold && known.outlived_hold(entry.at);
                !is_over && raised(known.revoked, entry.at, entry.reason).is_some()
            }
        };
        entries.iter().filter(is_missed).collect()
    }

    /// Takes over what it has missed, and says how much that was. `record` makes the record of a
    /// certificate that the index does not know.
    pub(crate) fn learn<E>(
        &mut self,
        entries: &[Revoked],
        record: impl Fn(&Serial) -> Result<Record, E>,
    ) -> Result<usize, E> {
        let missed = self.missed(entries);
        let mut places = self.places();
        for entry in &missed {
            let place = match places.get(&entry.serial) {
                Some(place) => *place,
                None => {
                    self.0.push(record(&entry.serial)?);
                    places.insert(entry.serial.clone(), self.0.len() - 1);
                    self.0.len() - 1
                }
            };
            let known = &mut self.0[place];
            if let Some(revoked) = raised(known.revoked, entry.at, entry.reason) {
                known.revoked = Some(revoked);
                known.line = None;
            }
        }
        Ok(missed.len())
    }

    fn places(&self) -> HashMap<Serial, usize> {
        let records = self.0.iter().enumerate();
        let places = records.map(|(place, record)| (record.serial.clone(), place));
        places.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::path::Path;

    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

    fn entry(serial: &str, reason: Reason) -> Revoked {
        Revoked {
            serial: Serial::parse(serial).expect("a number"),
            at: AT,
            reason,
        }
    }

    #[test]
    fn what_an_index_has_missed_it_learns_once_and_it_unlearns_nothing() {
        let mut index = Index::parse(
            "V\t270520235959Z\t\t01\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t270520235959Z\t\t02\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,keyCompromise\t03\tunknown\t/CN=carol/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,certificateHold\t04\tunknown\t/CN=dave/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,superseded\t05\tunknown\t/CN=erin/OU=student/O=N\n",
            Path::new("index.txt"),
        )
        .expect("an index");
        let entries = [
            entry("01", Reason::AffiliationChanged),
            entry("03", Reason::Superseded),
            entry("04", Reason::Superseded),
            entry("05", Reason::KeyCompromise),
            entry("06", Reason::PrivilegeWithdrawn),
            entry("06", Reason::KeyCompromise),
        ];
        let unseen = |serial: &Serial| Ok::<_, Infallible>(Record::unseen(serial.clone(), AT));
        assert_eq!(index.missed(&entries).len(), 5);
        let Ok(learned) = index.learn(&entries, unseen);
        assert_eq!(learned, 5);
        assert!(index.missed(&entries).is_empty());
        let expected = "R\t270520235959Z\t261121100000Z,affiliationChanged\t01\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t270520235959Z\t\t02\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,keyCompromise\t03\tunknown\t/CN=carol/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,superseded\t04\tunknown\t/CN=dave/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,keyCompromise\t05\tunknown\t/CN=erin/OU=student/O=N\n\
             R\t261121100000Z\t261121100000Z,keyCompromise\t06\tcertificate=unknown\t/CN=unknown\n";
        assert_eq!(index.format(), expected);
        let again = Index::parse(expected, Path::new("index.txt")).expect("an index");
        assert!(again.records()[5].is_unseen());
        assert!(!again.records()[0].is_unseen());
        assert_eq!(again.records()[5].person(), None);
    }

    #[test]
    fn a_hold_that_was_ended_is_nothing_new_and_one_that_began_later_is() {
        let mut index = Index::parse(
            "R\t270520235959Z\t261121100000Z,certificateHold\t01\tunknown\t/CN=bob/OU=student/O=N\n",
            Path::new("index.txt"),
        )
        .expect("an index");
        let held = entry("01", Reason::CertificateHold);
        assert_eq!(index.unhold(|_| true, AT).len(), 1);
        let index = Index::parse(&index.format(), Path::new("index.txt")).expect("an index");
        assert!(index.missed(std::slice::from_ref(&held)).is_empty());
        let later = Revoked {
            at: AT + time::Duration::SECOND,
            ..held.clone()
        };
        let for_good = Revoked {
            reason: Reason::Unspecified,
            ..held
        };
        for missed in [later, for_good] {
            assert_eq!(index.missed(&[missed]).len(), 1);
        }
    }
}
