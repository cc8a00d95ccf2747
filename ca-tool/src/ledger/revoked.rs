//! The entries of a revocation list: which certificates it revokes, when and why. A list from outside
//! counts only if this CA signed it.

use std::collections::HashMap;
use std::path::Path;

use pki::{CrlNumber, RevocationError, RevocationList, Serial};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, ReasonCode, X509Certificate};

use crate::disk::files;
use crate::error::{Error, pem_error};
use crate::sign::reason::{Reason, Revoked};

/// A list from outside whose revocations are to be added: a server's copy, or one that this CA signed
/// elsewhere. It may have expired, and need not have a number.
#[derive(Debug, Default)]
pub(crate) struct GivenList {
    /// The number that the next list has to exceed.
    pub(crate) number: u64,
    /// Its entries.
    pub(crate) entries: Vec<Revoked>,
}

impl GivenList {
    /// Reads a list, PEM or DER, and verifies that this CA signed it. Refuses a number above
    /// `number_max`.
    ///
    /// # Errors
    ///
    /// When the file holds no list, or the CA did not sign it, or it covers only some of the CA's
    /// certificates.
    pub(crate) fn read(
        path: &Path,
        anchor: &CertificateDer<'_>,
        number_max: u64,
    ) -> Result<Self, Error> {
        let bytes = files::read_if_there(path, pki::limits::CRL_BYTES_MAX)?
            .ok_or_else(|| files::missing(path))?;
        let der = RevocationList::der_in(&bytes).map_err(|error| match error {
            RevocationError::Pem(fault) => pem_error(path)(fault),
            other => damaged(path, &other.to_string()),
        })?;
        Self::parse(&der, anchor, number_max).map_err(|fault| damaged(path, fault))
    }

    fn parse(
        der: &[u8],
        anchor: &CertificateDer<'_>,
        number_max: u64,
    ) -> Result<Self, &'static str> {
        let Ok(([], list)) = CertificateRevocationList::from_der(der) else {
            return Err("it is not a whole revocation list");
        };
        let Ok((_, anchor)) = X509Certificate::from_der(anchor) else {
            return Err("the CA's certificate cannot be read");
        };
        if list.issuer().as_raw() != anchor.subject().as_raw()
            || list.verify_signature(anchor.public_key()).is_err()
        {
            return Err("it was not signed by this CA");
        }
        // The only critical extensions of a list are those that limit what it covers.
        if list.extensions().iter().any(|extension| extension.critical) {
            return Err("it covers only some of the certificates");
        }
        let number = list.crl_number();
        let number = number.map_or(Some(0), |n| CrlNumber::new(&n.to_bytes_be()).to_u64());
        let number = number.filter(|number| *number <= number_max);
        Ok(Self {
            number: number.ok_or("its number is too large to continue from")?,
            entries: entries_from(&list),
        })
    }
}

/// Returns the entries of a list that was verified before.
pub(crate) fn entries_in(bytes: &[u8]) -> Vec<Revoked> {
    let der = RevocationList::der_in(bytes).unwrap_or_default();
    let list = CertificateRevocationList::from_der(&der);
    list.map_or_else(|_| Vec::new(), |(_, list)| entries_from(&list))
}

/// Returns the reason for each serial number.
pub(crate) fn reasons(entries: &[Revoked]) -> HashMap<&Serial, Reason> {
    let pairs = entries.iter().map(|entry| (&entry.serial, entry.reason));
    pairs.collect()
}

fn damaged(path: &Path, fault: &str) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        fault: fault.to_owned(),
    }
}

fn entries_from(list: &CertificateRevocationList<'_>) -> Vec<Revoked> {
    let revoked = list.iter_revoked_certificates();
    let entries = revoked.map(|entry| Revoked {
        serial: Serial::new(entry.raw_serial()),
        at: entry.revocation_date.to_datetime(),
        reason: reason(entry.reason_code().map(|(_, code)| code)),
    });
    entries.collect()
}

/// An unknown reason still leaves the certificate revoked, as in the index.
fn reason(code: Option<ReasonCode>) -> Reason {
    match code {
        Some(ReasonCode::KeyCompromise) => Reason::KeyCompromise,
        Some(ReasonCode::AffiliationChanged) => Reason::AffiliationChanged,
        Some(ReasonCode::Superseded) => Reason::Superseded,
        Some(ReasonCode::CessationOfOperation) => Reason::CessationOfOperation,
        Some(ReasonCode::CertificateHold) => Reason::CertificateHold,
        Some(ReasonCode::PrivilegeWithdrawn) => Reason::PrivilegeWithdrawn,
        _ => Reason::Unspecified,
    }
}
