//! Sockets: where a server listens, and the options of each connection.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::os;

/// Connections that the system holds for us before they are accepted.
const LISTEN_BACKLOG: i32 = 1024;

/// Listens, on IPv6 and IPv4 at once where the address is `[::]`.
///
/// # Errors
///
/// When the address cannot be listened on.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    os::reuse_address(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Sets what every connection has: no delay, and signs of life.
///
/// Of a `silence_timeout` of 75 seconds: the system asks a quiet peer after 27, 43 and 59, and ends the
/// connection after 75. It ends a connection whose peer takes nothing after 60, as `outbound.rs` does
/// by default. The system counts from an earlier moment: when data first waited for the peer, not
/// when the system had no more room for it.
pub(crate) fn prepare(stream: &TcpStream, silence_timeout: Duration) -> std::io::Result<()> {
    // The system counts in whole seconds, and takes no zero.
    const SECOND: Duration = Duration::from_secs(1);
    // Without this an exchange takes 44 ms instead of 1.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // The first question that is due after the user timeout ends a quiet connection instead.
    let keepalive = TcpKeepalive::new()
        .with_time((silence_timeout * 9 / 25).max(SECOND))
        .with_interval((silence_timeout * 16 / 75).max(SECOND));
    socket.set_tcp_keepalive(&keepalive)?;
    os::set_user_timeout(&socket, silence_timeout * 4 / 5)
}

/// Sends what the system takes at once, to a connection to which nothing was sent before. There may be nobody
/// to hear it, so nothing comes of a failure.
// Not `try_write`, which takes nothing until the runtime has heard that the socket is ready.
pub(crate) fn send_at_once(stream: &TcpStream, bytes: &[u8]) {
    let _sent = SockRef::from(stream).send(bytes);
}

/// An address as it is shown and recorded: IPv4 as IPv4, without port or zone.
pub(crate) fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_shown_as_one() {
        let address = "[::ffff:127.0.0.1]:9".parse().expect("an address");
        assert_eq!(canonical(address).to_string(), "127.0.0.1");
    }
}
