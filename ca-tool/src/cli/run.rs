//! Turns the command line into the call of a command, and prints its reply.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use super::args::{Args, Command, Globals};
use super::output::{self, Output, Screen};
use super::passphrase::Source;
use super::report_args::Report;
use super::terminal;
use crate::ca::{AdoptOptions, InitOptions, IssueOptions, Whose};
use crate::commands::init::NewCa;
use crate::commands::issue::Recipients;
use crate::commands::report::list::Filter;
use crate::commands::report::verify::ServerOptions;
use crate::commands::{Ask, Context, DONE, Printable, Reply};
use crate::commands::{
    adopt, crl, export, init, issue, issue_server, look, renew, request, revoke, sign,
};
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::notice::Listener;
use crate::people::parcel::Parcel;
use crate::people::roster::Choices;
use crate::words::end_of;

/// Runs one command, and returns the exit code.
pub(super) fn run(args: Args, output: &mut Output<'_>) -> Result<u8, Error> {
    let Args { globals, command } = args;
    let screen = Arc::new(Screen::new());
    let person = Person {
        globals: &globals,
        read: OnceCell::new(),
    };
    let context = Context {
        dir: &globals.dir,
        ask: &person,
        listener: Arc::clone(&screen) as Arc<dyn Listener>,
    };
    let is_status = matches!(command, Command::Report(Report::Status { .. }));
    let reply = match command {
        Command::Init {
            name,
            bare_name: _,
            ca_cert,
            ca_key,
            crl,
            hosts,
            port,
            no_passphrase,
        } => {
            let (certificate, key) = (ca_cert.unwrap_or_default(), ca_key.unwrap_or_default());
            let new = match name {
                Some(name) => NewCa::Made(InitOptions {
                    name,
                    hosts,
                    port,
                    passphrase: None,
                }),
                None => NewCa::Adopted(AdoptOptions {
                    certificate,
                    key,
                    list: crl,
                    hosts,
                    port,
                    passphrase: None,
                }),
            };
            init::init(&context, new, no_passphrase)
        }
        Command::Issue {
            names,
            roster,
            preview,
            id_from,
            id_column,
            name_columns,
            email_column,
            no_header,
            sheet,
            encoding,
            full_name,
            until,
            role,
            out,
            zip,
            help,
            allow_lookalike,
            server,
        } => {
            let options = IssueOptions {
                until: until.map(end_of),
                role,
                out,
                allow_lookalike,
                server,
                parcel: parcel(zip),
                full_name: None,
                help: help.into(),
            };
            let recipients = Recipients {
                names,
                roster,
                choices: Choices {
                    id_column,
                    id_from,
                    name_columns,
                    email_column,
                    no_header,
                    sheet,
                    encoding,
                },
                is_preview: preview,
                typed: typed(),
                full_name,
            };
            issue::issue(&context, recipients, &options)
        }
        Command::IssueServer { hosts, out } => {
            issue_server::issue_server(&context, hosts, out.as_deref())
        }
        Command::Renew {
            names,
            all,
            full_name,
            until,
            overlap,
            out,
            zip,
            help,
            server,
        } => {
            let options = IssueOptions {
                until: until.map(end_of),
                out,
                server,
                parcel: parcel(zip),
                full_name,
                help: help.into(),
                ..IssueOptions::default()
            };
            let whose = if all {
                Whose::Everybody
            } else {
                Whose::People(names)
            };
            let overlap = time::Duration::days(overlap.into());
            renew::renew(&context, &whose, overlap, &options)
        }
        Command::Revoke {
            which,
            reason,
            note,
        } => revoke::revoke(&context, &which.into(), reason, note.as_deref()),
        Command::Unhold { which } => revoke::unhold(&context, &which.into()),
        Command::Request { name, out } => request::request(&context, &name, &out),
        Command::Sign {
            request,
            name,
            full_name,
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
                full_name,
                ..IssueOptions::default()
            };
            sign::sign(&context, &request, &name, &options)
        }
        Command::Adopt { answer, key, out } => {
            adopt::adopt(&context, &answer, &key, out.as_deref())
        }
        Command::Export {
            what,
            p12: _,
            legacy,
            out,
        } => {
            let show = |result: &dyn Printable| output.needed_result(result);
            let notes = export::export(&context, &what, legacy, out.as_deref(), show)?;
            output::notes(&notes);
            return Ok(DONE);
        }
        Command::Report(report) => run_report(&context, report),
    };
    screen.clear();
    output.reply(&reply?).map_err(|error| match is_status {
        // A state that cannot be printed is one that nobody knows.
        true => Error::Broken(Box::new(error)),
        false => error,
    })
}

fn run_report(context: &Context<'_>, report: Report) -> Result<Reply, Error> {
    match report {
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
            look::list(context, filter)
        }
        Report::Show { what } => look::show(context, &what),
        Report::Verify {
            file,
            crl,
            strict_revocation,
        } => {
            let options = ServerOptions {
                crl,
                strict: strict_revocation,
            };
            look::verify(context, &file, &options)
        }
        Report::Status { db } => look::status(context, db.as_deref()),
        Report::Doctor { crl } => look::doctor(context, crl.as_deref()),
        Report::Crl { merge } => crl::crl(context, merge.as_deref()),
    }
}

/// Returns the command line as it was typed, with the program's name and not its path.
fn typed() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| word.to_string_lossy().into_owned());
    std::iter::once("ca-tool".to_owned()).chain(words).collect()
}

fn parcel(zip: bool) -> Parcel {
    if zip { Parcel::Zip } else { Parcel::Bundle }
}

/// Answers for the person who typed this command line.
struct Person<'a> {
    globals: &'a Globals,
    /// The passphrase that was read from a file or a descriptor: a pipe has it only once.
    read: OnceCell<Passphrase>,
}

impl Person<'_> {
    /// Returns the passphrase by `ask`. A file or a descriptor is asked once.
    fn passphrase_of(
        &self,
        ask: impl FnOnce(Source) -> Result<Passphrase, Error>,
    ) -> Result<Passphrase, Error> {
        let source = self.globals.passphrase_source();
        if matches!(source, Source::Terminal) {
            return ask(source);
        }
        if let Some(read) = self.read.get() {
            return Ok(read.clone());
        }
        let passphrase = ask(source)?;
        Ok(self.read.get_or_init(|| passphrase).clone())
    }
}

impl Ask for Person<'_> {
    fn passphrase(&self, key: &Path) -> Result<Passphrase, Error> {
        self.passphrase_of(|source| source.for_key(key))
    }

    fn passphrase_at_hand(&self, key: &Path) -> Result<Passphrase, Error> {
        self.passphrase_of(|source| source.for_key_unasked(key))
    }

    fn new_passphrase(&self) -> Result<Passphrase, Error> {
        self.passphrase_of(|source| source.for_new_key())
    }

    fn confirm(&self, warning: &str) -> Result<(), Error> {
        if self.globals.yes {
            return Ok(());
        }
        terminal::confirm(warning)
    }

    fn confirm_if_here(&self, warning: &str) -> Result<(), Error> {
        if !terminal::is_here() {
            return Ok(());
        }
        self.confirm(warning)
    }
}
