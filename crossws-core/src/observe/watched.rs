//! What the observers and the log know of a peer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::Span;

use super::telling::Telling;
use super::trace::Trace;
use super::watch::Watch;
use crate::peer::Peer;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The state of an observed peer, in its extensions.
pub(crate) struct Watched {
    /// When the peer connected, by its transport's clock.
    since: Option<SystemTime>,
    connection: Span,
    pub(super) untold: Untold,
}

impl Watched {
    pub(super) fn new(trace: Option<&Trace>, peer: &Peer, since: Option<SystemTime>) -> Self {
        Self {
            since,
            connection: trace.map_or_else(Span::none, |trace| trace.connection(peer)),
            untold: Untold::default(),
        }
    }

    /// Returns how long the connection has been open at this time.
    pub(super) fn duration(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(self.since?).ok()
    }

    pub(super) fn connection(&self) -> &Span {
        &self.connection
    }
}

/// How many messages for a peer were discarded and must not be told to the observers: see [`Peer::note_loss`].
#[derive(Default)]
pub(super) struct Untold(AtomicU64);

impl Untold {
    /// Takes its part of these discarded messages. Returns how many the observers must be told of.
    pub(super) fn take_from(&self, messages: u64) -> u64 {
        let rest = |untold: u64| Some(untold.saturating_sub(messages));
        let untold = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        messages.saturating_sub(untold.unwrap_or_default())
    }
}

impl Peer {
    /// Returns the hub's observers and counters.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.hub().watch()
    }

    /// Returns the state that observers have of this peer.
    pub(super) fn watched(&self) -> Option<Arc<Watched>> {
        self.extensions().get()
    }

    /// Notes that messages were discarded for one that was just queued for the peer, or instead of it. If
    /// an observer sent that one, the observers are not told of the loss, which the connection's task
    /// reports later: an observer that answers each loss with a message would be told without end.
    #[cold]
    pub(crate) fn note_loss(&self, messages: u64) {
        if let Some(watch) = self.watch()
            && Telling::is_under_way(watch.address())
            && let Some(watched) = self.watched()
        {
            watched.untold.0.fetch_add(messages, Ordering::Relaxed);
        }
    }
}
