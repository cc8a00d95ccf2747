//! A TCP proxy between a client and a server, which cuts a connection after an exact number of bytes.
//!
//! It counts from where the handshake is over: before that the numbers differ from run to run,
//! because signatures do.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::PATIENCE;

/// How many cuts may be ordered ahead.
const CUTS_MAX: usize = 8;

/// The type of a TLS record that is encrypted (RFC 8446, section 5.1).
const ENCRYPTED: u8 = 23;

/// Passes everything on, connection after connection; it ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    passing: JoinHandle<()>,
}

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The side whose bytes are counted.
    pub side: Side,
    /// How many of them still arrive; with none, it is cut when the first one comes.
    pub after_bytes: usize,
    /// How it is cut.
    pub manner: Manner,
    /// How many connections are cut so, one after the other.
    pub connections: usize,
}

/// The side whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client's bytes, after the greeting has come.
    Client,
    /// The server's bytes, after the client's certificate has come.
    Server,
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Both ends see the end of the stream.
    Close,
    /// Both ends are told that the connection is no longer known.
    Reset,
}

#[derive(Debug)]
struct Order {
    cut: Cut,
    /// Told when the first of the connections is over: whether it was cut.
    done: Option<oneshot::Sender<bool>>,
}

impl Proxy {
    /// Starts a proxy to a server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (orders, mut ordered) = mpsc::channel(CUTS_MAX);
        let passing = tokio::spawn(async move {
            let mut order: Option<Order> = None;
            while let Ok((client, _)) = listener.accept().await {
                // A newer order replaces the rest of an older one.
                while let Ok(newer) = ordered.try_recv() {
                    order = Some(newer);
                }
                let now = order.as_mut().and_then(Order::next);
                tokio::spawn(pass(client, server, now));
            }
        });
        Self {
            address,
            orders,
            passing,
        }
    }

    /// Returns the address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the next connections. Answers when the first of them is over, whether it came so far.
    pub async fn cut(&self, cut: Cut) -> oneshot::Receiver<bool> {
        let (done, is_done) = oneshot::channel();
        let done = Some(done);
        let order = Order { cut, done };
        self.orders.send(order).await.expect("the proxy runs");
        is_done
    }
}

impl Order {
    /// Returns the order for the next connection.
    fn next(&mut self) -> Option<Self> {
        self.cut.connections = self.cut.connections.checked_sub(1)?;
        let done = self.done.take();
        Some(Self {
            cut: self.cut,
            done,
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, order: Option<Order>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    let Some(Order { cut, done }) = order else {
        // Whichever end breaks, the other one sees it.
        let _broken = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    };
    let is_cut = pass_until(&mut client, &mut server, cut).await;
    if is_cut && cut.manner == Manner::Reset {
        for stream in [&client, &server] {
            stream.set_zero_linger().expect("a socket");
        }
    } else {
        // Closing a socket with unread bytes is a reset, and takes back bytes that were sent.
        let (mut scrap, mut scraps) = (tokio::io::sink(), tokio::io::sink());
        let _gone = (client.shutdown().await, server.shutdown().await);
        let _drained = timeout(PATIENCE, async {
            tokio::join!(
                tokio::io::copy(&mut client, &mut scrap),
                tokio::io::copy(&mut server, &mut scraps)
            )
        })
        .await;
    }
    drop((client, server));
    if let Some(done) = done {
        // The test that ordered the cut may not wait for it.
        let _unheard = done.send(is_cut);
    }
}

/// Passes everything on until both ends are closed or the cut has come; whether it was the cut.
async fn pass_until(client: &mut TcpStream, server: &mut TcpStream, cut: Cut) -> bool {
    let mut records = Records::default();
    let mut is_greeted = false;
    let mut left = cut.after_bytes;
    let (mut from_client, mut from_server) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut client_speaks, mut server_speaks) = (true, true);
    while client_speaks || server_speaks {
        let (side, bytes, to) = tokio::select! {
            read = client.read(&mut from_client), if client_speaks => {
                (Side::Client, &from_client[..read.unwrap_or(0)], &mut *server)
            }
            read = server.read(&mut from_server), if server_speaks => {
                (Side::Server, &from_server[..read.unwrap_or(0)], &mut *client)
            }
        };
        match side {
            // The client says nothing before the greeting has come.
            Side::Client if !is_greeted => records.pass(bytes),
            // The server sends no greeting before the client has proved who it is, and the client
            // proves nothing before it has the server's whole handshake.
            Side::Server => is_greeted |= records.has_encrypted,
            Side::Client => {}
        }
        if bytes.is_empty() {
            match side {
                Side::Client => client_speaks = false,
                Side::Server => server_speaks = false,
            }
            // An end that has gone already need not be told.
            let _gone = to.shutdown().await;
            continue;
        }
        let is_counted = is_greeted && side == cut.side;
        let passes = if is_counted {
            left.min(bytes.len())
        } else {
            bytes.len()
        };
        if to.write_all(&bytes[..passes]).await.is_err() {
            return false;
        }
        if is_counted {
            left -= passes;
            if left == 0 {
                return true;
            }
        }
    }
    false
}

/// Looks for the first encrypted record among those that pass.
#[derive(Debug, Default)]
struct Records {
    has_encrypted: bool,
    head: Vec<u8>,
    /// The bytes of the record that are still to come.
    rest: usize,
}

impl Records {
    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.rest > 0 {
                self.rest -= 1;
                continue;
            }
            self.head.push(*byte);
            if let [kind, _, _, high, low] = self.head[..] {
                self.has_encrypted |= kind == ENCRYPTED;
                self.rest = usize::from(u16::from_be_bytes([high, low]));
                self.head.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_encrypted_record_is_found_however_the_bytes_come() {
        let hello = [22, 3, 1, 0, 2, 23, 23];
        let change = [20, 3, 3, 0, 1, 1];
        let proof = [23, 3, 3, 0, 1, 9];
        let clear = [&hello[..], &change].concat();
        for size in 1..=clear.len() {
            let mut records = Records::default();
            for chunk in clear.chunks(size) {
                records.pass(chunk);
            }
            assert!(!records.has_encrypted);
            for chunk in proof.chunks(size) {
                records.pass(chunk);
            }
            assert!(records.has_encrypted);
        }
    }
}
