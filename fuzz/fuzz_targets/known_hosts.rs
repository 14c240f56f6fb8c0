//! No file and no host makes the reader of `known_hosts` panic, and a file that reads once reads again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use showrunner::host_key::KnownHosts;

fuzz_target!(|input: (&str, &str, u16)| {
    let (file, host, port) = input;
    if let Ok(hosts) = KnownHosts::parse(file) {
        let known = hosts.look_up(host, port);
        assert!(known.keys.len() + known.revoked.len() <= hosts.len());
    }
});
