mod stopping;

use std::fmt;
use std::time::Duration;

use crate::hub::Hub;
use crate::message::close::{CloseCode, CloseFrame};
use crate::peer::Peer;
use crate::peer::id::PeerId;
use crate::peer::life::End;
use crate::sort::sort_by;

/// How a server stops.
///
/// ```
/// use std::time::Duration;
/// use crossws_core::Shutdown;
///
/// // A deploy: the load balancer sees a failing check for five seconds, then the clients are
/// // closed within half a minute, so that they do not all come back at once.
/// let shutdown = Shutdown::default()
///     .delay(Duration::from_secs(5))
///     .spread(Duration::from_secs(30));
/// ```
#[doc(alias = "graceful")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// The frame that closes every peer. Default 1012 "restarting", after which clients reconnect.
    pub frame: CloseFrame,
    /// How long the server goes on as before, while [`Hub::is_ready`] is already false. During this
    /// time a load balancer can notice the failing check and send new clients elsewhere. Default
    /// zero.
    pub delay: Duration,
    /// The time over which the closes are spread, so that the clients of a large server reconnect
    /// one after the other. Each peer's moment depends on its id, and the frame's reason tells its
    /// client when to reconnect: see [`CloseFrame::retry`]. Default zero: all peers are closed at
    /// once.
    pub spread: Duration,
    /// Longest time after the last close for clients to answer, queues to be written and hooks to
    /// end, before the remaining connections are dropped. Default 30 s.
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            frame: CloseFrame::new(CloseCode::RESTART, "restarting"),
            delay: Duration::ZERO,
            spread: Duration::ZERO,
            grace: Duration::from_secs(30),
        }
    }
}

impl Shutdown {
    /// Sets the frame that closes every peer. Default 1012 "restarting".
    #[must_use]
    pub fn frame(mut self, frame: impl Into<CloseFrame>) -> Self {
        self.frame = frame.into();
        self
    }

    /// Sets how long the server goes on as before, while it is [not ready](Hub::is_ready) for new clients.
    /// Default zero.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the time over which the closes are spread. Default zero: all peers are closed at once.
    #[must_use]
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spread = spread;
        self
    }

    /// Sets the longest time after the last close, before the remaining connections are dropped. Default 30 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// Clients that are closed one after the other reconnect within this time.
const RETRY: Duration = Duration::from_secs(1);

/// The shortest time between two looks at the peers that are due.
const TICK: Duration = Duration::from_millis(10);

/// A [`Shutdown`] in progress, for an adapter that can wait: the closes, one after the other, and
/// the fate of the connections.
#[derive(Debug)]
pub struct Closing {
    hub: Hub,
    frame: CloseFrame,
    spread: Duration,
    left: Vec<PeerId>,
    all: usize,
    /// How many connections there were at the start, and how many had been flushed before.
    sessions: usize,
    flushed: usize,
    /// A hook waits for the end of the shutdown.
    within_hook: bool,
}

impl Closing {
    /// Begins the shutdown: upgrades are refused with 503 from here on. `within_hook` says that a
    /// hook waits for the shutdown's end, which therefore does not wait for that hook, nor for
    /// others that wait in the same way. The hook must be of a connection of this hub.
    pub fn begin(hub: &Hub, shutdown: &Shutdown, within_hook: bool) -> Self {
        if within_hook {
            hub.hook_waits();
        }
        let (sessions, flushed) = (hub.stats().sessions, hub.flushed());
        let frame = hub.refuse_upgrades(shutdown.frame.clone());
        let mut left = Vec::new();
        if shutdown.spread.is_zero() {
            hub.close_for_shutdown(&frame);
        } else {
            left.extend(hub.peers().iter().map(Peer::id));
            sort_by(&mut left, Ord::cmp);
        }
        Self {
            hub: hub.clone(),
            frame,
            spread: shutdown.spread,
            all: left.len(),
            left,
            sessions,
            flushed,
            within_hook,
        }
    }

    /// Closes the peers that are due at this time after the beginning. Returns when the next are
    /// due, `None` after the last.
    pub fn poll(&mut self, elapsed: Duration) -> Option<Duration> {
        while let Some(due) = self.next_due() {
            if due > elapsed {
                return Some(due.max(elapsed.saturating_add(TICK)));
            }
            let id = self.left.pop()?;
            if let Some(peer) = self.hub.peer(id) {
                // Not the part of the id by which the peers are sorted.
                let part = f64::from(id.as_u128() as u16) / f64::from(u16::MAX);
                let frame = self.frame.clone().with_retry(RETRY.mul_f64(part));
                peer.close_with(frame, End::Shutdown);
            }
        }
        None
    }

    /// Waits until no connection has a hook left to run.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the shutdown.
    pub async fn ended(&self) {
        self.hub.idle_but(|| self.own()).await;
    }

    /// Returns the report so far: connections that have not ended count as forced.
    pub fn report(&self) -> Report {
        let own = self.own();
        let left = self.hub.stats().sessions.saturating_sub(own);
        let flushed = self.hub.flushed().wrapping_sub(self.flushed);
        Report::new(self.sessions.saturating_sub(own), flushed, left)
    }

    /// Returns how many connections have hooks that wait for the end of the shutdown, if a hook
    /// waits for this one.
    fn own(&self) -> usize {
        match self.within_hook {
            true => self.hub.waiting_hooks(),
            false => 0,
        }
    }

    fn next_due(&self) -> Option<Duration> {
        if self.left.is_empty() {
            return None;
        }
        let told = self.all - self.left.len();
        Some(self.spread.mul_f64(told as f64 / self.all as f64))
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if self.within_hook {
            self.hub.hook_goes_on();
        }
    }
}

/// The result of a shutdown. Each of the [closed](field@Self::closed) connections was flushed,
/// dropped or forced.
///
/// ```
/// # use crossws_core::*;
/// fn is_complete(report: Report) -> bool {
///     report.flushed == report.closed
/// }
/// # assert!(is_complete(Report::new(7, 7, 0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Connections that were open, or being upgraded, when the closing began.
    pub closed: usize,
    /// How many of these have answered the close: their clients have read everything that was sent
    /// before it.
    pub flushed: usize,
    /// How many of these ended in another way: the client was gone, did not answer in time, or its
    /// upgrade was refused.
    pub dropped: usize,
    /// How many of these were cut off when the grace was over: their `close` hook did not run to
    /// its end.
    pub forced: usize,
}

impl Report {
    /// Creates a report of `closed` connections, of which `flushed` have answered and `forced` were
    /// cut off.
    pub const fn new(closed: usize, flushed: usize, forced: usize) -> Self {
        Self {
            closed,
            flushed,
            dropped: closed.saturating_sub(flushed).saturating_sub(forced),
            forced,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} closed: {} flushed, {} dropped, {} forced",
            self.closed, self.flushed, self.dropped, self.forced
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn closing(peers: u64, spread: Duration) -> Closing {
        Closing {
            hub: Hub::default(),
            frame: CloseFrame::new(CloseCode::RESTART, "restarting"),
            spread,
            left: (0..peers).map(|id| PeerId::from_u128(id.into())).collect(),
            all: peers as usize,
            sessions: 0,
            flushed: 0,
            within_hook: false,
        }
    }

    #[test]
    fn closes_are_spread_evenly_over_the_seconds() {
        let mut closing = closing(10_000, 30 * SECOND);
        let mut elapsed = Duration::ZERO;
        let mut at = Vec::new();
        while let Some(next) = closing.poll(elapsed) {
            at.push((elapsed, closing.left.len()));
            assert!(next >= elapsed + TICK, "{next:?} after {elapsed:?}");
            elapsed = next;
        }
        assert!(elapsed <= 30 * SECOND, "{elapsed:?}");
        let left = |until: Duration| {
            at.iter()
                .rev()
                .find(|(at, _)| *at <= until)
                .map(|(_, left)| *left)
        };
        for second in 0..29 {
            let closed = left(second * SECOND).unwrap() - left((second + 1) * SECOND).unwrap();
            assert!((320..=350).contains(&closed), "{closed} in second {second}");
        }
    }

    #[test]
    fn a_server_without_peers_is_closed_at_once() {
        assert_eq!(closing(0, 30 * SECOND).poll(Duration::ZERO), None);
    }

    #[test]
    fn a_late_poll_closes_every_due_peer() {
        let mut closing = closing(10, 10 * SECOND);
        assert!(closing.poll(Duration::ZERO).is_some());
        assert_eq!(closing.left.len(), 9);
        assert_eq!(closing.poll(20 * SECOND), None);
    }
}
