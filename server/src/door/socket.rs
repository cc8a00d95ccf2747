//! Sockets: the one that listens, and the options of each connection.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::os;

/// Connections that the system queues before they are accepted.
const LISTEN_BACKLOG: i32 = 1024;

/// Listens on the address; `[::]` means IPv6 and IPv4.
///
/// # Errors
///
/// When the system refuses the address.
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

/// Sets the options of every connection: no delay, and keepalive.
///
/// With a `silence_timeout` of 75 seconds, the system probes a quiet peer after 27, 43 and 59
/// seconds and ends the connection after 75. It ends a connection whose peer accepts no data after
/// 60 seconds, as the session does by default. The system starts counting earlier: when data
/// first waited for the peer, not when the system had no more room for it.
pub(crate) fn prepare(stream: &TcpStream, silence_timeout: Duration) -> std::io::Result<()> {
    // The system counts in whole seconds and does not accept zero.
    const SECOND: Duration = Duration::from_secs(1);
    // Without this an exchange takes 44 ms instead of 1.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // The first probe that is due after the user timeout ends a quiet connection instead.
    let keepalive = TcpKeepalive::new()
        .with_time((silence_timeout * 9 / 25).max(SECOND))
        .with_interval((silence_timeout * 16 / 75).max(SECOND));
    socket.set_tcp_keepalive(&keepalive)?;
    os::set_user_timeout(&socket, silence_timeout * 4 / 5)
}

/// Sends the part of `bytes` that the system accepts at once, on a connection to which nothing was
/// sent before. A failure is ignored, because there may be no peer to receive it.
// Not `try_write`, which sends nothing until the runtime has learned that the socket is ready.
pub(crate) fn send_at_once(stream: &TcpStream, bytes: &[u8]) {
    let _sent = SockRef::from(stream).send(bytes);
}

/// Returns an address as it is shown and recorded: IPv4 as IPv4, without port or zone.
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
