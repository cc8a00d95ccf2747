//! Looks for everything that will cause trouble, and says how to fix it. Each file here checks one part of
//! the CA's folder; nothing is repaired.

mod bundles;
mod files;
mod finding;
mod folder;
mod lists;

use std::path::Path;

use time::OffsetDateTime;

use crate::error::Error;
use crate::ledger::register::Register;

pub(crate) use finding::Findings;

/// The state of the CA's key, which no report can open.
pub(crate) enum KeyState {
    /// It belongs to the CA's certificate.
    Good,
    /// It is encrypted, and nobody gave the passphrase.
    Locked,
    /// It cannot be used.
    Bad(Error),
}

/// Checks everything. `crl` is the list that a server elsewhere has.
pub(crate) fn doctor(register: &Register, key: KeyState, crl: Option<&Path>) -> Findings {
    let now = OffsetDateTime::now_utc();
    let mut findings = Findings::default();
    findings.clock(register, now);
    findings.modes(register);
    findings.key(register, key);
    findings.certificate(register);
    let index = findings.index(register);
    findings.list(register, index.as_ref(), now);
    if let (Some(path), Some(index)) = (crl, &index) {
        findings.given_list(register, index, path, now);
    }
    findings.bundles(register, index.as_ref());
    findings.server(register, index.as_ref(), now);
    findings
}
