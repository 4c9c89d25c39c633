//! A rate with a burst, counted in one number: the generic cell rate algorithm of ATM.

use std::time::Duration;

/// At most `most` in each `per`: as many at once, and then one after each equal part of the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    most: u32,
    per: Duration,
}

/// How long it takes until a rate of none admits one.
pub(super) const NEVER: Duration = Duration::MAX;

impl Pace {
    pub(super) fn new(most: u32, per: Duration) -> Self {
        Self { most, per }
    }

    /// Takes some, if they are within the rate: moves the time until which what was taken counts.
    /// Otherwise returns how long until they are, [`NEVER`] if the rate admits none. More than fit into
    /// one time count as all that do.
    pub(super) fn take(
        self,
        busy_until: &mut Duration,
        now: Duration,
        amount: u32,
    ) -> Result<(), Duration> {
        self.take_since(busy_until, now, now, amount)
    }

    /// As [`take`](Self::take), of what can have come at any time since `since`.
    pub(super) fn take_since(
        self,
        busy_until: &mut Duration,
        since: Duration,
        now: Duration,
        amount: u32,
    ) -> Result<(), Duration> {
        let Self { most, per } = self;
        if most == 0 {
            return Err(NEVER);
        }
        let part = per.as_nanos() * u128::from(amount.min(most)) / u128::from(most);
        let part = Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX));
        let next = since.max(*busy_until).saturating_add(part);
        let wait = next.saturating_sub(now.saturating_add(per));
        if wait > Duration::ZERO {
            return Err(wait);
        }
        *busy_until = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_followed_by_one_after_each_part_of_the_time() {
        let pace = Pace::new(4, 2 * SECOND);
        let mut busy_until = Duration::ZERO;
        let mut take = |now, amount| pace.take(&mut busy_until, now, amount);
        for _ in 0..4 {
            assert_eq!(take(SECOND, 1), Ok(()));
        }
        assert_eq!(take(SECOND, 1), Err(SECOND / 2));
        assert_eq!(take(SECOND + SECOND / 2, 1), Ok(()));
        assert_eq!(take(SECOND + SECOND / 2, 2), Err(SECOND));
        assert_eq!(take(10 * SECOND, 1_000), Ok(()), "as many as fit");
        assert_eq!(take(10 * SECOND, 1), Err(SECOND / 2));
    }

    #[test]
    fn a_rate_of_none_admits_none_in_any_time() {
        let mut busy_until = Duration::ZERO;
        for per in [Duration::ZERO, SECOND, Duration::MAX] {
            let taken = Pace::new(0, per).take(&mut busy_until, SECOND, 1);
            assert_eq!(taken, Err(NEVER), "{per:?}");
        }
    }

    #[test]
    fn extreme_rates_do_not_overflow() {
        let mut busy_until = Duration::ZERO;
        let longest = Pace::new(1, Duration::MAX);
        assert_eq!(longest.take(&mut busy_until, Duration::MAX, 1), Ok(()));
        let fastest = Pace::new(u32::MAX, Duration::ZERO);
        assert_eq!(
            fastest.take(&mut busy_until, Duration::MAX, u32::MAX),
            Ok(())
        );
    }
}
