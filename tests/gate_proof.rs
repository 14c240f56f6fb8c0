//! Proof by exhaustion that writes do not pass, and a second checker of another method that must agree.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::string_slice,
    reason = "a test that fails may panic"
)]

use std::collections::BTreeMap;

use regex::Regex;
use showrunner::{
    command::{CommandInput, CommandPolicy, FilterWhere, check},
    platform::Registry,
};

struct Gate {
    registry: Registry,
    policy: CommandPolicy,
}

impl Gate {
    fn new() -> Self {
        Self { registry: Registry::embedded().unwrap(), policy: CommandPolicy::default() }
    }

    fn allows(&self, os: &str, text: &str) -> bool {
        self.line(os, text).is_some()
    }

    /// What the device would get.
    fn line(&self, os: &str, text: &str) -> Option<String> {
        let input = CommandInput {
            text,
            pipe_option: None,
            pipe_value: None,
            filter_where: FilterWhere::Device,
        };
        let checked = check(self.registry.find(os).unwrap(), &self.policy, &input);
        checked.ok().map(|command| command.line().as_str().to_owned())
    }
}

/// Rows of our own catalogue, and of the shared one where it is.
fn rows() -> Vec<(String, String, String)> {
    let mut text = include_str!("../fixtures/commands.tsv").to_owned();
    match std::env::var_os("CONFORMANCE_DATA") {
        Some(folder) => {
            let path = std::path::Path::new(&folder).join("commands.tsv");
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
        None => eprintln!("SKIPPED the shared catalogue's rows: CONFORMANCE_DATA is not set"),
    }
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let command = serde_json::from_str(columns.get(1)?).ok()?;
        Some((columns[0].to_owned(), command, columns[2].to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn a_control_character_at_any_place_of_any_allowed_command_refuses_it() {
    let gate = Gate::new();
    let bad: Vec<char> = (0..0x20_u8).map(char::from).chain(['\u{7f}', '\u{85}']).collect();
    let mut tried = 0_u64;
    for (os, command, _) in rows().iter().filter(|(_, _, verdict)| verdict == "allow") {
        for at in 0..=command.len() {
            for c in &bad {
                let text = format!("{}{c}{}", &command[..at], &command[at..]);
                assert!(!gate.allows(os, &text), "{os} {text:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100_000, "only {tried} were tried");
}

#[test]
fn no_platform_passes_what_starts_a_shell_or_makes_a_function_should_the_device_be_one() {
    let gate = Gate::new();
    let option = Regex::new(r#"find\s+["']?-"#).unwrap();
    for platform in gate.registry.iter() {
        let (os, reads) = (platform.name(), platform.reads());
        for verb in reads.verbs.iter().map(|verb| &verb.word) {
            for text in ["-c reboot", "-s", "/x", "./x", "x.sh", "\"/x\"", "'-c' reboot"] {
                assert!(!gate.allows(os, &format!("sh {text}")), "{os} sh {text}");
            }
            for text in ["() (reboot)", "( ) ( reboot )", "() reboot"] {
                assert!(!gate.allows(os, &format!("{verb} {text}")), "{os} {verb} {text}");
            }
        }
        // Options that begin with a plus, file patterns, a script of the search path: no shell gets them for arguments.
        for text in ["version", "+x -c reboot", "\"+x\" -c reboot", "[a]*", "service sshd stop"] {
            if let Some(sent) = gate.line(os, &format!("sh {text}")) {
                assert_eq!(sent, format!("show {text}"), "{os}");
            }
            if let Some(sent) = gate.line(os, &format!("SH {text} | include x")) {
                assert!(sent.starts_with(&format!("show {text}")), "{os} {sent}");
            }
        }
        for text in ["| find -delete", "| find \"-delete\"", "| begin -delete"] {
            for verb in reads.verbs.iter().map(|verb| &verb.word) {
                let sent = gate.line(os, &format!("{verb} version {text}")).unwrap_or_default();
                assert!(!option.is_match(&sent), "{os} {sent}");
            }
        }
        // `sh` is one of the CLI's own words there.
        let is_alias = ["vyos", "ubiquiti_edgerouter"].contains(&os);
        assert_eq!(
            gate.allows(os, "sh version"),
            !reads.shell && reads.verbs.iter().any(|verb| verb.is("sh")) || is_alias,
            "{os}"
        );
    }
}

/// What a shell would run behind the bars of a line, without quotes and backslashes.
fn run_behind_bars(line: &str) -> Vec<String> {
    let (mut quote, mut stages) = (None, vec![String::new()]);
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('|', None) => stages.push(String::new()),
            ('\\', None) => {}
            _ => stages.last_mut().unwrap().push(c),
        }
    }
    let first = |stage: &String| stage.trim().split(' ').next().unwrap_or_default().to_owned();
    stages.iter().skip(1).map(first).collect()
}

#[test]
fn no_platform_passes_a_pattern_that_runs_a_program_should_the_device_be_a_unix() {
    let gate = Gate::new();
    let harmful = Regex::new(r"^(|reboot|\(.*|\{.*|\.?/.*|sbin/.*)$").unwrap();
    let patterns = [
        "x|reboot",
        "x||reboot",
        "x|re\\boot",
        "x|'reboot'",
        "x|/tmp/x",
        "x|./x",
        "x|sbin/reboot",
        "x|(reboot)",
        "x|{rm,-rf,/home}",
        "\"x|reboot\"",
        "up|down",
        "Gi0/1|Gi0/2",
    ];
    let several = Regex::new(r"(find|grep) \{.*,.*\}").unwrap();
    for platform in gate.registry.iter() {
        let os = platform.name();
        let words: Vec<_> = platform.filters().iter().map(|filter| &*filter.word).collect();
        for word in words.iter().copied().chain(["include", "begin", "exclude"]) {
            for verb in platform.reads().verbs.iter().map(|verb| &verb.word) {
                for pattern in patterns {
                    let line = gate.line(os, &format!("{verb} version | {word} {pattern}"));
                    let run = run_behind_bars(&line.unwrap_or_default());
                    assert!(!run.iter().any(|run| harmful.is_match(run)), "{os} {word} {run:?}");
                }
                let text = format!("{verb} version | {word} {{/home,-delete}}");
                let line = gate.line(os, &text).unwrap_or_default();
                assert!(!several.is_match(&line), "{os} {line}");
            }
        }
    }
    for (os, text) in [
        ("ciena_saos", "rm show -rf /home"),
        ("ciena_saos", "halt show"),
        ("ciena_saos", "port show -x"),
        ("ciena_saos", "port show /etc/passwd"),
        ("mikrotik_routeros", "rm print where -rf /home"),
        ("mikrotik_routeros", "/sbin/poweroff print"),
        ("mikrotik_routeros", "/ip address print where -x"),
        ("mikrotik_routeros", "/safe-mode unroll print"),
        ("mikrotik_routeros", "/interface pwr-line join print"),
        ("fortinet", "sudo rm get -rf /home"),
        ("fortinet", "sudo reboot get"),
        ("fortinet", "sudo sh show version"),
        ("fortinet", "sudo root get -rf /home"),
        ("fortinet", "sudo root get \"/home\""),
    ] {
        assert!(!gate.allows(os, text), "{os} {text}");
    }
    assert!(gate.allows("fortinet", "sudo root get system interface"));
}

#[test]
fn no_beginning_of_a_writing_filter_passes_in_any_case_on_any_platform() {
    let gate = Gate::new();
    let writing = [
        "redirect flash:x",
        "append flash:x",
        "tee flash:x",
        "save /var/tmp/x",
        "file harddisk:x",
        "vsh",
        "bash",
        "sh",
        "awk 1",
        "sed -n 1p",
        "email a@example.net",
        "sscp a@b:x",
        "source x",
        "xargs reboot",
        "request message all",
        "tcpdump",
        "nc 192.0.2.1 80",
        "python x",
        "diff x",
        "more x",
        "run x",
        "refresh 5",
        "hold",
        "vi -",
        "sudo tee x",
        "configure",
        "load x",
        "tclsh x",
        "less x",
        "sort -o x",
        "uniq a b",
        "cat /etc/passwd",
        "utility script",
    ];
    for platform in gate.registry.iter() {
        for filter in platform.filters() {
            let is_one =
                writing.iter().any(|stage| filter.word.split(' ').eq(stage.split(' ').take(1)));
            // There it pages.
            let is_known = (platform.name(), &*filter.word) == ("nokia_srl", "more");
            assert!(!is_one || is_known, "{}: {}", platform.name(), filter.word);
        }
        let verb = match platform.reads().verbs.first() {
            Some(verb) if verb.word == "print" => "/ip address print".to_owned(),
            Some(verb) => format!("{} version", verb.word),
            None => "uname -a".to_owned(),
        };
        for stage in writing {
            let word = stage.split(' ').next().unwrap();
            for least in 1..=word.len() {
                let rest = &stage[word.len()..];
                for word in [
                    word[..least].to_owned(),
                    word[..least].to_uppercase(),
                    capital(&word[..least]),
                ] {
                    let text = format!("{verb} | {word}{rest}");
                    let Some(line) = gate.line(platform.name(), &text) else { continue };
                    // What passes is a beginning of a filter that the platform knows: it drops lines, no more. Or it begins a
                    // word of every platform: then the device gets a whole word of its own that does, or nothing.
                    let known = platform.filters().iter().any(|filter| filter.is(&word));
                    let sent = line.strip_prefix(&verb).unwrap().trim_start_matches(" | ");
                    let sent_word = sent.split(' ').next().unwrap();
                    let whole = platform
                        .filters()
                        .iter()
                        .any(|filter| filter.word == sent_word && filter.meaning.is_some());
                    assert!(known || sent.is_empty() || whole, "{} {text}", platform.name());
                }
            }
        }
    }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// Verbs that change something, on one CLI or another.
const CHANGING: [&str; 56] = [
    "configure",
    "reload",
    "reboot",
    "write",
    "copy",
    "delete",
    "erase",
    "format",
    "clear",
    "debug",
    "undebug",
    "install",
    "request",
    "restart",
    "commit",
    "rollback",
    "set",
    "test",
    "telnet",
    "ssh",
    "enable",
    "disable",
    "save",
    "edit",
    "load",
    "run",
    "bash",
    "start",
    "monitor",
    "shutdown",
    "no",
    "do",
    "execute",
    "diagnose",
    "reset",
    "undo",
    "system-view",
    "super",
    "tools",
    "admin",
    "exec",
    "add",
    "generate",
    "import",
    "export",
    "python",
    "guestshell",
    "attach",
    "rename",
    "mkdir",
    "upgrade",
    "watch",
    "sudo",
    "rm",
    "find",
    "clock",
];

#[test]
fn no_beginning_of_a_verb_that_changes_something_passes_in_any_case_on_any_platform() {
    let gate = Gate::new();
    for platform in gate.registry.iter() {
        let reads = platform.reads();
        for verb in &reads.verbs {
            assert!(!CHANGING.contains(&&*verb.word), "{}: {}", platform.name(), verb.word);
        }
        for prefix in &reads.prefixes {
            let is_one = CHANGING.iter().any(|verb| prefix.split(' ').next() == Some(verb));
            let is_known = matches!(
                (platform.name(), &**prefix),
                ("cisco_xr" | "nokia_sros", "admin") | ("fortinet", "sudo *")
            );
            assert!(!is_one || is_known, "{}: {prefix}", platform.name());
        }
        for verb in CHANGING {
            for least in 1..=verb.len() {
                for word in [
                    verb[..least].to_owned(),
                    verb[..least].to_uppercase(),
                    capital(&verb[..least]),
                ] {
                    for text in
                        [word.clone(), format!("{word} version"), format!("{word} all force")]
                    {
                        let read = platform.reads().verbs.iter().any(|known| known.is(&word));
                        let prefixed = platform
                            .reads()
                            .prefixes
                            .iter()
                            .any(|known| known.eq_ignore_ascii_case(&word));
                        assert!(
                            !gate.allows(platform.name(), &text) || read || prefixed,
                            "{} {text}",
                            platform.name()
                        );
                    }
                }
            }
        }
    }
}

/// Another method: the line is masked and then matched whole by regular expressions, one a family.
fn second_opinion(os: &str, command: &str) -> bool {
    let line = command.trim_matches(' ');
    let is = |pattern: &str, text: &str| {
        Regex::new(&format!("^(?i:{pattern})$")).unwrap().is_match(text)
    };
    if !is(r"[ -~]{1,512}", line) || is(r".*[;`<>&?].*", line) || is(r".*\\[1-9].*", line) {
        return false;
    }
    if is(r#".*\$[^ "')|].*"#, line) {
        return false;
    }
    let grep = r"(-[ivncwxE] |-[ABCab] ?\d+ )*[^ |-][^ |]*";
    let words =
        r"((ignore-case|invert-match|count|line-number|word-exp|line-exp|(prev|next) \d+) )*";
    let ios = r"(i\w*|e\w*|b\w*|s\w*|c\w*) .+";
    let (verb, stages, quotes): (&str, Vec<String>, bool) = match os {
        "cisco_ios" | "cisco_iosxe" => ("sho?w?", vec![format!("(?:{})", "(i|in|inc|incl|inclu|includ|include|e|ex|exc|exclude|b|be|beg|begin|s|se|sec|sect|section|c|co|count) .+|count")], false),
        "cisco_asa" => ("sho?w?", vec!["(include|inc|i|exclude|exc|begin|b) .+".to_owned(), format!("(g|grep) {grep}")], false),
        "cisco_nxos" => ("sho?w?", vec![r"(i|include|inc|ex|exclude|b|begin|section|sec) .+".to_owned(), format!("e?grep {words}{grep}"), r"count( .+)?|no-more|json|json-pretty|json native|xml|wc -l|(last|head( -n)?) \d+".to_owned()], true),
        "cisco_xr" => ("(admin )?sho?w?", vec![ios.to_owned(), format!("util(ity)? [ef]grep {grep}"), r"util(ity)? (head|tail) (-n|count) \d+|utility wc (-l|lines)".to_owned()], true),
        "arista_eos" => ("sho?w?", vec!["(i|include|e|exclude|b|begin|s|section) .+|json|no-more|nz".to_owned(), format!("grep {grep}|wc( -[lwc])+")], true),
        "juniper_junos" => ("sho?w?", vec![r"(match|except|find) [^ |]+|count|no-more|(last|trim) \d+|compare rollback \d+|display (set|xml|json|omit|detail|changed|inheritance)( no-comments)?".to_owned()], true),
        "huawei_vrp" => ("disp?l?a?y?", vec!["(i|include|e|exclude|b|begin) .+|no-more".to_owned()], false),
        "hp_comware" => ("disp?l?a?y?", vec!["(i|include|e|exclude|b|begin) .+|by-linenum".to_owned()], false),
        "fortinet" => (r"(sudo [\w.][\w.-]* )?(get|show)", vec![r"grep (-[fivnc] |-[ABC] ?\d+ )*[^ |-][^ |]*".to_owned()], true),
        "paloalto_panos" => ("sho?w?", vec!["(match|except) [^ |]+".to_owned()], true),
        "nokia_sros" => ("(admin )?sho?w?|/show", vec![r"match ((expression|invert-match) )?[^ |]+( (expression|ignore-case|invert-match|(post|pre)-lines \d+))*|count|no-more".to_owned()], true),
        "vyos" => ("sho?w?", vec!["(match|no-match|grep( -[iv])*) [^ |-][^ |]*|count|no-more|strip-private".to_owned()], true),
        "frr" => ("sho?w?", vec!["(i|include) .+".to_owned()], false),
        "dell_os10" => ("sho?w?", vec!["(except|find) [^ |]+|no-more".to_owned(), format!("grep {grep}")], true),
        "extreme_exos" => ("sho?w?", vec!["(include|exclude|begin) .+".to_owned()], false),
        "aruba_aoscx" => ("sho?w?", vec!["(include|ex|exclude|begin|count) .+|count".to_owned()], false),
        "mikrotik_routeros" => {
            let path = r#"/?[a-z0-9-]+([ /][a-z0-9-]+)*[ /]print( (all|dynamic|static|stats|brief|detail|terse|without-paging|where( (in|and|or)| !?[a-z-]+([=~]([^ "!]|"[^"]*")+)?| [\d./]+)+))*"#;
            return is(path, line) && !is(r".*[\[\]{}$\\].*", line) && !is(r".*\b(set|add|rem(ove)?|dis(able)?|reset\S*)[ /].*", line)
                && !is(r".*\b(save|load|telnet|fetch|sign|flush|undo|redo|ping|quit|reboot|shutdown|import|export|print/print|\S+-(test|traffic))[ /].*", line)
                && !is(r".* where .*\b(in|interval)=.*", line)
                && !is(r".*[ /](comment|reoptimize)( print.*|)", line)
                && !is("/?system ssh .*", line);
        }
        "linux" => return is("(?-i)(?:ip address show|ip route show|ip (-br )?a(ddr)?|ip -s link|bridge fdb show|arp -a|uname -a|df -h|date|hostnamectl)", line),
        "alcatel_aos" => ("show?", vec!["grep [^ |-]+".to_owned()], true),
        "dell_sonic" => ("show?", vec![format!("grep {grep}"), "(except|find|begin) [^ |-]+|begin -delete|no-more".to_owned()], true),
        "ubiquiti_edgerouter" => ("sho?w?", vec![], true),
        _ => return false,
    };
    let is_shell = ["vyos", "ubiquiti_edgerouter", "alcatel_aos", "dell_sonic"].contains(&os);
    if quotes && (if is_shell { hides_from_a_script(line) } else { hides_a_bar(line) }) {
        return false;
    }
    if is(r#".*(grep|except|find) .*["'] *-[^"' ]+["'].*|sudo ["'].*"#, line) {
        return false;
    }
    let Some(unquoted) = without_quotes(line) else { return false };
    // To a shell that is taken for the CLI: another one, a function.
    if is(r"sh +(-|\S*[./]).*|\S+ +\(.*", &unquoted) {
        return false;
    }
    let mut masked = line.to_owned();
    if quotes {
        masked = Regex::new(r#""[^"]*"|'[^']*'"#).unwrap().replace_all(&masked, "Q").into_owned();
        if masked.contains(['"', '\'']) {
            return false;
        }
    }
    let expression = Regex::new(r#"(?i)(regexp|aspath-regex) "?[\d_^$.*+()\[\]|,-]+"?$"#).unwrap();
    let masked = expression.replace(&masked, "regexp R");
    if is_shell
        && (masked.contains(['~', '{', '*', '\\', '!', '(', '[']) || is(r".*\$[^ ].*", &masked))
    {
        return false;
    }
    let (base, rest) =
        masked.split_once('|').map_or((&*masked, None), |(base, rest)| (base, Some(rest)));
    let writes = r".* -*(cle|clea|clear|clear_drop|clear-on-read|to-(f|fi|fil|file)?|logto|local-file)( .*)?|\S+ +\S+ +(.* )?cl|.* to? [a-z]+:.*";
    if is(r".*\.\./.*", base) {
        return false;
    }
    let fetches = r"\S+ +(f|fi|fil) \S*[:/.].*|.* (file \S*[:/.]\S*|\S*://\S*|(tftp|ftp|scp|sftp|https?):\S*)( .*)?";
    let heavy = match os {
        "huawei_vrp" | "hp_comware" => r"\S+ +(te|tec\S*|di|dia|diag\S*)( .*)?",
        _ => r"\S+ +(te|tec|tech\S*)( .*)?",
    };
    // A filter that writes, behind a bar without blanks.
    if is(r".*\|(red\S*|app\S*|tee|sav\S*|fil\S*) \S*[:/].*", &masked) {
        return false;
    }
    let never = more_than_reads(os, &unquoted);
    let alone = match os {
        "fortinet" => is("show|diagnose sys ha status|execute dhcp lease-list", base.trim_end()),
        "paloalto_panos" => is("request license info", base.trim_end()),
        _ => false,
    };
    let reads = is(&format!("({verb})( +[^ !#{{}}]+)+ *"), base) || alone;
    if !reads || [writes, fetches, heavy, never].iter().any(|pattern| is(pattern, &unquoted)) {
        return false;
    }
    let Some(rest) = rest else { return true };
    Regex::new(r" \|\s*|\|\s+").unwrap().split(rest).all(|stage| {
        let stage = stage.trim_matches(' ');
        stages.iter().any(|pattern| is(pattern, stage)) && !is(r"(r|t|a)\w* .*", stage)
            || (os == "juniper_junos" && is("trim \\d+", stage))
    })
}

/// What a platform's commands must not have, by a pattern on the line without quotes.
fn more_than_reads(os: &str, unquoted: &str) -> &'static str {
    let is = |pattern: &str| Regex::new(&format!("^(?i:{pattern})$")).unwrap().is_match(unquoted);
    match os {
        "cisco_xr" => r"\S+ +cont\S* .*\b(diag|debug).*|\S+ +mem\S* +comp\S* +[^r].*",
        "cisco_iosxe" if is(r"\S+ .* trace +filter-b\S*( .*)?") => ".*",
        "frr" => r"\S+ +mgmt .*\bfi(le)?( .*)?",
        "arista_eos" => r"\S+ +ev\S* +sq\S* .*",
        "cisco_ios" if is(r"\S+ +p\w* +cap.*") => ".*",
        "cisco_ios" | "cisco_iosxe" => {
            r".* to( .*)?|\S+ +pla\S* .*\bcl?( .*)?|\S+ +mem\S* .*\bl(e|ea|eak|eaks)( .*)?"
        }
        "cisco_asa" => r"\S+ +mem\S* +w\S* +(d|pr)\S*( .*)?",
        "dell_sonic" => r".* (-\w*c\w*|--pcap)( .*)?",
        "fortinet" => r"(.* )?get +(tes|test)( .*)?",
        "vyos" | "ubiquiti_edgerouter" => {
            r"\S+ +f(i|il|ile)?( .*)?|.* ho\w* lo\w* .*|.* int\w* .* (c\w*|id\w*|scan)"
        }
        "juniper_junos" => {
            r"\S+ +(hos|host)( .*)?|\S+ +sys\w* +sch.*|.* output-d\w* .*|\S+ +log +/.*"
        }
        "paloalto_panos" => r".* (opt\S* fi\S*|d\S* y\S*)( .*)?",
        _ => "never",
    }
}

/// True if a CLI that knows only double quotes, or a backslash before them, would see other bars.
fn hides_a_bar(line: &str) -> bool {
    let found = |pattern: &str, text: &str| Regex::new(pattern).unwrap().is_match(text);
    let without_double = Regex::new(r#""[^"']*""#).unwrap().replace_all(line, "D").into_owned();
    let hides = [
        r#"'[^'"]*"[^'"]*'"#,
        r"^[^'|]*'[^']*\|[^']*'",
        r"-[ABC] ?\d+ '[^']*\|",
        r"'[^']*\| *(?i:red\w*|app\w*|tee|sav\w*|fil\w*|vsh|bash) [^']+'",
    ];
    found(r#"\\["']"#, line) || hides.iter().any(|pattern| found(pattern, &without_double))
}

/// True if a quoted value of the command holds what a second shell would act on.
fn hides_from_a_script(line: &str) -> bool {
    let quoted = Regex::new(r#""[^"]*"|'[^']*'"#).unwrap();
    let bar = Regex::new(r#"^(?:"[^"]*"|'[^']*'|[^"'|])*"#).unwrap().find(line).unwrap().end();
    let of_option = Regex::new(r#" ["']?-[^ "']*["']?[ =]?("[^"]* [^"]*"|'[^']* [^']*')"#).unwrap();
    if of_option.is_match(&line[..bar]) {
        return true;
    }
    quoted.find_iter(&line[..bar]).any(|value| {
        let value = value.as_str();
        value[1..value.len() - 1].contains(['|', '(', ')', '"', '\''])
            || [" -", " /", " ."].iter().any(|begins| value.contains(begins))
    })
}

/// What stands before the first bar, as a device reads it: nothing if quotes or backslashes stand inside a word.
fn without_quotes(line: &str) -> Option<String> {
    let letter = r#"(?:[^"'\\ |]|\\[^\w"' -])"#;
    let quoted = r#"(?:"[^"]*[^" ][^"]*"|'[^']*[^' ][^']*')"#;
    let word = format!("(?:(?:{letter}*[=~])?{quoted}|{letter}+)");
    let base = Regex::new(&format!("^{word}(?: +{word})*(?: *$| *\\|)")).unwrap();
    let found = base.find(line)?.as_str().trim_end_matches([' ', '|']);
    Some(found.replace(['"', '\'', '\\'], ""))
}

#[test]
fn a_second_checker_of_another_method_agrees_on_every_row_of_its_platforms() {
    let mut disagreements = BTreeMap::new();
    let gate = Gate::new();
    let known = [
        "cisco_ios",
        "cisco_iosxe",
        "cisco_asa",
        "cisco_nxos",
        "cisco_xr",
        "arista_eos",
        "juniper_junos",
        "huawei_vrp",
        "hp_comware",
        "fortinet",
        "paloalto_panos",
        "nokia_sros",
        "vyos",
        "ubiquiti_edgerouter",
        "alcatel_aos",
        "dell_sonic",
        "frr",
        "dell_os10",
        "extreme_exos",
        "aruba_aoscx",
        "mikrotik_routeros",
        "linux",
    ];
    for (os, command, verdict) in rows() {
        if verdict == "uncertain" || !known.contains(&os.as_str()) {
            continue;
        }
        let (first, second) = (gate.allows(&os, &command), second_opinion(&os, &command));
        if first != second || first != (verdict == "allow") {
            disagreements.insert(format!("{os} {command:?}"), (verdict, first, second));
        }
    }
    assert!(disagreements.is_empty(), "{disagreements:#?}");
}
