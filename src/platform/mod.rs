//! What a platform is: its prompts, pagers, refusals and the lines a session may send.
//!
//! Platforms are data: one TOML file each in `definitions/`, embedded in the program, and a folder of the user's
//! own on top. Pure but for reading that folder. Not here: who sends what when (`ssh`), the gate (`command`).

mod definition;
mod never;
mod programs;
mod prompt;
mod reads;
mod registry;
mod rules;
mod schema;

#[cfg(test)]
mod definition_tests;
#[cfg(test)]
mod tables;

pub use definition::{DefinitionError, Fault, Platform};
pub use never::{Never, NoForm};
pub use programs::is_program;
pub use prompt::{Forbidden, KnownPrompts, Mode, PromptRules, Tail, is_same_name};
pub use reads::{FilterRules, Meaning, ReadRules, Shape, Takes, Verb, WRITING_FILTERS};
pub use registry::Registry;
pub use rules::{
    Dialog, EchoForm, EnableRules, ErrorRules, LineFault, LoginRules, OutputRules, PagerHit,
    PagerRules, PreparedLine, SessionRules,
};
