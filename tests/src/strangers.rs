//! People without a certificate who take up room: many connections, from many addresses of this machine,
//! that say a little and then fall silent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pki::Bundle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::within;

/// How often one connection is opened again when it was ended, so that a test ends by itself.
const AGAIN_MAX: usize = 200;

/// How many there are, and what they say.
#[derive(Debug, Clone)]
pub struct Siege {
    /// Addresses, each in 127.0.0.0/8.
    pub addresses: u16,
    /// Connections from each of them.
    pub connections: usize,
    /// The bytes that each connection sends before it falls silent.
    pub opening: Vec<u8>,
}

/// Strangers, for as long as this is kept. A connection that the server ends is opened again.
#[derive(Debug)]
pub struct Strangers {
    _tasks: JoinSet<()>,
    opened: watch::Receiver<usize>,
    heard: watch::Receiver<usize>,
    wanted: usize,
}

impl Strangers {
    /// Begins.
    pub fn besiege(server: SocketAddr, siege: Siege) -> Self {
        let mut tasks = JoinSet::new();
        let (opened, seen_opened) = watch::channel(0);
        let (heard, seen_heard) = watch::channel(0);
        let (opened, heard) = (Arc::new(opened), Arc::new(heard));
        let opening: Arc<[u8]> = siege.opening.into();
        for address in 0..siege.addresses {
            for _ in 0..siege.connections {
                let (opened, heard, opening) = (opened.clone(), heard.clone(), opening.clone());
                tasks.spawn(async move {
                    for _ in 0..AGAIN_MAX {
                        let Ok(mut stream) = connect_from(address, server).await else {
                            continue;
                        };
                        if stream.write_all(&opening).await.is_err() {
                            continue;
                        }
                        opened.send_modify(|opened| *opened += 1);
                        let mut answer = [0; 4096];
                        if matches!(stream.read(&mut answer).await, Ok(1..)) {
                            heard.send_modify(|heard| *heard += 1);
                            while matches!(stream.read(&mut answer).await, Ok(1..)) {}
                        }
                    }
                });
            }
        }
        Self {
            _tasks: tasks,
            opened: seen_opened,
            heard: seen_heard,
            wanted: usize::from(siege.addresses) * siege.connections,
        }
    }

    /// Waits until as many connections were opened as there are to be.
    pub async fn are_here(&mut self) {
        let wanted = self.wanted;
        let all = self.opened.wait_for(|opened| *opened >= wanted);
        within("strangers", all).await.expect("they go on");
    }

    /// Waits until the server has answered this many of them.
    pub async fn have_heard(&mut self, answers: usize) {
        let all = self.heard.wait_for(|heard| *heard >= answers);
        within("answers to strangers", all)
            .await
            .expect("they go on");
    }
}

/// Returns a connection from one of this machine's many addresses.
///
/// # Errors
///
/// When the connection cannot be made.
pub async fn connect_from(address: u16, server: SocketAddr) -> std::io::Result<TcpStream> {
    let (group, host) = (address % 100, address / 100);
    let octet = |number: u16| u8::try_from(number).expect("at most 25,000 addresses");
    let socket = TcpSocket::new_v4()?;
    // Not 127.0.0.1, from which members come.
    // Each of the first hundred has a /24 of its own.
    socket.bind(SocketAddr::from((
        [127, 77, octet(group), octet(host + 1)],
        0,
    )))?;
    tokio::time::timeout(Duration::from_secs(10), socket.connect(server)).await?
}

/// Returns a ClientHello as our client sends it.
pub fn client_hello(bundle: &Bundle) -> Vec<u8> {
    let config = pki::client_config(bundle, &[]).expect("a client's TLS");
    let name = "localhost".try_into().expect("a name");
    let mut hello = Vec::new();
    rustls::ClientConnection::new(config, name)
        .expect("a handshake")
        .write_tls(&mut hello)
        .expect("a ClientHello");
    hello
}

/// Returns the first bytes of a ClientHello of 16 KiB, the rest of which never comes.
pub fn large_hello(bytes: usize) -> Vec<u8> {
    // A handshake record (22) of 16,000 bytes, and in it the beginning of a ClientHello (1) of 15,996.
    let mut hello = vec![22, 3, 1, 0x3e, 0x80, 1, 0, 0x3e, 0x7c, 3, 3];
    hello.resize(bytes, 0);
    hello
}
