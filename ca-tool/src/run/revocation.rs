//! Revokes, takes off hold, and says what became of whom.

use super::{Output, note, open};
use crate::args::Place;
use crate::ca::{Revocation, Which};
use crate::error::Error;
use crate::reason::Reason;

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
        )?;
    }
    tell(
        &done,
        did,
        "is revoked already, or has no certificate",
        output,
    )?;
    if on_hold && is_new {
        note(output, "`ca-tool unhold NAME` lets them in again")?;
    }
    Ok(())
}

pub(super) fn unhold(place: &Place, which: &Which, output: &mut Output<'_>) -> Result<(), Error> {
    let done = open(place, output)?.unhold(which)?;
    tell(&done, "took off hold", "is not on hold", output)
}

fn tell(
    done: &Revocation,
    did: &str,
    otherwise: &str,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut any = false;
    for (name, count) in &done.people {
        any |= *count > 0;
        let name = name.escape_debug();
        match count {
            0 => note(output, &format!("{name} {otherwise}; nothing was done"))?,
            1 => writeln!(output.results, "{did} the certificate of {name}")?,
            _ => writeln!(output.results, "{did} {count} certificates of {name}")?,
        }
    }
    if any {
        let list = done.list.display();
        note(
            output,
            &format!("{list} says so now; a server elsewhere needs the new file"),
        )?;
    }
    Ok(())
}
