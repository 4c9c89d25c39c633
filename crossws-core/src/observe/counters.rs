use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::histogram::{Histogram, HistogramSnapshot};
use super::observer::{Emitted, Observer};
use super::per_thread::PerThread;
use crate::error::HookKind;
use crate::message::Message;
use crate::peer::Peer;

/// Plain counters and histograms of a hub's traffic: an [`Observer`] without dependencies.
/// [`HubBuilder::counters`](crate::HubBuilder::counters) installs one for [`Hub::stats`](crate::Hub::stats).
///
/// Each thread counts for itself, so counting a message or a publication takes some ten instructions
/// and no lock. Reading adds up the threads' counts.
///
/// ```
/// # use crossws_core::*;
/// let hub = Hub::builder().counters().build();
/// let counters = hub.counters().expect("the hub counts");
/// println!("the median message had at most {} bytes", counters.received.quantile(0.5));
/// ```
#[derive(Default)]
pub struct Counters {
    sizes: PerThread<Sizes>,
    hooks: Histogram,
}

/// The messages of both directions, by their sizes.
#[derive(Default)]
struct Sizes {
    received: Histogram,
    sent: Histogram,
}

impl Counters {
    /// The time of a hook is measured for one message in this many.
    pub const SAMPLE: u64 = 64;

    /// Returns the current counters.
    pub fn now(&self) -> CountersSnapshot {
        CountersSnapshot {
            received: Histogram::sum(self.sizes.all().map(|sizes| &sizes.received)),
            sent: Histogram::sum(self.sizes.all().map(|sizes| &sizes.sent)),
            hooks: self.hooks.now(),
        }
    }

    /// Counts a message of so many bytes. Returns whether its hook must be timed.
    #[inline]
    pub(super) fn count_received(&self, bytes: usize) -> bool {
        let before = match self.sizes.own() {
            Some(own) => own.received.record_alone(bytes as u64, 1),
            None => self.sizes.shared().received.record(bytes as u64),
        };
        before.is_multiple_of(Self::SAMPLE)
    }

    /// Counts a message of so many bytes for each queue that accepted it.
    #[inline]
    pub(super) fn count_sent(&self, bytes: usize, queued: usize) {
        let (bytes, queued) = (bytes as u64, queued as u64);
        match self.sizes.own() {
            Some(own) => own.sent.record_alone(bytes, queued),
            None => self.sizes.shared().sent.record_many(bytes, queued),
        };
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counters").field(&self.now()).finish()
    }
}

impl Observer for Counters {
    fn received(&self, _: &Peer, message: &Message) {
        self.count_received(message.len());
    }

    fn emitted(&self, emitted: &Emitted<'_>) {
        self.count_sent(emitted.message.len(), emitted.queued);
    }

    fn hook_ended(&self, _: &Peer, _: HookKind, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.hooks.record(micros);
    }
}

/// The values of [`Counters`] at one moment.
///
/// ```
/// # use crossws_core::*;
/// fn median_size(counters: &CountersSnapshot) -> u64 {
///     counters.received.quantile(0.5)
/// }
/// # assert_eq!(median_size(&CountersSnapshot::default()), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct CountersSnapshot {
    /// Messages that reached hooks, by the bytes of their payloads, inflated.
    pub received: HistogramSnapshot,
    /// Messages that queues accepted, one for each recipient, by the bytes of their payloads before
    /// compression.
    pub sent: HistogramSnapshot,
    /// `message` hooks, by their duration in microseconds: one in [`Counters::SAMPLE`].
    pub hooks: HistogramSnapshot,
}

/// Messages and bytes in both directions: see [`Stats::traffic`](field@crate::Stats::traffic).
///
/// ```
/// # use crossws_core::*;
/// let hub = Hub::builder().counters().build();
/// let HubTraffic { received, sent, .. } = hub.stats().traffic.unwrap_or_default();
/// assert_eq!((received, sent), (0, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct HubTraffic {
    /// Messages that reached hooks.
    pub received: u64,
    /// The bytes of their payloads, inflated.
    pub received_bytes: u64,
    /// Messages that queues accepted, one for each recipient.
    pub sent: u64,
    /// The bytes of their payloads, before compression.
    pub sent_bytes: u64,
}

impl From<&CountersSnapshot> for HubTraffic {
    fn from(counters: &CountersSnapshot) -> Self {
        Self {
            received: counters.received.count,
            received_bytes: counters.received.sum,
            sent: counters.sent.count,
            sent_bytes: counters.sent.sum,
        }
    }
}
