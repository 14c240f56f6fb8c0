//! A device as a request names it: where it is, who logs in, what it runs.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

pub use crate::credential::{Credentials, Login, PrivateKey};
use crate::platform::Platform;

/// Longest host name DNS knows; the predecessor's limit too.
const MAX_HOST_BYTES: usize = 255;

/// An IP address (with a zone, if it has one) or a DNS name, in a form that resolvers read in one way only.
///
/// Odd spellings of addresses (`0x7f.1`, `127.1`, `017700000001`) are refused: a resolver may read them as an
/// address that a list of allowed targets did not see.
#[derive(Clone, Debug)]
pub struct Host {
    text: String,
    /// As it was given, where that is another spelling of the same address.
    given: Option<Box<str>>,
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HostError {
    /// Nothing there.
    #[error("Hostname cannot be empty")]
    Empty,
    /// Neither an address nor a name.
    #[error(
        "Invalid hostname/IP format: give an IPv4 or IPv6 address without brackets, or a DNS name"
    )]
    Format,
    /// A URL, or a network.
    #[error("Invalid hostname/IP format: give one address or name, no URL and no network")]
    NotOne,
    /// Several hosts.
    #[error("Invalid hostname/IP format: one address or name for each device, without blanks")]
    Several,
    /// Over 255 bytes.
    #[error("Hostname exceeds maximum length of 255 characters")]
    TooLong,
    /// A port behind it.
    #[error("Invalid hostname/IP format: the port is a field of its own, `port`")]
    WithPort,
    /// A user before it.
    #[error("Invalid hostname/IP format: the user is a field of its own, `username`")]
    WithUser,
}

impl HostError {
    /// What somebody may have meant who wrote `text`.
    fn of(text: &str) -> Self {
        let is_number = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        if text.contains('/') {
            Self::NotOne
        } else if text.contains('@') {
            Self::WithUser
        } else if text.contains([' ', ',', ';']) {
            Self::Several
        } else if text.rsplit_once(':').is_some_and(|(host, port)| {
            is_number(port) && (host.ends_with(']') || !host.contains(':'))
        }) {
            Self::WithPort
        } else {
            Self::Format
        }
    }
}

impl Host {
    /// # Errors
    /// Says what is wrong with the text, without repeating it.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if text.len() > MAX_HOST_BYTES {
            return Err(HostError::TooLong);
        }
        // IPv4 has one spelling, which the library is slow to write again.
        if text.parse::<Ipv4Addr>().is_ok() {
            Ok(Self { text: text.to_owned(), given: None })
        } else if let Ok(address) = text.parse::<IpAddr>() {
            let shortest = address.to_canonical().to_string();
            let given = (shortest != text).then(|| text.into());
            Ok(Self { text: shortest, given })
        } else if has_zone(text) || is_name(text) {
            Ok(Self { text: text.to_owned(), given: None })
        } else {
            Err(HostError::of(text))
        }
    }

    /// The text that everything looks it up by: of an address, which has many spellings, the shortest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True for a name, which somebody has to look up.
    #[must_use]
    pub fn is_name(&self) -> bool {
        is_name(&self.text)
    }

    /// The address, where the host is one without a zone.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.text.parse().ok()
    }
}

/// Two spellings of an address are one host.
impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Host {}

impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The text as it was given.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.given.as_deref().unwrap_or(&self.text))
    }
}

/// Where a session goes to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum PeerAddr {
    /// An address that was allowed.
    Address(SocketAddr),
    /// A name and a port that were allowed: the last host on the way looks the name up.
    Name(Host, u16),
}

impl PeerAddr {
    /// The address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(..) => None,
        }
    }

    /// What stands for a device wherever its sessions and logins are counted: the same whichever of its addresses is given first.
    #[must_use]
    pub fn of_device(addresses: &[Self]) -> Option<Self> {
        addresses.iter().map(Self::key).min_by_key(Self::parts)
    }

    /// The same for every spelling of a name.
    #[must_use]
    pub fn key(&self) -> Self {
        match self {
            Self::Address(address) => Self::Address(*address),
            Self::Name(Host { text, .. }, port) => {
                let plain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
                Self::Name(Host { text: plain, given: None }, *port)
            }
        }
    }

    /// Address or name as a host that forwards takes it, and the port.
    #[must_use]
    pub fn parts(&self) -> (String, u16) {
        match self {
            Self::Address(address) => (address.ip().to_string(), address.port()),
            Self::Name(name, port) => (name.to_string(), *port),
        }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// `fe80::1%eth0`: a zone is an interface name or number; only IPv6 has them.
fn has_zone(text: &str) -> bool {
    text.split_once('%').is_some_and(|(address, zone)| {
        address.parse::<std::net::Ipv6Addr>().is_ok()
            && !zone.is_empty()
            && zone.len() <= 32
            && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    })
}

fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is a number would be read as an address by some resolvers.
    let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let numeric = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let hexadecimal = |text: &str| {
        text.strip_prefix("0x").is_some_and(|x| x.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    text.split('.').all(label) && !numeric(&last) && !hexadecimal(&last)
}

/// One device of a request.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name, as the request has it.
    pub host: Host,
    /// Where it is: the same, unless the operator's SSH configuration says more of that name.
    pub at: Host,
    /// TCP port of its SSH server, 1 to 65535.
    pub port: u16,
    /// Who logs in.
    pub login: Login,
    /// What it runs.
    pub platform: Arc<Platform>,
    /// The platform's name as the request had it: the answer repeats it.
    pub os: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_that_every_resolver_reads_alike() {
        let good = [
            "192.0.2.1",
            "2001:db8::1",
            "::1",
            "fe80::1%eth0",
            "fe80::1%2",
            "r1",
            "r1.example.net",
            "r1.example.net.",
            "core_1",
            "a-b.c",
            "1a.example",
            "10-0-0-1.example",
        ];
        for text in good {
            assert!(Host::parse(text).is_ok(), "{text}");
        }
        let bad = [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "r1\n",
            "r 1",
            "[::1]",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "1.2.3.4.5",
            "0x7f000001",
            "user@r1",
            "r1:22",
            "r1/..",
            "192.0.2.1%eth0",
            "fe80::1%",
            "ro\u{fc}ter",
            "a.0x1f",
            "%eth0",
            "::g",
        ];
        for text in bad {
            assert!(Host::parse(text).is_err(), "{text}");
        }
        for (text, one) in [
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:201", "192.0.2.1"),
            ("0::1", "::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("R1.example", "R1.example"),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.as_str(), host.to_string().as_str()), (one, text));
            assert_eq!(host, Host::parse(one).unwrap());
        }
        for (text, meant) in [
            ("[::1]", HostError::Format),
            ("[::1]:22", HostError::WithPort),
            ("192.0.2.1:22", HostError::WithPort),
            ("1:2:3:22", HostError::Format),
            ("admin@192.0.2.1", HostError::WithUser),
            ("192.0.2.1, 192.0.2.2", HostError::Several),
            ("192.0.2.0/24", HostError::NotOne),
            ("ssh://admin@r1", HostError::NotOne),
        ] {
            assert_eq!(Host::parse(text), Err(meant), "{text}");
        }
        assert_eq!(Host::parse(&"a".repeat(256)), Err(HostError::TooLong));
    }
}
