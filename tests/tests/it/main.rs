//! What a room promises, each promise as a test. One program, so that it is linked once.

mod arrows;
mod documents;
mod ends;
mod gate;
mod history;
mod independent;
mod limits;
mod lines;
mod load;
#[cfg(target_os = "linux")]
mod logs;
mod mint;
mod presence;
mod programs;
#[cfg(unix)]
mod quickstart;
mod quotas;
mod record;
mod refusals;
mod renewal;
mod reports;
mod resend;
mod revocation;
mod room;
#[cfg(target_os = "linux")]
mod strangers;
mod structure;
mod terminal;
