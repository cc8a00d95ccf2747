//! What a room promises, each promise as a test. One program, so that it is linked once.

mod documents;
mod history;
mod independent;
mod lines;
mod presence;
mod programs;
mod resend;
mod room;
mod structure;
