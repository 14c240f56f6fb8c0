//! The service as its users have it: the program as a process, asked over HTTP.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::{
    common::listening,
    fleet::commands,
    measure::{MEASURED, Used, on_core},
};

/// A running service; stopped when dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
}

impl Service {
    pub(crate) fn start(at_once: usize, settings: &[(&str, &str)]) -> Self {
        let mut command = on_core(MEASURED, Path::new(env!("CARGO_BIN_EXE_showrunner")));
        let mut child = command
            .env("SHOWRUNNER_PORT", "0")
            .env("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "true")
            // One caller asks more than anybody may.
            .env("SHOWRUNNER_RATE_LIMIT_DEFAULT", "off")
            .env("SHOWRUNNER_RATE_LIMIT_EXECUTE", "off")
            .env("SHOWRUNNER_MAX_CONCURRENT_DEVICES", at_once.to_string())
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let port = listening(&mut child);
        Self { child, port }
    }

    /// Reads all devices once; seconds.
    pub(crate) fn round(&self, ports: &[u16], n_commands: usize) -> f64 {
        self.run(ports, &commands(n_commands))
    }

    pub(crate) fn run(&self, ports: &[u16], commands: &[String]) -> f64 {
        let body = body(ports, commands);
        let started = Instant::now();
        let answer = post(self.port, &body);
        let seconds = started.elapsed().as_secs_f64();
        let want = format!(r#""successful_devices":{},"#, ports.len());
        let tail =
            String::from_utf8_lossy(&answer[answer.len().saturating_sub(400)..]).into_owned();
        assert!(tail.contains(&want), "not all devices were read: {tail}");
        seconds
    }

    pub(crate) fn used(&self) -> Used {
        Used::of(self.child.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request for these devices.
pub(crate) fn body(ports: &[u16], commands: &[String]) -> String {
    let devices: Vec<String> = ports
        .iter()
        .map(|port| {
            format!(
                r#"{{"hostname":"127.0.0.1","port":{port},"username":"demo","password":"demo","os":"ios"}}"#
            )
        })
        .collect();
    let commands: Vec<String> = commands.iter().map(|line| format!("{line:?}")).collect();
    format!(
        r#"{{"devices":[{}],"commands":[{}],"timeout":120}}"#,
        devices.join(","),
        commands.join(",")
    )
}

/// Sends a body and gives the whole answer, on a connection of its own.
pub(crate) fn post(port: u16, body: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(299))).unwrap();
    let request = format!(
        "POST /api/v1/execute HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    answer
}
