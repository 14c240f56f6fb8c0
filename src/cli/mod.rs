//! The command line door: `serve`, `demo`, `health`, `config`, `check-config`, `new-key`, `openapi`.
//!
//! The only room that prints. Every setting is an argument too. Exit codes: 0 done, 1 failed, 2 wrong arguments or
//! settings.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod demo;
mod health;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    access::NewKey,
    http,
    metrics::Metrics,
    settings::{Loaded, Settings, Sources, document},
    startup::{Application, Start},
    telemetry,
};

/// Runs read-only show commands on network devices for anyone who can send an HTTP POST.
#[derive(Parser)]
#[command(name = "showrunner", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the REST interface (also without a subcommand)
    Serve,
    /// Serves together with a small fleet of simulated devices, to try everything without a network
    Demo {
        /// First port of the simulated devices
        #[arg(long, default_value_t = 2201)]
        first_device_port: u16,
    },
    /// Asks a running service whether it is well; for container health checks
    Health {
        /// Address of the service's health page
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
    /// Prints the `OpenAPI` document
    Openapi,
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let matches = with_settings(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let sources = Sources { arguments: settings_of(&matches) };
    let loaded = match sources.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("showrunner: {error}");
            return ExitCode::from(2);
        }
    };
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(loaded.settings, sources),
        Command::Demo { first_device_port } => {
            demo::run(loaded.settings, sources, first_device_port)
        }
        Command::Health { url } => health::run(&loaded.settings, url.as_deref()),
        Command::Config => print(&document::effective(&loaded)),
        Command::CheckConfig => check_config(&loaded),
        Command::NewKey { name } => new_key(&name),
        Command::Openapi => print(&http::document(&loaded.settings.title)),
    }
}

/// Makes an argument of every setting; short help leaves them out.
fn with_settings(command: clap::Command) -> clap::Command {
    let file = ("config_file", "TOML file with settings", "a path".to_owned());
    let rows = Settings::rows().into_iter().map(|row| (row.name, row.sentence, row.want));
    std::iter::once(file).chain(rows).fold(command, |command, (name, sentence, want)| {
        command.arg(
            Arg::new(name)
                .long(name.replace('_', "-"))
                .value_name("VALUE")
                .help(format!("{sentence} [{want}]"))
                .help_heading("Settings, also SHOWRUNNER_* variables")
                .hide_short_help(true)
                .allow_hyphen_values(true)
                .global(true),
        )
    })
}

fn settings_of(matches: &ArgMatches) -> Vec<(String, String)> {
    let names = Settings::rows().into_iter().map(|row| row.name).chain(["config_file"]);
    names
        .filter_map(|name| Some((name.to_owned(), matches.get_one::<String>(name)?.clone())))
        .collect()
}

fn print(text: &str) -> ExitCode {
    println!("{}", text.trim_end());
    ExitCode::SUCCESS
}

fn new_key(name: &str) -> ExitCode {
    match NewKey::make(name) {
        Ok(NewKey { secret, entry }) => {
            eprintln!("The key, which is shown this once and belongs to the caller:\n\n{secret}\n");
            eprintln!("The entry for SHOWRUNNER_API_KEYS_FILE:\n");
            print(&entry)
        }
        Err(rule) => {
            eprintln!("showrunner: {rule}");
            ExitCode::from(2)
        }
    }
}

/// Goes as far as the service does before it listens.
fn check_config(loaded: &Loaded) -> ExitCode {
    match Application::check(&loaded.settings) {
        Ok(()) => print("the settings are right"),
        Err(error) => {
            eprintln!("showrunner: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(settings: Settings, sources: Sources) -> ExitCode {
    let metrics = Metrics::new();
    let log = match telemetry::start(&settings, &metrics) {
        Ok(log) => log,
        Err(error) => return finish(Err(format!("the log cannot be written: {error}"))),
    };
    let start = Start { settings, sources, metrics, levels: log.levels() };
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
