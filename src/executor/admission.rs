//! Permits for device sessions: waiting for one's turn in the [`Queue`], and giving it back by being dropped.
//!
//! A [`Place`] is one device's place in the queue and, once it is its turn, its permit. It moves to the session's
//! thread, so that the permit is free when the session has ended and not when nobody wants its result any more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout_at};

use super::queue::{Load, Queue, QueueBounds, RequestNumber, Ticket, Waits};
use crate::{deadline::Deadline, device::PeerAddr};

/// What a caller who was refused is told to wait, at the most.
const MOST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How much the newest session counts for the average length of one: an eighth.
const WEIGHT: u32 = 8;

/// More devices wait than may.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "The service is full: {} of {most_running} sessions run and {} of {most_waiting} devices wait, and this request has {devices}",
    .load.running,
    .load.waiting
)]
pub struct Full {
    /// Devices of the request that was refused.
    pub devices: usize,
    /// What is going on.
    pub load: Load,
    /// Sessions that may run at one time.
    pub most_running: usize,
    /// Devices that may wait at one time.
    pub most_waiting: usize,
    /// When there may be room: by how long sessions have taken of late.
    pub retry_after: Duration,
}

/// The turn did not come in time, and what it was waited for last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLate(pub(super) Waits);

/// Gives permits. One for the whole process.
pub(super) struct Admission {
    bounds: QueueBounds,
    state: Mutex<State>,
}

struct State {
    queue: Queue<PeerAddr>,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
    /// How long sessions take.
    average: Duration,
}

/// One device's place in the queue; its permit once [`Place::turn`] has returned.
pub(super) struct Place {
    admission: Arc<Admission>,
    request: RequestNumber,
    ticket: Ticket,
    turn: Option<oneshot::Receiver<()>>,
    running_since: Option<Instant>,
}

/// A whole request in the queue, to be held up while its caller does not read.
#[derive(Clone)]
pub(super) struct Throttle {
    admission: Arc<Admission>,
    request: RequestNumber,
}

impl Admission {
    /// All permits free.
    pub(super) fn new(bounds: QueueBounds) -> Self {
        let queue = Queue::new(bounds);
        let state = State { queue, waiting: HashMap::new(), average: Duration::from_secs(1) };
        Self { bounds, state: Mutex::new(state) }
    }

    /// Takes all devices of a request into the queue, in order, or none; `None` is a device whose address is not
    /// known yet.
    ///
    /// # Errors
    /// [`Full`]; the caller asks again later.
    pub(super) fn enter(
        self: &Arc<Self>,
        devices: &[Option<PeerAddr>],
    ) -> Result<(Throttle, Vec<Place>), Full> {
        let mut state = self.lock();
        let (request, tickets) =
            state.queue.enter(devices.iter().cloned()).map_err(|load| Full {
                devices: devices.len(),
                load,
                most_running: self.bounds.running,
                most_waiting: self.bounds.waiting,
                retry_after: self.retry_after(load, state.average),
            })?;
        let places = tickets.into_iter().map(|ticket| {
            let (sender, turn) = oneshot::channel();
            state.waiting.insert(ticket, sender);
            let (admission, turn) = (Arc::clone(self), Some(turn));
            Place { admission, request, ticket, turn, running_since: None }
        });
        let places = places.collect();
        state.call();
        Ok((Throttle { admission: Arc::clone(self), request }, places))
    }

    /// How many sessions run and how many devices wait.
    pub(super) fn load(&self) -> Load {
        self.lock().queue.load()
    }

    fn retry_after(&self, load: Load, average: Duration) -> Duration {
        let rounds = load.waiting.div_ceil(self.bounds.running);
        let wait = average.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        wait.clamp(Duration::from_secs(1), MOST_RETRY_AFTER)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Calls everybody whose turn it is.
    fn call(&mut self) {
        while let Some(ticket) = self.queue.admit() {
            if let Some(turn) = self.waiting.remove(&ticket) {
                // One who does not listen any more is about to leave the queue.
                let _ = turn.send(());
            }
        }
    }
}

impl Place {
    /// Waits for the turn, until `until`; a request that is held up by its own reader waits until `latest`.
    ///
    /// # Errors
    /// [`TooLate`]; the place is to be dropped.
    pub(super) async fn turn(&mut self, until: Deadline, latest: Deadline) -> Result<(), TooLate> {
        let Some(turn) = &mut self.turn else { return Ok(()) };
        let mut called = timeout_at(until.or_earlier(latest).at().into(), &mut *turn).await;
        if called.is_err() && self.admission.lock().queue.is_held(self.request) {
            called = timeout_at(latest.at().into(), turn).await;
        }
        // The sender lives in the queue for as long as this place does.
        let Ok(Ok(())) = called else {
            return Err(TooLate(self.admission.lock().queue.waits_for(self.ticket)));
        };
        self.turn = None;
        self.running_since = Some(Instant::now());
        Ok(())
    }

    /// Says which device the place is for. False if that one is busy: the permit is given back, and the turn has
    /// to be waited for again.
    pub(super) fn claim(&mut self, device: PeerAddr) -> bool {
        let admission = Arc::clone(&self.admission);
        let mut state = admission.lock();
        let claimed = state.queue.claim(self.ticket, device);
        if !claimed {
            self.listen(&mut state);
            state.call();
        }
        claimed
    }

    /// Gives the permit back and keeps the place, for a while.
    pub(super) fn step_back(&mut self) {
        self.running_since = None;
        let mut state = self.admission.lock();
        state.queue.step_back(self.ticket);
        state.call();
    }

    /// Waits again, as the first of the request.
    pub(super) fn rejoin(&mut self) {
        let admission = Arc::clone(&self.admission);
        let mut state = admission.lock();
        self.listen(&mut state);
        state.queue.rejoin(self.ticket);
        state.call();
    }

    fn listen(&mut self, state: &mut State) {
        let (sender, turn) = oneshot::channel();
        state.waiting.insert(self.ticket, sender);
        self.turn = Some(turn);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        if let Some(since) = self.running_since {
            let average = state.average * (WEIGHT - 1) + since.elapsed();
            state.average = average / WEIGHT;
        }
        state.waiting.remove(&self.ticket);
        state.queue.leave(self.ticket);
        state.call();
    }
}

impl Throttle {
    /// Gives the request no more turns while `held` says so. Asked under the queue's lock, so that the last of
    /// several who call this at the same time is right.
    pub(super) fn hold_if(&self, held: impl FnOnce() -> bool) {
        let mut state = self.admission.lock();
        let held = held();
        if held != state.queue.is_held(self.request) {
            state.queue.hold(self.request, held);
            state.call();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn admission(running: usize) -> Arc<Admission> {
        let bounds = QueueBounds {
            running,
            running_per_request: running,
            running_per_device: 1,
            waiting: 10,
        };
        Arc::new(Admission::new(bounds))
    }

    fn device(port: u16) -> PeerAddr {
        SocketAddr::from(([192, 0, 2, 1], port)).into()
    }

    fn soon() -> Deadline {
        Deadline::after(Instant::now(), Duration::from_millis(20))
    }

    fn later() -> Deadline {
        Deadline::after(Instant::now(), Duration::from_secs(30))
    }

    #[tokio::test]
    async fn a_permit_is_free_as_soon_as_its_place_is_dropped() {
        let admission = admission(1);
        let (_, mut first) = admission.enter(&[Some(device(1)), Some(device(2))]).unwrap();
        let (mut waiting, mut running) = (first.pop().unwrap(), first.pop().unwrap());
        running.turn(later(), later()).await.unwrap();
        assert_eq!(waiting.turn(soon(), later()).await, Err(TooLate(Waits::Permit)));
        assert_eq!(admission.load(), Load { running: 1, waiting: 1 });
        drop(running);
        waiting.turn(later(), later()).await.unwrap();
        drop(waiting);
        assert_eq!(admission.load(), Load::default());
        assert!(admission.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn a_place_that_is_dropped_while_its_turn_was_being_called_passes_it_on() {
        let admission = admission(1);
        let (_, mut places) = admission.enter(&[Some(device(1)), Some(device(2))]).unwrap();
        let (mut second, called) = (places.pop().unwrap(), places.pop().unwrap());
        // Called when it entered, and never listened.
        drop(called);
        second.turn(later(), later()).await.unwrap();
    }

    #[tokio::test]
    async fn a_refused_request_hears_how_full_it_is_and_when_to_come_back() {
        let admission = admission(2);
        let devices: Vec<_> = (0..12).map(|port| Some(device(port))).collect();
        let (_, places) = admission.enter(&devices).unwrap();
        let full = admission.enter(&[None]).err().unwrap();
        assert_eq!((full.load, full.devices), (Load { running: 2, waiting: 10 }, 1));
        assert_eq!(full.retry_after, Duration::from_secs(5));
        assert_eq!(
            full.to_string(),
            "The service is full: 2 of 2 sessions run and 10 of 10 devices wait, and this request has 1"
        );
        drop(places);
        assert!(admission.enter(&[None]).is_ok());
    }

    #[tokio::test]
    async fn a_place_that_stepped_back_lets_another_run_and_gets_its_turn_again() {
        let admission = admission(1);
        let (_, mut places) = admission.enter(&[Some(device(1)), Some(device(2))]).unwrap();
        let (mut second, mut first) = (places.pop().unwrap(), places.pop().unwrap());
        first.turn(later(), later()).await.unwrap();
        first.step_back();
        second.turn(later(), later()).await.unwrap();
        first.rejoin();
        assert_eq!(first.turn(soon(), later()).await, Err(TooLate(Waits::Permit)));
        drop(second);
        first.turn(later(), later()).await.unwrap();
    }
}
