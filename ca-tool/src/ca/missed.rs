//! Adds revocations that the index lacks, because the folder was restored from an old copy or the CA
//! was used elsewhere. A certificate that was revoked once stays revoked.

use std::path::Path;

use pki::{Certificate, RevocationList, Serial};
use time::OffsetDateTime;

use super::Ca;
use super::list::GIVEN_NUMBER_MAX;
use crate::error::Error;
use crate::ledger::index::{Index, IndexEntry};
use crate::ledger::revoked::GivenList;
use crate::notice::Notice;
use crate::sign::certificate;
use crate::sign::reason::Revoked;

impl Ca {
    /// Adds the revocations of another list of this CA, and signs the list again with a number above
    /// both. Returns the new list, and how many revocations were added.
    ///
    /// # Errors
    ///
    /// When the file holds no list that this CA signed, or the new one cannot be written.
    pub fn merge_list(&self, path: &Path) -> Result<(RevocationList, usize), Error> {
        let (_lock, mut index) = self.lock()?;
        let now = OffsetDateTime::now_utc();
        let given = GivenList::read(path, self.register.anchor(), GIVEN_NUMBER_MAX)?;
        let learned = self.learn(&mut index, &given.entries)?;
        if learned > 0 {
            self.write_index(&index)?;
        }
        self.raise_list_number(given.number)?;
        self.sign_list(&index, now)?;
        Ok((self.list_as_signed(now)?, learned))
    }

    /// Adds revocations that are on the folder's own list and not in the index.
    pub(super) fn catch_up(&self, index: &mut Index, now: OffsetDateTime) -> Result<(), Error> {
        let learned = self.learn(index, &self.register.list_entries(now)?)?;
        if learned == 0 {
            return Ok(());
        }
        self.write_index(index)?;
        self.listener.notice(&Notice::CaughtUp {
            count: learned,
            index: self.folder().index(),
            list: self.folder().list(),
        });
        Ok(())
    }

    pub(super) fn learn(&self, index: &mut Index, entries: &[Revoked]) -> Result<usize, Error> {
        index.learn(entries, |serial| self.entry_of(serial))
    }

    /// Returns the entry of a certificate that the index does not know. If only the index was restored,
    /// the certificate is still there and names its owner.
    pub(super) fn entry_of(&self, serial: &Serial) -> Result<IndexEntry, Error> {
        let pem = self.register.issued(serial)?;
        let der = pem.and_then(|pem| certificate::first_in(&pem).ok().flatten());
        let said = der.and_then(|der| Certificate::parse(&der).ok());
        let found = said.filter(|said| said.serial == *serial).map(|said| {
            let subject = &said.subject;
            let parts = [
                ("CN", &subject.common_names),
                ("OU", &subject.units),
                ("O", &subject.organizations),
            ];
            let parts = parts.into_iter();
            let parts =
                parts.flat_map(|(kind, texts)| texts.iter().map(move |t| (kind, t.clone())));
            (said.not_after.into(), parts.collect::<Vec<_>>())
        });
        let is_plain = |parts: &[(&str, String)]| {
            !parts.is_empty()
                && parts
                    .iter()
                    .all(|(_, text)| !text.contains(char::is_control))
        };
        Ok(match found {
            Some((not_after, parts)) if is_plain(&parts) => {
                IndexEntry::new(serial.clone(), not_after, parts)
            }
            _ => IndexEntry::unseen(serial.clone(), self.register.says().not_after.into()),
        })
    }
}
