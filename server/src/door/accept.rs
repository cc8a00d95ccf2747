//! Accepts connections, as many as there is room for, and starts a task for each.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::config::Limits;
use crate::door::descriptors::TURNED_AWAY_MAX;
use crate::door::handshake::{Connection, Door, hear, unless_told};
use crate::door::interfaces::Interfaces;
use crate::door::lobby::{Guest, Lobby, LobbyBounds, NoRoom};
use crate::door::permits::{HandshakePermits, PermitBounds};
use crate::door::socket::{canonical, prepare, send_at_once};
use crate::door::tls::TlsStream;
use crate::os;
use crate::session::admitted::{Admitted, Begun};
use crate::session::closing::close;
use crate::session::metered::Metered;

/// The pause after the first accept that failed; it doubles with each further failure up to
/// [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// ClientHellos answered at once, for each thread of the runtime: while one is being answered, the
/// next is ready.
const ANSWERING_PER_THREAD: usize = 2;

/// The accept loop.
pub(crate) struct Acceptor {
    listener: TcpListener,
    door: Arc<Door>,
    sessions: TaskTracker,
    lobby: Lobby,
    permits: HandshakePermits,
    turned_away: Arc<Semaphore>,
    interfaces: Interfaces,
    /// A descriptor to give up, so that a connection can be accepted and closed when there is no
    /// other.
    spare: Option<File>,
}

impl Acceptor {
    /// `threads` is the number of the runtime's threads.
    pub(crate) fn new(
        listener: TcpListener,
        door: Arc<Door>,
        sessions: TaskTracker,
        threads: usize,
    ) -> Self {
        let limits = &door.serving.limits;
        Self {
            lobby: Lobby::new(lobby_bounds(limits)),
            permits: HandshakePermits::new(permit_bounds(limits, threads)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            interfaces: Interfaces::default(),
            spare: spare(),
            listener,
            door,
            sessions,
        }
    }

    /// Accepts until the server stops.
    pub(crate) async fn run(mut self) {
        let stop = self.door.serving.stop.clone();
        let accepting = async {
            let mut backoff = BACKOFF_MIN;
            loop {
                match self.listener.accept().await {
                    Ok((stream, peer)) => {
                        backoff = BACKOFF_MIN;
                        self.take(stream, peer).await;
                    }
                    // The connection was gone before it was accepted; the next one may be fine.
                    Err(failure) if is_of_the_connection(&failure) => {}
                    Err(failure) => {
                        if os::is_out_of_files(&failure) {
                            self.take_with_spare().await;
                        }
                        // Retrying at once would spin until a file is closed.
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
        let silence_timeout = self.door.serving.limits.silence_timeout;
        if let Err(failure) = prepare(&stream, silence_timeout) {
            let cause = format!("cannot set up a connection: {failure}");
            self.door.refusals.log(ip, port, &cause);
            return;
        }
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let local = self.interfaces.local_end(local);
        self.door.serving.explainer.accepted(ip, port, &local);
        let connection = Connection {
            stream,
            ip,
            port,
            local,
        };
        let door = self.door.clone();
        // In a box: otherwise the session's task would stay as large as a handshake for its whole
        // life.
        let admitting = Box::pin(admit(connection, guest, self.permits.clone(), door.clone()));
        self.sessions
            .spawn(async move { serve(admitting, &door).await });
    }

    fn turn_away(&self, stream: TcpStream, peer: SocketAddr, cause: NoRoom) {
        let (ip, port) = (canonical(peer), peer.port());
        self.door.refusals.log(ip, port, &cause.to_string());
        send_at_once(&stream, cause.line().as_bytes());
        // Closing with a ClientHello unread resets the connection, and the reset may overtake the
        // line. So some of these connections get a moment to close properly; the others are dropped
        // at once.
        if let Ok(place) = self.turned_away.clone().try_acquire_owned() {
            let stop = self.door.serving.stop.clone();
            let mut stream = stream;
            self.sessions.spawn(async move {
                let closing = close(&mut stream);
                stop.run_until_cancelled(closing).await;
                drop(place);
            });
        }
    }

    /// Accepts one connection and closes it: left in the queue, it and all that come after it would
    /// wait without an answer.
    async fn take_with_spare(&mut self) {
        if self.spare.take().is_some()
            && let Ok(Ok((stream, peer))) =
                tokio::time::timeout(BACKOFF_MAX, self.listener.accept()).await
        {
            let cause = NoRoom::Connections;
            self.door
                .refusals
                .log(canonical(peer), peer.port(), &cause.to_string());
            send_at_once(&stream, cause.line().as_bytes());
        }
        self.spare = spare();
    }
}

fn lobby_bounds(limits: &Limits) -> LobbyBounds {
    LobbyBounds {
        connections_max: unless_zero(limits.connections_max),
        guests_per_address_max: unless_zero(limits.waiting_per_address_max),
    }
}

fn permit_bounds(limits: &Limits, threads: usize) -> PermitBounds {
    PermitBounds {
        answering_max: threads * ANSWERING_PER_THREAD,
        // Otherwise handshakes that are never completed could take every connection.
        half_done_max: unless_zero(limits.handshakes_max)
            .min(unless_zero(limits.connections_max).div_ceil(2)),
        half_done_per_address_max: unless_zero(limits.handshakes_per_address_max),
        patience: limits.crowded_handshake_timeout,
    }
}

/// Returns the bound, where 0 means that there is none.
fn unless_zero(max: usize) -> usize {
    if max == 0 { usize::MAX } else { max }
}

/// Opens any file that always exists. Without one, connections wait until a file is closed.
fn spare() -> Option<File> {
    let program = std::env::current_exe().ok()?;
    File::open(program).ok()
}

/// An admitted client with its place in the lobby.
struct Arrived<S> {
    admitted: Admitted<S>,
    guest: Guest,
}

/// A client that the gate admitted, over TLS, with its place in the lobby.
type ArrivedByTls = Arrived<TlsStream<Metered<TcpStream>>>;

/// Serves one connection, from its first byte to its end.
async fn serve(arriving: impl Future<Output = Option<Box<ArrivedByTls>>> + Unpin, door: &Door) {
    let arrived = tokio::select! {
        () = door.serving.stop.cancelled() => return,
        arrived = arriving => arrived,
    };
    let Some(arrived) = arrived else { return };
    tokio::select! {
        () = arrived.serve_explained(door) => {}
        // The recorder closes its row in `joins`.
        () = door.abandon.cancelled() => {}
    }
}

/// Turns a connection into an admitted client. Returns `None` when it is refused or ends, which has
/// been logged.
async fn admit(
    connection: Connection,
    guest: Guest,
    permits: HandshakePermits,
    door: Arc<Door>,
) -> Option<Box<ArrivedByTls>> {
    let (ip, port) = (connection.ip, connection.port);
    let hello = hear(connection, &guest, &door).await?;
    let heard = Instant::now();
    // A class behind one address waits for its turn; a client is sent away only after a long wait.
    let patience = door.serving.limits.handshake_wait_timeout;
    let permit = tokio::select! {
        permit = tokio::time::timeout(patience, permits.permit(ip)) => permit.ok(),
        () = guest.told_to_end() => None,
    };
    let Some(permit) = permit else {
        hello.turn_away(NoRoom::Handshakes, &door).await;
        return None;
    };
    let waited = heard.elapsed();
    door.serving.explainer.permitted(ip, port, waited);
    let admitted = hello.shake(permit, &guest, &door).await?;
    Some(Box::new(Arrived { admitted, guest }))
}

impl ArrivedByTls {
    /// Serves the client, and explains its lines if somebody wants that.
    // `self` leaves its box first, because that box would otherwise stay until the session ends.
    fn serve_explained(self: Box<Self>, door: &Door) -> impl Future<Output = ()> {
        let explainer = &door.serving.explainer;
        let Self { admitted, guest } = *self;
        let (mut silent, mut explained) = (None, None);
        if explainer.is_on() {
            let admitted = Admitted {
                stream: explainer.overhear(admitted.stream, &admitted.facts),
                written: admitted.written,
                identity: admitted.identity,
                facts: admitted.facts,
                revocations: admitted.revocations,
            };
            // In a box, so that the tasks of other servers do not grow.
            explained = Some(Box::pin(Arrived { admitted, guest }.serve(door)));
        } else {
            silent = Some(Arrived { admitted, guest }.serve(door));
        }
        async move {
            if let Some(serving) = explained {
                serving.await;
            }
            if let Some(serving) = silent {
                serving.await;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Arrived<S> {
    /// Begins a session and runs it to its end.
    // The beginning has a box: a task is as large as its largest step for as long as it lasts.
    fn serve(self, door: &Door) -> impl Future<Output = ()> {
        let beginning = Box::pin(self.begin(door));
        async move {
            // The guest gives its place back when the connection is closed.
            let Some((begun, _guest)) = beginning.await else {
                return;
            };
            begun.run(&door.serving).await;
        }
    }

    /// Begins the session. Returns `None` when the client was not admitted after all, which has
    /// been logged.
    async fn begin(self, door: &Door) -> Option<(Begun<S>, Guest)> {
        let Self { admitted, guest } = self;
        let (ip, port) = (admitted.facts.ip, admitted.facts.port);
        // Before the recorder is asked: no newcomer waits for the place of a connection that waits
        // for the recorder.
        guest.begin_session();
        match admitted.begin(&door.serving).await {
            Ok(begun) => Some((begun, guest)),
            Err(not_begun) => {
                if let Some(cause) = not_begun.cause() {
                    door.refusals.log(ip, port, &cause);
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
