//! Records out of outputs, on threads for nothing else; in a stream of commands on the session's own.
//!
//! A parse has a time of its own; one that is cut off or fails leaves the raw text as it is and says why.

use std::{
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use super::{
    native::{NATIVE, native},
    pool::Pool,
};
use crate::{
    allowance::Allowance,
    catalog::{self, Catalog, Os, Parser, Reading, Records},
    command::{self, FilteredBy},
    config_tree,
    deadline::Deadline,
    outcome::CommandOutcome,
    plan::{Parse, PlannedCommand},
};

/// Longest parse of one output.
const LIMIT: Duration = Duration::from_secs(2);

/// Reads an output that was read elsewhere; `line` is the command that printed it, filters included. `is_late` is asked
/// now and then and ends it.
pub fn read_line(
    catalog: &Catalog,
    os: &Os,
    line: &str,
    output: &str,
    explain: bool,
    is_late: &dyn Fn() -> bool,
) -> Reading {
    match structured(catalog, os, line) {
        Some(Way::Native) => return native(output, is_late),
        Some(Way::Refused(why)) => return Reading::refused(why),
        _ => {}
    }
    let reading = catalog.read_line(os, line, output, explain, is_late);
    // Nothing is for this output, but something would be for all of it.
    let is_unread = reading.parser.is_none() && reading.parsed.is_none();
    if is_unread
        && let Some((base, _)) = line.split_once('|')
        && catalog.parser_of(os, base.trim(), None).is_some()
    {
        return Reading::refused(
            "Parser not run: the output was filtered; send all of it, with the command without its filter",
        );
    }
    reading
}

/// Reads outputs; clones share the threads.
#[derive(Clone)]
pub struct Reader {
    catalog: Arc<Catalog>,
    pool: Pool,
    /// For sessions' outputs: a thousand of them do not keep callers' own texts waiting.
    outputs: Pool,
}

impl Reader {
    /// A reader with no thread yet; it makes at most two for each core.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        let threads = available_parallelism().map_or(2, usize::from);
        let (pool, outputs) = (Pool::new(threads), Pool::new(threads));
        Self { catalog: Arc::new(catalog), pool, outputs }
    }

    /// The templates as they were read last.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Runs `job` with the templates as they are now on a thread of its own; `None` if it panicked. `job` gets a clock to ask whether
    /// it is late.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Catalog, &dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Option<T> {
        let catalog = Arc::clone(&self.catalog);
        let limited = move || {
            catalog.refresh();
            job(&catalog, &clock())
        };
        self.pool.run(limited).await
    }

    /// Runs `job`, which reads an output, on a thread for that; `None` if it panicked.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.outputs.run(job).await
    }

    /// Reads what was asked for out of a finished command's output, if the request may hold the records and it is not
    /// `until` yet. Takes its time: not for async code.
    pub(super) fn read(
        &self,
        os: impl FnOnce() -> Os,
        planned: &PlannedCommand,
        outcome: &mut CommandOutcome,
        allowance: &Allowance,
        until: Deadline,
    ) {
        let whole = outcome.whole.take();
        allowance.give_back(whole.as_ref().map_or(0, String::len));
        let Some(parse) = planned.parse.filter(|_| outcome.failure.is_none()) else { return };
        let started = Instant::now();
        self.catalog.refresh();
        let reading = if outcome.truncated {
            Reading::refused(
                "Parser not run: the output is cut off; the limits are SHOWRUNNER_MAX_OUTPUT_BYTES and SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES",
            )
        } else if until.left(started).is_none() {
            Reading::refused(
                "Parser not run: the time was over; the limit is SHOWRUNNER_REQUEST_TOTAL_TIMEOUT",
            )
        } else if planned.command.is_filtered_here() && whole.is_none() {
            Reading::refused(
                "Parser not run: the output before its filter has more bytes than the request may still hold; the limit is \
                 SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES",
            )
        } else {
            self.reading(&os(), planned, parse, whole.as_deref().unwrap_or(&outcome.output))
        };
        outcome.records_bytes = reading.parsed.as_ref().map_or(0, Records::bytes);
        let is_held = outcome.records_bytes == 0 || allowance.take(outcome.records_bytes);
        if is_held {
            outcome.parsed = reading.parsed;
            outcome.parse_error = reading.error;
        } else {
            outcome.parse_error = Some(format!(
                "Parser's records left out: they have {} bytes, more than the request may still hold; the limit is SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES",
                std::mem::take(&mut outcome.records_bytes)
            ));
        }
        outcome.parser = reading.parser;
        outcome.parse_duration = Some(started.elapsed());
    }

    fn reading(&self, os: &Os, planned: &PlannedCommand, parse: Parse, output: &str) -> Reading {
        let command = &planned.command;
        match way(&self.catalog, os, planned, parse) {
            Way::Native => native(output, &clock()),
            Way::Refused(why) => Reading::refused(why),
            Way::OwnForm if config_tree::is_shown(command.base(), output) => {
                catalog::read_tree(output, &clock())
            }
            Way::OwnForm => Reading::refused(if command.is_whole() {
                "Parser not available: this platform prints no structured output of its own; ask for `output_format: \"parsed\"` instead"
            } else {
                "Parser not run: a device's own structured output is asked for only without filters; leave them out, or ask for \
                 `output_format: \"parsed\"`"
            }),
            Way::Template { base } => {
                self.catalog.read(os, command.line().as_str(), base, output, false, &clock())
            }
        }
    }
}

/// What would read a command's output, as far as that can be said without it; `None` if nothing would or nothing was asked for.
pub fn parser_of(catalog: &Catalog, os: &Os, planned: &PlannedCommand) -> Option<Parser> {
    let command = &planned.command;
    match way(catalog, os, planned, planned.parse?) {
        Way::Native => Some(Parser::without_template(NATIVE)),
        Way::Refused(_) => None,
        Way::OwnForm => config_tree::is_configuration(command.base())
            .then(|| Parser::without_template(catalog::CONFIG_TREE)),
        Way::Template { base } => {
            let line = command.line().as_str();
            let is_tree = || config_tree::is_configuration(&os.indexed(base.unwrap_or(line)));
            let tree = || is_tree().then(|| Parser::without_template(catalog::CONFIG_TREE));
            catalog.parser_of(os, line, base).or_else(tree)
        }
    }
}

/// How a command's output is to be read.
enum Way<'c> {
    /// It is JSON.
    Native,
    /// Not at all.
    Refused(&'static str),
    /// As what the platform prints for programs: a configuration, or nothing.
    OwnForm,
    /// By the template for the line, or for `base`.
    Template { base: Option<&'c str> },
}

fn way<'c>(catalog: &Catalog, os: &Os, planned: &'c PlannedCommand, parse: Parse) -> Way<'c> {
    let command = &planned.command;
    let line = command.line().as_str();
    if let Some(way) = structured(catalog, os, line) {
        return way;
    }
    let cut = command.filtered_by() == Some(FilteredBy::Device) && !parse.filtered;
    if cut && (parse.native || catalog.parser_of(os, line, None).is_none()) {
        return Way::Refused(
            "Parser not run: the device filtered the output; ask for `filter_where: \"service\"` to parse all of it and \
             filter the text, or for `parse_filtered: true` to parse what is left",
        );
    }
    if parse.native {
        return Way::OwnForm;
    }
    Way::Template { base: (!cut).then(|| command.base()) }
}

/// Says whether a parse that begins now is late.
fn clock() -> impl Fn() -> bool {
    let until = Instant::now() + LIMIT;
    move || Instant::now() > until
}

/// What the device was asked to print for programs: JSON is the records, XML is for templates only that are for just that.
fn structured(catalog: &Catalog, os: &Os, line: &str) -> Option<Way<'static>> {
    if asks_for(&["json", "json-pretty"], line) {
        return Some(Way::Native);
    }
    let is_xml = asks_for(&["xml"], line) && catalog.parser_of(os, line, None).is_none();
    is_xml.then_some(Way::Refused(
        "Parser not run: the device's answer is XML, which is not read; ask for JSON, or for the text",
    ))
}

/// True if the line's last word asks the device for this form: `| json`, `| display json`, `| as json`, `… json`.
fn asks_for(form: &[&str], line: &str) -> bool {
    let stages = command::stages(line);
    let mut parts = stages.iter().rev().filter(|part| !["", "no-more"].contains(part));
    let last = *parts.next().unwrap_or(&"");
    let last = last.strip_suffix(" native").unwrap_or(last);
    let (before, word) = last.rsplit_once(' ').unwrap_or(("", last));
    // Behind any other filter the word is what lines are looked through for.
    let before = before.trim();
    let is_form = parts.next().is_none() || before == "as" || "display".starts_with(before);
    is_form && form.iter().any(|form| word.eq_ignore_ascii_case(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_ask_for_json_are_known_on_every_platform_that_has_it() {
        for line in [
            "show version | json",
            "show ip route json",
            "show version | display json",
            "show x |json",
            "show x | json | no-more",
            "show x | no-more | display json",
            "show ip bgp regexp _65000(1|2)_ json",
            "show interface | json native",
        ] {
            assert!(asks_for(&["json"], line), "{line}");
        }
        for line in [
            "show version",
            "show version | include json x",
            "show log | include json",
            "show log | include a|json",
            "show log | include a|json | include b",
            "show jsonx",
            "",
        ] {
            assert!(!asks_for(&["json"], line), "{line}");
        }
    }
}
