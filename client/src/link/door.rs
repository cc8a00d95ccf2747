//! The way in over the network.

use pki::Bundle;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::stay::Dial;
use crate::connect::{Connected, Opening, connect_explained};
use crate::explain::Explainer;
use crate::settings::Target;
use crate::words::{Clock, Failure};

/// The way over the network: our identity, and the server.
#[derive(Debug)]
pub struct Door {
    /// Our certificate and key.
    pub bundle: Bundle,
    /// The server.
    pub target: Target,
    /// How failures show times.
    pub clock: Clock,
    /// Explains each step, or does nothing.
    pub explainer: Explainer,
}

impl Dial for Door {
    type Stream = TlsStream<Opening<TcpStream>>;

    async fn dial(&mut self) -> Result<Connected, Failure> {
        connect_explained(&self.bundle, &self.target, &self.clock, &self.explainer).await
    }
}
