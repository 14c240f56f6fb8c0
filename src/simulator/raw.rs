//! The faults below SSH: ports that say nothing, nonsense, or the first bytes of a protocol that leads nowhere.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::fault::Fault;

/// A version line.
pub const VERSION: &[u8] = b"SSH-2.0-Simulator\r\n";
pub(super) const MSG_IGNORE: u8 = 2;
const MSG_KEXINIT: u8 = 20;
/// Text that may stand before a version line.
pub(super) const LINES_BEFORE_VERSION: &[u8] =
    b"This system is monitored.\r\n#################\r\nSwitch> Use it only if you may.\r\n";

/// What a device offers at the start of the key exchange, in the order of the message: names, with commas between them.
#[derive(Clone, Copy)]
pub struct Offer {
    /// How keys are agreed on.
    pub key_exchange: &'static str,
    /// What host keys there are.
    pub host_key: &'static str,
    /// In both directions.
    pub cipher: &'static str,
    /// In both directions.
    pub mac: &'static str,
    /// In both directions.
    pub compression: &'static str,
}

impl Offer {
    /// One that every client takes.
    pub const GOOD: Self = Self {
        key_exchange: "curve25519-sha256,diffie-hellman-group14-sha256",
        host_key: "ssh-ed25519,rsa-sha2-256",
        cipher: "aes128-ctr,aes256-ctr",
        mac: "hmac-sha2-256",
        compression: "none",
    };
}

/// Acts one of these faults out, if the device has one; true if the connection is done with.
pub(super) async fn act_out(socket: &mut TcpStream, faults: &[Fault]) -> bool {
    for fault in faults {
        // Errors are a client that went away.
        let done = match fault {
            Fault::CloseAtAccept => Ok(()),
            Fault::CloseAfterBanner => close_after_version(socket).await,
            Fault::FloodBeforeBanner => flood(socket, &[b'x'; 1023]).await,
            Fault::GarbageInKex => {
                let garbage: Vec<u8> = (0..=u8::MAX).map(|n| n.wrapping_mul(n) ^ 0x9e).collect();
                say_and_wait(socket, &[VERSION, &garbage.repeat(8)].concat()).await
            }
            Fault::HugePacket => {
                say_and_wait(socket, &[VERSION, &[0xff, 0xff, 0xff, 0xff, 4, 20]].concat()).await
            }
            Fault::IgnoreFlood => ignore_flood(socket).await,
            Fault::NoCommonCipher => {
                offer(socket, Offer { cipher: "arcfour", ..Offer::GOOD }).await
            }
            Fault::NoCommonCompression => {
                offer(socket, Offer { compression: "lzma@example.net", ..Offer::GOOD }).await
            }
            Fault::NoCommonHostKey => {
                offer(socket, Offer { host_key: "ssh-dss", ..Offer::GOOD }).await
            }
            Fault::NoCommonMac => offer(socket, Offer { mac: "hmac-md5-96", ..Offer::GOOD }).await,
            Fault::NotSsh => not_ssh(socket).await,
            Fault::SilentPort => say_and_wait(socket, b"").await,
            Fault::WrongVersion => say_and_wait(socket, b"SSH-1.5-OldServer\r\n").await,
            _ => continue,
        };
        drop(done);
        return true;
    }
    false
}

async fn say_and_wait(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    socket.write_all(bytes).await?;
    let mut buffer = [0; 256];
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn close_after_version(socket: &mut TcpStream) -> std::io::Result<()> {
    socket.write_all(VERSION).await?;
    let mut version = [0; 64];
    socket.read(&mut version).await.map(drop)
}

async fn not_ssh(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut request = [0; 256];
    let _ = socket.read(&mut request).await?;
    socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await
}

async fn flood(socket: &mut TcpStream, line: &[u8]) -> std::io::Result<()> {
    loop {
        socket.write_all(line).await?;
        socket.write_all(b"\n").await?;
    }
}

async fn ignore_flood(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut payload = vec![MSG_IGNORE];
    string(&mut payload, &[0x2e; 200]);
    let burst = packet(&payload).repeat(50);
    socket.write_all(VERSION).await?;
    loop {
        socket.write_all(&burst).await?;
    }
}

async fn offer(socket: &mut TcpStream, offer: Offer) -> std::io::Result<()> {
    say_and_wait(socket, &[VERSION, &packet(&kexinit(offer))].concat()).await
}

/// The message with an offer: RFC 4253, 7.1.
#[must_use]
pub fn kexinit(offer: Offer) -> Vec<u8> {
    let mut payload = vec![MSG_KEXINIT];
    payload.extend_from_slice(&[0x5a; 16]);
    let Offer { key_exchange, host_key, cipher, mac, compression } = offer;
    for names in
        [key_exchange, host_key, cipher, cipher, mac, mac, compression, compression, "", ""]
    {
        string(&mut payload, names.as_bytes());
    }
    payload.extend_from_slice(&[0; 5]);
    payload
}

/// An SSH string: its length and its bytes.
pub(super) fn string(payload: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(bytes);
}

/// A packet as it goes over the wire before there are keys: RFC 4253, 6.
#[must_use]
pub fn packet(payload: &[u8]) -> Vec<u8> {
    let mut padding = 8 - (5 + payload.len()) % 8;
    if padding < 4 {
        padding += 8;
    }
    let length = u32::try_from(1 + payload.len() + padding).unwrap_or_default();
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap_or_default());
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_whole_blocks_with_their_length_in_front() {
        for length in 0..40 {
            let packet = packet(&vec![7; length]);
            let said = u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize;
            assert_eq!(packet.len() % 8, 0, "{length}");
            assert_eq!(packet.len(), said + 4, "{length}");
            assert!(packet[4] >= 4, "{length}");
        }
    }
}
