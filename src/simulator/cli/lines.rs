//! What a line does that was entered at the prompt: a switch, a way in or out, a command with its filters.

use std::sync::Arc;

use super::{Act, Cli, State};
use crate::simulator::{
    editor::Echo,
    fault::Fault,
    filter::{self, Meaning},
    grammar::{Meant, Word},
    printing::Source,
};

const HUGE_BYTES: u64 = 100 << 20;
/// In the words for a wrong line: its echo ends before the wrong word.
const CUT: &str = "{cut}";

impl Cli {
    /// Runs a line of the prompt; whatever it does, the prompt or what stands in its place is shown.
    pub(super) fn run(&mut self, line: &str) {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let persona = Arc::clone(&self.persona);
        let is = |lines: &[String]| lines.iter().any(|known| known.eq_ignore_ascii_case(&words));
        let begins = |lines: &[String]| {
            lines.iter().any(|known| (words.clone() + " ").starts_with(known.as_str()))
        };
        if words.is_empty() {
            self.show_prompt();
            return;
        }
        if is(&persona.logout) {
            self.log_out();
            return;
        }
        if self.has(Fault::CommandAuthorization) {
            self.show("Command authorization failed.\r\n\r\n");
        } else if is(&persona.paging_off) && !self.has(Fault::PagingOffRefused) {
            self.paging = false;
            self.say(&words);
        } else if is(&persona.paging_on) {
            self.paging = true;
            self.say(&words);
        } else if is(&persona.terminal.plain_after) {
            if !self.has(Fault::RedrawnEcho) && !self.has(Fault::NoEcho) {
                self.editor.echo = Echo::Plain;
            }
            self.say(&words);
        } else if begins(&persona.terminal.width_lines) {
            self.set_width(&words);
            self.say(&words);
        } else if begins(&persona.silent) {
            self.say(&words);
        } else if persona.prompts.user.is_some() && is_enable(&persona.enable.line, &words) {
            if self.enable_password.is_some() && !self.privileged {
                self.state = State::EnableSecret;
                let question = persona.enable.question.clone();
                self.show_lines(&question);
                self.editor.begin("");
                self.editor.echo = Echo::Hidden;
                return;
            }
            self.privileged = true;
        } else if persona.config_lines.iter().any(|known| words.starts_with(known.as_str())) {
            self.state = State::Config;
        } else {
            self.command(line);
            return;
        }
        self.show_prompt();
    }

    fn log_out(&mut self) {
        if self.has(Fault::LogoutTwice) && !std::mem::replace(&mut self.left_a_level, true) {
            self.show_prompt();
        } else if self.has(Fault::IgnoreLogout) {
            self.state = State::Stuck;
        } else if self.persona.logout_question.is_empty() {
            self.end(Act::LogOut);
        } else {
            let question = self.persona.logout_question.clone();
            self.show_lines(&question);
            self.state = State::LogoutQuestion;
        }
    }

    /// What the device answers to a line that it takes.
    fn say(&mut self, words: &str) {
        let says =
            self.persona.says.iter().rev().find(|(line, _)| words.starts_with(line.as_str()));
        let Some(text) = says.map(|(_, text)| text.clone()) else { return };
        self.show_lines(&text);
    }

    fn set_width(&mut self, words: &str) {
        let fixed = self.has(Fault::WidthRefused) || self.has(Fault::ScrolledEcho);
        let number = words.rsplit(' ').next().and_then(|word| word.parse().ok());
        if let (false, Some(columns)) = (fixed, number) {
            self.editor.columns = columns;
        }
    }

    fn command(&mut self, line: &str) {
        line.clone_into(&mut self.asked);
        if let Some(text) = self.persona.json.get(line) {
            let page = self.page();
            return self.print(Source::Text(Arc::from(text.as_str())), page);
        }
        let (base, stages) = match line.split_once('|') {
            Some((base, stages)) => (base.trim_end().to_owned(), Some(stages.trim().to_owned())),
            None => match self.filter_in_front(line) {
                Some((base, stages)) => (base, Some(stages)),
                None => (line.to_owned(), None),
            },
        };
        let unpaged = stages.as_ref().is_some_and(|stages| {
            filter::stages(stages, self.persona.chains)
                .any(|(word, _)| self.filter_word(word) == Some(Meaning::NoMore))
        });
        let source = match (self.source(&base), stages) {
            (Ok(source), Some(stages)) => {
                let count_text = &self.persona.count_text;
                let word = Word { number: base.split(' ').count(), at: line.len() - stages.len() };
                filter::filtered(
                    &source.text(),
                    &stages,
                    self.persona.chains,
                    |word| self.filter_word(word),
                    count_text,
                )
                .map(|text| Source::Text(Arc::from(text)))
                .ok_or(Meant::Unknown(word))
            }
            (source, _) => source,
        };
        match source {
            Ok(source) => {
                let page = self.page().filter(|_| !unpaged);
                self.print(source, page);
            }
            Err(meant) => {
                let text = self.refusal(line, meant);
                if let Meant::Unknown(Word { at, .. }) = meant
                    && text.contains(CUT)
                {
                    self.cut_echo(line.get(at..).unwrap_or_default());
                }
                self.show_lines(&text.replace(CUT, ""));
                self.show_prompt();
            }
        }
    }

    /// Wipes the end of the line that has just been entered; not if it is its last word.
    fn cut_echo(&mut self, end: &str) {
        let is_last = !end.contains(' ');
        if let Some(before) = self.shown.len().checked_sub(b"\r\n".len()).filter(|_| !is_last) {
            self.shown.truncate(before);
            self.show(&format!("{}\x1b[K\r\n", "\x08".repeat(end.len())));
        }
    }

    fn source(&self, base: &str) -> Result<Source, Meant<'static>> {
        if self.has(Fault::HugeOutput) {
            return Ok(Source::Bytes(HUGE_BYTES));
        }
        if self.has(Fault::EndlessOutput) {
            return Ok(Source::Lines(u64::MAX));
        }
        if let Some(source) = Source::of_line(base) {
            return Ok(source);
        }
        match self.persona.meant(base, self.privileged) {
            Meant::Command(command) => Ok(Source::Text(Arc::clone(&command.output))),
            Meant::Ambiguous(word) => Err(Meant::Ambiguous(word)),
            Meant::Incomplete => Err(Meant::Incomplete),
            Meant::Unknown(word) => Err(Meant::Unknown(word)),
        }
    }

    /// `grep include "up" "show port summary"` as its command and its filter.
    fn filter_in_front(&self, line: &str) -> Option<(String, String)> {
        if !self.persona.filter_first {
            return None;
        }
        let (word, rest) = line.strip_prefix("grep ")?.split_once(' ')?;
        let mut quoted = rest.split('"').skip(1).step_by(2);
        let (pattern, base) = (quoted.next()?, quoted.next()?);
        Some((base.to_owned(), format!("{word} {pattern}")))
    }

    fn filter_word(&self, word: &str) -> Option<Meaning> {
        let word = word.to_ascii_lowercase();
        let filters = &self.persona.filters;
        if let Some(meaning) = filters.get(&word) {
            return Some(*meaning);
        }
        let mut known = filters.iter().filter(|(name, _)| name.starts_with(&word));
        match (known.next(), known.next()) {
            (Some((_, meaning)), None) => Some(*meaning),
            _ => None,
        }
    }

    fn refusal(&self, line: &str, meant: Meant<'_>) -> String {
        let persona = &self.persona;
        let (template, word) = match meant {
            Meant::Ambiguous(word) => (persona.ambiguous.as_ref(), word),
            Meant::Incomplete | Meant::Command(_) => {
                let end = Word { number: line.split(' ').count(), at: line.len() };
                (persona.incomplete.as_ref(), end)
            }
            Meant::Unknown(word) if word.number > 0 => (persona.invalid.as_ref(), word),
            Meant::Unknown(word) => (None, word),
        };
        let at = self.prompt().chars().count() + word.at;
        template
            .unwrap_or(&persona.unknown)
            .replace("{caret}", &format!("{}^", " ".repeat(at)))
            .replace("{line}", line)
            .replace("{token}", &word.number.to_string())
            .replace(
                "{word}",
                line.get(word.at..).unwrap_or_default().split(' ').next().unwrap_or(""),
            )
    }
}

fn is_enable(known: &str, typed: &str) -> bool {
    typed.len() >= 2
        && known.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed))
}
