//! Which template is chosen for which command, and what becomes of its records. Without the packed library: the
//! index here is our own.

use std::fs;

use serde_json::{Value, json};

use super::{
    CONFIG_TREE, Catalog, Match, Os,
    index::Index,
    read_tree,
    shelf::{Shelf, Shelves},
};
use crate::platform::Registry;

const INDEX: &str = "Template, Hostname, Platform, Command

ios_show_interfaces_status.textfsm, .*, ios, sh[[ow]] int[[erfaces]](?: (?:\\S+))? st[[atus]]
ios_show_interfaces.textfsm, .*, ios, sh[[ow]] int[[erfaces]](?: (?:\\S+))?
ios_show_ip_interface_brief.textfsm, .*, ios, sh[[ow]] ip int[[erface]] br[[ief]]
ios_show_ip_interface.textfsm, .*, ios, sh[[ow]] ip int[[erface]]
ios_show_ip_route_summary.textfsm, .*, ios, sh[[ow]] ip ro[[ute]] sum[[mary]]
ios_show_ip_route.textfsm, .*, ios, sh[[ow]] ip ro[[ute]]
ios_show_ipv6_route.textfsm, .*, ios, sh[[ow]] ipv6 ro[[ute]]
ios_show_vlans.textfsm, .*, ios, sh[[ow]] vlans
ios_show_vlan.textfsm, .*, ios, sh[[ow]] vlan
ios_show_flow_toptalkers.textfsm, .*, ios, sh[[ow]] flow top[[-talkers]]
ios_show_port-security_interface_interface.textfsm, .*, ios, sh[[ow]] por[[t-security]] i[[nterface]] (\\S+)
ios_show_ip_cef.textfsm, .*, ios, sh[[ow]] ip cef-?[[table]]
ios_show_cef.textfsm, .*, ios, sh[[ow]] cef(?: vrf \\S+)?\\s*$
ios_show_running_inc_user.textfsm, .*, ios, sh[[ow]] run[[ning-config]] \\| i[[nclude]] user
ios_monitor.textfsm, .*, ios, [[/]]mon[[itor]] (\\S+) once
junos_show_version.textfsm, .*, (junos|vjunos), show version
";

fn shelf(platform: &str) -> std::sync::Arc<Shelf> {
    let (index, faults) = Index::parse(INDEX, 7);
    assert!(faults.is_empty(), "{faults:?}");
    Shelves::default().of(&index, &[platform.to_owned()])
}

#[test]
fn a_template_is_chosen_for_its_command_and_for_no_other() {
    use Match::{Abbreviated, Argument, Exact};
    let shelf = shelf("ios");
    let cases = [
        ("show interfaces", Some(("interfaces", Exact))),
        ("SHOW  Interfaces", Some(("interfaces", Exact))),
        ("sh int", Some(("interfaces", Abbreviated))),
        // Not of the index' own beginnings, but of the words themselves.
        ("show interf", Some(("interfaces", Abbreviated))),
        ("sho in", Some(("interfaces", Abbreviated))),
        ("show interfaces Gi0/1", Some(("interfaces", Exact))),
        ("show interfaces GigabitEthernet 0/1", Some(("interfaces", Argument))),
        ("show interfaces trunk", None),
        ("show interface trunk", None),
        ("show interface brief", None),
        ("show interfaces description", None),
        ("show interfaces | include up", None),
        ("show interfaces status", Some(("interfaces_status", Exact))),
        ("show interfaces Gi0/1 status", Some(("interfaces_status", Exact))),
        // A keyword follows: what is before it is a name, unless it is a keyword that we know.
        ("show interfaces mgmt status", Some(("interfaces_status", Exact))),
        ("show interfaces counters status", None),
        ("show port-security interface uplink", Some(("port-security_interface_interface", Exact))),
        ("show interfaces ipv6", None),
        ("show ip route vpnv4", None),
        ("show ip route vpnv4 vrf RED", None),
        ("show ip route vrf ipv6only", Some(("ip_route", Argument))),
        ("show ip cef-tab", Some(("ip_cef", Abbreviated))),
        ("show ip ceft", Some(("ip_cef", Abbreviated))),
        ("sh int stat", Some(("interfaces_status", Abbreviated))),
        ("sh ip int br", Some(("ip_interface_brief", Abbreviated))),
        ("show ip interface Vlan10", Some(("ip_interface", Argument))),
        ("show ip interface brief Vlan10", Some(("ip_interface_brief", Argument))),
        ("show ip route", Some(("ip_route", Exact))),
        ("show ip r", Some(("ip_route", Abbreviated))),
        ("show ip route 10.0.0.0 255.0.0.0", Some(("ip_route", Argument))),
        ("show ip route vrf RED", Some(("ip_route", Argument))),
        ("show ip route vrf RED 10.1.1.1", Some(("ip_route", Argument))),
        ("show ip route vrf", None),
        ("show ip route connected", None),
        ("show ip route vrf RED summary", None),
        ("show ip route 10.0.0.0 longer-prefixes", None),
        ("show ip route summary", Some(("ip_route_summary", Exact))),
        // An exact word beats the beginning of a longer one.
        ("show ip ro", Some(("ip_route", Abbreviated))),
        ("show ipv ro", Some(("ipv6_route", Abbreviated))),
        ("show vlan", Some(("vlan", Exact))),
        ("show vlan 10", Some(("vlan", Argument))),
        ("show vlans", Some(("vlans", Exact))),
        ("show vlan brief", None),
        // `vlan` or `vlans`.
        ("show vla", None),
        ("show flow toptalkers", Some(("flow_toptalkers", Exact))),
        ("show flow top-talkers", Some(("flow_toptalkers", Exact))),
        ("show cef", Some(("cef", Exact))),
        ("show cef vrf RED", Some(("cef", Exact))),
        ("sh cef vr RED", Some(("cef", Abbreviated))),
        ("show running-config | include user", Some(("running_inc_user", Exact))),
        ("show running-config", None),
        ("monitor ether1 once", Some(("monitor", Exact))),
        ("/monitor ether1 once", Some(("monitor", Exact))),
        ("show", None),
        ("", None),
        ("show version", None),
    ];
    for (command, want) in cases {
        let found = shelf.find(command).map(|found| (found.templates[0].clone(), found.chosen));
        let want = want.map(|(name, chosen)| {
            let verb = if name == "monitor" { "" } else { "show_" };
            (format!("ios_{verb}{name}.textfsm"), chosen)
        });
        assert_eq!(found, want, "{command:?}");
    }
}

#[test]
fn a_platforms_name_counts_whole() {
    for (platform, known) in
        [("junos", true), ("vjunos", true), ("junos_evo", false), ("jun", false)]
    {
        assert_eq!(!shelf(platform).is_empty(), known, "{platform}");
    }
}

fn own(files: &[(&str, &str)]) -> (tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let catalog = Catalog::open(Some(folder.path().to_owned())).unwrap();
    (folder, catalog)
}

fn read(catalog: &Catalog, os: &str, command: &str, output: &str) -> Result<Value, String> {
    let reading = catalog.read(&Os::new(os, None), command, None, output, false, &|| false);
    reading.parsed.map(|records| records.value()).ok_or_else(|| reading.error.unwrap())
}

const WORDS: &str = "Value Required NAME (\\w+)\nValue List Numbers (\\d+)\n\nStart\n ^${NAME} ${Numbers} -> Record\n ^. -> Error\n";

#[test]
fn own_templates_are_found_by_their_names() {
    let (_folder, catalog) = own(&[("acme_os_show_words.textfsm", WORDS)]);
    let want = json!([{"name": "a", "numbers": ["1"]}, {"name": "b", "numbers": ["2"]}]);
    assert_eq!(read(&catalog, "acme_os", "show words", "a 1\nb 2\n"), Ok(want.clone()));
    assert_eq!(read(&catalog, "ACME_OS", "sh wo", "a 1\nb 2\n"), Ok(want));
    let error = read(&catalog, "acme", "show words", "a 1\n").unwrap_err();
    assert!(
        error.starts_with("Parser not available: no template reads `show words` of acme;"),
        "{error}"
    );
}

/// The template's file; empty if there is none.
fn template_of(catalog: &Catalog, os: &str, command: &str) -> String {
    let parser = catalog.parser_of(&Os::new(os, None), command, None);
    parser.and_then(|parser| parser.template).unwrap_or_default()
}

const NAME: &str = "Value NAME (\\S+)\n\nStart\n ^${NAME} -> Record\n";

#[test]
fn a_name_behind_the_commands_last_word_is_an_argument_of_that_command() {
    let (_folder, catalog) = own(&[
        ("acme_os_show_bgp_summary.textfsm", NAME),
        ("acme_os_show_bgp_summary_vrf.textfsm", NAME),
        ("acme_os_show_policy-map.textfsm", NAME),
        ("acme_os_show_interface.textfsm", NAME),
        ("acme_os_show_vrf.textfsm", NAME),
        ("acme_os_show_vrf_interface.textfsm", NAME),
        ("acme_os_show_vrf_internal.textfsm", NAME),
    ]);
    for (command, want) in [
        ("show bgp summary", "acme_os_show_bgp_summary.textfsm"),
        ("show bgp summary vrf", "acme_os_show_bgp_summary_vrf.textfsm"),
        ("show bgp summary vrf RED", "acme_os_show_bgp_summary_vrf.textfsm"),
        ("show bgp summary vrf all", "acme_os_show_bgp_summary_vrf.textfsm"),
        ("show bgp summary vrf detail", ""),
        ("show policy-map RED", "acme_os_show_policy-map.textfsm"),
        ("show policy-map RED 10", "acme_os_show_policy-map.textfsm"),
        ("show policy-map interface", ""),
        ("show policy-map RED output", ""),
        ("show vrf inter", ""),
        ("show vrf in", ""),
        ("show vrf IN-1", "acme_os_show_vrf.textfsm"),
    ] {
        assert_eq!(template_of(&catalog, "acme_os", command), want, "{command}");
    }
}

/// Whoever writes `.*` into an index means anything; but not what has a template of its own.
#[test]
fn an_own_expression_is_believed_where_nothing_else_is_for_the_command() {
    let (_folder, catalog) = own(&[
        (
            "index",
            "Template, Hostname, Platform, Command\na.textfsm, .*, , sh[[ow]] zork( .*)?\nb.textfsm, .*, acme_os, sh[[ow]] zork plain\n\
             a.textfsm, .*, cisco_ios, show ver.*\nd, .*, acme_os, show d\n",
        ),
        ("a.textfsm", NAME),
        ("b.textfsm", NAME),
    ]);
    for (command, want) in [
        ("show zork", "a.textfsm"),
        ("show zork OUTSIDE", "a.textfsm"),
        ("show zork OUTSIDE b c", "a.textfsm"),
        ("show zork plain", "b.textfsm"),
        ("show zork pl", "b.textfsm"),
        ("show other", ""),
    ] {
        assert_eq!(template_of(&catalog, "acme_os", command), want, "{command}");
    }
    if catalog.library().is_some() {
        assert_eq!(
            template_of(&catalog, "cisco_ios", "show version"),
            "cisco_ios_show_version.textfsm"
        );
    }
    let broken: Vec<_> = catalog.broken().into_iter().map(|one| one.error).collect();
    assert_eq!(broken, ["the template d of `show d` is not read: its name must end in .textfsm"]);
}

#[test]
fn two_words_of_own_templates_make_the_librarys_abbreviation_none() {
    let (_folder, catalog) =
        own(&[("cisco_ios_show_version.textfsm", NAME), ("cisco_ios_show_versions.textfsm", NAME)]);
    let os = Os::new("cisco_ios", None);
    assert!(catalog.parser_of(&os, "show ver", None).is_none());
    assert!(catalog.parser_of(&os, "show version", None).is_some());
}

#[test]
fn keys_are_looked_for_where_there_are_rows_to_compare() {
    let index =
        "Template, Hostname, Platform, Command\none.textfsm:two.textfsm, .*, acme_os, show both\n";
    let one = "Value Key ID (\\d+)\n\nStart\n ^a ${ID} -> Record\n";
    let two = "Value B (\\w+)\n\nStart\n ^b ${B} -> Record\n";
    let (_folder, catalog) = own(&[("index", index), ("one.textfsm", one), ("two.textfsm", two)]);
    assert_eq!(read(&catalog, "acme_os", "show both", ""), Ok(json!([])));
    assert_eq!(read(&catalog, "acme_os", "show both", "a 1\n"), Ok(json!([{"id": "1", "b": ""}])));
    assert!(read(&catalog, "acme_os", "show both", "a 1\nb x\n").unwrap_err().contains("`ID`"));
}

#[test]
fn a_refusal_is_no_configuration() {
    let catalog = Catalog::open(None).unwrap();
    let registry = Registry::embedded().unwrap();
    let os = Os::new("ios", registry.find("ios"));
    let refused = "% Invalid input detected at '^' marker.\n";
    let reading = catalog.read(&os, "show running-config", None, refused, false, &|| false);
    assert_eq!(reading.parsed, None);
    assert!(reading.error.unwrap().contains("refused"));
}

/// A command's way to its table is no part of what it shows.
#[test]
fn a_template_is_found_behind_a_context_and_in_a_path_of_slashes() {
    let (_folder, catalog) = own(&[
        ("fortinet_get_system_words.textfsm", WORDS),
        ("mikrotik_routeros_ip_words_print_terse.textfsm", WORDS),
    ]);
    let registry = Registry::embedded().unwrap();
    let found = |os: &str, command: &str| {
        let os = Os::new(os, registry.find(os));
        catalog.parser_of(&os, command, None).and_then(|parser| parser.source)
    };
    for command in ["get system words", "sudo root get system words", "SUDO global get sys words"] {
        assert_eq!(found("fortinet", command), Some("own"), "{command}");
    }
    for command in ["sudo get system words", "sudo a b get system words", "sudo root"] {
        assert_eq!(found("fortinet", command), None, "{command}");
    }
    for command in ["ip words print terse", "ip/words/print terse", "ip/words print terse"] {
        assert_eq!(found("routeros", command), Some("own"), "{command}");
    }
}

/// `vlan` is a word of the library's, so it is no beginning of `vlans`.
#[test]
fn own_templates_do_not_take_the_librarys_words_for_beginnings_of_theirs() {
    let (_folder, catalog) = own(&[
        ("cisco_ios_show_vlans.textfsm", WORDS),
        ("cisco_ios_show_version.textfsm", WORDS),
        ("cisco_ios_show_wordlist.textfsm", WORDS),
    ]);
    let source = |command: &str| {
        let os = Os::new("cisco_ios", None);
        catalog.parser_of(&os, command, None).and_then(|parser| parser.source)
    };
    let library = catalog.library().is_some().then_some("library");
    assert_eq!(source("show vlan"), library.or(Some("own")));
    for command in ["show vlans", "sh ver", "show version", "sh word"] {
        assert_eq!(source(command), Some("own"), "{command}");
    }
}

#[test]
fn an_own_index_says_what_templates_are_for_and_fill_together() {
    let (_folder, catalog) = own(&[
        (
            "index",
            "Template, Hostname, Platform, Command\none.textfsm:two.textfsm, .*, acme_os, sh[[ow]] both\n",
        ),
        ("one.textfsm", "Value Key ID (\\d+)\nValue A (\\w+)\n\nStart\n ^a ${ID} ${A} -> Record\n"),
        ("two.textfsm", "Value Key ID (\\d+)\nValue B (\\w+)\n\nStart\n ^b ${ID} ${B} -> Record\n"),
    ]);
    let output = "a 1 x\na 2 y\na 3 z\nb 2 q\nb 1 p\nb 1 late\n";
    let want = json!([
        {"id": "1", "a": "x", "b": "p"}, {"id": "2", "a": "y", "b": "q"}, {"id": "3", "a": "z", "b": ""}
    ]);
    assert_eq!(read(&catalog, "acme_os", "show both", output), Ok(want));
}

#[test]
fn broken_own_templates_are_named_and_stop_nothing() {
    let (_folder, catalog) = own(&[
        ("acme_os_show_words.textfsm", WORDS),
        ("acme_os_show_broken.textfsm", "Value A (\n"),
        ("acme_os_show_latin.textfsm", "Value A (\u{e9})\n"),
    ]);
    let broken: Vec<_> =
        catalog.broken().into_iter().map(|one| format!("{}: {}", one.file, one.error)).collect();
    assert_eq!(
        broken,
        [
            "acme_os_show_broken.textfsm: line 1: the expression of `A` must stand in ( )",
            "acme_os_show_latin.textfsm: line 1: there is no state `Start`"
        ]
    );
    assert!(read(&catalog, "acme_os", "show words", "a 1").is_ok());
}

/// Whatever lies in the folder is named, and neither stops the start nor waits for the other end of a pipe.
#[cfg(unix)]
#[test]
fn what_is_no_readable_template_is_named_and_stops_nothing() {
    let (folder, catalog) = own(&[
        (
            "index",
            "Template, Hostname, Platform, Command\nwords.textfsm, .*, acme_os, show words\nnone.textfsm, .*, acme_os, show none\n",
        ),
        ("words.textfsm", WORDS),
    ]);
    let path = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("nowhere", path("dangling.textfsm")).unwrap();
    fs::create_dir(path("folder.textfsm")).unwrap();
    fs::write(path("large.textfsm"), " ".repeat(5 << 20)).unwrap();
    fs::write(path("latin.textfsm"), b"Value A (\xe9)\n").unwrap();
    let made = std::process::Command::new("mkfifo").arg(path("pipe.textfsm")).status();
    catalog.reload();
    let broken: Vec<_> =
        catalog.broken().into_iter().map(|one| format!("{}: {}", one.file, one.error)).collect();
    let mut want = vec![
        "dangling.textfsm: No such file or directory (os error 2)",
        "folder.textfsm: it is no file",
        "large.textfsm: it is larger than 1048576 bytes",
        "latin.textfsm: it is not UTF-8",
    ];
    want.extend(made.is_ok_and(|status| status.success()).then_some("pipe.textfsm: it is no file"));
    want.push("index: the template none.textfsm of `show none` is not there");
    assert_eq!(broken, want);
    assert!(Catalog::open(Some(folder.path().to_owned())).is_ok());
    assert!(read(&catalog, "acme_os", "show words", "a 1").is_ok());
    // The folder goes: what was read stays.
    fs::remove_dir_all(folder.path()).unwrap();
    catalog.reload();
    assert!(read(&catalog, "acme_os", "show words", "a 1").is_ok());
}

#[test]
fn own_templates_are_read_anew_when_the_folder_changes() {
    let (folder, catalog) = own(&[("acme_os_show_words.textfsm", WORDS)]);
    assert!(read(&catalog, "acme_os", "show words", "a 1").is_ok());
    let other = "Value OTHER (\\w+)\n\nStart\n ^${OTHER} -> Record\n";
    fs::write(folder.path().join("acme_os_show_words.textfsm"), other).unwrap();
    fs::write(folder.path().join("acme_os_show_more.textfsm"), WORDS).unwrap();
    catalog.reload();
    assert_eq!(read(&catalog, "acme_os", "show words", "a 1"), Ok(json!([{"other": "a"}])));
    assert!(read(&catalog, "acme_os", "show more", "a 1").is_ok());
    fs::remove_file(folder.path().join("acme_os_show_more.textfsm")).unwrap();
    catalog.reload();
    assert!(read(&catalog, "acme_os", "show more", "a 1").is_err());
}

#[test]
fn no_records_are_an_error_unless_there_was_nothing_to_read() {
    let (_folder, catalog) =
        own(&[("acme_os_show_words.textfsm", "Value A (x)\n\nStart\n ^${A} -> Record\n")]);
    assert_eq!(
        read(&catalog, "acme_os", "show words", "nothing\nhere\n").unwrap_err(),
        "Parser found no records in 2 lines of output; template acme_os_show_words.textfsm"
    );
    assert_eq!(read(&catalog, "acme_os", "show words", " \n\n"), Ok(json!([])));
}

#[test]
fn a_configuration_that_no_template_reads_becomes_a_tree() {
    let (_folder, catalog) = own(&[("acme_os_show_words.textfsm", WORDS)]);
    let reading = catalog.read(
        &Os::new("acme_os", None),
        "sh run | no-more",
        Some("sh run"),
        "hostname a\n!\ninterface Gi0/1\n ip address 10.0.0.1 255.0.0.0\n",
        false,
        &|| false,
    );
    assert_eq!(reading.parser.unwrap().engine, "config_tree");
    assert_eq!(
        reading.parsed.unwrap().value(),
        json!([
            {"line": "hostname a", "children": []},
            {"line": "interface Gi0/1", "children": [{"line": "ip address 10.0.0.1 255.0.0.0", "children": []}]}
        ])
    );
}

#[test]
fn a_template_of_the_request_is_read_with_or_refused_with_its_line() {
    let (_folder, catalog) = own(&[]);
    let reading = catalog.read_with(WORDS, "a 1\n", true, &|| false).unwrap();
    assert_eq!(reading.parsed.unwrap().value(), json!([{"name": "a", "numbers": ["1"]}]));
    assert_eq!(reading.steps.len(), 1);
    assert_eq!((reading.steps[0].line, reading.steps[0].rule), (1, 5));
    let error = catalog.read_with("Value A (\n", "", false, &|| false).unwrap_err();
    assert_eq!(error, "line 1: the expression of `A` must stand in ( )");
}

#[test]
fn records_take_as_many_bytes_as_they_are_sent_in() {
    let (_folder, catalog) = own(&[]);
    let reading = catalog.read_with(WORDS, "a 1\nb 2\n", false, &|| false).unwrap();
    let records = reading.parsed.unwrap();
    let sent = "[{\"name\":\"a\",\"numbers\":[\"1\"]},{\"name\":\"b\",\"numbers\":[\"2\"]}]";
    assert_eq!(serde_json::to_string(&records).unwrap(), sent);
    assert_eq!(records.bytes(), sent.len());
    let tree = read_tree("a\n b\n  c\n d\ne \"\n", &|| false).parsed.unwrap();
    let sent = "[{\"line\":\"a\",\"children\":[{\"line\":\"b\",\"children\":[{\"line\":\"c\",\"children\":[]}]},\
                {\"line\":\"d\",\"children\":[]}]},{\"line\":\"e \\\"\",\"children\":[]}]";
    assert_eq!(serde_json::to_string(&tree).unwrap(), sent);
    assert_eq!(tree.bytes(), sent.len());
}

#[test]
fn of_values_whose_names_differ_in_case_only_the_last_counts() {
    let (_folder, catalog) = own(&[]);
    let template = "Value A (x)\nValue B (y)\nValue a (z)\n\nStart\n ^${A}${B}${a} -> Record\n";
    let reading = catalog.read_with(template, "xyz\n", false, &|| false).unwrap();
    assert_eq!(reading.parsed.unwrap().value(), json!([{"a": "z", "b": "y"}]));
}

#[test]
fn the_names_of_fields_count_in_every_record() {
    let (_folder, catalog) = own(&[]);
    let names: Vec<String> = (0..5).map(|n| format!("N{n}{}", "a".repeat(45))).collect();
    let template = format!(
        "Value {} (x?)\n\nStart\n ^${{{}}} -> Record\n",
        names.join(" (x?)\nValue "),
        names.join("}${")
    );
    let output = "x\n".repeat(300_000);
    let reading = catalog.read_with(&template, &output, false, &|| false).unwrap();
    assert_eq!(
        reading.error.unwrap(),
        "Parser failed: limit: records of more than 67108864 bytes; template request"
    );
}

#[test]
fn records_with_more_bytes_as_json_than_they_may_have_are_left_out() {
    let (_folder, catalog) = own(&[]);
    // A control character is six in JSON, and one row's text is in all of them.
    let template = "Value Filldown A (\\S+)\nValue B (\\d)\n\nStart\n ^a${A}\n ^${B} -> Record\n";
    let output = format!("a{}\n{}", "\u{1}".repeat(10_000), "1\n".repeat(2000));
    let reading = catalog.read_with(template, &output, false, &|| false).unwrap();
    assert_eq!(reading.parsed, None);
    let error = reading.error.unwrap();
    assert_eq!(error, "Parser failed: limit: records of more than 67108864 bytes");
    // A row of the second table may be the partner of many of the first.
    let index =
        "Template, Hostname, Platform, Command\none.textfsm:two.textfsm, .*, acme_os, show both\n";
    let one = "Value Key,Required ID (\\d)\n\nStart\n ^${ID} -> Record\n";
    let two = "Value Key ID (\\d)\nValue B (\\S+)\n\nStart\n ^=${ID}${B} -> Record\n";
    let (_folder, catalog) = own(&[("index", index), ("one.textfsm", one), ("two.textfsm", two)]);
    let output = format!("=1{}\n{}", "x".repeat(100_000), "1\n".repeat(1000));
    let error = read(&catalog, "acme_os", "show both", &output).unwrap_err();
    assert_eq!(error, "Parser failed: limit: records of more than 67108864 bytes");
}

#[test]
fn a_tree_of_many_tiny_lines_is_refused_with_the_bound() {
    let read = |late: bool| {
        let reading = read_tree(&"x\n".repeat(1_000_001), &|| late);
        assert_eq!((reading.parsed, reading.parser.unwrap().engine), (None, CONFIG_TREE));
        reading.error.unwrap()
    };
    assert_eq!(read(false), "Parser failed: limit: the configuration has more than 1000000 lines");
    assert_eq!(read(true), "Parser failed: limit: not done in time, at line 1024 of the output");
}
