//! `known_hosts` files as OpenSSH writes them: patterns, `[host]:port`, hashed names, markers.
//!
//! A line that cannot be read refuses the file with its number: a key that was revoked by it must not be let in.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::{PublicKey, SSH_PORT, base64};
use crate::host_pattern::HostPattern;

/// The keys of a file, and whose they are.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
}

/// What a file says of one host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// Its keys.
    pub keys: Vec<PublicKey>,
    /// Keys that must not be taken.
    pub revoked: Vec<PublicKey>,
    /// Authorities that may vouch for it by a certificate.
    pub authorities: Vec<PublicKey>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct KnownHostsError {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

#[derive(Clone, Debug)]
struct Line {
    marker: Marker,
    names: Names,
    key: PublicKey,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Marker {
    None,
    Authority,
    Revoked,
}

#[derive(Clone, Debug)]
enum Names {
    /// HMAC-SHA1 of the name under a salt of its own.
    Hashed {
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Patterns(Vec<HostPattern>),
}

impl Known {
    /// What two files say together.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self.revoked.extend(other.revoked);
        self.authorities.extend(other.authorities);
        self
    }
}

impl KnownHosts {
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, KnownHostsError> {
        let mut lines = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = Line::parse(line);
            lines.push(parsed.map_err(|reason| KnownHostsError { line: index + 1, reason })?);
        }
        Ok(Self { lines })
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What is known of `host`, a name or an address as the request has it, on `port`.
    #[must_use]
    pub fn look_up(&self, host: &str, port: u16) -> Known {
        let name = written(host, port);
        let mut known = Known::default();
        for line in self.lines.iter().filter(|line| line.names.cover(&name)) {
            match line.marker {
                Marker::None => known.keys.push(line.key.clone()),
                Marker::Revoked => known.revoked.push(line.key.clone()),
                Marker::Authority => known.authorities.push(line.key.clone()),
            }
        }
        known
    }
}

/// A host as `known_hosts` writes it: the port beside it, unless it is SSH's own.
fn written(host: &str, port: u16) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    // One address has many spellings; the file has the shortest.
    let host = match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.to_ascii_lowercase(),
    };
    if port == SSH_PORT { host } else { format!("[{host}]:{port}") }
}

impl Line {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_ascii_whitespace().peekable();
        let marker = match words.peek() {
            Some(&"@revoked") => Marker::Revoked,
            Some(&"@cert-authority") => Marker::Authority,
            Some(word) if word.starts_with('@') => return Err("unknown marker"),
            _ => Marker::None,
        };
        if marker != Marker::None {
            words.next();
        }
        let names = Names::parse(words.next().ok_or("no host name")?)?;
        let (kind, key) = (words.next().ok_or("no key")?, words.next().ok_or("no key")?);
        let key = PublicKey::from_words(kind, key).ok_or("not a public key of SSH 2")?;
        Ok(Self { marker, names, key })
    }
}

impl Names {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(hashed) = text.strip_prefix("|1|") {
            let wrong = "not a hashed host name";
            let (salt, hash) = hashed.split_once('|').ok_or(wrong)?;
            let (salt, hash) = (base64::decode(salt), base64::decode(hash));
            let (salt, hash) = (salt.ok_or(wrong)?, hash.ok_or(wrong)?);
            return if hash.len() == 20 { Ok(Self::Hashed { salt, hash }) } else { Err(wrong) };
        }
        if text.starts_with('|') {
            return Err("unknown kind of hashed host name");
        }
        let patterns = text.split(',').filter(|text| !text.is_empty());
        Ok(Self::Patterns(patterns.map(HostPattern::new).collect()))
    }

    fn cover(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name).verify_slice(hash).is_ok()),
            Self::Patterns(patterns) => HostPattern::names(patterns, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g";

    fn known(lines: &str, host: &str, port: u16) -> Known {
        let text = lines.replace("ONE", ONE).replace("TWO", TWO);
        KnownHosts::parse(&text).unwrap().look_up(host, port)
    }

    #[test]
    fn a_host_is_found_by_its_name_pattern_and_port() {
        for (line, host, port, is_known) in [
            ("r1 ONE", "r1", 22, true),
            ("r1 ONE a comment", "R1.", 22, true),
            ("r1 ONE", "r1", 2222, false),
            ("r1 ONE", "r11", 22, false),
            ("[r1]:2222 ONE", "r1", 2222, true),
            ("[r1]:2222 ONE", "r1", 22, false),
            ("[192.0.2.1]:830,r2 ONE", "192.0.2.1", 830, true),
            ("2001:db8::1 ONE", "2001:DB8:0::1", 22, true),
            ("[2001:db8::1]:2222 ONE", "2001:db8::1", 2222, true),
            ("*.lab.example,!bad.lab.example ONE", "r1.lab.example", 22, true),
            ("*.lab.example,!bad.lab.example ONE", "bad.lab.example", 22, false),
            ("!bad.lab.example ONE", "r1", 22, false),
            ("10.0.?.1* ONE", "10.0.3.12", 22, true),
            ("10.0.?.1* ONE", "10.0.33.1", 22, false),
            ("[*]:2222 ONE", "anything", 2222, true),
            ("* ONE", "anything", 22, true),
        ] {
            let found = known(line, host, port);
            assert_eq!(!found.keys.is_empty(), is_known, "{line}: {host} {port}");
        }
    }

    #[test]
    fn hashed_names_are_those_that_openssh_writes() {
        let file = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|HASH ONE";
        let mac = |name: &str| {
            let salt: Vec<u8> = (0..20).collect();
            let mac = Hmac::<Sha1>::new_from_slice(&salt).unwrap().chain_update(name);
            base64::encode(&mac.finalize().into_bytes())
        };
        // From another implementation: the bytes are not only equal to themselves.
        assert_eq!(mac("router1"), "av6KK69qkPjvLd/fUTMiPVX4I3k");
        let plain = file.replace("HASH", &mac("router1"));
        assert_eq!(known(&plain, "router1", 22).keys.len(), 1);
        assert_eq!(known(&plain, "ROUTER1", 22).keys.len(), 1);
        assert_eq!(known(&plain, "router2", 22).keys.len(), 0);
        assert_eq!(known(&plain, "router1", 2222).keys.len(), 0);
        let with_port = file.replace("HASH", &mac("[router1]:2222"));
        assert_eq!(known(&with_port, "router1", 2222).keys.len(), 1);
    }

    #[test]
    fn markers_say_what_a_key_is() {
        let file = "# comment\n\n@revoked * TWO\n@cert-authority *.example ONE\nr1 ONE\nr1 TWO\n";
        let found = known(file, "r1", 22);
        assert_eq!((found.keys.len(), found.revoked.len(), found.authorities.len()), (2, 1, 0));
        let found = known(file, "r1.example", 22);
        assert_eq!((found.keys.len(), found.revoked.len(), found.authorities.len()), (0, 1, 1));
    }

    #[test]
    fn a_line_that_cannot_be_read_refuses_the_file_with_its_number() {
        for line in [
            "r1",
            "r1 ssh-ed25519",
            "r1 ssh-ed25519 AAAA",
            "r1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
            "r1 1024 65537 12345",
            "@unknown r1 ONE",
            "@revoked",
            "|1|AAAA ONE",
            "|1|AAAA|AAAA ONE",
            "|2|AAAA|AAAA ONE",
        ] {
            let text = format!("r0 {ONE}\n{}\n", line.replace("ONE", ONE));
            assert_eq!(KnownHosts::parse(&text).map(|_| ()).map_err(|e| e.line), Err(2), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_file_and_no_host_panics(file in "(@|\\||[a-z*?!,.\\[\\]: =\n]|ssh-ed25519|@revoked|\\|1\\|){0,60}", host in ".{0,20}", port: u16) {
            if let Ok(hosts) = KnownHosts::parse(&file) {
                let _ = hosts.look_up(&host, port);
            }
        }

        #[test]
        fn a_host_finds_its_own_line_and_no_neighbour_does(host in "[a-z][a-z0-9-]{0,20}[a-z0-9]", port: u16) {
            let file = format!("{} {ONE}\n", written(&host, port));
            let hosts = KnownHosts::parse(&file).unwrap();
            prop_assert_eq!(hosts.look_up(&host, port).keys.len(), 1);
            prop_assert!(hosts.look_up(&host, port ^ 1).keys.is_empty());
            let neighbour = host + "x";
            prop_assert!(hosts.look_up(&neighbour, port).keys.is_empty());
        }
    }
}
