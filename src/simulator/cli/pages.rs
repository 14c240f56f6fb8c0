//! Outputs on the screen: their troubles, the pager, and what stands behind the last line.

use std::sync::Arc;

use super::{Act, Cli, LOG_IN_OUTPUT, State};
use crate::simulator::{
    fault::Fault,
    printing::{Pause, Piece, Printing, Source},
};

/// How much is shown before the server is given its turn.
const BURST_BYTES: usize = 256 * 1024;
const LOG_BEHIND_ECHO: &str = "*Nov 21 10:00:00.123: %LINK-3-UPDOWN: Interface Gi0/1, up";

impl Cli {
    pub(super) fn print(&mut self, source: Source, page: Option<usize>) {
        let mut printing = match source {
            Source::Text(text) => self.troubled(&text, page),
            source => Printing::new(source, page),
        };
        if self.has(Fault::RequestFlood) {
            self.end(Act::Freeze);
            return;
        }
        printing.breaks_off = self.breaks_off();
        self.printing = Some(printing);
        self.print_on();
    }

    fn breaks_off(&self) -> bool {
        [Fault::CloseInOutput, Fault::HalfCloseInOutput, Fault::ResetInOutput]
            .into_iter()
            .any(|fault| self.has(fault))
    }

    /// A text with the troubles that stand in its lines.
    fn troubled(&self, text: &Arc<str>, page: Option<usize>) -> Printing {
        let mut pieces: Vec<Piece> = Source::Text(Arc::clone(text)).pieces().collect();
        let middle = pieces.len() / 2;
        if self.has(Fault::SlowOutput) {
            let part = pieces.len().div_ceil(4).max(1);
            for last in pieces.iter_mut().skip(part - 1).step_by(part) {
                last.pause = Pause::AfterEnd;
            }
        }
        if self.has(Fault::FakeEcho) {
            let echo = format!("{}{}", self.prompt(), self.asked);
            pieces.insert(middle.max(1).min(pieces.len()), Piece::from(echo.as_str()));
        }
        if self.has(Fault::FakePrompt) || self.has(Fault::FakePromptPause) {
            let mut prompt = Piece::from(self.prompt().as_str());
            if self.has(Fault::FakePromptPause) {
                prompt.pause = Pause::BeforeEnd;
            }
            pieces.insert(middle, prompt);
        }
        if self.has(Fault::SyslogInOutput) {
            pieces.insert(middle, Piece::from(LOG_IN_OUTPUT));
        }
        if self.has(Fault::SyslogBehindEcho) {
            pieces.insert(0, Piece::from(LOG_BEHIND_ECHO));
        }
        if self.breaks_off() {
            pieces.truncate(middle.max(1));
        }
        if self.has(Fault::InvalidUtf8) {
            pieces.insert(0, Piece::from(b"bad \xff\xfe bytes".to_vec()));
        }
        let total = pieces.len();
        Printing::of_pieces(Box::new(pieces.into_iter()), Some(total), page)
    }

    /// Lines a page; none while the pager is off.
    pub(super) fn page(&self) -> Option<usize> {
        let pager = self.persona.pager.as_ref().filter(|_| self.paging)?;
        let follows = pager.follows_client && !self.has(Fault::PagingOffRefused);
        let rows = self.rows.filter(|_| follows).unwrap_or(pager.rows);
        Some(rows - 1)
    }

    pub(super) fn print_on(&mut self) {
        let Some(mut printing) = self.printing.take() else { return };
        self.state = State::Printing;
        loop {
            if printing.is_over() {
                self.printed(&printing);
                return;
            }
            if printing.left_on_page == Some(0) {
                printing.paged = true;
                self.show_marker(&printing);
                self.state = State::Pager;
                break;
            }
            let Some(piece) = printing.next() else { continue };
            // A pause stands where NUL does.
            for (index, part) in piece.text.split(|byte| *byte == 0).enumerate() {
                if index > 0 {
                    self.flush();
                }
                self.shown.extend_from_slice(part);
            }
            if piece.pause == Pause::BeforeEnd {
                self.flush();
            }
            self.show_end();
            if piece.pause == Pause::AfterEnd {
                self.flush();
            }
            if self.shown.len() >= BURST_BYTES {
                break;
            }
        }
        self.printing = Some(printing);
    }

    fn show_marker(&mut self, printing: &Printing) {
        let Some(pager) = &self.persona.pager else { return };
        let first = printing.printed.saturating_sub(self.page().unwrap_or(0)) + 1;
        let marker = pager
            .marker
            .replace("{first}", &first.to_string())
            .replace("{last}", &printing.printed.to_string())
            .replace("{percent}", &printing.percent().to_string());
        self.show(&marker);
    }

    /// The last line is shown: what stands behind it.
    fn printed(&mut self, printing: &Printing) {
        if printing.breaks_off {
            self.end(Act::HangUp);
            return;
        }
        let end_marker = self.persona.pager.as_ref().map(|pager| pager.end_marker.clone());
        if let Some(marker) = end_marker.filter(|marker| printing.paged && !marker.is_empty()) {
            self.show(&marker);
            self.state = State::PagerEnd;
            return;
        }
        self.behind_output();
    }

    fn behind_output(&mut self) {
        self.outputs += 1;
        let question = [
            (Fault::ConfirmQuestion, "Proceed? [confirm]"),
            (Fault::PasswordQuestion, "Password: "),
            (Fault::ShellPrompt, "bash-4.4$ "),
            (Fault::YesNoQuestion, "This may take a while. Continue? (y/n) "),
            (Fault::FrozenCommand, ""),
        ]
        .into_iter()
        .find(|(fault, _)| self.has(*fault));
        if let Some((_, text)) = question {
            self.show(text);
            self.state = State::Stuck;
            return;
        }
        self.state = if self.has(Fault::ConfigPrompt) { State::Config } else { State::Prompt };
        self.show_prompt();
    }

    fn wipe_marker(&mut self) {
        let wipe = self.persona.pager.as_ref().map(|pager| pager.wipe.clone()).unwrap_or_default();
        self.show(&wipe);
    }

    pub(super) fn pager_key(&mut self, key: u8) {
        if self.has(Fault::FrozenPager) {
            return;
        }
        let all = self.persona.pager.as_ref().and_then(|pager| pager.all_key);
        let page = self.page();
        self.wipe_marker();
        let next = match key {
            _ if all.is_some_and(|all| all.eq_ignore_ascii_case(&char::from(key))) => None,
            b' ' => page,
            b'\r' | b'\n' => Some(1),
            _ => {
                self.printing = None;
                self.behind_output();
                return;
            }
        };
        if let Some(printing) = &mut self.printing {
            printing.left_on_page = next;
        }
        self.print_on();
    }

    pub(super) fn pager_end_key(&mut self, key: u8) {
        if key.eq_ignore_ascii_case(&b'q') && !self.has(Fault::FrozenPager) {
            self.wipe_marker();
            self.behind_output();
        }
    }
}
