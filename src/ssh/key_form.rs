//! Why a private key cannot be used, told by its form: the SSH library has one sentence for all of it.
//!
//! And whether it may be tried: how often a passphrase is stirred before it opens a key, and how large the numbers are that
//! are reckoned with, is said in the key, which a caller brings, and nothing can end that from outside.

use crate::{
    device::PrivateKey,
    host_key::{base64, fields::Fields},
};

/// The beginning of an OpenSSH key that is not encrypted: its name, and `none` for the cipher.
const OPENSSH_OPEN: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

/// Rounds of bcrypt, of some 7 ms each; `ssh-keygen` takes 16 to 24 unless it is told otherwise.
const MOST_BCRYPT_ROUNDS: u32 = 300;
/// Rounds of PBKDF2, of some 0.15 µs each.
const MOST_PBKDF2_ROUNDS: u64 = 10_000_000;
/// What scrypt may be asked for: its three numbers multiplied.
const MOST_SCRYPT_WORK: u64 = 1 << 24;
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];
/// A signature takes 0.7 s with the worst numbers of this size, and eight times as long with each doubling.
const MOST_NUMBER_BITS: usize = 8192;
/// With the byte that keeps a number positive.
const MOST_NUMBER_BYTES: usize = MOST_NUMBER_BITS / 8 + 1;
/// What an RSA key of that size takes with a comment. Nobody sees how large the numbers in an encrypted key are.
const MOST_ENCRYPTED_BYTES: usize = 5000;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
/// Deeper than any algorithm's parameters.
const DEEPEST: usize = 8;

/// What a block of a key shows of itself.
enum Look {
    Open,
    Encrypted,
    TooDear(&'static str),
}

const STIRRED_TOO_OFTEN: Look = Look::TooDear(
    "its passphrase is stirred too often to be tried here; give it fewer rounds (`ssh-keygen -p -a 100`)",
);
const NUMBERS_TOO_LARGE: Look = Look::TooDear(
    "its numbers have more than 8,192 bits, and a signature with them takes too long",
);
const TOO_LONG: Look = Look::TooDear(
    "it is longer than an encrypted key of 8,192 bits, and a signature may take too long",
);

/// Why a key may not be tried: opening or using it would take seconds, or nobody can tell how long.
pub(super) fn not_to_be_tried(key: &PrivateKey) -> Option<&'static str> {
    // The library takes the first that it likes of several, also one inside of another.
    let mut rest = key.text.expose();
    let mut has_encrypted = false;
    while let Some((_, behind)) = rest.split_once("-----BEGIN ") {
        match look_at(behind) {
            Some(Look::Open) => {}
            // Each of them may be opened before one is taken.
            Some(Look::Encrypted) if has_encrypted => {
                return Some("it is more than one encrypted key; give one");
            }
            Some(Look::Encrypted) => has_encrypted = true,
            Some(Look::TooDear(reason)) => return Some(reason),
            None => return fault(key).or(Some("it is damaged")),
        }
        rest = behind;
    }
    None
}

/// Looks at what follows a `-----BEGIN `; `None` if it cannot be read.
fn look_at(behind: &str) -> Option<Look> {
    let ends = ["-----BEGIN ", "-----END "].into_iter().filter_map(|mark| behind.find(mark));
    let block = behind.get(..ends.min().unwrap_or(behind.len()))?;
    let (kind, body) = block.split_once("-----").unwrap_or((block, ""));
    match kind {
        "OPENSSH PRIVATE KEY" => openssh(&bytes_of(body)?),
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => pkcs8(&bytes_of(body)?),
        _ if kind.ends_with("CERTIFICATE") => Some(Look::Open),
        _ if body.trim_start().starts_with("Proc-Type:") => Some(encrypted(body.len() * 3 / 4)),
        _ => numbers(&bytes_of(body)?),
    }
}

fn bytes_of(body: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    // It must not grow: what it leaves behind would not be wiped.
    let mut text = zeroize::Zeroizing::new(String::with_capacity(body.len()));
    text.extend(body.split_ascii_whitespace());
    base64::decode(&text).map(zeroize::Zeroizing::new)
}

fn encrypted(n_bytes: usize) -> Look {
    if n_bytes > MOST_ENCRYPTED_BYTES { TOO_LONG } else { Look::Encrypted }
}

fn openssh(bytes: &[u8]) -> Option<Look> {
    let mut fields = Fields(bytes.strip_prefix(b"openssh-key-v1\0")?);
    let (_cipher, kdf, mut options) =
        (fields.string()?, fields.string()?, Fields(fields.string()?));
    if kdf != b"none" {
        let _salt = options.string()?;
        let is_cheap = kdf == b"bcrypt" && options.int()? <= MOST_BCRYPT_ROUNDS;
        return Some(if is_cheap { encrypted(bytes.len()) } else { STIRRED_TOO_OFTEN });
    }
    let (_n_keys, _public) = (fields.int()?, fields.string()?);
    let mut fields = Fields(fields.string()?);
    let (_check, _again, _kind) = (fields.int()?, fields.int()?, fields.string()?);
    // RSA has most: six numbers. Other kinds have a comment and padding behind fewer.
    let is_small =
        (0..6).map_while(|_| fields.string()).all(|number| number.len() <= MOST_NUMBER_BYTES);
    Some(if is_small { Look::Open } else { NUMBERS_TOO_LARGE })
}

/// The library takes both forms under either name.
fn pkcs8(bytes: &[u8]) -> Option<Look> {
    let (SEQUENCE, whole, _) = element(bytes)? else { return None };
    let (SEQUENCE, algorithm, _) = element(whole)? else { return numbers(bytes) };
    let mut work = Work { most: 0, product: 1, n_numbers: 0, is_scrypt: false };
    work.add(algorithm, DEEPEST)?;
    let (found, most) = if work.is_scrypt {
        (work.product, MOST_SCRYPT_WORK)
    } else {
        (work.most, MOST_PBKDF2_ROUNDS)
    };
    Some(if found <= most { encrypted(bytes.len()) } else { STIRRED_TOO_OFTEN })
}

fn numbers(bytes: &[u8]) -> Option<Look> {
    Some(if has_small_numbers(bytes, DEEPEST)? { Look::Open } else { NUMBERS_TOO_LARGE })
}

fn has_small_numbers(mut bytes: &[u8], depth: usize) -> Option<bool> {
    let deeper = depth.checked_sub(1)?;
    while !bytes.is_empty() {
        let (tag, inside, rest) = element(bytes)?;
        // What is shorter has no room for a larger number, and what is longer and no number is made of elements.
        if inside.len() > MOST_NUMBER_BYTES
            && (tag == INTEGER || !has_small_numbers(inside, deeper)?)
        {
            return Some(false);
        }
        bytes = rest;
    }
    Some(true)
}

/// All numbers in an algorithm's parameters.
struct Work {
    most: u64,
    /// Of the first three: what scrypt takes.
    product: u64,
    n_numbers: usize,
    is_scrypt: bool,
}

impl Work {
    fn add(&mut self, mut bytes: &[u8], depth: usize) -> Option<()> {
        let deeper = depth.checked_sub(1)?;
        while !bytes.is_empty() {
            let (tag, inside, rest) = element(bytes)?;
            match tag {
                SEQUENCE => self.add(inside, deeper)?,
                INTEGER => {
                    let plain = inside.iter().skip_while(|byte| **byte == 0);
                    let number = plain.fold(0_u64, |number, byte| {
                        number.saturating_mul(256).saturating_add(u64::from(*byte))
                    });
                    self.most = self.most.max(number);
                    if self.n_numbers < 3 {
                        self.product = self.product.saturating_mul(number.max(1));
                    }
                    self.n_numbers += 1;
                }
                OBJECT => self.is_scrypt |= inside == SCRYPT,
                _ => {}
            }
            bytes = rest;
        }
        Some(())
    }
}

/// Tag, content and what is behind it, in DER. What other readers take beside that is refused: longer forms of a length and
/// of a tag, and strings in pieces.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
    let is_long = tag & 0x1f == 0x1f;
    let is_in_pieces = tag & 0xe0 == 0x20 && !matches!(tag, SEQUENCE | SET);
    if is_long || is_in_pieces {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(one, rest)| (usize::from(*one), rest))?,
        0x82 => {
            let (two, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*two)), rest)
        }
        _ => return None,
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((tag, inside, rest))
}

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
    if !text.contains('\n') {
        return Some("its line ends are missing");
    }
    if !text.ends_with("-----") || !text.contains("-----END ") {
        return Some("it is not whole: the line -----END is missing");
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

    const PBKDF2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];

    fn check(text: &str, want: Option<&str>) {
        let said = not_to_be_tried(&key(text.to_owned()));
        assert_eq!(said.is_some(), want.is_some(), "{text:.90}: {said:?}");
        assert!(
            said.unwrap_or_default().contains(want.unwrap_or_default()),
            "{text:.90}: {said:?}"
        );
    }

    fn key(text: String) -> PrivateKey {
        let passphrase = Some(Secret::new("x".to_owned()));
        PrivateKey { text: Secret::new(text), passphrase, certificate: None }
    }

    fn block(kind: &str, bytes: &[u8]) -> String {
        let body = base64::encode(bytes);
        let padding = "=".repeat((4 - body.len() % 4) % 4);
        format!("-----BEGIN {kind}-----\n{body}{padding}\n-----END {kind}-----\n")
    }

    fn openssh(kdf: &str, rounds: u32) -> String {
        openssh_with(kdf, rounds, 64)
    }

    fn openssh_with(kdf: &str, rounds: u32, n_bytes: usize) -> String {
        let string = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
            [length.as_slice(), bytes].concat()
        };
        let options = [string(b"0123456789abcdef"), rounds.to_be_bytes().to_vec()].concat();
        let numbers = [string(&[1, 0, 1]), string(&vec![7; n_bytes]), string(b"comment")].concat();
        let private = [vec![5; 8], string(b"ssh-rsa"), numbers, vec![1, 2, 3]].concat();
        let parts = [
            string(b"aes256-ctr"),
            string(kdf.as_bytes()),
            string(&options),
            vec![0, 0, 0, 1],
            string(b"public"),
            string(&private),
        ];
        let bytes = [b"openssh-key-v1\0".to_vec(), parts.concat()].concat();
        block("OPENSSH PRIVATE KEY", &bytes)
    }

    fn der(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let inside = parts.concat();
        let length = match u16::try_from(inside.len()).unwrap() {
            short @ 0..=0x7f => vec![u8::try_from(short).unwrap()],
            long => [vec![0x82], long.to_be_bytes().to_vec()].concat(),
        };
        [vec![tag], length, inside].concat()
    }

    /// Three numbers, the largest of `n_bytes`.
    fn numbers(n_bytes: usize) -> Vec<u8> {
        let number = |n_bytes| der(INTEGER, &[vec![7; n_bytes]]);
        der(SEQUENCE, &[number(1), number(n_bytes), number(3)])
    }

    fn pkcs8_open(n_bytes: usize) -> String {
        let algorithm = der(SEQUENCE, &[der(OBJECT, &[vec![1, 2]])]);
        let parts = [der(INTEGER, &[vec![0]]), algorithm, der(4, &[numbers(n_bytes)])];
        block("PRIVATE KEY", &der(SEQUENCE, &parts))
    }

    /// As OpenSSL encrypts PEM keys of its old forms.
    fn with_header(text: &str) -> String {
        let header = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233\n\n";
        text.replacen("KEY-----\n", header, 1)
    }

    fn pkcs8(object: &[u8], numbers: &[u32]) -> String {
        pkcs8_with(object, numbers, 16)
    }

    fn pkcs8_with(object: &[u8], numbers: &[u32], n_bytes: usize) -> String {
        let numbers = numbers.iter().map(|number| der(2, &[number.to_be_bytes().to_vec()]));
        let parameters: Vec<_> = std::iter::once(der(4, &[vec![7; 8]])).chain(numbers).collect();
        let function = der(0x30, &[der(6, &[object.to_vec()]), der(0x30, &parameters)]);
        let algorithm = der(0x30, &[der(6, &[vec![1, 2]]), der(0x30, &[function])]);
        block("ENCRYPTED PRIVATE KEY", &der(0x30, &[algorithm, der(4, &[vec![9; n_bytes]])]))
    }

    #[test]
    fn a_key_whose_passphrase_takes_long_to_try_is_not_tried() {
        for (text, want) in [
            (openssh("bcrypt", 16), None),
            (openssh("bcrypt", 300), None),
            (openssh("bcrypt", 301), Some("too often")),
            (openssh("bcrypt", 1 << 20), Some("too often")),
            (openssh("argon2", 1), Some("too often")),
            (openssh("none", 0), None),
            (pkcs8(&PBKDF2, &[2048]), None),
            (pkcs8(&PBKDF2, &[10_000_000, 32]), None),
            (pkcs8(&PBKDF2, &[30_000_000]), Some("too often")),
            (pkcs8(SCRYPT, &[1 << 14, 8, 1]), None),
            (pkcs8(SCRYPT, &[1 << 17, 8, 1, 32]), None),
            (pkcs8(SCRYPT, &[1 << 14, 8, 1 << 20]), Some("too often")),
            (openssh("bcrypt", 16).replace("b3", "!!"), Some("damaged")),
            (openssh("bcrypt", 16).replace('\n', "\\n"), Some("line ends")),
            (openssh("bcrypt", 16).get(..90).unwrap().to_owned(), Some("not whole")),
            (block("ENCRYPTED PRIVATE KEY", &[0x30, 0x80, 0, 0]), Some("damaged")),
            (openssh("bcrypt", 16) + &openssh("bcrypt", 1000), Some("too often")),
            (format!("-----BEGIN X-----\n{}", openssh("bcrypt", 1000)), Some("too often")),
            (block("RSA PRIVATE KEY", &[1, 2, 3]), Some("damaged")),
            (pkcs8(&PBKDF2, &[30_000_000]).replace("ENCRYPTED ", ""), Some("too often")),
            (openssh("bcrypt", 300) + &pkcs8(&PBKDF2, &[2048]), Some("more than one")),
            (pkcs8(&PBKDF2, &[2048]).repeat(2), Some("more than one")),
            (with_header(&block("RSA PRIVATE KEY", &[9; 48])), None),
            (with_header(&pkcs8(&PBKDF2, &[30_000_000])), Some("damaged")),
            ("-----BEGIN ".to_owned(), None),
        ] {
            check(&text, want);
        }
    }

    #[test]
    fn a_key_with_numbers_that_take_long_to_reckon_with_is_not_tried() {
        let (large, long) = (Some("more than 8,192 bits"), Some("longer than"));
        let (most, more) = (MOST_NUMBER_BYTES, MOST_NUMBER_BYTES + 1);
        for kind in ["RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY", "ANY OTHER KEY"] {
            check(&block(kind, &numbers(most)), None);
            check(&block(kind, &numbers(more)), large);
            check(&block(kind, &numbers(11_700)), large);
            check(&with_header(&block(kind, &[9; 4_800])), None);
            check(&with_header(&block(kind, &[9; 5_008])), long);
        }
        let in_a_long_tag = der(SEQUENCE, &[[vec![0x1f], numbers(more)].concat()]);
        let in_pieces = der(0x24, &[der(4, &[vec![7; most]]), der(4, &[vec![7; most]])]);
        for (text, want) in [
            (pkcs8_open(most), None),
            (pkcs8_open(more), large),
            (openssh_with("none", 0, most), None),
            (openssh_with("none", 0, more), large),
            (openssh_with("bcrypt", 16, 4_800), None),
            (openssh_with("bcrypt", 16, 5_000), long),
            (pkcs8_with(&PBKDF2, &[2048], 4_900), None),
            (pkcs8_with(&PBKDF2, &[2048], 5_000), long),
            (openssh("none", 0) + &block("RSA PRIVATE KEY", &numbers(more)), large),
            (openssh("none", 0) + &block("CERTIFICATE", &numbers(more)), None),
            (block("EC PARAMETERS", &der(OBJECT, &[vec![1, 2]])) + &pkcs8_open(most), None),
            (block("RSA PRIVATE KEY", &in_a_long_tag), Some("damaged")),
            (block("PRIVATE KEY", &der(SEQUENCE, &[in_pieces])), Some("damaged")),
            (block("RSA PRIVATE KEY", &numbers(64)).replacen('\n', "\n-", 2), Some("damaged")),
        ] {
            check(&text, want);
        }
    }

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
