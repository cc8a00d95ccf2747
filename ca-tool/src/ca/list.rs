//! Keeps the revocation list fresh: its number only grows, and nobody is ever forgotten.

use pki::RevocationList;
use time::OffsetDateTime;

use super::Ca;
use crate::disk::folder;
use crate::error::Error;
use crate::ledger::index::Index;
use crate::ledger::register::TEXT_BYTES_MAX;
use crate::os::Access;

/// No list gets a higher number.
pub(super) const LIST_NUMBER_MAX: u64 = 1 << 60;
/// A list that somebody gives is counted on from; this leaves room for all that will ever be
/// signed, were it one in a millisecond for millions of years.
pub(super) const GIVEN_NUMBER_MAX: u64 = LIST_NUMBER_MAX / 2;

impl Ca {
    /// Signs the revocation list again if fewer than [`pki::CRL_RENEW_DAYS`] days of it are left,
    /// if it is not there or damaged, or if it does not say what the index does. Says whether it
    /// did; what the list says beyond the index is taken over into that.
    ///
    /// # Errors
    ///
    /// When the list cannot be written.
    pub fn renew_list(&self) -> Result<bool, Error> {
        self.renew_list_at(OffsetDateTime::now_utc())
    }

    pub(super) fn renew_list_at(&self, now: OffsetDateTime) -> Result<bool, Error> {
        if !self.list_is_due(&self.index()?, now)? {
            return Ok(false);
        }
        // Another run may have signed it while this one waited.
        let (_lock, mut index) = self.lock()?;
        let due = self.list_is_due(&index, now)?;
        if due {
            if index.revoke_overdue(now) > 0 {
                self.write_index(&index)?;
            }
            self.sign_list(&index, now)?;
        }
        Ok(due)
    }

    /// Signs the revocation list again, whether or not it is due.
    ///
    /// # Errors
    ///
    /// When the list cannot be written.
    pub fn sign_list_again(&self) -> Result<RevocationList, Error> {
        let (_lock, index) = self.lock()?;
        let now = OffsetDateTime::now_utc();
        self.sign_list(&index, now)?;
        self.list_as_signed(now)
    }

    pub(super) fn list_as_signed(&self, now: OffsetDateTime) -> Result<RevocationList, Error> {
        let list = self.read_list(now)?;
        list.ok_or_else(|| Error::SelfCheck("no server would take the list".to_owned()))
    }

    pub(super) fn sign_list(&self, index: &Index, now: OffsetDateTime) -> Result<(), Error> {
        self.check_nobody_is_forgotten(index, now)?;
        let number = self.next_list_number(now)?;
        // The next number is on the disk before this one is used, so none is used twice.
        self.raise_list_number(number)?;
        let list = self.issuer.sign_list(number, index.revoked(), now)?;
        folder::replace(&self.folder.list(), list.as_bytes(), Access::Public)
    }

    /// Has the next list numbered above this number, which a list has that was signed here or
    /// elsewhere.
    pub(super) fn raise_list_number(&self, number: u64) -> Result<(), Error> {
        let next = self.list_number_file()?.unwrap_or(0).max(number + 1);
        folder::replace(
            &self.folder.list_number(),
            format!("{}\n", to_hex(next)).as_bytes(),
            Access::Public,
        )
    }

    fn list_number_file(&self) -> Result<Option<u64>, Error> {
        let path = self.folder.list_number();
        let text = folder::read_text_if_there(&path, TEXT_BYTES_MAX)?;
        let number = text.map(|text| u64::from_str_radix(text.trim(), 16));
        number.transpose().map_err(|_| Error::ListNumber(path))
    }

    /// Whoever is on the list now is on the next one too: an index that lost its newest lines must
    /// not let a revoked person back in.
    fn check_nobody_is_forgotten(&self, index: &Index, now: OffsetDateTime) -> Result<(), Error> {
        let forgotten = index.missed(&self.list_entries(now)?).len();
        if forgotten == 0 {
            return Ok(());
        }
        let list = self.folder.list();
        let fault = format!(
            "it does not know {forgotten} of the certificates that {} revokes; was an old copy put back?",
            list.display()
        );
        Err(Error::Damaged {
            path: self.folder.index(),
            fault,
        })
    }

    /// Larger than any number before, and at least the milliseconds since 1970: servers refuse a
    /// list with a lower number than one they saw, so an old copy of this folder that is put back
    /// must not fall behind what was signed after it was made. Nobody signs a list in less than a
    /// millisecond, so however many were signed, their numbers did not run ahead of the clock.
    fn next_list_number(&self, now: OffsetDateTime) -> Result<u64, Error> {
        let path = self.folder.list_number();
        let bad = || Error::ListNumber(path.clone());
        let next = self.list_number_file()?.unwrap_or(0);
        let signed = self
            .read_list(now)?
            .map(|list| list.number().to_u64().ok_or_else(bad))
            .transpose()?;
        let number = next
            .max(milliseconds_since_1970(now))
            .max(signed.map_or(0, |signed| signed.saturating_add(1)));
        if number > LIST_NUMBER_MAX {
            return Err(bad());
        }
        Ok(number)
    }
}

/// What a list's number is counted from.
pub(crate) fn milliseconds_since_1970(now: OffsetDateTime) -> u64 {
    u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// As OpenSSL writes numbers: whole bytes, upper case.
fn to_hex(number: u64) -> String {
    let digits = format!("{number:X}");
    if digits.len() % 2 == 0 {
        digits
    } else {
        format!("0{digits}")
    }
}
