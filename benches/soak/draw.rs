//! What is asked, drawn before it begins: the same seed asks the same.

use showrunner::simulator::Fault;

/// Persona, `os` and commands of the healthy devices.
pub(crate) const HEALTHY: [(&str, &str); 7] = [
    ("cisco_ios", "show"),
    ("cisco_xe", "show"),
    ("cisco_nxos", "show"),
    ("cisco_xr", "show"),
    ("arista_eos", "show"),
    ("juniper_junos", "show"),
    ("huawei", "display"),
];
/// Devices of each of them.
pub(crate) const OF_EACH: usize = 30;
/// One device of so many has a fault.
const FAULTY_ONE_OF: u64 = 10;
const MOST_DEVICES: u64 = 50;
/// One request of so many is given up by its caller.
const GIVEN_UP_ONE_OF: u64 = 40;
/// Faults that flood are drawn this many times less often.
const RARER: u64 = 5;
/// Faults that keep a core of the simulator busy as long as they last.
pub(crate) const FLOODS: [Fault; 7] = [
    Fault::EndlessOutput,
    Fault::FloodBeforeBanner,
    Fault::HugeOutput,
    Fault::IgnoreFlood,
    Fault::IgnoreFloodAfterLogin,
    Fault::RequestFlood,
    Fault::StrayMessages,
];

/// All requests, in the order in which they are sent.
pub(crate) struct Plan {
    pub(crate) requests: Vec<Request>,
    /// Devices of the requests whose answers are waited for.
    pub(crate) sessions: usize,
    pub(crate) faulty: usize,
}

pub(crate) struct Request {
    pub(crate) form: Form,
    pub(crate) devices: Vec<Drawn>,
    /// The caller hangs up after so many milliseconds.
    pub(crate) given_up_after: Option<u64>,
}

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Whole,
    WholeParsed,
    Lines,
    LinesOfCommands,
    Events,
}

#[derive(Clone, Copy)]
pub(crate) enum Drawn {
    /// Kind and number of the device.
    Healthy(usize, usize),
    Faulty(Fault),
}

impl Plan {
    /// Of these faults only, if there are any; of none if one is called so.
    pub(crate) fn draw(sessions: usize, seed: u64, only: &[&str]) -> Self {
        let mut dice = Dice(seed);
        let weighted: Vec<Fault> = Fault::names()
            .filter(|name| only.is_empty() || only.contains(name))
            .filter_map(Fault::by_name)
            .flat_map(|fault| {
                let times = if FLOODS.contains(&fault) { 1 } else { RARER };
                std::iter::repeat_n(fault, usize::try_from(times).unwrap())
            })
            .collect();
        let mut plan = Self { requests: Vec::new(), sessions: 0, faulty: 0 };
        while plan.sessions < sessions {
            let left = u64::try_from(sessions - plan.sessions).unwrap();
            let devices: Vec<Drawn> = (0..=dice.below(MOST_DEVICES.min(left)))
                .map(|_| match dice.below(FAULTY_ONE_OF) {
                    0 if !weighted.is_empty() => Drawn::Faulty(*dice.pick(&weighted)),
                    _ => Drawn::Healthy(dice.index(HEALTHY.len()), dice.index(OF_EACH)),
                })
                .collect();
            let forms =
                [Form::Whole, Form::WholeParsed, Form::Lines, Form::LinesOfCommands, Form::Events];
            let form = *dice.pick(&forms);
            let given_up_after = (dice.below(GIVEN_UP_ONE_OF) == 0).then(|| dice.below(500));
            if given_up_after.is_none() {
                plan.sessions += devices.len();
                plan.faulty += devices.iter().filter(|one| matches!(one, Drawn::Faulty(_))).count();
            }
            plan.requests.push(Request { form, devices, given_up_after });
        }
        plan
    }
}

/// Splitmix.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap())).unwrap()
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.index(of.len())]
    }
}
