//! Issues certificates, to people and to servers.
//!
//! Bundles are written under names that nobody can foresee, then the issuance is recorded, then
//! the bundles get their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pki::{Bundle, Serial};
use time::{Date, OffsetDateTime};
use wire::{ClientId, Role};

use super::Ca;
use crate::error::{Error, Problem};
use crate::folder::{self, Staged};
use crate::host::{Host, Reach};
use crate::index::{self, Index, Record};
use crate::issuer::{Holder, Signed};
use crate::os::Access;
use crate::plan::{Person, Plan, Skipped, Terms, plan};
use crate::roster::Candidate;

/// How people are issued certificates.
#[derive(Debug, Clone, Default)]
pub struct IssueOptions {
    /// The last moment of the certificates; 180 days off when it is not said.
    pub until: Option<OffsetDateTime>,
    /// The role of those whose row in a roster names none.
    pub role: Role,
    /// Where the bundles go; the CA's folder has a place for them.
    pub out: Option<PathBuf>,
    /// Whether names that look alike are meant.
    pub allow_lookalike: bool,
    /// Where the bundles say that the server is; `init` was told.
    pub server: Option<Reach>,
}

/// What `issue` did.
#[derive(Debug, Default)]
pub struct Issuance {
    /// New certificates.
    pub issued: Vec<Issued>,
    /// People who have a certificate already.
    pub skipped: Vec<Skipped>,
    /// The CA's last moment, if the certificates should have been valid longer.
    pub clamped: Option<OffsetDateTime>,
}

/// One new bundle.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Whose it is.
    pub name: String,
    /// Where it is.
    pub bundle: PathBuf,
    /// Its certificate's number.
    pub serial: Serial,
    /// The last moment at which it is valid.
    pub not_after: OffsetDateTime,
    /// Where the bundle of an earlier certificate went that had this place.
    pub moved: Option<PathBuf>,
}

impl Ca {
    /// Issues a certificate to everybody who has none. Either all of them are issued or nobody.
    ///
    /// # Errors
    ///
    /// When anything stands against anybody; all of it is listed. Nothing was written then.
    pub fn issue(
        &self,
        candidates: &[Candidate],
        options: &IssueOptions,
    ) -> Result<Issuance, Error> {
        self.issue_at(candidates, options, OffsetDateTime::now_utc())
    }

    pub(super) fn issue_at(
        &self,
        candidates: &[Candidate],
        options: &IssueOptions,
        now: OffsetDateTime,
    ) -> Result<Issuance, Error> {
        if candidates.is_empty() {
            return Err(Error::Nobody);
        }
        let wanted = match options.until {
            Some(until) if until < now => return Err(Error::Past(until.date())),
            Some(until) => until,
            None => now + time::Duration::days(pki::CLIENT.days.into()),
        };
        let until = self.issuer.clamp(wanted);
        let server = match &options.server {
            Some(server) => Some(server.to_string()),
            None => self.server()?,
        };

        let _lock = self.folder.lock()?;
        let mut index = self.index()?;
        let terms = Terms {
            role: options.role,
            allow_lookalike: options.allow_lookalike,
        };
        let Plan { people, skipped } =
            plan(candidates, &index, terms, now).map_err(Error::Problems)?;
        let out = options.out.clone().unwrap_or_else(|| self.folder.people());
        let places = find_places(&people, &out, &index)?;

        let mut orders = Vec::new();
        let mut taken = index.serials();
        for (person, place) in people.iter().zip(places) {
            let holder = person.holder();
            let signed = self.issuer.sign(holder, now, until, &taken)?;
            taken.insert(signed.serial.clone());
            let mut record = self.record(holder, &signed);
            if let Some(name) = &person.full_name {
                record.set_note(index::NAME, name);
            }
            orders.push(Order {
                name: person.id.to_string(),
                record,
                text: self.bundle_text(holder, &signed, server.as_deref()),
                certificate: signed.certificate,
                place,
            });
        }
        if !orders.is_empty() {
            folder::create_folder(&out)?;
        }
        Ok(Issuance {
            issued: self.deliver(&mut index, orders)?,
            skipped,
            clamped: (until < wanted).then_some(until),
        })
    }

    /// Issues a certificate to another server, under these names and no others: it may be another
    /// machine.
    ///
    /// # Errors
    ///
    /// When its bundle is there already, or cannot be written.
    pub fn issue_server(&self, hosts: &[Host]) -> Result<Issued, Error> {
        let first = hosts.first().ok_or(Error::Nobody)?;
        let name = format!("server-{}.pem", first.file_stem());
        let bundle = self.folder.path().join(name);
        let _lock = self.folder.lock()?;
        let mut index = self.index()?;
        let now = OffsetDateTime::now_utc();
        self.deliver_server(&mut index, &deduplicate(hosts.to_vec()), bundle, now)
    }

    pub(super) fn deliver_server(
        &self,
        index: &mut Index,
        hosts: &[Host],
        bundle: PathBuf,
        now: OffsetDateTime,
    ) -> Result<Issued, Error> {
        if fs::symlink_metadata(&bundle).is_ok() {
            return Err(Error::Exists(bundle));
        }
        let holder = Holder::Server { hosts };
        let until = now + time::Duration::days(pki::SERVER.days.into());
        let signed = self.issuer.sign(holder, now, until, &index.serials())?;
        let order = Order {
            name: hosts[0].to_string(),
            record: self.record(holder, &signed),
            text: self.bundle_text(holder, &signed, None),
            certificate: signed.certificate,
            place: BundlePlace { bundle, old: None },
        };
        let mut issued = self.deliver(index, vec![order])?;
        Ok(issued.pop().expect("one order, one bundle"))
    }

    /// Records all orders, then lets their bundles be seen.
    fn deliver(&self, index: &mut Index, orders: Vec<Order>) -> Result<Vec<Issued>, Error> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let mut bundles = Vec::new();
        let mut certificates = Vec::new();
        for order in &orders {
            bundles.push(Staged::write(
                &order.place.bundle,
                order.text.as_bytes(),
                Access::Private,
            )?);
            certificates.push(Staged::write(
                &self.folder.issued(&order.record.serial),
                order.certificate.as_bytes(),
                Access::Public,
            )?);
        }
        for certificate in certificates {
            certificate.publish()?;
        }
        for order in &orders {
            index.push(order.record.clone());
        }
        self.write_index(index)?;
        orders
            .into_iter()
            .zip(bundles)
            .map(|(order, bundle)| order.publish(bundle))
            .collect()
    }

    fn record(&self, holder: Holder<'_>, signed: &Signed) -> Record {
        Record::new(
            signed.serial.clone(),
            signed.not_after,
            holder.subject_parts(self.issuer.name()),
        )
    }

    fn bundle_text(&self, holder: Holder<'_>, signed: &Signed, server: Option<&str>) -> String {
        let (expires, fingerprint) = (
            signed.not_after.date().to_string(),
            self.issuer.says().fingerprint.to_string(),
        );
        let holder_notes = match holder {
            Holder::Person { id, role, .. } => [("id", id.to_string()), ("role", role.to_string())],
            Holder::Server { hosts } => [
                ("host", hosts[0].to_string()),
                ("role", "server".to_owned()),
            ],
        };
        let mut notes: Vec<(&str, &str)> = holder_notes
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        notes.extend(server.map(|server| ("server", server)));
        notes.push(("room", self.issuer.name()));
        notes.push(("expires", &expires));
        notes.push(("issuer", &fingerprint));
        Bundle::compose(
            &notes,
            &signed.certificate,
            self.issuer.pem(),
            &signed.key.replace("\r\n", "\n"),
        )
    }
}

/// A certificate that is signed, and what remains to be done with it.
struct Order {
    name: String,
    record: Record,
    certificate: String,
    text: String,
    place: BundlePlace,
}

/// Where a bundle goes, and where the one goes that lies there.
struct BundlePlace {
    bundle: PathBuf,
    old: Option<PathBuf>,
}

impl Order {
    fn publish(self, bundle: Staged) -> Result<Issued, Error> {
        let Self { name, place, .. } = self;
        let not_delivered = |fault| Error::NotDelivered {
            name: name.clone(),
            fault: Box::new(fault),
        };
        if let Some(old) = &place.old {
            folder::create_folder(folder::parent(old)).map_err(not_delivered)?;
            folder::rename_new(&place.bundle, old).map_err(not_delivered)?;
        }
        let bundle = bundle.publish().map_err(not_delivered)?;
        Ok(Issued {
            name,
            bundle,
            serial: self.record.serial,
            not_after: self.record.not_after,
            moved: place.old,
        })
    }
}

impl Person {
    fn holder(&self) -> Holder<'_> {
        Holder::Person {
            id: &self.id,
            role: self.role,
            email: self.email.as_deref(),
        }
    }
}

/// Finds out where each bundle goes, before any is written.
fn find_places(people: &[Person], out: &Path, index: &Index) -> Result<Vec<BundlePlace>, Error> {
    let (mut places, mut problems) = (Vec::new(), Vec::new());
    for person in people {
        let bundle = out.join(format!("{}.pem", person.id));
        match find_old(&bundle, &person.id, index) {
            Ok(old) => places.push(BundlePlace { bundle, old }),
            Err(what) => problems.push(Problem {
                place: person.place.to_string(),
                what,
            }),
        }
    }
    if problems.is_empty() {
        Ok(places)
    } else {
        Err(Error::Problems(problems))
    }
}

/// Where to put what lies in a bundle's place: only this person's bundle of a certificate that is
/// over is ever moved.
fn find_old(bundle: &Path, id: &ClientId, index: &Index) -> Result<Option<PathBuf>, String> {
    let in_the_way = |why: &str| {
        let bundle = bundle.display();
        Err(format!(
            "{bundle} is there already{why}; nothing is overwritten"
        ))
    };
    match fs::symlink_metadata(bundle) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot look at {}: {error}", bundle.display())),
        Ok(there) if !there.is_file() => return in_the_way(", and is no plain file"),
        Ok(_) => {}
    }
    let Ok(old) = Bundle::read(bundle) else {
        return in_the_way("");
    };
    let serial = old.certificate().serial;
    // Who has a certificate that is good was skipped, so theirs is one that is over.
    let theirs = index.find(&serial).and_then(|record| record.person());
    if theirs.is_none_or(|(person, _)| person != *id) {
        return in_the_way("");
    }
    let name = format!("{id}-{}.pem", serial.to_string().to_uppercase());
    Ok(Some(folder::parent(bundle).join("old").join(name)))
}

pub(super) fn deduplicate(hosts: Vec<Host>) -> Vec<Host> {
    let mut once: Vec<Host> = Vec::new();
    for host in hosts {
        if !once.contains(&host) {
            once.push(host);
        }
    }
    once
}

/// The last moment of a day, in UTC.
pub(crate) fn end_of(day: Date) -> OffsetDateTime {
    day.with_time(time::macros::time!(23:59:59)).assume_utc()
}
