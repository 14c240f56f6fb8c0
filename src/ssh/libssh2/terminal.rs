//! A shell on a device's terminal.

use std::{
    io::{self, Read as _, Write as _},
    time::{Duration, Instant},
};

use ssh2::{BlockDirections, ErrorCode, ExtendedData, Session};

use super::{Fault, WOULD_BLOCK, connection::Connection, path::interest};
use crate::{
    deadline::Deadline,
    output::terminal,
    ssh::{
        socket,
        transport::{Arrived, Broken, ReadBuffer, Transport},
    },
};

/// An answer that libssh2 did not expect, or none.
const PROTOCOL: i32 = -14;
/// Waited for the socket before libssh2 is asked whether it has something itself.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const TERMINAL_ROWS: u32 = 1000;

/// A shell on a device's terminal.
pub struct Terminal {
    // Dropped before the connection that carries it.
    channel: ssh2::Channel,
    connection: Connection,
    /// The last read left nothing, neither with libssh2 nor in the socket.
    is_emptied: bool,
}

impl Connection {
    /// Asks for a terminal and a shell on it.
    ///
    /// Both requests leave before the first is answered, as OpenSSH does it: a round trip less. libssh2 may take one
    /// answer for the other; that does not matter, because a single no ends the session.
    ///
    /// # Errors
    /// The device refused, was late or is gone.
    pub fn open_terminal(mut self, until: Deadline) -> Result<Terminal, Fault> {
        match self.ask_for_terminal(until) {
            Ok(channel) => Ok(Terminal { channel, connection: self, is_emptied: false }),
            // libssh2 does not tell a hang-up from an answer that it cannot read.
            Err(Fault::Failed { code: PROTOCOL, .. }) if self.has_ended() => Err(Fault::Closed),
            Err(fault) => Err(fault),
        }
    }

    fn ask_for_terminal(&mut self, until: Deadline) -> Result<ssh2::Channel, Fault> {
        let mut channel = self.drive(until, Session::channel_session)?;
        // Some say it on a second stream that their sessions are taken, and nobody else would make room in its window.
        channel
            .handle_extended_data(ExtendedData::Merge)
            .map_err(|error| Fault::from_library(&error))?;
        let size = (terminal::COLUMNS.into(), TERMINAL_ROWS, 0, 0);
        let (mut has_terminal, mut has_shell) = (false, false);
        socket::hold_back(&self.path.socket, true);
        loop {
            has_terminal = has_terminal || done(channel.request_pty("vt100", None, Some(size)))?;
            // A request that has left only in part must be ended before another one is begun.
            let may_send =
                has_terminal || matches!(self.session.block_directions(), BlockDirections::Inbound);
            let before = has_shell;
            has_shell = has_shell || (may_send && done(channel.shell())?);
            socket::hold_back(&self.path.socket, false);
            match (has_terminal, has_shell) {
                (true, true) => return Ok(channel),
                // The call may have read the other answer too: the socket would not tell.
                (false, true) if !before => {}
                _ => self.path.wait(&self.session, until)?,
            }
        }
    }
}

impl Terminal {
    /// Waits for the socket before libssh2 is asked, which would have nothing yet and says so at some cost. Not for
    /// long, so that nothing hangs on what libssh2 may have taken in meanwhile.
    fn wait_first(&mut self, until: Deadline) -> Result<(), Fault> {
        let has_nothing = self.connection.path.tunnel.is_none()
            && !self.channel.eof()
            && self.channel.read_window().available == 0;
        if !has_nothing {
            return Ok(());
        }
        let soon = Deadline::after(Instant::now(), FIRST_WAIT).or_earlier(until);
        let Connection { session, path, .. } = &mut self.connection;
        match path.wait_for(interest(session), soon) {
            Err(Fault::Late) => Ok(()),
            Ok(()) => path.note_arrived(until),
            waited => waited,
        }
    }

    /// As [`Connection::lost_hop`].
    #[must_use]
    pub fn lost_hop(&self) -> Option<usize> {
        self.connection.lost_hop()
    }

    /// True once the peer was shown a password or a key.
    #[must_use]
    pub fn has_sent_proof(&self) -> bool {
        self.connection.sent().is_some()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The end of the channel, the goodbye and the end of the connection leave together.
        socket::hold_back(&self.connection.path.socket, true);
    }
}

impl Transport for Terminal {
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        if std::mem::take(&mut self.is_emptied)
            && let Some(until) = until
            && let Err(fault) = self.wait_first(until)
        {
            return without(fault);
        }
        if self.connection.path.is_flooded() {
            let Some(until) = until else { return Ok(Arrived::Nothing) };
            return without(self.connection.path.wait_unread(until));
        }
        loop {
            let room = buffer.all();
            let most = room.len();
            match self.channel.read(room) {
                Ok(0) => return Ok(Arrived::End),
                Ok(length) => {
                    self.connection.path.note_delivered(length);
                    // libssh2 has read what there was, and gives what there is room for.
                    self.is_emptied = length < most
                        && !self.connection.path.has_more(length)
                        && self.connection.path.tunnel.is_none()
                        && !self.channel.eof();
                    return Ok(if self.is_emptied {
                        Arrived::All(length)
                    } else {
                        Arrived::Bytes(length)
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Connection { session, path, .. } = &mut self.connection;
                    let Some(until) = until else {
                        // What a jump host has for us is looked at too.
                        if path.tunnel.as_mut().is_some_and(|tunnel| tunnel.turn()) {
                            continue;
                        }
                        self.is_emptied = true;
                        return Ok(Arrived::Nothing);
                    };
                    buffer.release();
                    if let Err(fault) = path.wait(session, until) {
                        return without(fault);
                    }
                }
                Err(error) => return Err(Broken::Gone(error.to_string())),
            }
        }
    }

    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.channel.write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Connection { session, path, .. } = &mut self.connection;
                    path.wait(session, until).map_err(|fault| match fault {
                        Fault::Late => Broken::Late,
                        Fault::Closed => Broken::Gone("the connection is closed".to_owned()),
                        Fault::Failed { reason, .. } => Broken::Gone(reason),
                    })?;
                }
                Err(error) => return Err(Broken::Gone(error.to_string())),
            }
        }
        Ok(())
    }
}

/// What a read comes to whose wait ended so.
fn without(fault: Fault) -> Result<Arrived, Broken> {
    match fault {
        Fault::Late => Ok(Arrived::Nothing),
        Fault::Closed => Ok(Arrived::End),
        Fault::Failed { reason, .. } => Err(Broken::Gone(reason)),
    }
}

/// True if a call got done, false if it has to be repeated.
fn done(result: Result<(), ssh2::Error>) -> Result<bool, Fault> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.code() == ErrorCode::Session(WOULD_BLOCK) => Ok(false),
        Err(error) => Err(Fault::from_library(&error)),
    }
}
