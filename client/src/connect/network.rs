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
    if let Some(zone) = target.zone() {
        // Systems do not say that it is the interface that they do not know.
        find_interface(zone)?;
    }
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

/// Looks for an interface by its name or its number.
fn find_interface(zone: &str) -> Result<(), Cause> {
    // If the system does not tell them, connecting says more.
    let Ok(interfaces) = if_addrs::get_if_addrs() else {
        return Ok(());
    };
    let has_number = |index: Option<u32>| index.is_some_and(|index| zone.parse() == Ok(index));
    let is_it = |one: &if_addrs::Interface| one.name == zone || has_number(one.index);
    if interfaces.iter().any(is_it) {
        return Ok(());
    }
    let mut known: Vec<String> = Vec::new();
    for interface in interfaces {
        if !known.contains(&interface.name) {
            known.push(interface.name);
        }
    }
    let zone = zone.to_owned();
    Err(Cause::NoInterface { zone, known })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_known_by_its_name_and_its_number() {
        let all = if_addrs::get_if_addrs().expect("the interfaces");
        let loopback = all
            .iter()
            .find(|one| one.is_loopback())
            .expect("a loopback");
        assert_eq!(find_interface(&loopback.name), Ok(()));
        let number = loopback.index.expect("its number").to_string();
        assert_eq!(find_interface(&number), Ok(()));
        for zone in ["nope", "4294967295"] {
            let Err(Cause::NoInterface { zone: told, known }) = find_interface(zone) else {
                panic!("{zone} is an interface");
            };
            assert_eq!(told, zone);
            assert!(known.contains(&loopback.name), "{known:?}");
        }
    }
}
