//! What a regular expression means.

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

fn either(widths: impl Iterator<Item = (u64, Option<u64>)>) -> (u64, Option<u64>) {
    widths
        .reduce(|(least, most), (low, high)| {
            (least.min(low), most.zip(high).map(|(a, b)| a.max(b)))
        })
        .unwrap_or((0, Some(0)))
}
