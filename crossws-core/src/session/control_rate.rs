use std::time::Duration;

use crate::hub::settings::limits::Limit;

/// Counts a peer's control frames in seconds. It is a state machine like
/// [`Liveness`](crate::adapter::Liveness), to which an adapter passes the time.
///
/// Frames are judged by when the peer can have sent them: those that wait unread, because a hook is
/// busy or the process was stopped, may be as many as the rate allows in all that time.
#[derive(Debug, Clone)]
pub struct ControlRate {
    /// A limit above what a second has room for is as good as none.
    most: u32,
    count: u32,
    /// Since when frames are counted. As all times here in milliseconds, which wrap around.
    since: u32,
    /// When all that had arrived was first read after the last frame, or one less than `since` if that
    /// has not happened yet.
    caught_up: u32,
}

/// How long before it was read a frame may have arrived, of a peer that was not known to wait. A
/// heartbeat finds out sooner that the peer is read again.
const STOPPED: u32 = 30_000;

const SECOND: u32 = 1_000;

impl ControlRate {
    /// Admits at most this many control frames a second, as in `Limits::max_control_rate`.
    pub fn new(most: Limit) -> Self {
        Self {
            most: u32::try_from(most.get()).unwrap_or(u32::MAX),
            count: 0,
            since: 0_u32.wrapping_sub(SECOND),
            caught_up: 0,
        }
    }

    /// Notes that all that had arrived was read. Must be called whenever that is so: until then, every
    /// later frame may have waited since the first that is counted. Times are durations since any fixed point.
    #[inline]
    pub fn caught_up(&mut self, now: Duration) {
        if self.is_behind() {
            self.caught_up = millis(now);
        }
    }

    /// Notes that a data message was read after the frames so far. A peer that always sends more is never
    /// [caught up](Self::caught_up) with; its counts begin at most half a minute ago all the same.
    #[inline]
    pub fn message(&mut self, now: Duration) {
        if self.is_behind() {
            self.forget_before(millis(now).wrapping_sub(STOPPED));
        }
    }

    /// Takes back what the time before this moment has allowed.
    fn forget_before(&mut self, moment: u32) {
        let passed = moment.wrapping_sub(self.since);
        // Before `since`, the difference wraps around.
        if (SECOND..=u32::MAX / 2).contains(&passed) {
            let seconds = passed / SECOND;
            let allowed = self.most.saturating_mul(seconds);
            self.count = self.count.saturating_sub(allowed);
            self.since = self.since.wrapping_add(seconds * SECOND);
            self.caught_up = self.since.wrapping_sub(1);
        }
    }

    #[inline]
    fn is_behind(&self) -> bool {
        self.caught_up == self.since.wrapping_sub(1)
    }

    /// Counts one more. Returns whether it is within the limit.
    pub fn admits(&mut self, now: Duration) -> bool {
        let now = millis(now);
        let passed = now.wrapping_sub(self.since).checked_sub(SECOND);
        if let Some(passed) = passed.filter(|_| !self.is_behind()) {
            // What has counted before does not count again.
            let unread = now.wrapping_sub(self.caught_up).min(STOPPED).min(passed);
            self.since = now.wrapping_sub(unread);
            self.count = 0;
        }
        self.caught_up = self.since.wrapping_sub(1);
        let time = now.wrapping_sub(self.since).max(SECOND);
        self.count = self.count.saturating_add(1);
        u64::from(self.count) * u64::from(SECOND) <= u64::from(self.most) * u64::from(time)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "differences are right")]
fn millis(time: Duration) -> u32 {
    time.as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Returns how many of these frames at this time are admitted, up to the first that is not.
    fn admitted(rate: &mut ControlRate, at: Duration, frames: u32) -> u32 {
        (0..frames).take_while(|_| rate.admits(at)).count() as u32
    }

    #[test]
    fn a_peer_that_keeps_to_the_rate_is_admitted_and_no_peer_gets_far_beyond() {
        // Beyond the wrap of the milliseconds, too.
        for began in [0, u64::from(u32::MAX) - 30_500] {
            let (mut steady, mut greedy) = (ControlRate::new(Limit::At(10)), None);
            let mut most = 0;
            for tenth in 0..600 {
                let at = ms(began + 100 * tenth);
                assert!(steady.admits(at), "{at:?}");
                steady.caught_up(at);
                let greedy = greedy.get_or_insert_with(|| steady.clone());
                while greedy.clone().admits(at) {
                    greedy.admits(at);
                    most += 1;
                }
                greedy.caught_up(at);
            }
            assert!((590..=620).contains(&most), "{most} in a minute");
            assert_eq!(admitted(&mut steady, ms(began + 60_000), 100), 10);
        }
    }

    #[test]
    fn frames_that_waited_unread_are_as_many_as_the_time_allows() {
        let mut rate = ControlRate::new(Limit::At(10));
        assert_eq!(admitted(&mut rate, ms(0), 20), 10);
        // A hook is busy for an hour.
        let mut rate = ControlRate::new(Limit::At(10));
        assert!(rate.admits(ms(1_500)));
        assert_eq!(admitted(&mut rate, ms(3_601_500), 40_000), 36_014);
        // The process is stopped for twenty seconds.
        let mut rate = ControlRate::new(Limit::At(10));
        assert!(rate.admits(ms(1_000)));
        rate.caught_up(ms(1_000));
        assert_eq!(admitted(&mut rate, ms(21_000), 300), 200);
    }

    #[test]
    fn a_peer_that_is_never_read_to_the_end_saves_up_no_more_than_half_a_minute() {
        for began in [0, u64::from(u32::MAX) - 60_500] {
            let mut rate = ControlRate::new(Limit::At(10));
            assert!(rate.admits(ms(began)));
            for second in 0..3_600 {
                rate.message(ms(began + 1_000 * second));
            }
            let most = admitted(&mut rate, ms(began + 3_600_000), 40_000);
            assert!((300..=310).contains(&most), "{most}");
            // And what it has sent counts.
            rate.message(ms(began + 3_601_000));
            assert_eq!(admitted(&mut rate, ms(began + 3_601_000), 100), 9);
        }
    }

    #[test]
    fn a_peer_that_always_sends_and_keeps_to_the_rate_is_admitted() {
        let mut rate = ControlRate::new(Limit::At(10));
        for frame in 0..6_000 {
            let at = ms(110 * frame);
            assert!(rate.admits(at), "{at:?}");
            rate.message(at);
        }
    }

    #[test]
    fn a_silent_peer_saves_up_no_more_than_half_a_minute() {
        let mut rate = ControlRate::new(Limit::At(10));
        assert_eq!(admitted(&mut rate, ms(3_600_000), 1_000), 300);
        let mut none = ControlRate::new(Limit::At(0));
        assert!(!none.admits(ms(60_000)));
        let mut unbounded = ControlRate::new(Limit::Unlimited);
        assert_eq!(admitted(&mut unbounded, ms(0), 100_000), 100_000);
    }
}
