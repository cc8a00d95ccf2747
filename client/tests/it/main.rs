//! The program `client` against a scripted server.

mod hostile;
mod refusals;
mod room;
mod stay;
mod talk;
#[cfg(unix)]
mod window;
