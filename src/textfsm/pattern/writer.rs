//! Writes an expression for the engines of `regex` and `fancy-regex`, with Python's meaning of every class.
//!
//! All letters but plain ones are written by their numbers: what is a letter to Python (`\<`, `{`, `&&` in a class)
//! cannot become an operator.

use std::fmt::Write as _;

use super::tree::{ClassItem, Flags, Greed, Kind, Node};

/// What lines an expression is written for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Script {
    /// ASCII only.
    Ascii,
    /// All of Unicode.
    Unicode,
}

/// True if only a backtracking engine can run it.
pub(crate) fn needs_backtracking(node: &Node, script: Script) -> bool {
    node.any(&|node| match node {
        // A word's edge by Python's meaning of a word takes a look behind and ahead.
        Node::Boundary { negated } => *negated || script == Script::Unicode,
        Node::Look { .. }
        | Node::Atomic(_)
        | Node::Reference(_)
        | Node::Condition { .. }
        | Node::Repeat { greed: Greed::Possessive, .. } => true,
        _ => false,
    })
}

/// The expression, anchored at the beginning as `re.match` is.
pub(crate) fn write(node: &Node, script: Script) -> String {
    let mut writer = Writer {
        script,
        backtracks: needs_backtracking(node, script),
        ascii: script == Script::Ascii,
        dot_all: false,
        text: String::new(),
    };
    writer.text.push_str(r"\A(?:");
    writer.node(node);
    writer.text.push(')');
    writer.text
}

struct Writer {
    script: Script,
    /// It is for the backtracking engine.
    backtracks: bool,
    /// Classes mean ASCII here.
    ascii: bool,
    dot_all: bool,
    text: String,
}

impl Writer {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            Node::Literal(c) => self.literal(*c),
            Node::Any => self.text.push_str(if self.dot_all { "(?s:.)" } else { "." }),
            Node::Class { negated, items } => self.class(*negated, items),
            Node::Start => self.text.push_str(r"\A"),
            Node::End => self.text.push_str(r"\z"),
            Node::Boundary { negated } => self.boundary(*negated),
            Node::Group { number: Some(_), node, .. } => self.wrapped("(", node),
            Node::Group { number: None, flags, node } => self.flagged(*flags, node),
            Node::Sequence(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    if self.backtracks && is_joined(nodes, index) {
                        self.text.push_str(APART);
                    }
                    match node {
                        Node::Alternatives(_) => self.wrapped("(?:", node),
                        node => self.node(node),
                    }
                }
            }
            Node::Alternatives(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        self.text.push('|');
                    }
                    self.node(node);
                }
            }
            Node::Repeat { least, most, greed, node } => self.repeat(*least, *most, *greed, node),
            Node::Look { behind, negated, node } => {
                let open = match (behind, negated) {
                    (false, false) => "(?=",
                    (false, true) => "(?!",
                    (true, false) => "(?<=",
                    (true, true) => "(?<!",
                };
                self.wrapped(open, node);
            }
            Node::Atomic(node) => self.wrapped("(?>", node),
            Node::Reference(number) => {
                // Writing to a string does not fail.
                let _ = write!(self.text, r"(?:\{number})");
            }
            Node::Condition { group, yes, no } => {
                let _ = write!(self.text, "(?({group})");
                self.wrapped("(?:", yes);
                self.text.push('|');
                self.wrapped("(?:", no);
                self.text.push(')');
            }
        }
    }

    fn wrapped(&mut self, open: &str, node: &Node) {
        self.text.push_str(open);
        self.node(node);
        self.text.push(')');
    }

    fn flagged(&mut self, flags: Flags, node: &Node) {
        let before = (self.ascii, self.dot_all);
        self.ascii = self.script == Script::Ascii || flags.ascii.unwrap_or(self.ascii);
        self.dot_all = flags.dot_all.unwrap_or(self.dot_all);
        let open = match flags.ignore_case {
            Some(true) => "(?i:",
            Some(false) => "(?-i:",
            None => "(?:",
        };
        self.wrapped(open, node);
        (self.ascii, self.dot_all) = before;
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || matches!(c, ' ' | '_') {
            self.text.push(c);
        } else {
            let _ = write!(self.text, r"\x{{{:X}}}", u32::from(c));
        }
    }

    fn class(&mut self, negated: bool, items: &[ClassItem]) {
        self.text.push_str(if negated { "[^" } else { "[" });
        for item in items {
            match *item {
                ClassItem::Range(low, high) => {
                    self.literal(low);
                    if low != high {
                        self.text.push('-');
                        self.literal(high);
                    }
                }
                ClassItem::Kind { kind, negated } => {
                    let inside = kind_in_class(kind, self.ascii);
                    let open = if negated { "[^" } else { "[" };
                    let _ = write!(self.text, "{open}{inside}]");
                }
            }
        }
        self.text.push(']');
    }

    fn boundary(&mut self, negated: bool) {
        if self.script == Script::Ascii && !negated {
            self.text.push_str(r"\b");
            return;
        }
        let word = kind_in_class(Kind::Word, self.ascii);
        // Python's `\B` is not at either end of an empty line.
        let _ = if negated {
            write!(self.text, r"(?:(?<=[{word}])(?=[{word}])|(?<![{word}])(?![{word}])(?!\A\z))")
        } else {
            write!(self.text, "(?:(?<=[{word}])(?![{word}])|(?<![{word}])(?=[{word}]))")
        };
    }

    fn repeat(&mut self, least: u32, most: Option<u32>, greed: Greed, node: &Node) {
        if node.width(&[]).1 == Some(0) {
            // Once is as good as often, and none at all too, but for the groups in it.
            match (least, greed) {
                (0, _) if !node.captures() => {}
                (0, Greed::Lazy) => self.wrapped("(?:|", node),
                (0, _) => {
                    self.wrapped("(?:(?:", node);
                    self.text.push_str("|)");
                }
                _ => self.wrapped("(?:", node),
            }
            return;
        }
        let is_folded = self.backtracks && is_folded(greed, node);
        let possessive = greed == Greed::Possessive;
        self.text.push_str(if possessive { "(?>" } else { "" });
        match node {
            Node::Literal(_)
            | Node::Any
            | Node::Class { .. }
            | Node::Group { number: Some(_), .. }
                if !is_folded =>
            {
                self.node(node);
            }
            node if is_folded => self.wrapped(&format!("(?:{APART}"), node),
            node => self.wrapped("(?:", node),
        }
        let _ = match (least, most) {
            (0, None) => write!(self.text, "*"),
            (1, None) => write!(self.text, "+"),
            (0, Some(1)) => write!(self.text, "?"),
            (least, None) => write!(self.text, "{{{least},}}"),
            (least, Some(most)) => write!(self.text, "{{{least},{most}}}"),
        };
        self.text.push_str(match greed {
            Greed::Lazy => "?",
            Greed::Possessive => ")",
            Greed::Greedy => "",
        });
    }
}

/// Matches anywhere. The backtracking engine puts repetitions that stand together into fewer, which do not always mean the
/// same: this keeps them apart.
const APART: &str = "(?=)";

/// True if the engine would take what stands here, which may be nothing, and the repetitions around it for one:
/// `\d+\.?\d+` would match one digit.
fn is_joined(nodes: &[Node], index: usize) -> bool {
    let at = |index: usize| nodes.get(index);
    // A sequence in a group that numbers nothing is one with those around it.
    let is_nested = |node: &Node| matches!(node.bare(), Node::Sequence(_));
    if at(index).is_some_and(is_nested) || index.checked_sub(1).and_then(at).is_some_and(is_nested)
    {
        return index > 0;
    }
    let before = index.checked_sub(1).and_then(at).is_some_and(goes_on);
    let behind = at(index + 1).map_or(nodes.len() == 2, goes_on);
    before && behind && at(index).is_some_and(may_be_none)
}

fn goes_on(node: &Node) -> bool {
    match node.bare() {
        Node::Repeat { most, node, .. } => most.is_none() || goes_on(node),
        _ => false,
    }
}

fn may_be_none(node: &Node) -> bool {
    match node.bare() {
        Node::Repeat { least, node, .. } => *least == 0 || may_be_none(node),
        _ => false,
    }
}

/// True if the engine would make one of a repetition and the one that it repeats, and a group in it or how much it takes
/// would show that.
fn is_folded(greed: Greed, node: &Node) -> bool {
    let inner = match node.bare() {
        Node::Group { node, .. } => node.bare(),
        node => node,
    };
    let is_lazy = |node: &Node| matches!(node, Node::Repeat { greed: Greed::Lazy, .. });
    matches!(inner, Node::Repeat { .. })
        && (greed == Greed::Lazy || node.captures() || node.any(&is_lazy))
}

/// What Python means by `\d`, `\s` and `\w`, as the inside of a class.
fn kind_in_class(kind: Kind, ascii: bool) -> &'static str {
    match (kind, ascii) {
        (Kind::Digit, true) => "0-9",
        (Kind::Digit, false) => r"\p{Nd}",
        (Kind::Space, true) => r"\x09-\x0D\x1C-\x20",
        (Kind::Space, false) => r"\s\x1C-\x1F",
        (Kind::Word, true) => "0-9A-Za-z_",
        (Kind::Word, false) => r"\p{L}\p{N}_",
    }
}
