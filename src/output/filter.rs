//! The service's own filters, for platforms that have none: the words of IOS on any text.
//!
//! Patterns are regular expressions of linear time and bounded size; one that is too large with the letters of all languages is
//! taken with those of ASCII (`\w{1,20}`). Large ones take microseconds a byte all the same, so that a
//! clock is asked at every line, and a line is not searched that could take too long by itself.

use std::{borrow::Cow, fmt::Write as _};

use regex::bytes::{Regex, RegexBuilder};

/// Sizes that a compiled pattern may have, in bytes.
const COMPILED_BYTES: [usize; 5] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18];
/// What one search may take, in bytes of the compiled pattern times bytes of the line, as it cannot be interrupted: a second
/// and a half at the worst, 64 KiB for the largest of patterns, 16 MiB for a word.
const MOST_WORK: usize = 1 << 34;

/// A filter on the lines of an output.
#[derive(Clone, Debug)]
pub struct Filter {
    kind: FilterKind,
    pattern: Regex,
    /// The longest line that is searched.
    most_line_bytes: usize,
    text: String,
}

/// What a filter does with the lines that match, in the words of every platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FilterKind {
    /// Keeps them.
    Include,
    /// Drops them.
    Exclude,
    /// Keeps from the first one on.
    Begin,
    /// Keeps them and the lines indented under them.
    Section,
    /// Counts them.
    Count,
}

impl FilterKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Include, Self::Exclude, Self::Begin, Self::Section, Self::Count];

    /// As requests spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Exclude => "exclude",
            Self::Begin => "begin",
            Self::Section => "section",
            Self::Count => "count",
        }
    }
}

/// The pattern is no regular expression, or too large a one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the pattern is not a regular expression that the service can run")]
pub struct BadPattern;

/// The pattern was not through with the output in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooSlow;

impl Filter {
    /// # Errors
    /// The pattern cannot be compiled within bounds.
    pub fn new(kind: FilterKind, pattern: &str) -> Result<Self, BadPattern> {
        let of_size = |bytes: usize, unicode: bool| {
            let dfa_bytes = COMPILED_BYTES.into_iter().max().unwrap_or(bytes);
            let mut builder = RegexBuilder::new(pattern);
            builder.unicode(unicode).size_limit(bytes).dfa_size_limit(dfa_bytes);
            builder.build().ok().map(|built| (built, MOST_WORK / bytes))
        };
        let smallest =
            |unicode| COMPILED_BYTES.into_iter().find_map(|bytes| of_size(bytes, unicode));
        let (compiled, most_line_bytes) =
            smallest(true).or_else(|| smallest(false)).ok_or(BadPattern)?;
        Ok(Self { kind, pattern: compiled, most_line_bytes, text: pattern.to_owned() })
    }

    /// The lines that are left. `is_late` is asked at every line and ends it.
    ///
    /// # Errors
    /// [`TooSlow`]: it was late, or a line too long for the pattern.
    pub fn apply<'t>(
        &self,
        output: &'t str,
        is_late: &dyn Fn() -> bool,
    ) -> Result<Cow<'t, str>, TooSlow> {
        let matches = |line: &str| {
            let line = line.trim_end_matches(['\n', '\r']);
            if line.len() > self.most_line_bytes || is_late() {
                return Err(TooSlow);
            }
            Ok(self.pattern.is_match(line.as_bytes()))
        };
        let lines = output.split_inclusive('\n');
        let mut kept = String::new();
        match self.kind {
            FilterKind::Begin => {
                let mut at = 0;
                for line in lines {
                    if matches(line)? {
                        break;
                    }
                    at += line.len();
                }
                return Ok(Cow::Borrowed(output.get(at..).unwrap_or_default()));
            }
            FilterKind::Count => {
                let mut count = 0;
                for line in lines {
                    count += usize::from(matches(line)?);
                }
                // Writing to a string does not fail.
                let _ = writeln!(kept, "Number of lines which match regexp = {count}");
            }
            FilterKind::Exclude | FilterKind::Include => {
                for line in lines {
                    if matches(line)? == (self.kind == FilterKind::Include) {
                        kept.push_str(line);
                    }
                }
            }
            FilterKind::Section => {
                let mut under: Option<usize> = None;
                for line in lines {
                    let indent = line.len() - line.trim_start_matches(' ').len();
                    let below =
                        under.is_some_and(|parent| indent > parent && !line.trim().is_empty());
                    if !below {
                        under = matches(line)?.then_some(indent);
                    }
                    if under.is_some() {
                        kept.push_str(line);
                    }
                }
            }
        }
        Ok(Cow::Owned(kept))
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
            (FilterKind::Include, "192", " ip address 192.0.2.1\n neighbor 192.0.2.2\n"),
            (
                FilterKind::Begin,
                "^router",
                "router bgp 64496\n neighbor 192.0.2.2\n  description x\nend\n",
            ),
            (
                FilterKind::Section,
                "^router",
                "router bgp 64496\n neighbor 192.0.2.2\n  description x\n",
            ),
            (FilterKind::Section, "neighbor", " neighbor 192.0.2.2\n  description x\n"),
            (FilterKind::Count, "^(interface|router)", "Number of lines which match regexp = 2\n"),
            (FilterKind::Exclude, "^[ !]|interface|router|host", "end\n"),
            (FilterKind::Include, "nothing", ""),
        ];
        for (kind, pattern, want) in cases {
            assert_eq!(
                Filter::new(kind, pattern).unwrap().apply(CONFIG, &|| false).unwrap(),
                want,
                "{kind:?} {pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_that_would_grow_without_bounds_is_refused() {
        assert_eq!(Filter::new(FilterKind::Include, "((a{1000}){1000}){1000}"), Err(BadPattern));
        assert_eq!(Filter::new(FilterKind::Include, "(a"), Err(BadPattern));
    }

    #[test]
    fn a_pattern_that_is_too_large_with_all_letters_is_taken_with_those_of_ascii() {
        let filter = Filter::new(FilterKind::Include, r"^\w{1,40}-\w{1,40}$").unwrap();
        assert_eq!(filter.apply("sw-é1\nsw-1\né\n", &|| false).unwrap(), "sw-1\n");
        let small = Filter::new(FilterKind::Include, r"^\w-\w$").unwrap();
        assert_eq!(small.apply("s-é\n", &|| false).unwrap(), "s-é\n");
    }

    #[test]
    fn a_filter_ends_when_it_is_late() {
        for kind in [
            FilterKind::Begin,
            FilterKind::Count,
            FilterKind::Exclude,
            FilterKind::Include,
            FilterKind::Section,
        ] {
            let lines_left = std::cell::Cell::new(3);
            let is_late = || lines_left.replace(lines_left.get() - 1) == 0;
            let filter = Filter::new(kind, "nothing").unwrap();
            assert_eq!(filter.apply(CONFIG, &is_late), Err(TooSlow), "{kind:?}");
            assert_eq!(lines_left.get(), -1, "{kind:?}");
        }
    }

    #[test]
    fn a_line_that_could_take_too_long_is_not_searched() {
        let line = "ab".repeat(1 << 19);
        for (pattern, want) in [("ba", Ok(true)), ("([ab]{1,20}[ac]{1,20}){20}q", Err(TooSlow))] {
            let filter = Filter::new(FilterKind::Include, pattern).unwrap();
            let kept = filter.apply(&line, &|| false).map(|kept| kept == line);
            assert_eq!(kept, want, "{pattern}");
        }
        let short = "ab".repeat(1 << 10);
        let slow = Filter::new(FilterKind::Include, "([ab]{1,20}[ac]{1,20}){20}q").unwrap();
        assert_eq!(slow.apply(&short, &|| false).unwrap(), "");
    }

    proptest! {
        #[test]
        fn include_and_exclude_part_the_lines(text in "([ab ]{0,5}\n){0,20}", pattern in "[ab]{1,2}") {
            let include = Filter::new(FilterKind::Include, &pattern).unwrap();
            let exclude = Filter::new(FilterKind::Exclude, &pattern).unwrap();
            let kept = include.apply(&text, &|| false).unwrap().lines().count() + exclude.apply(&text, &|| false).unwrap().lines().count();
            prop_assert_eq!(kept, text.lines().count());
        }
    }
}
