//! Does what a command says, and tells what was made, where it is and when it expires.

use std::io::Write;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use pki::Bundle;
use serde::Serialize;
use time::OffsetDateTime;
use wire::ClientId;

use crate::args::{Args, Command};
use crate::ca::{Ca, InitOptions, Issuance, IssueOptions, Issued, end_of, nobody};
use crate::error::Error;
use crate::host::Host;
use crate::index::Record;
use crate::reason::Reason;
use crate::roster::{Candidate, Roster};
use crate::show::Shown;

/// Where a run says what it did.
pub struct Output<'a> {
    /// Results: what was made or asked for.
    pub results: &'a mut dyn Write,
    /// Everything else.
    pub notes: &'a mut dyn Write,
}

/// Runs one command.
///
/// # Errors
///
/// When it could not be done.
pub fn run(args: Args, output: &mut Output<'_>) -> Result<(), Error> {
    let dir = &args.dir;
    match args.command {
        Command::Init {
            name,
            hosts,
            port,
            no_passphrase,
        } => {
            if !no_passphrase {
                return Err(Error::Passphrase);
            }
            init(dir, &InitOptions { name, hosts, port }, output)
        }
        Command::Issue {
            names,
            roster,
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
            };
            issue(dir, names, roster, &options, output)
        }
        Command::IssueServer { hosts } => issue_server(dir, &hosts, output),
        Command::Revoke { ids, reason } => revoke(dir, &ids, reason, output),
        Command::List { json } => list(dir, json, output),
        Command::Show { what, json } => show(dir, &what, json, output),
    }
}

fn init(dir: &Path, options: &InitOptions, output: &mut Output<'_>) -> Result<(), Error> {
    let ca = Ca::init(dir, options)?;
    let until = OffsetDateTime::from(ca.says().not_after).date();
    let results = &mut output.results;
    writeln!(
        results,
        "made the CA \"{}\", valid until {until}",
        options.name
    )?;
    writeln!(results, "  certificate      {}", ca.certificate().display())?;
    writeln!(results, "  key              {}", ca.key().display())?;
    let list = ca.revocation_list();
    writeln!(results, "  revocation list  {}", list.display())?;
    let path = ca.server_bundle();
    if let Ok(bundle) = Bundle::read(&path) {
        let said = bundle.certificate();
        let until = OffsetDateTime::from(said.not_after).date();
        writeln!(results, "made a bundle for the server, valid until {until}")?;
        writeln!(results, "  bundle           {}", path.display())?;
        let addresses = said.addresses.iter().map(ToString::to_string);
        let names: Vec<_> = said.dns_names.iter().cloned().chain(addresses).collect();
        writeln!(results, "  valid for        {}", names.join(", "))?;
    }
    if options.hosts.is_empty() {
        note(
            output,
            "people's bundles will say that the server is on localhost; for other machines `issue --server HOST` says where it is",
        )?;
    }
    note(
        output,
        &format!(
            "who can read {} can let anybody in: keep it to yourself, and keep a copy",
            ca.key().display()
        ),
    )
}

fn issue(
    dir: &Path,
    names: Vec<String>,
    roster: Option<PathBuf>,
    options: &IssueOptions,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut candidates = Candidate::named(names);
    if let Some(path) = &roster {
        let roster = Roster::read(path)?;
        if !roster.ignored.is_empty() {
            let columns = roster.ignored.join(", ");
            let path = path.display();
            note(output, &format!("nothing is done with {columns} in {path}"))?;
        }
        candidates.extend(roster.candidates);
    }
    if candidates.is_empty() && roster.is_none() {
        return Err(Error::Nobody);
    }
    let ca = open(dir, output)?;
    if candidates.is_empty() {
        return note(output, "the roster names nobody");
    }
    let issuance = ca.issue(&candidates, options)?;
    tell_issuance(&ca, &issuance, options, output)
}

fn tell_issuance(
    ca: &Ca,
    issuance: &Issuance,
    options: &IssueOptions,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    if let Some(until) = issuance.clamped {
        let until = until.date();
        note(
            output,
            &format!("the CA itself is valid until {until}, so nothing it issues is longer"),
        )?;
    }
    for skipped in &issuance.skipped {
        let (id, until) = (&skipped.id, skipped.until.date());
        note(
            output,
            &format!("{id} has a certificate until {until}; skipped"),
        )?;
        let bundle = ca.people().join(format!("{id}.pem"));
        if options.out.is_none() && !bundle.exists() {
            let bundle = bundle.display();
            note(
                output,
                &format!(
                    "{bundle} is not there; if it is lost, `ca-tool revoke {id} --reason superseded` and issue again"
                ),
            )?;
        }
    }
    for issued in &issuance.issued {
        tell_issued(issued, output)?;
    }
    if !issuance.issued.is_empty() {
        note(
            output,
            "a bundle holds its owner's private key: hand each to its owner alone",
        )?;
    }
    Ok(())
}

fn tell_issued(issued: &Issued, output: &mut Output<'_>) -> Result<(), Error> {
    if let Some(old) = &issued.moved {
        let old = old.display();
        let name = &issued.name;
        note(output, &format!("the old bundle of {name} is now {old}"))?;
    }
    let (name, until) = (&issued.name, issued.not_after.date());
    let bundle = issued.bundle.display();
    writeln!(output.results, "{name}  {bundle}  valid until {until}")?;
    Ok(())
}

fn issue_server(dir: &Path, hosts: &[Host], output: &mut Output<'_>) -> Result<(), Error> {
    let issued = open(dir, output)?.issue_server(hosts)?;
    tell_issued(&issued, output)
}

fn revoke(
    dir: &Path,
    ids: &[String],
    reason: Reason,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let ca = open(dir, output)?;
    let done = ca.revoke(ids, reason)?;
    let mut any = false;
    for (id, count) in &done.people {
        any |= *count > 0;
        match count {
            0 => note(output, &format!("{id} was revoked before"))?,
            1 => writeln!(output.results, "revoked the certificate of {id}")?,
            _ => writeln!(output.results, "revoked {count} certificates of {id}")?,
        }
    }
    if any {
        let list = done.list.display();
        note(
            output,
            &format!("{list} says so now; a server elsewhere needs the new file"),
        )?;
    }
    Ok(())
}

/// One line of `list`.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    kind: &'static str,
    role: Option<&'static str>,
    until: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    serial: String,
}

impl Row {
    fn of(record: &Record, now: OffsetDateTime) -> Self {
        let person = record.person();
        let state = match record.revoked {
            Some(_) => "revoked",
            None if record.is_live(now) => "valid",
            None => "expired",
        };
        Self {
            name: record.name().escape_debug().to_string(),
            kind: if person.is_some() { "person" } else { "server" },
            role: person.map(|(_, role)| role.as_str()),
            until: moment(record.not_after),
            state,
            revoked_at: record.revoked.map(|(at, _)| moment(at)),
            reason: record.revoked.map(|(_, reason)| reason.as_str()),
            serial: record.serial.to_string(),
        }
    }
}

fn list(dir: &Path, json: bool, output: &mut Output<'_>) -> Result<(), Error> {
    let ca = look(dir, output)?;
    let now = OffsetDateTime::now_utc();
    let rows: Vec<Row> = ca.list()?.iter().map(|r| Row::of(r, now)).collect();
    if json {
        return write_json(&rows, output);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["NAME", "ROLE", "UNTIL", "STATE", "SERIAL"]);
    for row in &rows {
        let state = match (&row.revoked_at, row.reason) {
            (Some(at), Some(reason)) => format!("revoked {} ({reason})", day(at)),
            _ => row.state.to_owned(),
        };
        let role = row.role.unwrap_or(row.kind);
        table.add_row([&row.name, role, day(&row.until), &state, &row.serial]);
    }
    for line in table.lines() {
        writeln!(output.results, "{}", line.trim())?;
    }
    Ok(())
}

fn show(dir: &Path, what: &str, json: bool, output: &mut Output<'_>) -> Result<(), Error> {
    let now = OffsetDateTime::now_utc();
    let path = Path::new(what);
    let shown = if path.exists() {
        // A file can be shown where there is no CA; then nobody knows who was revoked.
        let ca = match look(dir, output) {
            Ok(ca) => Some(ca),
            Err(Error::NoCa(_)) => None,
            Err(error) => {
                note(output, &error.to_string())?;
                None
            }
        };
        Shown::read(path, ca.as_ref(), now)?
    } else {
        show_person(&look(dir, output)?, what, now)?
    };
    if json {
        return write_json(&shown, output);
    }
    for (index, shown) in shown.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        write!(output.results, "{gap}{}", shown.to_text())?;
    }
    Ok(())
}

/// Every certificate of a person, the newest first.
fn show_person(ca: &Ca, name: &str, now: OffsetDateTime) -> Result<Vec<Shown>, Error> {
    let records = ca.list()?;
    let id = ClientId::parse_typed(name).ok();
    let mut shown = Vec::new();
    for record in records.iter().rev() {
        let is_theirs = record
            .person()
            .is_some_and(|(person, _)| Some(person) == id);
        if !is_theirs {
            continue;
        }
        let path = ca.path().join("certs").join(record.serial.to_string());
        if let Some(pem) = ca.issued(&record.serial)? {
            shown.extend(Shown::parse(&pem, &path, Some(ca), now)?);
        }
    }
    if shown.is_empty() {
        let people: Vec<_> = records.iter().filter_map(|r| Some(r.person()?.0)).collect();
        return Err(Error::NothingToShow(format!(
            "there is no such file, and {}",
            nobody(name, &people)
        )));
    }
    Ok(shown)
}

/// Opens a CA to change it.
fn open(dir: &Path, output: &mut Output<'_>) -> Result<Ca, Error> {
    let ca = Ca::load(dir)?;
    if ca.renew_list()? {
        tell_renewal(&ca, output)?;
    }
    Ok(ca)
}

/// Opens a CA to look at it. Who may only read its folder can still look.
fn look(dir: &Path, output: &mut Output<'_>) -> Result<Ca, Error> {
    let ca = Ca::load(dir)?;
    match ca.renew_list() {
        Ok(true) => tell_renewal(&ca, output)?,
        Ok(false) => {}
        Err(error) => note(
            output,
            &format!("the revocation list has to be signed again, but {error}"),
        )?,
    }
    Ok(ca)
}

fn tell_renewal(ca: &Ca, output: &mut Output<'_>) -> Result<(), Error> {
    let list = ca.revocation_list();
    let list = list.display();
    note(
        output,
        &format!("{list} was signed again; a server elsewhere needs the new file"),
    )
}

fn note(output: &mut Output<'_>, what: &str) -> Result<(), Error> {
    writeln!(output.notes, "ca-tool: note: {what}")?;
    Ok(())
}

fn write_json(value: &impl Serialize, output: &mut Output<'_>) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut *output.results, value)
        .map_err(|error| Error::Output(error.into()))?;
    writeln!(output.results)?;
    Ok(())
}

/// A moment as the record writes it, without fractions: `2027-05-20T23:59:59Z`.
pub(crate) fn moment(moment: OffsetDateTime) -> String {
    let text = wire::Timestamp::from(std::time::SystemTime::from(moment)).to_string();
    format!("{}Z", &text[.."2027-05-20T23:59:59".len()])
}

fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}
