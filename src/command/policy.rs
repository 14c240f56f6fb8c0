//! The operator's word on commands: what is refused besides, and what is allowed that is off by default.
//!
//! A denied text covers whatever the device could take for it, a listed or allowed one only what is written. No entry
//! can widen the rules on bytes or switch on a filter that writes: an allowed command is one exact text without
//! filters, and it passes the byte rules like every other.

use super::{
    grammar, pipe, quotes,
    refusal::{Refusal, Rule},
};
use crate::platform::{Platform, Registry, Shape};

/// What a CLI may leave out of the words that it reads.
const QUOTING: [char; 3] = ['"', '\'', '\\'];

/// A command of the operator's lists that cannot stand there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{line}`: {reason}", line = .line.escape_debug())]
pub struct PolicyError {
    /// The entry.
    pub line: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What the operator's settings say about commands.
#[derive(Clone, Debug, Default)]
pub struct CommandPolicy {
    /// Only these, if there are any.
    only: Vec<Entry>,
    deny: Vec<Entry>,
    allow: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    platform: Option<String>,
    words: Vec<String>,
    behind: Behind,
}

/// What a command may have behind the words of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behind {
    /// Nothing.
    Nothing,
    /// More words: `show ip *`.
    Words,
    /// More letters of the last word, and more words: `show ip*`.
    Letters,
}

impl CommandPolicy {
    /// Reads entries `text` or `platform: text`. A `*` at the end of a denied text makes it a prefix. Letters of
    /// either case and any number of blanks are the same; a denied word also covers its abbreviations, and whatever
    /// quotes and slashes it is written with.
    ///
    /// Platforms are those of `registry`; without one their names are not looked up, and what is read only serves to find
    /// other faults.
    ///
    /// # Errors
    /// An entry that is empty, that no command can fit, or that no setting can allow.
    pub fn parse(
        deny: &[String],
        allow: &[String],
        registry: Option<&Registry>,
    ) -> Result<Self, PolicyError> {
        let allow =
            allow.iter().map(|line| Entry::allowed(line, registry)).collect::<Result<_, _>>();
        let deny =
            deny.iter().map(|line| Entry::unfiltered(line, registry)).collect::<Result<_, _>>();
        Ok(Self { only: Vec::new(), deny: deny?, allow: allow? })
    }

    /// The same, narrowed to commands of `lines`: `text` or `platform: text`, a `*` at the end for a prefix, whose last
    /// word is whole if a blank stands before the `*`. None of them means no narrowing. Words are taken as they are
    /// written: an abbreviation of a listed command is not listed.
    ///
    /// # Errors
    /// An entry that is empty, or that no command can fit.
    pub fn with_only(
        mut self,
        lines: &[String],
        registry: Option<&Registry>,
    ) -> Result<Self, PolicyError> {
        let only = lines.iter().map(|line| Entry::unfiltered(line, registry));
        self.only = only.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// # Errors
    /// An entry denies the command, or only others are listed.
    pub(super) fn check(&self, platform: &Platform, base: &str) -> Result<(), Refusal> {
        let listed =
            self.only.is_empty() || self.only.iter().any(|entry| entry.lists(platform, base));
        if !listed || self.deny.iter().any(|entry| entry.denies(platform, base)) {
            return Err(Refusal::new(Rule::DeniedByPolicy, 0));
        }
        Ok(())
    }

    /// True if an entry allows exactly this text.
    pub(super) fn allows(&self, platform: &Platform, text: &str) -> bool {
        self.allow.iter().any(|entry| entry.is_for(platform) && entry.words == words(text))
    }
}

impl Entry {
    fn parse(line: &str, registry: Option<&Registry>) -> Result<Self, PolicyError> {
        let fault = |reason: String| PolicyError { line: line.to_owned(), reason };
        // A colon behind the first word belongs to the command: `show file disk0: x`.
        let named = line.split_once(':').map(|(name, text)| (name.trim(), text));
        let (platform, text) =
            match named.filter(|(name, _)| !name.is_empty() && !name.contains(' ')) {
                Some((name, text)) => (Some(platform_named(name, registry).map_err(fault)?), text),
                None => (None, line),
            };
        let text = text.trim();
        let (text, behind) = match text.strip_suffix('*') {
            Some(text) if text.ends_with(' ') => (text.trim_end(), Behind::Words),
            Some(text) => (text, Behind::Letters),
            None => (text, Behind::Nothing),
        };
        if text.chars().all(|c| c == ' ' || c == '/' || QUOTING.contains(&c)) {
            return Err(fault("no command".to_owned()));
        }
        if text.contains('*') {
            return Err(fault("a `*` stands for anything only at the end".to_owned()));
        }
        // What the gate never lets through fits no command.
        grammar::check_bytes(text).map_err(|no| fault(no.to_string()))?;
        Ok(Self { platform, words: words(text), behind })
    }

    /// An entry that allows what is off by default.
    fn allowed(line: &str, registry: Option<&Registry>) -> Result<Self, PolicyError> {
        let entry = Self::parse(line, registry)?;
        if entry.behind != Behind::Nothing || line.contains('|') {
            let reason = "an allowed command is one exact text without filters".to_owned();
            return Err(PolicyError { line: line.to_owned(), reason });
        }
        let platform =
            entry.platform.as_deref().zip(registry).and_then(|(name, all)| all.find(name));
        if let Some(platform) = platform {
            let text = entry.words.join(" ");
            let passes = grammar::check_for_shell(&text, platform.reads())
                .and_then(|()| quotes::check_line(&text, platform))
                .and_then(|()| pipe::split(&text, platform.reads().quotes).map(|_| ()));
            passes.map_err(|no| PolicyError { line: line.to_owned(), reason: no.to_string() })?;
        }
        Ok(entry)
    }

    /// An entry that is compared with commands without their filters.
    fn unfiltered(line: &str, registry: Option<&Registry>) -> Result<Self, PolicyError> {
        let entry = Self::parse(line, registry)?;
        // Bars in quotes and regular expressions are letters.
        if pipe::split(&entry.words.join(" "), true).is_ok_and(|(_, stages)| !stages.is_empty()) {
            let reason =
                "commands are compared without their filters: leave out the bar and what follows";
            return Err(PolicyError { line: line.to_owned(), reason: reason.to_owned() });
        }
        Ok(entry)
    }

    fn is_for(&self, platform: &Platform) -> bool {
        self.platform.as_ref().is_none_or(|name| name == platform.name())
    }

    /// True if the command stands here word for word.
    fn lists(&self, platform: &Platform, base: &str) -> bool {
        self.is_for(platform)
            && fit(&self.words, &words(base), self.behind, |listed, typed| listed == typed)
    }

    /// A device takes abbreviations, so a denied word covers every beginning of it, and it may read past quotes and
    /// slashes, so the words are compared also without them, and without a prefix such as `admin`. Rather too much than
    /// too little: a blank before the `*` makes no difference.
    fn denies(&self, platform: &Platform, base: &str) -> bool {
        let behind = if self.behind == Behind::Words { Behind::Letters } else { self.behind };
        let covers = |denied: &[String], typed: &[String]| {
            fit(denied, typed, behind, |denied, typed| denied.starts_with(typed))
        };
        let typed = words(base);
        if !self.is_for(platform) {
            return false;
        }
        let (denied, read) = (plain(&self.words, platform), plain(&typed, platform));
        let prefix =
            platform.reads().prefix_words(&read.iter().map(String::as_str).collect::<Vec<_>>());
        covers(&self.words, &typed)
            || covers(&denied, &read)
            || covers(&denied, read.get(prefix..).unwrap_or_default())
    }
}

/// The platform's own name for one of its names; any name without a registry.
fn platform_named(name: &str, registry: Option<&Registry>) -> Result<String, String> {
    let Some(registry) = registry else { return Ok(name.to_owned()) };
    if let Some(platform) = registry.find(name) {
        return Ok(platform.name().to_owned());
    }
    let near = registry.nearest(name).first().map(|near| format!("; did you mean {near}?"));
    Err(format!("no platform is called `{}`{}", name.escape_debug(), near.unwrap_or_default()))
}

/// True if each word of an entry is the `same` as the one typed in its place, and nothing else is behind them.
fn fit(
    entry: &[String],
    typed: &[String],
    behind: Behind,
    same: impl Fn(&str, &str) -> bool,
) -> bool {
    let goes_on = |index| behind == Behind::Letters && index + 1 == entry.len();
    (typed.len() == entry.len() || (typed.len() > entry.len() && behind != Behind::Nothing))
        && entry.iter().zip(typed).enumerate().all(|(index, (word, typed))| {
            same(word, typed) || (goes_on(index) && typed.starts_with(word.as_str()))
        })
}

/// The words as the device may read them: without quotes and backslashes, and without the slash that begins a path;
/// where commands are paths, each of their steps is a word.
fn plain(words: &[String], platform: &Platform) -> Vec<String> {
    let text = words.join(" ").replace(QUOTING, "");
    let text = match platform.reads().shape {
        Shape::Path => text.replace('/', " "),
        Shape::VerbFirst | Shape::ObjectFirst => text,
    };
    let words = text.split(' ').map(|word| word.trim_start_matches('/'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::{
        super::{CommandInput, FilterWhere, check},
        *,
    };

    fn registry() -> &'static Registry {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(|| Registry::embedded().unwrap())
    }

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    fn policy(deny: &[&str], allow: &[&str], only: &[&str]) -> Result<CommandPolicy, PolicyError> {
        CommandPolicy::parse(&owned(deny), &owned(allow), Some(registry()))?
            .with_only(&owned(only), Some(registry()))
    }

    /// The rule that refuses the command, if one does.
    fn verdict(policy: &CommandPolicy, os: &str, text: &str) -> Option<Rule> {
        let input = CommandInput {
            text,
            pipe_option: None,
            pipe_value: None,
            filter_where: FilterWhere::Device,
        };
        check(registry().find(os).unwrap(), policy, &input).err().map(|refusal| refusal.rule())
    }

    #[test]
    fn a_denied_command_is_denied_in_every_spelling_that_a_device_takes() {
        let cases = [
            ("show configuration*", "vyos", "show 'configuration'"),
            ("show configuration*", "vyos", "show con''figuration commands"),
            ("show configuration*", "vyos", "sh \"\"conf'i'g"),
            ("show configuration*", "vyos", "show '' configuration"),
            ("show configuration*", "junos", "show \"configuration\""),
            ("show configuration*", "junos", "show \"configuration\" | no-more"),
            ("show running-config*", "iosxr", "show \"running-config\""),
            ("show running-config*", "nxos", "show \"running-config\""),
            ("show running-config*", "nxos", "show running\\-config"),
            ("show running-config*", "netscaler", "SHOW \"Running-Config\""),
            ("show \"running-config\"*", "netscaler", "show running-config"),
            ("show router*", "sros", "/show router interface"),
            ("/show router*", "sros", "show router interface"),
            ("list auth*", "f5_tmsh", "list /auth user"),
            ("/user print*", "routeros", "user print"),
            ("user print", "routeros", "/user print"),
            ("/ip address print*", "routeros", "ip address print"),
            ("/ip address print*", "routeros", "/ip/address print detail"),
            ("/ip address print*", "routeros", "/ip/address/print"),
            ("/ip address print*", "routeros", "/ip/address print"),
            ("ip address print*", "routeros", "/ip \"address\" print"),
            ("show system admin*", "fortinet", "sudo root show system admin"),
            ("show system admin*", "fortinet", "SUDO global show sys admin x"),
            ("sudo root*", "fortinet", "sudo root get system status"),
            ("show running-config*", "iosxr", "admin show running-config"),
        ];
        for (denied, os, text) in cases {
            let policy = policy(&[denied], &[], &[]).unwrap();
            assert_eq!(verdict(&policy, os, text), Some(Rule::DeniedByPolicy), "{os} {text}");
        }
        let strict = policy(&["show interface gi0/1", "/ip address print*"], &[], &[]).unwrap();
        for (os, text) in [
            ("ios", "show interface gi1"),
            ("ios", "show interface gi0/10"),
            ("routeros", "/ip route print"),
            ("routeros", "/interface print"),
        ] {
            assert_eq!(verdict(&strict, os, text), None, "{os} {text}");
        }
    }

    #[test]
    fn what_is_listed_or_allowed_is_so_only_as_it_is_written() {
        let narrow =
            policy(&[], &[], &["show configuration*", "show router*", "/user print*"]).unwrap();
        for (os, text) in [
            ("junos", "show \"configuration\""),
            ("vyos", "show con''figuration"),
            ("sros", "/show router"),
            ("routeros", "user print"),
            ("junos", "show conf"),
        ] {
            assert_eq!(verdict(&narrow, os, text), Some(Rule::DeniedByPolicy), "{os} {text}");
        }
        let open = policy(&[], &["show tech-support"], &[]).unwrap();
        let nxos = registry().find("nxos").unwrap();
        for (text, want) in [
            ("show  TECH-support", true),
            ("show \"tech-support\"", false),
            ("show tech", false),
            ("/show tech-support", false),
        ] {
            assert_eq!(open.allows(nxos, text), want, "{text}");
        }
    }

    #[test]
    fn a_blank_before_the_star_ends_the_last_word_of_what_is_listed() {
        let (whole, open) = ("show ip *", "show ip*");
        for (text, by_whole, by_open) in [
            ("show ip route", true, true),
            ("show ip", true, true),
            ("show ipv6 route", false, true),
            ("show ipc ports", false, true),
            ("sh ip route", false, false),
            ("show", false, false),
        ] {
            for (entry, want) in [(whole, by_whole), (open, by_open)] {
                let listed = policy(&[], &[], &[&format!("ios: {entry}")]).unwrap();
                let is_listed = verdict(&listed, "ios", text) != Some(Rule::DeniedByPolicy);
                assert_eq!(is_listed, want, "{entry}: {text}");
                // What is denied is denied by either, as far as it ever was.
                let denied = policy(&[&format!("ios: {entry}")], &[], &[]).unwrap();
                let is_denied = verdict(&denied, "ios", text) == Some(Rule::DeniedByPolicy);
                assert_eq!(is_denied, text != "show", "{entry}: {text}");
            }
        }
    }

    #[test]
    fn an_entry_that_no_command_can_fit_is_refused() {
        for (entry, want) in [
            ("ioss: show clock", "`ioss: show clock`: no platform is called `ioss`; did you mean"),
            ("ioss:show clock", "no platform is called `ioss`"),
            ("qqqqqqqq: show clock", "no platform is called `qqqqqqqq`"),
            ("show *clock", "a `*` stands for anything only at the end"),
            ("* clock", "only at the end"),
            ("show clock**", "only at the end"),
            ("ios: *", "no command"),
            ("ios:", "no command"),
            ("/*", "no command"),
            ("\"\"", "no command"),
            ("show\tclock", "printable ASCII"),
            ("show clock; show users", "forbidden_character"),
        ] {
            for lists in [[&[entry][..], &[], &[]], [&[], &[entry], &[]], [&[], &[], &[entry]]] {
                let [deny, allow, only] = lists;
                let said = policy(deny, allow, only).unwrap_err().to_string();
                assert!(said.contains(want), "{entry}: {said}");
            }
        }
        for filtered in ["show run | include password", "show run|no-more", "show run |*"] {
            let said = policy(&[filtered], &[], &[]).unwrap_err().to_string();
            assert!(said.contains("without their filters"), "{filtered}: {said}");
            assert!(policy(&[], &[], &[filtered]).is_err(), "{filtered}");
        }
    }

    #[test]
    fn a_colon_behind_the_first_word_is_one_of_the_command() {
        for (entry, os, text) in [
            ("show file disk0:x", "generic", "show file disk0:x"),
            ("show file disk0: x", "generic", "show file disk0: x"),
            ("show mac address-table address aa:bb", "nxos", "show mac address-t address aa:bb"),
            ("ios:show clock", "cisco_ios", "show clock"),
            ("IOS : show clock", "ios", "show clock"),
            ("cisco-ios:  show clock", "ios", "show clock"),
            ("ios: show file flash: x", "ios", "show file flash: x"),
            ("show ip bgp regexp (1|2)", "ios", "show ip bgp regexp (1|2)"),
        ] {
            let denied = policy(&[entry], &[], &[]).unwrap();
            assert_eq!(verdict(&denied, os, text), Some(Rule::DeniedByPolicy), "{entry}");
        }
        let denied = policy(&["ios:show clock"], &[], &[]).unwrap();
        assert_eq!(verdict(&denied, "nxos", "show clock"), None);
    }

    #[test]
    fn whatever_was_denied_word_for_word_is_denied_with_quotes_and_slashes_too() {
        for (denied, typed) in [
            ("show \"foo\" bar", "show \" bar"),
            ("show /x", "show /"),
            ("/ip address/print", "/i a"),
        ] {
            let entry = policy(&[denied], &[], &[]).unwrap();
            for os in ["ios", "routeros"] {
                let platform = registry().find(os).unwrap();
                assert!(entry.check(platform, typed).is_err(), "{os} {denied}: {typed}");
            }
        }
    }
}
