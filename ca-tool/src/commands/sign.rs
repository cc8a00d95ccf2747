//! Answers a request for a certificate, and says what was not taken from it.

use std::path::Path;

use super::deed::{Deed, Item};
use super::{Output, note, open, some, tell_issued};
use crate::ca::IssueOptions;
use crate::cli::args::Place;
use crate::error::Error;
use crate::sign::request::Request;

pub(super) fn sign(
    place: &Place,
    path: &Path,
    name: &str,
    options: &IssueOptions,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    // Nobody gives a passphrase for a request that is not taken.
    let request = Request::read(path)?;
    let ca = open(place, output)?;
    let issuance = ca.sign(&request, name, options)?;
    for skipped in &issuance.skipped {
        let (id, until) = (&skipped.id, skipped.until.date());
        note(
            output,
            &format!("{id} has a certificate for this key until {until}; skipped"),
        );
    }
    if let Some(until) = issuance.clamped {
        let until = until.date();
        note(output, &format!("the CA itself is valid until {until}"));
    }
    let skipped = issuance.skipped.iter().map(Item::skipped);
    let deed = Deed::new("sign").skipped(skipped);
    tell_issued(place, deed, &issuance.issued, output)?;
    let Some(issued) = issuance.issued.first() else {
        return Ok(());
    };
    let ignored = request.ignored(&issued.name);
    if !ignored.is_empty() {
        let (path, ignored) = (path.display(), some(&ignored, ", "));
        note(
            output,
            &format!("{path} also asks for {ignored}: only its key was taken"),
        );
    }
    let name = &issued.name;
    note(
        output,
        &format!(
            "send it back to {name}; `ca-tool adopt {name}.crt --key {name}.key` joins it with the key"
        ),
    );
    Ok(())
}
