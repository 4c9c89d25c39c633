//! The Worker's console, for what is logged with `tracing`.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Prints what is logged with `tracing` at this level or above to the Worker's console: the events of
/// hubs, and the application's own. Once for each Worker, in `#[event(start)]`; a Durable Object runs in a
/// Worker that starts too. Does nothing if the program has a subscriber already.
///
/// ```
/// crossws_worker::log_to_console(tracing::Level::INFO);
/// ```
///
/// Spans are not printed. For more, install a subscriber of your own.
pub fn log_to_console(level: Level) {
    let console = Console {
        most: LevelFilter::from_level(level),
    };
    // An error says that there is one.
    let _ = tracing::subscriber::set_global_default(console);
}

struct Console {
    most: LevelFilter,
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Not called: no span is enabled.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        print(*event.metadata().level(), &line(event));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// As `crossws: connected peer=… path="/chat"`.
fn line(event: &Event<'_>) -> String {
    let mut line = Line(format!("{}:", event.metadata().target()));
    event.record(&mut line);
    line.0
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A string takes everything.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(target_arch = "wasm32")]
fn print(level: Level, line: &str) {
    match level {
        Level::ERROR => worker::console_error!("{line}"),
        Level::WARN => worker::console_warn!("{line}"),
        Level::INFO => worker::console_log!("{line}"),
        _ => worker::console_debug!("{line}"),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn print(level: Level, line: &str) {
    eprintln!("{level} {line}");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Kept(Console);

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.0.enabled(metadata)
        }

        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            self.0.new_span(attributes)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            LINES.lock().unwrap().push(line(event));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_line_has_the_events_name_and_fields() {
        let console = Console {
            most: LevelFilter::INFO,
        };
        tracing::subscriber::with_default(Kept(console), || {
            tracing::info!(target: "crossws", path = "/chat", code = 1000, "connected");
            tracing::debug!(target: "crossws", "received");
        });
        let lines = std::mem::take(&mut *LINES.lock().unwrap());
        assert_eq!(lines, ["crossws: connected path=\"/chat\" code=1000"]);
    }
}
