//! Settings from files, variables and arguments.
#![expect(clippy::result_large_err, reason = "figment's own error type")]

use figment::Jail;

use super::*;

fn arguments(pairs: &[(&str, &str)]) -> Sources {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sources { arguments: pairs.iter().map(owned).collect() }
}

fn load(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let mut found = None;
    Jail::expect_with(|jail| {
        jail.clear_env();
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        let loaded = Sources::default().load();
        found = Some(loaded.map(|loaded| loaded.settings).map_err(|error| error.to_string()));
        Ok(())
    });
    found.unwrap()
}

#[test]
fn each_later_source_wins_and_every_value_knows_where_it_comes_from() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file(
            "s.toml",
            "port = 9000\nconnect_timeout = 3\nresolve_timeout = 3\nprompt_timeout = 3\n",
        )?;
        jail.create_file(
            ".env",
            "# ours\nexport SHOWRUNNER_RESOLVE_TIMEOUT=4 # seconds\nSHOWRUNNER_PROMPT_TIMEOUT='4'\n\
             SHOWRUNNER_PORT=1\nOTHER_PROGRAMS=business\n",
        )?;
        jail.set_env("SHOWRUNNER_CONFIG_FILE", "s.toml");
        jail.set_env("SHOWRUNNER_PROMPT_TIMEOUT", "5");
        jail.set_env("SHOWRUNNER_PORT", "2");
        let loaded = arguments(&[("port", "3")]).load().unwrap();
        let settings = &loaded.settings;
        let found = (
            settings.device_timeout_default,
            settings.connect_timeout,
            settings.resolve_timeout,
            settings.prompt_timeout,
            settings.port,
        );
        assert_eq!(found, (30, 3, 4, 5, 3));
        let origins = [
            "device_timeout_default",
            "connect_timeout",
            "resolve_timeout",
            "prompt_timeout",
            "port",
        ]
        .map(|name| loaded.origin(name).to_string());
        assert!(origins[1].ends_with("s.toml"), "{origins:?}");
        assert_eq!(
            [&origins[0], &origins[2], &origins[3], &origins[4]],
            ["default", ".env", "environment", "command line"]
        );
        let printed = document::effective(&loaded);
        assert!(printed.contains("port = 3 ") && printed.contains("# command line"), "{printed}");
        let again: toml::Table = toml::from_str(&printed).unwrap();
        assert_eq!(again["resolve_timeout"].as_integer(), Some(4));
        Ok(())
    });
}

#[test]
fn a_wrong_setting_stops_the_start_with_its_name_its_value_and_what_would_be_right() {
    for (name, value, want) in [
        ("SHOWRUNNER_PROT", "1", "SHOWRUNNER_PROT is no setting; did you mean SHOWRUNNER_PORT?"),
        ("SHOWRUNNER_PORT", "http", "SHOWRUNNER_PORT is `http`, but must be 0 to 65535"),
        ("SHOWRUNNER_PORT", "-1", "SHOWRUNNER_PORT is `-1`, but must be 0 to 65535"),
        (
            "SHOWRUNNER_MAX_CONCURRENT_DEVICES",
            "0",
            "SHOWRUNNER_MAX_CONCURRENT_DEVICES is `0`, but must be 1 to 10000 sessions",
        ),
        ("SHOWRUNNER_DEVICE_TIMEOUT_DEFAULT", "301", "1 second to DEVICE_TIMEOUT_MAX"),
        ("SHOWRUNNER_HOST", "0.0.0.0", "SHOWRUNNER_AUTH=none"),
        ("SHOWRUNNER_AUTH", "api_key", "SHOWRUNNER_API_KEYS_FILE"),
        (
            "SHOWRUNNER_TARGETS_ALLOW",
            "10.0.0.0/33",
            "each an address or a network such as 10.0.0.0/8",
        ),
        ("SHOWRUNNER_TARGETS_PORTS", "22,ssh", "each 0 to 65535"),
        ("SHOWRUNNER_HOST", "router", "an IPv4 or IPv6 address"),
        (
            "SHOWRUNNER_AUTH",
            "nobody",
            "SHOWRUNNER_AUTH is `nobody`, but must be `api_key` or `api_key_or_none` or `none`",
        ),
        ("SHOWRUNNER_LOG_LEVEL", "a=b=c", "SHOWRUNNER_LOG_LEVEL is `a=b=c`"),
        (
            "SHOWRUNNER_LOG_LEVEL",
            "verbose",
            "SHOWRUNNER_LOG_LEVEL is `verbose`, but must be error, warn",
        ),
        ("SHOWRUNNER_LOG_LEVEL", "info,showrunner", "SHOWRUNNER_LOG_LEVEL is `info,showrunner`"),
        ("SHOWRUNNER_LOG_FORMAT", "xml", "`text` or `json`"),
        ("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "yes", "true or false"),
        ("SHOWRUNNER_COMMANDS_DENY", "[oops", "a list"),
        ("SHOWRUNNER_CONFIG_FILE", "nowhere.toml", "nowhere.toml: "),
    ] {
        let message = load(&[(name, value)]).unwrap_err();
        assert!(message.contains(want), "{name}={value}: {message}");
    }
    let open = load(&[("SHOWRUNNER_HOST", "0.0.0.0"), ("SHOWRUNNER_AUTH", "none")]);
    assert!(open.is_ok(), "{open:?}");
    let keys = ("SHOWRUNNER_API_KEYS_FILE", "keys.toml");
    assert!(load(&[("SHOWRUNNER_HOST", "0.0.0.0"), keys]).unwrap().wants_api_keys());
    let unused = load(&[("SHOWRUNNER_AUTH", "none"), keys]).unwrap_err();
    assert!(unused.contains("SHOWRUNNER_AUTH=api_key"), "{unused}");
    let of_image = [("SHOWRUNNER_HOST", "0.0.0.0"), ("SHOWRUNNER_AUTH", "api_key_or_none")];
    assert!(!load(&of_image).unwrap().wants_api_keys());
    assert!(load(&[of_image.as_slice(), &[keys]].concat()).unwrap().wants_api_keys());
}

#[test]
fn all_faults_are_listed_at_once_and_an_unknown_names_value_is_not_repeated() {
    let message = load(&[
        ("SHOWRUNNER_PORT", "http"),
        ("SHOWRUNNER_WORKERS", "many"),
        ("SHOWRUNNER_API_KEY", "s3cret"),
    ])
    .unwrap_err();
    assert_eq!(message.lines().count(), 3, "{message}");
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn what_does_not_go_together_is_listed_with_the_rest_but_not_blamed_for_it() {
    let message = load(&[
        ("SHOWRUNNER_PORT", "http"),
        ("SHOWRUNNER_AUDIT_REQUIRED", "true"),
        ("SHOWRUNNER_TLS_CERT_FILE", "cert.pem"),
        ("SHOWRUNNER_LOG_FILE", "one"),
        // A wrong value: whether it goes together with the maximum nobody knows.
        ("SHOWRUNNER_DEVICE_TIMEOUT_DEFAULT", "soon"),
        ("SHOWRUNNER_DEVICE_TIMEOUT_MAX", "1"),
    ])
    .unwrap_err();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 4, "{message}");
    for want in ["SHOWRUNNER_PORT", "SHOWRUNNER_AUDIT_FILE", "SHOWRUNNER_TLS_KEY_FILE", "`soon`"] {
        assert!(message.contains(want), "{want}: {message}");
    }
    let one_port = [("SHOWRUNNER_PORT", "9000"), ("SHOWRUNNER_METRICS_PORT", "9000")];
    let message = load(&one_port).unwrap_err();
    assert!(message.contains("give each its own"), "{message}");
    let beside = [
        ("SHOWRUNNER_PORT", "9000"),
        ("SHOWRUNNER_METRICS_PORT", "9000"),
        ("SHOWRUNNER_METRICS_HOST", "127.0.0.2"),
    ];
    assert!(load(&beside).is_ok());
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let key = format!("sr_{}", "0a1b2c3d".repeat(8));
    let pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    for (name, value) in [
        ("SHOWRUNNER_API_KEYS_FILE", key.as_str()),
        ("SHOWRUNNER_TLS_KEY_FILE", pem),
        ("SHOWRUNNER_OTLP_ENDPOINT", "http://user:hunter2@collector"),
        ("SHOWRUNNER_OTLP_ENDPOINT", "https://collector/?token=hunter2"),
        ("SHOWRUNNER_HOST", "ssh://admin:hunter2@192.0.2.1"),
    ] {
        let message = load(&[(name, value)]).unwrap_err();
        let is_named = message.contains(&format!("{name} is a text that may hold a secret"));
        assert!(is_named && !message.contains("hunter2") && !message.contains("0a1b"), "{message}");
    }
    Jail::expect_with(|jail| {
        jail.clear_env();
        for line in
            ["password = \"hunter2", "password = hunter2", "port = {password = \"hunter2\"}"]
        {
            jail.create_file("s.toml", &format!("title = \"x\"\n{line}\n"))?;
            let message = arguments(&[("config_file", "s.toml")]).load().unwrap_err().to_string();
            assert!(message.contains("s.toml") && !message.contains("hunter2"), "{message}");
        }
        Ok(())
    });
}

#[test]
fn an_unknown_name_is_answered_with_the_one_that_was_meant() {
    for (written, meant) in [
        ("SHOWRUNNER_API_KEY", "API_KEYS_FILE?"),
        ("SHOWRUNNER_CONECT_TIMEOUT", "CONNECT_TIMEOUT?"),
        ("SHOWRUNNER_MAX_CONCURRENT", "MAX_CONCURRENT_DEVICES?"),
        ("SHOWRUNNER_PROT", "PORT?"),
        ("SHOWRUNNER_RETENTION", "LOG_RETENTION?"),
    ] {
        let message = load(&[(written, "1")]).unwrap_err();
        assert!(message.ends_with(&format!("did you mean SHOWRUNNER_{meant}")), "{message}");
    }
}

#[test]
fn every_setting_names_itself_its_value_and_what_would_be_right() {
    for row in Settings::rows().into_iter().filter(|row| row.want != "a text") {
        let (value, shown) = match row.want.as_str() {
            "a path" => ("a\nb", "a\\nb"),
            want if want.starts_with("a list") => ("[oops", "[oops"),
            _ => ("\u{fc}", "\u{fc}"),
        };
        let name = variable(row.name);
        let message = load(&[(&name, value)]).unwrap_err();
        assert_eq!(message, format!("{name} is `{shown}`, but must be {}", row.want));
    }
}

#[test]
fn faults_of_files_and_arguments_are_named_as_they_are_written_there() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file("s.toml", "connect_timeout = \"soon\"\n[log]\nlevel = \"info\"\n")?;
        let message = arguments(&[("config_file", "s.toml"), ("max_body_bytes", "0")])
            .load()
            .unwrap_err()
            .to_string();
        for want in [
            "connect_timeout in ",
            "is `soon`, but must be 1 to 300 seconds",
            "log in ",
            "--max-body-bytes is `0`, but must be 1 to 67108864 bytes",
        ] {
            assert!(message.contains(want), "{want}: {message}");
        }
        jail.create_file("s.toml", "port = \n")?;
        let message = arguments(&[("config_file", "s.toml")]).load().unwrap_err().to_string();
        assert!(message.starts_with("s.toml: ") || message.contains("s.toml: "), "{message}");
        jail.create_file(".env", "SHOWRUNNER_PORT 80\n")?;
        let message = Sources::default().load().unwrap_err().to_string();
        assert!(message.contains(".env: line 1 is not NAME=value"), "{message}");
        Ok(())
    });
}

#[test]
fn lists_are_arrays_or_texts_between_commas() {
    for text in [r#"["show a", "ios: show b*"]"#, "show a, ios: show b*"] {
        let settings = load(&[("SHOWRUNNER_COMMANDS_DENY", text)]).unwrap();
        assert_eq!(settings.commands_deny, ["show a", "ios: show b*"]);
    }
    assert!(load(&[("SHOWRUNNER_COMMANDS_DENY", "")]).unwrap().commands_deny.is_empty());
}

#[test]
fn every_default_is_within_its_own_row() {
    for row in Settings::rows() {
        let Some(default) = &row.default else { continue };
        let text = match default {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let variable = variable(row.name);
        assert!(load(&[(&variable, &text)]).is_ok(), "{variable}={text}");
        assert!(row.sentence.ends_with('.'), "{}", row.name);
    }
}
