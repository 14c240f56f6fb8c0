//! The gate's own tests: tables for the translations, properties for everything else.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::platform::Registry;

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::embedded().unwrap())
}

fn gate(os: &str, text: &str) -> Result<CheckedCommand, Refusal> {
    let input = CommandInput {
        text,
        pipe_option: None,
        pipe_value: None,
        filter_where: FilterWhere::Device,
    };
    check(registry().find(os).unwrap(), &CommandPolicy::default(), &input)
}

fn with_option(
    os: &str,
    text: &str,
    option: FilterKind,
    value: &str,
) -> Result<CheckedCommand, Refusal> {
    let input = CommandInput {
        text,
        pipe_option: Some(option),
        pipe_value: Some(value),
        filter_where: FilterWhere::Device,
    };
    check(registry().find(os).unwrap(), &CommandPolicy::default(), &input)
}

#[test]
fn the_longest_value_is_as_long_in_the_quotes_that_it_is_put_into() {
    let mut n_quoted = 0;
    for platform in registry().iter() {
        for (length, is_taken) in [(256, true), (257, false)] {
            let value = format!("a b{}", "c".repeat(length - 3));
            let verb = platform.reads().verbs.first().map_or("", |verb| verb.word.as_str());
            let text = format!("{verb} x | inclu {value}");
            let ask = |text: &str| gate(platform.name(), text);
            let Ok(checked) = ask(&text) else { continue };
            assert!(is_taken, "{}: {text}", platform.name());
            let line = checked.line().as_str();
            n_quoted += usize::from(line.contains('"'));
            let again = ask(line).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"));
            assert_eq!(again.line(), checked.line());
        }
    }
    assert!(n_quoted > 3, "{n_quoted}");
}

#[test]
fn a_neutral_filter_is_put_into_the_devices_words_or_left_to_the_service() {
    use FilterKind::{Begin, Count, Exclude, Include, Section};
    use FilteredBy::{Device, Service};
    let cases = [
        ("ios", Include, "Gi0/1", "show x | include Gi0/1", Device),
        ("ios", Section, "router bgp", "show x | section router bgp", Device),
        ("ios", Include, "a | b", "show x", Service),
        ("ios", Include, "up|down", "show x | include up|down", Device),
        ("junos", Include, "ge-0/0/0", "show x | match ge-0/0/0", Device),
        ("junos", Include, "up|down", "show x | match \"up|down\"", Device),
        ("junos", Exclude, "not this", "show x | except \"not this\"", Device),
        ("junos", Begin, "inet", "show x | find inet", Device),
        ("junos", Section, "interfaces", "show x", Service),
        ("junos", Count, "up", "show x", Service),
        ("nxos", Include, "permit tcp", "show x | include \"permit tcp\"", Device),
        ("nxos", Include, "it's", "show x", Service),
        ("asa", Section, "x", "show x", Service),
        ("panos", Include, "up", "show x | match up", Device),
        ("panos", Begin, "up", "show x", Service),
        ("fortinet", Include, "wan1", "show x | grep wan1", Device),
        ("fortinet", Include, "-f", "show x", Service),
        ("frr", Exclude, "x", "show x", Service),
        ("vyos", Include, "eth0", "show x | match eth0", Device),
        ("vyos", Include, "a|b", "show x", Service),
        ("dell_os10", Exclude, "down", "show x | except down", Device),
        ("generic", Include, "x", "show x", Service),
        ("eos", Count, "x", "show x", Service),
    ];
    for (os, option, value, line, by) in cases {
        let checked = with_option(os, "show x", option, value)
            .unwrap_or_else(|no| panic!("{os} {value}: {no}"));
        assert_eq!(checked.line().as_str(), line, "{os} {value}");
        assert_eq!(checked.filtered_by(), Some(by), "{os} {value}");
        assert_eq!(
            checked.display(),
            format!("show x | {} {value}", option.word()),
            "{os} {value}"
        );
        // Written inline a plain value gives the same line; blanks and bars mean there what they mean on the device.
        if !value.contains(['|', ' ', '\'', '-']) {
            let inline = gate(os, &format!("show x | {} {value}", option.word())).unwrap();
            assert_eq!(inline.line(), checked.line(), "{os} {value}");
            assert_eq!(inline.filtered_by(), checked.filtered_by(), "{os} {value}");
        }
    }
}

#[test]
fn a_pattern_that_the_device_would_read_in_another_way_is_the_services() {
    use FilterKind::{Begin, Exclude, Include};
    let cases = [
        ("nokia_sros", Include, "Up", "show x | match Up"),
        ("nokia_sros", Include, "Oper State", "show x | match \"Oper State\""),
        ("nokia_sros", Include, "Up|Down", "show x"),
        ("nokia_sros", Include, "^1/1", "show x"),
        ("nokia_sros", Include, "1/1/.", "show x"),
        ("fortinet", Include, "^port1", "show x | grep ^port1"),
        ("fortinet", Include, "port1|port2", "show x"),
        ("fortinet", Include, "port[0-9]+", "show x"),
        ("nokia_srl", Include, "(up|down)", "show x"),
        ("nokia_srl", Include, "10.0.0.*up", "show x | grep 10.0.0.*up"),
        ("dell_os10", Include, r"1\.1", "show x"),
        ("dell_os10", Exclude, "up|down", "show x"),
        ("dell_os10", Begin, "(a)", "show x"),
    ];
    for (os, option, value, line) in cases {
        let checked = with_option(os, "show x", option, value).unwrap();
        assert_eq!(checked.line().as_str(), line, "{os} {value}");
        assert_eq!(checked.is_filtered_here(), line == "show x", "{os} {value}");
        let inline = gate(os, &format!("show x | {} {value}", option.word())).unwrap();
        assert_eq!(inline.line(), checked.line(), "{os} {value}");
    }
    let typed = "show port | match \"Up|Down\" expression";
    assert_eq!(gate("nokia_sros", typed).unwrap().line().as_str(), typed);
    // The service has no such option: without it the lines would be the others.
    let refused = gate("nokia_sros", "show port | match invert-match Up|Down").unwrap_err();
    assert_eq!(refused.rule(), Rule::FilterArgument);
}

#[test]
fn a_bar_inside_an_expression_is_of_an_as_path_or_is_refused() {
    let platforms = ["ios", "xe", "nxos", "eos", "xr", "junos", "asa"];
    for expression in [
        "^65000_(65001|65002)$",
        "_(100|200)_",
        "^(65000|65001)_[0-9]+$",
        "(_100_|_(200|30[0-9])_)",
        "(64496|64497)(1|2)",
        "(65000.1|65001.2)+",
    ] {
        for command in ["show ip bgp regexp", "show route aspath-regex", "show bgp reg"] {
            for os in platforms {
                let text = format!("{command} {expression}");
                let checked = gate(os, &text).unwrap_or_else(|no| panic!("{os} {text}: {no}"));
                assert_eq!((checked.line().as_str(), checked.base()), (&*text, &*text), "{os}");
                let filtered = format!("{text} | include 1");
                assert_eq!(gate(os, &filtered).unwrap().base(), text, "{os}");
            }
        }
    }
    for expression in [
        "(1|vsh)",
        "(1|sed -n w x)",
        "(|reboot",
        "(1|bash sudo reboot)",
        "(1|save evil)",
        "(1|file x)",
        "(1|redirect x)",
        "(1|include x)",
        "((1|2)|vsh)",
        "(1|2)(3|vsh)",
        "(1|2)|vsh",
        "([1|2)]",
        "(1|2",
        "(1 (2|3)",
        "( 1|2 )",
        "(a(1|2)",
    ] {
        for word in ["regexp", "reg", "quo", "asp", "REGEXP"] {
            for os in platforms {
                let text = format!("show ip bgp {word} {expression}");
                assert!(gate(os, &text).is_err(), "{os} {text}");
            }
        }
    }
    // Where quotes are letters, what stands between them is held to the same.
    let quoted = "show ip bgp quote-regexp \"^(64496 1|64497)_\"";
    assert!(gate("ios", quoted).is_ok());
    for text in ["\"1|redirect x\"", "\"(1|vsh)\"", "\"(1|2)"] {
        assert!(gate("ios", &format!("show ip bgp quote-regexp {text}")).is_err(), "{text}");
    }
    assert!(gate("nxos", "show ip bgp regexp \"(a|b)\"").is_ok());
}

#[test]
fn quotes_and_backslashes_hide_no_word_on_any_platform() {
    for platform in registry().iter() {
        let reads = platform.reads();
        let Some(verb) = reads.verbs.first().filter(|verb| verb.word != "print") else { continue };
        let off = reads.off.iter().map(String::as_str);
        for word in off.chain(["clear", "to-file", "clear-on-read"]) {
            let mut spellings =
                vec![format!("\"{word}\""), format!("'{word}'"), format!("\"{word} x\"")];
            for at in 0..=word.len() {
                let (head, tail) = word.split_at(at);
                for hidden in ["\"\"", "''", "\\", "\"", "'"] {
                    spellings.push(format!("{head}{hidden}{tail}"));
                    spellings.push(format!("{hidden} {word}"));
                }
                for quote in ['"', '\''] {
                    spellings.push(format!("{head}{quote}{tail}{quote}"));
                    spellings.push(format!("{quote}{head}{quote}{tail}"));
                }
            }
            for spelling in spellings {
                let verb = if reads.shape == crate::platform::Shape::ObjectFirst {
                    format!("port {}", verb.word)
                } else {
                    verb.word.clone()
                };
                let text = format!("{verb} {spelling}");
                assert!(gate(platform.name(), &text).is_err(), "{} {text}", platform.name());
            }
        }
        // What stands in quotes of its own, and is nothing to hide, is sent as it is.
        let verb = &verb.word;
        for text in [format!("{verb} x \"foo bar\""), format!("{verb} x name=\"foo bar\" y")] {
            let checked = gate(platform.name(), &text);
            let line = checked.as_ref().map(|checked| checked.line().as_str());
            assert_eq!(line, Ok(&*text), "{}", platform.name());
        }
    }
}

#[test]
fn a_bar_in_single_quotes_reaches_no_device_that_may_not_know_them() {
    let cases = [
        ("nxos", "show x | egrep 'a|b'", "show x"),
        ("nxos", "show x | egrep -v 'a | b'", "show x"),
        ("xr", "show x | utility egrep '(a|b)' | utility egrep -v c", "show x"),
        ("eos", "show x | grep -i 'a|reboot|b' | no-more", "show x"),
        ("junos", "show x | match b | match 'a | x'", "show x | match b"),
        ("eos", "show x | grep -A 1 \"a|b\"", "show x | grep -A 1 \"a|b\""),
        ("eos", "show x | grep -A 1 '\"a\"'", "show x | grep -A 1 '\"a\"'"),
        ("vyos", "show x | match 'a|b'", "show x | match 'a|b'"),
    ];
    for (os, text, line) in cases {
        let checked = gate(os, text).unwrap_or_else(|no| panic!("{os} {text}: {no}"));
        assert_eq!(checked.line().as_str(), line, "{os} {text}");
    }
    let both = gate("xr", "show x | utility egrep -i '(A|b)' | utility egrep -v c").unwrap();
    assert_eq!(both.apply_service_filters("a\na c\nB\nd\n", &|| false).unwrap(), "a\nB\n");
    for (os, text, rule, position) in [
        ("eos", "show x | grep -A 1 'a|b'", Rule::FilterArgument, 14),
        ("eos", "show 'a|b'", Rule::ForbiddenCharacter, 7),
        ("generic", "show x \"a | redirect y\"", Rule::ForbiddenCharacter, 10),
        ("nxos", "show x | match '\"a'", Rule::ForbiddenCharacter, 15),
        ("nxos", "show x | include \"a\\\" | vsh\"", Rule::ForbiddenCharacter, 19),
        ("xr", "show x | include 'a | file disk0:x'", Rule::Filter, 17),
        ("dell_os10", "show x | grep 'a | save b'", Rule::Filter, 14),
    ] {
        let refusal = gate(os, text).unwrap_err();
        assert_eq!((refusal.rule(), refusal.position()), (rule, position), "{os} {text}");
    }
    // With a backslash at its end a value would keep the quotes round it from ending.
    assert!(with_option("nxos", "show x", FilterKind::Include, "a |vsh \\").is_err());
}

#[test]
fn a_word_of_the_platform_that_does_more_than_read_is_refused_however_short_it_is() {
    let beginnings = |word: &str, least: usize| -> Vec<String> {
        (least..=word.len()).map(|end| word.get(..end).unwrap().to_owned()).collect()
    };
    for word in beginnings("test", 1) {
        assert!(gate("fortinet", &format!("get {word} dnsproxy 1")).is_err(), "{word}");
    }
    for word in beginnings("host", 1) {
        assert!(gate("junos", &format!("show {word} example.net")).is_err(), "{word}");
    }
    for word in beginnings("sqlite", 1) {
        assert!(gate("eos", &format!("show event {word} select 1")).is_err(), "{word}");
    }
    for word in beginnings("-clearstats", 2) {
        for text in [format!("{word} full"), format!("{word}=full"), format!("-{word} full")] {
            assert!(gate("netscaler", &format!("stat interface {text}")).is_err(), "{text}");
        }
    }
    for word in beginnings("clear", 1) {
        assert!(gate("xe", &format!("show platform x {word}")).is_err(), "{word}");
    }
    for word in beginnings("running-config", 1) {
        for (rest, passes) in [
            ("", true),
            (" all", true),
            (" al | include x", true),
            (" interface 0/1", true),
            (" all interface 0/1", true),
            (" x.scr", false),
            (" all x", false),
            (" a \"x.scr\"", false),
        ] {
            for os in ["netgear_prosafe", "ubiquiti_edgeswitch", "dell_os6"] {
                let text = format!("show {word}{rest}");
                assert_eq!(gate(os, &text).is_ok(), passes, "{os} {text}");
            }
        }
    }
    for command in [
        "ping",
        "telnet",
        "ssh",
        "traceroute",
        "dns-lookup",
        "system shell",
        "configuration save",
        "configuration x",
    ] {
        let whole = command.len();
        let (_, last) = command.rsplit_once(' ').unwrap_or(("", command));
        for least in (if last == "x" { 1 } else { 2 })..=last.len() {
            let path = command.get(..whole - last.len() + least).unwrap();
            assert!(gate("ciena_saos", &format!("{path} show")).is_err(), "{path}");
        }
    }
    let hint = gate("dell_os6", "show run x.scr").unwrap_err().to_string();
    assert!(hint.contains("here stands only all or interface"), "{hint}");
}

#[test]
fn inline_neutral_words_work_on_every_platform_that_shows() {
    for platform in
        registry().iter().filter(|one| one.reads().verbs.iter().any(|verb| verb.word == "show"))
    {
        if platform.reads().shape != crate::platform::Shape::VerbFirst {
            continue;
        }
        for option in FilterKind::ALL {
            let text = format!("show x | {} abc", option.word());
            let checked = gate(platform.name(), &text);
            assert!(checked.is_ok(), "{} {text}: {checked:?}", platform.name());
            assert!(
                with_option(platform.name(), "show x", option, "abc").is_ok(),
                "{}",
                platform.name()
            );
        }
    }
}

#[test]
fn a_filter_behind_one_of_the_service_is_the_services_too() {
    let checked = gate("junos", "show x | section a | match b | no-more").unwrap();
    assert_eq!(checked.line().as_str(), "show x");
    assert_eq!(checked.apply_service_filters("a b\n a\nc\n", &|| false).unwrap(), "a b\n");
    let refused = gate("junos", "show x | section a | last 5").unwrap_err();
    assert_eq!(refused.rule(), Rule::FilterOrder);
    let both = gate("junos", "show x | match a | section b").unwrap();
    assert_eq!(both.line().as_str(), "show x | match a");
    assert_eq!(both.filtered_by(), Some(FilteredBy::Service));
}

#[test]
fn a_count_behind_a_filter_of_the_service_counts_what_that_left() {
    for (os, text) in [
        ("junos", "show x | match a|b | count"),
        ("nxos", "show x | include a|b | count"),
        ("sros", "show x | include a | count"),
        ("vyos", "show x | grep a | count"),
        ("aoscx", "show x | include a|b | count"),
        ("viptela", "show x | include a|save x | count"),
    ] {
        assert!(gate(os, text).is_ok(), "{os} {text}");
        let input = CommandInput {
            text,
            pipe_option: None,
            pipe_value: None,
            filter_where: FilterWhere::Service,
        };
        let platform = registry().find(os).unwrap();
        let checked = check(platform, &CommandPolicy::default(), &input).unwrap();
        assert_eq!(checked.line().as_str(), "show x", "{os} {text}");
        let counted = checked.apply_service_filters("a\nc\na x\n", &|| false).unwrap();
        assert_eq!(counted, "Number of lines which match regexp = 2\n", "{os} {text}");
    }
    let on_device = gate("viptela", "show x | count").unwrap();
    assert_eq!(on_device.line().as_str(), "show x | count");
}

#[test]
fn a_device_that_filters_once_gets_the_first_filter_and_the_service_has_the_rest() {
    let output = "a up\nb up una\n";
    for os in ["ios", "iosxe", "asa", "comware", "generic", "ruckus_fastiron"] {
        let verb = if os == "comware" { "display" } else { "show" };
        let checked = gate(os, &format!("{verb} x | include up | exclude una")).unwrap();
        assert_eq!(checked.filtered_by(), Some(FilteredBy::Service), "{os}");
        let line = checked.line().as_str();
        assert!(!line.contains("una"), "{os} {line}");
        assert_eq!(checked.apply_service_filters(output, &|| false).unwrap(), "a up\n", "{os}");
    }
    let behind = with_option("ios", "show x | section a", FilterKind::Include, "b").unwrap();
    assert_eq!(behind.line().as_str(), "show x | section a");
    let huawei = gate("huawei", "display x | include up | no-more").unwrap();
    assert_eq!(huawei.line().as_str(), "display x | include up");
    let nxos = gate("nxos", "show x | include up | exclude una").unwrap();
    assert_eq!(nxos.line().as_str(), "show x | include up | exclude una");
}

#[test]
fn a_pattern_that_reads_like_a_filter_behind_a_bar_reaches_no_device() {
    for (os, text) in [
        ("ios", "show run | include a|redirect x"),
        ("ios", "show run | include \"a|redirect x\""),
        ("viptela", "show run | include a|save x"),
        ("aoscx", "show run | count a|tee x y"),
        ("slx", "show run | include line protocol|input rate"),
    ] {
        let checked = gate(os, text).unwrap();
        assert_eq!(checked.line().as_str(), "show run", "{os} {text}");
        assert_eq!(checked.filtered_by(), Some(FilteredBy::Service));
    }
    let neutral = with_option("ios", "show run", FilterKind::Include, "a|save x").unwrap();
    assert_eq!(neutral.line().as_str(), "show run");
    let words = gate("ios", "show run | include line protocol|errors").unwrap();
    assert_eq!(words.line().as_str(), "show run | include line protocol|errors");
}

#[test]
fn what_would_start_a_program_should_the_device_be_a_unix_is_sent_in_other_words() {
    let ver = gate("ios", "sh ver").unwrap();
    assert_eq!((ver.line().as_str(), ver.display(), ver.base()), ("show ver", "sh ver", "sh ver"));
    let line = |os, text| gate(os, text).unwrap().line().as_str().to_owned();
    assert_eq!(line("ios", "Sh ver | inc x"), "show ver | inc x");
    assert_eq!(line("xr", "admin sh ver"), "admin show ver");
    assert_eq!(line("ios", "show sh"), "show sh");
    for value in ["-delete", "\"-delete\""] {
        let here = gate("junos", &format!("show version | find {value}")).unwrap();
        assert_eq!(here.line().as_str(), "show version");
        assert_eq!(
            here.apply_service_filters("a\nb -delete\nc\n", &|| false).unwrap(),
            "b -delete\nc\n"
        );
    }
    for os in ["junos", "force10"] {
        let begin = with_option(os, "show version", FilterKind::Begin, "-delete").unwrap();
        assert_eq!(begin.line().as_str(), "show version", "{os}");
    }
    // What the operator has allowed is sent as he wrote it.
    let allowed =
        CommandPolicy::parse(&[], &["ios: sh tech".to_owned()], Some(registry())).unwrap();
    let input = CommandInput {
        text: "sh tech",
        pipe_option: None,
        pipe_value: None,
        filter_where: FilterWhere::Device,
    };
    assert_eq!(
        check(registry().find("ios").unwrap(), &allowed, &input).unwrap().line().as_str(),
        "sh tech"
    );
}

#[test]
fn a_pattern_that_a_unix_would_run_a_part_of_is_the_services() {
    for (os, text, sent) in [
        ("ios", "show version | include x|reboot", "show version"),
        ("ios", "show version | include x|(y)", "show version"),
        ("ios", "show version | include x|./y", "show version"),
        ("ios", "show version | include up|down", "show version | include up|down"),
        ("ios", "show run | include ^ip|^Gi0/1|2/0", "show run | include ^ip|^Gi0/1|2/0"),
        (
            "ios",
            "show interfaces | include (errors|drops)",
            "show interfaces | include (errors|drops)",
        ),
        // No expression either.
        ("junos", "show version | find {/home,-delete}", ""),
        ("junos", "show version | match {", "show version | match {"),
        ("nxos", "show version | grep {-r,.,/etc}", ""),
        // Only `find` is a program.
        ("sros", "show log | match -65 ignore-case", "show log | match -65 ignore-case"),
        ("junos", "show log | match -65", "show log | match -65"),
    ] {
        let line = gate(os, text).map_or(String::new(), |one| one.line().as_str().to_owned());
        assert_eq!(line, sent, "{text}");
    }
    let here = gate("ios", "show version | include x|reboot").unwrap();
    assert_eq!(here.apply_service_filters("a\nreboot\nx\n", &|| false).unwrap(), "reboot\nx\n");
    let option = with_option("ios", "show version", FilterKind::Include, "x|reboot").unwrap();
    assert_eq!(option.line().as_str(), "show version");
}

#[test]
fn a_dollar_at_the_end_of_a_word_is_a_letter_to_a_shell_too() {
    for (text, passes) in [
        ("show ip bgp regexp _64496$", true),
        ("show ip bgp regexp ^65000$ | include x", true),
        ("show ip bgp $x", false),
        ("show ip bgp \"x$\"", false),
        ("show cdp entry *", false),
    ] {
        assert_eq!(gate("generic", text).is_ok(), passes, "{text}");
    }
}

#[test]
fn a_short_word_of_every_platform_reaches_the_device_in_full_or_not_at_all() {
    for (os, text, line) in [
        ("aoscx", "show run | i vlan", "show run | include vlan"),
        ("nxos", "show run | ex vlan", "show run | exclude vlan"),
        ("generic", "show run | b vlan", "show run"),
        ("vyos", "show x | grep -i vlan", "show x"),
        ("ios", "show run | i vlan", "show run | i vlan"),
    ] {
        assert_eq!(gate(os, text).unwrap().line().as_str(), line, "{os} {text}");
    }
}

#[test]
fn what_drops_no_lines_is_no_filter() {
    for (os, text) in [
        ("nxos", "show version | json"),
        ("junos", "show x | display set | no-more"),
        ("eos", "show x | no-more"),
    ] {
        let checked = gate(os, text).unwrap();
        assert_eq!((checked.filtered_by(), checked.line().as_str()), (None, text));
        assert_eq!(checked.base(), text.split(" |").next().unwrap());
    }
}

#[test]
fn a_refusal_names_rule_place_and_the_allowed_way() {
    let cases = [
        ("ios", "reload", Rule::ReadVerb, 0, "begin with `show`"),
        (
            "ios",
            "show run | redirect flash:x",
            Rule::Filter,
            11,
            "use include, exclude, begin, section, count",
        ),
        (
            "ios",
            "show int | include line protocol | input rate",
            Rule::Filter,
            35,
            "bars in a pattern stand without blanks",
        ),
        ("ios", "do show version", Rule::ReadVerb, 0, "leave out what stands before the verb"),
        ("routeros", "/ip address", Rule::ReadVerb, 0, "give a path and then `print`"),
        ("ios", "show version ; reload", Rule::ForbiddenCharacter, 13, "one of its own"),
        ("ios", "show ip ?", Rule::ForbiddenCharacter, 8, "write the command out"),
        ("ios", "show run > x", Rule::ForbiddenCharacter, 9, "in the answer"),
        ("ios", "show run `x`", Rule::ForbiddenCharacter, 9, "never sent to a device (rule"),
        ("ios", "show version\nshow clock", Rule::PrintableAscii, 12, "without line ends"),
        ("ios", "show tech-support", Rule::OffByDefault, 5, "operator can allow it"),
        ("ios", "show platform x clear", Rule::ArgumentWrites, 16, "clears"),
        ("ios", "show version\u{85}", Rule::PrintableAscii, 12, "printable ASCII"),
        ("ios", "show run | include", Rule::FilterArgument, 18, "needs a value"),
        ("nxos", "show run | grep x /etc/passwd", Rule::FilterArgument, 16, "exactly one value"),
        ("junos", "show log messages | match \"a", Rule::Quotes, 26, "does not end"),
        ("asa", "show run file flash:x", Rule::FileOrUrl, 14, "names a file"),
        ("linux", "reboot", Rule::ReadVerb, 0, "allowed are: ip address show"),
    ];
    for (os, text, rule, position, words) in cases {
        let refusal = gate(os, text).unwrap_err();
        assert_eq!((refusal.rule(), refusal.position()), (rule, position), "{text}: {refusal}");
        assert!(refusal.to_string().contains(words), "{text}: {refusal}");
    }
}

#[test]
fn the_operator_can_deny_more_and_allow_what_is_off_but_never_widen_the_gate() {
    let policy = |deny: &[&str], allow: &[&str]| {
        let owned = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        CommandPolicy::parse(&owned(deny), &owned(allow), Some(registry()))
    };
    let verdict = |policy: &CommandPolicy, os: &str, text: &str| {
        let input = CommandInput {
            text,
            pipe_option: None,
            pipe_value: None,
            filter_where: FilterWhere::Device,
        };
        check(registry().find(os).unwrap(), policy, &input).is_ok()
    };
    let strict =
        policy(&["show running-config*", "asa: show crypto*", "show inventory"], &[]).unwrap();
    for (os, text, want) in [
        ("ios", "show running-config", false),
        ("ios", "sh run", false),
        ("ios", "show run interface Gi0/1", false),
        ("ios", "show run | include x", false),
        ("ios", "SHOW  RUN", false),
        ("asa", "show crypto ipsec sa", false),
        ("ios", "show crypto ipsec sa", true),
        ("ios", "show inventory", false),
        ("ios", "show inventory all", true),
        ("ios", "show version", true),
    ] {
        assert_eq!(verdict(&strict, os, text), want, "{os} {text}");
    }
    let open = policy(&[], &["ios: show tech-support", "ping 192.0.2.1"]).unwrap();
    for (os, text, want) in [
        ("ios", "show tech-support", true),
        ("ios", "show tech-support ospf", false),
        ("nxos", "show tech-support", false),
        ("nxos", "ping 192.0.2.1", true),
        ("nxos", "ping 192.0.2.2", false),
        ("ios", "show tech-support | redirect flash:x", false),
    ] {
        assert_eq!(verdict(&open, os, text), want, "{os} {text}");
    }
    for bad in
        ["reload ; reload", "show x | redirect flash:y", "show\nreload", "", "show*", "copy a > b"]
    {
        assert!(policy(&[], &[bad]).is_err(), "{bad:?}");
    }
}

fn platforms() -> impl Strategy<Value = &'static str> {
    let names: Vec<&'static str> = registry().iter().map(|platform| platform.name()).collect();
    prop::sample::select(names)
}

fn lines() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("show ".to_owned()),
        Just("display ".to_owned()),
        Just("get ".to_owned()),
        Just("print ".to_owned()),
        Just(" | ".to_owned()),
        Just("|".to_owned()),
        Just("include ".to_owned()),
        Just("match ".to_owned()),
        Just("grep -v ".to_owned()),
        Just("\"".to_owned()),
        Just("redirect flash:x".to_owned()),
        Just("utility egrep ".to_owned()),
        "[ -~]{0,12}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_is_one_short_line_of_printable_ascii_and_stays_accepted(
        os in platforms(), text in lines(),
    ) {
        if let Ok(checked) = gate(os, &text) {
            let line = checked.line().as_str();
            prop_assert!(line.len() <= MOST_BYTES && !line.is_empty());
            prop_assert!(line.bytes().all(|b| (0x20..=0x7e).contains(&b)));
            prop_assert!(!line.contains([';', '`', '<', '>', '&', '?']));
            prop_assert_eq!(line.trim_matches(' '), line);
            // The accepted line, asked again, is accepted and is the same line.
            let again = gate(os, line);
            prop_assert_eq!(again.as_ref().map(CheckedCommand::line), Ok(checked.line()), "{:?}", again);
        }
    }

    #[test]
    fn no_text_and_no_value_makes_it_panic(os in platforms(), text in any::<String>(), value in any::<String>()) {
        let _ = gate(os, &text);
        for option in FilterKind::ALL {
            let _ = with_option(os, "show x", option, &value);
        }
    }

    #[test]
    fn a_filter_value_never_becomes_a_stage_of_its_own(os in platforms(), value in "[ -~]{1,40}") {
        for option in FilterKind::ALL {
            if let Ok(checked) = with_option(os, "show x", option, &value) {
                let platform = registry().find(os).unwrap();
                let (base, stages) = pipe::split(checked.line().as_str(), platform.reads().quotes).unwrap();
                prop_assert_eq!(base, "show x");
                prop_assert!(stages.len() <= 1, "{}", checked.line().as_str());
            }
        }
    }
}
