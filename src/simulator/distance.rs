//! A device that is far away: every byte takes its time in each direction, and as many as like are under way.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream},
    net::TcpStream,
    time::{Instant, sleep_until},
};

const CHUNK: usize = 32 * 1024;
/// More than this is not under way at a time; a sender waits then.
const MOST_CHUNKS: usize = 256;

/// The same connection at the end of a line on which every byte is `one_way` under way.
pub(super) fn over(stream: TcpStream, one_way: Duration) -> DuplexStream {
    let (near, far) = tokio::io::duplex(CHUNK);
    let (client_reads, client_writes) = stream.into_split();
    let (device_reads, device_writes) = tokio::io::split(far);
    // Each ends when its source has ended.
    tokio::spawn(carry(client_reads, device_writes, one_way));
    tokio::spawn(carry(device_reads, client_writes, one_way));
    near
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    one_way: Duration,
) {
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; CHUNK];
    let mut open = true;
    while open || !under_way.is_empty() {
        let due = under_way.front().map_or_else(Instant::now, |(due, _)| *due);
        tokio::select! {
            read = from.read(&mut buffer), if open && under_way.len() < MOST_CHUNKS => {
                let bytes = buffer.get(..read.unwrap_or_default()).unwrap_or_default();
                open = !bytes.is_empty();
                under_way.push_back((Instant::now() + one_way, bytes.to_vec()));
            }
            () = sleep_until(due), if !under_way.is_empty() => {
                let bytes = under_way.pop_front().map(|(_, bytes)| bytes).unwrap_or_default();
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
    // Nobody is there any more if this fails.
    let _ = to.shutdown().await;
}
