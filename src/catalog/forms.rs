//! The full forms of a command that a row of an index is for, and what looks like an argument.

use crate::textfsm::pattern::{ClassItem, Kind, Node};

/// A row with more ways to write its command than this is asked by its expression only.
const MOST_FORMS: usize = 64;

/// A word of a command's full form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Word {
    /// In lower case.
    Keyword(String),
    /// An interface, an address, a number.
    Argument,
}

/// A command's full form.
pub(super) type Form = Vec<Word>;

/// Words behind which any name is an argument.
const NAMED: [&str; 19] = [
    "vrf",
    "vpn-instance",
    "instance",
    "routing-instance",
    "table",
    "vdom",
    "context",
    "user",
    "username",
    "profile",
    "group",
    "client",
    "name",
    "--name",
    "virtual-router",
    "bridge-domain",
    "policy-map",
    "peer-group",
    "zone",
];
/// Keywords with a digit in them: these, and families of protocols with their version (`ipv6`, `ospfv3`).
const WITH_DIGITS: [&str; 18] = [
    "802.1q",
    "802.1x",
    "802.11a",
    "802.11b",
    "ds1",
    "dot1q",
    "dot1x",
    "dot11",
    "inet6",
    "l2",
    "l2circuit",
    "l2vpn",
    "l3",
    "l3vpn",
    "md5",
    "p2mp",
    "p2p",
    "sha1",
];
const VERSIONED: [&str; 16] = [
    "", "bgp", "dhcp", "hsrp", "icmp", "igmp", "ike", "ip", "ldp", "ospf", "pim", "rip", "snmp",
    "ssh", "vpn", "vrrp",
];
/// Words behind which a number or an address is an argument that belongs to them.
const NUMBERED: [&str; 12] = [
    "vlan",
    "interface",
    "instance",
    "area",
    "slot",
    "module",
    "unit",
    "process",
    "as",
    "port",
    "member",
    "switch",
];
/// Beginnings of interface names that are written apart from their number.
const INTERFACES: [&str; 14] = [
    "gigabitethernet",
    "tengigabitethernet",
    "tengige",
    "fastethernet",
    "ethernet",
    "hundredgige",
    "fortygigabitethernet",
    "vlan",
    "port-channel",
    "bundle-ether",
    "loopback",
    "tunnel",
    "management",
    "xgigabitethernet",
];

/// One piece of an expanded expression.
#[derive(Clone, Copy, PartialEq)]
enum Piece {
    Letter(char),
    Blank,
    Anything,
}

/// All full forms of a command's expression; none if it is not made of words.
pub(super) fn forms(node: &Node) -> Vec<Form> {
    let Some(expanded) = expand(node) else { return Vec::new() };
    let mut forms: Vec<Form> = Vec::new();
    for pieces in expanded {
        let form: Form = pieces
            .split(|piece| *piece == Piece::Blank)
            .filter(|word| !word.is_empty())
            .map(|word| {
                let letter = |piece: &Piece| match piece {
                    Piece::Letter(c) => Some(c.to_ascii_lowercase()),
                    _ => None,
                };
                word.iter().map(letter).collect::<Option<_>>().map_or(Word::Argument, Word::Keyword)
            })
            .collect();
        if !form.is_empty() && !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn expand(node: &Node) -> Option<Vec<Vec<Piece>>> {
    let expanded = match node {
        Node::Empty | Node::Start | Node::End | Node::Look { .. } | Node::Boundary { .. } => {
            vec![Vec::new()]
        }
        Node::Literal(' ') => vec![vec![Piece::Blank]],
        Node::Literal(c) => vec![vec![Piece::Letter(*c)]],
        Node::Class { .. } if is_blank(node) => vec![vec![Piece::Blank]],
        Node::Any | Node::Class { .. } => vec![vec![Piece::Anything]],
        Node::Group { node, .. } => expand(node)?,
        Node::Sequence(nodes) => {
            let mut all = vec![Vec::new()];
            for node in nodes {
                let next = expand(node)?;
                all = all
                    .iter()
                    .flat_map(|before| {
                        next.iter().map(|behind| [before.as_slice(), behind.as_slice()].concat())
                    })
                    .collect();
                if all.len() > MOST_FORMS {
                    return None;
                }
            }
            all
        }
        Node::Alternatives(nodes) => {
            let mut all = Vec::new();
            for node in nodes {
                all.extend(expand(node)?);
            }
            all
        }
        Node::Repeat { least, node, .. } => {
            let mut all = if *least == 0 { vec![Vec::new()] } else { Vec::new() };
            all.extend(expand(node)?);
            all
        }
        Node::Atomic(_) | Node::Reference(_) | Node::Condition { .. } => return None,
    };
    (expanded.len() <= MOST_FORMS).then_some(expanded)
}

fn is_blank(node: &Node) -> bool {
    matches!(node, Node::Class { negated: false, items }
        if matches!(items.as_slice(), [ClassItem::Kind { kind: Kind::Space, negated: false }]))
}

/// True if the word can be nothing but an argument: an interface, an address, a number, a name behind `vrf`.
pub(super) fn is_argument(word: &str, before: Option<&str>) -> bool {
    let named = before.is_some_and(|before| NAMED.contains(&before.to_ascii_lowercase().as_str()));
    let looks_like_one = word.starts_with('"')
        || word.contains(|c: char| c.is_ascii_digit() || matches!(c, ':' | '/' | '*'));
    (named && !is_reserved(word)) || (looks_like_one && !is_keyword_with_digits(word))
}

fn is_keyword_with_digits(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    // `ipv4-unicast` is as much a keyword as `ipv4`.
    let first = word.split(['-', '_']).next().unwrap_or_default();
    let versioned = |stem: &str| {
        let version = first.strip_prefix(stem).and_then(|rest| rest.strip_prefix('v'));
        version.is_some_and(|digits| {
            digits.len() == 1 && digits.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    WITH_DIGITS.contains(&first) || VERSIONED.iter().any(|stem| versioned(stem))
}

/// True if all words behind a command are arguments, some with the word that introduces them; `before` is the command's
/// last word.
pub(super) fn are_arguments(words: &[&str], before: Option<&str>) -> bool {
    let mut rest = match words {
        // A name behind `vrf`: what introduces it belongs to the command.
        [first, behind @ ..] if is_argument(first, before) => behind,
        words => words,
    };
    loop {
        let (first, behind) = match rest {
            [] => return !words.is_empty(),
            [first, behind @ ..] => (first.to_ascii_lowercase(), behind),
        };
        rest = match behind {
            [name, behind @ ..] if NAMED.contains(&first.as_str()) && !is_reserved(name) => behind,
            [number, behind @ ..]
                if (NUMBERED.contains(&first.as_str()) || is_interface(&first))
                    && is_argument(number, None) =>
            {
                behind
            }
            behind if is_argument(&first, None) => behind,
            _ => return false,
        };
    }
}

/// `GigabitEthernet 0/1`: the type in a word of its own, also shortened.
fn is_interface(word: &str) -> bool {
    word.len() >= 2 && INTERFACES.iter().any(|name| name.starts_with(word))
}

/// Words that are hardly a name: what stands behind them is another command's.
pub(super) fn is_reserved(word: &str) -> bool {
    [
        "brief",
        "counters",
        "description",
        "detail",
        "details",
        "extensive",
        "statistics",
        "status",
        "summary",
        "terse",
        "trunk",
    ]
    .contains(&word.to_ascii_lowercase().as_str())
}
