//! Templates out of pieces, most of them in order and some not, with texts that such rules may match.

use super::Dice;

const OPTIONS: [&str; 5] = ["Filldown", "Fillup", "Key", "List", "Required"];
const VALUES: [&str; 14] = [
    r"\S+",
    r"\d+",
    r"\w+",
    "[a-c]+",
    ".*",
    ".+?",
    "a|b",
    "(a)|(b)",
    r"(?P<p>a+)(?P<q>\d*)",
    r"(\w)(\d)?",
    "x?",
    r"[[a-z]\d",
    r"(?=a)\w+",
    r"(?i:A)b*",
];
const PIECES: [&str; 22] = [
    r"\s+",
    r"\s*",
    " ",
    ":",
    "-",
    r"\S+",
    r"\d{1,2}",
    "(?:a|b)",
    "a++",
    "(?>a+)",
    r"(?<=a)b",
    r"\bb",
    "[&&a]",
    "$$",
    "(?P<free>a)",
    r"(?P<free>b)(?P=free)",
    r"(a)\1",
    "(?!b)",
    "[^\\]]",
    "{",
    "a{,2}",
    "",
];
const ACTIONS: [&str; 24] = [
    "",
    "",
    "",
    " -> Record",
    " -> Record",
    " -> Record",
    " -> Continue",
    " -> Continue.Record",
    " -> Next.Clear",
    " -> Clearall",
    " -> Continue.Clear",
    " -> NoRecord",
    " -> Two",
    " -> Next.Record Two",
    " -> Record Start",
    " -> Clear Two",
    " -> Error",
    " -> Error \"a b\"",
    " -> End",
    " -> EOF",
    " -> Continue.Clearall",
    " -> Next Start",
    " -> Error.Record word",
    " -> Next",
];
const BROKEN_PIECES: [&str; 16] = [
    "(",
    ")",
    "[",
    "a**",
    "(?<a)",
    r"\q",
    "$",
    "${NO}",
    "(?P<free>a)(?P<free>b)",
    "a{2,1}",
    "[z-a]",
    r"\1",
    "(?i)a",
    "(?<=a+)b",
    "+",
    "\\",
];
const BROKEN_ACTIONS: [&str; 14] = [
    " -> Continue Two",
    " -> Foo.Bar",
    " -> Next.Foo",
    " -> Record.Next",
    " -> Nowhere",
    " -> \"a\"",
    " ->Next",
    " -> Next Start Start",
    " -> Next Record",
    " -> Start-",
    " -> Clear.Record",
    " -> Continue.Record Two",
    " -> \u{e9}",
    " -> record",
];
const BROKEN_LINES: [&str; 16] = [
    "Value A",
    "Value List,List E (a)",
    "Value Foo E (a)",
    "Value E a)",
    "Value E (a",
    "Value E (a\\)",
    "Value A (a)",
    "Start",
    "Two",
    "Next",
    "   ^a",
    "^a",
    "  a",
    "End\n ^a\n",
    "EOF\n  ^a",
    "Value  E (a)",
];
const WORDS: [&str; 14] =
    ["a", "b", "aa", "ab", "x", "1", "22", "a1", "b:1", "a-b", "c", "aab", ":", "\u{e9}"];

fn one<'a>(dice: &mut Dice, of: &[&'a str]) -> &'a str {
    of[dice.below(of.len())]
}

fn rule(dice: &mut Dice, names: &[char]) -> String {
    let mut rule = "  ^".to_owned();
    // A value may stand in a rule once.
    let mut unused = names.to_vec();
    for _ in 0..=dice.below(3) {
        if unused.is_empty() || dice.below(3) == 0 {
            rule.push_str(one(dice, &PIECES));
        } else {
            let name = unused.remove(dice.below(unused.len()));
            let (open, close) = if dice.below(10) == 0 { ("$", "") } else { ("${", "}") };
            rule.push_str(open);
            rule.push(name);
            rule.push_str(close);
        }
        rule.push_str(one(dice, &["", "", r"\s*", " ", ":"]));
    }
    rule
}

/// A template and a text.
pub(super) fn made_up(dice: &mut Dice) -> (String, String) {
    let names = &['A', 'B', 'C', 'D'][..=dice.below(4)];
    let mut lines = Vec::new();
    for name in names {
        let start = dice.below(5);
        let options: Vec<&str> =
            (0..5).map(|at| OPTIONS[(start + at) % 5]).filter(|_| dice.below(3) == 0).collect();
        let blank = if options.is_empty() { "" } else { " " };
        lines.push(format!("Value {}{blank}{name} ({})", options.join(","), one(dice, &VALUES)));
    }
    for state in ["Start", "Two"] {
        lines.extend([String::new(), state.to_owned()]);
        for _ in 0..=dice.below(4) {
            let rule = rule(dice, names) + one(dice, &ACTIONS);
            lines.push(rule);
        }
    }
    if dice.below(10) == 0 {
        lines.extend([String::new(), "EOF".to_owned()]);
    }
    if dice.below(3) == 0 {
        let at = dice.below(lines.len());
        match dice.below(4) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, one(dice, &BROKEN_LINES).to_owned()),
            2 => lines[at].push_str(one(dice, &BROKEN_PIECES)),
            _ => lines[at].push_str(one(dice, &BROKEN_ACTIONS)),
        }
    }
    let text: Vec<String> = (0..dice.below(40))
        .map(|_| {
            let words: Vec<&str> = (0..dice.below(4)).map(|_| one(dice, &WORDS)).collect();
            words.join(one(dice, &["", " ", ":"]))
        })
        .collect();
    (lines.join("\n") + "\n", text.join("\n"))
}
