//! The sentences that both views say: each stands once.

use wire::Here;

use super::clock::Clock;
use crate::limits::WARNINGS_MAX;

/// The transcript is not the one that was followed before.
pub(crate) const OTHER_HISTORY: &str = "this is a different history from the one that was followed before; starting afresh from its newest entry";

/// A person typed a command that the program sends by itself. A second one would replace the
/// program's own.
pub(crate) const OUR_COMMANDS: &str = "this program sends /say and /follow itself";

/// Returns the warning that entries did not come in their order.
pub(crate) fn disorder(after: u64, came: u64) -> String {
    format!(
        "the server sent entry {came} after entry {after}; the lines shown here are incomplete or out of order"
    )
}

/// Returns the last warning before some are left out.
pub(crate) fn warnings_left_out() -> String {
    format!("{WARNINGS_MAX} warnings within a minute; the next ones about this server are left out")
}

/// Returns the first line of the list of people.
pub(crate) fn who(seq: u64, count: u64) -> String {
    match count {
        1 => format!("one person is here, as of entry {seq}:"),
        count => format!("{count} people are here, as of entry {seq}:"),
    }
}

/// Returns the line of one of the people here.
pub(crate) fn here(here: &Here, clock: &Clock) -> String {
    let since = clock.show(here.since);
    let sessions = match here.sessions {
        0 => ", connection lost a moment ago".to_owned(),
        1 => String::new(),
        more => format!(", {more} sessions"),
    };
    format!(
        "{}@{} ({}) since {since}{sessions}",
        here.id, here.ip, here.role
    )
}

/// Returns the answer to `/ping`.
pub(crate) fn newest(seq: u64) -> String {
    format!("the newest entry is {seq}")
}

/// Returns a note of the server.
pub(crate) fn note(words: &str) -> String {
    format!("note: {words}")
}
