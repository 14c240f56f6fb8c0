//! A configuration as a tree: each line with those that belong beneath it.
//!
//! Two kinds of writing: by indentation (IOS, NX-OS, EOS, VRP, `FortiOS` …) and by braces (Junos, `VyOS`). Which one it
//! is shows in the text. Separators and comments are left out; every other line is there once, in its place.

/// Lines nested deeper than this stay at this depth.
const DEEPEST: usize = 64;

/// A line of a configuration and what stands beneath it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Section {
    /// Without indentation and without brace or semicolon.
    pub line: String,
    /// In the configuration's order.
    pub children: Vec<Section>,
}

/// Why a text is no configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// There is nothing in it.
    #[error("the output holds no configuration")]
    Empty,
    /// A closing brace too many.
    #[error("line {line} of the output closes a section that was not opened")]
    NotOpened {
        /// From 1.
        line: usize,
    },
    /// The text ends inside a section.
    #[error("the output ends inside the section `{section}`")]
    NotClosed {
        /// The line that opened it.
        section: String,
    },
}

/// True if the command shows a configuration: `show running-config`, `display current-configuration`, shortened too.
#[must_use]
pub fn is_configuration(command: &str) -> bool {
    const SHOWN: [(&str, usize); 8] = [
        ("running-config", 3),
        ("startup-config", 4),
        ("configuration", 4),
        ("current-configuration", 3),
        ("saved-configuration", 4),
        ("full-configuration", 4),
        ("candidate-config", 4),
        ("run-config", 5),
    ];
    let words: Vec<String> = command.split_whitespace().map(str::to_ascii_lowercase).collect();
    match words.as_slice() {
        // All of FortiOS' configuration.
        [verb] => verb == "show",
        [admin, what] if admin == "admin" => what == "display-config",
        [verb, what, ..] => {
            let reads = ["show", "display"]
                .iter()
                .any(|full| verb.len() >= 2 && full.starts_with(verb.as_str()));
            reads
                && SHOWN
                    .iter()
                    .any(|(full, least)| what.len() >= *least && full.starts_with(what.as_str()))
        }
        [] => false,
    }
}

/// Reads a configuration.
///
/// # Errors
/// The text is empty, or its braces do not match.
pub fn read(text: &str) -> Result<Vec<Section>, TreeError> {
    let opens = text.lines().any(|line| line.trim_end().ends_with('{'));
    let closes = text.lines().any(|line| line.trim() == "}");
    let tree = if opens && closes { braced(text)? } else { indented(text) };
    if tree.is_empty() { Err(TreeError::Empty) } else { Ok(tree) }
}

/// Sections that are still open, the outermost first.
struct Open {
    done: Vec<Section>,
    /// Each with how far it stands in.
    stack: Vec<(usize, Section)>,
}

impl Open {
    fn close(&mut self) {
        if let Some((_, section)) = self.stack.pop() {
            self.add(section);
        }
    }

    fn add(&mut self, section: Section) {
        match self.stack.last_mut() {
            Some((_, parent)) => parent.children.push(section),
            None => self.done.push(section),
        }
    }
}

fn indented(text: &str) -> Vec<Section> {
    let mut open = Open { done: Vec::new(), stack: Vec::new() };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let words = line.trim();
        if words.is_empty() || words.starts_with(['!', '#']) {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        while open.stack.last().is_some_and(|(above, _)| *above >= depth)
            || open.stack.len() >= DEEPEST
        {
            open.close();
        }
        let mut section = Section { line: words.to_owned(), children: Vec::new() };
        if let Some(end) = banner_end(words) {
            // What a banner says is no configuration.
            for line in lines.by_ref() {
                let ends = line.contains(&end);
                section.children.push(Section { line: line.to_owned(), children: Vec::new() });
                if ends {
                    break;
                }
            }
        }
        open.stack.push((depth, section));
    }
    while !open.stack.is_empty() {
        open.close();
    }
    open.done
}

/// What ends a banner that begins in this line and does not end in it.
fn banner_end(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    if words.next()? != "banner" {
        return None;
    }
    let text = line.splitn(3, char::is_whitespace).nth(2);
    match text {
        // EOS: the banner's text follows, ended by a word of its own.
        None => Some("EOF".to_owned()),
        Some(text) => {
            let end = if text.starts_with('^') { text.get(..2)? } else { text.get(..1)? };
            let behind = text.get(end.len()..)?;
            (!behind.contains(end)).then(|| end.to_owned())
        }
    }
}

fn braced(text: &str) -> Result<Vec<Section>, TreeError> {
    let mut open = Open { done: Vec::new(), stack: Vec::new() };
    let mut in_comment = false;
    // Sections beyond the deepest are closed by as many braces.
    let mut beyond = 0;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if in_comment || line.starts_with("/*") {
            in_comment = !line.ends_with("*/");
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_suffix('{') {
            if open.stack.len() >= DEEPEST {
                beyond += 1;
                open.add(Section { line: name.trim_end().to_owned(), children: Vec::new() });
            } else {
                open.stack
                    .push((0, Section { line: name.trim_end().to_owned(), children: Vec::new() }));
            }
        } else if line == "}" || line == "};" {
            if beyond > 0 {
                beyond -= 1;
            } else if open.stack.is_empty() {
                return Err(TreeError::NotOpened { line: number });
            } else {
                open.close();
            }
        } else {
            let line = line.split(" ## ").next().unwrap_or(line);
            let line = line.strip_suffix(';').unwrap_or(line).to_owned();
            open.add(Section { line, children: Vec::new() });
        }
    }
    match open.stack.last() {
        Some((_, section)) => Err(TreeError::NotClosed { section: section.line.clone() }),
        None => Ok(open.done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as lines that stand in by a dash a level.
    fn drawn(text: &str) -> String {
        fn draw(sections: &[Section], depth: usize, drawn: &mut String) {
            for section in sections {
                drawn.push_str(&"-".repeat(depth));
                drawn.push_str(&section.line);
                drawn.push('|');
                draw(&section.children, depth + 1, drawn);
            }
        }
        let mut drawing = String::new();
        draw(&read(text).unwrap(), 0, &mut drawing);
        drawing
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
        let junos = junos.replace(" ## SECRET-DATA", "");
        assert_eq!(
            drawn(&junos),
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
        assert_eq!(drawn("banner motd\nhello\nEOF\nend\n"), "banner motd|-hello|-EOF|end|");
    }

    #[test]
    fn braces_that_do_not_match_are_an_error() {
        assert_eq!(read("a {\n}\n}\n"), Err(TreeError::NotOpened { line: 3 }));
        assert_eq!(read("a {\nb {\n}\n"), Err(TreeError::NotClosed { section: "a".to_owned() }));
        assert_eq!(read("!\n\n"), Err(TreeError::Empty));
    }

    #[test]
    fn depth_is_bounded() {
        fn depth(sections: &[Section]) -> usize {
            sections.iter().map(|section| 1 + depth(&section.children)).max().unwrap_or(0)
        }
        let lines: Vec<String> = (0..500).map(|n| " ".repeat(n) + "x").collect();
        let indented = lines.join("\n");
        assert!(depth(&read(&indented).unwrap()) <= DEEPEST);
        let braced = format!("{}{}", "x {\n".repeat(5000), "}\n".repeat(5000));
        assert!(depth(&read(&braced).unwrap()) <= DEEPEST + 1);
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
        for command in ["show version", "show runner", "display version", "get system status", ""] {
            assert!(!is_configuration(command), "{command}");
        }
    }
}
