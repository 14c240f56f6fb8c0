//! The limit: the SSH library in a plain blocking loop, one thread a session, with nothing around it.

use std::{
    io::{BufRead as _, Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use showrunner::profile::SshProfile;
use ssh2::{MethodType, Session};

use crate::{
    fleet::commands,
    measure::{MEASURED, Program, Used},
};

const PROMPT: &[u8] = b"edge1#";

/// The loop as a process.
pub(crate) struct Bare(Program);

impl Bare {
    pub(crate) fn start(ports: &[u16], at_once: usize, n_commands: usize) -> Self {
        Self::with(ports, at_once, &commands(n_commands))
    }

    /// One command, many times over.
    pub(crate) fn with_command(ports: &[u16], at_once: usize, command: &str, times: usize) -> Self {
        Self::with(ports, at_once, &vec![command.to_owned(); times])
    }

    fn with(ports: &[u16], at_once: usize, commands: &[String]) -> Self {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let arguments =
            ["role-bare".to_owned(), at_once.to_string(), ports.join(","), commands.join(",")];
        Self(Program::role(MEASURED, &arguments))
    }

    /// Reads all devices once; seconds.
    pub(crate) fn round(&mut self) -> f64 {
        self.0.ask("go").parse().expect("the loop failed")
    }

    pub(crate) fn used(&self) -> Used {
        self.0.used()
    }
}

/// The role: a round for each line of its input.
pub(crate) fn serve(arguments: &[String]) {
    let at_once: usize = arguments[0].parse().unwrap();
    let ports: Vec<u16> = arguments[1].split(',').map(|port| port.parse().unwrap()).collect();
    let commands: Vec<String> = arguments[2].split(',').map(str::to_owned).collect();
    for _ in std::io::stdin().lock().lines() {
        let started = Instant::now();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..at_once.min(ports.len()) {
                scope.spawn(|| {
                    while let Some(port) = ports.get(next.fetch_add(1, Ordering::Relaxed)) {
                        read_device(*port, &commands).unwrap();
                    }
                });
            }
        });
        println!("{}", started.elapsed().as_secs_f64());
    }
}

fn read_device(port: u16, commands: &[String]) -> Result<usize, Box<dyn std::error::Error>> {
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    let mut session = Session::new()?;
    let profile = SshProfile::Modern;
    session.method_pref(MethodType::Kex, profile.key_exchange())?;
    session.method_pref(MethodType::HostKey, profile.host_keys())?;
    for kind in [MethodType::CryptCs, MethodType::CryptSc] {
        session.method_pref(kind, profile.ciphers())?;
    }
    for kind in [MethodType::MacCs, MethodType::MacSc] {
        session.method_pref(kind, profile.macs())?;
    }
    session.set_tcp_stream(socket);
    session.handshake()?;
    session.userauth_password("demo", "demo")?;
    let mut channel = session.channel_session()?;
    channel.request_pty("vt100", None, Some((511, 1000, 0, 0)))?;
    channel.shell()?;
    let mut output = Vec::new();
    read_to_prompt(&mut channel, &mut output)?;
    let mut bytes = 0;
    let prepare = ["terminal length 0", "terminal width 511"].map(str::to_owned);
    for line in prepare.iter().chain(commands) {
        output.clear();
        channel.write_all(format!("{line}\n").as_bytes())?;
        read_to_prompt(&mut channel, &mut output)?;
        bytes += output.len();
    }
    channel.close()?;
    channel.wait_close()?;
    Ok(bytes)
}

fn read_to_prompt(channel: &mut ssh2::Channel, output: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = vec![0; 32 * 1024].into_boxed_slice();
    while !output.ends_with(PROMPT) {
        let length = channel.read(&mut buffer)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        output.extend_from_slice(&buffer[..length]);
    }
    Ok(())
}
