//! Issues new certificates to people who have one, and ends the old ones.

use std::collections::HashSet;

use pki::Certificate;
use rcgen::{PublicKeyData as _, SubjectPublicKeyInfo};
use time::{Duration, OffsetDateTime};
use wire::{ClientId, FullName, FullNameError};

use super::Ca;
use super::issuance::IssueOptions;
use super::order::{Issued, Order, find_places};
use super::revocation::known;
use crate::error::{Error, Problem};
use crate::ledger::index::{self, Index, IndexEntry};
use crate::notice::Silent;
use crate::people::candidate::Location;
use crate::people::parcel::Parcel;
use crate::people::plan::{Person, Skipped};
use crate::sign::certificate::{self, key_hash};
use crate::sign::reason::Reason;

/// The people whose certificates are renewed.
#[derive(Debug, Clone)]
pub enum Whose {
    /// Those of these people, even if they have expired.
    People(Vec<String>),
    /// Those of everybody who has a valid certificate that ends before the new one would, and who is
    /// not on hold.
    Everybody,
}

/// The result of `renew`.
#[derive(Debug, Default)]
pub struct Renewal {
    /// New certificates.
    pub issued: Vec<Issued>,
    /// People whose certificate lasts as long already; only when renewing everybody.
    pub skipped: Vec<Skipped>,
    /// People who are on hold; only when renewing everybody.
    pub on_hold: Vec<ClientId>,
    /// The last moment of the CA, if the certificates should have been valid longer.
    pub clamped: Option<OffsetDateTime>,
    /// How many old certificates were revoked.
    pub revoked: usize,
    /// When the old ones will be revoked, if not at once.
    pub until: Option<OffsetDateTime>,
    /// People whose full name in the index breaks a rule, and is not in their new certificate.
    pub unnamed: Vec<(ClientId, FullNameError)>,
}

/// Renewing everybody twice within this time renews them once, so an interrupted run can be repeated.
const AGAIN: Duration = Duration::DAY;

impl Ca {
    /// Issues new certificates to people who have one, with the same role, mail address and full name,
    /// or the full name in the options.
    /// The old ones are revoked as superseded: at once, or by the first run after `overlap`. People who
    /// made their own key keep it and get certificates alone; everybody else gets a new key. The role
    /// in `options` is ignored.
    ///
    /// # Errors
    ///
    /// When somebody's certificate cannot be renewed. All problems are listed, and nothing was written.
    pub fn renew(
        &self,
        whose: &Whose,
        overlap: Duration,
        options: &IssueOptions,
    ) -> Result<Renewal, Error> {
        self.renew_at(whose, overlap, options, OffsetDateTime::now_utc())
    }

    pub(super) fn renew_at(
        &self,
        whose: &Whose,
        overlap: Duration,
        options: &IssueOptions,
        now: OffsetDateTime,
    ) -> Result<Renewal, Error> {
        let (until, clamped) = self.end_for(options.until, now)?;
        let server = self.server_for(options.server.as_ref())?;
        let (_lock, mut index) = self.lock()?;
        let help = self.help_for(&options.help)?;
        let on_hold = match whose {
            Whose::People(_) => Vec::new(),
            Whose::Everybody => {
                people(&index, |entry| entry.is_on_hold() && now <= entry.not_after)
            }
        };
        let (mut renewed, skipped) = self.find_renewed(whose, &on_hold, until, &index, now)?;
        let unnamed = name_anew(&mut renewed, options.full_name.as_ref());
        let out = options
            .out
            .clone()
            .unwrap_or_else(|| self.register.people());

        let mut orders = Vec::new();
        let mut taken = index.serials();
        for one in &renewed {
            let parcel = match one.own_key {
                Some(_) => Parcel::Answer,
                None => options.parcel,
            };
            let person = std::slice::from_ref(&one.person);
            let place = find_places(person, &out, parcel, &index)?.pop();
            let place = place.expect("one person, one place");
            let subject = one.person.subject();
            let signed = match &one.own_key {
                Some(key) => self.issuer.certify(subject, key, now, until, &taken)?,
                None => self.issuer.sign(subject, now, until, &taken)?,
            };
            taken.insert(signed.serial.clone());
            let mut entry = self.entry(subject, &signed);
            for key in [index::EMAIL, index::SOURCE, index::KEY] {
                if let Some(text) = one.old.note(key) {
                    entry.set_note(key, text);
                }
            }
            // A name that breaks the rules stays in the index.
            let name = one.person.full_name.as_ref().map(FullName::as_str);
            if let Some(name) = name.or(one.old.full_name()) {
                entry.set_note(index::NAME, name);
            }
            let bundle = self.bundle_text(subject, &signed, server.as_deref());
            let handout = self.handout(&one.person, &entry, server.as_deref(), &help);
            let bytes = parcel.pack(&handout, bundle);
            orders.push(Order {
                name: one.person.id.to_string(),
                entry,
                bytes,
                certificate: signed.certificate,
                place,
            });
        }
        let ids: Vec<ClientId> = renewed.into_iter().map(|one| one.person.id).collect();
        let is_old = |entry: &IndexEntry| {
            let person = entry.person();
            entry.is_live(now) && person.is_some_and(|(id, _)| ids.contains(&id))
        };
        let ends = (overlap > Duration::ZERO).then(|| now + overlap);
        let revoked = match ends {
            Some(at) => {
                index.supersede_later(is_old, at);
                0
            }
            None => index.revoke(is_old, now, Reason::Superseded, None),
        };
        // The old certificates end when the new ones begin: when the index is written.
        let issued = self.deliver(&mut index, orders, &out, &Silent);
        self.remember_help(&options.help)?;
        let is_on_the_list = revoked > 0 || ends.is_some();
        if is_on_the_list && matches!(issued, Ok(_) | Err(Error::NotDelivered { .. })) {
            self.sign_list(&index, now)?;
        }
        Ok(Renewal {
            issued: issued?,
            skipped,
            on_hold,
            clamped,
            revoked,
            until: ends,
            unnamed,
        })
    }

    fn find_renewed(
        &self,
        whose: &Whose,
        on_hold: &[ClientId],
        until: OffsetDateTime,
        index: &Index,
        now: OffsetDateTime,
    ) -> Result<(Vec<Renewed>, Vec<Skipped>), Error> {
        let (mut renewed, mut skipped, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        // If nobody made their own key, no key is certified twice.
        let has_own_key = |entry: &IndexEntry| entry.note(index::KEY).is_some();
        let compromised = match index.entries().iter().any(has_own_key) {
            true => self.compromised_keys(index)?,
            false => HashSet::new(),
        };
        let asked = match whose {
            Whose::People(names) => known(names, index)?,
            Whose::Everybody => people(index, |entry| entry.is_live(now)),
        };
        for (number, id) in asked.into_iter().enumerate() {
            // People on hold must not prevent the renewal of the others.
            if on_hold.contains(&id) {
                continue;
            }
            let location = match whose {
                Whose::People(_) => Location::Argument(number + 1),
                Whose::Everybody => Location::Flag("--all"),
            };
            let found = newest(&id, index).and_then(|old| self.read(old, &id, location.clone()));
            match found {
                Ok(one) if matches!(whose, Whose::Everybody) && one.lasts_until(until) => {
                    skipped.push(Skipped {
                        id,
                        until: one.old.ends_at(),
                        other_role: None,
                        other_name: None,
                    });
                }
                Ok(one) if one.keeps_one_of(&compromised) => problems.push(Problem {
                    location: location.to_string(),
                    what: format!(
                        "the key of \"{id}\" was revoked as compromised; the person makes another with `ca-tool request {id}`"
                    ),
                }),
                Ok(one) => renewed.push(one),
                Err(what) => problems.push(Problem {
                    location: location.to_string(),
                    what,
                }),
            }
        }
        if problems.is_empty() {
            Ok((renewed, skipped))
        } else {
            Err(Error::Problems(problems))
        }
    }

    /// Reads everything that the new certificate has in common with the old one.
    fn read(&self, old: &IndexEntry, id: &ClientId, location: Location) -> Result<Renewed, String> {
        let path = self.folder().issued(&old.serial);
        let unreadable = || format!("{} is missing or damaged", path.display());
        let pem = self
            .register
            .issued(&old.serial)
            .map_err(|error| error.to_string())?;
        let der = pem.and_then(|pem| certificate::first_in(&pem).ok().flatten());
        let der = der.ok_or_else(unreadable)?;
        let said = Certificate::parse(&der).map_err(|_| unreadable())?;
        let own_key = match old.note(index::KEY) {
            None => None,
            Some(_) => {
                let key = certificate::public_key(&der).ok_or_else(unreadable)?;
                Some(SubjectPublicKeyInfo::from_der(key).map_err(|_| unreadable())?)
            }
        };
        let (_, role) = old.person().ok_or_else(unreadable)?;
        Ok(Renewed {
            person: Person {
                id: id.clone(),
                full_name: None,
                role,
                email: said.emails.first().cloned(),
                made_from: None,
                location,
            },
            own_key,
            old: old.clone(),
        })
    }
}

/// Somebody who gets a new certificate.
struct Renewed {
    person: Person,
    /// The key that the person made, if so.
    own_key: Option<SubjectPublicKeyInfo>,
    old: IndexEntry,
}

impl Renewed {
    fn lasts_until(&self, until: OffsetDateTime) -> bool {
        self.old.ends_at() + AGAIN > until
    }

    /// Returns whether the new certificate would be for one of these keys.
    fn keeps_one_of(&self, keys: &HashSet<String>) -> bool {
        let own_key = self.own_key.as_ref();
        own_key.is_some_and(|key| keys.contains(&key_hash(&key.subject_public_key_info())))
    }
}

/// Gives everybody the full name `given`, or else the one that they have. Returns those whose name
/// breaks a rule: they are renewed without one.
fn name_anew(renewed: &mut [Renewed], given: Option<&FullName>) -> Vec<(ClientId, FullNameError)> {
    let mut unnamed = Vec::new();
    for one in renewed {
        let name = match given {
            Some(name) => Ok(Some(name.clone())),
            None => one.old.next_full_name(),
        };
        one.person.full_name = name.unwrap_or_else(|error| {
            unnamed.push((one.person.id.clone(), error));
            None
        });
    }
    unnamed
}

/// Returns the people who have a matching certificate, in the order of issue.
fn people(index: &Index, matches: impl Fn(&IndexEntry) -> bool) -> Vec<ClientId> {
    let mut ids = Vec::new();
    let mut seen = HashSet::new();
    let entries = index.entries().iter().filter(|entry| matches(entry));
    for (id, _) in entries.filter_map(IndexEntry::person) {
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    ids
}

/// Returns the certificate to renew: one that was not replaced, and that lasts longest.
fn newest<'a>(id: &ClientId, index: &'a Index) -> Result<&'a IndexEntry, String> {
    let is_theirs = |entry: &&IndexEntry| entry.person().is_some_and(|(person, _)| person == *id);
    let mut theirs = index.entries().iter().filter(is_theirs);
    if theirs.clone().any(IndexEntry::is_on_hold) {
        return Err(format!(
            "\"{id}\" is on hold; `ca-tool unhold {id}` lets them in again"
        ));
    }
    let good = theirs.by_ref().filter(|entry| entry.revoked.is_none());
    let newest = |entry: &&IndexEntry| (entry.superseded_at().is_none(), entry.ends_at());
    good.max_by_key(newest).ok_or_else(|| {
        format!("every certificate of \"{id}\" was revoked; `ca-tool issue {id}` makes a new one")
    })
}
