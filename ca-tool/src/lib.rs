//! The only code that can sign: people's certificates, servers', and the revocation list.
//!
//! It is a library so that tests can issue in process, and a thin program. Everything is kept in
//! one folder that follows OpenSSL's conventions; `openssl ca` could take over from here.
//!
//! - [`Register`] is that folder as it can be read, and [`Ca`] the same with the key: it issues and
//!   revokes.
//! - What would be issued is decided first, purely, and for everybody; then it is written.
//! - An issuance is recorded before its bundle can be seen.

#![deny(clippy::print_stderr)]

/// Says a line to whoever watches. That nobody can be told is no reason to stop, let alone to panic
/// halfway, as `eprintln!` does on a full disk.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}

mod ca;
mod cli;
mod commands;
mod disk;
mod error;
mod holder;
mod keys;
mod ledger;
mod os;
mod people;
mod sign;

pub use ca::{
    AdoptOptions, Ca, InitOptions, Issuance, IssueOptions, Issued, Progress, Renewal, Revocation,
    Which, Whose,
};
pub use cli::args::Args;
pub use commands::{Output, run};
pub use error::{Error, Problem};
pub use holder::export::{Exported, Strength, export};
pub use holder::own_key::{Joined, Requested, adopt, request};
pub use keys::passphrase::{Origin, Passphrase};
pub use keys::private_key::PrivateKey;
pub use ledger::index::Record;
pub use ledger::register::Register;
pub use os::is_discarded;
pub use people::parcel::Parcel;
pub use people::plan::{ShutOut, Skipped};
pub use people::roster::{Candidate, Place, Roster};
pub use sign::host::{Host, HostError, Reach};
pub use sign::reason::Reason;
pub use sign::request::Request;
