//! Finds revocations that an index has missed, because an old copy of it was restored or because its CA
//! was used elsewhere. It learns them from a revocation list.

use std::collections::HashMap;

use pki::Serial;
use time::OffsetDateTime;

use super::{Index, IndexEntry};
use crate::sign::reason::{Reason, Revoked};

impl Index {
    /// Returns when the last certificate was revoked of which only the number is known.
    pub(crate) fn last_unseen_revocation(&self) -> Option<OffsetDateTime> {
        let unseen = self.0.iter().filter(|entry| entry.is_unseen());
        unseen.filter_map(|entry| Some(entry.revoked?.0)).max()
    }

    /// Returns the entries of a list that are news to the index: the certificate is unknown, or not
    /// revoked here, or only on hold, or the list says that its key is compromised. A hold that has
    /// ended here is not news, however old the list is.
    pub(crate) fn missed<'a>(&self, listed: &'a [Revoked]) -> Vec<&'a Revoked> {
        let positions = self.positions();
        let is_missed = |revoked: &&Revoked| match positions.get(&revoked.serial) {
            None => true,
            Some(position) => {
                let known = &self.0[*position];
                let is_over =
                    revoked.reason == Reason::CertificateHold && known.outlived_hold(revoked.at);
                !is_over && known.is_changed_by(revoked.at, revoked.reason)
            }
        };
        listed.iter().filter(is_missed).collect()
    }

    /// Adds what it has missed, and returns how many revocations that were. `entry` makes the entry of
    /// a certificate that the index does not know.
    pub(crate) fn learn<E>(
        &mut self,
        listed: &[Revoked],
        entry: impl Fn(&Serial) -> Result<IndexEntry, E>,
    ) -> Result<usize, E> {
        let missed = self.missed(listed);
        let mut positions = self.positions();
        for revoked in &missed {
            let position = match positions.get(&revoked.serial) {
                Some(position) => *position,
                None => {
                    self.0.push(entry(&revoked.serial)?);
                    positions.insert(revoked.serial.clone(), self.0.len() - 1);
                    self.0.len() - 1
                }
            };
            self.0[position].revoke(revoked.at, revoked.reason);
        }
        Ok(missed.len())
    }

    fn positions(&self) -> HashMap<Serial, usize> {
        let entries = self.0.iter().enumerate();
        let positions = entries.map(|(position, entry)| (entry.serial.clone(), position));
        positions.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::path::Path;

    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

    fn revoked(serial: &str, reason: Reason) -> Revoked {
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
        let listed = [
            revoked("01", Reason::AffiliationChanged),
            revoked("03", Reason::Superseded),
            revoked("04", Reason::Superseded),
            revoked("05", Reason::KeyCompromise),
            revoked("06", Reason::PrivilegeWithdrawn),
            revoked("06", Reason::KeyCompromise),
        ];
        let unseen = |serial: &Serial| Ok::<_, Infallible>(IndexEntry::unseen(serial.clone(), AT));
        assert_eq!(index.missed(&listed).len(), 5);
        let Ok(learned) = index.learn(&listed, unseen);
        assert_eq!(learned, 5);
        assert!(index.missed(&listed).is_empty());
        let expected = "R\t270520235959Z\t261121100000Z,affiliationChanged\t01\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t270520235959Z\t\t02\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,keyCompromise\t03\tunknown\t/CN=carol/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,superseded\t04\tunknown\t/CN=dave/OU=student/O=N\n\
             R\t270520235959Z\t261120100000Z,keyCompromise\t05\tunknown\t/CN=erin/OU=student/O=N\n\
             R\t261121100000Z\t261121100000Z,keyCompromise\t06\tcertificate=unknown\t/CN=unknown\n";
        assert_eq!(index.format(), expected);
        let again = Index::parse(expected, Path::new("index.txt")).expect("an index");
        assert!(again.entries()[5].is_unseen());
        assert!(!again.entries()[0].is_unseen());
        assert_eq!(again.entries()[5].person(), None);
    }

    #[test]
    fn a_hold_that_was_ended_is_nothing_new_and_one_that_began_later_is() {
        let mut index = Index::parse(
            "R\t270520235959Z\t261121100000Z,certificateHold\t01\tunknown\t/CN=bob/OU=student/O=N\n",
            Path::new("index.txt"),
        )
        .expect("an index");
        let held = revoked("01", Reason::CertificateHold);
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
