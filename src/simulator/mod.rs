//! Simulated network devices that speak real SSH: for `showrunner demo`, for tests, for users' own CI.
//!
//! A [`Persona`] is data: what a device model shows and how. [`Fault`]s make a device misbehave by name.
//! Devices listen on loopback and log every byte that reaches their terminal.

pub(crate) mod cli;
mod fault;
mod fleet;
mod persona;
mod server;

pub use self::{
    fault::Fault,
    fleet::{Fleet, FleetDevice},
    persona::{Persona, PersonaError},
    server::{AuthKind, DeviceOptions, FakeDevice},
};
