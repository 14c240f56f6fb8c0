//! The simulated devices, in a process of their own: healthy ones of several platforms, and one with each fault.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use showrunner::simulator::{DeviceOptions, FakeDevice, Fault, Persona};

use crate::draw::{Drawn, FLOODS, HEALTHY, OF_EACH};

/// Devices that listen until they are dropped.
pub(crate) struct Fleet {
    child: Child,
    healthy: Vec<u16>,
    faulty: HashMap<Fault, u16>,
}

impl Fleet {
    pub(crate) fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program)
            .arg("role-fleet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut ports = line.trim().split(',').map(|port| port.parse().expect("it is a port"));
        let healthy = ports.by_ref().take(HEALTHY.len() * OF_EACH).collect();
        let faulty = Fault::names().filter_map(Fault::by_name).zip(ports).collect();
        Self { child, healthy, faulty }
    }

    pub(crate) fn port(&self, drawn: Drawn) -> u16 {
        match drawn {
            Drawn::Healthy(kind, number) => self.healthy[kind * OF_EACH + number],
            Drawn::Faulty(fault) => self.faulty[&fault],
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The role: prints its ports and listens until its input ends.
pub(crate) fn serve() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: limit.maximum, ..limit };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, most);
    let runtime = |threads| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all().build().unwrap()
    };
    // Devices that flood keep a thread busy: the others have their own.
    let (runtime, of_floods) = (runtime(2), runtime(1));
    let healthy =
        HEALTHY.iter().flat_map(|(persona, _)| std::iter::repeat_n((*persona, None), OF_EACH));
    let with_fault = Fault::names().map(|name| ("cisco_ios", Fault::by_name(name)));
    let mut fleet = Vec::new();
    for (persona, fault) in healthy.chain(with_fault) {
        let persona = Persona::embedded(persona).unwrap();
        let faults = fault.into_iter().collect();
        let device =
            FakeDevice::spawn(persona, DeviceOptions { faults, ..DeviceOptions::default() });
        let floods = fault.is_some_and(|fault| FLOODS.contains(&fault));
        let runtime = if floods { &of_floods } else { &runtime };
        fleet.push(runtime.block_on(device).unwrap());
    }
    let ports: Vec<String> = fleet.iter().map(|device| device.addr().port().to_string()).collect();
    println!("{}", ports.join(","));
    for _ in std::io::stdin().lock().lines() {}
}
