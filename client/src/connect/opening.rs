//! The beginning of a connection, where a server without room says so in plain text.
//!
//! TLS would only say that these bytes are not TLS. So the first of them are kept until the
//! handshake is over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use wire::{Code, Refusal, ServerLine};

use crate::explain::Handshake;
use crate::limits::{OPENING_BYTES_MAX, OPENING_CHARS_MAX};

/// A stream whose first bytes are kept, as they came.
#[derive(Debug)]
pub struct Opening<S> {
    stream: S,
    /// `None` after the handshake.
    heard: Option<Vec<u8>>,
    /// Is shown the bytes of the handshake.
    handshake: Handshake,
}

/// The first words of a server that does not begin with TLS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FirstWords {
    /// Nothing: the connection ended.
    Nothing,
    /// There is no room, or nothing can be recorded now.
    TryLater(Refusal),
    /// Something else.
    Other,
}

/// The beginning of the line with which a server sends clients away before TLS.
const TRY_LATER: &[u8] = b"! try-later - ";

impl<S> Opening<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            heard: Some(Vec::new()),
            handshake: Handshake::default(),
        }
    }

    /// Shows the bytes of the handshake to whoever explains it.
    pub(crate) fn before(self, handshake: Handshake) -> Self {
        Self { handshake, ..self }
    }

    /// The handshake is over, and nothing that comes now is plain text.
    pub(crate) fn is_over(&mut self) {
        self.heard = None;
        self.handshake = Handshake::default();
    }
}

impl<S: AsyncRead + Unpin> Opening<S> {
    /// Returns the server's words, after the handshake failed. Reads the rest of the one line that
    /// means something.
    // Nobody has proved anything here: anybody who can reach the connection can say this. So the
    // only consequence is another try, and little of it is shown.
    pub(crate) async fn first_words(mut self) -> FirstWords {
        let mut heard = self.heard.take().unwrap_or_default();
        while may_be_try_later(&heard) && heard.len() < OPENING_BYTES_MAX && !heard.contains(&b'\n')
        {
            match self.stream.read_buf(&mut heard).await {
                Ok(1..) => {}
                // The connection has ended, in one way or another.
                Ok(0) | Err(_) => break,
            }
        }
        if heard.is_empty() {
            return FirstWords::Nothing;
        }
        let line = heard.split(|byte| *byte == b'\n').next().unwrap_or(&heard);
        match ServerLine::parse(String::from_utf8_lossy(line).trim_end()) {
            Ok(ServerLine::Refusal(refusal))
                if refusal.code == Code::TryLater && refusal.nonce.is_none() =>
            {
                let words = wire::excerpt(&refusal.words, OPENING_CHARS_MAX);
                FirstWords::TryLater(Refusal::new(Code::TryLater, words))
            }
            _ => FirstWords::Other,
        }
    }
}

fn may_be_try_later(heard: &[u8]) -> bool {
    heard.starts_with(TRY_LATER) || TRY_LATER.starts_with(heard)
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        self.handshake.came(&into.filled()[before..]);
        if let Some(heard) = &mut self.heard {
            let read = &into.filled()[before..];
            let room = OPENING_BYTES_MAX.saturating_sub(heard.len());
            heard.extend_from_slice(&read[..read.len().min(room)]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.handshake.sent(&bytes[..wrote]);
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bytes))?;
        let mut left = wrote;
        for piece in bytes {
            let sent = left.min(piece.len());
            self.handshake.sent(&piece[..sent]);
            left -= sent;
        }
        Poll::Ready(Ok(wrote))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    /// Returns the words in these bytes and the end after them, of which TLS has read so many.
    async fn said(bytes: &[u8], read_by_tls: usize) -> FirstWords {
        let (ours, mut theirs) = duplex(64 * 1024);
        theirs.write_all(bytes).await.expect("there is room");
        drop(theirs);
        let mut opening = Opening::new(ours);
        let mut read = vec![0; read_by_tls];
        opening.read_exact(&mut read).await.expect("so many bytes");
        opening.first_words().await
    }

    #[tokio::test]
    async fn a_server_without_room_is_understood_however_its_line_comes() {
        let words = "this server has no room for more connections now; try again later";
        let expected = FirstWords::TryLater(Refusal::new(Code::TryLater, words));
        for end in ["\n", "\r\n", "", "\nand more"] {
            let line = format!("! try-later - {words}{end}");
            for read_by_tls in 0..=line.len() {
                let said = said(line.as_bytes(), read_by_tls).await;
                assert_eq!(said, expected, "{end:?} {read_by_tls}");
            }
        }
    }

    #[tokio::test]
    async fn other_words_are_not_taken_for_it() {
        assert_eq!(said(b"", 0).await, FirstWords::Nothing);
        for other in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"\x15\x03\x03\x00\x02\x02\x28",
            b"! try-late",
            b"! try-later\n",
            b"! try-later now\n",
            b"! already-here - you are here\n",
            b"= bye shutting-down\n",
            b"! try-later - \x1b]52;c;b3duZWQ=\x07\n",
            b"! try-later k3v9q2a7-12 x\n",
        ] {
            let words = other.escape_ascii();
            assert_eq!(said(other, other.len()).await, FirstWords::Other, "{words}");
        }
    }

    #[tokio::test]
    async fn little_of_it_is_kept_and_shown() {
        let endless = [&b"! try-later - "[..], &[b'x'; 20_000]].concat();
        for read_by_tls in [0, 100, 20_000] {
            let FirstWords::TryLater(refusal) = said(&endless, read_by_tls).await else {
                panic!("it begins like one");
            };
            assert!(refusal.words.len() <= OPENING_CHARS_MAX + 3);
        }
    }

    #[tokio::test]
    async fn once_the_handshake_is_over_nothing_is_kept() {
        let (ours, mut theirs) = duplex(64);
        let mut opening = Opening::new(ours);
        opening.is_over();
        theirs.write_all(b"abc").await.expect("there is room");
        let mut read = [0; 3];
        opening.read_exact(&mut read).await.expect("three bytes");
        assert_eq!((&read, &opening.heard), (b"abc", &None));
    }
}
