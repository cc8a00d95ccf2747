//! `revoke` and `unhold`: revokes certificates, or takes them off hold.

use super::deed::{Deed, Item};
use super::{Context, Reply};
use crate::ca::{Revocation, Which};
use crate::error::Error;
use crate::sign::reason::Reason;

pub(crate) fn revoke(
    context: &Context<'_>,
    which: &Which,
    reason: Reason,
    note: Option<&str>,
) -> Result<Reply, Error> {
    let done = context.open()?.revoke_which(which, reason, note)?;
    let on_hold = reason == Reason::CertificateHold;
    let words = Words {
        command: "revoke",
        did: if on_hold {
            ("put", " on hold")
        } else {
            ("revoked", "")
        },
        otherwise: "is revoked already, or has no certificate",
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
        notes.push("`ca-tool unhold NAME` lets them in again".to_owned());
    }
    Ok(Reply::new(words.deed(&done)).noting(notes))
}

pub(crate) fn unhold(context: &Context<'_>, which: &Which) -> Result<Reply, Error> {
    let done = context.open()?.unhold(which)?;
    let words = Words {
        command: "unhold",
        did: ("took", " off hold"),
        otherwise: "is not on hold",
    };
    Ok(Reply::new(words.deed(&done)).noting(words.notes(&done)))
}

struct Words {
    command: &'static str,
    /// The words before and after a certificate that changed.
    did: (&'static str, &'static str),
    /// The reason why none of a person's changed.
    otherwise: &'static str,
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
            match count {
                0 => deed,
                1 => deed.line(&format!("{before} the certificate of {name}{after}")),
                _ => deed.line(&format!("{before} {count} certificates of {name}{after}")),
            }
        })
    }

    fn notes(&self, done: &Revocation) -> Vec<String> {
        let untouched = untouched(done).map(|name| {
            let (name, otherwise) = (wire::escape(name), self.otherwise);
            format!("{name} {otherwise}; nothing was done")
        });
        let mut notes: Vec<_> = untouched.collect();
        if !done.certificates.is_empty() {
            let list = done.list.display();
            notes.push(format!(
                "updated {list}; a server on another machine needs the new file"
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
