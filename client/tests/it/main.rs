//! The program `client` against a scripted server.

mod hostile;
mod newer;
mod refusals;
mod room;
mod stay;
mod talk;
// Of the harness that all programs share, which depends on this one.
#[cfg(unix)]
#[path = "../../../tests/src/terminal.rs"]
#[expect(dead_code, unreachable_pub, reason = "others need more of it")]
mod terminal;
#[cfg(unix)]
mod window;
