//! One line of text an event: time, level, where it happened, who says it, what, and its fields.
//!
//! What is written for every request has to be cheap; and no value may look like another line.

use std::{
    fmt::{self, Write as _},
    mem::take,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::{LookupSpan, Scope},
};

/// Most lines have room in it.
const USUAL_BYTES: usize = 384;
/// Most spans' fields have room in it.
const USUAL_FIELDS_BYTES: usize = 128;

/// Writes events as lines of text.
pub(super) struct PlainText;

/// Writes fields as `name=value`, parted by blanks.
pub(super) struct PlainFields;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, PlainFields> for PlainText {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, PlainFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        // Written at once: the writer is slow to be asked for every word.
        let mut line = String::with_capacity(USUAL_BYTES);
        super::put_now(&mut line);
        line.push_str(level(*metadata.level(), writer.has_ansi_escapes()));
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            line.push_str(span.name());
            if let Some(fields) = span.extensions().get::<FormattedFields<PlainFields>>()
                && !fields.is_empty()
            {
                line.push('{');
                line.push_str(fields);
                line.push('}');
            }
            line.push(':');
        }
        line.push(' ');
        line.push_str(metadata.target());
        line.push_str(": ");
        event.record(&mut Line { text: &mut line, is_first: true });
        line.push('\n');
        writer.write_str(&line)
    }
}

/// The level in five columns, between blanks.
fn level(level: Level, colour: bool) -> &'static str {
    match (level, colour) {
        (Level::ERROR, false) => " ERROR ",
        (Level::WARN, false) => "  WARN ",
        (Level::INFO, false) => "  INFO ",
        (Level::DEBUG, false) => " DEBUG ",
        (Level::TRACE, false) => " TRACE ",
        (Level::ERROR, true) => " \x1b[31mERROR\x1b[0m ",
        (Level::WARN, true) => "  \x1b[33mWARN\x1b[0m ",
        (Level::INFO, true) => "  \x1b[32mINFO\x1b[0m ",
        (Level::DEBUG, true) => " \x1b[34mDEBUG\x1b[0m ",
        (Level::TRACE, true) => " \x1b[35mTRACE\x1b[0m ",
    }
}

impl<'w> FormatFields<'w> for PlainFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = String::with_capacity(USUAL_FIELDS_BYTES);
        fields.record(&mut Line { text: &mut text, is_first: true });
        writer.write_str(&text)
    }
}

struct Line<'t> {
    text: &'t mut String,
    is_first: bool,
}

impl Line<'_> {
    fn name(&mut self, field: &Field) -> &mut String {
        if !take(&mut self.is_first) {
            self.text.push(' ');
        }
        if field.name() != "message" {
            self.text.push_str(field.name());
            self.text.push('=');
        }
        self.text
    }

    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // A text takes everything.
        let _ = OneLine(self.name(field)).write_fmt(value);
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if is_word(value) {
            self.name(field).push_str(value);
        } else if field.name() == "message" {
            self.put(field, format_args!("{value}"));
        } else {
            self.put(field, format_args!("{value:?}"));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field).push_str(itoa::Buffer::new().format(value));
    }
}

/// True for what can stand without quotes and not be taken for anything else.
fn is_word(value: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\');
    // All of them are looked at, so that the compiler can look at many at once.
    !value.is_empty() && value.bytes().fold(true, |all, byte| all & is_part(byte))
}

/// Lets no control character through: it could end the line or change a terminal.
struct OneLine<'t>(&'t mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if c.is_control() {
                self.0.extend(c.escape_debug());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_its_values_hold() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .fmt_fields(PlainFields)
            .event_format(PlainText);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("http.request", request_id = %"r-1", trace_id = tracing::field::Empty);
            let _inside = span.enter();
            span.record("trace_id", "t");
            let forged = "a\nb\x1b[31m\u{9b}c";
            tracing::warn!(plain = %forged, quoted = forged, word = "/a-b", part = "a=b", none = None::<u64>, number = 7, "it\r{}", 'x');
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let (_time, line) = text.split_once("Z  ").unwrap();
        assert_eq!(
            line,
            "WARN http.request{request_id=r-1 trace_id=t}: showrunner::telemetry::text::tests: it\\rx \
             plain=a\\nb\\u{1b}[31m\\u{9b}c quoted=\"a\\nb\\u{1b}[31m\\u{9b}c\" word=/a-b part=\"a=b\" number=7\n"
        );
    }
}
