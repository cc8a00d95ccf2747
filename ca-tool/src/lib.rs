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

mod args;
mod ca;
mod delivery;
mod draft;
mod entries;
mod error;
mod export;
mod folder;
mod host;
mod index;
mod issuer;
mod os;
mod own_key;
mod parcel;
mod passphrase;
mod plan;
mod private_key;
mod progress;
mod reason;
mod register;
mod report;
mod request;
mod roster;
mod run;
mod terminal;

pub use args::Args;
pub use ca::{
    AdoptOptions, Ca, InitOptions, Issuance, IssueOptions, Issued, Progress, Renewal, Revocation,
    Which, Whose,
};
pub use error::{Error, Problem};
pub use export::{Exported, Strength, export};
pub use host::{Host, HostError, Reach};
pub use index::Record;
pub use os::is_discarded;
pub use own_key::{Joined, Requested, adopt, request};
pub use parcel::Parcel;
pub use passphrase::{Origin, Passphrase};
pub use plan::{ShutOut, Skipped};
pub use private_key::PrivateKey;
pub use reason::Reason;
pub use register::Register;
pub use request::Request;
pub use roster::{Candidate, Place, Roster};
pub use run::{Output, run};
