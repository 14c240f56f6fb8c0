//! Patterns of host names as OpenSSH has them (`PATTERNS` in `ssh_config(5)`): `*` for any text, `?` for one character, and `!`
//! before one that takes out what it covers.

/// One of a list, for letters of either case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPattern {
    negated: bool,
    text: String,
}

impl HostPattern {
    /// Any text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let (negated, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
        Self { negated, text: text.to_ascii_lowercase() }
    }

    /// True if it covers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// True if a list names a host: one of it covers the name, and none that does begins with `!`.
    #[must_use]
    pub fn names(list: &[Self], name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let is_hit = |pattern: &&Self| covers_as_written(&pattern.text, &name);
        let mut hits = list.iter().filter(is_hit).peekable();
        hits.peek().is_some() && hits.all(|pattern| !pattern.negated)
    }
}

/// True if a pattern covers a name, in letters of either case.
#[must_use]
pub fn covers(pattern: &str, name: &str) -> bool {
    covers_as_written(&pattern.to_ascii_lowercase(), &name.to_ascii_lowercase())
}

/// The same in letters as they are written. Goes back to the last `*` only: no pattern takes long.
#[must_use]
pub fn covers_as_written(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut in_name) = (0, 0);
    let mut star = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || name.get(in_name) == Some(wanted) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((of_star, taken)) = star else { return false };
                star = Some((of_star, taken + 1));
                (at, in_name) = (of_star + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_names_what_one_covers_and_none_takes_out() {
        let list = |text: &str| text.split(',').map(HostPattern::new).collect::<Vec<_>>();
        for (patterns, name, want) in [
            ("r?", "R1", true),
            ("r?", "r10", false),
            ("*,!LAB-*", "core", true),
            ("*,!LAB-*", "lab-1", false),
            ("!lab-*,*", "Lab-1", false),
            ("!lab-*", "core", false),
            ("", "core", false),
        ] {
            assert_eq!(HostPattern::names(&list(patterns), name), want, "{patterns} {name}");
        }
        assert!(!HostPattern::names(&[], "core"));
        assert!(HostPattern::new("!").is_empty());
    }

    #[test]
    fn no_pattern_takes_long() {
        assert!(!covers(&("*a".repeat(200) + "b"), &"a".repeat(2000)));
    }

    proptest! {
        #[test]
        fn a_star_stands_for_anything_between(head in "[a-z.]{0,8}", middle in "[a-z.]{0,8}", tail in "[a-z.]{0,8}") {
            let whole = format!("{head}{middle}{tail}");
            let pattern = format!("{head}*{tail}");
            prop_assert!(covers(&pattern, &whole));
            prop_assert!(covers(&"?".repeat(whole.len()), &whole));
            let more = "?".repeat(whole.len() + 1);
            prop_assert!(!covers(&more, &whole));
        }
    }
}
