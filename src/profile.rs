//! Which SSH algorithms are offered to a device.
//!
//! Key exchange decides what a login costs: the cheap and safe ones come first.

use serde::Deserialize;
use utoipa::ToSchema;

/// Which SSH algorithms are offered. `modern` offers none that is known to be weak; `legacy` adds, behind them,
/// what old gear speaks: SHA-1 key exchange, `ssh-rsa`, `hmac-sha1`, CBC and 3DES.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SshProfile {
    /// Today's algorithms only.
    #[default]
    Modern,
    /// Also those of devices that have not seen an update for ten years.
    Legacy,
}

macro_rules! with_legacy {
    ($profile:expr, $modern:literal, $legacy:literal) => {
        match $profile {
            SshProfile::Modern => $modern,
            SshProfile::Legacy => concat!($modern, ",", $legacy),
        }
    };
}

impl SshProfile {
    /// As requests and settings spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }

    /// Reads the name back.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Modern, Self::Legacy].into_iter().find(|profile| profile.name() == name)
    }

    /// Key exchange methods, preferred first.
    #[must_use]
    pub fn key_exchange(self) -> &'static str {
        // The fixed SHA-1 groups stand before group exchange: old IOS has 1024-bit moduli only.
        with_legacy!(
            self,
            "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,\
             ecdh-sha2-nistp521,diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,\
             diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha256",
            "diffie-hellman-group14-sha1,diffie-hellman-group1-sha1,diffie-hellman-group-exchange-sha1"
        )
    }

    /// Host key algorithms, preferred first.
    #[must_use]
    pub fn host_keys(self) -> &'static str {
        with_legacy!(
            self,
            "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256",
            "ssh-rsa"
        )
    }

    /// Ciphers, preferred first.
    #[must_use]
    pub fn ciphers(self) -> &'static str {
        with_legacy!(
            self,
            "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr",
            "aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc"
        )
    }

    /// Message authentication codes, preferred first.
    #[must_use]
    pub fn macs(self) -> &'static str {
        with_legacy!(
            self,
            "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512",
            "hmac-sha1-etm@openssh.com,hmac-sha1"
        )
    }
}
