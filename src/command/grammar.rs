//! The first half of the gate: the bytes of a line, its verb, and arguments that do more than read.

use std::borrow::Cow;

use super::{
    MOST_BYTES, MOST_PATTERN_BYTES, path, quotes,
    refusal::{Refusal, Rule},
};
use crate::platform::{ReadRules, Shape, is_program};

/// Never sent, wherever they stand: they part, redirect or substitute commands in one CLI or another, or ask for help.
const NEVER: [char; 6] = [';', '`', '<', '>', '&', '?'];
/// What a shell under the CLI would act on.
const NEVER_IN_A_SHELL: [char; 8] = ['$', '~', '{', '}', '*', '\\', '!', '#'];
/// Legal in a filter's pattern, in no command.
const NEVER_IN_A_COMMAND: [char; 4] = ['!', '#', '{', '}'];
/// Arguments that write or clear, whole words; some are known to be taken shortened.
const WRITING_ARGUMENTS: [(&str, usize); 10] = [
    ("clear", 3),
    ("clear_drop", 6),
    ("clear-on-read", 6),
    ("clear-counters", 6),
    ("to-file", 3),
    ("logto", 4),
    ("local-file", 6),
    ("output-file", 7),
    ("output-directory", 8),
    ("save-to-file", 5),
];
/// Places from which or to which a device would fetch or send something.
const REMOTE: [&str; 8] = ["tftp", "ftp", "sftp", "scp", "rcp", "http", "https", "smb"];
/// Where the verb stands behind the object: commands, which take a `show` for an argument or a host's name.
const OBJECT_COMMANDS: [&str; 40] = [
    "ack",
    "activate",
    "clear",
    "copy",
    "create",
    "delete",
    "dns-lookup",
    "exec",
    "exit",
    "flap",
    "flush",
    "force",
    "ftp",
    "getfile",
    "install",
    "kill",
    "load",
    "logout",
    "lookup",
    "ping",
    "putfile",
    "quit",
    "reload",
    "rename",
    "renew",
    "rollback",
    "save",
    "scp",
    "sftp",
    "shell",
    "ssh",
    "start",
    "stop",
    "swap",
    "telnet",
    "test",
    "tftp",
    "traceroute",
    "validate",
    "write",
];
/// On `RouterOS`: words that act, wherever they stand in a path or a condition.
pub(super) const ACTING_WORDS: [&str; 26] = [
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

/// Printable ASCII, not too long, nothing that means more than a letter on any device.
pub(super) fn check_bytes(text: &str) -> Result<(), Refusal> {
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
        if NEVER.contains(&found) {
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

/// Nothing in what is sent that a shell would act on. A `$` at a word's end is a letter to it.
pub(super) fn check_for_shell(sent: &str, reads: &ReadRules) -> Result<(), Refusal> {
    let is_letter = |(at, found): &(usize, &str)| {
        let behind = sent.get(at + 1..).unwrap_or_default();
        *found == "$" && (behind.is_empty() || behind.starts_with(' '))
    };
    let mut acts = sent.match_indices(NEVER_IN_A_SHELL).filter(|found| !is_letter(found));
    match acts.next().filter(|_found| reads.shell) {
        Some((at, _)) => Err(Refusal::new(Rule::ForbiddenCharacter, at)),
        None => Ok(()),
    }
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
    let words = words(&lower);
    if words.is_empty() {
        return Err(Refusal::new(Rule::Empty, 0));
    }
    let plain: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    if is_listed(base, reads) {
        return Ok(());
    }
    quotes::check_words(base)?;
    let arguments = match reads.shape {
        Shape::VerbFirst => words.get(behind_verb(&plain, reads)?..).unwrap_or_default(),
        Shape::ObjectFirst => behind_object(&words, reads)?,
        Shape::Path => return path::check(base, &words, reads),
    };
    if arguments.is_empty() && !reads.bare && reads.shape == Shape::VerbFirst {
        return Err(Refusal::new(Rule::ReadVerb, base.len()).hint("say what to show"));
    }
    check_if_a_shell(&words, arguments)?;
    check_if_a_unix(&words, arguments, reads)?;
    let verb = words.len() - arguments.len();
    let as_read: Vec<(usize, Cow<'_, str>)> =
        words.iter().map(|(at, word)| (*at, quotes::taken_out(word))).collect();
    let as_read: Vec<(usize, &str)> = as_read
        .iter()
        .enumerate()
        // A quote with blanks round it is no word.
        .filter(|(index, (_, word))| *index < verb || !word.is_empty())
        .map(|(_, (at, word))| (*at, &**word))
        .collect();
    check_never(&as_read, verb, reads)?;
    check_arguments(as_read.get(verb..).unwrap_or_default(), reads)?;
    match base.find(NEVER_IN_A_COMMAND) {
        Some(at) => Err(Refusal::new(Rule::ForbiddenCharacter, at)),
        None => Ok(()),
    }
}

/// True if the platform allows exactly this command.
fn is_listed(base: &str, reads: &ReadRules) -> bool {
    // To a shell `-S` is another option than `-s`.
    let as_read = |byte: u8| if reads.shell { byte } else { byte.to_ascii_lowercase() };
    reads.listed.iter().any(|listed| {
        let mut typed = base.split(' ').filter(|word| !word.is_empty());
        let is_next = |word: &str| {
            typed.next().is_some_and(|typed| typed.bytes().map(as_read).eq(word.bytes()))
        };
        listed.split(' ').all(is_next) && typed.next().is_none()
    })
}

/// Where a name that may be any stands before the verb, a Unix would run a program of that name with all behind it.
fn check_if_a_unix(
    words: &[(usize, &str)],
    arguments: &[(usize, &str)],
    reads: &ReadRules,
) -> Result<(), Refusal> {
    let plain: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    let named = match reads.shape {
        Shape::ObjectFirst => words.first(),
        Shape::VerbFirst if reads.prefix_words(&plain) == 2 => words.get(1),
        _ => None,
    };
    let Some((at, name)) = named else { return Ok(()) };
    if is_program(name) {
        return Err(Refusal::new(Rule::ReadVerb, *at));
    }
    let is_operand = |word: &str| word.len() > 1 && word.starts_with(['-', '/']);
    match arguments.iter().find(|(_, word)| is_operand(word.trim_start_matches(['"', '\'']))) {
        Some((at, _)) => Err(Refusal::new(Rule::FileOrUrl, *at)),
        None => Ok(()),
    }
}

/// What a shell would make of it, should the device be one by mistake: `sh` with an option or a file starts another, and
/// brackets behind the first word make a function of it. No CLI has either.
fn check_if_a_shell(words: &[(usize, &str)], arguments: &[(usize, &str)]) -> Result<(), Refusal> {
    let Some((at, first)) = arguments.first().copied() else { return Ok(()) };
    let verb = words.len().checked_sub(arguments.len() + 1).and_then(|verb| words.get(verb));
    let first = first.trim_start_matches(['"', '\'']);
    if first.starts_with('(') {
        return Err(Refusal::new(Rule::ForbiddenCharacter, at).hint("a shell acts on it"));
    }
    let starts = first.starts_with('-') || first.contains(['/', '.']);
    if starts && verb.is_some_and(|(_, verb)| *verb == "sh") {
        return Err(Refusal::new(Rule::ReadVerb, 0).hint("write `show`: a shell runs it"));
    }
    Ok(())
}

/// Where a verb stands that was shortened to `sh`, which is a program of every Unix, and the word that it is short for.
pub(super) fn shortened_to_a_shell<'r>(
    base: &str,
    reads: &'r ReadRules,
) -> Option<(usize, &'r str)> {
    let lower = base.to_ascii_lowercase();
    let words = words(&lower);
    let plain: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    let first = match reads.shape {
        Shape::VerbFirst => reads.prefix_words(&plain),
        Shape::ObjectFirst => 0,
        Shape::Path => return None,
    };
    let (at, word) = words.get(first).filter(|_| !is_listed(base, reads))?;
    let verb = reads.verbs.iter().find(|verb| *word == "sh" && verb.is(word))?;
    Some((*at, &verb.word))
}

/// How many words the verb is the last of.
fn behind_verb(words: &[&str], reads: &ReadRules) -> Result<usize, Refusal> {
    let prefix = reads.prefix_words(words);
    let is_read =
        |at: usize| words.get(at).is_some_and(|word| reads.verbs.iter().any(|verb| verb.is(word)));
    if is_read(prefix) {
        Ok(prefix + 1)
    } else if is_read(prefix + 1) {
        // `do show`, `tmsh show`.
        Err(Refusal::new(Rule::ReadVerb, 0).hint("leave out what stands before the verb"))
    } else {
        Err(no_read_verb(reads))
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
    let begins = |whole: &str, word: &str| word.len() >= 2 && whole.starts_with(word);
    // `configuration show` reads; what else may stand between the two is not known to.
    let acts = |word: &str| {
        acts(word)
            || OBJECT_COMMANDS.iter().any(|command| begins(command, word))
            || (names.len() > 1 && begins("configuration", word))
    };
    match names.iter().find(|(_, word)| !plain(word) || acts(word)) {
        Some((at, _)) => Err(Refusal::new(Rule::ReadVerb, *at)),
        None => Ok(words.get(verb + 1..).unwrap_or_default()),
    }
}

pub(super) fn no_read_verb(reads: &ReadRules) -> Refusal {
    let refusal = Refusal::new(Rule::ReadVerb, 0);
    if let Some((first, others)) = reads.verbs.split_first() {
        let mut hint = String::with_capacity(64);
        if reads.shape == Shape::Path {
            hint.push_str("give a path and then ");
        } else {
            hint.push_str("begin with ");
        }
        hint.extend(["`", &first.word, "`"]);
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

/// Words of the platform that do more than read; the first `n_verb` are the verb and what stands before it.
fn check_never(words: &[(usize, &str)], n_verb: usize, reads: &ReadRules) -> Result<(), Refusal> {
    let plain: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    let found = reads.never.iter().find_map(|never| never.find(&plain, n_verb));
    let Some((index, hint)) = found else { return Ok(()) };
    let at = words.get(index).map_or(0, |(at, _)| *at);
    Err(Refusal::new(Rule::ArgumentWrites, at).hint(hint))
}

fn check_arguments(arguments: &[(usize, &str)], reads: &ReadRules) -> Result<(), Refusal> {
    let Some((at, first)) = arguments.first().copied() else { return Ok(()) };
    let heavy = reads.off.iter().any(|off| first.len() >= 2 && off.starts_with(first))
        || reads.off.iter().any(|off| first.starts_with(&format!("{off}-")));
    if heavy {
        return Err(Refusal::new(Rule::OffByDefault, at)
            .hint("the operator can allow it by its exact text"));
    }
    let of_platform = first.len() >= 2 && "platform".starts_with(first);
    let mut before = "";
    for (index, (at, word)) in arguments.iter().copied().enumerate() {
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        let shortens =
            |(whole, least): &(&str, usize)| name.len() >= *least && whole.starts_with(name);
        let is_last = index + 1 == arguments.len();
        // Shorter ones could be `client` or `class`, but not at the end, and there is no `c` of a platform.
        let clears = index > 0
            && "clear".starts_with(name)
            && match name.len() {
                0 => false,
                1 => of_platform && is_last,
                _ => of_platform || is_last,
            };
        if clears || WRITING_ARGUMENTS.iter().any(shortens) {
            return Err(Refusal::new(Rule::ArgumentWrites, at));
        }
        let remote = word.split_once(':').is_some_and(|(scheme, _)| REMOTE.contains(&scheme));
        let is_log = !before.is_empty() && "log".starts_with(before);
        let is_file = before == "file" || (index == 1 && "file".starts_with(before));
        let written = (is_file && word.contains([':', '/', '.']))
            || (is_log && word.starts_with('/'))
            || (["t", "to"].contains(&before) && is_on_a_disk(word));
        if remote || written || word.contains("://") || word.contains("../") {
            return Err(Refusal::new(Rule::FileOrUrl, at));
        }
        before = word;
    }
    Ok(())
}

/// True of a path, and of a name behind that of a file system, which no time and no address begins like.
fn is_on_a_disk(word: &str) -> bool {
    let system = word.split_once(':').map(|(system, _)| system);
    word.starts_with('/')
        || system.is_some_and(|name| name.bytes().any(|b| !b.is_ascii_hexdigit() && b != b'.'))
}

/// True if the device could take the word for one that acts: it takes them shortened.
pub(super) fn acts(word: &str) -> bool {
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
