//! The command line door: `serve`, `demo`, `health`, `openapi`.
//!
//! The only room that prints. Exit codes: 0 done, 1 failed, 2 wrong arguments or settings.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod demo;
mod health;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{http, settings::Settings, startup::Application, telemetry};

/// Runs read-only show commands on network devices for anyone who can send an HTTP POST.
#[derive(Parser)]
#[command(name = "showrunner", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the REST interface (also without a subcommand); settings come from SHOWRUNNER_* variables
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
    /// Prints the `OpenAPI` document
    Openapi,
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match Settings::load() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("showrunner: {error}");
            return ExitCode::from(2);
        }
    };
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(settings),
        Command::Demo { first_device_port } => demo::run(settings, first_device_port),
        Command::Health { url } => health::run(&settings, url.as_deref()),
        Command::Openapi => {
            println!("{}", http::document());
            ExitCode::SUCCESS
        }
    }
}

fn serve(settings: Settings) -> ExitCode {
    telemetry::start(&settings);
    let served = actix_web::rt::System::new().block_on(async {
        Application::build(settings)
            .map_err(|error| error.to_string())?
            .run_until_stopped()
            .await
            .map_err(|error| error.to_string())
    });
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
