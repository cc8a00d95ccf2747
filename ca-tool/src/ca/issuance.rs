//! Issues certificates, to people and to servers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pki::Bundle;
use time::OffsetDateTime;
use wire::{ClientId, FullName, Role};

use super::Ca;
use super::order::{self, Issued, Order, SIGNING_STEPS, find_places, steps};
use crate::error::Error;
use crate::ledger::index;
use crate::ledger::index::{Index, IndexEntry};
use crate::ledger::settings::{CLIENT_URL, CONTACT};
use crate::notice::{Progress, Silent};
use crate::people::candidate::Candidate;
use crate::people::handout::{Handout, Help};
use crate::people::naming::name_all;
use crate::people::parcel::{Parcel, into_bytes};
use crate::people::plan::{Person, Plan, Rules, ShutOut, Skipped, plan_for};
use crate::sign::host::{Host, Reach};
use crate::sign::subject::Subject;
use crate::words::day;

/// How to issue certificates to people.
#[derive(Debug, Clone, Default)]
pub struct IssueOptions {
    /// The last moment of the certificates; 180 days from now by default.
    pub until: Option<OffsetDateTime>,
    /// The role of people whose row in a roster names none.
    pub role: Role,
    /// The folder for the bundles; `people` in the CA's folder by default.
    pub out: Option<PathBuf>,
    /// Whether names that look alike are allowed.
    pub allow_lookalike: bool,
    /// The server's address in the bundles; the one from `init` by default.
    pub server: Option<Reach>,
    /// The file that each person gets.
    pub parcel: Parcel,
    /// The full name of the only person, for [`Ca::sign`] and [`Ca::renew`]; by default the one in the
    /// person's last certificate. [`Ca::issue`] takes it from the [`Candidate`].
    pub full_name: Option<FullName>,
    /// What the page in a zip says about help; those of the last run where nothing is given.
    pub help: Help,
}

/// The result of `issue`.
#[derive(Debug, Default)]
pub struct Issuance {
    /// New certificates.
    pub issued: Vec<Issued>,
    /// People who have a certificate already.
    pub skipped: Vec<Skipped>,
    /// People in the roster whose certificate was revoked. Naming them issues another.
    pub shut_out: Vec<ShutOut>,
    /// Everybody who was named, with their IDs.
    pub candidates: Vec<Candidate>,
    /// The last moment of the CA, if the certificates should have been valid longer.
    pub clamped: Option<OffsetDateTime>,
}

impl Ca {
    /// Issues a certificate to everybody who has none: either to all of them or to nobody.
    ///
    /// # Errors
    ///
    /// When there is a problem with anybody. All problems are listed, and nothing was written.
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
        let (until, clamped) = self.end_for(options.until, now)?;
        let server = self.server_for(options.server.as_ref())?;

        // The time to wait for another run counts too.
        self.listener.progress(Progress {
            done: 0,
            of: steps(candidates.len()),
        });
        let (_lock, mut index) = self.lock()?;
        let named = name_all(candidates, &index).into_iter();
        let candidates: Vec<Candidate> = named.map(|named| named.candidate).collect();
        let help = self.help_for(&options.help)?;
        let rules = Rules {
            role: options.role,
            allow_lookalike: options.allow_lookalike,
        };
        let out = options
            .out
            .clone()
            .unwrap_or_else(|| self.register.people());
        let in_the_way = |id: &ClientId| {
            let bundle = out.join(options.parcel.file_name(id.as_str()));
            order::in_the_way(&bundle, &index)
        };
        let Plan {
            mut people,
            skipped,
            shut_out,
        } = plan_for(&candidates, &index, rules, now, in_the_way).map_err(Error::Problems)?;
        keep_full_names(&mut people, &index);
        let places = find_places(&people, &out, options.parcel, &index)?;

        let mut orders = Vec::new();
        let mut taken = index.serials();
        for (person, place) in people.iter().zip(places) {
            let subject = person.subject();
            let signed = self.issuer.sign(subject, now, until, &taken)?;
            taken.insert(signed.serial.clone());
            let mut entry = self.entry(subject, &signed);
            if let Some(name) = &person.full_name {
                entry.set_note(index::NAME, name.as_str());
            }
            // The next roster must find the same person, whatever its order.
            if let Some(email) = &person.email {
                entry.set_note(index::EMAIL, email);
            }
            // Also where it is the mail address: the next list may have it without calling it one.
            if let Some(source) = &person.made_from {
                entry.set_note(index::SOURCE, source);
            }
            let bundle = self.bundle_text(subject, &signed, server.as_deref());
            let handout = self.handout(person, &entry, server.as_deref(), &help);
            let bytes = options.parcel.pack(&handout, bundle);
            orders.push(Order {
                name: person.id.to_string(),
                entry,
                bytes,
                certificate: signed.certificate,
                place,
            });
            self.listener.progress(Progress {
                done: orders.len() * SIGNING_STEPS,
                of: steps(people.len()),
            });
        }
        let issued = self.deliver(&mut index, orders, &out, &*self.listener)?;
        self.remember_help(&options.help)?;
        Ok(Issuance {
            issued,
            skipped,
            shut_out,
            candidates,
            clamped,
        })
    }

    /// Returns the last moment of a certificate, and the same again if it should have been later.
    pub(super) fn end_for(
        &self,
        until: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<(OffsetDateTime, Option<OffsetDateTime>), Error> {
        let wanted = match until {
            Some(until) if until < now => return Err(Error::Past(day(until))),
            Some(until) => until,
            None => now + time::Duration::days(pki::CLIENT.days.into()),
        };
        let until = self.issuer.clamp(wanted);
        Ok((until, (until < wanted).then_some(until)))
    }

    /// Returns the facts for the page that goes with a bundle.
    pub(super) fn handout<'a>(
        &'a self,
        person: &'a Person,
        entry: &IndexEntry,
        server: Option<&'a str>,
        help: &'a Help,
    ) -> Handout<'a> {
        Handout {
            id: person.id.as_str(),
            full_name: person.full_name.as_ref().map(FullName::as_str),
            room: self.name(),
            server,
            until: entry.not_after,
            help,
        }
    }

    /// Returns what the page in a zip says about help: as given, or as remembered.
    pub(super) fn help_for(&self, given: &Help) -> Result<Help, Error> {
        let settings = self.register.settings()?;
        let or_before = |given: &Option<String>, key| {
            let before = || settings.find(key).map(str::to_owned);
            given.clone().or_else(before)
        };
        Ok(Help {
            contact: or_before(&given.contact, CONTACT),
            client_url: or_before(&given.client_url, CLIENT_URL),
        })
    }

    /// Remembers what was given for the pages of later zips. The caller holds the lock.
    pub(super) fn remember_help(&self, given: &Help) -> Result<(), Error> {
        let before = self.register.settings()?;
        let mut settings = before.clone();
        for (key, text) in [(CONTACT, &given.contact), (CLIENT_URL, &given.client_url)] {
            if let Some(text) = text {
                settings.set(key, text);
            }
        }
        match settings == before {
            true => Ok(()),
            false => settings.write(self.folder()),
        }
    }

    /// Returns where bundles say that the server is.
    pub(super) fn server_for(&self, given: Option<&Reach>) -> Result<Option<String>, Error> {
        match given {
            Some(server) => Ok(Some(server.to_string())),
            None => self.register.server(),
        }
    }

    /// Returns the hosts for a newer bundle of the same server: the one in people's bundles, those in
    /// the current bundle, and this machine's names.
    ///
    /// # Errors
    ///
    /// When the folder's settings cannot be read.
    pub fn hosts(&self) -> Result<Vec<Host>, Error> {
        let mut hosts = Vec::new();
        if let Some(told) = self.register.server()? {
            hosts.extend(Reach::parse(&told).ok().map(|reach| reach.host));
        }
        // A bundle that is lost or damaged is a reason to make another.
        if let Ok(bundle) = Bundle::read(&self.register.server_bundle()) {
            let said = bundle.certificate();
            hosts.extend(said.dns_names.iter().filter_map(|n| Host::parse(n).ok()));
            hosts.extend(said.addresses.into_iter().map(Host::Address));
        }
        hosts.extend(Host::of_this_machine());
        Ok(Host::each_once(hosts))
    }

    /// Issues a certificate to another server, for these names and no others: it may be on another
    /// machine. The bundle goes to `out`, or to the CA's folder.
    ///
    /// # Errors
    ///
    /// When its bundle exists already, or cannot be written.
    pub fn issue_server(&self, hosts: &[Host], out: Option<&Path>) -> Result<Issued, Error> {
        let first = hosts.first().ok_or(Error::Nobody)?;
        let name = format!("server-{}.pem", first.file_stem());
        let bundle = out.unwrap_or(self.register.path()).join(name);
        let (_lock, mut index) = self.lock()?;
        let now = OffsetDateTime::now_utc();
        self.deliver_server(&mut index, &Host::each_once(hosts.to_vec()), bundle, now)
    }

    pub(super) fn deliver_server(
        &self,
        index: &mut Index,
        hosts: &[Host],
        bundle: PathBuf,
        now: OffsetDateTime,
    ) -> Result<Issued, Error> {
        let subject = Subject::Server { hosts };
        let place = order::new_place(bundle)?;
        let until = now + time::Duration::days(pki::SERVER.days.into());
        let signed = self.issuer.sign(subject, now, until, &index.serials())?;
        let out = place.folder().to_owned();
        let order = Order {
            name: hosts[0].to_string(),
            entry: self.entry(subject, &signed),
            bytes: into_bytes(self.bundle_text(subject, &signed, None)),
            certificate: signed.certificate,
            place,
        };
        let mut issued = self.deliver(index, vec![order], &out, &Silent)?;
        Ok(issued.pop().expect("one order, one bundle"))
    }
}

/// Gives people whom nobody named the full name in their last certificate. The same ID is the same
/// person. A name that breaks the rules is left out: nobody asked for it now.
pub(super) fn keep_full_names(people: &mut [Person], index: &Index) {
    if people.iter().all(|person| person.full_name.is_some()) {
        return;
    }
    let named = index
        .entries()
        .iter()
        .filter(|entry| entry.full_name().is_some());
    // A later entry takes the place of an earlier one.
    let last: HashMap<ClientId, &IndexEntry> = named
        .filter_map(|entry| Some((entry.person()?.0, entry)))
        .collect();
    for person in people
        .iter_mut()
        .filter(|person| person.full_name.is_none())
    {
        let last = last.get(&person.id);
        person.full_name = last.and_then(|entry| entry.next_full_name().ok().flatten());
    }
}
