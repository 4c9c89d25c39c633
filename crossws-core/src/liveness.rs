use std::time::{Duration, SystemTime};

use crate::{Limits, PeerId};

/// Decides when to ping a peer and when to give it up: a state machine that an adapter feeds
/// with the time, so that core reads no clock and tests need no waiting.
///
/// Times are durations since any fixed point, such as the start of the connection.
#[derive(Debug, Clone)]
pub struct Liveness {
    ping_interval: Option<Duration>,
    pong_timeout: Duration,
    idle_timeout: Option<Duration>,
    expires: Option<Duration>,
    /// When the credentials end, as it was said, and in this connection's time until it was due.
    credentials: (Option<SystemTime>, Option<Duration>),
    last_heard: Duration,
    next_ping: Option<Duration>,
    /// When the ping went out that nothing has followed yet.
    waiting_since: Option<Duration>,
}

/// What is due for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// Send a ping, and say so with [`Liveness::pinged`] when it is written.
    Ping,
    /// Nothing came after a ping, or for too long: the peer is gone.
    Silent,
    /// The connection reached its longest life.
    Expired,
    /// The peer's credentials have ended: see [`Lifeline::expired`](crate::Lifeline::expired).
    CredentialsExpired,
}

impl Liveness {
    /// The state for a connection that begins at `now`. The peer's id spreads pings and
    /// lifetimes by ± 10 %, so that peers that came together do not act together.
    pub fn new(limits: &Limits, peer: PeerId, now: Duration) -> Self {
        let spread = |time: Duration| {
            let random = (peer.as_u128() & 0xffff) as f64 / f64::from(0xffff_u16);
            let seconds = time.as_secs_f64() * (0.9 + 0.2 * random);
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        };
        // Not more than a thousand pings a second, or `poll` would never come to its end.
        let shortest = Duration::from_millis(1);
        let ping_interval = limits
            .ping_interval
            .map(|every| spread(every).max(shortest));
        Self {
            ping_interval,
            pong_timeout: limits.pong_timeout,
            idle_timeout: limits.idle_timeout.filter(|_| ping_interval.is_none()),
            expires: limits
                .max_lifetime
                .map(|life| now.saturating_add(spread(life))),
            credentials: (None, None),
            last_heard: now,
            next_ping: ping_interval.map(|every| now.saturating_add(every)),
            waiting_since: None,
        }
    }

    /// Bytes arrived from the peer: any bytes prove that it lives.
    pub fn heard(&mut self, now: Duration) {
        self.last_heard = now;
        self.waiting_since = None;
    }

    /// The ping that was due has been written: from now on the peer's time to answer runs. Not
    /// earlier, or a peer that is busy reading what was queued before the ping would be given up.
    pub fn pinged(&mut self, now: Duration) {
        self.waiting_since.get_or_insert(now);
    }

    /// The peer's credentials end `at` this time of the wall clock, which is asked for its time
    /// only if that is news. To be said before each look at what is due: it may change at any
    /// time. Ends of which the wall clock says that they are past are due at once.
    pub fn credentials(
        &mut self,
        at: Option<SystemTime>,
        now: Duration,
        wall: impl FnOnce() -> SystemTime,
    ) {
        if self.credentials.0 != at {
            let left = |at: SystemTime| at.duration_since(wall()).unwrap_or_default();
            self.credentials = (at, at.map(|at| now.saturating_add(left(at))));
        }
    }

    /// When to ask [`poll`](Self::poll) next; `None` if nothing will ever be due.
    pub fn next_due(&self) -> Option<Duration> {
        [
            self.next_ping,
            self.waiting_since
                .map(|since| since.saturating_add(self.pong_timeout)),
            self.idle_timeout
                .map(|idle| self.last_heard.saturating_add(idle)),
            self.expires,
            self.credentials.1,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What is due now, if anything; ask again until it says `None`.
    pub fn poll(&mut self, now: Duration) -> Option<Due> {
        let reached = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if reached(self.credentials.1) {
            self.credentials.1 = None;
            return Some(Due::CredentialsExpired);
        }
        if reached(self.expires) {
            self.expires = None;
            return Some(Due::Expired);
        }
        if reached(
            self.waiting_since
                .map(|since| since.saturating_add(self.pong_timeout)),
        ) || reached(
            self.idle_timeout
                .map(|idle| self.last_heard.saturating_add(idle)),
        ) {
            // Said once: the connection ends now.
            self.waiting_since = None;
            self.idle_timeout = None;
            self.next_ping = None;
            return Some(Due::Silent);
        }
        if reached(self.next_ping) {
            self.next_ping = self.ping_interval.map(|every| now.saturating_add(every));
            return Some(Due::Ping);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// An id in the middle of the spread, for round numbers.
    fn middle() -> PeerId {
        PeerId::from_u128(0x7fff)
    }

    fn live(limits: &Limits) -> Liveness {
        Liveness::new(limits, middle(), Duration::ZERO)
    }

    #[test]
    fn a_ping_that_nothing_follows_ends_the_peer() {
        let mut live = live(&Limits::default());
        assert_eq!(live.poll(secs(20)), None);
        assert_eq!(live.poll(secs(26)), Some(Due::Ping));
        assert_eq!(live.poll(secs(26)), None);
        live.pinged(secs(26));
        assert_eq!(live.next_due(), Some(secs(36)));
        assert_eq!(live.poll(secs(36)), Some(Due::Silent));
        assert_eq!(live.poll(secs(300)), None, "said once");
    }

    #[test]
    fn a_ping_that_is_not_written_yet_ends_nobody() {
        let mut live = live(&Limits::default());
        assert_eq!(live.poll(secs(26)), Some(Due::Ping));
        assert_eq!(live.poll(secs(40)), None);
        live.pinged(secs(45));
        assert_eq!(live.poll(secs(54)), Some(Due::Ping));
        assert_eq!(live.poll(secs(55)), Some(Due::Silent));
    }

    #[test]
    fn any_bytes_after_a_ping_keep_the_peer() {
        let mut live = live(&Limits::default());
        assert_eq!(live.poll(secs(26)), Some(Due::Ping));
        live.pinged(secs(26));
        live.heard(secs(35));
        assert_eq!(live.poll(secs(37)), None);
        assert_eq!(live.poll(secs(52)), Some(Due::Ping));
    }

    #[test]
    fn idle_counts_only_without_pings() {
        let mut live = live(&Limits::default().ping_interval(None));
        live.heard(secs(100));
        assert_eq!(live.poll(secs(219)), None);
        assert_eq!(live.poll(secs(220)), Some(Due::Silent));
    }

    #[test]
    fn a_life_ends_once() {
        let mut live = live(&Limits::default().ping_interval(None).max_lifetime(secs(50)));
        assert_eq!(live.poll(secs(40)), None);
        assert_eq!(live.poll(secs(51)), Some(Due::Expired));
        assert_eq!(live.poll(secs(60)), None);
    }

    #[test]
    fn credentials_end_once_and_can_be_renewed() {
        let wall = |n: u64| SystemTime::UNIX_EPOCH + secs(1_000_000 + n);
        let mut live = live(&Limits::default().ping_interval(None).idle_timeout(None));
        live.credentials(Some(wall(60)), secs(10), || wall(20));
        assert_eq!(live.next_due(), Some(secs(50)));
        // The same again, by a clock that was set since.
        live.credentials(Some(wall(60)), secs(20), || wall(59));
        assert_eq!(live.poll(secs(49)), None);
        live.credentials(Some(wall(90)), secs(49), || wall(59));
        assert_eq!(live.poll(secs(50)), None);
        assert_eq!(live.poll(secs(80)), Some(Due::CredentialsExpired));
        live.credentials(Some(wall(90)), secs(81), || wall(91));
        assert_eq!(live.poll(secs(81)), None, "said once");
        live.credentials(Some(wall(30)), secs(82), || wall(92));
        assert_eq!(live.poll(secs(82)), Some(Due::CredentialsExpired), "past");
        live.credentials(None, secs(83), || wall(93));
        assert_eq!(live.next_due(), None);
    }

    #[test]
    fn an_interval_of_nothing_is_not_endless() {
        let mut live = live(&Limits::default().ping_interval(Duration::ZERO));
        assert_eq!(live.poll(secs(1)), Some(Due::Ping));
        assert_eq!(live.poll(secs(1)), None);
    }

    #[test]
    fn spread_stays_within_ten_percent() {
        let every = |id| {
            Liveness::new(&Limits::default(), PeerId::from_u128(id), Duration::ZERO)
                .next_due()
                .unwrap()
        };
        assert_eq!(every(0), Duration::from_millis(22_500));
        assert_eq!(every(0xffff), Duration::from_millis(27_500));
    }
}
