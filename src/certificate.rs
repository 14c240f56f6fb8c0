//! SSH certificates of users, as OpenSSH writes them: `id_ed25519-cert.pub`.
//!
//! Read for what can be said of them when a device refuses one; whether they are good is the device's business.

use std::time::{Duration, SystemTime};

use crate::host_key::{
    base64,
    fields::{CERTIFICATE, CertificateFields, fields_of_key},
};

/// More than any certificate has.
const MOST_BYTES: usize = 64 * 1024;
/// The type of users' certificates.
const OF_USER: u32 = 1;
/// Principals that are shown.
const MOST_SHOWN: usize = 5;
const SECONDS_A_DAY: u64 = 86_400;

/// A certificate that says who the owner of a key is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    line: String,
    key_id: String,
    principals: Vec<String>,
    valid_after: u64,
    valid_before: u64,
}

/// Why a text is no certificate that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// Not in OpenSSH's form.
    #[error(
        "give an OpenSSH certificate as `ssh-keygen -s` writes it: the text of `id_ed25519-cert.pub`"
    )]
    Format,
    /// Its key is in a device that is not here.
    #[error("certificates of security keys cannot be used: their key does not leave its device")]
    Hardware,
    /// For servers.
    #[error("this is a host's certificate; give a user's")]
    OfHost,
    /// A plain key.
    #[error("this is a public key without a certificate; it is not needed, the private key has it")]
    Plain,
}

impl Certificate {
    /// Reads the text of a certificate's file.
    ///
    /// # Errors
    /// Says what it is instead, without repeating it.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        if text.len() > MOST_BYTES {
            return Err(CertificateError::Format);
        }
        let mut words = text.split_ascii_whitespace();
        let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let of_key = kind.strip_suffix(CERTIFICATE).filter(|kind| fields_of_key(kind).is_some());
        let Some(of_key) = of_key else {
            return Err(match kind {
                kind if kind.starts_with("sk-") => CertificateError::Hardware,
                kind if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") => {
                    if kind.contains("-cert-") {
                        CertificateError::Format
                    } else {
                        CertificateError::Plain
                    }
                }
                _ => CertificateError::Format,
            });
        };
        let bytes = base64::decode(body).ok_or(CertificateError::Format)?;
        let says = CertificateFields::read(&bytes).ok_or(CertificateError::Format)?;
        if says.kind != of_key {
            return Err(CertificateError::Format);
        }
        if says.of != OF_USER {
            return Err(CertificateError::OfHost);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            line: format!("{kind} {body}"),
            key_id: text(says.id),
            principals: says.principals.iter().map(|name| text(name)).collect(),
            valid_after: says.valid_after,
            valid_before: says.valid_before,
        })
    }

    /// Type and body, as the file has them.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// For whom and for how long it is, and whether that is the trouble with `user` at `now`.
    #[must_use]
    pub fn describe(&self, user: &str, now: SystemTime) -> String {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let mut shown: Vec<String> =
            self.principals.iter().take(MOST_SHOWN).map(|name| printable(name)).collect();
        if self.principals.len() > MOST_SHOWN {
            shown.push(format!("{} more", self.principals.len() - MOST_SHOWN));
        }
        let principals =
            if shown.is_empty() { "nobody by name".to_owned() } else { shown.join(", ") };
        let trouble = if now >= self.valid_before {
            "; it has expired"
        } else if now < self.valid_after {
            "; it is not valid yet"
        } else if !self.principals.iter().any(|name| name == user) {
            "; this user is not among them"
        } else {
            ""
        };
        format!(
            "the certificate {} is for {principals}, valid {}{trouble}",
            printable(&self.key_id),
            self.validity()
        )
    }

    fn validity(&self) -> String {
        match (self.valid_after, self.valid_before) {
            (0, u64::MAX) => "for ever".to_owned(),
            (0, before) => format!("until {}", moment(before)),
            (after, u64::MAX) => format!("from {}", moment(after)),
            (after, before) => format!("from {} to {}", moment(after), moment(before)),
        }
    }
}

/// A word of whoever signed, short and harmless to a terminal.
fn printable(text: &str) -> String {
    let short: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    format!("`{short}`")
}

/// Seconds since 1970 as `2026-11-21 10:49:59 UTC`.
fn moment(seconds: u64) -> String {
    let (days, second) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
    if days > 3_000_000 {
        return "a day beyond all calendars".to_owned();
    }
    // Years begin in March, so that leap days come last; 719468 days lie before 1970 in such years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", year + era * 400)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: &str = "ssh-ed25519-cert-v01@openssh.com";

    fn string(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length, bytes].concat()
    }

    fn certificate(of: u32, principals: &[&str], after: u64, before: u64) -> String {
        let kind = KIND;
        let names: Vec<u8> = principals.iter().flat_map(|name| string(name.as_bytes())).collect();
        let fields = [
            string(kind.as_bytes()),
            string(b"nonce"),
            string(&[7; 32]),
            1_u64.to_be_bytes().to_vec(),
            of.to_be_bytes().to_vec(),
            string(b"jo\x1b[2Je"),
            string(&names),
            after.to_be_bytes().to_vec(),
            before.to_be_bytes().to_vec(),
            string(b""),
            string(b""),
            string(b""),
            string(b"key"),
            string(b"signature"),
        ];
        format!("{kind} {}", base64::encode(&fields.concat()))
    }

    #[test]
    fn what_is_said_of_a_certificate_names_the_trouble() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (principals, after, before, want) in [
            (&["reader", "ops"][..], 0, u64::MAX, "is for `reader`, `ops`, valid for ever"),
            (&["ops"], 0, u64::MAX, "is for `ops`, valid for ever; this user is not among them"),
            (&[], 0, u64::MAX, "is for nobody by name, valid for ever; this user is not"),
            (&["reader"], 0, 1_000_000, "valid until 1970-01-12 13:46:40 UTC; it has expired"),
            (&["reader"], 1_000_001, u64::MAX, "from 1970-01-12 13:46:41 UTC; it is not valid yet"),
            (
                &["reader"],
                1,
                951_782_400,
                "from 1970-01-01 00:00:01 UTC to 2000-02-29 00:00:00 UTC",
            ),
            (&["reader"], 0, u64::MAX - 1, "until a day beyond all calendars"),
            (&["a", "b", "c", "d", "e", "reader"], 0, u64::MAX, "`e`, 1 more, valid"),
        ] {
            let text = certificate(1, principals, after, before) + " jo@laptop\n";
            let said = Certificate::parse(&text).unwrap().describe("reader", now);
            assert!(said.contains(want), "{want}: {said}");
            assert!(said.starts_with("the certificate `jo\\u{1b}[2Je` is for "), "{said}");
        }
    }

    #[test]
    fn what_is_no_users_certificate_is_told_what_it_is() {
        let good = certificate(1, &["a"], 0, u64::MAX);
        let (kind, body) = good.split_once(' ').unwrap();
        for (text, want) in [
            (certificate(2, &["a"], 0, 1), CertificateError::OfHost),
            ("ssh-ed25519 AAAA".to_owned(), CertificateError::Plain),
            ("sk-ssh-ed25519-cert-v01@openssh.com AAAA".to_owned(), CertificateError::Hardware),
            ("ssh-dss-cert-v01@openssh.com AAAA".to_owned(), CertificateError::Format),
            (body.to_owned(), CertificateError::Format),
            (format!("{} {body}", "ssh-rsa-cert-v01@openssh.com"), CertificateError::Format),
            (kind.to_owned(), CertificateError::Format),
            (format!("{good}AAAA"), CertificateError::Format),
            (String::new(), CertificateError::Format),
            (" ".repeat(100_000), CertificateError::Format),
        ] {
            assert_eq!(Certificate::parse(&text), Err(want), "{text:.80}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_cut_panic(at in 0_usize..400, bytes: Vec<u8>) {
            let good = certificate(1, &["a", "b"], 0, 5);
            let _ = Certificate::parse(good.get(..at).unwrap_or(&good));
            let _ = Certificate::parse(&format!("{} {}", KIND, base64::encode(&bytes)));
        }
    }
}
