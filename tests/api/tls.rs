//! HTTPS through the front door: certificates, clients' certificates, and new ones without a restart.

use std::{fs, process::Command, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client, Identity};
use rustix::process::Signal;

use crate::support::Service;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key for this machine.
fn issue(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn trusting(authority: &Authority, identity: Option<&(String, String)>) -> Client {
    let root = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let client = Client::builder().add_root_certificate(root).timeout(Duration::from_secs(10));
    // A connection that is kept would not see a new certificate.
    let client = client.pool_max_idle_per_host(0);
    match identity {
        Some((certificate, key)) => {
            let pem = format!("{certificate}{key}");
            client.identity(Identity::from_pem(pem.as_bytes()).unwrap()).build().unwrap()
        }
        None => client.build().unwrap(),
    }
}

struct Files(tempfile::TempDir);

impl Files {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, (certificate, key): &(String, String)) {
        fs::write(self.path("cert.pem"), certificate).unwrap();
        fs::write(self.path("key.pem"), key).unwrap();
    }
}

#[tokio::test]
async fn https_is_served_and_new_certificates_come_without_a_restart() {
    let files = Files(tempfile::tempdir().unwrap());
    let (first, second) = (authority("first"), authority("second"));
    files.write(&issue(&first));
    let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
    let tls =
        [("SHOWRUNNER_TLS_CERT_FILE", certificate.as_str()), ("SHOWRUNNER_TLS_KEY_FILE", &key)];
    let service = Service::start_with(&tls);
    let url = service.url.replace("http://", "https://");
    let health = async |client: &Client| client.get(format!("{url}/health")).send().await;
    assert_eq!(health(&trusting(&first, None)).await.unwrap().status().as_u16(), 200);
    assert!(health(&trusting(&second, None)).await.is_err());
    assert!(service.client.get(format!("{}/health", service.url)).send().await.is_err());
    let port = url.rsplit(':').next().unwrap();
    let is_well = || health_check(port, &tls);
    assert!(is_well());

    files.write(&issue(&second));
    assert!(is_well(), "it has not read the new files, and goes on");
    service.signal(Signal::HUP);
    let mut changed = false;
    for _ in 0..200 {
        changed = health(&trusting(&second, None)).await.is_ok();
        if changed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(changed, "{}", service.log());
    // A broken file keeps the old ones.
    fs::write(files.path("key.pem"), "no key").unwrap();
    service.signal(Signal::HUP);
    for _ in 0..200 {
        if service.log().contains("the old ones stay") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(service.log().contains("the old ones stay"), "{}", service.log());
    assert!(health(&trusting(&second, None)).await.is_ok());
    assert!(is_well(), "and so does the health check");
    assert!(health_check(port, &[tls[0], tls[1], ("SHOWRUNNER_HEAD_TIMEOUT", "soon")]));
    assert!(!health_check("1", &tls));
    assert!(!health_check("99x", &tls), "nobody knows where it is");
}

/// What a container's health check says.
fn health_check(port: &str, settings: &[(&str, &str)]) -> bool {
    let mut check = Command::new(env!("CARGO_BIN_EXE_showrunner"));
    check.arg("health").env("SHOWRUNNER_PORT", port).envs(settings.iter().copied());
    check.status().unwrap().success()
}

#[tokio::test]
async fn connections_that_never_begin_to_speak_tls_keep_nobody_out() {
    let files = Files(tempfile::tempdir().unwrap());
    let server = authority("server");
    files.write(&issue(&server));
    let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
    let service = Service::start_with(&[
        ("SHOWRUNNER_TLS_CERT_FILE", &certificate),
        ("SHOWRUNNER_TLS_KEY_FILE", &key),
        ("SHOWRUNNER_WORKERS", "1"),
        ("SHOWRUNNER_HEAD_TIMEOUT", "100"),
    ]);
    let addr = service.url.trim_start_matches("http://");
    let silent: Vec<_> = (0..400).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
    let url = service.url.replace("http://", "https://");
    let health = trusting(&server, None).get(format!("{url}/health")).send().await.unwrap();
    assert_eq!((health.status().as_u16(), silent.len()), (200, 400));
}

#[tokio::test]
async fn with_an_authority_only_its_clients_get_a_connection() {
    let files = Files(tempfile::tempdir().unwrap());
    let (server, clients, others) =
        (authority("server"), authority("clients"), authority("others"));
    files.write(&issue(&server));
    fs::write(files.path("ca.pem"), clients.pem()).unwrap();
    let paths = ["cert.pem", "key.pem", "ca.pem"].map(|name| files.path(name));
    let service = Service::start_with(&[
        ("SHOWRUNNER_TLS_CERT_FILE", &paths[0]),
        ("SHOWRUNNER_TLS_KEY_FILE", &paths[1]),
        ("SHOWRUNNER_TLS_CLIENT_CA_FILE", &paths[2]),
    ]);
    let url = service.url.replace("http://", "https://");
    let health = async |identity: Option<&(String, String)>| {
        trusting(&server, identity).get(format!("{url}/health")).send().await
    };
    assert_eq!(health(Some(&issue(&clients))).await.unwrap().status().as_u16(), 200);
    assert!(health(Some(&issue(&others))).await.is_err());
    assert!(health(None).await.is_err());
    // The health check of a container has no certificate: being asked for one is an answer.
    let port = url.rsplit(':').next().unwrap();
    assert!(health_check(port, &[("SHOWRUNNER_TLS_CERT_FILE", &paths[0])]));
    // Whoever was let in once is not let in by that when his authority is trusted no more.
    let before = trusting(&server, Some(&issue(&clients)));
    let again = async || before.get(format!("{url}/health")).send().await;
    assert!(again().await.is_ok() && again().await.is_ok());
    fs::write(files.path("ca.pem"), others.pem()).unwrap();
    service.signal(Signal::HUP);
    let now = issue(&others);
    let mut is_read = false;
    for _ in 0..500 {
        is_read = health(Some(&now)).await.is_ok();
        if is_read {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_read);
    assert!(again().await.is_err());
}
