//! Takes connections, as many as there is room for, and gives each a task.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::config::Limits;
use crate::door::descriptors::TURNED_AWAY_MAX;
use crate::door::handshake::{AdmittedByTls, Connection, Shared, hear, unless_told};
use crate::door::interfaces::Interfaces;
use crate::door::lobby::{Guest, Lobby, NoRoom, Room};
use crate::door::permits::{Bounds, HandshakePermits};
use crate::door::socket::{canonical, prepare, send_at_once};
use crate::door::tls::TlsStream;
use crate::os;
use crate::session::admitted::Begun;
use crate::session::closing::close;
use crate::session::metered::Metered;

/// The pause after the first accept that failed; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// ClientHellos that are answered at once, for each thread of the runtime: one is being answered, the
/// next is ready.
const ANSWERING_PER_THREAD: usize = 2;

/// The accept loop.
pub(crate) struct Acceptor {
    listener: TcpListener,
    shared: Arc<Shared>,
    sessions: TaskTracker,
    lobby: Lobby,
    permits: HandshakePermits,
    turned_away: Arc<Semaphore>,
    interfaces: Interfaces,
    /// A descriptor to take and close a connection with when there is no other.
    spare: Option<File>,
}

impl Acceptor {
    /// `threads` are the runtime's.
    pub(crate) fn new(
        listener: TcpListener,
        shared: Arc<Shared>,
        sessions: TaskTracker,
        threads: usize,
    ) -> Self {
        let limits = &shared.serving.limits;
        Self {
            lobby: Lobby::new(room(limits)),
            permits: HandshakePermits::new(bounds(limits, threads)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            interfaces: Interfaces::default(),
            spare: spare(),
            listener,
            shared,
            sessions,
        }
    }

    /// Accepts until the server stops.
    pub(crate) async fn run(mut self) {
        let stop = self.shared.serving.stop.clone();
        let accepting = async {
            let mut backoff = BACKOFF_MIN;
            loop {
                match self.listener.accept().await {
                    Ok((stream, peer)) => {
                        backoff = BACKOFF_MIN;
                        self.take(stream, peer).await;
                    }
                    // The connection was gone before it was taken; the next one may be fine.
                    Err(failure) if is_of_the_connection(&failure) => {}
                    Err(failure) => {
                        if os::is_out_of_files(&failure) {
                            self.take_with_spare().await;
                        }
                        // Trying again at once would spin until a file is closed.
                        error!(error = %failure, ?backoff, "cannot accept connections");
                        tokio::time::sleep(backoff).await;
                        backoff = (backoff * 2).min(BACKOFF_MAX);
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = accepting => {}
        }
    }

    async fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (ip, port) = (canonical(peer), peer.port());
        let guest = match self.lobby.enter(ip).await {
            Ok(guest) => guest,
            Err(cause) => return self.turn_away(stream, peer, cause),
        };
        let silence_timeout = self.shared.serving.limits.silence_timeout;
        if let Err(failure) = prepare(&stream, silence_timeout) {
            let cause = format!("cannot set up a connection: {failure}");
            self.shared.refusals.log(ip, port, &cause);
            return;
        }
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let local = self.interfaces.local_end(canonical(local));
        let connection = Connection {
            stream,
            ip,
            port,
            local,
        };
        let shared = self.shared.clone();
        // In a box, or the session's task would be as large as a handshake for as long as it lasts.
        let admitting = Box::pin(admit(
            connection,
            guest,
            self.permits.clone(),
            shared.clone(),
        ));
        self.sessions
            .spawn(async move { serve(admitting, &shared).await });
    }

    fn turn_away(&self, stream: TcpStream, peer: SocketAddr, cause: NoRoom) {
        let (ip, port) = (canonical(peer), peer.port());
        self.shared.refusals.log(ip, port, &cause.to_string());
        send_at_once(&stream, cause.line().as_bytes());
        // A close with a hello unread is a reset, which may overtake the line; so there is a moment for
        // that, for some of them. Dropping the stream closes it.
        if let Ok(place) = self.turned_away.clone().try_acquire_owned() {
            let stop = self.shared.serving.stop.clone();
            let mut stream = stream;
            self.sessions.spawn(async move {
                let closing = close(&mut stream);
                stop.run_until_cancelled(closing).await;
                drop(place);
            });
        }
    }

    /// Takes one connection and closes it: left in the queue it would wait without an answer, as would
    /// all that come after it.
    async fn take_with_spare(&mut self) {
        if self.spare.take().is_some()
            && let Ok(Ok((stream, peer))) =
                tokio::time::timeout(BACKOFF_MAX, self.listener.accept()).await
        {
            let cause = NoRoom::Connections;
            self.shared
                .refusals
                .log(canonical(peer), peer.port(), &cause.to_string());
            send_at_once(&stream, cause.line().as_bytes());
        }
        self.spare = spare();
    }
}

fn room(limits: &Limits) -> Room {
    Room {
        connections_max: unless_zero(limits.connections_max),
        guests_per_address_max: unless_zero(limits.waiting_per_address_max),
    }
}

fn bounds(limits: &Limits, threads: usize) -> Bounds {
    Bounds {
        answering_max: threads * ANSWERING_PER_THREAD,
        // Or handshakes that are never finished could take every connection.
        half_done_max: unless_zero(limits.handshakes_max)
            .min(unless_zero(limits.connections_max).div_ceil(2)),
        half_done_per_address_max: unless_zero(limits.handshakes_per_address_max),
        patience: limits.crowded_handshake_timeout,
    }
}

/// Where 0 means that there is no limit.
fn unless_zero(max: usize) -> usize {
    if max == 0 { usize::MAX } else { max }
}

/// Any file that is always there will do. Without one, connections wait until a file is closed.
fn spare() -> Option<File> {
    let program = std::env::current_exe().ok()?;
    File::open(program).ok()
}

/// A client that the gate has let in, with its place in the lobby.
struct Arrived {
    admitted: AdmittedByTls,
    guest: Guest,
}

/// Serves one connection, from its first byte to its end.
async fn serve(arriving: impl Future<Output = Option<Box<Arrived>>> + Unpin, shared: &Shared) {
    let arrived = tokio::select! {
        () = shared.serving.stop.cancelled() => return,
        arrived = arriving => arrived,
    };
    let Some(arrived) = arrived else { return };
    tokio::select! {
        () = arrived.serve(shared) => {}
        // Its row in `joins` is closed by the recorder.
        () = shared.abandon.cancelled() => {}
    }
}

/// A connection becomes a client that is let in, or nothing.
async fn admit(
    connection: Connection,
    guest: Guest,
    permits: HandshakePermits,
    shared: Arc<Shared>,
) -> Option<Box<Arrived>> {
    let ip = connection.ip;
    let hello = hear(connection, &guest, &shared).await?;
    // A class behind one address waits its turn; only after a long wait it is sent away.
    let patience = shared.serving.limits.handshake_wait_timeout;
    let permit = tokio::select! {
        permit = tokio::time::timeout(patience, permits.permit(ip)) => permit.ok(),
        () = guest.told_to_end() => None,
    };
    let Some(permit) = permit else {
        hello.turn_away(NoRoom::Handshakes, &shared).await;
        return None;
    };
    let admitted = hello.shake(permit, &guest, &shared).await?;
    Some(Box::new(Arrived { admitted, guest }))
}

impl Arrived {
    /// Begins a session, and runs it to its end.
    // The beginning is in a box of its own: a task is as large as the largest of its steps, for as
    // long as it lasts.
    // It is taken out of its own box first, which would stay until the session ends.
    fn serve(self: Box<Self>, shared: &Shared) -> impl Future<Output = ()> {
        let beginning = Box::pin((*self).begin(shared));
        async move {
            // The guest's place is given back when the connection is closed.
            let Some((begun, _guest)) = beginning.await else {
                return;
            };
            begun.run(&shared.serving).await;
        }
    }

    /// Returns the session; `None` when the client was not let in after all, which has been logged.
    async fn begin(self, shared: &Shared) -> Option<(Begun<TlsStream<Metered<TcpStream>>>, Guest)> {
        let Self { admitted, guest } = self;
        let (ip, port) = (admitted.facts.ip, admitted.facts.port);
        // Before the recorder is asked: nobody waits for a connection that waits for the recorder.
        guest.has_session();
        match admitted.begin(&shared.serving).await {
            Ok(begun) => Some((begun, guest)),
            Err(not_begun) => {
                if let Some(cause) = not_begun.cause() {
                    shared.refusals.log(ip, port, &cause);
                }
                unless_told(&guest, not_begun.close()).await;
                None
            }
        }
    }
}

fn is_of_the_connection(failure: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        failure.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
