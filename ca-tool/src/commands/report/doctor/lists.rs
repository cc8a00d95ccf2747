//! Checks the revocation list, and a server's copy of it.

use std::path::Path;

use time::OffsetDateTime;

use super::finding::{Findings, Mark};
use crate::commands::report::agreement::{self, Comparison};
use crate::ledger::index::Index;
use crate::ledger::register::{Register, list_number_at};
use crate::words::day;
impl Findings {
    pub(super) fn list(&mut self, register: &Register, index: Option<&Index>, now: OffsetDateTime) {
        let again = "`ca-tool crl` signs it again";
        let list = match register.read_list(now) {
            Ok(Some(list)) => list,
            Ok(None) => {
                let what = "it is missing, or no server would accept it";
                return self.bad("revocation list", what, again);
            }
            Err(error) => return self.bad("revocation list", error.to_string(), again),
        };
        let next = OffsetDateTime::from(list.next_update());
        let differences = index.map(|index| agreement::differences(register, index, now));
        let difference = match differences.unwrap_or_else(|| Ok(Vec::new())) {
            Ok(differences) => differences.into_iter().next(),
            Err(error) => Some(error.to_string()),
        };
        let clock = list_number_at(now);
        let ahead = list.number().to_u64().unwrap_or(u64::MAX);
        if next < now {
            self.bad("revocation list", "it has expired", again);
        } else if let Some(difference) = difference {
            self.bad("revocation list", difference, "`ca-tool crl` repairs it");
        } else if ahead > clock + AHEAD_MILLISECONDS_MAX {
            self.add(
                "revocation list",
                Mark::Note,
                "its number is far ahead of the clock: it was once signed with a clock that was fast",
                Some("none is needed; its numbers continue from there".to_owned()),
            );
        } else {
            let (number, next) = (list.number(), day(next));
            let what = format!("number {number}, good until {next}");
            self.good("revocation list", what);
        }
    }

    /// Finds out from a server's list whether this folder is an old copy. Nothing in the folder itself
    /// shows that.
    pub(super) fn given_list(
        &mut self,
        register: &Register,
        index: &Index,
        path: &Path,
        now: OffsetDateTime,
    ) {
        let shown = path.display();
        match agreement::compare(register, index, path, now) {
            Ok(Comparison::Known) => self.good(
                "server's list",
                format!("{shown} has nothing that this folder lacks"),
            ),
            Ok(Comparison::Old) => {
                let list = register.revocation_list();
                self.add(
                    "server's list",
                    Mark::Note,
                    format!(
                        "{shown} is older than the one in this folder, and has nothing that this folder lacks"
                    ),
                    Some(format!("cp '{}' '{shown}'", list.display())),
                );
            }
            Ok(Comparison::Beyond(what)) => {
                let fix = format!("`ca-tool crl --merge '{shown}'`");
                self.bad("server's list", what, fix);
            }
            Err(error) => {
                let fix = "give the same file as the server's --crl";
                self.bad("server's list", error.to_string(), fix);
            }
        }
    }
}

/// How far a list's number may be ahead of the milliseconds since 1970 before a clock must have been
/// wrong.
const AHEAD_MILLISECONDS_MAX: u64 = 1000 * 60 * 60 * 24 * 7;
