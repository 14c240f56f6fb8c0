//! Against `FRRouting`: a user whose login shell is `vtysh`, on daemons with a network of their own.
//!
//! The daemons run in a network namespace: nothing they configure reaches this machine's routing.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::Service;

const DAEMONS: &str = "/usr/lib/frr";
const CONFIG: &str = "hostname core1\n!\ninterface lo\n ip address 192.0.2.7/32\n!\n\
    ip route 198.51.100.0/24 blackhole\nip route 203.0.113.0/24 blackhole\n!\n\
    router bgp 64496\n bgp router-id 192.0.2.7\n neighbor 192.0.2.8 remote-as 64497\n!\n";

/// Users and passwords are of the whole machine: one at a time changes them.
static ACCOUNTS: Mutex<()> = Mutex::new(());

pub(crate) fn sshd_is_here() -> bool {
    Path::new("/usr/sbin/sshd").exists() && is_root()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0)
}

/// A real OpenSSH server with one user.
pub(crate) struct Peer {
    server: Child,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub folder: TempDir,
}

impl Peer {
    pub(crate) fn start(user: &str, shell: &Path) -> Self {
        Self::start_with(user, shell, |_folder| String::new())
    }

    /// The same, with lines of configuration that are made when the server's folder is there.
    pub(crate) fn start_with(user: &str, shell: &Path, more: impl FnOnce(&Path) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        // sshd reads authorized keys as the user.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let password = "kept-for-this-test".to_owned();
        {
            let _one_at_a_time = ACCOUNTS.lock().unwrap();
            let _ = Command::new("userdel").arg(user).stderr(Stdio::null()).status();
            let groups: &[&str] = if shell.ends_with("vtysh") { &["-G", "frrvty"] } else { &[] };
            run(Command::new("useradd")
                .args(["-M", "-d", "/"])
                .args(groups)
                .arg("-s")
                .arg(shell)
                .arg(user));
            let script = format!("echo '{user}:{password}' | chpasswd");
            run(Command::new("sh").args(["-c", &script]));
        }
        fs::create_dir_all("/run/sshd").unwrap();
        let path = |name: &str| folder.path().join(name);
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(path("host")));
        fs::write(path("keys"), "").unwrap();
        let more = more(folder.path());
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nUsePAM no\nStrictModes no\n\
                 PasswordAuthentication yes\nKbdInteractiveAuthentication no\nPidFile none\nMaxStartups 100\n{more}",
                path("host").display(),
                path("keys").display(),
            );
            fs::write(path("config"), config).unwrap();
            let mut server = Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(path("config"))
                .stderr(File::create(path("log")).unwrap())
                .spawn()
                .unwrap();
            // Between our look at the port and the server's, somebody else may have taken it.
            let is_listening = || fs::read_to_string(path("log")).unwrap().contains("listening on");
            until(|| is_listening() || server.try_wait().unwrap().is_some());
            if is_listening() {
                return Self { server, port, user: user.to_owned(), password, folder };
            }
        }
        panic!("sshd does not listen: {}", fs::read_to_string(path("log")).unwrap());
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// A new private key that this peer lets in.
    pub(crate) fn new_key(&self, kind: &str, extra: &[&str], passphrase: &str) -> String {
        let path = self.folder.path().join("user-key");
        let _ = fs::remove_file(&path);
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", kind])
            .args(extra)
            .args(["-N", passphrase, "-f"])
            .arg(&path));
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        fs::write(self.folder.path().join("keys"), public).unwrap();
        fs::read_to_string(path).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _one_at_a_time = ACCOUNTS.lock().unwrap();
        let _ = Command::new("userdel").arg(&self.user).stderr(Stdio::null()).status();
    }
}

/// The daemons, foreground processes of this test.
struct Router(Vec<Child>);

impl Router {
    fn start() -> Self {
        fs::create_dir_all("/run/frr").unwrap();
        run(Command::new("chown").args(["frr:frr", "/run/frr"]));
        fs::write("/etc/frr/frr.conf", CONFIG).unwrap();
        fs::write("/etc/frr/vtysh.conf", "service integrated-vtysh-config\n").unwrap();
        run(Command::new("chown").args(["frr:frrvty", "/etc/frr/vtysh.conf", "/etc/frr/frr.conf"]));
        // One network namespace for all three: zebra's own, which the others enter.
        let zebra = Command::new("unshare")
            .args(["-n", "--", "/usr/lib/frr/zebra", "-A", "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let namespace = zebra.id().to_string();
        let mut router = Self(vec![zebra]);
        until(|| Path::new("/run/frr/zserv.api").exists());
        for daemon in ["staticd", "bgpd"] {
            let mut command = Command::new("nsenter");
            command
                .args(["-t", &namespace, "-n", "--"])
                .arg(format!("{DAEMONS}/{daemon}"))
                .args(["-A", "127.0.0.1"]);
            if daemon == "bgpd" {
                command.args(["-p", "0"]);
            }
            router.0.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
            until(|| Path::new(&format!("/run/frr/{daemon}.vty")).exists());
        }
        run(Command::new("vtysh").arg("-b").stdout(Stdio::null()).stderr(Stdio::null()));
        router
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        for daemon in &mut self.0 {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for name in ["zserv.api", "zebra.vty", "staticd.vty", "bgpd.vty"] {
            let _ = fs::remove_file(format!("/run/frr/{name}"));
        }
    }
}

pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn until(mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 20, "it did not start");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_real_network_cli_is_read_with_and_without_filters() {
    if !sshd_is_here() || !Path::new(DAEMONS).join("zebra").exists() {
        eprintln!(
            "SKIPPED a_real_network_cli_is_read_with_and_without_filters: needs sshd, frr and root"
        );
        return;
    }
    let _router = Router::start();
    let peer = Peer::start("show-frr", Path::new("/usr/bin/vtysh"));
    let service = Service::start();
    let body = json!({
        "devices": [{
            "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password, "os": "frr"
        }],
        "commands": [
            "show ip route",
            "show running-config",
            "show bgp summary",
            {"command": "show running-config", "pipe_option": "include", "pipe_value": "^router|neighbor"},
            {"command": "show running-config", "pipe_option": "section", "pipe_value": "^router bgp"},
            "show ip route | include 203.0.113",
            "show nonsense"
        ]
    });
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["results"][0];
    assert_eq!(result["success"], true, "{result}");
    let output = |index: usize| result["commands"][index]["output"].as_str().unwrap();
    assert!(
        output(0).contains("S>* 198.51.100.0/24 [1/0] unreachable (blackhole)"),
        "{}",
        output(0)
    );
    assert!(
        output(1).starts_with("Building configuration...") && output(1).ends_with("end\n"),
        "{}",
        output(1)
    );
    assert!(
        output(2).contains("BGP router identifier 192.0.2.7, local AS number 64496"),
        "{}",
        output(2)
    );
    let whole = output(1).to_owned();
    assert_eq!(output(3), "router bgp 64496\n neighbor 192.0.2.8 remote-as 64497\n");
    assert_eq!(
        output(4),
        "router bgp 64496\n bgp router-id 192.0.2.7\n neighbor 192.0.2.8 remote-as 64497\n"
    );
    assert!(
        output(5).lines().all(|line| line.contains("203.0.113")) && !output(5).is_empty(),
        "{}",
        output(5)
    );
    assert_eq!(result["commands"][6]["error_code"], "cli_error", "{result}");

    let body = json!({
        "devices": body["devices"], "commands": ["show ip route", "show running-config"], "output_format": "native"
    });
    let (_, answer) = service.execute(&body).await;
    let commands = &answer["results"][0]["commands"];
    assert_eq!(commands[0]["parser"]["engine"], "native", "{commands}");
    assert_eq!(commands[0]["parsed"]["198.51.100.0/24"][0]["protocol"], "static", "{commands}");
    assert_eq!(commands[1]["parser"]["engine"], "config_tree", "{commands}");
    let tree = commands[1]["parsed"].as_array().unwrap();
    let bgp = tree.iter().find(|section| section["line"] == "router bgp 64496").unwrap();
    assert_eq!(bgp["children"][0]["line"], "bgp router-id 192.0.2.7");

    // A CLI that reads what was typed ahead: sessions behind the first are shorter, and nothing else changes.
    let logins = || {
        let log = fs::read_to_string(peer.folder.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains("Accepted password")).count()
    };
    let before = logins();
    for _ in 0..5 {
        let result = service
            .read(body["devices"][0].clone(), &["show running-config", "show bgp summary"])
            .await;
        assert_eq!(result["warnings"], json!([]), "{result}");
        assert_eq!(result["commands"][0]["output"], whole, "{result}");
        assert!(result["commands"][1]["output"].as_str().unwrap().contains("AS number 64496"));
    }
    assert_eq!(logins(), before + 5);
}
