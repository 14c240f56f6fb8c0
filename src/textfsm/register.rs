//! The row being filled, with what each option of a value does, and the table of finished rows.

/// One value's cell of a finished row.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Cell {
    /// A value.
    Text(String),
    /// A value with the option `List`.
    List(Vec<Item>),
}

impl Cell {
    /// Its text in bytes, or what its items take.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(Item::bytes).sum(),
        }
    }
}

impl Item {
    fn bytes(&self) -> usize {
        /// Besides the text.
        const ITEM: usize = 48;
        match self {
            Self::None => ITEM,
            Self::Text(text) => ITEM + text.len(),
            Self::Groups(groups) => groups
                .iter()
                .map(|(name, text)| 2 * ITEM + name.len() + text.as_ref().map_or(0, String::len))
                .sum(),
        }
    }
}

/// Named groups inside a list's group, and what they matched.
pub(super) type Groups = Vec<(String, Option<String>)>;

/// One item of a list.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Item {
    /// The group took no part in the match: Python's None.
    None,
    /// What the group matched.
    Text(String),
    /// What the named groups inside it matched, if it has any.
    Groups(Vec<(String, Option<String>)>),
}

/// What a template read out of a text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    /// The values' names, in the template's order and spelling.
    pub header: Vec<String>,
    /// Finished rows, one cell for each value.
    pub rows: Vec<Vec<Cell>>,
}

/// What can be asked of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ValueOption {
    Filldown,
    Fillup,
    Key,
    List,
    Required,
}

impl ValueOption {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "Filldown" => Self::Filldown,
            "Fillup" => Self::Fillup,
            "Key" => Self::Key,
            "List" => Self::List,
            "Required" => Self::Required,
            _ => return None,
        })
    }
}

/// What a value holds at a time.
#[derive(Clone, Debug, Default)]
enum Held {
    #[default]
    None,
    Text(String),
    List(Vec<Item>),
}

impl Held {
    /// As Python's truth of it.
    fn is_something(&self) -> bool {
        match self {
            Self::None => false,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
        }
    }
}

/// One value of the row being filled. Options act in the order in which the template names them.
#[derive(Clone, Debug)]
pub(super) struct Register<'t> {
    options: &'t [ValueOption],
    held: Held,
    /// What `Filldown` brings back.
    remembered: Held,
    list: Vec<Item>,
}

impl<'t> Register<'t> {
    pub(super) fn new(options: &'t [ValueOption]) -> Self {
        Self { options, held: Held::None, remembered: Held::None, list: Vec::new() }
    }

    /// Puts in what a group matched. `groups` are those inside it, of a list. Returns what a list's new item takes, in
    /// bytes.
    pub(super) fn assign(&mut self, text: Option<&str>, groups: Option<Groups>) -> usize {
        self.held = text.map_or(Held::None, |text| Held::Text(text.to_owned()));
        if self.has(ValueOption::Filldown) {
            self.remembered = self.held.clone();
        }
        if self.has(ValueOption::List) {
            let item = match (groups, text) {
                (Some(groups), _) => Item::Groups(groups),
                (None, Some(text)) => Item::Text(text.to_owned()),
                (None, None) => Item::None,
            };
            let bytes = item.bytes();
            self.list.push(item);
            return bytes;
        }
        0
    }

    /// How many items its list has.
    pub(super) fn items(&self) -> usize {
        self.list.len()
    }

    /// True if what was assigned goes up into rows that lack it.
    pub(super) fn fills_up(&self) -> bool {
        self.has(ValueOption::Fillup) && self.held.is_something()
    }

    /// What a row above gets of it.
    pub(super) fn text(&self) -> &str {
        if let Held::Text(text) = &self.held { text } else { "" }
    }

    pub(super) fn clear(&mut self) {
        self.held =
            if self.has(ValueOption::Filldown) { self.remembered.clone() } else { Held::None };
        if !self.has(ValueOption::Filldown) {
            self.list.clear();
        }
    }

    pub(super) fn clear_all(&mut self) {
        self.held = Held::None;
        self.remembered = Held::None;
        self.list.clear();
    }

    /// Gets ready for a row. False if the row may not be: a required value is missing.
    pub(super) fn settle(&mut self) -> bool {
        for option in self.options {
            match option {
                ValueOption::Required if !self.held.is_something() => return false,
                ValueOption::List => self.held = Held::List(self.list.clone()),
                _ => {}
            }
        }
        true
    }

    /// True for nothing and for an empty list; a matched nothing is something.
    pub(super) fn is_empty(&self) -> bool {
        match &self.held {
            Held::None => true,
            Held::Text(_) => false,
            Held::List(items) => items.is_empty(),
        }
    }

    /// The cell of a finished row; the register is cleared next.
    pub(super) fn take(&mut self) -> Cell {
        match std::mem::take(&mut self.held) {
            Held::None => Cell::Text(String::new()),
            Held::Text(text) => Cell::Text(text),
            Held::List(items) => Cell::List(items),
        }
    }

    fn has(&self, option: ValueOption) -> bool {
        self.options.contains(&option)
    }
}

impl Cell {
    /// True if it holds nothing, so that `Fillup` may fill it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }
}
