//! Simulated network devices that speak real SSH: for `showrunner demo`, for tests, for users' own CI.
//!
//! A [`Persona`] is data: what a device model shows and how. [`Fault`]s make a device misbehave by name.
//! Devices listen on loopback and log every byte that reaches their terminal.

pub(crate) mod cli;
#[cfg(test)]
mod cli_tests;
#[cfg(test)]
mod client;
mod distance;
mod editor;
mod fault;
#[cfg(test)]
mod fault_tests;
mod filter;
mod fleet;
mod grammar;
mod login;
mod packets;
mod persona;
mod printing;
pub mod raw;
mod server;
#[cfg(test)]
mod server_tests;
mod terminal;
mod verdict;
mod wire;

pub use self::{
    fault::Fault,
    fleet::{Fleet, FleetDevice},
    persona::{Persona, PersonaError},
    server::{AuthKind, DeviceOptions, FakeDevice},
    verdict::{Limit, Outcome, Verdict},
};
