//! What a command did, for programs: one shape for all of them, so that whoever reads one reads each.

use std::io::{self, Write};
use std::path::Path;

use pki::Serial;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Output, moment, write_json};
use crate::ca::Issued;
use crate::cli::args::Place;
use crate::error::Error;
use crate::people::plan::{ShutOut, Skipped};
use crate::sign::reason::Reason;

/// What a command did, as `--json` says it. `README.md` tells the keys; they are not renamed.
#[derive(Debug, Serialize)]
pub(crate) struct Deed {
    command: &'static str,
    done: Vec<Item>,
    skipped: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
}

/// One thing that was done, or was not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Item {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// What opens a file. Only a command whose whole purpose it is to print one says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Deed {
    pub(crate) fn new(command: &'static str) -> Self {
        Self {
            command,
            done: Vec::new(),
            skipped: Vec::new(),
            list: None,
        }
    }

    pub(crate) fn done(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.done.extend(items);
        self
    }

    pub(crate) fn skipped(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.skipped.extend(items);
        self
    }

    /// The revocation list, where a server needs it anew.
    pub(crate) fn list(mut self, list: Option<&Path>) -> Self {
        self.list = list.map(shown);
        self
    }

    /// Says it, as JSON if that was asked for, or else in words.
    pub(crate) fn tell(
        &self,
        place: &Place,
        output: &mut Output<'_>,
        words: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        if place.json {
            write_json(self, output)
        } else {
            output.tell(words)
        }
    }
}

impl Item {
    /// A certificate, and the file that it is in.
    pub(crate) fn certificate(
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

    pub(crate) fn issued(issued: &Issued) -> Self {
        let Issued { name, serial, .. } = issued;
        Self::certificate(name, serial, issued.not_after, &issued.bundle)
    }

    pub(crate) fn skipped(skipped: &Skipped) -> Self {
        Self {
            name: skipped.id.to_string(),
            until: Some(moment(skipped.until)),
            why: Some(match skipped.other_role {
                Some(role) => format!("has a certificate as {role}"),
                None => "has a certificate".to_owned(),
            }),
            ..Self::default()
        }
    }

    pub(crate) fn shut_out(shut_out: &ShutOut) -> Self {
        let why = match shut_out.reason {
            Reason::CertificateHold => "on hold".to_owned(),
            reason => format!("was revoked ({reason})"),
        };
        Self {
            name: shut_out.id.to_string(),
            why: Some(why),
            ..Self::default()
        }
    }
}

/// A path in words, as it is said elsewhere.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
