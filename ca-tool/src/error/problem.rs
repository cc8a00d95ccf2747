//! Faults in a roster or in the names on a command line. All of them are found at once, so there is
//! usually a list of them inside one error.

use std::fmt;

use super::Error;

/// One fault in a roster or a command line, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place, such as `class.csv:14` or `argument 2`.
    pub location: String,
    /// The fault.
    pub what: String,
}

/// A possible answer to a question that a roster raises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When it is the right one, as the beginning of a sentence.
    pub when: String,
    /// The flags that give it.
    pub flags: Vec<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.what)
    }
}

impl Error {
    /// Returns the lines to show before the error itself.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Error::Problems(problems) => problems,
            _ => &[],
        }
    }

    /// Returns the lines to show before those: what the answer to a question would come to.
    pub fn shown(&self) -> &[String] {
        match self {
            Error::Question { shown, .. } => shown,
            _ => &[],
        }
    }
}
