//! `crl`: signs the revocation list again.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;

use super::{Context, Reply};
use crate::error::Error;
use crate::words::{Moment, counted};

#[derive(Debug, Serialize)]
struct SignedList {
    file: String,
    number: String,
    next_update: Moment,
    revoked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_over: Option<usize>,
}

pub(crate) fn crl(context: &Context<'_>, merge: Option<&Path>) -> Result<Reply, Error> {
    let ca = context.open()?;
    let (list, taken_over) = match merge {
        None => (ca.sign_list_again()?, None),
        Some(path) => {
            let (list, taken_over) = ca.merge_list(path)?;
            (list, Some(taken_over))
        }
    };
    let signed = SignedList {
        file: ca.register().revocation_list().display().to_string(),
        number: list.number().to_string(),
        next_update: Moment(OffsetDateTime::from(list.next_update())),
        revoked: list.count(),
        taken_over,
    };
    let mut notes = Vec::new();
    if taken_over == Some(0) {
        notes.push("every revocation on that list was known already".to_owned());
    }
    notes.push(
        "a server that reads this file has it within 2 seconds. If the server is on another machine, copy it there"
            .to_owned(),
    );
    Ok(Reply::new(signed).noting(notes))
}

impl fmt::Display for SignedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(count) = self.taken_over.filter(|count| *count > 0) {
            let revocations = counted(count, "revocation", "revocations");
            writeln!(f, "added {revocations}")?;
        }
        let (file, next) = (&self.file, self.next_update.day());
        let (number, revoked) = (&self.number, self.revoked);
        writeln!(
            f,
            "signed {file}  number {number}  {revoked} revoked  good until {next}"
        )
    }
}
