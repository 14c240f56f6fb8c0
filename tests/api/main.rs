//! Through the front door: the real program on a port of its own, real SSH servers behind it.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test that fails may panic, and tables are long"
)]

mod access;
mod acquaintance;
mod addresses;
mod admission;
mod audit;
mod bad_http;
mod bad_input;
mod bounds;
mod cancel;
mod certificates;
mod credentials;
mod deadlines;
mod error_links;
mod execute;
mod faults;
mod host_certificates;
mod host_keys;
mod hostile;
#[path = "../../benches/soak/judge.rs"]
mod judge;
mod jump;
mod logs;
mod many;
mod metrics;
mod names_beyond;
mod openssh;
mod parsing;
mod predecessor;
mod rate_limit;
mod reload;
mod secrets;
mod settings;
mod shutdown;
mod ssh_config;
mod ssh_config_use;
mod ssh_profiles;
mod stream;
mod support;
mod tls;
mod traces;
mod vault;
mod vtysh;
