//! What stands behind the keywords: patterns, hosts on the way, lists of algorithms, times.

use super::{paths::FilePath, reader::Spot, words::Words};
use crate::{
    device::Host,
    host_pattern::{HostPattern, covers},
    profile::SshProfile,
};

#[derive(Clone, Debug)]
pub(super) struct Criterion {
    pub negated: bool,
    /// Of the host as it was asked for; otherwise of its `HostName`.
    pub is_original: bool,
    pub patterns: Vec<HostPattern>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Seconds; `none` says nothing.
    ConnectTimeout(Option<u64>),
    HostKeyAlias(String),
    HostName(String),
    Identity(Option<FilePath>),
    KnownHosts(Vec<FilePath>),
    GlobalKnownHosts(Vec<FilePath>),
    /// Which list of algorithms, and whether it asks for those of the `legacy` profile.
    Offers(&'static str, bool),
    Port(u16),
    ProxyCommand(Option<Spot>),
    /// The hosts, the first one first; none to go directly.
    ProxyJump(Vec<Hop>, Spot),
    Strict(bool),
    User(String),
}

/// A host of `ProxyJump` as the line has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Hop {
    pub user: Option<String>,
    pub name: String,
    pub port: Option<u16>,
}

impl Value {
    /// The value of a line; `None` if its keyword is none of ours.
    pub(super) fn read(
        keyword: &str,
        words: &Words<'_>,
        spot: &Spot,
    ) -> Result<Option<Self>, String> {
        Ok(Some(match keyword {
            "connecttimeout" => match one(words)?.as_str() {
                "none" => Self::ConnectTimeout(None),
                text => {
                    let seconds = seconds(text).ok_or("no time such as `10` or `1m30s`")?;
                    Self::ConnectTimeout(Some(seconds))
                }
            },
            "hostkeyalias" => Self::HostKeyAlias(plain(one(words)?)?),
            "hostname" => Self::HostName(host_name(one(words)?)?),
            "identityfile" | "identityfile2" => match one(words)? {
                none if none.eq_ignore_ascii_case("none") => Self::Identity(None),
                path => Self::Identity(Some(FilePath::parse(&path)?)),
            },
            "userknownhostsfile" => Self::KnownHosts(files(some(words)?)?),
            "globalknownhostsfile" => Self::GlobalKnownHosts(files(some(words)?)?),
            "kexalgorithms" => offers("kexalgorithms", words, SshProfile::key_exchange)?,
            "hostkeyalgorithms" => offers("hostkeyalgorithms", words, SshProfile::host_keys)?,
            "ciphers" => offers("ciphers", words, SshProfile::ciphers)?,
            "macs" => offers("macs", words, SshProfile::macs)?,
            "port" => Self::Port(port(&one(words)?)?),
            "proxycommand" => match words.rest.trim() {
                "" => return Err("a value is missing".to_owned()),
                none if none.eq_ignore_ascii_case("none") => Self::ProxyCommand(None),
                _ => Self::ProxyCommand(Some(spot.clone())),
            },
            "proxyjump" => Self::ProxyJump(Hop::list(words.rest)?, spot.clone()),
            "stricthostkeychecking" => match one(words)?.to_ascii_lowercase().as_str() {
                "yes" | "true" | "ask" => Self::Strict(true),
                "no" | "false" | "off" | "accept-new" => Self::Strict(false),
                _ => {
                    return Err(
                        "StrictHostKeyChecking is yes, no, ask, off or accept-new".to_owned()
                    );
                }
            },
            "user" => Self::User(plain(one(words)?)?),
            _ => return Ok(None),
        }))
    }
}

/// A pattern, for letters of either case: names of hosts have none, and whoever asks for `R1` must not get round a section
/// for `r1`.
pub(super) fn pattern(text: &str) -> Result<HostPattern, String> {
    let pattern = HostPattern::new(text);
    if pattern.is_empty() { Err("an empty pattern".to_owned()) } else { Ok(pattern) }
}

impl Hop {
    /// Reads `[user@]host[:port]` and `ssh://…`, separated by commas; none for `none`.
    fn list(text: &str) -> Result<Vec<Self>, String> {
        // Without the comment, which may stand right behind a host.
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            return Err("a value is missing".to_owned());
        }
        if text.eq_ignore_ascii_case("none") {
            return Ok(Vec::new());
        }
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no [user@]host[:port]", shown(text));
        let uri = text.strip_prefix("ssh://").map(|uri| uri.strip_suffix('/').unwrap_or(uri));
        let rest = uri.unwrap_or(text);
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(plain(user.to_owned())?), rest),
            None => (None, rest),
        };
        let (name, after) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match after.strip_prefix(':') {
            Some(text) => Some(port(text)?),
            None if after.is_empty() => None,
            None => return Err(wrong()),
        };
        Ok(Self { user, name: plain(name.to_owned()).map_err(|_odd| wrong())?, port })
    }
}

/// `all`, or `host` and `originalhost` with lists of patterns.
pub(super) fn criteria(words: Vec<String>) -> Result<Vec<Criterion>, String> {
    let mut criteria = Vec::new();
    let is_all = words.iter().any(|word| word.eq_ignore_ascii_case("all"));
    if is_all && words.len() == 1 {
        return Ok(criteria);
    }
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (negated, name) = match word.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, word.as_str()),
        };
        let (name, inside) = name.split_once('=').map_or((name, None), |(a, b)| (a, Some(b)));
        let is_original = match name.to_ascii_lowercase().as_str() {
            "host" => false,
            "originalhost" => true,
            _ => {
                return Err(format!(
                    "`Match {}`: only `all` (by itself), `host` and `originalhost` are known here",
                    shown(name)
                ));
            }
        };
        let list = inside.filter(|list| !list.is_empty()).map(str::to_owned);
        let list = list.or_else(|| words.next()).ok_or("a pattern is missing")?;
        let patterns = list.split(',').map(pattern).collect::<Result<_, _>>()?;
        criteria.push(Criterion { negated, is_original, patterns });
    }
    Ok(criteria)
}

/// Whether a list of algorithms asks for any that only the `legacy` profile offers.
fn offers(
    keyword: &'static str,
    words: &Words<'_>,
    list: fn(SshProfile) -> &'static str,
) -> Result<Value, String> {
    let text = one(words)?;
    let asked = text.trim_start_matches(['+', '^']);
    let old = list(SshProfile::Legacy).split(',');
    let modern: Vec<&str> = list(SshProfile::Modern).split(',').collect();
    let mut only_old = old.filter(|name| !modern.contains(name));
    let is_asked = |name: &str| asked.split(',').any(|pattern| covers(pattern, name));
    Ok(Value::Offers(keyword, !text.starts_with('-') && only_old.any(is_asked)))
}

/// `HostName`: a host, or one with `%h` in it.
fn host_name(text: String) -> Result<String, String> {
    let rest = text.replace("%%", "").replace("%h", "");
    if rest.contains('%') {
        return Err("in HostName only `%h` and `%%` are known".to_owned());
    }
    if !text.contains('%') {
        Host::parse(&text).map_err(|error| error.to_string())?;
    }
    Ok(text)
}

fn files(words: Vec<String>) -> Result<Vec<FilePath>, String> {
    let is_none = |text: &str| text.eq_ignore_ascii_case("none") || text == "/dev/null";
    words.into_iter().filter(|text| !is_none(text)).map(|text| FilePath::parse(&text)).collect()
}

/// A word that stands for itself.
fn plain(text: String) -> Result<String, String> {
    let is_odd = |c: char| c.is_control() || c == '%' || c == '$';
    if text.is_empty() || text.contains(is_odd) || text.len() > 255 {
        return Err(format!("`{}`: a plain word is wanted here", shown(&text)));
    }
    Ok(text)
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("`{}` is no port", shown(text)))
}

/// `90`, `1m30`, `1m30s`; units may be s, m, h.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut number) = (0_u64, None::<u64>);
    for letter in text.chars() {
        let unit = match letter.to_ascii_lowercase() {
            '0'..='9' => {
                let digit = u64::from(letter.to_digit(10)?);
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    if text.is_empty() { None } else { total.checked_add(number.unwrap_or(0)) }
}

pub(super) fn some(words: &Words<'_>) -> Result<Vec<String>, String> {
    let words = words.arguments()?;
    if words.iter().all(String::is_empty) {
        Err("a value is missing".to_owned())
    } else {
        Ok(words)
    }
}

pub(super) fn one(words: &Words<'_>) -> Result<String, String> {
    let mut words = some(words)?.into_iter();
    match (words.next(), words.next()) {
        (Some(word), None) if !word.is_empty() => Ok(word),
        _ => Err("one value is wanted, and there are more".to_owned()),
    }
}

/// A text of the file, short and harmless to a terminal.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
