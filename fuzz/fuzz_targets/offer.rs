//! A peer's first bytes are read without a panic, and what is said of them is short and printable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use showrunner::{
    profile::SshProfile,
    ssh::offer::{Reading, read},
};

fuzz_target!(|bytes: &[u8]| {
    if let Reading::Done(offer) = read(bytes)
        && let Some(said) = offer.explain(SshProfile::Modern)
    {
        assert!(said.len() < 5000 && said.chars().all(|c| (' '..='~').contains(&c)));
    }
});
