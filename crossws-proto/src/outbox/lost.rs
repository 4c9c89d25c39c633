//! Discarded messages, until the peer is told of them.

use crossws_core::adapter::{PeerEvents, Receipt};
use crossws_core::{DropCause, Dropped, Overflow};

use super::{Clock, Framing, LOST, Outbox};
use crate::sync::atomic::Ordering;

/// Discarded messages of which the peer has not been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lost {
    /// Discarded by the policy.
    pub overflow: u32,
    /// Discarded because they were volatile.
    pub volatile: u32,
}

/// How many messages were discarded. Boxed, because most connections lose none.
#[derive(Debug, Default)]
pub(super) struct Losses(Option<Box<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: u64,
    untold: Lost,
}

impl Losses {
    /// Returns how many there are.
    pub(super) fn all(&self) -> u64 {
        self.0.as_ref().map_or(0, |counts| counts.all)
    }

    /// Counts messages of which the peer need not be told.
    pub(super) fn add(&mut self, messages: u64) -> &mut Lost {
        let counts = self.0.get_or_insert_default();
        counts.all += messages;
        &mut counts.untold
    }
}

impl<F: Framing, C: Clock> Outbox<F, C> {
    /// Notes that the policy has discarded messages. The writer tells the peer when it is woken.
    pub(super) fn note_lost(&self, losses: &mut Losses, messages: u64) {
        if messages > 0 {
            let untold = &mut losses.add(messages).overflow;
            *untold = untold.saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
            self.flags.fetch_or(LOST, Ordering::Relaxed);
        }
    }

    /// Discards a volatile message, if it would have to wait for the client. Returns `None` if it
    /// would not wait.
    pub fn discard_volatile(&self) -> Option<Receipt> {
        if !self.is_blocked() {
            return None;
        }
        let mut state = self.state.lock();
        if state.closing {
            return Some(Receipt::closed());
        }
        let untold = &mut state.losses.add(1).volatile;
        *untold = untold.saturating_add(1);
        // Once is enough until the writer has looked.
        let first = self.flags.fetch_or(LOST, Ordering::Relaxed) & LOST == 0;
        Some(Receipt::discarded(first))
    }

    /// Returns whether there are discarded messages of which the peer does not know yet.
    pub fn has_lost(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & LOST != 0
    }

    /// Returns how many messages were discarded since the last call, for the peer to be told.
    #[cold]
    pub fn take_lost(&self) -> Lost {
        let mut state = self.state.lock();
        self.flags.fetch_and(!LOST, Ordering::Relaxed);
        let counts = state.losses.0.as_mut();
        counts.map_or_else(Lost::default, |counts| std::mem::take(&mut counts.untold))
    }

    /// Tells the peer how many messages were discarded since the last call. `overflow` is its policy.
    #[cold]
    pub fn tell_lost(&self, events: &PeerEvents, overflow: Overflow) {
        let lost = self.take_lost();
        for (messages, cause) in [
            (lost.overflow, DropCause::Overflow(overflow)),
            (lost.volatile, DropCause::Volatile),
        ] {
            if messages > 0 {
                events.dropped(Dropped::new(messages.into(), cause));
            }
        }
    }
}
