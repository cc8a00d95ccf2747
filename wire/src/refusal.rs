//! A refusal: a code for programs, the line it refuses, and words for people.

use std::fmt;

use crate::Nonce;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The subject of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A code that this version does not know.
            Unknown,
        }

        impl Code {
            /// Every code that a server sends.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// Returns the word for it on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $word,)*
                    Code::Unknown => "unknown",
                }
            }
        }
    };
}

codes! {
    /// A text of more than 4096 bytes, or a line of more than 4224.
    TooLong = "too-long",
    /// The bytes are not UTF-8.
    NotUtf8 = "not-utf8",
    /// A character that no line may have, or an invisible one in a place where it has no use.
    ForbiddenCharacter = "forbidden-character",
    /// A `/say` without a text, or a text without a visible character.
    Empty = "empty",
    /// No such command.
    UnknownCommand = "unknown-command",
    /// A command with arguments that it does not take.
    BadArgument = "bad-argument",
    /// `/nick`: names come from certificates.
    NameFromCertificate = "name-from-certificate",
    /// `/whois` of someone who was never here.
    UnknownId = "unknown-id",
    /// A second `/follow`.
    AlreadyFollowing = "already-following",
    /// `/follow` from an entry that this transcript does not hold.
    OtherHistory = "other-history",
    /// A RUN-N that was used for another text.
    Reused = "reused",
    /// A RUN-N that later ones have overtaken and that was never stored.
    PassedOver = "passed-over",
    /// The line was taken and waits for the database; it is not lost.
    Waiting = "waiting",
    /// The disk is nearly full: the line was not taken.
    DiskLow = "disk-low",
    /// The ID has used up its share of the record for a day: the line was not taken.
    Quota = "quota",
    /// The ID is here already, and the server keeps the older session.
    AlreadyHere = "already-here",
    /// Too many sessions of one ID: new ones within a minute, or at once.
    TooManySessions = "too-many-sessions",
    /// The database cannot be written now: come back later.
    TryLater = "try-later",
}

impl Code {
    /// Reads a code; an unknown one is [`Code::Unknown`].
    pub fn parse(word: &str) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == word)
            .unwrap_or(Code::Unknown)
    }
}

/// `! too-long k3v9q2a7-12 a line may have at most 4096 bytes`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The subject.
    pub code: Code,
    /// The line that is refused, if it had a RUN-N.
    pub nonce: Option<Nonce>,
    /// The explanation, for people.
    pub words: String,
}

impl Refusal {
    /// Creates a refusal of no line in particular.
    pub fn new(code: Code, words: impl Into<String>) -> Self {
        Self {
            code,
            nonce: None,
            words: words.into(),
        }
    }

    /// Returns the same refusal, of this line.
    #[must_use]
    pub fn of(self, nonce: Option<Nonce>) -> Self {
        Self { nonce, ..self }
    }

    /// Reads a refusal without its `! `.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (code, rest) = text.split_once(' ')?;
        let (nonce, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let nonce = match nonce {
            "-" => None,
            nonce => Some(Nonce::parse(nonce).ok()?),
        };
        Some(Self {
            code: Code::parse(code),
            nonce,
            words: words.to_owned(),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "! {} ", self.code.as_str())?;
        match &self.nonce {
            Some(nonce) => write!(f, "{nonce}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {}", self.words)
    }
}
