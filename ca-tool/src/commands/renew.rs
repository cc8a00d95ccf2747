//! Renews, having asked where many people would notice.

use std::io::{self, IsTerminal as _, Write as _};

use time::Duration;

use super::deed::{Deed, Item};
use super::{Output, counted, note, open, some, tell_issued};
use crate::ca::{IssueOptions, Issued, Whose};
use crate::cli::args::Place;
use crate::error::Error;

pub(super) fn renew(
    place: &Place,
    (whose, overlap): (&Whose, Duration),
    options: &IssueOptions,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    if matches!(whose, Whose::Everybody) && overlap.is_zero() && !place.yes {
        confirm(
            "everybody's certificates would end now, and whoever has not got the new one is kept out",
        )?;
    }
    let ca = open(place, output)?;
    let done = ca.renew(whose, overlap, options)?;
    if let Some(until) = done.clamped {
        let until = until.date();
        note(
            output,
            &format!("the CA itself is valid until {until}, so nothing it issues is longer"),
        );
    }
    if !done.skipped.is_empty() {
        let who = counted(done.skipped.len(), "person has", "people have");
        note(
            output,
            &format!("{who} a certificate that is valid for as long; skipped"),
        );
    }
    if !done.on_hold.is_empty() {
        let names: Vec<_> = done.on_hold.iter().map(ToString::to_string).collect();
        let names = some(&names, " ");
        note(
            output,
            &format!(
                "on hold, and so not renewed: {names}; `ca-tool unhold` lets them in again, and then they can be"
            ),
        );
    }
    let is_listed = done.until.is_none() && done.revoked > 0;
    let on_hold = done.on_hold.iter().map(|id| Item {
        name: id.to_string(),
        why: Some("on hold".to_owned()),
        ..Item::default()
    });
    let deed = Deed::new("renew")
        .skipped(done.skipped.iter().map(Item::skipped))
        .skipped(on_hold)
        .list(is_listed.then(|| ca.revocation_list()).as_deref());
    tell_issued(place, deed, &done.issued, output)?;
    if done.issued.is_empty() {
        return Ok(());
    }
    match done.until {
        Some(until) => note(
            output,
            &format!(
                "the old certificates are good until {}; the first run of ca-tool after that revokes them, such as `ca-tool crl`",
                until.date()
            ),
        ),
        None if done.revoked > 0 => {
            let list = ca.revocation_list();
            let list = list.display();
            note(
                output,
                &format!(
                    "{list} revokes the old certificates now; a server elsewhere needs the new file"
                ),
            );
        }
        None => {}
    }
    let is_answer = |issued: &Issued| issued.bundle.extension().is_some_and(|e| e == "crt");
    if let Some(answer) = done.issued.iter().find(|issued| is_answer(issued)) {
        let name = &answer.name;
        note(
            output,
            &format!(
                "who made their own key is sent a .crt: `ca-tool adopt {name}.crt --key {name}.key` joins it with the key"
            ),
        );
    }
    if done.issued.iter().all(is_answer) {
        return Ok(());
    }
    note(
        output,
        "a bundle holds its owner's private key: hand each to its owner alone",
    );
    Ok(())
}

/// Asks whoever sits at the terminal.
fn confirm(what: &str) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::NotConfirmed(what.to_owned()));
    }
    // Who cannot be asked answers nothing, which is no.
    let _ = write!(io::stderr(), "{what}: go on? [y/N] ");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(Error::Unanswered)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::Declined),
    }
}
