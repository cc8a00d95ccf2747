//! A CA's folder without the CA's key: its certificate, everything that was issued, and the revocation
//! list. Reports take a register, so they cannot need the key or a passphrase.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pki::{RevocationList, Serial};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::index::{Index, IndexEntry};
use super::revoked;
use super::settings::{SERVER, Settings};
use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::disk::folder::Folder;
use crate::error::{Error, pem_error};
use crate::sign::certificate::first_in;
use crate::sign::host::{HostError, Reach};
use crate::sign::reason::Revoked;

/// A CA's folder, for reading.
#[derive(Debug, Clone)]
pub struct Register {
    pub(crate) folder: Folder,
    anchor: CertificateDer<'static>,
    says: pki::Certificate,
}

/// The index, in bytes; enough for about 350,000 certificates.
const INDEX_BYTES_MAX: u64 = 64 << 20;

impl Register {
    /// Reads the certificate of the CA in a folder. It may have expired.
    ///
    /// # Errors
    ///
    /// When there is no CA, or its certificate cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = Folder::new(path);
        let certificate = folder.certificate();
        let damaged = |fault: &str| Error::Damaged {
            path: certificate.clone(),
            fault: fault.to_owned(),
        };
        let pem = files::read_if_there(&certificate, TEXT_BYTES_MAX)?
            .ok_or_else(|| Error::NoCa(path.to_owned()))?;
        let anchor = first_in(&pem)
            .map_err(pem_error(&certificate))?
            .ok_or_else(|| damaged("it holds no certificate"))?;
        Self::new(folder, anchor).map_err(|_| damaged("the certificate is damaged"))
    }

    /// Makes the register of a CA whose certificate is already read.
    pub(crate) fn new(
        folder: Folder,
        anchor: CertificateDer<'static>,
    ) -> Result<Self, pki::CertificateError> {
        let says = pki::Certificate::parse(&anchor)?;
        Ok(Self {
            folder,
            anchor,
            says,
        })
    }

    /// Reads everything that was issued, oldest first.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn entries(&self) -> Result<Vec<IndexEntry>, Error> {
        Ok(self.index()?.entries().to_vec())
    }

    /// Reads the certificate with this number, as PEM, if it was issued here.
    ///
    /// # Errors
    ///
    /// When its file cannot be read.
    pub fn issued(&self, serial: &Serial) -> Result<Option<Vec<u8>>, Error> {
        files::read_if_there(&self.folder.issued(serial), TEXT_BYTES_MAX)
    }

    /// Reads the index.
    pub(crate) fn index(&self) -> Result<Index, Error> {
        let path = self.folder.index();
        // A missing index must not count as an empty one: that would undo every revocation.
        let missing = || Error::Index {
            path: path.clone(),
            fault:
                "it is missing, and with it the record of everything that was issued and revoked"
                    .to_owned(),
        };
        let text = files::read_text_if_there(&path, INDEX_BYTES_MAX);
        let index = text.and_then(|text| Index::parse(&text.ok_or_else(missing)?, &path));
        index.map_err(|error| match error {
            Error::Damaged { path, fault } => Error::Index { path, fault },
            other => other,
        })
    }

    /// Returns whether the revocation list has to be signed again: it has fewer than
    /// [`pki::CRL_RENEW_DAYS`] days left, is missing or damaged, or disagrees with the index. They
    /// disagree when a revocation is only in one of them, when their reasons differ, and when a
    /// certificate should have been revoked by now.
    pub(crate) fn list_is_due(&self, index: &Index, now: OffsetDateTime) -> Result<bool, Error> {
        let Some(list) = self.read_list(now)? else {
            return Ok(true);
        };
        let left = OffsetDateTime::from(list.next_update()) - now;
        let is_near_its_end = left < time::Duration::days(pki::CRL_RENEW_DAYS.into());
        if is_near_its_end || index.is_overdue(now) {
            return Ok(true);
        }
        // A server tells people when their old certificates end.
        let said: HashMap<&Serial, SystemTime> = list.ends().collect();
        if said != index.ends().collect() {
            return Ok(true);
        }
        let entries = self.list_entries(now)?;
        Ok(!agrees(&entries, index))
    }

    /// Reads the entries of the list. There are none when no server would accept it.
    pub(crate) fn list_entries(&self, now: OffsetDateTime) -> Result<Vec<Revoked>, Error> {
        let path = self.folder.list();
        let bytes = files::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?;
        let is_good =
            |bytes: &Vec<u8>| RevocationList::parse(bytes, &self.anchor, now.into()).is_ok();
        Ok(bytes
            .filter(is_good)
            .map_or_else(Vec::new, |bytes| revoked::entries_in(&bytes)))
    }

    /// Reads the list. Returns `None` when it does not exist or no server would accept it.
    pub(crate) fn read_list(&self, now: OffsetDateTime) -> Result<Option<RevocationList>, Error> {
        let path = self.folder.list();
        let bytes = files::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| RevocationList::parse(&bytes, &self.anchor, now.into()).ok()))
    }

    /// Reads where people's bundles say that the server is.
    pub(crate) fn server(&self) -> Result<Option<String>, Error> {
        let path = self.folder.settings();
        let settings = self.settings()?;
        let server = settings.find(SERVER);
        server
            .map(|server| {
                let fault = |error: HostError| Error::Damaged {
                    path: path.clone(),
                    fault: error.to_string(),
                };
                Ok(Reach::parse(server).map_err(fault)?.to_string())
            })
            .transpose()
    }

    /// Reads the settings.
    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        Settings::read(&self.folder)
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the folder where `issue` puts people's bundles by default.
    pub fn people(&self) -> PathBuf {
        self.folder.people()
    }

    /// Returns the file of the first server's bundle.
    pub fn server_bundle(&self) -> PathBuf {
        self.folder.server()
    }

    /// Returns the file of the revocation list.
    pub fn revocation_list(&self) -> PathBuf {
        self.folder.list()
    }

    /// Returns the file of the CA's key, which a register never opens.
    pub fn key(&self) -> PathBuf {
        self.folder.key()
    }

    /// Returns the file of the CA's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.certificate()
    }

    /// Returns the CA's certificate, which everybody trusts.
    pub fn anchor(&self) -> &CertificateDer<'static> {
        &self.anchor
    }

    /// Returns the parsed CA certificate.
    pub fn says(&self) -> &pki::Certificate {
        &self.says
    }
}

/// Returns whether a list and the index revoke the same certificates for the same reasons. They differ
/// when a run was killed between writing the two, or when somebody restored an old list.
pub(crate) fn agrees(entries: &[Revoked], index: &Index) -> bool {
    let said = revoked::reasons(entries);
    let revoked: Vec<Revoked> = index.revoked().collect();
    said.len() == revoked.len()
        && revoked
            .iter()
            .all(|revoked| said.get(&revoked.serial) == Some(&revoked.reason))
}

/// Returns the number that a list signed now has, if no earlier list has a higher one: the milliseconds
/// since 1970.
pub(crate) fn list_number_at(now: OffsetDateTime) -> u64 {
    u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}
