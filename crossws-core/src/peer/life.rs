//! How far a connection has come, and which side ended it.

pub(crate) mod cancel;
mod closing;
pub(crate) mod membership;

use crate::message::close::ClosedBy;
use crate::sync::Event;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The state of a connection, with the numbers of the browser's `readyState`: see
/// [`Peer::state`](crate::Peer::state).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerState {
    /// Messages are sent and received.
    Open = 1,
    /// The connection is closing: nothing more is sent.
    Closing = 2,
    /// The connection is over.
    Closed = 3,
}

/// The cause that takes the first step away from open. Only the first counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// A call of this side.
    Server = 1,
    Shutdown = 2,
    /// The time of the client's credentials, or the time for its next message, is over.
    Expiry = 3,
    /// The client, the network, or a limit.
    Others = 4,
}

#[derive(Default)]
pub(crate) struct Life {
    /// [`OPEN`], or an [`End`]; and [`OVER`].
    phase: AtomicU8,
    /// The peer has published a message.
    publishes: AtomicBool,
    /// The peer is listed among those that are behind.
    listed_behind: AtomicBool,
    /// The observers know of the connection, and not of its end.
    announced: AtomicBool,
    /// The peer has been a slow consumer.
    slow: AtomicBool,
    /// The traffic is counted.
    metered: AtomicBool,
    /// Whether the hub's watcher or a counter follows its messages.
    followed: AtomicBool,
    run: RunClass,
    ended: Event,
    drained: Event,
}

/// The class of the messages that need no closer look than a count: see
/// [`CountedRun`](crate::observe::watch::CountedRun). Here, so that a meter that begins ends the run from another thread.
struct RunClass(AtomicU8);

impl Default for RunClass {
    fn default() -> Self {
        Self(AtomicU8::new(NO_RUN))
    }
}

/// Every message needs a closer look.
const NO_RUN: u8 = u8::MAX;

const OPEN: u8 = 0;
/// Set on top of the end once the close hook may run.
const OVER: u8 = 8;

impl Life {
    /// Sets the end. Returns whether it is the first.
    pub(crate) fn end(&self, end: End) -> bool {
        self.phase
            .compare_exchange(OPEN, end as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Sets the state to `Closed`.
    pub(crate) fn set_over(&self) {
        self.phase.fetch_or(OVER, Ordering::AcqRel);
    }

    pub(crate) fn state(&self) -> PeerState {
        match self.phase.load(Ordering::Acquire) {
            OPEN => PeerState::Open,
            phase if phase & OVER == 0 => PeerState::Closing,
            _ => PeerState::Closed,
        }
    }

    /// Returns which cause of this side ended the connection, if one did.
    pub(crate) fn closed_here(&self) -> Option<ClosedBy> {
        const SERVER: u8 = End::Server as u8;
        const SHUTDOWN: u8 = End::Shutdown as u8;
        const EXPIRY: u8 = End::Expiry as u8;
        match self.phase.load(Ordering::Acquire) & !OVER {
            SERVER => Some(ClosedBy::Server),
            SHUTDOWN => Some(ClosedBy::Shutdown),
            EXPIRY => Some(ClosedBy::Timeout),
            _ => None,
        }
    }

    /// Notes that the peer publishes.
    pub(crate) fn set_publishes(&self) {
        self.publishes.store(true, Ordering::Relaxed);
    }

    pub(crate) fn publishes(&self) -> bool {
        self.publishes.load(Ordering::Relaxed)
    }

    /// Notes that the traffic is counted from here on.
    pub(crate) fn set_metered(&self) {
        self.metered.store(true, Ordering::Relaxed);
        self.end_run();
        self.set_followed();
    }

    /// Returns whether a message of this class need only be counted.
    #[inline]
    pub(crate) fn is_in_run(&self, class: usize) -> bool {
        // Classes are logarithms, far below `NO_RUN`.
        self.run.0.load(Ordering::Relaxed) == class as u8
    }

    /// Begins a run of messages of this class, unless each must be metered: a meter that another thread
    /// begins at this moment may miss those of one turn. Returns whether it has begun.
    pub(crate) fn begin_run(&self, class: usize) -> bool {
        let begins = !self.is_metered();
        if begins {
            self.run.0.store(class as u8, Ordering::Relaxed);
        }
        begins
    }

    pub(crate) fn end_run(&self) {
        self.run.0.store(NO_RUN, Ordering::Relaxed);
    }

    pub(crate) fn is_metered(&self) -> bool {
        self.metered.load(Ordering::Relaxed)
    }

    /// Starts reporting the peer's messages to the hub's watcher or a counter.
    pub(crate) fn set_followed(&self) {
        self.followed.store(true, Ordering::Relaxed);
    }

    /// Returns whether the hub's watcher or a counter follows its messages. The only check that a
    /// message of any other peer pays for.
    #[inline]
    pub(crate) fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed)
    }

    /// Notes whether it is listed among those who are behind. Returns whether it was.
    pub(crate) fn is_listed_behind(&self, listed: bool) -> bool {
        self.listed_behind.swap(listed, Ordering::AcqRel)
    }

    /// Notes that the observers were told of the connection, and must be told of its end.
    pub(crate) fn announce(&self) {
        self.announced.store(true, Ordering::Release);
    }

    /// Returns whether the observers must be told of the end. Returns `true` once.
    pub(crate) fn take_announced(&self) -> bool {
        self.announced.swap(false, Ordering::AcqRel)
    }

    /// Notes that the peer is a slow consumer. Returns whether it has been one before.
    pub(crate) fn was_slow(&self) -> bool {
        self.slow.swap(true, Ordering::Relaxed)
    }

    /// Returns a listener for the end. It must be created before the state is checked, so that no
    /// end is missed.
    pub(crate) fn ended(&self) -> event_listener::EventListener {
        self.ended.listen()
    }

    /// Returns a listener for the queue. It must be created before the amount is checked.
    pub(crate) fn drained(&self) -> event_listener::EventListener {
        self.drained.listen()
    }

    /// Tasks that wait for more to be written stop waiting, too.
    pub(crate) fn notify_ended(&self) {
        self.ended.notify_all();
        self.drained.notify_all();
    }

    pub(crate) fn notify_drained(&self) {
        self.drained.notify_all();
    }

    pub(crate) fn awaits_drain(&self) -> bool {
        self.drained.has_listeners()
    }
}
