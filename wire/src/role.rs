//! A person's role in the room, as the issuer wrote it into the certificate's OU.

use std::fmt;

/// A person's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// The role of people who were given no other.
    #[default]
    Student,
    /// Helps the instructor.
    Assistant,
    /// Leads the class.
    Instructor,
    /// A program.
    Bot,
    /// A role that this version does not know, from a newer server.
    Unknown,
}

impl Role {
    /// Every role that a certificate may name.
    pub const ALL: [Role; 4] = [Role::Student, Role::Assistant, Role::Instructor, Role::Bot];

    /// Returns the word for it, in certificates, on the wire and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Student => "student",
            Role::Assistant => "assistant",
            Role::Instructor => "instructor",
            Role::Bot => "bot",
            Role::Unknown => "unknown",
        }
    }

    /// Reads that word. Returns `None` for one that this version does not know.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
