//! Sockets: where a server listens, what a connection came through, what is set on it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the system holds for us before they are accepted.
const LISTEN_BACKLOG: i32 = 1024;

/// A list of interfaces older than this is read again.
const INTERFACES_AGE_MAX: Duration = Duration::from_secs(10);

/// The same where it lacks an address: that interface may be new. Some addresses never have one, as
/// behind a translator, and to read the list for each connection would cost more than the connection.
const INTERFACES_AGE_MIN: Duration = Duration::from_secs(1);

/// The server's own end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalEnd {
    pub(crate) ip: IpAddr,
    /// `None` when no interface has that address, as behind some translators.
    pub(crate) interface: Option<Interface>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: Option<u32>,
    pub(crate) prefix_bits: u8,
}

/// This machine's interfaces, as they were a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    list: Vec<(IpAddr, Interface)>,
    read_at: Option<Instant>,
}

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
    // On Windows this would let another program take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
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
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(silence_timeout * 4 / 5))?;
    Ok(())
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

/// What counts as one address when connections are counted: an IPv6 /64 is one household.
pub(crate) fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

impl Interfaces {
    /// The interface that has an address of this machine.
    pub(crate) fn local_end(&mut self, ip: IpAddr) -> LocalEnd {
        self.local_end_at(ip, Instant::now(), || {
            // Not to know the interface is no reason to refuse a person.
            let found = if_addrs::get_if_addrs().unwrap_or_default();
            found.iter().map(describe).collect()
        })
    }

    fn local_end_at(
        &mut self,
        ip: IpAddr,
        now: Instant,
        read: impl FnOnce() -> Vec<(IpAddr, Interface)>,
    ) -> LocalEnd {
        let age_max = match self.find(ip) {
            Some(_) => INTERFACES_AGE_MAX,
            None => INTERFACES_AGE_MIN,
        };
        if self.read_at.is_none_or(|at| now - at > age_max) {
            self.list = read();
            self.read_at = Some(now);
        }
        LocalEnd {
            ip,
            interface: self.find(ip).cloned(),
        }
    }

    fn find(&self, ip: IpAddr) -> Option<&Interface> {
        self.list
            .iter()
            .find(|(address, _)| *address == ip)
            .map(|(_, interface)| interface)
    }
}

fn describe(found: &if_addrs::Interface) -> (IpAddr, Interface) {
    let prefix_bits = match &found.addr {
        if_addrs::IfAddr::V4(v4) => v4.prefixlen,
        if_addrs::IfAddr::V6(v6) => v6.prefixlen,
    };
    (
        found.ip(),
        Interface {
            name: found.name.clone(),
            index: found.index,
            prefix_bits,
        },
    )
}

impl fmt::Display for LocalEnd {
    /// `192.0.2.1/24 eth0#2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        let Some(interface) = &self.interface else {
            return Ok(());
        };
        write!(f, "/{} {}", interface.prefix_bits, interface.name)?;
        interface
            .index
            .map_or(Ok(()), |index| write!(f, "#{index}"))
    }
}

/// A stream that counts what leaves it, so that a slow write can be told from a stalled one.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    written: Arc<AtomicU64>,
}

impl<S> Metered<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            written: Arc::default(),
        }
    }

    /// The bytes that have left so far.
    pub(crate) fn written(&self) -> Arc<AtomicU64> {
        self.written.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = wrote {
            self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        wrote
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_64_counts_as_one_address() {
        let near = |text: &str| neighbourhood(text.parse().expect("an address")).to_string();
        assert_eq!(near("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(near("2001:db8:1:2::"), near("2001:db8:1:2:ffff::1"));
        assert_ne!(near("2001:db8:1:2::"), near("2001:db8:1:3::"));
        assert_eq!(near("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn loopback_has_an_interface() {
        let end = Interfaces::default().local_end("127.0.0.1".parse().expect("an address"));
        let interface = end.interface.expect("the loopback interface");
        assert_eq!(interface.prefix_bits, 8);
        assert!(!interface.name.is_empty());
    }

    #[test]
    fn an_address_without_an_interface_has_the_list_read_once_a_second() {
        let mut interfaces = Interfaces::default();
        let began = Instant::now();
        let mut reads = 0;
        for milliseconds in 0..2500 {
            let now = began + Duration::from_millis(milliseconds);
            let ip = "192.0.2.1".parse().expect("an address");
            let end = interfaces.local_end_at(ip, now, || {
                reads += 1;
                Vec::new()
            });
            assert_eq!(end.interface, None);
        }
        assert_eq!(reads, 3);
    }

    #[test]
    fn a_new_interface_is_found_and_a_known_one_is_not_looked_for() {
        let mut interfaces = Interfaces::default();
        let (ip, began) = ("192.0.2.1".parse().expect("an address"), Instant::now());
        let here = || {
            let interface = Interface {
                name: "eth0".to_owned(),
                index: Some(2),
                prefix_bits: 24,
            };
            vec![(ip, interface)]
        };
        let later = |seconds: u64| began + Duration::from_millis(1000 * seconds + 1);
        assert_eq!(interfaces.local_end_at(ip, began, Vec::new).interface, None);
        let found = interfaces.local_end_at(ip, later(1), here);
        assert_eq!(found.to_string(), "192.0.2.1/24 eth0#2");
        let known = interfaces.local_end_at(ip, later(10), || unreachable!("it is known"));
        assert_eq!(known, found);
        let gone = interfaces.local_end_at(ip, later(12), Vec::new);
        assert_eq!(gone.interface, None);
    }

    #[test]
    fn an_ipv4_address_is_shown_as_one() {
        let address = "[::ffff:127.0.0.1]:9".parse().expect("an address");
        assert_eq!(canonical(address).to_string(), "127.0.0.1");
    }
}
