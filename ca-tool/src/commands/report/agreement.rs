//! Whether the index and a revocation list say the same, in words. After an old copy of the folder
//! was put back, each may know of somebody whom the other does not.

use std::fs;
use std::path::Path;

use pki::Serial;
use time::OffsetDateTime;

use crate::error::Error;
use crate::ledger::index::Index;
use crate::ledger::register::{Register, agrees};
use crate::ledger::revoked::{self, GivenList};

/// What the folder's list and its index say differently. A list that is not there is told of by
/// whoever looks for it.
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
        found.push("the revocation list lacks somebody who was revoked".to_owned());
    } else if missed == 0 && said.len() > revoked {
        found.push(
            "the revocation list is an old one: it keeps somebody out who was taken off hold since"
                .to_owned(),
        );
    } else if missed == 0 && !agrees(&entries, index) {
        found.push("the revocation list gives another reason than the index".to_owned());
    }
    if index.is_overdue(now) {
        found.push(
            "the overlap of a renewal is over, and the old certificate is still let in".to_owned(),
        );
    }
    if missed > 0 {
        found.push(format!(
            "the index lacks {} on the revocation list; was an old copy put back?",
            revocations(missed)
        ));
    }
    Ok(found)
}

/// How a list that a server has stands to this folder.
pub(super) enum Given {
    /// It says something that the folder should know, or is newer.
    Beyond(String),
    /// It is older than the folder's list, and says nothing that is not here.
    Old,
    /// It says nothing that is not here.
    Known,
}

/// What a list that a server has says beyond this folder.
pub(super) fn given(
    register: &Register,
    index: &Index,
    path: &Path,
    now: OffsetDateTime,
) -> Result<Given, Error> {
    let given = GivenList::read(path, register.anchor(), u64::MAX)?;
    let missed = index.missed(&given.entries).len();
    let number = register.read_list(now)?.map(|list| list.number().to_u64());
    let shown = path.display();
    Ok(match number {
        _ if missed > 0 => Given::Beyond(format!(
            "{shown} has {} that the index lacks: the folder was put back from an old copy",
            revocations(missed)
        )),
        Some(Some(number)) if number < given.number => {
            Given::Beyond(format!("{shown} is newer than the folder's list"))
        }
        Some(Some(number)) if number > given.number => Given::Old,
        _ => Given::Known,
    })
}

/// How many certificates are in `certs/` that the index does not name.
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

fn revocations(count: usize) -> String {
    match count {
        1 => "a revocation".to_owned(),
        _ => format!("{count} revocations"),
    }
}
