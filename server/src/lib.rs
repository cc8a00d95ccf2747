//! The room: mutual TLS in, one ordered transcript out.
//!
//! Every session is a cursor over the transcript; one recorder is its only writer.
//! `ARCHITECTURE.md` at the top of the repository shows how the parts fit together.

mod accept;
mod ask;
mod batch;
mod bundle;
mod config;
mod database;
mod descriptors;
mod disk;
mod fault;
mod few;
mod flusher;
mod gathering;
mod handshake;
mod inbound;
mod journal;
mod jsonb;
mod lobby;
mod network;
mod os;
mod outbound;
mod owed;
mod pace;
mod pages;
mod permits;
mod presence;
mod quota;
mod recorder;
mod refusals;
mod reminder;
mod revocation;
mod room;
mod senders;
mod session;
mod show;
mod silence;
mod stamp;
mod tail;
mod tls;
mod transcript;
mod watched;

pub mod args;
pub mod log;
pub mod memory;
pub mod query;
pub mod record;
pub mod terminal;

use std::num::NonZero;
use std::sync::Arc;

use pki::{Revocations, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

pub use bundle::{ServerBundleError, read_bundle};
pub use config::{Config, Limits, SameId};
pub use descriptors::{Allowed, TooFewFiles, connections_allowed};
pub use fault::DatabaseError;
pub use network::listen;
pub use recorder::RecorderError;
pub use revocation::{ListError, read_list};

use accept::Acceptor;
use bundle::BundleWatch;
use database::Database;
use flusher::Flushers;
use handshake::{Serving, Shared};
use presence::Rules;
use record::Pages;
use recorder::Recorder;
use refusals::Refusals;
use revocation::{RevocationWatch, check_number};
use transcript::Transcript;
use watched::FileWatch;

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The recorder.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The revocation list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The recorder panicked, and with it the record ends.
    #[error("the recorder failed: {0}")]
    Panic(tokio::task::JoinError),
    /// The listener is not one.
    #[error("cannot tell where this server listens: {0}")]
    Listener(std::io::Error),
    /// The newest entries could not be read.
    #[error("cannot read the newest entries: {0}")]
    Tail(DatabaseError),
}

impl Failure {
    /// The exit code (`sysexits.h`): 74 when reading or writing failed or the database is damaged,
    /// 75 when lines could not be stored for now, 1 for anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Recorder(RecorderError::NotStored { .. }) => 75,
            // After a commit that failed for any reason but the known passing ones, what the disk
            // holds is unknown.
            Failure::Recorder(RecorderError::Database(_)) | Failure::Tail(_) => 74,
            Failure::Database(error) if error.is_io_or_corruption() => 74,
            Failure::Database(_) | Failure::List(_) | Failure::Panic(_) | Failure::Listener(_) => 1,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Failure::Database(DatabaseError::InUse { .. }) => {
                Some("only one server may write a database; stop the other one, or use --db")
            }
            Failure::List(ListError::Older { .. }) => Some(
                "was an old copy of the CA's folder restored? Revoking, or any run of ca-tool that signs the list again, makes a newer one",
            ),
            Failure::Database(DatabaseError::Linked { .. }) => Some(
                "remove the other name, or make a copy of its own with: sqlite3 OLD 'vacuum into NEW'",
            ),
            Failure::Database(error) if matches!(error.fault(), fault::Fault::Passing(_)) => Some(
                "nothing is damaged: make room on the disk, or end what holds the database, and start again",
            ),
            Failure::Database(error) if error.is_about_rights() => Some(
                "the server writes to the database and makes files beside it: it needs to be allowed to do both",
            ),
            Failure::Database(error)
            | Failure::Tail(error)
            | Failure::Recorder(RecorderError::Database(error))
                if error.is_io_or_corruption() =>
            {
                Some(DAMAGED)
            }
            Failure::Recorder(RecorderError::Database(_)) => Some(
                "start the server again: what was committed is safe, and clients send the rest again",
            ),
            _ => None,
        }
    }
}

/// A server never repairs: what is left after that may be anything, and nobody would know.
const DAMAGED: &str = "look at the disk; nothing was repaired. If the server does not start again, bring back the last backup, or save what can be read with: sqlite3 chat.db .recover";

/// Serves a room until `stop` is done, then ends it in good order. A change of
/// `reload` makes it read the revocation list and the bundle at once.
///
/// # Errors
///
/// When the database cannot be opened or fails, or the revocation list is older than one that was
/// seen before.
pub async fn run(
    config: Config,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    reload: watch::Receiver<()>,
) -> Result<(), Failure> {
    let Config {
        cert,
        bundle,
        gate,
        crl,
        db,
        room,
        show,
        same_id,
        ca_hints,
        limits,
    } = config;
    let limits = Arc::new(limits);
    let (database, readers, found) = Database::open(&db, &limits).await?;
    let pages: Arc<dyn Pages> = Arc::new(readers);
    let (epoch, newest_list) = (found.epoch.clone(), found.crl_number.clone());
    // Said only now: who waits for this line may count on a database that is open.
    info!(
        room,
        ca_fingerprint = %gate.anchor().fingerprint,
        db = %std::path::absolute(&db).unwrap_or(db).display(),
        revocation = crl.as_ref().map_or("off", |_| "on"),
        "listening on {}",
        listener.local_addr().map_err(Failure::Listener)?
    );
    if found.crashed > 0 {
        warn!(
            sessions = found.crashed,
            "closed the sessions that a crash left open"
        );
    }
    if crl.is_none() {
        warn!("--no-revocation: revoked certificates are let in");
    }
    let stopping = CancellationToken::new();
    let rules = Rules::new(same_id, &limits);
    let recorder = Recorder::new(
        database,
        &*pages,
        found,
        rules,
        (*limits).clone(),
        stopping.clone(),
    )
    .await;
    let (recorder, asks, views) = recorder.map_err(Failure::Tail)?;
    let progress = recorder.progress();
    let mut recording = tokio::spawn(recorder.run());

    let watchers = TaskTracker::new();
    let transcript = Transcript::new(views, pages, &limits);
    let flushers = Flushers::start(processors(), &transcript.views(), &progress, &watchers);
    let (lists, revocations) = watch::channel(match &crl {
        Some((_, list)) => Revocations::List(list.clone()),
        None => Revocations::Unchecked,
    });
    let watched = |path| {
        let interval = limits.file_poll_interval;
        FileWatch::new(path, interval, reload.clone(), stopping.clone())
    };
    if let Some((path, list)) = crl {
        check_number(&path, list.number(), &newest_list)?;
        let watch = RevocationWatch {
            file: watched(path),
            gate: gate.clone(),
            lists,
            newest: list.number().clone(),
            unrecorded: Some(list.number().clone()),
            asks: asks.clone(),
        };
        // A file that does not answer, as over a network, must not hold up the end.
        watchers.spawn(stopping.clone().run_until_cancelled_owned(watch.run()));
    }
    let (tls_sender, tls) = watch::channel(ServerTls::new(&bundle, gate.clone(), ca_hints));
    let watch = BundleWatch {
        file: watched(cert),
        gate: gate.clone(),
        revocations: revocations.clone(),
        certificate: bundle.certificate(),
        tls: tls_sender,
    };
    watchers.spawn(stopping.clone().run_until_cancelled_owned(watch.run()));
    if show {
        watchers.spawn(show::show(
            transcript.clone(),
            tokio::io::stdout(),
            terminal::stdout_columns,
            stopping.clone(),
        ));
    }

    let sessions = TaskTracker::new();
    let abandon = CancellationToken::new();
    let refusals = Refusals::new(limits.refusals_logged_per_second);
    let serving = Serving {
        gate,
        revocations,
        asks,
        transcript,
        flushers,
        room,
        epoch,
        limits: limits.clone(),
        stop: stopping.clone(),
        refusals,
    };
    let shared = Arc::new(Shared {
        tls,
        serving,
        abandon: abandon.clone(),
    });
    let acceptor = Acceptor::new(listener, shared, sessions.clone(), threads());
    let accepting = tokio::spawn(acceptor.run());

    // The recorder ends before it is told to only when it cannot go on.
    let early = tokio::select! {
        () = stop => None,
        ended = &mut recording => Some(ended),
    };
    stopping.cancel();
    if accepting.await.is_err() {
        error!("the accept loop failed");
    }
    watchers.close();
    sessions.close();
    if let Some(ended) = early {
        return ended.map_err(Failure::Panic)?.map_err(Failure::from);
    }
    info!(sessions = sessions.len(), "stopping");
    if tokio::time::timeout(limits.stop_sessions_timeout, sessions.wait())
        .await
        .is_err()
    {
        warn!(
            sessions = sessions.len(),
            "sessions did not end in time; they are given up"
        );
        abandon.cancel();
        sessions.wait().await;
    }
    watchers.wait().await;
    recording
        .await
        .map_err(Failure::Panic)?
        .map_err(Failure::from)
}

/// How many threads the runtime has. A runtime of another kind than the program's may have others; then
/// this is only less exact.
fn threads() -> usize {
    tokio::runtime::Handle::current().metrics().num_workers()
}

/// How many processors this program may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
