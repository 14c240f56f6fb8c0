//! The command line door: the service, and its work without a service.
//!
//! The only room that prints. Every setting is an argument too. Exit codes: 0 done, 1 failed, 2 wrong arguments, settings
//! or a refused request, 3 a device, a command or a parse failed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod answer;
mod demo;
mod devices;
mod faults;
mod health;
mod run;
mod secrets;
mod sheet;
mod supported;

use std::{
    borrow::Cow,
    io::{ErrorKind, IsTerminal as _, Read as _, Write as _, stdin, stdout},
    net::IpAddr,
    path::Path,
    process::ExitCode,
};

use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    access::NewKey,
    http,
    metrics::Metrics,
    settings::{Loaded, Settings, Sources, document},
    startup::{Application, Start, bound_heaps},
    telemetry,
};

/// Runs read-only show commands on network devices: as a service, or here and now
#[derive(Parser)]
#[command(name = "showrunner", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  showrunner demo                                        try everything without a network
  showrunner run --os ios --host 10.0.0.1 --user reader \"show version\"
  showrunner run --devices lab.csv --parsed --output csv \"show ip interface brief\"
  showrunner explain auth_rejected                       what an error means and what to do
  showrunner serve --port 9000                           every setting is an argument: --help lists them

Exit codes: 0 done, 1 failed, 2 wrong arguments or a refused request, 3 a device or a command
failed";

const SERVE_EXAMPLES: &str = "\
Examples:
  showrunner serve                                       on 127.0.0.1:8000, for programs on this machine
  showrunner serve --host 0.0.0.0 --api-keys-file keys.toml

Every setting is an argument, a SHOWRUNNER_* variable or a line of a TOML file: --help lists
them, `showrunner config` prints what is in force";

const DEMO_EXAMPLES: &str = "\
Examples:
  showrunner demo                                        then paste what it prints, or open http://127.0.0.1:8000/docs
  showrunner demo --port 9000 --first-device-port 3001   where the usual ports are taken";

const RUN_EXAMPLES: &str = "\
Examples:
  showrunner run --os ios --host 10.0.0.1 --user reader \"show version\"
  showrunner run --os junos --host r1 --host r2 -u reader \"show bgp summary\" \"show version\"
  showrunner run --devices lab.csv -u reader --parsed -o csv \"show version\" >versions.csv

The password is asked for; scripts put it into DEVICE_PASSWORD or a file.
Exit codes: 0 all commands were run, 2 refused before anything was connected to,
3 a device or a command failed";

const VALIDATE_EXAMPLES: &str = "\
Example:
  showrunner validate --os junos --host r1 -u reader \"show interfaces terse | include ge-\"

Exit codes: 0 all of it would be sent, 2 refused";

const PARSE_EXAMPLES: &str = "\
Examples:
  showrunner parse --os ios --command \"show ip interface brief\" saved.txt
  ssh r1 show version | showrunner parse --os ios -c \"show version\" -o json

Exit codes: 0 read (an empty text has no records), 2 refused, 3 not read, and the reason is said";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bash   showrunner completions bash >/etc/bash_completion.d/showrunner
         or in ~/.bashrc: source <(showrunner completions bash)
  zsh    showrunner completions zsh >/usr/local/share/zsh/site-functions/_showrunner
  fish   showrunner completions fish >~/.config/fish/completions/showrunner.fish";

#[derive(Subcommand)]
enum Command {
    /// Serves the REST interface (also without a subcommand)
    #[command(after_help = SERVE_EXAMPLES)]
    Serve,
    /// Serves together with a small fleet of simulated devices, to try everything without a network
    #[command(after_help = DEMO_EXAMPLES)]
    Demo {
        /// Address of the simulated devices; they let everybody in who can reach them
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
        device_host: IpAddr,
        /// First port of the simulated devices
        #[arg(long, value_name = "PORT", default_value_t = http::FIRST_EXAMPLE_PORT)]
        first_device_port: u16,
    },
    /// Runs show commands on devices and prints what came of them, without a service
    #[command(after_help = RUN_EXAMPLES)]
    Run(run::What),
    /// Prints what run would send to which device; connects to nothing
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(run::What),
    /// Reads records out of an output that is in a file or at standard input
    #[command(after_help = PARSE_EXAMPLES)]
    Parse(supported::ParseWhat),
    /// Lists the platforms that --os can name
    Platforms {
        /// How to print them
        #[arg(long, short, value_enum, default_value_t)]
        output: supported::Rows,
    },
    /// Lists the commands whose outputs can be parsed
    Parsers {
        /// Of this platform, with the fields of their records; without it, how many there are of each
        #[arg(long, value_name = "PLATFORM")]
        os: Option<String>,
        /// How to print them
        #[arg(long, short, value_enum, default_value_t)]
        output: supported::Rows,
    },
    /// Says what error codes mean and what to do; without a code it lists them
    Explain {
        /// The codes, such as those in the results of `run`
        #[arg(value_name = "CODE")]
        codes: Vec<String>,
    },
    /// Asks a running service whether it is well; for container health checks
    Health {
        /// Address of the service's health page, with http:// in front; without it that of the settings
        #[arg(long)]
        url: Option<String>,
    },
    /// Prints every setting with its value and where that comes from
    Config,
    /// Checks the settings and exits
    CheckConfig,
    /// Makes an API key: prints the key, and the entry for the file of keys, which only has its hash
    NewKey {
        /// Who the key is for: letters, digits, dots, dashes, underlines
        name: String,
    },
    #[command(about = "Prints the OpenAPI document")]
    Openapi,
    /// Prints a script that completes arguments
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Prints version and licences, the template library's included
    About {
        /// In full
        #[arg(long)]
        licences: bool,
    },
}

/// Subcommands whose own arguments have the names of settings, which they then do not take.
const WITH_OWN_NAMES: [&str; 2] = ["run", "validate"];
/// The names.
const OWN_NAMES: [&str; 2] = ["host", "port"];

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let matches = whole_command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let sources = Sources { arguments: settings_of(&matches) };
    match arguments.command.unwrap_or(Command::Serve) {
        // What needs no settings works whatever they are.
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut whole_command(), "showrunner", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Explain { codes } => supported::explain(&codes),
        Command::NewKey { name } => new_key(&name),
        // The service goes on with the settings that it had.
        Command::Health { url } => health::run(&sources, url.as_deref()),
        command => match sources.load() {
            Ok(loaded) => run_with(command, loaded, sources),
            Err(error) => refuse(&error.to_string()),
        },
    }
}

fn run_with(command: Command, loaded: Loaded, sources: Sources) -> ExitCode {
    match command {
        Command::Demo { device_host, first_device_port } => {
            demo::run(loaded.settings, sources, device_host, first_device_port)
        }
        Command::Run(what) => run::run(loaded, &what),
        Command::Validate(what) => run::validate(loaded, &what),
        Command::Parse(what) => supported::parse(&loaded.settings, &what),
        Command::Platforms { output } => supported::platforms(&loaded.settings, output),
        Command::Parsers { os, output } => {
            supported::parsers(&loaded.settings, os.as_deref(), output)
        }
        Command::Config => print(&document::effective(&loaded)),
        Command::CheckConfig => check_config(&loaded),
        Command::Openapi => print(&http::document(&loaded.settings, http::FIRST_EXAMPLE_PORT)),
        Command::About { licences } => supported::about(&loaded.settings, licences),
        Command::Serve
        | Command::Completions { .. }
        | Command::Explain { .. }
        | Command::Health { .. }
        | Command::NewKey { .. } => serve(loaded.settings, sources),
    }
}

fn whole_command() -> clap::Command {
    let command = Arguments::command();
    let names: Vec<String> =
        command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let command = with_settings(command, &[]);
    names.into_iter().fold(command, |command, name| {
        let own: &[&str] = if WITH_OWN_NAMES.contains(&name.as_str()) { &OWN_NAMES } else { &[] };
        command.mut_subcommand(name, |one| with_settings(one, own))
    })
}

/// Makes an argument of every setting but those `without`; short help leaves them out.
fn with_settings(command: clap::Command, without: &[&str]) -> clap::Command {
    let file = ("config_file", "TOML file with settings", "a path".to_owned());
    let rows = Settings::rows().into_iter().map(|row| (row.name, row.sentence, row.want));
    let rows = std::iter::once(file).chain(rows).filter(|(name, ..)| !without.contains(name));
    rows.fold(command, |command, (name, sentence, want)| {
        command.arg(
            Arg::new(name)
                .long(name.replace('_', "-"))
                .value_name("VALUE")
                .help(format!("{sentence} [{want}]"))
                .help_heading("Settings, also SHOWRUNNER_* variables")
                .hide_short_help(true)
                .allow_hyphen_values(true),
        )
    })
}

/// Settings stand before the subcommand or behind it; the latter win.
fn settings_of(matches: &ArgMatches) -> Vec<(String, String)> {
    let behind = matches.subcommand().map(|(_, matches)| matches);
    let value = |name: &str| {
        let given =
            |matches: &ArgMatches| matches.try_get_one::<String>(name).ok().flatten().cloned();
        behind.and_then(given).or_else(|| given(matches))
    };
    let names = Settings::rows().into_iter().map(|row| row.name).chain(["config_file"]);
    names.filter_map(|name| Some((name.to_owned(), value(name)?))).collect()
}

/// Prints a text with one line end behind it; nothing of an empty one.
fn print(text: &str) -> ExitCode {
    finish(write_out(text))
}

/// Writes what `print` prints.
///
/// # Errors
/// Says that it is lost, and why.
fn write_out(text: &str) -> Result<(), String> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(());
    }
    let text = if stdout().is_terminal() { harmless(text) } else { text.into() };
    match writeln!(stdout(), "{text}").and_then(|()| stdout().flush()) {
        // Whoever reads this may have read enough (`| head`): that is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("standard output cannot be written: {error}"))
        }
        _ => Ok(()),
    }
}

/// A text without what a terminal would act on or turn round: devices wrote some of it.
fn harmless(text: &str) -> Cow<'_, str> {
    let acts = |c: char| {
        (c.is_control() && !['\n', '\t'].contains(&c))
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    if text.contains(acts) { text.replace(acts, "\u{fffd}").into() } else { text.into() }
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("showrunner: {reason}");
    ExitCode::from(2)
}

/// A file's text; `-` is standard input.
fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text)
}

fn new_key(name: &str) -> ExitCode {
    match NewKey::make(name) {
        Ok(NewKey { secret, entry }) => {
            eprintln!("The key, which is shown this once and belongs to the caller:\n\n{secret}\n");
            eprintln!("The entry for SHOWRUNNER_API_KEYS_FILE:\n");
            print(&entry)
        }
        Err(rule) => refuse(&rule),
    }
}

/// Goes as far as the service does before it listens.
fn check_config(loaded: &Loaded) -> ExitCode {
    match Application::check(&loaded.settings) {
        Ok(remarks) => {
            for remark in remarks {
                eprintln!("{remark}");
            }
            print("the settings are right")
        }
        Err(error) => refuse(&error.to_string()),
    }
}

fn serve(settings: Settings, sources: Sources) -> ExitCode {
    bound_heaps();
    let metrics = Metrics::new();
    let log = match telemetry::start(&settings, &metrics) {
        Ok(log) => log,
        Err(error) => {
            return finish(Err(format!("SHOWRUNNER_LOG_FILE: the log cannot be written: {error}")));
        }
    };
    let first_example_port = http::FIRST_EXAMPLE_PORT;
    let levels = log.levels();
    let start = Start { settings, sources, metrics, levels, first_example_port };
    let served = actix_web::rt::System::new().block_on(async {
        Application::build(start)
            .map_err(|error| error.to_string())?
            .run_until_stopped()
            .await
            .map_err(|error| error.to_string())
    });
    drop(log);
    finish(served)
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("showrunner: {error}");
            ExitCode::FAILURE
        }
    }
}
