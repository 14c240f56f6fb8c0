//! The rows of an index that are for one platform, and the search among them.
//!
//! The order: a row whose expression takes the whole command; then word by word against the rows' full forms, as the
//! device's own command line takes abbreviations (an exact word beats the beginning of another, two possible words
//! are none); then the same with arguments cut from the end. A row is never taken because the command merely begins
//! as it does: `show interfaces trunk` is not read by the template of `show interfaces`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    forms::{self, Form, Word},
    index::{Index, Row},
};

/// Platform, command, the command whose template reads it.
const SYNONYMS: &str = include_str!("synonyms.tsv");
/// How many platforms' shelves are kept.
const MOST_SHELVES: usize = 256;

/// How a template was chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Match {
    /// Every word of the command is there in full.
    Exact,
    /// Words are shortened.
    Abbreviated,
    /// The template is for the command without the arguments at its end.
    Argument,
}

impl Match {
    /// As answers spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Abbreviated => "abbreviated",
            Self::Argument => "argument",
        }
    }
}

/// The templates for a command.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) templates: Vec<String>,
    pub(super) chosen: Match,
}

/// One platform's rows.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    rows: Vec<(Arc<Row>, Vec<Form>)>,
}

/// Shelves that were made, by index and platform names.
#[derive(Debug, Default)]
pub(super) struct Shelves(Mutex<HashMap<(u64, String), Arc<Shelf>>>);

impl Shelves {
    /// The rows of an index for any of the names.
    pub(super) fn of(&self, index: &Index, names: &[String]) -> Arc<Shelf> {
        let key = (index.id, names.join(" "));
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = made.get(&key) {
            return Arc::clone(shelf);
        }
        // Names come from requests: they may not fill the memory.
        if made.len() >= MOST_SHELVES {
            made.clear();
        }
        let new = Arc::new(Shelf::new(index, names));
        made.insert(key, Arc::clone(&new));
        new
    }
}

impl Shelf {
    fn new(index: &Index, names: &[String]) -> Self {
        let here = index.rows.iter().filter(|row| names.iter().any(|name| row.is_for(name)));
        let rows: Vec<Arc<Row>> = here.cloned().collect();
        let rows = rows
            .iter()
            .map(|row| {
                let mut all = row.in_full().map(|node| forms::forms(&node)).unwrap_or_default();
                if let Some(form) = named_form(row, &rows)
                    && !all.contains(&form)
                {
                    all.push(form);
                }
                (Arc::clone(row), all)
            })
            .collect();
        let mut shelf = Self { rows };
        for line in SYNONYMS.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.split('\t');
            if let (Some(platform), Some(command), Some(other)) =
                (cells.next(), cells.next(), cells.next())
                && names.iter().any(|name| name == platform)
            {
                shelf.add_synonym(command, other);
            }
        }
        shelf
    }

    /// Lets the template of one command read another too, if it has no template of its own.
    fn add_synonym(&mut self, command: &str, other: &str) {
        let words =
            |text: &str| text.split(' ').map(|word| Word::Keyword(word.to_owned())).collect();
        let (form, same): (Form, Form) = (words(command), words(other));
        if self.find(command).is_none()
            && let Some((_, forms)) = self.rows.iter_mut().find(|(_, forms)| forms.contains(&same))
        {
            forms.push(form);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The shortest full form of each row, with `…` for arguments, and its templates.
    pub(super) fn commands(&self) -> impl Iterator<Item = (String, &[String])> {
        self.rows.iter().map(|(row, forms)| {
            let form = forms.iter().min_by_key(|form| form.len());
            let words = form.into_iter().flatten().map(|word| match word {
                Word::Keyword(word) => word.as_str(),
                Word::Argument => "…",
            });
            let command = words.collect::<Vec<_>>().join(" ");
            let command = if command.is_empty() { row.command.clone() } else { command };
            (command, row.templates.as_slice())
        })
    }

    /// The template for a command, if there is one.
    pub(super) fn find(&self, command: &str) -> Option<Found> {
        let words: Vec<&str> = command.split_whitespace().collect();
        if let Some(found) = self.whole(&words) {
            return Some(found);
        }
        (1..words.len()).rev().find_map(|at| {
            let (head, tail) = words.split_at(at);
            if !forms::are_arguments(tail) {
                return None;
            }
            self.whole(head).map(|found| Found { chosen: Match::Argument, ..found })
        })
    }

    fn whole(&self, words: &[&str]) -> Option<Found> {
        let command = words.join(" ");
        let by_expression = self.rows.iter().find(|(row, forms)| {
            row.consumes(&command)
                && (forms.is_empty() || forms.iter().any(|form| self.fits(form, forms, words)))
        });
        let (row, chosen) = match by_expression {
            Some((row, forms)) => {
                let exact = forms.is_empty() || forms.iter().any(|form| is_exact(form, words));
                (row, if exact { Match::Exact } else { Match::Abbreviated })
            }
            None => self.by_words(words)?,
        };
        Some(Found { templates: row.templates.clone(), chosen })
    }

    /// True if the words can be this form: beginnings of its keywords, and arguments where it has them.
    fn fits(&self, form: &Form, forms: &[Form], words: &[&str]) -> bool {
        form.len() == words.len()
            && form.iter().zip(words).enumerate().all(|(at, (part, word))| match part {
                Word::Keyword(keyword) => begins(keyword, word),
                Word::Argument => {
                    let before = at.checked_sub(1).and_then(|at| words.get(at)).copied();
                    // Where there must be something, anything is an argument that is no other row's word.
                    let must = forms.iter().all(|form| form.get(at) == Some(&Word::Argument));
                    forms::is_argument(word, before) || (must && !self.is_keyword(form, at, word))
                }
            })
    }

    /// True if another row has this word there, behind the same words.
    fn is_keyword(&self, form: &Form, at: usize, word: &str) -> bool {
        let same = form.get(..at);
        self.rows.iter().flat_map(|(_, forms)| forms).any(|other| {
            other.get(..at) == same
                && matches!(other.get(at), Some(Word::Keyword(keyword)) if begins(keyword, word))
        })
    }

    /// Word by word, as a command line completes them.
    fn by_words(&self, words: &[&str]) -> Option<(&Arc<Row>, Match)> {
        let mut left: Vec<(&Arc<Row>, &Form)> = self
            .rows
            .iter()
            .flat_map(|(row, forms)| forms.iter().map(move |form| (row, form)))
            .collect();
        let mut chosen = Match::Exact;
        for (at, word) in words.iter().enumerate() {
            let keyword = |form: &Form| match form.get(at) {
                Some(Word::Keyword(keyword)) => Some(keyword.clone()),
                _ => None,
            };
            let exact = |form: &Form| {
                keyword(form).is_some_and(|keyword| keyword.eq_ignore_ascii_case(word))
            };
            let short = |form: &Form| keyword(form).is_some_and(|keyword| begins(&keyword, word));
            let before = at.checked_sub(1).and_then(|at| words.get(at)).copied();
            if left.iter().any(|(_, form)| exact(form)) {
                left.retain(|(_, form)| exact(form));
            } else if left.iter().any(|(_, form)| short(form)) {
                left.retain(|(_, form)| short(form));
                let mut possible: Vec<_> =
                    left.iter().filter_map(|(_, form)| keyword(form)).collect();
                possible.sort();
                possible.dedup();
                if possible.len() > 1 {
                    return None;
                }
                chosen = Match::Abbreviated;
            } else if forms::is_argument(word, before) {
                left.retain(|(_, form)| form.get(at) == Some(&Word::Argument));
            } else {
                return None;
            }
        }
        let found = left.into_iter().find(|(_, form)| form.len() == words.len());
        found.map(|(row, _)| (row, chosen))
    }
}

/// What the template's file name says the command is, if ntc-templates would find the row by it.
///
/// Some rows' expressions are for a beginning of the command only.
fn named_form(row: &Row, rows: &[Arc<Row>]) -> Option<Form> {
    let name = row.templates.first()?.strip_suffix(".textfsm")?;
    // The platform's name ends where the command's first word begins.
    let first =
        row.command.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty())?;
    let at = name
        .match_indices('_')
        .map(|(at, _)| at + 1)
        .find(|at| name.get(*at..).is_some_and(|rest| rest.starts_with(first)))?;
    let command = name.get(at..)?.replace('_', " ");
    let chosen = rows.iter().find(|row| row.begins(&command))?;
    let is_this = std::ptr::eq(&raw const **chosen, row);
    is_this
        .then(|| command.split(' ').map(|word| Word::Keyword(word.to_ascii_lowercase())).collect())
}

fn is_exact(form: &Form, words: &[&str]) -> bool {
    form.len() == words.len()
        && form.iter().zip(words).all(|(part, word)| match part {
            Word::Keyword(keyword) => keyword.eq_ignore_ascii_case(word),
            Word::Argument => true,
        })
}

/// True if the word is a beginning of the keyword.
fn begins(keyword: &str, word: &str) -> bool {
    keyword.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
}
