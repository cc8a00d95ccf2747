//! Starts the parts of a server in order, and ends them in order.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pki::{CrlNumber, Revocations, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::door::accept::Acceptor;
use crate::door::handshake::Door;
use crate::door::refusal_log::RefusalLog;
use crate::explain::Explainer;
use crate::failure::Failure;
use crate::room::desk::Asks;
use crate::room::presence::Rules;
use crate::session::admitted::Serving;
use crate::session::flusher::Flushers;
use crate::store::sqlite::Database;
use crate::terminal;
use crate::transcript::reader::Transcript;
use crate::transcript::record::Pages;
use crate::transcript::recorder::{Recorder, RecorderError};
use crate::transcript::show;
use crate::watch::bundle::BundleWatch;
use crate::watch::file::FileWatch;
use crate::watch::revocation::{ListError, RevocationWatch, check_number};

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
    let limits = Arc::new(config.limits.clone());
    let (database, readers, found) = Database::open(&config.db, &limits).await?;
    let pages: Arc<dyn Pages> = Arc::new(readers);
    let (epoch, newest_list) = (found.epoch.clone(), found.crl_number.clone());
    announce(&config, &listener, found.crashed)?;
    let explainer = explain_start(&config, &listener, found.head)?;
    let stopping = CancellationToken::new();
    let recorder = Recorder::new(
        database,
        &*pages,
        found,
        Rules::new(config.same_id, &limits),
        (*limits).clone(),
        stopping.clone(),
    )
    .await;
    let (recorder, asks, views) = recorder.map_err(Failure::Tail)?;
    let recorder = recorder.explained(explainer.clone());
    let progress = recorder.progress();
    let recording = tokio::spawn(recorder.run());

    let background = TaskTracker::new();
    let transcript = Transcript::new(views, pages, &limits);
    let flushers = Flushers::start(processors(), &transcript.views(), &progress, &background);
    let watches = Watches {
        interval: limits.file_poll_interval,
        reload,
        stopping: stopping.clone(),
        tasks: background.clone(),
    };
    let revocations = watches.start_list(&config, &newest_list, &asks)?;
    let tls = watches.start_bundle(&config, &revocations);
    if config.show {
        background.spawn(show::show(
            transcript.clone(),
            tokio::io::stdout(),
            terminal::stdout_columns,
            stopping.clone(),
        ));
    }

    let (sessions, abandon) = (TaskTracker::new(), CancellationToken::new());
    let door = Door {
        tls,
        serving: Serving {
            gate: config.gate,
            revocations,
            asks,
            transcript,
            flushers,
            room: config.room,
            epoch,
            limits: limits.clone(),
            stop: stopping.clone(),
            explainer: explainer.clone(),
        },
        refusals: RefusalLog::new(limits.refusals_logged_per_second).explained(explainer),
        abandon: abandon.clone(),
    };
    let acceptor = Acceptor::new(listener, Arc::new(door), sessions.clone(), threads());
    let running = Running {
        recording,
        accepting: tokio::spawn(acceptor.run()),
        sessions,
        background,
        stopping,
        abandon,
        stop_sessions_timeout: limits.stop_sessions_timeout,
    };
    running.until(stop).await
}

/// Logs that the server listens, and what its operator has to know.
// Only when the database is open: whoever waits for this line may rely on that.
fn announce(config: &Config, listener: &TcpListener, crashed: u64) -> Result<(), Failure> {
    let Config {
        room,
        gate,
        db,
        crl,
        ..
    } = config;
    info!(
        room,
        ca_fingerprint = %gate.anchor().fingerprint,
        db = %std::path::absolute(db).as_ref().unwrap_or(db).display(),
        revocation = crl.as_ref().map_or("off", |_| "on"),
        "listening on {}",
        listener.local_addr().map_err(Failure::Listener)?
    );
    if terminal::stderr_columns().is_some() {
        let port = listener.local_addr().map_err(Failure::Listener)?.port();
        info!("people enter with: client --cert THEIR.pem --server HOST:{port}");
    }
    if crashed > 0 {
        warn!(
            sessions = crashed,
            "closed the sessions that a crash left open"
        );
    }
    if crl.is_none() {
        warn!("--no-revocation: people whose certificates are revoked or on hold are let in");
    }
    Ok(())
}

/// Explains the first two steps. Returns the explainer of all others.
fn explain_start(config: &Config, listener: &TcpListener, head: u64) -> Result<Explainer, Failure> {
    let explainer = Explainer::new(config.narrator.clone());
    let list = config.crl.as_ref().map(|(_, list)| &**list);
    let address = listener.local_addr().map_err(Failure::Listener)?;
    explainer.loaded(&config.bundle, &config.gate, list, address);
    explainer.opened(&config.db.display(), head);
    Ok(explainer)
}

/// Starts the watches of files.
struct Watches {
    interval: Duration,
    reload: watch::Receiver<()>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Watches {
    /// Starts to watch the revocation list, if there is one. Returns the channel of its versions.
    fn start_list(
        &self,
        config: &Config,
        newest: &CrlNumber,
        asks: &Asks,
    ) -> Result<watch::Receiver<Revocations>, ListError> {
        let Some((path, list)) = &config.crl else {
            return Ok(watch::channel(Revocations::Unchecked).1);
        };
        check_number(path, list.number(), newest)?;
        let (lists, revocations) = watch::channel(Revocations::List(list.clone()));
        let watch = RevocationWatch {
            file: self.file(path),
            gate: config.gate.clone(),
            lists,
            newest: list.number().clone(),
            unrecorded: Some(list.number().clone()),
            asks: asks.clone(),
        };
        self.start(watch.run());
        Ok(revocations)
    }

    /// Starts to watch the server's bundle. Returns the channel of the settings made from it.
    fn start_bundle(
        &self,
        config: &Config,
        revocations: &watch::Receiver<Revocations>,
    ) -> watch::Receiver<ServerTls> {
        let (bundle, gate) = (&config.bundle, &config.gate);
        let (sender, tls) = watch::channel(ServerTls::new(bundle, gate.clone(), config.ca_hints));
        let watch = BundleWatch {
            file: self.file(&config.cert),
            gate: gate.clone(),
            revocations: revocations.clone(),
            certificate: bundle.certificate(),
            tls: sender,
        };
        self.start(watch.run());
        tls
    }

    fn file(&self, path: &Path) -> FileWatch {
        let (reload, stopping) = (self.reload.clone(), self.stopping.clone());
        FileWatch::new(path.to_owned(), self.interval, reload, stopping)
    }

    fn start(&self, watch: impl Future<Output = ()> + Send + 'static) {
        // A file that does not answer, such as one on a network, must not delay the end.
        let watch = self.stopping.clone().run_until_cancelled_owned(watch);
        self.tasks.spawn(watch);
    }
}

/// The tasks of a server that runs.
struct Running {
    recording: JoinHandle<Result<(), RecorderError>>,
    accepting: JoinHandle<()>,
    sessions: TaskTracker,
    /// The flushers, the watches and `--show`.
    background: TaskTracker,
    stopping: CancellationToken,
    /// Ends sessions that did not end when they were told to.
    abandon: CancellationToken,
    stop_sessions_timeout: Duration,
}

impl Running {
    /// Runs until `stop` completes, or until the recorder cannot go on; then ends everything.
    async fn until(mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        // The recorder ends before it is told to only when it cannot go on.
        let early = tokio::select! {
            () = stop => None,
            ended = &mut self.recording => Some(ended),
        };
        self.stopping.cancel();
        if (&mut self.accepting).await.is_err() {
            error!("the accept loop failed");
        }
        self.background.close();
        self.sessions.close();
        if let Some(ended) = early {
            return ended.map_err(Failure::Panic)?.map_err(Failure::from);
        }
        self.end_sessions().await;
        self.background.wait().await;
        self.recording
            .await
            .map_err(Failure::Panic)?
            .map_err(Failure::from)
    }

    /// Waits until every session has ended, and abandons those that take too long.
    async fn end_sessions(&self) {
        let sessions = &self.sessions;
        info!(sessions = sessions.len(), "stopping");
        let ended = tokio::time::timeout(self.stop_sessions_timeout, sessions.wait());
        if ended.await.is_err() {
            warn!(
                sessions = sessions.len(),
                "some sessions did not end in time and are abandoned"
            );
            self.abandon.cancel();
            sessions.wait().await;
        }
    }
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
