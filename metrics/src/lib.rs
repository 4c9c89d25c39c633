//! Metrics of a **crossws** hub, through the [`metrics`] facade: for Prometheus, StatsD and whatever
//! else has an exporter.
//!
//! ```
//! use crossws_core::Hub;
//! use crossws_metrics::Metrics;
//!
//! // After the exporter is installed.
//! let hub = Hub::builder().observer(Metrics::new()).build();
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

use std::time::Duration;

use crossws_core::{
    ClosedBy, Disconnected, DropCause, Dropped, Emitted, Error, HookKind, Message, Observer, Peer,
    RejectReason, Rejected, Responded,
};
use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge};
use metrics::{describe_histogram, gauge, histogram};

/// Tells the [`metrics`] recorder what happens on a hub. Several hubs may have one each: they add up.
///
/// | metric | kind | labels | |
/// | --- | --- | --- | --- |
/// | `crossws_connections` | gauge | | connected now |
/// | `crossws_connected_total` | counter | | connections |
/// | `crossws_disconnected_total` | counter | `by`, `code` | connections that have ended; the code is `application` where a client chose one of 3000 to 4999 |
/// | `crossws_connection_seconds` | histogram | | how long they were open, where the platform has a clock |
/// | `crossws_rejected_total` | counter | `reason` | requests for a WebSocket that were refused |
/// | `crossws_messages_total`, `crossws_bytes_total` | counter | `direction` | messages that came to hooks (`in`) or that queues took (`out`), and the bytes of their payloads |
/// | `crossws_published_total` | counter | | publications |
/// | `crossws_fan_out` | histogram | | queues that took a publication |
/// | `crossws_hook_seconds` | histogram | `hook` | one `message` hook in 256 |
/// | `crossws_slow_total` | counter | | connections that became slow consumers |
/// | `crossws_dropped_total` | counter | `cause` | messages that policies discarded |
/// | `crossws_failed_total` | counter | | errors that the `error` hook was told |
/// | `crossws_http_responses_total` | counter | `status` | HTTP responses on the same port |
/// | `crossws_http_seconds` | histogram | | how long their service took |
///
/// ```
/// use crossws_core::Hub;
/// use crossws_metrics::Metrics;
///
/// let hub = Hub::builder().observer(Metrics::new()).build();
/// # let _ = hub;
/// ```
pub struct Metrics {
    connections: Gauge,
    connected: Counter,
    connection_seconds: Histogram,
    messages: [Counter; 2],
    bytes: [Counter; 2],
    published: Counter,
    fan_out: Histogram,
    slow: Counter,
    failed: Counter,
    http_seconds: Histogram,
}

impl Metrics {
    /// Metrics of the recorder that is installed now. Without one they go nowhere, also if one is installed
    /// later.
    #[must_use]
    pub fn new() -> Self {
        describe();
        let both = |name| ["in", "out"].map(|way| counter!(name, "direction" => way));
        Self {
            connections: gauge!("crossws_connections"),
            connected: counter!("crossws_connected_total"),
            connection_seconds: histogram!("crossws_connection_seconds"),
            messages: both("crossws_messages_total"),
            bytes: both("crossws_bytes_total"),
            published: counter!("crossws_published_total"),
            fan_out: histogram!("crossws_fan_out"),
            slow: counter!("crossws_slow_total"),
            failed: counter!("crossws_failed_total"),
            http_seconds: histogram!("crossws_http_seconds"),
        }
    }

    fn count(&self, way: usize, message: &Message, times: u64) {
        self.messages[way].increment(times);
        self.bytes[way].increment(times.saturating_mul(message.len() as u64));
    }
}

const IN: usize = 0;
const OUT: usize = 1;

fn describe() {
    describe_gauge!("crossws_connections", "WebSocket connections that are open");
    describe_counter!("crossws_connected_total", "WebSocket connections");
    describe_counter!(
        "crossws_disconnected_total",
        "WebSocket connections that have ended"
    );
    describe_histogram!(
        "crossws_connection_seconds",
        Unit::Seconds,
        "How long WebSocket connections were open"
    );
    describe_counter!(
        "crossws_rejected_total",
        "Requests for a WebSocket that were refused"
    );
    describe_counter!(
        "crossws_messages_total",
        "Messages that came to hooks or that queues took"
    );
    describe_counter!(
        "crossws_bytes_total",
        Unit::Bytes,
        "Bytes of their payloads"
    );
    describe_counter!("crossws_published_total", "Publications");
    describe_histogram!("crossws_fan_out", "Queues that took a publication");
    describe_histogram!(
        "crossws_hook_seconds",
        Unit::Seconds,
        "How long hooks took, of one message in 256"
    );
    describe_counter!(
        "crossws_slow_total",
        "Connections that became slow consumers"
    );
    describe_counter!("crossws_dropped_total", "Messages that policies discarded");
    describe_counter!("crossws_failed_total", "Errors of hooks and of clients");
    describe_counter!("crossws_http_responses_total", "HTTP responses");
    describe_histogram!(
        "crossws_http_seconds",
        Unit::Seconds,
        "How long HTTP responses took to begin"
    );
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

crossws_core::opaque_debug!(Metrics);

impl Observer for Metrics {
    fn connected(&self, _: &Peer) {
        self.connected.increment(1);
        self.connections.increment(1);
    }

    fn disconnected(&self, _: &Peer, it: &Disconnected) {
        self.connections.decrement(1);
        // A client must not choose how many labels there are.
        let code = match it.closed.code {
            3000.. if it.closed.by == ClosedBy::Client => "application".to_owned(),
            code => code.to_string(),
        };
        let by = it.closed.by.name();
        counter!("crossws_disconnected_total", "by" => by, "code" => code).increment(1);
        if let Some(duration) = it.duration {
            self.connection_seconds.record(duration);
        }
    }

    fn received(&self, _: &Peer, message: &Message) {
        self.count(IN, message, 1);
    }

    fn emitted(&self, emitted: &Emitted<'_>) {
        self.count(OUT, emitted.message, emitted.queued as u64);
        if emitted.to.peer().is_none() {
            self.published.increment(1);
            self.fan_out.record(emitted.queued as f64);
        }
    }

    fn rejected(&self, rejected: &Rejected<'_>) {
        let reason = RejectReason::name(rejected.reason);
        counter!("crossws_rejected_total", "reason" => reason).increment(1);
    }

    fn slow(&self, _: &Peer) {
        self.slow.increment(1);
    }

    fn dropped(&self, _: &Peer, dropped: Dropped) {
        let cause = match dropped.cause {
            DropCause::Volatile => "volatile",
            _ => "overflow",
        };
        counter!("crossws_dropped_total", "cause" => cause).increment(dropped.messages);
    }

    fn failed(&self, _: &Peer, _: &Error) {
        self.failed.increment(1);
    }

    fn hook_ended(&self, _: &Peer, hook: HookKind, took: Duration) {
        histogram!("crossws_hook_seconds", "hook" => hook.to_string()).record(took);
    }

    fn responded(&self, responded: &Responded<'_>) {
        let status = responded.status.as_str().to_owned();
        counter!("crossws_http_responses_total", "status" => status).increment(1);
        self.http_seconds.record(responded.took);
    }
}
