//! Starts the parts of a server in order, and ends them in order.

use std::num::NonZero;
use std::sync::Arc;

use pki::{Revocations, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::door::accept::Acceptor;
use crate::door::handshake::Door;
use crate::door::refusal_log::RefusalLog;
use crate::failure::Failure;
use crate::room::presence::Rules;
use crate::session::admitted::Serving;
use crate::session::flusher::Flushers;
use crate::store::sqlite::Database;
use crate::terminal;
use crate::transcript::reader::Transcript;
use crate::transcript::record::Pages;
use crate::transcript::recorder::Recorder;
use crate::transcript::show;
use crate::watch::bundle::BundleWatch;
use crate::watch::file::FileWatch;
use crate::watch::revocation::{RevocationWatch, check_number};

/// Serves a room until `stop` completes, then shuts it down cleanly. A change of `reload` makes it
/// read the revocation list and the bundle again at once.
///
/// # Errors
///
/// When the database cannot be opened or fails, or the revocation list is older than one seen
/// before.
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
    // Logged only now: whoever waits for this line may rely on a database that is open.
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
        // A file that does not answer, such as one on a network, must not delay the end.
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
    let refusals = RefusalLog::new(limits.refusals_logged_per_second);
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
    };
    let door = Arc::new(Door {
        tls,
        serving,
        refusals,
        abandon: abandon.clone(),
    });
    let acceptor = Acceptor::new(listener, door, sessions.clone(), threads());
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
            "some sessions did not end in time and are abandoned"
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

/// Returns how many threads the runtime has. In another kind of runtime than the program's the
/// count may be off, which only makes the bound less exact.
fn threads() -> usize {
    tokio::runtime::Handle::current().metrics().num_workers()
}

/// Returns how many processors this program may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
