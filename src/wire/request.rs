//! The body of `POST /api/v1/execute`: how it is written down, and how it becomes a [`Plan`].
//!
//! Everything wrong with a body is reported at once. Secrets move out of the JSON into [`Secret`]s.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    field::{Faults, FieldError, Found, Object, Place, list, text, truth, whole_number, word},
    json::Json,
    jump::{self as way, JumpRequest},
    login,
};
use crate::{
    command::{CheckedCommand, CommandInput, CommandPolicy, FilterKind, FilterWhere, Rule, check},
    config_tree::is_configuration,
    credential::Asking,
    device::{Device, Host},
    host_key::{HostKeyCheck, Pin},
    jump::Hop,
    plan::{DevicePlan, Jump, Parse, Plan, PlannedCommand, RequestLimits},
    platform::{Platform, Registry},
    profile::SshProfile,
    secret::Secret,
    ssh_policy::{Said, SshPolicy},
    target::TargetPolicy,
};

/// Devices, credentials and show commands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExecuteRequest)]
#[expect(
    dead_code,
    reason = "describes the body; `plan` below reads it, to report every fault at once"
)]
pub struct ExecuteRequest {
    /// The devices to read, side by side; the answer has one result for each, in this order.
    devices: Vec<DeviceRequest>,
    /// Commands for every device that has none of its own, run in this order on one session.
    #[serde(default)]
    commands: Vec<CommandRequest>,
    /// Seconds that one command may take.
    #[serde(default)]
    #[schema(minimum = 1)]
    timeout: u16,
    /// `raw`: text only. `parsed` or `both`: records too, where a template is known; the text is always there.
    /// `native`: the device's own JSON, where the platform prints it, and the tree of sections of a configuration.
    #[serde(default)]
    #[schema(default = "raw")]
    output_format: OutputFormatName,
    /// Where filters are applied. `service`: on the whole output, which is then parsed whole while the text is filtered.
    #[serde(default)]
    #[schema(default = "device")]
    filter_where: FilterWhereName,
    /// Parses also what is left of an output that the device filtered; few templates are made for that.
    #[serde(default)]
    #[schema(default = false)]
    parse_filtered: bool,
    /// SSH algorithms to offer to every device that does not say otherwise.
    #[serde(default)]
    #[schema(default = "modern")]
    ssh_profile: SshProfile,
}

/// One device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "describes the body; `plan` below reads it, to report every fault at once"
)]
pub struct DeviceRequest {
    /// Address (IPv4, or IPv6 without brackets) or DNS name.
    #[schema(min_length = 1, max_length = 255, example = "127.0.0.1")]
    hostname: String,
    /// TCP port of the device's SSH server.
    #[serde(default)]
    #[schema(default = 22, minimum = 1, maximum = 65535, example = 2201)]
    port: u16,
    /// Login name; needed unless `credential` is given.
    #[schema(min_length = 1, max_length = 255, example = "demo")]
    username: Option<String>,
    /// Login password; may be left out if a private key is given.
    #[schema(max_length = 1024, format = Password, example = "demo")]
    password: Option<String>,
    /// What the device runs: any name or alias of `GET /api/v1/platforms`, such as `ios`, `cisco_xe` or `junos`.
    #[schema(example = "ios")]
    os: String,
    /// Password for `enable`, any text where that asks for none. Without it the session stays at the level it logs in to.
    #[schema(format = Password, nullable)]
    enable_password: Option<String>,
    /// Private key in OpenSSH or PEM form; used instead of the password where the device takes keys.
    #[schema(format = Password, nullable)]
    private_key: Option<String>,
    /// What the private key is encrypted with.
    #[schema(format = Password, nullable)]
    private_key_passphrase: Option<String>,
    /// OpenSSH certificate of the private key, where devices trust an authority: the text of `id_ed25519-cert.pub`.
    #[schema(nullable, max_length = 65536)]
    certificate: Option<String>,
    /// Name of a credential set that the service's operator keeps, instead of user name and secrets.
    #[schema(nullable, max_length = 64)]
    credential: Option<String>,
    /// Commands for this device instead of the shared ones.
    commands: Option<Vec<CommandRequest>>,
    /// SSH algorithms to offer to this device.
    ssh_profile: Option<SshProfile>,
    /// The SSH key the device must show before it is told a password: `SHA256:…`, `ssh-rsa SHA256:…` if it has keys of
    /// several types, or a public key. Without it the service's `known_hosts` decides.
    #[schema(
        nullable,
        max_length = 4096,
        example = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
    )]
    host_key: Option<String>,
    /// Up to three SSH hosts to go through, the first one first: names of the service's settings, or hosts with all that is
    /// needed. Without it the service's rules say; an empty list goes there directly. Host names are looked up by the
    /// service, not by these hosts.
    jump: Option<Vec<JumpRequest>>,
}

/// One show command: a plain string, or an object with a filter.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CommandRequest {
    /// The command line, filters included: `show running-config | section bgp`.
    #[schema(example = "show version")]
    Line(String),
    /// The command with its filter in fields of their own.
    Filtered(FilteredCommand),
}

/// A command with its filter in fields of their own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "describes the body; `plan` below reads it, to report every fault at once"
)]
pub struct FilteredCommand {
    /// The command line.
    #[schema(min_length = 1, max_length = 512, example = "show ip interface brief")]
    command: String,
    /// Which filter; goes with `pipe_value`. Works on every platform, in the device's own words or by the service.
    #[schema(nullable, example = "include")]
    pipe_option: Option<PipeOptionName>,
    /// What to filter for, a regular expression of the device's kind; goes with `pipe_option`.
    #[schema(nullable, max_length = 256, example = "up")]
    pipe_value: Option<String>,
    /// Seconds that this command may take, instead of the request's `timeout`.
    #[schema(nullable, minimum = 1)]
    timeout: Option<u16>,
}

/// A filter in the words of every platform.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PipeOptionName {
    /// Lines that match.
    Include,
    /// Lines that do not match.
    Exclude,
    /// From the first line that matches.
    Begin,
    /// Sections whose first line matches.
    Section,
    /// How many lines match.
    Count,
}

/// What the answer holds besides the raw text.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormatName {
    /// Nothing.
    #[default]
    Raw,
    /// Records, where a template is known.
    Parsed,
    /// The same as `parsed`.
    Both,
    /// The device's own JSON, or the tree of a configuration.
    Native,
}

/// Where filters are applied.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilterWhereName {
    /// On the device where it can, by the service otherwise.
    #[default]
    Device,
    /// By the service, on the whole output.
    Service,
}

/// What is to become of outputs.
#[derive(Clone, Copy, Default)]
struct Output {
    parse: Option<Parse>,
    filter_where: FilterWhere,
}

/// What a body is checked against.
#[derive(Clone, Debug)]
pub struct RequestRules<'a> {
    /// The platforms known.
    pub registry: &'a Registry,
    /// The operator's word on commands.
    pub policy: &'a CommandPolicy,
    /// What may be connected to.
    pub targets: &'a Arc<TargetPolicy>,
    /// The operator's word on SSH.
    pub ssh: Arc<SshPolicy>,
    /// Who asks, for the operator's credentials.
    pub asking: Asking<'a>,
    /// How much it may ask for.
    pub limits: RequestLimits,
}

/// What stands round a command by mistake, as the predecessor took it off; inside of one it is refused.
const ROUND_COMMANDS: [char; 4] = [' ', '\t', '\r', '\n'];
/// Rules that refuse a command whatever the platform is.
const ALWAYS_REFUSED: [Rule; 4] =
    [Rule::Empty, Rule::ForbiddenCharacter, Rule::PrintableAscii, Rule::TooLong];

/// A device as far as it could be read, for its commands to be checked.
#[derive(Default)]
struct DeviceDraft {
    device: Option<Device>,
    platform: Option<Arc<Platform>>,
    commands: Option<Vec<Option<CommandDraft>>>,
    profile: Option<SshProfile>,
    pin: Option<Pin>,
    jump: Option<Vec<Hop>>,
    said: Said,
}

#[derive(Clone)]
struct CommandDraft {
    place: Place,
    /// The command's own place: itself if it is a plain string, its `command` field otherwise.
    text_place: Place,
    text: String,
    pipe_option: Option<FilterKind>,
    pipe_value: Option<String>,
    timeout: Option<Duration>,
}

/// Reads a body.
///
/// # Errors
/// Every fault of the body, in the order of the schema; no message holds a value of the body but commands.
pub fn plan(body: Json<'_>, rules: &RequestRules<'_>) -> Result<Plan, Vec<FieldError>> {
    let mut faults = Faults::default();
    let plan = read_plan(body, rules, &mut faults);
    faults.or(plan)
}

fn read_plan(body: Json<'_>, rules: &RequestRules<'_>, faults: &mut Faults) -> Option<Plan> {
    let mut object = Object::read(body, Place::body(), faults)?;
    let devices = object.required("devices", faults).and_then(|found| list(found, faults));
    let mut drafts = Vec::new();
    if let Some((devices, place)) = devices {
        if devices.len() > rules.limits.max_devices {
            let most = rules.limits.max_devices;
            faults.value(&place, format_args!("At most {most} devices fit in one request"));
            return None;
        }
        drafts.reserve_exact(devices.len());
        for (index, device) in devices.into_iter().enumerate() {
            drafts.push(read_device(device, &place.item(index), rules, faults));
        }
    }
    // Devices with commands of their own do without the shared ones.
    let all_have_own = !drafts.is_empty() && drafts.iter().all(|draft| draft.commands.is_some());
    let shared = if all_have_own {
        object.optional("commands")
    } else {
        object.required("commands", faults)
    };
    let shared = shared.and_then(|found| read_commands(found, rules, faults)).unwrap_or_default();
    let timeout = match object.optional("timeout") {
        Some(found) => read_timeout(found, rules, faults).unwrap_or(rules.limits.timeout_default),
        None => rules.limits.timeout_default,
    };
    let output = read_output(&mut object, faults);
    let profile = object.optional("ssh_profile").and_then(|found| read_profile(found, faults));
    object.finish(faults);

    if drafts.iter().all(|draft| draft.platform.is_none()) {
        // Nobody to ask, but what no device would be sent is refused all the same.
        let meant = |rule| drafts.is_empty() || ALWAYS_REFUSED.contains(&rule);
        if let Some(generic) = rules.registry.find("generic") {
            for draft in shared.iter().flatten() {
                check_one(draft, generic, output, rules, meant, faults);
            }
        }
    }
    // The shared commands go through the gate once a platform, and are reported once.
    let mut shared_of: Vec<(Arc<Platform>, Arc<[PlannedCommand]>)> = Vec::new();
    let mut plans = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let Some(platform) = draft.platform else { continue };
        let checked = shared_of.iter().find(|(known, _)| Arc::ptr_eq(known, &platform));
        let commands = if let Some(own) = &draft.commands {
            check_all(own, &platform, output, timeout, rules, faults)
        } else if let Some((_, checked)) = checked {
            Arc::clone(checked)
        } else {
            let checked = check_all(&shared, &platform, output, timeout, rules, faults);
            shared_of.push((platform, Arc::clone(&checked)));
            checked
        };
        if let Some(device) = draft.device {
            let (ssh, said) = (&rules.ssh, &draft.said);
            let profile = draft.profile.or(profile).or(said.profile).unwrap_or(ssh.profile);
            let targets = Arc::clone(rules.targets);
            let host_key = HostKeyCheck {
                proof: device.login.set().map(|set| set.proof).unwrap_or_default(),
                ..ssh.configured.host_key(said, draft.pin, &ssh.host_keys)
            };
            plans.push(DevicePlan {
                device,
                commands,
                profile,
                host_key,
                connect_timeout: said.connect_timeout,
                jump: draft.jump.map_or_else(|| Jump::ByRule(Arc::clone(&rules.ssh)), Jump::Said),
                targets,
            });
        }
    }
    Some(Plan { devices: plans })
}

fn read_output(object: &mut Object<'_>, faults: &mut Faults) -> Output {
    let records = Some(Parse::default());
    let native = Some(Parse { native: true, ..Parse::default() });
    let formats = [("raw", None), ("parsed", records), ("both", records), ("native", native)];
    let parse = object.optional("output_format").and_then(|found| word(found, &formats, faults));
    let places = [("device", FilterWhere::Device), ("service", FilterWhere::Service)];
    let place = object.optional("filter_where").and_then(|found| word(found, &places, faults));
    let filtered = object.optional("parse_filtered").and_then(|found| truth(found, faults));
    let filtered = filtered.unwrap_or_default();
    Output {
        parse: parse.flatten().map(|parse| Parse { filtered, ..parse }),
        filter_where: place.unwrap_or_default(),
    }
}

fn read_device(
    value: Json<'_>,
    place: &Place,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> DeviceDraft {
    let mut draft = DeviceDraft::default();
    let Some(mut object) = Object::read(value, *place, faults) else { return draft };
    let host = object.required("hostname", faults).and_then(|found| {
        let place = found.1;
        let host = read_host(found, faults)?;
        let said = rules.ssh.configured.of(&host).map_err(|why| faults.value(&place, why));
        draft.said = said.unwrap_or_default();
        Some(host)
    });
    let port = draft.said.port.unwrap_or(22);
    let port = object.optional("port").map_or(Some(port), |found| read_port(found, faults));
    let first = login::first(&mut object, draft.said.login.take(), faults);
    let platform =
        object.required("os", faults).and_then(|found| read_platform(found, rules, faults));
    let login = login::rest(first, &mut object, true, rules, faults);
    draft.commands = object
        .optional("commands")
        .map(|found| read_commands(found, rules, faults).unwrap_or_default());
    draft.profile = object.optional("ssh_profile").and_then(|found| read_profile(found, faults));
    draft.pin = object.optional("host_key").and_then(|found| read_pin(found, faults));
    let jump = object.optional("jump").map(|found| way::read(found, rules, faults));
    draft.jump = jump.flatten();
    object.finish(faults);

    draft.platform = platform.as_ref().map(|(platform, _)| Arc::clone(platform));
    if let (Some(host), Some(port), Some(login), Some((platform, os))) =
        (host, port, login, platform)
        && login::check_way(&login, draft.jump.as_deref().unwrap_or_default(), place, faults)
    {
        let at = draft.said.at.take().unwrap_or_else(|| host.clone());
        draft.device = Some(Device { host, at, port, login, platform, os });
    }
    draft
}

pub(super) fn read_host(found: Found<'_>, faults: &mut Faults) -> Option<Host> {
    let place = found.1;
    let text = text(found, faults)?;
    Host::parse(&text).map_err(|error| faults.value(&place, error)).ok()
}

pub(super) fn read_port(found: Found<'_>, faults: &mut Faults) -> Option<u16> {
    let place = found.1;
    let port = u16::try_from(whole_number(found, faults)?).ok().filter(|port| *port > 0);
    if port.is_none() {
        faults.value(&place, "Port must be between 1 and 65535");
    }
    port
}

pub(super) fn read_username(found: Found<'_>, faults: &mut Faults) -> Option<String> {
    let place = found.1;
    let username = text(found, faults)?;
    let fault = if username.is_empty() {
        "Username cannot be empty"
    } else if username.chars().count() > 255 {
        "Username exceeds maximum length of 255 characters"
    } else if username.chars().any(char::is_control) {
        "Username must not hold control characters"
    } else {
        return Some(username.into_owned());
    };
    faults.value(&place, fault);
    None
}

pub(super) fn read_secret(
    found: Found<'_>,
    what: &str,
    most: usize,
    faults: &mut Faults,
) -> Option<Secret> {
    let place = found.1;
    let secret = Secret::new(text(found, faults)?.into_owned());
    let text = secret.expose();
    if text.is_empty() {
        faults.value(&place, format_args!("{what} cannot be empty"));
    } else if text.chars().count() > most {
        faults.value(&place, format_args!("{what} exceeds maximum length of {most} characters"));
    } else if text.contains('\0') || (most <= 1024 && text.contains(['\n', '\r'])) {
        faults.value(&place, format_args!("{what} must not hold line ends or NUL"));
    } else {
        return Some(secret);
    }
    None
}

fn read_platform(
    found: Found<'_>,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<(Arc<Platform>, String)> {
    let place = found.1;
    let os = text(found, faults)?;
    if let Some(platform) = rules.registry.find(&os) {
        return Some((Arc::clone(platform), os.into_owned()));
    }
    let near = rules.registry.nearest(&os);
    let near = if near.is_empty() {
        String::new()
    } else {
        let quoted: Vec<_> = near.iter().map(|name| format!("'{name}'")).collect();
        format!("; nearest known: {}", quoted.join(", "))
    };
    let msg = format!(
        "Input should be the name of a known platform{near} (GET /api/v1/platforms lists all)"
    );
    faults.add(&place, "enum", msg);
    None
}

pub(super) fn read_profile(found: Found<'_>, faults: &mut Faults) -> Option<SshProfile> {
    let words = [("modern", SshProfile::Modern), ("legacy", SshProfile::Legacy)];
    word(found, &words, faults)
}

pub(super) fn read_pin(found: Found<'_>, faults: &mut Faults) -> Option<Pin> {
    let place = found.1;
    let text = text(found, faults)?;
    Pin::parse(&text).map_err(|error| faults.value(&place, error)).ok()
}

fn read_timeout(
    found: Found<'_>,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<Duration> {
    let place = found.1;
    let seconds = whole_number(found, faults)?;
    let most = rules.limits.timeout_max.as_secs();
    match u64::try_from(seconds) {
        Ok(seconds) if (1..=most).contains(&seconds) => Some(Duration::from_secs(seconds)),
        _ => {
            faults.value(&place, format_args!("Timeout must be between 1 and {most} seconds"));
            None
        }
    }
}

fn read_commands(
    found: Found<'_>,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<Vec<Option<CommandDraft>>> {
    let (items, place) = list(found, faults)?;
    if items.len() > rules.limits.max_commands {
        let most = rules.limits.max_commands;
        faults.value(&place, format_args!("At most {most} commands fit in one session"));
        return None;
    }
    let items = items.into_iter().enumerate();
    Some(items.map(|(index, item)| read_command(item, place.item(index), rules, faults)).collect())
}

fn read_command(
    value: Json<'_>,
    place: Place,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<CommandDraft> {
    if let Json::Text(text) = value {
        return Some(CommandDraft {
            place,
            text_place: place,
            text: trimmed(&text).to_owned(),
            pipe_option: None,
            pipe_value: None,
            timeout: None,
        });
    }
    if !matches!(value, Json::Object(_)) {
        faults.add(
            &place,
            "model_attributes_type",
            "Input should be a command: a string or an object",
        );
        return None;
    }
    let mut object = Object::read(value, place, faults)?;
    let command = object.required("command", faults).and_then(|found| text(found, faults));
    let words = [
        ("include", FilterKind::Include),
        ("exclude", FilterKind::Exclude),
        ("begin", FilterKind::Begin),
        ("section", FilterKind::Section),
        ("count", FilterKind::Count),
    ];
    let option = object.optional("pipe_option").map(|found| word(found, &words, faults));
    let pattern = object.optional("pipe_value").map(|found| text(found, faults));
    let pattern = pattern.map(|text| text.map(Cow::into_owned));
    let timeout = object.optional("timeout").map(|found| read_timeout(found, rules, faults));
    object.finish(faults);
    match (&option, &pattern) {
        (Some(_), None) => faults.value(
            &place.field("pipe_value"),
            "a filter option goes with a value; give `pipe_value` or leave `pipe_option` out",
        ),
        (None, Some(_)) => faults.value(
            &place.field("pipe_option"),
            "a filter value goes with an option; give `pipe_option` or leave `pipe_value` out",
        ),
        _ => {}
    }
    let text_place = place.field("command");
    let (pipe_option, pipe_value) = (option.flatten(), pattern.flatten());
    Some(CommandDraft {
        place,
        text_place,
        text: trimmed(&command?).to_owned(),
        pipe_option,
        pipe_value,
        timeout: timeout.flatten(),
    })
}

/// A command without what stands round it by mistake.
pub(super) fn trimmed(command: &str) -> &str {
    command.trim_matches(ROUND_COMMANDS)
}

/// Puts commands through the gate of a platform.
fn check_all(
    drafts: &[Option<CommandDraft>],
    platform: &Platform,
    output: Output,
    timeout: Duration,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Arc<[PlannedCommand]> {
    let mut planned = Vec::with_capacity(drafts.len());
    for draft in drafts.iter().flatten() {
        if let Some(command) = check_one(draft, platform, output, rules, |_| true, faults) {
            let timeout = draft.timeout.unwrap_or(timeout);
            planned.push(PlannedCommand { command, timeout, parse: output.parse });
        }
    }
    planned.into()
}

/// Puts one command through the gate; of refusals only those that `reported` wants become faults.
fn check_one(
    draft: &CommandDraft,
    platform: &Platform,
    output: Output,
    rules: &RequestRules<'_>,
    reported: impl Fn(Rule) -> bool,
    faults: &mut Faults,
) -> Option<CheckedCommand> {
    if draft.pipe_option.is_some() != draft.pipe_value.is_some() {
        return None;
    }
    let check_text = |text: &str| {
        let input = CommandInput {
            text,
            pipe_option: draft.pipe_option,
            pipe_value: draft.pipe_value.as_deref(),
            filter_where: output.filter_where,
        };
        check(platform, rules.policy, &input)
    };
    let checked = check_text(&draft.text).and_then(|command| {
        let wanted = output.parse.is_some_and(|parse| parse.native) && command.is_whole();
        let native = platform.output().native().filter(|native| {
            // What is no filter but an argument is for tables, not for configurations.
            let is_there = command.base().ends_with(&format!(" {native}"));
            wanted && !is_there && (native.starts_with('|') || !is_configuration(command.base()))
        });
        match native {
            Some(native) => check_text(&format!("{} {native}", command.base())),
            None => Ok(command),
        }
    });
    match checked {
        Ok(command) => Some(command),
        Err(refusal) if !reported(refusal.rule()) => None,
        Err(refusal) => {
            let place = if refusal.is_of_pipe_value() {
                draft.place.field("pipe_value")
            } else {
                draft.text_place
            };
            let said = format_args!("{}: {refusal}", platform.title());
            faults.refused(&place, refusal.rule(), said);
            None
        }
    }
}
