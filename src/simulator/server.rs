//! The SSH side of a simulated device: logins, one terminal per session, every received byte logged.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use russh::{
    Channel, ChannelId, Preferred,
    keys::{Algorithm, PrivateKey, key::safe_rng},
    server::{self, Auth, ChannelOpenHandle, Handle, Msg, Session},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use super::{
    cli::{Act, Cli},
    fault::Fault,
    persona::Persona,
};

const CHUNK: usize = 32 * 1024;
/// Longer than any client waits for a login.
const AUTH_SILENCE: Duration = Duration::from_secs(60);
/// How long a connection outlives the session that was on it.
const FAREWELL: Duration = Duration::from_millis(500);

/// How a device lets users in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AuthKind {
    /// Password and keyboard-interactive.
    Both,
    /// Keyboard-interactive only, as many devices behind AAA.
    KeyboardInteractive,
    /// Password only.
    #[default]
    Password,
    /// Keys only.
    PublicKey,
}

/// A simulated device's circumstances.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may log in.
    pub username: String,
    /// With which password.
    pub password: String,
    /// The enable password; without one the session starts privileged.
    pub enable_password: Option<String>,
    /// Keys that may log in, as lines of an `authorized_keys` file.
    pub authorized_keys: Vec<String>,
    /// How users are let in.
    pub auth: AuthKind,
    /// Host name in prompts instead of the persona's.
    pub hostname: Option<String>,
    /// Bytes a packet, instead of 32 KiB.
    pub write_chunk: usize,
    /// Pause between packets.
    pub write_gap: Duration,
    /// Pause before the answer to anything typed: a round trip.
    pub latency: Duration,
    /// How it misbehaves.
    pub faults: Vec<Fault>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            username: "demo".to_owned(),
            password: "demo".to_owned(),
            enable_password: None,
            authorized_keys: Vec::new(),
            auth: AuthKind::default(),
            hostname: None,
            write_chunk: CHUNK,
            write_gap: Duration::ZERO,
            latency: Duration::ZERO,
            faults: Vec::new(),
        }
    }
}

/// A simulated device that is listening. It ends, with its sessions, when it is dropped.
pub struct FakeDevice {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    persona: Arc<Persona>,
    options: DeviceOptions,
    config: Arc<server::Config>,
    received: Mutex<Vec<Vec<u8>>>,
    login_attempts: AtomicUsize,
    logins: AtomicUsize,
    open_sessions: AtomicUsize,
    most_open_sessions: AtomicUsize,
    clean_logouts: AtomicUsize,
}

impl FakeDevice {
    /// Listens and serves until dropped.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn spawn(persona: Persona, options: DeviceOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)
            .map_err(std::io::Error::other)?;
        let has = |fault| options.faults.contains(&fault);
        let mut preferred = Preferred::default();
        if has(Fault::NoCommonKeyExchange) {
            preferred.kex = Cow::Borrowed(&[russh::kex::DH_G1_SHA1]);
        }
        let config = server::Config {
            auth_rejection_time: Duration::from_millis(5),
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![key],
            preferred,
            nodelay: true,
            ..server::Config::default()
        };
        let shared = Arc::new(Shared {
            persona: Arc::new(persona),
            options,
            config: Arc::new(config),
            received: Mutex::default(),
            login_attempts: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            open_sessions: AtomicUsize::new(0),
            most_open_sessions: AtomicUsize::new(0),
            clean_logouts: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { addr, shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Every byte that reached a terminal, session by session.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every line that reached a terminal.
    #[must_use]
    pub fn received_lines(&self) -> Vec<String> {
        let sessions = self.received();
        let lines = sessions.iter().flat_map(|bytes| bytes.split(|b| matches!(b, b'\n' | b'\r')));
        lines
            .filter(|line| !line.is_empty())
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    /// Logins that were tried.
    #[must_use]
    pub fn login_attempts(&self) -> usize {
        self.shared.login_attempts.load(Ordering::Relaxed)
    }

    /// Logins that worked.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.shared.open_sessions.load(Ordering::Relaxed)
    }

    /// The most connections that were open at one time.
    #[must_use]
    pub fn most_open_sessions(&self) -> usize {
        self.shared.most_open_sessions.load(Ordering::Relaxed)
    }

    /// Terminals that were opened.
    #[must_use]
    pub fn sessions_seen(&self) -> usize {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Sessions that ended with the logout line.
    #[must_use]
    pub fn clean_logouts(&self) -> usize {
        self.shared.clean_logouts.load(Ordering::Relaxed)
    }
}

impl Drop for FakeDevice {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Sessions end with the task that holds them.
    let mut sessions = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while sessions.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        sessions.spawn(async move {
            let open = shared.open_sessions.fetch_add(1, Ordering::Relaxed) + 1;
            shared.most_open_sessions.fetch_max(open, Ordering::Relaxed);
            serve(socket, &shared).await;
            shared.open_sessions.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn serve(mut socket: TcpStream, shared: &Arc<Shared>) {
    let has = |fault| shared.options.faults.contains(&fault);
    // Errors here are a client that went away.
    let _ = socket.set_nodelay(true);
    if has(Fault::CloseAtAccept) {
    } else if has(Fault::SilentPort) {
        wait_for_end(&mut socket).await;
    } else if has(Fault::NotSsh) {
        let mut request = [0; 256];
        let _ = socket.read(&mut request).await;
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    } else if has(Fault::WrongVersion) {
        let _ = socket.write_all(b"SSH-1.5-OldServer\r\n").await;
        wait_for_end(&mut socket).await;
    } else if has(Fault::CloseAfterBanner) {
        let _ = socket.write_all(b"SSH-2.0-Simulator\r\n").await;
        let mut version = [0; 64];
        let _ = socket.read(&mut version).await;
    } else if has(Fault::FloodBeforeBanner) {
        let line = [b'x'; 1023];
        while socket.write_all(&line).await.is_ok() && socket.write_all(b"\n").await.is_ok() {}
    } else {
        let handler = Login { shared: Arc::clone(shared), terminal: None };
        if let Ok(session) = server::run_stream(Arc::clone(&shared.config), socket, handler).await {
            let _ = session.await;
        }
    }
}

async fn wait_for_end(socket: &mut TcpStream) {
    let mut buffer = [0; 256];
    while socket.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

struct Login {
    shared: Arc<Shared>,
    terminal: Option<mpsc::UnboundedSender<Vec<u8>>>,
}

impl Login {
    fn has(&self, fault: Fault) -> bool {
        self.shared.options.faults.contains(&fault)
    }

    async fn verdict(&self, good: bool) -> Auth {
        self.shared.login_attempts.fetch_add(1, Ordering::Relaxed);
        if self.has(Fault::AuthSlow) {
            sleep(Duration::from_secs(3)).await;
        }
        if self.has(Fault::AuthSilent) {
            sleep(AUTH_SILENCE).await;
        }
        if good {
            self.shared.logins.fetch_add(1, Ordering::Relaxed);
            Auth::Accept
        } else {
            Auth::reject()
        }
    }

    fn methods(&self) -> Auth {
        use russh::{MethodKind, MethodSet};
        let kinds: &[MethodKind] = match self.shared.options.auth {
            AuthKind::Both => &[MethodKind::Password, MethodKind::KeyboardInteractive],
            AuthKind::KeyboardInteractive => &[MethodKind::KeyboardInteractive],
            AuthKind::Password => &[MethodKind::Password],
            AuthKind::PublicKey => &[MethodKind::PublicKey],
        };
        Auth::Reject { proceed_with_methods: Some(MethodSet::from(kinds)), partial_success: false }
    }
}

impl server::Handler for Login {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        Ok(self.methods())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let options = &self.shared.options;
        let offered = matches!(options.auth, AuthKind::Password | AuthKind::Both);
        let good = offered && user == options.username && password == options.password;
        Ok(self.verdict(good).await)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(mut answers) = response else {
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Owned(vec![(Cow::Borrowed("Password: "), false)]),
            });
        };
        let options = &self.shared.options;
        let offered = matches!(options.auth, AuthKind::KeyboardInteractive | AuthKind::Both);
        let answered = answers.next().is_some_and(|answer| answer == options.password.as_bytes());
        let good = offered && user == options.username && answered;
        Ok(self.verdict(good).await)
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let options = &self.shared.options;
        let shown = key.public_key.to_openssh().unwrap_or_default();
        let same = |line: &String| line.split(' ').nth(1) == shown.split(' ').nth(1);
        let good = user == options.username && options.authorized_keys.iter().any(same);
        Ok(self.verdict(good).await)
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        if self.has(Fault::CloseAfterAuth) { Err(russh::Error::Disconnect) } else { Ok(()) }
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.has(Fault::PtyRefused) {
            session.channel_failure(channel)
        } else {
            session.channel_success(channel)
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.has(Fault::ShellRefused) {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        let (typed, keys) = mpsc::unbounded_channel();
        self.terminal = Some(typed);
        tokio::spawn(run_terminal(Arc::clone(&self.shared), keys, session.handle(), channel));
        Ok(())
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(terminal) = &self.terminal {
            // A terminal that has ended takes nothing more.
            let _ = terminal.send(data.to_vec());
        }
        Ok(())
    }
}

/// Moves bytes between the command line and the channel; ends with the client or the device's hanging up.
async fn run_terminal(
    shared: Arc<Shared>,
    mut keys: mpsc::UnboundedReceiver<Vec<u8>>,
    handle: Handle,
    channel: ChannelId,
) {
    let options = &shared.options;
    let host = options.hostname.clone().unwrap_or_else(|| shared.persona.hostname.clone());
    let index = {
        let mut received = shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(Vec::new());
        received.len() - 1
    };
    let persona = Arc::clone(&shared.persona);
    let mut cli = Cli::new(persona, host, options.enable_password.clone(), options.faults.clone());
    let mut acts = cli.start();
    loop {
        for act in acts {
            match act {
                Act::Show(bytes) => {
                    for chunk in bytes.chunks(options.write_chunk.max(1)) {
                        if handle.data(channel, chunk.to_vec()).await.is_err() {
                            return;
                        }
                        if !options.write_gap.is_zero() {
                            sleep(options.write_gap).await;
                        }
                    }
                }
                Act::HangUp | Act::LogOut => {
                    if act == Act::LogOut {
                        shared.clean_logouts.fetch_add(1, Ordering::Relaxed);
                    }
                    let _ = handle.eof(channel).await;
                    let _ = handle.close(channel).await;
                    // What was shown arrives before the connection goes; a client may go first.
                    let gone = async { while keys.recv().await.is_some() {} };
                    let _ = tokio::time::timeout(FAREWELL, gone).await;
                    let _ = handle
                        .disconnect(russh::Disconnect::ByApplication, String::new(), String::new())
                        .await;
                    return;
                }
                Act::Freeze => std::future::pending().await,
            }
        }
        let Some(typed) = keys.recv().await else { return };
        {
            let mut received = shared.received.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(session) = received.get_mut(index) {
                session.extend_from_slice(&typed);
            }
        }
        if !options.latency.is_zero() {
            sleep(options.latency).await;
        }
        acts = cli.feed(&typed);
    }
}
