//! `export`: writes a bundle for a browser, and shows its password.

use std::path::{Path, PathBuf};

use wire::ClientId;

use super::deed::{Deed, Item};
use super::{Context, Printable};
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::holder::export::{self, Strength};
use crate::ledger::register::Register;
use crate::people::suggestion::never_issued;

/// Returns notes. The result goes to `show` instead of into a reply, because the file must not get its
/// name before its password is shown.
pub(crate) fn export(
    context: &Context<'_>,
    what: &str,
    legacy: bool,
    out: Option<&Path>,
    show: impl FnOnce(&dyn Printable) -> Result<(), Error>,
) -> Result<Vec<String>, Error> {
    let strength = if legacy {
        Strength::Legacy
    } else {
        Strength::Modern
    };
    let bundle = find(context.dir, what);
    if !bundle.exists() {
        check_name(context.dir, what)?;
    }
    export::export(&bundle, strength, out, &*context.listener, |made| {
        let written = Item {
            password: Some(made.password.to_string()),
            ..Item::certificate(made.name.as_str(), &made.serial, made.until, &made.path)
        };
        let deed = Deed::new("export")
            .done([written])
            .line(&format!("file      {}", made.path.display()))
            .line(&format!("password  {}", made.password.as_str()));
        show(&deed).map_err(|error| match error {
            Error::Output(source) => Error::PasswordLost {
                path: made.path.clone(),
                source,
            },
            other => other,
        })
    })?;
    Ok(vec![
        "the file contains a private key. Its password is shown only now; send it another way than the file"
            .to_owned(),
    ])
}

/// Fails if this is the name of a person who was never issued a certificate.
fn check_name(dir: &Path, what: &str) -> Result<(), Error> {
    let is_file_name = Path::new(what).extension().is_some_and(|end| end == "pem");
    if is_file_name {
        return Err(Error::NoBundle(PathBuf::from(what)));
    }
    // Whoever has no CA cannot be told more than that there is no such file.
    let Ok(entries) = Register::open(dir).and_then(|register| register.entries()) else {
        return Ok(());
    };
    let people = entries.iter().filter_map(|entry| Some(entry.person()?.0));
    let people: Vec<ClientId> = people.collect();
    match ClientId::parse_typed(what) {
        Ok(id) if !people.contains(&id) => {
            Err(Error::Unknown(vec![never_issued(id.as_str(), &people)]))
        }
        _ => Ok(()),
    }
}

/// Returns the file of that name, or else the bundle of that person.
fn find(dir: &Path, what: &str) -> PathBuf {
    let path = PathBuf::from(what);
    match ClientId::parse_typed(what) {
        Ok(id) if !path.is_file() => {
            let people = Folder::new(dir).people();
            people.join(format!("{id}.pem"))
        }
        _ => path,
    }
}
