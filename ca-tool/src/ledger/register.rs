//! A CA's folder as it can be read without the CA's key: its certificate, what was issued, and the
//! revocation list.
//!
//! Reports need no more, so they never ask for a passphrase.

use std::path::{Path, PathBuf};

use pki::{RevocationList, Serial};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;

use crate::disk::folder::{self, Folder};
use crate::error::Error;
use crate::ledger::index::{Index, Record};
use crate::ledger::revoked;
use crate::sign::host::Reach;
use crate::sign::issuer::Revoked;

/// A CA's folder, to be read.
#[derive(Debug, Clone)]
pub struct Register {
    pub(crate) folder: Folder,
    anchor: CertificateDer<'static>,
    says: pki::Certificate,
}

/// The database of a CA; some 350,000 certificates.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Any other text in the folder.
pub(crate) const TEXT_BYTES_MAX: u64 = 1 << 20;

impl Register {
    /// Reads the certificate of a folder's CA. It may have expired.
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
        let pem = folder::read_if_there(&certificate, TEXT_BYTES_MAX)?
            .ok_or_else(|| Error::NoCa(path.to_owned()))?;
        let anchor =
            CertificateDer::from_pem_slice(&pem).map_err(|_| damaged("it holds no certificate"))?;
        Self::new(folder, anchor).map_err(|_| damaged("the certificate is damaged"))
    }

    /// The register of a CA that this program holds in its hands.
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

    pub(crate) fn index(&self) -> Result<Index, Error> {
        let path = self.folder.index();
        // An empty index would be the end of every revocation, so none is not taken for an empty one.
        let text = folder::read_text_if_there(&path, INDEX_BYTES_MAX)?;
        let missing = || Error::Damaged {
            path: path.clone(),
            fault: "it is missing, and with it everything that was issued and revoked".to_owned(),
        };
        Index::parse(&text.ok_or_else(missing)?, &path)
    }

    /// Whether fewer than [`pki::CRL_RENEW_DAYS`] days of the revocation list are left, whether it
    /// is not there or damaged, or does not say what the index does: it lacks somebody who was
    /// revoked or should be by now, says another reason, keeps somebody out who was taken off hold,
    /// or knows of more than the index.
    pub(crate) fn list_is_due(&self, index: &Index, now: OffsetDateTime) -> Result<bool, Error> {
        let Some(list) = self.read_list(now)? else {
            return Ok(true);
        };
        let left = OffsetDateTime::from(list.next_update()) - now;
        let is_near_its_end = left < time::Duration::days(pki::CRL_RENEW_DAYS.into());
        if is_near_its_end || index.is_overdue(now) {
            return Ok(true);
        }
        let entries = self.list_entries(now)?;
        Ok(!agrees(&entries, index))
    }

    /// What the list says of each certificate on it; nothing when no server would take it.
    pub(crate) fn list_entries(&self, now: OffsetDateTime) -> Result<Vec<Revoked>, Error> {
        let path = self.folder.list();
        let bytes = folder::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?;
        let is_good =
            |bytes: &Vec<u8>| RevocationList::parse(bytes, &self.anchor, now.into()).is_ok();
        Ok(bytes
            .filter(is_good)
            .map_or_else(Vec::new, |bytes| revoked::entries(&bytes)))
    }

    /// The list as it is now; `None` when it is not there or no server would take it.
    pub(crate) fn read_list(&self, now: OffsetDateTime) -> Result<Option<RevocationList>, Error> {
        let path = self.folder.list();
        let bytes = folder::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| RevocationList::parse(&bytes, &self.anchor, now.into()).ok()))
    }

    /// Where people's bundles say that the server is.
    pub(crate) fn server(&self) -> Result<Option<String>, Error> {
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
        &self.anchor
    }

    /// What it says.
    pub fn says(&self) -> &pki::Certificate {
        &self.says
    }
}

/// Whether a list revokes what the index does and nothing else, for the same reasons. A run that is
/// killed between the two leaves the list behind, and somebody may put an old one in its place.
pub(crate) fn agrees(entries: &[Revoked], index: &Index) -> bool {
    let said = revoked::reasons(entries);
    let revoked: Vec<Revoked> = index.revoked().collect();
    said.len() == revoked.len()
        && revoked
            .iter()
            .all(|revoked| said.get(&revoked.serial) == Some(&revoked.reason))
}
