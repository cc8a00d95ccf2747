//! Why a certificate was revoked (RFC 5280, section 5.3.1), in OpenSSL's spelling.

use std::fmt;

use pki::Serial;
use rcgen::RevocationReason;
use time::OffsetDateTime;

/// One entry of a revocation list.
#[derive(Debug, Clone)]
pub(crate) struct Revoked {
    /// The certificate's number.
    pub(crate) serial: Serial,
    /// When it was revoked.
    pub(crate) at: OffsetDateTime,
    /// Why.
    pub(crate) reason: Reason,
}

/// Why a certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reason {
    /// No reason was given, so the list gives none either.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The name or the role has changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// The person may no longer do what it allows.
    PrivilegeWithdrawn,
    /// It is on hold. This is the only reason that can be undone.
    CertificateHold,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 7] = [
        Reason::Unspecified,
        Reason::KeyCompromise,
        Reason::AffiliationChanged,
        Reason::Superseded,
        Reason::CessationOfOperation,
        Reason::PrivilegeWithdrawn,
        Reason::CertificateHold,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Unspecified => "unspecified",
            Reason::KeyCompromise => "keyCompromise",
            Reason::AffiliationChanged => "affiliationChanged",
            Reason::Superseded => "superseded",
            Reason::CessationOfOperation => "cessationOfOperation",
            Reason::PrivilegeWithdrawn => "privilegeWithdrawn",
            Reason::CertificateHold => "certificateHold",
        }
    }

    /// Reads that word, in upper or lower case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str().eq_ignore_ascii_case(word))
    }

    pub(crate) fn to_rcgen(self) -> RevocationReason {
        match self {
            Reason::Unspecified => RevocationReason::Unspecified,
            Reason::KeyCompromise => RevocationReason::KeyCompromise,
            Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
            Reason::Superseded => RevocationReason::Superseded,
            Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
            Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
            Reason::CertificateHold => RevocationReason::CertificateHold,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
