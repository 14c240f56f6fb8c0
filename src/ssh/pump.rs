//! Moves bytes between an SSH channel and a socket that the next session talks on.
//!
//! libssh2 wants a socket under a session, and the way through a jump host is a channel: so there is a pair of
//! sockets between them, and whoever waits for the session moves the bytes meanwhile. No thread, no waiting here.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

const BUFFER_BYTES: usize = 32 * 1024;

/// The channel's side: reads and writes that never wait.
pub trait Carrier: Read + Write {
    /// True if the last write has left a packet half sent: nothing else may be done on the session before it is out.
    fn must_flush(&self) -> bool;
}

/// How a channel ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// The jump host closed it: what is behind the jump host has hung up.
    Closed,
    /// The connection to the jump host itself is gone.
    Lost,
}

/// One end of a pair of sockets, and the bytes that are on their way.
#[derive(Debug)]
pub struct Pump {
    end: UnixStream,
    outgoing: Buffer,
    incoming: Buffer,
    over: Option<Over>,
    end_closed: bool,
}

impl Pump {
    /// A pump, and the socket to talk on; neither blocks.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn new() -> io::Result<(Self, UnixStream)> {
        let (end, socket) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        socket.set_nonblocking(true)?;
        let (outgoing, incoming) = (Buffer::new(), Buffer::new());
        Ok((Self { end, outgoing, incoming, over: None, end_closed: false }, socket))
    }

    /// How the channel ended, if it did.
    #[must_use]
    pub fn over(&self) -> Option<Over> {
        self.over
    }

    /// Moves all that can be moved at once; true if that was anything.
    pub fn turn(&mut self, channel: &mut impl Carrier) -> bool {
        let mut moved = false;
        while self.send(channel) | self.receive(channel) {
            moved = true;
        }
        if self.over.is_some() && self.incoming.is_empty() {
            // Whoever talks on the socket reads its end now.
            let _ = self.end.shutdown(Shutdown::Both);
        }
        moved
    }

    /// From the socket into the channel.
    fn send(&mut self, channel: &mut impl Carrier) -> bool {
        let mut moved = false;
        if self.outgoing.is_empty() && !self.end_closed {
            match self.outgoing.fill(&mut self.end) {
                Ok(0) => self.end_closed = true,
                Ok(_) => moved = true,
                Err(error) => self.end_closed = error.kind() != ErrorKind::WouldBlock,
            }
        }
        if self.over.is_none() && !self.outgoing.is_empty() {
            match self.outgoing.drain(channel) {
                Ok(length) => moved |= length > 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Reading will tell who went.
                Err(_gone) => {
                    self.outgoing.clear();
                    self.end_closed = true;
                }
            }
        }
        moved
    }

    /// From the channel into the socket.
    fn receive(&mut self, channel: &mut impl Carrier) -> bool {
        let mut moved = false;
        if self.incoming.is_empty() && self.over.is_none() && !channel.must_flush() {
            match self.incoming.fill(channel) {
                Ok(0) => self.over = Some(Over::Closed),
                Ok(_) => moved = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_gone) => self.over = Some(Over::Lost),
            }
        }
        if !self.incoming.is_empty() {
            match self.incoming.drain(&mut self.end) {
                Ok(length) => moved |= length > 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Nobody listens any more.
                Err(_gone) => self.incoming.clear(),
            }
        }
        moved
    }
}

/// Bytes that were read and not yet written.
#[derive(Debug)]
struct Buffer {
    bytes: Box<[u8]>,
    from: usize,
    to: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into_boxed_slice(), from: 0, to: 0 }
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }

    fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        self.clear();
        self.to = source.read(&mut self.bytes)?;
        Ok(self.to)
    }

    fn drain(&mut self, sink: &mut impl Write) -> io::Result<usize> {
        let length = sink.write(self.bytes.get(self.from..self.to).unwrap_or_default())?;
        self.from += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A channel that takes a few bytes at a time and echoes them.
    #[derive(Default)]
    struct Echo {
        held: VecDeque<u8>,
        room: usize,
        end: Option<ErrorKind>,
    }

    impl Read for Echo {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match (self.held.is_empty(), self.end) {
                (true, None) => Err(ErrorKind::WouldBlock.into()),
                (true, Some(ErrorKind::UnexpectedEof)) => Ok(0),
                (true, Some(end)) => Err(end.into()),
                (false, _) => self.held.read(buffer),
            }
        }
    }

    impl Write for Echo {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.room);
            self.room -= length;
            self.held.extend(&bytes[..length]);
            if length == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(length) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Carrier for Echo {
        fn must_flush(&self) -> bool {
            false
        }
    }

    #[test]
    fn bytes_come_through_whole_and_in_order_however_little_fits_at_a_time() {
        let (mut pump, mut socket) = Pump::new().unwrap();
        let mut channel = Echo::default();
        let sent: Vec<u8> = (0..200_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let (mut written, mut back) = (0, Vec::new());
        let mut buffer = [0; 4096];
        for turn in 0..1_000_000 {
            if written == sent.len() && back.len() == sent.len() {
                break;
            }
            written += socket.write(&sent[written..]).unwrap_or_default();
            channel.room = turn % 977;
            pump.turn(&mut channel);
            if let Ok(length) = socket.read(&mut buffer) {
                back.extend_from_slice(&buffer[..length]);
            }
        }
        assert!(back == sent, "{} of {}", back.len(), sent.len());
    }

    #[test]
    fn what_had_come_is_read_before_the_end_and_the_end_says_who_went() {
        for (end, over) in
            [(ErrorKind::UnexpectedEof, Over::Closed), (ErrorKind::ConnectionReset, Over::Lost)]
        {
            let (mut pump, mut socket) = Pump::new().unwrap();
            let mut channel = Echo { end: Some(end), ..Echo::default() };
            channel.held.extend(b"last words");
            pump.turn(&mut channel);
            let mut read = String::new();
            socket.read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), pump.over()), ("last words", Some(over)));
        }
    }
}
