//! What a configuration says of one host, and the way to it.

use super::{
    FilePath,
    reader::{Condition, Spot, SshConfig, Step},
    value::{Criterion, Hop, Value},
};
use crate::host_pattern::HostPattern;

/// The values of one host. What is not there was not said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostValues {
    /// Where it is, `%h` put in.
    pub host_name: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Who logs in.
    pub user: Option<String>,
    /// Files of private keys, in the order that they are tried.
    pub identities: Vec<FilePath>,
    /// The name that its key has in files of host keys.
    pub key_alias: Option<String>,
    /// Files of host keys for it.
    pub known_hosts: Option<Vec<FilePath>>,
    /// The same, of the system.
    pub global_known_hosts: Option<Vec<FilePath>>,
    /// Whether a key that nobody named is refused.
    pub strict: Option<bool>,
    /// Algorithms are asked for that only the `legacy` profile offers.
    pub wants_legacy: bool,
    /// Seconds; 0 for no limit.
    pub connect_timeout: Option<u64>,
    /// How it is gone to.
    pub proxy: Option<Proxy>,
}

/// How a host is gone to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proxy {
    /// By a program, which is not run here; with the place of the line.
    Command(String),
    /// Over these hosts, the first one first, with the place of the line; over none.
    Jump(Vec<JumpHost>, String),
}

/// A host on the way, to be looked up in the configuration again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JumpHost {
    /// Its name in the configuration.
    pub name: String,
    /// What is said of it.
    pub values: HostValues,
}

/// Why there is no way to a host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoWay {
    /// A program would have to be run.
    #[error("{0}: ProxyCommand is not run here; say the same with ProxyJump")]
    Command(String),
    /// A circle, or a long way.
    #[error(
        "{at}: the way leads over more than {most} hosts, or in a circle; `ProxyJump none` for the first host ends it"
    )]
    TooLong {
        /// The line.
        at: String,
        /// Hosts on the way, at the most.
        most: usize,
    },
}

impl SshConfig {
    /// What is said of `host`, as it was asked for.
    #[must_use]
    pub fn look_up(&self, host: &str) -> HostValues {
        // The dot behind a name makes no other host of it.
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut values = HostValues::default();
        let mut offers: Vec<&str> = Vec::new();
        // Whether lines are meant for the host, and whether a section may change that.
        let mut present = (true, true);
        let mut outer = Vec::new();
        for step in &self.steps {
            match step {
                Step::Enter => {
                    outer.push(present);
                    present.1 &= present.0;
                }
                Step::Leave => present = outer.pop().unwrap_or(present),
                Step::Section(condition) => {
                    present.0 = present.1 && condition.holds(host, values.host_name.as_deref());
                }
                Step::Value(value) if present.0 => values.take(value, host, &mut offers),
                Step::Value(_) => {}
            }
        }
        values
    }

    /// The hosts on the way to `host`, the first one first.
    ///
    /// As with OpenSSH, the first of them has a way of its own, and those behind it are gone to from there.
    ///
    /// # Errors
    /// There is none that can be gone.
    pub fn way_to(&self, host: &str, most: usize) -> Result<Vec<JumpHost>, NoWay> {
        let mut way: Vec<JumpHost> = Vec::new();
        let mut proxy = self.look_up(host).proxy;
        loop {
            let (mut hops, at) = match proxy {
                None => return Ok(way),
                Some(Proxy::Command(at)) => return Err(NoWay::Command(at)),
                Some(Proxy::Jump(hops, at)) => (hops, at),
            };
            for hop in &mut hops {
                self.complete(hop);
            }
            proxy = hops.first().and_then(|first| first.values.proxy.clone());
            hops.append(&mut way);
            way = hops;
            if way.len() > most {
                return Err(NoWay::TooLong { at, most });
            }
        }
    }

    /// What is said of a host on the way, behind what its place on the way says.
    fn complete(&self, hop: &mut JumpHost) {
        let said = std::mem::take(&mut hop.values);
        let found = self.look_up(&hop.name);
        hop.values =
            HostValues { user: said.user.or(found.user), port: said.port.or(found.port), ..found };
    }

    /// Every host that some line sends others over, and that line.
    pub fn jump_hosts(&self) -> impl Iterator<Item = (JumpHost, String)> {
        let lists = self.steps.iter().filter_map(|step| match step {
            Step::Value(Value::ProxyJump(hops, at)) => Some((hops, at)),
            _ => None,
        });
        lists.flat_map(|(hops, at)| {
            hops.iter().map(|hop| {
                let mut hop = JumpHost::of(hop);
                self.complete(&mut hop);
                (hop, at.to_string())
            })
        })
    }

    /// The lines that would run a program.
    pub fn proxy_commands(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(|step| match step {
            Step::Value(Value::ProxyCommand(Some(at))) => Some(at.to_string()),
            _ => None,
        })
    }
}

impl HostValues {
    fn take<'a>(&mut self, value: &'a Value, host: &str, offers: &mut Vec<&'a str>) {
        match value {
            Value::ConnectTimeout(Some(seconds)) => first(&mut self.connect_timeout, || *seconds),
            Value::HostKeyAlias(name) => first(&mut self.key_alias, || name.clone()),
            Value::HostName(name) => first(&mut self.host_name, || put_in(name, host)),
            Value::Identity(Some(path)) if !self.identities.contains(path) => {
                self.identities.push(path.clone());
            }
            Value::ConnectTimeout(None) | Value::Identity(_) => {}
            Value::KnownHosts(files) => first(&mut self.known_hosts, || files.clone()),
            Value::GlobalKnownHosts(files) => first(&mut self.global_known_hosts, || files.clone()),
            Value::Offers(keyword, is_legacy) => {
                if !offers.contains(keyword) {
                    offers.push(keyword);
                    self.wants_legacy |= is_legacy;
                }
            }
            Value::Port(port) => first(&mut self.port, || *port),
            Value::ProxyCommand(at) => first(&mut self.proxy, || of_command(at.as_ref())),
            Value::ProxyJump(hops, at) => first(&mut self.proxy, || {
                Proxy::Jump(hops.iter().map(JumpHost::of).collect(), at.to_string())
            }),
            Value::Strict(strict) => first(&mut self.strict, || *strict),
            Value::User(user) => first(&mut self.user, || user.clone()),
        }
    }
}

impl JumpHost {
    /// With what its place on the way says of it.
    fn of(hop: &Hop) -> Self {
        let values = HostValues { user: hop.user.clone(), port: hop.port, ..HostValues::default() };
        Self { name: hop.name.clone(), values }
    }
}

impl Condition {
    fn holds(&self, host: &str, host_name: Option<&str>) -> bool {
        match self {
            Self::Host(patterns) => HostPattern::names(patterns, host),
            Self::Match(criteria) => {
                criteria.iter().all(|criterion| criterion.holds(host, host_name))
            }
        }
    }
}

impl Criterion {
    fn holds(&self, host: &str, host_name: Option<&str>) -> bool {
        let of = host_name.filter(|_| !self.is_original).unwrap_or(host);
        HostPattern::names(&self.patterns, of) != self.negated
    }
}

fn of_command(at: Option<&Spot>) -> Proxy {
    match at {
        Some(at) => Proxy::Command(at.to_string()),
        // `none`: directly, whatever comes behind it.
        None => Proxy::Jump(Vec::new(), String::new()),
    }
}

/// The first value goes.
fn first<T>(place: &mut Option<T>, value: impl FnOnce() -> T) {
    place.get_or_insert_with(value);
}

/// `HostName` with the host in the place of `%h`, and `%` in that of `%%`.
fn put_in(name: &str, host: &str) -> String {
    let parts = name.split("%%").map(|part| part.replace("%h", host));
    parts.collect::<Vec<_>>().join("%")
}
