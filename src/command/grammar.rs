//! The first half of the gate: the bytes of a line, its verb, and arguments that do more than read.

use super::{
    MOST_BYTES, MOST_PATTERN_BYTES,
    refusal::{Refusal, Rule},
};
use crate::platform::{ReadRules, Shape};

/// Never sent, wherever they stand: they part, redirect or substitute commands in one CLI or another, or ask for help.
const NEVER: [char; 6] = [';', '`', '<', '>', '&', '?'];
/// What a shell under the CLI would act on.
const NEVER_IN_A_SHELL: [char; 8] = ['$', '~', '{', '}', '*', '\\', '!', '#'];
/// Legal in a filter's pattern, in no command.
const NEVER_IN_A_COMMAND: [char; 4] = ['!', '#', '{', '}'];
/// Arguments that write or clear, whole words; some are known to be taken shortened.
const WRITING_ARGUMENTS: [(&str, usize); 8] = [
    ("clear", 3),
    ("clear_drop", 6),
    ("clear-on-read", 6),
    ("clear-counters", 6),
    ("to-file", 4),
    ("logto", 4),
    ("local-file", 6),
    ("output-file", 7),
];
/// Places from which or to which a device would fetch or send something.
const REMOTE: [&str; 8] = ["tftp", "ftp", "sftp", "scp", "rcp", "http", "https", "smb"];
/// On `RouterOS`: what may follow `print`, by the word before a `=`.
const PRINT_ARGUMENTS: [&str; 12] = [
    "brief",
    "detail",
    "terse",
    "without-paging",
    "count-only",
    "value-list",
    "as-value",
    "proplist",
    "stats",
    "stats-detail",
    "show-ids",
    "where",
];
/// On `RouterOS`: words that act, wherever they stand in a path or a condition.
const ACTING_WORDS: [&str; 26] = [
    "add",
    "set",
    "remove",
    "enable",
    "disable",
    "move",
    "edit",
    "unset",
    "export",
    "import",
    "reset",
    "reset-configuration",
    "reset-counters",
    "run",
    "execute",
    "monitor",
    "follow",
    "follow-only",
    "follow-strict",
    "file",
    "interval",
    "do",
    "reboot",
    "shutdown",
    "upgrade",
    "comment",
];

fn instead_of_unprintable(found: char) -> &'static str {
    match found {
        '\n' | '\r' => "give each command as one of its own, without line ends",
        '\t' => "write a blank",
        _ => "a `.` in a pattern stands for any character",
    }
}

/// What whoever writes this character may want.
fn instead_of(found: char) -> Option<&'static str> {
    match found {
        ';' | '&' => Some("give each command as one of its own"),
        '?' => Some("there is no help to be read: write the command out"),
        '<' | '>' => {
            Some("outputs come back in the answer; in a pattern a `.` stands for any character")
        }
        _ => None,
    }
}

/// Printable ASCII, not too long, nothing that means more than a letter.
pub(super) fn check_bytes(text: &str, reads: &ReadRules) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::new(Rule::Empty, 0));
    }
    if text.len() > MOST_BYTES {
        return Err(Refusal::new(Rule::TooLong, MOST_BYTES));
    }
    for (at, found) in text.char_indices() {
        if !(' '..='~').contains(&found) {
            return Err(Refusal::new(Rule::PrintableAscii, at).hint(instead_of_unprintable(found)));
        }
        if NEVER.contains(&found) || (reads.shell && NEVER_IN_A_SHELL.contains(&found)) {
            let refusal = Refusal::new(Rule::ForbiddenCharacter, at);
            return Err(match instead_of(found) {
                Some(hint) => refusal.hint(hint),
                None => refusal,
            });
        }
        let next = text.as_bytes().get(at + 1).copied();
        // A `$` ends a pattern; before anything else it could name a variable.
        let ends = matches!(next, None | Some(b' ' | b'"' | b'\'' | b')' | b'|'));
        // A back-reference has reloaded routers.
        let refers = found == '\\' && next.is_some_and(|digit| (b'1'..=b'9').contains(&digit));
        if (found == '$' && !ends) || refers {
            return Err(Refusal::new(Rule::ForbiddenCharacter, at));
        }
    }
    Ok(())
}

/// A pattern of a filter; `at` is where it stands.
pub(super) fn check_pattern(pattern: &str, at: usize) -> Result<(), Refusal> {
    if pattern.is_empty() {
        return Err(Refusal::new(Rule::FilterArgument, at).hint("it needs a value"));
    }
    if pattern.len() > MOST_PATTERN_BYTES {
        return Err(Refusal::new(Rule::TooLong, at + MOST_PATTERN_BYTES));
    }
    Ok(())
}

/// The command without its filters: a read verb and arguments that only read.
pub(super) fn check_base(base: &str, reads: &ReadRules) -> Result<(), Refusal> {
    let lower = base.to_ascii_lowercase();
    let words: Vec<(usize, &str)> = words(&lower);
    if words.is_empty() {
        return Err(Refusal::new(Rule::Empty, 0));
    }
    let plain: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    if reads.listed.iter().any(|listed| listed.split(' ').eq(plain.iter().copied())) {
        return Ok(());
    }
    let arguments = match reads.shape {
        Shape::VerbFirst => behind_verb(&words, reads)?,
        Shape::ObjectFirst => behind_object(&words, reads)?,
        Shape::Path => return check_path(base, &words, reads),
    };
    if arguments.is_empty() && !reads.bare && reads.shape == Shape::VerbFirst {
        return Err(Refusal::new(Rule::ReadVerb, base.len()).hint("say what to show"));
    }
    check_arguments(base, arguments, reads)
}

fn behind_verb<'w>(
    words: &'w [(usize, &'w str)],
    reads: &ReadRules,
) -> Result<&'w [(usize, &'w str)], Refusal> {
    let is_verb = |word: &str| reads.verbs.iter().any(|verb| verb.is(word));
    match words {
        [(_, verb), arguments @ ..] if is_verb(verb) => Ok(arguments),
        [(_, prefix), (_, verb), arguments @ ..]
            if reads.prefixes.iter().any(|one| one == prefix) && is_verb(verb) =>
        {
            Ok(arguments)
        }
        _ => Err(no_read_verb(reads)),
    }
}

/// `port show`, `port show port 1`, `show`: the verb is among the first three words, behind plain names.
fn behind_object<'w>(
    words: &'w [(usize, &'w str)],
    reads: &ReadRules,
) -> Result<&'w [(usize, &'w str)], Refusal> {
    let verb =
        words.iter().take(3).position(|(_, word)| reads.verbs.iter().any(|verb| verb.is(word)));
    let verb = verb.ok_or_else(|| no_read_verb(reads))?;
    let names = words.get(..verb).unwrap_or_default();
    let plain = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let acts = |word: &str| acts(word) || ["delete", "create", "configuration"].contains(&word);
    match names.iter().find(|(_, word)| !plain(word) || acts(word)) {
        Some((at, _)) => Err(Refusal::new(Rule::ReadVerb, *at)),
        None => Ok(words.get(verb + 1..).unwrap_or_default()),
    }
}

fn no_read_verb(reads: &ReadRules) -> Refusal {
    let refusal = Refusal::new(Rule::ReadVerb, 0);
    if let Some((first, others)) = reads.verbs.split_first() {
        let mut hint = String::with_capacity(64);
        hint.extend(["begin with `", &first.word, "`"]);
        for other in others {
            hint.extend([" or `", &other.word, "`"]);
        }
        return refusal.hint(hint);
    }
    if reads.listed.is_empty() {
        return refusal;
    }
    refusal.hint(format!("allowed are: {}", reads.listed.join(", ")))
}

fn check_arguments(
    base: &str,
    arguments: &[(usize, &str)],
    reads: &ReadRules,
) -> Result<(), Refusal> {
    if let Some((at, first)) = arguments.first() {
        let heavy = reads.off.iter().any(|off| first.len() >= 3 && off.starts_with(first))
            || reads.off.iter().any(|off| first.starts_with(&format!("{off}-")));
        if heavy {
            return Err(Refusal::new(Rule::OffByDefault, *at)
                .hint("the operator can allow it by its exact text"));
        }
    }
    let mut after_file = false;
    for (at, word) in arguments {
        let (at, word) = (*at, word.trim_matches(['"', '\'']));
        let shortens =
            |(whole, least): &(&str, usize)| word.len() >= *least && whole.starts_with(word);
        if WRITING_ARGUMENTS.iter().any(shortens) || reads.never.iter().any(|never| never == word) {
            return Err(Refusal::new(Rule::ArgumentWrites, at));
        }
        let remote = word.split_once(':').is_some_and(|(scheme, _)| REMOTE.contains(&scheme));
        if remote || word.contains("://") || (after_file && word.contains([':', '/', '.'])) {
            return Err(Refusal::new(Rule::FileOrUrl, at));
        }
        after_file = word == "file";
    }
    match base.find(NEVER_IN_A_COMMAND) {
        Some(at) => Err(Refusal::new(Rule::ForbiddenCharacter, at)),
        None => Ok(()),
    }
}

/// `RouterOS`: `[/]path print [arguments]`. Its language runs inside brackets and braces.
fn check_path(base: &str, words: &[(usize, &str)], reads: &ReadRules) -> Result<(), Refusal> {
    if let Some(at) = base.find(['[', ']', '{', '}', '$', '!', '\\', '(', ')']) {
        return Err(Refusal::new(Rule::ForbiddenCharacter, at));
    }
    // A colon begins a command of the language, but in a condition it belongs to an address or a time.
    let condition =
        words.iter().find(|(_, word)| *word == "where").map_or(base.len(), |(at, _)| *at);
    if let Some(at) = base.find(':').filter(|at| *at < condition) {
        return Err(Refusal::new(Rule::ForbiddenCharacter, at));
    }
    let verb = words.iter().position(|(_, word)| reads.verbs.iter().any(|verb| verb.is(word)));
    let verb = verb.filter(|verb| *verb > 0).ok_or_else(|| no_read_verb(reads))?;
    for (index, (at, word)) in words.iter().enumerate() {
        let name = word.split(['=', '~', '"']).next().unwrap_or_default();
        let name = if index == 0 { name.trim_start_matches('/') } else { name };
        let steps: Vec<&str> = name.split('/').collect();
        if index < verb {
            let plain = |step: &&str| {
                !step.is_empty()
                    && step
                        .bytes()
                        .all(|b| b.is_ascii_alphabetic() || b == b'-' || b.is_ascii_digit())
            };
            let whole = index == 0 || name == *word;
            if !whole || !steps.iter().all(plain) || steps.iter().any(|step| acts(step)) {
                return Err(Refusal::new(Rule::ReadVerb, *at));
            }
        }
    }
    let arguments = words.get(verb + 1..).unwrap_or_default();
    for (index, (at, word)) in arguments.iter().enumerate() {
        let name = word.split(['=', '~']).next().unwrap_or_default();
        let conditional = arguments.iter().take(index).any(|(_, before)| *before == "where");
        if (acts(name) && !PRINT_ARGUMENTS.contains(&name))
            || !(conditional || PRINT_ARGUMENTS.contains(&name))
        {
            return Err(Refusal::new(Rule::ArgumentWrites, *at)
                .hint(format!("after `print` come only {}", PRINT_ARGUMENTS.join(", "))));
        }
    }
    Ok(())
}

/// True if the device could take the word for one that acts: it takes them shortened.
fn acts(word: &str) -> bool {
    word.len() >= 2 && ACTING_WORDS.iter().any(|acting| acting.starts_with(word))
}

/// The words of a text and where they begin.
pub(super) fn words(text: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut at = 0;
    for word in text.split(' ') {
        if !word.is_empty() {
            words.push((at, word));
        }
        at += word.len() + 1;
    }
    words
}
