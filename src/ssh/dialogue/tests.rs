//! Whole conversations with simulated command lines, at every cut of the bytes.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{Dialogue, EnableLogin, InBandLogin, Line, Printed, Stopped, Why, quiet::QUESTION};
use crate::{
    command::{CheckedCommand, CommandInput, CommandPolicy, FilterWhere, check},
    deadline::Deadline,
    platform::{Platform, Registry},
    secret::Secret,
    simulator::{
        Fault, Persona,
        cli::{Act, Cli},
    },
    ssh::transport::{Arrived, Broken, ReadBuffer, Transport},
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
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        let buffer = buffer.all();
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

/// A device far away or busy: what it shows is seen some time after it was asked for.
struct Slow {
    prompt: &'static str,
    /// What comes at login, and when.
    greeting: Vec<(u64, &'static str)>,
    /// What comes behind a line's echo; the prompt comes behind that.
    output: fn(&str) -> String,
    delay_ms: u64,
    /// What is still on its way.
    coming: VecDeque<(Instant, Vec<u8>)>,
    typed: Vec<u8>,
}

impl Slow {
    fn new(
        prompt: &'static str,
        greeting: &[(u64, &'static str)],
        output: fn(&str) -> String,
        delay_ms: u64,
    ) -> Self {
        let (coming, typed) = (VecDeque::new(), Vec::new());
        Self { prompt, greeting: greeting.to_vec(), output, delay_ms, coming, typed }
    }

    fn shows(&mut self, after_ms: u64, text: &str) {
        let mut at = Instant::now() + Duration::from_millis(after_ms);
        // A pause stands where NUL does.
        for part in text.split('\0') {
            self.coming.push_back((at, part.as_bytes().to_vec()));
            at += Duration::from_millis(30);
        }
    }

    fn show(&mut self, buffer: &mut [u8], until: Option<Deadline>) -> Arrived {
        for (after, text) in std::mem::take(&mut self.greeting) {
            self.shows(after, text);
        }
        loop {
            if let Some((at, bytes)) = self.coming.front_mut()
                && *at <= Instant::now()
            {
                let length = bytes.len().min(buffer.len());
                let rest = bytes.split_off(length);
                buffer[..length].copy_from_slice(bytes);
                *bytes = rest;
                if bytes.is_empty() {
                    self.coming.pop_front();
                }
                return Arrived::Bytes(length);
            }
            if until.is_none_or(|until| until.left(Instant::now()).is_none()) {
                return Arrived::Nothing;
            }
            std::thread::yield_now();
        }
    }
}

impl Transport for Slow {
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        Ok(self.show(buffer.all(), until))
    }

    fn write_all(&mut self, bytes: &[u8], _until: Deadline) -> Result<(), Broken> {
        self.typed.extend_from_slice(bytes);
        for line in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            let line = line.trim();
            let shown = format!("{line}\r\n{}{}", (self.output)(line), self.prompt);
            self.shows(self.delay_ms, &shown);
        }
        Ok(())
    }
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
    let (printed, played) = talk_with(played, platform, texts, behind, 1 << 20)?;
    Ok((printed, played.written))
}

/// The same with any device, and outputs of at most `most_bytes`.
fn talk_with<T: Transport>(
    device: T,
    platform: &Platform,
    texts: &[&str],
    behind: usize,
    most_bytes: usize,
) -> Result<(Vec<Printed>, T), Stopped> {
    talk_and_leave(device, platform, texts, behind, most_bytes)
        .map(|(printed, _, device)| (printed, device))
}

/// The same without bounds; and whether the last output is doubted.
fn talk_to_the_end<T: Transport>(
    device: T,
    platform: &Platform,
    texts: &[&str],
) -> (Vec<Printed>, bool) {
    let (printed, doubt, _) = talk_and_leave(device, platform, texts, 0, 1 << 20).unwrap();
    (printed, doubt)
}

fn talk_and_leave<T: Transport>(
    device: T,
    platform: &Platform,
    texts: &[&str],
    behind: usize,
    most_bytes: usize,
) -> Result<(Vec<Printed>, bool, T), Stopped> {
    let until = Deadline::after(Instant::now(), Duration::from_secs(20));
    let commands: Vec<_> = texts.iter().map(|text| command(platform, text)).collect();
    let mut lines: Vec<Line<'_>> = platform.session().prepare.iter().map(Line::Prepared).collect();
    let prepared = lines.len();
    lines.extend(commands.iter().map(|command| Line::Show(command.line())));
    lines.push(Line::Prepared(&platform.session().logout));
    let password = Secret::new("demo".to_owned());
    let login = InBandLogin { username: "demo", password: Some(&password), is_expected: false };
    let mut dialogue = Dialogue::new(device, platform, most_bytes);
    dialogue.first_prompt(login, lines[0], &lines[1..=behind], None, until)?;
    let mut printed = Vec::new();
    for line in &lines[1..] {
        let one = dialogue.output(*line, until)?;
        printed.push(one.clone());
        dialogue.reuse(one.text);
    }
    let doubt = dialogue.farewell(until);
    printed.drain(..prepared);
    Ok((printed, doubt, dialogue.into_transport()))
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

/// A device that answers what is typed in one go, whatever it is.
struct Answering<A> {
    shown: VecDeque<String>,
    answers: A,
}

impl<A: FnMut(&str) -> Vec<String>> Answering<A> {
    fn new(prompt: &str, answers: A) -> Self {
        Self { shown: VecDeque::from([prompt.to_owned()]), answers }
    }
}

impl<A: FnMut(&str) -> Vec<String>> Transport for Answering<A> {
    fn read(&mut self, buffer: &mut ReadBuffer, _: Option<Deadline>) -> Result<Arrived, Broken> {
        let buffer = buffer.all();
        let Some(text) = self.shown.pop_front() else { return Ok(Arrived::Nothing) };
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Arrived::All(text.len()))
    }

    fn write_all(&mut self, bytes: &[u8], _: Deadline) -> Result<(), Broken> {
        self.shown.extend((self.answers)(std::str::from_utf8(bytes).unwrap()));
        Ok(())
    }
}

#[test]
fn lines_whose_echoes_come_before_all_their_prompts_are_lost() {
    // A program behind a terminal that echoes by itself: all echoes come at once, and then the prompts.
    let cooked = Answering::new("r1#", |lines| {
        vec![lines.replace('\n', "\r\n"), "r1#".repeat(lines.lines().count())]
    });
    let stopped =
        talk_with(cooked, &platform("cisco_ios"), &["show version"], 1, 1 << 20).map(drop);
    assert_eq!(stopped.unwrap_err().why, Why::LinesLost);
}

#[test]
fn what_is_asked_before_the_first_prompt_is_answered_wherever_it_stands() {
    let boxed = "\r\nEnter Ctrl-Y to begin.\r\n\r\n***************\r\n*** Ethernet Routing Switch ***\r\n\
        ***************\r\n";
    let menu = "Command Line Interface...\r\nUse arrow keys to highlight option, press <Return> or <Enter> to select option.";
    let acknowledge = "Have you read and do you acknowledge the above statement? [y/n]: ";
    let reset = "The following default configuration has been installed\r\n\
        To remove this default configuration type \"r\" or hit any other key to continue.\r\nYou will be disconnected.\r\n";
    for (name, prompt, greeting, want) in [
        ("extreme_ers", "ERS#", boxed, "\x19"),
        ("extreme_ers", "ERS#", menu, "c"),
        ("extreme_vsp", "VSP#", "\r\nEnter Ctrl-Y to begin.", "\x19"),
        ("dell_force10", "S4810#", acknowledge, "y\n"),
        (
            "mikrotik_routeros",
            "[admin@r1] > ",
            "Change your password\r\n\r\nnew password> ",
            "\x03",
        ),
        ("mikrotik_routeros", "[admin@r1] > ", reset, "\n"),
    ] {
        let platform = platform(name);
        let slow = Slow::new(prompt, &[(0, greeting)], says_what_was_asked, 0);
        let (login, until) = (in_band(), Deadline::after(Instant::now(), Duration::from_secs(20)));
        let mut dialogue = Dialogue::new(slow, &platform, 1 << 20);
        dialogue
            .first_prompt(login, Line::Prepared(&platform.session().logout), &[], None, until)
            .unwrap();
        let typed = dialogue.into_transport().typed;
        assert!(typed.starts_with(want.as_bytes()), "{name}: {typed:?}");
    }
}

fn in_band() -> InBandLogin<'static> {
    InBandLogin { username: "demo", password: None, is_expected: false }
}

/// A program that asks where the cursor is, and draws its prompt when it knows.
struct Asking {
    shown: VecDeque<&'static str>,
    told: Vec<u8>,
}

impl Transport for Asking {
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        let buffer = buffer.all();
        let Some(text) = self.shown.pop_front() else {
            if self.told.ends_with(b"quit\n") {
                return Ok(Arrived::End);
            }
            // Nobody tells it: it goes on without, and too late.
            assert!(until.is_none(), "{}", String::from_utf8_lossy(&self.told));
            return Ok(Arrived::Nothing);
        };
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Arrived::All(text.len()))
    }

    fn write_all(&mut self, bytes: &[u8], _: Deadline) -> Result<(), Broken> {
        self.told.extend_from_slice(bytes);
        match bytes {
            b"\x1b[1;1R" => self.shown.push_back("A:srl1# "),
            b"quit\n" => {}
            b"show version\n" => {
                self.shown.push_back("show version\r\nOUT\r\n--{ running }--[  ]--\r\n\x1b[6n");
            }
            line => {
                let line = String::from_utf8(line.to_vec()).unwrap().replace('\n', "\r\n");
                self.shown.push_back(line.leak());
                self.shown.push_back("--{ running }--[  ]--\r\n\x1b[6n");
            }
        }
        Ok(())
    }
}

#[test]
fn a_program_that_asks_where_the_cursor_is_is_told() {
    let shown = VecDeque::from(["\x1b[6n"]);
    let device = Asking { shown, told: Vec::new() };
    let texts = ["show version", "show version"];
    let (printed, device) = talk_with(device, &platform("nokia_srl"), &texts, 0, 1 << 20).unwrap();
    assert_eq!(texts_of(&printed), ["OUT\n", "OUT\n"]);
    // Two lines of preparation and two commands.
    assert_eq!(String::from_utf8(device.told).unwrap().matches("\x1b[1;1R").count(), 5);
}

#[test]
fn a_line_that_the_device_writes_anew_is_the_echo_of_what_was_typed() {
    let echoes: [fn(&str) -> String; 3] = [
        |line| {
            line.replace("sho ", "show ").replace(" rou ", " router ").replace("int", "interface")
        },
        |line| line.replace(" to-p1", " to-p1\x08\x08\x08\x08\x08\"to-p1\" "),
        |line| format!("{line}{}{}", "\x08".repeat(line.len()), line.replace("sho ", "show ")),
    ];
    let texts = ["sho rou int to-p1", "sho version", "sho rou int"];
    let want = texts.map(|text| format!("OUT of {text}\nlast\n"));
    for echo in echoes {
        for behind in [0, 2] {
            let answer = |line: &str| {
                let (echo, output) = (echo(line), says_what_was_asked(line));
                format!("{echo}\r\n{output}*A:pe2# ")
            };
            let answers = |lines: &str| lines.lines().map(answer).collect();
            let device = Answering::new("*A:pe2# ", answers);
            let platform = platform("nokia_sros");
            let (printed, _) = talk_with(device, &platform, &texts, behind, 1 << 20).unwrap();
            assert_eq!(texts_of(&printed), want);
        }
    }
}

fn says_what_was_asked(line: &str) -> String {
    if line.starts_with("sh") || line.starts_with("display") {
        format!("OUT of {line}\r\nlast\r\n")
    } else {
        String::new()
    }
}

#[test]
fn a_slow_device_that_shows_its_prompt_twice_is_not_taken_for_one_that_does_not_echo() {
    for (name, prompt, greeting, delay_ms, texts) in [
        (
            "huawei",
            "<R1>",
            vec![(0, "\r\n<R1>"), (150, "\r\n<R1>")],
            700,
            ["display version", "display clock"],
        ),
        (
            "fortinet",
            "fw1 # ",
            vec![(0, "fw1 # "), (150, "\r\nfw1 # ")],
            700,
            ["get system status", "get system arp"],
        ),
        // The line end that a silent device is given brings the second prompt.
        ("cisco_ios", "R1#", vec![(3400, "\r\nR1#")], 700, ["show version", "show clock"]),
    ] {
        let platform = platform(name);
        let output = |line: &str| format!("OUT of {line}\r\nlast\r\n");
        let slow = Slow::new(prompt, &greeting, output, delay_ms);
        let (printed, _) = talk_with(slow, &platform, &texts, 0, 1 << 20).unwrap();
        let want = texts.map(|text| format!("OUT of {text}\nlast\n"));
        assert_eq!(texts_of(&printed), want, "{name}");
    }
}

#[test]
fn a_device_whose_echo_was_seen_is_waited_for_behind_a_log_message() {
    let platform = platform("cisco_ios");
    let output = |line: &str| match line {
        "show clock" => "12:00\r\nR1#\r\n%SYS-5-CONFIG_I: Configured\r\n".to_owned(),
        _ => says_what_was_asked(line),
    };
    let slow = Slow::new("R1#", &[(0, "R1#")], output, 500);
    let texts = ["show clock", "show inventory", "show version"];
    let (printed, _) = talk_with(slow, &platform, &texts, 0, 1 << 20).unwrap();
    let want = ["12:00\n", "OUT of show inventory\nlast\n", "OUT of show version\nlast\n"];
    assert_eq!(texts_of(&printed), want);
    assert!(printed[0].logged.contains("%SYS-5-CONFIG_I"), "{printed:?}");
}

#[test]
fn an_echo_that_comes_too_late_ends_the_session_before_outputs_are_mixed_up() {
    let platform = platform("huawei");
    let greeting = [(0, "<R1>"), (100, "\r\n<R1>")];
    let slow = Slow::new("<R1>", &greeting, says_what_was_asked, 4000);
    let texts = ["display version", "display clock"];
    let stopped = talk_with(slow, &platform, &texts, 0, 1 << 20).map(drop).unwrap_err();
    assert_eq!((stopped.why, stopped.printed.text), (Why::LateEcho, String::new()));
}

#[test]
fn an_output_without_a_line_end_is_kept_and_the_prompt_behind_it_found() {
    for (name, prompt) in [("cisco_ios", "R1#"), ("fortinet", "fw1 # ")] {
        let platform = platform(name);
        let output = |line: &str| match line {
            "show banner" | "get system banner" => "first\r\nno line end at the end".to_owned(),
            _ => format!("OUT of {line}\r\n"),
        };
        let slow = Slow::new(prompt, &[(0, prompt)], output, 0);
        let texts = if name == "cisco_ios" {
            ["show version", "show banner", "show clock"]
        } else {
            ["get system status", "get system banner", "get system arp"]
        };
        let (printed, _) = talk_with(slow, &platform, &texts, 0, 1 << 20).unwrap();
        let want = [
            format!("OUT of {}\n", texts[0]),
            "first\nno line end at the end\n".to_owned(),
            format!("OUT of {}\n", texts[2]),
        ];
        assert_eq!(texts_of(&printed), want, "{name}");
    }
}

#[test]
fn outputs_that_come_with_their_echo_are_cut_at_the_limit_and_say_so() {
    let platform = platform("cisco_ios");
    let output = |line: &str| match line {
        line if line.starts_with("show") => {
            (0..200).map(|n| format!("{n} {}\r\n", "x".repeat(n % 70))).collect::<Vec<_>>().concat()
        }
        _ => String::new(),
    };
    let slow = Slow::new("R1#", &[(0, "R1#")], output, 0);
    let texts = ["show version", "show clock", "show inventory"];
    let (printed, _) = talk_with(slow, &platform, &texts, 0, 4096).unwrap();
    let whole = output("show version").replace('\r', "");
    for one in &printed {
        assert!(one.truncated && whole.starts_with(&one.text), "{one:?}");
        assert!(one.text.len() > 4000, "{}", one.text.len());
    }
}

#[test]
fn questions_are_known_by_their_end() {
    for text in [
        "Proceed with reload? [confirm]",
        "Continue? [Y/N]:",
        "Continue? [Y/N]?",
        "Are you sure (y/n)?",
        "Continue? (y/n)[n]:",
        "Continue (y/n) [n]",
        "Accept (Y/N)[N]",
        "Go on (y or n)",
        "Save? [yes]:",
        "Overwrite (yes/no)?",
        "Press any key to continue",
        "Password:",
        "Enter passphrase: ",
        "Username:",
    ] {
        assert!(QUESTION.is_match(text), "{text}");
    }
    for text in ["enable password", "uptime is 3 days", "line (yes)", "R1#", "[n", "login: Mon Nov"]
    {
        assert!(!QUESTION.is_match(text), "{text}");
    }
}

#[test]
fn a_message_of_the_day_that_pauses_behind_password_is_not_answered_with_one() {
    let platform = platform("cisco_ios");
    for word in ["Password:", "Login:"] {
        let greeting = [(0, word), (60, " expires in 12 days\r\nR1#")];
        let slow = Slow::new("R1#", &greeting, says_what_was_asked, 0);
        let (printed, slow) = talk_with(slow, &platform, &["show version"], 0, 1 << 20).unwrap();
        assert_eq!(texts_of(&printed), ["OUT of show version\nlast\n"]);
        let typed = String::from_utf8(slow.typed).unwrap();
        assert!(!typed.contains("demo"), "{typed}");
    }
}

#[test]
fn enable_is_told_what_it_asks_for_and_may_ask_for_nothing() {
    let ruckus = |line: &str| {
        match line {
            "enable" => "User Name:",
            "demo" => "Password:",
            "secret" => "SSH@ICX7150-48 Switch#",
            "show version" => "OUT\r\nSSH@ICX7150-48 Switch#",
            _ => "SSH@ICX7150-48 Switch>",
        }
        .to_owned()
    };
    let arista = |line: &str| {
        match line {
            "enable" => "leaf1#",
            "show version" => "OUT\r\nleaf1#",
            _ => "",
        }
        .to_owned()
    };
    enabled("ruckus_fastiron", "SSH@ICX7150-48 Switch>", ruckus, true);
    enabled("arista_eos", "leaf1>", arista, false);
}

/// Logs in at `prompt`, enables and reads.
fn enabled(name: &str, prompt: &'static str, output: fn(&str) -> String, asks: bool) {
    let platform = platform(name);
    let slow = Slow::new("", &[(0, prompt)], output, 0);
    let until = Deadline::after(Instant::now(), Duration::from_secs(20));
    let command = command(&platform, "show version");
    let logout = Line::Prepared(&platform.session().logout);
    let (login, secret) = (in_band(), Secret::new("secret".to_owned()));
    let mut dialogue = Dialogue::new(slow, &platform, 1 << 20);
    let first = Line::Show(command.line());
    let enable = Line::Prepared(&platform.enable().unwrap().command);
    dialogue.first_prompt(login, first, &[], Some(enable), until).unwrap();
    let login = EnableLogin { username: "demo", secret: &secret };
    dialogue.enable(login, first, &[], until).unwrap();
    assert_eq!(dialogue.output(logout, until).unwrap().text, "OUT\n", "{name}");
    assert_eq!(dialogue.has_typed_secret(), asks, "{name}");
}

#[test]
fn a_message_to_everybody_between_prompt_and_echo_is_no_output() {
    let platform = platform("cisco_asa");
    let output = |line: &str| match line {
        "show version" => {
            "OUT of show version\r\nR1#\0\r\n\r\n***\r\n*** --- SHUTDOWN in 0:05:00 ---\r\n"
                .to_owned()
        }
        "exit" => "Logoff\r\nR1#".to_owned(),
        _ => says_what_was_asked(line) + "R1#",
    };
    let slow = Slow::new("", &[(0, "R1#")], output, 200);
    let (printed, _) =
        talk_with(slow, &platform, &["show version", "show clock"], 0, 1 << 20).unwrap();
    let want = ["OUT of show version\n", "OUT of show clock\nlast\n"];
    assert_eq!(texts_of(&printed), want);
    assert!(printed[0].logged.contains("SHUTDOWN in 0:05:00"), "{printed:?}");
}

#[test]
fn a_clock_in_the_prompt_may_go_on() {
    let platform = platform("arista_eos");
    let output = |line: &str| match line {
        "show version" => "OUT\r\nleaf1.09:59:58#\r\nlast\r\nleaf1.09:59:59#".to_owned(),
        "show clock" => says_what_was_asked(line) + "leaf1.10:00:07#",
        "exit" => "Logoff\r\nleaf1.10:00:08#".to_owned(),
        _ => "leaf1.09:59:57#".to_owned(),
    };
    let texts = ["show version", "show clock"];
    for behind in [0, 2] {
        let slow = Slow::new("", &[(0, "leaf1.09:59:57#")], output, 200);
        let (printed, _) = talk_with(slow, &platform, &texts, behind, 1 << 20).unwrap();
        let want = ["OUT\nleaf1.09:59:58#\nlast\n", "OUT of show clock\nlast\n"];
        assert_eq!(texts_of(&printed), want);
    }
}

/// As `Slow`, and what comes within a few milliseconds is one read.
struct Joined(Slow);

impl Transport for Joined {
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        let buffer = buffer.all();
        let first = self.0.show(buffer, until);
        let Arrived::Bytes(mut length) = first else { return Ok(first) };
        let soon = || Some(Deadline::after(Instant::now(), Duration::from_millis(5)));
        while let Arrived::Bytes(more) = self.0.show(&mut buffer[length..], soon()) {
            length += more;
        }
        Ok(Arrived::Bytes(length))
    }

    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken> {
        self.0.write_all(bytes, until)
    }
}

#[test]
fn an_output_that_ended_at_a_text_like_its_end_is_told_from_what_comes_behind() {
    fn output(line: &str) -> String {
        match line {
            // The read ends behind the prompt's look-alike.
            "show cdp entry *" => "first\r\nR1#\0show clock\r\nFORGED\r\nlast\r\n".to_owned(),
            _ => says_what_was_asked(line),
        }
    }
    /// Lines with an escape among them are taken one by one.
    fn escaped(line: &str) -> String {
        output(line).replace("last", "\x1b[0mlast")
    }
    let platform = platform("cisco_ios");
    let slow = |output: fn(&str) -> String| Slow::new("R1#", &[(0, "R1#")], output, 0);
    let texts = ["show cdp entry *", "show clock", "show version", "show users"];
    let apart = talk_with(slow(output), &platform, &texts, 0, 1 << 20).unwrap().0;
    let at_once = |slow| talk_with(Joined(slow), &platform, &texts, 0, 1 << 20).unwrap().0;
    for printed in [apart, at_once(slow(output)), at_once(slow(escaped))] {
        let uncertain: Vec<bool> = printed.iter().map(|one| one.echoed_again).collect();
        assert_eq!(uncertain, [false, true, false, false], "{printed:?}");
        assert!(printed[1].text.starts_with("FORGED\nlast\nR1#show clock\nOUT"), "{printed:?}");
        assert_eq!(
            texts_of(&printed)[2..],
            ["OUT of show version\nlast\n", "OUT of show users\nlast\n"]
        );
    }
}

#[test]
fn the_last_output_that_ended_at_a_text_like_its_end_is_told_at_the_logout() {
    let platform = platform("cisco_ios");
    let output = |line: &str| match line {
        "show cdp entry *" => "first\r\nR1#\0exit\r\nlast\r\n".to_owned(),
        _ => says_what_was_asked(line),
    };
    for (last, want) in [("show cdp entry *", true), ("show clock", false)] {
        let slow = Slow::new("R1#", &[(0, "R1#")], output, 0);
        let (printed, doubt) = talk_to_the_end(slow, &platform, &["show users", last]);
        assert_eq!(doubt, want, "{last}: {printed:?}");
        assert!(printed.iter().all(|one| !one.echoed_again), "{last}: {printed:?}");
    }
}

#[test]
fn megabytes_that_name_their_command_at_the_end_are_looked_through_once() {
    let platform = platform("cisco_ios");
    let lines = "\n".repeat(2 << 20) + "show clock x\n";
    let logs = "%SYS-5-CONFIG_I: x\n".repeat(100_000) + &"R1#show clock\n".repeat(20_000);
    for many in [lines, logs] {
        let mut dialogue =
            Dialogue::new(Slow::new("R1#", &[], says_what_was_asked, 0), &platform, 16 << 20);
        dialogue.prompt = "R1#".into();
        dialogue.echoed = "show clock".to_owned();
        dialogue.rooms.ahead.lines.clone_from(&many);
        dialogue.rooms.ahead.has_prompt = true;
        let next = command(&platform, "show version");
        let until = Deadline::after(Instant::now(), Duration::from_millis(1));
        let stopped = dialogue.output(Line::Show(next.line()), until).unwrap_err();
        assert_eq!((stopped.why, stopped.printed.text == many), (Why::Late, true));
    }
}

#[test]
fn an_output_with_its_own_command_behind_the_prompt_is_uncertain_however_it_comes() {
    let platform = platform("cisco_ios");
    let texts = ["show cdp entry *", "show clock"];
    let output = |line: &str| match line {
        "show cdp entry *" => "Description:\r\nR1#show cdp entry *\r\nmore\r\n".to_owned(),
        _ => says_what_was_asked(line),
    };
    let paused = |line: &str| match line {
        "show cdp entry *" => "Description:\r\n\0R1#show cdp entry *\r\nmore\r\n".to_owned(),
        _ => says_what_was_asked(line),
    };
    let slow = |output| Slow::new("R1#", &[(0, "R1#")], output, 0);
    let talk = |slow: Slow| talk_with(slow, &platform, &texts, 0, 1 << 20).unwrap().0;
    let at_once = talk_with(Joined(slow(output)), &platform, &texts, 0, 1 << 20).unwrap().0;
    for printed in [talk(slow(output)), talk(slow(paused)), at_once] {
        let want = ["Description:\nR1#show cdp entry *\nmore\n", "OUT of show clock\nlast\n"];
        assert_eq!(texts_of(&printed), want);
        assert_eq!([printed[0].echoed_again, printed[1].echoed_again], [true, false]);
    }
}

/// A device that hangs when `show clock` is typed, past the end of the step, and then shows this before the echo.
struct Hanging(Slow, &'static str);

impl Transport for Hanging {
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        self.0.read(buffer, until)
    }

    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken> {
        if !bytes.starts_with(b"show clock") {
            return self.0.write_all(bytes, until);
        }
        let text = format!("{}show clock\r\nOUT of clock\r\nR1#", self.1);
        self.0.shows(1500, &text);
        Ok(())
    }
}

/// As [`Hanging`] with a log message before the echo, which comes only when the next line was typed; then this output, and
/// perhaps the device hangs up.
struct Owing {
    slow: Slow,
    output: String,
    hangs_up: bool,
    is_asked: bool,
}

impl Transport for Owing {
    fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        until: Option<Deadline>,
    ) -> Result<Arrived, Broken> {
        let came = self.slow.read(buffer, until)?;
        let is_over = self.is_asked && self.slow.coming.is_empty() && until.is_some();
        let hangs_up = is_over && self.hangs_up && came == Arrived::Nothing;
        Ok(if hangs_up { Arrived::End } else { came })
    }

    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken> {
        match bytes {
            b"show clock\n" => {
                let log = "*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console";
                self.slow.shows(1000, &format!("\r\n{log}\r\nR1#"));
            }
            b"exit\n" => {
                self.is_asked = true;
                self.slow.shows(50, &format!("show clock\r\n{}", self.output));
            }
            _ => self.slow.write_all(bytes, until)?,
        }
        Ok(())
    }
}

#[test]
fn an_echo_that_comes_behind_the_next_line_leaves_none_of_its_output_out() {
    let platform = platform("cisco_ios");
    let says = |line: &str| match line {
        "show version" => "VERSION\r\n".to_owned(),
        _ => says_what_was_asked(line),
    };
    let long = |letter: &str| format!("{}\r\nsecond line\r\n", letter.repeat(78));
    let cut = format!("{}\r\nR1#ex", "\u{e9}".repeat(48));
    for (output, hangs_up) in [(long("a"), false), (long("\u{e9}"), false), (cut, true)] {
        let within = |ms| Deadline::after(Instant::now(), Duration::from_millis(ms));
        let slow = Slow::new("R1#", &[(0, "R1#")], says, 0);
        let owing = Owing { slow, output: output.clone(), hangs_up, is_asked: false };
        let login = InBandLogin { username: "demo", password: None, is_expected: false };
        let first = command(&platform, "show version");
        let second = command(&platform, "show clock");
        let mut dialogue = Dialogue::new(owing, &platform, 1 << 20);
        dialogue.first_prompt(login, Line::Show(first.line()), &[], None, within(20_000)).unwrap();
        let printed = dialogue.output(Line::Show(second.line()), within(500)).unwrap();
        assert_eq!(printed.text, "VERSION\n");
        let logout = Line::Prepared(&platform.session().logout);
        let stopped = dialogue.output(logout, within(2500)).unwrap_err();
        assert_eq!(stopped.why, if hangs_up { Why::Closed } else { Why::Late });
        let first = output.replace('\r', "");
        let first = first.split_once('\n').unwrap().0;
        assert!(stopped.printed.text.starts_with(&format!("{first}\n")), "{stopped:?}");
        assert_eq!(stopped.printed.text.contains("second line\n"), !hangs_up);
    }
}

#[test]
fn a_log_message_before_an_echo_that_is_owed_does_no_harm() {
    let platform = platform("cisco_ios");
    for before in [
        "",
        "\r\n*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console\r\nR1#",
        "\r*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console\r\nR1#",
    ] {
        let output = |line: &str| match line {
            "show version" => "VERSION\r\n".to_owned(),
            _ => says_what_was_asked(line),
        };
        let within = |ms| Deadline::after(Instant::now(), Duration::from_millis(ms));
        let hanging = Hanging(Slow::new("R1#", &[(0, "R1#")], output, 0), before);
        let login = InBandLogin { username: "demo", password: None, is_expected: false };
        let first = command(&platform, "show version");
        let second = command(&platform, "show clock");
        let mut dialogue = Dialogue::new(hanging, &platform, 1 << 20);
        dialogue.first_prompt(login, Line::Show(first.line()), &[], None, within(20_000)).unwrap();
        let printed = dialogue.output(Line::Show(second.line()), within(700)).unwrap();
        assert_eq!(printed.text, "VERSION\n");
        let logout = Line::Prepared(&platform.session().logout);
        let printed = dialogue.output(logout, within(20_000)).unwrap();
        assert_eq!(printed.text, "OUT of clock\n", "{before:?}");
    }
}

#[test]
fn what_an_output_ends_with_is_kept_whatever_was_typed_at_the_login() {
    let platform = platform("cisco_ios");
    let output = |line: &str| match line {
        "demo" => "R1#".to_owned(),
        "show version" => "one line without an end\0\0\0".to_owned(),
        _ => says_what_was_asked(line) + "R1#",
    };
    let until = Deadline::after(Instant::now(), Duration::from_millis(1500));
    let slow = Slow::new("", &[(0, "Password: ")], output, 0);
    let password = Secret::new("demo".to_owned());
    let login = InBandLogin { username: "demo", password: Some(&password), is_expected: true };
    let (first, logout) = (command(&platform, "show version"), &platform.session().logout);
    let mut dialogue = Dialogue::new(slow, &platform, 1 << 20);
    dialogue.first_prompt(login, Line::Show(first.line()), &[], None, until).unwrap();
    assert!(dialogue.has_typed_password());
    let stopped = dialogue.output(Line::Prepared(logout), until).unwrap_err();
    assert_eq!((stopped.why, &*stopped.printed.text), (Why::Late, "one line without an end"));
}
