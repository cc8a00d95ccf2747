//! `issue --preview`: who would get which ID, and why. It writes nothing and needs no key.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use super::{DONE, NO, Reply};
use crate::ca::IssueOptions;
use crate::error::Problem;
use crate::ledger::index::Index;
use crate::people::candidate::Candidate;
use crate::people::naming::{Named, name_all};
use crate::people::plan::{Rules, plan};
use crate::sign::reason::Reason;
use crate::words::{counted, moment};

/// Everybody, in the order of the roster.
#[derive(Debug, Serialize)]
struct Preview(Vec<Row>);

/// One person.
#[derive(Debug, Serialize)]
struct Row {
    /// The ID.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The place in the roster.
    place: String,
    /// What the ID was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_from: Option<String>,
    /// The rules that made it.
    changes: Vec<String>,
    /// What would happen, if it is not a new certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// How much of a name or an address a line shows.
const CHARS_SHOWN_MAX: usize = 80;
/// How many problems the notes name.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Returns the preview for these candidates.
pub(super) fn preview(candidates: &[Candidate], index: &Index, options: &IssueOptions) -> Reply {
    let named = name_all(candidates, index);
    let people: Vec<Candidate> = named.iter().map(|named| named.candidate.clone()).collect();
    let rules = Rules {
        role: options.role,
        allow_lookalike: options.allow_lookalike,
    };
    let (standing, problems) = match plan(&people, index, rules, OffsetDateTime::now_utc()) {
        Ok(plan) => {
            let skipped = plan.skipped.iter().map(|skipped| {
                let until = moment(skipped.until);
                let day = until.split('T').next().unwrap_or_default();
                (
                    skipped.id.to_string(),
                    format!("has a certificate until {day}"),
                )
            });
            let shut_out = plan.shut_out.iter().map(|one| {
                let why = match one.reason {
                    Reason::CertificateHold => "is on hold".to_owned(),
                    reason => format!("was revoked ({reason})"),
                };
                (one.id.to_string(), why)
            });
            (skipped.chain(shut_out).collect(), Vec::new())
        }
        Err(problems) => (HashMap::new(), problems),
    };
    let rows = named.into_iter().map(|named| Row::new(named, &standing));
    let result = Preview(rows.collect());
    let mut notes = notes_on(&problems);
    let code = if problems.is_empty() { DONE } else { NO };
    if problems.is_empty() {
        let people = counted(result.0.len(), "person", "people");
        let new = result.0.iter().filter(|row| row.why.is_none()).count();
        notes.push(format!(
            "{people}, {}; this is a preview, and nothing was issued",
            counted(new, "new certificate", "new certificates")
        ));
    }
    Reply::new(result).noting(notes).coded(code)
}

fn notes_on(problems: &[Problem]) -> Vec<String> {
    let mut notes: Vec<String> = problems
        .iter()
        .take(PROBLEMS_SHOWN_MAX)
        .map(Problem::to_string)
        .collect();
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    if more > 0 {
        notes.push(format!(
            "and {}",
            counted(more, "more problem", "more problems")
        ));
    }
    if !problems.is_empty() {
        notes.push(format!(
            "{} to fix",
            counted(problems.len(), "problem", "problems")
        ));
    }
    notes
}

/// Returns `id <- person` for the first few, who show whether the right column was chosen.
pub(super) fn first_lines(candidates: &[Candidate], index: &Index) -> Vec<String> {
    let named = name_all(candidates, index).into_iter().take(LINES_MAX);
    let rows = named
        .map(|named| Row::new(named, &HashMap::new()))
        .collect();
    let mut lines: Vec<String> = Preview(rows)
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect();
    let more = candidates.len().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.push(format!("and {} more; --preview shows everybody", more));
    }
    lines
}

/// How many people show whether the right column was chosen.
const LINES_MAX: usize = 6;

impl Row {
    fn new(named: Named, standing: &HashMap<String, String>) -> Self {
        let Named { candidate, changes } = named;
        // An ID that is typed is brought to its normal form.
        let id = wire::ClientId::parse_typed(&candidate.name).map(|id| id.to_string());
        let name = id.unwrap_or(candidate.name);
        Self {
            why: candidate.fault.or_else(|| standing.get(&name).cloned()),
            name,
            full_name: candidate.full_name,
            email: candidate.email,
            role: candidate.role,
            place: candidate.location.to_string(),
            made_from: candidate.made_from,
            changes,
        }
    }

    fn id(&self) -> String {
        match self.name.is_empty() {
            true => "?".to_owned(),
            false => wire::excerpt(&self.name, CHARS_SHOWN_MAX),
        }
    }

    /// Returns the person as far as the roster knows them.
    fn person(&self) -> String {
        let shown = |text: &String| wire::excerpt(text, CHARS_SHOWN_MAX);
        let mut parts: Vec<String> = self.full_name.iter().map(shown).collect();
        let is_shown = |text: &String| {
            self.email.as_ref() != Some(text) && self.full_name.as_ref() != Some(text)
        };
        parts.extend(
            self.made_from
                .as_ref()
                .filter(|from| is_shown(from))
                .map(shown),
        );
        parts.extend(self.email.iter().map(shown));
        parts.extend(self.role.iter().map(shown));
        match parts.is_empty() {
            true => self.place.clone(),
            false => parts.join(", "),
        }
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .0
            .iter()
            .map(|row| row.id().chars().count())
            .max()
            .unwrap_or(0);
        for row in &self.0 {
            let id = row.id();
            write!(f, "{id:width$} <- {}", row.person())?;
            if !row.changes.is_empty() {
                write!(f, "  ({})", row.changes.join("; "))?;
            }
            if let Some(why) = &row.why {
                write!(f, "  [{}]", wire::excerpt(why, CHARS_SHOWN_MAX))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
