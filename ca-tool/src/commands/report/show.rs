//! Shows a file, or a person's certificates.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;
use wire::ClientId;

use super::contents::Shown;
use crate::error::Error;
use crate::ledger::register::Register;
use crate::people::suggestion::never_issued;

/// The contents of a file, or the certificates of a person.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Contents(Vec<Shown>);

/// Shows a file if there is one of this name, and a person's certificates otherwise. `register` knows
/// the revocations, and is needed for a person.
pub(crate) fn show(what: &str, register: Option<&Register>) -> Result<Contents, Error> {
    let now = OffsetDateTime::now_utc();
    let path = Path::new(what);
    let shown = match register {
        Some(register) if !path.exists() => person(register, what, now)?,
        _ => Shown::read(path, register, now)?,
    };
    Ok(Contents(shown))
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, shown) in self.0.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{shown}")?;
        }
        Ok(())
    }
}

/// Returns every certificate of a person, the newest first.
fn person(register: &Register, name: &str, now: OffsetDateTime) -> Result<Vec<Shown>, Error> {
    let entries = register.entries()?;
    let id = ClientId::parse_typed(name).ok();
    let mut shown = Vec::new();
    for entry in entries.iter().rev() {
        let is_theirs = entry.person().is_some_and(|(person, _)| Some(person) == id);
        if !is_theirs {
            continue;
        }
        let path = register.folder.issued(&entry.serial);
        if let Some(pem) = register.issued(&entry.serial)? {
            shown.extend(Shown::parse(&pem, &path, Some(register), now)?);
        }
    }
    // Somebody who types a file's name means a file.
    let is_file_name = name.contains(['/', '.']);
    if shown.is_empty() && is_file_name && pki::alike(Path::new(name)).is_some() {
        return Err(Error::NoFile(name.into()));
    }
    if shown.is_empty() {
        let people: Vec<_> = entries.iter().filter_map(|r| Some(r.person()?.0)).collect();
        return Err(Error::NothingToShow(format!(
            "there is no such file, and {}",
            never_issued(name, &people)
        )));
    }
    Ok(shown)
}
