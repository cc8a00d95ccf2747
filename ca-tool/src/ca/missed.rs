//! Takes over revocations of which the index has not heard: the folder was put back from an old
//! copy, or this CA was at work elsewhere. Whoever was kept out once stays out.

use std::path::Path;

use pki::{Certificate, RevocationList, Serial};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;

use super::Ca;
use super::list::GIVEN_NUMBER_MAX;
use crate::error::Error;
use crate::ledger::index::{Index, Record};
use crate::ledger::revoked::GivenList;
use crate::sign::issuer::Revoked;

impl Ca {
    /// Takes over what another revocation list of this CA revokes, and signs the list again under a
    /// number above both. Says how many revocations were taken over.
    ///
    /// # Errors
    ///
    /// When the file holds no list that this CA signed, or the new one cannot be written.
    pub fn merge_list(&self, path: &Path) -> Result<(RevocationList, usize), Error> {
        let (_lock, mut index) = self.lock()?;
        let now = OffsetDateTime::now_utc();
        let given = GivenList::read(path, self.anchor(), GIVEN_NUMBER_MAX)?;
        let learned = self.learn(&mut index, &given.entries)?;
        if learned > 0 {
            self.write_index(&index)?;
        }
        self.raise_list_number(given.number)?;
        self.sign_list(&index, now)?;
        Ok((self.list_as_signed(now)?, learned))
    }

    /// Takes over what the folder's own list says beyond the index, and says so.
    pub(super) fn catch_up(&self, index: &mut Index, now: OffsetDateTime) -> Result<(), Error> {
        let learned = self.learn(index, &self.list_entries(now)?)?;
        if learned == 0 {
            return Ok(());
        }
        self.write_index(index)?;
        let (path, list) = (self.folder.index(), self.folder.list());
        let (path, list) = (path.display(), list.display());
        let revocations = match learned {
            1 => "a revocation".to_owned(),
            _ => format!("{learned} revocations"),
        };
        say!(
            "ca-tool: note: {path} did not have {revocations} of {list}, as an old copy does not; it has now"
        );
        Ok(())
    }

    pub(super) fn learn(&self, index: &mut Index, entries: &[Revoked]) -> Result<usize, Error> {
        index.learn(entries, |serial| self.record_of(serial))
    }

    /// The record of a certificate that the index does not know. Where the index alone was put
    /// back, the certificate is there and says whose it is.
    pub(super) fn record_of(&self, serial: &Serial) -> Result<Record, Error> {
        let pem = self.issued(serial)?;
        let der = pem.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
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
                Record::new(serial.clone(), not_after, parts)
            }
            _ => Record::unseen(serial.clone(), self.says().not_after.into()),
        })
    }
}
