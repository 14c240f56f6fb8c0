//! A simulated device on its port: what it was told to be, what it counts, and its listener.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use russh::{
    Limits, Preferred, cipher, kex,
    keys::{
        Algorithm, PrivateKey,
        key::safe_rng,
        ssh_key::private::{Ed25519Keypair, KeypairData},
    },
    mac,
    server::{self, Config},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use super::{
    cli::Cli,
    distance,
    fault::Fault,
    login::Login,
    packets,
    persona::Persona,
    raw,
    wire::{Control, Link, Wire},
};

const CHUNK: usize = 32 * 1024;
/// Few enough for the shortest session to change keys.
const REKEY_BYTES: usize = 4096;

/// How a device lets users in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AuthKind {
    /// Password and keyboard-interactive.
    Both,
    /// Keyboard-interactive only, as many devices behind AAA.
    KeyboardInteractive,
    /// SSH asks for nothing; the terminal asks for name and password.
    None,
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
    /// The same number gives the same host key, another number another one; none gives a new one.
    pub host_key_seed: Option<u64>,
    /// Speaks only what twenty-year-old devices speak: SHA-1 key exchange, CBC, hmac-sha1.
    pub old_algorithms: bool,
    /// Terminals at a time; one more is told that all are taken.
    pub max_sessions: Option<usize>,
    /// Bytes a packet, instead of 32 KiB.
    pub write_chunk: usize,
    /// Pause between packets.
    pub write_gap: Duration,
    /// Pause before the answer to anything typed: a round trip.
    pub latency: Duration,
    /// How far away it is: bytes take half of it in each direction. Connections are accepted at once all the same.
    pub round_trip: Duration,
    /// It is a jump host too: names that it looks up, and what it connects to then. It forwards to nothing else.
    pub leads_to: BTreeMap<String, SocketAddr>,
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
            host_key_seed: None,
            old_algorithms: false,
            max_sessions: None,
            write_chunk: CHUNK,
            write_gap: Duration::ZERO,
            latency: Duration::ZERO,
            round_trip: Duration::ZERO,
            leads_to: BTreeMap::new(),
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

/// What the connections of one device have in common.
pub(super) struct Shared {
    pub(super) persona: Arc<Persona>,
    pub(super) options: DeviceOptions,
    config: Arc<Config>,
    fingerprint: String,
    controls: Mutex<Vec<Weak<Control>>>,
    received: Mutex<Vec<Vec<u8>>>,
    pub(super) login_attempts: AtomicUsize,
    pub(super) logins: AtomicUsize,
    pub(super) open_terminals: AtomicUsize,
    open_sessions: AtomicUsize,
    most_open_sessions: AtomicUsize,
    pub(super) clean_logouts: AtomicUsize,
    asked_to_reach: Mutex<Vec<String>>,
    auth_requests: Mutex<Vec<String>>,
}

impl FakeDevice {
    /// Listens and serves until dropped.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn spawn(persona: Persona, options: DeviceOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let key = host_key(options.host_key_seed).map_err(std::io::Error::other)?;
        let fingerprint = key.fingerprint(russh::keys::HashAlg::Sha256).to_string();
        let config = Arc::new(config(key, &options));
        let shared = Arc::new(Shared {
            persona: Arc::new(persona),
            options,
            config,
            fingerprint,
            controls: Mutex::default(),
            received: Mutex::default(),
            login_attempts: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            open_terminals: AtomicUsize::new(0),
            open_sessions: AtomicUsize::new(0),
            most_open_sessions: AtomicUsize::new(0),
            clean_logouts: AtomicUsize::new(0),
            asked_to_reach: Mutex::default(),
            auth_requests: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { addr, shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The fingerprint of its host key, as `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.shared.fingerprint
    }

    /// Every message that asked for a login, in order: method and user. None, if nobody was named to it.
    #[must_use]
    pub fn auth_requests(&self) -> Vec<String> {
        lock(&self.shared.auth_requests).clone()
    }

    /// What it was asked to connect to as a jump host: name or address, and port.
    #[must_use]
    pub fn asked_to_reach(&self) -> Vec<String> {
        lock(&self.shared.asked_to_reach).clone()
    }

    /// Every byte that reached a terminal, session by session.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.received).clone()
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
        lock(&self.shared.received).len()
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
        for control in lock(&self.shared.controls).iter().filter_map(Weak::upgrade) {
            control.cut();
        }
    }
}

impl Shared {
    fn has(&self, fault: Fault) -> bool {
        self.options.faults.contains(&fault)
    }

    pub(super) fn log_auth(&self, method: &str, user: &str) {
        lock(&self.auth_requests).push(format!("{method} {user}"));
    }

    /// Where a name that it is asked for as a jump host leads to.
    pub(super) fn look_up(&self, name: &str, port: u32) -> Option<SocketAddr> {
        lock(&self.asked_to_reach).push(format!("{name}:{port}"));
        self.options.leads_to.get(name).copied()
    }

    /// A log for one more terminal.
    pub(super) fn open_log(&self) -> usize {
        let mut received = lock(&self.received);
        received.push(Vec::new());
        received.len() - 1
    }

    pub(super) fn log(&self, log: usize, bytes: &[u8]) {
        if let Some(session) = lock(&self.received).get_mut(log) {
            session.extend_from_slice(bytes);
        }
    }

    /// The command line of one more terminal.
    pub(super) fn cli(&self, user: &str, (columns, rows): (u32, u32)) -> Cli {
        let options = &self.options;
        let open = self.open_terminals.fetch_add(1, Ordering::Relaxed);
        let mut faults = options.faults.clone();
        if options.max_sessions.is_some_and(|most| open >= most) {
            faults.push(Fault::SessionLimit);
        }
        let host = options.hostname.clone().unwrap_or_else(|| self.persona.hostname.clone());
        let persona = Arc::clone(&self.persona);
        let mut cli =
            Cli::new(persona, host, options.enable_password.clone(), faults).for_user(user);
        cli.resize(columns, rows);
        if options.auth == AuthKind::None {
            cli = cli.with_login(&options.username, &options.password);
        }
        cli
    }

    fn new_control(&self) -> Arc<Control> {
        let control = Arc::new(Control::default());
        let mut controls = lock(&self.controls);
        controls.retain(|known| known.strong_count() > 0);
        controls.push(Arc::downgrade(&control));
        control
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

/// Errors here are a client that went away.
async fn serve(mut socket: TcpStream, shared: &Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    if raw::act_out(&mut socket, &shared.options.faults).await {
        return;
    }
    if let Some(fault) = packets::acted_out(&shared.options.faults) {
        let _ = packets::serve(socket, fault, shared).await;
        return;
    }
    if shared.has(Fault::LinesBeforeVersion) {
        let _ = socket.write_all(raw::LINES_BEFORE_VERSION).await;
    }
    let control = shared.new_control();
    // The version line, the offer, the key exchange, and the answer to the first request.
    let breaks = [(Fault::CloseInKex, 3), (Fault::CloseBeforeAuth, 4)];
    let breaks = breaks.into_iter().find(|(fault, _)| shared.has(*fault));
    let link = if shared.options.round_trip.is_zero() {
        Link::Near(socket)
    } else {
        Link::Far(distance::over(socket, shared.options.round_trip / 2))
    };
    let wire = Wire::new(link, Arc::clone(&control))
        .breaking_at(breaks.map(|(_, write)| write))
        .dripping(shared.has(Fault::Drip));
    let login = Login::new(Arc::clone(shared), control);
    if let Ok(session) = server::run_stream(Arc::clone(&shared.config), wire, login).await {
        let _ = session.await;
    }
}

fn config(key: PrivateKey, options: &DeviceOptions) -> Config {
    let has = |fault| options.faults.contains(&fault);
    let mut preferred = Preferred::default();
    if options.old_algorithms {
        preferred.kex = Cow::Borrowed(&[kex::DH_G14_SHA1, kex::DH_G1_SHA1]);
        preferred.cipher = Cow::Borrowed(&[cipher::AES_128_CBC, cipher::AES_256_CBC]);
        preferred.mac = Cow::Borrowed(&[mac::HMAC_SHA1]);
    } else if has(Fault::NoCommonKeyExchange) {
        preferred.kex = Cow::Borrowed(&[kex::DH_G1_SHA1]);
    }
    let limits = if has(Fault::RekeyInOutput) {
        Limits { rekey_write_limit: REKEY_BYTES, ..Limits::default() }
    } else {
        Limits::default()
    };
    Config {
        auth_rejection_time: Duration::from_millis(5),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        limits,
        preferred,
        nodelay: true,
        ..Config::default()
    }
}

fn host_key(seed: Option<u64>) -> russh::keys::ssh_key::Result<PrivateKey> {
    let Some(mut state) = seed else {
        return PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519);
    };
    // Splitmix: four numbers from one. The key guards nothing, it only has to be the same again.
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&bytes)), "simulator")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
