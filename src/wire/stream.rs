//! The lines of an answer that is sent piece by piece: commands, devices, and one summary at the end.
//!
//! Not here: how they are framed (`http::stream`) and when they come (`executor`).

use std::time::Instant;

use serde::Serialize;
use utoipa::ToSchema;

use super::response::{CommandResult, DeviceResult};
use crate::{executor::Delivered, outcome::millis, plan::Plan};

/// One line of a streamed answer.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamLine {
    /// A command is done; only with `?granularity=command`.
    Command(Box<CommandLine>),
    /// A device is done.
    Device(Box<DeviceLine>),
    /// Everything is done. A stream that ends without it was broken off.
    Summary(SummaryLine),
}

/// What came of one command, and whose it is.
#[derive(Serialize, ToSchema)]
pub struct CommandLine {
    /// The device's index in the request, from 0.
    #[schema(example = 0)]
    pub index: usize,
    /// The command's index among the device's, from 0.
    #[schema(example = 0)]
    pub command_index: usize,
    /// As the request had it.
    #[schema(example = "192.0.2.1")]
    pub hostname: String,
    /// As the request had it.
    #[schema(example = "ios")]
    pub os: String,
    /// TCP port.
    #[schema(example = 22)]
    pub port: u16,
    /// What came of it.
    #[serde(flatten)]
    pub result: CommandResult,
}

/// What came of one device.
#[derive(Serialize, ToSchema)]
pub struct DeviceLine {
    /// The device's index in the request, from 0.
    #[schema(example = 0)]
    pub index: usize,
    /// What came of it; `commands` is empty where they were sent as lines of their own.
    #[serde(flatten)]
    pub result: DeviceResult,
}

/// What came of the request.
#[derive(Serialize, ToSchema)]
pub struct SummaryLine {
    /// Devices in the request.
    #[schema(example = 2)]
    pub total_devices: usize,
    /// Devices that could be logged in to and whose session did not break.
    #[schema(example = 1)]
    pub successful_devices: usize,
    /// The others.
    #[schema(example = 1)]
    pub failed_devices: usize,
    /// Milliseconds from the request's being taken in to its end.
    pub duration_ms: u64,
    /// Also in the header `X-Request-ID`.
    pub request_id: String,
}

impl StreamLine {
    /// The value of its `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Device(_) => "device",
            Self::Summary(_) => "summary",
        }
    }
}

/// Makes the lines of one answer and counts for its summary.
pub struct Lines {
    devices: Vec<Named>,
    started: Instant,
    request_id: String,
    n_done: usize,
    n_successful: usize,
}

struct Named {
    hostname: String,
    os: String,
    port: u16,
}

impl Lines {
    /// The lines of the answer to a request that begins now.
    #[must_use]
    pub fn new(plan: &Plan, request_id: String) -> Self {
        let devices = plan.devices.iter().map(|plan| Named {
            hostname: plan.device.host.to_string(),
            os: plan.device.os.clone(),
            port: plan.device.port,
        });
        let started = Instant::now();
        Self { devices: devices.collect(), started, request_id, n_done: 0, n_successful: 0 }
    }

    /// The line for a result.
    pub fn line(&mut self, delivered: Delivered) -> StreamLine {
        match delivered {
            Delivered::Command { device: index, command: command_index, outcome } => {
                let named = self.devices.get(index);
                StreamLine::Command(Box::new(CommandLine {
                    index,
                    command_index,
                    hostname: named.map(|named| named.hostname.clone()).unwrap_or_default(),
                    os: named.map(|named| named.os.clone()).unwrap_or_default(),
                    port: named.map_or(0, |named| named.port),
                    result: outcome.into(),
                }))
            }
            Delivered::Device { device: index, outcome } => {
                let result = DeviceResult::from(outcome);
                self.n_done += 1;
                self.n_successful += usize::from(result.success);
                StreamLine::Device(Box::new(DeviceLine { index, result }))
            }
        }
    }

    /// The last line.
    #[must_use]
    pub fn summary(self) -> StreamLine {
        StreamLine::Summary(SummaryLine {
            total_devices: self.devices.len(),
            successful_devices: self.n_successful,
            failed_devices: self.devices.len() - self.n_successful,
            duration_ms: millis(self.started.elapsed()),
            request_id: self.request_id,
        })
    }

    /// True once every device has had its line.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.n_done == self.devices.len()
    }
}
