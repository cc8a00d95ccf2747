//! Looks for what will be in somebody's way, and says how to mend each.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pki::Bundle;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::agreement::{self, Given};
use super::contents::list_signed_at;
use super::look;
use super::status::SOON;
use crate::ca::{Ca, milliseconds_since_1970};
use crate::cli::args::Place;
use crate::commands::{DONE, NOT_SO, Output, counted, moment, write_json};
use crate::disk::folder;
use crate::error::Error;
use crate::keys::passphrase::Source;
use crate::ledger::index::Index;
use crate::ledger::register::Register;
use crate::os;
use crate::sign::host::{Host, Reach};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// It may be meant.
    Note,
    Bad,
}

/// How many findings of one kind are told.
const TOLD_MAX: usize = 10;
/// A clock may be off by as much as certificates are dated back.
const CLOCK_SLACK: Duration = Duration::minutes(5);

pub(super) fn doctor(
    place: &Place,
    crl: Option<&Path>,
    json: bool,
    output: &mut Output<'_>,
) -> Result<u8, Error> {
    let register = look(place, output)?;
    let now = OffsetDateTime::now_utc();
    let mut findings = Findings::default();
    findings.clock(&register, now);
    findings.modes(&register);
    findings.key(place, &register);
    let index = findings.index(&register);
    findings.list(&register, index.as_ref(), now);
    if let (Some(path), Some(index)) = (crl, &index) {
        findings.given_list(&register, index, path, now);
    }
    findings.bundles(&register, index.as_ref());
    findings.server(&register, index.as_ref(), now);
    let findings = findings.0;
    if json {
        write_json(&findings, output)?;
    } else {
        output.tell(|results| findings.iter().try_for_each(|one| one.tell(results)))?;
    }
    let is_bad = findings.iter().any(|f| f.state == State::Bad);
    Ok(if is_bad { NOT_SO } else { DONE })
}

impl Finding {
    fn tell(&self, results: &mut dyn Write) -> io::Result<()> {
        let state = match self.state {
            State::Good => "good",
            State::Note => "note",
            State::Bad => "BAD",
        };
        let (check, what) = (self.check, &self.what);
        writeln!(results, "{state:<5} {check:<16} {what}")?;
        if let Some(fix) = &self.fix {
            writeln!(results, "{:<22} fix: {fix}", "")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(check, State::Good, what, None);
    }

    fn bad(&mut self, check: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Bad, what, Some(fix.into()));
    }

    fn add(
        &mut self,
        check: &'static str,
        state: State,
        what: impl Into<String>,
        fix: Option<String>,
    ) {
        self.0.push(Finding {
            check,
            state,
            what: what.into(),
            fix,
        });
    }

    /// The clock is behind if something was made after now.
    fn clock(&mut self, register: &Register, now: OffsetDateTime) {
        let says = register.says();
        let list = folder::read_if_there(&register.revocation_list(), pki::limits::CRL_BYTES_MAX);
        let signed = list.ok().flatten().and_then(|bytes| list_signed_at(&bytes));
        let written = fs::metadata(register.folder.index()).and_then(|there| there.modified());
        let latest = [
            Some(OffsetDateTime::from(says.not_before)),
            signed,
            written.ok().map(OffsetDateTime::from),
        ];
        let latest = latest.into_iter().flatten().max();
        match latest.filter(|latest| *latest > now + CLOCK_SLACK) {
            Some(latest) => self.bad(
                "clock",
                format!(
                    "it says {}, and this CA was at work at {}",
                    moment(now),
                    moment(latest)
                ),
                "set the clock, as with `timedatectl set-ntp true`, and look again: what else is wrong here may come from it",
            ),
            None if now > OffsetDateTime::from(says.not_after) => self.add(
                "clock",
                State::Note,
                format!("it says {}, and by then this CA is over", moment(now)),
                Some(
                    "if that is not so: set it, as with `timedatectl set-ntp true`, and look again"
                        .to_owned(),
                ),
            ),
            None => self.good("clock", moment(now)),
        }
    }

    fn modes(&mut self, register: &Register) {
        let folder = &register.folder;
        let mut open = Vec::new();
        for place in [folder.path().to_owned(), folder.private(), folder.people()] {
            if os::is_open_to_others(&place) {
                open.push((place, "700"));
            }
        }
        let mut keys = vec![folder.key()];
        keys.extend(files_in(&folder.people(), &["pem", "zip", "p12"]));
        keys.extend(files_in(
            &folder.people().join("old"),
            &["pem", "zip", "p12"],
        ));
        keys.extend(server_bundles(register));
        for key in keys {
            if os::is_open_to_others(&key) {
                open.push((key, "600"));
            }
        }
        if open.is_empty() {
            self.good(
                "file modes",
                "keys and their folders are their owner's alone",
            );
        }
        let more = open.len().saturating_sub(TOLD_MAX);
        for (path, mode) in open.into_iter().take(TOLD_MAX) {
            let path = path.display();
            self.bad(
                "file modes",
                format!("others can read {path}"),
                format!("chmod {mode} '{path}'"),
            );
        }
        if more > 0 {
            let people = folder.people();
            self.bad(
                "file modes",
                format!(
                    "others can read {}",
                    counted(more, "more file", "more files")
                ),
                format!("chmod 600 '{}'/*", people.display()),
            );
        }
    }

    fn key(&mut self, place: &Place, register: &Register) {
        let mut is_locked = false;
        let opened = Ca::load_with(&place.dir, |key| match place.passphrase() {
            Source::Terminal => {
                is_locked = true;
                Err(Error::EncryptedKey(key.to_owned()))
            }
            source => source.for_key(key),
        });
        match opened {
            Ok(_) => self.good("key", "it belongs to the CA's certificate"),
            Err(_) if is_locked => self.add(
                "key",
                State::Note,
                "it is encrypted, so whether it belongs to the certificate was not looked at",
                Some("--passphrase-file FILE opens it".to_owned()),
            ),
            Err(error) => {
                let fix = error.hint().unwrap_or_else(|| {
                    let key = register.key();
                    format!("take {} from a backup", key.display())
                });
                self.bad("key", error.to_string(), fix);
            }
        }
    }

    fn index(&mut self, register: &Register) -> Option<Index> {
        let index = match register.index() {
            Ok(index) => index,
            Err(error) => {
                self.bad("index", error.to_string(), "take it from a backup");
                return None;
            }
        };
        let missing = index.records().iter();
        let missing = missing.filter(|r| {
            // Of what was issued elsewhere nothing was ever there.
            !r.is_unseen() && !register.folder.issued(&r.serial).exists()
        });
        let missing = missing.count();
        if missing > 0 {
            self.add(
                "index",
                State::Note,
                format!(
                    "{} not in certs/",
                    counted(
                        missing,
                        "certificate that it names is",
                        "certificates that it names are"
                    )
                ),
                Some("`show` and `renew` need them; take them from a backup".to_owned()),
            );
        } else {
            let count = index.records().len();
            let count = counted(count, "certificate", "certificates");
            self.good("index", format!("{count}, each in certs/"));
        }
        let unlisted = agreement::unlisted(register, &index);
        if let Some(first) = unlisted.first() {
            let count = unlisted.len();
            self.bad(
                "index",
                format!("it lacks {count} of the certificates in certs/, such as {first}; was an old copy put back?"),
                "take the newest one from a backup; until then `ca-tool revoke --serial NUMBER` reaches them",
            );
        }
        if register.folder.pending().exists() {
            self.bad(
                "index",
                "a run was cut short before its bundles were in their places",
                "`ca-tool crl` finishes it",
            );
        }
        Some(index)
    }

    fn list(&mut self, register: &Register, index: Option<&Index>, now: OffsetDateTime) {
        let again = "`ca-tool crl` signs it again";
        let list = match register.read_list(now) {
            Ok(Some(list)) => list,
            Ok(None) => {
                let what = "no server would take it, if it is there at all";
                return self.bad("revocation list", what, again);
            }
            Err(error) => return self.bad("revocation list", error.to_string(), again),
        };
        let next = OffsetDateTime::from(list.next_update());
        let differences = index.map(|index| agreement::differences(register, index, now));
        let difference = match differences.unwrap_or_else(|| Ok(Vec::new())) {
            Ok(differences) => differences.into_iter().next(),
            Err(error) => Some(error.to_string()),
        };
        let clock = milliseconds_since_1970(now);
        let ahead = list.number().to_u64().unwrap_or(u64::MAX);
        if next < now {
            self.bad("revocation list", "it is past its end", again);
        } else if let Some(difference) = difference {
            self.bad("revocation list", difference, "`ca-tool crl` puts it right");
        } else if ahead > clock + AHEAD_MILLISECONDS_MAX {
            self.add(
                "revocation list",
                State::Note,
                "its number is far ahead of the clock: it was once signed with a clock ahead of time",
                Some("none is needed; its numbers go on from there".to_owned()),
            );
        } else {
            let (number, next) = (list.number(), next.date());
            let what = format!("number {number}, good until {next}");
            self.good("revocation list", what);
        }
    }

    /// The list of a server elsewhere tells whether this folder is an old copy: nothing in the
    /// folder can.
    fn given_list(&mut self, register: &Register, index: &Index, path: &Path, now: OffsetDateTime) {
        let shown = path.display();
        match agreement::given(register, index, path, now) {
            Ok(Given::Known) => self.good(
                "server's list",
                format!("{shown} has nothing that is not here"),
            ),
            Ok(Given::Old) => {
                let list = register.revocation_list();
                self.add(
                    "server's list",
                    State::Note,
                    format!(
                        "{shown} is older than the folder's list, and has nothing that is not here"
                    ),
                    Some(format!("cp '{}' '{shown}'", list.display())),
                );
            }
            Ok(Given::Beyond(what)) => {
                let fix = format!("`ca-tool crl --merge '{shown}'`");
                self.bad("server's list", what, fix);
            }
            Err(error) => {
                let fix = "name the file that the server's --crl names";
                self.bad("server's list", error.to_string(), fix);
            }
        }
    }

    fn bundles(&mut self, register: &Register, index: Option<&Index>) {
        let anchor = register.says().fingerprint;
        let mut good = 0;
        let mut bad = Vec::new();
        for path in files_in(&register.people(), &["pem"]) {
            let fault = match Bundle::read(&path) {
                Err(error) => Some(error.to_string()),
                Ok(bundle) => {
                    let is_ours = pki::Fingerprint::of(bundle.anchor()) == anchor;
                    let serial = bundle.certificate().serial;
                    let is_known = index.is_none_or(|index| index.find(&serial).is_some());
                    let shown = path.display();
                    (!is_ours || !is_known).then(|| format!("{shown} is not of this CA"))
                }
            };
            match fault {
                None => good += 1,
                Some(fault) => bad.push(fault),
            }
        }
        if bad.is_empty() {
            let what = format!("{good} in people/, each with its key");
            self.good("bundles", what);
        }
        for fault in bad.into_iter().take(TOLD_MAX) {
            let fix = "move it away; `ca-tool revoke` and `issue` make a new one";
            self.bad("bundles", fault, fix);
        }
    }

    fn server(&mut self, register: &Register, index: Option<&Index>, now: OffsetDateTime) {
        let path = register.server_bundle();
        let anew = "`ca-tool issue-server` makes another, and says where to move it";
        let bundle = match Bundle::read(&path) {
            Ok(bundle) => bundle,
            Err(error) => return self.bad("server bundle", error.to_string(), anew),
        };
        let said = bundle.certificate();
        let until = OffsetDateTime::from(said.not_after);
        if pki::Fingerprint::of(bundle.anchor()) != register.says().fingerprint {
            let what = format!("{} is of another CA", path.display());
            return self.bad("server bundle", what, anew);
        }
        let revoked = index.and_then(|index| index.find(&said.serial)?.revoked);
        if let Some((at, reason)) = revoked {
            let what = format!("it was revoked on {} ({})", at.date(), reason.as_str());
            return self.bad("server bundle", what, anew);
        }
        if until < now {
            let what = format!("it expired on {}", until.date());
            return self.bad("server bundle", what, anew);
        }
        if until - now < SOON {
            let what = format!("it expires on {}", until.date());
            self.add("server bundle", State::Note, what, Some(anew.to_owned()));
        } else {
            let what = format!("{}, until {}", path.display(), until.date());
            self.good("server bundle", what);
        }
        let has = |host: &Host| match host {
            Host::Name(name) => said.dns_names.contains(name),
            Host::Address(address) => said.addresses.contains(address),
        };
        // What people's bundles say has to be there; another machine's names cannot be known.
        if let Ok(Some(told)) = register.server()
            && let Ok(reach) = Reach::parse(&told)
            && !has(&reach.host)
        {
            let what = format!("people's bundles say {told}, and the server's does not have it");
            let fix = "`ca-tool issue-server` makes one that does, and says where to move it; or `issue --server` with a name that it has";
            self.bad("server names", what, fix);
        }
        let missing: Vec<_> = Host::of_this_machine()
            .into_iter()
            .filter(|host| !has(host))
            .map(|host| host.to_string())
            .collect();
        if missing.is_empty() {
            self.good("server names", "every name and address of this machine");
        } else {
            let names = missing.join(" ");
            self.add(
                "server names",
                State::Note,
                format!("this machine is also {names}, and the bundle does not have that"),
                Some(
                    "if the server runs here: `ca-tool issue-server` makes one that does, and says where to move it"
                        .to_owned(),
                ),
            );
        }
    }
}

/// A list's number is about the milliseconds since 1970; this much ahead, a clock was wrong.
const AHEAD_MILLISECONDS_MAX: u64 = 1000 * 60 * 60 * 24 * 7;

fn server_bundles(register: &Register) -> Vec<PathBuf> {
    let bundles = files_in(register.path(), &["pem"]).into_iter();
    bundles
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("server"))
        })
        .collect()
}

fn files_in(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    // A folder that is not there holds nothing.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| extensions.contains(&extension))
        })
        .collect();
    files.sort();
    files
}
