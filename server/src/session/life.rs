//! The life of one session, from its greeting to its end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pki::{Gate, Identity, Refusal as GateRefusal, Revocations};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::limits::{LINE_BYTES_MAX, UNACKNOWLEDGED_LINES_MAX};
use wire::{Reason, Reply};

use crate::room::ask::{End, Ending};
use crate::config::Limits;
use crate::session::inbound::Inbound;
use crate::log::{CAUSE_BYTES_MAX, cut};
use crate::session::outbound::{Gone, Outbound};
use crate::room::mailbox::Owed;
use crate::session::silence::LastHeard;

/// How often a session looks whether its certificate has expired, at the least: the system's
/// clock may be set while it waits.
const EXPIRY_CHECK_MAX: Duration = Duration::from_secs(60);

/// One authenticated connection: its two halves, and what can end it.
pub(crate) struct Session<R, W> {
    pub(crate) inbound: Inbound<R>,
    pub(crate) outbound: Arc<Outbound<W>>,
    pub(crate) watch: Watch,
    pub(crate) limits: Arc<Limits>,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: Reason,
    /// Whether the connection was closed in good order. It must still be drained then.
    pub(crate) is_closed: bool,
    /// What broke the connection, for the log.
    pub(crate) cause: Option<String>,
}

/// What can end a session from outside.
pub(crate) struct Watch {
    pub(crate) identity: Arc<Identity>,
    /// The recorder's word that a newer session has come.
    pub(crate) ending: Arc<Ending>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) revocations: watch::Receiver<Revocations>,
    pub(crate) stop: CancellationToken,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Session<R, W> {
    /// Runs both halves until the session ends, and tells how it did.
    pub(crate) async fn run(&mut self) -> Ended {
        let Self {
            inbound,
            outbound,
            watch,
            limits,
        } = self;
        let sending = outbound.run();
        tokio::pin!(sending);
        // In an order that does not depend on chance, so that a run can be repeated. Receiving first:
        // it stops by itself, because what it took is under way until sending has answered it.
        // Sending would never have to stop while the room talks.
        let end = tokio::select! {
            biased;
            end = receive(inbound, watch, limits) => end,
            gone = &mut sending => return Ended::from(gone),
        };
        if matches!(end.reason, Reason::Lost | Reason::Stalled) {
            // The system has given up on the peer. If nothing waits to be sent, it is lost.
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
        // Who leaves may read slowly; who is sent away is not waited for, and a revoked person has
        // to be out within two seconds.
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

/// Reads and does what is asked until something ends the session.
async fn receive<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    watch: &mut Watch,
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
    // Each time the session is woken, what ends it comes before what it asks. A step that is broken
    // off goes on where it was, so that no line is lost.
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
    // Who asks for the whole history and closes its end still wants all of it.
    if end.reason == Reason::Goodbye {
        inbound.all_replied().await;
    }
    let entries_until = match end.reason {
        Reason::ShuttingDown | Reason::Goodbye => Instant::now() + limits.stop_entries_timeout,
        _ => Instant::now(),
    };
    let line = format!(
        "{}\n",
        Reply::Bye {
            reason: end.reason,
            words: end.words
        }
    );
    inbound.owe(Owed::Bye {
        line,
        entries_until,
    });
}

impl Watch {
    /// Waits until something ends the session; `None` when it is that the server is being stopped.
    async fn end(&mut self, heard: Option<&LastHeard>, limits: &Limits) -> Option<End> {
        let silent_at = || Some(heard?.silent_at(limits.silence_timeout));
        loop {
            let check_at = self.next_check(silent_at());
            let end = tokio::select! {
                biased;
                end = self.ending.told() => Some(end),
                () = self.stop.cancelled() => return None,
                // Without a list there is nobody to publish one, and nothing to wait for.
                Ok(()) = self.revocations.changed() => self.check_welcome(),
                () = tokio::time::sleep_until(check_at) => self.check_clock(silent_at(), limits),
            };
            if end.is_some() {
                return end;
            }
        }
    }

    /// When the clock must be looked at next: for the certificate's end, or for silence.
    fn next_check(&self, silent_at: Option<Instant>) -> Instant {
        let valid_for = self.identity.not_after().duration_since(SystemTime::now());
        // A certificate is still good in the second that it names.
        let valid_for = valid_for.unwrap_or_default() + Duration::from_secs(1);
        let expiry = Instant::now() + valid_for.min(EXPIRY_CHECK_MAX);
        silent_at.map_or(expiry, |silent_at| silent_at.min(expiry))
    }

    fn check_clock(&mut self, silent_at: Option<Instant>, limits: &Limits) -> Option<End> {
        if silent_at.is_some_and(|silent_at| silent_at <= Instant::now()) {
            let words = format!(
                "nothing was heard for {} s",
                limits.silence_timeout.as_secs()
            );
            return Some(End {
                reason: Reason::Silent,
                words,
            });
        }
        self.check_welcome()
    }

    fn check_welcome(&mut self) -> Option<End> {
        let revocations = self.revocations.borrow_and_update().clone();
        let now = SystemTime::now();
        match self
            .gate
            .still_welcome(&self.identity, &revocations, now)
            .err()?
        {
            GateRefusal::Revoked { is_on_hold, .. } => {
                let words = match is_on_hold {
                    true => "your certificate is on hold; ask whoever issued it",
                    false => "your certificate was revoked; ask whoever issued it",
                };
                Some(End {
                    reason: Reason::Revoked,
                    words: words.into(),
                })
            }
            GateRefusal::Expired { .. } => Some(End {
                reason: Reason::Expired,
                words: "your certificate has expired; ask for a new one".into(),
            }),
            // A list that is out of date keeps newcomers out, and nobody who is here.
            _ => None,
        }
    }
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

/// The end of a session whose connection broke, with the cause for the log. `stalled` if the system
/// waited too long for the peer (TCP_USER_TIMEOUT, RFC 5482), and otherwise `lost`.
pub(crate) fn broken(failure: &io::Error) -> End {
    let tls = failure
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = match tls {
        Some(rustls::Error::AlertReceived(alert)) => format!("the client ended TLS: {alert:?}"),
        Some(other) => format!("TLS failed: {other}"),
        None if failure.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection ended without close_notify".to_owned()
        }
        None => failure.to_string(),
    };
    End {
        reason: match failure.kind() {
            io::ErrorKind::TimedOut => Reason::Stalled,
            _ => Reason::Lost,
        },
        words: cut(&words, CAUSE_BYTES_MAX),
    }
}

/// Reads and discards what is still coming, for a moment: closing a socket with unread bytes makes
/// the system throw away what was sent last.
pub(crate) async fn drain<R: AsyncRead + Unpin>(reader: &mut R) {
    // All that a client of ours may have under way, with the line that it was in the middle of.
    const DRAIN_BYTES_MAX: usize = (UNACKNOWLEDGED_LINES_MAX + 1) * (LINE_BYTES_MAX + 1);
    const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
    let draining = async {
        let mut scratch = [0; 1024];
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            match reader.read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(read) => drained += read,
            }
        }
    };
    // Who goes on sending after a second has had the last word already.
    let _elapsed = tokio::time::timeout(DRAIN_TIMEOUT, draining).await;
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

    #[test]
    fn what_broke_a_connection_is_told_and_only_the_systems_patience_is_a_stall() {
        let told = |failure: io::Error| {
            let End { reason, words } = broken(&failure);
            (reason, words)
        };
        let tls = |failure: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, failure);
        let alert = rustls::Error::AlertReceived(AlertDescription::InternalError);
        let words = "the client ended TLS: InternalError";
        assert_eq!(told(tls(alert)), (Reason::Lost, words.to_owned()));
        let (reason, words) = told(tls(InvalidMessage::InvalidContentType.into()));
        assert_eq!(reason, Reason::Lost);
        assert!(words.starts_with("TLS failed: "), "{words}");
        let words = "the connection ended without close_notify";
        let failure = io::ErrorKind::UnexpectedEof.into();
        assert_eq!(told(failure), (Reason::Lost, words.to_owned()));
        let (reason, words) = told(io::ErrorKind::TimedOut.into());
        assert_eq!((reason, words.as_str()), (Reason::Stalled, "timed out"));
        let (_, words) = told(io::Error::other("\u{1b}".repeat(1000)));
        assert!(words.len() < 300, "{}", words.len());
    }

    #[tokio::test]
    async fn all_that_a_client_may_have_under_way_is_drained_and_no_more_without_end() {
        let under_way = vec![b'x'; UNACKNOWLEDGED_LINES_MAX * (LINE_BYTES_MAX + 1)];
        let mut reader = under_way.as_slice();
        drain(&mut reader).await;
        assert_eq!(reader.len(), 0);

        let began = Instant::now();
        drain(&mut tokio::io::repeat(b'x')).await;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "by its bytes, not by its time"
        );
    }
}
