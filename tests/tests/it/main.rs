//! The promises of a room, each as a test, in folders by subject. One program, because linking
//! it takes longer than compiling what one folder holds.

mod arrows;
mod certificates;
mod documents;
mod programs;
mod protocol;
#[cfg(unix)]
mod quickstart;
mod record;
mod session;
mod structure;
