//! Who may run next: the order of waiting devices, as a pure value without clock or thread.
//!
//! Requests take turns; within a request devices go in order. A device that is busy waits at the device and not at
//! the head of a line, so that it holds up nobody. Not here: waiting itself (`admission`).

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// How many may do what at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueBounds {
    /// Running, over all requests.
    pub(super) running: usize,
    /// Running of one request.
    pub(super) running_per_request: usize,
    /// Running on one device, over all requests.
    pub(super) running_per_device: usize,
    /// Waiting, over all requests.
    pub(super) waiting: usize,
}

/// A request in the queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct RequestNumber(u64);

/// One device of a request in the queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Ticket(u64);

/// What a device that waits needs first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waits {
    /// Another session with the same device has to end.
    Device,
    /// Any session has to end.
    Permit,
    /// The answer of its own request has to be read.
    Reader,
    /// Another device of its own request has to be done.
    Request,
}

/// How much is going on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Devices that run.
    pub running: usize,
    /// Devices that wait.
    pub waiting: usize,
}

/// The devices of all requests. `D` names a device; one that is not known yet runs without regard to others.
#[derive(Debug)]
pub(super) struct Queue<D> {
    bounds: QueueBounds,
    running: usize,
    tickets: HashMap<Ticket, Entry<D>>,
    requests: HashMap<RequestNumber, Line>,
    devices: HashMap<D, DeviceLine>,
    /// Requests with a device that may be ready, that have had a turn.
    turns: VecDeque<RequestNumber>,
    /// The same for those that have had none yet: they come in between, every second turn.
    newcomers: VecDeque<RequestNumber>,
    last: Option<Turn>,
    numbers: u64,
}

#[derive(Debug)]
struct Entry<D> {
    request: RequestNumber,
    device: Option<D>,
    running: bool,
    /// One of the device's places is this ticket's; while it waits, it was handed on by another.
    holds_device: bool,
}

/// A request: its devices that are not known to wait for a busy device, by their order.
#[derive(Debug, Default)]
struct Line {
    ready: VecDeque<Ticket>,
    tickets: usize,
    running: usize,
    /// Of those that are ready: how many were handed their device's place.
    handed: usize,
    had_turn: bool,
    listed: bool,
    held: bool,
}

impl Line {
    fn is_full(&self, bounds: &QueueBounds) -> bool {
        self.running >= bounds.running_per_request
    }

    /// False if none of its devices may run, whichever are free.
    fn may_run(&self, bounds: &QueueBounds) -> bool {
        !self.held && !self.is_full(bounds)
    }
}

#[derive(Debug, Default)]
struct DeviceLine {
    in_use: usize,
    /// Tickets that wait for this device; requests take turns here too.
    parked: VecDeque<(RequestNumber, VecDeque<Ticket>)>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    request: RequestNumber,
    newcomer: bool,
}

impl<D: Clone + Eq + Hash> Queue<D> {
    /// An empty queue.
    pub(super) fn new(bounds: QueueBounds) -> Self {
        Self {
            bounds,
            running: 0,
            tickets: HashMap::new(),
            requests: HashMap::new(),
            devices: HashMap::new(),
            turns: VecDeque::new(),
            newcomers: VecDeque::new(),
            last: None,
            numbers: 0,
        }
    }

    /// Takes in all devices of a request, or none of them.
    ///
    /// # Errors
    /// How much is going on, if they would be more than may wait.
    pub(super) fn enter(
        &mut self,
        devices: impl ExactSizeIterator<Item = Option<D>>,
    ) -> Result<(RequestNumber, Vec<Ticket>), Load> {
        let load = self.load();
        let free = self.bounds.running - load.running;
        if load.waiting + devices.len() > self.bounds.waiting + free {
            return Err(load);
        }
        let request = RequestNumber(self.number());
        let mut tickets = Vec::with_capacity(devices.len());
        for device in devices {
            let ticket = Ticket(self.number());
            let entry = Entry { request, device, running: false, holds_device: false };
            self.tickets.insert(ticket, entry);
            tickets.push(ticket);
        }
        if !tickets.is_empty() {
            let ready = tickets.iter().copied().collect();
            let line = Line { ready, tickets: tickets.len(), ..Line::default() };
            self.requests.insert(request, line);
            self.list(request);
        }
        Ok((request, tickets))
    }

    /// Lets the next device run; `None` if none may. Called until it gives none, after every other call.
    pub(super) fn admit(&mut self) -> Option<Ticket> {
        while self.running < self.bounds.running {
            let turn = self.next_turn()?;
            let Some(ticket) = self.first_ready(turn.request) else { continue };
            self.run(ticket);
            self.last = Some(turn);
            self.put_down(turn.request);
            self.list(turn.request);
            return Some(ticket);
        }
        None
    }

    /// Says which device a running ticket is for; false if that device is busy and the ticket waits again.
    pub(super) fn claim(&mut self, ticket: Ticket, device: D) -> bool {
        let Some(entry) = self.tickets.get_mut(&ticket).filter(|entry| entry.device.is_none())
        else {
            return true;
        };
        entry.device = Some(device.clone());
        let line = self.devices.entry(device).or_default();
        if line.in_use < self.bounds.running_per_device {
            line.in_use += 1;
            entry.holds_device = true;
            return true;
        }
        self.step_back(ticket);
        self.rejoin(ticket);
        false
    }

    /// A running ticket stops running and keeps its place in the queue, without waiting.
    pub(super) fn step_back(&mut self, ticket: Ticket) {
        let Some(entry) = self.tickets.get_mut(&ticket).filter(|entry| entry.running) else {
            return;
        };
        entry.running = false;
        let request = entry.request;
        let device = entry.device.clone().filter(|_| std::mem::take(&mut entry.holds_device));
        self.running -= 1;
        if let Some(line) = self.requests.get_mut(&request) {
            line.running -= 1;
        }
        self.list(request);
        if let Some(device) = device {
            self.release(&device);
        }
    }

    /// A ticket that stepped back waits again, as the first of its request.
    pub(super) fn rejoin(&mut self, ticket: Ticket) {
        let Some(entry) = self.tickets.get(&ticket) else { return };
        let request = entry.request;
        if let Some(line) = self.requests.get_mut(&request) {
            line.ready.push_front(ticket);
        }
        self.list(request);
    }

    /// The ticket is done with, whether it runs or waits.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.step_back(ticket);
        let Some(entry) = self.tickets.remove(&ticket) else { return };
        // A waiting ticket may have been handed its device's place.
        if let Some(device) = entry.device.filter(|_| entry.holds_device) {
            if let Some(line) = self.requests.get_mut(&entry.request) {
                line.handed -= 1;
            }
            self.release(&device);
        }
        if let Some(line) = self.requests.get_mut(&entry.request) {
            line.tickets -= 1;
            if line.tickets == 0 {
                self.requests.remove(&entry.request);
            }
        }
    }

    /// Gives a request no more turns (`true`) until it may have them again (`false`).
    pub(super) fn hold(&mut self, request: RequestNumber, held: bool) {
        let Some(line) = self.requests.get_mut(&request) else { return };
        line.held = held;
        self.put_down(request);
        self.list(request);
    }

    /// Gives back the places that a request was handed, if it may not use them now: they must not lie idle.
    fn put_down(&mut self, request: RequestNumber) {
        let Some(line) = self.requests.get_mut(&request) else { return };
        if line.handed == 0 || line.may_run(&self.bounds) {
            return;
        }
        line.handed = 0;
        for ticket in line.ready.clone() {
            let handed = self.tickets.get_mut(&ticket).filter(|entry| entry.holds_device);
            let device = handed.and_then(|entry| {
                entry.holds_device = false;
                entry.device.clone()
            });
            if let Some(device) = device {
                self.release(&device);
            }
        }
    }

    /// True while a request gets no turns.
    pub(super) fn is_held(&self, request: RequestNumber) -> bool {
        self.requests.get(&request).is_some_and(|line| line.held)
    }

    /// What a ticket that waits needs first.
    pub(super) fn waits_for(&self, ticket: Ticket) -> Waits {
        let Some(entry) = self.tickets.get(&ticket) else { return Waits::Permit };
        let line = self.requests.get(&entry.request);
        let device = entry.device.as_ref().filter(|_| !entry.holds_device);
        let at = device.and_then(|device| self.devices.get(device));
        if line.is_some_and(|line| line.held) {
            Waits::Reader
        } else if at.is_some_and(|at| at.in_use >= self.bounds.running_per_device) {
            Waits::Device
        } else if self.running < self.bounds.running
            && line.is_some_and(|line| line.is_full(&self.bounds))
        {
            Waits::Request
        } else {
            Waits::Permit
        }
    }

    /// How much is going on.
    pub(super) fn load(&self) -> Load {
        Load { running: self.running, waiting: self.tickets.len() - self.running }
    }

    /// The request whose turn it is. Nobody goes twice in a row while another waits, and newcomers never keep the
    /// others from every second turn.
    fn next_turn(&mut self) -> Option<Turn> {
        let after_newcomer = self.last.is_some_and(|last| last.newcomer);
        let repeats = self.last.map(|last| last.request) == self.turns.front().copied();
        let newcomer_first = self.turns.is_empty() || !after_newcomer || repeats;
        let (request, newcomer) = match self.newcomers.front() {
            Some(_) if newcomer_first => (self.newcomers.pop_front()?, true),
            Some(_) | None => (self.turns.pop_front()?, false),
        };
        if let Some(line) = self.requests.get_mut(&request) {
            line.listed = false;
        }
        Some(Turn { request, newcomer })
    }

    /// The request's first device that is free; those that are busy are parked at their devices.
    fn first_ready(&mut self, request: RequestNumber) -> Option<Ticket> {
        let line = self.requests.get_mut(&request)?;
        if !line.may_run(&self.bounds) {
            return None;
        }
        while let Some(ticket) = line.ready.pop_front() {
            // Tickets that left while they waited are still in the line.
            let Some(entry) = self.tickets.get(&ticket) else { continue };
            let Some(device) = entry.device.as_ref().filter(|_| !entry.holds_device) else {
                return Some(ticket);
            };
            let at = self.devices.entry(device.clone()).or_default();
            if at.in_use < self.bounds.running_per_device {
                return Some(ticket);
            }
            match at.parked.iter_mut().find(|(parked, _)| *parked == request) {
                Some((_, tickets)) => tickets.push_back(ticket),
                None => at.parked.push_back((request, VecDeque::from([ticket]))),
            }
        }
        None
    }

    fn run(&mut self, ticket: Ticket) {
        let Some(entry) = self.tickets.get_mut(&ticket) else { return };
        entry.running = true;
        let was_handed = entry.holds_device;
        if let Some(device) = entry.device.as_ref().filter(|_| !entry.holds_device) {
            self.devices.entry(device.clone()).or_default().in_use += 1;
            entry.holds_device = true;
        }
        self.running += 1;
        if let Some(line) = self.requests.get_mut(&entry.request) {
            line.running += 1;
            line.had_turn = true;
            line.handed -= usize::from(was_handed);
        }
    }

    /// Hands a place at a device on to the next that waits for it, or gives it back. Requests that may not run anything are
    /// passed over; their tickets look again when they have their turn.
    fn release(&mut self, device: &D) {
        let Some(at) = self.devices.get_mut(device) else { return };
        let mut back_in_line = Vec::new();
        let mut handed_on = false;
        while let Some((request, mut tickets)) = at.parked.pop_front() {
            let mut line = self.requests.get_mut(&request);
            if line.as_ref().is_some_and(|line| !line.may_run(&self.bounds)) {
                back_in_line.extend(tickets);
                continue;
            }
            while let Some(ticket) = tickets.pop_front() {
                let Some(entry) = self.tickets.get_mut(&ticket) else { continue };
                entry.holds_device = true;
                if let Some(line) = &mut line {
                    line.handed += 1;
                }
                handed_on = true;
                back_in_line.push(ticket);
                break;
            }
            if !tickets.is_empty() {
                at.parked.push_back((request, tickets));
            }
            if handed_on {
                break;
            }
        }
        if !handed_on {
            at.in_use -= 1;
            if at.in_use == 0 {
                self.devices.remove(device);
            }
        }
        for ticket in back_in_line.into_iter().rev() {
            self.rejoin(ticket);
        }
    }

    /// Puts a request in line for a turn, if it may have one and is not there yet.
    fn list(&mut self, request: RequestNumber) {
        let Some(line) = self.requests.get_mut(&request) else { return };
        if line.listed || !line.may_run(&self.bounds) || line.ready.is_empty() {
            return;
        }
        line.listed = true;
        if line.had_turn {
            self.turns.push_back(request);
        } else {
            self.newcomers.push_back(request);
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
