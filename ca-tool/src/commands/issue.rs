//! `issue`: issues certificates to people, and notes everybody who was skipped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use wire::FullName;

use super::deed::{Deed, Item, notes_on_moved};
use super::missing_files::notes_on_missing_files;
use super::{Context, Reply, preview};
use crate::ca::{Ca, Issuance, IssueOptions, remembered};
use crate::error::Error;
use crate::ledger::index::Index;
use crate::ledger::register::Register;
use crate::notice::Notice;
use crate::people::candidate::Candidate;
use crate::people::plan::{ShutOut, Skipped};
use crate::people::roster::{Choices, Kind, Reading};
use crate::sign::reason::Reason;
use crate::words::{counted, day, local, moment};

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
    /// The full name of the only person.
    pub(crate) full_name: Option<FullName>,
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
        match ca.remember_roster(kind) {
            Ok(Some(file)) => context.notice(&Notice::Remembered { roster, file }),
            Ok(None) => {}
            Err(error) => context.notice(&Notice::NotRemembered(error)),
        }
    }
    let people: HashMap<&str, String> = issuance
        .candidates
        .iter()
        .filter_map(|one| Some((&one.name[..], preview::Shown::beside(one)?)))
        .collect();
    let deed = Deed::new("issue")
        .skipped(issuance.skipped.iter().map(Item::skipped))
        .skipped(issuance.shut_out.iter().map(Item::shut_out))
        .issued_to(&issuance.issued, |id| {
            people
                .get(id)
                .map_or_else(String::new, |person| format!("  <- {person}"))
        });
    Ok(Reply::new(deed).noting(notes(&ca, &issuance, options)?))
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
    if let Some(name) = recipients.names.iter().find(|name| is_list(name)) {
        return Err(Error::NoName {
            name: name.clone(),
            fault: format!(
                "this is a file and not a person; did you mean `ca-tool issue --roster {}`?",
                pki::shell_word(name)
            ),
        });
    }
    let mut candidates = Candidate::named(recipients.names);
    if let Some(name) = recipients.full_name {
        let [person] = &mut candidates[..] else {
            return Err(Error::NameOfSeveral(candidates.len()));
        };
        person.full_name = Some(name.to_string());
    }
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
            let index = match index {
                Err(Error::NoCa(_)) => Index::default(),
                index => index?,
            };
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

/// Returns whether a name is that of a list of people, for which `--roster` was forgotten.
fn is_list(name: &str) -> bool {
    let path = Path::new(name);
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_lowercase();
    [
        "csv", "tsv", "txt", "xls", "xlsx", "xlsm", "xlsb", "ods", "numbers",
    ]
    .contains(&&ending[..])
        || path.is_file()
}

fn notes(ca: &Ca, issuance: &Issuance, options: &IssueOptions) -> Result<Vec<String>, Error> {
    let mut notes = notes_on_moved(&issuance.issued);
    match issuance.clamped {
        Some(until) => notes.push(note_on_clamped(until)),
        None if issuance.issued.is_empty() => {}
        None => notes.extend(note_on_until(options.until)),
    }
    let count = issuance.skipped.len();
    if count > NOTES_MAX {
        notes.push(format!("{count} people have a certificate; skipped"));
    } else {
        notes.extend(issuance.skipped.iter().map(|skipped| {
            let (id, until) = (&skipped.id, day(skipped.until));
            format!("{id} has a certificate until {until}; skipped")
        }));
    }
    notes_on_other_roles(&issuance.skipped, &mut notes);
    notes_on_other_names(&issuance.skipped, &mut notes);
    if options.out.is_none() {
        notes.extend(notes_on_missing_files(
            ca,
            &issuance.skipped,
            options.parcel,
        )?);
    }
    notes_on_shut_out(&issuance.shut_out, &mut notes);
    if !issuance.issued.is_empty() {
        notes.push(NOTE_ON_BUNDLES.to_owned());
    }
    Ok(notes)
}

/// The note about new bundles.
pub(super) const NOTE_ON_BUNDLES: &str =
    "a bundle contains its owner's private key: give each one only to its owner";

/// Returns the note about a day that was typed: to which moment it extends.
pub(super) fn note_on_until(until: Option<time::OffsetDateTime>) -> Option<String> {
    let until = until?;
    let (here, in_utc) = (local(until), moment(until));
    let in_utc = match here.contains(" +00:00") {
        true => String::new(),
        false => format!(", which is {in_utc} in UTC"),
    };
    Some(format!(
        "--until means the end of that day here: {here}{in_utc}"
    ))
}

/// Returns the note that certificates are shorter than requested.
pub(super) fn note_on_clamped(until: time::OffsetDateTime) -> String {
    let until = day(until);
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

/// Notes people whose certificate has another full name than the one that was requested, or none.
fn notes_on_other_names(skipped: &[Skipped], notes: &mut Vec<String>) {
    let others = || {
        let names = skipped.iter();
        names.filter_map(|one| Some((&one.id, one.other_name.as_ref()?)))
    };
    notes.extend(others().take(NOTES_MAX).map(|(id, name)| {
        let (name, typed) = (name.quoted(), pki::shell_word(name.to_string()));
        format!(
            "the certificate of {id} does not have the full name {name}: `ca-tool renew {id} --name {typed}` makes one that has it"
        )
    }));
    let more = others().count().saturating_sub(NOTES_MAX);
    if more > 0 {
        let people = counted(more, "other certificate does", "other certificates do");
        notes.push(format!(
            "{people} not have the full name from the roster either"
        ));
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
