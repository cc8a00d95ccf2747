//! Signs the revocation list again, and says what it holds.

use serde::Serialize;
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::error::Error;
use crate::run::{Output, day, moment, note, write_json};

#[derive(Debug, Serialize)]
struct Signed {
    file: String,
    number: String,
    next_update: String,
    revoked: usize,
}

pub(crate) fn crl(ca: &Ca, json: bool, output: &mut Output<'_>) -> Result<(), Error> {
    let list = ca.sign_list_again()?;
    let path = ca.revocation_list();
    let signed = Signed {
        file: path.display().to_string(),
        number: list.number().to_string(),
        next_update: moment(OffsetDateTime::from(list.next_update())),
        revoked: list.count(),
    };
    if json {
        return write_json(&signed, output);
    }
    let (file, next) = (&signed.file, day(&signed.next_update));
    let (number, revoked) = (&signed.number, signed.revoked);
    writeln!(
        output.results,
        "signed {file}  number {number}  {revoked} revoked  good until {next}"
    )?;
    note(
        output,
        "a server that reads this file has it within two seconds; one elsewhere needs the new file",
    )
}
