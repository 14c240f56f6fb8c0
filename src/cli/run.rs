//! `showrunner run` and `showrunner validate`: a request made of arguments, which goes the way of one that came by HTTP.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _, stderr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    answer::{Answer, Form},
    devices,
    faults::{said, unquoted},
    finish, print, refuse, secrets, write_out,
};
use crate::{
    access::{Access, Grant},
    audit::{Asker, Audit},
    credential::Asking,
    executor::{Executor, Granularity, Reader},
    metrics::Metrics,
    plan::Plan,
    platform::{PreparedLine, Registry},
    settings::{Loaded, Origin, Settings},
    ssh_policy::SshPolicy,
    startup, telemetry,
    wire::{
        field::FieldError,
        json::Json,
        request::{self, RequestRules},
        stream::{Lines, StreamLine},
    },
};

const PASSWORD: &str = "DEVICE_PASSWORD";
const ENABLE_PASSWORD: &str = "DEVICE_ENABLE_PASSWORD";
const KEY_PASSPHRASE: &str = "DEVICE_KEY_PASSPHRASE";
/// What `validate` fills in where no secret is known: nothing is logged in to.
const NO_SECRET: &str = "none";

/// Which devices, and what to run on them.
#[derive(clap::Args)]
pub(super) struct What {
    /// Commands, each in quotes; not needed where the file of devices has them
    #[arg(value_name = "COMMAND")]
    commands: Vec<String>,
    /// A device's address or name; may be given several times
    #[arg(long = "host", id = "device_host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Its SSH port
    #[arg(long = "port", short, id = "device_port", value_name = "PORT", default_value_t = 22)]
    port: u16,
    /// What it runs: any name that `showrunner platforms` lists
    #[arg(long, value_name = "PLATFORM")]
    os: Option<String>,
    /// Login name
    #[arg(long, short)]
    user: Option<String>,
    /// File of devices: CSV with a line of names, YAML or JSON. Names are those of a request: hostname, port,
    /// username, password, os, commands; what a device has not is taken from the arguments
    #[arg(long, short, value_name = "FILE")]
    devices: Option<PathBuf>,
    /// File with the login password, `-` for standard input. Without it: the variable `DEVICE_PASSWORD`, then a prompt
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File with a private key to log in with; its passphrase is in the variable `DEVICE_KEY_PASSPHRASE`
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// File with the OpenSSH certificate of the private key
    #[arg(long, value_name = "FILE", requires = "private_key")]
    certificate: Option<PathBuf>,
    /// Credential set of the settings to log in with, instead of user, password and key
    #[arg(long, value_name = "NAME", conflicts_with_all = ["user", "password_file", "private_key", "enable"])]
    credential: Option<String>,
    /// Types `enable`; the password is that of the variable `DEVICE_ENABLE_PASSWORD`, or is asked for
    #[arg(long)]
    enable: bool,
    /// Seconds that one command may take
    #[arg(long, short, value_name = "SECONDS")]
    timeout: Option<u16>,
    /// Reads records out of the outputs, where a template is known
    #[arg(long)]
    parsed: bool,
    /// Also offers the SSH algorithms of old devices
    #[arg(long)]
    legacy: bool,
    /// How to print what came of it
    #[arg(long, short, value_enum, default_value_t)]
    output: Form,
}

/// Runs the commands. Exit code 0: all were run; 2: refused before anything was connected to; 3: a device or a command
/// failed.
pub(super) fn run(loaded: Loaded, what: &What) -> ExitCode {
    let (plan, settings) = match planned(loaded, what, true) {
        Ok(planned) => planned,
        Err(reason) => return refuse(&reason),
    };
    startup::keep_memory_private();
    startup::raise_descriptor_limit();
    telemetry::start_for_operator();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error.to_string()),
    };
    match runtime.block_on(carry_out(plan, &settings, what.output)) {
        Ok(Done { answer, last_words, written }) => {
            let code = if answer.is_good() { ExitCode::SUCCESS } else { ExitCode::from(3) };
            let written = written.and_then(|()| write_out(&answer.rest()));
            eprint!("{last_words}");
            if written.is_ok() { code } else { finish(written) }
        }
        Err(reason) => refuse(&reason),
    }
}

/// Prints what would be sent where; connects to nothing.
pub(super) fn validate(loaded: Loaded, what: &What) -> ExitCode {
    let plan = match planned(loaded, what, false) {
        Ok((plan, _)) => plan,
        Err(reason) => return refuse(&reason),
    };
    let mut text = String::new();
    for one in &plan.devices {
        let (device, session) = (&one.device, one.device.platform.session());
        let title = device.platform.title();
        let _ = writeln!(text, "{}:{} ({title})", device.host, device.port);
        let prepare = session.prepare.iter().map(PreparedLine::as_str);
        let commands = one.commands.iter().map(|planned| planned.command.line().as_str());
        for line in prepare.chain(commands).chain([session.logout.as_str()]) {
            let _ = writeln!(text, "  {line}");
        }
    }
    print(&text)
}

/// The arguments as a plan, through the gate.
fn planned(loaded: Loaded, what: &What, is_meant: bool) -> Result<(Plan, Settings), String> {
    // Whoever types this sits at the machine: its own addresses are his to reach.
    let may_loop = loaded.origin("targets_allow_loopback") == Origin::Default;
    let mut settings = loaded.settings;
    settings.targets_allow_loopback |= may_loop;
    let (registry, access, ssh) =
        startup::definitions(&settings).map_err(|error| error.to_string())?;
    let body = body(what, is_meant)?;
    let rules = rules(&settings, &registry, &access, ssh);
    let plan = request::plan(Json::from(body), &rules);
    let refused = |faults: Vec<FieldError>| {
        let hint = unquoted(&what.commands, &faults).map(|hint| format!("\n{hint}"));
        said(&faults) + &hint.unwrap_or_default()
    };
    Ok((plan.map_err(refused)?, settings))
}

fn rules<'a>(
    settings: &Settings,
    registry: &'a Registry,
    access: &'a Access,
    ssh: SshPolicy,
) -> RequestRules<'a> {
    let Grant { commands, targets, .. } = access.everybody();
    RequestRules {
        registry,
        ssh: Arc::new(ssh),
        asking: Asking::Operator,
        policy: commands,
        targets,
        limits: settings.request_limits(),
    }
}

/// The request's body, with what a device of the file has not.
fn body(what: &What, is_meant: bool) -> Result<Value, String> {
    let mut body = match &what.devices {
        Some(path) => devices::read(path)?,
        None => json!({}),
    };
    let Some(fields) = body.as_object_mut() else { return Ok(body) };
    let devices = fields.entry("devices").or_insert_with(|| json!([]));
    let Some(devices) = devices.as_array_mut() else { return Ok(body) };
    devices.extend(what.hosts.iter().map(|host| json!({ "hostname": host })));
    if devices.is_empty() {
        return Err("name a device with --host, or a file of devices with --devices".to_owned());
    }
    let text_of = |path: &Option<PathBuf>| {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        path.as_ref().map(read).transpose()
    };
    let (private_key, certificate) = (text_of(&what.private_key)?, text_of(&what.certificate)?);
    let known = |device: &Value, name: &str| device.get(name).is_some_and(|value| !value.is_null());
    let has_own = |device: &Value| {
        ["password", "private_key", "credential"].iter().any(|name| known(device, name))
    };
    let needs_password =
        |device: &Value| private_key.is_none() && what.credential.is_none() && !has_own(device);
    let secret = |what: &str, file: Option<&PathBuf>, variable: &str| {
        if !is_meant && file.is_none() {
            return Ok(NO_SECRET.to_owned());
        }
        let missing = || {
            let file = if variable == PASSWORD { " or give --password-file" } else { "" };
            let what = what.to_lowercase();
            format!("no {what}: there is no terminal to ask at; set {variable}{file}")
        };
        secrets::find(what, file.map(PathBuf::as_path), variable)?.ok_or_else(missing)
    };
    let password = if devices.iter().any(needs_password) {
        Some(secret("Password", what.password_file.as_ref(), PASSWORD)?)
    } else {
        None
    };
    let enable =
        if what.enable { Some(secret("Enable password", None, ENABLE_PASSWORD)?) } else { None };
    if enable.as_ref().is_some_and(String::is_empty) {
        return Err("the enable password is empty; leave out --enable to do without".to_owned());
    }
    let passphrase = private_key.as_ref().and_then(|_key| std::env::var(KEY_PASSPHRASE).ok());
    for device in devices {
        let (has_own, has_set) = (has_own(device), known(device, "credential"));
        let takes_set = !has_own && !known(device, "username");
        let needs_password = needs_password(device);
        let Some(device) = device.as_object_mut() else { continue };
        let mut fill = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                device.entry(name).or_insert(value);
            }
        };
        fill("port", Some(what.port.into()));
        fill("os", what.os.clone().map(Value::from));
        if !has_set {
            fill("username", what.user.clone().map(Value::from));
            fill("enable_password", enable.clone().map(Value::from));
        }
        if takes_set {
            fill("credential", what.credential.clone().map(Value::from));
        }
        if !has_own {
            fill("private_key", private_key.clone().map(Value::from));
            fill("private_key_passphrase", passphrase.clone().map(Value::from));
            fill("certificate", certificate.clone().map(Value::from));
        }
        if needs_password {
            fill("password", password.clone().map(Value::from));
        }
    }
    if !what.commands.is_empty() {
        fields.insert("commands".to_owned(), what.commands.clone().into());
    }
    if let Some(timeout) = what.timeout {
        fields.insert("timeout".to_owned(), timeout.into());
    }
    if what.parsed {
        fields.insert("output_format".to_owned(), "parsed".into());
    }
    if what.legacy {
        fields.insert("ssh_profile".to_owned(), "legacy".into());
    }
    Ok(body)
}

/// What came of a plan.
struct Done {
    answer: Answer,
    /// For a person, to be read last.
    last_words: String,
    /// Whether what was printed on the way could be.
    written: Result<(), String>,
}

/// Runs a plan; results are printed as they come where their form allows that.
async fn carry_out(plan: Plan, settings: &Settings, form: Form) -> Result<Done, String> {
    let metrics = Metrics::new();
    let reader = Reader::new(startup::templates(settings).map_err(|error| error.to_string())?);
    let executor = Executor::new(settings.executor_limits(), metrics.clone(), reader);
    let audit = Audit::start(settings, &metrics)
        .map_err(|error| format!("the audit stream cannot be written: {error}"))?;
    let request_id = uuid::Uuid::now_v7().to_string();
    let asker = Asker { request_id: request_id.clone(), client_address: None, client_key: None };
    let mut trail = audit.begin(asker, &plan).await.map_err(|error| error.to_string())?;
    let n_devices = plan.devices.len();
    let mut lines = Lines::new(&plan, request_id);
    let admitted = executor.admit(plan).map_err(|full| full.to_string())?;
    let mut results = admitted.results(Granularity::Device, |_| {});
    let mut answer = Answer::new(form);
    let mut written = Ok(());
    let progress = Progress::new(n_devices);
    for n_done in 1.. {
        let Some(delivered) = results.next().await else { break };
        trail.note(&delivered);
        if let StreamLine::Device(line) = lines.line(delivered) {
            let text = answer.take(*line);
            progress.show(n_done);
            written = written.and_then(|()| write_out(&text));
        }
    }
    progress.end();
    trail.finish();
    audit.flush();
    let last_words = match lines.summary() {
        StreamLine::Summary(summary) => answer.end(summary),
        _ => String::new(),
    };
    Ok(Done { answer, last_words, written })
}

/// How many devices are done, on a terminal.
struct Progress {
    n_devices: usize,
    is_shown: bool,
}

impl Progress {
    fn new(n_devices: usize) -> Self {
        let progress = Self { n_devices, is_shown: stderr().is_terminal() };
        progress.show(0);
        progress
    }

    fn show(&self, n_done: usize) {
        const WIDTH: usize = 30;
        if self.is_shown {
            let filled = (n_done * WIDTH) / self.n_devices.max(1);
            let bar = format!("{}{}", "█".repeat(filled), "░".repeat(WIDTH.saturating_sub(filled)));
            eprint!("\r\x1b[2K{bar} {n_done} of {} devices", self.n_devices);
            // A terminal that does not take it shows less.
            let _ = stderr().flush();
        }
    }

    fn end(&self) {
        if self.is_shown {
            eprint!("\r\x1b[2K");
        }
    }
}
