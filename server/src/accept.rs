//! Takes connections, as many as there is room for, and gives each a task.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::handshake::{Admitted, Connection, Shared, hear};
use crate::network::{Interfaces, canonical, neighbourhood, prepare};

/// The pause after the first accept that failed; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How often addresses without handshakes are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

/// The accept loop.
pub(crate) struct Acceptor {
    listener: TcpListener,
    shared: Arc<Shared>,
    sessions: TaskTracker,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    /// By address, so that one address cannot take every place.
    addresses: HashMap<IpAddr, Address>,
    forgot_at: Instant,
    interfaces: Interfaces,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, shared: Arc<Shared>, sessions: TaskTracker) -> Self {
        let limits = &shared.serving.limits;
        Self {
            connections: Arc::new(Semaphore::new(places(limits.connections_max))),
            handshakes: Arc::new(Semaphore::new(places(limits.handshakes_max))),
            addresses: HashMap::new(),
            forgot_at: Instant::now(),
            interfaces: Interfaces::default(),
            listener,
            shared,
            sessions,
        }
    }

    /// Accepts until the server stops.
    pub(crate) async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        let stop = self.shared.serving.stop.clone();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff = BACKOFF_MIN;
                    self.take(stream, peer);
                }
                // The connection was gone before it was taken; the next one may be fine.
                Err(failure) if is_of_the_connection(&failure) => {}
                Err(failure) => {
                    // Out of files, most likely. Trying again at once would spin until one closes.
                    error!(error = %failure, ?backoff, "cannot accept connections");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(backoff) => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (ip, port) = (canonical(peer), peer.port());
        let Ok(place) = self.connections.clone().try_acquire_owned() else {
            // Dropping the stream closes it.
            self.shared
                .serving
                .refusals
                .log(ip, port, "there is no room for more connections");
            return;
        };
        let silence_timeout = self.shared.serving.limits.silence_timeout;
        if let Err(failure) = prepare(&stream, silence_timeout) {
            let cause = format!("cannot set up a connection: {failure}");
            self.shared.serving.refusals.log(ip, port, &cause);
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
        let Some(turns) = self.turns(ip) else {
            let cause = "too many connections without a session from this address";
            self.shared.serving.refusals.log(ip, port, cause);
            return;
        };
        let shared = self.shared.clone();
        // In a box, or the session's task would be as large as a handshake for as long as it lasts.
        let admitting = Box::pin(admit(connection, turns, shared.clone()));
        self.sessions.spawn(async move {
            let _place = place;
            serve(admitting, &shared).await;
        });
    }

    /// What a connection of this address must wait for; `None` when too many wait already.
    fn turns(&mut self, ip: IpAddr) -> Option<Turns> {
        if self.forgot_at.elapsed() > FORGET_INTERVAL {
            self.addresses.retain(|_, address| address.is_in_use());
            self.forgot_at = Instant::now();
        }
        let limits = &self.shared.serving.limits;
        let address = self.addresses.entry(neighbourhood(ip));
        let address = address.or_insert_with(|| Address {
            waiting: Arc::new(Semaphore::new(places(limits.waiting_per_address_max))),
            handshakes: Arc::new(Semaphore::new(places(limits.handshakes_per_address_max))),
        });
        Some(Turns {
            _waiting: address.waiting.clone().try_acquire_owned().ok()?,
            address: address.handshakes.clone(),
            all: self.handshakes.clone(),
        })
    }
}

/// The connections of one address that have no session yet.
struct Address {
    /// All of them: who sends nothing must not take the places of those who would.
    waiting: Arc<Semaphore>,
    /// Those that are shaking hands.
    handshakes: Arc<Semaphore>,
}

impl Address {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.waiting) > 1
    }
}

/// The turns that a handshake must wait for.
struct Turns {
    /// Held until there is a session, or none.
    _waiting: OwnedSemaphorePermit,
    address: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// One connection, from its first byte to its end.
async fn serve(admitting: impl Future<Output = Option<Box<Admitted>>> + Unpin, shared: &Shared) {
    let admitted = tokio::select! {
        () = shared.serving.stop.cancelled() => return,
        admitted = admitting => admitted,
    };
    let Some(admitted) = admitted else { return };
    tokio::select! {
        () = admitted.serve(&shared.serving) => {}
        // Its row in `joins` is closed by the recorder.
        () = shared.abandon.cancelled() => {}
    }
}

/// A connection becomes a client that is let in, or nothing.
async fn admit(connection: Connection, turns: Turns, shared: Arc<Shared>) -> Option<Box<Admitted>> {
    let (ip, port) = (connection.ip, connection.port);
    let hello = hear(connection, &shared).await?;
    // A class behind one address waits its turn; only who would wait too long is sent away.
    let turn =
        tokio::time::timeout(shared.serving.limits.handshake_wait_timeout, turns.wait()).await;
    let Ok(_turn) = turn else {
        let cause = "too many handshakes at once";
        shared.serving.refusals.log(ip, port, cause);
        return None;
    };
    let admitted = hello.shake(&shared, || turns.are_taken()).await?;
    Some(Box::new(admitted))
}

impl Turns {
    /// A place among the handshakes, held until what this gives is dropped.
    async fn wait(&self) -> (SemaphorePermit<'_>, SemaphorePermit<'_>) {
        const NEVER_CLOSED: &str = "the accept loop's semaphores are never closed";
        // First among its own, so that one address holds no more places of all than its share.
        let address = self.address.acquire().await.expect(NEVER_CLOSED);
        let all = self.all.acquire().await.expect(NEVER_CLOSED);
        (address, all)
    }

    /// Whether others may be waiting for a place.
    fn are_taken(&self) -> bool {
        self.address.available_permits() == 0 || self.all.available_permits() == 0
    }
}

fn places(max: usize) -> usize {
    if max == 0 {
        Semaphore::MAX_PERMITS
    } else {
        max.min(Semaphore::MAX_PERMITS)
    }
}

fn is_of_the_connection(failure: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        failure.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
