use std::time::Duration;

use serde::Serialize;

use super::histogram::{Histogram, HistogramSnapshot};
use super::observer::{Emitted, Observer};
use crate::error::HookKind;
use crate::message::Message;
use crate::peer::Peer;

/// Plain counters and histograms of a hub's traffic: an [`Observer`] without dependencies.
/// [`HubBuilder::counters`](crate::HubBuilder::counters) installs one for [`Hub::stats`](crate::Hub::stats).
///
/// A message costs two additions to atomic numbers, and so does a publication.
///
/// ```
/// # use crossws_core::*;
/// let hub = Hub::builder().counters().build();
/// let counters = hub.counters().expect("the hub counts");
/// println!("the median message had at most {} bytes", counters.received.quantile(0.5));
/// ```
#[derive(Debug, Default)]
pub struct Counters {
    received: Histogram,
    sent: Histogram,
    hooks: Histogram,
}

impl Counters {
    /// The time of a hook is measured for one message in this many.
    pub const SAMPLE: u64 = 64;

    /// Returns the current counters.
    pub fn now(&self) -> CountersSnapshot {
        CountersSnapshot {
            received: self.received.now(),
            sent: self.sent.now(),
            hooks: self.hooks.now(),
        }
    }

    /// Counts a message. Returns whether its hook must be timed.
    #[inline]
    pub(super) fn count_received(&self, message: &Message) -> bool {
        self.received
            .record(message.len() as u64)
            .is_multiple_of(Self::SAMPLE)
    }

    #[inline]
    pub(super) fn count_sent(&self, message: &Message, queued: usize) {
        self.sent.record_many(message.len() as u64, queued as u64);
    }
}

impl Observer for Counters {
    fn received(&self, _: &Peer, message: &Message) {
        self.count_received(message);
    }

    fn emitted(&self, emitted: &Emitted<'_>) {
        self.count_sent(emitted.message, emitted.queued);
    }

    fn hook_ended(&self, _: &Peer, _: HookKind, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.hooks.record(micros);
    }
}

/// The values of [`Counters`] at one moment.
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
