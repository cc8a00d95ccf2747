//! The steps of the server's flowchart in `docs/flow.md`, with the chart's own words.

use narration::Step;

const fn step(number: u8, words: &'static str) -> Step {
    Step { number, words }
}

pub(super) const FILES: Step = step(1, "reads its files, takes the port");
pub(super) const DATABASE: Step = step(2, "opens the database");
pub(super) const ACCEPT: Step = step(3, "accepts a connection");
pub(super) const HELLO: Step = step(4, "reads the ClientHello");
pub(super) const PERMIT: Step = step(5, "waits for its turn");
pub(super) const TLS: Step = step(6, "TLS: both ends prove who they are");
pub(super) const GATE: Step = step(7, "may this certificate enter?");
pub(super) const REFUSE: Step = step(8, "says why not, and closes");
pub(super) const ENTER: Step = step(9, "may this person enter now?");
pub(super) const GREET: Step = step(10, "greets");
pub(super) const READ: Step = step(11, "reads a line or a command");
pub(super) const STAMP: Step = step(12, "stamps the lines that wait");
pub(super) const COMMIT: Step = step(13, "stores them on the disk");
pub(super) const PUBLISH: Step = step(14, "publishes them");
pub(super) const ANSWER: Step = step(15, "answers each line and each command");
pub(super) const SEND: Step = step(16, "sends what is new to everybody");
pub(super) const BYE: Step = step(17, "says why it ends");
pub(super) const CLOSE: Step = step(18, "closes the database");
