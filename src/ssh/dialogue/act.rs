//! Does what the screen calls for: answers, sends the next line, or ends the step.

use std::rc::Rc;

use super::{
    Dialogue, Echo, Stopped, TypedAhead, Why, again,
    quiet::OnQuiet,
    rooms::Ahead,
    step::{End, Sent, Step},
};
use crate::{deadline::Deadline, platform::Mode, secret::Secret, ssh::transport::Transport};

/// Lines whose echo is still looked for after the device has seemed not to echo.
const MOST_UNECHOED: usize = 4;

impl<T: Transport> Dialogue<'_, T> {
    pub(super) fn act(
        &mut self,
        step: &mut Step<'_>,
        action: OnQuiet<'_>,
        until: Deadline,
    ) -> Result<(), Stopped> {
        match action {
            OnQuiet::Answer(answer) => {
                self.answers += 1;
                self.terminal.clear_line();
                self.write(step, answer, until)
            }
            OnQuiet::AnswerPager { start, key } => {
                self.may_page = true;
                let ends_line = self.platform.pager().is_some_and(|pager| pager.ends_line(key));
                self.terminal.pager_answered(start, key, ends_line);
                self.write(step, key, until)
            }
            OnQuiet::AnswerPassword => {
                let password = step.login.and_then(|login| login.password);
                self.answers += 1;
                self.hidden_typed = true;
                self.terminal.clear_line();
                self.write_line(step, password.map_or("", Secret::expose), until)
            }
            OnQuiet::AnswerUsername => {
                let of_enable = step.enable.map(|login| login.username);
                let username =
                    step.login.map(|login| login.username).or(of_enable).unwrap_or_default();
                self.answers += 1;
                self.terminal.clear_line();
                self.write_line(step, username, until)
            }
            OnQuiet::BelievePrompt { mode, name, text_bytes } => {
                self.send_next(step, mode, name, text_bytes, until)
            }
            OnQuiet::EndWithoutEcho { mode, name } => {
                self.end_without_echo(step, mode, name);
                Ok(())
            }
            OnQuiet::LogOutAgain => {
                self.logouts += 1;
                // Its echo comes as often as it is typed.
                self.echoed.clear();
                self.terminal.clear_line();
                let platform = self.platform;
                self.write_line(step, platform.session().logout.as_str(), until)
            }
            OnQuiet::Nudge => {
                self.nudges += 1;
                self.write_line(step, "", until)
            }
            OnQuiet::NudgeBehindLog => {
                step.nudges += 1;
                self.write_line(step, "", until)
            }
            OnQuiet::SendSecret => {
                self.hidden_typed = true;
                self.secret_typed = true;
                self.terminal.clear_line();
                let secret = step.enable.map_or("", |login| login.secret.expose());
                self.write_line(step, secret, until)
            }
            OnQuiet::Stop(why) => {
                if why == Why::LinesLost {
                    self.typed_ahead = TypedAhead::Lost;
                }
                Err(self.stop(step, why))
            }
        }
    }

    /// The prompt is there: sends the next line behind it.
    fn send_next(
        &mut self,
        step: &mut Step<'_>,
        mode: Mode,
        name: Rc<str>,
        text_bytes: usize,
        until: Deadline,
    ) -> Result<(), Stopped> {
        if mode == Mode::User && step.next_if_user.is_some() {
            step.next = step.next_if_user;
            step.behind_next = &[];
        }
        let Some(next) = step.next else { return Ok(()) };
        let prompt = again(Some(&self.prompt), self.terminal.tail().trim_end());
        let at = step.lines.len();
        let n_lines = step.n_lines;
        step.sent = Some(Sent {
            at,
            n_lines,
            prompt,
            text_bytes,
            mode,
            name: Rc::clone(&name),
            wrapped: None,
            bare_echo: None,
            cut_echo: None,
        });
        let behind = std::mem::take(&mut step.behind_next);
        if behind.is_empty() {
            self.write_line(step, next.as_str(), until)?;
        } else {
            // Several lines leave in one packet.
            let mut text = next.as_str().to_owned();
            for line in behind {
                self.ahead_of_echo.push_back(line.as_str().to_owned());
                text.push_str(self.platform.session().line_end);
                text.push_str(line.as_str());
            }
            self.typed_ahead = TypedAhead::Yes;
            self.write_line(step, &text, until)?;
        }
        if self.echo == Echo::Missing {
            self.note_unechoed(step, next.as_str());
            // Nothing will confirm the end, and the silence at the prompt has.
            self.name = Some(name);
            self.terminal.clear_line();
            step.end = Some(End { at, mode });
        }
        Ok(())
    }

    /// The device has run the next line without echoing it at its prompt: parts its output from this step's.
    fn end_without_echo(&mut self, step: &mut Step<'_>, mode: Mode, name: Rc<str>) {
        let Some(sent) = &step.sent else { return };
        let mut behind = step.lines.split_off(sent.at);
        if let Some(echo) = sent.bare_echo.and_then(|at| at.checked_sub(sent.at)) {
            // A message to all who are logged in stands between prompt and echo.
            let output = behind.split_off(echo);
            let (_echo, printed) = output.split_once('\n').unwrap_or_default();
            self.rooms.ahead = Ahead { lines: printed.to_owned(), has_prompt: true };
            step.aside = behind.strip_prefix(&*sent.prompt).map(str::to_owned).unwrap_or_default();
            step.end = Some(End { at: sent.at, mode });
            return;
        }
        // The first line behind is the prompt's own, with what the device printed on it.
        let printed = behind.strip_prefix(&*sent.prompt).unwrap_or(&behind);
        let printed = printed.trim_start_matches(' ');
        let printed = printed.strip_prefix('\n').unwrap_or(printed);
        behind.drain(..behind.len() - printed.len());
        self.rooms.ahead = Ahead { lines: behind, has_prompt: true };
        if self.echo == Echo::Unknown {
            self.echo = Echo::Missing;
        }
        self.name.get_or_insert(name);
        step.end = Some(End { at: sent.at, mode });
        if let Some(next) = step.next {
            self.note_unechoed(step, next.as_str());
        }
    }

    /// Remembers a line whose echo would show that the device is only slow.
    fn note_unechoed(&self, step: &mut Step<'_>, line: &str) {
        let unechoed = &mut step.preamble.unechoed;
        if self.platform.session().repeats_echo || line.is_empty() {
            return;
        }
        if unechoed.len() == MOST_UNECHOED {
            unechoed.pop_front();
        }
        unechoed.push_back(line.to_owned());
    }
}
