//! The command line of a simulated device: bytes typed in, bytes shown out. Pure; the server moves the bytes.
//!
//! Typed bytes are read one after the other, each by what the device is doing just then: the line editor at the
//! prompt, the pager at its marker, nobody while the device is stuck. So bytes typed ahead are echoed when the
//! prompt is back, as terminals do.

use std::{sync::Arc, time::Duration};

use super::{
    editor::{Echo, Editor, Key},
    fault::Fault,
    persona::{LongLines, Persona},
    printing::Printing,
};

mod lines;
mod pages;

const LOG_IN_OUTPUT: &str = "*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console";

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

pub(crate) struct Cli {
    persona: Arc<Persona>,
    host: String,
    user: String,
    enable_password: Option<String>,
    login: Option<(String, String)>,
    faults: Vec<Fault>,
    state: State,
    privileged: bool,
    paging: bool,
    rows: Option<usize>,
    editor: Editor,
    printing: Option<Printing>,
    /// Typed while the device was printing.
    ahead: Vec<u8>,
    /// Lines entered so far.
    entered: usize,
    /// The command whose output is printed.
    asked: String,
    /// Outputs shown so far.
    outputs: usize,
    left_a_level: bool,
    shown: Vec<u8>,
    acts: Vec<Act>,
}

#[derive(Debug)]
enum State {
    LoginName,
    LoginPassword { name: Vec<u8> },
    LoginDialog,
    Prompt,
    EnableSecret,
    Config,
    Printing,
    Pager,
    PagerEnd,
    LogoutQuestion,
    Stuck,
    Over,
}

impl Cli {
    pub(crate) fn new(
        persona: Arc<Persona>,
        host: String,
        enable_password: Option<String>,
        faults: Vec<Fault>,
    ) -> Self {
        let privileged = persona.prompts.user.is_none() || enable_password.is_none();
        let mut editor = Editor::new();
        editor.columns = persona.terminal.columns;
        editor.long_lines = persona.terminal.long_lines;
        editor.help_key = persona.terminal.help_key;
        let mut cli = Self {
            persona,
            host,
            user: "demo".to_owned(),
            enable_password,
            login: None,
            faults,
            state: State::Prompt,
            privileged,
            paging: true,
            rows: None,
            editor,
            printing: None,
            ahead: Vec::new(),
            entered: 0,
            asked: String::new(),
            outputs: 0,
            left_a_level: false,
            shown: Vec::new(),
            acts: Vec::new(),
        };
        cli.editor.echo = cli.echo();
        if cli.has(Fault::WidthRefused) {
            cli.editor.columns = 80;
            cli.editor.long_lines = LongLines::Break;
        } else if cli.has(Fault::ScrolledEcho) {
            cli.editor.columns = 80;
            cli.editor.long_lines = LongLines::Scroll;
        }
        cli
    }

    /// The name that prompts show.
    pub(super) fn for_user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Asks for name and password in the terminal, as where SSH asked for nothing.
    pub(super) fn with_login(mut self, username: &str, password: &str) -> Self {
        self.login = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// The client's terminal has this size.
    pub(super) fn resize(&mut self, columns: u32, rows: u32) {
        let fixed = self.has(Fault::WidthRefused) || self.has(Fault::ScrolledEcho);
        if self.persona.terminal.follows_client && !fixed {
            self.editor.columns = columns as usize;
        }
        self.rows = (rows > 1).then_some(rows as usize);
    }

    /// What is shown when the shell opens.
    pub(crate) fn start(&mut self) -> Vec<Act> {
        if self.has(Fault::NoPrompt) {
            self.state = State::Stuck;
            return vec![Act::Freeze];
        }
        if self.has(Fault::SessionLimit) {
            self.show("\r\nCLI session limit 32 reached. Please try again later.\r\n");
            self.end(Act::HangUp);
        } else if self.login.is_some() {
            self.ask_name();
        } else {
            self.welcome();
        }
        self.done()
    }

    /// Takes what was typed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Act> {
        for (at, &byte) in bytes.iter().enumerate() {
            if matches!(self.state, State::Printing) {
                self.ahead.extend_from_slice(bytes.get(at..).unwrap_or_default());
                break;
            }
            self.take(byte);
        }
        self.editor.redraw_if_dirty(&mut self.shown);
        self.done()
    }

    /// Goes on with an output that is too long for one turn; nothing if there is none.
    pub(super) fn more(&mut self) -> Vec<Act> {
        if !matches!(self.state, State::Printing) {
            return Vec::new();
        }
        self.print_on();
        if !matches!(self.state, State::Printing) {
            let ahead = std::mem::take(&mut self.ahead);
            return self.feed(&ahead);
        }
        self.done()
    }

    /// How long the device waits between two showings of one turn.
    pub(super) fn pause(&self) -> Duration {
        let pauses =
            [(Fault::SlowPrompt, 2_000), (Fault::FakePromptPause, 400), (Fault::SlowOutput, 330)];
        let longest = pauses.into_iter().find(|(fault, _)| self.has(*fault));
        Duration::from_millis(longest.map_or(0, |(_, millis)| millis))
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn take(&mut self, byte: u8) {
        let is_key = self.editor.is_key(byte);
        if !is_key {
            return;
        }
        match self.state {
            State::Stuck | State::Over | State::Printing => {}
            State::Pager => self.pager_key(byte),
            State::PagerEnd => self.pager_end_key(byte),
            State::LogoutQuestion => self.end(Act::LogOut),
            State::LoginDialog => self.dialog_key(byte),
            _ => match self.editor.key(byte, &mut self.shown) {
                Key::Enter(line) => self.enter(&line),
                Key::Abort => {
                    self.show("\r\n");
                    if matches!(self.state, State::Prompt | State::Config) {
                        self.show_prompt();
                    }
                }
                Key::Help => self.help(),
                Key::Other => {}
            },
        }
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

    fn end(&mut self, act: Act) {
        self.flush();
        self.acts.push(act);
        self.state = State::Over;
    }

    fn show(&mut self, text: &str) {
        self.shown.extend_from_slice(text.as_bytes());
    }

    /// Shows text with the device's line ends; one that ends in no line end is a question.
    fn show_lines(&mut self, text: &str) {
        let text = self.filled(text);
        for line in text.split_inclusive('\n') {
            self.show(line.trim_end_matches('\n'));
            if line.ends_with('\n') {
                self.show_end();
            }
        }
    }

    fn show_end(&mut self) {
        let end: &[u8] = if self.has(Fault::LfOnly) {
            b"\n"
        } else if self.persona.extra_cr || self.has(Fault::CrCrLf) {
            b"\r\r\n"
        } else {
            b"\r\n"
        };
        self.shown.extend_from_slice(end);
    }

    fn filled(&self, text: &str) -> String {
        if text.contains('{') {
            text.replace("{host}", &self.host).replace("{user}", &self.user)
        } else {
            text.to_owned()
        }
    }

    fn echo(&self) -> Echo {
        if self.has(Fault::NoEcho) {
            Echo::Hidden
        } else if self.has(Fault::WrappedEcho) {
            Echo::Pieces(40)
        } else if self.has(Fault::RedrawnEcho) || self.persona.terminal.redraws {
            Echo::Redrawn
        } else {
            Echo::Plain
        }
    }

    fn welcome(&mut self) {
        let motd = self.persona.motd.clone();
        if self.has(Fault::CloseInMotd) {
            let lines: Vec<&str> = motd.split_inclusive('\n').collect();
            let half: String = lines.iter().take(lines.len().div_ceil(2)).copied().collect();
            self.show_lines(if half.is_empty() { "Authorised " } else { &half });
            self.end(Act::HangUp);
            return;
        }
        self.show_lines(&motd);
        if !motd.is_empty() && !motd.ends_with('\n') {
            self.show_end();
        }
        if self.has(Fault::PromptArt) {
            let prompt = self.prompt();
            self.show(&format!("\r\n{prompt}\r\n##########\r\nnot-a-host#\r\nadmin@fake>\r\n"));
        }
        if self.has(Fault::CloseBeforePrompt) {
            self.end(Act::HangUp);
            return;
        }
        if self.has(Fault::SlowPrompt) {
            self.flush();
        }
        let dialog = self.persona.login_dialog.as_ref().map(|dialog| dialog.question.clone());
        if self.has(Fault::LoginDialog) {
            let question = dialog.unwrap_or_else(|| {
                "The initial password must be changed. Change now? [Y/N]: ".into()
            });
            self.show_lines(&question);
            self.state = State::LoginDialog;
            return;
        }
        self.ready();
    }

    fn ready(&mut self) {
        self.show_prompt();
        if self.has(Fault::CloseAfterPrompt) {
            self.end(Act::HangUp);
        } else if self.has(Fault::FrozenShell) {
            self.state = State::Stuck;
        }
    }

    fn ask_name(&mut self) {
        let question = self.persona.in_band.username.clone();
        self.show_lines(&question);
        self.editor.begin("");
        self.state = State::LoginName;
    }

    fn prompt(&self) -> String {
        let prompts = &self.persona.prompts;
        let prompt = match (&self.state, &prompts.user) {
            (State::Config, _) => &prompts.config,
            (_, Some(user)) if !self.privileged => user,
            _ => &prompts.privileged,
        };
        let mut prompt = self.filled(prompt);
        if prompt.contains("{n}") {
            prompt = prompt.replace("{n}", &(self.entered + 1).to_string());
        }
        if self.has(Fault::ChangingPrompt) && self.entered > 0 {
            prompt = prompt.replace(&self.host, &format!("{}-b", self.host));
        }
        prompt
    }

    fn show_prompt(&mut self) {
        if !matches!(self.state, State::Config) {
            self.state = State::Prompt;
        }
        if self.has(Fault::UnprintedPrompt) && self.entered > 0 {
            self.editor.begin("");
            return;
        }
        if !self.persona.line_before_prompt.is_empty() {
            let before = self.filled(&self.persona.line_before_prompt);
            self.show(&format!("\r\n{before}\r\n"));
        }
        if self.has(Fault::NulBytes) {
            self.show("\0\0");
        }
        let prompt = self.prompt();
        if self.has(Fault::AnsiPrompt) {
            self.show(&format!("\x1b]0;{prompt}\x07\x1b[1;32m{prompt}\x1b[0m"));
        } else {
            self.show(&prompt);
        }
        if self.has(Fault::SyslogAtPrompt) {
            self.show(&format!("\r\n{LOG_IN_OUTPUT}\r\n{prompt}"));
        }
        let mut begins = prompt.as_str();
        if self.has(Fault::SyslogEatsPrompt) && self.outputs == 1 {
            self.outputs += 1;
            self.show(&format!("\r\n{LOG_IN_OUTPUT}\r\n"));
            begins = "";
        }
        self.editor.begin(begins);
        self.editor.echo = if matches!(self.editor.echo, Echo::Hidden) && !self.has(Fault::NoEcho) {
            self.echo()
        } else {
            self.editor.echo
        };
    }

    fn enter(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line).into_owned();
        self.show("\r\n");
        match std::mem::replace(&mut self.state, State::Prompt) {
            State::LoginName => {
                self.state = State::LoginPassword { name: line.to_vec() };
                let question = self.persona.in_band.password.clone();
                self.show_lines(&question);
                self.editor.begin("");
                self.editor.echo = Echo::Hidden;
            }
            State::LoginPassword { name } => self.log_in(&name, line),
            State::EnableSecret => {
                if self.enable_password.as_deref() == Some(&text) {
                    self.privileged = true;
                } else {
                    let denied = self.persona.enable.denied.clone();
                    self.show_lines(&denied);
                }
                self.show_prompt();
            }
            State::Config => {
                let leaves = ["exit", "end", "quit", "return", "abort"].contains(&text.trim());
                self.state = if leaves { State::Prompt } else { State::Config };
                self.show_prompt();
            }
            _ => {
                if !text.trim().is_empty() {
                    self.entered += 1;
                    if self.has(Fault::EchoTwice) {
                        self.show(&format!("{text}\r\n"));
                    }
                }
                self.run(text.trim());
            }
        }
    }

    fn log_in(&mut self, name: &[u8], password: &[u8]) {
        let good = self.login.as_ref().is_some_and(|(known, secret)| {
            known.as_bytes() == name && secret.as_bytes() == password
        });
        self.editor.echo = self.echo();
        if good {
            self.login = None;
            self.welcome();
        } else {
            let denied = self.persona.in_band.denied.clone();
            self.show_lines(&denied);
            self.ask_name();
        }
    }

    fn help(&mut self) {
        self.show("?\r\n  <cr>\r\n\r\n");
        let line = self.editor.line().to_vec();
        self.show_prompt();
        for byte in line {
            self.editor.key(byte, &mut self.shown);
        }
    }

    fn dialog_key(&mut self, key: u8) {
        let keys = self.persona.login_dialog.as_ref().map_or("nN", |dialog| dialog.keys.as_str());
        if keys.as_bytes().contains(&key) {
            self.show(&format!("{}\r\n", char::from(key)));
            self.ready();
        } else if !matches!(key, b'\r' | b'\n' | b' ') {
            self.show("\r\nLogin cancelled.\r\n");
            self.end(Act::HangUp);
        }
    }
}
