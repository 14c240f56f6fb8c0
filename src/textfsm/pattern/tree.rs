//! What a regular expression means.

use super::writer::Script;

/// A regular expression or a part of one.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Nothing at all.
    Empty,
    /// One character.
    Literal(char),
    /// `.`
    Any,
    /// `[…]` or a class such as `\d`.
    Class { negated: bool, items: Vec<ClassItem> },
    /// `^`, `\A`: lines have one line only.
    Start,
    /// `$`, `\Z`.
    End,
    /// `\b`, or `\B` if negated.
    Boundary { negated: bool },
    /// `(…)` with its number, or `(?flags:…)` without one.
    Group { number: Option<usize>, flags: Flags, node: Box<Node> },
    /// One behind the other.
    Sequence(Vec<Node>),
    /// The first that matches.
    Alternatives(Vec<Node>),
    /// `*`, `+`, `?`, `{m,n}`.
    Repeat { least: u32, most: Option<u32>, greed: Greed, node: Box<Node> },
    /// `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`.
    Look { behind: bool, negated: bool, node: Box<Node> },
    /// `(?>…)`.
    Atomic(Box<Node>),
    /// `\1`.
    Reference(usize),
    /// `(?(1)yes|no)`.
    Condition { group: usize, yes: Box<Node>, no: Box<Node> },
}

/// A part of a class.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClassItem {
    /// From one character to another.
    Range(char, char),
    /// `\d`, `\s`, `\w`, or the opposite.
    Kind { kind: Kind, negated: bool },
}

/// A class with a name of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Digit,
    Space,
    Word,
}

/// How much a repetition takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

/// What `(?flags:…)` switches: on, off, or as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) ascii: Option<bool>,
    pub(crate) ignore_case: Option<bool>,
    pub(crate) dot_all: Option<bool>,
    pub(crate) verbose: Option<bool>,
}

impl Node {
    /// How many places an automaton for it has, repetitions written out.
    pub(crate) fn places(&self) -> u64 {
        self.sum(&|_| 1)
    }

    /// What an automaton for it takes in memory, in bytes and roughly.
    pub(crate) fn bytes(&self, script: Script) -> u64 {
        self.sum(&|leaf| match (script, leaf) {
            (Script::Ascii, _) | (_, Self::Literal(_)) => 100,
            (Script::Unicode, Self::Class { items, .. }) => {
                items.iter().map(|item| item.bytes()).max().unwrap_or(0)
            }
            (Script::Unicode, _) => 1_000,
        })
    }

    /// True if it is so of the node or of any part of it.
    pub(super) fn any(&self, is_so: &impl Fn(&Self) -> bool) -> bool {
        let any = |nodes: &[Self]| nodes.iter().any(|node| node.any(is_so));
        is_so(self)
            || match self {
                Self::Sequence(nodes) | Self::Alternatives(nodes) => any(nodes),
                Self::Group { node, .. }
                | Self::Repeat { node, .. }
                | Self::Look { node, .. }
                | Self::Atomic(node) => node.any(is_so),
                Self::Condition { yes, no, .. } => yes.any(is_so) || no.any(is_so),
                _ => false,
            }
    }

    /// True if there are values to be had from it.
    pub(super) fn captures(&self) -> bool {
        self.any(&|node| matches!(node, Self::Group { number: Some(_), .. }))
    }

    /// True if it names nothing beyond ASCII: letters beyond may fold into it.
    pub(crate) fn is_ascii(&self) -> bool {
        !self.any(&|node| match node {
            Self::Literal(c) => !c.is_ascii(),
            Self::Class { items, .. } => items
                .iter()
                .any(|item| matches!(item, ClassItem::Range(_, high) if !high.is_ascii())),
            _ => false,
        })
    }

    /// Without groups that number nothing.
    pub(super) fn bare(&self) -> &Self {
        match self {
            Self::Group { number: None, node, .. } => node.bare(),
            node => node,
        }
    }

    /// The sum of what `of` says of each leaf, as often as it is repeated.
    fn sum(&self, of: &impl Fn(&Self) -> u64) -> u64 {
        let all =
            |nodes: &[Self]| nodes.iter().fold(0_u64, |sum, node| sum.saturating_add(node.sum(of)));
        match self {
            Self::Sequence(nodes) | Self::Alternatives(nodes) => all(nodes).saturating_add(1),
            Self::Group { node, .. } | Self::Look { node, .. } | Self::Atomic(node) => {
                node.sum(of).saturating_add(1)
            }
            Self::Repeat { least, most, node, .. } => {
                let times = most.unwrap_or_else(|| least.saturating_add(1)).max(1);
                node.sum(of).saturating_add(1).saturating_mul(u64::from(times))
            }
            Self::Condition { yes, no, .. } => yes.sum(of).saturating_add(no.sum(of)),
            leaf => of(leaf),
        }
    }

    /// The fewest and the most characters it takes; `None` is without bound. `groups` holds those of groups.
    pub(super) fn width(&self, groups: &[(u64, Option<u64>)]) -> (u64, Option<u64>) {
        match self {
            Self::Empty | Self::Start | Self::End | Self::Boundary { .. } | Self::Look { .. } => {
                (0, Some(0))
            }
            Self::Literal(_) | Self::Any | Self::Class { .. } => (1, Some(1)),
            Self::Group { node, .. } | Self::Atomic(node) => node.width(groups),
            Self::Sequence(nodes) => nodes.iter().fold((0, Some(0)), |(least, most), node| {
                let (low, high) = node.width(groups);
                (least.saturating_add(low), most.zip(high).map(|(a, b)| a.saturating_add(b)))
            }),
            Self::Alternatives(nodes) => either(nodes.iter().map(|node| node.width(groups))),
            Self::Repeat { least, most, node, .. } => {
                let (low, high) = node.width(groups);
                let most = match (high, *most) {
                    (Some(0), _) => Some(0),
                    (Some(high), Some(most)) => Some(high.saturating_mul(u64::from(most))),
                    _ => None,
                };
                (low.saturating_mul(u64::from(*least)), most)
            }
            Self::Reference(number) => groups.get(*number).copied().unwrap_or((0, None)),
            Self::Condition { yes, no, .. } => {
                either([yes.width(groups), no.width(groups)].into_iter())
            }
        }
    }
}

impl ClassItem {
    /// What it takes in an automaton for all of Unicode.
    fn bytes(self) -> u64 {
        match self {
            Self::Range(..) => 1_000,
            Self::Kind { kind: Kind::Space, .. } => 2_000,
            Self::Kind { kind: Kind::Digit, .. } => 5_000,
            Self::Kind { kind: Kind::Word, .. } => 48_000,
        }
    }
}

fn either(widths: impl Iterator<Item = (u64, Option<u64>)>) -> (u64, Option<u64>) {
    widths
        .reduce(|(least, most), (low, high)| {
            (least.min(low), most.zip(high).map(|(a, b)| a.max(b)))
        })
        .unwrap_or((0, Some(0)))
}
