//! A CA at work: it is made, it issues, it revokes, and it keeps its revocation list fresh.
//!
//! Use `Ca` from outside, with its options and results, and nothing else. Every change holds the
//! folder's lock, and happens at the moment when the index is written: `settling` finishes what an
//! interrupted run had recorded in the index, and undoes what it had not. Nothing here prints or reads
//! the command line, and reports are not here: they need no key.

mod adoption;
mod delivery;
mod founding;
mod issuance;
mod list;
mod memory;
mod missed;
mod old_bundle;
mod order;
mod pending;
mod place;
mod renewal;
mod revocation;
mod settling;
mod signing;

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::disk::folder::Folder;
use crate::disk::leftovers;
use crate::disk::lock::{Lock, lock};
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::ledger::index::Index;
use crate::ledger::register::Register;
use crate::notice::{Listener, Notice, Silent};
use crate::os::Access;
use crate::sign::issuer::Issuer;

pub use adoption::AdoptOptions;
pub use founding::InitOptions;
pub use issuance::{Issuance, IssueOptions};
pub(crate) use memory::remembered;
pub use order::Issued;
pub use renewal::{Renewal, Whose};
pub use revocation::{Revocation, Which};

/// A folder that holds a CA, and the CA's key.
#[derive(Debug)]
pub struct Ca {
    register: Register,
    issuer: Issuer,
    listener: Arc<dyn Listener>,
}

impl Ca {
    /// Opens the CA of a folder, and signs its revocation list again if that is due.
    ///
    /// # Errors
    ///
    /// When there is no CA, its key does not belong to its certificate, it has expired, or the list
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

    /// Opens the CA of a folder, and writes nothing. If the key is encrypted, asks for the passphrase
    /// with the key's path.
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
        let pem = files::read_if_there(&certificate, TEXT_BYTES_MAX)?
            .ok_or_else(|| Error::NoCa(path.to_owned()))?;
        let secret =
            files::read_if_there(&key, TEXT_BYTES_MAX)?.ok_or_else(|| files::missing(&key))?;
        let secret = Zeroizing::new(secret);
        let issuer = Issuer::load((&certificate, &pem), (&key, &secret), passphrase, now)?;
        Self::of(folder, issuer)
    }

    fn of(folder: Folder, issuer: Issuer) -> Result<Self, Error> {
        let register = Register::new(folder, issuer.certificate().clone())
            .map_err(|error| Error::SelfCheck(error.to_string()))?;
        Ok(Self {
            register,
            issuer,
            listener: Arc::new(Silent),
        })
    }

    /// Sends notices and progress to this listener from now on.
    #[must_use]
    pub fn heard_by(self, listener: Arc<dyn Listener>) -> Self {
        Self { listener, ..self }
    }

    /// Keeps other runs away, and repairs what an interrupted run left. Only the holder of the lock
    /// writes the index, so it is read here and not earlier.
    fn lock(&self) -> Result<(Lock, Index), Error> {
        let listener = &*self.listener;
        let lock = lock(self.folder(), listener)?;
        leftovers::remove_from(self.folder(), listener)?;
        let mut index = self.register.index()?;
        let settled = settling::settle(self.folder(), &index, listener)?;
        let folder = || self.register.path().to_owned();
        if settled.delivered > 0 {
            listener.notice(&Notice::Delivered {
                count: settled.delivered,
                folder: folder(),
            });
        }
        if settled.removed > 0 {
            listener.notice(&Notice::Undone {
                count: settled.removed,
                folder: folder(),
            });
        }
        self.catch_up(&mut index, OffsetDateTime::now_utc())?;
        Ok((lock, index))
    }

    fn write_index(&self, index: &Index) -> Result<(), Error> {
        let text = index.format();
        files::replace(&self.folder().index(), text.as_bytes(), Access::Public)
    }

    fn folder(&self) -> &Folder {
        &self.register.folder
    }

    /// Returns the CA's name, which is the room's.
    pub fn name(&self) -> &str {
        self.issuer.name()
    }

    /// Returns the same folder without the key, for reports.
    pub fn register(&self) -> &Register {
        &self.register
    }
}

#[cfg(test)]
mod tests;
