//! The findings of `doctor`: each with its fix, in words and as JSON.

use std::fmt;

use serde::Serialize;

/// Everything that was checked.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Findings(Vec<Finding>);

/// One thing that was checked.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    state: Mark,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How a finding turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    Good,
    /// It may be intended.
    Note,
    Bad,
}

/// How many findings of one kind are shown.
pub(super) const SHOWN_MAX: usize = 10;

impl Findings {
    /// Returns whether something is bad.
    pub(crate) fn is_bad(&self) -> bool {
        self.0.iter().any(|finding| finding.state == Mark::Bad)
    }

    pub(super) fn good(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(check, Mark::Good, what, None);
    }

    pub(super) fn bad(
        &mut self,
        check: &'static str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Mark::Bad, what, Some(fix.into()));
    }

    pub(super) fn add(
        &mut self,
        check: &'static str,
        state: Mark,
        what: impl Into<String>,
        fix: Option<String>,
    ) {
        self.0.push(Finding {
            check,
            state,
            what: what.into(),
            fix,
        });
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.state {
            Mark::Good => "good",
            Mark::Note => "note",
            Mark::Bad => "BAD",
        };
        let (check, what) = (self.check, &self.what);
        writeln!(f, "{mark:<5} {check:<16} {what}")?;
        if let Some(fix) = &self.fix {
            writeln!(f, "{:<22} fix: {fix}", "")?;
        }
        Ok(())
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| finding.fmt(f))
    }
}
