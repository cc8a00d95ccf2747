//! Issues to people and to servers, and says what was made and who was passed over.

use std::path::{Path, PathBuf};

use super::deed::{Deed, Item};
use super::{Output, counted, note, open, some};
use crate::ca::{Ca, Issuance, IssueOptions, Issued};
use crate::cli::args::Place;
use crate::cli::progress::Bar;
use crate::error::Error;
use crate::people::parcel::Parcel;
use crate::people::plan::{ShutOut, Skipped};
use crate::people::roster::{Candidate, Roster};
use crate::sign::host::Host;
use crate::sign::reason::Reason;

pub(super) fn issue(
    place: &Place,
    names: Vec<String>,
    (roster, id_column): (Option<PathBuf>, Option<String>),
    options: &IssueOptions,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut candidates = Candidate::named(names);
    if let Some(path) = &roster {
        let roster = Roster::read(path, id_column.as_deref())?;
        if !roster.ignored.is_empty() {
            let columns = some(&roster.ignored, ", ");
            let path = path.display();
            note(output, &format!("nothing is done with {columns} in {path}"));
        }
        candidates.extend(roster.candidates);
    }
    if candidates.is_empty() && roster.is_none() {
        return Err(Error::Nobody);
    }
    let ca = open(place, output)?;
    if candidates.is_empty() {
        Deed::new("issue").tell(place, output, |_| Ok(()))?;
        note(output, "the roster names nobody");
        return Ok(());
    }
    let mut bar = Bar::new(output.is_watched);
    let issuance = ca.issue_and_tell(&candidates, options, &mut |progress| {
        bar.tell(progress, output.notes);
    });
    bar.clear(output.notes);
    let issuance = issuance?;
    let skipped = issuance.skipped.iter().map(Item::skipped);
    let shut_out = issuance.shut_out.iter().map(Item::shut_out);
    let deed = Deed::new("issue").skipped(skipped).skipped(shut_out);
    tell_issued(place, deed, &issuance.issued, output)?;
    tell_issuance(&ca, &issuance, options, output);
    Ok(())
}

/// Beyond this many people who were passed over, only their number is said.
const SKIPPED_NAMED_MAX: usize = 8;

fn tell_issuance(ca: &Ca, issuance: &Issuance, options: &IssueOptions, output: &mut Output<'_>) {
    if let Some(until) = issuance.clamped {
        let until = until.date();
        note(
            output,
            &format!("the CA itself is valid until {until}, so nothing it issues is longer"),
        );
    }
    let count = issuance.skipped.len();
    if count > SKIPPED_NAMED_MAX {
        note(
            output,
            &format!("{count} people have a certificate; skipped"),
        );
    } else {
        for skipped in &issuance.skipped {
            let (id, until) = (&skipped.id, skipped.until.date());
            note(
                output,
                &format!("{id} has a certificate until {until}; skipped"),
            );
        }
    }
    tell_other_roles(&issuance.skipped, output);
    if options.out.is_none() {
        tell_missing(ca, &issuance.skipped, options.parcel, output);
    }
    tell_shut_out(&issuance.shut_out, output);
    if !issuance.issued.is_empty() {
        note(
            output,
            "a bundle holds its owner's private key: hand each to its owner alone",
        );
    }
}

/// Says who has another role than the one that was asked for: to skip them may not be what was meant.
fn tell_other_roles(skipped: &[Skipped], output: &mut Output<'_>) {
    let others = || {
        skipped
            .iter()
            .filter_map(|one| Some((&one.id, one.other_role?)))
    };
    for (id, role) in others().take(SKIPPED_NAMED_MAX) {
        note(
            output,
            &format!(
                "{id} has another role, {role}, and keeps it: `ca-tool revoke {id} --reason affiliationChanged` and issue again gives them the new one"
            ),
        );
    }
    match others().count().saturating_sub(SKIPPED_NAMED_MAX) {
        0 => {}
        more => {
            let people = counted(more, "other person keeps", "other people keep");
            note(
                output,
                &format!("{people} another role too; `ca-tool list`"),
            );
        }
    }
}

/// Says who stands in the roster and got nothing: that they were revoked may have been forgotten.
fn tell_shut_out(shut_out: &[ShutOut], output: &mut Output<'_>) {
    for ShutOut { id, reason } in shut_out.iter().take(SKIPPED_NAMED_MAX) {
        let words = match reason {
            Reason::CertificateHold => {
                format!("{id} is on hold; passed over: `ca-tool unhold {id}` lets them in again")
            }
            Reason::Superseded => format!(
                "the certificate of {id} was superseded by one that is not known here, and may have been revoked since; passed over: `ca-tool issue {id}` issues another, if they are still welcome"
            ),
            reason => format!(
                "the certificate of {id} was revoked ({reason}); passed over: `ca-tool issue {id}` issues another, if they are still welcome"
            ),
        };
        note(output, &words);
    }
    match shut_out.len().saturating_sub(SKIPPED_NAMED_MAX) {
        0 => {}
        more => {
            let people = counted(more, "other person was", "other people were");
            let what = format!("{people} passed over for the same; `ca-tool list --revoked`");
            note(output, &what);
        }
    }
}

/// Says whose file is not where `issue` puts it, and who has one of another kind there.
fn tell_missing(ca: &Ca, skipped: &[Skipped], parcel: Parcel, output: &mut Output<'_>) {
    let place = |parcel: Parcel, skipped: &Skipped| {
        let name = parcel.file_name(skipped.id.as_str());
        ca.people().join(name)
    };
    let without = skipped.iter().filter(|one| !place(parcel, one).exists());
    // Who made their own key has no bundle here, and who has a bundle needs no new one for a zip.
    let (others, lost): (Vec<_>, Vec<_>) = without.partition(|one| {
        let mut others = parcel.others();
        others.any(|other| place(other, one).exists())
    });
    if parcel == Parcel::Zip && !others.is_empty() {
        let who = counted(others.len(), "person has a file", "people have files");
        let people = ca.people();
        let people = people.display();
        note(
            output,
            &format!("{who} of another kind in {people}: only new certificates are put into zips"),
        );
    }
    for one in lost.iter().take(SKIPPED_NAMED_MAX) {
        let (id, bundle) = (&one.id, place(parcel, one));
        let bundle = bundle.display();
        note(
            output,
            &format!(
                "{bundle} is not there; if it is lost, `ca-tool revoke {id} --reason superseded` and issue again"
            ),
        );
    }
    match lost.len().saturating_sub(SKIPPED_NAMED_MAX) {
        0 => {}
        more => {
            let files = counted(more, "other file is", "other files are");
            note(output, &format!("{files} not there either"));
        }
    }
}

/// Says what was issued, after what else the deed holds.
pub(super) fn tell_issued(
    place: &Place,
    deed: Deed,
    issued: &[Issued],
    output: &mut Output<'_>,
) -> Result<(), Error> {
    for issued in issued {
        if let Some(old) = &issued.moved {
            let (old, name) = (old.display(), &issued.name);
            note(output, &format!("the old file of {name} is now {old}"));
        }
    }
    let deed = deed.done(issued.iter().map(Item::issued));
    deed.tell(place, output, |results| {
        issued.iter().try_for_each(|issued| {
            let (name, until) = (&issued.name, issued.not_after.date());
            let bundle = issued.bundle.display();
            writeln!(results, "{name}  {bundle}  valid until {until}")
        })
    })
}

pub(super) fn issue_server(
    place: &Place,
    mut hosts: Vec<Host>,
    out: Option<&Path>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let ca = open(place, output)?;
    let is_for_the_same = hosts.is_empty();
    if is_for_the_same {
        hosts = ca.hosts()?;
    }
    let issued = ca.issue_server(&hosts, out)?;
    tell_issued(
        place,
        Deed::new("issue-server"),
        std::slice::from_ref(&issued),
        output,
    )?;
    if !is_for_the_same {
        return Ok(());
    }
    if !place.json {
        let names: Vec<_> = hosts.iter().map(Host::to_string).collect();
        output.tell(|results| writeln!(results, "  valid for  {}", names.join(", ")))?;
    }
    let (new, old) = (issued.bundle.display(), ca.server_bundle());
    let old = old.display();
    note(
        output,
        &format!(
            "`mv {new} {old}` puts it in the place of the last one; a server that runs takes it by itself"
        ),
    );
    Ok(())
}
