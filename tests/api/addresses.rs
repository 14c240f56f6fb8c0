//! Addresses of every kind, as a request writes them.

use std::{fs, net::SocketAddrV6};

use serde_json::json;
use showrunner::simulator::DeviceOptions;

use crate::support::{Service, device, with};

/// A link-local address of this machine, with the name and the number of its interface.
fn link_local() -> Option<(std::net::Ipv6Addr, String, u32)> {
    let table = fs::read_to_string("/proc/net/if_inet6").ok()?;
    table.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let address = u128::from_str_radix(words.first()?, 16).ok()?.into();
        let number = u32::from_str_radix(words.get(1)?, 16).ok()?;
        let is_link_local = words.get(3) == Some(&"20");
        is_link_local.then(|| (address, (*words.last().unwrap()).to_owned(), number))
    })
}

#[tokio::test]
async fn a_link_local_address_is_reached_in_its_zone_where_the_settings_name_its_network() {
    let Some((address, interface, number)) = link_local() else {
        eprintln!(
            "SKIPPED a_link_local_address_is_reached_in_its_zone_where_the_settings_name_its_network: has none"
        );
        return;
    };
    let listen = SocketAddrV6::new(address, 0, 0, number).into();
    let ios = device("cisco_ios", DeviceOptions { listen, ..DeviceOptions::default() }).await;
    let entry = json!({
        "port": ios.addr().port(), "username": "demo", "password": "demo", "os": "ios"
    });
    let named = Service::start_with(&[("SHOWRUNNER_TARGETS_ALLOW", "fe80::/10")]);
    let closed = Service::start();
    for zone in [interface, number.to_string()] {
        let entry = with(entry.clone(), "hostname", format!("{address}%{zone}"));
        let result = named.read(entry.clone(), &["show version"]).await;
        assert_eq!(result["success"], true, "{result}");
        let result = closed.read(entry, &["show version"]).await;
        assert_eq!(result["error_code"], "target_refused", "{result}");
    }
    let elsewhere = with(entry, "hostname", format!("{address}%nowhere0"));
    let result = named.read(elsewhere, &["show version"]).await;
    assert_eq!(result["error_code"], "resolve_failed", "{result}");
}
