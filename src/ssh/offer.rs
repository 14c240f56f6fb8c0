//! Which algorithms a peer offers, read from the first packet of its key exchange, and what is in common with ours.
//!
//! libssh2 says only that nothing fits. The peer's offer is sent in the clear, so that it can be said what would.

use crate::{host_key::fields::Fields, profile::SshProfile};

/// The first message of a key exchange.
const KEXINIT: u8 = 20;
const COOKIE_BYTES: usize = 16;
const MOST_PACKET_BYTES: usize = 32 * 1024;
/// Lines before the version line, and the line itself.
const MOST_LINE_BYTES: usize = 8 * 1024;
/// What an error repeats of one list.
const MOST_SHOWN_CHARS: usize = 300;

/// A peer's lists, each with the names between commas.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Offer {
    /// Key exchange methods.
    pub key_exchange: String,
    /// Host key algorithms.
    pub host_keys: String,
    /// Ciphers towards the peer.
    pub ciphers: String,
    /// Message authentication codes towards the peer.
    pub macs: String,
    /// Compression towards the peer.
    pub compression: String,
}

/// What the bytes of a peer came to so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reading {
    /// The offer.
    Done(Offer),
    /// More bytes are needed.
    More,
    /// These bytes are no version line with a key exchange behind it.
    Nothing,
}

/// Reads the first bytes of a peer: lines, its version line, its offer.
#[must_use]
pub fn read(bytes: &[u8]) -> Reading {
    let mut rest = bytes;
    loop {
        let Some(end) = rest.iter().position(|b| *b == b'\n') else {
            return if rest.len() > MOST_LINE_BYTES { Reading::Nothing } else { Reading::More };
        };
        let (line, behind) = rest.split_at(end + 1);
        rest = behind;
        if line.starts_with(b"SSH-") {
            return read_packet(rest);
        }
        if bytes.len() - rest.len() > MOST_LINE_BYTES {
            return Reading::Nothing;
        }
    }
}

/// Reads the packet behind the version line: length, padding's length, message.
#[must_use]
pub fn read_packet(bytes: &[u8]) -> Reading {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Reading::More };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > MOST_PACKET_BYTES {
        return Reading::Nothing;
    }
    let Some(packet) = rest.get(..length) else { return Reading::More };
    match packet.get(1) {
        Some(&KEXINIT) => read_lists(packet).map_or(Reading::Nothing, Reading::Done),
        _ => Reading::Nothing,
    }
}

fn read_lists(packet: &[u8]) -> Option<Offer> {
    let mut fields = Fields(packet.get(2 + COOKIE_BYTES..)?);
    let mut list = || {
        let names = fields.string()?;
        // Names of a device go into an error: only what a name can be made of.
        let readable = |b: &u8| b.is_ascii_alphanumeric() || b",-_.@+/".contains(b);
        let mut list = String::with_capacity(names.len());
        list.extend(names.iter().filter(|b| readable(b)).map(|b| char::from(*b)));
        Some(list)
    };
    let (key_exchange, host_keys, ciphers) = (list()?, list()?, list()?);
    let _from_peer = list()?;
    let macs = list()?;
    let _from_peer = list()?;
    Some(Offer { key_exchange, host_keys, ciphers, macs, compression: list()? })
}

impl Offer {
    /// In which kinds of algorithms nothing is in common with `profile`, with both sides' lists; empty if a session can
    /// be set up.
    #[must_use]
    pub fn lacks(&self, profile: SshProfile) -> Vec<Lack<'_>> {
        let common = |theirs: &str, ours: &str| {
            ours.split(',').any(|one| theirs.split(',').any(|other| other == one))
        };
        // A cipher of the AEAD kind brings its own authentication.
        let needs_mac = !profile
            .ciphers()
            .split(',')
            .any(|ours| is_authenticating(ours) && common(&self.ciphers, ours));
        let kinds = [
            ("key exchange", self.key_exchange.as_str(), profile.key_exchange(), true),
            ("host key", &self.host_keys, profile.host_keys(), true),
            ("cipher", &self.ciphers, profile.ciphers(), true),
            ("MAC", &self.macs, profile.macs(), needs_mac),
            ("compression", &self.compression, "none", true),
        ];
        kinds
            .into_iter()
            .filter(|(_, theirs, ours, needed)| *needed && !common(theirs, ours))
            .map(|(kind, theirs, ours, _)| Lack { kind, theirs, ours })
            .collect()
    }

    /// What is to be said of a session that could not be set up under `profile`; `None` if this offer is not why.
    #[must_use]
    pub fn explain(&self, profile: SshProfile) -> Option<String> {
        let lacks = self.lacks(profile);
        if lacks.is_empty() {
            return None;
        }
        let lists: Vec<_> = lacks.iter().map(Lack::to_string).collect();
        let way_out = match [SshProfile::Modern, SshProfile::Legacy]
            .into_iter()
            .find(|other| self.lacks(*other).is_empty())
        {
            Some(other) => format!(
                "the `{0}` profile would work: ask for \"ssh_profile\": \"{0}\"",
                other.name()
            ),
            None => "no profile would work: update the device's SSH settings".to_owned(),
        };
        Some(format!("; {}; {way_out}", lists.join("; ")))
    }
}

/// A kind of algorithms in which two sides have nothing in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lack<'o> {
    /// For people.
    pub kind: &'static str,
    theirs: &'o str,
    ours: &'static str,
}

impl std::fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let theirs: String = self.theirs.chars().take(MOST_SHOWN_CHARS).collect();
        let theirs = if theirs.is_empty() { "nothing" } else { &theirs };
        write!(f, "{}: it offers {theirs}, Showrunner {}", self.kind, self.ours)
    }
}

/// True for a cipher that needs no authentication code beside it.
#[must_use]
pub fn is_authenticating(cipher: &str) -> bool {
    cipher.contains("-gcm@") || cipher.starts_with("chacha20-poly1305")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(lists: [&str; 10]) -> Vec<u8> {
        let mut message = vec![4, KEXINIT];
        message.extend([7; COOKIE_BYTES]);
        for list in lists {
            message.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            message.extend(list.as_bytes());
        }
        message.extend([0; 9]);
        let mut bytes = b"no login\r\nSSH-2.0-Cisco-1.25\r\n".to_vec();
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend(message);
        bytes
    }

    const OLD: [&str; 10] = [
        "diffie-hellman-group1-sha1",
        "ssh-rsa",
        "aes128-cbc,3des-cbc",
        "aes128-cbc",
        "hmac-sha1",
        "hmac-sha1",
        "none",
        "none",
        "",
        "",
    ];

    fn offer(lists: [&str; 10]) -> Offer {
        match read(&bytes(lists)) {
            Reading::Done(offer) => offer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_offer_is_read_when_it_is_there_and_not_before() {
        let whole = bytes(OLD);
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Reading::More, "{cut}");
        }
        assert_eq!(offer(OLD).ciphers, "aes128-cbc,3des-cbc");
        let mut more = whole.clone();
        more.extend(b"the next packet");
        assert_eq!(read(&more), Reading::Done(offer(OLD)));
        for wrong in [
            b"SSH-2.0-x\r\n\xff\xff\xff\xff".to_vec(),
            b"SSH-2.0-x\r\n\0\0\0\x03\x01\x15\0".to_vec(),
            b"SSH-2.0-x\r\n\0\0\0\x03\x01\x14\0".to_vec(),
            vec![b'a'; 2 * MOST_LINE_BYTES],
            b"a\n".repeat(MOST_LINE_BYTES),
        ] {
            assert_eq!(read(&wrong), Reading::Nothing, "{:.40}", String::from_utf8_lossy(&wrong));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_peer_panic_and_none_is_repeated_raw(
            mut noise in prop::collection::vec(any::<u8>(), 0..200),
            at in 0_usize..400,
        ) {
            // Noise alone, noise behind a version line, and a whole offer with noise in it.
            let _ = read(&noise);
            let _ = read_packet(&noise);
            let mut whole = bytes(OLD);
            let at = at.min(whole.len());
            whole.splice(at..at, noise.drain(..));
            if let Reading::Done(offer) = read(&whole) {
                for profile in [SshProfile::Modern, SshProfile::Legacy] {
                    let said = offer.explain(profile).unwrap_or_default();
                    prop_assert!(said.len() < 5000 && said.chars().all(|c| (' '..='~').contains(&c)));
                }
            }
        }
    }

    #[test]
    fn an_old_device_is_told_apart_from_one_that_nothing_helps() {
        let old = offer(OLD);
        let kinds = |offer: &Offer, profile| {
            offer.lacks(profile).iter().map(|lack| lack.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&old, SshProfile::Modern), ["key exchange", "host key", "cipher", "MAC"]);
        assert_eq!(kinds(&old, SshProfile::Legacy), [""; 0]);
        assert_eq!(old.explain(SshProfile::Legacy), None);
        let said = old.explain(SshProfile::Modern).unwrap();
        assert!(
            said.contains("it offers diffie-hellman-group1-sha1, Showrunner curve25519"),
            "{said}"
        );
        assert!(
            said.ends_with("the `legacy` profile would work: ask for \"ssh_profile\": \"legacy\""),
            "{said}"
        );
        let hopeless = offer([&["made-up"], &OLD[1..]].concat().try_into().unwrap());
        let said = hopeless.explain(SshProfile::Modern).unwrap();
        assert!(said.contains("made-up") && said.contains("no profile would work"), "{said}");
    }

    #[test]
    fn a_cipher_that_authenticates_needs_no_mac_in_common() {
        let mut lists = OLD;
        lists[0] = "curve25519-sha256";
        lists[1] = "ssh-ed25519";
        lists[2] = "aes256-gcm@openssh.com";
        assert_eq!(offer(lists).lacks(SshProfile::Modern), []);
        lists[2] = "aes256-ctr";
        assert_eq!(offer(lists).lacks(SshProfile::Modern).len(), 1);
    }

    #[test]
    fn what_a_device_offers_is_harmless_in_an_error() {
        let mut lists = OLD;
        let long = "x".repeat(20_000);
        lists[0] = "evil\r\n\x1b[2Jname`<b>";
        lists[1] = &long;
        let said = offer(lists).explain(SshProfile::Modern).unwrap();
        assert!(said.contains("evil2Jnameb") && said.len() < 3000, "{said}");
    }
}
