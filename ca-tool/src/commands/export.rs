//! Writes a bundle for a browser, and prints what opens it.

use std::io;
use std::path::{Path, PathBuf};

use wire::ClientId;

use super::deed::{Deed, Item};
use super::{Output, note};
use crate::cli::args::Place;
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::holder::export::{self, Strength};

pub(super) fn export(
    place: &Place,
    what: &str,
    legacy: bool,
    out: Option<&Path>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let strength = if legacy {
        Strength::Legacy
    } else {
        Strength::Modern
    };
    export::export(&find(place, what), strength, out, |made| {
        if output.is_discarded {
            return Err(Error::PasswordLost {
                path: made.path.clone(),
                source: io::Error::other("standard output is closed, or nobody reads it"),
            });
        }
        let written = Item {
            password: Some(made.password.to_string()),
            ..Item::certificate(made.name.as_str(), &made.serial, made.until, &made.path)
        };
        let told = Deed::new("export")
            .done([written])
            .tell(place, output, |results| {
                writeln!(results, "file      {}", made.path.display())?;
                writeln!(results, "password  {}", made.password.as_str())
            })
            .and_then(|()| output.tell(|results| results.flush()));
        // Who reads no further has not read the password either.
        told.map_err(|error| match error {
            Error::Output(source) => Error::PasswordLost {
                path: made.path.clone(),
                source,
            },
            other => other,
        })
    })?;
    note(
        output,
        "the file holds a private key; its password is shown this once, and best goes another way than the file",
    );
    Ok(())
}

/// A file of that name, or else the bundle of that person.
fn find(place: &Place, what: &str) -> PathBuf {
    let path = PathBuf::from(what);
    match ClientId::parse_typed(what) {
        Ok(id) if !path.is_file() => {
            let people = Folder::new(&place.dir).people();
            people.join(format!("{id}.pem"))
        }
        _ => path,
    }
}
