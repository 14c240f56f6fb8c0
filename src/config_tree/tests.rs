//! What stands beneath what in configurations of every kind of writing.

use super::{
    DEEPEST, LINES_BETWEEN_LOOKS, MOST_SECTIONS, Section, TreeError, is_configuration, is_shown,
};

fn read(text: &str) -> Result<Vec<Section<'_>>, TreeError> {
    super::read(text, &|| false)
}

/// The tree as lines that stand in by a dash a level.
fn drawn(text: &str) -> String {
    let mut drawing = String::new();
    for section in read(text).unwrap() {
        drawing.push_str(&"-".repeat(section.depth));
        drawing.push_str(section.line);
        drawing.push('|');
    }
    drawing
}

/// The outermost lines, each with how many stand right beneath it.
fn first_lines(text: &str) -> Vec<(String, usize)> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for section in read(text).unwrap() {
        match (section.depth, lines.last_mut()) {
            (1, Some((_, beneath))) => *beneath += 1,
            (0, _) => lines.push((section.line.to_owned(), 0)),
            _ => {}
        }
    }
    lines
}

#[test]
fn a_banner_that_does_not_end_soon_is_none() {
    let said = |lines: usize, end: &str| {
        let text = format!("banner motd #x\n{}{end}\nhostname r1\n", "said\n".repeat(lines));
        first_lines(&text).len()
    };
    // The line of its mark alone is a comment then.
    assert_eq!((said(900, "#"), said(1100, "#")), (2, 1102));
    let said = |lines: usize| {
        let text = format!("banner motd\n{}EOF\nhostname r1\n", "said\n".repeat(lines));
        first_lines(&text).len()
    };
    assert_eq!((said(900), said(1100)), (2, 1103));
}

#[test]
fn lines_stand_beneath_the_line_they_belong_to() {
    let ios = "Current configuration : 99 bytes\n!\nhostname r1\n!\ninterface Gi0/1\n description a { b\n ip address 10.0.0.1 255.0.0.0\n!\n\
               router bgp 1\n address-family ipv4\n  neighbor 1.1.1.1 activate\n exit-address-family\n !\n address-family ipv6\n exit-address-family\nend\n";
    assert_eq!(
        drawn(ios),
        "Current configuration : 99 bytes|hostname r1|interface Gi0/1|-description a { b|-ip address 10.0.0.1 255.0.0.0|\
         router bgp 1|-address-family ipv4|--neighbor 1.1.1.1 activate|-exit-address-family|-address-family ipv6|-exit-address-family|end|"
    );
    let junos = "## Last commit: today\nversion 21.4;\nsystem {\n    host-name r1;\n    /* a\n       note */\n    services {\n        ssh;\n    }\n}\n\
                 inactive: protocols {\n    bgp {\n        group a { ## SECRET-DATA\n            neighbor 1.1.1.1;\n        }\n    }\n}\n";
    assert_eq!(
        drawn(junos),
        "version 21.4|system|-host-name r1|-services|--ssh|inactive: protocols|-bgp|--group a|---neighbor 1.1.1.1|"
    );
    let fortios = "config system global\n    set hostname \"fw\"\nend\nconfig system interface\n    edit \"port1\"\n        set vdom \"root\"\n    next\nend\n";
    assert_eq!(
        drawn(fortios),
        "config system global|-set hostname \"fw\"|end|config system interface|-edit \"port1\"|--set vdom \"root\"|-next|end|"
    );
    assert_eq!(
        drawn("#\nsysname a\n#\ninterface Vlanif1\n ip address 1.1.1.1 24\n#\nreturn\n"),
        "sysname a|interface Vlanif1|-ip address 1.1.1.1 24|return|"
    );
}

#[test]
fn what_a_banner_says_is_no_configuration() {
    assert_eq!(
        drawn("banner motd ^C\n hello\nrouter bgp 1\n^C\nend\n"),
        "banner motd ^C|- hello|-router bgp 1|-^C|end|"
    );
    assert_eq!(drawn("banner login #one line#\nend\n"), "banner login #one line#|end|");
    assert_eq!(drawn("banner motd\nno EOF yet\nEOF\nend\n"), "banner motd|-no EOF yet|-EOF|end|");
    // The mark is behind the text; in the middle of a line it is text.
    assert_eq!(
        drawn("banner motd ^Cpress ^ C\nor ^C twice {\n}\n^C\n!\nline con 0\n stopbits 1\n"),
        "banner motd ^Cpress ^ C|-or ^C twice {|-}|-^C|line con 0|-stopbits 1|"
    );
    assert_eq!(drawn("banner motd ^C\nbye ^C now\nend\n"), "banner motd ^C|-bye ^C now|end|");
    assert_eq!(drawn("banner login ¬\nhi\n¬\nend\n"), "banner login ¬|-hi|-¬|end|");
    assert_eq!(drawn("banner login enabled\nend\n"), "banner login enabled|end|");
    assert_eq!(
        drawn("#\nheader shell information \"Hi\ninterface you\"\n#\nsysname a\n"),
        "header shell information \"Hi|-interface you\"|sysname a|"
    );
}

#[test]
fn certificates_and_long_texts_stay_in_their_section() {
    assert_eq!(
        drawn(
            "crypto pki certificate chain A\n certificate self-signed 01\n  3082 0330\n  0102\n  \tquit\nend\n"
        ),
        "crypto pki certificate chain A|-certificate self-signed 01|--3082 0330|--0102|--quit|end|"
    );
    let fortios = "config vpn certificate local\n    edit \"a\"\n        set private-key \"-----BEGIN\nMII\\\"\n-----END\"\n        set range global\n    next\nend\n";
    assert_eq!(
        drawn(fortios),
        "config vpn certificate local|-edit \"a\"|--set private-key \"-----BEGIN|---MII\\\"|--------END\"|--set range global|-next|end|"
    );
    assert_eq!(
        drawn("interface a\n\tdescription 19\"\n\tshutdown\n"),
        "interface a|-description 19\"|-shutdown|"
    );
}

#[test]
fn remarks_are_left_out_but_in_quotes() {
    assert_eq!(
        drawn(
            "// version\na {\n    b \"x ## y\"; ## SECRET-DATA\n    /* note */ c;\n    d { ## note\n        e;\n    }\n}\n"
        ),
        "a|-b \"x ## y\"|-c|-d|--e|"
    );
}

#[test]
fn braces_that_do_not_match_are_an_error() {
    assert_eq!(read("a {\n}\n}\n"), Err(TreeError::NotOpened { line: 3 }));
    assert_eq!(read("a {\nb {\n}\n"), Err(TreeError::NotClosed { section: "a".to_owned() }));
    assert_eq!(read("!\n\n"), Err(TreeError::Empty));
}

#[test]
fn depth_is_bounded() {
    let depth = |text: &str| {
        let sections = read(text).unwrap();
        sections.iter().map(|one| one.depth + 1).max().unwrap()
    };
    let lines: Vec<String> = (0..500).map(|n| " ".repeat(n) + "x").collect();
    let indented = lines.join("\n");
    assert!(depth(&indented) <= DEEPEST);
    let braced = format!("{}{}", "x {\n".repeat(5000), "}\n".repeat(5000));
    assert!(depth(&braced) <= DEEPEST + 1);
}

#[test]
fn a_part_of_a_fortios_configuration_is_known_by_its_text() {
    let part = "config system interface\n    edit \"port1\"\n    next\nend\n";
    assert!(is_shown("show system interface", part));
    assert!(!is_shown("get system interface", part));
    assert!(!is_shown("show system interface", "config system interface\n    edit \"port1\"\n"));
    assert!(is_shown("show running-config", "hostname a\n"));
}

#[test]
fn commands_that_show_a_configuration_are_known() {
    for command in [
        "show running-config",
        "sh run",
        "show configuration",
        "display current-configuration",
        "admin display-config",
        "show run-config commands",
        "dis cu",
        "show",
    ] {
        assert_eq!(is_configuration(command), command != "dis cu", "{command}");
    }
    for command in [
        "show configuration sessions",
        "show configuration commit list",
        "sh conf hist",
        "show running-config diffs",
        "show version",
        "show runner",
        "display version",
        "get system status",
        "",
    ] {
        assert!(!is_configuration(command), "{command}");
    }
}

fn lines(wanted: &[(&str, usize)]) -> Vec<(String, usize)> {
    wanted.iter().map(|(line, n)| ((*line).to_owned(), *n)).collect()
}

#[test]
fn braces_in_a_message_are_no_sections_and_marks_in_a_message_no_separators() {
    let fortios = "config system replacemsg admin \"x\"\n    set buffer \"<style>\nbody {\n  color: red;\n}\n</style>\"\nend\n\
                   config system global\n    set hostname \"fw1\"\nend\n";
    let want = [
        ("config system replacemsg admin \"x\"", 1),
        ("end", 0),
        ("config system global", 1),
        ("end", 0),
    ];
    assert_eq!(first_lines(fortios), lines(&want));
    let junos = "system {\n    login {\n        message \"x\n!!! WARNING\n\";\n    }\n}\nchassis {\n    a;\n}\n";
    assert_eq!(first_lines(junos), lines(&[("system", 1), ("chassis", 1)]));
}

#[test]
fn what_a_text_has_of_the_other_writing_does_not_turn_a_tree_over() {
    let junos = "system {\n login {\n message \"\n!\n hi\";\n }\n host-name a;\n}\n";
    assert_eq!(first_lines(junos), lines(&[("system", 2)]));
    let marked = "! version\nsystem {\n a;\n}\n";
    assert_eq!(first_lines(marked), lines(&[("! version", 0), ("system", 1)]));
    let ios = "Building configuration...\n! Last change\ninterface Gi0\n ip address dhcp\nevent manager applet A {\n x\n}\n";
    assert!(first_lines(ios).contains(&("interface Gi0".to_owned(), 1)), "{:?}", first_lines(ios));
    let commented = "/* made\n   today */\n## Last commit\nversion 21;\nsystem {\n a;\n}\n";
    assert_eq!(first_lines(commented), lines(&[("version 21", 0), ("system", 1)]));
    let nxos = "!Command: show running-config\nhostname n1\nbanner motd #\nNotice:\nbanner text may change\n  no shutdown\n\
                interface Ethernet1/1\n  shutdown\n#\ninterface Ethernet1/2\n  no shutdown\n";
    assert_eq!(
        first_lines(nxos),
        lines(&[("hostname n1", 0), ("banner motd #", 6), ("interface Ethernet1/2", 1)])
    );
    let long = format!("banner motd #\n{}#\nend\n", "interface x\n".repeat(450));
    assert_eq!(first_lines(&long), lines(&[("banner motd #", 451), ("end", 0)]));
}

#[test]
fn a_banner_without_a_mark_at_its_end_is_one_line() {
    let asa = "hostname fw1\nbanner exec - Authorized users only\nbanner motd # Authorized users only\nbanner motd # of ACME #1\n\
               interface GigabitEthernet0/0\n nameif outside\naccess-list A extended permit ip any any\nend\n";
    let want = [
        ("hostname fw1", 0),
        ("banner exec - Authorized users only", 0),
        ("banner motd # Authorized users only", 0),
        ("banner motd # of ACME #1", 0),
        ("interface GigabitEthernet0/0", 1),
        ("access-list A extended permit ip any any", 0),
        ("end", 0),
    ];
    assert_eq!(first_lines(asa), lines(&want));
    let caret = "banner motd ^Hello all\nsecond\n^\ninterface Gi0/1\n shutdown\n";
    assert_eq!(first_lines(caret), lines(&[("banner motd ^Hello all", 2), ("interface Gi0/1", 1)]));
    let ios = "banner motd ^CHello ^ all\n^\n^C\ninterface Gi0/1\n shutdown\n";
    assert_eq!(
        first_lines(ios),
        lines(&[("banner motd ^CHello ^ all", 2), ("interface Gi0/1", 1)])
    );
}

/// As many lines as a large firewall has, in either writing.
#[test]
fn a_large_configuration_is_read_whole() {
    let policy = |n: usize| {
        format!(
            "    edit {n}\n        set srcintf \"port{n}\"\n        set dstaddr \"net-{n}\" \"dmz\"\n        set action accept\n    next\n"
        )
    };
    let policies: String = (0..100_000).map(policy).collect();
    let fortios = format!("config firewall policy\n{policies}end\n");
    assert_eq!(read(&fortios).unwrap().len(), 500_002);
    let unit = |n: usize| {
        format!(
            "    xe-0/0/{n} {{\n        mtu 9192;\n        unit 0 family inet address 10.0.0.1/31;\n    }}\n"
        )
    };
    let units: String = (0..100_000).map(unit).collect();
    let junos = format!("interfaces {{\n{units}}}\n");
    assert_eq!(read(&junos).unwrap().len(), 300_001);
}

#[test]
fn a_tree_of_many_tiny_lines_ends_with_its_bound() {
    let long = Err(TreeError::TooLong { most: MOST_SECTIONS });
    let banners = format!("banner motd #a\n{}#\n", "b\n".repeat(900));
    for text in [
        "x\n".repeat(MOST_SECTIONS + 1),
        " x\nx\n".repeat(MOST_SECTIONS),
        banners.repeat(MOST_SECTIONS / 900),
        format!("{}}}\n", "x {\n}\n".repeat(MOST_SECTIONS + 1)),
        format!("{}}}\n", "x;\n".repeat(MOST_SECTIONS + 1)),
    ] {
        assert_eq!(read(&text), long, "{:?}", text.get(..40));
    }
    assert_eq!(read(&"x\n".repeat(MOST_SECTIONS)).map(|tree| tree.len()), Ok(MOST_SECTIONS));
}

#[test]
fn a_tree_that_takes_too_long_ends_at_the_next_look_at_the_clock() {
    for line in ["x\n", "!\n", "\n", "banner motd #a\n", "x {\n}\n", "set \"a\n"] {
        let text = line.repeat(3 * LINES_BETWEEN_LOOKS);
        let late = super::read(&text, &|| true);
        assert_eq!(late, Err(TreeError::Late { line: LINES_BETWEEN_LOOKS }), "{line:?}");
    }
    assert!(super::read("x\n", &|| true).is_ok());
}
