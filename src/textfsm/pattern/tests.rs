//! What Python takes and refuses, and that both scripts mean the same.

use proptest::prelude::*;

use super::super::{
    matcher::Expression,
    watch::{Memory, Watch},
};
use super::read;

fn groups(pattern: &str, line: &str) -> Option<Vec<Option<String>>> {
    let (expression, read) = Expression::new(pattern).unwrap();
    let wanted: Vec<usize> = (0..=read.groups).collect();
    let memory = Memory::default();
    let watch = Watch::new(&|| false, &memory);
    let spans = expression.spans(line, &wanted, 100_000, &watch).unwrap()?;
    Some(
        spans
            .into_iter()
            .map(|span| span.and_then(|(a, b)| line.get(a..b)).map(str::to_owned))
            .collect(),
    )
}

fn whole(pattern: &str, line: &str) -> Option<String> {
    groups(pattern, line).and_then(|groups| groups[0].clone())
}

#[test]
fn what_python_refuses_is_refused_with_its_place() {
    let cases = [
        ("(", 2, "missing ), unterminated subpattern"),
        (")", 1, "unbalanced parenthesis"),
        ("a**", 4, "multiple repeat"),
        ("a{2}{3}", 8, "multiple repeat"),
        ("*a", 2, "nothing to repeat"),
        ("^*", 3, "nothing to repeat"),
        ("a|*", 4, "nothing to repeat"),
        ("a{3,2}", 7, "min repeat greater than max repeat"),
        ("a{99999999999}", 15, "the repetition number is too large"),
        ("[a", 3, "unterminated character set"),
        ("[]", 3, "unterminated character set"),
        ("[z-a]", 5, "bad character range"),
        (r"[\d-z]", 6, "bad character range"),
        (r"\q", 3, "bad escape"),
        (r"a\", 3, "bad escape (end of pattern)"),
        (r"\x1", 4, "incomplete escape"),
        (r"\1", 3, "invalid group reference"),
        (r"(\1)", 4, "cannot refer to an open group"),
        (r"\477", 2, "octal escape value outside of range 0-0o377"),
        ("(?P<a>x)(?P<a>y)", 15, "redefinition of a group's name"),
        ("(?P<1a>x)", 8, "bad group name"),
        ("(?P=b)", 7, "unknown group name"),
        ("(?Pz)", 5, "unknown extension ?P"),
        ("(?<x)", 5, "unknown extension ?<"),
        ("(?<=a|bc)d", 10, "look-behind requires fixed-width pattern"),
        ("(?<=a*)d", 8, "look-behind requires fixed-width pattern"),
        (r"(?<=(a)\1)x", 10, "cannot refer to group defined in the same lookbehind subpattern"),
        (r"(?#\)", 6, "missing ), unterminated comment"),
        ("(?ua:y)", 5, "unknown or misplaced flag"),
        ("x(?i)y", 6, "global flags not at the start of the expression"),
        ("(?i-i:y)", 6, "bad inline flags: flag turned on and off"),
        ("(?q:y)", 4, "unknown or misplaced flag"),
        ("(?#x", 5, "missing ), unterminated comment"),
        ("(?(1)a|b)", 4, "a condition names a group that there is not"),
        ("(x)(?(1)a|b|c)", 12, "conditional backref with more than two branches"),
    ];
    for (pattern, at, what) in cases {
        let error = read(pattern).unwrap_err();
        assert_eq!((error.what, error.at), (what, at), "{pattern}");
    }
    let deep = format!("{}x{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(read(&deep).unwrap_err().what, "groups in groups are too deep");
}

#[test]
fn expressions_mean_what_they_mean_to_python() {
    let cases = [
        // pattern, line, what the match takes
        ("a|ab", "ab", Some("a")),
        ("^a|b", "xb", None),
        ("a{,2}", "aaa", Some("aa")),
        ("a{,}", "aaa", Some("aaa")),
        ("a{x}", "a{x}", Some("a{x}")),
        ("a{}", "a{}", Some("a{}")),
        (r"\<x\>", "<x>", Some("<x>")),
        ("[]a]+", "a]", Some("a]")),
        ("[^]a]+", "xy]", Some("xy")),
        ("[a&&b]+", "a&b", Some("a&b")),
        ("[[a]+", "[a", Some("[a")),
        ("[a-]+", "a-", Some("a-")),
        ("[--/]+", "-./", Some("-./")),
        (r"[\w.-]+", "a-b.c", Some("a-b.c")),
        (r"[\b]", "\u{8}", Some("\u{8}")),
        (r"\101\x42\u0043", "ABC", Some("ABC")),
        (r"\0", "\0", Some("\0")),
        (r"(a)(b)\2\1", "abba", Some("abba")),
        (r"(?P<x>a+)-(?P=x)", "aa-aa", Some("aa-aa")),
        (r"(a)?(?(1)b|c)", "ab", Some("ab")),
        // Inside itself a group has not matched yet, however often it has before.
        (r"(?:(a(?(1)b|c)))+", "acacab", Some("acac")),
        (r"(a)?(?(1)b|c)", "c", Some("c")),
        ("(?i:AB)c", "abc", Some("abc")),
        ("(?i:AB)c", "abC", None),
        ("(?s:.)x", "ax", Some("ax")),
        ("(?x: a b # note\n c )d", "abcd", Some("abcd")),
        ("a(?#note)*", "aaa", Some("aaa")),
        ("(?:a|b)*c", "abac", Some("abac")),
        ("a++a", "aaa", None),
        ("(?>a+)b", "aab", Some("aab")),
        ("a+?", "aaa", Some("a")),
        ("(?=ab)a", "ab", Some("a")),
        ("(?!ab)a", "ab", None),
        (r"\w+(?<=c)d", "abcd", Some("abcd")),
        (r"\w+(?<!c)d", "abcd", None),
        ("x(?<=x)+y", "xy", Some("xy")),
        ("x(?<=z)*y", "xy", Some("xy")),
        (r"\bab\b", "ab cd", Some("ab")),
        (r"a\B.", "ab", Some("ab")),
        (r"\B", "", None),
        ("a$", "a", Some("a")),
        (r"a\Z", "ab", None),
        (r"\d+", "12\u{0663}", Some("12\u{0663}")),
        (r"(?a:\d+)", "12\u{0663}", Some("12")),
        (r"\w+", "a\u{301}", Some("a")),
        (r"\w+", "é½x", Some("é½x")),
        (r"\bé", "é", Some("é")),
        (r"\s+", " \u{1c}\u{1f}\u{a0}\u{2003}x", Some(" \u{1c}\u{1f}\u{a0}\u{2003}")),
        (r"\S+", "a\u{1d}b", Some("a")),
        (r"[^\s]+", "a\u{1d}b", Some("a")),
        ("é+", "éé", Some("éé")),
        ("(?i:É)", "é", Some("é")),
        ("(?i:ſ)", "s", Some("s")),
        (".+", "a\u{85}b", Some("a\u{85}b")),
    ];
    for (pattern, line, want) in cases {
        assert_eq!(whole(pattern, line).as_deref(), want, "{pattern} on {line:?}");
    }
}

/// The backtracking engine would put some repetitions together that do not mean the same alone.
#[test]
fn repetitions_side_by_side_and_in_each_other_mean_what_they_mean_to_python() {
    let cases: [(&str, &str, Option<&str>); 26] = [
        (r"(?!T)V (\d+\.?\d+)", "V 7", None),
        (r"(?!T)V (\d+\.?\d+)", "V 7.1", Some("7.1")),
        (r"(?!T)V (\d+\.?\d+)", "V 71", Some("71")),
        (r"(?!T)\d+\s+.*\s+(\S+)", "1 Gi0/1", None),
        (r"(?<!x)(\d+:?\d+)$", "7", None),
        (r"(?:\d+)?:?(\d)+(?!x)", "12:3", Some("3")),
        (r"(?!x)((?:a+(?:b+a*)?)+)$", "abb", Some("abb")),
        (r"(?!x)((?:a+(?:ba*)?)+)$", "abb", None),
        (r"(?!x)((?:a+(?:ba*)?)+)$", "abab", Some("abab")),
        (r"((?:(?:a?)*.+(?:\d{0,2})??).{1,})(?<!x)[.]", "a.", None),
        (r"(\d+(?::?\d+))(?!x)", "7", None),
        (r"(\w+-?\w+)\b", "a \u{e9}", None),
        (r"(\w+-?\w+)\b", "\u{e9}a \u{e9}", Some("\u{e9}a")),
        (r"(\S+?)* z(?!x)", "abc z", Some("c")),
        (r"((?:a+?)*|a)(?!x)a", "aaa", Some("aa")),
        (r"(\d+)+\1", "1122", Some("2")),
        (r"(\d+)+\1", "122", Some("2")),
        (r"(?:(\d+))+\1", "122", Some("2")),
        (r"(?=(a))?\S+", "abc", Some("a")),
        (r"(?=(a))??\S+", "abc", None),
        (r"(?=(a))*x?(?:\S+)", "abc", Some("a")),
        (r"(?=(a))+\S+", "abc", Some("a")),
        (r"(?:)*(?!x)(.*)", "ab", Some("ab")),
        (r"(?i:(?=a))?(.*)", "ab", Some("ab")),
        (r"[ \xa0]+(\S+)", " abc", Some("abc")),
        (r"([^\xa0]+)[\x20-\x7e\x80-\xff]", "abc", Some("ab")),
    ];
    for (pattern, line, want) in cases {
        let found = groups(pattern, line).and_then(|groups| groups[1].clone());
        assert_eq!(found.as_deref(), want, "{pattern} in {line}");
    }
}

#[test]
fn a_group_that_takes_no_part_is_nothing_and_one_that_takes_nothing_is_empty() {
    let part = |text: &str| Some(text.to_owned());
    assert_eq!(groups("(a)|(b)", "b"), Some(vec![part("b"), None, part("b")]));
    assert_eq!(groups("(a*)(b)?", "c"), Some(vec![part(""), part(""), None]));
    assert_eq!(groups(r"(?:(\d)|(\w))+", "a1"), Some(vec![part("a1"), part("1"), part("a")]));
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_or_the_engines_panic(pattern in r"[ -~é]{0,24}", line in "[ -~é]{0,24}") {
        if let Ok((expression, read)) = Expression::new(&pattern) {
            let wanted: Vec<usize> = (0..=read.groups).collect();
            // A bound that is hit is an answer too.
            let memory = Memory::default();
            let _ = expression.spans(&line, &wanted, 10_000, &Watch::new(&|| false, &memory));
        }
    }

    #[test]
    fn both_scripts_find_the_same_in_lines_of_ascii(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                r"\s+", r"\S+", r"(\d+)", r"(\w+)", "[^:]", r"(?:a|bc)?", "-", r"[\w/.]*", r"(x|\s)*", ".*", ".+?", "$",
            ]),
            1..6,
        ),
        line in r"[ a-c0-2x:/.-]{0,20}",
    ) {
        let pattern = parts.concat();
        prop_assume!(read(&pattern).is_ok());
        // A letter beyond ASCII behind an alternative makes it one for all lines.
        let beyond = format!("(?:{pattern})(?:|é{{3}})");
        prop_assert_eq!(groups(&pattern, &line).map(|g| g.get(1..).unwrap().to_vec()),
                        groups(&beyond, &line).map(|g| g.get(1..).unwrap().to_vec()));
    }
}
