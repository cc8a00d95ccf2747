//! The certificates of an examination: a CA that lives as long as the program, a bundle for the same
//! ID as the person's own, a server that the bundle trusts, and four that it must not trust.
//!
//! Only this file signs anything in `client`, and only with a key that it has just made.
// The person's own key is never used: an examined client gets the stand-in, so that a careless one
// can give away nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pki::{Bundle, CaHints, Gate, Revocations, ServerTls};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::ServerConfig;
use tempfile::{NamedTempFile, TempDir};
use time::{Duration, OffsetDateTime};
use wire::ClientId;

use crate::os;
use crate::words::{Exit, Failure};

/// The room's name, in its CA and in its greeting.
pub(super) const ROOM: &str = "Conformance";

/// How a server proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// As the bundle says.
    Honest,
    /// By a certificate for the right name, from another CA that has the name of ours.
    AnotherCa,
    /// By a certificate of our CA for another host.
    AnotherHost,
    /// By a certificate of our CA that was good until yesterday.
    Expired,
    /// By the certificate that our CA gave a person.
    Person,
}

/// The certificates, and the folder in which the bundle lies until this is dropped.
#[derive(Debug)]
pub(super) struct StandIn {
    folder: TempDir,
    path: PathBuf,
    authority: Authority,
    impostor: Authority,
    gate: Arc<Gate>,
    hosts: Vec<String>,
}

/// A CA whose key is kept nowhere.
#[derive(Debug)]
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl StandIn {
    /// Makes the certificates, and writes the bundle into a folder that only its owner can enter.
    /// `server` is the address for the bundle, and `hosts` the names under which the server proves
    /// itself.
    pub(super) fn make(
        id: &ClientId,
        unit: Option<&str>,
        server: &str,
        hosts: Vec<String>,
    ) -> Result<Self, Failure> {
        let authority = Authority::new()?;
        let impostor = Authority::new()?;
        let person = Leaf {
            name: id.as_str(),
            unit,
            hosts: &[],
            purpose: ExtendedKeyUsagePurpose::ClientAuth,
            days: (-1, 1),
        };
        let notes = [("id", id.as_str()), ("server", server), ("room", ROOM)];
        let text = authority.bundle(&person, &notes)?;
        let bundle = Bundle::parse(text.as_bytes(), Path::new("the stand-in"))
            .map_err(|error| unmade(&error))?;
        let gate = Gate::new(bundle.anchor().clone(), false).map_err(|error| unmade(&error))?;
        let folder = os::private_folder().map_err(|error| unmade(&error))?;
        let path = folder.path().join(format!("{id}.pem"));
        write_private(&folder, &path, &text).map_err(|error| unmade(&error))?;
        Ok(Self {
            folder,
            path,
            authority,
            impostor,
            gate: Arc::new(gate),
            hosts,
        })
    }

    /// Returns the bundle for the examined client.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder.
    pub(super) fn remove(self) -> std::io::Result<()> {
        self.folder.close()
    }

    /// Returns a server's end of TLS with this face. It admits the holder of the stand-in by the
    /// rules of a real server.
    pub(super) fn server(&self, face: Face) -> Result<Arc<ServerConfig>, Failure> {
        let elsewhere = ["elsewhere.example".to_owned()];
        let honest = Leaf {
            name: ROOM,
            unit: None,
            hosts: &self.hosts,
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
            days: (-1, 1),
        };
        let (authority, leaf) = match face {
            Face::Honest => (&self.authority, honest),
            Face::AnotherCa => (&self.impostor, honest),
            Face::AnotherHost => {
                let hosts = &elsewhere;
                (&self.authority, Leaf { hosts, ..honest })
            }
            Face::Expired => {
                let days = (-9, -1);
                (&self.authority, Leaf { days, ..honest })
            }
            Face::Person => {
                let purpose = ExtendedKeyUsagePurpose::ClientAuth;
                (&self.authority, Leaf { purpose, ..honest })
            }
        };
        let text = authority.bundle(&leaf, &[])?;
        let bundle = Bundle::parse(text.as_bytes(), Path::new("the server's"))
            .map_err(|error| unmade(&error))?;
        let tls = ServerTls::new(&bundle, self.gate.clone(), CaHints::Off);
        let (config, _verdict) = tls
            .accept(Revocations::Unchecked)
            .map_err(|error| unmade(&error))?;
        Ok(config)
    }
}

impl Authority {
    fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(ROOM, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        (params.not_before, params.not_after) = (day(-30), day(30));
        let key = KeyPair::generate().map_err(|error| unmade(&error))?;
        let certificate = params.self_signed(&key).map_err(|error| unmade(&error))?;
        Ok(Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Signs a certificate for a new key, and returns both with the CA as the text of a bundle.
    fn bundle(&self, leaf: &Leaf<'_>, notes: &[(&str, &str)]) -> Result<String, Failure> {
        let mut params =
            CertificateParams::new(leaf.hosts.to_vec()).map_err(|error| unmade(&error))?;
        params.distinguished_name = name(leaf.name, leaf.unit);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![leaf.purpose.clone()];
        params.serial_number = Some(serial()?);
        (params.not_before, params.not_after) = (day(leaf.days.0), day(leaf.days.1));
        let key = KeyPair::generate().map_err(|error| unmade(&error))?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|error| unmade(&error))?;
        Ok(Bundle::compose(
            notes,
            &certificate.pem(),
            &self.pem,
            &key.serialize_pem(),
        ))
    }
}

/// The content of a certificate.
#[derive(Debug, Clone)]
struct Leaf<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    hosts: &'a [String],
    purpose: ExtendedKeyUsagePurpose,
    /// Valid from and until, in days from now.
    days: (i64, i64),
}

fn name(common: &str, unit: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, DnValue::Utf8String(common.to_owned()));
    if let Some(unit) = unit {
        name.push(
            DnType::OrganizationalUnitName,
            DnValue::Utf8String(unit.to_owned()),
        );
    }
    name
}

fn day(from_now: i64) -> OffsetDateTime {
    OffsetDateTime::from(SystemTime::now()) + Duration::days(from_now)
}

fn serial() -> Result<SerialNumber, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| unmade(&error))?;
    // Positive, and without a leading zero (RFC 5280, section 4.1.2.2).
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Writes a file that only its owner can read.
fn write_private(folder: &TempDir, path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn unmade(error: &dyn std::fmt::Display) -> Failure {
    let sentence = format!("cannot make the stand-in certificates: {error}");
    Failure::new(Exit::Other, sentence)
}
