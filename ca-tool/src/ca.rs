//! A CA's folder at work: makes it, issues from it, revokes, and keeps its list fresh.
//!
//! Every change holds the folder's lock and goes in one order: bundles are written under names
//! that nobody can foresee, then the issuance is recorded, then the bundles get their names.
//! A run that is cut short leaves a certificate that nobody has, never one that nobody knows of.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pki::{Bundle, RevocationList, Serial};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use time::{Date, OffsetDateTime};
use wire::{ClientId, Role};

use crate::error::{Error, Problem, io_error};
use crate::folder::{self, Folder, Lock, Staged};
use crate::host::{Host, Reach};
use crate::index::{Index, Record};
use crate::issuer::{Holder, Issuer, Signed};
use crate::os::Access;
use crate::plan::{Person, Plan, Skipped, Terms, plan};
use crate::reason::Reason;
use crate::roster::Candidate;

/// A folder that holds a CA.
#[derive(Debug)]
pub struct Ca {
    folder: Folder,
    issuer: Issuer,
}

/// What a new CA is to be.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Its name, which is the room's: 1 to 64 characters.
    pub name: String,
    /// Where the server can be reached, the best first. `localhost` and what this machine is
    /// called come after these.
    pub hosts: Vec<Host>,
    /// The server's port, for people's bundles.
    pub port: u16,
}

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

/// What `revoke` did.
#[derive(Debug)]
pub struct Revocation {
    /// Each person, and how many certificates were revoked now; 0 if all of them were before.
    pub people: Vec<(ClientId, usize)>,
    /// The list that says so.
    pub list: PathBuf,
}

/// The characters of a CA's name (X.520, ub-common-name).
const NAME_CHARS_MAX: usize = 64;
/// The database of a CA; some 500,000 certificates.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Any other text in the folder.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// A list's number is counted on from; this leaves room for all that will ever be signed.
const LIST_NUMBER_MAX: u64 = 1 << 60;

impl InitOptions {
    /// A CA of this name, for a server on this machine.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hosts: Vec::new(),
            port: wire::PORT,
        }
    }
}

impl Ca {
    /// Makes a CA in a folder that is not there or empty, with an empty revocation list and a
    /// bundle for a server.
    ///
    /// # Errors
    ///
    /// When the folder holds something, the name is not good, or a file cannot be written. Then
    /// the folder is as it was.
    pub fn init(path: &Path, options: &InitOptions) -> Result<Self, Error> {
        Self::init_at(path, options, OffsetDateTime::now_utc())
    }

    fn init_at(path: &Path, options: &InitOptions, now: OffsetDateTime) -> Result<Self, Error> {
        check_name(&options.name)?;
        check_empty(path)?;
        let above = folder::parent(path);
        folder::create_folder(above)?;
        folder::remove_drafts(above)?;
        // All of it is made beside its place, so that a run that is cut short leaves no half CA.
        let draft = Draft::new(above)?;
        let (issuer, key) = Issuer::create(&options.name, now)?;
        let ca = Self {
            folder: Folder::new(&draft.folder),
            issuer,
        };
        let folder = &ca.folder;
        for place in [folder.private(), folder.certificates(), folder.people()] {
            folder::create_folder(&place)?;
        }
        folder::write_new(&folder.key(), key.as_bytes(), Access::Private)?;
        folder::write_new(
            &folder.certificate(),
            ca.issuer.pem().as_bytes(),
            Access::Public,
        )?;
        let hosts = server_hosts(&options.hosts);
        let server = Reach {
            host: hosts[0].clone(),
            port: options.port,
        };
        let settings = format!("server = {server}\n");
        folder::write_new(&folder.settings(), settings.as_bytes(), Access::Public)?;
        ca.sign_list(&Index::default(), now)?;
        ca.deliver_server(&mut Index::default(), &hosts, folder.server(), now)?;
        draft.publish(path)?;
        Ok(Self {
            folder: Folder::new(path),
            issuer: ca.issuer,
        })
    }

    /// Opens the CA of a folder, and signs its revocation list again if that is due.
    ///
    /// # Errors
    ///
    /// When there is no CA, its key is not the certificate's, its time is over, or the list
    /// cannot be written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let ca = Self::load(path)?;
        ca.renew_list()?;
        Ok(ca)
    }

    /// Opens the CA of a folder, and writes nothing.
    ///
    /// # Errors
    ///
    /// As [`Ca::open`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_at(path, OffsetDateTime::now_utc())
    }

    fn load_at(path: &Path, now: OffsetDateTime) -> Result<Self, Error> {
        let folder = Folder::new(path);
        let (certificate, key) = (folder.certificate(), folder.key());
        let pem = folder::read_if_there(&certificate, TEXT_BYTES_MAX)?
            .ok_or_else(|| Error::NoCa(path.to_owned()))?;
        let secret = folder::read_text_if_there(&key, TEXT_BYTES_MAX)?.ok_or_else(|| {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            io_error("read", &key)(missing)
        })?;
        let issuer = Issuer::load((&certificate, &pem), (&key, &secret), now)?;
        Ok(Self { folder, issuer })
    }

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

    fn issue_at(
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
            orders.push(Order {
                name: person.id.to_string(),
                record: self.record(holder, &signed),
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

    fn deliver_server(
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

    /// Revokes every certificate of these people that is not revoked yet, and signs the list at
    /// once. Who has none left is no error; who never had one is, and then nobody is revoked.
    ///
    /// # Errors
    ///
    /// When a name is unknown, or the list cannot be written.
    pub fn revoke(&self, names: &[String], reason: Reason) -> Result<Revocation, Error> {
        let now = OffsetDateTime::now_utc();
        let _lock = self.folder.lock()?;
        let mut index = self.index()?;
        let ids = known(names, &index)?;
        let people: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let revoked = index.revoke(&id, now, reason);
                (id, revoked)
            })
            .collect();
        if people.iter().any(|(_, revoked)| *revoked > 0) {
            // First the database. If this run is cut short here, the next one finds that the list
            // lacks somebody, and signs it.
            self.write_index(&index)?;
            self.sign_list(&index, now)?;
        }
        Ok(Revocation {
            people,
            list: self.folder.list(),
        })
    }

    /// Everything that was issued, oldest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Record>, Error> {
        Ok(self.index()?.records().to_vec())
    }

    /// The certificate of this number, as PEM, if it was issued here.
    ///
    /// # Errors
    ///
    /// When its file cannot be read.
    pub fn issued(&self, serial: &Serial) -> Result<Option<Vec<u8>>, Error> {
        folder::read_if_there(&self.folder.issued(serial), TEXT_BYTES_MAX)
    }

    /// Signs the revocation list again if fewer than [`pki::CRL_RENEW_DAYS`] days of it are left,
    /// if it is not there or damaged, or if it lacks somebody who was revoked. Says whether it did.
    ///
    /// # Errors
    ///
    /// When the list cannot be written.
    pub fn renew_list(&self) -> Result<bool, Error> {
        self.renew_list_at(OffsetDateTime::now_utc())
    }

    fn renew_list_at(&self, now: OffsetDateTime) -> Result<bool, Error> {
        if !self.list_is_due(&self.index()?, now)? {
            return Ok(false);
        }
        let _lock = self.folder.lock()?;
        // Another run may have signed it while this one waited.
        let index = self.index()?;
        let due = self.list_is_due(&index, now)?;
        if due {
            self.sign_list(&index, now)?;
        }
        Ok(due)
    }

    fn list_is_due(&self, index: &Index, now: OffsetDateTime) -> Result<bool, Error> {
        let Some(list) = self.read_list(now)? else {
            return Ok(true);
        };
        let left = OffsetDateTime::from(list.next_update()) - now;
        Ok(left < time::Duration::days(pki::CRL_RENEW_DAYS.into())
            || index
                .revoked()
                .any(|revoked| !list.revokes(&revoked.serial)))
    }

    /// The list as it is now; `None` when it is not there or no server would take it.
    fn read_list(&self, now: OffsetDateTime) -> Result<Option<RevocationList>, Error> {
        let path = self.folder.list();
        let bytes = folder::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| {
            RevocationList::parse(&bytes, self.issuer.certificate(), now.into()).ok()
        }))
    }

    fn sign_list(&self, index: &Index, now: OffsetDateTime) -> Result<(), Error> {
        self.check_nobody_is_forgotten(index, now)?;
        let number = self.next_list_number(now)?;
        // The next number is on the disk before this one is used, so none is used twice.
        folder::replace(
            &self.folder.list_number(),
            format!("{}\n", to_hex(number + 1)).as_bytes(),
            Access::Public,
        )?;
        let list = self.issuer.sign_list(number, index.revoked(), now)?;
        folder::replace(&self.folder.list(), list.as_bytes(), Access::Public)
    }

    /// Whoever is on the list now is on the next one too: an index that lost its newest lines must
    /// not let a revoked person back in.
    fn check_nobody_is_forgotten(&self, index: &Index, now: OffsetDateTime) -> Result<(), Error> {
        let Some(list) = self.read_list(now)? else {
            return Ok(());
        };
        let revoked: HashSet<Serial> = index.revoked().map(|revoked| revoked.serial).collect();
        let forgotten = list
            .serials()
            .filter(|serial| !revoked.contains(*serial))
            .count();
        if forgotten == 0 {
            return Ok(());
        }
        let list = self.folder.list();
        let fault = format!(
            "it does not know {forgotten} of the certificates that {} revokes; was an old copy put back?",
            list.display()
        );
        Err(Error::Damaged {
            path: self.folder.index(),
            fault,
        })
    }

    /// Larger than any number before, and at least the minutes since 1970: servers refuse a list
    /// with a lower number than one they saw, so an old copy of this folder that is put back must
    /// not fall behind what was signed after it was made.
    fn next_list_number(&self, now: OffsetDateTime) -> Result<u64, Error> {
        let path = self.folder.list_number();
        let bad = || Error::ListNumber(path.clone());
        let next = match folder::read_text_if_there(&path, TEXT_BYTES_MAX)? {
            Some(text) => u64::from_str_radix(text.trim(), 16).map_err(|_| bad())?,
            None => 0,
        };
        let signed = self
            .read_list(now)?
            .map(|list| list.number().to_u64().ok_or_else(bad))
            .transpose()?;
        let minutes = u64::try_from(now.unix_timestamp() / 60).unwrap_or(0);
        let number = next
            .max(minutes)
            .max(signed.map_or(0, |signed| signed.saturating_add(1)));
        if number > LIST_NUMBER_MAX {
            return Err(bad());
        }
        Ok(number)
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

    fn index(&self) -> Result<Index, Error> {
        let path = self.folder.index();
        // An empty index would be the end of every revocation, so none is not taken for an empty one.
        let text = folder::read_text_if_there(&path, INDEX_BYTES_MAX)?;
        let missing = || Error::Damaged {
            path: path.clone(),
            fault: "it is missing, and with it everything that was issued and revoked".to_owned(),
        };
        Index::parse(&text.ok_or_else(missing)?, &path)
    }

    fn write_index(&self, index: &Index) -> Result<(), Error> {
        let text = index.format();
        folder::replace(&self.folder.index(), text.as_bytes(), Access::Public)
    }

    /// Where people's bundles say that the server is.
    fn server(&self) -> Result<Option<String>, Error> {
        let path = self.folder.settings();
        let Some(text) = folder::read_text_if_there(&path, TEXT_BYTES_MAX)? else {
            return Ok(None);
        };
        let server = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == "server");
        server
            .map(|(_, server)| {
                let fault = |error: crate::HostError| Error::Damaged {
                    path: path.clone(),
                    fault: error.to_string(),
                };
                Ok(Reach::parse(server.trim()).map_err(fault)?.to_string())
            })
            .transpose()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where `issue` puts people's bundles unless it is told otherwise.
    pub fn people(&self) -> PathBuf {
        self.folder.people()
    }

    /// Where the bundle of the first server is.
    pub fn server_bundle(&self) -> PathBuf {
        self.folder.server()
    }

    /// Where the revocation list is.
    pub fn revocation_list(&self) -> PathBuf {
        self.folder.list()
    }

    /// Where the CA's key is.
    pub fn key(&self) -> PathBuf {
        self.folder.key()
    }

    /// Where the CA's certificate is.
    pub fn certificate(&self) -> PathBuf {
        self.folder.certificate()
    }

    /// The CA's certificate: what everybody trusts.
    pub fn anchor(&self) -> &CertificateDer<'static> {
        self.issuer.certificate()
    }

    /// What it says.
    pub fn says(&self) -> &pki::Certificate {
        self.issuer.says()
    }

    /// What signs. Whatever is signed with it directly is neither recorded nor checked.
    pub fn issuer(&self) -> &rcgen::Issuer<'static, KeyPair> {
        self.issuer.signer()
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

/// The people of these names; each of them was issued a certificate.
fn known(names: &[String], index: &Index) -> Result<Vec<ClientId>, Error> {
    if names.is_empty() {
        return Err(Error::Nobody);
    }
    let people: Vec<ClientId> = index
        .records()
        .iter()
        .filter_map(|record| Some(record.person()?.0))
        .collect();
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match ClientId::parse_typed(name) {
            Ok(id) if !people.contains(&id) => unknown.push(nobody(id.as_str(), &people)),
            Ok(id) if !ids.contains(&id) => ids.push(id),
            Ok(_) => {}
            Err(_) => unknown.push(nobody(name, &people)),
        }
    }
    if unknown.is_empty() {
        Ok(ids)
    } else {
        Err(Error::Unknown(unknown))
    }
}

/// Says that a name was never issued, and which one may have been meant.
pub(crate) fn nobody(name: &str, people: &[ClientId]) -> String {
    // Three letters in ten may be wrong; beyond that a suggestion only confuses.
    let nearest = people
        .iter()
        .map(|id| {
            let distance = strsim::damerau_levenshtein(name, id.as_str());
            (distance, id)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, id)| distance * 10 <= id.as_str().chars().count() * 4);
    let said = format!("\"{}\" was never issued a certificate", name.escape_debug());
    match nearest {
        Some((_, id)) => format!("{said} (is \"{id}\" meant?)"),
        None => said,
    }
}

/// A CA's folder before it has its name. Dropped, it is gone.
struct Draft {
    folder: PathBuf,
    /// While it is held, this is no leftover of a run that was killed.
    lock: Option<Lock>,
}

impl Draft {
    fn new(above: &Path) -> Result<Self, Error> {
        let mut draft = Self {
            folder: above.join(folder::temporary_name(folder::DRAFT)?),
            lock: None,
        };
        folder::create_folder(&draft.folder)?;
        draft.lock = Some(Folder::new(&draft.folder).lock()?);
        Ok(draft)
    }

    fn publish(mut self, path: &Path) -> Result<(), Error> {
        // An empty folder gives way to the new one; if it is not empty any more, this fails.
        match fs::remove_dir(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Err(taken(path)),
        }
        // Some systems rename no folder in which a file is open.
        self.lock = None;
        fs::rename(&self.folder, path).map_err(|error| match check_empty(path) {
            Err(taken) => taken,
            Ok(()) => io_error("make", path)(error),
        })?;
        let above = folder::parent(path);
        crate::os::sync_folder(above).map_err(io_error("write to", above))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename it is not there, and no one to tell if it cannot be removed.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn check_empty(path: &Path) -> Result<(), Error> {
    // `.` and `..` cannot be given to something else.
    if path.file_name().is_none() {
        return Err(taken(path));
    }
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(taken(path)),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(taken(path)),
    }
}

fn taken(path: &Path) -> Error {
    if Folder::new(path).certificate().exists() {
        Error::AlreadyCa(path.to_owned())
    } else {
        Error::NotEmpty(path.to_owned())
    }
}

/// A name stands on one line in bundles, in the greeting and in people's terminals.
fn check_name(name: &str) -> Result<(), Error> {
    let is_good = name.chars().count() <= NAME_CHARS_MAX
        && name.trim() == name
        && !name.contains(char::is_control)
        && wire::Line::parse(name.as_bytes()).is_ok();
    if is_good {
        Ok(())
    } else {
        Err(Error::Name(name.to_owned()))
    }
}

/// What was said first, then what this machine is called.
fn server_hosts(said: &[Host]) -> Vec<Host> {
    let mut hosts = said.to_vec();
    hosts.extend(Host::of_this_machine());
    deduplicate(hosts)
}

fn deduplicate(hosts: Vec<Host>) -> Vec<Host> {
    let mut once: Vec<Host> = Vec::new();
    for host in hosts {
        if !once.contains(&host) {
            once.push(host);
        }
    }
    once
}

/// As OpenSSL writes numbers: whole bytes, upper case.
fn to_hex(number: u64) -> String {
    let digits = format!("{number:X}");
    if digits.len() % 2 == 0 {
        digits
    } else {
        format!("0{digits}")
    }
}

/// The last moment of a day, in UTC.
pub(crate) fn end_of(day: Date) -> OffsetDateTime {
    day.with_time(time::macros::time!(23:59:59)).assume_utc()
}

#[cfg(test)]
mod tests;
