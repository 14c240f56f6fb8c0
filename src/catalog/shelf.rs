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
    /// The form that shortened words were taken for.
    form: Option<Form>,
    /// The expression takes the command, and nothing else says that it is for it.
    pub(super) is_believed: bool,
}

/// One platform's rows.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    rows: Vec<Shelved>,
    /// The operator has written the index.
    is_own: bool,
}

/// A row with the full forms of its command.
#[derive(Debug)]
struct Shelved {
    row: Arc<Row>,
    /// What its expression says, then what its name says, and synonyms.
    forms: Vec<Form>,
    /// How many of them are its expression's.
    expressed: usize,
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
        // What nothing is known of is for callers to choose, at any length.
        if !new.rows.is_empty() {
            made.insert(key, Arc::clone(&new));
        }
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
                let expressed = all.len();
                if let Some(form) = named_form(row, &rows)
                    && !all.contains(&form)
                {
                    all.push(form);
                }
                Shelved { row: Arc::clone(row), forms: all, expressed }
            })
            .collect();
        let mut shelf = Self { rows, is_own: index.is_own };
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
            && let Some(one) = self.rows.iter_mut().find(|one| one.forms.contains(&same))
        {
            one.forms.push(form);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The shortest full form of each row, with `…` for arguments, and its templates.
    pub(super) fn commands(&self) -> impl Iterator<Item = (String, &[String])> {
        self.rows.iter().map(|Shelved { row, forms, .. }| {
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
            // `show policy-map interface` is another command than `show policy-map` of a policy called so.
            let before = head.last().copied().filter(|_| {
                tail.first().is_some_and(|name| {
                    *name == "all" || !(self.is_keyword(name) || self.goes_on(head, name))
                })
            });
            if !forms::are_arguments(tail, before) {
                return None;
            }
            self.whole(head).map(|found| Found { chosen: Match::Argument, ..found })
        })
    }

    /// True if the word stands in any row.
    fn is_keyword(&self, word: &str) -> bool {
        let is_it =
            |part: &Word| matches!(part, Word::Keyword(known) if known.eq_ignore_ascii_case(word));
        self.rows.iter().flat_map(|one| &one.forms).flatten().any(is_it)
    }

    /// True if a row's words go on behind these with one that `word` may be short for.
    fn goes_on(&self, head: &[&str], word: &str) -> bool {
        let is_short = |(part, word): (&Word, &&str)| matches!(part, Word::Keyword(known) if begins(known, word));
        let words = || head.iter().chain([&word]);
        let mut forms = self.rows.iter().flat_map(|one| &one.forms);
        forms.any(|form| form.len() > head.len() && form.iter().zip(words()).all(is_short))
    }

    /// True if words that were taken for this form may as well be a command of this shelf: one has another keyword that
    /// begins like a shortened word, behind the same words.
    pub(super) fn disputes(&self, found: &Found, command: &str) -> bool {
        let Some(form) = &found.form else { return false };
        form.iter().zip(command.split_whitespace()).enumerate().any(|(at, (part, word))| match part
        {
            Word::Keyword(keyword) if !keyword.eq_ignore_ascii_case(word) => {
                self.keywords(form, at).any(|other| other != keyword && begins(other, word))
            }
            _ => false,
        })
    }

    fn whole(&self, words: &[&str]) -> Option<Found> {
        let command = words.join(" ");
        let by_expression =
            self.rows.iter().find(|one| one.row.consumes(&command) && self.fits(one, words));
        if let Some(Shelved { row, forms, .. }) = by_expression {
            let exact = forms.is_empty() || forms.iter().any(|form| is_exact(form, words));
            let chosen = if exact { Match::Exact } else { Match::Abbreviated };
            let form = forms.iter().find(|form| !exact && is_short(form, words)).cloned();
            let templates = row.templates.clone();
            return Some(Found { templates, chosen, form, is_believed: false });
        }
        if let Some((row, form, chosen)) = self.by_words(words) {
            let (templates, form) = (row.templates.clone(), Some(form.clone()));
            return Some(Found { templates, chosen, form, is_believed: false });
        }
        // Whoever has written an expression that takes anything means it.
        let believed = self.rows.iter().find(|one| self.is_own && one.row.consumes(&command))?;
        let templates = believed.row.templates.clone();
        Some(Found { templates, chosen: Match::Exact, form: None, is_believed: true })
    }

    /// True if a command that the row's expression takes is really for it: where the expression takes anything, there must
    /// be an argument. `show interfaces trunk` is none of `show interfaces …`.
    fn fits(&self, one: &Shelved, words: &[&str]) -> bool {
        let expressed = one.forms.get(..one.expressed).unwrap_or_default();
        let only_keywords = |form: &Form| form.iter().all(|part| *part != Word::Argument);
        // One that is not made of words is believed.
        one.forms.is_empty()
            || (!expressed.is_empty() && expressed.iter().all(only_keywords))
            || one.forms.iter().any(|form| self.fits_form(form, expressed, words))
    }

    /// True if the words can be this form: beginnings of its keywords, and arguments where it has them.
    fn fits_form(&self, form: &Form, expressed: &[Form], words: &[&str]) -> bool {
        form.len() == words.len()
            && form.iter().zip(words).enumerate().all(|(at, (part, word))| match part {
                Word::Keyword(keyword) => begins(keyword, word),
                Word::Argument => {
                    let before = match at.checked_sub(1).and_then(|at| form.get(at)) {
                        Some(Word::Keyword(keyword)) => Some(keyword.as_str()),
                        _ => None,
                    };
                    // Where there must be something, or a keyword follows, anything is an argument that is nobody's keyword.
                    let must = expressed.iter().all(|form| form.get(at) == Some(&Word::Argument));
                    let between = matches!(form.get(at + 1), Some(Word::Keyword(_)));
                    forms::is_argument(word, before)
                        || ((must || (between && !forms::is_reserved(word)))
                            && !self.keywords(form, at).any(|keyword| begins(keyword, word)))
                }
            })
    }

    /// The keywords that rows have at a place of a form, behind the same words.
    fn keywords(&self, form: &Form, at: usize) -> impl Iterator<Item = &String> {
        let before = form.get(..at).unwrap_or_default().to_vec();
        self.rows.iter().flat_map(|one| &one.forms).filter_map(move |other| match other.get(at) {
            Some(Word::Keyword(keyword)) if other.get(..at) == Some(before.as_slice()) => {
                Some(keyword)
            }
            _ => None,
        })
    }

    /// Word by word, as a command line completes them.
    fn by_words(&self, words: &[&str]) -> Option<(&Arc<Row>, &Form, Match)> {
        let mut left: Vec<(&Arc<Row>, &Form)> = self
            .rows
            .iter()
            .flat_map(|one| one.forms.iter().map(move |form| (&one.row, form)))
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
            let before = match (at.checked_sub(1), left.first()) {
                (Some(at), Some((_, form))) => form.get(at),
                _ => None,
            };
            let before = match before {
                Some(Word::Keyword(keyword)) => Some(keyword.as_str()),
                _ => None,
            };
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
        found.map(|(row, form)| (row, form, chosen))
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
    form.len() == words.len() && is_like(form, words, str::eq_ignore_ascii_case)
}

/// True if the words are beginnings of the form's keywords.
fn is_short(form: &Form, words: &[&str]) -> bool {
    form.len() == words.len() && is_like(form, words, begins)
}

fn is_like(form: &Form, words: &[&str], same: impl Fn(&str, &str) -> bool) -> bool {
    form.iter().zip(words).all(|(part, word)| match part {
        Word::Keyword(keyword) => same(keyword, word),
        Word::Argument => true,
    })
}

/// True if the word is a beginning of the keyword.
fn begins(keyword: &str, word: &str) -> bool {
    keyword.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
}
