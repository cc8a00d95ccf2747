//! The server's end of TLS over a socket, which holds buffers only while they are needed.
//!
//! rustls can keep its own buffers, and then holds 4 KiB for as long as a connection lasts. Most
//! connections are quiet most of the time. So the buffers are ours: one exists only while a record
//! is incomplete, the reader has not read all of it, or the socket has not accepted all of it.

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

/// The size of a ClientHello with a post-quantum key share; larger ones get more room.
const HELLO_BYTES: usize = 2 * 1024;

/// The largest ClientHello that is accepted, including the headers of its records. Anybody can send
/// one.
const HELLO_BYTES_MAX: usize = 16 * 1024;

/// A larger ClientHello, which no client known to us sends, needs one of [`LARGE_HELLOS_MAX`]
/// permits.
const SMALL_HELLO_BYTES_MAX: usize = 4 * 1024;

/// Large ClientHellos at once. This bounds the memory of all connections before their clients have
/// done any work that costs them something.
const LARGE_HELLOS_MAX: usize = 256;

static LARGE_HELLOS: Semaphore = Semaphore::const_new(LARGE_HELLOS_MAX);

/// Bytes read at once.
const READ_BYTES: usize = 4 * 1024;

/// The largest record, with its header (RFC 8446, section 5.2).
const RECORD_BYTES_MAX: usize = 5 + 16 * 1024 + 256;

/// The limit on a buffered record or message that is incomplete. A message may span many records.
const INCOMING_BYTES_MAX: usize = 64 * 1024;

/// Bytes encrypted at once: as much as a session writes, and one line more. Further data waits
/// until all of it has left.
const WRITE_BYTES_MAX: usize = 80 * 1024;

thread_local! {
    /// Encrypted bytes go to the socket from here, usually all of them at once.
    static SEALED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A complete ClientHello, and its socket.
pub(crate) struct ClientHello<S> {
    socket: S,
    /// The ClientHello, and any bytes that arrived with it.
    bytes: BytesMut,
    /// Held for as long as a large ClientHello is kept.
    large: Option<SemaphorePermit<'static>>,
}

/// A connection whose ClientHello was answered.
pub(crate) struct Handshake<S>(TlsStream<S>);

/// A connection whose handshake is complete.
pub(crate) struct TlsStream<S> {
    socket: S,
    tls: UnbufferedServerConnection,
    /// An incomplete record or message.
    incoming: BytesMut,
    /// Decrypted bytes that are not read yet.
    plaintext: BytesMut,
    /// Encrypted bytes that have not left yet.
    outgoing: BytesMut,
    reading: Reading,
    is_closing: bool,
}

/// Whether more can be read.
enum Reading {
    Open,
    /// The peer has closed its half properly.
    Closed,
    /// The connection ended without that: data may be missing.
    Torn,
    Failed(rustls::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientHello<S> {
    /// Reads until the ClientHello is complete, without a time limit.
    ///
    /// # Errors
    ///
    /// When something else arrives. The peer has been told if there is an alert for it. The error
    /// includes the socket to close.
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
                        // A peer that is gone needs no alert, and a failure to send it is not the
                        // error to report.
                        let _sent = socket.write_all(&sealed).await;
                        return Err(invalid(failure));
                    }
                }
            }
            judged = bytes.len();
            // Many connections wait with a small ClientHello, so no second copy of it is kept.
            // Parsing all of a large one again at each read would cost more.
            if !is_large {
                acceptor = Acceptor::default();
                judged = 0;
            }
        }
    }

    /// Returns the ClientHello as it came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the socket, to which nothing was sent.
    pub(crate) fn into_socket(self) -> S {
        self.socket
    }

    /// Answers the ClientHello, which takes processor time and does not wait. Nothing is sent
    /// before [`Handshake::finish`].
    ///
    /// # Errors
    ///
    /// When rustls refuses the configuration. The error includes the socket to close.
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
    /// Returns the answer as it will be sent.
    pub(crate) fn answer(&self) -> &[u8] {
        &self.0.outgoing
    }

    /// Sends the answer and waits for the client's part of the handshake.
    ///
    /// # Errors
    ///
    /// When the handshake fails. The peer has been told if rustls has an alert for the failure. The
    /// error includes the socket to close.
    pub(crate) async fn finish(self) -> Result<TlsStream<S>, (io::Error, S)> {
        let mut stream = self.0;
        match stream.shake().await {
            Ok(()) => Ok(stream),
            Err(failure) => Err((failure, stream.socket)),
        }
    }
}

impl<S> TlsStream<S> {
    /// Returns the parameters of the connection.
    pub(crate) fn tls(&self) -> &CommonState {
        &self.tls
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    fn take_hello(&mut self, hello: &mut [u8]) {
        self.take(hello, &mut ReadBuf::new(&mut []));
    }

    /// Processes new bytes. Plaintext that does not fit into `room` is kept; so are failures, until
    /// it was read.
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

    /// Gives up: too many bytes of an incomplete message have come. Only rustls can encrypt an
    /// alert, and it does so only when it fails itself; so it is given an invalid rest of a record.
    fn give_up(&mut self) {
        let mut incoming = mem::take(&mut self.incoming);
        incoming.resize(incoming.len() + RECORD_BYTES_MAX, 0);
        self.open(&mut incoming, &mut ReadBuf::new(&mut []));
        let too_large = InvalidMessage::HandshakePayloadTooLarge;
        self.reading = Reading::Failed(too_large.into());
    }

    /// Decrypts every complete record. Returns the number of bytes consumed.
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
                // Queued records leave in their order, and nothing is encrypted before.
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => self.reading = Reading::Closed,
                Ok(
                    ConnectionState::BlockedHandshake
                    | ConnectionState::WriteTraffic(_)
                    | ConnectionState::Closed,
                ) => return used,
                // Early data, which the configuration does not allow, and states that rustls may
                // add.
                Ok(other) => {
                    let words = format!("unexpected state of TLS: {other:?}");
                    self.reading = Reading::Failed(rustls::Error::General(words));
                    return used;
                }
                Err(failure) => {
                    self.reading = Reading::Failed(failure);
                    // Nothing more is decrypted: only the alert is fetched.
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

    /// Encrypts into `sealed`, which grows to the size needed. Returns the number of bytes.
    fn seal(
        &mut self,
        sealed: &mut Vec<u8>,
        seal: impl Fn(
            &mut WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        // Every complete record was decrypted, but rustls may still need an incomplete message in
        // here.
        let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut self.incoming);
        debug_assert_eq!(discard, 0, "every complete record was taken");
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
            // Before anything else: a peer that was told of a failure may be gone by now.
            self.reading.check()?;
            sent?;
            if !self.tls.is_handshaking() {
                return Ok(());
            }
            std::future::poll_fn(|cx| self.poll_take(cx, &mut ReadBuf::new(&mut []))).await?;
        }
    }

    /// Reads from the socket once, into a buffer on the stack, so that a waiting connection holds
    /// none.
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

    /// Sends encrypted bytes that have not left yet.
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
                    // The peer may still be able to receive the alert; whoever flushes or closes
                    // sends the part that does not leave at once.
                    let _sent = this.poll_send(cx);
                    return Poll::Ready(Err(failure));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    /// Encrypts the bytes and sends as much as leaves at once. Whoever writes, flushes or closes
    /// next sends the rest.
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
                // The record has its number in the stream already, so it is kept: whoever sends
                // next meets the same failure, if it persists.
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

    /// Sends close_notify once, and closes that half of the connection.
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
            // A peer that is gone needs no close_notify.
            Err(failure) if failure.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }
}

impl Reading {
    /// Returns whether more can be read; `false` when the peer has closed its half.
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
    // An empty buffer is too small, so the error tells the size.
    if let Err(EncodeError::InsufficientSize(short)) = record.encode(&mut []) {
        let start = outgoing.len();
        outgoing.resize(start + short.required_size, 0);
        record
            .encode(&mut outgoing[start..])
            .expect("it is as large as it said");
    }
}

/// Returns the alert for a ClientHello for which rustls has none: before there are keys, it is
/// plain text (RFC 8446, sections 5.1 and 6.2).
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
