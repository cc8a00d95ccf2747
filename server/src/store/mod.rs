//! Where the record is kept: SQLite, or memory for a simulated disk; and questions that only read it.
//!
//! Both implement the port `transcript::record`. Not here: any decision about what is recorded.

pub mod memory;
pub mod query;
pub(crate) mod sqlite;
