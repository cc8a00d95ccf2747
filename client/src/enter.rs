//! The first connection of a run: which failures it waits out, and which it reports at once.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::connect::Connected;
use crate::limits::CROWDED_TIMEOUT;
use crate::link::{Dial as _, Door, Event, Handle, Outbox, Pauses, open};
use crate::settings::Since;
use crate::words::{Exit, Failure, report, sentences, tell};

/// Connects for the first time, unless the person leaves before.
///
/// # Errors
///
/// Returns the exit code after the failure was reported.
pub(crate) async fn enter(
    door: &mut Door,
    give_up_after: Option<Duration>,
    leave: &CancellationToken,
) -> Result<Connected, Exit> {
    tokio::select! {
        connected = connect_at_last(door, give_up_after) => {
            connected.map_err(|failure| {
                door.explainer.flush();
                report(&failure)
            })
        }
        // Nothing was said yet, so nothing is lost.
        () = leave.cancelled() => Err(Exit::Done),
    }
}

/// Names this run, and opens the ways to say and to hear things.
///
/// # Errors
///
/// Returns the exit code after the failure was reported.
pub(crate) fn begin(
    since: Since,
    wire_too: bool,
) -> Result<(Handle, Outbox, mpsc::Receiver<Event>), Exit> {
    open(since, wire_too).map_err(|error| {
        tell(&format!(
            "error: this system has no random numbers: {error}"
        ));
        Exit::Other
    })
}

/// Connects, and tries again only if the server asks for it, or for a while if it may have no room:
/// a person who mistyped the host wants to know at once.
async fn connect_at_last(
    door: &mut Door,
    give_up_after: Option<Duration>,
) -> Result<Connected, Failure> {
    let begin = Instant::now();
    let mut pauses = Pauses::default();
    loop {
        let failure = match door.dial().await {
            Ok(connected) => return Ok(connected),
            Err(failure) => failure,
        };
        let is_over = give_up_after.is_some_and(|after| begin.elapsed() >= after);
        let asks_to_wait = failure.exit == Exit::NotAdmitted && failure.may_pass();
        let may_be_crowded = failure.may_be_crowded() && begin.elapsed() < CROWDED_TIMEOUT;
        if !(asks_to_wait || may_be_crowded) || is_over {
            return Err(failure);
        }
        let left = give_up_after.map(|after| after.saturating_sub(begin.elapsed()));
        let pause = pauses.next().max(failure.wait().unwrap_or_default());
        let pause = left.map_or(pause, |left| pause.min(left));
        door.explainer.flush();
        tell(&format!(
            "{failure}; {}",
            sentences::next_try(&failure, pause)
        ));
        sleep(pause).await;
    }
}
