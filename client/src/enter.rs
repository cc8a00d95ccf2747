//! The first connection of a run: which failures it waits out, and which it reports at once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::connect::Connected;
use crate::limits::CROWDED_TIMEOUT;
use crate::link::{Dial as _, Door, Pauses};
use crate::words::{Exit, Failure, seconds, tell};

/// Connects for the first time. Waits only for a server that asks for it, and for a while for one
/// that may have no room: a person who mistyped the host wants to know at once.
pub(crate) async fn enter(
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
        let asks_to_wait = failure.exit == Exit::NotAdmitted && failure.may_pass;
        let may_be_crowded = failure.may_be_crowded && begin.elapsed() < CROWDED_TIMEOUT;
        if !(asks_to_wait || may_be_crowded) || is_over {
            return Err(failure);
        }
        let left = give_up_after.map(|after| after.saturating_sub(begin.elapsed()));
        let pause = pauses.next();
        let pause = left.map_or(pause, |left| pause.min(left));
        tell(&format!("{failure}; trying again in {}", seconds(pause)));
        sleep(pause).await;
    }
}
