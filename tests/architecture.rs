//! The order of the rooms: a room may use what stands above it, never what stands below.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{collections::BTreeSet, fs, path::Path};

/// From the pure to the doors. Rooms of one line do not know each other unless they are listed as exceptions.
const LAYERS: [&[&str]; 7] = [
    &[
        "allowance",
        "certificate",
        "codes",
        "secret",
        "deadline",
        "profile",
        "host_key",
        "host_pattern",
        "output",
        "platform",
        "textfsm",
        "config_tree",
        "live",
        "target",
    ],
    &["command", "catalog", "credential", "device", "outcome"],
    &["ssh_config"],
    &["plan", "ssh_policy", "jump"],
    &["ssh", "metrics", "secret_store"],
    &["executor"],
    &[
        "access",
        "audit",
        "tls",
        "settings",
        "wire",
        "http",
        "cli",
        "telemetry",
        "traces",
        "startup",
        "simulator",
    ],
];
/// Rooms of one layer that may use each other, user first.
const BESIDE: [(&str, &str); 37] = [
    ("access", "settings"),
    ("audit", "settings"),
    ("certificate", "host_key"),
    ("audit", "telemetry"),
    ("cli", "access"),
    ("cli", "audit"),
    ("cli", "http"),
    ("cli", "settings"),
    ("cli", "simulator"),
    ("cli", "startup"),
    ("cli", "telemetry"),
    ("cli", "wire"),
    ("device", "credential"),
    ("host_key", "profile"),
    ("host_key", "host_pattern"),
    ("plan", "jump"),
    ("plan", "ssh_policy"),
    ("ssh_policy", "jump"),
    ("target", "host_pattern"),
    ("catalog", "command"),
    ("outcome", "catalog"),
    ("http", "access"),
    ("http", "audit"),
    ("http", "settings"),
    ("http", "wire"),
    ("startup", "access"),
    ("startup", "audit"),
    ("startup", "http"),
    ("startup", "settings"),
    ("telemetry", "settings"),
    ("tls", "settings"),
    ("startup", "tls"),
    ("cli", "tls"),
    ("http", "traces"),
    ("startup", "traces"),
    ("traces", "settings"),
    ("startup", "telemetry"),
];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with("tests.rs") {
            // Tests may use everything.
        } else if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The part of a file that is not tests, which stand last.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Rooms named behind `crate::` in a text, also in `use crate::{a::b, c}`.
fn used(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in text.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                    _ if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            rooms.push(word);
        } else {
            rooms.push(rest.to_owned());
        }
    }
    let head = |text: &String| {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    rooms.iter().map(head).filter(|room| layer(room).is_some()).collect()
}

#[test]
fn a_room_uses_only_what_stands_above_it() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    assert!(files.len() > 30, "the sources are not here");
    let mut wrong = Vec::new();
    for (path, text) in &files {
        let room = path.strip_prefix("src/").unwrap().split(['/', '.']).next().unwrap();
        let Some(own) = layer(room) else { continue };
        for other in used(code(text)) {
            let allowed = other == room
                || layer(&other).is_some_and(|there| there < own)
                || BESIDE.contains(&(room, other.as_str()));
            if !allowed {
                wrong.push(format!("{path} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_has_a_layer_and_every_exception_is_one() {
    let listed: BTreeSet<&str> = LAYERS.into_iter().flatten().copied().collect();
    let library = fs::read_to_string("src/lib.rs").unwrap();
    let rooms = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    assert_eq!(rooms.collect::<BTreeSet<_>>(), listed);
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    for (user, other) in BESIDE {
        let is_of =
            |path: &str| path.strip_prefix("src/").unwrap().split(['/', '.']).next() == Some(user);
        let uses = |text: &str| used(code(text)).iter().any(|room| room == other);
        let is_used = files.iter().any(|(path, text)| is_of(path) && uses(text));
        assert!(is_used && layer(user) == layer(other), "{user} and {other}");
    }
}

#[test]
fn libssh2_is_named_in_one_room() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    // `libssh2::` is our own room's name.
    let names = |text: &str| text.replace("libssh2::", "").contains("ssh2::");
    let (inside, outside): (Vec<_>, Vec<_>) = files
        .iter()
        .filter(|(_, text)| names(text))
        .map(|(path, _)| path.as_str())
        .partition(|path| path.starts_with("src/ssh/libssh2/"));
    assert!(!inside.is_empty());
    assert_eq!(outside, [""; 0]);
}

#[test]
fn nothing_but_the_command_line_prints() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    for (path, text) in files {
        assert!(path.starts_with("src/cli") || !text.contains("print_stdout"), "{path}");
    }
}
