//! Python's regular expressions, which templates are written in, said in Rust's.
//!
//! An expression is read by Python's rules ([`reader`], which refuses what Python refuses) and written anew for the
//! engine that runs it ([`writer`]): once for lines of ASCII, once for all others, because classes without Unicode
//! are a quarter of the size. Not here: running them (`matcher`).

mod reader;
mod tree;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    reader::{Pattern, PatternError, read},
    tree::{ClassItem, Kind, Node},
    writer::{Script, needs_backtracking, write},
};
