//! Finds the network interface that a connection came through.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::door::socket::canonical;
use crate::room::facts::{Interface, LocalEnd};

/// A list of interfaces older than this is read again.
const INTERFACES_AGE_MAX: Duration = Duration::from_secs(10);

/// The same for an address that the list lacks: its interface may be new. Some addresses never have
/// one, for example behind a translator, and reading the list for every connection would cost more
/// than the connection.
const INTERFACES_AGE_MIN: Duration = Duration::from_secs(1);

/// This machine's interfaces as of a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    list: Vec<(IpAddr, Interface)>,
    read_at: Option<Instant>,
}

impl Interfaces {
    /// Returns the local end of a connection with the interface that has this address. Several interfaces may have the
    /// same link-local address, and then the number of its zone is that of the interface.
    pub(crate) fn local_end(&mut self, address: SocketAddr) -> LocalEnd {
        let zone = match address {
            SocketAddr::V6(address) => address.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        self.local_end_at(canonical(address), zone, Instant::now(), || {
            // An unknown interface is no reason to refuse a person.
            let found = if_addrs::get_if_addrs().unwrap_or_default();
            found.iter().map(describe).collect()
        })
    }

    fn local_end_at(
        &mut self,
        ip: IpAddr,
        zone: u32,
        now: Instant,
        read: impl FnOnce() -> Vec<(IpAddr, Interface)>,
    ) -> LocalEnd {
        let age_max = match self.find(ip, zone) {
            Some(_) => INTERFACES_AGE_MAX,
            None => INTERFACES_AGE_MIN,
        };
        if self.read_at.is_none_or(|at| now - at > age_max) {
            self.list = read();
            self.read_at = Some(now);
        }
        LocalEnd {
            ip,
            interface: self.find(ip, zone).cloned(),
        }
    }

    fn find(&self, ip: IpAddr, zone: u32) -> Option<&Interface> {
        let is_of_zone = |interface: &Interface| zone == 0 || interface.index == Some(zone);
        self.list
            .iter()
            .find(|(address, interface)| *address == ip && is_of_zone(interface))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_an_interface() {
        let end = Interfaces::default().local_end("127.0.0.1:9".parse().expect("an address"));
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
            let end = interfaces.local_end_at(ip, 0, now, || {
                reads += 1;
                Vec::new()
            });
            assert_eq!(end.interface, None);
        }
        assert_eq!(reads, 3);
    }

    #[test]
    fn of_two_interfaces_with_the_same_link_local_address_the_one_of_its_zone_is_found() {
        let ip: IpAddr = "fe80::1".parse().expect("an address");
        let interface = |name: &str, index| {
            let name = name.to_owned();
            let interface = Interface {
                name,
                index: Some(index),
                prefix_bits: 64,
            };
            (ip, interface)
        };
        let mut interfaces = Interfaces::default();
        for (zone, name) in [(2, "eth0"), (3, "wlan0"), (0, "eth0")] {
            let found = interfaces.local_end_at(ip, zone, Instant::now(), || {
                vec![interface("eth0", 2), interface("wlan0", 3)]
            });
            assert_eq!(found.interface.expect("an interface").name, name);
        }
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
        assert_eq!(
            interfaces.local_end_at(ip, 0, began, Vec::new).interface,
            None
        );
        let found = interfaces.local_end_at(ip, 0, later(1), here);
        assert_eq!(found.to_string(), "192.0.2.1/24 eth0#2");
        let known = interfaces.local_end_at(ip, 0, later(10), || unreachable!("it is known"));
        assert_eq!(known, found);
        let gone = interfaces.local_end_at(ip, 0, later(12), Vec::new);
        assert_eq!(gone.interface, None);
    }
}
