//! Ends connections so that the last bytes arrive, and describes broken ones.

use std::io;
use std::time::Duration;

use pki::Peer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use wire::limits::{LINE_BYTES_MAX, UNACKNOWLEDGED_LINES_MAX};
use wire::{Reason, Refusal};

use crate::log::{CAUSE_BYTES_MAX, cut};
use crate::room::facts::Dialect;
use crate::room::mailbox::{End, Told};

/// How long a refused peer has to accept its refusal.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Ends a connection so that the last bytes arrive: half-closes it, then drains it for a moment.
pub(crate) async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    // A peer that is gone already needs no close_notify.
    let half_closed = tokio::time::timeout(CLOSE_TIMEOUT, stream.shutdown()).await;
    if matches!(half_closed, Ok(Ok(()))) {
        drain(stream).await;
    }
}

/// Sends a refusal to a client whose session did not begin, and ends the connection.
pub(crate) async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    dialect: Dialect,
    refusal: &Refusal,
) {
    let mut line = Vec::new();
    dialect.write(&Told::Refusal(refusal.clone()), &mut line);
    if stream.write_all(&line).await.is_ok() {
        close(stream).await;
    }
}

/// Returns the end of a session whose connection broke, with the cause for the log. The reason is
/// `stalled` if the system waited too long for the peer (TCP_USER_TIMEOUT, RFC 5482), and `lost`
/// otherwise.
pub(crate) fn broken(failure: &io::Error) -> End {
    let words = match tls_error(failure) {
        Some(error) => pki::tls_words(error, Peer::Client),
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

/// Returns the error of TLS behind a failure of a connection; `None` for any other failure.
pub(crate) fn tls_error(failure: &io::Error) -> Option<&rustls::Error> {
    failure.get_ref()?.downcast_ref()
}

/// Reads and discards incoming bytes for a moment: closing a socket with unread bytes makes the
/// system throw away what was sent last.
pub(crate) async fn drain<R: AsyncRead + Unpin>(reader: &mut R) {
    // All that one of our clients may have under way, and the line that it was sending.
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
    // A client that goes on sending after a second has already received everything.
    let _elapsed = tokio::time::timeout(DRAIN_TIMEOUT, draining).await;
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

    #[test]
    fn the_cause_of_a_broken_connection_is_named_and_only_the_systems_timeout_is_a_stall() {
        let told = |failure: io::Error| {
            let End { reason, words } = broken(&failure);
            (reason, words)
        };
        let tls = |failure: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, failure);
        let alert = rustls::Error::AlertReceived(AlertDescription::InternalError);
        let words = "the client had an internal error (alert internal_error)";
        assert_eq!(told(tls(alert)), (Reason::Lost, words.to_owned()));
        let (reason, words) = told(tls(InvalidMessage::InvalidContentType.into()));
        assert_eq!(reason, Reason::Lost);
        assert!(
            words.starts_with("the client sent something that is not TLS"),
            "{words}"
        );
        let words = "the connection ended without close_notify";
        let failure = io::ErrorKind::UnexpectedEof.into();
        assert_eq!(told(failure), (Reason::Lost, words.to_owned()));
        let (reason, words) = told(io::ErrorKind::TimedOut.into());
        assert_eq!((reason, words.as_str()), (Reason::Stalled, "timed out"));
        let (_, words) = told(io::Error::other("\u{1b}".repeat(1000)));
        assert!(words.len() < 300, "{}", words.len());
    }

    #[tokio::test]
    async fn everything_a_client_may_have_under_way_is_drained_and_an_endless_stream_is_not() {
        let under_way = vec![b'x'; UNACKNOWLEDGED_LINES_MAX * (LINE_BYTES_MAX + 1)];
        let mut reader = under_way.as_slice();
        drain(&mut reader).await;
        assert_eq!(reader.len(), 0);

        let began = std::time::Instant::now();
        drain(&mut tokio::io::repeat(b'x')).await;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "by its bytes, not by its time"
        );
    }
}
