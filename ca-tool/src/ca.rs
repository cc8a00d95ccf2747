//! A CA's folder at work: makes it, issues from it, revokes, and keeps its list fresh.
//!
//! Every change holds the folder's lock and goes in one order: bundles are written under names
//! that nobody can foresee, then the issuance is recorded, then the bundles get their names.
//! A run that is cut short leaves a certificate that nobody has, never one that nobody knows of.

mod founding;
mod issuance;
mod list;
mod revocation;

use std::io;
use std::path::{Path, PathBuf};

use pki::Serial;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::error::{Error, io_error};
use crate::folder::{self, Folder};
use crate::host::Reach;
use crate::index::{Index, Record};
use crate::issuer::Issuer;
use crate::os::Access;

pub use founding::InitOptions;
pub(crate) use issuance::end_of;
pub use issuance::{Issuance, IssueOptions, Issued};
pub use revocation::Revocation;
pub(crate) use revocation::nobody;

/// A folder that holds a CA.
#[derive(Debug)]
pub struct Ca {
    folder: Folder,
    issuer: Issuer,
}

/// The database of a CA; some 500,000 certificates.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Any other text in the folder.
const TEXT_BYTES_MAX: u64 = 1 << 20;

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
        Self::load_at(path, OffsetDateTime::now_utc())
    }

    fn load_at(path: &Path, now: OffsetDateTime) -> Result<Self, Error> {
        let folder = Folder::new(path);
        let (certificate, key) = (folder.certificate(), folder.key());
        let pem = folder::read_if_there(&certificate, TEXT_BYTES_MAX)?
            .ok_or_else(|| Error::NoCa(path.to_owned()))?;
        let secret = folder::read_text_if_there(&key, TEXT_BYTES_MAX)?.ok_or_else(|| {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            io_error("read", &key)(missing)
        })?;
        let issuer = Issuer::load((&certificate, &pem), (&key, &secret), now)?;
        Ok(Self { folder, issuer })
    }

    /// Everything that was issued, oldest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Record>, Error> {
        Ok(self.index()?.records().to_vec())
    }

    /// The certificate of this number, as PEM, if it was issued here.
    ///
    /// # Errors
    ///
    /// When its file cannot be read.
    pub fn issued(&self, serial: &Serial) -> Result<Option<Vec<u8>>, Error> {
        folder::read_if_there(&self.folder.issued(serial), TEXT_BYTES_MAX)
    }

    fn index(&self) -> Result<Index, Error> {
        let path = self.folder.index();
        // An empty index would be the end of every revocation, so none is not taken for an empty one.
        let text = folder::read_text_if_there(&path, INDEX_BYTES_MAX)?;
        let missing = || Error::Damaged {
            path: path.clone(),
            fault: "it is missing, and with it everything that was issued and revoked".to_owned(),
        };
        Index::parse(&text.ok_or_else(missing)?, &path)
    }

    fn write_index(&self, index: &Index) -> Result<(), Error> {
        let text = index.format();
        folder::replace(&self.folder.index(), text.as_bytes(), Access::Public)
    }

    /// Where people's bundles say that the server is.
    fn server(&self) -> Result<Option<String>, Error> {
        let path = self.folder.settings();
        let Some(text) = folder::read_text_if_there(&path, TEXT_BYTES_MAX)? else {
            return Ok(None);
        };
        let server = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == "server");
        server
            .map(|(_, server)| {
                let fault = |error: crate::HostError| Error::Damaged {
                    path: path.clone(),
                    fault: error.to_string(),
                };
                Ok(Reach::parse(server.trim()).map_err(fault)?.to_string())
            })
            .transpose()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where `issue` puts people's bundles unless it is told otherwise.
    pub fn people(&self) -> PathBuf {
        self.folder.people()
    }

    /// Where the bundle of the first server is.
    pub fn server_bundle(&self) -> PathBuf {
        self.folder.server()
    }

    /// Where the revocation list is.
    pub fn revocation_list(&self) -> PathBuf {
        self.folder.list()
    }

    /// Where the CA's key is.
    pub fn key(&self) -> PathBuf {
        self.folder.key()
    }

    /// Where the CA's certificate is.
    pub fn certificate(&self) -> PathBuf {
        self.folder.certificate()
    }

    /// The CA's certificate: what everybody trusts.
    pub fn anchor(&self) -> &CertificateDer<'static> {
        self.issuer.certificate()
    }

    /// What it says.
    pub fn says(&self) -> &pki::Certificate {
        self.issuer.says()
    }

    /// What signs. Whatever is signed with it directly is neither recorded nor checked.
    pub fn issuer(&self) -> &rcgen::Issuer<'static, KeyPair> {
        self.issuer.signer()
    }
}

#[cfg(test)]
mod tests;
