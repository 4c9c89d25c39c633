use std::time::{Duration, SystemTime};

use crate::hub::settings::limits::Limits;
use crate::peer::id::PeerId;

/// Decides when to ping a peer and when to close it. It is a state machine to which an adapter
/// passes the time, so that core reads no clock and tests need no waiting.
///
/// Times are durations since any fixed point, such as the start of the connection.
#[derive(Debug, Clone)]
pub struct Liveness {
    /// Never, if pings are off.
    ping_interval: Nanos,
    next_ping: Nanos,
    /// How long the peer may be silent: after a ping, or at all.
    silence: Nanos,
    /// The beginning of the silence: with pings, the first ping after the last bytes.
    silent_since: Nanos,
    expires: Nanos,
    /// Boxed, because most peers have none of these.
    rare: Option<Box<RareTimes>>,
}

#[derive(Debug, Clone)]
struct RareTimes {
    credentials: Option<Credentials>,
    /// How long the peer may send no message.
    inactivity: Nanos,
    /// Since when it has sent none.
    inactive_since: Nanos,
}

impl Default for RareTimes {
    fn default() -> Self {
        Self {
            credentials: None,
            inactivity: Nanos::NEVER,
            inactive_since: Nanos::NEVER,
        }
    }
}

/// When a peer's credentials end.
#[derive(Debug, Clone)]
struct Credentials {
    /// The time by the transport's steady clock, as it was set.
    at: SystemTime,
    /// The same time on this connection's clock, until it is reported.
    due: Nanos,
}

/// A time in nanoseconds, or never: half as large as an `Option<Duration>`, of which every
/// connection would have eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Nanos(u64);

impl Nanos {
    const NEVER: Self = Self(u64::MAX);

    /// The last moment before never: in five centuries.
    const LAST: Self = Self(u64::MAX - 1);

    fn plus(self, by: Self) -> Self {
        match (self, by) {
            (Self::NEVER, _) | (_, Self::NEVER) => Self::NEVER,
            (Self(time), Self(by)) => Self(time.saturating_add(by)).min(Self::LAST),
        }
    }

    fn duration(self) -> Option<Duration> {
        (self != Self::NEVER).then(|| Duration::from_nanos(self.0))
    }
}

impl From<Duration> for Nanos {
    fn from(time: Duration) -> Self {
        u64::try_from(time.as_nanos()).map_or(Self::LAST, |nanos| Self(nanos).min(Self::LAST))
    }
}

impl From<Option<Duration>> for Nanos {
    fn from(time: Option<Duration>) -> Self {
        time.map_or(Self::NEVER, Self::from)
    }
}

/// An action that is due for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LivenessEvent {
    /// Send a ping, and call [`Liveness::pinged`] when it is written.
    Ping,
    /// No bytes came after a ping, or for too long: the peer is gone.
    Silent,
    /// No message came for too long, although the peer lives.
    Inactive,
    /// The connection reached its longest life.
    Expired,
    /// The peer's credentials have ended: see [`PeerEvents::expired`](crate::adapter::PeerEvents::expired).
    CredentialsExpired,
}

impl Liveness {
    /// Creates the state for a connection that begins at `now`. The peer's id spreads pings and
    /// lifetimes by ± 10 %, so that peers that connected together do not act together.
    pub fn new(limits: &Limits, peer: PeerId, now: Duration) -> Self {
        let spread = |time: Duration| {
            let random = (peer.as_u128() & 0xffff) as f64 / f64::from(0xffff_u16);
            let seconds = time.as_secs_f64() * (0.9 + 0.2 * random);
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        };
        // At most a thousand pings a second, or `poll` would never end.
        let shortest = Duration::from_millis(1);
        let ping_interval = limits
            .ping_interval
            .map(|every| spread(every).max(shortest));
        let now = Nanos::from(now);
        let (silence, silent_since) = match ping_interval {
            Some(_) => (limits.pong_timeout.into(), Nanos::NEVER),
            None => (limits.idle_timeout.into(), now),
        };
        Self {
            ping_interval: ping_interval.into(),
            next_ping: now.plus(ping_interval.into()),
            silence,
            silent_since,
            expires: now.plus(limits.max_lifetime.map(spread).into()),
            rare: limits.inactivity_timeout.map(|inactivity| {
                Box::new(RareTimes {
                    inactivity: inactivity.into(),
                    inactive_since: now,
                    ..RareTimes::default()
                })
            }),
        }
    }

    /// As [`new`](Self::new), for a transport that sends no pings. If the limits ask for them, silence is
    /// no sign of a lost peer, and has no bound.
    pub fn without_pings(limits: &Limits, peer: PeerId, now: Duration) -> Self {
        let idle = limits.idle_timeout;
        let idle = idle.filter(|_| limits.ping_interval.is_none());
        let limits = limits.clone().ping_interval(None).idle_timeout(idle);
        Self::new(&limits, peer, now)
    }

    /// Notes that a message arrived from the peer, or would have arrived if the peer had been read.
    pub fn active(&mut self, now: Duration) {
        if let Some(rare) = &mut self.rare {
            rare.inactive_since = now.into();
        }
    }

    /// Notes that bytes arrived from the peer: any bytes prove that it lives.
    pub fn heard(&mut self, now: Duration) {
        self.silent_since = match self.ping_interval {
            Nanos::NEVER => now.into(),
            _ => Nanos::NEVER,
        };
    }

    /// Notes that the due ping has been written: from now on the peer's time to answer runs. It
    /// does not run earlier, or a peer that is busy reading data before the ping would be closed.
    pub fn pinged(&mut self, now: Duration) {
        if self.silent_since == Nanos::NEVER {
            self.silent_since = now.into();
        }
    }

    /// Sets when the peer's credentials end, by the transport's
    /// [steady](crate::adapter::Transport::steady) clock. The clock is read only if the time
    /// has changed. Must be called before each [`poll`](Self::poll), because the time may change at
    /// any moment. A time that the clock has passed is due at once.
    pub fn credentials(
        &mut self,
        at: Option<SystemTime>,
        now: Duration,
        clock: impl FnOnce() -> SystemTime,
    ) {
        let rare = self.rare.as_ref();
        let known = rare.and_then(|rare| rare.credentials.as_ref());
        if known.map(|known| known.at) != at {
            self.rare.get_or_insert_default().credentials = at.map(|at| {
                let left = Nanos::from(at.duration_since(clock()).unwrap_or_default());
                let due = Nanos::from(now).plus(left);
                Credentials { at, due }
            });
        }
    }

    /// Returns when the peer's credentials end, as it was last set.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let credentials = self.rare.as_ref()?.credentials.as_ref()?;
        Some(credentials.at)
    }

    /// Returns when to call [`poll`](Self::poll) next; `None` if no action will ever be due.
    pub fn next_due(&self) -> Option<Duration> {
        self.own_due().into_iter().chain(self.judged_due()).min()
    }

    /// Returns when an action is due that nothing from the peer moves away.
    pub fn own_due(&self) -> Option<Duration> {
        let rare = self.rare.as_ref();
        let credentials = rare.and_then(|rare| rare.credentials.as_ref());
        let credentials = credentials.map_or(Nanos::NEVER, |known| known.due);
        self.next_ping.min(self.expires).min(credentials).duration()
    }

    /// Returns when the peer has been silent or inactive for too long, unless something comes from it.
    pub fn judged_due(&self) -> Option<Duration> {
        let rare = self.rare.as_ref();
        let inactive = rare.map_or(Nanos::NEVER, |rare| {
            rare.inactive_since.plus(rare.inactivity)
        });
        let silent = self.silent_since.plus(self.silence);
        silent.min(inactive).duration()
    }

    /// Returns an action that is due now, if there is one. Must be called until it returns `None`.
    pub fn poll(&mut self, now: Duration) -> Option<LivenessEvent> {
        self.poll_judging(now, true)
    }

    /// As [`poll`](Self::poll), for a peer that is not judged now, because something may have come from it
    /// that is not read yet: it is neither silent nor inactive.
    pub fn poll_own(&mut self, now: Duration) -> Option<LivenessEvent> {
        self.poll_judging(now, false)
    }

    fn poll_judging(&mut self, now: Duration, judges: bool) -> Option<LivenessEvent> {
        let now = Nanos::from(now);
        let reached = |at: Nanos| at != Nanos::NEVER && at <= now;
        if let Some(rare) = &mut self.rare {
            if let Some(credentials) = &mut rare.credentials
                && reached(credentials.due)
            {
                credentials.due = Nanos::NEVER;
                return Some(LivenessEvent::CredentialsExpired);
            }
            if judges && reached(rare.inactive_since.plus(rare.inactivity)) {
                // Reported once: the connection ends now.
                rare.inactivity = Nanos::NEVER;
                return Some(LivenessEvent::Inactive);
            }
        }
        if reached(self.expires) {
            self.expires = Nanos::NEVER;
            return Some(LivenessEvent::Expired);
        }
        if judges && reached(self.silent_since.plus(self.silence)) {
            // Reported once: the connection ends now.
            self.silence = Nanos::NEVER;
            self.next_ping = Nanos::NEVER;
            return Some(LivenessEvent::Silent);
        }
        if reached(self.next_ping) {
            self.next_ping = now.plus(self.ping_interval);
            return Some(LivenessEvent::Ping);
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

    /// Returns an id in the middle of the spread, for round numbers.
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
        assert_eq!(live.poll(secs(26)), Some(LivenessEvent::Ping));
        assert_eq!(live.poll(secs(26)), None);
        live.pinged(secs(26));
        assert_eq!(live.next_due(), Some(secs(46)));
        assert_eq!(live.poll(secs(46)), Some(LivenessEvent::Silent));
        assert_eq!(live.poll(secs(300)), None, "said once");
    }

    #[test]
    fn a_ping_that_is_not_written_yet_closes_no_peer() {
        let mut live = live(&Limits::default());
        assert_eq!(live.poll(secs(26)), Some(LivenessEvent::Ping));
        assert_eq!(live.poll(secs(40)), None);
        live.pinged(secs(45));
        assert_eq!(live.poll(secs(64)), Some(LivenessEvent::Ping));
        assert_eq!(live.poll(secs(65)), Some(LivenessEvent::Silent));
    }

    #[test]
    fn any_bytes_after_a_ping_keep_the_peer() {
        let mut live = live(&Limits::default());
        assert_eq!(live.poll(secs(26)), Some(LivenessEvent::Ping));
        live.pinged(secs(26));
        live.heard(secs(35));
        assert_eq!(live.poll(secs(37)), None);
        assert_eq!(live.poll(secs(52)), Some(LivenessEvent::Ping));
    }

    #[test]
    fn idle_counts_only_without_pings() {
        let mut live = live(&Limits::default().ping_interval(None));
        live.heard(secs(100));
        assert_eq!(live.poll(secs(219)), None);
        assert_eq!(live.poll(secs(220)), Some(LivenessEvent::Silent));
    }

    #[test]
    fn a_peer_that_answers_pings_and_sends_nothing_is_inactive() {
        let mut live = live(&Limits::default().inactivity_timeout(secs(40)));
        assert_eq!(live.poll(secs(26)), Some(LivenessEvent::Ping));
        live.pinged(secs(26));
        live.heard(secs(27));
        assert_eq!(live.poll(secs(39)), None);
        live.active(secs(39));
        assert_eq!(live.poll(secs(51)), Some(LivenessEvent::Ping));
        live.heard(secs(51));
        assert_eq!(live.poll(secs(75)), None);
        assert_eq!(live.poll(secs(79)), Some(LivenessEvent::Inactive));
        assert_eq!(live.poll(secs(79)), Some(LivenessEvent::Ping));
        assert_eq!(live.poll(secs(79)), None, "said once");
    }

    #[test]
    fn credentials_and_inactivity_do_not_hide_one_another() {
        let at = |n: u64| SystemTime::UNIX_EPOCH + secs(n);
        let limits = Limits::default().ping_interval(None).idle_timeout(None);
        let mut live = live(&limits.inactivity_timeout(secs(40)));
        live.credentials(Some(at(20)), secs(0), || at(0));
        assert_eq!(live.next_due(), Some(secs(20)));
        live.credentials(None, secs(1), || at(1));
        assert_eq!(live.next_due(), Some(secs(40)));
        assert_eq!(live.poll(secs(40)), Some(LivenessEvent::Inactive));
        assert_eq!((live.poll(secs(41)), live.next_due()), (None, None));
    }

    #[test]
    fn a_life_ends_once() {
        let mut live = live(&Limits::default().ping_interval(None).max_lifetime(secs(50)));
        assert_eq!(live.poll(secs(40)), None);
        assert_eq!(live.poll(secs(51)), Some(LivenessEvent::Expired));
        assert_eq!(live.poll(secs(60)), None);
    }

    #[test]
    fn credentials_end_once_and_can_be_renewed() {
        let wall = |n: u64| SystemTime::UNIX_EPOCH + secs(1_000_000 + n);
        let mut live = live(&Limits::default().ping_interval(None).idle_timeout(None));
        live.credentials(Some(wall(60)), secs(10), || wall(20));
        assert_eq!(live.next_due(), Some(secs(50)));
        // The same time again, by a clock that was set since.
        live.credentials(Some(wall(60)), secs(20), || wall(59));
        assert_eq!(live.poll(secs(49)), None);
        live.credentials(Some(wall(90)), secs(49), || wall(59));
        assert_eq!(live.poll(secs(50)), None);
        assert_eq!(live.poll(secs(80)), Some(LivenessEvent::CredentialsExpired));
        live.credentials(Some(wall(90)), secs(81), || wall(91));
        assert_eq!(live.poll(secs(81)), None, "said once");
        live.credentials(Some(wall(30)), secs(82), || wall(92));
        assert_eq!(
            live.poll(secs(82)),
            Some(LivenessEvent::CredentialsExpired),
            "past"
        );
        live.credentials(None, secs(83), || wall(93));
        assert_eq!(live.next_due(), None);
    }

    #[test]
    fn an_interval_of_nothing_is_not_endless() {
        let mut live = live(&Limits::default().ping_interval(Duration::ZERO));
        assert_eq!(live.poll(secs(1)), Some(LivenessEvent::Ping));
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
