//! A device model as data: prompts, pager, refusals, commands and what they print.

use std::collections::BTreeMap;

use serde::Deserialize;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../fixtures/personas/", $name, ".toml")))),*]
    };
}

/// Name and text of every persona in the program.
const EMBEDDED: &[(&str, &str)] = embedded![
    "arista_eos",
    "cisco_asa",
    "cisco_ios",
    "cisco_nxos",
    "cisco_xe",
    "cisco_xr",
    "fortinet",
    "frr",
    "huawei",
    "juniper_junos",
    "paloalto_panos",
];

/// How one device model behaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// The platform's name.
    pub platform: String,
    /// Host name in prompts, where the options have no other.
    pub hostname: String,
    pub(super) prompts: Prompts,
    /// Printed before the first prompt.
    #[serde(default)]
    pub(super) motd: String,
    /// A line printed before each prompt, such as `{master:0}`.
    #[serde(default)]
    pub(super) line_before_prompt: String,
    /// Lines that end the session.
    pub(super) logout: Vec<String>,
    /// Lines that switch the pager off.
    #[serde(default)]
    pub(super) paging_off: Vec<String>,
    /// Beginnings of lines that are taken without a word.
    #[serde(default)]
    pub(super) silent: Vec<String>,
    pub(super) pager: Option<Pager>,
    pub(super) unknown: String,
    /// The device's filter words, and what they do: include, exclude, begin, section, count or nothing.
    #[serde(default)]
    pub(super) filters: BTreeMap<String, String>,
    /// Prints a lone CR before each line end.
    #[serde(default)]
    pub(super) extra_cr: bool,
    pub(super) command: Vec<Command>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prompts {
    /// None for platforms that know one level only.
    pub(super) user: Option<String>,
    pub(super) privileged: String,
    pub(super) config: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pager {
    pub(super) marker: String,
    /// Printed after a key, before the next line.
    pub(super) wipe: String,
    pub(super) rows: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) line: String,
    pub(super) output: String,
}

/// The text of a persona is not one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{origin}: {reason}")]
pub struct PersonaError {
    origin: String,
    reason: String,
}

impl Persona {
    /// # Errors
    /// What is wrong, and where in `origin`.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, PersonaError> {
        toml::from_str(text)
            .map_err(|error| PersonaError { origin: origin.to_owned(), reason: error.to_string() })
    }

    /// The persona of a platform that is part of the program.
    #[must_use]
    pub fn embedded(platform: &str) -> Option<Self> {
        let (name, text) = EMBEDDED.iter().find(|(name, _)| *name == platform)?;
        Self::from_toml(text, name).ok()
    }

    /// Platforms with an embedded persona.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// The command that `line` means, abbreviations taken: exact words beat prefixes, and only one may fit.
    pub(super) fn find(&self, line: &str) -> Option<&Command> {
        let typed: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
        let mut found: Option<(usize, &Command)> = None;
        for command in &self.command {
            let words: Vec<String> =
                command.line.split_whitespace().map(str::to_ascii_lowercase).collect();
            if words.len() != typed.len()
                || !typed.iter().zip(&words).all(|(t, w)| w.starts_with(t.as_str()))
            {
                continue;
            }
            let exact = typed.iter().zip(&words).filter(|(t, w)| t == w).count();
            match found {
                Some((best, _)) if best > exact => {}
                Some((best, _)) if best == exact => return None,
                _ => found = Some((exact, command)),
            }
        }
        found.map(|(_, command)| command)
    }

    /// Where in `line` the first word stands that no command begins with.
    pub(super) fn fault_at(&self, line: &str) -> usize {
        let mut at = 0;
        let mut typed: Vec<&str> = Vec::new();
        for word in line.split_whitespace() {
            typed.push(word);
            let begins = self.command.iter().any(|command| {
                let words: Vec<&str> = command.line.split_whitespace().collect();
                words.len() >= typed.len()
                    && typed.iter().zip(words).all(|(t, w)| w.starts_with(&t.to_ascii_lowercase()))
            });
            if !begins {
                break;
            }
            at += word.len() + 1;
        }
        at.min(line.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_persona_is_one_and_prints_at_its_prompt() {
        for name in Persona::names() {
            let (_, text) = EMBEDDED.iter().find(|(known, _)| *known == name).unwrap();
            let persona = Persona::from_toml(text, name).unwrap();
            assert_eq!(persona.platform, name);
            assert!(persona.command.len() >= 3, "{name}");
            assert!(!persona.logout.is_empty(), "{name}");
        }
    }

    #[test]
    fn abbreviations_mean_the_one_command_that_fits() {
        let persona = Persona::embedded("cisco_ios").unwrap();
        for (typed, want) in [
            ("sh ver", Some("show version")),
            ("show version", Some("show version")),
            ("SHOW IP INT BR", Some("show ip interface brief")),
            ("show nonsense", None),
            ("show", None),
        ] {
            assert_eq!(persona.find(typed).map(|found| found.line.as_str()), want, "{typed}");
        }
    }
}
