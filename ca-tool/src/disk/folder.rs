//! The names in a CA's folder. They follow OpenSSL's conventions, so that `openssl ca` can use it.

use std::path::{Path, PathBuf};

use pki::Serial;

/// A CA's folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Names the folder, which need not exist.
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Returns the folder's own path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the file of the CA's certificate. It exists if, and only if, the folder holds a CA.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// Returns the folder of the CA's key.
    pub(crate) fn private(&self) -> PathBuf {
        self.0.join("private")
    }

    /// Returns the file of the CA's key.
    pub(crate) fn key(&self) -> PathBuf {
        self.private().join("ca.key")
    }

    /// Returns the folder of every certificate that was issued.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.0.join("certs")
    }

    /// Returns the file of the certificate with this serial number, which OpenSSL writes in upper case.
    pub(crate) fn issued(&self, serial: &Serial) -> PathBuf {
        self.certificates().join(Self::issued_name(serial))
    }

    /// Returns the name of that file.
    pub(crate) fn issued_name(serial: &Serial) -> String {
        format!("{}.pem", serial.to_string().to_uppercase())
    }

    /// Returns the file of the index: which certificates were issued and revoked.
    pub(crate) fn index(&self) -> PathBuf {
        self.0.join("index.txt")
    }

    /// Returns the file of the revocation list.
    pub(crate) fn list(&self) -> PathBuf {
        self.0.join("crl.pem")
    }

    /// Returns the file with the lowest number that the next revocation list may have.
    pub(crate) fn list_number(&self) -> PathBuf {
        self.0.join("crlnumber")
    }

    /// Returns the folder of people's bundles.
    pub(crate) fn people(&self) -> PathBuf {
        self.0.join("people")
    }

    /// Returns the file of the first server's bundle.
    pub(crate) fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// Returns the file that says where the server is.
    pub(crate) fn settings(&self) -> PathBuf {
        self.0.join("settings")
    }

    /// Returns the file that says which columns of rosters hold what.
    pub(crate) fn rosters(&self) -> PathBuf {
        self.0.join("rosters.json")
    }

    /// Returns the file that names the folders in which files wait for delivery.
    pub(crate) fn pending(&self) -> PathBuf {
        self.0.join(".pending")
    }

    /// Returns the file that a run locks while it works in the folder.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join(".lock")
    }
}
