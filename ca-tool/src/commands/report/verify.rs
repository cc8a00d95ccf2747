//! Whether a server would admit the holder of a file, by the very gate that servers use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki::{Bundle, Certificate, Gate, Identity, Purpose, Refusal, Revocations};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use time::OffsetDateTime;

use super::look;
use crate::cli::args::Place;
use crate::commands::{DONE, NOT_SO, Output, day, moment, write_json};
use crate::disk::folder;
use crate::error::Error;
use crate::ledger::register::Register;

/// What a server would be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// The server's revocation list; the CA's own when it is not said.
    pub(crate) crl: Option<PathBuf>,
    /// Whether a list past its nextUpdate lets nobody in.
    pub(crate) strict: bool,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Verdict {
    file: String,
    admitted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

pub(crate) fn verify(
    place: &Place,
    path: &Path,
    terms: &Terms,
    json: bool,
    output: &mut Output<'_>,
) -> Result<u8, Error> {
    let register = look(place, output)?;
    let now = OffsetDateTime::now_utc();
    let (gate, revocations) = gate(&register, terms, now)?;
    let presented = Presented::read(path)?;
    let verdict = judge(path, &presented, &gate, &revocations, now);
    if json {
        write_json(&verdict, output)?;
    } else {
        tell(&verdict, output)?;
    }
    Ok(if verdict.admitted { DONE } else { NOT_SO })
}

fn gate(
    register: &Register,
    terms: &Terms,
    now: OffsetDateTime,
) -> Result<(Gate, Revocations), Error> {
    let damaged = |path: PathBuf, fault: String| Error::Damaged { path, fault };
    let gate = Gate::new(register.anchor().clone(), terms.strict)
        .map_err(|error| damaged(register.certificate(), error.to_string()))?;
    let path = terms.crl.clone();
    let path = path.unwrap_or_else(|| register.revocation_list());
    let bytes = folder::read_if_there(&path, pki::limits::CRL_BYTES_MAX)?
        .ok_or_else(|| damaged(path.clone(), "there is no such file".to_owned()))?;
    let list = gate
        .revocation_list(&bytes, now.into())
        .map_err(|error| damaged(path, error.to_string()))?;
    Ok((gate, Revocations::List(Arc::new(list))))
}

/// What a client would present.
struct Presented {
    leaf: CertificateDer<'static>,
    /// Why a client could not use the file, if it is meant for one.
    fault: Option<(String, Option<&'static str>)>,
}

impl Presented {
    fn read(path: &Path) -> Result<Self, Error> {
        let damaged = |fault: &str| Error::Damaged {
            path: path.to_owned(),
            fault: fault.to_owned(),
        };
        let bytes = folder::read_if_there(path, pki::limits::BUNDLE_BYTES_MAX)?
            .ok_or_else(|| damaged("there is no such file"))?;
        let mut all: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|_| damaged("a PEM section in it is damaged"))?;
        if all.is_empty() && Certificate::parse(&bytes).is_ok() {
            all.push(bytes.clone().into());
        }
        if all.is_empty() {
            return Err(damaged("it holds no certificate"));
        }
        let is_ca = |der: &CertificateDer<'_>| Certificate::parse(der).is_ok_and(|c| c.is_ca);
        let leaf = all.iter().position(|der| !is_ca(der)).unwrap_or(0);
        let leaf = all.remove(leaf);
        // A certificate alone is judged too; a file with a key in it has to be a whole bundle.
        let fault = match Bundle::parse(&bytes, path) {
            Err(error) if String::from_utf8_lossy(&bytes).contains("PRIVATE KEY-----") => {
                Some((error.to_string(), error.hint()))
            }
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
            verdict.reason = Some(refusal.to_string());
            verdict.hint = hint(&refusal, &presented.leaf);
        }
    }
    if let (true, Some((fault, hint))) = (verdict.admitted, &presented.fault) {
        verdict.admitted = false;
        verdict.reason = Some(fault.clone());
        verdict.hint = hint.map(str::to_owned);
    }
    verdict
}

impl Verdict {
    fn admit(&mut self, identity: &Identity) {
        self.admitted = true;
        self.id = Some(identity.id().to_string());
        self.role = Some(identity.role().as_str());
        self.until = Some(moment(identity.not_after().into()));
    }
}

fn hint(refusal: &Refusal, leaf: &CertificateDer<'_>) -> Option<String> {
    let said = Certificate::parse(leaf).ok();
    let name = said.as_ref().map(|said| said.subject.to_string());
    let name = name.unwrap_or_default();
    let is_server = said.is_some_and(|said| said.purposes.contains(&Purpose::Server));
    let hint = match refusal {
        Refusal::Profile(_) if is_server => "it is a server's; `server --cert` takes it".to_owned(),
        Refusal::Expired { .. } => format!("`ca-tool issue {name}` makes a new one"),
        Refusal::Revoked {
            is_on_hold: true, ..
        } => format!("`ca-tool unhold {name}` lets them in again"),
        Refusal::Revoked { .. } => {
            format!(
                "`ca-tool list` says whether {name} has a newer one; `ca-tool issue {name}` makes one, if the person is still welcome"
            )
        }
        Refusal::NotYetValid { .. } => "is the clock right?".to_owned(),
        Refusal::UnknownIssuer { .. } => "--dir says where the CA is that issued it".to_owned(),
        Refusal::StaleList => "`ca-tool crl` signs the list again".to_owned(),
        _ => return None,
    };
    Some(hint)
}

fn tell(verdict: &Verdict, output: &mut Output<'_>) -> Result<(), Error> {
    let file = &verdict.file;
    output.tell(|results| match (&verdict.id, &verdict.reason) {
        (Some(id), None) => {
            let role = verdict.role.unwrap_or_default();
            let until = verdict.until.as_deref().map(day).unwrap_or_default();
            writeln!(results, "{file}: admitted as {id} ({role}), until {until}")
        }
        (_, reason) => {
            let reason = reason.as_deref().unwrap_or("refused");
            writeln!(results, "{file}: not admitted: {reason}")
        }
    })?;
    if let Some(hint) = &verdict.hint {
        // Nobody needs a hint to know the answer.
        let _ = writeln!(output.notes, "ca-tool: hint: {hint}");
    }
    Ok(())
}
