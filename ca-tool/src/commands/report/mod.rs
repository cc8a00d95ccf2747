//! What a CA's folder and the files from it hold, in words. No report needs the CA's key.

mod agreement;
mod contents;
mod doctor;
mod list;
mod show;
mod status;
mod verify;

use time::OffsetDateTime;

use crate::ca::Ca;
use crate::cli::args::Place;
use crate::cli::report_args::Report;
use crate::commands::{DONE, Output, note, open, tell_renewal};
use crate::error::Error;
use crate::keys::passphrase::Source;
use crate::ledger::register::Register;
use list::{Filter, list};

/// Runs one of the commands that report, and gives the exit code.
pub(crate) fn run(place: &Place, command: Report, output: &mut Output<'_>) -> Result<u8, Error> {
    let json = place.json;
    let done = match command {
        Report::List {
            expiring,
            revoked,
            role,
        } => {
            let filter = Filter {
                expiring,
                revoked,
                role,
            };
            list(place, filter, json, output)
        }
        Report::Show { what } => show::show(place, &what, json, output),
        Report::Verify {
            file,
            crl,
            strict_revocation,
        } => {
            let terms = verify::Terms {
                crl,
                strict: strict_revocation,
            };
            return verify::verify(place, &file, &terms, json, output);
        }
        Report::Status { db } => {
            return status::status(place, db.as_deref(), json, output);
        }
        Report::Doctor { crl } => {
            return doctor::doctor(place, crl.as_deref(), json, output);
        }
        Report::Crl { merge } => {
            super::crl::crl(&open(place, output)?, merge.as_deref(), json, output)
        }
    };
    done.map(|()| DONE)
}

/// Opens a CA's folder to look at it, and signs its revocation list again if that is due. Who may
/// only read the folder, or has no passphrase at hand, can still look: nobody is asked for one.
fn look(place: &Place, output: &mut Output<'_>) -> Result<Register, Error> {
    let register = Register::open(&place.dir)?;
    let index = register.index()?;
    if !register.list_is_due(&index, OffsetDateTime::now_utc())? {
        return Ok(register);
    }
    let renewed = Ca::load_with(&place.dir, |key| match place.passphrase() {
        Source::Terminal => Err(Error::EncryptedKey(key.to_owned())),
        source => source.for_key(key),
    })
    .and_then(|ca| ca.renew_list());
    match renewed {
        Ok(true) => tell_renewal(&register, output),
        Ok(false) => {}
        Err(error) => note(
            output,
            &format!("the revocation list, or the index, has to be put right, but {error}"),
        ),
    }
    Ok(register)
}
