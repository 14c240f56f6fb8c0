//! The filters that devices have themselves: `| include x`, `| match x`, `| grep -v x`, `| display set`.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// Largest compiled pattern, in bytes.
const MOST_COMPILED_BYTES: usize = 1 << 20;

/// What a filter word does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Meaning {
    /// Keeps from the first line that matches on.
    Begin,
    /// Counts the lines, or those that match.
    Count,
    /// `display`: `set` prints a configuration of braces as lines; all else prints it as it is.
    Display,
    Exclude,
    /// As the program of that name, with -i, -v, -n and -c.
    Grep,
    Include,
    /// Keeps the last lines, 10 if no number is given.
    Last,
    /// Prints without stopping for the pager.
    NoMore,
    Nothing,
    /// Keeps the lines that match and those indented under them.
    Section,
}

/// The stages of what stands behind a command's first bar, each as its word and the rest.
///
/// Bars with blanks around them part stages, where the device chains them; all others are alternatives of a pattern.
pub(super) fn stages(text: &str, chains: bool) -> impl Iterator<Item = (&str, &str)> {
    let most = if chains { usize::MAX } else { 1 };
    text.splitn(most, " | ")
        .map(str::trim)
        .map(|stage| stage.split_once(' ').unwrap_or((stage, "")))
}

/// What the filters after the first bar leave of a text; `None` if the device knows no such filter.
pub(super) fn filtered(
    text: &str,
    behind_bar: &str,
    chains: bool,
    meaning: impl Fn(&str) -> Option<Meaning>,
    count_text: &str,
) -> Option<String> {
    let mut text = text.to_owned();
    for (word, rest) in stages(behind_bar, chains) {
        text = apply(meaning(word)?, rest.trim(), &text, count_text)?;
    }
    Some(text)
}

fn apply(meaning: Meaning, rest: &str, text: &str, count_text: &str) -> Option<String> {
    let lines = text.split_inclusive('\n');
    Some(match meaning {
        Meaning::Display if rest == "set" => set_lines(text),
        Meaning::Display | Meaning::NoMore | Meaning::Nothing => text.to_owned(),
        Meaning::Last => {
            let wanted = rest.parse().unwrap_or(10);
            let skipped = lines.clone().count().saturating_sub(wanted);
            lines.skip(skipped).collect()
        }
        Meaning::Count => {
            let pattern = pattern(rest, false)?;
            let count = lines.filter(|line| pattern.is_match(line.trim_end())).count();
            count_text.replace("{n}", &count.to_string()) + "\n"
        }
        Meaning::Grep => grep(rest, text)?,
        _ if rest.is_empty() => return None,
        Meaning::Begin => {
            let pattern = pattern(rest, false)?;
            lines.skip_while(|line| !pattern.is_match(line.trim_end())).collect()
        }
        Meaning::Exclude => {
            let pattern = pattern(rest, false)?;
            lines.filter(|line| !pattern.is_match(line.trim_end())).collect()
        }
        Meaning::Include => {
            let pattern = pattern(rest, false)?;
            lines.filter(|line| pattern.is_match(line.trim_end())).collect()
        }
        Meaning::Section => section(&pattern(rest, false)?, text),
    })
}

/// A pattern as devices take it: quotes around it fall away, and one that is no expression is text.
fn pattern(text: &str, ignore_case: bool) -> Option<Regex> {
    let bare = ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text);
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(MOST_COMPILED_BYTES)
            .dfa_size_limit(MOST_COMPILED_BYTES)
            .build()
            .ok()
    };
    build(bare).or_else(|| build(&regex::escape(bare)))
}

fn grep(rest: &str, text: &str) -> Option<String> {
    let (mut ignore_case, mut invert, mut number, mut count) = (false, false, false, false);
    let mut rest = rest;
    while let Some(flags) = rest.strip_prefix('-') {
        let (flags, after) = flags.split_once(' ')?;
        for flag in flags.chars() {
            match flag {
                'c' => count = true,
                // FortiOS prints the sections around what it finds; the lines themselves are enough here.
                'f' => {}
                'i' => ignore_case = true,
                'n' => number = true,
                'v' => invert = true,
                _ => return None,
            }
        }
        rest = after.trim_start();
    }
    let pattern = pattern(rest, ignore_case)?;
    let kept = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(_, line)| pattern.is_match(line.trim_end()) != invert);
    Some(if count {
        format!("{}\n", kept.count())
    } else if number {
        kept.flat_map(|(at, line)| [(at + 1).to_string() + ":", line.to_owned()]).collect()
    } else {
        kept.map(|(_, line)| line).collect()
    })
}

fn section(pattern: &Regex, text: &str) -> String {
    let mut kept = String::new();
    let mut under: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let below = under.is_some_and(|parent| indent > parent && !line.trim().is_empty());
        if !below {
            under = pattern.is_match(line.trim_end()).then_some(indent);
        }
        if under.is_some() {
            kept.push_str(line);
        }
    }
    kept
}

/// A configuration of braces as the lines that would make it.
fn set_lines(text: &str) -> String {
    let mut path: Vec<&str> = Vec::new();
    let mut lines = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("##") || line.starts_with("/*") {
            continue;
        }
        if let Some(name) = line.strip_suffix('{') {
            path.push(name.trim_end());
        } else if line == "}" {
            path.pop();
        } else {
            let leaf = line.trim_end_matches(';');
            // A list of values is a line a value.
            let (name, values) = match leaf.split_once(" [ ") {
                Some((name, values)) => (name, values.trim_end_matches(" ]")),
                None => (leaf, ""),
            };
            let values: Vec<&str> = values.split(' ').collect();
            for value in values {
                let words =
                    path.iter().copied().chain([name, value]).filter(|word| !word.is_empty());
                lines += "set";
                for word in words {
                    lines.push(' ');
                    lines += word;
                }
                lines.push('\n');
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "hostname r1\ninterface Gi0/1\n ip address 192.0.2.1\n!\nrouter bgp 64496\n \
                          neighbor 192.0.2.2\n  description x\nend\n";
    const COUNT: &str = "Number of lines which match regexp = {n}";

    fn run(text: &str, stages: &str) -> Option<String> {
        run_on(true, text, stages)
    }

    fn run_on(chains: bool, text: &str, stages: &str) -> Option<String> {
        let words = [
            ("include", Meaning::Include),
            ("exclude", Meaning::Exclude),
            ("begin", Meaning::Begin),
            ("section", Meaning::Section),
            ("count", Meaning::Count),
            ("grep", Meaning::Grep),
            ("last", Meaning::Last),
            ("display", Meaning::Display),
            ("no-more", Meaning::NoMore),
        ];
        let meaning = |word: &str| {
            words.iter().find(|(known, _)| known.starts_with(word)).map(|(_, meaning)| *meaning)
        };
        filtered(text, stages, chains, meaning, COUNT)
    }

    #[test]
    fn filters_leave_what_the_devices_would_leave() {
        let bgp = "router bgp 64496\n neighbor 192.0.2.2\n  description x\n";
        let cases = [
            ("include 192", " ip address 192.0.2.1\n neighbor 192.0.2.2\n"),
            ("i 192", " ip address 192.0.2.1\n neighbor 192.0.2.2\n"),
            ("exclude ^[ !]|interface|router|host", "end\n"),
            ("begin description", "  description x\nend\n"),
            ("section ^router", bgp),
            ("section bgp", bgp),
            ("include 192 | exclude neighbor", " ip address 192.0.2.1\n"),
            ("include \"ip address\"", " ip address 192.0.2.1\n"),
            ("include (oops", ""),
            ("count interface|router", "Number of lines which match regexp = 2\n"),
            ("grep -i ROUTER", "router bgp 64496\n"),
            ("grep -vi 'e|!'", ""),
            ("grep -n end", "8:end\n"),
            ("grep -c 192", "2\n"),
            ("last 1", "end\n"),
            ("no-more", CONFIG),
        ];
        for (stages, want) in cases {
            assert_eq!(run(CONFIG, stages).as_deref(), Some(want), "{stages}");
        }
        // IOS takes all of the rest for one pattern.
        let one = " ip address 192.0.2.1\n neighbor 192.0.2.2\n";
        assert_eq!(run_on(false, CONFIG, "include 192 | exclude 2.2").as_deref(), Some(""));
        assert_eq!(run_on(false, CONFIG, "include zzz|192").as_deref(), Some(one));
        for wrong in ["nonsense x", "include", "begin", "grep -z x"] {
            assert_eq!(run(CONFIG, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn braces_become_lines() {
        let text = "## Last commit\nsystem {\n    host-name mx1;\n    ntp {\n        server 192.0.2.9;\n    }\n}\n\
                    policy-options {\n    community c members [ 64496:1 64496:2 ];\n}\nversion 21;\n";
        let want = "set system host-name mx1\nset system ntp server 192.0.2.9\n\
                    set policy-options community c members 64496:1\nset policy-options community c members 64496:2\n\
                    set version 21\n";
        assert_eq!(run(text, "display set").as_deref(), Some(want));
        assert_eq!(
            run(text, "display set | include ntp").as_deref(),
            Some("set system ntp server 192.0.2.9\n")
        );
    }
}
