//! The program as a process of its own, and simulated devices for it to read.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice, Fault, Persona};

/// A running `showrunner serve`; stopped when dropped.
pub(crate) struct Service {
    child: Child,
    pub url: String,
    pub client: reqwest::Client,
    log: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Service {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts the program on a free port, with settings on top of those of a test.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::spawn(settings, None)
    }

    /// The same, with settings that send the log to `file`.
    pub(crate) fn start_where(settings: &[(&str, &str)], file: &Path) -> Self {
        Self::spawn(settings, Some(file))
    }

    /// With nothing but these settings.
    pub(crate) fn start_bare(settings: &[(&str, &str)]) -> Self {
        Self::run(settings, None)
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn spawn(settings: &[(&str, &str)], file: Option<&Path>) -> Self {
        let of_a_test = [
            ("SHOWRUNNER_PORT", "0"),
            ("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "true"),
            ("SHOWRUNNER_SHUTDOWN_TIMEOUT", "1"),
            ("SHOWRUNNER_RATE_LIMIT_DEFAULT", "off"),
            ("SHOWRUNNER_RATE_LIMIT_EXECUTE", "off"),
            ("SHOWRUNNER_CONNECTION_RETRY_ATTEMPTS", "0"),
        ];
        Self::run(&[&of_a_test, settings].concat(), file)
    }

    fn run(settings: &[(&str, &str)], file: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_showrunner"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHOWRUNNER_")) {
            command.env_remove(name);
        }
        command.envs(settings.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program is built");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut port = file.map(port_in);
        while port.is_none()
            && let Some(Ok(line)) = lines.next()
        {
            port = line.split("http.port=").nth(1).map(|port| port.trim().to_owned());
            port = port.or_else(|| json_port(&line));
            log.lock().unwrap().push_str(&(line + "\n"));
        }
        let port = port.unwrap_or_else(|| panic!("it did not start: {}", log.lock().unwrap()));
        let sink = Arc::clone(&log);
        let listener = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sink.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let client = reqwest::Client::builder().timeout(Duration::from_secs(100)).build().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        Self { child, url, client, log, listener: Some(listener) }
    }

    pub(crate) async fn execute(&self, body: &Value) -> (u16, Value) {
        self.post("/api/v1/execute", body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer =
            self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Runs commands on one device and gives its result.
    pub(crate) async fn read(&self, device: Value, commands: &[&str]) -> Value {
        let body = json!({"devices": [device], "commands": commands, "timeout": 20});
        let (status, answer) = self.execute(&body).await;
        assert_eq!(status, 200, "{answer}");
        answer["results"][0].clone()
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until the process has ended by itself, and gives its exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Its last lines may still be on their way.
                self.listener.take().map(JoinHandle::join);
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it did not stop: {}", self.log());
    }

    pub(crate) async fn health(&self) -> Value {
        let answer = self.client.get(format!("{}/health", self.url)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Sends a request and leaves it running.
    pub(crate) fn begin(&self, body: &Value) -> tokio::task::JoinHandle<Value> {
        let request = self.client.post(format!("{}/api/v1/execute", self.url)).json(body).send();
        tokio::spawn(async move { request.await.unwrap().json().await.unwrap() })
    }

    /// Waits until a number of `/health` is this.
    pub(crate) async fn wait_for(&self, name: &str, want: usize) {
        for _ in 0..1000 {
            if self.health().await[name] == want {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} never was {want}: {}", self.health().await);
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn device(platform: &str, options: DeviceOptions) -> FakeDevice {
    let persona = Persona::embedded(platform).unwrap_or_else(|| panic!("no persona {platform}"));
    FakeDevice::spawn(persona, options).await.unwrap()
}

pub(crate) async fn faulty(platform: &str, faults: &[Fault]) -> FakeDevice {
    device(platform, DeviceOptions { faults: faults.to_vec(), ..DeviceOptions::default() }).await
}

/// A device as a request names it.
pub(crate) fn entry(device: &FakeDevice, os: &str) -> Value {
    json!({
        "hostname": "127.0.0.1", "port": device.addr().port(),
        "username": "demo", "password": "demo", "os": os
    })
}

pub(crate) fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object[name] = value.into();
    object
}

/// The port in a line of a JSON log.
fn json_port(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(line["http.port"].as_u64()?.to_string())
}

/// The port, as soon as the log file names it.
fn port_in(file: &Path) -> String {
    for _ in 0..1000 {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let port = text.lines().find_map(|line| line.split("http.port=").nth(1));
        if let Some(port) = port {
            return port.trim().to_owned();
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("no port in {}", file.display());
}
