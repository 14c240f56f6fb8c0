//! Host certificates of OpenSSH: a key, the names that it is for, and the signature of an authority.
//!
//! That the server has the key is shown in the key exchange; here is looked at who says that it is the host's. Not
//! here: which authority may say so for which host (`known_hosts`).

use std::time::{SystemTime, UNIX_EPOCH};

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{
    PublicKey,
    fields::{CERTIFICATE, CertificateFields, Fields},
};

/// A certificate for a host, not for a user.
const OF_HOST: u32 = 2;

/// A certificate as a server showed it. Nothing of it is believed before [`Certificate::vouches`] has looked.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// The key without what is said of it.
    pub key: PublicKey,
    /// The key of the authority.
    pub authority: PublicKey,
    says: CertificateFields<'a>,
}

/// The algorithm under which a server shows a certificate for what it shows under `algorithm` without.
pub(super) fn certified(algorithm: &str) -> String {
    format!("{algorithm}{CERTIFICATE}")
}

impl<'a> Certificate<'a> {
    /// Reads the bytes that a server showed; `None` if they are no certificate.
    pub(super) fn read(shown: &'a PublicKey) -> Option<Self> {
        let says = CertificateFields::read(&shown.blob)?;
        let mut blob = u32::try_from(says.kind.len()).ok()?.to_be_bytes().to_vec();
        blob.extend_from_slice(says.kind.as_bytes());
        blob.extend_from_slice(says.key);
        let key = PublicKey::from_wire(&blob)?;
        Some(Self { key, authority: PublicKey::from_wire(says.authority)?, says })
    }

    /// Whether the authority says at `now` that the key is that of `host`.
    ///
    /// # Errors
    /// What speaks against it.
    pub(super) fn vouches(&self, host: &str, now: SystemTime) -> Result<(), &'static str> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.says.of != OF_HOST {
            return Err("it is one for users");
        }
        // One without names would be good for every host.
        if !self.says.principals.iter().any(|name| name.eq_ignore_ascii_case(host.as_bytes())) {
            return Err("it is for other host names");
        }
        if now < self.says.valid_after || now >= self.says.valid_before {
            return Err("it is not valid at this time");
        }
        if !self.says.critical_options.is_empty() {
            return Err("it has critical options, which are not known");
        }
        if verify(&self.authority, self.says.signed, self.says.signature) == Some(true) {
            Ok(())
        } else {
            Err(
                "the authority's signature is wrong or of a kind that is not taken (ssh-ed25519, ECDSA up to nistp384 and RSA with SHA-2 are)",
            )
        }
    }
}

/// True if `signature`, as SSH writes it, is that of `key` under `signed`; `None` if it cannot be told.
fn verify(key: &PublicKey, signed: &[u8], signature: &[u8]) -> Option<bool> {
    let mut key_fields = Fields(&key.blob);
    key_fields.string()?;
    let mut signature = Fields(signature);
    let algorithm = std::str::from_utf8(signature.string()?).ok()?;
    let bytes = signature.string()?;
    let is_right = |with: &'static dyn VerificationAlgorithm, key: &[u8], bytes: &[u8]| {
        UnparsedPublicKey::new(with, key).verify(signed, bytes).is_ok()
    };
    Some(match (key.kind(), algorithm) {
        ("ssh-ed25519", "ssh-ed25519") => is_right(&ED25519, key_fields.string()?, bytes),
        ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
            let (_curve, point) = (key_fields.string()?, key_fields.string()?);
            is_right(&ECDSA_P256_SHA256_FIXED, point, &fixed(bytes, 32)?)
        }
        ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
            let (_curve, point) = (key_fields.string()?, key_fields.string()?);
            is_right(&ECDSA_P384_SHA384_FIXED, point, &fixed(bytes, 48)?)
        }
        ("ssh-rsa", "rsa-sha2-256" | "rsa-sha2-512") => {
            let (e, n) = (number(key_fields.string()?), number(key_fields.string()?));
            let with = match algorithm {
                "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                _ => &RSA_PKCS1_2048_8192_SHA512,
            };
            RsaPublicKeyComponents { n, e }.verify(with, signed, bytes).is_ok()
        }
        _ => return None,
    })
}

/// The two numbers of an ECDSA signature, each in `width` bytes.
fn fixed(signature: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut numbers = Fields(signature);
    let mut both = Vec::with_capacity(2 * width);
    for _number in 0..2 {
        let bytes = number(numbers.string()?);
        both.resize(both.len() + width.checked_sub(bytes.len())?, 0);
        both.extend_from_slice(bytes);
    }
    Some(both)
}

/// A number without the zeros before it.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use russh::keys::{
        Algorithm, PrivateKey,
        key::safe_rng,
        ssh_key::certificate::{Builder, CertType},
    };

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// A certificate by another implementation, with `more` said of it.
    fn made(kind: CertType, names: &[&str], more: impl FnOnce(&mut Builder)) -> PublicKey {
        let key = || PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let (authority, host) = (key(), key());
        let nonce = vec![7; 32];
        let public = host.public_key().key_data().clone();
        let mut builder = Builder::new(nonce, public, NOW - 10, NOW + 10).unwrap();
        builder.cert_type(kind).unwrap();
        for name in names {
            builder.valid_principal(*name).unwrap();
        }
        more(&mut builder);
        let signed = builder.sign(&authority).unwrap();
        PublicKey::from_wire(&signed.to_bytes().unwrap()).unwrap()
    }

    fn vouches(shown: &PublicKey, host: &str, at: u64) -> Result<(), &'static str> {
        let certificate = Certificate::read(shown).ok_or("no certificate")?;
        certificate.vouches(host, UNIX_EPOCH + Duration::from_secs(at))
    }

    #[test]
    fn a_certificate_vouches_for_its_hosts_at_its_time() {
        let good = made(CertType::Host, &["r1", "192.0.2.1"], |_| {});
        assert_eq!(Certificate::read(&good).unwrap().key.kind(), "ssh-ed25519");
        let user = made(CertType::User, &["r1"], |_| {});
        let odd = made(CertType::Host, &["r1"], |builder| {
            builder.critical_option("force-command", "x").unwrap();
        });
        for (shown, host, at, want) in [
            (&good, "r1", NOW, Ok(())),
            (&good, "R1", NOW - 10, Ok(())),
            (&good, "192.0.2.1", NOW + 9, Ok(())),
            (&good, "r2", NOW, Err("it is for other host names")),
            (&good, "r", NOW, Err("it is for other host names")),
            (&good, "r1", NOW + 10, Err("it is not valid at this time")),
            (&good, "r1", NOW - 11, Err("it is not valid at this time")),
            (&user, "r1", NOW, Err("it is one for users")),
            (&odd, "r1", NOW, Err("it has critical options, which are not known")),
        ] {
            assert_eq!(vouches(shown, host, at), want, "{host} {at}");
        }
        assert!(Certificate::read(&Certificate::read(&good).unwrap().key).is_none());
    }

    #[test]
    fn a_certificate_without_names_is_for_nobody() {
        let all = made(CertType::Host, &[], |builder| {
            builder.all_principals_valid().unwrap();
        });
        assert_eq!(vouches(&all, "r1", NOW), Err("it is for other host names"));
    }

    #[test]
    fn no_bit_of_a_certificate_can_be_changed() {
        let good = made(CertType::Host, &["r1"], |_| {});
        let signed = Certificate::read(&good).unwrap().says.signed.len();
        for at in 0..good.blob.len() {
            for bit in 0..8 {
                let mut changed = good.blob.clone();
                changed[at] ^= 1 << bit;
                let vouched = PublicKey::from_wire(&changed)
                    .is_some_and(|shown| vouches(&shown, "r1", NOW).is_ok());
                assert!(!vouched, "byte {at} (of {signed} signed), bit {bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..5_usize) {
            let kind = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "x"][kind];
            let kind = certified(kind);
            let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
            blob.extend_from_slice(kind.as_bytes());
            blob.extend_from_slice(&bytes);
            let shown = PublicKey { kind, blob };
            prop_assert!(vouches(&shown, "r1", NOW).is_err());
        }
    }
}
