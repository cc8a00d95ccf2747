//! Decides which addresses count as one, and which take turns with each other.

use std::net::{IpAddr, Ipv6Addr};

/// Returns the address that stands for all of its neighbours when connections are counted: an IPv6
/// /64 is one household.
pub(crate) fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

/// Returns the prefixes that take turns, shortest first: an IPv4 address and its /24, or an IPv6
/// /48, /56 and /64, one of which providers give to each customer.
pub(crate) fn prefixes(address: IpAddr) -> [u128; 3] {
    match address {
        IpAddr::V4(v4) => {
            let bits = u128::from(v4.to_bits());
            // The last bit distinguishes it from the prefixes of IPv6, which end in zeros.
            [(bits >> 8 << 8) | 1, bits, bits]
        }
        IpAddr::V6(v6) => [48, 56, 64].map(|bits| v6.to_bits() >> (128 - bits) << (128 - bits)),
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
}
