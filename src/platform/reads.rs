//! What may be asked of a platform: its read verbs and the filters that may follow them. Data only; the gate that
//! applies it is `command`.
//!
//! A definition can add words here, but no words of any definition get past the gate's rules on bytes and on
//! arguments that write.

use serde::Deserialize;

/// The verbs of a platform and how its command line is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRules {
    /// Words that begin a command that only reads.
    #[serde(default)]
    pub verbs: Vec<Verb>,
    /// Words that may stand before the verb, such as XR's `admin`.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// Where the verb stands.
    #[serde(default)]
    pub shape: Shape,
    /// Whole commands that are allowed besides.
    #[serde(default)]
    pub listed: Vec<String>,
    /// First arguments that are off unless the operator allows the exact command.
    #[serde(default = "heavy")]
    pub off: Vec<String>,
    /// Arguments that write or change, besides those that do so everywhere, however shortened: a word, words in a row, an
    /// `-option`, or `!a|b` at the end of a row for any word but these.
    #[serde(default)]
    pub never: Vec<String>,
    /// The verb alone is a command.
    #[serde(default)]
    pub bare: bool,
    /// Quotes keep bars together; without, they are letters like others.
    #[serde(default)]
    pub quotes: bool,
    /// A shell reads the line: its special characters are refused.
    #[serde(default)]
    pub shell: bool,
}

/// A verb and how far it may be shortened.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verb {
    /// The whole word.
    pub word: String,
    /// The fewest letters that mean it; all of them if left out.
    pub least: Option<usize>,
}

/// Where the verb of a command stands.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// First: `show version`.
    #[default]
    VerbFirst,
    /// Behind the object: `port show`.
    ObjectFirst,
    /// Behind a path: `/ip route print detail`.
    Path,
}

/// One filter that a device knows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterRules {
    /// Its word, or two words (`utility egrep`).
    pub word: String,
    /// The fewest letters that mean it; all of them if left out.
    pub least: Option<usize>,
    /// What must follow.
    #[serde(default)]
    pub takes: Takes,
    /// What it does, in the words of every platform; nothing if it drops no lines.
    #[serde(rename = "does")]
    pub meaning: Option<Meaning>,
    /// The words that may follow, where `takes` is `choice`.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Options that a `grep` may have, with the number of operands in the second place.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What follows a filter's word.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// Words of a list.
    Choice,
    /// Options and exactly one operand.
    Grep,
    /// Nothing.
    #[default]
    Nothing,
    /// A number, alone or behind `-n`.
    Number,
    /// Exactly one operand, and then only words of the list and numbers.
    Operand,
    /// A pattern or nothing.
    OptionalPattern,
    /// The rest of the stage.
    Pattern,
}

/// What a filter does with lines that match.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Keeps from the first one on.
    Begin,
    /// Counts them.
    Count,
    /// Drops them.
    Exclude,
    /// Keeps them.
    Include,
    /// Drops something, in a way of its own.
    Other,
    /// Keeps their sections.
    Section,
}

impl Default for ReadRules {
    fn default() -> Self {
        Self {
            verbs: vec![Verb { word: "show".to_owned(), least: Some(2) }],
            prefixes: Vec::new(),
            shape: Shape::VerbFirst,
            listed: Vec::new(),
            off: heavy(),
            never: Vec::new(),
            bare: false,
            quotes: true,
            shell: false,
        }
    }
}

impl Verb {
    /// True if `word` means this verb; letters of either case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        shortens(&self.word, self.least, word)
    }
}

impl FilterRules {
    /// True if `word` means this filter; letters of either case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        shortens(&self.word, self.least, word)
    }
}

fn shortens(whole: &str, least: Option<usize>, word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.len() >= least.unwrap_or(whole.len()) && !word.is_empty() && whole.starts_with(&word)
}

fn heavy() -> Vec<String> {
    vec!["tech-support".to_owned(), "techsupport".to_owned()]
}
