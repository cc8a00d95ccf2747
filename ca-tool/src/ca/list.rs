//! Keeps the revocation list fresh. Its number only grows, and no revocation is ever lost.

use pki::RevocationList;
use time::OffsetDateTime;

use super::Ca;
use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::error::Error;
use crate::ledger::index::Index;
use crate::ledger::register::list_number_at;
use crate::os::Access;

/// The highest number of a list.
pub(super) const LIST_NUMBER_MAX: u64 = 1 << 60;
/// The highest number of a list from outside, from which numbers continue. It leaves enough of them for
/// one list per millisecond over millions of years.
pub(super) const GIVEN_NUMBER_MAX: u64 = LIST_NUMBER_MAX / 2;

impl Ca {
    /// Signs the revocation list again if it has fewer than [`pki::CRL_RENEW_DAYS`] days left, if it is
    /// missing or damaged, or if it disagrees with the index. Returns whether it did. Revocations that
    /// are only on the list are added to the index.
    ///
    /// # Errors
    ///
    /// When the list cannot be written.
    pub fn renew_list(&self) -> Result<bool, Error> {
        self.renew_list_at(OffsetDateTime::now_utc())
    }

    pub(super) fn renew_list_at(&self, now: OffsetDateTime) -> Result<bool, Error> {
        if !self.register.list_is_due(&self.register.index()?, now)? {
            return Ok(false);
        }
        // Another run may have signed it while this one waited.
        let (_lock, mut index) = self.lock()?;
        let due = self.register.list_is_due(&index, now)?;
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
        let list = self.register.read_list(now)?;
        list.ok_or_else(|| Error::SelfCheck("no server would accept the list".to_owned()))
    }

    pub(super) fn sign_list(&self, index: &Index, now: OffsetDateTime) -> Result<(), Error> {
        self.check_no_revocation_is_lost(index, now)?;
        let number = self.next_list_number(now)?;
        // The next number is on the disk before this one is used, so no number is used twice.
        self.raise_list_number(number)?;
        let list = self.issuer.sign_list(number, index.revoked(), now)?;
        let list = RevocationList::with_ends(&list, index.ends());
        files::replace(&self.folder().list(), list.as_bytes(), Access::Public)
    }

    /// Makes sure that the next list has a higher number than this one.
    pub(super) fn raise_list_number(&self, number: u64) -> Result<(), Error> {
        let next = self.list_number_file()?.unwrap_or(0).max(number + 1);
        files::replace(
            &self.folder().list_number(),
            format!("{}\n", to_hex(next)).as_bytes(),
            Access::Public,
        )
    }

    fn list_number_file(&self) -> Result<Option<u64>, Error> {
        let path = self.folder().list_number();
        let text = files::read_text_if_there(&path, TEXT_BYTES_MAX)?;
        let number = text.map(|text| u64::from_str_radix(text.trim(), 16));
        number.transpose().map_err(|_| Error::ListNumber(path))
    }

    /// Refuses to sign a list that would lose a revocation: an index without its newest lines must not
    /// let a revoked person back in.
    fn check_no_revocation_is_lost(&self, index: &Index, now: OffsetDateTime) -> Result<(), Error> {
        let lost = index.missed(&self.register.list_entries(now)?).len();
        if lost == 0 {
            return Ok(());
        }
        let list = self.folder().list();
        let fault = format!(
            "it lacks {lost} of the certificates that {} revokes; was an old copy restored?",
            list.display()
        );
        Err(Error::Damaged {
            path: self.folder().index(),
            fault,
        })
    }

    /// Returns the number of the next list: higher than every earlier one, and at least the milliseconds
    /// since 1970. Servers refuse a lower number than one they have seen, so a restored old copy of the
    /// folder must not fall behind the lists that were signed after it was made. Signing takes longer
    /// than a millisecond, so the numbers never run ahead of the clock.
    fn next_list_number(&self, now: OffsetDateTime) -> Result<u64, Error> {
        let path = self.folder().list_number();
        let bad = || Error::ListNumber(path.clone());
        let next = self.list_number_file()?.unwrap_or(0);
        let signed = self
            .register
            .read_list(now)?
            .map(|list| list.number().to_u64().ok_or_else(bad))
            .transpose()?;
        let number = next
            .max(list_number_at(now))
            .max(signed.map_or(0, |signed| signed.saturating_add(1)));
        if number > LIST_NUMBER_MAX {
            return Err(bad());
        }
        Ok(number)
    }
}

/// Writes a number as OpenSSL does: whole bytes, upper case.
fn to_hex(number: u64) -> String {
    let digits = format!("{number:X}");
    if digits.len() % 2 == 0 {
        digits
    } else {
        format!("0{digits}")
    }
}
