//! A device model as data: prompts, pager, refusals, commands and what they print.
//!
//! Not here: what a typed line means (`grammar`) and what the terminal makes of it (`cli`).

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer};

use super::filter::Meaning;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../fixtures/personas/", $name, ".toml")))),*]
    };
}

/// Name and text of every persona in the program.
const EMBEDDED: &[(&str, &str)] = embedded![
    "arista_eos",
    "aruba_aoscx",
    "cisco_asa",
    "cisco_ios",
    "cisco_nxos",
    "cisco_wlc",
    "cisco_xe",
    "cisco_xr",
    "extreme_exos",
    "fortinet",
    "frr",
    "hp_comware",
    "huawei",
    "juniper_junos",
    "mikrotik_routeros",
    "nokia_sros",
    "paloalto_panos",
];

/// How one device model behaves.
///
/// In texts `{host}` and `{user}` stand for the device's and the user's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// The platform's name.
    pub platform: String,
    /// Host name in prompts, where the options have no other.
    pub hostname: String,
    pub(super) prompts: Prompts,
    /// Shown by SSH itself, before the login.
    #[serde(default)]
    pub(super) auth_banner: String,
    /// What whole lines print that ask for structured output, such as `show version | json`.
    #[serde(default)]
    pub(super) json: BTreeMap<String, String>,
    /// Printed before the first prompt.
    #[serde(default)]
    pub(super) motd: String,
    /// A line printed before each prompt, such as `{master:0}`.
    #[serde(default)]
    pub(super) line_before_prompt: String,
    /// Lines that end the session.
    pub(super) logout: Vec<String>,
    /// What is asked at logout; any answer ends the session.
    #[serde(default)]
    pub(super) logout_question: String,
    /// What is asked before the first prompt, under [`Fault::LoginDialog`](super::Fault::LoginDialog).
    pub(super) login_dialog: Option<LoginDialog>,
    /// The questions of a login in the terminal itself, where SSH asked nothing.
    #[serde(default)]
    pub(super) in_band: InBand,
    /// Lines that switch the pager off.
    #[serde(default)]
    pub(super) paging_off: Vec<String>,
    /// Lines that switch it on again.
    #[serde(default)]
    pub(super) paging_on: Vec<String>,
    /// Beginnings of lines that are taken without a word.
    #[serde(default)]
    pub(super) silent: Vec<String>,
    /// What is printed for lines that are taken.
    #[serde(default)]
    pub(super) says: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) terminal: Terminal,
    pub(super) pager: Option<Pager>,
    /// Printed for a line whose first word nobody knows; `{caret}`, `{line}`, `{word}`, `{token}`.
    pub(super) unknown: String,
    /// The same where a later word is wrong; `{cut}` if what stands from there on is echoed only as the last word.
    pub(super) invalid: Option<String>,
    /// For a word that may mean two things.
    pub(super) ambiguous: Option<String>,
    /// For a line that lacks its end.
    pub(super) incomplete: Option<String>,
    /// The device's filter words, and what they do.
    #[serde(default)]
    pub(super) filters: BTreeMap<String, Meaning>,
    /// A filter may stand behind another.
    #[serde(default)]
    pub(super) chains: bool,
    /// The filter stands before the command: `grep include "x" "show y"`.
    #[serde(default)]
    pub(super) filter_first: bool,
    /// What the counting filter prints.
    #[serde(default = "count_text")]
    pub(super) count_text: String,
    /// Beginnings of lines that open configuration mode.
    #[serde(default = "config_lines")]
    pub(super) config_lines: Vec<String>,
    #[serde(default)]
    pub(super) enable: Enable,
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
    /// `{n}` counts the lines of the session.
    pub(super) privileged: String,
    pub(super) config: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pager {
    /// `{first}`, `{last}`, `{percent}` of the lines shown.
    pub(super) marker: String,
    /// Printed after a key, before the next line.
    pub(super) wipe: String,
    pub(super) rows: usize,
    /// The height that the client says counts instead.
    #[serde(default)]
    pub(super) follows_client: bool,
    /// Shown at the end of an output that was paged; wants a key.
    #[serde(default)]
    pub(super) end_marker: String,
    /// The key that prints the rest at once.
    pub(super) all_key: Option<char>,
}

/// The line editor: how wide, and what happens to lines that are longer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Terminal {
    /// 0 if the device never breaks a line.
    pub(super) columns: usize,
    /// The width that the client says counts instead.
    pub(super) follows_client: bool,
    pub(super) long_lines: LongLines,
    /// Beginnings of lines that set the width, which stands behind.
    pub(super) width_lines: Vec<String>,
    /// A question mark is no character but asks for help.
    pub(super) help_key: bool,
    /// Redraws prompt and line after everything that is typed.
    pub(super) redraws: bool,
    /// Lines that end the redrawing.
    pub(super) plain_after: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum LongLines {
    /// The line goes on in the next row, behind CR LF.
    #[default]
    Break,
    /// The line goes on in the next row, behind a blank and a CR, as line editors of Unix do.
    BlankReturn,
    /// The line scrolls to the left behind a `$`.
    Scroll,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Enable {
    pub(super) line: String,
    pub(super) question: String,
    pub(super) denied: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct InBand {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) denied: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginDialog {
    pub(super) question: String,
    /// The keys that lead to the prompt; all others end the session.
    pub(super) keys: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    /// Words; one in angle brackets takes any word.
    pub(super) line: String,
    /// Refused in user mode.
    #[serde(default)]
    pub(super) privileged: bool,
    /// The device pauses where NUL stands, as long as its fault has it.
    #[serde(deserialize_with = "text")]
    pub(super) output: Arc<str>,
}

impl Default for Enable {
    fn default() -> Self {
        Self {
            line: "enable".to_owned(),
            question: "Password: ".to_owned(),
            denied: "% Access denied\n\n".to_owned(),
        }
    }
}

impl Default for InBand {
    fn default() -> Self {
        Self {
            username: "\nUsername: ".to_owned(),
            password: "Password: ".to_owned(),
            denied: "\n% Login invalid\n".to_owned(),
        }
    }
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
        let refuse = |reason: String| PersonaError { origin: origin.to_owned(), reason };
        let persona: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if persona.logout.is_empty() {
            return Err(refuse("`logout` has no line: nobody could leave".to_owned()));
        }
        if let Some(pager) = &persona.pager
            && (pager.marker.is_empty() || pager.rows < 2)
        {
            return Err(refuse("`pager` needs a marker and two rows or more".to_owned()));
        }
        if persona.prompts.privileged.trim().is_empty() {
            return Err(refuse("`prompts.privileged` is empty".to_owned()));
        }
        let mut lines: Vec<&str> = persona.command.iter().map(|one| one.line.as_str()).collect();
        lines.sort_unstable();
        if let Some(twice) = lines.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(refuse(format!("`{}` stands there twice", twice.concat())));
        }
        Ok(persona)
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

    /// The lines that the device knows and prints something for.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.command.iter().map(|command| command.line.as_str())
    }

    /// What the device prints for the line that is written so in its persona, with LF.
    #[must_use]
    pub fn output(&self, line: &str) -> Option<&str> {
        self.command.iter().find(|command| command.line == line).map(|found| &*found.output)
    }
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(from).map(Arc::from)
}

fn count_text() -> String {
    "Number of lines which match regexp = {n}".to_owned()
}

fn config_lines() -> Vec<String> {
    ["configure", "config t", "conf t", "system-view"].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "platform = \"x\"\nhostname = \"h\"\nlogout = [\"exit\"]\nunknown = \"?\"\n\
        command = []\n[prompts]\nprivileged = \"{host}#\"\nconfig = \"{host}(config)#\"\n";

    #[test]
    fn every_embedded_persona_is_one_with_a_good_many_commands() {
        for (name, text) in EMBEDDED {
            let persona = Persona::from_toml(text, name).unwrap();
            assert_eq!(persona.platform, *name);
            assert!(persona.command.len() >= 8, "{name}: {}", persona.command.len());
            for command in &persona.command {
                assert!(command.output.ends_with('\n'), "{name} {}", command.line);
                assert!(!command.output.contains('\r'), "{name} {}", command.line);
            }
        }
        assert!(EMBEDDED.is_sorted());
    }

    #[test]
    fn every_embedded_persona_has_an_output_longer_than_its_page() {
        for name in Persona::names() {
            let persona = Persona::embedded(name).unwrap();
            let longest = persona.command.iter().map(|one| one.output.lines().count()).max();
            let rows = persona.pager.as_ref().map_or(24, |pager| pager.rows);
            assert!(longest.unwrap() > rows, "{name} has nothing to page");
        }
    }

    #[test]
    fn addresses_are_those_that_documents_may_use() {
        let address = regex::Regex::new(r"\b(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}\b").unwrap();
        let allowed = ["192.0.2", "198.51.100", "203.0.113", "255.255.255", "0.0.0", "127.0.0"];
        let masks = ["255.255.0", "255.0.0", "0.0.255", "224.0.0"];
        for (name, text) in EMBEDDED {
            // Releases and object identifiers have the shape of addresses too.
            let looks = |line: &&str| {
                !["ersion", "BootROM", "ObjectID"].iter().any(|word| line.contains(word))
            };
            for line in text.lines().filter(looks) {
                for found in address.captures_iter(line) {
                    let network = found.get(1).unwrap().as_str();
                    let known = allowed.contains(&network) || masks.contains(&network);
                    let before = line.split_at(found.get(0).unwrap().start()).0.chars().next_back();
                    let part = before.is_some_and(|c| c.is_alphanumeric() || "-._".contains(c));
                    assert!(known || part, "{name}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_no_persona_is_refused_with_its_origin_and_the_reason() {
        let cases = [
            ("nonsense", LEAST.replace("hostname", "hostnam"), "hostnam"),
            ("no way out", LEAST.replace("[\"exit\"]", "[]"), "logout"),
            ("an empty prompt", LEAST.replace("\"{host}#\"", "\"\""), "prompts.privileged"),
            (
                "a pager of one row",
                format!("{LEAST}[pager]\nmarker=\"m\"\nwipe=\"\"\nrows=1\n"),
                "pager",
            ),
            (
                "a command twice",
                LEAST.replace("command = []\n", "")
                    + &"[[command]]\nline = \"show x\"\noutput = \"\"\n".repeat(2),
                "show x",
            ),
            ("an unknown filter", format!("{LEAST}[filters]\ninclude = \"eat\"\n"), "eat"),
        ];
        Persona::from_toml(LEAST, "least").unwrap();
        for (name, text, words) in cases {
            let error = Persona::from_toml(&text, "lab.toml").unwrap_err().to_string();
            assert!(error.starts_with("lab.toml: "), "{name}: {error}");
            assert!(error.contains(words), "{name}: {error}");
        }
    }
}
