// As for histograms: nothing follows from a count.
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::histogram::{Class, Histogram, HistogramSnapshot, add_alone};
use super::per_thread::PerThread;

/// Plain counters and histograms of a hub's traffic: an [`Observer`](crate::Observer) without dependencies.
/// [`HubBuilder::counters`](crate::HubBuilder::counters) installs one for [`Hub::stats`](crate::Hub::stats).
///
/// Each thread counts for itself, so counting a message or a publication takes some ten instructions
/// and no lock. Reading adds up the threads' counts. Messages that a connection receives at once are
/// counted when the last of them has reached its hook.
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
    pub(super) hooks: Histogram,
}

/// The messages of both directions, by their sizes.
#[derive(Default)]
struct Sizes {
    received: Histogram,
    sent: Histogram,
    /// How many messages were received since a hook was timed.
    untimed: AtomicU64,
    /// Publications, and in how many queues they are.
    published: AtomicU64,
    queued: AtomicU64,
}

impl Counters {
    /// The time of a hook is measured for at most one message in this many.
    pub const SAMPLE: u64 = 256;

    /// Returns the current counters.
    pub fn now(&self) -> CountersSnapshot {
        CountersSnapshot {
            received: Histogram::sum(self.sizes.all().map(|sizes| &sizes.received)),
            sent: Histogram::sum(self.sizes.all().map(|sizes| &sizes.sent)),
            hooks: self.hooks.now(),
        }
    }

    /// Counts messages of one class, which have `bytes` together.
    #[inline]
    pub(super) fn count_received(&self, class: Class, bytes: u64, messages: u64) {
        match self.sizes.own() {
            Some(own) => {
                own.received.add_alone(class, bytes, messages);
                add_alone(&own.untimed, messages);
            }
            None => {
                let shared = self.sizes.shared();
                shared.received.add(class, bytes, messages);
                shared.untimed.fetch_add(messages, Ordering::Relaxed);
            }
        }
    }

    /// Counts a message. Returns whether its hook must be timed.
    #[inline]
    pub(super) fn count_first(&self, class: Class, bytes: u64) -> bool {
        let untimed = match self.sizes.own() {
            Some(own) => {
                own.received.add_alone(class, bytes, 1);
                &own.untimed
            }
            None => {
                let shared = self.sizes.shared();
                shared.received.add(class, bytes, 1);
                &shared.untimed
            }
        };
        // Not exact where threads share it: a few more or fewer are timed.
        let before = untimed.load(Ordering::Relaxed);
        let is_due = matches!(before, 0 | Self::SAMPLE..);
        untimed.store(if is_due { 1 } else { before + 1 }, Ordering::Relaxed);
        is_due
    }

    /// Counts a publication, a message of `bytes` for each queue that accepted it, and with it what
    /// a hub that is not watched counts for all threads together.
    #[inline]
    pub(super) fn count_published(&self, bytes: usize, queued: usize) {
        let (class, queued) = (Class::of(bytes), queued as u64);
        let sum = (bytes as u64).wrapping_mul(queued);
        match self.sizes.own() {
            Some(own) => {
                own.sent.add_alone(class, sum, queued);
                add_alone(&own.published, 1);
                add_alone(&own.queued, queued);
            }
            None => {
                let shared = self.sizes.shared();
                shared.sent.add(class, sum, queued);
                shared.published.fetch_add(1, Ordering::Relaxed);
                shared.queued.fetch_add(queued, Ordering::Relaxed);
            }
        }
    }

    /// Returns the publications that were counted here, and in how many queues they are.
    pub(super) fn publications(&self) -> (u64, u64) {
        let all = self.sizes.all();
        all.fold((0, 0), |(published, queued), sizes| {
            (
                published + sizes.published.load(Ordering::Relaxed),
                queued + sizes.queued.load(Ordering::Relaxed),
            )
        })
    }

    /// Counts a message of `bytes` for each queue that accepted it.
    #[inline]
    pub(super) fn count_sent(&self, bytes: usize, queued: usize) {
        let (class, queued) = (Class::of(bytes), queued as u64);
        let sum = (bytes as u64).wrapping_mul(queued);
        match self.sizes.own() {
            Some(own) => own.sent.add_alone(class, sum, queued),
            None => {
                self.sizes.shared().sent.add(class, sum, queued);
            }
        }
    }
}

crate::opaque_debug!([] Counters, self => (self.now()));

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
