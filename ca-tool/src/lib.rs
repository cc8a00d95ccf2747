//! The only code in this project that can sign: people's certificates, servers' certificates, and the
//! revocation list. It is a library, so that tests can issue in process, and a thin program.
//!
//! Everything is kept in one folder that follows OpenSSL's conventions, so `openssl ca` can continue from
//! it. [`Ca`] is that folder with the key: it issues and revokes. [`Register`] is the folder without the
//! key, for reading.
//!
//! The folders of this crate are layers. Each file and folder imports only from those to the left of it
//! in this order (a test looks): `os <- words <- error <- notice <- keys <- disk <- sign <- ledger <-
//! people <- {ca, holder} <- commands <- cli <- lib`.
//!
//! - `os`: differences between operating systems
//! - `words`, `error`, `notice`: texts, errors, and events for whoever watches
//! - `keys`: private keys and passphrases
//! - `disk`: files that survive a crash
//! - `sign`: certificates and lists, signed in memory
//! - `ledger`: the record of everything that was issued and revoked
//! - `people`: rosters, and who may have a certificate
//! - `ca` and `holder`: a CA at work, and people with their own keys
//! - `commands`: one file for each command, which returns a reply
//! - `cli`: the command line, and everything that is printed

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod ca;
mod cli;
mod commands;
mod disk;
mod error;
mod holder;
mod keys;
mod ledger;
mod notice;
mod os;
mod people;
mod sign;
mod words;

pub use ca::{
    AdoptOptions, Ca, InitOptions, Issuance, IssueOptions, Issued, Renewal, Revocation, Which,
    Whose,
};
pub use cli::main;
pub use error::{Answer, Error, Origin, Problem};
pub use keys::passphrase::Passphrase;
pub use ledger::index::IndexEntry;
pub use ledger::register::Register;
pub use notice::{Listener, Notice, Progress, Silent};
pub use people::candidate::{Candidate, Location};
pub use people::handout::Help;
pub use people::parcel::Parcel;
pub use people::plan::{ShutOut, Skipped};
pub use people::roster::{Choices, Roster};
pub use sign::host::{Host, HostError, Reach};
pub use sign::reason::Reason;
pub use sign::request::Request;
