pub(crate) mod refused;

use serde::Serialize;

use crate::hub::stats::refused::Refused;
use crate::observe::{CloseCounters, Closes, HubTraffic};
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;

/// Counters of a hub since its creation: see [`Hub::stats`](crate::Hub::stats).
///
/// ```
/// # use crossws_core::*;
/// let hub = Hub::default();
/// let Stats { peers, slow, dropped, .. } = hub.stats();
/// println!("{peers} peers; {slow} were slow, {dropped} messages are lost");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Peers connected now.
    pub peers: usize,
    /// Connections with a hook that has not ended, including upgrades in progress.
    pub sessions: usize,
    /// Bytes that connections hold of unfinished messages: see
    /// [`Limits::max_unfinished`](field@crate::Limits::max_unfinished).
    pub unfinished: usize,
    /// Bytes that retained messages count for: see
    /// [`Limits::max_retained`](field@crate::Limits::max_retained).
    pub retained: usize,
    /// Connections ever opened.
    pub accepted: u64,
    /// Connections that have ended, by the side that ended them.
    /// [`Hub::closes`](crate::Hub::closes) counts them by their codes.
    pub closed: Closes,
    /// Requests that were refused, by the reason.
    pub refused: Refused,
    /// Publications, from peers and from outside.
    pub published: u64,
    /// Copies of publications that subscribers' queues accepted.
    pub queued: u64,
    /// Messages that policies discarded, whether they were sent or published: the sum that
    /// `dropped` hooks get, counted when they get it.
    pub dropped: u64,
    /// Connections whose outbound queue has reached a bound, or half of one while writes had to wait.
    pub slow: u64,
    /// Messages and bytes in both directions. `None` on a hub that does not
    /// [count](crate::HubBuilder::counters) them, which is the default.
    pub traffic: Option<HubTraffic>,
}

/// The counts that every hub keeps, with or without observers.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: Mutex<Refused>,
    pub(crate) closed: CloseCounters,
    pub(crate) published: AtomicU64,
    pub(crate) queued: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) slow: AtomicU64,
}
