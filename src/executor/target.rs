//! Which addresses the service may connect to. Anybody who may send a request may otherwise have it knock at
//! every door that the service can reach, the cloud's metadata address among them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The operator's word on targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetPolicy {
    /// Loopback addresses too: for demos and tests.
    pub allow_loopback: bool,
}

impl TargetPolicy {
    /// # Errors
    /// The rule that forbids the address.
    pub fn check(self, address: IpAddr) -> Result<(), &'static str> {
        match canonical(address) {
            IpAddr::V4(v4) => self.check_v4(v4),
            IpAddr::V6(v6) => self.check_v6(v6),
        }
    }

    fn check_v4(self, address: Ipv4Addr) -> Result<(), &'static str> {
        if address.is_loopback() {
            self.loopback()
        } else if address.octets().first() == Some(&0) {
            Err("unspecified address")
        } else if address.is_link_local() {
            Err("link-local address")
        } else if address.is_multicast() || address.is_broadcast() {
            Err("multicast or broadcast address")
        } else {
            Ok(())
        }
    }

    fn check_v6(self, address: Ipv6Addr) -> Result<(), &'static str> {
        if address.is_loopback() {
            self.loopback()
        } else if address.is_unspecified() {
            Err("unspecified address")
        } else if address.is_unicast_link_local() {
            Err("link-local address")
        } else if address.is_multicast() {
            Err("multicast address")
        } else {
            Ok(())
        }
    }

    fn loopback(self) -> Result<(), &'static str> {
        if self.allow_loopback { Ok(()) } else { Err("loopback address") }
    }
}

/// An IPv4 address in any of its IPv6 clothes is that IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let segments = v6.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // The deprecated compatible form.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => embedded(high, low),
        // NAT64's well-known prefix before the address, 6to4's too.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_no_devices_are_refused_in_every_form() {
        let refused = [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::a9fe:a9fe",
        ];
        for text in refused {
            assert!(TargetPolicy::default().check(text.parse().unwrap()).is_err(), "{text}");
        }
        for text in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1", "::ffff:192.0.2.1"] {
            assert_eq!(TargetPolicy::default().check(text.parse().unwrap()), Ok(()), "{text}");
        }
        let policy = TargetPolicy { allow_loopback: true };
        assert_eq!(policy.check("127.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(policy.check("::1".parse().unwrap()), Ok(()));
        assert!(policy.check("169.254.169.254".parse().unwrap()).is_err());
    }
}
