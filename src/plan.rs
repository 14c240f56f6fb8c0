//! What will be done for a request: one plan a device, with every limit settled. Nothing after this reads settings.

use std::{sync::Arc, time::Duration};

use crate::{
    command::CheckedCommand, device::Device, host_key::HostKeyCheck, jump::Hop,
    profile::SshProfile, ssh_policy::SshPolicy, target::TargetPolicy,
};

/// A request that was checked whole: every device known, every command through the gate.
#[derive(Debug)]
pub struct Plan {
    /// In the request's order, which is the answer's too.
    pub devices: Vec<DevicePlan>,
}

/// How much a request may ask for.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Most devices of one request.
    pub max_devices: usize,
    /// Most commands of one device.
    pub max_commands: usize,
    /// `timeout` where the request has none.
    pub timeout_default: Duration,
    /// Longest `timeout`.
    pub timeout_max: Duration,
}

/// One device's part of a plan.
#[derive(Debug)]
pub struct DevicePlan {
    /// Where and who.
    pub device: Device,
    /// What to run, in order, on one session.
    pub commands: Arc<[PlannedCommand]>,
    /// With which algorithms.
    pub profile: SshProfile,
    /// Which key the device must show.
    pub host_key: HostKeyCheck,
    /// How long its TCP connection may take, if not as long as every other.
    pub connect_timeout: Option<Duration>,
    /// The hosts to go through.
    pub jump: Jump,
    /// What may be connected to.
    pub targets: Arc<TargetPolicy>,
}

/// The hosts on the way to a device.
#[derive(Clone, Debug)]
pub enum Jump {
    /// Those that the request names, the first one first; none if it says so.
    Said(Vec<Hop>),
    /// Those that the operator's rules say, once the device's addresses are known.
    ByRule(Arc<SshPolicy>),
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
