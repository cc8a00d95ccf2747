//! An entry as people read it: with the time of their own zone, and without its seq.

use wire::{Entry, NewerEntry, NewerKind};

use super::clock::Clock;

/// Returns `2026-11-21 19:00:00 [alice@192.0.2.7] hello`.
pub(crate) fn stamped(entry: &Entry, clock: &Clock) -> String {
    format!("{} {}", clock.show(entry.at), entry.body())
}

/// Returns the same for an entry of a newer server. Words with a meaning that nobody here knows
/// stand after a `?`.
pub(crate) fn stamped_newer(entry: &NewerEntry, clock: &Clock) -> String {
    let at = clock.show(entry.at);
    match &entry.kind {
        NewerKind::Leave { .. } => format!("{at} {}", entry.body()),
        NewerKind::Other(words) => format!("{at} {}", unknown(words)),
    }
}

/// Marks words with a meaning that nobody here knows.
pub(crate) fn unknown(words: &str) -> String {
    format!("? {words}")
}
