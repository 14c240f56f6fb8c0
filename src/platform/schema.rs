//! The schema of a definition file, and what its parts mean once their patterns are compiled.
//!
//! Each value remembers where in the text it stands, so that a bad pattern or line is reported with its place.
//! Not here: reading the text, names, error messages (`definition`).

use std::ops::Range;

use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::{
    definition::Fault,
    prompt::{Forbidden, Mode, PromptRules},
    reads::{FilterRules, ReadRules},
    rules::{
        Dialog, EchoForm, EnableRules, ErrorRules, FirstBytes, LoginRules, OutputRules, PagerRules,
        PreparedLine, SessionRules,
    },
};

const DEFAULT_FIRST_LINES: usize = 4;

/// A value, or a fault and the bytes of the text where it stands.
pub(super) type Found<T> = Result<T, (Fault, Range<usize>)>;
pub(super) type Text = Spanned<String>;

/// A part of a definition as it is written.
pub(super) trait Raw {
    /// What it means.
    type Rules;

    fn build(&self) -> Found<Self::Rules>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDefinition {
    pub(super) name: Text,
    pub(super) title: Text,
    #[serde(default)]
    pub(super) aliases: Vec<Text>,
    pub(super) ntc: Option<Text>,
    pub(super) ntc_fallback: Option<Text>,
    pub(super) prompt: RawPrompt,
    #[serde(default)]
    pub(super) login: RawLogin,
    pub(super) enable: Option<RawEnable>,
    pub(super) session: RawSession,
    pub(super) pager: Option<RawPager>,
    pub(super) errors: RawErrors,
    #[serde(default)]
    pub(super) output: RawOutput,
    #[serde(default)]
    pub(super) commands: ReadRules,
    #[serde(default, rename = "filter")]
    pub(super) filters: Vec<FilterRules>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrompt {
    operational: Spanned<Vec<RawOperational>>,
    #[serde(default)]
    forbidden: Vec<RawForbidden>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperational {
    mode: Mode,
    pattern: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawForbidden {
    what: Forbidden,
    pattern: Text,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogin {
    username_prompt: Option<Text>,
    password_prompt: Option<Text>,
    #[serde(default)]
    dialog: Vec<RawDialog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDialog {
    expect: Text,
    answer: Text,
    #[serde(default)]
    anywhere: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnable {
    command: Text,
    username_prompt: Option<Text>,
    password_prompt: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSession {
    #[serde(default)]
    prepare: Vec<Text>,
    #[serde(default)]
    alternatives: usize,
    logout: Text,
    #[serde(default)]
    logout_dialog: Vec<RawDialog>,
    #[serde(default)]
    repeats_echo: bool,
    #[serde(default)]
    reads_ahead: bool,
    #[serde(default)]
    echo: EchoForm,
    #[serde(default)]
    tells_cursor: bool,
    #[serde(default)]
    line_end: LineEnd,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum LineEnd {
    #[default]
    #[serde(rename = "\n")]
    Lf,
    #[serde(rename = "\r")]
    Cr,
    #[serde(rename = "\r\n")]
    CrLf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPager {
    markers: Vec<Text>,
    key: Text,
    quit_key: Option<Text>,
    #[serde(default)]
    end_markers: Vec<Text>,
    #[serde(default)]
    dialog: Vec<RawDialog>,
    #[serde(default)]
    ends_line: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawErrors {
    first_lines: Option<Spanned<usize>>,
    markers: Vec<Text>,
    #[serde(default)]
    hint_needs_enable: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutput {
    #[serde(default)]
    strip_first_lines: Vec<Text>,
    #[serde(default)]
    strip_last_lines: Vec<Text>,
    native: Option<Text>,
}

impl Raw for RawPrompt {
    type Rules = PromptRules;

    fn build(&self) -> Found<PromptRules> {
        if self.operational.get_ref().is_empty() {
            return Err((Fault::NoPrompt, self.operational.span()));
        }
        let whole_line = |pattern: &Text| regex(pattern, r"\A(?:", r")\z");
        let operational = self.operational.get_ref().iter();
        let operational = operational.map(|one| Ok((one.mode, whole_line(&one.pattern)?)));
        let forbidden = self.forbidden.iter();
        let forbidden = forbidden.map(|one| Ok((one.what, whole_line(&one.pattern)?)));
        Ok(PromptRules::new(operational.collect::<Found<_>>()?, forbidden.collect::<Found<_>>()?))
    }
}

impl Raw for RawLogin {
    type Rules = LoginRules;

    fn build(&self) -> Found<LoginRules> {
        Ok(LoginRules {
            username_prompt: self.username_prompt.as_ref().map(at_end).transpose()?,
            password_prompt: self.password_prompt.as_ref().map(at_end).transpose()?,
            dialogs: dialogs(&self.dialog)?,
        })
    }
}

impl Raw for RawEnable {
    type Rules = EnableRules;

    fn build(&self) -> Found<EnableRules> {
        Ok(EnableRules {
            command: prepared(&self.command)?,
            username_prompt: self.username_prompt.as_ref().map(at_end).transpose()?,
            password_prompt: at_end(&self.password_prompt)?,
        })
    }
}

impl Raw for RawSession {
    type Rules = SessionRules;

    fn build(&self) -> Found<SessionRules> {
        Ok(SessionRules {
            prepare: self.prepare.iter().map(prepared).collect::<Found<_>>()?,
            alternatives: self.alternatives,
            logout: prepared(&self.logout)?,
            logout_dialogs: dialogs(&self.logout_dialog)?,
            repeats_echo: self.repeats_echo,
            echo: self.echo,
            tells_cursor: self.tells_cursor,
            reads_ahead: self.reads_ahead,
            line_end: match self.line_end {
                LineEnd::Lf => "\n",
                LineEnd::Cr => "\r",
                LineEnd::CrLf => "\r\n",
            },
        })
    }
}

impl Raw for RawPager {
    type Rules = PagerRules;

    fn build(&self) -> Found<PagerRules> {
        let markers = any_of(&self.markers, "(?:", r")\z")?;
        let end = any_of(&self.end_markers, "(?:", r")\z")?;
        let quit = self.quit_key.as_ref().unwrap_or(&self.key);
        let quit = answer(quit)?;
        let mut dialogs = dialogs(&self.dialog)?;
        dialogs.extend(end.map(|expect| Dialog { expect, answer: quit, anywhere: false }));
        Ok(PagerRules::new(markers, answer(&self.key)?, dialogs, self.ends_line))
    }
}

impl Raw for RawErrors {
    type Rules = ErrorRules;

    fn build(&self) -> Found<ErrorRules> {
        let first_lines = match &self.first_lines {
            Some(lines) if *lines.get_ref() == 0 => {
                return Err((Fault::Zero("first_lines"), lines.span()));
            }
            Some(lines) => *lines.get_ref(),
            None => DEFAULT_FIRST_LINES,
        };
        let markers = any_of(&self.markers, r"\A\s*(?:", ")")?;
        let first_bytes =
            FirstBytes::of(self.markers.iter().map(|marker| marker.get_ref().as_str()));
        Ok(ErrorRules::new(first_lines, markers, first_bytes, self.hint_needs_enable))
    }
}

impl Raw for RawOutput {
    type Rules = OutputRules;

    fn build(&self) -> Found<OutputRules> {
        let first = any_of(&self.strip_first_lines, r"\A(?:", r")\z")?;
        let last = any_of(&self.strip_last_lines, r"\A(?:", r")\z")?;
        Ok(OutputRules::new(first, last, self.native.as_ref().map(|text| text.get_ref().clone())))
    }
}

fn prepared(line: &Text) -> Found<PreparedLine> {
    PreparedLine::parse(line.get_ref())
        .map_err(|fault| (Fault::Prepared(fault, line.get_ref().clone()), line.span()))
}

fn dialogs(raw: &[RawDialog]) -> Found<Vec<Dialog>> {
    let dialog = |one: &RawDialog| {
        let (expect, answer) = (at_end(&one.expect)?, answer(&one.answer)?);
        Ok(Dialog { expect, answer, anywhere: one.anywhere })
    };
    raw.iter().map(dialog).collect()
}

/// A key or an answer; Ctrl-Y is what some devices want to be woken with, Esc and Ctrl-C leave something and stand alone.
fn answer(text: &Text) -> Found<String> {
    let sound = |b: u8| (b' '..=b'~').contains(&b) || b"\n\r\x19".contains(&b);
    let answer = text.get_ref();
    let leaves = ["\x1b", "\x03"].contains(&answer.as_str());
    if answer.is_empty() || !(leaves || answer.bytes().all(sound)) {
        return Err((Fault::Answer, text.span()));
    }
    Ok(answer.clone())
}

fn at_end(pattern: &Text) -> Found<Regex> {
    regex(pattern, "(?:", r")\z")
}

/// One pattern out of many; none out of none.
fn any_of(patterns: &[Text], before: &str, behind: &str) -> Found<Option<Regex>> {
    let (Some(first), Some(last)) = (patterns.first(), patterns.last()) else { return Ok(None) };
    // Each for itself first: a fault has its own line.
    for pattern in patterns {
        regex(pattern, before, behind)?;
    }
    let each: Vec<_> = patterns.iter().map(|one| format!("(?:{})", one.get_ref())).collect();
    let all = Spanned::new(first.span().start..last.span().end, each.join("|"));
    regex(&all, before, behind).map(Some)
}

/// Compiles a pattern with its anchors. One that matches a line with nothing on it would match anywhere.
fn regex(pattern: &Text, before: &str, behind: &str) -> Found<Regex> {
    let text = pattern.get_ref();
    let fault = |error: regex::Error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        (Fault::Pattern { pattern: text.clone(), reason: reason.to_owned() }, pattern.span())
    };
    // Alone first: `a)|(b` would be in balance between the anchors' own brackets.
    Regex::new(text).map_err(fault)?;
    let compiled = Regex::new(&format!("{before}{text}{behind}")).map_err(fault)?;
    if compiled.is_match("") {
        return Err((Fault::MatchesNothing(text.clone()), pattern.span()));
    }
    Ok(compiled)
}
