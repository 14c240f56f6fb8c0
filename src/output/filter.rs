//! The service's own filters, for platforms that have none: the words of IOS on any text.
//!
//! Patterns are regular expressions of linear time and bounded size; nothing here can hang.

use std::{borrow::Cow, fmt::Write as _};

use regex::{Regex, RegexBuilder};

/// Largest compiled pattern, in bytes.
const MOST_COMPILED_BYTES: usize = 1 << 20;

/// A filter on the lines of an output.
#[derive(Clone, Debug)]
pub struct Filter {
    kind: Kind,
    pattern: Regex,
    text: String,
}

/// What a filter does with the lines that match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Keeps from the first one on.
    Begin,
    /// Counts them.
    Count,
    /// Drops them.
    Exclude,
    /// Keeps them.
    Include,
    /// Keeps them and the lines indented under them.
    Section,
}

/// The pattern is no regular expression, or too large a one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the pattern is not a regular expression that the service can run")]
pub struct BadPattern;

impl Filter {
    /// # Errors
    /// The pattern cannot be compiled within bounds.
    pub fn new(kind: Kind, pattern: &str) -> Result<Self, BadPattern> {
        let compiled = RegexBuilder::new(pattern)
            .size_limit(MOST_COMPILED_BYTES)
            .dfa_size_limit(MOST_COMPILED_BYTES)
            .build()
            .map_err(|_too_large_or_wrong| BadPattern)?;
        Ok(Self { kind, pattern: compiled, text: pattern.to_owned() })
    }

    /// The lines that are left.
    #[must_use]
    pub fn apply<'t>(&self, output: &'t str) -> Cow<'t, str> {
        let matches = |line: &str| self.pattern.is_match(line.trim_end_matches(['\n', '\r']));
        let lines = output.split_inclusive('\n');
        match self.kind {
            Kind::Begin => {
                let mut at = 0;
                for line in lines {
                    if matches(line) {
                        break;
                    }
                    at += line.len();
                }
                Cow::Borrowed(output.get(at..).unwrap_or_default())
            }
            Kind::Count => {
                let mut text = String::new();
                let count = lines.filter(|line| matches(line)).count();
                // Writing to a string does not fail.
                let _ = writeln!(text, "Number of lines which match regexp = {count}");
                Cow::Owned(text)
            }
            Kind::Exclude => Cow::Owned(lines.filter(|line| !matches(line)).collect()),
            Kind::Include => Cow::Owned(lines.filter(|line| matches(line)).collect()),
            Kind::Section => {
                let mut kept = String::new();
                let mut under: Option<usize> = None;
                for line in lines {
                    let indent = line.len() - line.trim_start_matches(' ').len();
                    let below =
                        under.is_some_and(|parent| indent > parent && !line.trim().is_empty());
                    if !below {
                        under = matches(line).then_some(indent);
                    }
                    if under.is_some() {
                        kept.push_str(line);
                    }
                }
                Cow::Owned(kept)
            }
        }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.text) == (other.kind, &other.text)
    }
}

impl Eq for Filter {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: &str = "hostname r1\ninterface Gi0/1\n ip address 192.0.2.1\n!\nrouter bgp 64496\n \
                          neighbor 192.0.2.2\n  description x\nend\n";

    #[test]
    fn filters_mean_what_they_mean_on_ios() {
        let cases = [
            (Kind::Include, "192", " ip address 192.0.2.1\n neighbor 192.0.2.2\n"),
            (
                Kind::Begin,
                "^router",
                "router bgp 64496\n neighbor 192.0.2.2\n  description x\nend\n",
            ),
            (Kind::Section, "^router", "router bgp 64496\n neighbor 192.0.2.2\n  description x\n"),
            (Kind::Section, "neighbor", " neighbor 192.0.2.2\n  description x\n"),
            (Kind::Count, "^(interface|router)", "Number of lines which match regexp = 2\n"),
            (Kind::Exclude, "^[ !]|interface|router|host", "end\n"),
            (Kind::Include, "nothing", ""),
        ];
        for (kind, pattern, want) in cases {
            assert_eq!(
                Filter::new(kind, pattern).unwrap().apply(CONFIG),
                want,
                "{kind:?} {pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_that_would_grow_without_bounds_is_refused() {
        assert_eq!(Filter::new(Kind::Include, "((a{1000}){1000}){1000}"), Err(BadPattern));
        assert_eq!(Filter::new(Kind::Include, "(a"), Err(BadPattern));
    }

    proptest! {
        #[test]
        fn include_and_exclude_part_the_lines(text in "([ab ]{0,5}\n){0,20}", pattern in "[ab]{1,2}") {
            let include = Filter::new(Kind::Include, &pattern).unwrap();
            let exclude = Filter::new(Kind::Exclude, &pattern).unwrap();
            let kept = include.apply(&text).lines().count() + exclude.apply(&text).lines().count();
            prop_assert_eq!(kept, text.lines().count());
        }
    }
}
