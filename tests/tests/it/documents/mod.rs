//! The documents are true: transcripts are replayed, commands typed, tables compared, functions and
//! links looked up. A new page below `docs/` is covered by itself.

mod architecture;
mod commands;
mod messages;
mod promises;
mod prose;
mod protocol;
mod tables;
mod transcripts;
