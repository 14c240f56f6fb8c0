//! The examples of the `OpenAPI` document. All but the login by key work as they are against `showrunner demo`.

use serde_json::{Value, json};

/// The port of the first simulated device in all examples.
pub const FIRST_EXAMPLE_PORT: u16 = 2201;
/// Ports behind it that may stand in examples.
const MOST_EXAMPLE_PORTS: u64 = 32;

/// In which order a call's examples are offered; the first one stands ready to be sent.
const ORDER: [&str; 8] = [
    "one_device",
    "many_devices",
    "own_commands",
    "key",
    "parsed",
    "streaming",
    "ios",
    "own_template",
];

/// Brings the examples of all requests into their order.
pub(super) fn in_order(document: &mut Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (_, item) in paths.into_iter().flatten() {
        let examples = item.pointer_mut("/post/requestBody/content/application~1json/examples");
        let Some(examples) = examples.and_then(Value::as_object_mut) else { continue };
        let mut unordered = std::mem::take(examples);
        for name in ORDER {
            examples.extend(unordered.remove(name).map(|example| (name.to_owned(), example)));
        }
        examples.extend(unordered);
    }
}

/// Moves the examples of a document to the ports from `first` on.
pub(super) fn from_port(first: u16, document: &mut Value) {
    let known = u64::from(FIRST_EXAMPLE_PORT)..u64::from(FIRST_EXAMPLE_PORT) + MOST_EXAMPLE_PORTS;
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_u64().filter(|port| name == "port" && known.contains(port)) {
                    Some(port) => *value = (u64::from(first) + port - known.start).into(),
                    None => from_port(first, value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| from_port(first, item)),
        _ => {}
    }
}

/// One simulated IOS device.
pub(super) fn one() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2201, "username": "demo", "password": "demo", "os": "ios"}
        ],
        "commands": ["show version", "show ip interface brief"]
    })
}

/// Three simulated devices and a filter that each understands in its own words.
pub(super) fn many() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2201, "username": "demo", "password": "demo", "os": "ios"},
            {"hostname": "127.0.0.1", "port": 2203, "username": "demo", "password": "demo", "os": "nxos"},
            {"hostname": "127.0.0.1", "port": 2206, "username": "demo", "password": "demo", "os": "eos"}
        ],
        "commands": [
            {"command": "show version", "pipe_option": "include", "pipe_value": "[Uu]ptime"}
        ],
        "timeout": 30
    })
}

/// Two devices of different makers, each with commands of its own.
pub(super) fn own_commands() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2205, "username": "demo", "password": "demo", "os": "asa",
             "enable_password": "demo", "commands": ["show version"]},
            {"hostname": "127.0.0.1", "port": 2207, "username": "demo", "password": "demo", "os": "junos",
             "commands": ["show version", "show interfaces terse | match ge-"]}
        ]
    })
}

/// Three simulated devices whose outputs become records.
pub(super) fn parsed() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2201, "username": "demo", "password": "demo", "os": "ios",
             "commands": ["show ip interface brief", "show version"]},
            {"hostname": "127.0.0.1", "port": 2203, "username": "demo", "password": "demo", "os": "nxos",
             "commands": ["show version"]}
        ],
        "output_format": "parsed"
    })
}

/// An output of IOS.
pub(super) fn parse() -> Value {
    json!({
        "os": "ios",
        "command": "show ip interface brief",
        "output": "Interface              IP-Address      OK? Method Status                Protocol\n\
                   GigabitEthernet0/0     192.0.2.1       YES NVRAM  up                    up\n\
                   GigabitEthernet0/1     unassigned      YES NVRAM  administratively down down\n"
    })
}

/// A template in the request itself.
pub(super) fn own_template() -> Value {
    json!({
        "template": "Value SENSOR (\\S+)\nValue CELSIUS (\\d+)\n\nStart\n  ^${SENSOR}\\s+${CELSIUS} C -> Record\n",
        "output": "inlet   24 C\noutlet  39 C\n",
        "explain": true
    })
}

/// A login by key.
pub(super) fn key() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2202, "username": "demo", "os": "iosxe",
             "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\n(your key, its line ends written as \\n)\n-----END OPENSSH PRIVATE KEY-----\n",
             "private_key_passphrase": "the key's passphrase, if it has one"}
        ],
        "commands": ["show version"]
    })
}

/// Devices of which some take longer, to be asked for with `Accept: application/x-ndjson`.
pub(super) fn streaming() -> Value {
    let device = |port: u16, os: &str| json!({"hostname": "127.0.0.1", "port": port, "username": "demo", "password": "demo", "os": os});
    json!({
        "devices": [device(2201, "ios"), device(2203, "nxos"), device(2204, "iosxr"), device(2206, "eos")],
        "commands": ["show version"]
    })
}

/// The answer to [`one`], shortened.
pub(super) fn answer() -> Value {
    json!({
        "results": [{
            "hostname": "127.0.0.1", "success": true,
            "commands": [{
                "command": "show version | include uptime",
                "output": "edge1 uptime is 12 weeks, 3 days, 4 hours, 5 minutes\n",
                "success": true, "parsed": null, "parse_error": null, "error": null, "duration_ms": 12,
                "truncated": false, "error_code": null, "error_link": null, "filtered_by": "device", "parser": null
            }],
            "error": null, "os": "ios", "port": 2201, "error_code": null, "error_link": null, "duration_ms": 148,
            "timing": {"queue_ms": 0, "resolve_ms": 0, "jump_ms": null, "connect_ms": 0, "handshake_ms": 61, "authenticate_ms": 9,
                       "prompt_ms": 55, "commands_ms": 12, "logout_ms": 3},
            "attempts": 1,
            "host_key": {"algorithm": "ssh-ed25519", "fingerprint": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
                         "verified": false},
            "algorithms": {"profile": "modern", "key_exchange": "curve25519-sha256", "host_key": "ssh-ed25519",
                           "cipher": "aes128-gcm@openssh.com", "mac": null},
            "warnings": []
        }],
        "total_devices": 1, "successful_devices": 1, "failed_devices": 0,
        "request_id": "01a1fc85-7a0c-7b3e-9d55-2f1c3c0a9e11"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_follow_the_simulated_devices_to_other_ports() {
        let mut document = json!({"a": [many()], "port": 22, "example": 2201});
        from_port(3001, &mut document);
        let ports = document.pointer("/a/0/devices").and_then(Value::as_array).unwrap();
        let ports: Vec<_> = ports.iter().map(|device| device["port"].as_u64().unwrap()).collect();
        assert_eq!(ports, [3001, 3003, 3006]);
        assert_eq!((&document["port"], &document["example"]), (&json!(22), &json!(2201)));
    }
}
