//! The bundle that proves the server's identity, read at the start and again when a newer one takes
//! its place. Clients that connect from then on see the newer certificate; sessions keep the
//! connection that they have.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pki::{
    Bundle, BundleError, Certificate, Fingerprint, Gate, Purpose, Revocations, SERVER, ServerTls,
};
use tokio::sync::watch;
use tracing::{error, info, warn};
use wire::Timestamp;

use crate::few::few;
use crate::os;
use crate::watch::file::{FileWatch, Reading};
use crate::watch::reminder::Reminder;

/// Reads the bundle again when it changes, and publishes the TLS configuration for handshakes.
#[derive(Debug)]
pub(crate) struct BundleWatch {
    pub(crate) file: FileWatch,
    pub(crate) gate: Arc<Gate>,
    pub(crate) revocations: watch::Receiver<Revocations>,
    /// The certificate in use.
    pub(crate) certificate: Certificate,
    pub(crate) tls: watch::Sender<ServerTls>,
}

/// The reason why a bundle cannot prove this server's identity.
#[derive(Debug, thiserror::Error)]
pub enum ServerBundleError {
    /// It is not a complete bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It belongs to a person.
    #[error("{} is not a server's certificate", .0.display())]
    Purpose(PathBuf),
    /// Its validity is over, or has not begun.
    #[error("the certificate in {} is valid from {from} to {until}, not now", path.display())]
    Dates {
        /// The file.
        path: PathBuf,
        /// The first moment at which it is valid.
        from: Timestamp,
        /// The last one.
        until: Timestamp,
        /// Whether it will become valid.
        is_early: bool,
    },
    /// No client would trust it.
    #[error("the certificate in {} was not issued by the CA whose certificate is beside it", .0.display())]
    Chain(PathBuf),
    /// Everybody here has a certificate of the CA that the server was started with.
    #[error("the CA certificate in {} is not the one that this server was started with", .0.display())]
    OtherCa(PathBuf),
    /// Clients do not check revocation lists, so the server has to.
    #[error("the certificate in {} is revoked", .0.display())]
    Revoked(PathBuf),
}

impl ServerBundleError {
    /// Returns advice for the operator, if there is any.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Bundle(error) if error.is_not_found() => {
                let found = error
                    .hint(Purpose::Server)
                    .filter(|hint| hint.starts_with("did you mean"));
                return found.or_else(|| {
                    Some("run `ca-tool init` in this folder, or name the server's bundle with --cert".to_owned())
                });
            }
            Self::Bundle(error) => return error.hint(Purpose::Server),
            Self::Purpose(_) => {
                Some("`ca-tool init` makes ca/server.pem; people's certificates are for clients")
            }
            Self::Dates { .. } => Some(
                "is this machine's clock right? If it is, make a new one with `ca-tool issue-server`",
            ),
            Self::Chain(_) => {
                Some("use the whole file that `ca-tool init` or `ca-tool issue-server` made")
            }
            Self::Revoked(_) => Some(RENEW),
            Self::Read { .. } | Self::OtherCa(_) => None,
        };
        hint.map(str::to_owned)
    }

    /// Returns whether the file may become good without being changed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Bundle(error) => error.is_of_the_disk(),
            Self::Read { .. } => true,
            Self::Dates { is_early, .. } => *is_early,
            Self::Purpose(_) | Self::Chain(_) | Self::OtherCa(_) | Self::Revoked(_) => false,
        }
    }
}

/// Reads a bundle that proves the server's identity to the clients of its CA.
///
/// # Errors
///
/// When the file cannot be read, or nobody would trust its contents.
pub fn read_bundle(path: &Path) -> Result<Bundle, ServerBundleError> {
    let (bundle, now) = (Bundle::read(path)?, SystemTime::now());
    let certificate = bundle.certificate();
    let is_a_servers = SERVER
        .purpose
        .is_some_and(|purpose| certificate.purposes.contains(&purpose));
    if !is_a_servers {
        return Err(ServerBundleError::Purpose(path.to_owned()));
    }
    if !certificate.is_valid_at(now) {
        return Err(ServerBundleError::Dates {
            path: path.to_owned(),
            from: Timestamp::from(certificate.not_before),
            until: Timestamp::from(certificate.not_after),
            is_early: now < certificate.not_before,
        });
    }
    if !pki::proves_a_server(&bundle, now) {
        return Err(ServerBundleError::Chain(path.to_owned()));
    }
    Ok(bundle)
}

/// Reads a bundle for a running server: this must not wait for the other end of a pipe, and the CA
/// must stay the same. Also returns a warning about the file.
fn read_newer(path: &Path, gate: &Gate) -> Result<(Bundle, Option<String>), ServerBundleError> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(ServerBundleError::Read {
            path: path.to_owned(),
            source: io::Error::other("it is not a file"),
        });
    }
    let bundle = read_bundle(path)?;
    if Fingerprint::of(bundle.anchor()) != gate.anchor().fingerprint {
        return Err(ServerBundleError::OtherCa(path.to_owned()));
    }
    Ok((bundle, os::warning_of_readers(path)))
}

/// A certificate that ends within this time ends soon.
const SOON: Duration = Duration::from_secs(30 * DAY_SECONDS);
/// How often the log repeats that.
const SOON_WARNING_INTERVAL: Duration = Duration::from_secs(DAY_SECONDS);
/// How often the log repeats that the server's certificate has expired or is revoked.
const OVER_ERROR_INTERVAL: Duration = Duration::from_secs(60 * 60);
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The advice for both.
const RENEW: &str = "make a newer bundle with `ca-tool issue-server` and rename it to this file";

/// How close the end of the server's certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Far,
    Soon { whole_days: u64 },
    Over,
}

impl Ending {
    fn at(not_after: SystemTime, now: SystemTime) -> Self {
        match not_after.duration_since(now) {
            Err(_) => Ending::Over,
            Ok(left) if left > SOON => Ending::Far,
            Ok(left) => Ending::Soon {
                whole_days: left.as_secs() / DAY_SECONDS,
            },
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server's certificate ")?;
        match self {
            Ending::Far => f.write_str("is good"),
            Ending::Soon { whole_days: 0 } => f.write_str("ends within a day"),
            Ending::Soon { whole_days: 1 } => f.write_str("ends in 1 day"),
            Ending::Soon { whole_days } => write!(f, "ends in {whole_days} days"),
            Ending::Over => f.write_str("has expired"),
        }
    }
}

impl BundleWatch {
    /// Watches until the server stops.
    pub(crate) async fn run(mut self) {
        let mut soon = Reminder::every(SOON_WARNING_INTERVAL);
        let mut over = Reminder::every(OVER_ERROR_INTERVAL);
        let mut revoked = Reminder::every(OVER_ERROR_INTERVAL);
        while let Some(look) = self.file.look().await {
            if look.is_due {
                let reading = Reading::of(self.reload().await, ServerBundleError::may_pass);
                if let Some(words) = self.file.judge(&look, reading) {
                    error!("{words}; the last good certificate stays in use");
                }
            }
            let ending = Ending::at(self.certificate.not_after, SystemTime::now());
            let (path, now) = (self.file.path().display(), Instant::now());
            if soon.is_due(matches!(ending, Ending::Soon { .. }), now) {
                warn!(%path, "{ending}; {RENEW}");
            }
            if over.is_due(ending == Ending::Over, now) {
                error!(%path, "{ending}; clients can no longer connect; {RENEW}");
            }
            if revoked.is_due(self.is_revoked(&self.certificate), now) {
                error!(%path, "the server's certificate is revoked, but clients do not check that; {RENEW}");
            }
        }
    }

    /// Uses the bundle in the file, or keeps the last good one.
    async fn reload(&mut self) -> Result<(), ServerBundleError> {
        let (path, gate) = (self.file.path().to_owned(), self.gate.clone());
        let reading = tokio::task::spawn_blocking(move || read_newer(&path, &gate));
        let (bundle, warning) = reading.await.map_err(|failure| ServerBundleError::Read {
            path: self.file.path().to_owned(),
            source: failure.into(),
        })??;
        let certificate = bundle.certificate();
        let is_new = certificate.fingerprint != self.certificate.fingerprint;
        if is_new && self.is_revoked(&certificate) {
            return Err(ServerBundleError::Revoked(self.file.path().to_owned()));
        }
        info!(
            serial = %certificate.serial,
            until = %Timestamp::from(certificate.not_after),
            "certificate read"
        );
        if let Some(warning) = warning {
            warn!("{warning}");
        }
        if is_new {
            self.tell_of_missing_names(&certificate);
            let (until, before) = (certificate.not_after, self.certificate.not_after);
            if until < before {
                warn!(
                    until = %Timestamp::from(until), before = %Timestamp::from(before),
                    "the new certificate ends before the last one; was an old copy restored?"
                );
            }
            self.certificate = certificate;
            self.tls.send_modify(|tls| *tls = tls.renewed(&bundle));
        }
        Ok(())
    }

    fn is_revoked(&self, certificate: &Certificate) -> bool {
        self.revocations.borrow().revokes(&certificate.serial)
    }

    /// Warns about missing names: a client that connects under such a name refuses this server.
    fn tell_of_missing_names(&self, newer: &Certificate) {
        let mut missing: BTreeSet<String> = BTreeSet::new();
        let (dns, ips) = (&self.certificate.dns_names, &self.certificate.addresses);
        missing.extend(dns.iter().filter(|n| !newer.dns_names.contains(n)).cloned());
        let ips = ips.iter().filter(|ip| !newer.addresses.contains(ip));
        missing.extend(ips.map(ToString::to_string));
        if !missing.is_empty() {
            warn!(
                missing = few(missing),
                "the new certificate lacks names of the last one; clients that use them will refuse this server"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_ends_soon_for_a_month_and_then_it_is_over() {
        let not_after = SystemTime::UNIX_EPOCH + 1000 * SOON;
        let days = |days: u64| Duration::from_secs(days * DAY_SECONDS);
        let second = Duration::from_secs(1);
        for (left, words) in [
            (days(31), "is good"),
            (days(30) + second, "is good"),
            (days(30), "ends in 30 days"),
            (days(2) - second, "ends in 1 day"),
            (days(1) - second, "ends within a day"),
            (Duration::ZERO, "ends within a day"),
        ] {
            let ending = Ending::at(not_after, not_after - left);
            assert_eq!(
                ending.to_string(),
                format!("the server's certificate {words}")
            );
        }
        let ending = Ending::at(not_after, not_after + second);
        assert_eq!(ending, Ending::Over);
        assert_eq!(ending.to_string(), "the server's certificate has expired");
    }
}
