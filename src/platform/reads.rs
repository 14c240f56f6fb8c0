//! What may be asked of a platform: its read verbs and the filters that may follow them. Data only; the gate that
//! applies it is `command`.
//!
//! A definition can add words here, but no words of any definition get past the gate's rules on bytes and on
//! arguments that write.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{never::Never, programs::is_program};

/// Words of filters that write somewhere or run something, on one CLI or another.
pub const WRITING_FILTERS: [&str; 9] =
    ["redirect", "append", "tee", "save", "file", "vsh", "bash", "email", "request"];

/// The verbs of a platform and how its command line is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in a definition file")]
pub struct ReadRules {
    /// Words that begin a command that only reads.
    #[serde(default)]
    pub verbs: Vec<Verb>,
    /// Words that may stand before the verb, such as XR's `admin`; `*` is any plain name.
    #[serde(default, deserialize_with = "prefixes_that_run_nothing")]
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
    /// Arguments that write or change, besides those that do so everywhere.
    #[serde(default)]
    pub never: Vec<Never>,
    /// The verb alone is a command.
    #[serde(default)]
    pub bare: bool,
    /// Quotes keep bars together; without, they are letters like others.
    #[serde(default)]
    pub quotes: bool,
    /// A shell reads the line: its special characters are refused.
    #[serde(default)]
    pub shell: bool,
    /// A filter may stand behind another. Where it may not, the device takes all behind its first word for the pattern.
    #[serde(default)]
    pub chains: bool,
}

/// A verb and how far it may be shortened.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verb {
    /// The whole word; no program of Unix.
    #[serde(deserialize_with = "verb_that_reads")]
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
    /// Its word, or two words (`utility egrep`); none of [`WRITING_FILTERS`].
    #[serde(deserialize_with = "word_that_reads")]
    pub word: String,
    /// The fewest letters that mean it, of two words the first; all of them if left out.
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
    /// Options that a `grep` may have, with `N` behind those that take a number.
    #[serde(default)]
    pub options: Vec<String>,
    /// The service does it: not every device of the platform knows the word.
    #[serde(default)]
    pub by_service: bool,
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
            chains: false,
        }
    }
}

impl ReadRules {
    /// How many of `words`, in lower case, are a prefix before the verb.
    #[must_use]
    pub fn prefix_words(&self, words: &[&str]) -> usize {
        let length = |prefix: &String| {
            let wanted = prefix.split(' ');
            let n_words = wanted.clone().count();
            let fits = |(wanted, word): (&str, &&str)| {
                wanted == *word || (wanted == "*" && is_plain(word))
            };
            (words.len() > n_words && wanted.zip(words).all(fits)).then_some(n_words)
        };
        self.prefixes.iter().find_map(length).unwrap_or(0)
    }

    /// A command as an index of templates has it: without a prefix that names a context, and a path without slashes in it.
    #[must_use]
    pub fn indexed<'l>(&self, line: &'l str) -> Cow<'l, str> {
        if self.prefixes.iter().any(|prefix| prefix.ends_with('*')) {
            let lower = line.to_ascii_lowercase();
            let words: Vec<_> = lower.split_whitespace().collect();
            let skipped = self.prefix_words(&words);
            if skipped > 0 {
                return line.split_whitespace().skip(skipped).collect::<Vec<_>>().join(" ").into();
            }
        }
        let path = line.strip_prefix('/').unwrap_or(line);
        if self.shape != Shape::Path || !path.contains('/') {
            return line.into();
        }
        let slash = line.strip_suffix(path).unwrap_or_default();
        let mut is_path = true;
        let words = path.split_inclusive([' ', '/']).map(|word| {
            let name = word.trim_end_matches([' ', '/']);
            let indexed = if is_path { word.replace('/', " ") } else { word.to_owned() };
            is_path &= !self.verbs.iter().any(|verb| verb.is(name));
            indexed
        });
        format!("{slash}{}", words.collect::<String>()).into()
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
    /// True if `word` means this filter, which has one; letters of either case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        !self.word.contains(' ') && shortens(&self.word, self.least, word)
    }

    /// True if these mean this filter, which has two words. The second is taken in full only.
    #[must_use]
    pub fn is_both(&self, first: &str, second: &str) -> bool {
        self.word.split_once(' ').is_some_and(|(one, two)| {
            shortens(one, self.least, first) && two.eq_ignore_ascii_case(second)
        })
    }
}

fn shortens(whole: &str, least: Option<usize>, word: &str) -> bool {
    let lower = word.bytes().map(|byte| byte.to_ascii_lowercase());
    (least.unwrap_or(whole.len())..=whole.len()).contains(&word.len())
        && !word.is_empty()
        && whole.bytes().zip(lower).all(|(one, other)| one == other)
}

/// True of the name of a context: no quotes, nothing that begins an option.
fn is_plain(word: &str) -> bool {
    !word.starts_with('-')
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn word_that_reads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let word = String::deserialize(deserializer)?;
    if word.split_whitespace().any(|part| WRITING_FILTERS.contains(&&*part.to_ascii_lowercase())) {
        return Err(D::Error::custom(format!("the filter `{word}` writes somewhere")));
    }
    Ok(word)
}

fn verb_that_reads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let word = String::deserialize(deserializer)?;
    if is_program(&word) {
        return Err(D::Error::custom(format!("the verb `{word}` is a program's name")));
    }
    Ok(word)
}

/// `sudo NAME` is a word of the CLI of Fortinet's firewalls too.
fn prefixes_that_run_nothing<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let prefixes = Vec::<String>::deserialize(deserializer)?;
    let runs = |prefix: &&String| prefix.split(' ').any(is_program) && *prefix != "sudo *";
    match prefixes.iter().find(runs) {
        Some(prefix) => Err(D::Error::custom(format!("the prefix `{prefix}` is a program's name"))),
        None => Ok(prefixes),
    }
}

fn heavy() -> Vec<String> {
    vec!["tech-support".to_owned(), "techsupport".to_owned()]
}
