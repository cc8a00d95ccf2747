//! Issues new certificates to people who have one, and ends the old ones.

use std::collections::HashSet;

use pki::Certificate;
use rcgen::{PublicKeyData as _, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};
use wire::ClientId;

use super::Ca;
use super::issuance::{IssueOptions, Issued, Order, find_places};
use super::revocation::known;
use crate::error::{Error, Problem};
use crate::ledger::index::{self, Index, Record};
use crate::people::parcel::Parcel;
use crate::people::plan::{Person, Skipped};
use crate::people::roster::Place;
use crate::sign::issuer::key_hash;
use crate::sign::reason::Reason;

/// Whose certificates are renewed.
#[derive(Debug, Clone)]
pub enum Whose {
    /// These people's; they may have expired.
    People(Vec<String>),
    /// Those of everybody who has a live one that would end earlier than the new one, and is not on
    /// hold.
    Everybody,
}

/// What `renew` did.
#[derive(Debug, Default)]
pub struct Renewal {
    /// New certificates.
    pub issued: Vec<Issued>,
    /// Of everybody, those whose certificate is valid for as long already.
    pub skipped: Vec<Skipped>,
    /// Of everybody, those who are on hold.
    pub on_hold: Vec<ClientId>,
    /// The CA's last moment, if the certificates should have been valid longer.
    pub clamped: Option<OffsetDateTime>,
    /// How many old certificates were revoked.
    pub revoked: usize,
    /// When the old ones will be, if not at once.
    pub until: Option<OffsetDateTime>,
}

/// Renewing everybody twice in this time does it once: a run that was cut short can be repeated.
const AGAIN: Duration = Duration::DAY;

impl Ca {
    /// Issues a new certificate with a new number to people who have one, with the role, the mail
    /// address and the full name of the old one. The old ones are revoked as superseded: at once,
    /// or by the first run after `overlap`. Whoever made their own key keeps it and is sent
    /// certificates alone; everybody else gets a new key. The role in `options` is not looked at.
    ///
    /// # Errors
    ///
    /// When somebody cannot be renewed; all of them are listed, and nothing was written.
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
        let on_hold = match whose {
            Whose::People(_) => Vec::new(),
            Whose::Everybody => people(&index, |record| {
                record.is_on_hold() && now <= record.not_after
            }),
        };
        let (renewed, skipped) = self.find_renewed(whose, &on_hold, until, &index, now)?;
        let out = options.out.clone().unwrap_or_else(|| self.people());

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
            let holder = one.person.holder();
            let signed = match &one.own_key {
                Some(key) => self.issuer.certify(holder, key, now, until, &taken)?,
                None => self.issuer.sign(holder, now, until, &taken)?,
            };
            taken.insert(signed.serial.clone());
            let mut record = self.record(holder, &signed);
            for key in [index::NAME, index::KEY] {
                if let Some(text) = one.old.note(key) {
                    record.set_note(key, text);
                }
            }
            let bundle = self.bundle_text(holder, &signed, server.as_deref());
            let id = one.person.id.as_str();
            orders.push(Order {
                name: id.to_owned(),
                record,
                bytes: parcel.pack(id, self.issuer.name(), bundle),
                certificate: signed.certificate,
                place,
            });
        }
        let ids: Vec<ClientId> = renewed.into_iter().map(|one| one.person.id).collect();
        let is_old = |record: &Record| {
            let person = record.person();
            record.is_live(now) && person.is_some_and(|(id, _)| ids.contains(&id))
        };
        let ends = (overlap > Duration::ZERO).then(|| now + overlap);
        let revoked = match ends {
            Some(at) => {
                index.supersede_later(is_old, at);
                0
            }
            None => index.revoke(is_old, now, Reason::Superseded, None),
        };
        // The old certificates end in the same moment as the new ones begin: that of the index.
        let issued = self.deliver(&mut index, orders, &out, &mut |_| {});
        if revoked > 0 && matches!(issued, Ok(_) | Err(Error::NotDelivered { .. })) {
            self.sign_list(&index, now)?;
        }
        Ok(Renewal {
            issued: issued?,
            skipped,
            on_hold,
            clamped,
            revoked,
            until: ends,
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
        // Where every key is made here, and anew, none is certified twice.
        let has_own_key = |record: &Record| record.note(index::KEY).is_some();
        let compromised = match index.records().iter().any(has_own_key) {
            true => self.compromised_keys(index)?,
            false => HashSet::new(),
        };
        let asked = match whose {
            Whose::People(names) => known(names, index)?,
            Whose::Everybody => people(index, |record| record.is_live(now)),
        };
        for (number, id) in asked.into_iter().enumerate() {
            // Who is held out is not to hold up the others.
            if on_hold.contains(&id) {
                continue;
            }
            let place = match whose {
                Whose::People(_) => Place::Argument(number + 1),
                Whose::Everybody => Place::Flag("--all"),
            };
            let found = newest(&id, index).and_then(|old| self.read(old, &id, place.clone()));
            match found {
                Ok(one) if matches!(whose, Whose::Everybody) && one.lasts_until(until) => {
                    skipped.push(Skipped {
                        id,
                        until: one.old.ends_at(),
                        other_role: None,
                    });
                }
                Ok(one) if one.keeps_one_of(&compromised) => problems.push(Problem {
                    place: place.to_string(),
                    what: format!(
                        "the key of \"{id}\" was revoked as compromised; they make another with `ca-tool request {id}`"
                    ),
                }),
                Ok(one) => renewed.push(one),
                Err(what) => problems.push(Problem {
                    place: place.to_string(),
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

    /// What a new certificate takes over from an old one.
    fn read(&self, old: &Record, id: &ClientId, place: Place) -> Result<Renewed, String> {
        let path = self.folder.issued(&old.serial);
        let unreadable = || format!("{} is missing or damaged", path.display());
        let pem = self
            .issued(&old.serial)
            .map_err(|error| error.to_string())?;
        let der = pem.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
        let der = der.ok_or_else(unreadable)?;
        let said = Certificate::parse(&der).map_err(|_| unreadable())?;
        let own_key = match old.note(index::KEY) {
            None => None,
            Some(_) => {
                let key = super::signing::public_key(&der).ok_or_else(unreadable)?;
                Some(SubjectPublicKeyInfo::from_der(key).map_err(|_| unreadable())?)
            }
        };
        let (_, role) = old.person().ok_or_else(unreadable)?;
        Ok(Renewed {
            person: Person {
                id: id.clone(),
                full_name: old.note(index::NAME).map(str::to_owned),
                role,
                email: said.emails.first().cloned(),
                place,
            },
            own_key,
            old: old.clone(),
        })
    }
}

/// Somebody who gets a new certificate.
struct Renewed {
    person: Person,
    /// The key that they made themselves, if they did.
    own_key: Option<SubjectPublicKeyInfo>,
    old: Record,
}

impl Renewed {
    fn lasts_until(&self, until: OffsetDateTime) -> bool {
        self.old.ends_at() + AGAIN > until
    }

    /// Whether the new certificate would be for one of these keys.
    fn keeps_one_of(&self, keys: &HashSet<String>) -> bool {
        let own_key = self.own_key.as_ref();
        own_key.is_some_and(|key| keys.contains(&key_hash(&key.subject_public_key_info())))
    }
}

/// Those who have a certificate that is `such`, in the order in which they were issued.
fn people(index: &Index, such: impl Fn(&Record) -> bool) -> Vec<ClientId> {
    let mut ids = Vec::new();
    let mut seen = HashSet::new();
    let records = index.records().iter().filter(|record| such(record));
    for (id, _) in records.filter_map(Record::person) {
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    ids
}

/// The certificate of a person that can be used longest, or was not replaced by another.
fn newest<'a>(id: &ClientId, index: &'a Index) -> Result<&'a Record, String> {
    let is_theirs = |record: &&Record| record.person().is_some_and(|(person, _)| person == *id);
    let mut theirs = index.records().iter().filter(is_theirs);
    if theirs.clone().any(Record::is_on_hold) {
        return Err(format!(
            "\"{id}\" is on hold; `ca-tool unhold {id}` lets them in again"
        ));
    }
    let good = theirs.by_ref().filter(|record| record.revoked.is_none());
    let newest = |record: &&Record| (record.superseded_at().is_none(), record.ends_at());
    good.max_by_key(newest).ok_or_else(|| {
        format!("every certificate of \"{id}\" was revoked; `ca-tool issue {id}` makes a new one")
    })
}
