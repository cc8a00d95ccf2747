//! The life of one session, from its greeting to its end.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use wire::Reason;

use crate::config::Limits;
use crate::room::mailbox::{End, Owed};
use crate::session::closing::broken;
use crate::session::end_watch::EndWatch;
use crate::session::inbound::Inbound;
use crate::session::outbound::{Gone, Outbound};

/// One authenticated connection: its two halves, and the watch for everything that can end it.
pub(crate) struct Session<R, W> {
    pub(crate) inbound: Inbound<R>,
    pub(crate) outbound: Arc<Outbound<W>>,
    pub(crate) watch: EndWatch,
    pub(crate) limits: Arc<Limits>,
}

/// The end of a session, as it is recorded and logged.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: Reason,
    /// Whether the connection was closed properly. Then it must still be drained.
    pub(crate) is_closed: bool,
    /// The cause of a broken connection, for the log.
    pub(crate) cause: Option<String>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Session<R, W> {
    /// Runs both halves until the session ends. Returns how it ended.
    pub(crate) async fn run(&mut self) -> Ended {
        let Self {
            inbound,
            outbound,
            watch,
            limits,
        } = self;
        let sending = outbound.run();
        tokio::pin!(sending);
        // In a fixed order rather than a random one, so that a run can be repeated. Receiving comes
        // first: it stops by itself, because the lines it took are under way until sending has
        // answered them. Sending would never have to stop while the room talks.
        let end = tokio::select! {
            biased;
            end = receive(inbound, watch, limits) => end,
            gone = &mut sending => return Ended::from(gone),
        };
        if matches!(end.reason, Reason::Lost | Reason::Stalled) {
            // The system has given up on the peer. If nothing waits to be sent, the session is
            // lost, not stalled.
            let is_stalled = end.reason == Reason::Stalled && outbound.is_sending();
            return Ended {
                reason: if is_stalled {
                    Reason::Stalled
                } else {
                    Reason::Lost
                },
                is_closed: false,
                cause: Some(end.words),
            };
        }
        let reason = end.reason;
        // A member who leaves may read slowly; one who is sent away is not waited for, and a
        // revoked person has to be out within two seconds.
        let patience = match reason {
            Reason::Goodbye => limits.write_stall_timeout + limits.silence_timeout,
            Reason::ShuttingDown => limits.stop_sessions_timeout,
            _ => limits.end_timeout,
        };
        let closing = async {
            tokio::select! {
                biased;
                () = say_bye(inbound, end, limits) => (&mut sending).await,
                gone = &mut sending => gone,
            }
        };
        let is_closed = matches!(tokio::time::timeout(patience, closing).await, Ok(Ok(())));
        Ended {
            reason,
            is_closed,
            cause: None,
        }
    }
}

/// Reads and handles requests until something ends the session.
async fn receive<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    watch: &mut EndWatch,
    limits: &Limits,
) -> End {
    let heard = inbound.heard();
    let steps = async {
        loop {
            if let Some(end) = inbound.step().await {
                return end;
            }
        }
    };
    // Whenever the session wakes, the end comes before requests. A cancelled step continues where
    // it was, so that no line is lost.
    let end = tokio::select! {
        biased;
        end = watch.end(heard.as_deref(), limits) => end,
        end = steps => return end,
    };
    match end {
        Some(end) => end,
        None => {
            inbound.finish_what_was_read().await;
            End {
                reason: Reason::ShuttingDown,
                words: "the server is being stopped".into(),
            }
        }
    }
}

/// Waits until every line under way has been answered, then says why the session ends.
async fn say_bye<R: AsyncRead + Unpin>(inbound: &Inbound<R>, end: End, limits: &Limits) {
    inbound.all_answered().await;
    // A client that asks for the whole history and closes its end still wants all of it.
    if end.reason == Reason::Goodbye {
        inbound.all_replied().await;
    }
    let entries_until = match end.reason {
        Reason::ShuttingDown | Reason::Goodbye => Instant::now() + limits.stop_entries_timeout,
        _ => Instant::now(),
    };
    inbound.owe(Owed::Bye { end, entries_until });
}

impl From<Result<(), Gone>> for Ended {
    fn from(gone: Result<(), Gone>) -> Self {
        let (reason, cause) = match gone {
            Ok(()) => (Reason::Goodbye, None),
            Err(Gone::Lost(failure)) => {
                let End { reason, words } = broken(&failure);
                (reason, Some(words))
            }
            Err(Gone::Stalled) => (Reason::Stalled, None),
            Err(Gone::NoTranscript) => (Reason::ShuttingDown, None),
        };
        Self {
            reason,
            is_closed: false,
            cause,
        }
    }
}
