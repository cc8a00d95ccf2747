//! Keys that people make on their own machines, without a CA: a key never leaves its machine; a request
//! asks for its certificate; the answer is combined with the key.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pki::pem::{Kind, Pem};
use pki::{Bundle, Gate, Revocations, Serial};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use wire::ClientId;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::disk::draft::Draft;
use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::error::{Error, pem_error};
use crate::keys::passphrase::Passphrase;
use crate::keys::private_key::{self, PrivateKey};
use crate::notice::Listener;
use crate::os::{self, Access};
use crate::sign::certificate;
use crate::sign::request::Request;

/// A key and the request for its certificate.
#[derive(Debug)]
pub(crate) struct Requested {
    /// The person.
    pub id: ClientId,
    /// The key, which only its owner can read.
    pub key: PathBuf,
    /// The request, to send to whoever runs the CA.
    pub request: PathBuf,
    /// Whether the key existed already: an interrupted run had made it, or its earlier request was
    /// moved away.
    pub key_was_there: bool,
}

/// A bundle made of an answer and its key.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The person.
    pub id: ClientId,
    /// The bundle.
    pub bundle: PathBuf,
    /// The last moment of the bundle that it replaced, if it replaced one.
    pub replaced: Option<OffsetDateTime>,
    /// The certificate's number.
    pub serial: Serial,
    /// The last moment of the certificate.
    pub not_after: OffsetDateTime,
    /// The parsed CA certificate.
    pub anchor: pki::Certificate,
}

/// Makes a key and a request for a certificate with this name: `NAME.key` and `NAME.csr` in `out`. If
/// the key exists without a request, makes the request for that key.
///
/// # Errors
///
/// When the name cannot be used, or one of the files exists or cannot be written. Then neither is made,
/// with one exception: if only the request cannot get its name, the key stays for the next call.
pub(crate) fn request(name: &str, out: &Path, listener: &dyn Listener) -> Result<Requested, Error> {
    let id = ClientId::parse_typed(name).map_err(|error| Error::NoName {
        name: name.to_owned(),
        fault: error.to_string(),
    })?;
    let (key_name, request_name) = (format!("{id}.key"), format!("{id}.csr"));
    let draft = Draft::begin(out, listener)?;
    let request_path = out.join(&request_name);
    let old = old_key(&out.join(&key_name), &request_path, &draft)?;
    if fs::symlink_metadata(&request_path).is_ok() {
        return Err(Error::Exists(request_path));
    }
    let key_was_there = old.is_some();
    let key = match old {
        Some(key) => key,
        None => PrivateKey::generate()?,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let subject = DnValue::Utf8String(id.to_string());
    params.distinguished_name.push(DnType::CommonName, subject);
    let request = params.serialize_request(&key)?.pem()?.replace("\r\n", "\n");
    Request::parse(request.as_bytes()).map_err(|fault| Error::Damaged {
        path: out.join(&key_name),
        fault,
    })?;

    draft.write(&request_name, request.as_bytes(), Access::Public)?;
    if key_was_there {
        return Ok(Requested {
            id,
            key: out.join(key_name),
            request: draft.publish(&request_name)?,
            key_was_there,
        });
    }
    let text = private_key::write(&key, None)?;
    draft.write(&key_name, text.as_bytes(), Access::Private)?;
    // The key first: a request without its key would be useless. Once the key has its name it is never
    // removed, because another run may have found it and made a request for it.
    Ok(Requested {
        id,
        key: draft.publish(&key_name)?,
        request: draft.publish(&request_name)?,
        key_was_there,
    })
}

/// Returns the key that has the place of a new one, if it can be used: it has no request yet, and it
/// belongs to the user. A key that another user put there would be known to that user.
fn old_key(path: &Path, request: &Path, draft: &Draft) -> Result<Option<PrivateKey>, Error> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(None);
    }
    let in_the_way = || Error::Exists(path.to_owned());
    let is_free = fs::symlink_metadata(request).is_err();
    if !is_free || !os::is_file_of(path, draft.folder()) {
        return Err(in_the_way());
    }
    let bytes = files::read_if_there(path, TEXT_BYTES_MAX)?.ok_or_else(in_the_way)?;
    private_key::read(&Zeroizing::new(bytes), path, || Err(in_the_way())).map(Some)
}

/// Combines the answer to a request, which is a certificate with the CA's, and its key into a bundle
/// `NAME.pem`, in `out` or in the answer's folder. A renewed certificate replaces the bundle with the
/// same key.
///
/// # Errors
///
/// When the two do not belong together, when a server would refuse the certificate, when something else
/// has the bundle's place, or when it cannot be written.
pub(crate) fn adopt(
    answer: &Path,
    key: &Path,
    out: Option<&Path>,
    listener: &dyn Listener,
    passphrase: impl FnOnce(&Path) -> Result<Passphrase, Error>,
) -> Result<Joined, Error> {
    let bytes =
        files::read_if_there(answer, TEXT_BYTES_MAX)?.ok_or_else(|| files::missing(answer))?;
    let pem = Pem::parse(&bytes).map_err(pem_error(answer))?;
    let secret = files::read_if_there(key, TEXT_BYTES_MAX)?;
    let secret = Zeroizing::new(secret.ok_or_else(|| files::missing(key))?);
    let pair = private_key::read(&secret, key, || passphrase(key))?;
    let public_key = pair.subject_public_key_info();

    let unfit = |fault: &str| Error::NotAnAnswer {
        path: answer.to_owned(),
        fault: fault.to_owned(),
    };
    let (leaf, anchor) = sort(&pem).ok_or_else(|| unfit("a certificate in it is damaged"))?;
    let leaf = leaf.ok_or_else(|| unfit("it contains no person's certificate"))?;
    let anchor = anchor.ok_or_else(|| unfit("it lacks the CA's certificate"))?;
    let is_theirs =
        X509Certificate::from_der(&leaf).is_ok_and(|(_, said)| said.public_key().raw == public_key);
    if !is_theirs {
        return Err(Error::OtherRequest {
            key: key.to_owned(),
            answer: answer.to_owned(),
        });
    }
    let now = SystemTime::now();
    let gate = Gate::new(anchor.clone(), false).map_err(|error| unfit(&error.to_string()))?;
    let identity = gate
        .admit(&leaf, &Revocations::Unchecked, now)
        .map_err(|refusal| unfit(&refusal.to_string()))?;

    let notes = pem.preamble.iter().filter(|line| line.starts_with('#'));
    let notes: String = notes.map(|note| format!("{note}\n")).collect();
    let key_text = private_key::write(&pair, None)?;
    let rest = Zeroizing::new(Bundle::compose(
        &[],
        &certificate::pem_of(&leaf),
        &certificate::pem_of(&anchor),
        &key_text,
    ));
    // Joined in one step: growing would leave a copy of the key behind.
    let bundle = Zeroizing::new([notes.as_str(), &rest].concat());
    let out = out.unwrap_or_else(|| files::parent(answer));
    let draft = Draft::begin(out, listener)?;
    let file_name = format!("{}.pem", identity.id());
    let path = out.join(&file_name);
    // The client will read it, so it is read here first.
    let joined = Bundle::parse(bundle.as_bytes(), &path)
        .map_err(|error| Error::SelfCheck(error.to_string()))?;
    let replaced = match fs::symlink_metadata(&path) {
        Ok(there) => Some(replaceable(&path, &there, &joined)?),
        Err(_) => None,
    };
    draft.write(&file_name, bundle.as_bytes(), Access::Private)?;
    match replaced {
        Some(_) => draft.replace(&file_name)?,
        None => draft.publish(&file_name).map(drop)?,
    }
    Ok(Joined {
        id: identity.id().clone(),
        bundle: path,
        replaced: replaced.map(OffsetDateTime::from),
        serial: identity.serial().clone(),
        not_after: identity.not_after().into(),
        anchor: gate.anchor().clone(),
    })
}

/// Returns the last moment of the bundle in the way, if nothing is lost with it: the new one has the
/// same key, name and CA, and is not older.
fn replaceable(path: &Path, there: &fs::Metadata, new: &Bundle) -> Result<SystemTime, Error> {
    let in_the_way = |fault: &'static str| Error::InTheWay {
        path: path.to_owned(),
        fault,
    };
    if !there.is_file() {
        return Err(in_the_way("is no plain file"));
    }
    let old = Bundle::read(path).map_err(|_| in_the_way("is not a readable bundle"))?;
    let key = |bundle: &Bundle| {
        let leaf = X509Certificate::from_der(bundle.leaf());
        leaf.ok().map(|(_, said)| said.public_key().raw.to_vec())
    };
    if key(&old) != key(new) {
        return Err(in_the_way("holds another key"));
    }
    if old.anchor() != new.anchor() {
        return Err(in_the_way(
            "is of another CA (`ca-tool show` prints the fingerprints of both)",
        ));
    }
    let (old, new) = (old.certificate(), new.certificate());
    if old.subject.common_names != new.subject.common_names {
        return Err(in_the_way("is somebody else's"));
    }
    // Two may have been made within the same second.
    if (old.not_before, old.not_after) > (new.not_before, new.not_after) {
        return Err(in_the_way("holds a newer certificate"));
    }
    Ok(old.not_after)
}

type Sorted = (
    Option<CertificateDer<'static>>,
    Option<CertificateDer<'static>>,
);

/// Returns the first certificate that is not a CA's, and the first that is.
fn sort(pem: &Pem) -> Option<Sorted> {
    let (mut leaf, mut anchor) = (None, None);
    for section in pem.of(Kind::Certificate) {
        let der = CertificateDer::from(section.der.to_vec());
        let place = match pki::Certificate::parse(&der).ok()?.is_ca {
            true => &mut anchor,
            false => &mut leaf,
        };
        place.get_or_insert(der);
    }
    Some((leaf, anchor))
}
