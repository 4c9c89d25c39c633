//! What a connection receives at once, counted once.

use super::Rest;
use crate::observe::histogram::Class;
use crate::peer::Peer;

/// Messages of one class of lengths that a followed peer has received since its connection last let
/// other tasks run, without the first. Counting one more takes a few instructions; the first is looked
/// at closely, and decides that none of the others is.
pub(crate) struct Run {
    /// [`Class::NONE`] if the next message must be looked at.
    class: Class,
    messages: u32,
    bytes: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            class: Class::NONE,
            messages: 0,
            bytes: 0,
        }
    }
}

impl Run {
    /// Counts a message of so many bytes.
    #[inline]
    pub(crate) fn count(&mut self, peer: &Peer, bytes: usize) -> Rest {
        let class = Class::of(bytes);
        if self.class != class || peer.life().is_metered() {
            return self.begin(peer, class, bytes);
        }
        self.messages += 1;
        self.bytes += bytes as u64;
        Rest::Counted
    }

    #[cold]
    #[inline(never)]
    fn begin(&mut self, peer: &Peer, class: Class, bytes: usize) -> Rest {
        self.end(peer);
        if peer.life().is_metered() {
            peer.count_received(bytes);
        }
        let Some(watch) = peer.watch() else {
            return Rest::Counted;
        };
        if watch.counters.count_first(class, bytes as u64) {
            // The next decides anew.
            return Rest::Time;
        }
        if watch.reports_messages() {
            return Rest::Report;
        }
        self.class = class;
        Rest::Counted
    }

    /// Ends the run: the next message begins one.
    #[inline]
    pub(crate) fn end(&mut self, peer: &Peer) {
        if self.class != Class::NONE {
            self.settle(peer);
        }
    }

    #[inline(never)]
    fn settle(&mut self, peer: &Peer) {
        let Self {
            class,
            messages,
            bytes,
        } = std::mem::take(self);
        if messages > 0
            && let Some(watch) = peer.watch()
        {
            watch.counters.count_received(class, bytes, messages.into());
        }
    }
}
