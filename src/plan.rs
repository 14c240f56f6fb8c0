//! What will be done for a request: one plan a device, with every limit settled. Nothing after this reads settings.

use std::{sync::Arc, time::Duration};

use crate::{command::CheckedCommand, device::Device, profile::SshProfile, target::TargetPolicy};

/// A request that was checked whole: every device known, every command through the gate.
#[derive(Debug)]
pub struct Plan {
    /// In the request's order, which is the answer's too.
    pub devices: Vec<DevicePlan>,
    /// What becomes of the outputs.
    pub output: OutputFormat,
}

/// One device's part of a plan.
#[derive(Debug)]
pub struct DevicePlan {
    /// Where and who.
    pub device: Device,
    /// What to run, in order, on one session.
    pub commands: Vec<PlannedCommand>,
    /// With which algorithms.
    pub profile: SshProfile,
    /// What may be connected to.
    pub targets: Arc<TargetPolicy>,
}

/// A command and how long it may take.
#[derive(Clone, Debug)]
pub struct PlannedCommand {
    /// The command, through the gate.
    pub command: CheckedCommand,
    /// From its being sent to its prompt's being back.
    pub timeout: Duration,
}

/// What becomes of the outputs. Raw text is always in the answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OutputFormat {
    /// Text only.
    #[default]
    Raw,
    /// Records too, where a template is known.
    Parsed,
}
