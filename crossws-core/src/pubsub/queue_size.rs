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
    /// More than there ever is.
    pub(crate) const MOST: Self = Self {
        bytes: usize::MAX,
        messages: usize::MAX,
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

    /// Adds a size.
    pub(crate) fn plus_all(self, more: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(more.bytes),
            messages: self.messages.saturating_add(more.messages),
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

    pub(crate) fn exceeds(self, most: Self) -> bool {
        self.bytes > most.bytes || self.messages > most.messages
    }

    pub(crate) fn min(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.min(other.bytes),
            messages: self.messages.min(other.messages),
        }
    }
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
}
