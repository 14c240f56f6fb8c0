//! The answers: the predecessor's fields first and in its order, ours behind them.

use serde::Serialize;
use utoipa::ToSchema;

use super::errors::CodeLink;
use crate::{
    catalog::{Parser, Records},
    outcome::{CommandOutcome, DeviceOutcome, Timing, millis},
};

/// What came of a request: one result for each device, in the request's order.
#[derive(Serialize, ToSchema)]
pub struct ExecuteResponse {
    /// One for each device of the request.
    pub results: Vec<DeviceResult>,
    /// Devices in the request.
    #[schema(example = 2)]
    pub total_devices: usize,
    /// Devices that could be logged in to and whose session did not break.
    #[schema(example = 1)]
    pub successful_devices: usize,
    /// The others.
    #[schema(example = 1)]
    pub failed_devices: usize,
    /// Also in the header `X-Request-ID`, and in every log line of this request.
    pub request_id: String,
}

/// What came of one device.
#[derive(Serialize, ToSchema)]
pub struct DeviceResult {
    /// As the request had it.
    #[schema(example = "192.0.2.1")]
    pub hostname: String,
    /// The login worked and the session did not break; its commands have a `success` of their own.
    pub success: bool,
    /// One for each command, in order; empty if there was no prompt to type them at.
    pub commands: Vec<CommandResult>,
    /// Phase, cause and what to do, if `success` is false.
    #[schema(nullable, required)]
    pub error: Option<String>,
    /// As the request had it.
    #[schema(example = "ios")]
    pub os: String,
    /// TCP port.
    #[schema(example = 22)]
    pub port: u16,
    /// The kind of error, for programs.
    #[schema(nullable, required, example = "auth_rejected")]
    pub error_code: Option<&'static str>,
    /// Where the service says more of this kind of error: its cause, what to do, an example. Null if there is none.
    #[schema(nullable, required, value_type = Option<String>, example = "/api/v1/errors/auth_rejected")]
    pub error_link: Option<CodeLink>,
    /// Milliseconds from the device's turn to its end.
    pub duration_ms: u64,
    /// Where that time went.
    pub timing: TimingResult,
    /// Connections that were tried; 0 if it did not come to that.
    #[schema(example = 1)]
    pub attempts: u32,
    /// The SSH key the device showed; null if it did not come to that.
    #[schema(nullable, required)]
    pub host_key: Option<HostKeyResult>,
    /// The SSH algorithms that were agreed on; null if it did not come to that.
    #[schema(nullable, required)]
    pub algorithms: Option<AlgorithmsResult>,
    /// What did not go as planned without doing harm, such as a refused `terminal length 0`.
    pub warnings: Vec<String>,
}

/// Milliseconds of each phase; null for a phase that was not reached.
#[derive(Serialize, ToSchema)]
pub struct TimingResult {
    /// Waiting for a free session.
    #[schema(nullable, required)]
    pub queue_ms: Option<u64>,
    /// Name to addresses.
    #[schema(nullable, required)]
    pub resolve_ms: Option<u64>,
    /// All of the jump hosts, up to their logins.
    #[schema(nullable, required)]
    pub jump_ms: Option<u64>,
    /// TCP, or what a jump host takes for it.
    #[schema(nullable, required)]
    pub connect_ms: Option<u64>,
    /// SSH versions and keys.
    #[schema(nullable, required)]
    pub handshake_ms: Option<u64>,
    /// Login.
    #[schema(nullable, required)]
    pub authenticate_ms: Option<u64>,
    /// Terminal, banners, first prompt, `enable`, preparation lines.
    #[schema(nullable, required)]
    pub prompt_ms: Option<u64>,
    /// All commands.
    #[schema(nullable, required)]
    pub commands_ms: Option<u64>,
    /// Logout.
    #[schema(nullable, required)]
    pub logout_ms: Option<u64>,
}

/// The SSH algorithms of a session.
#[derive(Serialize, ToSchema)]
pub struct AlgorithmsResult {
    /// The profile that was offered.
    #[schema(example = "modern")]
    pub profile: &'static str,
    /// Key exchange method.
    #[schema(example = "curve25519-sha256")]
    pub key_exchange: String,
    /// Host key algorithm.
    #[schema(example = "ssh-ed25519")]
    pub host_key: String,
    /// Cipher towards the device.
    #[schema(example = "aes128-gcm@openssh.com")]
    pub cipher: String,
    /// Message authentication code towards the device; null if the cipher brings its own.
    #[schema(nullable, required, example = "hmac-sha2-256")]
    pub mac: Option<String>,
}

/// The SSH key a device showed.
#[derive(Serialize, ToSchema)]
pub struct HostKeyResult {
    /// The algorithm it was used with.
    #[schema(example = "ssh-ed25519")]
    pub algorithm: String,
    /// As OpenSSH prints it.
    #[schema(example = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")]
    pub fingerprint: String,
    /// True if it was compared with a key that was known before.
    pub verified: bool,
}

/// What came of one command.
#[derive(Serialize, ToSchema)]
pub struct CommandResult {
    /// The command with its filter.
    #[schema(example = "show ip interface brief | include up")]
    pub command: String,
    /// What the device printed, without echo, prompt, pager and terminal controls; lines end with LF.
    pub output: String,
    /// The device ran the command and its prompt came back.
    pub success: bool,
    /// The records read from the output, if they were asked for; null otherwise.
    #[schema(nullable, required, value_type = Option<serde_json::Value>)]
    pub parsed: Option<Records>,
    /// Why there are no records although they were asked for.
    #[schema(nullable, required)]
    pub parse_error: Option<String>,
    /// What went wrong and what to do, if `success` is false.
    #[schema(nullable, required)]
    pub error: Option<String>,
    /// Milliseconds from the command's being sent to its prompt's being back.
    pub duration_ms: u64,
    /// The output has lost its end.
    pub truncated: bool,
    /// The kind of error, for programs.
    #[schema(nullable, required, example = "cli_error")]
    pub error_code: Option<&'static str>,
    /// Where the service says more of this kind of error: its cause, what to do, an example. Null if there is none.
    #[schema(nullable, required, value_type = Option<String>, example = "/api/v1/errors/cli_error")]
    pub error_link: Option<CodeLink>,
    /// Where the filter was applied: `device` or `service`; null without one.
    #[schema(nullable, required, example = "device")]
    pub filtered_by: Option<&'static str>,
    /// What read the records, or tried to; null if nothing was asked for or nothing is known for the command.
    #[schema(nullable, required)]
    pub parser: Option<ParserResult>,
}

/// What read the records of an output.
#[derive(Serialize, ToSchema)]
pub struct ParserResult {
    /// `textfsm`; `native` for the device's own JSON; `config_tree` for the sections of a configuration.
    #[schema(example = "textfsm")]
    pub engine: &'static str,
    /// The template's file name; several with `:` between them fill one record together. Null without one.
    #[schema(nullable, required, example = "cisco_ios_show_version.textfsm")]
    pub template: Option<String>,
    /// How it was chosen: `exact`; `abbreviated`, from shortened words; `argument`, without the arguments at the end.
    #[serde(rename = "match")]
    #[schema(example = "exact")]
    pub chosen: &'static str,
    /// Where the template is from: `library`, `own` (the operator's folder) or `request`. Null without one.
    #[schema(nullable, required, example = "library")]
    pub source: Option<&'static str>,
    /// The platform whose template this is, if it is another's that looks alike.
    #[schema(nullable, required)]
    pub fallback: Option<String>,
}

impl From<Parser> for ParserResult {
    fn from(parser: Parser) -> Self {
        Self {
            engine: parser.engine,
            template: parser.template,
            chosen: parser.chosen.name(),
            source: parser.source,
            fallback: parser.fallback,
        }
    }
}

impl From<DeviceOutcome> for DeviceResult {
    fn from(outcome: DeviceOutcome) -> Self {
        let (error_code, error) = match outcome.failure {
            Some(failure) => (Some(failure.code), Some(failure.message)),
            None => (None, None),
        };
        Self {
            hostname: outcome.hostname,
            success: error_code.is_none(),
            commands: outcome.commands.into_iter().map(CommandResult::from).collect(),
            error,
            os: outcome.os,
            port: outcome.port,
            error_code,
            error_link: error_code.map(CodeLink),
            duration_ms: millis(outcome.duration),
            timing: outcome.timing.into(),
            attempts: outcome.attempts,
            host_key: outcome.host_key.map(|key| HostKeyResult {
                algorithm: key.algorithm,
                fingerprint: key.fingerprint,
                verified: key.verified,
            }),
            algorithms: outcome.algorithms.map(|agreed| AlgorithmsResult {
                profile: agreed.profile,
                key_exchange: agreed.key_exchange,
                host_key: agreed.host_key,
                cipher: agreed.cipher,
                mac: agreed.mac,
            }),
            warnings: outcome.warnings,
        }
    }
}

impl From<CommandOutcome> for CommandResult {
    fn from(outcome: CommandOutcome) -> Self {
        let (error_code, error) = match outcome.failure {
            Some(failure) => (Some(failure.code), Some(failure.message)),
            None => (None, None),
        };
        Self {
            command: outcome.command,
            output: outcome.output,
            success: error_code.is_none(),
            parsed: outcome.parsed,
            parse_error: outcome.parse_error,
            error,
            duration_ms: millis(outcome.duration),
            truncated: outcome.truncated,
            error_code,
            error_link: error_code.map(CodeLink),
            filtered_by: outcome.filtered_by,
            parser: outcome.parser.map(ParserResult::from),
        }
    }
}

impl From<Timing> for TimingResult {
    fn from(timing: Timing) -> Self {
        Self {
            queue_ms: timing.queue.map(millis),
            resolve_ms: timing.resolve.map(millis),
            jump_ms: timing.jump.map(millis),
            connect_ms: timing.connect.map(millis),
            handshake_ms: timing.handshake.map(millis),
            authenticate_ms: timing.authenticate.map(millis),
            prompt_ms: timing.prompt.map(millis),
            commands_ms: timing.commands.map(millis),
            logout_ms: timing.logout.map(millis),
        }
    }
}
