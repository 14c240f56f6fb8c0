//! What does more than read although it stands behind a read verb, as a definition lists it.

use serde::Deserialize;

/// From so many letters on a word is taken for what it begins.
const LEAST_LETTERS: usize = 3;

/// Arguments that a platform's commands must not have; letters of either case.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub enum Never {
    /// `a b ** c`: a word anywhere behind words in a row, all however short.
    Behind {
        /// What must come before.
        row: Vec<String>,
        /// The word.
        last: String,
    },
    /// `-c`, also among other letters.
    Letter(char),
    /// `a b !c|d`: behind words in a row any word but these, all however short.
    Others {
        /// What stands right before.
        row: Vec<String>,
        /// What may stand there.
        but: Vec<String>,
    },
    /// `-name` or `--name`, however short; one with a single `-` also without it.
    Option {
        /// Without what it begins with.
        name: String,
        /// It has two `-`.
        is_long: bool,
    },
    /// `a b`: words in a row, however short.
    Row(Vec<String>),
    /// A word, or its first letters.
    Word(String),
}

/// The text is none of these forms.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("what is never read is a word, `-c`, `--option`, `words in a row`, `a ** b` or `a !b|c`")]
pub struct NoForm;

impl TryFrom<String> for Never {
    type Error = NoForm;

    fn try_from(text: String) -> Result<Self, NoForm> {
        let text = text.to_ascii_lowercase();
        let mut row: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let last = row.pop().ok_or(NoForm)?;
        let is_plain = |word: &str| !word.contains(['*', '!', '|']);
        let but: Vec<String> =
            last.strip_prefix('!').unwrap_or(&last).split('|').map(str::to_owned).collect();
        if row.last().is_some_and(|word| word == "**") {
            row.pop();
            let is_one = !row.is_empty() && row.iter().all(|word| is_plain(word));
            return (is_one && is_plain(&last)).then_some(Self::Behind { row, last }).ok_or(NoForm);
        }
        if !row.iter().chain(&but).all(|word| is_plain(word) && !word.is_empty()) {
            return Err(NoForm);
        }
        if last.starts_with('!') {
            return (!row.is_empty()).then_some(Self::Others { row, but }).ok_or(NoForm);
        }
        if !is_plain(&last) {
            return Err(NoForm);
        }
        if !row.is_empty() {
            row.push(last);
            return Ok(Self::Row(row));
        }
        let Some(name) = last.strip_prefix('-') else { return Ok(Self::Word(last)) };
        let mut letters = name.chars();
        match (letters.next(), letters.next(), name.strip_prefix('-')) {
            (None, ..) | (.., Some("")) => Err(NoForm),
            (Some(letter), None, None) => Ok(Self::Letter(letter)),
            (.., Some(name)) => Ok(Self::Option { name: name.to_owned(), is_long: true }),
            (.., None) => Ok(Self::Option { name: name.to_owned(), is_long: false }),
        }
    }
}

impl Never {
    /// Which word of a command it is, and what is to be said of it. Words in small letters without quotes; the first
    /// `n_verb` of them are the verb and what stands before it.
    #[must_use]
    pub fn find(&self, words: &[&str], n_verb: usize) -> Option<(usize, String)> {
        let more = |what: &str| format!("`{what}` does more than read");
        let argument = |is: &dyn Fn(&str) -> bool| {
            words.iter().enumerate().skip(n_verb).find(|(_, word)| is(word)).map(|(at, _)| at)
        };
        match self {
            Self::Behind { row, last } => {
                let from = runs(words, row).next()? + row.len();
                let found = words.iter().skip(from).position(|word| last.starts_with(word))?;
                Some((from + found, more(last)))
            }
            Self::Letter(letter) => {
                let is = |word: &str| {
                    !word.starts_with("--")
                        && word.strip_prefix('-').is_some_and(|letters| letters.contains(*letter))
                };
                Some((argument(&is)?, more(&format!("-{letter}"))))
            }
            Self::Others { row, but } => {
                let mut behind = runs(words, row).map(|at| at + row.len());
                let is_other = |at: &usize| {
                    words.get(*at).is_some_and(|word| !but.iter().any(|b| b.starts_with(word)))
                };
                let at = behind.find(is_other)?;
                Some((at, format!("here stands only {}", but.join(" or "))))
            }
            Self::Option { name, is_long } => {
                let is = |word: &str| {
                    let least = if word.starts_with('-') { 1 } else { LEAST_LETTERS };
                    (!is_long || word.starts_with("--")) && begins(name, word, least)
                };
                Some((argument(&is)?, more(&format!("-{}{name}", if *is_long { "-" } else { "" }))))
            }
            Self::Row(row) => {
                Some((runs(words, row).next()? + row.len() - 1, more(&row.join(" "))))
            }
            Self::Word(whole) => {
                Some((argument(&|word| begins(whole, word, LEAST_LETTERS))?, more(whole)))
            }
        }
    }
}

/// Where words stand in a row that could be these.
fn runs(words: &[&str], row: &[String]) -> impl Iterator<Item = usize> {
    let fits = |run: &[&str]| row.iter().zip(run).all(|(wanted, word)| wanted.starts_with(word));
    words.windows(row.len()).enumerate().filter(move |(_, run)| fits(run)).map(|(at, _)| at)
}

/// True if a word without its `-` and its value is `whole`, or its first letters, `least` of them.
fn begins(whole: &str, word: &str, least: usize) -> bool {
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    whole == name || (name.len() >= least && whole.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(entry: &str, command: &str) -> Option<usize> {
        let words: Vec<&str> = command.split(' ').collect();
        Never::try_from(entry.to_owned()).unwrap().find(&words, 1).map(|(at, _)| at)
    }

    #[test]
    fn each_form_finds_what_it_names_however_short_and_nothing_else() {
        for (entry, command, want) in [
            ("delta", "show counter delta yes", Some(2)),
            ("Delta", "show counter del", Some(2)),
            ("delta", "show counter de", None),
            ("to", "show run to", Some(2)),
            ("delta", "delta counter", None),
            ("-c", "show x -ac", Some(2)),
            ("-c", "show x --count", None),
            ("--pcap", "show x --p=y", Some(2)),
            ("--pcap", "show x -pcap", None),
            ("--pcap", "show x pcap", None),
            ("-clearstats", "stat x -c", Some(2)),
            ("-clearstats", "stat x cle", Some(2)),
            ("-clearstats", "stat x cl", None),
            ("show host", "show ho x", Some(1)),
            ("show host", "show ip host", None),
            ("a b ** c", "show a x b c", None),
            ("show interfaces ** capture", "show int eth0 cap", Some(3)),
            ("show interfaces ** capture", "show eth0 interfaces capture", None),
            ("compare !report", "show mem comp start", Some(3)),
            ("compare !report", "show mem comp rep", None),
            ("compare !report", "show mem comp", None),
            ("run !all|interface", "show run inte", None),
            ("run !all|interface", "show run interface run x", Some(4)),
        ] {
            assert_eq!(found(entry, command), want, "{entry}: {command}");
        }
    }

    #[test]
    fn a_text_of_no_form_is_refused() {
        for entry in [
            "",
            " ",
            "**",
            "** a",
            "a **",
            "a ** b ** c",
            "!a",
            "a !",
            "a !b|",
            "a|b",
            "-",
            "--",
            "a !b c",
        ] {
            assert_eq!(Never::try_from(entry.to_owned()), Err(NoForm), "{entry}");
        }
    }
}
