//! Why a session ended: one closed set for leaves, for `= bye` and for `joins.reason`.

use std::fmt;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The client closed the connection properly or said `/quit`.
    Goodbye,
    /// The connection broke.
    Lost,
    /// Nothing could be written to the client for too long.
    Stalled,
    /// Nothing was heard from the client for too long.
    Silent,
    /// The client sent an endless line.
    Flooding,
    /// A newer session of the same ID took its place.
    Replaced,
    /// The certificate was revoked.
    Revoked,
    /// The certificate is on hold: revoked for a while.
    OnHold,
    /// The certificate expired.
    Expired,
    /// The server was stopped.
    ShuttingDown,
    /// The server died; written when it starts again.
    ServerCrash,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 11] = [
        Reason::Goodbye,
        Reason::Lost,
        Reason::Stalled,
        Reason::Silent,
        Reason::Flooding,
        Reason::Replaced,
        Reason::Revoked,
        Reason::OnHold,
        Reason::Expired,
        Reason::ShuttingDown,
        Reason::ServerCrash,
    ];

    /// Returns the word for it, on the wire and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Goodbye => "goodbye",
            Reason::Lost => "lost",
            Reason::Stalled => "stalled",
            Reason::Silent => "silent",
            Reason::Flooding => "flooding",
            Reason::Replaced => "replaced",
            Reason::Revoked => "revoked",
            Reason::OnHold => "on-hold",
            Reason::Expired => "expired",
            Reason::ShuttingDown => "shutting-down",
            Reason::ServerCrash => "server-crash",
        }
    }

    /// Reads that word. Returns `None` for one that this version does not know.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Returns whether a text has the form of a reason, known or not. A text of several words could
/// read like an entry of somebody else.
pub(crate) fn is_reason(text: &str) -> bool {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_of_word)
}

/// The reason in a `= bye`: one of ours, or the word of a newer server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByeReason {
    /// A reason that this version knows.
    Known(Reason),
    /// The word for one that only a newer server has.
    Newer(String),
}

impl ByeReason {
    /// Reads the word for a reason.
    pub fn parse(word: &str) -> Self {
        match Reason::parse(word) {
            Some(reason) => Self::Known(reason),
            None => Self::Newer(word.to_owned()),
        }
    }

    /// Returns the reason, if this version knows it.
    pub fn known(&self) -> Option<Reason> {
        match self {
            Self::Known(reason) => Some(*reason),
            Self::Newer(_) => None,
        }
    }

    /// Returns the word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(reason) => reason.as_str(),
            Self::Newer(word) => word,
        }
    }
}

impl From<Reason> for ByeReason {
    fn from(reason: Reason) -> Self {
        Self::Known(reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
