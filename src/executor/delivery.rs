//! Results one by one, as they come: sessions go on while their results wait to be taken.
//!
//! What waits is bounded: once half of the request's allowance of output is held, devices that have not begun get
//! no turn until results were taken. Dropping the receiver ends the sessions.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::{sync::mpsc, task::AbortHandle};
use tracing::Instrument as _;

use super::{Admitted, admission::Throttle};
use crate::{
    allowance::Allowance,
    outcome::{CommandOutcome, DeviceOutcome},
};

/// How small the pieces are that results come in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Granularity {
    /// Each device when it is done.
    #[default]
    Device,
    /// Each command when it is done; then its device, without its commands.
    Command,
}

/// A result, and whose it is by its index in the request.
#[derive(Debug)]
pub enum Delivered {
    /// One command is done.
    Command {
        /// Index of the device.
        device: usize,
        /// Index of the command among the device's.
        command: usize,
        /// What came of it.
        outcome: CommandOutcome,
    },
    /// One device is done.
    Device {
        /// Index of the device.
        device: usize,
        /// What came of it.
        outcome: DeviceOutcome,
    },
}

/// Results as they come. Dropped, it ends what still runs.
pub struct Results {
    receiver: mpsc::UnboundedReceiver<Delivered>,
    balance: Balance,
    /// Output bytes of the result that was taken last.
    in_hand: usize,
    driver: AbortHandle,
}

/// Where sessions hand their results in.
#[derive(Clone)]
pub(super) struct Outlet {
    granularity: Granularity,
    sender: mpsc::UnboundedSender<Delivered>,
    balance: Balance,
}

#[derive(Clone)]
struct Balance {
    allowance: Arc<Allowance>,
    throttle: Throttle,
}

impl Admitted {
    /// Runs all devices on a task of their own; results come in the order in which they are done.
    #[must_use]
    pub fn results(self, granularity: Granularity) -> Results {
        let Self { shared, throttle, request, devices } = self;
        let (sender, receiver) = mpsc::unbounded_channel();
        let balance = Balance { allowance: Arc::clone(&request.allowance), throttle };
        let outlet = Outlet { granularity, sender, balance: balance.clone() };
        let all = async move {
            let runs = devices.into_iter().enumerate().map(|(index, (plan, place))| {
                let (shared, request, outlet) = (&shared, &request, &outlet);
                async move {
                    let sink = outlet.sink(index);
                    let outcome = shared.run_device(plan, place, request, sink).await;
                    outlet.deliver(Delivered::Device { device: index, outcome });
                }
            });
            join_all(runs).await;
        };
        let driver = tokio::spawn(all.in_current_span()).abort_handle();
        Results { receiver, balance, in_hand: 0, driver }
    }
}

impl Results {
    /// The next result; `None` when all were given. What was given before counts as sent from here on.
    pub async fn next(&mut self) -> Option<Delivered> {
        self.balance.allowance.give_back(std::mem::take(&mut self.in_hand));
        self.balance.settle();
        let delivered = self.receiver.recv().await?;
        self.in_hand = match &delivered {
            Delivered::Command { outcome, .. } => outcome.output.len(),
            Delivered::Device { outcome, .. } => {
                outcome.commands.iter().map(|command| command.output.len()).sum()
            }
        };
        Some(delivered)
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Outlet {
    /// Takes the commands of a device one by one, if that is wanted.
    fn sink(&self, device: usize) -> Option<crate::ssh::session::CommandSink> {
        if self.granularity == Granularity::Device {
            return None;
        }
        let outlet = self.clone();
        Some(Arc::new(move |command, outcome| {
            outlet.deliver(Delivered::Command { device, command, outcome });
        }))
    }

    fn deliver(&self, delivered: Delivered) {
        // Nobody takes it any more if this fails.
        let _ = self.sender.send(delivered);
        self.balance.settle();
    }
}

impl Balance {
    fn settle(&self) {
        self.throttle.hold_if(|| self.allowance.is_half_taken());
    }
}
