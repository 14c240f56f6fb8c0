//! The embedded definitions against tables of prompts, refusals and names.
//!
//! The tables are data, so that a prompt seen in the field becomes a line in `fixtures/`, not a test of its own.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use proptest::prelude::*;

use super::{Forbidden, KnownPrompts, Mode, Platform, Registry, Tail, registry::EMBEDDED};

/// One for all tests: patterns are compiled once.
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::embedded().unwrap());

const PROMPTS: &str = include_str!("../../fixtures/prompts.tsv");
const REFUSALS: &str = include_str!("../../fixtures/cli_errors.tsv");

fn rows(table: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let numbered = table.lines().enumerate().skip(1);
    numbered.map(|(index, line)| (index + 1, line.split('\t').collect()))
}

fn verdict<'a>(tail: &Tail<'a>) -> (&'static str, &'a str) {
    match tail {
        Tail::Operational { mode: Mode::User, name } => ("user", name),
        Tail::Operational { mode: Mode::Privileged, name } => ("privileged", name),
        Tail::Forbidden(Forbidden::Configuration) => ("forbidden:configuration", ""),
        Tail::Forbidden(Forbidden::Shell) => ("forbidden:shell", ""),
        Tail::Forbidden(Forbidden::Other) => ("forbidden:other", ""),
        Tail::Text => ("text", ""),
    }
}

#[test]
fn every_file_of_the_folder_is_embedded_and_sound() {
    let folder = Path::new(file!()).with_file_name("definitions");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let embedded: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, embedded);
    for (name, text) in EMBEDDED {
        let origin = format!("definitions/{name}.toml");
        if let Err(error) = Platform::of_stem(text, &origin, Some(name)) {
            panic!("{error}");
        }
    }
}

#[test]
fn prompts_are_what_the_table_says() {
    let mut wrong = Vec::new();
    for (at, row) in rows(PROMPTS) {
        let [platform, line, want, name] = row[..] else {
            panic!("line {at} has not four columns")
        };
        let found = verdict(&REGISTRY.find(platform).expect(platform).prompts().classify(line));
        if found != (want, name) {
            wrong.push(format!("line {at}: {platform} {line:?} is {found:?}, not {want} {name}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_prompt_that_is_known_is_what_it_was_before() {
    for platform in REGISTRY.iter() {
        let known = KnownPrompts::new(platform.prompts());
        for (at, row) in rows(PROMPTS).filter(|(_, row)| row[0] == platform.name()) {
            let want = platform.prompts().classify(row[1]);
            for line in [row[1], row[1], &format!(" {} ", row[1])] {
                assert_eq!(known.classify(line), want, "line {at}");
            }
        }
    }
}

#[test]
fn the_table_shows_every_platform_at_work_and_at_rest() {
    let mut verdicts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (_, row) in rows(PROMPTS) {
        verdicts.entry(row[0]).or_default().push(row[2]);
    }
    for platform in REGISTRY.iter() {
        let rows = verdicts.remove(platform.name()).unwrap_or_default();
        assert!(rows.len() >= 8, "{} has {} rows", platform.name(), rows.len());
        for kind in ["privileged", "forbidden", "text"] {
            assert!(rows.iter().any(|row| row.starts_with(kind)), "{}: {kind}", platform.name());
        }
    }
    assert!(verdicts.is_empty(), "no such platform: {:?}", verdicts.keys());
}

#[test]
fn refusals_are_found_at_the_head_of_an_output_only() {
    let mut wrong = Vec::new();
    for (at, row) in rows(REFUSALS) {
        let [platform, output, want] = row[..] else { panic!("line {at} has not three columns") };
        let output: String = serde_json::from_str(output).unwrap();
        let found = REGISTRY.find(platform).expect(platform).errors().find(&output).unwrap_or("-");
        if found != want {
            wrong.push(format!("line {at}: {platform} {output:?} gives {found:?}, not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pagers_wait_at_the_end_of_a_line() {
    let cases = [
        ("cisco_ios", " --More-- ", Some((1, " "))),
        ("cisco_ios", "--More-- is what a pager says", None),
        ("cisco_ios", "Ethernet0/1 is up --More--", Some((18, " "))),
        ("cisco_nxos", "(END)", Some((0, "q"))),
        ("cisco_xr", "(END)", Some((0, "q"))),
        ("cisco_asa", "<--- More --->", Some((0, " "))),
        ("cisco_wlc", "--More-- or (q)uit", Some((0, " "))),
        ("cisco_wlc", "Press Enter to continue...", Some((0, "\n"))),
        ("cisco_wlc", "Press Enter to continue or <ctrl-z> to abort", Some((0, "\n"))),
        ("cisco_wlc", "Press any key to continue..", Some((0, "\n"))),
        ("cisco_wlc", "Would you like to display the next 15 entries? (y/n) ", Some((0, "y"))),
        ("cisco_wlc", "Would you like to display next 15 entries? (y/n)", Some((0, "y"))),
        ("cisco_wlc", "Would you like to save them now? (y/N) ", None),
        ("cisco_wlc", "Are you sure you want to continue? (y/n)", None),
        ("cisco_wlc", "Would you like to display the next 15 entries? (y/n) y", None),
        ("cisco_s300", "More: <space>,  Quit: q or CTRL+Z, One line: <return>", Some((0, " "))),
        ("juniper_junos", "---(more)---", Some((0, " "))),
        ("juniper_junos", "---(more 53%)---", Some((0, " "))),
        ("juniper_screenos", "--- more ---", Some((0, " "))),
        ("huawei", "  ---- More ----", Some((2, " "))),
        ("huawei_smartax", "---- More ( Press 'Q' to break ) ----", Some((0, " "))),
        ("huawei_smartax", "{ <cr>|frameid<U><0,0> }:", Some((0, "\n"))),
        ("hp_comware", "---- More ----", Some((0, " "))),
        (
            "hp_procurve",
            "-- MORE --, next page: Space, next line: Enter, quit: Control-C",
            Some((0, " ")),
        ),
        ("aruba_os", "--More-- (q) quit (u) pageup (/) search (n) repeat", Some((0, " "))),
        ("fortinet", "--More-- ", Some((0, " "))),
        ("paloalto_panos", "--more--", Some((0, " "))),
        ("paloalto_panos", "lines 1-22", Some((0, " "))),
        ("paloalto_panos", "lines 1-22/22 (END)", Some((0, "q"))),
        ("paloalto_panos", "the file has lines 1-22", None),
        ("checkpoint_gaia", "-- More --", Some((0, " "))),
        ("f5_tmsh", "---(less 12%)---", Some((0, " "))),
        ("f5_tmsh", "Display all 189 items? (y/n) ", Some((0, "y"))),
        ("f5_tmsh", "Delete all 189 items? (y/n) ", None),
        (
            "eltex",
            "More? Enter - next line; Space - next page; Q - quit; R - show the rest.",
            Some((0, " ")),
        ),
        ("ciena_saos", "[more 0%] (q,g,space,enter)", Some((0, " "))),
        ("mikrotik_routeros", "-- [Q quit|D dump|down]", Some((0, "D"))),
        ("nokia_sros", "Press any key to continue (Q to quit)", Some((0, " "))),
        (
            "nokia_sros",
            "Press Q to quit, Enter to print next line or any other key to print next page.",
            Some((0, " ")),
        ),
        ("nokia_sros", "--(more)--(14%)(lines 1-40)", Some((0, " "))),
        ("vyos", ":", Some((0, " "))),
        ("vyos", "Interfaces:", None),
        ("extreme_exos", "Press <SPACE> to continue or <Q> to quit:", Some((0, " "))),
        ("extreme_ers", "----More (q=Quit, space/return=Continue)----", Some((0, " "))),
        (
            "ruckus_fastiron",
            "--More--, next page: Space, next line: Return key, quit: Control-c",
            Some((0, " ")),
        ),
        ("dell_os10", "--more--", Some((0, " "))),
        ("a10", "--MORE--", Some((0, " "))),
        ("mellanox_mlnxos", "lines 1-23", Some((0, " "))),
        ("generic", "---- More ----", Some((0, " "))),
        ("generic", "lines 1-23", Some((0, " "))),
        ("generic", "lines 1-23/23 (END)", Some((0, "q"))),
        ("linux", "lines 1-23", Some((0, " "))),
        ("linux", "(END)", Some((0, "q"))),
        ("generic", "-- MORE --, next page: Space", Some((0, " "))),
    ];
    for (platform, line, want) in cases {
        let hit = REGISTRY.find(platform).unwrap().pager().unwrap().matches(line);
        assert_eq!(hit.map(|hit| (hit.start, hit.key)), want, "{platform}: {line:?}");
    }
}

#[test]
fn a_line_end_behind_a_marker_is_the_devices_where_it_was_typed_or_the_definition_says_so() {
    let cases = [
        ("cisco_ios", " ", false),
        ("cisco_nxos", "q", false),
        ("cisco_wlc", " ", true),
        ("cisco_wlc", "y", true),
        ("cisco_wlc", "\n", true),
        ("huawei_smartax", " ", false),
        ("huawei_smartax", "\n", true),
    ];
    for (platform, key, want) in cases {
        let pager = REGISTRY.find(platform).unwrap().pager().unwrap();
        assert_eq!(pager.ends_line(key), want, "{platform}: {key:?}");
    }
}

#[test]
fn every_platform_has_a_pager() {
    for platform in REGISTRY.iter() {
        assert!(platform.pager().is_some(), "{}", platform.name());
    }
}

#[test]
fn no_line_is_sent_where_paging_is_a_saved_setting() {
    for name in ["fortinet", "f5_tmsh", "cisco_wlc", "juniper_screenos"] {
        assert!(REGISTRY.find(name).unwrap().session().prepare.is_empty(), "{name}");
    }
}

#[test]
fn a_password_is_typed_where_one_is_asked_for_and_never_as_a_new_one() {
    let new = ["New password:", "Enter new password:", "Retype new password:", "Confirm password:"];
    for platform in REGISTRY.iter() {
        if let Some(prompt) = &platform.login().password_prompt {
            assert!(prompt.is_match("Password:"), "{}", platform.name());
            assert!(new.iter().all(|line| !prompt.is_match(line)), "{}", platform.name());
        }
        if let Some(rules) = platform.enable() {
            assert!(rules.password_prompt.is_match("Password:"), "{}", platform.name());
            assert!(rules.password_prompt.is_match("Enable password:"), "{}", platform.name());
            let none = new.iter().all(|line| !rules.password_prompt.is_match(line));
            assert!(none, "{}", platform.name());
        }
        if let Some(prompt) = &platform.login().username_prompt {
            assert!(!prompt.is_match("Last login:"), "{}", platform.name());
        }
    }
}

#[test]
fn enable_may_ask_for_a_name_of_its_own() {
    for platform in ["ruckus_fastiron", "extreme_netiron", "hp_procurve"] {
        let enable = REGISTRY.find(platform).unwrap().enable().unwrap();
        let prompt = enable.username_prompt.as_ref().unwrap();
        for line in ["User Name:", "Username:", "Login:", "Please Enter Login Name: ", "login :"] {
            assert!(prompt.is_match(line.trim_end()), "{platform} {line}");
            assert!(!enable.password_prompt.is_match(line), "{platform} {line}");
        }
        for line in [
            "Password:",
            "Please Enter Password:",
            "Last login:",
            "Error - incorrect username or password.",
            "SSH@icx1>",
        ] {
            assert!(!prompt.is_match(line), "{platform} {line}");
        }
        assert!(enable.password_prompt.is_match("Please Enter Password:"), "{platform}");
    }
    assert!(REGISTRY.find("cisco_ios").unwrap().enable().unwrap().username_prompt.is_none());
}

#[test]
fn a_host_may_be_called_like_a_shell_but_a_shell_is_no_host() {
    for platform in REGISTRY.iter() {
        let takes = |line: &str| {
            let tail = platform.prompts().classify(line);
            matches!(tail, Tail::Operational { .. }).then(|| verdict(&tail).1.to_owned())
        };
        for end in ["#", ">", "$"] {
            for host in ["sh-01", "bash-2", "sh-2024"] {
                if takes(&format!("hostname{end}")).as_deref() == Some("hostname") {
                    let found = takes(&format!("{host}{end}"));
                    assert_eq!(found.as_deref(), Some(host), "{} {host}{end}", platform.name());
                }
            }
        }
        for shell in ["sh-4.2#", "bash-4.4$", "bash-5.1#", "sh-5.0.17$"] {
            let is_one = ["linux", "generic"].contains(&platform.name());
            assert!(is_one || takes(shell).is_none(), "{} {shell}", platform.name());
        }
    }
}

#[test]
fn lines_of_the_prompt_are_no_output() {
    let cases = [
        ("juniper_junos", "a\nb\n\n{master:0}\n", "a\nb\n"),
        ("juniper_junos", "a\n{primary:node0}\n", "a\n"),
        ("juniper_junos", "{\n}\n", "{\n}\n"),
        ("juniper_junos", "\n{master:0}\n", ""),
        ("juniper_junos", "", ""),
        ("netscaler", "a\n Done\n", "a\n"),
        ("netscaler", "Done is\nnot Done yet\n", "Done is\nnot Done yet\n"),
        ("nokia_sros", "a\n\n[/]\n", "a\n"),
        ("nokia_sros", "a\n[]\n", "a\n"),
        ("nokia_sros", "[1, 2]\n", "[1, 2]\n"),
        ("nokia_srl", "a\n--{ + running }--[  ]--\n", "a\n"),
        ("cisco_xr", "Fri Nov 20 10:11:12.345 UTC\na\n", "Fri Nov 20 10:11:12.345 UTC\na\n"),
    ];
    for (platform, output, want) in cases {
        let stripped = REGISTRY.find(platform).unwrap().output().strip(output.to_owned());
        assert_eq!(stripped, want, "{platform}: {output:?}");
    }
}

#[test]
fn names_of_other_tools_mean_the_same_platform() {
    let same = [
        ("cisco_ios", "ios IOS cisco-ios cisco_ios_ssh"),
        ("cisco_xe", "iosxe cisco_xe cisco_iosxe ios-xe"),
        ("cisco_xr", "iosxr cisco_xr cisco_iosxr"),
        ("cisco_nxos", "nxos nexus cisco_nxos_ssh nxos_ssh"),
        ("cisco_asa", "asa"),
        ("cisco_wlc", "aireos cisco_aireos cisco_wlc_ssh"),
        ("cisco_s300", "cisco_cbs ciscosmb cisco_s200 cisco_s350 s350"),
        ("cisco_viptela", "sdwan viptela"),
        ("arista_eos", "eos"),
        ("juniper_junos", "junos juniper"),
        ("huawei", "huawei_vrp vrp hvrp huawei_vrpv8 ce"),
        ("huawei_smartax", "huawei_olt"),
        ("hp_comware", "comware h3c_comware"),
        ("hp_procurve", "procurve aruba_osswitch aruba_procurve"),
        ("aruba_aoscx", "aoscx"),
        ("aruba_os", "aruba_wlc aosw"),
        ("fortinet", "fortios fortinet_fortios fortigate"),
        ("paloalto_panos", "panos"),
        ("checkpoint_gaia", "gaia gaiaos"),
        ("f5_tmsh", "f5_ltm"),
        ("mikrotik_routeros", "routeros mikrotik"),
        ("nokia_sros", "sros alcatel_sros srosmd"),
        ("nokia_srl", "srlinux nokia_srlinux"),
        ("vyos", "vyatta_vyos vyos_vyos brocade_vyos"),
        ("ubiquiti_edgerouter", "edgeos"),
        ("ubiquiti_edgeswitch", "edgeswitch ubiquiti_edge"),
        ("extreme_exos", "extreme exos xos"),
        ("extreme_vsp", "avaya_vsp voss"),
        ("extreme_ers", "avaya_ers"),
        ("extreme_slx", "slxos extreme_slxos brocade_vdx"),
        ("ruckus_fastiron", "brocade_fastiron fastiron"),
        ("extreme_netiron", "brocade_netiron ironware"),
        ("dell_os10", "os10"),
        ("dell_force10", "dell_os9 dell_dnos9 dnos"),
        ("dell_os6", "dell_emc dell_powerconnect powerconnect"),
        ("dell_sonic", "dell_enterprisesonic edgecore_sonic asterfusion_asternos"),
        ("cumulus_linux", "cumulus"),
        ("mellanox_mlnxos", "mellanox mlnxos"),
        ("allied_telesis_awplus", "awplus"),
        ("alcatel_aos", "aos7"),
        ("ruijie_os", "ruijie_rgos"),
        ("ciena_saos", "ciena_saos10"),
        ("eltex", "eltex_esr"),
        ("netgear_prosafe", "netgear"),
        ("tplink_jetstream", "tplink"),
        ("hillstone_stoneos", "stoneos"),
        ("ipinfusion_ocnos", "ocnos"),
        ("frr", "frrouting vtysh"),
        ("generic", "generic Generic"),
    ];
    for (name, others) in same {
        for other in others.split(' ') {
            let found = REGISTRY.find(other).map(|platform| platform.name());
            assert_eq!(found, Some(name), "{other}");
        }
    }
}

#[test]
fn templates_are_looked_for_under_the_name_they_have() {
    let cases = [
        ("cisco_xe", Some("cisco_ios")),
        ("huawei", Some("huawei_vrp")),
        ("nokia_sros", Some("alcatel_sros")),
        ("extreme_slx", Some("extreme_slxos")),
        ("vyos", Some("vyatta_vyos")),
        ("cumulus_linux", Some("linux")),
        ("cisco_wlc", Some("cisco_wlc_ssh")),
        ("frr", None),
        ("generic", None),
    ];
    for (name, want) in cases {
        assert_eq!(REGISTRY.find(name).unwrap().ntc(), want, "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_upsets_a_platform(text in "\\PC{0,80}", lines in "(?s).{0,200}", which in 0..EMBEDDED.len()) {
        let platform = REGISTRY.iter().nth(which).unwrap();
        for text in [&text, &lines] {
            let _ = platform.prompts().classify(text);
            let _ = platform.errors().find(text);
            let _ = platform.output().strip(text.clone());
            let start = platform.pager().and_then(|pager| pager.matches(text)).map(|hit| hit.start);
            prop_assert!(start.is_none_or(|start| text.is_char_boundary(start)));
        }
    }

    #[test]
    fn blanks_around_a_line_do_not_matter(name in "[a-z][a-z0-9.-]{0,200}", before in " {0,3}", behind in " {0,3}") {
        let platform = REGISTRY.find("cisco_ios").unwrap();
        let line = format!("{before}{name}#{behind}");
        let want = Tail::Operational { mode: Mode::Privileged, name: &name };
        prop_assert_eq!(platform.prompts().classify(&line), want);
    }
}
