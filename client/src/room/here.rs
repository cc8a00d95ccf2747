//! The people in the room, as the answers to `/who` list them.

use wire::{ClientId, Here};

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
}

impl People {
    /// Returns the people in the room, ourselves first, then by ID.
    pub(crate) fn here(&self) -> &[Here] {
        &self.here
    }

    /// Begins the list anew: an answer that names `count` people is coming.
    pub(super) fn expect(&mut self, count: u64) {
        (self.counted, self.uncounted) = (Vec::new(), count);
    }

    /// Takes the next of them.
    pub(super) fn count(&mut self, here: Here) {
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
            .sort_by_cached_key(|here| (here.id != *me, here.id.to_string()));
        true
    }

    /// Returns how many people are kept: those here, and those of the answer that is coming.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> [usize; 2] {
        [self.here.len(), self.counted.len()]
    }
}
