//! The network below TLS: the addresses of a name, the first of them that answers, and the
//! interface of our own end.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::{ADDRESSES_MAX, CONNECT_TIMEOUT, RESOLVE_TIMEOUT};
use crate::settings::Target;
use crate::words::Cause;

/// Returns the addresses of a server, each once, in the order in which the system prefers them.
pub(super) async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Cause> {
    let route = target.route();
    let found = tokio::net::lookup_host((route.as_str(), target.port()));
    match timeout(RESOLVE_TIMEOUT, found).await {
        Ok(Ok(found)) => {
            let mut addresses = Vec::new();
            for address in found {
                if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
                    addresses.push(address);
                }
            }
            Ok(addresses)
        }
        // Systems word it differently, and their words say no more than ours.
        Ok(Err(_)) => Err(Cause::Unresolved { is_slow: false }),
        Err(_) => Err(Cause::Unresolved { is_slow: true }),
    }
}

/// Reaches one address, or says why not.
pub(super) async fn reach(address: SocketAddr) -> Result<TcpStream, String> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "no answer in {} seconds",
            CONNECT_TIMEOUT.as_secs()
        )),
    }
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
