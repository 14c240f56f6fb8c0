//! The order of waiting devices: sentences, and properties over any sequence of calls.

use proptest::prelude::*;

use super::*;

const MANY: usize = 1_000_000;

fn bounds(running: usize) -> QueueBounds {
    QueueBounds { running, running_per_request: MANY, running_per_device: 1, waiting: MANY }
}

/// A request for devices of its own.
fn enter(queue: &mut Queue<u32>, devices: std::ops::Range<u32>) -> (RequestNumber, Vec<Ticket>) {
    let devices: Vec<_> = devices.map(Some).collect();
    queue.enter(devices.into_iter()).unwrap()
}

fn admit_all(queue: &mut Queue<u32>) -> Vec<Ticket> {
    std::iter::from_fn(|| queue.admit()).collect()
}

#[test]
fn a_request_of_one_device_gets_the_next_permit_beside_one_of_a_thousand() {
    for permits in [1, 2, 3, 200] {
        let mut queue = Queue::new(bounds(permits));
        let (_, _) = enter(&mut queue, 0..1000);
        let running = admit_all(&mut queue);
        assert_eq!(running.len(), permits);
        let (_, one) = enter(&mut queue, 5000..5001);
        assert_eq!(queue.admit(), None);
        queue.leave(running[0]);
        assert_eq!(admit_all(&mut queue), one, "{permits} permits");
    }
}

#[test]
fn a_stream_of_small_requests_leaves_a_large_one_every_second_permit() {
    let mut queue = Queue::new(bounds(1));
    let (_, large) = enter(&mut queue, 0..1000);
    let mut running = queue.admit().unwrap();
    let mut of_large = 0;
    for number in 0..1000 {
        enter(&mut queue, 5000 + number..5001 + number);
        queue.leave(running);
        running = queue.admit().unwrap();
        of_large += usize::from(large.contains(&running));
    }
    assert!((499..=501).contains(&of_large), "{of_large}");
}

#[test]
fn requests_that_all_have_work_get_permits_in_turn() {
    let mut queue = Queue::new(bounds(4));
    let tickets: Vec<_> = (0..5).map(|n| enter(&mut queue, n * 1000..n * 1000 + 500).1).collect();
    let mut running: VecDeque<_> = admit_all(&mut queue).into();
    let mut counts = [0_usize; 5];
    for _ in 0..1000 {
        queue.leave(running.pop_front().unwrap());
        let next = queue.admit().unwrap();
        counts[tickets.iter().position(|tickets| tickets.contains(&next)).unwrap()] += 1;
        running.push_back(next);
    }
    assert!(counts.iter().all(|count| (199..=201).contains(count)), "{counts:?}");
}

#[test]
fn a_busy_device_keeps_nobody_else_waiting_and_is_handed_on_in_turn() {
    let mut queue = Queue::new(bounds(10));
    let device = |number| Some(number);
    let (_, first) = queue.enter([device(1), device(1), device(1), device(2)].into_iter()).unwrap();
    assert_eq!(admit_all(&mut queue), [first[0], first[3]]);
    let (_, second) = queue.enter([device(1)].into_iter()).unwrap();
    assert_eq!(admit_all(&mut queue), []);
    assert_eq!(queue.load(), Load { running: 2, waiting: 3 });
    for (done, next) in [(first[0], first[1]), (first[1], second[0]), (second[0], first[2])] {
        queue.leave(done);
        assert_eq!(admit_all(&mut queue), [next]);
    }
}

#[test]
fn a_request_that_is_full_holds_no_device_that_another_could_read() {
    let mut queue = Queue::new(QueueBounds { running_per_request: 1, ..bounds(3) });
    let one = |queue: &mut Queue<u32>, device| enter(queue, device..device + 1).1[0];
    let (first, second) = (one(&mut queue, 1), one(&mut queue, 2));
    assert_eq!(admit_all(&mut queue), [first, second]);
    let (_, both) = enter(&mut queue, 1..3);
    assert_eq!(admit_all(&mut queue), []);
    let (other, last) = (one(&mut queue, 3), one(&mut queue, 4));
    assert_eq!(admit_all(&mut queue), [other]);
    queue.leave(first);
    assert_eq!(admit_all(&mut queue), [last]);
    // Both were handed their devices now, and one may run.
    queue.leave(second);
    assert_eq!(admit_all(&mut queue), [both[1]]);
    let late = one(&mut queue, 1);
    queue.leave(other);
    assert_eq!(admit_all(&mut queue), [late]);
    queue.leave(late);
    queue.leave(both[1]);
    assert_eq!(admit_all(&mut queue), [both[0]]);
}

#[test]
fn a_name_that_turns_out_to_be_a_busy_device_gives_its_permit_back() {
    let mut queue = Queue::new(bounds(2));
    let (_, tickets) = queue.enter([Some(1), None, None].into_iter()).unwrap();
    assert_eq!(admit_all(&mut queue), tickets[..2]);
    assert!(!queue.claim(tickets[1], 1));
    assert_eq!(admit_all(&mut queue), tickets[2..]);
    assert!(queue.claim(tickets[2], 2));
    queue.leave(tickets[0]);
    assert_eq!(admit_all(&mut queue), tickets[1..2]);
}

#[test]
fn more_than_may_wait_are_refused_whole() {
    let mut queue = Queue::new(QueueBounds { waiting: 5, ..bounds(2) });
    enter(&mut queue, 0..4);
    admit_all(&mut queue);
    assert_eq!(queue.load(), Load { running: 2, waiting: 2 });
    let refused = queue.enter((10..14).map(Some).collect::<Vec<_>>().into_iter());
    assert_eq!(refused.unwrap_err(), Load { running: 2, waiting: 2 });
    assert_eq!(queue.load().waiting, 2);
    enter(&mut queue, 10..13);
    assert!(queue.enter([Some(99)].into_iter()).is_err());
}

#[test]
fn a_request_that_is_held_gets_no_turn_and_blocks_no_device() {
    let mut queue = Queue::new(bounds(2));
    let (held, slow) = queue.enter([Some(1), Some(2), Some(2)].into_iter()).unwrap();
    admit_all(&mut queue);
    let (_, other) = queue.enter([Some(2)].into_iter()).unwrap();
    admit_all(&mut queue);
    queue.hold(held, true);
    queue.leave(slow[1]);
    assert_eq!(admit_all(&mut queue), other);
    queue.leave(slow[0]);
    queue.leave(other[0]);
    assert_eq!(admit_all(&mut queue), []);
    queue.hold(held, false);
    assert_eq!(admit_all(&mut queue), slow[2..]);
}

#[test]
fn who_waits_can_be_told_for_what() {
    let mut queue = Queue::new(QueueBounds { running_per_request: 2, ..bounds(4) });
    let (_, one) = enter(&mut queue, 1..2);
    admit_all(&mut queue);
    let (_, full) = queue.enter([Some(2), Some(3), Some(4), Some(1)].into_iter()).unwrap();
    admit_all(&mut queue);
    let (held, reader) = enter(&mut queue, 5..6);
    queue.hold(held, true);
    assert_eq!(
        [full[2], full[3], reader[0]].map(|ticket| queue.waits_for(ticket)),
        [Waits::Request, Waits::Device, Waits::Reader]
    );
    let (_, others) = enter(&mut queue, 6..8);
    assert_eq!(admit_all(&mut queue), others[..1]);
    assert_eq!(queue.waits_for(others[1]), Waits::Permit);
    queue.leave(one[0]);
    assert_eq!(admit_all(&mut queue), others[1..]);
}

#[test]
fn a_device_is_not_handed_to_a_request_that_runs_as_much_as_it_may() {
    let mut queue = Queue::new(QueueBounds { running_per_request: 2, ..bounds(10) });
    let (_, first) = enter(&mut queue, 2..3);
    admit_all(&mut queue);
    let (_, full) = enter(&mut queue, 1..4);
    assert_eq!(admit_all(&mut queue), [full[0], full[2]]);
    let (_, other) = enter(&mut queue, 2..3);
    assert_eq!(admit_all(&mut queue), []);
    queue.leave(first[0]);
    assert_eq!(admit_all(&mut queue), other);
    queue.leave(full[0]);
    assert_eq!(admit_all(&mut queue), []);
    queue.leave(other[0]);
    assert_eq!(admit_all(&mut queue), full[1..2]);
}

#[derive(Clone, Debug)]
enum Call {
    Enter(Vec<Option<u32>>),
    Leave(usize),
    Claim(usize, u32),
    StepBack(usize),
    Rejoin,
    Hold(usize, bool),
}

fn call() -> impl Strategy<Value = Call> {
    let device = proptest::option::weighted(0.8, 0..6_u32);
    prop_oneof![
        3 => proptest::collection::vec(device, 0..8).prop_map(Call::Enter),
        6 => any::<usize>().prop_map(Call::Leave),
        2 => (any::<usize>(), 0..6_u32).prop_map(|(at, device)| Call::Claim(at, device)),
        1 => any::<usize>().prop_map(Call::StepBack),
        1 => Just(Call::Rejoin),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(at, held)| Call::Hold(at, held)),
    ]
}

/// Everything that must hold whenever nobody more can be admitted.
fn check(queue: &Queue<u32>, resting: &[Ticket]) {
    let bounds = queue.bounds;
    let running: Vec<_> = queue.tickets.values().filter(|entry| entry.running).collect();
    assert_eq!(running.len(), queue.running);
    assert!(queue.running <= bounds.running);
    let mut by_device: HashMap<u32, usize> = HashMap::new();
    for entry in queue.tickets.values().filter(|entry| entry.holds_device) {
        *by_device.entry(entry.device.unwrap()).or_default() += 1;
    }
    for (device, line) in &queue.devices {
        assert_eq!(by_device.get(device).copied().unwrap_or_default(), line.in_use, "{device}");
        assert!((1..=bounds.running_per_device).contains(&line.in_use));
    }
    for (number, line) in &queue.requests {
        let of_request = running.iter().filter(|entry| entry.request == *number).count();
        assert_eq!(of_request, line.running);
        assert!(of_request <= bounds.running_per_request);
    }
    // Nobody waits who could run.
    if queue.running < bounds.running {
        for (ticket, entry) in &queue.tickets {
            if entry.running || resting.contains(ticket) {
                continue;
            }
            let line = &queue.requests[&entry.request];
            // In use by those who run: a place that was handed on is for one who could.
            let busy = entry.device.is_some_and(|device| {
                let in_use = running.iter().filter(|other| other.device == Some(device)).count();
                !entry.holds_device && in_use >= bounds.running_per_device
            });
            let full = line.running >= bounds.running_per_request;
            assert!(busy || full || line.held, "{ticket:?} could run: {queue:?}");
        }
    }
}

proptest! {
    #[test]
    fn bounds_hold_and_nobody_waits_who_could_run(
        running in 1..6_usize,
        per_request in 1..4_usize,
        per_device in 1..3_usize,
        calls in proptest::collection::vec(call(), 0..200),
    ) {
        let bounds = QueueBounds {
            running, running_per_request: per_request, running_per_device: per_device, waiting: 50,
        };
        let mut queue = Queue::new(bounds);
        let (mut live, mut resting, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for call in calls {
            let pick = |at: usize, live: &Vec<Ticket>| live.get(at % live.len().max(1)).copied();
            match call {
                Call::Enter(devices) => if let Ok((number, tickets)) = queue.enter(devices.into_iter()) {
                    live.extend(tickets);
                    requests.push(number);
                },
                Call::Leave(at) => if let Some(ticket) = pick(at, &live) {
                    queue.leave(ticket);
                    live.retain(|one| *one != ticket);
                    resting.retain(|one| *one != ticket);
                },
                Call::Claim(at, device) => {
                    let ticket = pick(at, &live).filter(|ticket| queue.tickets[ticket].running);
                    if let Some(ticket) = ticket {
                        queue.claim(ticket, device);
                    }
                }
                Call::StepBack(at) => {
                    let ticket = pick(at, &live).filter(|ticket| queue.tickets[ticket].running);
                    if let Some(ticket) = ticket {
                        queue.step_back(ticket);
                        resting.push(ticket);
                    }
                }
                Call::Rejoin => if let Some(ticket) = resting.pop() {
                    queue.rejoin(ticket);
                },
                Call::Hold(at, held) => if let Some(number) = requests.get(at % requests.len().max(1)) {
                    queue.hold(*number, held);
                },
            }
            while queue.admit().is_some() {}
            check(&queue, &resting);
            prop_assert!(queue.load().waiting <= bounds.waiting + bounds.running);
        }
        // Everybody gets his turn in the end, and nothing is left behind.
        for ticket in resting {
            queue.rejoin(ticket);
        }
        for number in requests {
            queue.hold(number, false);
        }
        while !live.is_empty() {
            while queue.admit().is_some() {}
            let done = live.iter().position(|ticket| queue.tickets[ticket].running);
            prop_assert!(done.is_some(), "devices wait for ever: {queue:?}");
            queue.leave(live.swap_remove(done.unwrap()));
        }
        prop_assert_eq!(queue.load(), Load::default());
        prop_assert!(queue.requests.is_empty() && queue.devices.is_empty());
    }
}
