//! A TLS connection below the client crate, for tests that do what a real client would not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use pki::Bundle;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::{Entry, Kind, LineDecoder, Reply, ServerLine, Welcome};

use crate::{Served, Site, within};

/// A connection, whose lines are read one by one.
#[derive(Debug)]
pub struct Peer {
    /// The connection itself.
    pub stream: TlsStream<TcpStream>,
    decoder: LineDecoder,
    buffer: BytesMut,
}

/// A text and its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The author.
    pub id: String,
    /// The text; of an enter or a leave, what the transcript says.
    pub text: String,
}

/// Returns an author and a text, to compare with.
pub fn said(id: &str, text: &str) -> Said {
    Said {
        id: id.to_owned(),
        text: text.to_owned(),
    }
}

impl Peer {
    /// Connects and shakes hands. In TLS 1.3 that says nothing about being let in.
    ///
    /// # Errors
    ///
    /// When the connection or the handshake fails on this side.
    pub async fn connect(
        address: SocketAddr,
        bundle: &Bundle,
        alpn: &[&[u8]],
    ) -> std::io::Result<Self> {
        let config = pki::client_config(bundle, alpn).expect("a client's TLS");
        Self::connect_with(address, config).await
    }

    /// Connects with any TLS configuration.
    ///
    /// # Errors
    ///
    /// When the connection or the handshake fails on this side.
    pub async fn connect_with(
        address: SocketAddr,
        config: Arc<rustls::ClientConfig>,
    ) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        let decoder = LineDecoder::new(wire::limits::SERVER_LINE_BYTES_MAX);
        Ok(Self {
            stream,
            decoder,
            buffer: BytesMut::new(),
        })
    }

    /// Sends bytes as they are, to a server that may be gone.
    ///
    /// # Errors
    ///
    /// When the connection broke.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("sending", self.try_send(bytes.as_ref()))
            .await
            .expect("the connection is there");
    }

    /// Says a text, or a command.
    pub async fn say(&mut self, text: &str) {
        self.send(format!("{text}\n")).await;
    }

    /// Returns the next line; `None` at the end of the connection, however it ended.
    pub async fn next_line(&mut self) -> Option<String> {
        within("reading", self.read_line()).await.unwrap_or(None)
    }

    /// Returns the next line; `None` if the server ended the connection cleanly.
    ///
    /// # Errors
    ///
    /// When the connection broke.
    pub async fn read_line(&mut self) -> std::io::Result<Option<String>> {
        loop {
            if let Some(line) = self.decoder.decode(&mut self.buffer) {
                let line = line.expect("a server's lines are not too long");
                return Ok(Some(
                    String::from_utf8(line.to_vec()).expect("a server sends UTF-8"),
                ));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Returns the next line, parsed.
    pub async fn next(&mut self) -> Option<ServerLine> {
        let line = self.next_line().await?;
        Some(ServerLine::parse(&line).unwrap_or_else(|error| panic!("{line}: {error}")))
    }

    /// Returns the greeting, which is the first line.
    pub async fn welcome(&mut self) -> Welcome {
        match self.next().await {
            Some(ServerLine::Reply(Reply::Welcome(welcome))) => welcome,
            other => panic!("no greeting: {other:?}"),
        }
    }

    /// Returns the next line that contains `part`, and skips the lines before it.
    pub async fn expect(&mut self, part: &str) -> String {
        loop {
            match self.next_line().await {
                Some(line) if line.contains(part) => return line,
                Some(_) => {}
                None => panic!("the connection ended before {part:?}"),
            }
        }
    }

    /// Returns the next entry, and skips replies and refusals before it.
    pub async fn next_entry(&mut self) -> Option<Entry> {
        loop {
            match self.next().await? {
                ServerLine::Entry(entry) => return Some(entry),
                _ => continue,
            }
        }
    }

    /// Returns the next line that somebody said, and skips enters and leaves before it.
    pub async fn next_said(&mut self) -> Said {
        loop {
            let entry = self.next_entry().await.expect("something is said");
            if let Kind::Message(line) = entry.kind {
                return said(entry.id.as_str(), line.as_str());
            }
        }
    }

    /// Says this many lines of 4096 bytes and sees each of them. Some thousands are more than the system
    /// holds for a peer that does not read.
    pub async fn say_much(&mut self, lines: usize) {
        let line = format!("{}\n", "x".repeat(4096));
        // No more at once than a session may have under way, or both ends would wait.
        for batch in vec![64; lines / 64] {
            self.send(line.repeat(batch)).await;
            for _ in 0..batch {
                self.next_said().await;
            }
        }
    }

    /// Returns every line up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line().await {
            lines.push(line);
        }
        lines
    }

    /// Says goodbye as TLS does it, waits for the server to do the same, and returns the lines that came.
    pub async fn close(mut self) -> Vec<String> {
        self.stream
            .shutdown()
            .await
            .expect("the connection is there");
        self.rest().await
    }
}

/// Returns bob's session, which has asked for far more than a connection holds and reads none of it.
pub async fn sit_unread(site: &Site, served: &Served) -> Peer {
    let mut alice = site.enter(served, "alice", &["--bare"]);
    let long = format!("{}\n", "x".repeat(4000));
    alice.send(&long.repeat(250));
    alice.send("the end\n");
    alice.expect_out("the end");
    assert_eq!(alice.finish().status.code(), Some(0));
    let bundle = Bundle::read(&site.path(&site.bundle("bob"))).expect("a bundle");
    let bob = Peer::connect(served.address, &bundle, &[wire::ALPN]).await;
    let mut bob = bob.expect("a connection");
    bob.welcome().await;
    bob.send("/history\n".repeat(30)).await;
    bob
}
