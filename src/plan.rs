//! What will be done for a request: one plan a device, with every limit settled. Nothing after this reads settings.

use std::{sync::Arc, time::Duration};

use crate::{
    command::CheckedCommand,
    device::{Credentials, Device, Host},
    host_key::HostKeyCheck,
    profile::SshProfile,
    target::TargetPolicy,
};

/// A request that was checked whole: every device known, every command through the gate.
#[derive(Debug)]
pub struct Plan {
    /// In the request's order, which is the answer's too.
    pub devices: Vec<DevicePlan>,
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
    /// Which key the device must show.
    pub host_key: HostKeyCheck,
    /// The hosts to go through, the first one first.
    pub jump: Vec<Hop>,
    /// What may be connected to.
    pub targets: Arc<TargetPolicy>,
}

/// A host on the way to a device, which connects to the next one.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Where it is, as the one before it sees it.
    pub host: Host,
    /// TCP port of its SSH server.
    pub port: u16,
    /// Who logs in to it.
    pub credentials: Credentials,
    /// With which algorithms.
    pub profile: SshProfile,
    /// Which key it must show.
    pub host_key: HostKeyCheck,
}

/// A command and how long it may take.
#[derive(Clone, Debug)]
pub struct PlannedCommand {
    /// The command, through the gate.
    pub command: CheckedCommand,
    /// From its being sent to its prompt's being back.
    pub timeout: Duration,
    /// What is to be read out of its output besides the text.
    pub parse: Option<Parse>,
}

/// What is to be read out of an output.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Parse {
    /// The device's own structured output was asked for.
    pub native: bool,
    /// Also what is left of an output that the device filtered.
    pub filtered: bool,
}
