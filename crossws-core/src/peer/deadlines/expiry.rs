use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::message::close::{CloseCode, CloseFrame};
use crate::peer::snapshot::persist_error::PersistError;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::transport::Transport;

/// When the credentials that admitted a peer end. At that moment the peer is closed with 4401
/// ([`CloseCode::CREDENTIALS_EXPIRED`](crate::CloseCode::CREDENTIALS_EXPIRED)), unless
/// [`Peer::set_expiry`](crate::Peer::set_expiry) has set a later one.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use crossws_core::{Expiry, Upgrade};
/// let claim = 1_900_000_000; // a token's `exp`
/// let upgrade = Upgrade::new().expires(Expiry::unix(claim));
/// let session = Upgrade::new().expires(Duration::from_secs(15 * 60));
/// ```
// Exhaustive on purpose: a moment, a time from now, or neither.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// Never: the connection may outlast the credentials that admitted it.
    #[default]
    Never,
    /// At this time of the server's wall clock, to the millisecond. If the clock is set afterwards,
    /// a native server keeps to the time that was left when the expiry was set.
    ///
    /// The type exists on `wasm32` too, where only `SystemTime::now` does not.
    At(SystemTime),
    /// After this duration, by the adapter's clock. It begins when the peer joins, or when
    /// [`Peer::set_expiry`](crate::Peer::set_expiry) is called.
    In(Duration),
}

impl Expiry {
    /// Converts seconds since the Unix epoch, like a JSON Web Token's `exp` (RFC 7519 section
    /// 4.1.4). A time beyond the clock's range is [`Never`](Self::Never).
    ///
    /// ```
    /// # use crossws_core::*;
    /// // The claim `exp` of a JSON Web Token.
    /// let upgrade = Upgrade::new().expires(Expiry::unix(1_900_000_000));
    /// assert_ne!(upgrade.get_expiry(), Expiry::Never);
    /// ```
    pub fn unix(seconds: u64) -> Self {
        UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .map_or(Self::Never, Self::At)
    }

    /// Returns the moment on the transport's steady clock, if there is one.
    pub(crate) fn on(self, transport: &dyn Transport) -> Moment {
        let steady = transport.steady();
        match self {
            Self::At(at) => Moment::at(converted(at, transport.now(), steady)),
            other => other.moment(steady),
        }
    }

    /// Returns the moment, if there is one, for a clock that shows `now`.
    pub(crate) fn moment(self, now: SystemTime) -> Moment {
        match self {
            Self::Never => Moment::NEVER,
            Self::At(at) => Moment::at(at),
            Self::In(time) => now.checked_add(time).map_or(Moment::NEVER, Moment::at),
        }
    }
}

/// Converts a time of the clock that shows `from` into one of the clock that shows `to`.
pub(crate) fn converted(at: SystemTime, from: SystemTime, to: SystemTime) -> SystemTime {
    let shifted = match to.duration_since(from) {
        Ok(ahead) => at.checked_add(rounded(ahead)),
        Err(behind) => at.checked_sub(rounded(behind.duration())),
    };
    shifted.unwrap_or(at)
}

/// Rounds the difference of two clocks: they are read one after the other, and a time that is
/// converted there and back must be the same.
fn rounded(difference: Duration) -> Duration {
    const READING: Duration = Duration::from_millis(500);
    let step = READING.as_millis();
    let times = difference.saturating_add(READING / 2).as_millis() / step;
    Duration::from_millis(u64::try_from(times * step).unwrap_or(u64::MAX))
}

impl From<SystemTime> for Expiry {
    fn from(at: SystemTime) -> Self {
        Self::At(at)
    }
}

impl From<Duration> for Expiry {
    fn from(time: Duration) -> Self {
        Self::In(time)
    }
}

/// A time in milliseconds of the Unix epoch, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    fn at(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn from_millis(millis: Option<u64>) -> Self {
        millis.map_or(Self::NEVER, Self)
    }

    pub(crate) fn millis(self) -> Option<u64> {
        (self != Self::NEVER).then_some(self.0)
    }

    pub(crate) fn time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.millis()?))
    }

    /// Returns whether the moment has come for a clock that shows `now`.
    pub(crate) fn is_past(self, now: SystemTime) -> bool {
        self != Self::NEVER && self <= Self::at(now)
    }
}

/// A peer's [`Moment`], which any thread may change.
#[derive(Debug)]
pub(crate) struct MomentCell(AtomicU64);

impl MomentCell {
    pub(crate) fn new(moment: Moment) -> Self {
        Self(AtomicU64::new(moment.0))
    }

    pub(crate) fn get(&self) -> Moment {
        Moment(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn replace(&self, moment: Moment) -> Moment {
        Moment(self.0.swap(moment.0, Ordering::AcqRel))
    }
}

/// What a client hears whose credentials have ended.
pub(crate) fn credentials_expired() -> CloseFrame {
    CloseFrame::new(CloseCode::CREDENTIALS_EXPIRED, "credentials expired")
}

/// Why a peer's credentials were not renewed. They still end at the earlier time.
///
/// ```
/// # use crossws_core::*;
/// use std::time::{Duration, SystemTime};
///
/// fn one_hour_more(peer: &Peer) -> Result<(), ExpiryError> {
///     peer.set_expiry(SystemTime::now() + Duration::from_secs(3_600))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpiryError {
    /// The connection is closing or closed.
    #[error("not renewed: the connection is closed")]
    Closed,
    /// The transport keeps no time.
    #[error("not renewed: this transport does not end connections in time")]
    Unsupported,
    /// The transport hibernates and could not store the new moment.
    #[error("not renewed: {0}")]
    Persist(#[from] PersistError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_000_500)
    }

    #[test]
    fn a_moment_is_absolute_to_the_millisecond() {
        let millis = |expiry: Expiry| expiry.moment(now()).millis();
        assert_eq!(millis(Expiry::Never), None);
        assert_eq!(millis(Expiry::unix(7)), Some(7000));
        assert_eq!(millis(Duration::from_millis(1).into()), Some(1_000_501));
        assert_eq!(millis(now().into()), Some(1_000_500));
        let time = Moment::from_millis(Some(1_000_500)).time();
        assert_eq!(time, Some(now()));
    }

    #[test]
    fn a_time_that_is_converted_there_and_back_is_the_same() {
        let at = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        let ms = Duration::from_millis;
        for (ahead, shift) in [(0, 0), (100, 0), (3_600_100, 3_600_000), (899_900, 900_000)] {
            let (wall, steady) = (now() + ms(ahead), now());
            let there = converted(at, wall, steady);
            assert_eq!(there, at - ms(shift), "{ahead} ahead");
            // The clocks are read anew, with up to this much time in between.
            for late in [0, 1, 90] {
                assert_eq!(converted(there, steady, wall + ms(late)), at, "{ahead}");
                assert_eq!(converted(there, steady + ms(late), wall), at, "{ahead}");
            }
            let there = converted(at, steady, wall);
            assert_eq!(
                converted(there, wall, steady + ms(90)),
                at,
                "{ahead} behind"
            );
        }
    }

    #[test]
    fn what_no_clock_reaches_is_never_and_what_is_before_the_epoch_is_past() {
        assert_eq!(Expiry::In(Duration::MAX).moment(now()), Moment::NEVER);
        assert_eq!(Expiry::unix(u64::MAX).moment(now()), Moment::NEVER);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert!(Expiry::At(before).moment(now()).is_past(now()));
    }

    #[test]
    fn an_expiry_is_past_from_its_very_millisecond_on() {
        let at = |millis| Moment::from_millis(Some(millis));
        assert!(!at(1_000_501).is_past(now()));
        assert!(at(1_000_500).is_past(now()));
        assert!(!Moment::NEVER.is_past(now()));
    }
}
