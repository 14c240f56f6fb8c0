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
    option: PipeOption,
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
    use FilteredBy::{Device, Service};
    use PipeOption::{Begin, Count, Exclude, Include, Section};
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
fn inline_neutral_words_work_on_every_platform_that_shows() {
    for platform in
        registry().iter().filter(|one| one.reads().verbs.iter().any(|verb| verb.word == "show"))
    {
        if platform.reads().shape != crate::platform::Shape::VerbFirst {
            continue;
        }
        for option in PipeOption::ALL {
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
    assert_eq!(checked.apply_service_filters("a b\n a\nc\n"), "a b\n");
    let refused = gate("junos", "show x | section a | last 5").unwrap_err();
    assert_eq!(refused.rule(), Rule::FilterOrder);
    let both = gate("junos", "show x | match a | section b").unwrap();
    assert_eq!(both.line().as_str(), "show x | match a");
    assert_eq!(both.filtered_by(), Some(FilteredBy::Service));
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
        CommandPolicy::parse(&owned(deny), &owned(allow))
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
        for option in PipeOption::ALL {
            let _ = with_option(os, "show x", option, &value);
        }
    }

    #[test]
    fn a_filter_value_never_becomes_a_stage_of_its_own(os in platforms(), value in "[ -~]{1,40}") {
        for option in PipeOption::ALL {
            if let Ok(checked) = with_option(os, "show x", option, &value) {
                let platform = registry().find(os).unwrap();
                let (base, stages) = pipe::split(checked.line().as_str(), platform.reads().quotes).unwrap();
                prop_assert_eq!(base, "show x");
                prop_assert!(stages.len() <= 1, "{}", checked.line().as_str());
            }
        }
    }
}
