//! Credential sets whose secrets are in Vault: a stand-in on this machine speaks its API, and misbehaves where it is told to.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice};

use crate::{
    credentials::Kept,
    support::{Service, device, entry, with},
};

const PASSWORD: &str = "mArKeR-of-the-vault";
const TOKEN: &str = "hvs.mArKeR-token";
const ACCOUNT: &str = "eyJ.mArKeR.jwt";

/// One question that the stand-in was asked.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    head: String,
    body: String,
}

impl Asked {
    fn has(&self, name: &str, value: &str) -> bool {
        let line = format!("{name}: {value}").to_ascii_lowercase();
        self.head.to_ascii_lowercase().lines().any(|one| one == line)
    }
}

/// What the stand-in says to a question.
enum Answer {
    /// Status, headers beyond the usual, body.
    Said(u16, String, String),
    /// Nothing, until the other side goes.
    Silence,
}

type Answering = Box<dyn Fn() -> Answer + Send + Sync>;

/// A server that speaks as much of Vault's API as reading secrets needs.
struct StandIn {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, answer)
    }

    fn start_with(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                let (seen, answer, tls) = (Arc::clone(&seen), Arc::clone(&answer), tls.clone());
                thread::spawn(move || match tls {
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(connection, stream), &seen, &*answer);
                    }
                    None => serve(stream, &seen, &*answer),
                });
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: impl Read + Write,
    seen: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Answer,
) {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let asked = loop {
        let Ok(length @ 1..) = stream.read(&mut chunk) else { return };
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let (line, head) = head.split_once("\r\n").unwrap();
            break Asked { line: line.to_owned(), head: head.to_owned(), body: body.to_owned() };
        }
    };
    let answer = answer(&asked);
    seen.lock().unwrap().push(asked);
    let Answer::Said(status, more, body) = answer else {
        let _ = stream.read(&mut chunk);
        return;
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.flush();
}

fn good(body: &Value) -> Answer {
    Answer::Said(200, String::new(), body.to_string())
}

fn errors(status: u16, words: &[&str]) -> Answer {
    Answer::Said(status, String::new(), json!({ "errors": words }).to_string())
}

/// As a KV store of version 2 answers.
fn secret(fields: &Value) -> Answer {
    good(&json!({
        "request_id": "59bc89e5-358b-7a49-81c5-4c24c7d0ecb7", "lease_id": "", "renewable": false,
        "lease_duration": 0, "wrap_info": null, "warnings": null, "auth": null,
        "data": {"data": fields, "metadata": {
            "created_time": "2026-11-21T10:49:59.060577418Z", "custom_metadata": null,
            "deletion_time": "", "destroyed": false, "version": 1
        }}
    }))
}

/// As an authentication method answers.
fn logged_in(token: &str, lease: u64) -> Answer {
    good(&json!({"data": null, "auth": {
        "client_token": token, "accessor": "a", "policies": ["default"], "token_type": "service",
        "lease_duration": lease, "renewable": true, "metadata": {"role": "showrunner"}
    }}))
}

async fn ios() -> FakeDevice {
    let options = DeviceOptions { password: PASSWORD.to_owned(), ..DeviceOptions::default() };
    device("cisco_ios", options).await
}

/// A file with one Vault and one set in it, for this device port.
fn file(address: &str, of_vault: &str, port: u16) -> Kept {
    let kept = Kept::new(&format!(
        "[[vault]]\nname = \"main\"\naddress = \"{address}\"\n{of_vault}\n\
         [[credential]]\nname = \"lab\"\nusername = \"demo\"\npassword_field = \"password\"\n\
         vault_mount = \"network\"\nvault_path = \"sites/lab\"\n\
         targets = [\"127.0.0.0/8\"]\nports = [{port}]\nhost_keys = \"any\"\n"
    ));
    fs::write(kept.path("token"), format!("{TOKEN}\n")).unwrap();
    fs::write(kept.path("account"), ACCOUNT).unwrap();
    kept
}

fn kept(vault: &StandIn, of_vault: &str, device: &FakeDevice) -> Kept {
    file(&format!("http://127.0.0.1:{}", vault.port), of_vault, device.addr().port())
}

fn named(port: u16) -> Value {
    json!({"hostname": "127.0.0.1", "port": port, "os": "ios", "credential": "lab"})
}

async fn read(service: &Service, device: &FakeDevice) -> Value {
    service.read(named(device.addr().port()), &["show version"]).await
}

const BY_TOKEN: &str = "token_file = \"token\"";
const BY_ACCOUNT: &str = "kubernetes_role = \"showrunner\"\nkubernetes_token_file = \"account\"\n\
                          kubernetes_login = \"clusters/prod\"";

/// All that was logged: the service is stopped first.
async fn whole_log(service: &mut Service) -> String {
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    service.log()
}

#[tokio::test]
async fn a_device_is_logged_in_to_with_a_secret_of_vault() {
    let vault = StandIn::start(|asked| {
        if asked.line.starts_with("GET /v1/network/data/sites/lab HTTP") {
            secret(&json!({"password": PASSWORD, "other": "x", "number": 7}))
        } else {
            errors(404, &[])
        }
    });
    let ios = ios().await;
    let kept = kept(&vault, &format!("{BY_TOKEN}\nnamespace = \"team-a/net\"\ncache = 0"), &ios);
    let mut service = kept.service(&[]);
    let body = json!({"devices": [named(ios.addr().port())], "commands": ["show version"]});
    let (status, _) = service.post("/api/v1/validate", &body).await;
    assert_eq!((status, vault.asked().len()), (200, 0), "secrets are read by no check");
    let result = read(&service, &ios).await;
    assert_eq!(result["success"], true, "{result}");
    let asked = vault.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].has("X-Vault-Token", TOKEN), "{asked:?}");
    assert!(asked[0].has("X-Vault-Namespace", "team-a/net"), "{asked:?}");
    // The owner of the token has renewed it.
    fs::write(kept.path("token"), "hvs.another").unwrap();
    assert_eq!(read(&service, &ios).await["success"], true);
    assert!(vault.asked()[1].has("X-Vault-Token", "hvs.another"));
    let log = whole_log(&mut service).await;
    for text in [&log, &result.to_string()] {
        assert!(!text.contains(PASSWORD) && !text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn a_thousand_devices_are_one_question() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_asked);
    let vault = StandIn::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        secret(&json!({"password": PASSWORD}))
    });
    // Nobody listens there: the devices end as soon as they have their secrets.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{}", vault.port);
    let kept = file(&address, &format!("{BY_TOKEN}\ncache = 300"), closed);
    let service = kept.service(&[("SHOWRUNNER_LOG_LEVEL", "info")]);
    let devices: Vec<_> = (0..1000)
        .map(|n| with(named(closed), "hostname", format!("127.0.{}.{}", n / 250, n % 250 + 1)))
        .collect();
    let body = json!({"devices": devices, "commands": ["show version"]});
    for _ in 0..2 {
        let (_, answer) = service.execute(&body).await;
        for result in answer["results"].as_array().unwrap() {
            assert_eq!(result["error_code"], "connection_refused", "{result}");
        }
        assert_eq!(n_asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_service_account_logs_in_once_and_again_when_its_token_is_refused_or_over() {
    let n_logins = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(Mutex::new(String::new()));
    let lease = Arc::new(AtomicUsize::new(3600));
    let (logins, bad, lasts) = (Arc::clone(&n_logins), Arc::clone(&refused), Arc::clone(&lease));
    let vault = StandIn::start(move |asked| {
        if asked.line.starts_with("POST /v1/auth/clusters/prod/login HTTP") {
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            assert_eq!(body, json!({"role": "showrunner", "jwt": ACCOUNT}));
            let n = logins.fetch_add(1, Ordering::SeqCst) + 1;
            return logged_in(&format!("hvs.login-{n}"), lasts.load(Ordering::SeqCst) as u64);
        }
        let bad = bad.lock().unwrap().clone();
        if asked.has("X-Vault-Token", &bad) || bad == "all" {
            return errors(403, &["permission denied"]);
        }
        secret(&json!({"password": PASSWORD}))
    });
    let ios = ios().await;
    let kept = kept(&vault, &format!("{BY_ACCOUNT}\ncache = 0"), &ios);
    let mut service = kept.service(&[]);
    let logins = || n_logins.load(Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(read(&service, &ios).await["success"], true);
    }
    assert_eq!(logins(), 1);
    // Taken back before its end.
    "hvs.login-1".clone_into(&mut refused.lock().unwrap());
    assert_eq!(read(&service, &ios).await["success"], true);
    assert_eq!(logins(), 2);
    // A policy that does not let it: one more login and no more.
    "all".clone_into(&mut refused.lock().unwrap());
    let before = vault.asked().len();
    let result = read(&service, &ios).await;
    assert_eq!(result["error_code"], "credential_unavailable", "{result}");
    assert_eq!((logins(), vault.asked().len() - before), (3, 3));
    // Leases that end: what is nearly over is not used.
    "none".clone_into(&mut refused.lock().unwrap());
    lease.store(1, Ordering::SeqCst);
    "hvs.login-3".clone_into(&mut refused.lock().unwrap());
    assert_eq!(read(&service, &ios).await["success"], true);
    assert_eq!(logins(), 4);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(read(&service, &ios).await["success"], true);
    assert_eq!(logins(), 5);
    let log = whole_log(&mut service).await;
    assert!(!log.contains("mArKeR") && !log.contains("hvs."), "{log}");
}

#[tokio::test]
async fn what_vault_does_wrong_is_said_without_a_secret_and_hurts_nobody_else() {
    let elsewhere = StandIn::start(|_| secret(&json!({"password": PASSWORD})));
    let location = format!("Location: http://127.0.0.1:{}/v1/x\r\n", elsewhere.port);
    let with_location = move || Answer::Said(307, location.clone(), String::new());
    let endless = "x".repeat(2_000_000);
    let deleted = json!({"data": {"data": null, "metadata": {"deletion_time": "2026-11-21T10:49:59Z", "version": 2}}});
    let answers: Vec<(&str, Answering)> = vec![
        ("Vault refused the token", Box::new(|| errors(403, &["permission denied"]))),
        ("Vault has no such secret", Box::new(|| errors(404, &[]))),
        (
            "Vault has no such secret",
            Box::new(move || Answer::Said(404, String::new(), deleted.to_string())),
        ),
        ("Vault is sealed", Box::new(|| errors(503, &["Vault is sealed"]))),
        ("Vault could not answer", Box::new(|| errors(500, &["internal error", PASSWORD]))),
        ("Vault leads elsewhere", Box::new(with_location)),
        (
            "an answer of another form",
            Box::new(|| Answer::Said(200, String::new(), format!("<{PASSWORD}>"))),
        ),
        (
            "an answer of another form",
            Box::new(move || Answer::Said(200, String::new(), endless.clone())),
        ),
        // As a store of version 1 answers.
        ("Vault has no such secret", Box::new(|| good(&json!({"data": {"password": PASSWORD}})))),
        ("lacks a field, or it is no text", Box::new(|| secret(&json!({"passwort": PASSWORD})))),
        ("lacks a field, or it is no text", Box::new(|| secret(&json!({"password": 7})))),
        ("a secret of it is empty", Box::new(|| secret(&json!({"password": ""})))),
    ];
    let n_cases = answers.len();
    let next = AtomicUsize::new(0);
    let wants: Vec<_> = answers.iter().map(|(want, _)| *want).collect();
    let vault = StandIn::start(move |_| answers[next.fetch_add(1, Ordering::SeqCst)].1());
    let ios = ios().await;
    let other = device("cisco_ios", DeviceOptions::default()).await;
    let kept = kept(&vault, &format!("{BY_TOKEN}\ncache = 0"), &ios);
    let mut service = kept.service(&[]);
    for (index, want) in wants.iter().enumerate() {
        let devices = [named(ios.addr().port()), entry(&other, "ios")];
        let body = json!({"devices": devices, "commands": ["show version"]});
        let (_, answer) = service.execute(&body).await;
        let result = &answer["results"][0];
        assert_eq!(result["error_code"], "credential_unavailable", "{want}: {result}");
        assert!(result["error"].as_str().unwrap().contains(want), "{want}: {result}");
        assert_eq!(answer["results"][1]["success"], true, "{want}: {answer}");
        // Where the operator keeps his secrets is for his log.
        let said = answer.to_string();
        for hidden in ["sites/lab", &vault.port.to_string(), TOKEN, PASSWORD] {
            assert!(!said.contains(hidden), "{want}: {said}");
        }
        assert_eq!(vault.asked().len(), index + 1, "{want}");
    }
    assert_eq!((ios.login_attempts(), elsewhere.asked().len()), (0, 0));
    fs::remove_file(kept.path("token")).unwrap();
    let result = read(&service, &ios).await;
    assert!(result["error"].as_str().unwrap().contains("a file of it cannot be read"), "{result}");
    assert_eq!(vault.asked().len(), n_cases);
    let log = whole_log(&mut service).await;
    let told = log.matches("a credential set cannot be read").count();
    assert!(told == n_cases + 1 && log.contains("network/data/sites/lab"), "{told}: {log}");
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn a_vault_that_says_nothing_is_waited_for_once() {
    let vault = StandIn::start(|_| Answer::Silence);
    let (ios, other) = (ios().await, device("cisco_ios", DeviceOptions::default()).await);
    let kept = kept(&vault, &format!("{BY_TOKEN}\ntimeout = 5"), &ios);
    let service = kept.service(&[]);
    let devices = [named(ios.addr().port()), entry(&other, "ios")];
    let body = json!({"devices": devices, "commands": ["show version"]});
    // The second time it is known.
    for _ in 0..2 {
        let (_, answer) = service.execute(&body).await;
        let result = &answer["results"][0];
        assert_eq!(result["error_code"], "credential_unavailable", "{result}");
        let said = result["error"].as_str().unwrap();
        assert!(said.contains("Vault gave no answer in time"), "{said}");
        assert_eq!(answer["results"][1]["success"], true, "{answer}");
        assert_eq!(vault.asked().len(), 1);
    }
    assert_eq!(ios.login_attempts(), 0);
}

#[tokio::test]
async fn a_vault_that_is_not_there_and_one_that_is_another_are_told_apart() {
    let ios = ios().await;
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (certificate, key)
    };
    let ((certificate, key), (stranger, _)) = (made("localhost"), made("localhost"));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
    let vault =
        StandIn::start_with(Some(Arc::new(config)), |_| secret(&json!({"password": PASSWORD})));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (port, authority, want) in [
        (vault.port, certificate.pem(), ""),
        (vault.port, stranger.pem(), "Vault's certificate is not trusted"),
        (closed, certificate.pem(), "Vault cannot be connected to"),
    ] {
        let address = format!("https://127.0.0.1:{port}");
        let kept = file(
            &address,
            &format!("{BY_TOKEN}\nca_file = \"ca.pem\"\ncache = 0"),
            ios.addr().port(),
        );
        // The file is read when the service starts.
        let file = kept.path("credentials.toml");
        fs::write(kept.path("ca.pem"), authority).unwrap();
        let service = kept.service(&[("SHOWRUNNER_CREDENTIALS_FILE", file.to_str().unwrap())]);
        let result = read(&service, &ios).await;
        let said = result["error"].as_str().unwrap_or_default();
        assert_eq!(said.is_empty(), want.is_empty(), "{result}");
        assert!(said.contains(want), "{want}: {said}");
    }
    assert_eq!(vault.asked().len(), 1);
}
