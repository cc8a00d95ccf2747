//! Signs certificates for keys that their owners made and keep.

use std::collections::HashSet;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;
use wire::ClientId;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Ca;
use super::issuance::{Issuance, IssueOptions, Order, find_places};
use crate::error::Error;
use crate::ledger::index::{self, Index, Record};
use crate::people::parcel::{Parcel, into_bytes};
use crate::people::plan::{Plan, Skipped, Terms, plan};
use crate::people::roster::{Candidate, Place};
use crate::sign::issuer::key_hash;
use crate::sign::reason::Reason;
use crate::sign::request::Request;

/// What is noted of a certificate whose key was made by its holder.
const KEY_OF_ITS_HOLDER: &str = "its holder's";

impl Ca {
    /// Issues a certificate for the key in a request, to whoever `name` says. What else the request
    /// asks for is not looked at. Who has a certificate for this very key is skipped.
    ///
    /// # Errors
    ///
    /// When the name is not good, its holder has a certificate for another key, somebody else has
    /// one for this key, or the answer cannot be written.
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
        candidates[0].place = Place::Flag("--as");
        let terms = Terms {
            role: options.role,
            allow_lookalike: options.allow_lookalike,
        };
        let Plan {
            people, skipped, ..
        } = plan(&candidates, &index, terms, now).map_err(Error::Problems)?;
        let same_key = self.certificates_for(&key_hash(&request.key_der), &index)?;
        if let Some(skipped) = skipped.first() {
            let is_theirs = |record: &&Record| record.is_live(now) && is_of(record, &skipped.id);
            if same_key.iter().any(is_theirs) {
                return Ok(Issuance {
                    skipped: vec![skipped.clone()],
                    ..Issuance::default()
                });
            }
            let Skipped { id, until, .. } = skipped.clone();
            return Err(Error::HasCertificate { id, until });
        }
        let [person] = &people[..] else {
            return Err(Error::Nobody);
        };
        check_key(request, &same_key, &person.id, self.anchor())?;
        let out = options.out.clone().unwrap_or_else(|| self.people());
        let mut places = find_places(&people, &out, Parcel::Answer, &index)?;
        let holder = person.holder();
        let taken = index.serials();
        let signed = self
            .issuer
            .certify(holder, &request.key, now, until, &taken)?;
        let mut record = self.record(holder, &signed);
        record.set_note(index::KEY, KEY_OF_ITS_HOLDER);
        let text = self.bundle_text(holder, &signed, server.as_deref());
        let order = Order {
            name: person.id.to_string(),
            record,
            certificate: signed.certificate,
            bytes: into_bytes(text),
            place: places.pop().expect("one person, one place"),
        };
        Ok(Issuance {
            issued: self.deliver(&mut index, vec![order], &out, &mut |_| {})?,
            clamped,
            ..Issuance::default()
        })
    }

    /// Every certificate that was issued for this key.
    fn certificates_for<'a>(&self, key: &str, index: &'a Index) -> Result<Vec<&'a Record>, Error> {
        let mut same = Vec::new();
        for record in index.records() {
            if self.key_of(record)?.as_deref() == Some(key) {
                same.push(record);
            }
        }
        Ok(same)
    }

    /// The keys that were revoked as compromised, as [`key_hash`] says them.
    pub(super) fn compromised_keys(&self, index: &Index) -> Result<HashSet<String>, Error> {
        let compromised = index.records().iter().filter(is_compromised);
        let keys = compromised.map(|record| self.key_of(record));
        keys.filter_map(Result::transpose).collect()
    }

    /// The public key in a certificate that was issued here, as [`key_hash`] says it; `None` when it
    /// was issued elsewhere.
    ///
    /// # Errors
    ///
    /// When it cannot be told: an earlier version recorded the certificate, and it is lost. That is
    /// not taken for another key, or one that is compromised would be certified again.
    pub(super) fn key_of(&self, record: &Record) -> Result<Option<String>, Error> {
        if let Some(hash) = record.note(index::KEY_HASH) {
            return Ok(Some(hash.to_owned()));
        }
        if record.is_unseen() {
            return Ok(None);
        }
        let pem = self.issued(&record.serial)?;
        let der = pem.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
        let hash = der.and_then(|der| Some(key_hash(public_key(&der)?)));
        hash.map(Some).ok_or_else(|| Error::Damaged {
            path: self.folder.issued(&record.serial),
            fault: format!(
                "it is missing or damaged, and with it which key \"{}\" had",
                wire::escape(record.name())
            ),
        })
    }
}

/// A key names one person: who holds it could speak as both.
fn check_key(
    request: &Request,
    same_key: &[&Record],
    id: &ClientId,
    anchor: &[u8],
) -> Result<(), Error> {
    if public_key(anchor) == Some(&request.key_der) {
        return Err(Error::KeyInUse("it is the CA's own".to_owned()));
    }
    if let Some(other) = same_key.iter().find(|record| !is_of(record, id)) {
        let name = wire::escape(other.name());
        return Err(Error::KeyInUse(format!("it is that of \"{name}\"")));
    }
    match same_key.iter().copied().find(is_compromised) {
        Some(_) => Err(Error::KeyInUse("it was revoked as compromised".to_owned())),
        None => Ok(()),
    }
}

fn is_compromised(record: &&Record) -> bool {
    matches!(record.revoked, Some((_, Reason::KeyCompromise)))
}

fn is_of(record: &Record, id: &ClientId) -> bool {
    record.person().is_some_and(|(person, _)| person == *id)
}

pub(super) fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.tbs_certificate.subject_pki.raw)
}
