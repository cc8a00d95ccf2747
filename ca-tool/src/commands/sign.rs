//! `sign`: answers a request for a certificate, and notes everything in it that was ignored.

use std::path::Path;

use super::deed::{Deed, Item, notes_on_moved};
use super::issue::note_on_until;
use super::{Context, Reply};
use crate::ca::IssueOptions;
use crate::error::Error;
use crate::sign::request::Request;
use crate::words::{NAMES_SHOWN_MAX, day, first_few};

pub(crate) fn sign(
    context: &Context<'_>,
    path: &Path,
    name: &str,
    options: &IssueOptions,
) -> Result<Reply, Error> {
    // A bad request is refused before anybody is asked for a passphrase.
    let request = Request::read(path)?;
    let ca = context.open()?;
    let issuance = ca.sign(&request, name, options)?;
    let deed = Deed::new("sign")
        .skipped(issuance.skipped.iter().map(Item::skipped))
        .issued(&issuance.issued);
    let skipped = issuance.skipped.iter().map(|skipped| {
        let (id, until) = (&skipped.id, day(skipped.until));
        format!("{id} has a certificate for this key until {until}; skipped")
    });
    let mut notes: Vec<_> = skipped.collect();
    if let Some(until) = issuance.clamped {
        let until = day(until);
        notes.push(format!("the CA itself is valid until {until}"));
    } else if !issuance.issued.is_empty() {
        notes.extend(note_on_until(options.until));
    }
    notes.extend(notes_on_moved(&issuance.issued));
    if let Some(issued) = issuance.issued.first() {
        let ignored = request.ignored(&issued.name);
        if !ignored.is_empty() {
            let ignored = first_few(&ignored, NAMES_SHOWN_MAX, ", ");
            let path = path.display();
            notes.push(format!(
                "{path} also asks for {ignored}: only its key was used"
            ));
        }
        let name = &issued.name;
        notes.push(format!(
            "send it back to {name}; `ca-tool adopt {name}.crt --key {name}.key` combines it with the key"
        ));
    }
    Ok(Reply::new(deed).noting(notes))
}
