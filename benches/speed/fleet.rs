//! The simulated devices, in a process of their own.

use std::{io::BufRead as _, time::Duration};

use showrunner::simulator::{DeviceOptions, FakeDevice, Fault, Persona};

use crate::measure::{OTHERS, Program};

/// Devices that listen until they are dropped.
pub(crate) struct Fleet {
    _program: Program,
    pub(crate) ports: Vec<u16>,
}

impl Fleet {
    /// As many devices as that, so far away; with a fault or without.
    pub(crate) fn start(devices: usize, round_trip: Duration, fault: Option<Fault>) -> Self {
        let arguments = [
            "role-fleet".to_owned(),
            devices.to_string(),
            round_trip.as_millis().to_string(),
            fault.map_or("none", Fault::name).to_owned(),
        ];
        let mut program = Program::role(OTHERS, &arguments);
        let ports = program.line().split(',').map(|port| port.parse().unwrap()).collect();
        Self { _program: program, ports }
    }
}

/// The commands of a session with this many, about 80 KB of output for ten.
pub(crate) fn commands(number: usize) -> Vec<String> {
    let few = ["show version", "show clock", "show ip interface brief"];
    let more = std::iter::repeat("show simulator bytes 11000");
    few.into_iter().chain(more).take(number).map(str::to_owned).collect()
}

/// The role: prints its ports and listens until its input ends.
pub(crate) fn serve(arguments: &[String]) {
    let devices: usize = arguments[0].parse().unwrap();
    let round_trip = Duration::from_millis(arguments[1].parse().unwrap());
    let faults: Vec<Fault> = Fault::by_name(&arguments[2]).into_iter().collect();
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit {
            current: rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
            ..rustix::process::getrlimit(rustix::process::Resource::Nofile)
        },
    );
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fleet: Vec<FakeDevice> = runtime.block_on(async {
        let mut fleet = Vec::new();
        for _ in 0..devices {
            let persona = Persona::embedded("cisco_ios").unwrap();
            let options =
                DeviceOptions { round_trip, faults: faults.clone(), ..DeviceOptions::default() };
            fleet.push(FakeDevice::spawn(persona, options).await.unwrap());
        }
        fleet
    });
    let ports: Vec<String> = fleet.iter().map(|device| device.addr().port().to_string()).collect();
    println!("{}", ports.join(","));
    for _ in std::io::stdin().lock().lines() {}
}
