//! The steps of the client's flowchart in `docs/flow.md`, with the chart's own words.

use narration::Step;

const fn step(number: u8, words: &'static str) -> Step {
    Step { number, words }
}

pub(super) const BUNDLE: Step = step(1, "reads your certificate");
pub(super) const RESOLVE: Step = step(2, "finds the server's addresses");
pub(super) const REACH: Step = step(3, "connects to the first that answers");
pub(super) const TLS: Step = step(4, "TLS: both ends prove who they are");
pub(super) const GREETING: Step = step(5, "does the server greet you?");
pub(super) const WHY_NOT: Step = step(6, "explains why not");
pub(super) const START: Step = step(7, "says where to start");
pub(super) const WATCH: Step = step(8, "waits for the server, for you and for the clock");
pub(super) const HEAR: Step = step(9, "understands a line of the server");
pub(super) const SHOW: Step = step(10, "shows an entry");
pub(super) const CROSS_OFF: Step = step(11, "crosses off a line that is stored");
pub(super) const TYPED: Step = step(12, "takes a line that you typed");
pub(super) const SAY: Step = step(13, "names it, sends it, keeps it");
pub(super) const QUIT: Step = step(14, "says /quit");
pub(super) const COME_BACK: Step = step(15, "connects again after a pause");
pub(super) const END: Step = step(16, "ends with an exit code");
