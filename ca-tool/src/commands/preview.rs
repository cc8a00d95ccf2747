//! `issue --preview`: who would get which ID, and why. It writes nothing and needs no key.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use super::Reply;
use crate::ca::IssueOptions;
use crate::error::Error;
use crate::ledger::index::Index;
use crate::people::candidate::Candidate;
use crate::people::naming::{Named, name_all};
use crate::people::plan::{Rules, plan};
use crate::sign::reason::Reason;
use crate::words::{counted, day};

/// Everybody, in the order of the roster.
#[derive(Debug, Serialize)]
struct Preview(Vec<Shown>);

/// One person.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
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
                let until = day(skipped.until);
                (
                    skipped.id.to_string(),
                    format!("has a certificate until {until}"),
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
    let has_problems = !problems.is_empty();
    let rows = named.into_iter().map(|named| Shown::new(named, &standing));
    let result = Preview(rows.collect());
    if has_problems {
        return Reply::new(result).failing(Error::Problems(problems));
    }
    let people = counted(result.0.len(), "person", "people");
    let new = result.0.iter().filter(|row| row.why.is_none()).count();
    let new = counted(new, "new certificate", "new certificates");
    let note = format!("{people}, {new}; this is a preview, and nothing was issued");
    Reply::new(result).noting(vec![note])
}

/// Returns `id <- person` for the first few, who show whether the right column was chosen.
pub(super) fn first_lines(candidates: &[Candidate], index: &Index) -> Vec<String> {
    let named = name_all(candidates, index).into_iter().take(LINES_MAX);
    let rows = named
        .map(|named| Shown::new(named, &HashMap::new()))
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

impl Shown {
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

    /// Returns the person behind an ID that was made, for the output of `issue`.
    pub(super) fn beside(candidate: &Candidate) -> Option<String> {
        candidate.made_from.as_ref()?;
        let named = Named {
            candidate: candidate.clone(),
            changes: Vec::new(),
        };
        Self::new(named, &HashMap::new()).person()
    }

    fn id(&self) -> String {
        match self.name.is_empty() {
            true => "?".to_owned(),
            false => wire::excerpt(&self.name, CHARS_SHOWN_MAX),
        }
    }

    /// Returns the person as far as the roster knows more of them than the ID; where that is nothing and there
    /// is no ID either, their place in it.
    fn person(&self) -> Option<String> {
        let shown = |text: &String| wire::excerpt(text, CHARS_SHOWN_MAX);
        let mut parts: Vec<String> = self.full_name.iter().map(shown).collect();
        let is_shown = |text: &String| {
            self.email.as_ref() != Some(text)
                && self.full_name.as_ref() != Some(text)
                && self.name != *text
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
            true => self.name.is_empty().then(|| self.place.clone()),
            false => Some(parts.join(", ")),
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
            match row.person() {
                Some(person) => write!(f, "{id:width$} <- {person}")?,
                None => write!(f, "{id}")?,
            }
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
