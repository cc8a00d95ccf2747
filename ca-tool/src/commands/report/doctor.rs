//! Looks for everything that will cause trouble, and says how to fix it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pki::Bundle;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::agreement::{self, Given};
use super::contents::list_signed_at;
use super::status::SOON;
use crate::disk::files;
use crate::error::Error;
use crate::ledger::index::Index;
use crate::ledger::register::{Register, list_number_at};
use crate::os;
use crate::sign::host::{Host, Reach};
use crate::words::{counted, moment};

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: Mark,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Good,
    /// It may be intended.
    Note,
    Bad,
}

/// How many findings of one kind are shown.
const SHOWN_MAX: usize = 10;
/// How far a clock may be off: as much as certificates are backdated.
const CLOCK_SLACK: Duration = Duration::minutes(5);

/// What was found out about the CA's key, which no report can open.
pub(crate) enum KeyState {
    /// It belongs to the CA's certificate.
    Good,
    /// It is encrypted, and nobody gave the passphrase.
    Locked,
    /// It cannot be used.
    Bad(Error),
}

/// Checks everything. `crl` is the list that a server elsewhere has.
pub(crate) fn doctor(register: &Register, key: KeyState, crl: Option<&Path>) -> Findings {
    let now = OffsetDateTime::now_utc();
    let mut findings = Findings::default();
    findings.clock(register, now);
    findings.modes(register);
    findings.key(register, key);
    let index = findings.index(register);
    findings.list(register, index.as_ref(), now);
    if let (Some(path), Some(index)) = (crl, &index) {
        findings.given_list(register, index, path, now);
    }
    findings.bundles(register, index.as_ref());
    findings.server(register, index.as_ref(), now);
    findings
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.state {
            Mark::Good => "good",
            Mark::Note => "note",
            Mark::Bad => "BAD",
        };
        let (check, what) = (self.check, &self.what);
        writeln!(f, "{mark:<5} {check:<16} {what}")?;
        if let Some(fix) = &self.fix {
            writeln!(f, "{:<22} fix: {fix}", "")?;
        }
        Ok(())
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| finding.fmt(f))
    }
}

/// Everything that was checked.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Returns whether something is bad.
    pub(crate) fn is_bad(&self) -> bool {
        self.0.iter().any(|finding| finding.state == Mark::Bad)
    }

    fn good(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(check, Mark::Good, what, None);
    }

    fn bad(&mut self, check: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Mark::Bad, what, Some(fix.into()));
    }

    fn add(
        &mut self,
        check: &'static str,
        state: Mark,
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

    /// Finds a clock that is slow: then something was made in the future.
    fn clock(&mut self, register: &Register, now: OffsetDateTime) {
        let says = register.says();
        let list = files::read_if_there(&register.revocation_list(), pki::limits::CRL_BYTES_MAX);
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
                    "it says {}, but this CA was used at {}",
                    moment(now),
                    moment(latest)
                ),
                "set the clock, for example with `timedatectl set-ntp true`, and check again: it may be the cause of other findings",
            ),
            None if now > OffsetDateTime::from(says.not_after) => self.add(
                "clock",
                Mark::Note,
                format!("it says {}, and this CA has expired by then", moment(now)),
                Some(
                    "if that is wrong, set it, for example with `timedatectl set-ntp true`, and check again"
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
                "only their owner can read keys and their folders",
            );
        }
        let more = open.len().saturating_sub(SHOWN_MAX);
        for (path, mode) in open.into_iter().take(SHOWN_MAX) {
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

    fn key(&mut self, register: &Register, key: KeyState) {
        match key {
            KeyState::Good => self.good("key", "it belongs to the CA's certificate"),
            KeyState::Locked => self.add(
                "key",
                Mark::Note,
                "it is encrypted, so whether it belongs to the certificate was not checked",
                Some("give the passphrase with --passphrase-file FILE".to_owned()),
            ),
            KeyState::Bad(error) => {
                let fix = error.hint().unwrap_or_else(|| {
                    let key = register.key();
                    format!("restore {} from a backup", key.display())
                });
                self.bad("key", error.to_string(), fix);
            }
        }
    }

    fn index(&mut self, register: &Register) -> Option<Index> {
        let index = match register.index() {
            Ok(index) => index,
            Err(error) => {
                self.bad("index", error.to_string(), "restore it from a backup");
                return None;
            }
        };
        let missing = index.entries().iter();
        let missing = missing.filter(|r| {
            // A certificate that was issued elsewhere was never there.
            !r.is_unseen() && !register.folder.issued(&r.serial).exists()
        });
        let missing = missing.count();
        if missing > 0 {
            self.add(
                "index",
                Mark::Note,
                format!(
                    "{} not in certs/",
                    counted(missing, "certificate in it is", "certificates in it are")
                ),
                Some("`show` and `renew` need them; restore them from a backup".to_owned()),
            );
        } else {
            let count = index.entries().len();
            let count = counted(count, "certificate", "certificates");
            self.good("index", format!("{count}, each in certs/"));
        }
        let unlisted = agreement::unlisted(register, &index);
        if let Some(first) = unlisted.first() {
            let count = unlisted.len();
            self.bad(
                "index",
                format!("it lacks {count} of the certificates in certs/, such as {first}; was an old copy restored?"),
                "restore the newest copy from a backup; until then use `ca-tool revoke --serial NUMBER` for them",
            );
        }
        if register.folder.pending().exists() {
            self.bad(
                "index",
                "a run was interrupted before its bundles were in their places",
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
                let what = "it is missing, or no server would accept it";
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
        let clock = list_number_at(now);
        let ahead = list.number().to_u64().unwrap_or(u64::MAX);
        if next < now {
            self.bad("revocation list", "it has expired", again);
        } else if let Some(difference) = difference {
            self.bad("revocation list", difference, "`ca-tool crl` repairs it");
        } else if ahead > clock + AHEAD_MILLISECONDS_MAX {
            self.add(
                "revocation list",
                Mark::Note,
                "its number is far ahead of the clock: it was once signed with a clock that was fast",
                Some("none is needed; its numbers continue from there".to_owned()),
            );
        } else {
            let (number, next) = (list.number(), next.date());
            let what = format!("number {number}, good until {next}");
            self.good("revocation list", what);
        }
    }

    /// Finds out from a server's list whether this folder is an old copy. Nothing in the folder itself
    /// shows that.
    fn given_list(&mut self, register: &Register, index: &Index, path: &Path, now: OffsetDateTime) {
        let shown = path.display();
        match agreement::given(register, index, path, now) {
            Ok(Given::Known) => self.good(
                "server's list",
                format!("{shown} has nothing that this folder lacks"),
            ),
            Ok(Given::Old) => {
                let list = register.revocation_list();
                self.add(
                    "server's list",
                    Mark::Note,
                    format!(
                        "{shown} is older than the one in this folder, and has nothing that this folder lacks"
                    ),
                    Some(format!("cp '{}' '{shown}'", list.display())),
                );
            }
            Ok(Given::Beyond(what)) => {
                let fix = format!("`ca-tool crl --merge '{shown}'`");
                self.bad("server's list", what, fix);
            }
            Err(error) => {
                let fix = "give the same file as the server's --crl";
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
                    (!is_ours || !is_known).then(|| format!("{shown} is not from this CA"))
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
        for fault in bad.into_iter().take(SHOWN_MAX) {
            let fix = "move it away; `ca-tool revoke` and `issue` make a new one";
            self.bad("bundles", fault, fix);
        }
    }

    fn server(&mut self, register: &Register, index: Option<&Index>, now: OffsetDateTime) {
        let path = register.server_bundle();
        let anew = "make another with `ca-tool issue-server`, which says where to move it";
        let bundle = match Bundle::read(&path) {
            Ok(bundle) => bundle,
            Err(error) => return self.bad("server bundle", error.to_string(), anew),
        };
        let said = bundle.certificate();
        let until = OffsetDateTime::from(said.not_after);
        if pki::Fingerprint::of(bundle.anchor()) != register.says().fingerprint {
            let what = format!("{} is from another CA", path.display());
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
            self.add("server bundle", Mark::Note, what, Some(anew.to_owned()));
        } else {
            let what = format!("{}, until {}", path.display(), until.date());
            self.good("server bundle", what);
        }
        let has = |host: &Host| match host {
            Host::Name(name) => said.dns_names.contains(name),
            Host::Address(address) => said.addresses.contains(address),
        };
        // The name in people's bundles has to be there. Another machine's names are unknown here.
        if let Ok(Some(told)) = register.server()
            && let Ok(reach) = Reach::parse(&told)
            && !has(&reach.host)
        {
            let what =
                format!("people's bundles say {told}, but the server's bundle does not contain it");
            let fix = "make one that does with `ca-tool issue-server`, which says where to move it; or use `issue --server` with a name that it contains";
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
                Mark::Note,
                format!("this machine is also {names}, which the bundle does not contain"),
                Some(
                    "if the server runs here, make one that does with `ca-tool issue-server`, which says where to move it"
                        .to_owned(),
                ),
            );
        }
    }
}

/// How far a list's number may be ahead of the milliseconds since 1970 before a clock must have been
/// wrong.
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
    // A folder that does not exist contains nothing.
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
