//! The faults of single lines of a server, which are ignored; the conversation goes on.

use std::fmt;

use wire::{Refusal, ReplyError};

/// A fault in a line of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than a line may be.
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// It breaks the grammar.
    Malformed(ReplyError),
    /// It acknowledges a line that was not waiting for it.
    StrayAcknowledgement,
    /// It refuses something that nobody asked for.
    StrayRefusal(Refusal),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLong => f.write_str("the server sent a line that is too long")?,
            Fault::NotUtf8 => f.write_str("the server sent a line that is not UTF-8")?,
            Fault::Malformed(error) => error.fmt(f)?,
            Fault::StrayAcknowledgement => {
                f.write_str("the server acknowledged a line that was not waiting for it")?;
            }
            Fault::StrayRefusal(refusal) => write!(
                f,
                "the server refused something that nobody asked for ({})",
                refusal.words
            )?,
        }
        f.write_str("; it was ignored")
    }
}
