//! What a CA's folder and the files from it hold, in words. No report needs the CA's key.

mod contents;
mod list;
mod show;

use std::path::Path;

use time::OffsetDateTime;

use crate::ca::Ca;
use crate::error::Error;
use crate::register::Register;
use crate::run::{Output, note, tell_renewal};

pub(crate) use list::{Filter, list};
pub(crate) use show::show;

/// Opens a CA's folder to look at it, and signs its revocation list again if that is due. Who may
/// only read the folder, or has no passphrase at hand, can still look.
fn look(dir: &Path, output: &mut Output<'_>) -> Result<Register, Error> {
    let register = Register::open(dir)?;
    let index = register.index()?;
    if !register.list_is_due(&index, OffsetDateTime::now_utc())? {
        return Ok(register);
    }
    match Ca::load(dir).and_then(|ca| ca.renew_list()) {
        Ok(true) => tell_renewal(&register, output)?,
        Ok(false) => {}
        Err(error) => note(
            output,
            &format!("the revocation list has to be signed again, but {error}"),
        )?,
    }
    Ok(register)
}
