//! Hosts on the way to a device: those that a request names, and those that the operator's rules say.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;

use crate::{
    device::{Host, Login},
    host_key::HostKeyCheck,
    profile::SshProfile,
    target::{is_in, is_named},
};

/// Hosts on the way to one device, at the most.
pub const MOST_HOPS: usize = 3;

/// A host on the way to a device, which connects to the next one.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Where it is, as the one before it sees it.
    pub host: Host,
    /// TCP port of its SSH server.
    pub port: u16,
    /// Who logs in to it.
    pub login: Login,
    /// With which algorithms.
    pub profile: SshProfile,
    /// Which key it must show.
    pub host_key: HostKeyCheck,
    /// The operator has named it himself: the lists of targets are for what callers name.
    pub is_own: bool,
    /// How long its TCP connection may take, if not as long as every other.
    pub connect_timeout: Option<Duration>,
    /// The host before it looks its name up.
    pub resolves_there: bool,
}

/// The operator's jump hosts, and which devices are behind them.
#[derive(Clone, Debug, Default)]
pub struct JumpRules {
    /// Every jump host with its name.
    pub named: Vec<(String, Hop)>,
    /// The first that covers a device goes.
    pub rules: Vec<JumpRule>,
}

/// Devices that are behind the same hosts.
#[derive(Clone, Debug, Default)]
pub struct JumpRule {
    /// Devices with all their addresses in these networks.
    pub targets: Vec<IpNet>,
    /// Devices whose name, as the request has it, is one of these; `*` and `?` stand for other characters.
    pub names: Vec<String>,
    /// The hosts to go through, the first one first; none to go there directly.
    pub via: Vec<Hop>,
    /// Names are looked up at the other end: that of a device by the last host, that of a host by the one before it.
    pub resolves_there: bool,
}

impl JumpRules {
    /// The jump host of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Hop> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, hop)| hop)
    }

    /// The rule that a device goes by.
    #[must_use]
    pub fn rule_for(&self, host: &Host, addresses: &[SocketAddr]) -> Option<&JumpRule> {
        self.rules.iter().find(|rule| rule.covers(host, addresses))
    }

    /// The rule by which the last host on the way looks a device's name up, if that is what goes for its name: before
    /// anything is looked up here, and so before rules by addresses.
    #[must_use]
    pub fn rule_beyond(&self, host: &Host) -> Option<&JumpRule> {
        let rule = self.rules.iter().find(|rule| rule.names(host));
        rule.filter(|rule| rule.resolves_there && host.is_name())
    }
}

impl JumpRule {
    /// True if it is a rule for this name.
    #[must_use]
    pub fn names(&self, host: &Host) -> bool {
        is_named(&self.names, host.as_str())
    }

    fn covers(&self, host: &Host, addresses: &[SocketAddr]) -> bool {
        let is_in = |addr: &SocketAddr| is_in(&self.targets, addr.ip().to_canonical());
        self.names(host) || (!addresses.is_empty() && addresses.iter().all(is_in))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{device::Credentials, host_key::Proof};

    fn hop(name: &str) -> Hop {
        let login = Login::Given(Box::new(Credentials {
            username: "u".to_owned(),
            password: None,
            private_key: None,
            enable_password: None,
            more_keys: Vec::new(),
        }));
        Hop {
            host: Host::parse(name).unwrap(),
            port: 22,
            login,
            profile: SshProfile::Modern,
            host_key: HostKeyCheck {
                pin: None,
                proof: Proof::Policy,
                rules: Arc::default(),
                alias: None,
            },
            is_own: true,
            connect_timeout: None,
            resolves_there: false,
        }
    }

    #[test]
    fn the_first_rule_that_covers_a_device_says_its_way() {
        let rule = |targets: &[&str], names: &[&str], via: &[&str]| JumpRule {
            targets: targets.iter().map(|net| net.parse().unwrap()).collect(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            via: via.iter().map(|name| hop(name)).collect(),
            resolves_there: false,
        };
        let rules = JumpRules {
            named: vec![("b1".to_owned(), hop("b1"))],
            rules: vec![
                rule(&["10.250.9.0/24"], &[], &[]),
                rule(&["10.250.0.0/16", "2001:db8::/32"], &["*.lab.example"], &["b1"]),
                rule(&["10.0.0.0/8"], &[], &["b2", "b3"]),
            ],
        };
        for (host, addresses, want) in [
            ("10.250.0.7", &["10.250.0.7:22"][..], "b1"),
            ("10.250.9.7", &["10.250.9.7:22"], ""),
            ("10.1.0.7", &["10.1.0.7:22"], "b2 b3"),
            ("r1.LAB.example", &["192.0.2.1:22"], "b1"),
            ("r1", &["10.250.0.7:22", "[2001:db8::1]:22"], "b1"),
            ("r1", &["[::ffff:10.250.0.7]:22"], "b1"),
            // A name that also leads elsewhere is behind nothing.
            ("r1", &["10.250.0.7:22", "192.0.2.1:22"], ""),
            ("r1", &[], ""),
            ("192.0.2.1", &["192.0.2.1:22"], ""),
        ] {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let rule = rules.rule_for(&Host::parse(host).unwrap(), &addresses);
            let way: Vec<_> =
                rule.iter().flat_map(|rule| &rule.via).map(|hop| hop.host.as_str()).collect();
            assert_eq!(way.join(" "), want, "{host} {addresses:?}");
        }
        assert!(rules.named("b1").is_some() && rules.named("b2").is_none());
    }
}
