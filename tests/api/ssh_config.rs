//! An OpenSSH client configuration: read here as OpenSSH's own client reads it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use showrunner::{
    profile::SshProfile,
    ssh_config::{FilePath, HostValues, JumpHost, Proxy, SshConfig},
};

const TABLE: &[(&str, &[&str])] = &[
    ("Host r1\n HostName 192.0.2.1\n Port 23 # comment\n User=a\n", &["r1", "r2"]),
    (
        "Host r1\n User first\nHost r*\n User second\n Port 24\nHost *\n Port 25\n",
        &["r1", "r2", "s"],
    ),
    ("Host !r1 r*\n Port 5\nHost * !r2\n User q\n", &["r1", "r2", "r3"]),
    ("Host ?x *.lab\n User \"a b\"\n", &["ax", "x", "aax", "r.lab", "lab"]),
    ("Host a \"b c\" # d\n Port = 26\n", &["a", "b", "d"]),
    ("host=a\n\tPORT\t27\n\"User\" b\n", &["a", "b"]),
    ("HostName %h.example\nPort 2222\nHost a\n Port 23\n", &["a", "b.c"]),
    ("HostName x%%y.%h\n", &["a"]),
    (
        "Host a\n HostName B.example\nMatch host b.example\n Port 5\nMatch originalhost a\n User z\nMatch all\n User y\n",
        &["a", "b.example", "c"],
    ),
    (
        "Match !host a\n Port 5\nMatch host a,b* originalhost \"a,!b\"\n Port 6\nMatch host=c\n User q\n",
        &["a", "b", "bb", "c", "A"],
    ),
    ("Match host *,!a.b\n Port 7\n", &["a.b", "b.a"]),
    ("ProxyJump u@b:22,c # x\n", &["a"]),
    ("Host a\n ProxyJump none\nHost *\n ProxyJump [2001:db8::1]:23\n", &["a", "b"]),
    ("Host a\n ProxyCommand none\n ProxyJump b\n", &["a"]),
    ("Host a\n ProxyJump u@v@b\n ProxyCommand nc %h %p\n", &["a"]),
    ("ProxyJump b\n", &["a", "b"]),
    ("ProxyJump b\nHost b\n ProxyJump none\n", &["a"]),
    ("ProxyJump ssh://u@b:2200\n", &["a"]),
    (
        "IdentityFile /k/a\nHost r1\n IdentityFile \"/k/b c\"\n IdentityFile /k/a\nHost *\n IdentityFile ~/.ssh/d\n",
        &["r1", "r2"],
    ),
    ("IdentityFile /k/a\nHost r1\n IdentityFile none\n", &["r1", "r2"]),
    ("UserKnownHostsFile /a '/b c' /d\nUserKnownHostsFile /e\nGlobalKnownHostsFile /g\n", &["a"]),
    ("HostKeyAlias core\nHost a\n HostKeyAlias other\n", &["a"]),
    ("StrictHostKeyChecking accept-new\nConnectTimeout 1m30\n", &["a"]),
    (
        "Host a\n StrictHostKeyChecking YES\n ConnectTimeout 7\nHost b\n StrictHostKeyChecking off\n",
        &["a", "b", "c"],
    ),
    ("ConnectTimeout none\nConnectTimeout 3\n", &["a"]),
    (
        "KexAlgorithms +diffie-hellman-group14-sha1\nHost b\n Ciphers aes128-ctr\nHost a b\n Ciphers ^aes128-cbc\n",
        &["a", "b"],
    ),
    (
        "Host a\n HostKeyAlgorithms +ssh-rsa\nHost b\n HostKeyAlgorithms -ssh-ed25519\n",
        &["a", "b", "c"],
    ),
    (
        "IgnoreUnknown Magic*,foo\nMagicWord yes\nForwardAgent yes\nServerAliveInterval 5\nUser u\n",
        &["a"],
    ),
    ("Host a\n Include FOLDER/one FOLDER/d/*\nHost *\n User outer\n", &["a", "b"]),
    ("Include FOLDER/one\nPort 9\n", &["a", "b"]),
    ("Host a\\*\n User r\n", &["a*", "ab"]),
    ("Host a\r\n User r\r\n", &["a"]),
    ("Port \"2\"2\nUser a#b\n", &["a"]),
    ("HostName ::1\nUser 'it\"s'\n", &["a"]),
    // What both refuse.
    ("Bogus yes\n", &["a"]),
    ("Host\n", &["a"]),
    ("User\n", &["a"]),
    ("User a b\n", &["a"]),
    ("User \"a\n", &["a"]),
    ("Host b\n Port 0\n", &["a"]),
    ("Port 70000\n", &["a"]),
    ("Match\n", &["a"]),
    ("Match host\n", &["a"]),
    ("Match sometimes\n", &["a"]),
    ("ProxyJump ::1\n", &["a"]),
    ("ProxyJump a,,b\n", &["a"]),
    ("StrictHostKeyChecking maybe\n", &["a"]),
    ("ConnectTimeout soon\n", &["a"]),
];

type Lines = BTreeMap<String, Vec<String>>;

/// What `ssh -G` prints, a list for every keyword; or its error.
fn printed(file: &Path, host: &str) -> Result<Lines, String> {
    let output = Command::new("ssh").arg("-F").arg(file).args(["-G", host]).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut lines = Lines::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        lines.entry(keyword.to_owned()).or_default().push(value.to_owned());
    }
    Ok(lines)
}

/// The same out of what was read here, where `default` is what OpenSSH says of no file.
fn written(host: &str, values: &HostValues, default: &Lines) -> Lines {
    let path = |path: &FilePath| match path {
        FilePath::Absolute(path) => path.display().to_string(),
        FilePath::Beside(path) => format!("~/.ssh/{}", path.display()),
    };
    let paths = |files: &[FilePath]| files.iter().map(path).collect::<Vec<_>>();
    let mut lines = default.clone();
    let mut put = |keyword: &str, value: Vec<String>| lines.insert(keyword.to_owned(), value);
    let host_name = values.host_name.clone().unwrap_or_else(|| host.to_owned());
    put("hostname", vec![host_name.to_ascii_lowercase()]);
    if let Some(port) = values.port {
        put("port", vec![port.to_string()]);
    }
    if let Some(user) = &values.user {
        put("user", vec![user.clone()]);
    }
    if !values.identities.is_empty() {
        put("identityfile", paths(&values.identities));
    }
    if let Some(alias) = &values.key_alias {
        put("hostkeyalias", vec![alias.clone()]);
    }
    for (keyword, files) in [
        ("userknownhostsfile", &values.known_hosts),
        ("globalknownhostsfile", &values.global_known_hosts),
    ] {
        if let Some(files) = files {
            put(keyword, vec![paths(files).join(" ")]);
        }
    }
    if let Some(strict) = values.strict {
        put("stricthostkeychecking", vec![strict.to_string()]);
    }
    match values.connect_timeout {
        Some(seconds) if seconds > 0 => put("connecttimeout", vec![seconds.to_string()]),
        _ => None,
    };
    let hop = |hop: &JumpHost| {
        let user = hop.values.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let is_bracketed = hop.name.contains(':');
        let name = if is_bracketed { format!("[{}]", hop.name) } else { hop.name.clone() };
        format!("{user}{name}{}", hop.values.port.map(|p| format!(":{p}")).unwrap_or_default())
    };
    if let Some(Proxy::Jump(hops, _)) = &values.proxy
        && !hops.is_empty()
    {
        put("proxyjump", vec![hops.iter().map(hop).collect::<Vec<_>>().join(",")]);
    }
    lines
}

/// The keywords that are compared, in the words of both.
fn compared(mut lines: Lines) -> Lines {
    const KEYWORDS: [&str; 10] = [
        "hostname",
        "port",
        "user",
        "identityfile",
        "hostkeyalias",
        "userknownhostsfile",
        "globalknownhostsfile",
        "stricthostkeychecking",
        "connecttimeout",
        "proxyjump",
    ];
    for value in lines.values_mut().flatten() {
        // OpenSSH has four kinds of strictness, of which two refuse unknown keys.
        let is_lenient = ["accept-new", "off", "no", "false"].contains(&value.as_str());
        *value = match value.as_str() {
            _ if is_lenient => "false".to_owned(),
            "ask" | "yes" => "true".to_owned(),
            _ => value.clone(),
        };
    }
    if let Some(files) = lines.get_mut("identityfile") {
        files.retain(|file| file != "none");
    }
    if let Some(names) = lines.get_mut("hostname") {
        for name in names {
            name.make_ascii_lowercase();
        }
    }
    if let Some(jumps) = lines.get_mut("proxyjump") {
        // The default port is written out by some versions.
        for jump in jumps {
            *jump = jump.replace(":22,", ",").replace("ssh://", "");
        }
    }
    lines.retain(|keyword, _| KEYWORDS.contains(&keyword.as_str()));
    lines
}

/// True if OpenSSH would offer something that only the `legacy` profile has.
fn offers_old(lines: &Lines) -> bool {
    let lists = [
        ("kexalgorithms", SshProfile::key_exchange as fn(SshProfile) -> &'static str),
        ("hostkeyalgorithms", SshProfile::host_keys),
        ("ciphers", SshProfile::ciphers),
    ];
    lists.into_iter().any(|(keyword, list)| {
        let (old, modern) = (list(SshProfile::Legacy), list(SshProfile::Modern));
        let is_old = |name: &str| {
            old.split(',').any(|known| known == name)
                && modern.split(',').all(|known| known != name)
        };
        lines[keyword][0].split(',').any(is_old)
    })
}

fn parse(file: &Path) -> Result<SshConfig, String> {
    let mut include = |path: &FilePath| {
        let path = path.from(Path::new("/nowhere"));
        let mut files: Vec<PathBuf> = vec![path.clone()];
        if path.ends_with("*") {
            let folder = fs::read_dir(path.parent().unwrap()).unwrap();
            files = folder.map(|entry| entry.unwrap().path()).collect();
            files.sort();
        }
        let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
        Ok(files.into_iter().map(read).collect())
    };
    let text = fs::read_to_string(file).unwrap();
    SshConfig::parse(file, &text, &mut include).map_err(|error| error.to_string())
}

#[test]
fn a_configuration_is_read_as_opensshs_own_client_reads_it() {
    if Command::new("ssh").arg("-V").stderr(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED a_configuration_is_read_as_opensshs_own_client_reads_it: needs ssh");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("d")).unwrap();
    fs::write(path("one"), "User one\nHost b\n Port 2\nMatch host a\n Port 3\n").unwrap();
    fs::write(path("d/2"), "HostKeyAlias two\n").unwrap();
    fs::write(path("d/1"), "Host b\n HostKeyAlias bad\nHost a\n HostKeyAlias one\n").unwrap();
    let empty = path("empty");
    fs::write(&empty, "").unwrap();
    let mut n_refused = 0;
    for (text, hosts) in TABLE {
        let file = path("config");
        fs::write(&file, text.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        for host in *hosts {
            let (ours, theirs) = (parse(&file), printed(&file, host));
            let (config, theirs) = match (ours, theirs) {
                (Ok(config), Err(error)) if error.contains("jumphost loop") => {
                    assert!(config.way_to(host, 3).is_err(), "{text}: {host}: {error}");
                    continue;
                }
                (Err(_), Err(_)) => {
                    n_refused += 1;
                    continue;
                }
                (ours, theirs) => (ours.expect(text), theirs.expect(text)),
            };
            let values = config.look_up(host);
            let ours = written(host, &values, &printed(&empty, host).unwrap());
            assert_eq!(values.wants_legacy, offers_old(&theirs), "{text}: {host}");
            let has_no_identity =
                ours["identityfile"] == printed(&empty, host).unwrap()["identityfile"];
            let (mut ours, mut theirs) = (compared(ours), compared(theirs));
            if has_no_identity {
                // `none` alone and nothing at all come to the same here.
                ours.remove("identityfile");
                theirs.remove("identityfile");
            }
            assert_eq!(ours, theirs, "{text}: {host}");
        }
    }
    assert_eq!(n_refused, 14);
}
