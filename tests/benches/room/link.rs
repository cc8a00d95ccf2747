//! One connection of the load generator: rustls and a socket, and nothing between them. What is read
//! goes through one buffer that a whole thread shares.

use std::cell::RefCell;
use std::io::{self, BufRead as _, IoSlice, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::system::System;

/// The number of bytes that one read of a socket may return.
pub(crate) const SCRATCH_BYTES: usize = 64 * 1024;

/// A connection after its TLS handshake.
pub(crate) struct Link {
    tcp: TcpStream,
    tls: RefCell<ClientConnection>,
}

impl Link {
    pub(crate) async fn open(
        system: System,
        address: SocketAddr,
        config: Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        if system == System::Nats {
            pass_over_line(&tcp).await?;
        }
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(config).connect(name, tcp).await?;
        let (tcp, tls) = stream.into_inner();
        Ok(Self {
            tcp,
            tls: RefCell::new(tls),
        })
    }

    pub(crate) async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.tls.borrow_mut().writer().write_all(bytes)?;
        loop {
            match self.try_flush() {
                Ok(()) => return Ok(()),
                Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => {
                    self.tcp.writable().await?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn try_flush(&self) -> io::Result<()> {
        let mut tls = self.tls.borrow_mut();
        while tls.wants_write() {
            tls.write_tls(&mut Socket(&self.tcp))?;
        }
        Ok(())
    }

    /// Waits for bytes, and returns all that one read of the socket brought.
    pub(crate) async fn read(
        &self,
        scratch: &RefCell<Vec<u8>>,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        loop {
            self.tcp.readable().await?;
            let mut scratch = scratch.borrow_mut();
            match self.tcp.try_read(&mut scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => return self.open_records(&scratch[..read], &mut take),
                Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn open_records(&self, mut sealed: &[u8], take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let mut tls = self.tls.borrow_mut();
        while !sealed.is_empty() {
            tls.read_tls(&mut sealed)?;
            tls.process_new_packets().map_err(io::Error::other)?;
            let mut reader = tls.reader();
            loop {
                let length = match reader.fill_buf() {
                    Ok([]) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(plain) => {
                        take(plain);
                        plain.len()
                    }
                    Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => break,
                    Err(failure) => return Err(failure),
                };
                reader.consume(length);
            }
        }
        Ok(())
    }
}

/// Reads the line that NATS sends before TLS begins.
async fn pass_over_line(tcp: &TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while byte != *b"\n" {
        tcp.readable().await?;
        match tcp.try_read(&mut byte) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

struct Socket<'a>(&'a TcpStream);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
