//! The sentences that both views say: each stands once.

use std::time::Duration;

use wire::{FullName, Here};

use super::clock::{Clock, seconds};
use super::failure::Failure;
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

/// Returns the warning that an answer is owed and nothing was heard for so long.
pub(crate) fn unanswered(silence: Duration) -> String {
    format!("no answer from the server for {}", seconds(silence))
}

/// Returns the last warning before some are left out.
pub(crate) fn warnings_left_out() -> String {
    format!("{WARNINGS_MAX} warnings within a minute; the next ones about this server are left out")
}

/// Returns when the next try to connect begins, to be said after the failure of the last one. If the
/// server's own words end with the time, a second time beside it would only confuse.
pub(crate) fn next_try(failure: &Failure, pause: Duration) -> String {
    if failure.wait().is_some_and(|wait| wait <= pause) {
        return "waiting".to_owned();
    }
    if pause < Duration::from_millis(50) {
        return "trying again now".to_owned();
    }
    format!("trying again in {}", seconds(pause))
}

/// Returns the first line of the list of people.
pub(crate) fn who(count: u64) -> String {
    match count {
        1 => "one person is here:".to_owned(),
        count => format!("{count} people are here:"),
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
    let name = here.name.as_ref().map(FullName::quoted);
    let name = name.map_or(String::new(), |name| format!(" {name}"));
    format!(
        "{}@{}{name} ({}) since {since}{sessions}",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Exit;
    use wire::{Reply, ServerLine};

    #[test]
    fn a_full_name_stands_in_quotes_after_the_id() {
        let line = "= here bob role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1";
        let words = |line: &str| match ServerLine::parse(line) {
            Ok(ServerLine::Reply(Reply::Here(person))) => here(&person, &Clock::utc()),
            other => panic!("{other:?}"),
        };
        let named = words(&format!("{line} name=\"Ng, Alice\""));
        assert_eq!(
            named,
            "bob@::1 \"Ng, Alice\" (bot) since 2026-11-21 10:00:00"
        );
        // One that breaks the rules is left out.
        let forged = words(&format!("{line} name=\"x] (bot) since\""));
        assert_eq!(forged, words(line));
        assert_eq!(forged, "bob@::1 (bot) since 2026-11-21 10:00:00");
    }

    #[test]
    fn a_pause_that_nobody_notices_is_not_counted() {
        let failure = Failure::new(Exit::Network, "the server closed it");
        for (millis, words) in [
            (0, "trying again now"),
            (49, "trying again now"),
            (50, "trying again in 0.1 s"),
            (440, "trying again in 0.4 s"),
            (4_000, "trying again in 4 s"),
        ] {
            assert_eq!(next_try(&failure, Duration::from_millis(millis)), words);
        }
    }

    #[test]
    fn a_wait_that_the_server_named_is_not_named_again() {
        let words = "you may begin 10 sessions a minute; try again in 9 s";
        let refusal = wire::Refusal::new(wire::Code::TooManySessions, words);
        let failure = Failure {
            cause: Some(Box::new(crate::words::Cause::Refused(refusal))),
            ..Failure::new(Exit::NotAdmitted, words)
        };
        for seconds in [9, 12] {
            assert_eq!(next_try(&failure, Duration::from_secs(seconds)), "waiting");
        }
        // Less, where the person allows no more time.
        assert_eq!(
            next_try(&failure, Duration::from_secs(1)),
            "trying again in 1 s"
        );
    }
}
