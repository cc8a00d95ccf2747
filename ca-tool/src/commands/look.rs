//! `list`, `show`, `verify`, `status` and `doctor`: opens the CA's folder for a report.
//!
//! This is the only step around a report that may touch the key: if the revocation list is due and no
//! passphrase has to be typed, it is signed again first. If that fails, the report is made anyway: it
//! gets a [`Register`], which has no key.

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

use super::report::doctor::{KeyState, doctor as diagnose};
use super::report::list::{Filter, Listing};
use super::report::show::show as show_with;
use super::report::status::Status;
use super::report::verify::{ServerOptions, verify as verify_with};
use super::{Context, DONE, NO, Reply};
use crate::ca::Ca;
use crate::error::Error;
use crate::ledger::register::Register;
use crate::notice::Notice;

pub(crate) fn list(context: &Context<'_>, filter: Filter) -> Result<Reply, Error> {
    Listing::of(&context.look()?, filter).map(Reply::new)
}

pub(crate) fn show(context: &Context<'_>, what: &str) -> Result<Reply, Error> {
    if !Path::new(what).exists() {
        return show_with(what, Some(&context.look()?)).map(Reply::new);
    }
    // A file can be shown without a CA; then nobody knows whether it was revoked.
    let register = match context.look() {
        Ok(register) => Some(register),
        Err(Error::NoCa(_)) => None,
        Err(error) => {
            context.notice(&Notice::NoRegister(error));
            None
        }
    };
    show_with(what, register.as_ref()).map(Reply::new)
}

pub(crate) fn verify(
    context: &Context<'_>,
    file: &Path,
    options: &ServerOptions,
) -> Result<Reply, Error> {
    let verdict = verify_with(&context.look()?, file, options)?;
    let (hint, code) = (verdict.hint(), if verdict.admits() { DONE } else { NO });
    Ok(Reply {
        hint,
        ..Reply::new(verdict).coded(code)
    })
}

/// A CA that cannot be read is the worst state, and not a mistake in the command line.
pub(crate) fn status(context: &Context<'_>, db: Option<&Path>) -> Result<Reply, Error> {
    let status = context
        .look()
        .and_then(|register| Status::of(&register, db));
    let status = status.map_err(|error| Error::Broken(Box::new(error)))?;
    let code = status.code();
    Ok(Reply::new(status).coded(code))
}

pub(crate) fn doctor(context: &Context<'_>, crl: Option<&Path>) -> Result<Reply, Error> {
    let register = match context.look() {
        // The other checks do not need the index.
        Err(Error::Index { .. }) => Register::open(context.dir)?,
        looked => looked?,
    };
    let findings = diagnose(&register, context.key_state(), crl);
    let code = if findings.is_bad() { NO } else { DONE };
    Ok(Reply::new(findings).coded(code))
}

impl Context<'_> {
    fn look(&self) -> Result<Register, Error> {
        let register = Register::open(self.dir)?;
        let index = register.index()?;
        let now = OffsetDateTime::now_utc();
        if !register.list_is_due(&index, now)? {
            return Ok(register);
        }
        match self.open_unasked().and_then(|ca| ca.renew_list()) {
            Ok(true) => self.notice(&Notice::ListSigned(register.revocation_list())),
            Ok(false) => {}
            Err(Error::EncryptedKey(_)) => self.notice(&Notice::ListLocked {
                has_expired: register
                    .read_list(now)?
                    .is_some_and(|list| OffsetDateTime::from(list.next_update()) < now),
            }),
            Err(error) => self.notice(&Notice::ListNotSigned(error)),
        }
        Ok(register)
    }

    /// Opens the CA if nobody has to type a passphrase for it.
    fn open_unasked(&self) -> Result<Ca, Error> {
        let ca = Ca::load_with(self.dir, |key| self.ask.passphrase_at_hand(key))?;
        Ok(ca.heard_by(Arc::clone(&self.listener)))
    }

    fn key_state(&self) -> KeyState {
        match self.open_unasked() {
            Ok(_) => KeyState::Good,
            Err(Error::EncryptedKey(_)) => KeyState::Locked,
            Err(error) => KeyState::Bad(error),
        }
    }
}
