//! The protocol on a connection: lines, commands and their limits, as PROTOCOL.md has them.

mod history;
mod limits;
mod lines;
mod quotas;
mod resend;
