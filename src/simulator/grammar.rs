//! What a typed line means to a device: its words may be cut short, and only one command may fit.

use super::persona::{Command, Persona};

/// What became of a line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meant<'p> {
    /// The one command that fits.
    Command(&'p Command),
    /// This word may begin two.
    Ambiguous(Word),
    /// More words were wanted.
    Incomplete,
    /// No command has this word here.
    Unknown(Word),
}

/// A word of the line: its number, and the byte it begins at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Word {
    pub(super) number: usize,
    pub(super) at: usize,
}

impl Persona {
    /// The command that `line` means in this mode: exact words beat prefixes, word by word.
    pub(super) fn meant(&self, line: &str, privileged: bool) -> Meant<'_> {
        let mut left: Vec<(&Command, Vec<&str>)> = self
            .command
            .iter()
            .filter(|command| privileged || !command.privileged)
            .map(|command| (command, command.line.split(' ').collect()))
            .collect();
        let mut words = 0;
        for (number, (at, typed)) in words_of(line).enumerate() {
            words = number + 1;
            let word = Word { number, at };
            let fits = |kind: fn(&str, &str) -> bool, words: &[&str]| {
                words.get(number).is_some_and(|known| kind(known, typed))
            };
            // Text beats a place holder, and a whole word beats one that was cut short.
            let kinds = [is as fn(&str, &str) -> bool, begins, is_place];
            let Some(kind) =
                kinds.into_iter().find(|kind| left.iter().any(|(_, words)| fits(*kind, words)))
            else {
                return Meant::Unknown(word);
            };
            left.retain(|(_, words)| fits(kind, words));
            let first = left.first().and_then(|(_, words)| words.get(number).copied());
            if left.iter().any(|(_, words)| words.get(number).copied() != first) {
                return Meant::Ambiguous(word);
            }
        }
        match left.iter().find(|(_, command)| command.len() == words) {
            Some((command, _)) => Meant::Command(command),
            None => Meant::Incomplete,
        }
    }
}

/// The words of a line and where they begin.
fn words_of(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    line.split(' ').filter_map(move |word| {
        let here = at;
        at += word.len() + 1;
        (!word.is_empty()).then_some((here, word))
    })
}

fn is(known: &str, typed: &str) -> bool {
    known.eq_ignore_ascii_case(typed)
}

fn begins(known: &str, typed: &str) -> bool {
    known.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed))
}

fn is_place(known: &str, _typed: &str) -> bool {
    known.starts_with('<')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str, privileged: bool) -> String {
        let lines = [
            ("show version", false),
            ("show ip interface brief", false),
            ("show ip route", false),
            ("show ip route <prefix>", false),
            ("show interfaces", false),
            ("show interfaces status", false),
            ("show inventory", false),
            ("show running-config", true),
        ];
        let mut text = "platform = \"x\"\nhostname = \"h\"\nlogout = [\"exit\"]\nunknown = \"?\"\n\
            [prompts]\nprivileged = \"#\"\nconfig = \"c\"\n"
            .to_owned();
        for (line, privileged) in lines {
            let command = format!("line = \"{line}\"\nprivileged = {privileged}\noutput = \"\"\n");
            text = text + "[[command]]\n" + &command;
        }
        match Persona::from_toml(&text, "test").unwrap().meant(line, privileged) {
            Meant::Command(command) => command.line.clone(),
            Meant::Ambiguous(word) => format!("ambiguous {} {}", word.number, word.at),
            Meant::Incomplete => "incomplete".to_owned(),
            Meant::Unknown(word) => format!("unknown {} {}", word.number, word.at),
        }
    }

    #[test]
    fn abbreviations_mean_the_one_command_that_fits() {
        let cases = [
            ("sh ver", "show version"),
            ("SHOW IP INT BR", "show ip interface brief"),
            ("show  ip   ro", "show ip route"),
            ("show ip route 192.0.2.0", "show ip route <prefix>"),
            ("show int", "show interfaces"),
            ("show int st", "show interfaces status"),
            ("show i", "ambiguous 1 5"),
            ("show in", "ambiguous 1 5"),
            ("show", "incomplete"),
            ("show ip", "incomplete"),
            ("reload", "unknown 0 0"),
            ("show nonsense", "unknown 1 5"),
            ("show ip route 192.0.2.0 longer", "unknown 4 24"),
            ("show runn", "show running-config"),
        ];
        for (typed, want) in cases {
            assert_eq!(meant(typed, true), want, "{typed}");
        }
        assert_eq!(meant("show running-config", false), "unknown 1 5");
    }
}
