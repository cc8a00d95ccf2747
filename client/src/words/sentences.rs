//! The sentences that both views say.

use crate::limits::WARNINGS_MAX;

/// The transcript is not the one that was followed before.
pub(crate) const OTHER_HISTORY: &str = "this is a different history from the one that was followed before; starting afresh from its newest entry";

/// A person typed a command that the program sends by itself. A second one would replace the program's own.
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
