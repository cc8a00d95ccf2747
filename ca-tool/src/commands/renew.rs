//! `renew`: issues new certificates to people who have one. It asks first if everybody would notice.

use time::Duration;
use wire::{ClientId, FullNameError};

use super::deed::{Deed, Item, notes_on_moved};
use super::issue::{NOTE_ON_BUNDLES, note_on_clamped, note_on_until};
use super::{Context, Reply};
use crate::ca::{IssueOptions, Issued, Whose};
use crate::error::Error;
use crate::words::{NAMES_SHOWN_MAX, counted, day, first_few};

pub(crate) fn renew(
    context: &Context<'_>,
    whose: &Whose,
    overlap: Duration,
    options: &IssueOptions,
) -> Result<Reply, Error> {
    if let Whose::People(people) = whose
        && options.full_name.is_some()
        && people.len() != 1
    {
        return Err(Error::NameOfSeveral(people.len()));
    }
    if matches!(whose, Whose::Everybody) && overlap.is_zero() {
        context.ask.confirm(
            "everybody's certificates would end now, and servers would refuse people who do not have their new one yet",
        )?;
    }
    let ca = context.open()?;
    let done = ca.renew(whose, overlap, options)?;
    let list = ca.register().revocation_list();
    let is_listed = !done.issued.is_empty() && (done.until.is_some() || done.revoked > 0);
    let on_hold = done.on_hold.iter();
    let on_hold = on_hold.map(|id| Item::because(id.to_string(), "on hold"));
    let deed = Deed::new("renew")
        .skipped(done.skipped.iter().map(Item::skipped))
        .skipped(on_hold)
        .list(is_listed.then_some(&list))
        .issued(&done.issued);

    let mut notes: Vec<String> = done.clamped.map(note_on_clamped).into_iter().collect();
    if notes.is_empty() && !done.issued.is_empty() {
        notes.extend(note_on_until(options.until));
    }
    if !done.skipped.is_empty() {
        let who = counted(done.skipped.len(), "person has", "people have");
        notes.push(format!(
            "{who} a certificate that lasts as long already; skipped"
        ));
    }
    if !done.on_hold.is_empty() {
        let names: Vec<_> = done.on_hold.iter().map(ToString::to_string).collect();
        let names = first_few(&names, NAMES_SHOWN_MAX, " ");
        notes.push(format!(
            "on hold, so not renewed: {names}; `ca-tool unhold` lets them in again, and then you can renew theirs"
        ));
    }
    notes.extend(notes_on_unnamed(&done.unnamed));
    notes.extend(notes_on_moved(&done.issued));
    if done.issued.is_empty() {
        return Ok(Reply::new(deed).noting(notes));
    }
    match done.until {
        Some(until) => {
            let (old, them) = match done.issued.len() {
                1 => ("certificate is", "it"),
                _ => ("certificates are", "them"),
            };
            notes.push(format!(
                "the old {old} valid until {} at the latest; the first ca-tool command after that revokes {them}, such as `ca-tool crl`. The server tells their owners, from two weeks before",
                day(until)
            ));
            notes.push(format!(
                "saved in {}. If the server is on another machine, copy it there",
                list.display()
            ));
        }
        None if done.revoked > 0 => notes.push(format!(
            "saved in {}, which revokes the old {} now. If the server is on another machine, copy it there",
            list.display(),
            match done.revoked {
                1 => "certificate",
                _ => "certificates",
            }
        )),
        None => {}
    }
    let is_answer = |issued: &Issued| issued.bundle.extension().is_some_and(|e| e == "crt");
    if let Some(answer) = done.issued.iter().find(|issued| is_answer(issued)) {
        let name = &answer.name;
        notes.push(format!(
            "people who made their own key get a .crt: `ca-tool adopt {name}.crt --key {name}.key` combines it with the key"
        ));
    }
    if !done.issued.iter().all(is_answer) {
        notes.push(NOTE_ON_BUNDLES.to_owned());
    }
    Ok(Reply::new(deed).noting(notes))
}

/// Notes people who were renewed without their full name, each with the reason.
fn notes_on_unnamed(unnamed: &[(ClientId, FullNameError)]) -> Vec<String> {
    let some = unnamed.iter().take(NAMES_SHOWN_MAX);
    let mut notes: Vec<String> = some
        .map(|(id, error)| {
            format!(
                "the full name of {id} is not in the new certificate: {error}; `ca-tool renew {id} --name \"NAME\"` puts another into it"
            )
        })
        .collect();
    let more = unnamed.len().saturating_sub(NAMES_SHOWN_MAX);
    if more > 0 {
        let people = counted(more, "other person has", "other people have");
        notes.push(format!(
            "{people} no full name in the new certificate either"
        ));
    }
    notes
}
