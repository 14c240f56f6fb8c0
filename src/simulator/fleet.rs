//! The small fleet of `showrunner demo`: one device of each common platform, on loopback ports in a row.

use std::net::{IpAddr, SocketAddr};

use super::{
    persona::Persona,
    server::{DeviceOptions, FakeDevice},
};

/// Platform alias, persona, and whether the session begins in user mode.
const MEMBERS: [(&str, &str, bool); 11] = [
    ("ios", "cisco_ios", true),
    ("iosxe", "cisco_xe", false),
    ("nxos", "cisco_nxos", false),
    ("iosxr", "cisco_xr", false),
    ("asa", "cisco_asa", true),
    ("eos", "arista_eos", false),
    ("junos", "juniper_junos", false),
    ("huawei_vrp", "huawei", false),
    ("fortinet", "fortinet", false),
    ("paloalto_panos", "paloalto_panos", false),
    ("frr", "frr", false),
];

/// Simulated devices that are listening, until dropped.
pub struct Fleet {
    devices: Vec<FleetDevice>,
}

/// One of them, and what it takes to log in.
pub struct FleetDevice {
    /// Its host name.
    pub name: String,
    /// What to give as `os`.
    pub platform: &'static str,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Login name.
    pub username: String,
    /// Login password; the enable password too.
    pub password: String,
    _device: FakeDevice,
}

impl Fleet {
    /// Starts the fleet on `first_port` of `host` and the ports behind it; 0 takes any free ones.
    ///
    /// # Errors
    /// A port is taken.
    pub async fn spawn_demo(host: IpAddr, first_port: u16) -> std::io::Result<Self> {
        let mut devices = Vec::new();
        let mut port = first_port;
        for (platform, persona, in_user_mode) in MEMBERS {
            let persona = Persona::embedded(persona)
                .ok_or_else(|| std::io::Error::other(format!("no persona {persona}")))?;
            let mut options =
                DeviceOptions { listen: SocketAddr::new(host, port), ..DeviceOptions::default() };
            if in_user_mode {
                options.enable_password = Some(options.password.clone());
            }
            let (username, password) = (options.username.clone(), options.password.clone());
            let name = persona.hostname.clone();
            let device = FakeDevice::spawn(persona, options).await?;
            devices.push(FleetDevice {
                name,
                platform,
                addr: device.addr(),
                username,
                password,
                _device: device,
            });
            port = if first_port == 0 { 0 } else { port.saturating_add(1) };
        }
        Ok(Self { devices })
    }

    /// The devices, in the order of their ports.
    #[must_use]
    pub fn devices(&self) -> &[FleetDevice] {
        &self.devices
    }
}
