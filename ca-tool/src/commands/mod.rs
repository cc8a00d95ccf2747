//! One file for each command: it asks the CA, and returns a [`Reply`].
//!
//! A command gets its options as plain values and everything else from a [`Context`]. It does not print,
//! read the command line or ask a person: `cli/` does that, and calls these functions. Reports are in
//! `report/`, where nothing can load a key.

pub(crate) mod adopt;
pub(crate) mod crl;
mod deed;
pub(crate) mod export;
pub(crate) mod init;
pub(crate) mod issue;
pub(crate) mod issue_server;
pub(crate) mod look;
mod missing_files;
mod preview;
pub(crate) mod renew;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod sign;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::ca::Ca;
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::notice::{Listener, Notice};

/// Everything that a command gets from its surroundings.
pub(crate) struct Context<'a> {
    /// The CA's folder.
    pub(crate) dir: &'a Path,
    /// Answers questions.
    pub(crate) ask: &'a dyn Ask,
    /// Hears what happens before the command is done.
    pub(crate) listener: Arc<dyn Listener>,
}

/// Answers a command's questions, for the person who runs it.
pub(crate) trait Ask {
    /// Returns the passphrase of an encrypted key.
    fn passphrase(&self, key: &Path) -> Result<Passphrase, Error>;

    /// Returns the passphrase of an encrypted key if that disturbs nobody, and fails with
    /// [`Error::EncryptedKey`] otherwise.
    fn passphrase_at_hand(&self, key: &Path) -> Result<Passphrase, Error>;

    /// Returns the passphrase for a key that is to be encrypted.
    fn new_passphrase(&self) -> Result<Passphrase, Error>;

    /// Asks whether to go on after this warning, and fails if the answer is not yes.
    fn confirm(&self, warning: &str) -> Result<(), Error>;

    /// The same, but a script goes on: there nobody could answer, and it was written on purpose.
    fn confirm_if_here(&self, warning: &str) -> Result<(), Error>;
}

/// The answer of a command that is done.
pub(crate) struct Reply {
    /// The result, for standard output.
    pub(crate) result: Box<dyn Printable>,
    /// Notes about it, one line each.
    pub(crate) notes: Vec<String>,
    /// The error that the result ends in, if it is no success.
    pub(crate) error: Option<Error>,
    /// Advice, if there is any.
    pub(crate) hint: Option<String>,
    /// The program's exit code.
    pub(crate) code: u8,
}

/// The exit code when everything was done, or everything is well.
pub(crate) const DONE: u8 = 0;
/// The exit code when the answer to a question is no.
pub(crate) const NO: u8 = 1;

/// A result: words for people, by its `Display`, and JSON for programs.
pub(crate) trait Printable: fmt::Display {
    /// Writes the result as JSON.
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl<T: Serialize + fmt::Display> Printable for T {
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

impl Reply {
    fn new(result: impl Printable + 'static) -> Self {
        Self {
            result: Box::new(result),
            notes: Vec::new(),
            error: None,
            hint: None,
            code: DONE,
        }
    }

    fn noting(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    fn failing(self, error: Error) -> Self {
        let error = Some(error);
        Self {
            error,
            code: NO,
            ..self
        }
    }

    fn coded(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

impl Context<'_> {
    /// Opens the CA to change it, and signs its list again if that is due.
    fn open(&self) -> Result<Ca, Error> {
        let ca = Ca::load_with(self.dir, |key| self.ask.passphrase(key))?;
        let ca = ca.heard_by(Arc::clone(&self.listener));
        if ca.renew_list()? {
            self.notice(&Notice::ListSigned(ca.register().revocation_list()));
        }
        Ok(ca)
    }

    fn notice(&self, notice: &Notice) {
        self.listener.notice(notice);
    }
}
