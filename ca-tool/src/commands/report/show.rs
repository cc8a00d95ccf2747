//! Shows a file or a person's certificates.

use std::path::Path;

use time::OffsetDateTime;
use wire::ClientId;

use super::contents::Shown;
use super::look;
use crate::ca::nobody;
use crate::cli::args::Place;
use crate::commands::{Output, note, write_json};
use crate::error::Error;
use crate::ledger::register::Register;

pub(crate) fn show(
    place: &Place,
    what: &str,
    json: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let now = OffsetDateTime::now_utc();
    let path = Path::new(what);
    let shown = if path.exists() {
        // A file can be shown where there is no CA; then nobody knows who was revoked.
        let ca = match look(place, output) {
            Ok(ca) => Some(ca),
            Err(Error::NoCa(_)) => None,
            Err(error) => {
                note(output, &error.to_string());
                None
            }
        };
        Shown::read(path, ca.as_ref(), now)?
    } else {
        show_person(&look(place, output)?, what, now)?
    };
    if json {
        return write_json(&shown, output);
    }
    let texts: Vec<_> = shown.iter().map(Shown::to_text).collect();
    output.tell(|results| write!(results, "{}", texts.join("\n")))
}

/// Every certificate of a person, the newest first.
fn show_person(ca: &Register, name: &str, now: OffsetDateTime) -> Result<Vec<Shown>, Error> {
    let records = ca.list()?;
    let id = ClientId::parse_typed(name).ok();
    let mut shown = Vec::new();
    for record in records.iter().rev() {
        let is_theirs = record
            .person()
            .is_some_and(|(person, _)| Some(person) == id);
        if !is_theirs {
            continue;
        }
        let path = ca.path().join("certs").join(record.serial.to_string());
        if let Some(pem) = ca.issued(&record.serial)? {
            shown.extend(Shown::parse(&pem, &path, Some(ca), now)?);
        }
    }
    if shown.is_empty() {
        let people: Vec<_> = records.iter().filter_map(|r| Some(r.person()?.0)).collect();
        return Err(Error::NothingToShow(format!(
            "there is no such file, and {}",
            nobody(name, &people)
        )));
    }
    Ok(shown)
}
