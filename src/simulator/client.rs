//! An SSH client for the room's tests: goes as far as a device lets it, and says how far that was.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use russh::{
    Channel, ChannelMsg, Disconnect,
    client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse, Msg},
    keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate},
};
use tokio::time::timeout;

use super::server::FakeDevice;

/// How long the tests wait for a device that says nothing. Only silence is ever waited for so long.
pub(super) const SILENCE: Duration = Duration::from_millis(1500);
/// No healthy device takes so long for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// How a client shows who it is.
#[derive(Clone)]
pub(super) enum Proof {
    Key(Arc<PrivateKey>),
    None,
    Password(&'static str),
    /// The answer to every question of keyboard-interactive.
    Questions(&'static str),
}

/// The step that did not work out, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    Handshake(End),
    Auth(End),
    Channel(End),
    Pty(End),
    Shell(End),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// The connection or the channel was closed.
    Closed,
    Refused,
    Silent,
}

/// A terminal on a device.
pub(super) struct Terminal {
    pub(super) session: Handle<Anyone>,
    channel: Channel<Msg>,
    /// Everything shown so far.
    pub(super) screen: Vec<u8>,
    pub(super) ended: Option<End>,
}

async fn step<T>(
    future: impl Future<Output = Result<T, russh::Error>>,
    wait: Duration,
) -> Result<T, End> {
    match timeout(wait, future).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(End::Closed),
        Err(_) => Err(End::Silent),
    }
}

/// Connects and exchanges keys.
pub(super) async fn connect(addr: SocketAddr, wait: Duration) -> Result<Handle<Anyone>, Stop> {
    let config = Arc::new(client::Config::default());
    step(client::connect(config, addr, Anyone), wait).await.map_err(Stop::Handshake)
}

/// Shows who it is.
pub(super) async fn log_in(
    session: &mut Handle<Anyone>,
    proof: &Proof,
    wait: Duration,
) -> Result<(), Stop> {
    let result = match proof {
        Proof::None => step(session.authenticate_none("demo"), wait).await,
        Proof::Password(password) => {
            step(session.authenticate_password("demo", *password), wait).await
        }
        Proof::Key(key) => {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
            step(session.authenticate_publickey("demo", key), wait).await
        }
        Proof::Questions(answer) => {
            let mut reply =
                step(session.authenticate_keyboard_interactive_start("demo", None), wait).await;
            while let Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) = &reply {
                let answers = vec![(*answer).to_owned(); prompts.len()];
                reply =
                    step(session.authenticate_keyboard_interactive_respond(answers), wait).await;
            }
            return match reply.map_err(Stop::Auth)? {
                KeyboardInteractiveAuthResponse::Success => Ok(()),
                _ => Err(Stop::Auth(End::Refused)),
            };
        }
    };
    match result.map_err(Stop::Auth)? {
        AuthResult::Success => Ok(()),
        // The library calls a connection that went away a failed login.
        AuthResult::Failure { .. } if gone(session).await => Err(Stop::Auth(End::Closed)),
        AuthResult::Failure { .. } => Err(Stop::Auth(End::Refused)),
    }
}

impl Terminal {
    /// Goes all the way to a shell on a device that is well.
    pub(super) async fn open(device: &FakeDevice) -> Self {
        Self::open_at(device.addr()).await
    }

    pub(super) async fn open_at(addr: SocketAddr) -> Self {
        let proof = Proof::Password("demo");
        Self::open_on(addr, &proof, (511, 1000), PATIENCE).await.unwrap()
    }

    /// The same on one that may not be.
    pub(super) async fn try_open(device: &FakeDevice, proof: &Proof) -> Result<Self, Stop> {
        Self::open_with(device, proof, (511, 1000), SILENCE).await
    }

    pub(super) async fn open_with(
        device: &FakeDevice,
        proof: &Proof,
        size: (u32, u32),
        wait: Duration,
    ) -> Result<Self, Stop> {
        Self::open_on(device.addr(), proof, size, wait).await
    }

    async fn open_on(
        addr: SocketAddr,
        proof: &Proof,
        size: (u32, u32),
        wait: Duration,
    ) -> Result<Self, Stop> {
        let mut session = connect(addr, wait).await?;
        log_in(&mut session, proof, wait).await?;
        let mut channel = match timeout(wait, session.channel_open_session()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
                return Err(Stop::Channel(End::Refused));
            }
            Ok(Err(_)) => return Err(Stop::Channel(End::Closed)),
            Err(_) => return Err(Stop::Channel(End::Silent)),
        };
        let _ = channel.request_pty(true, "vt100", size.0, size.1, 0, 0, &[]).await;
        answered(&mut channel, wait).await.map_err(Stop::Pty)?;
        let _ = channel.request_shell(true).await;
        answered(&mut channel, wait).await.map_err(Stop::Shell)?;
        Ok(Self { session, channel, screen: Vec::new(), ended: None })
    }

    /// Types text.
    pub(super) async fn send(&mut self, text: &str) {
        // A device may be gone; what it showed is looked at.
        let _ = self.channel.data(text.as_bytes()).await;
    }

    /// Reads until the screen ends so; gives what came.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let from = self.screen.len();
        while !self.screen.ends_with(end.as_bytes()) || self.screen.len() == from {
            assert!(self.read(PATIENCE).await, "no {end:?} in {:?}", text(&self.screen));
        }
        text(&self.screen[from..])
    }

    /// Reads until the screen holds this.
    pub(super) async fn until_shown(&mut self, what: &str) {
        while !text(&self.screen).contains(what) {
            assert!(self.read(PATIENCE).await, "no {what:?} in {:?}", text(&self.screen));
        }
    }

    /// Reads until nothing more comes.
    pub(super) async fn rest(&mut self) -> String {
        let from = self.screen.len();
        while self.read(SILENCE).await {}
        text(&self.screen[from..])
    }

    /// Reads until this many bytes have come, or nothing more does.
    pub(super) async fn at_least(&mut self, bytes: usize) {
        while self.screen.len() < bytes && self.read(PATIENCE).await {}
    }

    /// Types a line, and gives everything up to the prompt behind its output.
    pub(super) async fn run(&mut self, line: &str, prompt: &str) -> String {
        self.send(&format!("{line}\n")).await;
        self.until(prompt).await
    }

    /// Goes away as a client does.
    pub(super) async fn leave(self) {
        let _ = self.session.disconnect(Disconnect::ByApplication, "", "").await;
    }

    /// True if something came.
    async fn read(&mut self, wait: Duration) -> bool {
        if self.ended == Some(End::Closed) {
            return false;
        }
        match timeout(wait, self.channel.wait()).await {
            Ok(Some(ChannelMsg::Data { data })) => {
                self.screen.extend_from_slice(&data);
                true
            }
            Ok(Some(ChannelMsg::Eof)) => {
                self.ended = Some(End::Refused);
                true
            }
            Ok(Some(ChannelMsg::Close) | None) => {
                self.ended = Some(End::Closed);
                false
            }
            Ok(Some(_)) => true,
            Err(_) => {
                self.ended.get_or_insert(End::Silent);
                false
            }
        }
    }
}

/// The end of a connection shows a moment after its last message.
async fn gone(session: &Handle<Anyone>) -> bool {
    for _ in 0..20 {
        if session.is_closed() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

async fn answered(channel: &mut Channel<Msg>, wait: Duration) -> Result<(), End> {
    loop {
        match timeout(wait, channel.wait()).await {
            Ok(Some(ChannelMsg::Success)) => return Ok(()),
            Ok(Some(ChannelMsg::Failure)) => return Err(End::Refused),
            Ok(Some(ChannelMsg::WindowAdjusted { .. })) => {}
            Ok(_) => return Err(End::Closed),
            Err(_) => return Err(End::Silent),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
