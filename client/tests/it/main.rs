//! The program `client` against a scripted server.

mod hostile;
mod model;
mod newer;
mod refusals;
mod room;
mod stay;
mod talk;
#[cfg(unix)]
mod typed;
#[cfg(unix)]
mod window;
