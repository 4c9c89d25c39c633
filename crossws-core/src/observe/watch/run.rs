//! What a connection receives at once, counted once.

use super::Remaining;
use crate::observe::histogram::Class;
use crate::peer::Peer;

/// Messages of one class of lengths that a followed peer has received since its connection last let
/// other tasks run, without the first. Counting one more takes a few instructions; the first is looked
/// at closely, and decides that none of the others is. `Life` knows the class.
#[derive(Default)]
pub(crate) struct CountedRun {
    /// The number of the class, if a run has begun: a byte, because every connection has it.
    class: Option<u8>,
    messages: u32,
    bytes: u64,
}

impl CountedRun {
    /// Counts a message of `bytes`.
    #[inline]
    pub(crate) fn count(&mut self, peer: &Peer, bytes: usize) -> Remaining {
        let class = Class::of(bytes);
        if !peer.life().is_in_run(class.0) {
            return self.begin(peer, class, bytes);
        }
        self.messages += 1;
        self.bytes += bytes as u64;
        Remaining::Counted
    }

    #[cold]
    #[inline(never)]
    fn begin(&mut self, peer: &Peer, class: Class, bytes: usize) -> Remaining {
        self.end(peer);
        if peer.life().is_metered() {
            peer.count_received(bytes);
        }
        let Some(watch) = peer.watch() else {
            return Remaining::Counted;
        };
        if watch.counters.count_first(class, bytes as u64) {
            // The next decides anew.
            return Remaining::Time;
        }
        if watch.reports_messages() {
            return Remaining::Report;
        }
        if peer.life().begin_run(class.0) {
            self.class = Some(class.0 as u8);
        }
        Remaining::Counted
    }

    /// Ends the run: the next message begins one.
    #[inline]
    pub(crate) fn end(&mut self, peer: &Peer) {
        if self.class.is_some() {
            self.settle(peer);
        }
    }

    #[inline(never)]
    fn settle(&mut self, peer: &Peer) {
        let run = std::mem::take(self);
        peer.life().end_run();
        if let Some(class) = run.class
            && run.messages > 0
            && let Some(watch) = peer.watch()
        {
            let messages = u64::from(run.messages);
            let class = Class(class.into());
            watch.counters.count_received(class, run.bytes, messages);
        }
    }
}
