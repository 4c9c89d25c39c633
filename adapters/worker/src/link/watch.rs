use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossws_core::adapter::{Liveness, LivenessEvent};
use crossws_core::{Limits, PeerId};

/// The deadlines of one peer's connection, in milliseconds since the epoch: its lifetime, and how
/// long it may be silent. There are no pings, because the platform sends no control frames.
pub(crate) struct Watch {
    live: Liveness,
    /// When the client last sent anything.
    last: u64,
    heard: Stored,
    spoke: Stored,
}

/// When the client last sent something, as far as that is stored: not each time, but often enough that a
/// sleep does not make the client look silent.
struct Stored {
    at: u64,
    /// How often it is stored; `None` if no deadline depends on it.
    every: Option<u64>,
}

impl Stored {
    fn new(at: u64, timeout: Option<Duration>) -> Self {
        let every = timeout.map(|timeout| millis(timeout) / 4);
        Self { at, every }
    }

    /// Returns whether to store this time.
    fn is_due(&mut self, now: u64) -> bool {
        let is_due = |every| now.saturating_sub(self.at) >= every;
        let is_due = self.every.is_some_and(is_due);
        if is_due {
            self.at = now;
        }
        is_due
    }
}

impl Watch {
    /// `heard` is when the client last sent anything, and `spoke` when it last sent a message, if
    /// that is known from before a sleep.
    pub(crate) fn new(
        limits: &Limits,
        id: PeerId,
        began: u64,
        heard: Option<u64>,
        spoke: Option<u64>,
    ) -> Self {
        // If the limits ask for pings, the platform's own detection of lost connections takes their place.
        let mut live = Liveness::without_pings(limits, id, Duration::from_millis(began));
        let heard = heard.unwrap_or(began);
        live.heard(Duration::from_millis(heard));
        let spoke = spoke.unwrap_or(began);
        live.active(Duration::from_millis(spoke));
        // As in `Liveness`: silence counts only if the limits ask for no pings.
        let idle = limits.idle_timeout;
        let idle = idle.filter(|_| limits.ping_interval.is_none());
        Self {
            live,
            last: heard,
            heard: Stored::new(heard, idle),
            spoke: Stored::new(spoke, limits.inactivity_timeout),
        }
    }

    /// Records that the client sent something. Returns whether to store that.
    pub(crate) fn heard(&mut self, now: u64) -> bool {
        // The platform's last auto-response may be older than an event that a hook got since.
        if now < self.last {
            return false;
        }
        self.last = now;
        self.live.heard(Duration::from_millis(now));
        self.heard.is_due(now)
    }

    /// Records that the client sent a message. Returns whether to store that.
    pub(crate) fn spoke(&mut self, now: u64) -> bool {
        self.live.active(Duration::from_millis(now));
        self.spoke.is_due(now)
    }

    /// Sets when the peer's credentials expire. That may change, so call it before passed deadlines
    /// are checked.
    pub(crate) fn credentials(&mut self, at: Option<SystemTime>) {
        // This time is in wall-clock time already.
        self.live.credentials(at, Duration::ZERO, || UNIX_EPOCH);
    }

    /// Returns the next deadline, never a part of a millisecond too early. An alarm that comes too
    /// early would ask for the same time again, and workerd may forget an alarm that is set, while
    /// it rings, for the time that it rings for.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.live.next_due().map(millis_up)
    }

    pub(crate) fn poll(&mut self, now: u64) -> Option<LivenessEvent> {
        self.live.poll(Duration::from_millis(now))
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns whole milliseconds, rounded up.
fn millis_up(time: Duration) -> u64 {
    millis(time.saturating_add(Duration::from_nanos(999_999)))
}

/// Returns when this time is over, in milliseconds since the epoch.
pub(crate) fn epoch_millis(time: SystemTime) -> u64 {
    millis_up(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    fn id() -> PeerId {
        PeerId::from_u128(0x7fff)
    }

    #[test]
    fn pings_that_cannot_be_sent_end_no_connection() {
        let watch = Watch::new(&Limits::default(), id(), 5, None, None);
        assert_eq!(watch.next_due(), None);
    }

    #[test]
    fn a_sign_of_life_is_not_stored_if_no_deadline_depends_on_it() {
        let mut watch = Watch::new(&Limits::default(), id(), 0, None, None);
        assert!(!watch.heard(600 * SECOND));
    }

    #[test]
    fn silence_is_bounded_if_asked_and_outlives_a_sleep() {
        let limits = Limits::default().ping_interval(None);
        let mut watch = Watch::new(&limits, id(), 0, None, None);
        assert_eq!(watch.next_due(), Some(120 * SECOND));
        assert!(!watch.heard(29 * SECOND), "stored only every quarter");
        assert!(watch.heard(40 * SECOND));
        assert!(!watch.heard(50 * SECOND));

        let mut woken = Watch::new(&limits, id(), 0, Some(40 * SECOND), None);
        assert_eq!(woken.poll(159 * SECOND), None);
        assert_eq!(woken.poll(160 * SECOND), Some(LivenessEvent::Silent));
    }

    #[test]
    fn inactivity_counts_from_the_last_message_across_a_sleep() {
        let limits = Limits::default().inactivity_timeout(Duration::from_secs(100));
        let mut watch = Watch::new(&limits, id(), 0, None, None);
        assert!(!watch.spoke(24 * SECOND), "stored only every quarter");
        assert!(watch.spoke(25 * SECOND));
        // An auto-response of the platform is a sign of life, not a message.
        watch.heard(90 * SECOND);
        assert_eq!(watch.next_due(), Some(125 * SECOND));

        let mut woken = Watch::new(&limits, id(), 0, Some(90 * SECOND), Some(25 * SECOND));
        assert_eq!(woken.poll(124 * SECOND), None);
        assert_eq!(woken.poll(125 * SECOND), Some(LivenessEvent::Inactive));
    }

    #[test]
    fn a_life_counts_from_its_beginning() {
        let life = Duration::from_secs(100);
        let limits = Limits::default().max_lifetime(life);
        let mut woken = Watch::new(&limits, id(), 10 * SECOND, Some(100 * SECOND), None);
        assert_eq!(woken.poll(109 * SECOND), None);
        assert_eq!(woken.poll(111 * SECOND), Some(LivenessEvent::Expired));
    }

    #[test]
    fn a_deadline_is_due_at_the_time_that_was_returned() {
        let life = Duration::from_millis(1000);
        let limits = Limits::default().max_lifetime(life);
        for n in 0..100 {
            // Lifetimes are spread, to fractions of a millisecond.
            let mut watch = Watch::new(&limits, PeerId::from_u128(n * 651), 5, None, None);
            let due = watch.next_due().unwrap();
            assert_eq!(watch.poll(due - 1), None);
            assert_eq!(watch.poll(due), Some(LivenessEvent::Expired));
        }
        let mut watch = Watch::new(&Limits::default(), id(), 0, None, None);
        watch.credentials(Some(UNIX_EPOCH + Duration::from_micros(1_500)));
        assert_eq!(watch.next_due(), Some(2));
        assert_eq!(watch.poll(1), None);
        assert_eq!(watch.poll(2), Some(LivenessEvent::CredentialsExpired));
    }

    #[test]
    fn credentials_end_by_the_wall_clock() {
        let at = UNIX_EPOCH + Duration::from_secs(50);
        let mut watch = Watch::new(&Limits::default(), id(), 10 * SECOND, None, None);
        watch.credentials(Some(at));
        assert_eq!(watch.next_due(), Some(50 * SECOND));
        assert_eq!(watch.poll(49 * SECOND), None);
        assert_eq!(
            watch.poll(50 * SECOND),
            Some(LivenessEvent::CredentialsExpired)
        );
        watch.credentials(Some(at));
        assert_eq!(watch.poll(51 * SECOND), None, "said once");
    }
}
