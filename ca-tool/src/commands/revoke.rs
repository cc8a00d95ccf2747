//! Revokes, takes off hold, and says what became of whom.

use super::deed::{Deed, Item};
use super::{Output, note, open};
use crate::ca::{Revocation, Which};
use crate::cli::args::Place;
use crate::error::Error;
use crate::sign::reason::Reason;

pub(super) fn revoke(
    place: &Place,
    which: &Which,
    reason: Reason,
    why: Option<&str>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let done = open(place, output)?.revoke_which(which, reason, why)?;
    let on_hold = reason == Reason::CertificateHold;
    let did = if on_hold { "put on hold" } else { "revoked" };
    let is_new = done.people.iter().any(|(_, count)| *count > 0);
    if done.is_unseen && is_new {
        note(
            output,
            "no certificate of that number is known here; if this CA signed one elsewhere, servers refuse it from now on",
        );
    }
    let otherwise = "is revoked already, or has no certificate";
    tell(place, ("revoke", did, otherwise), &done, output)?;
    if done.may_miss_some {
        note(
            output,
            "this folder may not know every certificate of theirs (an old copy was put back, or the CA was at work elsewhere); the server's table joins has the serial of each that connected, and `ca-tool revoke --serial` takes it",
        );
    }
    if on_hold && is_new {
        note(output, "`ca-tool unhold NAME` lets them in again");
    }
    Ok(())
}

pub(super) fn unhold(place: &Place, which: &Which, output: &mut Output<'_>) -> Result<(), Error> {
    let done = open(place, output)?.unhold(which)?;
    let words = ("unhold", "took off hold", "is not on hold");
    tell(place, words, &done, output)
}

fn tell(
    place: &Place,
    (command, did, otherwise): (&'static str, &str, &str),
    done: &Revocation,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let any = !done.certificates.is_empty();
    let certificates = done.certificates.iter().map(|(name, serial)| Item {
        name: name.clone(),
        serial: Some(serial.to_string()),
        ..Item::default()
    });
    let untouched = || done.people.iter().filter(|(_, count)| *count == 0);
    let skipped = untouched().map(|(name, _)| Item {
        name: name.clone(),
        why: Some(otherwise.to_owned()),
        ..Item::default()
    });
    let deed = Deed::new(command)
        .done(certificates)
        .skipped(skipped)
        .list(any.then_some(&done.list));
    deed.tell(place, output, |results| {
        for (name, count) in &done.people {
            let name = wire::escape(name);
            match count {
                0 => {}
                1 => writeln!(results, "{did} the certificate of {name}")?,
                _ => writeln!(results, "{did} {count} certificates of {name}")?,
            }
        }
        Ok(())
    })?;
    for (name, _) in untouched() {
        let name = wire::escape(name);
        note(output, &format!("{name} {otherwise}; nothing was done"));
    }
    if any {
        let list = done.list.display();
        note(
            output,
            &format!("{list} says so now; a server elsewhere needs the new file"),
        );
    }
    Ok(())
}
