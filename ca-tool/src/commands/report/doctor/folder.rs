//! Checks the clock, file modes, the key and the index.

use std::fs;
use std::path::PathBuf;

use time::{Duration, OffsetDateTime};

use super::KeyState;
use super::files::files_in;
use super::finding::{Findings, Mark, SHOWN_MAX};
use crate::commands::report::agreement;
use crate::commands::report::contents::list_signed_at;
use crate::disk::files;
use crate::ledger::index::Index;
use crate::ledger::register::Register;
use crate::os;
use crate::sign::strict::{self, LESS_STRICT, STRICT_PROGRAMS};
use crate::words::{counted, moment};
impl Findings {
    /// Finds a clock that is slow: then something was made in the future.
    pub(super) fn clock(&mut self, register: &Register, now: OffsetDateTime) {
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

    pub(super) fn modes(&mut self, register: &Register) {
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

    pub(super) fn key(&mut self, register: &Register, key: KeyState) {
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

    /// Finds what other programs refuse in the CA's certificate.
    pub(super) fn certificate(&mut self, register: &Register) {
        let found = strict::shortcomings(register.anchor());
        if found.is_empty() {
            return self.good("CA certificate", "strict programs take it too");
        }
        self.add(
            "CA certificate",
            Mark::Note,
            format!("{}: {STRICT_PROGRAMS}", found.join(", ")),
            Some(format!(
                "people whose programs refuse the server switch the strict check off ({LESS_STRICT}); or make a new CA in another folder with `ca-tool --dir DIR init`"
            )),
        );
    }

    pub(super) fn index(&mut self, register: &Register) -> Option<Index> {
        let index = match register.index() {
            Ok(index) => index,
            Err(error) => {
                let fix = error.hint();
                let fix = fix.unwrap_or_else(|| "restore it from a backup".to_owned());
                self.bad("index", error.to_string(), fix);
                return None;
            }
        };
        // A certificate that was issued elsewhere was never there.
        let issued_here = || index.entries().iter().filter(|r| !r.is_unseen());
        let missing = issued_here().filter(|r| !register.folder.issued(&r.serial).exists());
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
            let (one, many) = (
                "certificate, which is in certs/",
                "certificates, each in certs/",
            );
            self.good("index", counted(issued_here().count(), one, many));
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
}

/// How far a clock may be off: as much as certificates are backdated.
const CLOCK_SLACK: Duration = Duration::minutes(5);

fn server_bundles(register: &Register) -> Vec<PathBuf> {
    let bundles = files_in(register.path(), &["pem"]).into_iter();
    bundles
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("server"))
        })
        .collect()
}
