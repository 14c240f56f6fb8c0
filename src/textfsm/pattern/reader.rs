//! Reads a regular expression by the rules of Python's `re` (3.11) and refuses what Python refuses.
//!
//! Names of Unicode characters (`\N{…}`) are the one thing that Python takes and this does not.

use super::tree::{ClassItem, Flags, Greed, Kind, Node};

/// Groups in groups beyond this are no template any more.
const DEEPEST: usize = 100;

/// What is wrong with an expression.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} at character {at}")]
pub(crate) struct PatternError {
    /// The character's number, from 1.
    pub(crate) at: usize,
    /// One clause.
    pub(crate) what: &'static str,
}

/// An expression that was read.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) node: Node,
    /// Named groups in their order.
    pub(crate) names: Vec<Group>,
    /// How many groups capture.
    pub(crate) groups: usize,
}

/// A named group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// From 1.
    pub(crate) number: usize,
}

/// Reads a whole expression.
///
/// # Errors
/// The first fault and its place.
pub(crate) fn read(text: &str) -> Result<Pattern, PatternError> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        names: Vec::new(),
        widths: vec![(0, None)],
        open: Vec::new(),
        behind_from: None,
        conditions: Vec::new(),
        depth: 0,
    };
    let node = reader.alternatives(false)?;
    if reader.at < reader.chars.len() {
        return Err(reader.error("unbalanced parenthesis"));
    }
    let groups = reader.widths.len() - 1;
    if let Some((at, _)) = reader.conditions.iter().find(|(_, number)| *number > groups) {
        return Err(PatternError { at: *at, what: "a condition names a group that there is not" });
    }
    Ok(Pattern { node, names: reader.names, groups })
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    names: Vec<Group>,
    /// Of each group, by number; the first is the whole expression's.
    widths: Vec<(u64, Option<u64>)>,
    /// Numbers of groups that are not closed yet.
    open: Vec<usize>,
    /// The first group that begins in the look-behind that is being read.
    behind_from: Option<usize>,
    /// Groups that conditions name, and where.
    conditions: Vec<(usize, usize)>,
    depth: usize,
}

impl Reader {
    fn error(&self, what: &'static str) -> PatternError {
        PatternError { at: self.at + 1, what }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self, verbose: bool) -> Result<Node, PatternError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("groups in groups are too deep"));
        }
        let mut nodes = vec![self.sequence(verbose)?];
        while self.take('|') {
            nodes.push(self.sequence(verbose)?);
        }
        self.depth -= 1;
        Ok(one_or(nodes, Node::Alternatives))
    }

    fn sequence(&mut self, verbose: bool) -> Result<Node, PatternError> {
        let mut nodes: Vec<Node> = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '|' | ')' => break,
                ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' if verbose => self.at += 1,
                '#' if verbose => while self.next().is_some_and(|c| c != '\n') {},
                '*' | '+' | '?' | '{' => {
                    if let Some((least, most)) = self.quantifier()? {
                        let node = self.repeat(nodes.pop(), least, most)?;
                        nodes.push(node);
                    } else {
                        nodes.push(Node::Literal(c));
                    }
                }
                _ => {
                    self.at += 1;
                    match c {
                        '\\' => nodes.push(self.escape()?),
                        '.' => nodes.push(Node::Any),
                        '^' => nodes.push(Node::Start),
                        '$' => nodes.push(Node::End),
                        '[' => nodes.push(self.class()?),
                        '(' => nodes.extend(self.group(verbose)?),
                        c => nodes.push(Node::Literal(c)),
                    }
                }
            }
        }
        Ok(one_or(nodes, Node::Sequence))
    }

    /// The bounds of a quantifier; `None` for a brace that is a letter, which is then behind.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        Ok(match self.next() {
            Some('*') => Some((0, None)),
            Some('+') => Some((1, None)),
            Some('?') => Some((0, Some(1))),
            _ => {
                let behind = self.at;
                if self.peek() == Some('}') {
                    return Ok(None);
                }
                let least = self.digits();
                let most = if self.take(',') { self.digits() } else { least.clone() };
                if !self.take('}') {
                    self.at = behind;
                    return Ok(None);
                }
                let number = |text: &str| {
                    if text.is_empty() { Ok(None) } else { text.parse::<u32>().map(Some) }
                };
                let (Ok(least), Ok(most)) = (number(&least), number(&most)) else {
                    return Err(self.error("the repetition number is too large"));
                };
                let least = least.unwrap_or(0);
                if most.is_some_and(|most| most < least) {
                    return Err(self.error("min repeat greater than max repeat"));
                }
                Some((least, most))
            }
        })
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        digits
    }

    fn repeat(
        &mut self,
        node: Option<Node>,
        least: u32,
        most: Option<u32>,
    ) -> Result<Node, PatternError> {
        let node = match node {
            None | Some(Node::Start | Node::End | Node::Boundary { .. }) => {
                return Err(self.error("nothing to repeat"));
            }
            Some(Node::Repeat { .. }) => return Err(self.error("multiple repeat")),
            Some(node) => Box::new(node),
        };
        let greed = if self.take('?') {
            Greed::Lazy
        } else if self.take('+') {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        Ok(Node::Repeat { least, most, greed, node })
    }

    /// Behind `(`. Nothing for a comment.
    fn group(&mut self, verbose: bool) -> Result<Option<Node>, PatternError> {
        if !self.take('?') {
            return self.capture(None, verbose).map(Some);
        }
        let node = match self.next() {
            Some('P') => match self.next() {
                Some('<') => {
                    let name = self.name_until('>')?;
                    return self.capture(Some(name), verbose).map(Some);
                }
                Some('=') => {
                    let name = self.name_until(')')?;
                    let group = self.names.iter().find(|group| group.name == name);
                    let number = group.map(|group| group.number);
                    return self.reference(number).map(Some);
                }
                _ => return Err(self.error("unknown extension ?P")),
            },
            Some(':') => self.closed(verbose)?,
            Some('>') => Node::Atomic(Box::new(self.closed(verbose)?)),
            Some('=') => self.look(false, false, verbose)?,
            Some('!') => self.look(false, true, verbose)?,
            Some('<') => match self.next() {
                Some('=') => self.look(true, false, verbose)?,
                Some('!') => self.look(true, true, verbose)?,
                _ => return Err(self.error("unknown extension ?<")),
            },
            Some('#') => {
                return loop {
                    match self.next() {
                        Some(')') => break Ok(None),
                        // A bracket behind a backslash does not end it.
                        Some('\\') => self.at += 1,
                        Some(_) => {}
                        None => break Err(self.error("missing ), unterminated comment")),
                    }
                };
            }
            Some('(') => self.condition(verbose)?,
            Some(c) if c == '-' || c.is_ascii_alphabetic() => {
                self.at -= 1;
                let flags = self.flags()?;
                let node = self.closed(flags.verbose.unwrap_or(verbose))?;
                Node::Group { number: None, flags, node: Box::new(node) }
            }
            _ => return Err(self.error("unknown extension")),
        };
        // A group of its own keeps what is in it together, also as a quantifier's operand.
        Ok(Some(match node {
            Node::Repeat { .. } | Node::Start | Node::End | Node::Boundary { .. } | Node::Empty => {
                Node::Group { number: None, flags: Flags::default(), node: Box::new(node) }
            }
            node => node,
        }))
    }

    /// What is in a group, and its closing parenthesis.
    fn closed(&mut self, verbose: bool) -> Result<Node, PatternError> {
        let node = self.alternatives(verbose)?;
        if self.take(')') {
            Ok(node)
        } else {
            Err(self.error("missing ), unterminated subpattern"))
        }
    }

    fn capture(&mut self, name: Option<String>, verbose: bool) -> Result<Node, PatternError> {
        let number = self.widths.len();
        if let Some(name) = name {
            if self.names.iter().any(|group| group.name == name) {
                return Err(self.error("redefinition of a group's name"));
            }
            self.names.push(Group { name, number });
        }
        self.widths.push((0, None));
        self.open.push(number);
        let node = self.closed(verbose)?;
        self.open.retain(|open| *open != number);
        let width = node.width(&self.widths);
        if let Some(known) = self.widths.get_mut(number) {
            *known = width;
        }
        Ok(Node::Group { number: Some(number), flags: Flags::default(), node: Box::new(node) })
    }

    fn name_until(&mut self, end: char) -> Result<String, PatternError> {
        let mut name = String::new();
        loop {
            match self.next() {
                Some(c) if c == end => break,
                Some(c) => name.push(c),
                None => return Err(self.error("unterminated name")),
            }
        }
        if is_identifier(&name) { Ok(name) } else { Err(self.error("bad group name")) }
    }

    fn reference(&self, number: Option<usize>) -> Result<Node, PatternError> {
        match number {
            Some(number) if number == 0 || number >= self.widths.len() => {
                Err(self.error("invalid group reference"))
            }
            Some(number) if self.open.contains(&number) => {
                Err(self.error("cannot refer to an open group"))
            }
            Some(number) if self.behind_from.is_some_and(|from| number >= from) => {
                Err(self.error("cannot refer to group defined in the same lookbehind subpattern"))
            }
            Some(number) => Ok(Node::Reference(number)),
            None => Err(self.error("unknown group name")),
        }
    }

    fn look(&mut self, behind: bool, negated: bool, verbose: bool) -> Result<Node, PatternError> {
        let around = self.behind_from;
        if behind {
            self.behind_from = around.or(Some(self.widths.len()));
        }
        let node = self.closed(verbose)?;
        self.behind_from = around;
        if behind {
            let (least, most) = node.width(&self.widths);
            if most != Some(least) {
                return Err(self.error("look-behind requires fixed-width pattern"));
            }
        }
        Ok(Node::Look { behind, negated, node: Box::new(node) })
    }

    fn condition(&mut self, verbose: bool) -> Result<Node, PatternError> {
        let at = self.at + 1;
        let mut name = String::new();
        while let Some(c) = self.next().filter(|c| *c != ')') {
            name.push(c);
        }
        let named = self.names.iter().find(|group| group.name == name).map(|group| group.number);
        let group = match (named, name.parse::<usize>()) {
            (Some(number), _) => number,
            (None, Ok(number)) if number > 0 => number,
            _ => return Err(PatternError { at, what: "bad group in a condition" }),
        };
        self.conditions.push((at, group));
        let yes = self.sequence(verbose)?;
        let no = if self.take('|') { self.sequence(verbose)? } else { Node::Empty };
        if self.peek() == Some('|') {
            return Err(self.error("conditional backref with more than two branches"));
        }
        if !self.take(')') {
            return Err(self.error("missing ), unterminated subpattern"));
        }
        let no = Box::new(no);
        // A group that is not closed yet has not matched.
        if self.open.contains(&group) {
            return Ok(Node::Group { number: None, flags: Flags::default(), node: no });
        }
        Ok(Node::Condition { group, yes: Box::new(yes), no })
    }

    /// `flags:` of a group; flags for the whole expression cannot be, as a rule begins with `^`.
    fn flags(&mut self) -> Result<Flags, PatternError> {
        let mut flags = Flags::default();
        let mut on = true;
        let mut any = false;
        loop {
            let c = self.next();
            let known = match c {
                Some('-') if on => {
                    on = false;
                    any = false;
                    continue;
                }
                Some(':') if any => return Ok(flags),
                Some(')') => {
                    return Err(self.error("global flags not at the start of the expression"));
                }
                Some('i') => &mut flags.ignore_case,
                Some('s') => &mut flags.dot_all,
                Some('x') => &mut flags.verbose,
                Some('a') if on && flags.ascii != Some(false) => &mut flags.ascii,
                // Lines have no line ends in them, and text is Unicode already.
                Some('m') => {
                    any = true;
                    continue;
                }
                Some('u') if on && flags.ascii != Some(true) => {
                    flags.ascii = Some(false);
                    any = true;
                    continue;
                }
                Some(_) => return Err(self.error("unknown or misplaced flag")),
                None => return Err(self.error("missing -, : or )")),
            };
            if *known == Some(true) && !on {
                return Err(self.error("bad inline flags: flag turned on and off"));
            }
            *known = Some(on);
            any = true;
        }
    }

    fn escape(&mut self) -> Result<Node, PatternError> {
        let Some(c) = self.next() else { return Err(self.error("bad escape (end of pattern)")) };
        Ok(match c {
            'A' => Node::Start,
            'Z' => Node::End,
            'b' => Node::Boundary { negated: false },
            'B' => Node::Boundary { negated: true },
            '1'..='9' => {
                self.at -= 1;
                if let Some(c) = self.octal_of_three()? {
                    Node::Literal(c)
                } else {
                    let mut number = self.next().and_then(|c| c.to_digit(10)).unwrap_or(0);
                    if let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
                        number = number * 10 + digit;
                        self.at += 1;
                    }
                    self.reference(Some(number as usize))?
                }
            }
            c => match kind(c) {
                Some(item) => Node::Class { negated: false, items: vec![item] },
                None => Node::Literal(self.escaped(c)?),
            },
        })
    }

    /// `\ddd` with three octal digits is a character, fewer are a reference.
    fn octal_of_three(&mut self) -> Result<Option<char>, PatternError> {
        let digits: Vec<u32> =
            self.chars.iter().skip(self.at).take(3).map_while(|c| c.to_digit(8)).collect();
        let [one, two, three] = digits.as_slice() else { return Ok(None) };
        let value = one * 64 + two * 8 + three;
        if value > 0o377 {
            return Err(self.error("octal escape value outside of range 0-0o377"));
        }
        self.at += 3;
        Ok(char::from_u32(value))
    }

    /// Up to two octal digits.
    fn octal_of_two(&mut self) -> char {
        let mut value = 0;
        for _ in 0..2 {
            if let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) {
                value = value * 8 + digit;
                self.at += 1;
            }
        }
        char::from_u32(value).unwrap_or_default()
    }

    /// The character that `\c` stands for, in and outside of classes.
    fn escaped(&mut self, c: char) -> Result<char, PatternError> {
        Ok(match c {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            '0' => self.octal_of_two(),
            c if c.is_ascii_alphanumeric() => return Err(self.error("bad escape")),
            c => c,
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<char, PatternError> {
        let mut value: u32 = 0;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.error("incomplete escape"));
            };
            value = value.wrapping_mul(16).wrapping_add(digit);
            self.at += 1;
        }
        char::from_u32(value).ok_or_else(|| self.error("bad escape"))
    }

    /// Behind `[`.
    fn class(&mut self) -> Result<Node, PatternError> {
        let negated = self.take('^');
        let mut items = Vec::new();
        loop {
            if !items.is_empty() && self.take(']') {
                return Ok(Node::Class { negated, items });
            }
            let first = self.class_item()?;
            let dash = self.take('-');
            if !dash {
                items.push(first);
                continue;
            }
            if self.take(']') {
                items.push(first);
                items.push(ClassItem::Range('-', '-'));
                return Ok(Node::Class { negated, items });
            }
            match (first, self.class_item()?) {
                (ClassItem::Range(low, _), ClassItem::Range(high, _)) if low <= high => {
                    items.push(ClassItem::Range(low, high));
                }
                _ => return Err(self.error("bad character range")),
            }
        }
    }

    fn class_item(&mut self) -> Result<ClassItem, PatternError> {
        let c = self.next().ok_or_else(|| self.error("unterminated character set"))?;
        if c != '\\' {
            return Ok(ClassItem::Range(c, c));
        }
        let Some(c) = self.next() else { return Err(self.error("bad escape (end of pattern)")) };
        if let Some(item) = kind(c) {
            return Ok(item);
        }
        let c = match c {
            'b' => '\u{8}',
            '1'..='7' => {
                self.at -= 1;
                match self.octal_of_three()? {
                    Some(c) => c,
                    None => self.octal_of_two(),
                }
            }
            c => self.escaped(c)?,
        };
        Ok(ClassItem::Range(c, c))
    }
}

fn kind(c: char) -> Option<ClassItem> {
    let kind = match c.to_ascii_lowercase() {
        'd' => Kind::Digit,
        's' => Kind::Space,
        'w' => Kind::Word,
        _ => return None,
    };
    Some(ClassItem::Kind { kind, negated: c.is_ascii_uppercase() })
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

fn one_or(mut nodes: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        0 => Node::Empty,
        1 => nodes.remove(0),
        _ => many(nodes),
    }
}
