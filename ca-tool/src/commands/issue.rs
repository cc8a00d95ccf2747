//! `issue`: issues certificates to people, and notes everybody who was skipped.

use std::path::PathBuf;

use super::deed::{Deed, Item, notes_on_moved};
use super::{Context, Reply, preview};
use crate::ca::{Ca, Issuance, IssueOptions, remembered};
use crate::error::Error;
use crate::ledger::register::Register;
use crate::notice::Notice;
use crate::people::candidate::Candidate;
use crate::people::parcel::Parcel;
use crate::people::plan::{ShutOut, Skipped};
use crate::people::roster::{Choices, Kind, Reading};
use crate::sign::reason::Reason;
use crate::words::counted;

/// The people to issue certificates to.
pub(crate) struct Recipients {
    pub(crate) names: Vec<String>,
    pub(crate) roster: Option<PathBuf>,
    /// Which columns of the roster hold what.
    pub(crate) choices: Choices,
    /// Whether to show who would get which ID, and issue nothing.
    pub(crate) is_preview: bool,
    /// The command as it was typed, for advice that can be typed too.
    pub(crate) typed: Vec<String>,
}

/// How many notes there are about people who were skipped; beyond that, only their number.
const NOTES_MAX: usize = 8;

pub(crate) fn issue(
    context: &Context<'_>,
    recipients: Recipients,
    options: &IssueOptions,
) -> Result<Reply, Error> {
    let is_preview = recipients.is_preview;
    let roster = recipients.roster.clone();
    let Gathered {
        candidates,
        kind,
        hint,
    } = gather(context, recipients)?;
    if candidates.is_empty() {
        return Err(Error::Nobody);
    }
    if is_preview {
        let index = Register::open(context.dir)?.index()?;
        let reply = preview::preview(&candidates, &index, options);
        return Ok(Reply { hint, ..reply });
    }
    let ca = context.open()?;
    let issuance = ca.issue(&candidates, options)?;
    if let (Some(kind), Some(roster)) = (kind, roster) {
        // Everybody has their certificate, so a failure here is no failure of `issue`.
        match ca.remember(kind) {
            Ok(Some(file)) => context.notice(&Notice::Remembered { roster, file }),
            Ok(None) => {}
            Err(error) => context.notice(&Notice::NotRemembered(error)),
        }
    }
    let deed = Deed::new("issue")
        .skipped(issuance.skipped.iter().map(Item::skipped))
        .skipped(issuance.shut_out.iter().map(Item::shut_out))
        .issued(&issuance.issued);
    Ok(Reply::new(deed).noting(notes(&ca, &issuance, options)))
}

/// Everybody who is named, on the command line and in a roster.
struct Gathered {
    candidates: Vec<Candidate>,
    /// What to remember of the roster.
    kind: Option<Kind>,
    /// How to issue what a preview shows.
    hint: Option<String>,
}

fn gather(context: &Context<'_>, recipients: Recipients) -> Result<Gathered, Error> {
    let mut candidates = Candidate::named(recipients.names);
    let Some(path) = recipients.roster else {
        return Ok(Gathered {
            candidates,
            kind: None,
            hint: None,
        });
    };
    let remembered = remembered(context.dir)?;
    let (roster, hint) = match Reading::read(&path, &recipients.choices, &remembered)? {
        Reading::Roster(roster) => (roster, None),
        Reading::Question(mut question) => {
            let proposal = question.proposal.take();
            // Without a CA nobody has an ID yet.
            let index = Register::open(context.dir).and_then(|register| register.index());
            let index = index.unwrap_or_default();
            let people = proposal
                .as_ref()
                .map_or(&[][..], |roster| &roster.candidates);
            let shown = preview::first_lines(people, &index);
            let error = question.into_error(&path, shown, &recipients.typed);
            match proposal {
                Some(roster) if recipients.is_preview => (roster, error.hint()),
                proposal => {
                    for note in proposal.map(|roster| roster.notes).unwrap_or_default() {
                        let roster = path.clone();
                        context.notice(&Notice::RosterRead { roster, note });
                    }
                    return Err(error);
                }
            }
        }
    };
    for note in roster.notes {
        let roster = path.clone();
        context.notice(&Notice::RosterRead { roster, note });
    }
    if !roster.ignored.is_empty() {
        context.notice(&Notice::UnusedColumns {
            columns: roster.ignored,
            roster: path,
        });
    }
    candidates.extend(roster.candidates);
    Ok(Gathered {
        candidates,
        kind: roster.kind,
        hint,
    })
}

fn notes(ca: &Ca, issuance: &Issuance, options: &IssueOptions) -> Vec<String> {
    let mut notes = notes_on_moved(&issuance.issued);
    notes.extend(issuance.clamped.map(note_on_clamped));
    let count = issuance.skipped.len();
    if count > NOTES_MAX {
        notes.push(format!("{count} people have a certificate; skipped"));
    } else {
        notes.extend(issuance.skipped.iter().map(|skipped| {
            let (id, until) = (&skipped.id, skipped.until.date());
            format!("{id} has a certificate until {until}; skipped")
        }));
    }
    notes_on_other_roles(&issuance.skipped, &mut notes);
    if options.out.is_none() {
        notes_on_missing_files(ca, &issuance.skipped, options.parcel, &mut notes);
    }
    notes_on_shut_out(&issuance.shut_out, &mut notes);
    if !issuance.issued.is_empty() {
        notes.push(NOTE_ON_BUNDLES.to_owned());
    }
    notes
}

/// The note about new bundles.
pub(super) const NOTE_ON_BUNDLES: &str =
    "a bundle contains its owner's private key: give each one only to its owner";

/// Returns the note that certificates are shorter than requested.
pub(super) fn note_on_clamped(until: time::OffsetDateTime) -> String {
    let until = until.date();
    format!("the CA itself is valid until {until}, so nothing that it issues lasts longer")
}

/// Notes people who have another role than the one that was requested: skipping them may not be what
/// was meant.
fn notes_on_other_roles(skipped: &[Skipped], notes: &mut Vec<String>) {
    let others = || {
        skipped
            .iter()
            .filter_map(|one| Some((&one.id, one.other_role?)))
    };
    notes.extend(others().take(NOTES_MAX).map(|(id, role)| {
        format!(
            "{id} keeps another role, {role}: to change it, `ca-tool revoke {id} --reason affiliationChanged` and issue again"
        )
    }));
    let more = others().count().saturating_sub(NOTES_MAX);
    if more > 0 {
        let people = counted(more, "other person keeps", "other people keep");
        notes.push(format!("{people} another role too; see `ca-tool list`"));
    }
}

/// Notes people in the roster who got nothing: it may be forgotten that they were revoked.
fn notes_on_shut_out(shut_out: &[ShutOut], notes: &mut Vec<String>) {
    notes.extend(shut_out.iter().take(NOTES_MAX).map(|ShutOut { id, reason }| match reason {
        Reason::CertificateHold => {
            format!("{id} is on hold; skipped: `ca-tool unhold {id}` lets them in again")
        }
        Reason::Superseded => format!(
            "skipped {id}: the replacement of their certificate is unknown here, and may have been revoked. To issue another: `ca-tool issue {id}`"
        ),
        reason => format!(
            "the certificate of {id} was revoked ({reason}); skipped: `ca-tool issue {id}` issues another, if they are still welcome"
        ),
    }));
    let more = shut_out.len().saturating_sub(NOTES_MAX);
    if more > 0 {
        let people = counted(more, "other person was", "other people were");
        notes.push(format!(
            "{people} skipped for the same reason; see `ca-tool list --revoked`"
        ));
    }
}

/// Notes people whose file is not where `issue` puts it, and people who have a file of another kind.
fn notes_on_missing_files(ca: &Ca, skipped: &[Skipped], parcel: Parcel, notes: &mut Vec<String>) {
    let file = |parcel: Parcel, skipped: &Skipped| {
        let name = parcel.file_name(skipped.id.as_str());
        ca.register().people().join(name)
    };
    let without = skipped.iter().filter(|one| !file(parcel, one).exists());
    // People who made their own key have no bundle here, and people with a bundle need no zip.
    let (others, lost): (Vec<_>, Vec<_>) = without.partition(|one| {
        let mut others = parcel.others();
        others.any(|other| file(other, one).exists())
    });
    if parcel == Parcel::Zip && !others.is_empty() {
        let who = counted(others.len(), "person has a file", "people have files");
        let people = ca.register().people();
        let people = people.display();
        notes.push(format!(
            "{who} of another kind in {people}: only new certificates are put into zips"
        ));
    }
    notes.extend(lost.iter().take(NOTES_MAX).map(|one| {
        let (id, bundle) = (&one.id, file(parcel, one));
        let bundle = bundle.display();
        format!(
            "{bundle} does not exist; if it is lost, `ca-tool revoke {id} --reason superseded` and issue again"
        )
    }));
    let more = lost.len().saturating_sub(NOTES_MAX);
    if more > 0 {
        let files = counted(more, "other file does", "other files do");
        notes.push(format!("{files} not exist either"));
    }
}
