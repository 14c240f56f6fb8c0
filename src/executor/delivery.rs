//! Results one by one, as they come: sessions go on while their results wait to be taken.
//!
//! What waits is bounded: once half of the request's allowance of output is held, devices that have not begun get
//! no turn until results were taken. It is bounded in time too. Dropping the receiver ends the sessions.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{sync::Notify, task::AbortHandle, time::sleep_until};
use tracing::Instrument as _;

use super::{Admitted, admission::Throttle};
use crate::{
    allowance::Allowance,
    outcome::{CommandOutcome, DeviceOutcome},
};

/// How long behind the end of a request's time what it has come to may still be taken.
const PATIENCE: Duration = Duration::from_secs(60);

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
    mailbox: Arc<Mailbox>,
    balance: Balance,
    /// Bytes of outputs and records of the result that was taken last.
    in_hand: usize,
    driver: AbortHandle,
}

/// Sees each result when it is there, whether it is ever taken or not; on the session's thread or the request's task.
type Came = Arc<dyn Fn(&Delivered) + Send + Sync>;

/// Where sessions hand their results in.
#[derive(Clone)]
pub(super) struct Outlet {
    granularity: Granularity,
    came: Came,
    mailbox: Arc<Mailbox>,
    balance: Balance,
}

/// Results that wait to be taken.
#[derive(Default)]
struct Mailbox {
    letters: Mutex<Letters>,
    changed: Notify,
}

#[derive(Default)]
struct Letters {
    waiting: VecDeque<Delivered>,
    closed: bool,
}

/// Says that no more results come, however the task that hands them in has ended.
struct Closing(Arc<Mailbox>);

#[derive(Clone)]
struct Balance {
    allowance: Arc<Allowance>,
    throttle: Throttle,
}

impl Admitted {
    /// Runs all devices on a task of their own; results come in the order in which they are done. `came` sees each of them
    /// when it is there, whether it is ever taken or not.
    #[must_use]
    pub fn results(
        self,
        granularity: Granularity,
        came: impl Fn(&Delivered) + Send + Sync + 'static,
    ) -> Results {
        let Self { shared, throttle, request, devices } = self;
        let mailbox = Arc::<Mailbox>::default();
        let balance = Balance { allowance: Arc::clone(&request.allowance), throttle };
        let outlet = Outlet {
            granularity,
            came: Arc::new(came),
            mailbox: Arc::clone(&mailbox),
            balance: balance.clone(),
        };
        let closing = Closing(Arc::clone(&mailbox));
        let all = async move {
            let latest = request.until;
            let runs = devices.into_iter().enumerate().map(|(index, (plan, place))| {
                let (shared, request, outlet) = (&shared, &request, &outlet);
                async move {
                    let sink = outlet.sink(index);
                    let outcome = shared.run_device(plan, place, request, sink).await;
                    outlet.deliver(Delivered::Device { device: index, outcome });
                }
            });
            join_all(runs).await;
            let Closing(mailbox) = &closing;
            mailbox.close();
            // A reader who has stopped reading does not keep the results for ever.
            let latest = latest.at().max(Instant::now()) + PATIENCE;
            sleep_until(latest.into()).await;
            mailbox.empty();
        };
        let driver = tokio::spawn(all.in_current_span()).abort_handle();
        Results { mailbox, balance, in_hand: 0, driver }
    }
}

impl Results {
    /// The next result; `None` when all were given. What was given before counts as sent from here on.
    pub async fn next(&mut self) -> Option<Delivered> {
        self.balance.allowance.give_back(std::mem::take(&mut self.in_hand));
        self.balance.settle();
        let delivered = self.mailbox.take().await?;
        self.in_hand = match &delivered {
            Delivered::Command { outcome, .. } => outcome.held_bytes(),
            Delivered::Device { outcome, .. } => {
                outcome.commands.iter().map(CommandOutcome::held_bytes).sum()
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
        (self.came)(&delivered);
        self.mailbox.put(delivered);
        self.balance.settle();
    }
}

impl Mailbox {
    fn put(&self, delivered: Delivered) {
        self.lock().waiting.push_back(delivered);
        self.changed.notify_one();
    }

    /// No more will be put.
    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Throws away what waits.
    fn empty(&self) {
        self.lock().waiting = VecDeque::new();
    }

    /// The next; `None` if nothing waits and nothing will. For one taker.
    async fn take(&self) -> Option<Delivered> {
        loop {
            {
                let mut letters = self.lock();
                let next = letters.waiting.pop_front();
                if next.is_some() || letters.closed {
                    return next;
                }
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Balance {
    fn settle(&self) {
        self.throttle.hold_if(|| self.allowance.is_half_taken());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(command: usize) -> Delivered {
        Delivered::Command { device: 0, command, outcome: CommandOutcome::default() }
    }

    fn number(delivered: Option<Delivered>) -> Option<usize> {
        match delivered? {
            Delivered::Command { command, .. } => Some(command),
            Delivered::Device { .. } => None,
        }
    }

    #[tokio::test]
    async fn what_was_put_is_taken_in_order_and_the_end_comes_behind_it() {
        let mailbox = Arc::<Mailbox>::default();
        let closing = Closing(Arc::clone(&mailbox));
        let taker = {
            let mailbox = Arc::clone(&mailbox);
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while let Some(one) = number(mailbox.take().await) {
                    taken.push(one);
                }
                taken
            })
        };
        for command in 0..100 {
            mailbox.put(letter(command));
            if command % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
        drop(closing);
        assert_eq!(taker.await.unwrap(), (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_nobody_takes_can_be_thrown_away() {
        let mailbox = Mailbox::default();
        mailbox.put(letter(1));
        mailbox.close();
        mailbox.empty();
        assert!(mailbox.take().await.is_none());
        assert_eq!(mailbox.lock().waiting.capacity(), 0);
    }
}
