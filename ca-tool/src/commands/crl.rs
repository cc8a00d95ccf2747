//! Signs the revocation list again, and says what it holds.

use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::commands::{Output, counted, day, moment, note, write_json};
use crate::error::Error;

#[derive(Debug, Serialize)]
struct Signed {
    file: String,
    number: String,
    next_update: String,
    revoked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_over: Option<usize>,
}

pub(crate) fn crl(
    ca: &Ca,
    merge: Option<&Path>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let (list, taken_over) = match merge {
        None => (ca.sign_list_again()?, None),
        Some(path) => {
            let (list, taken_over) = ca.merge_list(path)?;
            (list, Some(taken_over))
        }
    };
    let path = ca.revocation_list();
    let signed = Signed {
        file: path.display().to_string(),
        number: list.number().to_string(),
        next_update: moment(OffsetDateTime::from(list.next_update())),
        revoked: list.count(),
        taken_over,
    };
    if json {
        return write_json(&signed, output);
    }
    if taken_over == Some(0) {
        note(output, "every revocation on that list was known here");
    }
    let (file, next) = (&signed.file, day(&signed.next_update));
    let (number, revoked) = (&signed.number, signed.revoked);
    output.tell(|results| {
        if let Some(count) = taken_over.filter(|count| *count > 0) {
            let revocations = counted(count, "revocation", "revocations");
            writeln!(results, "took over {revocations}")?;
        }
        writeln!(
            results,
            "signed {file}  number {number}  {revoked} revoked  good until {next}"
        )
    })?;
    note(
        output,
        "a server that reads this file has it within two seconds; one elsewhere needs the new file",
    );
    Ok(())
}
