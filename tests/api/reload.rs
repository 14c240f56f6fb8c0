//! SIGHUP: what may change does, what is wrong changes nothing.

use std::{path::Path, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use crate::{
    access::new_key,
    support::{Service, entry, faulty},
};

/// Signals the service and waits for its word on it.
async fn reload(service: &Service, word: &str) {
    let before = service.log().matches("reloaded").count();
    service.signal(Signal::HUP);
    for _ in 0..500 {
        let log = service.log();
        if log.matches("reloaded").count() > before {
            let last = log.lines().rfind(|line| line.contains("reloaded")).unwrap();
            assert!(last.contains(word), "{last}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was reloaded: {}", service.log());
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn keys_rates_lists_and_levels_change_and_a_bad_file_keeps_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (config, keys) = (folder.path().join("s.toml"), folder.path().join("keys.toml"));
    let ((old, old_entry), (new, new_entry)) = (new_key("old"), new_key("new"));
    write(&keys, &old_entry);
    let base = format!("api_keys_file = {:?}\nlog_level = \"info\"\n", keys.to_str().unwrap());
    write(&config, &base);
    let service = Service::start_bare(&[
        ("SHOWRUNNER_CONFIG_FILE", config.to_str().unwrap()),
        ("SHOWRUNNER_PORT", "0"),
        ("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "true"),
    ]);
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let ask = async |key: &str| {
        let request = service.client.post(format!("{}/api/v1/execute", service.url));
        let answer = request.header("X-API-Key", key).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let limit = answer.headers().get("x-ratelimit-limit").cloned();
        let body: serde_json::Value = answer.json().await.unwrap();
        let code = body["results"][0]["error_code"].as_str().map(str::to_owned);
        (status, code, limit.map(|limit| limit.to_str().unwrap().to_owned()))
    };
    assert_eq!((ask(&old).await.0, ask(&new).await.0), (200, 401));

    write(&keys, &new_entry);
    reload(&service, "settings were reloaded").await;
    assert_eq!((ask(&old).await.0, ask(&new).await.0), (401, 200));

    write(&keys, "[[key]]\nname = \"broken\"\n");
    reload(&service, "the old ones stay").await;
    assert_eq!((ask(&old).await.0, ask(&new).await.0), (401, 200));
    write(&keys, &new_entry);

    write(
        &config,
        &format!("{base}targets_deny = [\"127.0.0.0/8\"]\nrate_limit_execute = \"7/hour\"\n"),
    );
    reload(&service, "settings were reloaded").await;
    assert_eq!(ask(&new).await, (200, Some("target_refused".to_owned()), Some("7".to_owned())));

    write(&config, &format!("{base}commands_deny = [\"show version\"]\n"));
    reload(&service, "settings were reloaded").await;
    assert_eq!(ask(&new).await.0, 422);

    write(&config, &format!("{base}commands_deny = [\"\"]\n"));
    reload(&service, "the old ones stay").await;
    assert_eq!(ask(&new).await.0, 422);

    write(&config, &base.replace("info", "error"));
    // The word of this reload is no error any more.
    service.signal(Signal::HUP);
    let mut quiet = false;
    for _ in 0..100 {
        let before = service.log().len();
        let status = ask(&new).await.0;
        tokio::time::sleep(Duration::from_millis(50)).await;
        quiet = status == 200 && service.log().len() == before;
        if quiet {
            break;
        }
    }
    assert!(quiet, "lines that are no errors are logged: {}", service.log());

    write(&config, &format!("{base}max_body_bytes = 10\n"));
    reload(&service, "max_body_bytes").await;
    assert_eq!(ask(&new).await.0, 200);
}

#[tokio::test]
async fn nobody_gets_a_copy_of_the_services_memory() {
    let service = Service::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", service.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let numbers: Vec<_> =
        core.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(numbers, ["0", "0"], "{core}");
}
