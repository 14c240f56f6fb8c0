//! The file of jump hosts: TOML with `[[jump]]` for each and `[[rule]]` for the devices behind them.
//!
//! Secrets are files of their own, as secret stores mount them; the file itself holds none.

use std::{fs, path::Path, sync::Arc};

use serde::Deserialize;

use crate::{
    certificate::Certificate,
    device::{Credentials, Host, Login, PrivateKey},
    host_key::{HostKeyCheck, HostKeyRules, Pin, Proof},
    jump::{Hop, JumpRule, JumpRules, MOST_HOPS},
    profile::SshProfile,
    secret::{Secret, without_line_end},
    target::network,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JumpsFile {
    #[serde(default)]
    jump: Vec<JumpEntry>,
    #[serde(default)]
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JumpEntry {
    name: String,
    hostname: String,
    #[serde(default = "ssh_port")]
    port: u16,
    username: String,
    password_file: Option<String>,
    private_key_file: Option<String>,
    private_key_passphrase_file: Option<String>,
    certificate_file: Option<String>,
    #[serde(default)]
    ssh_profile: SshProfile,
    host_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    via: Vec<String>,
    #[serde(default)]
    resolve: Resolve,
}

/// Who looks names up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Resolve {
    /// The service.
    #[default]
    Here,
    /// The last host on the way.
    There,
}

fn ssh_port() -> u16 {
    22
}

/// Reads the file; paths in it are from its own folder.
///
/// # Errors
/// What is wrong and at which entry; never a secret.
pub(super) fn read(path: &Path, host_keys: &Arc<HostKeyRules>) -> Result<JumpRules, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    // Without the line itself, which the parser would show.
    let file: JumpsFile = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut rules = JumpRules::default();
    for entry in file.jump {
        let name = entry.name.clone();
        if rules.named(&name).is_some() {
            return Err(format!("jump `{name}`: the name is taken"));
        }
        let hop = entry.hop(folder, host_keys).map_err(|why| format!("jump `{name}`: {why}"))?;
        rules.named.push((name, hop));
    }
    for (index, entry) in file.rule.into_iter().enumerate() {
        let failed = |why: String| format!("rule {}: {why}", index + 1);
        let rule = entry.rule(&rules).map_err(failed)?;
        rules.rules.push(rule);
    }
    Ok(rules)
}

impl JumpEntry {
    fn hop(self, folder: &Path, host_keys: &Arc<HostKeyRules>) -> Result<Hop, String> {
        let secret = |file: Option<String>| {
            file.map(|file| {
                let text = fs::read_to_string(folder.join(&file));
                text.map(Secret::new).map_err(|error| format!("{file}: {error}"))
            })
            .transpose()
        };
        let word = |file| {
            let read = secret(file)?;
            read.map(|word| match without_line_end(word.expose()) {
                "" => Err("a password's file is empty".to_owned()),
                word => Ok(Secret::new(word.to_owned())),
            })
            .transpose()
        };
        let (password, key) = (word(self.password_file)?, secret(self.private_key_file)?);
        let passphrase = word(self.private_key_passphrase_file)?;
        let certificate = self.certificate_file.map(|file| {
            let text = fs::read_to_string(folder.join(&file)).map_err(|error| error.to_string());
            let read = |text: String| Certificate::parse(&text).map_err(|error| error.to_string());
            text.and_then(read).map_err(|error| format!("{file}: {error}"))
        });
        let certificate = certificate.transpose()?;
        if certificate.is_some() && key.is_none() {
            return Err("`certificate_file` goes with `private_key_file`".to_owned());
        }
        if password.is_none() && key.is_none() {
            return Err("give `password_file` or `private_key_file`".to_owned());
        }
        if self.username.is_empty() || self.username.chars().any(char::is_control) {
            return Err("`username` is none".to_owned());
        }
        let pin = self.host_key.map(|pin| Pin::parse(&pin).map_err(|error| error.to_string()));
        Ok(Hop {
            host: Host::parse(&self.hostname).map_err(|error| error.to_string())?,
            port: self.port,
            login: Login::Given(Box::new(Credentials {
                username: self.username,
                password,
                private_key: key.map(|text| PrivateKey { text, passphrase, certificate }),
                enable_password: None,
                more_keys: Vec::new(),
            })),
            profile: self.ssh_profile,
            host_key: HostKeyCheck {
                pin: pin.transpose()?,
                proof: Proof::Policy,
                rules: Arc::clone(host_keys),
                alias: None,
            },
            is_own: true,
            connect_timeout: None,
            resolves_there: false,
        })
    }
}

impl RuleEntry {
    fn rule(self, known: &JumpRules) -> Result<JumpRule, String> {
        if self.targets.is_empty() && self.names.is_empty() {
            return Err("give `targets` or `names`".to_owned());
        }
        if self.via.len() > MOST_HOPS {
            return Err(format!("at most {MOST_HOPS} jump hosts are gone through"));
        }
        let resolves_there = self.resolve == Resolve::There;
        if resolves_there
            && (self.names.is_empty() || !self.targets.is_empty() || self.via.is_empty())
        {
            return Err("`resolve = \"there\"` goes with `names` and `via`, and without `targets`: no address is known before".to_owned());
        }
        let target = |text: &String| network(text).ok_or(format!("`{text}` is no network"));
        let hop = |name: &String| {
            let hop = known.named(name).ok_or_else(|| format!("no jump `{name}`"))?;
            Ok::<_, String>(Hop { resolves_there, ..hop.clone() })
        };
        Ok(JumpRule {
            targets: self.targets.iter().map(target).collect::<Result<_, _>>()?,
            via: self.via.iter().map(hop).collect::<Result<_, _>>()?,
            names: self.names,
            resolves_there,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<JumpRules, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), "hunter2\n").unwrap();
        fs::write(folder.path().join("empty"), "\n").unwrap();
        let path = folder.path().join("jumps.toml");
        fs::write(&path, text).unwrap();
        read(&path, &Arc::default())
    }

    const JUMP: &str = "[[jump]]\nname = \"b1\"\nhostname = \"192.0.2.1\"\nusername = \"u\"\npassword_file = \"password\"\n";

    #[test]
    fn jump_hosts_and_rules_are_read_with_their_secrets() {
        let rules = load(&format!("{JUMP}[[rule]]\ntargets = [\"10.0.0.0/8\"]\nvia = [\"b1\"]\n"));
        let rules = rules.unwrap();
        let hop = rules.named("b1").unwrap();
        let Login::Given(credentials) = &hop.login else { panic!("{hop:?}") };
        assert_eq!(credentials.password.as_ref().unwrap().expose(), "hunter2");
        assert_eq!((hop.port, hop.is_own, rules.rules[0].via.len()), (22, true, 1));
    }

    #[test]
    fn a_broken_file_names_the_entry_and_no_secret() {
        for (text, want) in [
            (JUMP.replace("password_file", "password"), "unknown field `password`"),
            (JUMP.replace("\"password\"", "\"gone\""), "jump `b1`: gone: "),
            (JUMP.replace("\"password\"", "\"empty\""), "jump `b1`: a password's file is empty"),
            (JUMP.replace("password_file = \"password\"\n", ""), "jump `b1`: give `password_file`"),
            (JUMP.replace("192.0.2.1", "127.1"), "jump `b1`: Invalid hostname"),
            (format!("{JUMP}{JUMP}"), "jump `b1`: the name is taken"),
            (format!("{JUMP}host_key = \"MD5:1\"\n"), "jump `b1`: MD5"),
            (format!("{JUMP}[[rule]]\nvia = [\"b1\"]\n"), "rule 1: give `targets`"),
            (format!("{JUMP}[[rule]]\nnames = [\"*\"]\nvia = [\"b2\"]\n"), "rule 1: no jump `b2`"),
            (
                format!("{JUMP}[[rule]]\nnames = [\"*\"]\nvia = []\nresolve = \"there\"\n"),
                "rule 1: `resolve",
            ),
            (
                format!(
                    "{JUMP}[[rule]]\nnames = [\"*\"]\ntargets = [\"10.0.0.0/8\"]\nvia = [\"b1\"]\nresolve = \"there\"\n"
                ),
                "rule 1: `resolve",
            ),
            (format!("{JUMP}[[rule]]\ntargets = [\"x\"]\nvia = []\n"), "rule 1: `x` is no network"),
        ] {
            let error = load(&text).map(drop).unwrap_err();
            assert!(error.contains(want) && !error.contains("hunter2"), "{want}: {error}");
        }
    }
}
