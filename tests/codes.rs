//! The table of error codes and the code that answers with them say the same: no code is missing in either, and the
//! examples are sentences that the program can say.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{collections::BTreeSet, fs, net::SocketAddr, time::Duration};

use regex::Regex;
use showrunner::{
    codes::{self, COMMANDS, DEVICES, ErrorCode, REQUESTS},
    device::PeerAddr,
    ssh::error::{Phase, SessionError},
};

fn source(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

fn listed(codes: &[ErrorCode]) -> BTreeSet<String> {
    codes.iter().map(|known| known.code.to_owned()).collect()
}

/// The bodies of `fn code`, which map variants to codes.
fn of_variants(text: &str) -> BTreeSet<String> {
    let (_, body) = text.split_once("fn code(&self)").unwrap();
    found(r#"=> "([a-z_]+)""#, body.split_once("\n    }\n").unwrap().0)
}

const LITERAL: &str = r#"code: "([a-z_]+)""#;

#[test]
fn every_code_of_the_program_is_in_the_table_and_no_other() {
    assert_eq!(of_variants(&source("src/ssh/error.rs")), listed(DEVICES));
    let in_sessions = found(LITERAL, &source("src/ssh/session.rs"));
    let in_runs = found(LITERAL, &source("src/executor/device_run.rs"));
    assert_eq!(&in_sessions | &in_runs, listed(COMMANDS));
    let errors = source("src/http/error.rs");
    assert_eq!(&of_variants(&errors) | &found(LITERAL, &errors), listed(REQUESTS));
}

/// One failure of each kind, as it may come.
#[rustfmt::skip]
fn one_of_each() -> Vec<SessionError> {
    let at = |text: &str| PeerAddr::from(text.parse::<SocketAddr>().unwrap());
    let addr = || at("192.0.2.1:22");
    let text = str::to_owned;
    let seconds = Duration::from_secs;
    let shown = || text("ssh-ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    let rejected = |addr| SessionError::AuthRejected { addr, method: "password", hint: String::new() };
    vec![
        SessionError::AuthMethod { addr: addr(), offered: text("publickey"), given: "a password" },
        SessionError::AuthPaused { addr: addr(), what: "this user", refused: 2, again_in: seconds(299) },
        rejected(addr()),
        SessionError::AuthTimeout { addr: addr(), limit: seconds(30) },
        SessionError::BannerTimeout { addr: addr(), limit: seconds(15) },
        SessionError::Cancelled,
        SessionError::ConfigurationPrompt { addr: addr() },
        SessionError::CredentialRefused { set: text("lab"), device: text("192.0.2.1:22"), rule: "its address is not one of the set's" },
        SessionError::CredentialUnavailable { set: text("lab"), reason: text("a file of it cannot be read: entity not found") },
        SessionError::ConnectRefused { addr: addr() },
        SessionError::ConnectFailed { addr: addr(), reason: text("host unreachable") },
        SessionError::ConnectTimeout { addr: addr(), limit: seconds(10) },
        SessionError::DeviceTimeout { device: text("192.0.2.1:22"), limit: seconds(900) },
        SessionError::Disconnected { addr: addr(), phase: Phase::Command, hint: " in the middle of a command; what had come is in its output" },
        SessionError::EnableRejected { addr: addr() },
        SessionError::HandshakeFailed { addr: addr(), reason: text("Unable to exchange encryption keys") },
        SessionError::HandshakeTimeout { addr: addr(), limit: seconds(15) },
        SessionError::HostKeyChanged { addr: addr(), shown: shown(), expected: text("SHA256:uNiVztksCsDhcc0u9e8BrrJRBNXEV9xLYfUjYAX3QFs"), named_by: "the request" },
        SessionError::HostKeyRevoked { addr: addr(), shown: shown() },
        SessionError::HostKeyUnknown { addr: addr(), shown: shown(), hint: String::new() },
        SessionError::HostKeyUnproven { addr: addr(), shown: shown(), by: "known_hosts" },
        SessionError::Internal,
        SessionError::JumpFailed { hop: 1, of: 2, cause: Box::new(rejected(at("192.0.2.9:22"))) },
        SessionError::JumpLost { hop: 1, phase: Phase::Command },
        SessionError::JumpRefused { hop: 1, addr: at("192.0.2.9:22"), target: addr() },
        SessionError::KeyUnusable { reason: text("it is encrypted, and there is no passphrase") },
        SessionError::LateEcho { addr: addr() },
        SessionError::NoCommonAlgorithm { addr: addr(), profile: "modern", hint: text("; if the device is old, ask for \"ssh_profile\": \"legacy\"") },
        SessionError::NoWay { host: text("core1"), reason: text("/config/ssh_config line 4: ProxyCommand is not run here; say the same with ProxyJump") },
        SessionError::NotSsh { addr: at("192.0.2.1:23") },
        SessionError::PasswordExpired { addr: addr() },
        SessionError::PromptTimeout { addr: addr(), platform: text("Cisco IOS"), limit: seconds(30), seen: text("; its last line was `edge1 ready`") },
        SessionError::QueueTimeout { device: text("192.0.2.1:22"), limit: seconds(300), cause: "because all sessions were in use; ask again later or for fewer devices" },
        SessionError::RequestTimeout { device: text("192.0.2.1:22"), limit: seconds(3600) },
        SessionError::ResolveFailed { host: text("edge9.example.net"), reason: text("name or service not known") },
        SessionError::ResolveTimeout { host: text("edge9.example.net"), limit: seconds(5) },
        SessionError::SessionLimit { addr: addr(), said: text("too many users") },
        SessionError::ShellRefused { addr: addr(), reason: text("channel request denied") },
        SessionError::ShellPrompt { addr: addr(), platform: text("Cisco IOS") },
        SessionError::TargetRefused { device: text("127.0.0.1:22"), rule: "loopback address" },
        SessionError::TerminalTimeout { addr: addr(), limit: seconds(30) },
        SessionError::UnexpectedQuestion { addr: addr() },
    ]
}

#[test]
fn examples_are_sentences_that_the_program_says() {
    let each = one_of_each();
    for error in &each {
        assert_eq!(error.to_string(), codes::find(error.code()).unwrap().example);
    }
    let codes: BTreeSet<String> = each.iter().map(|error| error.code().to_owned()).collect();
    assert_eq!(codes, listed(DEVICES));
}
