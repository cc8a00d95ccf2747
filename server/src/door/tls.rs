//! The server's end of TLS over a socket, which keeps no room for what is not there.
//!
//! rustls can keep its own buffers, and holds 4 KiB of them for as long as a connection lasts. Most
//! connections are quiet most of the time. So the buffers are ours: there is one as long as a record
//! has come in part, the reader has not taken all of it, or the socket has not.

use std::cell::Cell;
use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use rustls::server::{Acceptor, ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{AlertDescription, CommonState, InvalidMessage, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What a ClientHello takes, with a share of a key that is good against quantum computers; larger ones
/// are given more room.
const HELLO_BYTES: usize = 2 * 1024;

/// The largest that is waited for, with whatever its records add; it comes from anybody.
const HELLO_BYTES_MAX: usize = 16 * 1024;

/// A hello larger than this, which no client known to us sends, needs one of [`LARGE_HELLOS_MAX`] places.
const SMALL_HELLO_BYTES_MAX: usize = 4 * 1024;

/// Large hellos at once, so that all connections together cannot hold much memory before they have said
/// anything that costs their clients something.
const LARGE_HELLOS_MAX: usize = 256;

static LARGE_HELLOS: Semaphore = Semaphore::const_new(LARGE_HELLOS_MAX);

/// What is read at once.
const READ_BYTES: usize = 4 * 1024;

/// The largest record, with its header (RFC 8446, section 5.2).
const RECORD_BYTES_MAX: usize = 5 + 16 * 1024 + 256;

/// What is kept of a record or a message that has not come whole. A message may be in many records.
const INCOMING_BYTES_MAX: usize = 64 * 1024;

/// What is sealed at once: what a session writes, with a line more. The rest has to wait until all of
/// it has left.
const WRITE_BYTES_MAX: usize = 80 * 1024;

thread_local! {
    /// What is sealed goes to the socket from here, and as a rule all of it at once.
    static SEALED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A ClientHello that has come whole, and where from.
pub(crate) struct ClientHello<S> {
    socket: S,
    /// What came with it, too.
    bytes: BytesMut,
    /// Held for as long as the hello is, if it is a large one.
    large: Option<SemaphorePermit<'static>>,
}

/// A connection whose ClientHello was answered.
pub(crate) struct Handshake<S>(TlsStream<S>);

/// A connection whose handshake is over.
pub(crate) struct TlsStream<S> {
    socket: S,
    tls: UnbufferedServerConnection,
    /// What has come of a record, or of a message, that has not come whole.
    incoming: BytesMut,
    /// What was opened and is not read.
    plaintext: BytesMut,
    /// What was sealed and has not left.
    outgoing: BytesMut,
    reading: Reading,
    is_closing: bool,
}

/// Whether more can be read.
enum Reading {
    Open,
    /// The peer has said that it is done.
    Closed,
    /// The connection ended, and the peer had not said so: something may be missing.
    Torn,
    Failed(rustls::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientHello<S> {
    /// Reads until there is a whole one, however long that takes.
    ///
    /// # Errors
    ///
    /// When what comes is something else, which the peer has been told as far as rustls has an alert for
    /// it; and then with what can be closed.
    pub(crate) async fn read(mut socket: S) -> Result<Self, (io::Error, S)> {
        let mut bytes = BytesMut::with_capacity(HELLO_BYTES);
        match Self::try_read(&mut socket, &mut bytes).await {
            Ok(large) => Ok(Self {
                socket,
                bytes,
                large,
            }),
            Err(failure) => Err((failure, socket)),
        }
    }

    async fn try_read(
        socket: &mut S,
        bytes: &mut BytesMut,
    ) -> io::Result<Option<SemaphorePermit<'static>>> {
        let mut large = None;
        let mut acceptor = Acceptor::default();
        let mut judged = 0;
        loop {
            if socket.read_buf(bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_large = bytes.len() > SMALL_HELLO_BYTES_MAX;
            if is_large && large.is_none() {
                large = LARGE_HELLOS.try_acquire().ok();
            }
            if bytes.len() > HELLO_BYTES_MAX || (is_large && large.is_none()) {
                let failure = InvalidMessage::HandshakePayloadTooLarge.into();
                let _sent = socket.write_all(&alert_for(&failure)).await;
                return Err(invalid(failure));
            }
            let mut new = &bytes[judged..];
            while !new.is_empty() {
                acceptor.read_tls(&mut new)?;
                match acceptor.accept() {
                    Ok(Some(_)) => return Ok(large),
                    Ok(None) => {}
                    Err((failure, mut alert)) => {
                        let mut sealed = Vec::new();
                        alert.write_all(&mut sealed)?;
                        if sealed.is_empty() {
                            sealed.extend(alert_for(&failure));
                        }
                        // A peer that is gone needs no alert, and that is not what went wrong.
                        let _sent = socket.write_all(&sealed).await;
                        return Err(invalid(failure));
                    }
                }
            }
            judged = bytes.len();
            // Many wait with a small hello, so that no second copy of it is kept. To judge all of a
            // large one again at each read would cost more.
            if !is_large {
                acceptor = Acceptor::default();
                judged = 0;
            }
        }
    }

    /// The connection, to which nothing was said.
    pub(crate) fn into_socket(self) -> S {
        self.socket
    }

    /// Answers it, which takes processor time and does not wait. Nothing is sent before [`Handshake::finish`].
    ///
    /// # Errors
    ///
    /// When rustls takes no such configuration; and then with what can be closed.
    pub(crate) fn answer(
        mut self,
        config: Arc<ServerConfig>,
    ) -> Result<Handshake<S>, (io::Error, S)> {
        let tls = match UnbufferedServerConnection::new(config) {
            Ok(tls) => tls,
            Err(failure) => return Err((invalid(failure), self.socket)),
        };
        let mut stream = TlsStream {
            socket: self.socket,
            tls,
            incoming: BytesMut::new(),
            plaintext: BytesMut::new(),
            outgoing: BytesMut::new(),
            reading: Reading::Open,
            is_closing: false,
        };
        stream.take_hello(&mut self.bytes);
        drop(self.large);
        Ok(Handshake(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handshake<S> {
    /// Sends the answer, and waits for the client's part.
    ///
    /// # Errors
    ///
    /// When the handshake fails, which the peer has been told as far as rustls has an alert for it; and
    /// then with what can be closed.
    pub(crate) async fn finish(self) -> Result<TlsStream<S>, (io::Error, S)> {
        let mut stream = self.0;
        match stream.shake().await {
            Ok(()) => Ok(stream),
            Err(failure) => Err((failure, stream.socket)),
        }
    }
}

impl<S> TlsStream<S> {
    /// What was agreed on.
    pub(crate) fn tls(&self) -> &CommonState {
        &self.tls
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    fn take_hello(&mut self, hello: &mut [u8]) {
        self.take(hello, &mut ReadBuf::new(&mut []));
    }

    /// Takes what has come. What there is no room for is kept; so are failures, until that was read.
    fn take(&mut self, new: &mut [u8], room: &mut ReadBuf<'_>) {
        if self.incoming.is_empty() {
            let used = self.open(new, room);
            self.incoming.extend_from_slice(&new[used..]);
        } else {
            let mut incoming = mem::take(&mut self.incoming);
            incoming.extend_from_slice(new);
            let used = self.open(&mut incoming, room);
            incoming.advance(used);
            if !incoming.is_empty() {
                self.incoming = incoming;
            }
        }
        if self.incoming.len() > INCOMING_BYTES_MAX {
            self.give_up();
        }
        if !matches!(self.reading, Reading::Open) {
            self.incoming = BytesMut::new();
        }
    }

    /// Too much has come of a message that is not whole. Only rustls can seal an alert, and it does so when
    /// it fails itself; so it is given the rest of a record, which is none.
    fn give_up(&mut self) {
        let mut incoming = mem::take(&mut self.incoming);
        incoming.resize(incoming.len() + RECORD_BYTES_MAX, 0);
        self.open(&mut incoming, &mut ReadBuf::new(&mut []));
        let too_large = InvalidMessage::HandshakePayloadTooLarge;
        self.reading = Reading::Failed(too_large.into());
    }

    /// Opens the records that have come whole, and how much those were.
    fn open(&mut self, incoming: &mut [u8], room: &mut ReadBuf<'_>) -> usize {
        let mut used = 0;
        loop {
            let UnbufferedStatus { discard, state } =
                self.tls.process_tls_records(&mut incoming[used..]);
            used += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut records)) => {
                    while let Some(Ok(record)) = records.next_record() {
                        used += record.discard;
                        let fits = record.payload.len().min(room.remaining());
                        let (now, later) = record.payload.split_at(fits);
                        room.put_slice(now);
                        self.plaintext.extend_from_slice(later);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(record)) => queue(record, &mut self.outgoing),
                // What was queued leaves in its order, and nothing is sealed before.
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => self.reading = Reading::Closed,
                Ok(
                    ConnectionState::BlockedHandshake
                    | ConnectionState::WriteTraffic(_)
                    | ConnectionState::Closed,
                ) => return used,
                // Early data, which the configuration does not allow, and whatever rustls may come to have.
                Ok(other) => {
                    let words = format!("not expected of TLS: {other:?}");
                    self.reading = Reading::Failed(rustls::Error::General(words));
                    return used;
                }
                Err(failure) => {
                    self.reading = Reading::Failed(failure);
                    // And nothing more is opened: the alert is all that is asked for.
                    while self.tls.wants_write()
                        && let Ok(ConnectionState::EncodeTlsData(alert)) =
                            self.tls.process_tls_records(&mut incoming[used..]).state
                    {
                        queue(alert, &mut self.outgoing);
                    }
                    return used;
                }
            }
        }
    }

    /// Seals into `sealed`, which becomes as large as that takes, and how much it is.
    fn seal(
        &mut self,
        sealed: &mut Vec<u8>,
        seal: impl Fn(
            &mut WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        // All that has come whole was opened, but for rustls a message may still be in here.
        let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut self.incoming);
        debug_assert_eq!(discard, 0, "all that has come whole was taken");
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        loop {
            match seal(&mut traffic, sealed) {
                Ok(length) => return Ok(length),
                Err(EncryptError::InsufficientSize(short)) => {
                    sealed.resize(short.required_size, 0);
                }
                Err(exhausted) => return Err(io::Error::other(exhausted)),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    async fn shake(&mut self) -> io::Result<()> {
        loop {
            let sent = self.flush().await;
            // Before anything else: who was told of a failure may be gone by now.
            self.reading.check()?;
            sent?;
            if !self.tls.is_handshaking() {
                return Ok(());
            }
            std::future::poll_fn(|cx| self.poll_take(cx, &mut ReadBuf::new(&mut []))).await?;
        }
    }

    /// Reads from the socket once. What that is read into is on the stack, so that a connection which
    /// waits holds no room for it.
    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut new = [MaybeUninit::uninit(); READ_BYTES];
        let mut new = ReadBuf::uninit(&mut new);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut new))?;
        if new.filled().is_empty() {
            self.reading = Reading::Torn;
        } else {
            self.take(new.filled_mut(), room);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what was sealed and has not left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.outgoing.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.outgoing))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(sent);
        }
        self.outgoing = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = room.remaining();
        if !this.plaintext.is_empty() {
            let fits = this.plaintext.len().min(before);
            room.put_slice(&this.plaintext[..fits]);
            this.plaintext.advance(fits);
            if this.plaintext.is_empty() {
                this.plaintext = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        while before > 0 && room.remaining() == before {
            match this.reading.check() {
                Ok(true) => ready!(this.poll_take(cx, room))?,
                Ok(false) => break,
                Err(failure) => {
                    // Whoever is told why may still be able to hear it; what does not go at once is
                    // sent by whoever flushes or closes.
                    let _sent = this.poll_send(cx);
                    return Poll::Ready(Err(failure));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    /// Seals what there is, and sends as much of that as goes at once. The rest is sent by whoever
    /// writes, flushes or closes next.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_closing || matches!(this.reading, Reading::Failed(_)) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(this.poll_send(cx))?;
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut scratch = SEALED.take();
        let sent = this
            .seal(&mut scratch, |traffic, sealed| {
                traffic.encrypt(bytes, sealed)
            })
            .map(|length| {
                let sealed = &scratch[..length];
                // It has its number in the stream already, so it is kept: whoever sends next meets what
                // failed here, if it still does.
                let sent = match Pin::new(&mut this.socket).poll_write(cx, sealed) {
                    Poll::Ready(Ok(sent)) => sent,
                    Poll::Ready(Err(_)) | Poll::Pending => 0,
                };
                this.outgoing.extend_from_slice(&sealed[sent..]);
                bytes.len()
            });
        SEALED.set(scratch);
        Poll::Ready(sent)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    /// Says that nothing more is written, once, and closes that half of the connection.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !mem::replace(&mut this.is_closing, true) && !matches!(this.reading, Reading::Failed(_))
        {
            let mut sealed = Vec::new();
            let length = this.seal(&mut sealed, |traffic, sealed| {
                traffic.queue_close_notify(sealed)
            })?;
            this.outgoing.extend_from_slice(&sealed[..length]);
        }
        ready!(this.poll_send(cx))?;
        match ready!(Pin::new(&mut this.socket).poll_shutdown(cx)) {
            // Who is not there any more needs no telling.
            Err(failure) if failure.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }
}

impl Reading {
    /// Whether it may go on; if not, because the peer is done.
    fn check(&self) -> io::Result<bool> {
        match self {
            Self::Open => Ok(true),
            Self::Closed => Ok(false),
            Self::Torn => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Failed(failure) => Err(invalid(failure.clone())),
        }
    }
}

fn queue(mut record: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut BytesMut) {
    // Nothing fits into nothing, and so it says how large it is.
    if let Err(EncodeError::InsufficientSize(short)) = record.encode(&mut []) {
        let start = outgoing.len();
        outgoing.resize(start + short.required_size, 0);
        record
            .encode(&mut outgoing[start..])
            .expect("it is as large as it said");
    }
}

/// The alert for a ClientHello to which rustls has none: without keys yet, it is in plain text (RFC 8446,
/// sections 5.1 and 6.2).
fn alert_for(failure: &rustls::Error) -> [u8; 7] {
    const ALERT: u8 = 21;
    const FATAL: u8 = 2;
    let alert = match failure {
        rustls::Error::InvalidMessage(_) => AlertDescription::DecodeError,
        _ => AlertDescription::UnexpectedMessage,
    };
    [ALERT, 3, 3, 0, 2, FATAL, alert.into()]
}

fn invalid(failure: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, failure)
}

#[cfg(test)]
mod tests;
