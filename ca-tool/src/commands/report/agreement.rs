//! Compares the index with a revocation list, in words. After an old copy of the folder was restored,
//! each may contain a revocation that the other lacks.

use std::fs;
use std::path::Path;

use pki::Serial;
use time::OffsetDateTime;

use crate::error::Error;
use crate::ledger::index::Index;
use crate::ledger::register::{Register, agrees};
use crate::ledger::revoked::{self, GivenList};
use crate::words::counted;

/// Returns the differences between the folder's list and its index. A missing list is not among them:
/// each report says that itself.
pub(super) fn differences(
    register: &Register,
    index: &Index,
    now: OffsetDateTime,
) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    if register.read_list(now)?.is_none() {
        return Ok(found);
    }
    let entries = register.list_entries(now)?;
    let said = revoked::reasons(&entries);
    let missed = index.missed(&entries).len();
    let lacks = |serial: &Serial| !said.contains_key(serial);
    let revoked = index.revoked().count();
    if index.revoked().any(|revoked| lacks(&revoked.serial)) {
        found.push("the revocation list lacks a revoked certificate".to_owned());
    } else if missed == 0 && said.len() > revoked {
        found.push(
            "the revocation list is an old one: it still has a certificate that was taken off hold"
                .to_owned(),
        );
    } else if missed == 0 && !agrees(&entries, index) {
        found.push("the revocation list and the index give different reasons".to_owned());
    }
    if index.is_overdue(now) {
        found.push(
            "the overlap of a renewal is over, and servers still accept the old certificate"
                .to_owned(),
        );
    }
    if missed > 0 {
        found.push(format!(
            "the index lacks {} from the revocation list; was an old copy restored?",
            counted(missed, "revocation", "revocations")
        ));
    }
    Ok(found)
}

/// How a server's list compares with this folder.
pub(super) enum Comparison {
    /// It has a revocation that the folder lacks, or it is newer.
    Beyond(String),
    /// It is older than the folder's list, and has nothing that the folder lacks.
    Old,
    /// It has nothing that the folder lacks.
    Known,
}

/// Compares a server's list with this folder.
pub(super) fn compare(
    register: &Register,
    index: &Index,
    path: &Path,
    now: OffsetDateTime,
) -> Result<Comparison, Error> {
    let given = GivenList::read(path, register.anchor(), u64::MAX)?;
    let missed = index.missed(&given.entries).len();
    let number = register.read_list(now)?.map(|list| list.number().to_u64());
    let shown = path.display();
    Ok(match number {
        _ if missed > 0 => Comparison::Beyond(format!(
            "{shown} has {} that the index lacks: the folder was restored from an old copy",
            counted(missed, "revocation", "revocations")
        )),
        Some(Some(number)) if number < given.number => {
            Comparison::Beyond(format!("{shown} is newer than the folder's list"))
        }
        Some(Some(number)) if number > given.number => Comparison::Old,
        _ => Comparison::Known,
    })
}

/// Returns the certificates in `certs/` that are not in the index.
pub(super) fn unlisted(register: &Register, index: &Index) -> Vec<Serial> {
    let known = index.serials();
    let entries = fs::read_dir(register.folder.certificates());
    let entries = entries.into_iter().flatten().flatten();
    let mut unlisted: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            Serial::parse(name.to_str()?.strip_suffix(".pem")?)
        })
        .filter(|serial| !known.contains(serial))
        .collect();
    unlisted.sort_by_key(Serial::to_string);
    unlisted
}
