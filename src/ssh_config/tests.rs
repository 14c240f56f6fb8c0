use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<SshConfig, ConfigError> {
    read_with(text, &[])
}

fn read_with(text: &str, files: &[(&str, &str)]) -> Result<SshConfig, ConfigError> {
    let files: HashMap<_, _> =
        files.iter().map(|(name, text)| (FilePath::parse(name).unwrap(), *text)).collect();
    let mut include = |path: &FilePath| {
        let text = files.get(path).ok_or("there is no such file")?;
        Ok(vec![(PathBuf::from("included"), (*text).to_owned())])
    };
    SshConfig::parse(Path::new("config"), text, &mut include)
}

fn names(way: &[JumpHost]) -> Vec<String> {
    way.iter()
        .map(|hop| {
            let user = hop.values.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            let port = hop.values.port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{user}{}{port}", hop.values.host_name.as_ref().unwrap_or(&hop.name))
        })
        .collect()
}

#[test]
fn the_way_is_that_of_the_first_hop_and_then_the_list() {
    let config = read(
        "Host far\n ProxyJump near,u2@[2001:db8::1]:2222\n\
         Host near\n HostName 192.0.2.1\n User u1\n ProxyJump outer\n\
         Host 2001:db8::1\n User nobody\n ProxyJump elsewhere\n\
         Host outer\n Port 24\n\
         Host circle\n ProxyJump circle\n\
         Host ring\n ProxyJump near,near,near\n\
         Host none\n ProxyCommand none\n\
         Host run\n ProxyCommand ssh -W %h:%p near\n\
         Host *\n ProxyJump NONE\n",
    )
    .unwrap();
    let way = |host| config.way_to(host, 3).map(|way| names(&way));
    assert_eq!(way("far").unwrap(), ["outer:24", "u1@192.0.2.1", "u2@2001:db8::1:2222"]);
    assert_eq!(way("near").unwrap(), ["outer:24"]);
    for direct in ["outer", "none", "other"] {
        assert_eq!(way(direct).unwrap(), [""; 0], "{direct}");
    }
    for (host, line) in [("circle", "config line 13"), ("ring", "config line 6")] {
        let error = way(host).unwrap_err();
        assert!(matches!(error, NoWay::TooLong { .. }), "{host}: {error}");
        assert!(error.to_string().starts_with(line), "{host}: {error}");
    }
    assert_eq!(way("run"), Err(NoWay::Command("config line 19".to_owned())));
    assert_eq!(config.jump_hosts().count(), 8);
}

#[test]
fn what_is_included_is_meant_where_the_include_stands() {
    let inner = "User inner\nHost b\n Port 2\nHost a\n Port 3\n";
    let config = read_with(
        "Host a\n Include ~/.ssh/inner other\n HostKeyAlias still-a\nHost *\n User outer\n",
        &[("~/.ssh/inner", inner), ("other", "Match host a\n ConnectTimeout 1m\n")],
    )
    .unwrap();
    let (a, b) = (config.look_up("a"), config.look_up("b"));
    assert_eq!((a.user.as_deref(), a.port), (Some("inner"), Some(3)));
    assert_eq!((a.key_alias.as_deref(), a.connect_timeout), (Some("still-a"), Some(60)));
    // Nothing in a file that is included for another host is for this one.
    assert_eq!((b.user.as_deref(), b.port, b.key_alias), (Some("outer"), None, None));

    let error = read_with("\nInclude inner\n", &[("inner", "\n\nPort x\n")]).unwrap_err();
    assert_eq!((error.file, error.line), (PathBuf::from("included"), 3));
    let error = read("User a\nInclude gone\n").unwrap_err();
    assert_eq!((error.line, error.reason.as_str()), (2, "there is no such file"));
    // A file that includes itself comes to an end.
    let error = read_with("Include me\n", &[("me", "Include me\nInclude me\n")]).unwrap_err();
    assert!(error.reason.contains("8 deep"), "{error}");
    let long = "Port 22\n".repeat(3000);
    let many = read_with(&"Include long\n".repeat(9), &[("long", long.as_str())]);
    assert!(many.unwrap_err().reason.contains("20000 lines"));
}

#[test]
fn no_spelling_of_a_name_gets_round_its_section() {
    let config = read("Host r1.lab !*.Bad\n Port 2\n ProxyJump b\nHost *.bad\n Port 3\n").unwrap();
    for host in ["r1.lab", "R1.LAB", "r1.lab.", "R1.lab."] {
        assert_eq!(config.look_up(host).port, Some(2), "{host}");
        assert_eq!(config.way_to(host, 3).unwrap().len(), 1, "{host}");
    }
    for host in ["x.bad", "X.BAD."] {
        assert_eq!(config.look_up(host).port, Some(3), "{host}");
    }
}

#[test]
fn algorithms_of_the_past_ask_for_the_legacy_profile() {
    for (line, legacy) in [
        ("KexAlgorithms +diffie-hellman-group1-sha1", true),
        ("KexAlgorithms diffie-hellman-group14-sha1,curve25519-sha256", true),
        ("KexAlgorithms curve25519-sha256", false),
        ("KexAlgorithms -diffie-hellman-group14-sha1", false),
        ("KexAlgorithms ^diffie-hellman-*", true),
        ("HostKeyAlgorithms=+ssh-rsa,ssh-dss", true),
        ("HostKeyAlgorithms rsa-sha2-512", false),
        ("HostKeyAlgorithms ssh-ed25519\nHostKeyAlgorithms +ssh-rsa", false),
        ("HostKeyAlgorithms ssh-ed25519\nCiphers +3des-cbc", true),
        ("Ciphers aes256-ctr", false),
        ("MACs hmac-sha1", true),
        ("PubkeyAcceptedAlgorithms +ssh-rsa", false),
    ] {
        assert_eq!(read(line).unwrap().look_up("a").wants_legacy, legacy, "{line}");
    }
}

#[test]
fn a_line_that_cannot_be_used_is_refused_with_what_would_be_right() {
    for (line, want) in [
        ("Bogus x", "`bogus` is no keyword"),
        ("Host", "a value is missing"),
        ("Host \"\"", "a value is missing"),
        ("Host a \"\"", "an empty pattern"),
        ("Host !", "an empty pattern"),
        ("Host \"a", "a quote is not closed"),
        ("User", "a value is missing"),
        ("User a b", "one value is wanted"),
        ("User %r", "a plain word"),
        ("Port 0", "no port"),
        ("Port 65536", "no port"),
        ("Port ssh", "no port"),
        ("HostName 127.1", "Invalid hostname"),
        ("HostName [::1]", "Invalid hostname"),
        ("HostName %d", "only `%h`"),
        ("HostName fe80::1%eth0", "only `%h`"),
        ("IdentityFile ~/keys/a", "only `~/.ssh/`"),
        ("IdentityFile ~/.ssh/%h", "only `~/.ssh/`"),
        ("UserKnownHostsFile ${X}", "only `~/.ssh/`"),
        ("ProxyJump", "a value is missing"),
        ("ProxyJump a,,b", "no [user@]host[:port]"),
        ("ProxyJump ::1", "no port"),
        ("ProxyJump [::1", "no [user@]host[:port]"),
        ("ProxyJump [::1]x", "no [user@]host[:port]"),
        ("ProxyJump @a", "a plain word"),
        ("ProxyJump %h", "no [user@]host[:port]"),
        ("ProxyJump a:0", "no port"),
        ("ProxyCommand", "a value is missing"),
        ("StrictHostKeyChecking maybe", "StrictHostKeyChecking is"),
        ("ConnectTimeout soon", "no time"),
        ("ConnectTimeout 99999999999999999999", "no time"),
        ("RevokedHostKeys /x", "write `@revoked`"),
        ("Match", "a value is missing"),
        ("Match host", "a pattern is missing"),
        ("Match exec true", "`Match exec`"),
        ("Match final all", "`Match final`"),
        ("Match all host a", "`Match all`"),
        ("Match user x", "`Match user`"),
    ] {
        let error = read(&format!("# first\nHost a\n{line}\n")).unwrap_err();
        assert_eq!(error.line, 3, "{line}");
        assert!(error.reason.contains(want), "{line}: {}", error.reason);
    }
    // What OpenSSH knows and what the file says is unknown on purpose is passed over, and said.
    let config = read("ForwardAgent yes\nIgnoreUnknown Use*,x\nUseMagic a b\nforwardagent no\n");
    let passed: Vec<_> = config.unwrap().passed_over().collect();
    assert_eq!(passed, ["forwardagent (config line 1)", "usemagic (config line 3)"]);
}

proptest! {
    #[test]
    fn no_text_and_no_host_panics(
        text in "((Host|Match|match all|HostName|ProxyJump|Include|IdentityFile|Port|User|Ciphers|ConnectTimeout|IgnoreUnknown| |=|\"|'|\\\\|#|!|\\*|\\?|%h|%%|,|@|:|\\[|\\]|none|host|1m|\n|[a-z0-9.~$\u{e4}]){0,40}\n){0,4}",
        host in ".{0,20}",
    ) {
        if let Ok(config) = read(&text) {
            let _ = (config.look_up(&host), config.way_to(&host, 3), config.passed_over().count());
        }
    }

    #[test]
    fn a_host_section_is_for_those_it_covers_and_no_others(name in "[a-z]{1,8}", other in "[a-z]{1,8}", port in 1_u16..) {
        let config = read(&format!("Host {name}\n Port {port}\n")).unwrap();
        prop_assert_eq!(config.look_up(&name).port, Some(port));
        prop_assert_eq!(config.look_up(&other).port.is_some(), name == other);
    }
}
