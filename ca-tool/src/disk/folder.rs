//! The names in a CA's folder. They follow OpenSSL's conventions, so that `openssl ca` can use it.

use std::path::{Path, PathBuf};

use pki::Serial;

/// A CA's folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The CA's certificate. It exists if, and only if, the folder holds a CA.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The folder of the CA's key.
    pub(crate) fn private(&self) -> PathBuf {
        self.0.join("private")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.private().join("ca.key")
    }

    /// The folder of every certificate that was issued.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.0.join("certs")
    }

    /// The certificate with this serial number, which OpenSSL writes in upper case.
    pub(crate) fn issued(&self, serial: &Serial) -> PathBuf {
        self.certificates().join(Self::issued_name(serial))
    }

    pub(crate) fn issued_name(serial: &Serial) -> String {
        format!("{}.pem", serial.to_string().to_uppercase())
    }

    /// The index: which certificates were issued and revoked.
    pub(crate) fn index(&self) -> PathBuf {
        self.0.join("index.txt")
    }

    /// The revocation list.
    pub(crate) fn list(&self) -> PathBuf {
        self.0.join("crl.pem")
    }

    /// The lowest number that the next revocation list may have.
    pub(crate) fn list_number(&self) -> PathBuf {
        self.0.join("crlnumber")
    }

    /// The folder of people's bundles.
    pub(crate) fn people(&self) -> PathBuf {
        self.0.join("people")
    }

    /// The bundle of the first server.
    pub(crate) fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// The file that says where the server is.
    pub(crate) fn settings(&self) -> PathBuf {
        self.0.join("settings")
    }

    /// The file that names the folders in which files wait for delivery.
    pub(crate) fn pending(&self) -> PathBuf {
        self.0.join(".pending")
    }

    /// The file that a run locks while it works in the folder.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join(".lock")
    }
}
