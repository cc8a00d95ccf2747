//! `revoke` and `unhold`: revokes certificates, or takes them off hold.

use pki::Serial;

use super::deed::{Deed, Item};
use super::{Context, Reply};
use crate::ca::{Revocation, Which};
use crate::error::Error;
use crate::sign::reason::Reason;
use crate::words::{NAMES_SHOWN_MAX, first_few};

pub(crate) fn revoke(
    context: &Context<'_>,
    which: &Which,
    reason: Reason,
    note: Option<&str>,
) -> Result<Reply, Error> {
    let on_hold = reason == Reason::CertificateHold;
    let ca = context.open()?;
    // After the passphrase: whoever types it out of habit must not see it as the answer to a question.
    if !on_hold {
        context.ask.confirm_if_here(&warning(which))?;
    }
    let done = ca.revoke_which(which, reason, note)?;
    let unseen = unseen(which, &done);
    let words = Words {
        command: "revoke",
        did: if on_hold {
            ("", " is on hold")
        } else {
            ("revoked ", "")
        },
        otherwise: match unseen {
            Some(_) => "is revoked already",
            None => "is revoked already, or has no certificate",
        },
        unseen,
    };
    let is_new = done.people.iter().any(|(_, count)| *count > 0);
    let mut notes = Vec::new();
    if done.is_unseen && is_new {
        notes.push(
            "no certificate with that number is known here; if this CA signed one elsewhere, servers refuse it from now on"
                .to_owned(),
        );
    }
    notes.extend(words.notes(&done));
    if done.may_miss_some {
        notes.push(
            "this folder may not know all of their certificates (an old copy was restored, or the CA was used elsewhere); the table joins in the server's database has the serial number of each that connected, for `ca-tool revoke --serial`"
                .to_owned(),
        );
    }
    if on_hold && is_new {
        let whom = match &which.serial {
            Some(serial) => format!("--serial {serial}"),
            None => {
                let held = done.people.iter().filter(|(_, count)| *count > 0);
                let names: Vec<_> = held.map(|(name, _)| name.clone()).collect();
                names
                    .iter()
                    .map(pki::shell_word)
                    .collect::<Vec<_>>()
                    .join(" ")
            }
        };
        notes.push(format!("`ca-tool unhold {whom}` lets them in again"));
    }
    Ok(Reply::new(words.deed(&done)).noting(notes))
}

pub(crate) fn unhold(context: &Context<'_>, which: &Which) -> Result<Reply, Error> {
    let done = context.open()?.unhold(which)?;
    let words = Words {
        command: "unhold",
        did: ("", " may enter again"),
        otherwise: "is not on hold",
        unseen: unseen(which, &done),
    };
    Ok(Reply::new(words.deed(&done)).noting(words.notes(&done)))
}

/// Returns the question before a revocation, with the reason that can be taken back.
fn warning(which: &Which) -> String {
    let whom = match &which.serial {
        Some(serial) => format!("certificate {serial}"),
        None => {
            let names: Vec<_> = which.names.iter().map(|name| wire::escape(name)).collect();
            first_few(&names, NAMES_SHOWN_MAX, ", ")
        }
    };
    format!(
        "A revocation is final. To keep somebody out for a while, use --reason certificateHold.\nServers will refuse {whom} for good"
    )
}

/// Returns the number of the certificate if nothing else is known about it.
fn unseen(which: &Which, done: &Revocation) -> Option<Serial> {
    which.serial.clone().filter(|_| done.is_unseen)
}

struct Words {
    command: &'static str,
    /// The words before and after a certificate that changed; nothing before a person.
    did: (&'static str, &'static str),
    /// The reason why none of a person's changed.
    otherwise: &'static str,
    /// The number of a certificate of which nothing else is known.
    unseen: Option<Serial>,
}

impl Words {
    fn deed(&self, done: &Revocation) -> Deed {
        let any = !done.certificates.is_empty();
        let certificates = done.certificates.iter().map(|(name, serial)| Item {
            name: name.clone(),
            serial: Some(serial.to_string()),
            ..Item::default()
        });
        let untouched = untouched(done).map(|name| Item::because(name, self.otherwise));
        let deed = Deed::new(self.command)
            .done(certificates)
            .skipped(untouched)
            .list(any.then_some(&done.list));
        let (before, after) = self.did;
        done.people.iter().fold(deed, |deed, (name, count)| {
            let name = wire::escape(name);
            match (count, &self.unseen) {
                (0, _) => deed,
                (1, Some(number)) => deed.line(&format!(
                    "{before}number {number}{after}: this folder has no certificate with that number"
                )),
                // Whoever is on hold, or no longer, is a person; what is revoked is a certificate.
                (1, None) if before.is_empty() => deed.line(&format!("{name}{after}")),
                (_, None) if before.is_empty() => {
                    deed.line(&format!("{name}{after} ({count} certificates)"))
                }
                (1, None) => deed.line(&format!("{before}the certificate of {name}{after}")),
                _ => deed.line(&format!("{before}{count} certificates of {name}{after}")),
            }
        })
    }

    fn notes(&self, done: &Revocation) -> Vec<String> {
        let untouched = untouched(done).map(|name| {
            let otherwise = self.otherwise;
            let name = match &self.unseen {
                Some(number) => format!("number {number}"),
                None => wire::escape(name),
            };
            format!("{name} {otherwise}; nothing was done")
        });
        let mut notes: Vec<_> = untouched.collect();
        if !done.certificates.is_empty() {
            let list = done.list.display();
            notes.push(format!(
                "saved in {list}: a server that reads this file acts within 2 seconds. If the server is on another machine, copy it there"
            ));
        }
        notes
    }
}

/// Returns the people of whom no certificate changed.
fn untouched(done: &Revocation) -> impl Iterator<Item = &str> {
    let people = done.people.iter().filter(|(_, count)| *count == 0);
    people.map(|(name, _)| name.as_str())
}
