//! Observers that send and publish while they are told of a message.

use std::cell::Cell;

use super::watch::Watch;
use crate::peer::Peer;
use crate::sync::atomic::{AtomicU64, Ordering};

/// One hub's observers are told of a message, in this thread, for as long as this lives. Its place in
/// [`TOLD`].
pub(super) struct Telling(usize);

/// Observers of one hub send to another, whose observers do the same, at most so often.
const DEEPEST: usize = 4;

thread_local! {
    /// The addresses of the hubs' watches, the outermost first, or 0.
    static TOLD: [Cell<usize>; DEEPEST] = const { [const { Cell::new(0) }; DEEPEST] };
}

impl Telling {
    /// Begins, unless an observer of the hub has sent the message while it was told of another: an
    /// observer that answers each message with one would be told without end.
    #[inline]
    pub(super) fn begin(watch: &Watch) -> Option<Self> {
        TOLD.with(|told| {
            for (at, known) in told.iter().enumerate() {
                if known.get() == 0 {
                    known.set(address(watch));
                    return Some(Self(at));
                }
                if known.get() == address(watch) {
                    break;
                }
            }
            None
        })
    }

    /// Returns whether the hub's observers are told of a message, in this thread.
    pub(super) fn is_under_way(watch: &Watch) -> bool {
        TOLD.with(|told| told.iter().any(|known| known.get() == address(watch)))
    }
}

fn address(watch: &Watch) -> usize {
    std::ptr::from_ref(watch).addr()
}

/// Notes that messages were discarded for one that was just queued for a peer, or instead of it. If an
/// observer sent that one, the observers are not told of the loss, which the connection's task reports
/// later: an observer that answers each loss with a message would be told without end.
#[cold]
pub(crate) fn note_loss(peer: &Peer, messages: u64) {
    if let Some(watch) = peer.watch()
        && Telling::is_under_way(watch)
        && let Some(watched) = peer.watched()
    {
        watched.untold.0.fetch_add(messages, Ordering::Relaxed);
    }
}

impl Drop for Telling {
    #[inline]
    fn drop(&mut self) {
        TOLD.with(|told| told[self.0].set(0));
    }
}

/// How many messages for a peer were discarded and must not be told to the observers: see [`note_loss`].
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
