use std::iter::Sum;
use std::ops::Add;

/// A size of a queue or a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSize {
    /// In bytes, encoded.
    pub bytes: usize,
    /// In messages.
    pub messages: usize,
}

impl QueueSize {
    /// The most that [`until`](Self::until) adds. A quarter of the range of a total, which wraps around: two
    /// totals are compared correctly if they are at most half of it apart, and each may be up to a quarter from a
    /// third.
    pub(crate) const FAR: Self = Self {
        bytes: usize::MAX / 4,
        messages: usize::MAX / 4,
    };

    /// Creates a size of this many bytes and messages.
    pub const fn new(bytes: usize, messages: usize) -> Self {
        Self { bytes, messages }
    }

    /// Adds one message. A total wraps around: 32 bits count 4 GiB.
    pub(crate) fn plus(self, len: usize) -> Self {
        Self {
            bytes: self.bytes.wrapping_add(len),
            messages: self.messages.wrapping_add(1),
        }
    }

    /// Adds a size to a total, which wraps around.
    pub(crate) fn advanced(self, by: Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_add(by.bytes),
            messages: self.messages.wrapping_add(by.messages),
        }
    }

    /// Returns the difference to an earlier total, or the total that was this size earlier.
    pub(crate) fn past(self, start: Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_sub(start.bytes),
            messages: self.messages.wrapping_sub(start.messages),
        }
    }

    /// Returns the difference to a smaller size, not of totals.
    pub fn since(self, start: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(start.bytes),
            messages: self.messages.saturating_sub(start.messages),
        }
    }

    /// Returns the total after so much more, or after [`FAR`](Self::FAR).
    pub(crate) fn until(self, more: Self) -> Self {
        self.advanced(Self {
            bytes: more.bytes.min(Self::FAR.bytes),
            messages: more.messages.min(Self::FAR.messages),
        })
    }

    /// Returns whether this total is beyond another that is at most twice [`FAR`](Self::FAR) away.
    pub(crate) fn exceeds(self, until: Self) -> bool {
        is_before(until.bytes, self.bytes) || is_before(until.messages, self.messages)
    }

    /// Returns the earlier of two totals that are at most twice [`FAR`](Self::FAR) apart.
    pub(crate) fn earlier(self, other: Self) -> Self {
        let earlier = |one, other| if is_before(one, other) { one } else { other };
        Self {
            bytes: earlier(self.bytes, other.bytes),
            messages: earlier(self.messages, other.messages),
        }
    }
}

/// Returns whether one total is before another, across the wrap too.
fn is_before(one: usize, other: usize) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}

impl Add for QueueSize {
    type Output = Self;

    #[inline]
    fn add(self, more: Self) -> Self {
        Self::new(self.bytes + more.bytes, self.messages + more.messages)
    }
}

impl Sum for QueueSize {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// How much more may be appended to one log before the topic asks the reading transport again, with
/// [`LogReader::lags`](crate::adapter::LogReader::lags).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Allowance {
    /// In bytes.
    pub bytes: usize,
    /// In messages.
    pub messages: usize,
    /// Whether [`Transport::wake`](crate::adapter::Transport::wake) must be called.
    pub wake: bool,
    /// Whether [`Transport::settle`](crate::adapter::Transport::settle) must be called.
    pub settle: bool,
}

impl Allowance {
    /// Allows this many bytes in this many messages.
    pub const fn new(bytes: usize, messages: usize) -> Self {
        Self {
            bytes,
            messages,
            wake: false,
            settle: false,
        }
    }

    /// Sets whether the writer sleeps and must be woken.
    #[must_use]
    pub const fn with_wake(mut self, wake: bool) -> Self {
        self.wake = wake;
        self
    }

    /// Sets whether so much waits that the transport must be settled.
    #[must_use]
    pub const fn with_settle(mut self, settle: bool) -> Self {
        self.settle = settle;
        self
    }

    pub(crate) fn lag(self) -> QueueSize {
        QueueSize::new(self.bytes, self.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_wrap_around() {
        let start = QueueSize::new(usize::MAX - 2, usize::MAX);
        let end = start.plus(5);
        assert_eq!(end, QueueSize::new(2, 0));
        assert_eq!(start.advanced(QueueSize::new(5, 1)), end);
        assert_eq!(end.past(start), QueueSize::new(5, 1));
        assert_eq!(end.past(QueueSize::new(5, 1)), start);
        assert_eq!(end.past(end), QueueSize::default());
    }

    #[test]
    fn totals_are_compared_across_the_wrap() {
        for (bytes, messages) in [(0, 0), (usize::MAX - 5, 0), (0, usize::MAX)] {
            let start = QueueSize::new(bytes, messages);
            let until = start.until(QueueSize::new(10, 2));
            assert!(!start.exceeds(until) && !start.plus(10).exceeds(until));
            assert!(start.plus(11).exceeds(until), "too many bytes");
            assert!(start.plus(0).plus(0).plus(0).exceeds(until), "messages");
            let never = start.until(QueueSize::new(usize::MAX, usize::MAX));
            assert!(!start.plus(1 << 30).exceeds(never));
            assert_eq!(never, start.until(QueueSize::FAR));
            for (one, other) in [(until, never), (never, until)] {
                assert_eq!(one.earlier(other), until);
            }
            // One reader's check is due, and that of the next is as far away as can be.
            let next = start.plus(1 << 20).until(QueueSize::FAR);
            assert_eq!(start.earlier(next), start);
            assert_eq!(next.earlier(start), start);
        }
    }
}
