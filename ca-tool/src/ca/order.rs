//! Orders: certificates that are signed, with their bundles, and how they are recorded and delivered.
//!
//! Everything that may fail is done before the index is written. How the rest survives an interrupted
//! run is explained in `delivery.rs`.

use std::fs;
use std::mem::take;
use std::path::{Path, PathBuf};

use pki::{Bundle, Serial};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Ca;
use super::delivery::Delivery;
use super::old_bundle::{move_old, old_place};
use crate::disk::files;
use crate::disk::folder::Folder;
use crate::error::{Error, Problem};
use crate::ledger::index::{self, Index, IndexEntry};
use crate::notice::{Listener, Progress};
use crate::os::Access;
use crate::people::parcel::Parcel;
use crate::people::plan::Person;
use crate::sign::issuer::Signed;
use crate::sign::subject::Subject;
use crate::words::day;

/// One new bundle.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The name in the certificate.
    pub name: String,
    /// The file.
    pub bundle: PathBuf,
    /// The certificate's number.
    pub serial: Serial,
    /// The last moment at which it is valid.
    pub not_after: OffsetDateTime,
    /// The new path of the older bundle that had this place.
    pub moved: Option<PathBuf>,
}

/// A certificate that is signed and not recorded yet.
pub(super) struct Order {
    pub(super) name: String,
    pub(super) entry: IndexEntry,
    pub(super) certificate: String,
    /// The person's file, which may contain a key.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) place: BundlePlace,
}

/// The place for a bundle, and the new places of older bundles that are in the way.
pub(super) struct BundlePlace {
    bundle: PathBuf,
    old: Vec<(PathBuf, PathBuf)>,
}

/// The steps of one order: signing, writing two files, and giving the bundle its name.
const STEPS: usize = 4;
/// How many of them are done once it is signed.
pub(super) const SIGNING_STEPS: usize = 1;

/// Returns the steps of this many orders.
pub(super) fn steps(orders: usize) -> usize {
    orders * STEPS
}

/// The first destination of a delivery.
const CERTIFICATES: usize = 0;
/// The second one.
const OUT: usize = 1;

impl Ca {
    /// Records all orders, then delivers their bundles to `out`.
    pub(super) fn deliver(
        &self,
        index: &mut Index,
        mut orders: Vec<Order>,
        out: &Path,
        listener: &dyn Listener,
    ) -> Result<Vec<Issued>, Error> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        files::create_folder(out)?;
        let count = orders.len();
        let progress = |done| {
            let of = steps(count);
            listener.progress(Progress { done, of });
        };
        let folder = self.folder();
        let mut delivery = Delivery::begin(folder, &[&folder.certificates(), out])?;
        let is_elsewhere = out != self.register.people();
        for order in &mut orders {
            if is_elsewhere && order.entry.person().is_some() {
                let folder = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
                order
                    .entry
                    .set_note(index::FOLDER, &folder.to_string_lossy());
            }
            let serial = &order.entry.serial;
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
        delivery.write(|files| progress(count * SIGNING_STEPS + files))?;
        for order in &orders {
            index.push(order.entry.clone());
        }
        // Even if writing fails, the index may name them; the next run checks.
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
            progress(count * (STEPS - 1) + issued.len() + waiting.len());
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

    /// Returns the index entry for a new certificate.
    pub(super) fn entry(&self, subject: Subject<'_>, signed: &Signed) -> IndexEntry {
        let mut entry = IndexEntry::new(
            signed.serial.clone(),
            signed.not_after,
            subject.parts(self.name()),
        );
        entry.set_note(index::KEY_HASH, &signed.key_hash);
        entry
    }

    /// Returns the bundle for a new certificate.
    pub(super) fn bundle_text(
        &self,
        subject: Subject<'_>,
        signed: &Signed,
        server: Option<&str>,
    ) -> Zeroizing<String> {
        let (expires, fingerprint) = (
            day(signed.not_after).to_string(),
            self.issuer.says().fingerprint.to_string(),
        );
        let subject_notes = match subject {
            Subject::Person {
                id,
                role,
                full_name,
                ..
            } => {
                let name = full_name.map(|name| ("name", name.to_string()));
                let mut notes = vec![("id", id.to_string())];
                notes.extend(name);
                notes.push(("role", role.to_string()));
                notes
            }
            Subject::Server { hosts } => vec![
                ("host", hosts[0].to_string()),
                ("role", "server".to_owned()),
            ],
        };
        let mut notes: Vec<(&str, &str)> = subject_notes
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        notes.extend(server.map(|server| ("server", server)));
        notes.push(("room", self.name()));
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

impl Order {
    fn publish(self, delivery: &Delivery<'_>) -> Result<Issued, Error> {
        let Self { entry, place, .. } = self;
        let serial = &entry.serial;
        delivery.publish(CERTIFICATES, serial, &Folder::issued_name(serial))?;
        for (bundle, old) in &place.old {
            move_old(bundle, old)?;
        }
        delivery.publish(OUT, serial, place.name())?;
        Ok(Issued {
            name: self.name,
            bundle: place.bundle,
            serial: entry.serial,
            not_after: entry.not_after,
            moved: place.old.into_iter().map(|(_, old)| old).next(),
        })
    }
}

impl BundlePlace {
    /// Returns the folder of the bundle.
    pub(super) fn folder(&self) -> &Path {
        files::parent(&self.bundle)
    }

    fn name(&self) -> &str {
        let name = self.bundle.file_name().and_then(|name| name.to_str());
        name.expect("a bundle's name is made of a person's, or a host's")
    }
}

/// Returns the place for a bundle where nothing may be in the way.
pub(super) fn new_place(bundle: PathBuf) -> Result<BundlePlace, Error> {
    if fs::symlink_metadata(&bundle).is_ok() {
        return Err(Error::Exists(bundle));
    }
    Ok(BundlePlace {
        bundle,
        old: Vec::new(),
    })
}

/// Returns why a bundle cannot go to this place, if it cannot.
pub(super) fn in_the_way(bundle: &Path, index: &Index) -> Option<String> {
    old_place(bundle, index).err()
}

/// Finds the place for each bundle, before any of them is written.
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
        match old_place(&bundle, index) {
            Ok(place) => old.extend(place.map(|place| (bundle.clone(), place))),
            Err(what) => problems.push(Problem {
                location: person.location.to_string(),
                what,
            }),
        }
        // An old bundle of another kind could be mistaken for the new one.
        for other in parcel.others() {
            let other = out.join(other.file_name(id));
            if let Ok(Some(place)) = old_place(&other, index) {
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
