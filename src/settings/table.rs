//! Every setting, once: a new one is a new row here, and `UPDATE_DOCS=1 cargo test documents` writes the documents.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::IpNet;

use super::{
    endpoint::Endpoint,
    rate::RateLimit,
    rotation::Rotation,
    row::{Bounds, Row, settings},
    sources::Reader,
    value::{Auth, LogFormat, LogLevel, SettingValue},
};
use crate::{host_key::HostKeyPolicy, profile::SshProfile};

settings! {
    "Where to listen" {
        /// Address to listen on. Others than this machine reach the service only on another address than loopback;
        /// then `AUTH` or `API_KEYS_FILE` must be said.
        host: IpAddr = Ipv4Addr::LOCALHOST.into();
        /// TCP port to listen on; 0 takes any free one.
        port: u16 = 8000, in 0..=65_535;
        /// Certificate chain in PEM form; with it and `TLS_KEY_FILE` the service speaks HTTPS and nothing else.
        tls_cert_file: Option<PathBuf> = None, reloads true;
        /// The certificate's private key in PEM form. Other files are taken over on SIGHUP; TLS is switched on and off by a
        /// restart.
        tls_key_file: Option<PathBuf> = None, reloads true;
        /// Authority in PEM form: only clients with a certificate of it get a connection.
        tls_client_ca_file: Option<PathBuf> = None, reloads true;
        /// HTTP worker threads; 0 takes one per core.
        workers: usize = 0, in 0..=1024;
        /// Connections at one time on each worker thread; more wait to be accepted.
        max_connections: usize = 10_000, in 1..=100_000, unit "connections";
        /// Longest wait for the whole of a request's head.
        head_timeout: u64 = 5, in 1..=300, unit "seconds";
        /// Longest wait for the whole of a request's body.
        body_timeout: u64 = 10, in 1..=300, unit "seconds";
        /// Longest that a caller may take nothing of his answer; then he has gone.
        write_timeout: u64 = 30, in 1..=300, unit "seconds";
        /// Most bytes of a request's body.
        max_body_bytes: usize = 2 * 1024 * 1024, in 1..=1 << 26, unit "bytes";
        /// Most bytes of all bodies that are on their way; more are answered with 503.
        max_bodies_bytes: usize = 256 * 1024 * 1024, in 1..=1 << 34, unit "bytes";
        /// How long the service goes on taking requests after SIGTERM, while `/health/ready` already says 503: the time
        /// that your load balancer needs to notice.
        shutdown_delay: u64 = 0, in 0..=60, unit "seconds";
        /// How long running requests get when the service is stopped; sessions that still run then log out at their next
        /// prompt or are cut off three seconds later, and their callers get what had come.
        shutdown_timeout: u64 = 30, in 1..=300, unit "seconds";
    }
    "What callers see" {
        /// Name of the service in its documents and at `/`.
        title: String = "Showrunner".to_owned();
        /// Swagger UI at `/docs` and the `OpenAPI` document.
        enable_docs: bool = true;
    }
    "Who may send requests" {
        /// `api_key` asks for a key of `API_KEYS_FILE`, and is meant where that is set; `none` lets everybody who can reach
        /// the port; `api_key_or_none`, which the container image says, is the first with that file and the second without.
        /// One of them must be said to listen on other than loopback.
        auth: Option<Auth> = None, reloads true;
        /// TOML file with the hashes of the API keys, their names and limits; `showrunner new-key` makes an entry.
        api_keys_file: Option<PathBuf> = None, reloads true;
        /// Proxies whose word on a client's address is taken. Only where the connection comes from one of them is
        /// `X-Forwarded-For` read.
        trusted_proxies: Vec<IpNet> = Vec::new();
        /// Proxies between the client and the service: the client's address is this many entries from the right of
        /// `X-Forwarded-For`.
        trusted_proxy_hops: usize = 1, in 1..=16, unit "proxies";
        /// Requests that one client may send: that many at once, then evenly. Health and metrics are not counted.
        rate_limit_default: RateLimit = RateLimit::per_minute(6000), reloads true;
        /// Requests to `/api/v1/execute` that one client may send.
        rate_limit_execute: RateLimit = RateLimit::per_minute(1200), reloads true;
    }
    "Time limits" {
        /// `timeout` of a request that has none; at most `DEVICE_TIMEOUT_MAX`.
        device_timeout_default: u64 = 30, in 1..=3600, unit "seconds";
        /// Longest `timeout` that a request may ask for.
        device_timeout_max: u64 = 300, in 1..=3600, unit "seconds";
        /// Longest wait for a name to resolve.
        resolve_timeout: u64 = 5, in 1..=300, unit "seconds";
        /// Longest wait for a TCP connection.
        connect_timeout: u64 = 10, in 1..=300, unit "seconds";
        /// Longest SSH handshake.
        handshake_timeout: u64 = 15, in 1..=300, unit "seconds";
        /// Longest login; AAA servers can be slow.
        authenticate_timeout: u64 = 30, in 1..=300, unit "seconds";
        /// Longest wait from the open terminal to a prompt that is ready for the first command.
        prompt_timeout: u64 = 30, in 1..=300, unit "seconds";
        /// Longest wait of a device for a session.
        queue_timeout: u64 = 300, in 1..=3600, unit "seconds";
        /// Longest that one device may take, all its commands and attempts together.
        device_total_timeout: u64 = 900, in 1..=86_400, unit "seconds";
        /// Longest that one request may take; what has come by then is answered.
        request_total_timeout: u64 = 3600, in 1..=86_400, unit "seconds";
        /// Further attempts to connect to a device that could not be connected to; a login is never tried again.
        connection_retry_attempts: u32 = 1, in 0..=10, unit "attempts";
        /// Pause before the first of them; each later one is twice as long, and all vary by half.
        connection_retry_delay: u64 = 1, in 0..=60, unit "seconds";
        /// After so long without a result a stream of server-sent events says that it is still there.
        stream_heartbeat: u64 = 15, in 1..=300, unit "seconds";
    }
    "How much at once" {
        /// Device sessions at one time, over all requests.
        max_concurrent_devices: usize = 200, in 1..=10_000, unit "sessions";
        /// Device sessions of one request at one time; 0 takes as many as there are.
        max_concurrent_per_request: usize = 0, in 0..=10_000, unit "sessions";
        /// Devices that may wait for a session, over all requests; a request that would make it more is answered 503. At
        /// least `MAX_DEVICES_PER_REQUEST` less `MAX_CONCURRENT_DEVICES`.
        max_queued_devices: usize = 5000, in 0..=1_000_000, unit "devices";
        /// Sessions at one time with one host and port, over all requests.
        max_sessions_per_device: usize = 1, in 1..=16, unit "sessions";
        /// Logins under way at one time at one jump host as one user, over all requests. OpenSSH as it comes drops connections from 10 on.
        max_logins_per_jump: usize = 5, in 1..=10_000, unit "logins";
        /// Devices in one request.
        max_devices_per_request: usize = 1000, in 1..=10_000, unit "devices";
        /// Commands for one device in one request.
        max_commands_per_device: usize = 100, in 1..=1000, unit "commands";
        /// Bytes of output kept of one command.
        max_output_bytes: usize = 8 * 1024 * 1024, in 1..=1 << 30, unit "bytes";
        /// Bytes of outputs and records that one request may hold; what was streamed is not held any more.
        max_request_output_bytes: usize = 128 * 1024 * 1024, in 1..=1 << 33, unit "bytes";
    }
    "What may be read" {
        /// Lets requests go to loopback addresses: for demos and tests only.
        targets_allow_loopback: bool = false, reloads true;
        /// Networks that may be connected to; all, if there are none. Every address of a name must be allowed.
        targets_allow: Vec<IpNet> = Vec::new(), reloads true;
        /// Networks that may not be connected to, whatever `TARGETS_ALLOW` says.
        targets_deny: Vec<IpNet> = Vec::new(), reloads true;
        /// TCP ports that may be connected to; all, if there are none.
        targets_ports: Vec<u16> = Vec::new(), reloads true;
        /// Names that a jump host may look up where this service cannot: `*.lab.example`, `!` before those that it may not. Their
        /// addresses are not known here, so that with `TARGETS_ALLOW` or `TARGETS_DENY` no others may be left to it.
        targets_names: Vec<String> = Vec::new(), reloads true;
        /// Folder with platform definitions of your own; `docs/platforms.md` says what is in one.
        platforms_dir: Option<PathBuf> = None, reloads true;
        /// Folder with `TextFSM` templates of your own: asked before the library, read anew when it changes. With an `index` in
        /// ntc-templates' form, or files named `platform_command.textfsm`.
        templates_dir: Option<PathBuf> = None;
        /// Commands to refuse besides those that the gate refuses anyway, `platform: text` or `text`; `*` at the end
        /// makes it a prefix. Abbreviations and other spellings of them are refused too; `docs/security.md` has the rules.
        commands_deny: Vec<String> = Vec::new(), reloads true;
        /// Commands to allow by their exact text that are off by default, `platform: text` or `text`.
        commands_allow: Vec<String> = Vec::new(), reloads true;
    }
    "How devices are logged in to" {
        /// SSH algorithms to offer where a request does not say; `legacy` adds, behind today's, what old gear speaks.
        ssh_profile: SshProfile = SshProfile::Modern, reloads true;
        /// Refusals of the same credentials by one device after which they are not sent to it for `LOGIN_PAUSE`, so that no account
        /// is locked; twice as many of one user, whatever his credentials. 0 counts none.
        login_refusals: usize = 2, in 0..=100, unit "refusals";
        /// How long a refusal is remembered.
        login_pause: u64 = 300, in 1..=86_400, unit "seconds";
        /// File with the SSH keys of devices, in OpenSSH's form. A device that shows another key than the file has is told
        /// no password.
        known_hosts: Option<PathBuf> = None, reloads true;
        /// What becomes of devices whose key neither the request nor `KNOWN_HOSTS` names: `strict` refuses them and is meant
        /// where `KNOWN_HOSTS` is set; `accept_any` reads them and the answer says `verified: false`.
        host_key_policy: Option<HostKeyPolicy> = None, reloads true;
        /// TOML file with jump hosts and rules on which devices are behind them, for requests that say nothing of the way;
        /// `docs/ssh.md` describes it.
        jumps_file: Option<PathBuf> = None, reloads true;
        /// TOML file with credential sets that requests may name with `credential` instead of bringing secrets: where each
        /// secret is, and which devices and callers it is for; `docs/credentials.md` describes it.
        credentials_file: Option<PathBuf> = None, reloads true;
        /// An OpenSSH client configuration (`ssh_config`): host names, ports, algorithms, host keys and jump hosts for what
        /// neither a request nor `JUMPS_FILE` says; `docs/ssh.md` lists what is read of it.
        ssh_config: Option<PathBuf> = None, reloads true;
        /// Lets requests that give neither password nor key log in to devices with the `IdentityFile` that `SSH_CONFIG` has
        /// for them. Whoever may send requests may then read every device that takes one of these keys.
        ssh_config_logins: bool = false, reloads true;
    }
    "Metrics" {
        /// Prometheus metrics at `/metrics`.
        enable_metrics: bool = true;
        /// A port of its own for `/metrics`, which is then not at the main port; 0 takes any free one.
        metrics_port: Option<u16> = None, in 0..=65_535;
        /// Address to listen on for metrics, if they have a port of their own; `HOST` if it is not set.
        metrics_host: Option<IpAddr> = None;
    }
    "Traces" {
        /// OTLP collector that spans are sent to, by HTTP as JSON; none are without it.
        otlp_endpoint: Option<Endpoint> = None;
    }
    "Log" {
        /// Which lines are written: a level, or a list per module such as `info,showrunner::ssh=debug`.
        log_level: LogLevel = LogLevel::default(), reloads true;
        /// How lines are written: for people or for programs.
        log_format: LogFormat = LogFormat::Text;
        /// File to write the log to instead of standard error.
        log_file: Option<PathBuf> = None;
        /// When the files of log and audit begin anew.
        log_rotation: Rotation = Rotation::Bytes(100 << 20);
        /// Elder files of log and audit that are kept.
        log_retention: usize = 7, in 1..=1000, unit "files";
        /// File for the audit stream: who asked what of which device, and what came of it, one JSON object a line; `-` is
        /// standard output.
        audit_file: Option<PathBuf> = None;
        /// Carries out no request that the audit stream cannot keep: it is answered with 503.
        audit_required: bool = false;
    }
}
