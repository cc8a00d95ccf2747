//! A person who should get a certificate, before anything is checked. A candidate remembers where it
//! was written, so that a problem can name the place.

use std::fmt;
use std::path::PathBuf;

/// Somebody who should get a certificate, as written in a roster or on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name, not checked yet.
    pub name: String,
    /// The full name, if it is known.
    pub full_name: Option<String>,
    /// The mail address, if there is one.
    pub email: Option<String>,
    /// The role, if it differs from the default.
    pub role: Option<String>,
    /// The place where it was written.
    pub location: Location,
    /// The fault found while reading it. It is reported together with all other problems.
    pub fault: Option<String>,
    /// What the roster has in place of an ID. The ID is made from it when the people who were issued
    /// certificates before are known; until then `name` holds what it would be for a new person.
    pub made_from: Option<String>,
}

/// The place where a candidate was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The number of the argument, from 1.
    Argument(usize),
    /// The file and the line, from 1.
    Line(PathBuf, u64),
    /// The flag.
    Flag(&'static str),
}

impl Candidate {
    /// Makes candidates from the names on a command line.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<Self> {
        let names = names.into_iter().enumerate();
        names
            .map(|(index, name)| Self {
                name: name.into(),
                full_name: None,
                email: None,
                role: None,
                location: Location::Argument(index + 1),
                fault: None,
                made_from: None,
            })
            .collect()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Argument(number) => write!(f, "argument {number}"),
            Location::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Location::Flag(flag) => f.write_str(flag),
        }
    }
}
