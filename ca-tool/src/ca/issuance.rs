//! Issues certificates, to people and to servers.
//!
//! Everything that may fail is done before the index is written; how what follows survives a run
//! that is cut short is told in `delivery.rs`.

use std::fs;
use std::mem::take;
use std::path::{Path, PathBuf};

use pki::{Bundle, Serial};
use time::{Date, OffsetDateTime};
use wire::{ClientId, Role};
use zeroize::Zeroizing;

use super::Ca;
use crate::ca::delivery::{self, Delivery};
use crate::disk::folder::{self, Folder};
use crate::error::{Error, Problem};
use crate::ledger::index::{self, Index, Record};
use crate::os::Access;
use crate::people::parcel::{Parcel, into_bytes};
use crate::people::plan::{Person, Plan, ShutOut, Skipped, Terms, plan_for};
use crate::people::roster::Candidate;
use crate::sign::host::{Host, Reach};
use crate::sign::issuer::{Holder, Signed};

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
    /// What each person is handed.
    pub parcel: Parcel,
}

/// How far an issuance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps that are done.
    pub done: usize,
    /// All steps.
    pub of: usize,
}

/// What `issue` did.
#[derive(Debug, Default)]
pub struct Issuance {
    /// New certificates.
    pub issued: Vec<Issued>,
    /// People who have a certificate already.
    pub skipped: Vec<Skipped>,
    /// People in the roster whose certificate was revoked; whoever names them issues another.
    pub shut_out: Vec<ShutOut>,
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
        self.issue_and_tell(candidates, options, &mut |_| {})
    }

    /// The same, and tells how far it is.
    ///
    /// # Errors
    ///
    /// As [`Ca::issue`].
    pub fn issue_and_tell(
        &self,
        candidates: &[Candidate],
        options: &IssueOptions,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Issuance, Error> {
        self.issue_at(candidates, options, OffsetDateTime::now_utc(), tell)
    }

    pub(super) fn issue_at(
        &self,
        candidates: &[Candidate],
        options: &IssueOptions,
        now: OffsetDateTime,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Issuance, Error> {
        if candidates.is_empty() {
            return Err(Error::Nobody);
        }
        let (until, clamped) = self.end_for(options.until, now)?;
        let server = self.server_for(options.server.as_ref())?;

        let (_lock, mut index) = self.lock()?;
        let terms = Terms {
            role: options.role,
            allow_lookalike: options.allow_lookalike,
        };
        let out = options.out.clone().unwrap_or_else(|| self.folder.people());
        let in_the_way = |id: &ClientId| {
            let bundle = out.join(options.parcel.file_name(id.as_str()));
            delivery::old_place(&bundle, &index).err()
        };
        let Plan {
            people,
            skipped,
            shut_out,
        } = plan_for(candidates, &index, terms, now, in_the_way).map_err(Error::Problems)?;
        let places = find_places(&people, &out, options.parcel, &index)?;

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
            let bundle = self.bundle_text(holder, &signed, server.as_deref());
            let id = person.id.as_str();
            orders.push(Order {
                name: id.to_owned(),
                record,
                bytes: options.parcel.pack(id, self.issuer.name(), bundle),
                certificate: signed.certificate,
                place,
            });
            tell(Progress {
                done: orders.len(),
                of: people.len() * STEPS,
            });
        }
        Ok(Issuance {
            issued: self.deliver(&mut index, orders, &out, tell)?,
            skipped,
            shut_out,
            clamped,
        })
    }

    /// Until when a certificate is valid, and the same again if it should have been longer.
    pub(super) fn end_for(
        &self,
        until: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<(OffsetDateTime, Option<OffsetDateTime>), Error> {
        let wanted = match until {
            Some(until) if until < now => return Err(Error::Past(until.date())),
            Some(until) => until,
            None => now + time::Duration::days(pki::CLIENT.days.into()),
        };
        let until = self.issuer.clamp(wanted);
        Ok((until, (until < wanted).then_some(until)))
    }

    /// Where bundles say that the server is, unless they are told otherwise.
    pub(super) fn server_for(&self, said: Option<&Reach>) -> Result<Option<String>, Error> {
        match said {
            Some(server) => Ok(Some(server.to_string())),
            None => self.server(),
        }
    }

    /// What a newer bundle for the same server is to be valid for: where people's bundles say that
    /// it is, what the one that is there is valid for, and what this machine is called now.
    ///
    /// # Errors
    ///
    /// When it cannot be read what people's bundles say.
    pub fn hosts(&self) -> Result<Vec<Host>, Error> {
        let mut hosts = Vec::new();
        if let Some(told) = self.server()? {
            hosts.extend(Reach::parse(&told).ok().map(|reach| reach.host));
        }
        // One that is lost or damaged is a reason to make another.
        if let Ok(bundle) = Bundle::read(&self.server_bundle()) {
            let said = bundle.certificate();
            hosts.extend(said.dns_names.iter().filter_map(|n| Host::parse(n).ok()));
            hosts.extend(said.addresses.into_iter().map(Host::Address));
        }
        hosts.extend(Host::of_this_machine());
        Ok(deduplicate(hosts))
    }

    /// Issues a certificate to another server, under these names and no others: it may be another
    /// machine. The bundle lies in `out`, or in the CA's folder.
    ///
    /// # Errors
    ///
    /// When its bundle is there already, or cannot be written.
    pub fn issue_server(&self, hosts: &[Host], out: Option<&Path>) -> Result<Issued, Error> {
        let first = hosts.first().ok_or(Error::Nobody)?;
        let name = format!("server-{}.pem", first.file_stem());
        let bundle = out.unwrap_or(self.folder.path()).join(name);
        let (_lock, mut index) = self.lock()?;
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
            bytes: into_bytes(self.bundle_text(holder, &signed, None)),
            certificate: signed.certificate,
            place: BundlePlace {
                bundle: bundle.clone(),
                old: Vec::new(),
            },
        };
        let out = folder::parent(&bundle);
        let mut issued = self.deliver(index, vec![order], out, &mut |_| {})?;
        Ok(issued.pop().expect("one order, one bundle"))
    }

    /// Records all orders, then lets their bundles be seen in `out`.
    pub(super) fn deliver(
        &self,
        index: &mut Index,
        mut orders: Vec<Order>,
        out: &Path,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Issued>, Error> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        folder::create_folder(out)?;
        let people = orders.len();
        let mut delivery = Delivery::begin(&self.folder, &[&self.folder.certificates(), out])?;
        for order in &mut orders {
            let serial = &order.record.serial;
            let (bundle, certificate) = (take(&mut order.bytes), take(&mut order.certificate));
            delivery.add(OUT, serial, order.place.name(), bundle, Access::Private);
            delivery.add(
                CERTIFICATES,
                serial,
                &Folder::issued_name(serial),
                certificate.into_bytes().into(),
                Access::Public,
            );
        }
        delivery.write(|files| {
            tell(Progress {
                done: people + files,
                of: people * STEPS,
            });
        })?;
        for order in &orders {
            index.push(order.record.clone());
        }
        // If this fails, the index may know them all the same; whoever comes next looks.
        delivery.may_be_recorded();
        self.write_index(index)?;
        let mut issued = Vec::new();
        let mut waiting = Vec::new();
        for order in orders {
            let name = order.name.clone();
            match order.publish(&delivery) {
                Ok(done) => issued.push(done),
                Err(fault) => waiting.push((name, fault)),
            }
            tell(Progress {
                done: people * (STEPS - 1) + issued.len() + waiting.len(),
                of: people * STEPS,
            });
        }
        delivery.end()?;
        match waiting.pop() {
            None => Ok(issued),
            Some((name, fault)) => Err(Error::NotDelivered {
                name,
                others: waiting.len(),
                fault: Box::new(fault),
            }),
        }
    }

    pub(super) fn record(&self, holder: Holder<'_>, signed: &Signed) -> Record {
        let mut record = Record::new(
            signed.serial.clone(),
            signed.not_after,
            holder.subject_parts(self.issuer.name()),
        );
        record.set_note(index::KEY_HASH, &signed.key_hash);
        record
    }

    pub(super) fn bundle_text(
        &self,
        holder: Holder<'_>,
        signed: &Signed,
        server: Option<&str>,
    ) -> Zeroizing<String> {
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
        Zeroizing::new(Bundle::compose(
            &notes,
            &signed.certificate,
            self.issuer.pem(),
            signed.key.as_deref().map_or("", String::as_str),
        ))
    }
}

/// Signing, writing two files, and giving the bundle its name.
const STEPS: usize = 4;
/// The first destination of a delivery.
const CERTIFICATES: usize = 0;
/// The second one.
const OUT: usize = 1;

/// A certificate that is signed, and what remains to be done with it.
pub(super) struct Order {
    pub(super) name: String,
    pub(super) record: Record,
    pub(super) certificate: String,
    /// A key is among them.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) place: BundlePlace,
}

/// Where a bundle goes, and where those go that lie there.
pub(super) struct BundlePlace {
    bundle: PathBuf,
    old: Vec<(PathBuf, PathBuf)>,
}

impl BundlePlace {
    fn name(&self) -> &str {
        let name = self.bundle.file_name().and_then(|name| name.to_str());
        name.expect("a bundle's name is made of a person's, or a host's")
    }
}

impl Order {
    fn publish(self, delivery: &Delivery<'_>) -> Result<Issued, Error> {
        let Self { record, place, .. } = self;
        let serial = &record.serial;
        delivery.publish(CERTIFICATES, serial, &Folder::issued_name(serial))?;
        for (bundle, old) in &place.old {
            delivery::move_old(bundle, old)?;
        }
        delivery.publish(OUT, serial, place.name())?;
        Ok(Issued {
            name: self.name,
            bundle: place.bundle,
            serial: record.serial,
            not_after: record.not_after,
            moved: place.old.into_iter().map(|(_, old)| old).next(),
        })
    }
}

impl Person {
    pub(super) fn holder(&self) -> Holder<'_> {
        Holder::Person {
            id: &self.id,
            role: self.role,
            email: self.email.as_deref(),
        }
    }
}

/// Finds out where each bundle goes, before any is written.
pub(super) fn find_places(
    people: &[Person],
    out: &Path,
    parcel: Parcel,
    index: &Index,
) -> Result<Vec<BundlePlace>, Error> {
    let (mut places, mut problems) = (Vec::new(), Vec::new());
    for person in people {
        let id = person.id.as_str();
        let bundle = out.join(parcel.file_name(id));
        let mut old = Vec::new();
        match delivery::old_place(&bundle, index) {
            Ok(place) => old.extend(place.map(|place| (bundle.clone(), place))),
            Err(what) => problems.push(Problem {
                place: person.place.to_string(),
                what,
            }),
        }
        // An old bundle of another kind would be taken for a new one.
        for other in parcel.others() {
            let other = out.join(other.file_name(id));
            if let Ok(Some(place)) = delivery::old_place(&other, index) {
                old.push((other, place));
            }
        }
        places.push(BundlePlace { bundle, old });
    }
    if problems.is_empty() {
        Ok(places)
    } else {
        Err(Error::Problems(problems))
    }
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
