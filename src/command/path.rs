//! The gate on `RouterOS`: `[/]path print [arguments]`.
//!
//! A path names menus, but a command may stand at its end, and takes a `print` behind it for an argument: what is
//! known for a command, or could be short for one, stands in no path.

use super::{
    grammar::{ACTING_WORDS, acts, no_read_verb},
    refusal::{Refusal, Rule},
};
use crate::platform::{ReadRules, is_program};

/// A path, `print` and what may follow it. The language of the CLI runs inside brackets and braces.
pub(super) fn check(base: &str, words: &[(usize, &str)], reads: &ReadRules) -> Result<(), Refusal> {
    if let Some(at) = base.find(['[', ']', '{', '}', '$', '\\', '(', ')']) {
        return Err(Refusal::new(Rule::ForbiddenCharacter, at));
    }
    let words = &verb_apart(words, reads);
    // A colon begins a command of the language, but in a condition it belongs to an address or a time.
    let condition =
        words.iter().find(|(_, word)| *word == "where").map_or(base.len(), |(at, _)| *at);
    if let Some(at) = base.find([':', '!']).filter(|at| *at < condition) {
        return Err(Refusal::new(Rule::ForbiddenCharacter, at));
    }
    let begins_command =
        |(at, word): &&(usize, &str)| *at > condition && is_command_of_the_language(word);
    if let Some((at, _)) = words.iter().find(begins_command) {
        return Err(Refusal::new(Rule::ForbiddenCharacter, *at));
    }
    // There a mark says `not` to the name behind it.
    let says_not = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| base.as_bytes().get(at));
        let behind = base.as_bytes().get(at + 1);
        before == Some(&b' ') && behind.is_some_and(u8::is_ascii_alphabetic)
    };
    let mut quote = None;
    for (at, c) in base.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('!', None) if !says_not(at) => {
                return Err(Refusal::new(Rule::ForbiddenCharacter, at)
                    .hint("it stands before a name, behind `where`"));
            }
            _ => {}
        }
    }
    let verb = words.iter().position(|(_, word)| reads.verbs.iter().any(|verb| verb.is(word)));
    let verb = verb.filter(|verb| *verb > 0).ok_or_else(|| no_read_verb(reads))?;
    let mut path: Vec<&str> = Vec::new();
    for (index, (at, word)) in words.iter().take(verb).enumerate() {
        let name = if index == 0 { word.trim_start_matches('/') } else { word };
        for step in name.split('/') {
            path.push(step);
            let plain = step.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if step.is_empty() || !plain || is_program(step) || is_command(&path) {
                return Err(Refusal::new(Rule::ReadVerb, *at));
            }
        }
    }
    let arguments = words.get(verb + 1..).unwrap_or_default();
    for (index, (at, word)) in arguments.iter().enumerate() {
        let name = word.trim_start_matches('!').split(['=', '~']).next().unwrap_or_default();
        let conditional = arguments.iter().take(index).any(|(_, before)| *before == "where");
        // An option, should the device be a Unix.
        if word.starts_with('-') {
            return Err(Refusal::new(Rule::ArgumentWrites, *at));
        }
        let is_operator = conditional && OPERATORS.contains(word);
        let is_condition = conditional && name == "comment" && word.contains(['=', '~']);
        if (acts(name) && !PRINT_ARGUMENTS.contains(&name) && !is_operator && !is_condition)
            || !(conditional || PRINT_ARGUMENTS.contains(&name))
        {
            return Err(Refusal::new(Rule::ArgumentWrites, *at)
                .hint(format!("after `print` come only {}", PRINT_ARGUMENTS.join(", "))));
        }
    }
    Ok(())
}

/// `:put`; an address may begin with two colons.
fn is_command_of_the_language(word: &str) -> bool {
    word.strip_prefix(':').is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// The words with `print` as one of its own: `/ip/address/print` is `/ip/address print`.
fn verb_apart<'w>(words: &[(usize, &'w str)], reads: &ReadRules) -> Vec<(usize, &'w str)> {
    let mut apart = Vec::with_capacity(words.len() + 1);
    for (at, word) in words {
        match word.rsplit_once('/') {
            Some((path, verb)) if reads.verbs.iter().any(|known| known.is(verb)) => {
                apart.push((*at, path));
                apart.push((at + path.len() + 1, verb));
            }
            _ => apart.push((*at, *word)),
        }
    }
    apart
}

/// True if the last step of a path could be a command: whole, shortened, or a word that acts among others with hyphens.
fn is_command(path: &[&str]) -> bool {
    let Some(step) = path.last() else { return false };
    if MENUS.iter().any(|menu| menu.split(' ').eq(path.iter().copied())) {
        return false;
    }
    let could_be = |command: &&str| {
        let mut steps = path.iter().rev();
        command.rsplit(' ').all(|whole| steps.next().is_some_and(|step| whole.starts_with(step)))
    };
    let one_letter = step.len() == 1 && step.bytes().all(|b| b.is_ascii_alphabetic());
    let is_known = |part: &str| ACTING_WORDS.contains(&part) || COMMANDS.contains(&part);
    one_letter || acts(step) || step.split('-').any(is_known) || COMMANDS.iter().any(could_be)
}

/// What may follow `print`, by the word before a `=`.
const PRINT_ARGUMENTS: [&str; 19] = [
    "all",
    "dynamic",
    "static",
    "brief",
    "detail",
    "terse",
    "without-paging",
    "count-only",
    "value-list",
    "as-value",
    "proplist",
    "stats",
    "stats-detail",
    "show-ids",
    "status",
    "oid",
    "from",
    "chain",
    "where",
];
/// Words between the conditions behind `where`.
const OPERATORS: [&str; 3] = ["and", "in", "or"];
/// Menus with names that elsewhere are commands or could be short for one: whole paths, not shortened.
const MENUS: [&str; 9] = [
    "file",
    "ip",
    "ip ssh",
    "snmp",
    "system package update",
    "system routerboard reset-button",
    "tool mac-server ping",
    "tool traffic-monitor",
    "user ssh-keys",
];
/// Commands, besides words that act on other systems too: a word, or the last two where the word alone is also a menu.
const COMMANDS: [&str; 130] = [
    "activate",
    "active login",
    "apply",
    "at-chat",
    "balance",
    "bandwidth-test",
    "beep",
    "blink",
    "cable-test",
    "cancel",
    "card-reinstall",
    "card-verify",
    "cell-monitor",
    "check",
    "clear",
    "close-session",
    "copy",
    "create",
    "debug",
    "delay",
    "disconnect",
    "discover",
    "downgrade",
    "download",
    "dump",
    "eject",
    "erase",
    "error",
    "exit",
    "fetch",
    "firmware-upgrade",
    "flood-ping",
    "flush",
    "force-update",
    "format",
    "frequency-monitor",
    "frequency-scan",
    "generate",
    "global",
    "info",
    "inject",
    "install",
    "ip-scan",
    "issued-revoke",
    "kill-connections",
    "load",
    "local-update",
    "mac-scan",
    "mac-telnet",
    "make",
    "migrate-legacy-db",
    "monitor-traffic",
    "mqtt connect",
    "nvme-discover",
    "optimize-db",
    "parse",
    "password",
    "pause",
    "ping",
    "ping-speed",
    "power-cycle",
    "power-reset",
    "provision",
    "publish",
    "pwr-line join",
    "pwr-line leave",
    "quick",
    "quit",
    "raid-scrub",
    "redo",
    "refresh",
    "regenerate",
    "release",
    "reload",
    "renew",
    "reoptimize",
    "repartition",
    "repull",
    "request",
    "reselect-channel",
    "resend",
    "resolve",
    "restore",
    "resume",
    "revoke",
    "safe-mode toggle",
    "safe-mode unroll",
    "save",
    "scan",
    "send",
    "serial-terminal",
    "setup",
    "shell",
    "show",
    "sign",
    "sleep",
    "sniff",
    "snmp-get",
    "snmp-walk",
    "snoop",
    "spectral-history",
    "spectral-scan",
    "speed-test",
    "ssh",
    "start",
    "stop",
    "store clean-drive",
    "subscribe",
    "sup-output",
    "take",
    "telnet",
    "terminal",
    "test",
    "tool dns-update",
    "tool profile",
    "torch",
    "traceroute",
    "transceive",
    "undo",
    "uninstall",
    "unschedule",
    "unsubscribe",
    "update",
    "upload",
    "vacuum-db",
    "w60g align",
    "warning",
    "wifiwave2 sniffer",
    "wol",
    "wps",
];

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::{super::grammar, *};
    use crate::platform::Registry;

    const ACTING: &str = "system backup save, system backup load, system ssh, system telnet, system reboot, \
        system shutdown, system reset-configuration, system package downgrade, \
        system package update install, system package update check-for-updates, \
        system device-mode update, system routerboard upgrade, system sup-output, \
        system script run, tool fetch, tool bandwidth-test, tool flood-ping, tool ip-scan, \
        tool mac-telnet, tool profile, tool sniffer start, tool sms send, tool torch, \
        tool traceroute, tool wol, certificate sign, certificate add-acme, \
        certificate create-certificate-request, ip ssh regenerate-host-key, ip dns cache flush, \
        ip dhcp-client renew, ip hotspot active login, interface monitor-traffic, \
        interface ethernet cable-test, interface ethernet poe power-cycle, \
        interface wireless wps-push-button, interface lte at-chat, user ssh-keys import, \
        log error, export file, file remove, import, password, ping, quit, redo, undo";
    const READING: &str = "certificate, disk, file, interface, interface ethernet, interface bridge port, \
        interface wireless registration-table, interface wireless security-profiles, \
        interface wireless connect-list, interface wireless sniffer, interface wireguard peers, \
        ip address, ip arp, ip cloud, ip dhcp-server lease, ip dns cache, ip dns static, \
        ip firewall connection, ip firewall connection tracking, ip hotspot active, \
        ip hotspot user profile, ip ipsec installed-sa, ip ipsec profile, \
        ip neighbor discovery-settings, ip route, ip service, ip settings, ip ssh, \
        ipv6 nd prefix, log, port, ppp active, ppp profile, ppp secret, queue simple, \
        routing bgp session, routing ospf neighbor, routing table, snmp, snmp community, \
        system clock, system device-mode, system health, system history, system identity, \
        system license, system logging, system ntp client, system package, \
        system package update, system resource, system resource cpu, system routerboard, \
        system routerboard settings, system scheduler, system script, system ups, tool e-mail, \
        tool mac-server ping, tool netwatch, tool sniffer, tool traffic-monitor, user, \
        user active, user group, user ssh-keys, user-manager user-profile";

    fn passes(text: &str) -> bool {
        static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::embedded().unwrap());
        let platform = REGISTRY.find("routeros").unwrap();
        check(text, &grammar::words(text), platform.reads()).is_ok()
    }

    #[test]
    fn print_behind_a_command_makes_no_read_of_it_however_short_it_is() {
        for command in ACTING.split(", ") {
            let (menu, last) = command.rsplit_once(' ').unwrap_or(("", command));
            for least in 2..=last.len() {
                let path = format!("{menu} {}", last.get(..least).unwrap());
                let path = path.trim();
                for text in [
                    format!("/{path} print"),
                    format!("{path} print detail"),
                    format!("/{} print", path.replace(' ', "/")),
                ] {
                    assert!(!passes(&text), "{text}");
                }
            }
        }
        for text in [
            "/system b save print",
            "/s backup save print",
            "/u print",
            "/ system reboot print",
            "/system reboot print where name=x",
        ] {
            assert!(!passes(text), "{text}");
        }
    }

    #[test]
    fn menus_are_read_whatever_their_names_are_elsewhere() {
        for path in READING.split(", ") {
            for text in [
                format!("/{path} print"),
                format!("{path} print detail"),
                format!("/{} print where disabled=no", path.replace(' ', "/")),
            ] {
                assert!(passes(&text), "{text}");
            }
        }
    }
}
