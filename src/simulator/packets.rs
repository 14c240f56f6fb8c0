//! Faults behind the key exchange that the SSH library under the other devices cannot act out: a small server that
//! writes its packets itself. One suite: curve25519, ed25519, AES-GCM.
//!
//! Not here: what comes before there are keys (`raw`).

use std::{io, sync::atomic::Ordering, time::Duration};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{
    fault::Fault,
    raw::{MSG_IGNORE, Offer, VERSION, kexinit, packet, string},
    server::Shared,
};
use crate::host_key::fields::Fields;

const MSG_SERVICE_ACCEPT: u8 = 6;
const MSG_NEWKEYS: u8 = 21;
const MSG_KEX_ECDH_INIT: u8 = 30;
const MSG_KEX_ECDH_REPLY: u8 = 31;
const MSG_USERAUTH_REQUEST: u8 = 50;
const MSG_USERAUTH_FAILURE: u8 = 51;
const MSG_USERAUTH_SUCCESS: u8 = 52;
const MSG_USERAUTH_PASSWD_CHANGEREQ: u8 = 60;
const MSG_CHANNEL_OPEN_CONFIRMATION: u8 = 91;
const MSG_CHANNEL_DATA: u8 = 94;
const MSG_CHANNEL_SUCCESS: u8 = 99;
/// One of those that RFC 4250 leaves for private use.
const MSG_OF_NOBODY: u8 = 192;
const MOST_PACKET_BYTES: usize = 256 * 1024;
const TAG_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;

const OFFER: Offer = Offer {
    key_exchange: "curve25519-sha256",
    host_key: "ssh-ed25519",
    cipher: "aes256-gcm@openssh.com",
    mac: "hmac-sha2-256",
    compression: "none",
};

/// The fault of this device that is acted out here, if it has one.
pub(super) fn acted_out(faults: &[Fault]) -> Option<Fault> {
    let here = [Fault::IgnoreFloodAfterLogin, Fault::PasswordExpired, Fault::StrayMessages];
    faults.iter().copied().find(|fault| here.contains(fault))
}

/// Serves one connection. An error is a client that went away or spoke nonsense.
pub(super) async fn serve(socket: TcpStream, fault: Fault, shared: &Shared) -> io::Result<()> {
    let mut link = exchange_keys(BufReader::new(socket), shared.options.host_key_seed).await?;
    let service = link.read().await?;
    let name = Fields(service.get(1..).unwrap_or_default()).string().unwrap_or_default();
    let mut accept = vec![MSG_SERVICE_ACCEPT];
    string(&mut accept, name);
    link.write(&accept).await?;
    loop {
        let request = link.read().await?;
        let [MSG_USERAUTH_REQUEST, fields @ ..] = request.as_slice() else { continue };
        let asked = Login::read(fields).ok_or_else(nonsense)?;
        if asked.method != b"password" {
            refuse(&mut link).await?;
            continue;
        }
        shared.login_attempts.fetch_add(1, Ordering::Relaxed);
        let options = &shared.options;
        let is_right = asked.user == options.username.as_bytes()
            && asked.password == Some(options.password.as_bytes());
        if !is_right || asked.new_password.is_some() {
            refuse(&mut link).await?;
            continue;
        }
        if fault == Fault::PasswordExpired {
            let mut demand = vec![MSG_USERAUTH_PASSWD_CHANGEREQ];
            string(&mut demand, b"Your password has expired. Choose a new one.");
            string(&mut demand, b"");
            link.write(&demand).await?;
            continue;
        }
        shared.logins.fetch_add(1, Ordering::Relaxed);
        link.write(&[MSG_USERAUTH_SUCCESS]).await?;
        if fault == Fault::StrayMessages {
            return send_stray_messages(&mut link).await;
        }
        let mut ignored = vec![MSG_IGNORE];
        string(&mut ignored, &[0x2e; 1000]);
        loop {
            link.write(&ignored).await?;
        }
    }
}

/// Opens the terminal and the shell, and fills the client's memory if it can: a gigabyte, at a pace that a network has.
async fn send_stray_messages(link: &mut Link) -> io::Result<()> {
    let open = link.read().await?;
    let mut fields = Fields(open.get(1..).unwrap_or_default());
    fields.string().ok_or_else(nonsense)?;
    let channel = fields.0.get(..4).ok_or_else(nonsense)?.to_vec();
    let room = [[0, 0, 0, 0], [0, 16, 0, 0], [0, 0, 128, 0]].concat();
    link.write(&[&[MSG_CHANNEL_OPEN_CONFIRMATION], channel.as_slice(), &room].concat()).await?;
    for _terminal_and_shell in 0..2 {
        link.read().await?;
        link.write(&[&[MSG_CHANNEL_SUCCESS], channel.as_slice()].concat()).await?;
    }
    let stray = [&[MSG_OF_NOBODY][..], &[0; 16_000]].concat();
    let data = [&[MSG_CHANNEL_DATA], channel.as_slice(), &[0, 0, 0, 1, b'x']].concat();
    for _ in 0..4096 {
        for _ in 0..16 {
            link.write(&stray).await?;
        }
        link.write(&data).await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn refuse(link: &mut Link) -> io::Result<()> {
    let mut failure = vec![MSG_USERAUTH_FAILURE];
    string(&mut failure, b"password");
    failure.push(0);
    link.write(&failure).await
}

/// A request to be let in.
struct Login<'b> {
    user: &'b [u8],
    method: &'b [u8],
    password: Option<&'b [u8]>,
    new_password: Option<&'b [u8]>,
}

impl<'b> Login<'b> {
    fn read(bytes: &'b [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let (user, _service, method) = (fields.string()?, fields.string()?, fields.string()?);
        let (changes, rest) = fields.0.split_first().unwrap_or((&0, &[]));
        fields.0 = rest;
        let password = fields.string();
        Some(Self {
            user,
            method,
            password,
            new_password: fields.string().filter(|_| *changes == 1),
        })
    }
}

/// A connection with keys.
struct Link {
    socket: BufReader<TcpStream>,
    reads: Key,
    writes: Key,
}

/// A key of one direction, and the number of its next packet.
struct Key {
    cipher: LessSafeKey,
    fixed: [u8; 4],
    counter: u64,
}

impl Key {
    fn new(key: &[u8], iv: &[u8]) -> io::Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_length| nonsense())?;
        let (fixed, counter) = iv.split_first_chunk::<4>().ok_or_else(nonsense)?;
        let counter = counter.first_chunk::<8>().ok_or_else(nonsense)?;
        Ok(Self {
            cipher: LessSafeKey::new(key),
            fixed: *fixed,
            counter: u64::from_be_bytes(*counter),
        })
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        let (fixed, counter) = nonce.split_at_mut(4);
        fixed.copy_from_slice(&self.fixed);
        counter.copy_from_slice(&self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Link {
    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).await?;
        let n_bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if n_bytes > MOST_PACKET_BYTES {
            return Err(nonsense());
        }
        let mut sealed = vec![0; n_bytes + TAG_BYTES];
        self.socket.read_exact(&mut sealed).await?;
        let nonce = self.reads.nonce();
        let opened = self.reads.cipher.open_in_place(nonce, Aad::from(length), &mut sealed);
        payload(opened.map_err(|_forged| nonsense())?)
    }

    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut padding = BLOCK_BYTES - (1 + payload.len()) % BLOCK_BYTES;
        if padding < 4 {
            padding += BLOCK_BYTES;
        }
        let mut body = vec![u8::try_from(padding).unwrap_or_default()];
        body.extend_from_slice(payload);
        body.resize(body.len() + padding, 0);
        let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
        let nonce = self.writes.nonce();
        let tag =
            self.writes.cipher.seal_in_place_separate_tag(nonce, Aad::from(length), &mut body);
        let tag = tag.map_err(|_too_long| nonsense())?;
        let whole = [&length, body.as_slice(), tag.as_ref()].concat();
        self.socket.get_mut().write_all(&whole).await
    }
}

/// RFC 4253 with the exchange of RFC 8731, as the server.
async fn exchange_keys(mut socket: BufReader<TcpStream>, seed: Option<u64>) -> io::Result<Link> {
    let ours = kexinit(OFFER);
    socket.get_mut().write_all(&[VERSION, &packet(&ours)].concat()).await?;
    let version = read_line(&mut socket).await?;
    let theirs = read_plain(&mut socket).await?;
    let init = read_plain(&mut socket).await?;
    let [MSG_KEX_ECDH_INIT, point @ ..] = init.as_slice() else { return Err(nonsense()) };
    let their_point = Fields(point).string().ok_or_else(nonsense)?;

    let random = SystemRandom::new();
    let secret = EphemeralPrivateKey::generate(&X25519, &random).map_err(|_none| nonsense())?;
    let our_point = secret.compute_public_key().map_err(|_none| nonsense())?;
    let their_key = UnparsedPublicKey::new(&X25519, their_point);
    let shared = agree_ephemeral(secret, &their_key, mpint).map_err(|_weak| nonsense())?;
    let host = host_key(seed)?;
    let mut blob = Vec::new();
    string(&mut blob, b"ssh-ed25519");
    string(&mut blob, host.public_key().as_ref());

    let mut agreed = Vec::new();
    let our_version = VERSION.trim_ascii_end();
    for part in
        [version.as_slice(), our_version, &theirs, &ours, &blob, their_point, our_point.as_ref()]
    {
        string(&mut agreed, part);
    }
    agreed.extend_from_slice(&shared);
    let hash = Sha256::digest(&agreed);
    let mut signature = Vec::new();
    string(&mut signature, b"ssh-ed25519");
    string(&mut signature, host.sign(&hash).as_ref());
    let mut reply = vec![MSG_KEX_ECDH_REPLY];
    for part in [blob.as_slice(), our_point.as_ref(), &signature] {
        string(&mut reply, part);
    }
    socket.get_mut().write_all(&[packet(&reply), packet(&[MSG_NEWKEYS])].concat()).await?;
    if read_plain(&mut socket).await? != [MSG_NEWKEYS] {
        return Err(nonsense());
    }
    let derive = |letter: u8| {
        let mut hasher = Sha256::new();
        hasher.update(&shared);
        hasher.update(hash);
        hasher.update([letter]);
        hasher.update(hash);
        hasher.finalize()
    };
    let reads = Key::new(&derive(b'C'), &derive(b'A'))?;
    let writes = Key::new(&derive(b'D'), &derive(b'B'))?;
    Ok(Link { socket, reads, writes })
}

/// The same number gives the same key, none gives any.
fn host_key(seed: Option<u64>) -> io::Result<Ed25519KeyPair> {
    let bytes = Sha256::digest(seed.unwrap_or_default().to_be_bytes());
    Ed25519KeyPair::from_seed_unchecked(&bytes).map_err(|_length| nonsense())
}

/// A number of SSH, with its length: no zeros in front, and none that looks negative.
fn mpint(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let mut bytes = number.get(start..).unwrap_or_default().to_vec();
    if bytes.first().is_some_and(|byte| *byte > 0x7f) {
        bytes.insert(0, 0);
    }
    let mut field = Vec::new();
    string(&mut field, &bytes);
    field
}

async fn read_line(socket: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') && line.len() < 256 {
        line.push(socket.read_u8().await?);
    }
    Ok(line.trim_ascii_end().to_vec())
}

/// A packet from before there are keys.
async fn read_plain(socket: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let n_bytes = usize::try_from(socket.read_u32().await?).unwrap_or(usize::MAX);
    if n_bytes > MOST_PACKET_BYTES {
        return Err(nonsense());
    }
    let mut body = vec![0; n_bytes];
    socket.read_exact(&mut body).await?;
    payload(&body)
}

/// What is between a packet's length of padding and its padding.
fn payload(body: &[u8]) -> io::Result<Vec<u8>> {
    let (padding, rest) = body.split_first().ok_or_else(nonsense)?;
    let end = rest.len().checked_sub(usize::from(*padding)).ok_or_else(nonsense)?;
    Ok(rest.get(..end).unwrap_or_default().to_vec())
}

fn nonsense() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_zeros_in_front_and_are_never_negative() {
        assert_eq!(mpint(&[0, 0, 1, 2]), [0, 0, 0, 2, 1, 2]);
        assert_eq!(mpint(&[0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(mpint(&[0, 0]), [0, 0, 0, 0]);
    }

    #[test]
    fn a_request_to_be_let_in_is_read_and_half_of_one_is_not() {
        let mut bytes = Vec::new();
        for field in [b"demo".as_slice(), b"ssh-connection", b"password"] {
            string(&mut bytes, field);
        }
        bytes.push(0);
        string(&mut bytes, b"secret");
        let login = Login::read(&bytes).unwrap();
        assert_eq!((login.user, login.method), (b"demo".as_slice(), b"password".as_slice()));
        assert_eq!((login.password, login.new_password), (Some(b"secret".as_slice()), None));
        assert!(Login::read(&bytes[..12]).is_none());
        assert_eq!(payload(&[2, 7, 0, 0]).unwrap(), [7]);
        assert!(payload(&[9, 7]).is_err() && payload(&[]).is_err());
    }
}
