//! A CA certificate and its key: the only place where anything is signed.
//!
//! Everything that is signed is read again before anybody gets it, by the rules of a server's gate, so
//! this program issues nothing that a server would refuse.

use std::collections::HashSet;
use std::path::Path;

use pki::limits::CRL_BYTES_MAX;
use pki::{Profile, Purpose, RevocationList, Serial};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, PublicKeyData,
    RevokedCertParams, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use super::certificate::{first_in, key_hash, pem_of};
use super::reason::Revoked;
use super::subject::Subject;
use crate::error::{Error, pem_error};
use crate::keys::passphrase::Passphrase;
use crate::keys::private_key::{self, PrivateKey};
use crate::keys::random::random;
use crate::words::day;

/// A CA certificate and its key, able to sign.
#[derive(Debug)]
pub(crate) struct Issuer {
    signer: rcgen::Issuer<'static, PrivateKey>,
    certificate: CertificateDer<'static>,
    pem: String,
    says: pki::Certificate,
    /// The CA's own subject key identifier. Lists name their signer by it, and rcgen would compute a
    /// different one.
    key_id: Vec<u8>,
}

/// A certificate that was just signed, and its key if the key was made here.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) serial: Serial,
    pub(crate) not_after: OffsetDateTime,
    /// The [`key_hash`] of its public key.
    pub(crate) key_hash: String,
    pub(crate) certificate: String,
    pub(crate) key: Option<Zeroizing<String>>,
}

impl Issuer {
    /// Makes a new CA.
    pub(crate) fn create(name: &str, now: OffsetDateTime) -> Result<Self, Error> {
        let key = PrivateKey::generate()?;
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
        subject.push(
            DnType::OrganizationName,
            DnValue::Utf8String(name.to_owned()),
        );
        let not_after = now + time::Duration::days(pki::CA.days.into());
        let params = params(&pki::CA, subject, &key, now, not_after, &new_serial()?);
        let certificate = params.self_signed(&key)?;
        Self::new(certificate.der().clone(), key)
    }

    /// Reads a CA from these two files.
    pub(crate) fn load(
        (certificate_path, certificate): (&Path, &[u8]),
        (key_path, key): (&Path, &[u8]),
        passphrase: impl FnOnce(&Path) -> Result<Passphrase, Error>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let damaged = |path: &Path, fault: &str| Error::Damaged {
            path: path.to_owned(),
            fault: fault.to_owned(),
        };
        let der = first_in(certificate)
            .map_err(pem_error(certificate_path))?
            .ok_or_else(|| damaged(certificate_path, "it holds no certificate"))?;
        let Ok(([], parsed)) = X509Certificate::from_der(&der) else {
            return Err(damaged(certificate_path, "the certificate is damaged"));
        };
        pki::CA.check(&parsed).map_err(|fault| Error::NotCa {
            path: certificate_path.to_owned(),
            fault,
        })?;
        let key = private_key::read(key, key_path, || passphrase(key_path))?;
        if key.subject_public_key_info() != parsed.public_key().raw {
            return Err(Error::OtherKey {
                key: key_path.to_owned(),
                certificate: certificate_path.to_owned(),
            });
        }
        let issuer = Self::new(der.clone(), key)?;
        if !issuer.says.is_valid_at(now.into()) {
            return Err(Error::CaNotValid {
                path: certificate_path.to_owned(),
                from: day(OffsetDateTime::from(issuer.says.not_before)),
                until: day(OffsetDateTime::from(issuer.says.not_after)),
                today: day(now),
            });
        }
        Ok(issuer)
    }

    fn new(certificate: CertificateDer<'static>, key: PrivateKey) -> Result<Self, Error> {
        let unreadable = || Error::SelfCheck("the CA certificate cannot be read".to_owned());
        let says = pki::Certificate::parse(&certificate).map_err(|_| unreadable())?;
        let key_id = {
            let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| unreadable())?;
            subject_key_id(&parsed).unwrap_or_else(|| key_id(&key))
        };
        Ok(Self {
            pem: pem_of(&certificate),
            signer: rcgen::Issuer::from_ca_cert_der(&certificate, key)?,
            certificate,
            says,
            key_id,
        })
    }

    /// Returns the CA's key as the text of a file, encrypted if there is a passphrase.
    pub(crate) fn key_text(
        &self,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<String>, Error> {
        private_key::write(self.signer.key(), passphrase)
    }

    /// Returns the CA's certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the CA's certificate, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the parsed CA certificate.
    pub(crate) fn says(&self) -> &pki::Certificate {
        &self.says
    }

    /// Returns the CA's name, which is the O in everything that it signs.
    pub(crate) fn name(&self) -> &str {
        let subject = &self.says.subject;
        let name = subject.organizations.first();
        name.or(subject.common_names.first())
            .map_or("", String::as_str)
    }

    /// Returns the last moment of a certificate that should be valid until `wanted`. No certificate
    /// outlives the CA.
    pub(crate) fn clamp(&self, wanted: OffsetDateTime) -> OffsetDateTime {
        wanted.min(self.says.not_after.into())
    }

    /// Makes a key and signs a certificate for it. Uses no serial number in `taken`.
    pub(crate) fn sign(
        &self,
        subject: Subject<'_>,
        now: OffsetDateTime,
        not_after: OffsetDateTime,
        taken: &HashSet<Serial>,
    ) -> Result<Signed, Error> {
        let key = PrivateKey::generate()?;
        let mut signed = self.certify(subject, &key, now, not_after, taken)?;
        signed.key = Some(private_key::write(&key, None)?);
        Ok(signed)
    }

    /// Signs a certificate for a public key. Uses no serial number in `taken`.
    pub(crate) fn certify(
        &self,
        subject: Subject<'_>,
        key: &impl PublicKeyData,
        now: OffsetDateTime,
        not_after: OffsetDateTime,
        taken: &HashSet<Serial>,
    ) -> Result<Signed, Error> {
        let serial = loop {
            let serial = new_serial()?;
            if !taken.contains(&Serial::new(&serial)) {
                break serial;
            }
        };
        let profile = subject.profile();
        let not_after = self.clamp(not_after);
        let name = subject.distinguished_name(self.name());
        let mut params = params(&profile, name, key, now, not_after, &serial);
        params.subject_alt_names = subject.other_names()?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.signer)?;
        self.check(certificate.der(), &profile, &serial, key)?;
        Ok(Signed {
            serial: Serial::new(&serial),
            not_after: truncate(not_after),
            key_hash: key_hash(&key.subject_public_key_info()),
            certificate: pem_of(certificate.der()),
            key: None,
        })
    }

    /// Checks a new certificate. rcgen may write the name of a CA from elsewhere in another way, and
    /// then no certificate would chain to it.
    fn check(
        &self,
        der: &[u8],
        profile: &Profile,
        serial: &[u8],
        key: &impl PublicKeyData,
    ) -> Result<(), Error> {
        let fault = |what: &str| Error::SelfCheck(what.to_owned());
        let (_, signed) = X509Certificate::from_der(der).map_err(|_| fault("unreadable"))?;
        let (_, ca) =
            X509Certificate::from_der(&self.certificate).map_err(|_| fault("unreadable"))?;
        profile
            .check(&signed)
            .map_err(|error| fault(&error.to_string()))?;
        if signed.issuer().as_raw() != ca.subject().as_raw() {
            return Err(fault("the CA's name differs from the one in ca.pem"));
        }
        if signed.raw_serial() != serial {
            return Err(fault("it has a different serial number"));
        }
        if signed.public_key().raw != key.subject_public_key_info() {
            return Err(fault("it has a different key"));
        }
        signed
            .verify_signature(Some(ca.public_key()))
            .map_err(|_| fault("its signature is not valid"))
    }

    /// Signs a revocation list, as PEM.
    pub(crate) fn sign_list(
        &self,
        number: u64,
        revoked: impl Iterator<Item = Revoked>,
        now: OffsetDateTime,
    ) -> Result<String, Error> {
        let list = CertificateRevocationListParams {
            // Otherwise a server whose clock is a little slow would see a list from the future.
            this_update: now - pki::BACKDATE,
            next_update: now + time::Duration::days(pki::CRL_DAYS.into()),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .map(|revoked| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(revoked.serial.bytes()),
                    revocation_time: revoked.at,
                    reason_code: Some(revoked.reason.to_rcgen()),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(self.key_id.clone()),
        };
        let list = list.signed_by(&self.signer)?.pem()?.replace("\r\n", "\n");
        self.check_list(&list, now)?;
        Ok(list)
    }

    /// Checks a new list, as a server does.
    fn check_list(&self, list: &str, now: OffsetDateTime) -> Result<(), Error> {
        let fault = |what: String| Error::SelfCheck(format!("the revocation list: {what}"));
        if list.len() as u64 > CRL_BYTES_MAX {
            let most = CRL_BYTES_MAX >> 20;
            return Err(fault(format!("it has more than {most} MiB")));
        }
        RevocationList::parse(list.as_bytes(), &self.certificate, now.into())
            .map(drop)
            .map_err(|error| fault(error.to_string()))
    }
}

fn params(
    profile: &Profile,
    subject: DistinguishedName,
    key: &impl PublicKeyData,
    now: OffsetDateTime,
    not_after: OffsetDateTime,
    serial: &[u8],
) -> CertificateParams {
    // Every field is set here. By rcgen's defaults a certificate is valid from 1975 to 4096, repeats
    // its serial number for the same key, and has no constraints.
    let mut params = CertificateParams::default();
    params.not_before = truncate(now - pki::BACKDATE);
    params.not_after = truncate(not_after);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = subject;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(key));
    if profile.is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    } else {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    }
    params.extended_key_usages = match profile.purpose {
        Some(Purpose::Server) => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Some(Purpose::Client) => vec![ExtendedKeyUsagePurpose::ClientAuth],
        None => Vec::new(),
    };
    params
}

/// Returns a serial number: 128 random bits, positive, always 16 bytes (RFC 5280, section 4.1.2.2).
fn new_serial() -> Result<[u8; 16], Error> {
    let mut serial = random::<16>()?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}

/// Returns the leftmost 160 bits of the SHA-256 of the key's bits (RFC 7093, section 2, method 1).
fn key_id(key: &impl PublicKeyData) -> Vec<u8> {
    Sha256::digest(key.der_bytes())[..20].to_vec()
}

fn subject_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    use x509_parser::extensions::ParsedExtension;

    certificate
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
}

/// Drops the fraction of a second, which a certificate cannot have.
fn truncate(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_nanosecond(0).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_list_that_no_server_would_take_is_not_handed_out() {
        let now = datetime!(2026-11-21 10:00:00 UTC);
        let issuer = || Issuer::create("Networks 101", now).expect("a CA");
        let ours = issuer();
        let list = ours.sign_list(1, std::iter::empty(), now).expect("a list");
        let long = " ".repeat(usize::try_from(CRL_BYTES_MAX).expect("it fits"));
        let refused = ours.check_list(&(list + &long), now);
        let error = refused.expect_err("too long").to_string();
        assert!(error.ends_with("it has more than 16 MiB"), "{error}");

        let mixed = Issuer {
            certificate: issuer().certificate,
            ..ours
        };
        let refused = mixed.sign_list(1, std::iter::empty(), now);
        let error = refused.expect_err("another CA's key").to_string();
        assert!(error.ends_with("it was not signed by this CA"), "{error}");
    }
}
