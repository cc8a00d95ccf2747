//! People in a room: how they enter, see each other and leave, and what holds them up.

mod ends;
mod load;
mod names;
mod presence;
mod room;
#[cfg(target_os = "linux")]
mod strangers;
