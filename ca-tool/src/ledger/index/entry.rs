//! One certificate in the index.

use pki::Serial;
use time::OffsetDateTime;
use wire::{ClientId, FullName, FullNameError, Role};

use super::moment::parse_moment;
use super::notes::Notes;
use crate::sign::reason::Reason;
use crate::sign::subject::FULL_NAME;

/// One certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its number.
    pub serial: Serial,
    /// The last moment at which it is valid, unless it was revoked.
    pub not_after: OffsetDateTime,
    /// When it was revoked and why, if it was.
    pub revoked: Option<(OffsetDateTime, Reason)>,
    /// CN, OU, O and the full name, as in the certificate.
    pub(super) subject: Vec<(String, String)>,
    /// Notes that OpenSSL does not keep.
    pub(super) notes: Notes,
    /// The line as it was read. An unchanged entry is written back unchanged, because `openssl ca`
    /// writes things in it that have no meaning here.
    pub(super) line: Option<String>,
}

impl IndexEntry {
    /// Makes the entry of a certificate that was just signed.
    pub(crate) fn new(
        serial: Serial,
        not_after: OffsetDateTime,
        subject: Vec<(&'static str, String)>,
    ) -> Self {
        let subject = subject.into_iter();
        Self {
            serial,
            not_after,
            revoked: None,
            subject: subject
                .map(|(kind, text)| (kind.to_owned(), text))
                .collect(),
            notes: Notes::default(),
            line: None,
        }
    }

    /// Makes the entry of a certificate that was issued elsewhere, if at all. Nothing but its number is
    /// known, not even when it ends; no certificate outlives its CA, which ends at `not_after`.
    pub(crate) fn unseen(serial: Serial, not_after: OffsetDateTime) -> Self {
        let mut entry = Self::new(serial, not_after, vec![("CN", UNKNOWN.to_owned())]);
        entry.set_note(UNSEEN, UNKNOWN);
        entry
    }

    /// Returns whether nothing but the certificate's number is known.
    pub fn is_unseen(&self) -> bool {
        self.note(UNSEEN).is_some()
    }

    /// Returns the note under a key such as `name`.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.find(key)
    }

    /// Stores a note under a key, which is a plain word.
    pub(crate) fn set_note(&mut self, key: &str, text: &str) {
        self.notes.set(key, text);
        self.line = None;
    }

    /// Returns the person whose certificate it is, or `None` when it is a server's.
    pub fn person(&self) -> Option<(ClientId, Role)> {
        let id = ClientId::parse(self.part("CN")?).ok()?;
        let role = Role::parse(self.part("OU")?)?;
        Some((id, role))
    }

    /// Returns the name in it: a person's, or a server's first host.
    pub fn name(&self) -> &str {
        self.part("CN").unwrap_or("(no name)")
    }

    /// Returns the person's full name: the one in the certificate, or else the one that was noted when
    /// certificates had none.
    pub fn full_name(&self) -> Option<&str> {
        self.part(FULL_NAME).or(self.note(NAME))
    }

    /// Returns the full name for another certificate of the same person.
    ///
    /// # Errors
    ///
    /// When it breaks the rules. An earlier version, which put it into no certificate, took more.
    pub(crate) fn next_full_name(&self) -> Result<Option<FullName>, FullNameError> {
        self.full_name().map(FullName::parse_typed).transpose()
    }

    /// Returns whether it can be used at `now`.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.revoked.is_none() && now <= self.not_after
    }

    /// Returns whether it is on hold: revoked, but not for good.
    pub fn is_on_hold(&self) -> bool {
        matches!(self.revoked, Some((_, Reason::CertificateHold)))
    }

    /// Revokes it for `reason` at `at`, and returns whether that changes anything. It ends a hold, and a
    /// compromised key overrides any other reason; the moment stays that of the first revocation.
    pub(super) fn revoke(&mut self, at: OffsetDateTime, reason: Reason) -> bool {
        let Some(revoked) = raised(self.revoked, at, reason) else {
            return false;
        };
        self.revoked = Some(revoked);
        self.line = None;
        true
    }

    /// Returns whether revoking it would change anything.
    pub(super) fn is_changed_by(&self, at: OffsetDateTime, reason: Reason) -> bool {
        raised(self.revoked, at, reason).is_some()
    }

    /// Returns when it will be revoked because another replaces it, if that is decided.
    pub fn superseded_at(&self) -> Option<OffsetDateTime> {
        self.notes.find(SUPERSEDED).and_then(parse_moment)
    }

    /// Returns whether a hold that began at this moment has ended since.
    pub(super) fn outlived_hold(&self, began: OffsetDateTime) -> bool {
        let unheld = self.notes.find(UNHELD).and_then(parse_moment);
        unheld.is_some_and(|at| began <= at)
    }

    /// Returns the last moment at which it can be used: its own, or earlier if another replaces it.
    pub(crate) fn ends_at(&self) -> OffsetDateTime {
        let superseded = self.superseded_at();
        superseded.map_or(self.not_after, |at| at.min(self.not_after))
    }

    /// Returns whether it should have been revoked by now because another replaced it. That includes a
    /// certificate on hold, so that nobody takes it off hold again.
    pub(super) fn is_overdue(&self, now: OffsetDateTime) -> bool {
        (self.revoked.is_none() || self.is_on_hold())
            && self.superseded_at().is_some_and(|at| at <= now)
    }

    /// Returns the owner, whatever the role: the CN, and whether it is a person. A person may have the
    /// name of a server.
    pub(super) fn owner(&self) -> (&str, bool) {
        let name = self.part("CN").unwrap_or_default();
        (name, self.person().is_some())
    }

    pub(super) fn part(&self, kind: &str) -> Option<&str> {
        let part = self.subject.iter().find(|(k, _)| k == kind);
        part.map(|(_, text)| text.as_str())
    }
}

/// Returns when and why a certificate is revoked, if it was revoked as `before` says and is now revoked
/// for `reason` at `at`. Returns `None` when that changes nothing.
fn raised(
    before: Option<(OffsetDateTime, Reason)>,
    at: OffsetDateTime,
    reason: Reason,
) -> Option<(OffsetDateTime, Reason)> {
    match before {
        None => Some((at, reason)),
        // Servers have refused it since then.
        Some((since, Reason::CertificateHold)) if reason != Reason::CertificateHold => {
            Some((since, reason))
        }
        // Whoever has the key can do more harm than the certificate ever could.
        Some((since, lesser))
            if reason == Reason::KeyCompromise && lesser != Reason::KeyCompromise =>
        {
            Some((since, reason))
        }
        Some(_) => None,
    }
}

/// The reason for a revocation, in the words of the person who did it.
pub(crate) const NOTE: &str = "note";
/// The maker of the key, if that was not ca-tool.
pub(crate) const KEY: &str = "key";
/// The hash of the public key, so that the key is recognized even when the certificate is lost.
pub(crate) const KEY_HASH: &str = "keyhash";
/// The full name of a person, from the roster.
pub(crate) const NAME: &str = "name";
/// The mail address of a person, as in the certificate. It finds the person again in the next roster.
pub(crate) const EMAIL: &str = "email";
/// What the ID of a person was made from, if that is not the mail address.
pub(crate) const SOURCE: &str = "source";
/// The folder that a person's file was written to, if that was not the usual one.
pub(crate) const FOLDER: &str = "folder";
/// When a certificate is to be revoked because another replaces it.
pub(super) const SUPERSEDED: &str = "superseded";
/// When a certificate was last taken off hold.
pub(super) const UNHELD: &str = "unheld";
/// Marks a certificate of which only the number is known.
const UNSEEN: &str = "certificate";
/// The value of that note, and the name in such an entry.
const UNKNOWN: &str = "unknown";
