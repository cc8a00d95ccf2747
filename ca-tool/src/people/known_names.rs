//! The names that are taken, and the names that look like them.

use std::collections::HashMap;

use time::OffsetDateTime;
use wire::{ClientId, Role};

use super::candidate::Location;
use crate::ledger::index::Index;
use crate::sign::reason::Reason;

/// Every name that is taken, and the forms in which others could be mistaken for it.
#[derive(Default)]
pub(super) struct KnownNames {
    standing: HashMap<ClientId, Standing>,
    by_folded: HashMap<String, Vec<ClientId>>,
    by_skeleton: HashMap<String, Vec<ClientId>>,
}

/// The history of a name.
pub(super) enum Standing {
    /// It has a certificate, valid until this moment and for this role.
    Live(OffsetDateTime, Role),
    /// It has or had one that is on hold.
    Held,
    /// It had one that was revoked for good, and not because a known one replaced it.
    Revoked(Reason),
    /// It had one, and may still appear in a transcript.
    Gone,
    /// It was requested earlier in this call.
    Requested(Location),
}

/// The decision whether a name can have a certificate.
pub(super) enum Decision {
    /// It can.
    Free,
    /// Its certificate was revoked for this reason. Naming the person issues another, unless it is on hold.
    Revoked(Reason),
    /// It has one already.
    Has(OffsetDateTime, Role),
    /// It cannot.
    Refused(String),
}

impl KnownNames {
    /// Returns the names in the index.
    pub(super) fn of(index: &Index, now: OffsetDateTime) -> Self {
        let mut known = Self::default();
        let last_unseen = index.last_unseen_revocation();
        for entry in index.entries() {
            let Some((id, role)) = entry.person() else {
                continue;
            };
            // A live certificate counts more than a dead one, and the one that lasts longest most.
            let standing = match (entry.is_live(now), known.standing.get(&id)) {
                (true, Some(Standing::Live(until, theirs))) if *until > entry.not_after => {
                    Standing::Live(*until, *theirs)
                }
                (true, _) => Standing::Live(entry.not_after, role),
                (false, Some(Standing::Live(until, theirs))) => Standing::Live(*until, *theirs),
                (false, Some(Standing::Held)) => Standing::Held,
                // A hold does not end with the certificate: nobody has said that the person may return.
                (false, _) if entry.is_on_hold() => Standing::Held,
                (false, _) => match entry.revoked {
                    // The revocation that is unknown here may be that of its replacement.
                    Some((at, Reason::Superseded)) if last_unseen < Some(at) => Standing::Gone,
                    Some((_, reason)) => Standing::Revoked(reason),
                    None => Standing::Gone,
                },
            };
            known.add(id, standing);
        }
        known
    }

    /// Adds a name.
    pub(super) fn add(&mut self, id: ClientId, standing: Standing) {
        if self.standing.insert(id.clone(), standing).is_none() {
            let folded = self.by_folded.entry(id.folded()).or_default();
            folded.push(id.clone());
            for skeleton in id.skeletons() {
                let alike = self.by_skeleton.entry(skeleton).or_default();
                alike.push(id.clone());
            }
        }
    }

    /// Decides whether a name can have a certificate.
    pub(super) fn judge(&self, id: &ClientId, allow_lookalike: bool) -> Decision {
        match self.standing.get(id) {
            Some(Standing::Live(until, role)) => return Decision::Has(*until, *role),
            Some(Standing::Requested(location)) => {
                return Decision::Refused(format!("\"{id}\" is already named at {location}"));
            }
            Some(Standing::Held) => return Decision::Revoked(Reason::CertificateHold),
            Some(Standing::Revoked(reason)) => return Decision::Revoked(*reason),
            // The same name, so the same person.
            Some(Standing::Gone) => return Decision::Free,
            None => {}
        }
        // Two names in use that differ only in case are never allowed: on many systems their bundles
        // would have the same file name.
        if let Some((other, standing)) = self.other(&self.by_folded, &id.folded(), |standing| {
            !allow_lookalike || !matches!(standing, Standing::Gone | Standing::Revoked(_))
        }) {
            let said = self.describe(standing);
            return Decision::Refused(format!(
                "\"{id}\" differs from \"{other}\" ({said}) only in upper and lower case"
            ));
        }
        let alike =
            |skeleton: &String| self.other(&self.by_skeleton, skeleton, |_| !allow_lookalike);
        match id.skeletons().iter().find_map(alike) {
            Some((other, standing)) => Decision::Refused(format!(
                "\"{id}\" looks like \"{other}\" ({}); --allow-lookalike issues it anyway",
                self.describe(standing)
            )),
            None => Decision::Free,
        }
    }

    fn other<'a>(
        &'a self,
        names: &'a HashMap<String, Vec<ClientId>>,
        key: &str,
        counts: impl Fn(&Standing) -> bool,
    ) -> Option<(&'a ClientId, &'a Standing)> {
        let mut same = names
            .get(key)?
            .iter()
            .map(|id| (id, &self.standing[id]))
            .filter(|(_, standing)| counts(standing));
        same.next()
    }

    fn describe(&self, standing: &Standing) -> String {
        match standing {
            Standing::Live(..) | Standing::Held => "who has a certificate".to_owned(),
            Standing::Gone | Standing::Revoked(_) => "who had a certificate".to_owned(),
            Standing::Requested(location) => format!("at {location}"),
        }
    }
}
