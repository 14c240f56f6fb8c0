//! `TextFSM`: templates that read records out of what devices print, with exactly the results of the Python library.
//!
//! A [`Template`] is read once, checked whole, and shared by all threads; its expressions are compiled when a line
//! first needs them. Every bound that is hit is an error with a name, never "no match". Knows nothing of networks,
//! files or clocks. Source of the semantics: the behaviour of textfsm 2.1.0.

mod action;
mod bounds;
mod engine;
pub(crate) mod matcher;
pub(crate) mod pattern;
mod register;
mod template;
mod watch;

#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod template_tests;

pub use self::{
    bounds::{Limits, ParseError},
    engine::Step,
    register::{Cell, Item, Table},
    template::{Field, Template, TemplateError},
};
