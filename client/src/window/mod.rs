//! The window: the room on the whole of a terminal.
//!
//! [`run()`] is all that the program needs of it. `app` decides; `view` draws, with `layout` for the
//! timeline and `bar`, `boxes` and `list` beside it; `screen` alone touches the terminal, and `run` is
//! the loop around them. Everything that is known of the
//! room is in [`crate::room`], which this is a view of; only the rows in view and the selection are
//! kept here (`viewport`). The connection is the same as in the plain mode.

mod app;
mod background;
mod bar;
mod boxes;
mod cells;
mod editor;
mod geometry;
mod help;
mod items;
mod layout;
mod list;
mod names;
mod rows;
mod run;
mod screen;
#[cfg(test)]
mod tests;
mod theme;
mod view;
mod viewport;

pub use run::run;
