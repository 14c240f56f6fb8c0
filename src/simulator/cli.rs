//! The command line of a simulated device: bytes typed in, bytes shown out. Pure; the server moves the bytes.

use std::sync::Arc;

use super::{fault::Fault, persona::Persona};
use crate::output::filter::{Filter, Kind};

/// What the device does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    Show(Vec<u8>),
    /// Ends the session; the connection too.
    HangUp,
    /// The same, as the logout line asked for.
    LogOut,
    /// Never does anything again.
    Freeze,
}

#[expect(clippy::struct_excessive_bools, reason = "a terminal has that many switches")]
pub(crate) struct Cli {
    persona: Arc<Persona>,
    host: String,
    enable_password: Option<String>,
    faults: Vec<Fault>,
    state: State,
    privileged: bool,
    paging: bool,
    line: Vec<u8>,
    echoed: usize,
    last_was_cr: bool,
    shown: Vec<u8>,
    acts: Vec<Act>,
    logged_out: bool,
    left_a_level: bool,
}

enum State {
    Prompt,
    EnableSecret,
    Config,
    Pager(Vec<String>),
    Stuck,
}

impl Cli {
    pub(crate) fn new(
        persona: Arc<Persona>,
        host: String,
        enable_password: Option<String>,
        faults: Vec<Fault>,
    ) -> Self {
        let privileged = persona.prompts.user.is_none() || enable_password.is_none();
        Self {
            persona,
            host,
            enable_password,
            faults,
            state: State::Prompt,
            privileged,
            paging: true,
            line: Vec::new(),
            echoed: 0,
            last_was_cr: false,
            shown: Vec::new(),
            acts: Vec::new(),
            logged_out: false,
            left_a_level: false,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// What is shown when the shell opens.
    pub(crate) fn start(&mut self) -> Vec<Act> {
        if self.has(Fault::NoPrompt) {
            return vec![Act::Freeze];
        }
        if self.has(Fault::SessionLimit) {
            self.show("\r\nCLI session limit 32 reached. Please try again later.\r\n");
            self.act(Act::HangUp);
            return self.done();
        }
        let motd = self.persona.motd.clone();
        self.show_lines(&motd);
        if self.has(Fault::PromptArt) {
            let prompt = self.prompt();
            self.show(&format!("\r\n{prompt}\r\n##########\r\nnot-a-host#\r\nadmin@fake>\r\n"));
        }
        if self.has(Fault::CloseBeforePrompt) {
            self.act(Act::HangUp);
        } else {
            self.show_prompt();
        }
        self.done()
    }

    /// Takes what was typed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Act> {
        for &byte in bytes {
            if self.logged_out || matches!(self.state, State::Stuck) {
                break;
            }
            if byte == b'\n' && std::mem::take(&mut self.last_was_cr) {
                continue;
            }
            self.last_was_cr = byte == b'\r';
            match &mut self.state {
                State::Pager(_) => self.pager_key(byte),
                State::EnableSecret => match byte {
                    b'\r' | b'\n' => self.enable_secret(),
                    _ => self.line.push(byte),
                },
                _ => match byte {
                    b'\r' | b'\n' => self.enter(),
                    _ => {
                        self.line.push(byte);
                        self.echo(byte);
                    }
                },
            }
        }
        self.done()
    }

    fn done(&mut self) -> Vec<Act> {
        self.flush();
        std::mem::take(&mut self.acts)
    }

    fn flush(&mut self) {
        if !self.shown.is_empty() {
            self.acts.push(Act::Show(std::mem::take(&mut self.shown)));
        }
    }

    fn act(&mut self, act: Act) {
        self.flush();
        self.acts.push(act);
    }

    fn show(&mut self, text: &str) {
        self.shown.extend_from_slice(text.as_bytes());
    }

    /// Shows text with the device's line ends.
    fn show_lines(&mut self, text: &str) {
        let end = if self.persona.extra_cr { "\r\r\n" } else { "\r\n" };
        for line in text.lines() {
            self.show(line);
            self.show(end);
        }
    }

    fn echo(&mut self, byte: u8) {
        if self.has(Fault::NoEcho) {
            return;
        }
        self.shown.push(byte);
        self.echoed += 1;
        if self.has(Fault::WrappedEcho) && self.echoed.is_multiple_of(40) {
            self.show("\r\n");
        }
    }

    fn prompt(&self) -> String {
        let prompts = &self.persona.prompts;
        let prompt = match (&self.state, &prompts.user) {
            (State::Config, _) => &prompts.config,
            (_, Some(user)) if !self.privileged => user,
            _ => &prompts.privileged,
        };
        prompt.replace("{host}", &self.host)
    }

    fn show_prompt(&mut self) {
        let before = self.persona.line_before_prompt.clone();
        if !before.is_empty() {
            self.show(&format!("\r\n{before}\r\n"));
        }
        let prompt = self.prompt();
        if self.has(Fault::AnsiPrompt) {
            self.show(&format!("\x1b]0;{prompt}\x07\x1b[1;32m{prompt}\x1b[0m"));
        } else {
            self.show(&prompt);
        }
    }

    fn enter(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        self.echoed = 0;
        self.show("\r\n");
        if self.has(Fault::EchoTwice) && !line.trim().is_empty() {
            self.show(&format!("{line}\r\n"));
        }
        self.run(line.trim());
        if matches!(self.state, State::Prompt | State::Config) && !self.logged_out {
            self.show_prompt();
        }
    }

    fn run(&mut self, line: &str) {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let persona = Arc::clone(&self.persona);
        let is = |lines: &[String]| lines.iter().any(|known| known.eq_ignore_ascii_case(&words));
        if words.is_empty() {
        } else if is(&persona.logout) {
            if self.has(Fault::LogoutTwice) && !std::mem::replace(&mut self.left_a_level, true) {
            } else if self.has(Fault::IgnoreLogout) {
                self.state = State::Stuck;
            } else {
                self.logged_out = true;
                self.act(Act::LogOut);
            }
        } else if is(&persona.paging_off) && !self.has(Fault::PagingOffRefused) {
            self.paging = false;
        } else if persona.silent.iter().any(|known| words.starts_with(known.as_str())) {
        } else if words == "enable" && persona.prompts.user.is_some() {
            if self.enable_password.is_some() && !self.privileged {
                self.state = State::EnableSecret;
                self.show("Password: ");
            } else {
                self.privileged = true;
            }
        } else if ["configure terminal", "conf t", "configure", "system-view"]
            .contains(&words.as_str())
        {
            self.state = State::Config;
        } else {
            self.command(line);
        }
    }

    fn command(&mut self, line: &str) {
        let persona = Arc::clone(&self.persona);
        let (base, stages) = match line.split_once('|') {
            Some((base, stages)) => (base.trim(), Some(stages.trim())),
            None => (line, None),
        };
        let output = match base.strip_prefix("show simulator lines ").map(str::parse::<usize>) {
            Some(Ok(lines)) => Some(numbered_lines(lines)),
            _ => persona.find(base).map(|command| command.output.clone()),
        };
        let output = output.and_then(|text| match stages {
            Some(stages) => self.filtered(text, stages),
            None => Some(text),
        });
        let Some(text) = output else {
            let at = self.prompt().len() + persona.fault_at(base);
            let unknown = persona
                .unknown
                .replace("{caret}", &format!("{}^", " ".repeat(at)))
                .replace("{line}", line)
                .replace("{word}", base.get(persona.fault_at(base)..).unwrap_or_default());
            self.show_lines(&unknown);
            return;
        };
        self.print(&text);
    }

    fn print(&mut self, text: &str) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let middle = lines.len() / 2;
        if self.has(Fault::FakePrompt) {
            let prompt = self.prompt();
            lines.insert(middle, prompt);
        }
        if self.has(Fault::SyslogInOutput) {
            lines.insert(
                middle,
                "*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console".to_owned(),
            );
        }
        if self.has(Fault::SyslogBehindEcho) {
            lines.insert(0, "*Nov 21 10:00:00.123: %LINK-3-UPDOWN: Interface Gi0/1, up".to_owned());
        }
        if self.has(Fault::CloseInOutput) {
            for line in lines.iter().take(middle.max(1)) {
                self.show(&format!("{line}\r\n"));
            }
            self.logged_out = true;
            self.act(Act::HangUp);
            return;
        }
        if self.has(Fault::InvalidUtf8) {
            self.shown.extend_from_slice(b"bad \xff\xfe bytes\r\n");
        }
        self.page(lines);
        let question = [
            (Fault::ConfirmQuestion, "Proceed? [confirm]"),
            (Fault::PasswordQuestion, "Password: "),
            (Fault::ShellPrompt, "bash-4.4$ "),
        ];
        for (fault, text) in question {
            if self.has(fault) {
                self.show(text);
                self.state = State::Stuck;
            }
        }
        if self.has(Fault::FrozenCommand) {
            self.state = State::Stuck;
        }
        if self.has(Fault::ConfigPrompt) {
            self.state = State::Config;
        }
    }

    /// Shows lines, one screenful at a time while the pager is on.
    fn page(&mut self, lines: Vec<String>) {
        let pager =
            self.persona.pager.clone().filter(|pager| self.paging && lines.len() > pager.rows);
        let Some(pager) = pager else {
            self.state = State::Prompt;
            for line in lines {
                self.show_lines(if line.is_empty() { "\n" } else { &line });
            }
            return;
        };
        let mut lines = lines;
        let rest = lines.split_off(pager.rows);
        for line in lines {
            self.show_lines(if line.is_empty() { "\n" } else { &line });
        }
        self.show(&pager.marker);
        self.state = State::Pager(rest);
    }

    fn pager_key(&mut self, key: u8) {
        let State::Pager(rest) = std::mem::replace(&mut self.state, State::Prompt) else { return };
        let wipe = self.persona.pager.as_ref().map(|pager| pager.wipe.clone()).unwrap_or_default();
        self.show(&wipe);
        if key == b' ' {
            self.page(rest);
        }
        if matches!(self.state, State::Prompt) {
            self.show_prompt();
        }
    }

    fn enable_secret(&mut self) {
        let secret = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        self.show("\r\n");
        self.state = State::Prompt;
        if self.enable_password.as_deref() == Some(&secret) {
            self.privileged = true;
        } else {
            self.show("% Access denied\r\n\r\n");
        }
        self.show_prompt();
    }

    /// The device's own filters; `None` for one it does not know.
    fn filtered(&self, text: String, stages: &str) -> Option<String> {
        let mut text = text;
        for stage in split_stages(stages) {
            let (word, pattern) = stage.split_once(' ').unwrap_or((stage, ""));
            let word = word.to_ascii_lowercase();
            let mut known = self.persona.filters.iter().filter(|(name, _)| name.starts_with(&word));
            let exact = self.persona.filters.get(&word);
            let ((Some(meaning), ..) | (None, Some((_, meaning)), None)) =
                (exact, known.next(), known.next())
            else {
                return None;
            };
            let kind = match meaning.as_str() {
                "include" => Kind::Include,
                "exclude" => Kind::Exclude,
                "begin" => Kind::Begin,
                "section" => Kind::Section,
                "count" => Kind::Count,
                _ => continue,
            };
            let pattern = pattern.trim().trim_matches('"').trim_matches('\'');
            text = Filter::new(kind, pattern).ok()?.apply(&text).into_owned();
        }
        Some(text)
    }
}

/// Stages are parted by bars with blanks around them; other bars are alternatives.
fn split_stages(stages: &str) -> impl Iterator<Item = &str> {
    stages.split(" | ").map(str::trim)
}

fn numbered_lines(lines: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(lines * 64);
    for line in 1..=lines.min(2_000_000) {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{line:08} GigabitEthernet0/{line} is up, line protocol is up, 0 errors"
        );
    }
    text
}
