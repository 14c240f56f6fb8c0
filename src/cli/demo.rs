//! `showrunner demo`: the service and a fleet of simulated devices in one process, and a request to paste.

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
};

use super::finish;
use crate::{
    metrics::Metrics,
    settings::{Settings, Sources},
    simulator::Fleet,
    startup::{Application, Start, bound_heaps},
    telemetry,
};

/// Serves until stopped.
pub(super) fn run(
    mut settings: Settings,
    mut sources: Sources,
    device_host: IpAddr,
    first_device_port: u16,
) -> ExitCode {
    bound_heaps();
    let metrics = Metrics::new();
    let log = match telemetry::start(&settings, &metrics) {
        Ok(log) => log,
        Err(error) => {
            return finish(Err(format!("SHOWRUNNER_LOG_FILE: the log cannot be written: {error}")));
        }
    };
    // The devices are on this machine.
    settings.targets_allow_loopback = true;
    sources.arguments.push(("targets_allow_loopback".to_owned(), "true".to_owned()));
    let levels = log.levels();
    let served = actix_web::rt::System::new().block_on(async {
        let fleet = Fleet::spawn_demo(device_host, first_device_port).await.map_err(|error| {
            format!("the simulated devices cannot listen from port {first_device_port} on: {error}; try --first-device-port")
        })?;
        let (host, has_tls) = (settings.host, settings.tls_cert_file.is_some());
        let first_example_port = fleet.devices().first().map_or(first_device_port, |one| one.addr.port());
        let start = Start { settings, sources, metrics, levels, first_example_port };
        let app = Application::build(start).map_err(|error| error.to_string())?;
        let scheme = if has_tls { "https" } else { "http" };
        greet(&fleet, &format!("{scheme}://{}", SocketAddr::new(host, app.port())));
        app.run_until_stopped().await.map_err(|error| error.to_string())
    });
    drop(log);
    finish(served)
}

fn greet(fleet: &Fleet, url: &str) {
    println!("Showrunner is serving at {url} with {} simulated devices:\n", fleet.devices().len());
    let width = fleet.devices().iter().map(|device| device.platform.len()).max().unwrap_or(0);
    for device in fleet.devices() {
        println!(
            "  {:<8} {:<width$}  {}  user {} password {}",
            device.name, device.platform, device.addr, device.username, device.password
        );
    }
    let shown: Vec<_> = fleet.devices().iter().take(2).collect();
    let devices: Vec<_> = shown
        .iter()
        .map(|device| {
            format!(
                r#"    {{"hostname": "{}", "port": {}, "username": "{}", "password": "{}", "os": "{}"}}"#,
                device.addr.ip(),
                device.addr.port(),
                device.username,
                device.password,
                device.platform
            )
        })
        .collect();
    println!("\nTry it:\n");
    println!("curl -s {url}/api/v1/execute -H 'Content-Type: application/json' -d '{{");
    println!("  \"devices\": [\n{}\n  ],", devices.join(",\n"));
    println!("  \"commands\": [\"show version\", \"show ip interface brief | include up\"]");
    println!("}}'\n");
    if let Some(first) = shown.first() {
        let program = std::env::args().next().unwrap_or_else(|| "showrunner".to_owned());
        println!("The same without the service, for people to read:\n");
        println!(
            "DEVICE_PASSWORD={} {program} run --os {} --host {} --port {} --user {} \"show version\"\n",
            first.password,
            first.platform,
            first.addr.ip(),
            first.addr.port(),
            first.username
        );
    }
    println!("Swagger UI: {url}/docs\nStop with Ctrl-C.");
}
