//! The network below TLS: the addresses of a name, the first of them that answers, and the
//! interface of our own end.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::{CONNECT_TIMEOUT, RESOLVE_TIMEOUT};
use crate::settings::Target;
use crate::words::Cause;

pub(super) async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Cause> {
    let found = tokio::net::lookup_host((target.host(), target.port()));
    match timeout(RESOLVE_TIMEOUT, found).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        // Systems word it differently, and their words say no more than ours.
        Ok(Err(_)) => Err(Cause::Unresolved { is_slow: false }),
        Err(_) => Err(Cause::Unresolved { is_slow: true }),
    }
}

/// Tries each address in turn: the first may belong to a network that does not work here.
pub(super) async fn reach(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Cause> {
    let mut tried = Vec::new();
    for address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok((tcp, *address)),
            Ok(Err(error)) => tried.push((*address, error.to_string())),
            Err(_) => tried.push((
                *address,
                format!("no answer in {} seconds", CONNECT_TIMEOUT.as_secs()),
            )),
        }
    }
    Err(Cause::Unreachable(tried))
}

/// Returns the name of the interface that has this address.
pub(super) fn interface_of(ip: IpAddr) -> Option<String> {
    let ip = ip.to_canonical();
    // If this fails, the words are left out.
    let interfaces = if_addrs::get_if_addrs().ok()?;
    interfaces
        .into_iter()
        .find(|interface| interface.ip() == ip)
        .map(|interface| interface.name)
}
