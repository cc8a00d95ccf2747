//! Checks people's bundles and the server's.

use pki::{Bundle, Certificate, Purpose};
use time::OffsetDateTime;

use super::files::files_in;
use super::finding::{Findings, Mark, SHOWN_MAX};
use crate::commands::report::status::SOON;
use crate::ledger::index::Index;
use crate::ledger::register::Register;
use crate::sign::host::{Host, Reach};
use crate::words::day;
impl Findings {
    pub(super) fn bundles(&mut self, register: &Register, index: Option<&Index>) {
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
                    let theirs = Certificate::parse(bundle.anchor());
                    match theirs {
                        Ok(theirs) if !is_ours => {
                            let (theirs, ours) = apart(&theirs, register.says());
                            Some(format!(
                                "{shown} is from the CA {theirs}, and this one is {ours}"
                            ))
                        }
                        _ => (!is_ours || !is_known)
                            .then(|| format!("{shown} is not in this CA's index")),
                    }
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

    pub(super) fn server(
        &mut self,
        register: &Register,
        index: Option<&Index>,
        now: OffsetDateTime,
    ) {
        let path = register.server_bundle();
        let anew = "make another with `ca-tool issue-server`, which says where to move it";
        let bundle = match Bundle::read(&path) {
            Ok(bundle) => bundle,
            Err(error) => return self.bad("server bundle", error.to_string(), anew),
        };
        let said = bundle.certificate();
        let until = OffsetDateTime::from(said.not_after);
        if pki::Fingerprint::of(bundle.anchor()) != register.says().fingerprint {
            let theirs = Certificate::parse(bundle.anchor());
            let what = match theirs.map(|theirs| apart(&theirs, register.says())) {
                Ok((theirs, ours)) => format!(
                    "{} is from the CA {theirs}, and this one is {ours}",
                    path.display()
                ),
                Err(_) => format!("{} is from another CA", path.display()),
            };
            return self.bad("server bundle", what, anew);
        }
        if !said.purposes.contains(&Purpose::Server) {
            let (path, name) = (path.display(), &said.subject);
            let what = match said.purposes.contains(&Purpose::Client) {
                true => format!("{path} is the certificate of a person, {name}"),
                false => format!("{path} is not the certificate of a server"),
            };
            return self.bad("server bundle", what, anew);
        }
        let revoked = index.and_then(|index| index.find(&said.serial)?.revoked);
        if let Some((at, reason)) = revoked {
            let what = format!("it was revoked on {} ({})", day(at), reason.as_str());
            return self.bad("server bundle", what, anew);
        }
        if until < now {
            let what = format!("it expired on {}", day(until));
            return self.bad("server bundle", what, anew);
        }
        if until - now < SOON {
            let what = format!("it expires on {}", day(until));
            self.add("server bundle", Mark::Note, what, Some(anew.to_owned()));
        } else {
            let what = format!("{}, until {}", path.display(), day(until));
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
        let missing: Vec<_> = Host::each_once(Host::of_this_machine())
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

/// Returns the names of two CAs, with their fingerprints if the names are the same.
fn apart(theirs: &Certificate, ours: &Certificate) -> (String, String) {
    (theirs.told_apart_from(ours), ours.told_apart_from(theirs))
}
