//! As its users meet it: the command line, clients made of its document, a browser, the commands of its documentation.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that fails may panic, and a skipped one says so"
)]

mod browser;
mod command_line;
mod deployment;
mod docs;
mod document;
mod support;
mod typescript;
mod vault;
