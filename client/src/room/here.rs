//! The people in the room, as the answers to `/who` list them.

use std::collections::BTreeMap;

use wire::{ClientId, FullName, Here, Role};

use crate::limits::HERE_MAX;

/// The people in the room, as of the last complete answer.
#[derive(Debug, Default)]
pub(crate) struct People {
    here: Vec<Here>,
    /// The people in the answer that is coming. The server's count is not trusted: at most
    /// [`HERE_MAX`] are kept.
    counted: Vec<Here>,
    /// The number of people still to come, as the server says.
    uncounted: u64,
    /// The people who are more than students, as far as the server has told, here or not. At most
    /// [`HERE_MAX`] are kept.
    roles: BTreeMap<ClientId, Role>,
}

impl People {
    /// Returns the people in the room: staff first, then ourselves, then the others by ID.
    pub(crate) fn here(&self) -> &[Here] {
        &self.here
    }

    /// Returns the person here who may be meant by a name that nobody has: the ID in other case, or a
    /// word of the full name, if only one person fits.
    pub(crate) fn meant_by(&self, name: &str) -> Option<&ClientId> {
        let name = name.to_lowercase();
        let is_id = |here: &&Here| here.id.as_str().to_lowercase() == name;
        let is_called = |here: &&Here| {
            let full = here.name.as_ref().map_or("", FullName::as_str);
            full.to_lowercase().split(' ').any(|word| word == name)
        };
        let only = |fits: &dyn Fn(&&Here) -> bool| {
            let mut fitting = self.here.iter().filter(fits);
            fitting.next().filter(|_| fitting.next().is_none())
        };
        only(&is_id)
            .or_else(|| only(&is_called))
            .map(|here| &here.id)
    }

    /// Begins the list anew: an answer that names `count` people is coming.
    pub(super) fn expect(&mut self, count: u64) {
        (self.counted, self.uncounted) = (Vec::new(), count);
    }

    /// Returns the last role that the server has told of a person.
    pub(crate) fn role(&self, id: &ClientId) -> Role {
        self.roles.get(id).copied().unwrap_or_default()
    }

    /// Notes the role of a person.
    pub(super) fn is(&mut self, id: &ClientId, role: Role) {
        if role == Role::Student {
            self.roles.remove(id);
        } else if self.roles.len() < HERE_MAX || self.roles.contains_key(id) {
            self.roles.insert(id.clone(), role);
        }
    }

    /// Takes the next of them.
    pub(super) fn count(&mut self, here: Here) {
        self.is(&here.id, here.role);
        self.uncounted = self.uncounted.saturating_sub(1);
        if self.counted.len() < HERE_MAX {
            self.counted.push(here);
        }
    }

    /// Makes the list the current one if nobody is missing in it. Returns whether it did.
    pub(super) fn complete(&mut self, me: &ClientId) -> bool {
        if self.uncounted > 0 {
            return false;
        }
        self.here = std::mem::take(&mut self.counted);
        self.here
            .sort_by_cached_key(|here| (rank(here.role), here.id != *me, here.id.to_string()));
        true
    }

    /// Returns how many people are kept: those here, and those of the answer that is coming.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> [usize; 2] {
        [self.here.len(), self.counted.len()]
    }
}

/// Returns the place of a role in the list: instructors, assistants, everybody else.
fn rank(role: Role) -> u8 {
    match role {
        Role::Instructor => 0,
        Role::Assistant => 1,
        Role::Student | Role::Bot | Role::Unknown => 2,
    }
}
