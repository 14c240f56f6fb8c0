//! Why a private key cannot be used, told by its form: the SSH library has one sentence for all of it.

use crate::device::PrivateKey;

/// The beginning of an OpenSSH key that is not encrypted: its name, and `none` for the cipher.
const OPENSSH_OPEN: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

/// What is wrong with a key that could not be read; `None` if its form looks right. Nothing of the key is repeated.
pub(super) fn fault(key: &PrivateKey) -> Option<&'static str> {
    let text = key.text.expose().trim();
    if ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| text.starts_with(kind)) {
        return Some("it is a public key; the private one is in the file without .pub");
    }
    if text.starts_with("PuTTY-User-Key-File") {
        return Some("it is a PuTTY key; export it in OpenSSH's form");
    }
    if !text.starts_with("-----BEGIN ") {
        return Some("it does not begin with -----BEGIN");
    }
    if !text.ends_with("-----") || !text.contains("-----END ") {
        return Some("it is not whole: the line -----END is missing");
    }
    if !text.contains('\n') {
        return Some("its line ends are missing");
    }
    match (is_encrypted(text), key.passphrase.is_some()) {
        (true, false) => Some("it is encrypted, and there is no passphrase"),
        (true, true) => Some("it is encrypted, and the passphrase is wrong, or it is damaged"),
        (false, _) => None,
    }
}

fn is_encrypted(text: &str) -> bool {
    let body = text.lines().nth(1).unwrap_or_default();
    let is_openssh = text.starts_with("-----BEGIN OPENSSH ");
    (is_openssh && !body.starts_with(OPENSSH_OPEN))
        || text.contains("ENCRYPTED PRIVATE KEY-----")
        || body.starts_with("Proc-Type: 4,ENCRYPTED")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_keys_form_says_what_is_wrong_with_it() {
        let openssh = |body: &str| {
            format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"
            )
        };
        let sealed = openssh("b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0");
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nAA\n-----END RSA PRIVATE KEY-----";
        let pkcs8 =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----";
        for (text, passphrase, want) in [
            ("ssh-ed25519 AAAA me@here".to_owned(), None, Some("public key")),
            ("PuTTY-User-Key-File-3: ssh-ed25519\r\n".to_owned(), None, Some("PuTTY")),
            ("b3BlbnNzaC1rZXk".to_owned(), None, Some("-----BEGIN")),
            (sealed.lines().take(2).collect::<Vec<_>>().join("\n"), None, Some("not whole")),
            (sealed.replace('\n', " "), None, Some("line ends")),
            (sealed.clone(), None, Some("no passphrase")),
            (sealed.replace('\n', "\r\n"), Some("x"), Some("passphrase is wrong")),
            (pem.to_owned(), None, Some("no passphrase")),
            (pkcs8.to_owned(), None, Some("no passphrase")),
            (openssh(&format!("{OPENSSH_OPEN}AAAAEbm9uZQ")), None, None),
        ] {
            let passphrase = passphrase.map(|text: &str| Secret::new(text.to_owned()));
            let key = PrivateKey { text: Secret::new(text.clone()), passphrase, certificate: None };
            let said = fault(&key);
            assert_eq!(said.is_some(), want.is_some(), "{text}: {said:?}");
            assert!(
                said.unwrap_or_default().contains(want.unwrap_or_default()),
                "{text}: {said:?}"
            );
        }
    }
}
