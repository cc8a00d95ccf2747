//! The result of a command that changes something. All of these commands share one form of JSON, so a
//! program that reads one of them can read all.

use std::fmt;
use std::path::Path;

use pki::Serial;
use serde::Serialize;
use time::OffsetDateTime;

use crate::ca::Issued;
use crate::people::plan::{ShutOut, Skipped};
use crate::sign::reason::Reason;
use crate::words::{day, moment};

/// The result of a command. The documentation lists the keys of the JSON; they must not be renamed.
#[derive(Debug, Serialize)]
pub(super) struct Deed {
    command: &'static str,
    done: Vec<Item>,
    skipped: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    /// The same for people.
    #[serde(skip)]
    words: String,
}

/// One thing that was done or skipped.
#[derive(Debug, Default, Serialize)]
pub(super) struct Item {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// The password of a file. Only the command that exists to print one sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

impl Deed {
    pub(super) fn new(command: &'static str) -> Self {
        Self {
            command,
            done: Vec::new(),
            skipped: Vec::new(),
            list: None,
            words: String::new(),
        }
    }

    /// Adds things that were done.
    pub(super) fn done(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.done.extend(items);
        self
    }

    /// Adds things that were skipped.
    pub(super) fn skipped(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.skipped.extend(items);
        self
    }

    /// Names the revocation list, if servers need the new one.
    pub(super) fn list(mut self, list: Option<&Path>) -> Self {
        self.list = list.map(shown);
        self
    }

    /// Adds a line for people.
    pub(super) fn line(mut self, line: &str) -> Self {
        self.words.push_str(line);
        self.words.push('\n');
        self
    }

    /// Adds bundles that were issued.
    pub(super) fn issued(self, issued: &[Issued]) -> Self {
        self.issued_to(issued, |_| String::new())
    }

    /// Adds bundles that were issued; `whose` is what a line for people says behind an ID's bundle.
    pub(super) fn issued_to(self, issued: &[Issued], whose: impl Fn(&str) -> String) -> Self {
        let deed = self.done(issued.iter().map(Item::issued));
        issued.iter().fold(deed, |deed, issued| {
            let (name, until) = (&issued.name, day(issued.not_after));
            let bundle = issued.bundle.display();
            let whose = whose(name);
            deed.line(&format!("{name}  {bundle}  valid until {until}{whose}"))
        })
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Item {
    /// Returns the item for a certificate and its file.
    pub(super) fn certificate(
        name: impl Into<String>,
        serial: &Serial,
        until: OffsetDateTime,
        file: &Path,
    ) -> Self {
        Self {
            name: name.into(),
            serial: Some(serial.to_string()),
            until: Some(moment(until)),
            file: Some(shown(file)),
            ..Self::default()
        }
    }

    fn issued(issued: &Issued) -> Self {
        let Issued { name, serial, .. } = issued;
        Self::certificate(name, serial, issued.not_after, &issued.bundle)
    }

    /// Returns the item for somebody who was skipped, with the reason.
    pub(super) fn because(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            why: Some(why.into()),
            ..Self::default()
        }
    }

    pub(super) fn skipped(skipped: &Skipped) -> Self {
        let why = match skipped.other_role {
            Some(role) => format!("has a certificate as {role}"),
            None => "has a certificate".to_owned(),
        };
        Self {
            until: Some(moment(skipped.until)),
            ..Self::because(skipped.id.to_string(), why)
        }
    }

    pub(super) fn shut_out(shut_out: &ShutOut) -> Self {
        let why = match shut_out.reason {
            Reason::CertificateHold => "on hold".to_owned(),
            reason => format!("was revoked ({reason})"),
        };
        Self::because(shut_out.id.to_string(), why)
    }
}

/// Returns notes about older bundles that were moved out of the way.
pub(super) fn notes_on_moved(issued: &[Issued]) -> Vec<String> {
    let moved = issued.iter().filter_map(|issued| {
        let (old, name) = (issued.moved.as_ref()?.display(), &issued.name);
        Some(format!("the old file of {name} is now {old}"))
    });
    moved.collect()
}

/// Returns a path for people and for JSON.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
