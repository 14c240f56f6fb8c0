//! Which key a device must show before it is told a password.
//!
//! What the request pins or a `known_hosts` file names is compared whole; there is no "trust on first use", because
//! nothing is kept between requests. Not here: how keys are shown (`ssh`).

pub(crate) mod base64;
mod certificate;
pub(crate) mod fields;
mod known_hosts;

use std::{fmt, net::SocketAddr, sync::Arc, time::SystemTime};

use sha2::{Digest as _, Sha256};

pub use self::known_hosts::{Known, KnownHosts, KnownHostsError};
use self::{
    certificate::{Certificate, certified},
    fields::Fields,
};
use crate::profile::SshProfile;

/// The types of keys that servers show.
const KINDS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
const FINGERPRINT_BYTES: usize = 32;
const SSH_PORT: u16 = 22;

/// A public key as SSH sends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    kind: String,
    blob: Vec<u8>,
}

impl PublicKey {
    /// Takes the bytes that a server sent; `None` if they do not begin with a type.
    #[must_use]
    pub fn from_wire(blob: &[u8]) -> Option<Self> {
        let mut fields = Fields(blob);
        let kind = std::str::from_utf8(fields.string()?).ok()?;
        let readable = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_graphic());
        let whole = !fields.0.is_empty();
        (readable && whole).then(|| Self { kind: kind.to_owned(), blob: blob.to_vec() })
    }

    /// Reads `kind` and the key in base64; `None` if they are not of one key.
    #[must_use]
    pub fn from_words(kind: &str, key: &str) -> Option<Self> {
        Self::from_wire(&base64::decode(key)?).filter(|key| key.kind == kind)
    }

    /// `ssh-ed25519`, `ssh-rsa`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `SHA256:…`, as OpenSSH prints it: of a certificate that of its key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match Certificate::read(self) {
            Some(certificate) => certificate.key.fingerprint(),
            None => fingerprint(&Sha256::digest(&self.blob)),
        }
    }
}

fn fingerprint(hash: &[u8]) -> String {
    format!("SHA256:{}", base64::encode(hash))
}

/// Type and fingerprint: what an operator compares by eye.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.fingerprint())
    }
}

/// The key that a request says the device has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pin {
    /// Its fingerprint, and its type if that was said.
    Fingerprint {
        /// One of [`KINDS`].
        kind: Option<&'static str>,
        /// `SHA256:…` without padding.
        fingerprint: String,
    },
    /// The whole key.
    Key(PublicKey),
}

/// A text that pins no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PinError {
    /// The old kind of fingerprint, which can be forged.
    #[error("MD5 fingerprints are not taken; give the SHA256 one (`ssh-keygen -lf`)")]
    Md5,
    /// Neither form.
    #[error(
        "give `SHA256:…` (43 characters), the key's type before it if the device has several, or a public key such as `ssh-ed25519 AAAA…`"
    )]
    Format,
}

impl Pin {
    /// Reads `SHA256:…`, `ssh-rsa SHA256:…` or a public key with or without a comment.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let mut words = text.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        if first.starts_with("MD5:") || first.split(':').count() == 16 {
            return Err(PinError::Md5);
        }
        if first.starts_with("SHA256:") && words.next().is_none() {
            return Self::fingerprint(None, first);
        }
        let kind = KINDS.into_iter().find(|kind| *kind == first).ok_or(PinError::Format)?;
        let second = words.next().ok_or(PinError::Format)?;
        if second.starts_with("SHA256:") {
            return Self::fingerprint(Some(kind), second);
        }
        PublicKey::from_words(kind, second).map(Self::Key).ok_or(PinError::Format)
    }

    fn fingerprint(kind: Option<&'static str>, text: &str) -> Result<Self, PinError> {
        let hash = text.strip_prefix("SHA256:").and_then(base64::decode);
        let hash = hash.filter(|hash| hash.len() == FINGERPRINT_BYTES).ok_or(PinError::Format)?;
        Ok(Self::Fingerprint { kind, fingerprint: fingerprint(&hash) })
    }

    fn kind(&self) -> Option<&str> {
        match self {
            Self::Fingerprint { kind, .. } => *kind,
            Self::Key(key) => Some(key.kind()),
        }
    }

    fn fits(&self, shown: &PublicKey) -> bool {
        match self {
            Self::Fingerprint { fingerprint, .. } => {
                self.kind().is_none_or(|kind| kind == shown.kind)
                    && *fingerprint == shown.fingerprint()
            }
            Self::Key(key) => key == shown,
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint { kind: Some(kind), fingerprint } => {
                write!(f, "{kind} {fingerprint}")
            }
            Self::Fingerprint { kind: None, fingerprint } => f.write_str(fingerprint),
            Self::Key(key) => key.fmt(f),
        }
    }
}

/// What becomes of a device whose key nobody has named. A key that was named is always compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostKeyPolicy {
    /// It is talked to, and the answer says that its key was not verified.
    AcceptAny,
    /// It is refused.
    Strict,
}

/// The operator's word on host keys.
#[derive(Clone, Debug)]
pub struct HostKeyRules {
    /// For devices whose key nobody has named.
    pub policy: HostKeyPolicy,
    /// The keys that are known, of every file together.
    pub known_hosts: Vec<Arc<KnownHosts>>,
}

impl Default for HostKeyRules {
    fn default() -> Self {
        Self { policy: HostKeyPolicy::AcceptAny, known_hosts: Vec::new() }
    }
}

/// Who must have named a device's key. But for the first, no request overrules the file of known hosts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Proof {
    /// Whoever the operator's policy asks for; the request before the file.
    #[default]
    Policy,
    /// Whoever the operator's policy asks for.
    Any,
    /// The request or the file of known hosts.
    Pinned,
    /// The file of known hosts, whatever the request says.
    Verified,
}

/// What is to be compared with the key of one device.
#[derive(Clone, Debug)]
pub struct HostKeyCheck {
    /// The key that the request named, before any file.
    pub pin: Option<Pin>,
    /// Who must have named the key.
    pub proof: Proof,
    /// The operator's word.
    pub rules: Arc<HostKeyRules>,
    /// The name that its key has in the files, whatever its host and port are.
    pub alias: Option<String>,
}

impl HostKeyCheck {
    /// What `host` on `port`, which is at `addr` if that is known, is to show. Reads through the whole file: not for a thread
    /// that others wait for.
    #[must_use]
    pub fn expected(&self, host: &str, addr: Option<SocketAddr>, port: u16) -> Expected {
        let (host, port) = match &self.alias {
            Some(alias) => (alias.as_str(), SSH_PORT),
            None => (host, port),
        };
        let known_of = |host: &str, port| {
            let known = self.rules.known_hosts.iter().map(|file| file.look_up(host, port));
            known.fold(Known::default(), Known::and)
        };
        let mut known = known_of(host, port);
        // A key that is revoked for the address is so for all its names.
        let address = addr.map(|addr| (addr.ip().to_string(), addr.port()));
        if let Some((ip, of_address)) =
            address.filter(|(ip, its)| (ip.as_str(), *its) != (host, port))
        {
            known.revoked.extend(known_of(&ip, of_address).revoked);
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_owned();
        let (pin, policy) = (self.pin.clone(), self.rules.policy);
        Expected { pin, proof: self.proof, known, policy, host }
    }
}

/// The keys that one device may show.
#[derive(Clone, Debug)]
pub struct Expected {
    pin: Option<Pin>,
    proof: Proof,
    known: Known,
    policy: HostKeyPolicy,
    /// The name that a certificate must have.
    host: String,
}

/// Why a key is not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Distrust {
    /// Another one was named: by the request, or by the file.
    Changed {
        /// The keys that were named, for people.
        expected: String,
        /// `the request` or `known_hosts`.
        named_by: &'static str,
    },
    /// The file says that it must not be taken.
    Revoked,
    /// Nobody has named any.
    Unknown {
        /// Why an authority that the file names for this host does not vouch for the key.
        authority: Option<&'static str>,
    },
    /// Not named by those who must have.
    Unproven {
        /// Who must name it, for people.
        by: &'static str,
    },
}

impl Expected {
    /// Host key algorithms to offer, those of the keys that were named first: a device that has such a key shows it.
    #[must_use]
    pub fn algorithms(&self, profile: SshProfile) -> String {
        let kinds: Vec<&str> = match &self.pin {
            Some(pin) if self.proof == Proof::Policy || self.known.keys.is_empty() => {
                pin.kind().into_iter().collect()
            }
            _ => self.known.keys.iter().map(PublicKey::kind).collect(),
        };
        // A server with a certificate shows it only to those who ask.
        let asks = self.pin.is_none() && !self.known.authorities.is_empty();
        if kinds.is_empty() && !asks {
            return profile.host_keys().to_owned();
        }
        let is_named = |algorithm: &&str| kinds.contains(&kind_of(algorithm));
        let all = || profile.host_keys().split(',');
        let named = all().filter(is_named).chain(all().filter(|one| !is_named(one)));
        let with_certificate = all().filter(|one| asks && *one != "ssh-rsa").map(certified);
        with_certificate.chain(named.map(str::to_owned)).collect::<Vec<_>>().join(",")
    }

    /// True if the key that was shown is one that was named or vouched for, false if it may be taken without.
    ///
    /// # Errors
    /// The key must not be taken.
    pub fn judge(&self, shown: &PublicKey, now: SystemTime) -> Result<bool, Distrust> {
        let Some(certificate) = Certificate::read(shown) else {
            let none = "it showed no certificate";
            return self.judge_key(shown, (!self.known.authorities.is_empty()).then_some(none));
        };
        let revoked = [&certificate.key, &certificate.authority];
        if revoked.into_iter().any(|key| self.known.revoked.contains(key)) {
            return Err(Distrust::Revoked);
        }
        let vouched = if self.known.authorities.contains(&certificate.authority) {
            certificate.vouches(&self.host, now)
        } else {
            Err("it is of another authority")
        };
        let fits = self.pin.as_ref().is_none_or(|pin| pin.fits(&certificate.key));
        match vouched {
            Ok(()) if fits => Ok(true),
            Ok(()) => self.judge_key(&certificate.key, None),
            // Without what is said of it the key may still be one that was named.
            Err(why) => self.judge_key(&certificate.key, Some(why)),
        }
    }

    fn judge_key(
        &self,
        shown: &PublicKey,
        authority: Option<&'static str>,
    ) -> Result<bool, Distrust> {
        if self.known.revoked.contains(shown) {
            return Err(Distrust::Revoked);
        }
        if let Some(pin) = &self.pin {
            if !pin.fits(shown) {
                return Err(Distrust::Changed {
                    expected: pin.to_string(),
                    named_by: "the request",
                });
            }
            if self.proof == Proof::Policy {
                return Ok(true);
            }
        }
        if self.known.keys.contains(shown) {
            return Ok(true);
        }
        if !self.known.keys.is_empty() {
            let expected: Vec<_> = self.known.keys.iter().map(PublicKey::to_string).collect();
            return Err(Distrust::Changed {
                expected: expected.join(" or "),
                named_by: "known_hosts",
            });
        }
        match (self.proof, self.policy) {
            (Proof::Verified, _) => Err(Distrust::Unproven { by: "known_hosts" }),
            _ if self.pin.is_some() => Ok(true),
            (Proof::Pinned, _) => Err(Distrust::Unproven { by: "known_hosts or the request" }),
            (Proof::Policy | Proof::Any, HostKeyPolicy::AcceptAny) => Ok(false),
            (Proof::Policy | Proof::Any, HostKeyPolicy::Strict) => {
                Err(Distrust::Unknown { authority })
            }
        }
    }
}

/// The type of the key that an algorithm signs with.
fn kind_of(algorithm: &str) -> &str {
    if algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { algorithm }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_asks_for_the_word_of_those_it_names() {
        let (shown, other) = (key(KEY), key(OTHER));
        let known = |key: &PublicKey| Known { keys: vec![key.clone()], ..Known::default() };
        let (own, others) = (Pin::Key(shown.clone()), Pin::Key(other.clone()));
        for (proof, pin, known, want) in [
            (Proof::Verified, None, known(&shown), "true"),
            (Proof::Verified, Some(&own), known(&shown), "true"),
            (Proof::Verified, Some(&others), known(&shown), "Changed"),
            (Proof::Verified, Some(&own), known(&other), "Changed"),
            (Proof::Verified, Some(&own), Known::default(), "Unproven"),
            (Proof::Verified, None, Known::default(), "Unproven"),
            (Proof::Pinned, Some(&own), Known::default(), "true"),
            (Proof::Pinned, Some(&others), Known::default(), "Changed"),
            (Proof::Pinned, None, known(&shown), "true"),
            (Proof::Pinned, None, Known::default(), "Unproven"),
            // What the file says goes before what the caller says.
            (Proof::Pinned, Some(&own), known(&other), "Changed"),
            (Proof::Any, Some(&own), known(&other), "Changed"),
            (Proof::Any, Some(&own), Known::default(), "true"),
            (Proof::Any, None, Known::default(), "false"),
            (Proof::Any, None, known(&other), "Changed"),
            (Proof::Policy, Some(&own), known(&other), "true"),
            (Proof::Policy, None, Known::default(), "false"),
        ] {
            let policy = HostKeyPolicy::AcceptAny;
            let host = "r1".to_owned();
            let expected = Expected { pin: pin.cloned(), proof, known, policy, host };
            let judged = format!("{:?}", expected.judge_key(&shown, None));
            assert!(judged.contains(want), "{proof:?} {pin:?}: {judged}");
        }
    }

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g";
    /// SHA-256 of the key by another implementation.
    const FINGERPRINT: &str = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";

    fn key(line: &str) -> PublicKey {
        let (kind, text) = line.split_once(' ').unwrap();
        PublicKey::from_words(kind, text).unwrap()
    }

    fn expected(pin: Option<&str>, file: &str, policy: HostKeyPolicy) -> Expected {
        let rules =
            HostKeyRules { policy, known_hosts: vec![Arc::new(KnownHosts::parse(file).unwrap())] };
        let pin = pin.map(|pin| Pin::parse(pin).unwrap());
        let rules = Arc::new(rules);
        HostKeyCheck { pin, proof: Proof::Policy, rules, alias: None }.expected("r1", None, 22)
    }

    #[test]
    fn a_pin_is_a_fingerprint_or_a_key_and_nothing_else() {
        let shown = key(KEY);
        assert_eq!(shown.fingerprint(), FINGERPRINT);
        for text in [
            FINGERPRINT.to_owned(),
            format!("{FINGERPRINT}="),
            format!(" {FINGERPRINT} "),
            format!("ssh-ed25519 {FINGERPRINT}"),
            KEY.to_owned(),
            format!("{KEY} admin@example"),
        ] {
            assert!(Pin::parse(&text).unwrap().fits(&shown), "{text}");
            assert!(!Pin::parse(&text).unwrap().fits(&key(OTHER)), "{text}");
        }
        assert!(!Pin::parse(&format!("ssh-rsa {FINGERPRINT}")).unwrap().fits(&shown));
        for text in ["MD5:00:01", "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48"] {
            assert_eq!(Pin::parse(text), Err(PinError::Md5), "{text}");
        }
        for text in [
            "",
            "SHA256:",
            "SHA256:abc",
            "sha256:abc",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-dss AAAA",
            "r1 ssh-ed25519 AAAA",
            &KEY.replace("ed25519 ", "rsa "),
            &format!("{FINGERPRINT} {FINGERPRINT}"),
        ] {
            assert_eq!(Pin::parse(text), Err(PinError::Format), "{text}");
        }
    }

    #[test]
    fn a_key_that_was_named_is_compared_under_every_policy() {
        let file = format!("r1 {KEY}\n");
        for policy in [HostKeyPolicy::AcceptAny, HostKeyPolicy::Strict] {
            for (pin, file) in [(Some(KEY), ""), (None, file.as_str()), (Some(FINGERPRINT), "")] {
                let expected = expected(pin, file, policy);
                assert_eq!(expected.judge(&key(KEY), SystemTime::now()), Ok(true));
                let refused = expected.judge(&key(OTHER), SystemTime::now());
                assert!(
                    matches!(&refused, Err(Distrust::Changed { expected, .. }) if expected.contains(FINGERPRINT)),
                    "{refused:?}"
                );
            }
            // The request knows better than the file, but never better than a revocation.
            assert_eq!(
                expected(Some(OTHER), &file, policy).judge(&key(OTHER), SystemTime::now()),
                Ok(true)
            );
            let revoked = format!("@revoked * {KEY}\n{file}");
            for pin in [None, Some(KEY)] {
                assert_eq!(
                    expected(pin, &revoked, policy).judge(&key(KEY), SystemTime::now()),
                    Err(Distrust::Revoked)
                );
            }
        }
    }

    #[test]
    fn a_key_that_nobody_named_is_taken_or_refused_by_the_policy() {
        let elsewhere = format!("r2 {KEY}\n@cert-authority r1 {KEY}\n");
        let none_shown = Some("it showed no certificate");
        for (file, authority) in [("", None), (elsewhere.as_str(), none_shown)] {
            assert_eq!(
                expected(None, file, HostKeyPolicy::AcceptAny).judge(&key(KEY), SystemTime::now()),
                Ok(false)
            );
            assert_eq!(
                expected(None, file, HostKeyPolicy::Strict).judge(&key(KEY), SystemTime::now()),
                Err(Distrust::Unknown { authority })
            );
        }
    }

    #[test]
    fn the_type_that_was_named_is_asked_for_first() {
        let first = |pin: Option<&str>, file: &str, profile| {
            let list = expected(pin, file, HostKeyPolicy::Strict).algorithms(profile);
            let all = profile.host_keys();
            assert_eq!(list.split(',').count(), all.split(',').count());
            list.split(',').next().unwrap().to_owned()
        };
        let rsa = format!("ssh-rsa {FINGERPRINT}");
        assert_eq!(first(Some(&rsa), "", SshProfile::Modern), "rsa-sha2-512");
        assert_eq!(first(Some(KEY), "", SshProfile::Legacy), "ssh-ed25519");
        let ecdsa = format!("ecdsa-sha2-nistp384 {FINGERPRINT}");
        assert_eq!(
            first(Some(&ecdsa), &format!("r1 {KEY}"), SshProfile::Modern),
            "ecdsa-sha2-nistp384"
        );
        assert_eq!(first(None, "", SshProfile::Modern), "ssh-ed25519");
        let legacy = expected(Some(&rsa), "", HostKeyPolicy::Strict).algorithms(SshProfile::Legacy);
        assert!(legacy.starts_with("rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed25519"), "{legacy}");
    }
}
