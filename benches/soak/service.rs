//! The service as its users have it: the program as a process.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::common::listening;

/// Limits of the phases in seconds, as the service is told.
pub(crate) const HANDSHAKE: u64 = 4;
pub(crate) const AUTHENTICATION: u64 = 8;
pub(crate) const PROMPT: u64 = 8;
/// `timeout` of the requests.
pub(crate) const COMMAND: u64 = 5;
/// Sessions at one time.
pub(crate) const AT_ONCE: usize = 600;

/// A running service; stopped when dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
}

impl Service {
    pub(crate) fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_showrunner");
        let wrapper = std::env::var("SOAK_WRAPPER").unwrap_or_default();
        let mut words = wrapper.split_whitespace().chain([program]);
        let mut command = Command::new(words.next().unwrap());
        let mut child = command
            .args(words)
            .env("SHOWRUNNER_PORT", "0")
            .env("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "true")
            .env("SHOWRUNNER_RATE_LIMIT_DEFAULT", "off")
            .env("SHOWRUNNER_RATE_LIMIT_EXECUTE", "off")
            .env("SHOWRUNNER_MAX_CONCURRENT_DEVICES", AT_ONCE.to_string())
            .env("SHOWRUNNER_MAX_SESSIONS_PER_DEVICE", "16")
            .env("SHOWRUNNER_CONNECTION_RETRY_ATTEMPTS", "0")
            .env("SHOWRUNNER_LOGIN_REFUSALS", "0")
            .env("SHOWRUNNER_HANDSHAKE_TIMEOUT", HANDSHAKE.to_string())
            .env("SHOWRUNNER_AUTHENTICATE_TIMEOUT", AUTHENTICATION.to_string())
            .env("SHOWRUNNER_PROMPT_TIMEOUT", PROMPT.to_string())
            .env("SHOWRUNNER_AUDIT_FILE", audit_file())
            .env("SHOWRUNNER_LOG_ROTATION", "10MiB")
            .env("SHOWRUNNER_LOG_RETENTION", "1")
            // With its heaps set it does not begin anew, which a tool around it might not follow.
            .envs((!wrapper.is_empty()).then_some(("MALLOC_ARENA_MAX", "2")))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let port = listening(&mut child);
        Self { child, port }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Asked, not killed: tools that measure it write what they saw at its end.
        let asked = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        if asked.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn audit_file() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("soak-audit.jsonl")
}
