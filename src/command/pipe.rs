//! The second half of the gate: filter stages. Each must be one that the platform knows to drop lines only, with
//! exactly the arguments it takes; neutral words are put into the device's own or left to the service.

use super::{
    FilterKind,
    grammar::{check_pattern, words},
    refusal::{Refusal, Rule},
};
use crate::platform::{FilterRules, Meaning, Platform, Takes, WRITING_FILTERS, is_program};

/// Behind these an argument of the command is a regular expression, in brackets with bars of its own.
const REGULAR: [&str; 4] = ["regexp", "quote-regexp", "aspath-regex", "regular-expression"];

/// What an expression with a bar consists of besides digits, where no quotes keep the bar from being read as a filter's.
const AS_PATH: &str = "_^$.*+[]()|,-";

/// What stands between two bars.
pub(super) struct Stage<'t> {
    /// Where it begins.
    pub at: usize,
    /// Without blanks around it.
    pub text: &'t str,
}

/// What a stage is.
pub(super) enum Read {
    /// One of the device's own; with what the service could do in its place.
    Device { drops: bool, here: Option<(FilterKind, String)> },
    /// One of the device's own whose pattern the device might take for two stages.
    Service { kind: FilterKind, pattern: String },
    /// A word of every platform that this device does not have.
    Neutral { kind: FilterKind, value: String },
    /// One of the platform's that changes nothing in what is read here and is not sent.
    Nothing,
}

/// Parts a command from its filters.
///
/// The first bar ends the command. Behind it a bar with blanks begins another stage; one without stands in a
/// pattern. `quotes`: bars inside quotes are letters, and quotes must end. Bars in the brackets of an expression are
/// letters if it is one of an AS path and cannot be read as a filter; any other is refused.
pub(super) fn split(text: &str, quotes: bool) -> Result<(&str, Vec<Stage<'_>>), Refusal> {
    let mut cuts: Vec<usize> = Vec::new();
    let mut quote: Option<(char, usize)> = None;
    let (mut depth, mut opened, mut regular) = (0_usize, 0, false);
    let mut in_text: Option<usize> = None;
    let bytes = text.as_bytes();
    let mut word = 0;
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (_, Some((open, _))) if c == open => quote = None,
            ('"' | '\'', None) if quotes => quote = Some((c, at)),
            ('"', None) if regular => in_text = if in_text.is_some() { None } else { Some(at) },
            (' ', None) => {
                let name = text.get(word..at).unwrap_or_default().to_ascii_lowercase();
                regular |= cuts.is_empty()
                    && REGULAR.iter().any(|one| name.len() >= 3 && one.starts_with(&name));
                word = at + 1;
            }
            ('(', None) => {
                if depth == 0 {
                    opened = at;
                }
                depth += 1;
            }
            (')', None) => depth = depth.saturating_sub(1),
            ('|', None) => {
                let blank =
                    |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|b| *b == b' ');
                let apart = blank(at.checked_sub(1)) || blank(Some(at + 1));
                let in_command = cuts.is_empty();
                let as_path = match in_text {
                    _ if apart || !in_command || !regular => None,
                    Some(quote) => Some(is_as_path_text(text, quote)),
                    None => (depth > 0).then(|| is_as_path_group(text, opened)),
                };
                match as_path {
                    Some(false) => {
                        return Err(Refusal::new(Rule::Filter, at).hint(format!(
                            "a bar inside an expression stands only among digits and {AS_PATH}"
                        )));
                    }
                    None if apart || in_command => cuts.push(at),
                    Some(true) | None => {}
                }
            }
            _ => {}
        }
    }
    if let Some((_, at)) = quote {
        return Err(Refusal::new(Rule::Quotes, at));
    }
    let mut ends = cuts.iter().copied().skip(1).chain([text.len()]);
    let base = text.get(..cuts.first().copied().unwrap_or(text.len())).unwrap_or_default();
    check_disguised(base, 0)?;
    let stages = cuts.iter().map(|cut| {
        let inside = text.get(cut + 1..ends.next().unwrap_or(text.len())).unwrap_or_default();
        let at = cut + 1 + (inside.len() - inside.trim_start_matches(' ').len());
        Stage { at, text: inside.trim_matches(' ') }
    });
    Ok((base.trim_end_matches(' '), stages.collect()))
}

/// True if what the bracket at `from` opens also ends, and is of an AS path throughout.
fn is_as_path_group(text: &str, from: usize) -> bool {
    let mut open = Vec::new();
    for c in text.get(from..).unwrap_or_default().chars() {
        let fits = match c {
            '(' | '[' => {
                open.push(c);
                true
            }
            ')' => open.pop() == Some('('),
            ']' => open.pop() == Some('['),
            _ => is_as_path(c),
        };
        if !fits || open.is_empty() {
            return fits;
        }
    }
    false
}

/// True if the quote at `from` ends, and holds nothing but AS paths.
fn is_as_path_text(text: &str, from: usize) -> bool {
    let inside = text.get(from + 1..).and_then(|rest| rest.split_once('"'));
    inside.is_some_and(|(inside, _)| inside.chars().all(|c| c == ' ' || is_as_path(c)))
}

fn is_as_path(c: char) -> bool {
    c.is_ascii_digit() || AS_PATH.contains(c)
}

/// Says what a stage is; `behind` another one a bar may be meant for a letter.
pub(super) fn read(stage: &Stage<'_>, platform: &Platform, behind: bool) -> Result<Read, Refusal> {
    let parts = words(stage.text);
    let Some((_, first)) = parts.first().copied() else {
        return Err(Refusal::new(Rule::Filter, stage.at).hint("nothing stands behind the bar"));
    };
    let filters = platform.filters();
    let second = parts.get(1).map(|(_, word)| *word);
    let lower = first.to_ascii_lowercase();
    let two = |filter: &&FilterRules| second.is_some_and(|second| filter.is_both(first, second));
    if let Some(filter) = filters.iter().find(two) {
        return read_known(stage, filter, &parts, 2, platform);
    }
    // A shortened word means the first filter it fits, as on the device: definitions list them in that order.
    let neutral = FilterKind::ALL.into_iter().find(|option| {
        let is_other =
            |filter: &FilterRules| filter.word.starts_with(&lower) && filter.word != option.word();
        // However short, the device gets all of the word, or nothing. Sections and counts begin like filters that write.
        let least = match option {
            FilterKind::Section | FilterKind::Count => 3,
            _ => 1,
        };
        let is_meant = lower.len() >= 3 || !filters.iter().any(is_other);
        lower.len() >= least && is_meant && option.word().starts_with(&lower)
    });
    let own = filters.iter().find(|filter| filter.is(first));
    // A device whose own `count` takes no pattern leaves one with a pattern to the service.
    let takes_less = |filter: &&FilterRules| {
        filter.takes == Takes::Nothing && neutral.is_some() && second.is_some()
    };
    let counts =
        |filter: &FilterRules| matches!(filter.takes, Takes::Nothing | Takes::OptionalPattern);
    if neutral == Some(FilterKind::Count) && second.is_none() && !own.is_some_and(counts) {
        // All lines, which a device with a `count` of its own for patterns would refuse to count.
        return Ok(Read::Service { kind: FilterKind::Count, pattern: String::new() });
    }
    if let Some(filter) = own.filter(|filter| !takes_less(filter)) {
        return read_known(stage, filter, &parts, 1, platform);
    }
    if let Some(kind) = neutral {
        let value = stage.text.get(first.len()..).unwrap_or_default().trim_matches(' ');
        let value = unquoted(value, platform);
        check_pattern(&value, stage.at + first.len())?;
        return Ok(Read::Neutral { kind, value });
    }
    let shown: String = first.chars().take(32).collect();
    let refusal = Refusal::new(Rule::Filter, stage.at);
    let known: Vec<_> = filters.iter().map(|filter| filter.word.as_str()).collect();
    let known =
        if known.is_empty() { FilterKind::ALL.map(FilterKind::word).to_vec() } else { known };
    let writes = WRITING_FILTERS.iter().find(|word| lower.len() >= 3 && word.starts_with(&lower));
    Err(match writes {
        Some(word) => refusal.hint(format!(
            "`| {word}` writes or sends the output somewhere; use {}",
            known.join(", ")
        )),
        None if behind => refusal.hint(format!(
            "`{shown}` is not one of {}; bars in a pattern stand without blanks",
            known.join(", ")
        )),
        None => refusal.hint(format!("`{shown}` is not one of {}", known.join(", "))),
    })
}

fn read_known(
    stage: &Stage<'_>,
    filter: &FilterRules,
    parts: &[(usize, &str)],
    skip: usize,
    platform: &Platform,
) -> Result<Read, Refusal> {
    let argument_at = parts.get(skip).map_or(stage.text.len(), |(at, _)| *at);
    let rest = stage.text.get(argument_at..).unwrap_or_default();
    let at = stage.at + argument_at;
    let wrong = |hint: &str| Err(Refusal::new(Rule::FilterArgument, at).hint(hint.to_owned()));
    let reads = platform.reads();
    let arguments = tokens(rest, reads.quotes);
    let number = |text: &str| {
        !text.is_empty() && text.len() <= 7 && text.bytes().all(|b| b.is_ascii_digit())
    };
    let drops = filter.meaning.is_some();
    let is_count = filter.meaning == Some(Meaning::Count);
    let all_lines = || is_count.then(|| (FilterKind::Count, String::new()));
    let known = |pattern: &str| {
        let kind = filter.meaning.and_then(kind_of)?;
        let value = unquoted(pattern, platform);
        match filter.takes {
            Takes::Pattern | Takes::OptionalPattern => Some((kind, value)),
            takes => in_the_services_words(kind, takes, &arguments, value),
        }
    };
    let pattern = match filter.takes {
        Takes::Nothing if arguments.is_empty() => {
            let is_sent = !filter.by_service;
            return Ok(if is_sent {
                Read::Device { drops, here: all_lines() }
            } else {
                Read::Nothing
            });
        }
        Takes::Nothing => return wrong("it takes nothing"),
        Takes::Number => {
            return match arguments.as_slice() {
                [count] if number(count) => Ok(Read::Device { drops, here: None }),
                ["-n" | "count", count] if number(count) => Ok(Read::Device { drops, here: None }),
                _ => wrong("it takes a number"),
            };
        }
        Takes::Choice => {
            let fits = |word: &&str| {
                filter
                    .choices
                    .iter()
                    .any(|choice| choice == word || (choice == "N" && number(word)))
            };
            if arguments.is_empty() || !arguments.iter().all(fits) {
                return wrong(&format!("it takes {}", filter.choices.join(", ")));
            }
            return Ok(Read::Device { drops, here: None });
        }
        Takes::OptionalPattern if rest.is_empty() => {
            return Ok(Read::Device { drops, here: all_lines() });
        }
        Takes::Pattern | Takes::OptionalPattern => rest,
        Takes::Grep | Takes::Operand => match operand(&arguments, filter, reads.shell, number) {
            Some(operand) => operand,
            None => {
                return wrong(
                    "it takes known options and exactly one value; quote a value with blanks",
                );
            }
        },
    };
    // Quotes are not of the value: a value that is put into them is no longer than without.
    check_pattern(&unquoted(pattern, platform), at)?;
    check_disguised(pattern, at)?;
    if reads.shell && !is_quoted(pattern) && pattern.contains(['(', ')', '[', ']', '|', '\'', '"'])
    {
        return wrong("quote a value with brackets or bars: a shell reads it");
    }
    // A bar that the device could take for the next stage's: this stage is the service's. Only shells are known to read
    // single quotes as the gate does.
    let is_kept = reads.quotes && is_quoted(pattern) && (reads.shell || pattern.starts_with('"'));
    let is_split = !is_kept && (reads.quotes && pattern.contains('|') || is_like_stages(pattern));
    if is_split || is_for_find(filter, pattern) || filter.by_service {
        return match known(pattern) {
            Some((kind, pattern)) => Ok(Read::Service { kind, pattern }),
            None if is_split => wrong("put a value with bars into double quotes"),
            None => wrong("it takes one value and no options here"),
        };
    }
    Ok(Read::Device { drops, here: known(pattern) })
}

/// True if what stands behind a bar of the pattern reads like a filter and what it takes; or like what a Unix would run,
/// should the device be one by mistake.
fn is_like_stages(pattern: &str) -> bool {
    pattern.split('|').skip(1).any(|alternative| {
        let alternative = alternative.trim_matches(' ');
        let plain = alternative.replace(['"', '\'', '\\'], "");
        // `Gi0/1`, `1/0/1`, `^1/1`.
        let is_name =
            plain.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '^');
        let is_path = plain.contains('/') && !is_name;
        let is_run = plain.is_empty()
            || plain.starts_with(['(', '.', '~', '!'])
            || plain.contains('{')
            || is_path
            || is_program(&plain);
        alternative.contains(' ') || is_run
    })
}

/// `find -delete` is a program's, should the device be a Unix by mistake.
fn is_for_find(filter: &FilterRules, value: &str) -> bool {
    filter.takes == Takes::Operand && filter.word == "find" && is_option(value)
}

/// What the service does where a definition says this.
fn kind_of(meaning: Meaning) -> Option<FilterKind> {
    match meaning {
        Meaning::Begin => Some(FilterKind::Begin),
        Meaning::Count => Some(FilterKind::Count),
        Meaning::Exclude => Some(FilterKind::Exclude),
        Meaning::Include => Some(FilterKind::Include),
        Meaning::Section => Some(FilterKind::Section),
        Meaning::Other => None,
    }
}

/// A filter with its options as one of the service, which knows no others than these.
fn in_the_services_words(
    kind: FilterKind,
    takes: Takes,
    arguments: &[&str],
    value: String,
) -> Option<(FilterKind, String)> {
    let (_, options) = arguments.split_last()?;
    match (options, kind) {
        ([], _) => Some((kind, value)),
        _ if takes != Takes::Grep => None,
        (["-i" | "ignore-case"], _) => Some((kind, format!("(?i){value}"))),
        (["-v" | "invert-match"], FilterKind::Include) => Some((FilterKind::Exclude, value)),
        _ => None,
    }
}

/// The one operand among the options that a filter may have.
fn operand<'t>(
    arguments: &[&'t str],
    filter: &FilterRules,
    shell: bool,
    number: impl Fn(&str) -> bool,
) -> Option<&'t str> {
    let mut operand = None;
    let mut arguments = arguments.iter().copied().peekable();
    while let Some(argument) = arguments.next() {
        let counts =
            operand.is_some() && number(argument) && filter.choices.iter().any(|one| one == "N");
        if counts || filter.choices.iter().any(|choice| choice == argument) {
            continue;
        }
        // The last word is what is looked for, whatever else it could be.
        let is_word = arguments.peek().is_some()
            && filter.options.iter().any(|option| {
                let word = option.strip_suffix(" N").unwrap_or(option);
                !word.starts_with('-') && word == argument
            });
        let is_dashed = argument.len() > 1 && argument.starts_with('-');
        if filter.takes == Takes::Grep && (is_dashed || is_word) {
            let plain = filter.options.iter().any(|option| option == argument);
            let mut counted = filter.options.iter().filter_map(|option| option.strip_suffix(" N"));
            let named = counted.find(|name| argument.starts_with(name));
            match named {
                // `-C 5` or `-C5`.
                Some(name) if argument == name => {
                    arguments.next().filter(|count| number(count))?;
                }
                Some(name) if argument.strip_prefix(name).is_some_and(&number) => {}
                _ if plain => {}
                _ => return None,
            }
        } else if ((shell || filter.takes == Takes::Grep) && is_option(argument))
            || operand.replace(argument).is_some()
        {
            return None;
        }
    }
    operand
}

/// A pattern that hides a filter that writes behind a bar: one without blanks, or one in quotes.
fn check_disguised(pattern: &str, at: usize) -> Result<(), Refusal> {
    for alternative in pattern.split('|').skip(1) {
        let alternative = alternative.trim_matches(' ');
        let (word, rest) = alternative.split_once(' ').unwrap_or((alternative, ""));
        let word = word.to_ascii_lowercase();
        let writes = WRITING_FILTERS.iter().any(|one| word.len() >= 3 && one.starts_with(&word));
        let somewhere =
            rest.contains([':', '/']) || (pattern.starts_with('\'') && !rest.is_empty());
        if writes && somewhere {
            return Err(Refusal::new(Rule::Filter, at).hint("this reads like a filter that writes"));
        }
    }
    Ok(())
}

/// A neutral filter in the device's own words, if it has them and they can hold the value.
pub(super) fn in_words_of(platform: &Platform, kind: FilterKind, value: &str) -> Option<String> {
    let filter = platform.filters().iter().find(|filter| {
        filter.meaning.and_then(kind_of) == Some(kind)
            && !filter.by_service
            && matches!(
                filter.takes,
                Takes::Pattern | Takes::Operand | Takes::Grep | Takes::OptionalPattern
            )
    })?;
    if means_another(filter, value) {
        return None;
    }
    let reads = platform.reads();
    let odd = value.contains(['"', '\'']);
    let has_options = reads.shell || filter.takes == Takes::Grep;
    if check_disguised(value, 0).is_err()
        || (has_options && is_option(value))
        || is_for_find(filter, value)
    {
        return None;
    }
    if !reads.quotes {
        // A bar with blanks would begin another stage there.
        let apart = value.contains("| ")
            || value.contains(" |")
            || value.starts_with('|')
            || is_like_stages(value);
        return (!apart).then(|| format!("{} {value}", filter.word));
    }
    // A backslash before the quote that ends the value could keep it from ending.
    if odd || value.ends_with('\\') {
        return None;
    }
    if reads.shell && value.contains(['(', ')', '[', ']', '|', ' ']) {
        return None;
    }
    let plain = !value.contains([' ', '|', '(', ')']);
    Some(if plain {
        format!("{} {value}", filter.word)
    } else {
        format!("{} \"{value}\"", filter.word)
    })
}

/// True if the device would take the value for another pattern than the service does, which knows one kind of them.
fn means_another(filter: &FilterRules, value: &str) -> bool {
    match filter.takes {
        // A basic expression: these are letters there, and operators behind a backslash.
        Takes::Grep => {
            !filter.word.ends_with("egrep")
                && value.contains(['|', '+', '?', '(', ')', '{', '}', '\\'])
        }
        // SR OS: a plain text, unless `expression` stands by it, which not every release is known to take.
        Takes::Operand if filter.choices.iter().any(|choice| choice == "expression") => {
            value.contains(['\\', '^', '$', '.', '|', '?', '*', '+', '(', ')', '[', ']', '{', '}'])
        }
        _ => false,
    }
}

/// True if what is left of an operand without its quotes is an option to a program, or becomes several in a shell, which
/// takes `{a,b}` apart.
fn is_option(argument: &str) -> bool {
    let plain = argument.trim_matches(['"', '\'', '\\']);
    let is_several = plain.contains('{') && (plain.contains(',') || plain.contains(".."));
    (plain.len() > 1 && plain.starts_with('-')) || (is_several && !is_quoted(argument))
}

fn is_quoted(text: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        text.len() >= 2
            && text.starts_with(quote)
            && text.ends_with(quote)
            && text.matches(quote).count() == 2
    })
}

fn unquoted(text: &str, platform: &Platform) -> String {
    let inside = text.get(1..text.len().saturating_sub(1));
    match inside {
        Some(inside) if platform.reads().quotes && is_quoted(text) => inside.to_owned(),
        _ => text.to_owned(),
    }
}

/// The arguments of a stage: words, or with `quotes` also quoted texts.
fn tokens(text: &str, quotes: bool) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start: Option<usize> = None;
    let mut quote: Option<char> = None;
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) if quotes => {
                quote = Some(c);
                start.get_or_insert(at);
            }
            (' ', None) => {
                if let Some(start) = start.take() {
                    tokens.extend(text.get(start..at));
                }
            }
            _ => {
                start.get_or_insert(at);
            }
        }
    }
    if let Some(start) = start {
        tokens.extend(text.get(start..));
    }
    tokens
}
