//! Which addresses the service may connect to. Anybody who may send a request may otherwise have it knock at
//! every door that the service can reach, the cloud's metadata address among them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use crate::host_pattern::HostPattern;

/// Bits before an IPv4 address in the clothes of IPv6.
const MAPPED_BITS: u8 = 96;
/// Where a cloud tells its machines their secrets over IPv6; over IPv4 that address is link-local.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The operator's word on targets: addresses that are no devices are refused, and every list must let a target pass.
#[derive(Clone, Debug, Default)]
pub struct TargetPolicy {
    allow_loopback: bool,
    lists: Vec<TargetLists>,
}

/// Lists of networks and ports.
#[derive(Clone, Debug, Default)]
pub struct TargetLists {
    /// Only these networks; all, if there are none.
    pub allow: Vec<IpNet>,
    /// None of these, whatever `allow` says.
    pub deny: Vec<IpNet>,
    /// Only these ports; all, if there are none.
    pub ports: Vec<u16>,
    /// Of the names that only a host on the way can look up, only these, with `*`, `?` and, for others not, `!`.
    pub names: Vec<String>,
}

/// A network, or an address as a network of its own.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse().ok().map(|address: IpAddr| IpNet::from(address));
    let net: IpNet = text.parse().ok().or_else(address)?;
    // Addresses are compared as what they are: one of IPv4 in the clothes of IPv6 is one of IPv4.
    let IpNet::V6(v6) = net else { return Some(net) };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(MAPPED_BITS)) {
        (Some(v4), Some(prefix)) => Ipv4Net::new(v4, prefix).ok().map(IpNet::from),
        _ => Some(net),
    }
}

/// True if the name is one of these, where a `!` before a pattern takes out what it covers.
#[must_use]
pub fn is_named(patterns: &[String], name: &str) -> bool {
    let patterns: Vec<_> = patterns.iter().map(|text| HostPattern::new(&plain(text))).collect();
    HostPattern::names(&patterns, &plain(name))
}

/// True of the names that always mean this machine.
#[must_use]
pub fn is_localhost(name: &str) -> bool {
    let name = plain(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// True if one of the networks has the address, as it is written.
#[must_use]
pub fn is_in(nets: &[IpNet], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&address))
}

impl TargetPolicy {
    /// Loopback addresses are for demos and tests.
    #[must_use]
    pub fn new(allow_loopback: bool, lists: TargetLists) -> Self {
        Self { allow_loopback, lists: vec![lists] }
    }

    /// The same, and these lists must let a target pass too.
    #[must_use]
    pub fn and(&self, lists: TargetLists) -> Self {
        let mut both = self.clone();
        both.lists.push(lists);
        both
    }

    /// # Errors
    /// The rule that forbids the target.
    pub fn check(&self, target: SocketAddr) -> Result<(), &'static str> {
        match canonical(target.ip()) {
            IpAddr::V4(v4) => self.check_v4(v4),
            IpAddr::V6(v6) => self.check_v6(v6),
        }?;
        self.lists.iter().try_for_each(|lists| lists.check(target))
    }

    /// The same for a name whose address nobody knows here, because a host on the way looks it up.
    ///
    /// # Errors
    /// The rule that forbids the target.
    pub fn check_name(&self, name: &str, port: u16) -> Result<(), &'static str> {
        let name = plain(name);
        let own = name.strip_suffix(".localdomain").unwrap_or(&name);
        if is_localhost(own) {
            self.loopback()?;
        }
        self.lists.iter().try_for_each(|lists| lists.check_name(&name, port))
    }

    /// True if the settings themselves leave a name to the last host on the way.
    #[must_use]
    pub fn leaves_to_others(&self, name: &str) -> bool {
        self.lists.first().is_some_and(|lists| lists.covers(&plain(name)))
    }

    fn check_v4(&self, address: Ipv4Addr) -> Result<(), &'static str> {
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

    fn check_v6(&self, address: Ipv6Addr) -> Result<(), &'static str> {
        if address.is_loopback() {
            self.loopback()
        } else if address.is_unspecified() {
            Err("unspecified address")
        } else if address.is_unicast_link_local() && !self.names_link_local(address) {
            Err("link-local address")
        } else if address.is_multicast() {
            Err("multicast address")
        } else if address == METADATA {
            Err("cloud metadata address")
        } else {
            Ok(())
        }
    }

    /// True if the settings name link-local networks of IPv6 themselves, and not only one that holds them too.
    fn names_link_local(&self, address: Ipv6Addr) -> bool {
        let is_named = |net: &IpNet| matches!(net, IpNet::V6(net) if net.network().is_unicast_link_local() && net.contains(&address));
        self.lists.first().is_some_and(|lists| lists.allow.iter().any(is_named))
    }

    fn loopback(&self) -> Result<(), &'static str> {
        if self.allow_loopback { Ok(()) } else { Err("loopback address") }
    }
}

impl TargetLists {
    fn check(&self, target: SocketAddr) -> Result<(), &'static str> {
        // Denied is an address in all its clothes; allowed only one that is connected to as itself.
        let (plain, canonical) = (target.ip().to_canonical(), canonical(target.ip()));
        if !self.ports.is_empty() && !self.ports.contains(&target.port()) {
            Err("a port that is not on the list")
        } else if is_in(&self.deny, plain) || is_in(&self.deny, canonical) {
            Err("an address on the list of those denied")
        } else if !self.allow.is_empty() && !is_in(&self.allow, plain) {
            Err("an address that is not on the list of those allowed")
        } else {
            Ok(())
        }
    }
}

impl TargetLists {
    fn check_name(&self, name: &str, port: u16) -> Result<(), &'static str> {
        let has_networks = !self.allow.is_empty() || !self.deny.is_empty();
        if !self.ports.is_empty() && !self.ports.contains(&port) {
            Err("a port that is not on the list")
        } else if self.names.is_empty() && has_networks {
            Err(
                "a name without an address to compare with the lists of networks; TARGETS_NAMES may name it",
            )
        } else if !self.names.is_empty() && !self.covers(name) {
            Err("a name that is not on the list of those allowed")
        } else {
            Ok(())
        }
    }

    fn covers(&self, name: &str) -> bool {
        is_named(&self.names, name)
    }
}

/// A name without the dot that may stand behind it, in small letters.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
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
        // What translators make of it: RFC 2765's form, NAT64's prefixes before the address, 6to4's too.
        [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
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
            "fd00:ec2::254",
            "::ffff:0:127.0.0.1",
            "64:ff9b:1::7f00:1",
        ];
        let target = |text: &str| SocketAddr::new(text.parse().unwrap(), 22);
        for text in refused {
            assert!(TargetPolicy::default().check(target(text)).is_err(), "{text}");
        }
        for text in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1", "::ffff:192.0.2.1"] {
            assert_eq!(TargetPolicy::default().check(target(text)), Ok(()), "{text}");
        }
        let policy = TargetPolicy::new(true, TargetLists::default());
        assert_eq!(policy.check(target("127.0.0.1")), Ok(()));
        assert_eq!(policy.check(target("::1")), Ok(()));
        assert!(policy.check(target("169.254.169.254")).is_err());
    }

    #[test]
    fn a_network_of_ipv4_is_one_however_it_is_written() {
        for (text, one) in [
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(text).map(|net| net.to_string()).as_deref(), Some(one), "{text}");
        }
    }

    #[test]
    fn a_mark_takes_names_out() {
        let patterns = ["*".to_owned(), "!LAB-*".to_owned()];
        assert!(is_named(&patterns, "r1") && is_named(&patterns, "r1."));
        assert!(!is_named(&patterns, "lab-1") && !is_named(&patterns, "Lab-1."));
        assert!(!is_named(&patterns[1..], "r1"), "nothing is named");
    }

    #[test]
    fn link_local_addresses_are_for_those_who_name_them() {
        let target: SocketAddr = "[fe80::1%2]:22".parse().unwrap();
        let policy = |nets: &[&str]| {
            let allow = nets.iter().map(|net| net.parse().unwrap()).collect();
            TargetPolicy::new(false, TargetLists { allow, ..TargetLists::default() })
        };
        assert_eq!(policy(&["fe80::/10"]).check(target), Ok(()));
        assert_eq!(policy(&["10.0.0.0/8", "fe80::/64"]).check(target), Ok(()));
        for nets in [&[][..], &["::/0"], &["fe80:0:0:1::/64"], &["2001:db8::/32"]] {
            assert!(policy(nets).check(target).is_err(), "{nets:?}");
        }
        let of_key =
            TargetLists { allow: vec!["fe80::/10".parse().unwrap()], ..TargetLists::default() };
        assert!(policy(&[]).and(of_key).check(target).is_err());
        let metadata = "169.254.169.254:22".parse().unwrap();
        assert!(policy(&["169.254.0.0/16", "fe80::/10"]).check(metadata).is_err());
    }

    #[test]
    fn a_name_that_others_look_up_is_judged_by_itself() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let lists = |allow: &[&str], names: &[&str], ports: &[u16]| TargetLists {
            allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
            deny: Vec::new(),
            ports: ports.to_vec(),
            names: texts(names),
        };
        let open = TargetPolicy::new(false, TargetLists::default());
        let networks = TargetPolicy::new(false, lists(&["10.0.0.0/8"], &[], &[]));
        let names =
            TargetPolicy::new(true, lists(&["10.0.0.0/8"], &["*.LAB.example", "!secret*"], &[22]));
        let key = names.and(lists(&["10.0.0.0/8"], &[], &[]));
        let named_key = names.and(lists(&["10.0.0.0/8"], &["r1.*"], &[]));
        for (policy, name, port, allowed) in [
            (&open, "r1.lab.example", 22, true),
            (&open, "localhost", 22, false),
            (&open, "LocalHost.", 22, false),
            (&open, "a.localhost", 22, false),
            (&open, "localhost.localdomain", 22, false),
            (&open, "notlocalhost", 22, true),
            (&networks, "r1.lab.example", 22, false),
            (&names, "r1.lab.example", 22, true),
            (&names, "R1.Lab.Example.", 22, true),
            (&names, "r1.lab.example", 23, false),
            (&names, "r1.example", 22, false),
            (&names, "secret.lab.example", 22, false),
            (&names, "SECRET.lab.example.", 22, false),
            (&names, "localhost", 22, false),
            (&key, "r1.lab.example", 22, false),
            (&named_key, "r1.lab.example", 22, true),
            (&named_key, "r2.lab.example", 22, false),
        ] {
            assert_eq!(policy.check_name(name, port).is_ok(), allowed, "{name}:{port} {policy:?}");
        }
        assert!(names.leaves_to_others("r1.lab.example") && key.leaves_to_others("r1.lab.example"));
        assert!(
            !open.leaves_to_others("r1.lab.example")
                && !names.leaves_to_others("secret.lab.example")
        );
        // What a key names opens nothing that the settings do not.
        assert!(!open.and(lists(&[], &["*"], &[])).leaves_to_others("r1.lab.example"));
    }

    #[test]
    fn every_list_must_let_a_target_pass() {
        let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().unwrap()).collect();
        let service = TargetPolicy::new(
            false,
            TargetLists {
                allow: nets(&["10.0.0.0/8", "2001:db8::/32"]),
                deny: nets(&["10.9.0.0/16"]),
                ports: vec![22, 830],
                names: Vec::new(),
            },
        );
        let key =
            service.and(TargetLists { allow: nets(&["10.1.0.0/16"]), ..TargetLists::default() });
        for (target, of_service, of_key) in [
            ("10.1.2.3:22", true, true),
            ("10.1.2.3:830", true, true),
            ("10.1.2.3:23", false, false),
            ("10.2.2.3:22", true, false),
            ("10.9.0.1:22", false, false),
            ("[::ffff:10.9.0.1]:22", false, false),
            ("[::ffff:10.1.0.1]:22", true, true),
            ("[2001:db8::1]:22", true, false),
            ("192.0.2.1:22", false, false),
            // An address of another network that only carries an allowed one.
            ("[2002:a01:203::]:22", false, false),
            ("[64:ff9b::a01:203]:22", false, false),
        ] {
            let target = target.parse().unwrap();
            assert_eq!(service.check(target).is_ok(), of_service, "{target}");
            assert_eq!(key.check(target).is_ok(), of_key, "{target}");
        }
    }
}
