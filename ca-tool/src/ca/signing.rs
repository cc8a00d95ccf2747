//! Signs certificates for keys that people made and keep to themselves.

use std::collections::HashSet;

use time::OffsetDateTime;
use wire::ClientId;

use super::Ca;
use super::issuance::{Issuance, IssueOptions, keep_full_names};
use super::order::{Order, find_places};
use crate::error::Error;
use crate::ledger::index::{self, Index, IndexEntry};
use crate::notice::Silent;
use crate::people::candidate::{Candidate, Location};
use crate::people::parcel::{Parcel, into_bytes};
use crate::people::plan::{Plan, Rules, Skipped, plan};
use crate::sign::certificate::{self, key_hash, public_key};
use crate::sign::reason::Reason;
use crate::sign::request::Request;

/// The note of a certificate whose key its holder made.
const KEY_OF_ITS_HOLDER: &str = "its holder's";

impl Ca {
    /// Issues a certificate to the person `name` for the key in a request. Everything else in the request
    /// is ignored; a full name comes from the options, or from an earlier certificate. A person who has a certificate for this key already is skipped.
    ///
    /// # Errors
    ///
    /// When the name cannot be used, the person has a certificate for another key, somebody else has one
    /// for this key, or the answer cannot be written.
    pub fn sign(
        &self,
        request: &Request,
        name: &str,
        options: &IssueOptions,
    ) -> Result<Issuance, Error> {
        let now = OffsetDateTime::now_utc();
        let (until, clamped) = self.end_for(options.until, now)?;
        let server = self.server_for(options.server.as_ref())?;
        let (_lock, mut index) = self.lock()?;
        let mut candidates = Candidate::named([name]);
        candidates[0].location = Location::Flag("--as");
        let rules = Rules {
            role: options.role,
            allow_lookalike: options.allow_lookalike,
        };
        let Plan {
            mut people,
            skipped,
            ..
        } = plan(&candidates, &index, rules, now).map_err(Error::Problems)?;
        let same_key = self.certificates_for(&key_hash(&request.key_der), &index)?;
        if let Some(skipped) = skipped.first() {
            let is_theirs = |entry: &&IndexEntry| entry.is_live(now) && is_of(entry, &skipped.id);
            if same_key.iter().any(is_theirs) {
                return Ok(Issuance {
                    skipped: vec![skipped.clone()],
                    ..Issuance::default()
                });
            }
            let Skipped { id, until, .. } = skipped.clone();
            return Err(Error::HasCertificate { id, until });
        }
        for person in &mut people {
            person.full_name.clone_from(&options.full_name);
        }
        keep_full_names(&mut people, &index);
        let [person] = &people[..] else {
            return Err(Error::Nobody);
        };
        check_key(request, &same_key, &person.id, self.register.anchor())?;
        let out = options
            .out
            .clone()
            .unwrap_or_else(|| self.register.people());
        let mut places = find_places(&people, &out, Parcel::Answer, &index)?;
        let subject = person.subject();
        let taken = index.serials();
        let signed = self
            .issuer
            .certify(subject, &request.key, now, until, &taken)?;
        let mut entry = self.entry(subject, &signed);
        entry.set_note(index::KEY, KEY_OF_ITS_HOLDER);
        if let Some(name) = &person.full_name {
            entry.set_note(index::NAME, name.as_str());
        }
        let text = self.bundle_text(subject, &signed, server.as_deref());
        let order = Order {
            name: person.id.to_string(),
            entry,
            certificate: signed.certificate,
            bytes: into_bytes(text),
            place: places.pop().expect("one person, one place"),
        };
        Ok(Issuance {
            issued: self.deliver(&mut index, vec![order], &out, &Silent)?,
            clamped,
            ..Issuance::default()
        })
    }

    /// Returns every certificate that was issued for this key.
    fn certificates_for<'a>(
        &self,
        key: &str,
        index: &'a Index,
    ) -> Result<Vec<&'a IndexEntry>, Error> {
        let mut same = Vec::new();
        for entry in index.entries() {
            if self.key_of(entry)?.as_deref() == Some(key) {
                same.push(entry);
            }
        }
        Ok(same)
    }

    /// Returns the hashes of the keys that were revoked as compromised.
    pub(super) fn compromised_keys(&self, index: &Index) -> Result<HashSet<String>, Error> {
        let compromised = index.entries().iter().filter(is_compromised);
        let keys = compromised.map(|entry| self.key_of(entry));
        keys.filter_map(Result::transpose).collect()
    }

    /// Returns the hash of the public key in a certificate, or `None` when it was issued elsewhere.
    ///
    /// # Errors
    ///
    /// When the key is unknown: an earlier version recorded the certificate, and it is lost. That must
    /// not count as a different key, or a compromised one could be certified again.
    pub(super) fn key_of(&self, entry: &IndexEntry) -> Result<Option<String>, Error> {
        if let Some(hash) = entry.note(index::KEY_HASH) {
            return Ok(Some(hash.to_owned()));
        }
        if entry.is_unseen() {
            return Ok(None);
        }
        let pem = self.register.issued(&entry.serial)?;
        let der = pem.and_then(|pem| certificate::first_in(&pem).ok().flatten());
        let hash = der.and_then(|der| Some(key_hash(public_key(&der)?)));
        hash.map(Some).ok_or_else(|| Error::Damaged {
            path: self.folder().issued(&entry.serial),
            fault: format!(
                "it is missing or damaged, so the key of \"{}\" is unknown",
                wire::escape(entry.name())
            ),
        })
    }
}

/// Checks that the key is nobody else's: whoever has it could speak as both.
fn check_key(
    request: &Request,
    same_key: &[&IndexEntry],
    id: &ClientId,
    anchor: &[u8],
) -> Result<(), Error> {
    if public_key(anchor) == Some(&request.key_der) {
        return Err(Error::KeyInUse("it is the CA's own".to_owned()));
    }
    if let Some(other) = same_key.iter().find(|entry| !is_of(entry, id)) {
        let name = wire::escape(other.name());
        return Err(Error::KeyInUse(format!("it is that of \"{name}\"")));
    }
    match same_key.iter().copied().find(is_compromised) {
        Some(_) => Err(Error::KeyInUse("it was revoked as compromised".to_owned())),
        None => Ok(()),
    }
}

fn is_compromised(entry: &&IndexEntry) -> bool {
    matches!(entry.revoked, Some((_, Reason::KeyCompromise)))
}

fn is_of(entry: &IndexEntry, id: &ClientId) -> bool {
    entry.person().is_some_and(|(person, _)| person == *id)
}
