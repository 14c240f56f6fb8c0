//! `showrunner demo` as a process of its own, and a Python with what tests need of its package index.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// Simulated devices of a demo.
const N_DEVICES: u16 = 11;
const PROGRAM: &str = env!("CARGO_BIN_EXE_showrunner");
/// What the Python of these tests has.
const PACKAGES: [&str; 7] = [
    "kubernetes-validate==1.37.0",
    "ansible-core==2.19.14",
    "openapi-spec-validator==0.9.0",
    "schemathesis==4.32.5",
    "openapi-python-client==0.29.1",
    "websocket-client==1.9.2",
    "requests==2.34.2",
];

/// How long what could not be made is not tried again.
const TRY_AGAIN: Duration = Duration::from_secs(600);

/// A running demo with its devices on ports in a row; stopped when dropped.
pub(crate) struct Demo {
    child: Child,
    pub url: String,
    pub first_port: u16,
    /// What it prints for whoever starts it.
    pub greeting: String,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let mut base = 12_000 + u16::try_from(std::process::id() % 1500).unwrap() * 12;
        for _ in 0..50 {
            base = if base > 31_000 { 12_000 } else { base + 12 };
            if (base..base + N_DEVICES).any(|port| TcpListener::bind(("127.0.0.1", port)).is_err())
            {
                continue;
            }
            if let Some(demo) = Self::start_at(base) {
                return demo;
            }
        }
        panic!("no {N_DEVICES} free ports in a row");
    }

    /// `None` if somebody took a port in between.
    fn start_at(first_port: u16) -> Option<Self> {
        let first = first_port.to_string();
        let mut child = bare()
            .args(["demo", "--port", "0", "--first-device-port", &first])
            // Whatever a test makes up, nothing leaves this machine.
            .args(["--targets-allow", "127.0.0.0/8", "--resolve-timeout", "1"])
            .args(["--rate-limit-default", "off", "--rate-limit-execute", "off"])
            .args(["--connection-retry-attempts", "0", "--log-level", "warn"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut demo = Self { child, url: String::new(), first_port, greeting: String::new() };
        for line in lines.by_ref().map_while(Result::ok) {
            demo.greeting += &(line.clone() + "\n");
            if line.starts_with("Stop with") {
                break;
            }
        }
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let (_, served) = demo.greeting.split_once("Showrunner is serving at ")?;
        demo.url = served.split(' ').next()?.to_owned();
        Some(demo)
    }

    /// A text of the documentation, made to mean this demo.
    pub(crate) fn meant(&self, text: &str) -> String {
        let ports = (0..N_DEVICES).rev().map(|n| (format!("{}", 2201 + n), self.first_port + n));
        let text = ports
            .fold(text.to_owned(), |text, (known, port)| text.replace(&known, &port.to_string()));
        text.replace("http://127.0.0.1:8000", &self.url)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program without anybody's settings.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars() {
        if name.starts_with("SHOWRUNNER_") || name.starts_with("DEVICE_") {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command printed, if it went well.
pub(crate) fn good(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}

pub(crate) fn is_here(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(program).is_file())
}

/// Skips a test, by its name.
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// True for a while after `failed` was written.
fn is_not_tried_again(failed: &Path) -> bool {
    let at = fs::metadata(failed).and_then(|file| file.modified()).ok();
    at.and_then(|at| at.elapsed().ok()).is_some_and(|age| age < TRY_AGAIN)
}

/// A folder with packages, made once in the build folder by `install`; `None` where it cannot be made.
pub(crate) fn made_once(
    name: &str,
    packages: &[&str],
    install: impl FnOnce(&Path) -> bool,
) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).ok()?;
    // Other tests may be at it: the first one does the work.
    let lock = File::create(folder.join("lock")).ok()?;
    lock.lock().ok()?;
    let (made, wanted) = (folder.join("made"), packages.join("\n"));
    if fs::read_to_string(&made).is_ok_and(|made| made == wanted) {
        return Some(folder);
    }
    // Where it could not be made a moment ago, the next test need not try.
    let failed = folder.join("not-made");
    if is_not_tried_again(&failed) {
        return None;
    }
    let is_made = install(&folder);
    fs::write(if is_made { made } else { failed }, wanted).ok()?;
    is_made.then_some(folder)
}

/// Runs an installation without its words; true if it went well.
pub(crate) fn quiet(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The interpreter of a Python environment with these packages.
pub(crate) fn python_with(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let folder = made_once(name, packages, |folder| {
        let install =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"];
        quiet(Command::new("python3").args(["-m", "venv"]).arg(folder))
            && quiet(Command::new(folder.join("bin/python")).args(install).args(packages))
    });
    folder.map(|folder| folder.join("bin/python"))
}

/// A Python with the packages of these tests.
pub(crate) fn python() -> Option<PathBuf> {
    python_with("clients-python", &PACKAGES)
}
