//! Whole conversations with simulated command lines, at every cut of the bytes.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    dialogue::{Dialogue, InBandLogin, Line, Printed, Stopped, Why},
    transport::{Arrived, Broken, Transport},
};
use crate::{
    command::{CheckedCommand, CommandInput, CommandPolicy, FilterWhere, check},
    deadline::Deadline,
    platform::{Platform, Registry},
    secret::Secret,
    simulator::{
        Fault, Persona,
        cli::{Act, Cli},
    },
};

/// A device in memory: what it shows comes in pieces, with a pause behind some of them.
struct Played {
    cli: Cli,
    shown: VecDeque<u8>,
    cuts: Vec<usize>,
    reads: usize,
    hung_up: bool,
    written: Vec<u8>,
    ahead: Ahead,
    late: Vec<u8>,
}

/// What becomes of lines that are typed behind another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ahead {
    Read,
    Dropped,
    /// Read when the next line is typed.
    Late,
}

impl Played {
    fn new(persona: &str, faults: &[Fault], cuts: Vec<usize>) -> Self {
        let persona = Arc::new(Persona::embedded(persona).unwrap());
        let host = persona.hostname.clone();
        let mut cli = Cli::new(persona, host, None, faults.to_vec());
        let acts = cli.start();
        let mut played = Self {
            cli,
            shown: VecDeque::new(),
            cuts,
            reads: 0,
            hung_up: false,
            written: Vec::new(),
            ahead: Ahead::Read,
            late: Vec::new(),
        };
        played.take(acts);
        played
    }

    fn take(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Show(bytes) => self.shown.extend(bytes),
                Act::HangUp | Act::LogOut => self.hung_up = true,
                Act::Freeze => {}
            }
        }
    }
}

impl Transport for Played {
    fn read(&mut self, buffer: &mut [u8], until: Option<Deadline>) -> Result<Arrived, Broken> {
        self.reads += 1;
        let cut = self.cuts.get(self.reads % self.cuts.len().max(1)).copied().unwrap_or(usize::MAX);
        // A look finds nothing now and then, as if the next packet were still on its way.
        if self.shown.is_empty() || (until.is_none() && cut.is_multiple_of(2)) {
            if self.shown.is_empty() && self.hung_up {
                return Ok(Arrived::End);
            }
            if let Some(until) = until.filter(|_| self.shown.is_empty()) {
                while until.left(Instant::now()).is_some() {
                    std::thread::yield_now();
                }
            }
            return Ok(Arrived::Nothing);
        }
        let length = cut.clamp(1, buffer.len()).min(self.shown.len());
        for (place, byte) in buffer.iter_mut().zip(self.shown.drain(..length)) {
            *place = byte;
        }
        // The same of the read that looks for itself.
        let is_all = cut.is_multiple_of(2) && !(self.hung_up && self.shown.is_empty());
        Ok(if is_all { Arrived::All(length) } else { Arrived::Bytes(length) })
    }

    fn write_all(&mut self, bytes: &[u8], _until: Deadline) -> Result<(), Broken> {
        self.written.extend_from_slice(bytes);
        let mut bytes = [std::mem::take(&mut self.late).as_slice(), bytes].concat();
        let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |end| end + 1);
        if self.ahead != Ahead::Read && self.late.is_empty() && end < bytes.len() {
            let behind = bytes.split_off(end);
            if self.ahead == Ahead::Late {
                self.late = behind;
            }
        }
        let acts = self.cli.feed(&bytes);
        self.take(acts);
        Ok(())
    }
}

fn platform(name: &str) -> Arc<Platform> {
    Arc::clone(Registry::embedded().unwrap().find(name).unwrap())
}

fn command(platform: &Platform, text: &str) -> CheckedCommand {
    let input = CommandInput {
        text,
        pipe_option: None,
        pipe_value: None,
        filter_where: FilterWhere::Device,
    };
    check(platform, &CommandPolicy::default(), &input).unwrap()
}

/// Logs in, runs `texts` and logs out.
fn talk(played: Played, platform: &Platform, texts: &[&str]) -> (Vec<Printed>, Vec<u8>) {
    talk_ahead(played, platform, texts, 0).unwrap()
}

/// The same with as many lines typed behind the first.
fn talk_ahead(
    played: Played,
    platform: &Platform,
    texts: &[&str],
    behind: usize,
) -> Result<(Vec<Printed>, Vec<u8>), Stopped> {
    let until = Deadline::after(Instant::now(), Duration::from_secs(20));
    let commands: Vec<_> = texts.iter().map(|text| command(platform, text)).collect();
    let mut lines: Vec<Line<'_>> = platform.session().prepare.iter().map(Line::Prepared).collect();
    let prepared = lines.len();
    lines.extend(commands.iter().map(|command| Line::Show(command.line())));
    lines.push(Line::Prepared(&platform.session().logout));
    let password = Secret::new("demo".to_owned());
    let login = InBandLogin { username: "demo", password: Some(&password) };
    let mut dialogue = Dialogue::new(played, platform, 1 << 20);
    dialogue.first_prompt(login, lines[0], &lines[1..=behind], None, until)?;
    let mut printed = Vec::new();
    for line in &lines[1..] {
        let one = dialogue.output(*line, until)?;
        printed.push(one.clone());
        dialogue.reuse(one.text);
    }
    dialogue.farewell(until);
    printed.drain(..prepared);
    Ok((printed, dialogue.into_transport().written))
}

fn conversations() -> impl Strategy<Value = (&'static str, &'static [&'static str])> {
    prop_oneof![
        Just(("cisco_ios", &["show version", "show running-config", "show ip arp"][..])),
        Just(("cisco_nxos", &["show version", "show running-config"][..])),
        Just(("juniper_junos", &["show version", "show configuration"][..])),
        Just(("huawei", &["display current-configuration", "display version"][..])),
        Just(("fortinet", &["show system interface", "get system status"][..])),
        Just(("arista_eos", &["show running-config", "show version"][..])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_output(
        (name, texts) in conversations(),
        cuts in prop::collection::vec(1_usize..40, 1..20),
        fault in prop_oneof![
            Just(None), Just(Some(Fault::FakePrompt)), Just(Some(Fault::SyslogInOutput)),
            Just(Some(Fault::SyslogAtPrompt)), Just(Some(Fault::AnsiPrompt)), Just(Some(Fault::PromptArt)), Just(Some(Fault::InvalidUtf8)),
        ],
    ) {
        let platform = platform(name);
        let faults: Vec<Fault> = fault.into_iter().collect();
        let (whole, sent) = talk(Played::new(name, &faults, vec![1_000_001]), &platform, texts);
        let (pieces, sent_again) = talk(Played::new(name, &faults, cuts), &platform, texts);
        prop_assert_eq!(pieces, whole);
        // A pager that turns out to be output costs a blank, nothing else.
        let solid = |bytes: Vec<u8>| bytes.into_iter().filter(|b| *b != b' ').collect::<Vec<_>>();
        prop_assert_eq!(solid(sent_again), solid(sent));
    }
}

#[test]
fn output_that_looks_like_a_pager_or_a_prompt_comes_whole_at_one_byte_a_read() {
    let platform = platform("cisco_ios");
    let text = "platform = \"cisco_ios\"\nhostname = \"r1\"\nlogout = [\"exit\"]\nunknown = \"?\"\n\
        paging_off = [\"terminal length 0\"]\nsilent = [\"terminal width \"]\n\
        [prompts]\nprivileged = \"{host}#\"\nconfig = \"{host}(config)#\"\n\
        [[command]]\nline = \"show banner\"\noutput = \"\"\"\nfirst\n --More-- \nr1#\nr1(config)#\nPassword:\n\
        r1#show clock\n last \n\"\"\"\n";
    let persona = Arc::new(Persona::from_toml(text, "test").unwrap());
    for cut in [1, 2, 3, 1001] {
        let mut cli = Cli::new(Arc::clone(&persona), "r1".to_owned(), None, Vec::new());
        let acts = cli.start();
        let mut played = Played::new("cisco_ios", &[], vec![cut]);
        played.cli = cli;
        played.shown.clear();
        played.take(acts);
        let (printed, _) = talk(played, &platform, &["show banner", "show banner"]);
        for one in printed {
            let want = "first\n --More-- \nr1#\nr1(config)#\nPassword:\nr1#show clock\n last \n";
            assert_eq!(one.text, want, "{cut}");
        }
    }
}

#[test]
fn lines_that_are_typed_ahead_come_to_the_same_as_one_by_one() {
    let texts = ["show version", "show running-config", "show clock"];
    for name in ["cisco_ios", "arista_eos", "cisco_nxos", "cisco_xr", "juniper_junos"] {
        let platform = platform(name);
        let texts = if name == "juniper_junos" { &texts[..1] } else { &texts };
        let (want, sent) = talk(Played::new(name, &[], vec![1_000_001]), &platform, texts);
        for fault in [None, Some(Fault::SyslogAtPrompt), Some(Fault::AnsiPrompt)] {
            for cuts in [vec![1_000_001], vec![1], vec![7, 3, 8]] {
                let faults: Vec<Fault> = fault.into_iter().collect();
                let played = Played::new(name, &faults, cuts);
                let n_lines = platform.session().prepare.len();
                let (printed, written) = talk_ahead(played, &platform, texts, n_lines).unwrap();
                assert_eq!(texts_of(&printed), texts_of(&want), "{name} {fault:?}");
                assert_eq!(written, sent, "{name} {fault:?}");
            }
        }
    }
}

fn texts_of(printed: &[Printed]) -> Vec<&str> {
    printed.iter().map(|one| one.text.as_str()).collect()
}

#[test]
fn a_session_in_which_lines_that_were_typed_ahead_are_lost_or_late_gives_no_output_at_all() {
    let platform = platform("cisco_ios");
    let n_lines = platform.session().prepare.len();
    for (ahead, faults, behind) in [
        (Ahead::Dropped, &[][..], n_lines),
        (Ahead::Late, &[], n_lines),
        (Ahead::Late, &[], n_lines - 1),
        (Ahead::Read, &[Fault::NoEcho], n_lines - 1),
    ] {
        let mut played = Played::new("cisco_ios", faults, vec![1_000_001]);
        played.ahead = ahead;
        let stopped = talk_ahead(played, &platform, &["show version"], behind).unwrap_err();
        assert_eq!(stopped.why, Why::LinesLost, "{ahead:?} {faults:?}");
    }
}
