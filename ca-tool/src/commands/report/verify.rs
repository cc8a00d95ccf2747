//! Says whether a server would admit the holder of a file. It asks the same gate that servers use.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki::pem::{Kind, Pem, PemError};
use pki::{Bundle, Certificate, Form, Gate, Identity, Purpose, Refusal, Revocations};
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use time::OffsetDateTime;

use crate::disk::files;
use crate::error::{Error, pem_error};
use crate::ledger::register::Register;
use crate::sign::certificate::first_in;
use crate::words::Moment;

/// The options of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerOptions {
    /// The server's revocation list; the CA's own by default.
    pub(crate) crl: Option<PathBuf>,
    /// Whether the server admits nobody once its list has expired.
    pub(crate) strict: bool,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    file: String,
    admitted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Asks the gate of a server with these options whether it would admit the holder of a file.
pub(crate) fn verify(
    register: &Register,
    path: &Path,
    options: &ServerOptions,
) -> Result<Verdict, Error> {
    let now = OffsetDateTime::now_utc();
    let (gate, revocations) = gate(register, options, now)?;
    let presented = Presented::read(path)?;
    Ok(judge(path, &presented, &gate, &revocations, now))
}

fn gate(
    register: &Register,
    options: &ServerOptions,
    now: OffsetDateTime,
) -> Result<(Gate, Revocations), Error> {
    let damaged = |path: PathBuf, fault: String| Error::Damaged { path, fault };
    let gate = Gate::new(register.anchor().clone(), options.strict)
        .map_err(|error| damaged(register.certificate(), error.to_string()))?;
    let path = options.crl.clone();
    let path = path.unwrap_or_else(|| register.revocation_list());
    let bytes = files::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?
        .ok_or_else(|| damaged(path.clone(), "there is no such file".to_owned()))?;
    let list = gate
        .revocation_list(&bytes, now.into())
        .map_err(|error| damaged(path, error.to_string()))?;
    Ok((gate, Revocations::List(Arc::new(list))))
}

/// The certificate that a client would present.
struct Presented {
    leaf: CertificateDer<'static>,
    /// Why a client could not use the file, if it is a client's.
    fault: Option<(String, Option<String>)>,
}

impl Presented {
    fn read(path: &Path) -> Result<Self, Error> {
        let damaged = |fault: &str| Error::Damaged {
            path: path.to_owned(),
            fault: fault.to_owned(),
        };
        let bytes = files::read_if_there(path, pki::limits::BUNDLE_BYTES_MAX)?
            .ok_or_else(|| files::missing(path))?;
        let (mut all, has_key) = match Pem::parse(&bytes) {
            Ok(pem) => {
                let all = pem.of(Kind::Certificate);
                let all: Vec<CertificateDer<'static>> =
                    all.map(|section| section.der.to_vec().into()).collect();
                if all.is_empty() {
                    let labels = pem.labels();
                    return Err(damaged(&format!("it holds no certificate, only: {labels}")));
                }
                (all, pem.has_key())
            }
            Err(PemError::Form(Form::Certificate)) => {
                let der = first_in(&bytes).ok().flatten();
                (der.into_iter().collect(), false)
            }
            Err(error) => return Err(pem_error(path)(error)),
        };
        let is_ca = |der: &CertificateDer<'_>| Certificate::parse(der).is_ok_and(|c| c.is_ca);
        let leaf = all.iter().position(|der| !is_ca(der)).unwrap_or(0);
        let leaf = all.remove(leaf);
        // A certificate alone is enough. A file that contains a key has to be a complete bundle.
        let fault = match Bundle::parse(&bytes, path) {
            Err(error) if has_key => Some((error.to_string(), error.hint(Purpose::Client))),
            _ => None,
        };
        Ok(Self { leaf, fault })
    }
}

fn judge(
    path: &Path,
    presented: &Presented,
    gate: &Gate,
    revocations: &Revocations,
    now: OffsetDateTime,
) -> Verdict {
    let mut verdict = Verdict {
        file: path.display().to_string(),
        admitted: false,
        id: None,
        role: None,
        until: None,
        reason: None,
        hint: None,
    };
    match gate.admit(&presented.leaf, revocations, now.into()) {
        Ok(identity) => verdict.admit(&identity),
        Err(refusal) => {
            verdict.reason = Some(reason(&refusal, &presented.leaf));
            verdict.hint = hint(&refusal, &presented.leaf);
        }
    }
    if let (true, Some((fault, hint))) = (verdict.admitted, &presented.fault) {
        verdict.admitted = false;
        verdict.reason = Some(fault.clone());
        verdict.hint = hint.clone();
    }
    verdict
}

impl Verdict {
    /// Returns whether the server would admit the holder.
    pub(crate) fn admits(&self) -> bool {
        self.admitted
    }

    /// Returns what to do about a refusal.
    pub(crate) fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    fn admit(&mut self, identity: &Identity) {
        self.admitted = true;
        self.id = Some(identity.id().to_string());
        self.role = Some(identity.role().as_str());
        self.until = Some(Moment(identity.not_after().into()));
    }
}

/// Returns why the holder is not admitted. A certificate that is for something else is called what it is.
fn reason(refusal: &Refusal, leaf: &CertificateDer<'_>) -> String {
    match (refusal, Certificate::parse(leaf)) {
        (Refusal::Profile(_), Ok(said)) if said.is_ca => "it is a CA's certificate".to_owned(),
        (Refusal::Profile(_), Ok(said)) if said.purposes == [Purpose::Server] => {
            "it is a server's certificate".to_owned()
        }
        _ => refusal.to_string(),
    }
}

fn hint(refusal: &Refusal, leaf: &CertificateDer<'_>) -> Option<String> {
    let said = Certificate::parse(leaf).ok();
    let name = said.as_ref().map(|said| said.subject.to_string());
    let name = name.unwrap_or_default();
    let is_server = said.is_some_and(|said| said.purposes.contains(&Purpose::Server));
    let hint = match refusal {
        Refusal::Profile(_) if is_server => {
            "use it with `server --cert`; people have their own certificates".to_owned()
        }
        Refusal::Expired { .. } => format!("`ca-tool issue {name}` makes a new one"),
        Refusal::Revoked {
            is_on_hold: true, ..
        } => format!("`ca-tool unhold {name}` lets them in again"),
        Refusal::Revoked { .. } => {
            format!(
                "`ca-tool list` shows whether {name} has a newer one; `ca-tool issue {name}` makes one, if the person is still welcome"
            )
        }
        Refusal::NotYetValid { .. } => "is the clock right?".to_owned(),
        Refusal::UnknownIssuer { .. } | Refusal::Namesake { .. } => {
            "give the folder of the CA that issued it with --dir".to_owned()
        }
        Refusal::StaleList => "`ca-tool crl` signs the list again".to_owned(),
        _ => return None,
    };
    Some(hint)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match (&self.id, &self.reason) {
            (Some(id), None) => {
                let role = self.role.unwrap_or_default();
                let until = self.until.map(|until| until.day().to_string());
                let until = until.unwrap_or_default();
                writeln!(f, "{file}: admitted as {id} ({role}), until {until}")
            }
            (_, reason) => {
                let reason = reason.as_deref().unwrap_or("refused");
                writeln!(f, "{file}: not admitted: {reason}")
            }
        }
    }
}
