//! The order of the lines: the recorder that writes it, and the views and cursors that read it.
//!
//! Sessions use `reader`; the place that keeps the record implements the port in `record`. Not
//! here: SQLite, except that `fault` knows its errors, and anything that knows a connection.

pub(crate) mod batcher;
pub(crate) mod fault;
pub(crate) mod progress;
pub(crate) mod reader;
pub mod record;
pub(crate) mod recorder;
pub(crate) mod show;
pub(crate) mod tail;
