//! Does what a command says, and tells what was made, where it is and when it expires.

mod adoption;
mod crl;
mod deed;
mod export;
mod issue;
mod own_key;
mod renew;
pub(crate) mod report;
mod revoke;
mod sign;

use std::io::{self, Write};

use pki::Bundle;
use serde::Serialize;
use time::OffsetDateTime;

use crate::ca::{AdoptOptions, Ca, InitOptions, IssueOptions, Whose, end_of};
use crate::cli::args::{Args, Command, Place};
use crate::error::Error;
use crate::ledger::register::Register;
use crate::people::parcel::Parcel;
use deed::{Deed, Item, shown};
use issue::tell_issued;

/// Where a run says what it did.
pub struct Output<'a> {
    /// Results: what was made or asked for.
    pub results: &'a mut dyn Write,
    /// Everything else.
    pub notes: &'a mut dyn Write,
    /// Whether somebody watches the notes on a terminal.
    pub is_watched: bool,
    /// Whether nobody will ever read the results.
    pub is_discarded: bool,
}

impl Output<'_> {
    /// Says a result. Nothing else makes [`Error::Output`]: whoever cannot hear a note is none the
    /// worse for it.
    pub(crate) fn tell(
        &mut self,
        words: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        words(self.results).map_err(Error::Output)
    }
}

/// What a program's exit code says when all is done, or all is well.
pub(crate) const DONE: u8 = 0;
/// What it says when the answer to a question is no.
pub(crate) const NOT_SO: u8 = 1;

/// Runs one command, and gives the exit code.
///
/// # Errors
///
/// When it could not be done.
pub fn run(args: Args, output: &mut Output<'_>) -> Result<u8, Error> {
    let place = &args.place;
    let done = match args.command {
        Command::Init {
            name,
            ca_cert,
            ca_key,
            crl,
            hosts,
            port,
            no_passphrase,
        } => {
            let (certificate, key) = (ca_cert.unwrap_or_default(), ca_key.unwrap_or_default());
            let founding = match name {
                Some(name) => Founding::New(InitOptions {
                    name,
                    hosts,
                    port,
                    passphrase: None,
                }),
                None => Founding::Adopted(AdoptOptions {
                    certificate,
                    key,
                    list: crl,
                    hosts,
                    port,
                    passphrase: None,
                }),
            };
            init(place, founding, no_passphrase, output)
        }
        Command::Issue {
            names,
            roster,
            id_column,
            until,
            role,
            out,
            zip,
            allow_lookalike,
            server,
        } => {
            let options = IssueOptions {
                until: until.map(end_of),
                role,
                out,
                allow_lookalike,
                server,
                parcel: if zip { Parcel::Zip } else { Parcel::Bundle },
            };
            issue::issue(place, names, (roster, id_column), &options, output)
        }
        Command::IssueServer { hosts, out } => {
            issue::issue_server(place, hosts, out.as_deref(), output)
        }
        Command::Renew {
            names,
            all,
            until,
            overlap,
            out,
            zip,
            server,
        } => {
            let options = IssueOptions {
                until: until.map(end_of),
                out,
                server,
                parcel: if zip { Parcel::Zip } else { Parcel::Bundle },
                ..IssueOptions::default()
            };
            let whose = if all {
                Whose::Everybody
            } else {
                Whose::People(names)
            };
            let overlap = time::Duration::days(overlap.into());
            renew::renew(place, (&whose, overlap), &options, output)
        }
        Command::Export {
            what,
            p12: _,
            legacy,
            out,
        } => export::export(place, &what, legacy, out.as_deref(), output),
        Command::Revoke {
            which,
            reason,
            note,
        } => revoke::revoke(place, &which.into(), reason, note.as_deref(), output),
        Command::Unhold { which } => revoke::unhold(place, &which.into(), output),
        Command::Request { name, out } => own_key::request(place, &name, &out, output),
        Command::Sign {
            request,
            name,
            until,
            role,
            out,
            allow_lookalike,
            server,
        } => {
            let options = IssueOptions {
                until: until.map(end_of),
                role,
                out,
                allow_lookalike,
                server,
                parcel: Parcel::Answer,
            };
            sign::sign(place, &request, &name, &options, output)
        }
        Command::Adopt { answer, key, out } => {
            own_key::adopt(place, &answer, &key, out.as_deref(), output)
        }
        Command::Report(command) => return report::run(place, command, output),
    };
    done.map(|()| DONE)
}

/// Where a CA comes from.
enum Founding {
    New(InitOptions),
    Adopted(AdoptOptions),
}

fn init(
    place: &Place,
    founding: Founding,
    no_passphrase: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let dir = &place.dir;
    let new_passphrase = || match no_passphrase {
        true => Ok(None),
        false => place.passphrase().for_new_key().map(Some),
    };
    // Nobody thinks of a passphrase for a CA that cannot be made.
    let (ca, has_host, is_encrypted) = match founding {
        Founding::New(mut options) => {
            Ca::may_init(dir, &options.name)?;
            options.passphrase = new_passphrase()?;
            let ca = Ca::init(dir, &options)?;
            (ca, !options.hosts.is_empty(), options.passphrase.is_some())
        }
        Founding::Adopted(mut options) => {
            Ca::may_adopt(dir, &options)?;
            options.passphrase = match options.is_encrypted()? {
                true if no_passphrase => return Err(Error::StaysEncrypted(options.key)),
                true => Some(place.passphrase().for_key(&options.key)?),
                false => new_passphrase()?,
            };
            let ca = Ca::adopt(dir, &options)?;
            adoption::tell_adoption(&ca, options.list.is_some(), output)?;
            (ca, !options.hosts.is_empty(), options.passphrase.is_some())
        }
    };
    let until = OffsetDateTime::from(ca.says().not_after).date();
    let (list, path) = (ca.revocation_list(), ca.server_bundle());
    let server = Bundle::read(&path).ok();
    let says = ca.says();
    let founded = Item {
        key: Some(shown(&ca.key())),
        ..Item::certificate(
            ca.name(),
            &says.serial,
            says.not_after.into(),
            &ca.certificate(),
        )
    };
    let served = server.as_ref().map(|bundle| {
        let said = bundle.certificate();
        let name = said.subject.common_names.first();
        let name = name.map_or("server", String::as_str);
        Item::certificate(name, &said.serial, said.not_after.into(), &path)
    });
    let deed = Deed::new("init")
        .done([founded].into_iter().chain(served))
        .list(Some(&list));
    deed.tell(place, output, |results| {
        let name = ca.name();
        writeln!(results, "made the CA \"{name}\", valid until {until}")?;
        writeln!(results, "  certificate      {}", ca.certificate().display())?;
        writeln!(results, "  key              {}", ca.key().display())?;
        writeln!(results, "  revocation list  {}", list.display())?;
        let Some(bundle) = &server else {
            return Ok(());
        };
        let said = bundle.certificate();
        let until = OffsetDateTime::from(said.not_after).date();
        writeln!(results, "made a bundle for the server, valid until {until}")?;
        writeln!(results, "  bundle           {}", path.display())?;
        let addresses = said.addresses.iter().map(ToString::to_string);
        let names: Vec<_> = said.dns_names.iter().cloned().chain(addresses).collect();
        writeln!(results, "  valid for        {}", names.join(", "))
    })?;
    if !has_host {
        note(
            output,
            "people's bundles will say that the server is on localhost; for other machines `issue --server HOST` says where it is",
        );
    }
    let key = ca.key();
    let key = key.display();
    let kept = match is_encrypted {
        true => format!(
            "who has {key} and its passphrase can let anybody in: keep a copy of each, in two places; nothing opens a key whose passphrase is lost"
        ),
        false => {
            format!("who can read {key} can let anybody in: keep it to yourself, and keep a copy")
        }
    };
    note(output, &kept);
    Ok(())
}

/// Opens a CA to change it.
pub(crate) fn open(place: &Place, output: &mut Output<'_>) -> Result<Ca, Error> {
    let ca = Ca::load_with(&place.dir, |key| place.passphrase().for_key(key))?;
    if ca.renew_list()? {
        tell_renewal(&ca, output);
    }
    Ok(ca)
}

pub(crate) fn tell_renewal(ca: &Register, output: &mut Output<'_>) {
    let list = ca.revocation_list();
    let list = list.display();
    note(
        output,
        &format!("{list} was signed again; a server elsewhere needs the new file"),
    );
}

/// Says what somebody may want to know. That nobody can be told is no reason to stop.
pub(crate) fn note(output: &mut Output<'_>, what: &str) {
    let _ = writeln!(output.notes, "ca-tool: note: {what}");
}

pub(crate) fn write_json(value: &impl Serialize, output: &mut Output<'_>) -> Result<(), Error> {
    output.tell(|results| {
        serde_json::to_writer_pretty(&mut *results, value)?;
        writeln!(results)
    })
}

/// So many of something: `1 file`, `2 files`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How many names stand in one line; `list` shows them all.
const NAMED_MAX: usize = 8;

/// The first few names, and how many others there are.
pub(crate) fn some(names: &[String], separator: &str) -> String {
    let shown = names[..names.len().min(NAMED_MAX)].join(separator);
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A moment as the record writes it, without fractions: `2027-05-20T23:59:59Z`.
pub(crate) fn moment(moment: OffsetDateTime) -> String {
    let text = wire::Timestamp::from(std::time::SystemTime::from(moment)).to_string();
    format!("{}Z", &text[.."2027-05-20T23:59:59".len()])
}

/// The day of such a moment.
pub(crate) fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_everything_else_is_many() {
        let files = |count| counted(count, "file", "files");
        assert_eq!(
            [files(0), files(1), files(2)],
            ["0 files", "1 file", "2 files"]
        );
    }
}
