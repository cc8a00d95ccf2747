//! The language of the wire: names, lines, stamps. No I/O and no clock.
//!
//! Both ends need the grammar of a line and neither program may depend on the other, so it is
//! written once, here. The grammar is also why a client cannot forge another person's line:
//! anything that a client sends can only ever stand after the `] ` of a stamp that the server made.
//!
//! `PROTOCOL.md` at the top of the repository gives the same grammar as ABNF.

mod decoder;
mod entry;
mod full_name;
mod id;
mod line;
mod nonce;
mod reason;
mod refusal;
mod reply;
mod request;
mod role;
mod timestamp;

pub mod limits;
pub mod terminal;

pub use decoder::{LineDecoder, Overlong};
pub use entry::{Entry, EntryError, Kind, NewerEntry, NewerKind};
pub use full_name::{FullName, FullNameError};
pub use id::{ClientId, IdError};
pub use line::{
    Line, LineError, escape, excerpt, is_blank, is_forbidden, is_invisible, without_refused,
};
pub use nonce::{Nonce, NonceError, Run};
pub use reason::{ByeReason, Reason};
pub use refusal::{Code, Refusal};
pub use reply::{Here, Reply, ReplyError, Seen, ServerLine, Welcome, Whois};
pub use request::{COMMANDS, Command, Request, Start};
pub use role::Role;
pub use timestamp::{Timestamp, TimestampError};

/// The ALPN name of our own dialect; a peer that offers none speaks the plain dialect.
pub const ALPN: &[u8] = b"countersign/1";

/// The TCP port of a room, unless it is set to another one.
pub const PORT: u16 = 27332;
