//! The places that can keep the record: SQLite, or memory for a simulated disk. Also queries, which
//! only read it.
//!
//! SQLite and memory implement the port `transcript::record`. Not here: any decision about what is recorded.

pub mod memory;
pub mod query;
pub(crate) mod sqlite;
