//! Command lines of the embedded personas: what stands on the screen for what was typed.

use std::sync::Arc;

use super::{
    cli::{Act, Cli},
    fault::Fault,
    persona::Persona,
};

/// A command line and what it has shown.
struct Desk {
    cli: Cli,
    screen: String,
    ended: Option<Act>,
}

impl Desk {
    fn new(persona: &str, faults: &[Fault], size: (u32, u32)) -> Self {
        let persona = Arc::new(Persona::embedded(persona).unwrap());
        let host = persona.hostname.clone();
        let mut cli = Cli::new(persona, host, None, faults.to_vec());
        cli.resize(size.0, size.1);
        let mut desk = Self { cli, screen: String::new(), ended: None };
        let acts = desk.cli.start();
        desk.take(acts);
        desk
    }

    fn take(&mut self, mut acts: Vec<Act>) {
        while !acts.is_empty() {
            for act in acts {
                match act {
                    Act::Show(bytes) => self.screen += &String::from_utf8_lossy(&bytes),
                    other => self.ended = Some(other),
                }
            }
            acts = self.cli.more();
        }
    }

    /// Types text and gives what it brought to the screen.
    fn types(&mut self, text: &str) -> String {
        let from = self.screen.len();
        let acts = self.cli.feed(text.as_bytes());
        self.take(acts);
        self.screen.split_at(from).1.to_owned()
    }
}

fn desk(persona: &str) -> Desk {
    Desk::new(persona, &[], (511, 1000))
}

/// The longest output of a persona.
fn longest(persona: &Persona) -> String {
    let lines = |line: &&str| persona.output(line).unwrap().lines().count();
    persona.commands().max_by_key(lines).unwrap().to_owned()
}

#[test]
fn every_persona_prints_all_its_commands_at_its_prompt() {
    for name in Persona::names() {
        let persona = Persona::embedded(name).unwrap();
        let mut desk = Desk::new(name, &[], (0, 0));
        for line in &persona.paging_off {
            desk.types(&format!("{line}\n"));
        }
        let pages = persona.paging_off.is_empty() && persona.pager.is_some();
        let commands: Vec<&str> = persona.commands().collect();
        for line in commands {
            let mut shown = desk.types(&format!("{line}\n"));
            while pages && shown.contains("More") && !shown.ends_with(['#', '>', ' ']) {
                shown += &desk.types(" ");
            }
            for text in persona.output(line).unwrap().lines().filter(|text| !text.contains('{')) {
                assert!(pages || shown.contains(text), "{name} {line}: {text:?} not in {shown:?}");
            }
        }
        for line in &persona.logout {
            let mut desk = Desk::new(name, &[], (0, 0));
            desk.types(&format!("{line}\n"));
            if desk.ended.is_none() {
                desk.types("n\n");
            }
            assert_eq!(desk.ended, Some(Act::LogOut), "{name} {line}");
        }
    }
}

#[test]
fn every_pager_stops_and_goes_on_until_the_whole_output_was_shown() {
    for name in Persona::names() {
        let persona = Persona::embedded(name).unwrap();
        let Some(pager) = persona.pager.clone() else { continue };
        let line = longest(&persona);
        let mut desk = Desk::new(name, &[Fault::PagingOffRefused], (511, 1000));
        let mut shown = desk.types(&format!("{line}\n"));
        let head = pager.marker.split('{').next().unwrap();
        let mut stops = 1;
        while desk.screen.rsplit('\n').next().is_some_and(|line| line.contains(head)) {
            let more = desk.types(" ");
            assert!(more.starts_with(&pager.wipe), "{name}: {more:?}");
            shown += more.strip_prefix(&pager.wipe).unwrap();
            stops += 1;
            assert!(stops < 40, "{name}: {shown:?}");
        }
        if !pager.end_marker.is_empty() {
            assert!(shown.ends_with(&pager.end_marker), "{name}: {shown:?}");
            shown += &desk.types("q");
        }
        let rows = persona.output(&line).unwrap().lines().count();
        assert_eq!(stops, rows.div_ceil(pager.rows - 1), "{name} {line}");
        let last = persona.output(&line).unwrap().lines().last().unwrap();
        assert!(shown.contains(last), "{name}: {shown:?}");
    }
}

#[test]
fn a_pager_takes_its_keys_one_by_one() {
    let start = || {
        let mut desk = Desk::new("cisco_ios", &[], (80, 24));
        let page = desk.types("show running-config\n");
        assert!(page.ends_with(" --More-- "), "{page:?}");
        assert_eq!(page.lines().count(), 25, "the echo, 23 lines and the marker");
        desk
    };
    let mut desk = start();
    assert_eq!(desk.types("\n").lines().count(), 2, "one line and the marker");
    assert!(desk.types(" ").ends_with(" --More-- "));
    let quit = desk.types("q");
    assert!(quit.ends_with("edge1#") && quit.lines().count() == 1, "{quit:?}");
    // Any other key leaves the pager too, and what follows it is a line.
    let shown = start().types("show clock\n");
    assert!(shown.contains("edge1#how clock\r\n"), "{shown:?}");
    assert!(shown.contains("% Invalid input detected"), "{shown:?}");
    let mut desk = Desk::new("mikrotik_routeros", &[], (80, 24));
    desk.types("/log print\r\n");
    let all = desk.types("D");
    assert!(all.ends_with("> ") && !all.contains("[Q quit"), "{all:?}");
}

#[test]
fn a_tall_terminal_is_no_page_where_the_device_looks_at_it() {
    for (name, line, pages) in [
        ("arista_eos", "show running-config", false),
        ("juniper_junos", "show configuration", false),
        ("fortinet", "show system interface", false),
        ("cisco_ios", "show running-config", true),
        ("huawei", "display current-configuration", true),
    ] {
        let mut desk = desk(name);
        let prompt = desk.screen.lines().last().unwrap().to_owned();
        let shown = desk.types(&format!("{line}\n"));
        assert_eq!(!shown.ends_with(&prompt), pages, "{name}: {shown:?}");
    }
}

#[test]
fn lines_that_mean_nothing_are_refused_as_each_device_does_it() {
    let cases = [
        ("cisco_ios", "show nonsense", "           ^\r\n% Invalid input detected at '^' marker."),
        ("cisco_ios", "show", "% Incomplete command."),
        ("cisco_ios", "show i", "% Ambiguous command:  \"show i\""),
        ("cisco_ios", "reload", "\r\n      ^\r\n% Invalid input"),
        ("cisco_xr", "show nonsense", "% Invalid input detected at '^' marker."),
        ("cisco_nxos", "show nonsense", "% Invalid command at '^' marker."),
        ("cisco_asa", "show nonsense", "ERROR: % Invalid input detected at '^' marker."),
        ("arista_eos", "show nonsense", "% Invalid input (at token 1: 'nonsense')"),
        ("juniper_junos", "nonsense", "\r\n          ^\r\nunknown command."),
        ("juniper_junos", "show nonsense", "syntax error, expecting <command>."),
        ("huawei", "display nonsense", "Error: Unrecognized command found at '^' position."),
        ("hp_comware", "display nonsense", " % Unrecognized command found at '^' position."),
        ("fortinet", "get nonsense", "command parse error before 'nonsense'"),
        ("fortinet", "nonsense", "Unknown action 0"),
        ("paloalto_panos", "nonsense", "Unknown command: nonsense"),
        ("paloalto_panos", "show nonsense", "Invalid syntax."),
        ("frr", "show nonsense", "% Unknown command: show nonsense"),
        ("nokia_sros", "show nonsense", "Error: Bad command."),
        ("mikrotik_routeros", "/nonsense print", "bad command name /nonsense"),
        ("cisco_wlc", "show nonsense", "Incorrect usage.  Use the '?' or <TAB> key"),
        ("aruba_aoscx", "show nonsense", "Invalid input: nonsense"),
        ("extreme_exos", "show nonsense", "%% Invalid input detected at '^' marker."),
    ];
    for (name, line, want) in cases {
        let shown = desk(name).types(&format!("{line}\n")).replace("\r\r\n", "\r\n");
        assert!(shown.contains(want), "{name} {line}: {shown:?}");
    }
}

#[test]
fn filters_run_on_the_device_in_its_own_words() {
    let cases = [
        ("cisco_ios", "show ip arp | include Vlan10", 2),
        ("cisco_ios", "show ip arp | exc Vlan10", 1),
        ("cisco_ios", "show running-config | section line vty", 7),
        ("cisco_ios", "show running-config | count interface", 1),
        ("cisco_nxos", "show ip interface brief | grep -i eth1", 1),
        ("cisco_nxos", "show ip interface brief | include Eth|Lo | count", 1),
        ("cisco_nxos", "show version | last 2", 2),
        ("juniper_junos", "show interfaces terse | match ge- | except down", 2),
        ("juniper_junos", "show configuration | display set | match neighbor", 1),
        ("huawei", "display ip routing-table | include Vlanif10", 3),
        ("fortinet", "get system arp | grep -v wan1", 2),
        ("paloalto_panos", "show system info | match model", 1),
        ("frr", "show ip route | include 203", 2),
        ("nokia_sros", "show router interface | match to-p1", 1),
        ("cisco_wlc", "grep include \"ap-\" \"show ap summary\"", 3),
        ("arista_eos", "show version | begin Uptime", 3),
    ];
    for (name, line, want) in cases {
        let persona = Persona::embedded(name).unwrap();
        let mut desk = Desk::new(name, &[], (511, 1000));
        for off in persona.paging_off.iter().chain(&persona.terminal.plain_after) {
            desk.types(&format!("{off}\n"));
        }
        let shown = desk.types(&format!("{line}\n"));
        let mut lines: Vec<&str> = shown.split('\n').collect();
        lines.pop();
        // The echo stands before the output, and Junos says who it is before its prompt.
        let around = if name == "juniper_junos" { 3 } else { 1 };
        assert_eq!(lines.len() - around, want, "{name} {line}: {shown:?}");
    }
    let shown = desk("cisco_ios").types("show ip arp | nonsense x\n");
    assert!(shown.contains("% Invalid input"), "{shown:?}");
    let shown = Desk::new("juniper_junos", &[], (80, 24)).types("show configuration | no-more\n");
    assert!(shown.ends_with("demo@mx1> "), "{shown:?}");
}

#[test]
fn what_is_typed_ahead_is_echoed_when_the_prompt_is_back() {
    let mut desk = desk("cisco_ios");
    let shown = desk.types("terminal length 0\nshow ip arp\nshow clock\n");
    let order = ["edge1#show ip arp\r\n", "Vlan10\r\n", "edge1#show clock\r\n", "2026\r\nedge1#"];
    let found: Vec<_> = order.iter().map(|words| shown.find(words)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?} in {shown:?}");
    assert_eq!(shown.matches("show ip arp").count(), 1, "{shown:?}");
}

#[test]
fn what_is_typed_while_a_long_output_prints_waits_for_its_turn() {
    let mut desk = desk("cisco_ios");
    desk.types("terminal length 0\n");
    let from = desk.screen.len();
    let acts = desk.cli.feed(b"show simulator lines 9000\n");
    let more = desk.cli.feed(b"show clock\n");
    assert!(more.is_empty(), "{} acts", more.len());
    desk.take(acts);
    let shown = desk.screen.split_at(from).1;
    assert!(shown.contains("00009000 GigabitEthernet"), "the output is cut off");
    assert!(shown.ends_with("edge1#show clock\r\n10:00:00.000 UTC Sat Nov 21 2026\r\nedge1#"));
}

#[test]
fn configuration_mode_shows_in_the_prompt_and_is_left_again() {
    for (name, line, prompt) in [
        ("cisco_ios", "configure terminal", "edge1(config)#"),
        ("cisco_ios", "conf t", "edge1(config)#"),
        ("cisco_ios", "config term", "edge1(config)#"),
        ("cisco_nxos", "configure terminal", "spine1(config)# "),
        ("juniper_junos", "configure", "demo@mx1# "),
        ("huawei", "system-view", "[olt1]"),
        ("fortinet", "config system console", "fgt1 (console) # "),
        ("nokia_sros", "configure", "*A:pe2>config# "),
        ("cisco_wlc", "config", "(wlc1) config>"),
    ] {
        let mut desk = desk(name);
        let before = desk.screen.rsplit('\n').next().unwrap().to_owned();
        assert!(desk.types(&format!("{line}\n")).ends_with(prompt), "{name}: {:?}", desk.screen);
        desk.types("set something\n");
        assert!(desk.screen.ends_with(prompt), "{name}: {:?}", desk.screen);
        desk.types("end\n");
        assert!(desk.screen.ends_with(&before), "{name}: {:?}", desk.screen);
    }
}

#[test]
fn counters_and_stars_stand_in_the_prompts_that_have_them() {
    let mut desk = desk("extreme_exos");
    assert!(desk.screen.ends_with("* x440.1 # "), "{:?}", desk.screen);
    assert!(desk.types("\n").ends_with("* x440.1 # "), "an empty line is not counted");
    assert!(desk.types("show version\n").ends_with("* x440.2 # "));
}

#[test]
fn a_logout_that_asks_whether_to_save_waits_for_its_answer() {
    for (name, line) in [("cisco_wlc", "logout"), ("extreme_exos", "exit")] {
        let mut desk = desk(name);
        let shown = desk.types(&format!("{line}\n"));
        assert!(shown.contains("save") && shown.ends_with(") "), "{name}: {shown:?}");
        assert_eq!(desk.ended, None, "{name}");
        desk.types("n\n");
        assert_eq!(desk.ended, Some(Act::LogOut), "{name}");
    }
}

#[test]
fn a_login_dialog_is_answered_by_its_key_and_ends_the_session_at_another() {
    for (name, words, key) in [
        ("huawei", "Change now? [Y/N]: ", "n"),
        ("fortinet", "(Press 'a' to accept):", "a"),
        ("mikrotik_routeros", "[Y/n]: ", "n"),
    ] {
        let mut good = Desk::new(name, &[Fault::LoginDialog], (511, 1000));
        assert!(good.screen.ends_with(words), "{name}: {:?}", good.screen);
        good.types(key);
        assert_eq!(good.ended, None, "{name}");
        assert!(good.screen.ends_with(['>', ' ']), "{name}: {:?}", good.screen);
        let mut bad = Desk::new(name, &[Fault::LoginDialog], (511, 1000));
        bad.types("y");
        assert_eq!(bad.ended, Some(Act::HangUp), "{name}");
    }
}

#[test]
fn a_question_mark_asks_for_help_and_the_line_stays() {
    let shown = desk("cisco_ios").types("show ip ?arp\n");
    assert!(shown.starts_with("show ip ?\r\n"), "{shown:?}");
    assert!(shown.contains("edge1#show ip arp\r\nProtocol  Address"), "{shown:?}");
}

#[test]
fn a_redrawn_line_becomes_plain_when_the_device_is_told_so() {
    let mut desk = desk("paloalto_panos");
    let first = desk.types("set cli scripting-mode on\n");
    assert!(first.contains("\r\x1b[Kdemo@pan1> set cli scripting-mode on"), "{first:?}");
    let second = desk.types("show high-availability state\n");
    assert!(second.starts_with("show high-availability state\r\nHA not enabled"), "{second:?}");
}

#[test]
fn a_narrow_terminal_breaks_or_scrolls_long_lines_and_a_wide_one_does_not() {
    let line = format!("show ip arp | include {}", "a".repeat(70));
    for (name, width, mark) in [
        ("cisco_ios", None, "\x08$"),
        ("cisco_ios", Some("terminal width 511"), ""),
        ("arista_eos", None, " \r"),
        ("cisco_nxos", None, "aaa\r\naaa"),
    ] {
        let mut desk = Desk::new(name, &[], (80, 24));
        if let Some(width) = width {
            desk.types(&format!("{width}\n"));
        }
        let shown = desk.types(&line);
        match mark {
            "" => assert_eq!(shown, line, "{name}"),
            mark => assert!(shown.contains(mark), "{name}: {shown:?}"),
        }
    }
}
