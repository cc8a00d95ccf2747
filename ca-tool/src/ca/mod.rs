//! A CA's folder at work: makes it, issues from it, revokes, and keeps its list fresh.
//!
//! Every change holds the folder's lock, and the index is where it happens: what is on its way when
//! a run is cut short is finished by the next one if the index knows it, and undone if not.

mod adoption;
mod delivery;
mod draft;
mod founding;
mod issuance;
mod list;
mod missed;
mod renewal;
mod revocation;
mod signing;

use std::ops::Deref;
use std::path::Path;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::disk::folder::{self, Folder, Lock};
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::keys::private_key::PrivateKey;
use crate::ledger::index::Index;
use crate::ledger::register::{Register, TEXT_BYTES_MAX};
use crate::os::Access;
use crate::sign::issuer::Issuer;
use delivery::Outcome;

pub use adoption::AdoptOptions;
pub use founding::InitOptions;
pub(crate) use issuance::end_of;
pub use issuance::{Issuance, IssueOptions, Issued, Progress};
pub(crate) use list::milliseconds_since_1970;
pub use renewal::{Renewal, Whose};
pub(crate) use revocation::nobody;
pub use revocation::{Revocation, Which};

/// A folder that holds a CA, and the CA's key.
#[derive(Debug)]
pub struct Ca {
    register: Register,
    issuer: Issuer,
}

/// Whoever can sign can also read.
impl Deref for Ca {
    type Target = Register;

    fn deref(&self) -> &Register {
        &self.register
    }
}

impl Ca {
    /// Opens the CA of a folder, and signs its revocation list again if that is due.
    ///
    /// # Errors
    ///
    /// When there is no CA, its key is not the certificate's, its time is over, or the list
    /// cannot be written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let ca = Self::load(path)?;
        ca.renew_list()?;
        Ok(ca)
    }

    /// Opens the CA of a folder, and writes nothing.
    ///
    /// # Errors
    ///
    /// As [`Ca::open`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_with(path, |key| Err(Error::EncryptedKey(key.to_owned())))
    }

    /// Opens the CA of a folder, whose key may be encrypted, and writes nothing. The passphrase is
    /// asked for with the key's path, and only if it is needed.
    ///
    /// # Errors
    ///
    /// As [`Ca::open`], or when the passphrase is wrong.
    pub fn load_with(
        path: &Path,
        passphrase: impl FnOnce(&Path) -> Result<Passphrase, Error>,
    ) -> Result<Self, Error> {
        Self::load_at(path, passphrase, OffsetDateTime::now_utc())
    }

    fn load_at(
        path: &Path,
        passphrase: impl FnOnce(&Path) -> Result<Passphrase, Error>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let folder = Folder::new(path);
        let (certificate, key) = (folder.certificate(), folder.key());
        let pem = folder::read_if_there(&certificate, TEXT_BYTES_MAX)?
            .ok_or_else(|| Error::NoCa(path.to_owned()))?;
        let secret = folder::read_text_if_there(&key, TEXT_BYTES_MAX)?
            .ok_or_else(|| folder::missing(&key))?;
        let secret = Zeroizing::new(secret);
        let issuer = Issuer::load((&certificate, &pem), (&key, &secret), passphrase, now)?;
        Self::of(folder, issuer)
    }

    fn of(folder: Folder, issuer: Issuer) -> Result<Self, Error> {
        let register = Register::new(folder, issuer.certificate().clone())
            .map_err(|error| Error::SelfCheck(error.to_string()))?;
        Ok(Self { register, issuer })
    }

    /// Keeps other runs away, and puts right what one that was cut short left. Who holds the lock
    /// is the only one who writes, so the index is read here and not before.
    fn lock(&self) -> Result<(Lock, Index), Error> {
        let lock = self.folder.lock_files()?;
        let mut index = self.index()?;
        let Outcome { finished, removed } = delivery::settle(&self.folder, &index)?;
        let folder = self.path().display();
        for (files, what) in [
            (finished, "delivered what it had recorded"),
            (removed, "removed what it had not recorded"),
        ] {
            if files > 0 {
                let noun = if files == 1 { "file" } else { "files" };
                say!("ca-tool: note: a run in {folder} was cut short; {what}: {files} {noun}");
            }
        }
        self.catch_up(&mut index, OffsetDateTime::now_utc())?;
        Ok((lock, index))
    }

    fn write_index(&self, index: &Index) -> Result<(), Error> {
        let text = index.format();
        folder::replace(&self.folder.index(), text.as_bytes(), Access::Public)
    }

    /// The CA's name, which is the room's.
    pub fn name(&self) -> &str {
        self.issuer.name()
    }

    /// What signs. Whatever is signed with it directly is neither recorded nor checked.
    pub fn issuer(&self) -> &rcgen::Issuer<'static, PrivateKey> {
        self.issuer.signer()
    }
}

#[cfg(test)]
mod tests;
