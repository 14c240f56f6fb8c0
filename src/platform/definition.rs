//! Reads a platform's definition: TOML text in, [`Platform`] out, or the file, line and reason why not.
//!
//! The schema is strict: an unknown key is a fault, so that a misspelt one is never silently without effect.
//! Patterns are compiled when they are first needed: many platforms are known, few are used.

use std::{fmt, ops::Range, path::PathBuf, sync::OnceLock};

use toml::Spanned;

use super::{
    prompt::PromptRules,
    reads::{FilterRules, ReadRules},
    rules::{
        EnableRules, ErrorRules, LineFault, LoginRules, OutputRules, PagerRules, SessionRules,
    },
    schema::{
        Found, Raw, RawDefinition, RawEnable, RawErrors, RawLogin, RawOutput, RawPager, RawPrompt,
        RawSession,
    },
};

/// A platform: how its CLI looks and what a reading session may send there besides show commands.
pub struct Platform {
    origin: String,
    name: String,
    title: String,
    aliases: Vec<String>,
    ntc: Option<String>,
    ntc_fallback: Option<String>,
    prompts: Lazily<RawPrompt>,
    login: Lazily<RawLogin>,
    enable: Option<Lazily<RawEnable>>,
    session: Lazily<RawSession>,
    pager: Option<Lazily<RawPager>>,
    errors: Lazily<RawErrors>,
    output: Lazily<RawOutput>,
    reads: ReadRules,
    filters: Vec<FilterRules>,
}

/// Why there is no platform.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// Two files claim a name.
    #[error("{second}: the name `{name}` already belongs to {first}")]
    NameTaken {
        /// The name or alias.
        name: String,
        /// The file that had it before.
        first: String,
        /// The file that claims it too.
        second: String,
    },
    /// A folder or file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no definition.
    #[error("{origin}:{line}: {fault}")]
    Wrong {
        /// The file.
        origin: String,
        /// The line in it, from 1.
        line: usize,
        /// What is wrong there.
        fault: Fault,
    },
}

/// What is wrong in a definition.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An alias stands there twice, or repeats the name.
    #[error("the alias `{0}` is there twice")]
    AliasTwice(String),
    /// A dialog's answer holds what no answer needs.
    #[error(
        "an answer holds more than printable ASCII, line ends and Ctrl-Y, and is not Esc or Ctrl-C alone"
    )]
    Answer,
    /// A pattern matches a line with nothing on it.
    #[error("the pattern `{0}` matches an empty line")]
    MatchesNothing(String),
    /// The file is called otherwise.
    #[error("the name `{name}` is not the file's: `{stem}`")]
    NameOfFile {
        /// The name in the file.
        name: String,
        /// The file's own, without `.toml`.
        stem: String,
    },
    /// A name has more than small letters, digits and underscores.
    #[error("`{0}` is no name: small letters, digits and `_` only")]
    NotAName(String),
    /// No prompt, so no session would ever begin.
    #[error("there is no operational prompt")]
    NoPrompt,
    /// A pattern does not compile.
    #[error("the pattern `{pattern}` is no regular expression: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The first thing wrong with it.
        reason: String,
    },
    /// A line to send is none, or writes.
    #[error("{0}: `{line}`", line = .1.escape_default())]
    Prepared(LineFault, String),
    /// Not the TOML of a definition.
    #[error("{0}")]
    Toml(String),
    /// A value has too small a number or an empty text.
    #[error("`{0}` must not be empty")]
    Zero(&'static str),
}

impl Platform {
    /// Reads the text of a definition; `origin` is what errors call it.
    ///
    /// # Errors
    /// [`DefinitionError::Wrong`] with the first fault. Every pattern has been compiled when there is none.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, DefinitionError> {
        Self::of_stem(text, origin, None)
    }

    /// As [`Platform::from_toml`], for a file that must be called after the platform.
    pub(super) fn of_stem(
        text: &str,
        origin: &str,
        stem: Option<&str>,
    ) -> Result<Self, DefinitionError> {
        let platform = Self::with_patterns_unchecked(text, origin, stem)?;
        platform.compile_all().map_err(|(fault, at)| wrong(text, origin, fault, &at))?;
        Ok(platform)
    }

    /// Leaves the patterns for later: for the embedded definitions, whose patterns a test compiles.
    pub(super) fn with_patterns_unchecked(
        text: &str,
        origin: &str,
        stem: Option<&str>,
    ) -> Result<Self, DefinitionError> {
        let raw: RawDefinition = toml::from_str(text).map_err(|error| {
            let at = error.span().unwrap_or_default();
            wrong(text, origin, Fault::Toml(error.message().replace('\n', ", ")), &at)
        })?;
        check_names(&raw, stem).map_err(|(fault, at)| wrong(text, origin, fault, &at))?;
        Ok(Self {
            origin: origin.to_owned(),
            name: raw.name.into_inner(),
            title: raw.title.into_inner(),
            aliases: raw.aliases.into_iter().map(Spanned::into_inner).collect(),
            ntc: raw.ntc.map(Spanned::into_inner),
            ntc_fallback: raw.ntc_fallback.map(Spanned::into_inner),
            prompts: raw.prompt.into(),
            login: raw.login.into(),
            enable: raw.enable.map(Lazily::from),
            session: raw.session.into(),
            pager: raw.pager.map(Lazily::from),
            errors: raw.errors.into(),
            output: raw.output.into(),
            reads: raw.commands,
            filters: raw.filters,
        })
    }

    /// The platform's own name: the netmiko `device_type` and the name of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Other names it is asked for by.
    #[must_use]
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// Its name among the ntc-templates, where there are templates for it.
    #[must_use]
    pub fn ntc(&self) -> Option<&str> {
        self.ntc.as_deref()
    }

    /// Another platform's name among them whose output looks alike, to be tried where its own has no template.
    #[must_use]
    pub fn ntc_fallback(&self) -> Option<&str> {
        self.ntc_fallback.as_deref()
    }

    /// Where its definition came from.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Its prompts.
    #[must_use]
    pub fn prompts(&self) -> &PromptRules {
        self.prompts.rules()
    }

    /// What it may ask before the first prompt.
    #[must_use]
    pub fn login(&self) -> &LoginRules {
        self.login.rules()
    }

    /// How to get to privileged mode, where it has levels.
    #[must_use]
    pub fn enable(&self) -> Option<&EnableRules> {
        self.enable.as_ref().map(Lazily::rules)
    }

    /// What a session sends of its own accord.
    #[must_use]
    pub fn session(&self) -> &SessionRules {
        self.session.rules()
    }

    /// How it stops after a screenful, if it does.
    #[must_use]
    pub fn pager(&self) -> Option<&PagerRules> {
        self.pager.as_ref().map(Lazily::rules)
    }

    /// How it refuses a command.
    #[must_use]
    pub fn errors(&self) -> &ErrorRules {
        self.errors.rules()
    }

    /// Which lines around an output are none of it.
    #[must_use]
    pub fn output(&self) -> &OutputRules {
        self.output.rules()
    }

    /// Which commands read.
    #[must_use]
    pub fn reads(&self) -> &ReadRules {
        &self.reads
    }

    /// Which filters the device has.
    #[must_use]
    pub fn filters(&self) -> &[FilterRules] {
        &self.filters
    }

    /// Compiles every pattern now.
    fn compile_all(&self) -> Found<()> {
        self.prompts.compile()?;
        self.login.compile()?;
        self.enable.as_ref().map_or(Ok(()), Lazily::compile)?;
        self.session.compile()?;
        self.pager.as_ref().map_or(Ok(()), Lazily::compile)?;
        self.errors.compile()?;
        self.output.compile()
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Platform").field(&self.name).finish()
    }
}

/// A part of a definition, and what it means once somebody has asked.
struct Lazily<R: Raw> {
    raw: R,
    rules: OnceLock<R::Rules>,
}

impl<R: Raw> Lazily<R> {
    fn compile(&self) -> Found<()> {
        let rules = self.raw.build()?;
        let _ = self.rules.set(rules);
        Ok(())
    }

    fn rules(&self) -> &R::Rules {
        self.rules.get_or_init(|| {
            let built = self.raw.build().map_err(|(fault, _)| fault);
            built.expect("definitions are compiled when loaded, embedded ones by a test")
        })
    }
}

impl<R: Raw> From<R> for Lazily<R> {
    fn from(raw: R) -> Self {
        Self { raw, rules: OnceLock::new() }
    }
}

fn check_names(raw: &RawDefinition, stem: Option<&str>) -> Found<()> {
    let names = || std::iter::once(&raw.name).chain(&raw.aliases);
    for name in names().chain(&raw.ntc).chain(&raw.ntc_fallback) {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.get_ref().is_empty() || !name.get_ref().bytes().all(letters) {
            return Err((Fault::NotAName(name.get_ref().clone()), name.span()));
        }
    }
    for (index, alias) in raw.aliases.iter().enumerate() {
        if names().take(index + 1).any(|before| before.get_ref() == alias.get_ref()) {
            return Err((Fault::AliasTwice(alias.get_ref().clone()), alias.span()));
        }
    }
    if raw.title.get_ref().trim().is_empty() {
        return Err((Fault::Zero("title"), raw.title.span()));
    }
    match stem {
        Some(stem) if stem != raw.name.get_ref() => {
            let (name, stem) = (raw.name.get_ref().clone(), stem.to_owned());
            Err((Fault::NameOfFile { name, stem }, raw.name.span()))
        }
        _ => Ok(()),
    }
}

fn wrong(text: &str, origin: &str, fault: Fault, at: &Range<usize>) -> DefinitionError {
    let before = text.as_bytes().iter().take(at.start);
    let line = 1 + before.filter(|b| **b == b'\n').count();
    DefinitionError::Wrong { origin: origin.to_owned(), line, fault }
}
