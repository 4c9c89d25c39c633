// Also under model checking: nothing follows from a count, and a model's atomic takes some hundred
// bytes of a model's small stack.
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Buckets by powers of two: values up to 0, 1, 3, 7, … 2³⁹−1, and all larger ones.
const BUCKETS: usize = 41;

/// As many as there are logarithms, so that the choice of one takes no comparison: those from the
/// last of [`BUCKETS`] on count as one.
const COUNTERS: usize = u64::BITS as usize;

/// Counts values by their size, in buckets that double: without a lock, in 520 bytes.
///
/// ```
/// use crossws_core::Histogram;
///
/// let sizes = Histogram::default();
/// sizes.record(100);
/// sizes.record_many(2_000, 3);
/// let now = sizes.now();
/// assert_eq!((now.count, now.sum), (4, 6_100));
/// assert_eq!(now.quantile(0.5), 2_047);
/// ```
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; COUNTERS],
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts a value. Returns the earlier count of its bucket.
    #[inline]
    pub fn record(&self, value: u64) -> u64 {
        self.record_many(value, 1)
    }

    /// Counts a value `times` times. The sum wraps around on overflow. Returns the earlier count of
    /// the value's bucket.
    #[inline]
    pub fn record_many(&self, value: u64, times: u64) -> u64 {
        // Shifted by one, because 0 has a class; and with the value itself, because of the bit that is
        // shifted out.
        let class = Class((value << 1 | value | 1).ilog2() as usize);
        self.add(class, value.wrapping_mul(times), times)
    }

    /// Counts `times` values of one class, of this sum. Returns the earlier count of the class.
    #[inline]
    pub(super) fn add(&self, class: Class, sum: u64, times: u64) -> u64 {
        self.sum.fetch_add(sum, Ordering::Relaxed);
        self.buckets[class.0].fetch_add(times, Ordering::Relaxed)
    }

    /// As [`add`](Self::add), for the only thread that writes to this histogram.
    #[inline]
    pub(super) fn add_alone(&self, class: Class, sum: u64, times: u64) {
        add_alone(&self.sum, sum);
        add_alone(&self.buckets[class.0], times);
    }

    /// Returns the sum of several histograms' counts.
    pub(super) fn sum<'a>(all: impl Iterator<Item = &'a Self>) -> HistogramSnapshot {
        let whole = Self::default();
        for part in all {
            for (at, count) in part.buckets.iter().enumerate() {
                whole.buckets[at].fetch_add(count.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            whole
                .sum
                .fetch_add(part.sum.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        whole.now()
    }

    /// Returns the current counts. Values that are recorded meanwhile may be in a part of them.
    pub fn now(&self) -> HistogramSnapshot {
        let mut counts = [0_u64; BUCKETS];
        for (at, bucket) in self.buckets.iter().enumerate() {
            let count = &mut counts[at.min(BUCKETS - 1)];
            *count = count.saturating_add(bucket.load(Ordering::Relaxed));
        }
        let last = counts.iter().rposition(|count| *count > 0);
        let buckets = counts.iter().enumerate().take(last.map_or(0, |at| at + 1));
        HistogramSnapshot {
            count: counts.iter().copied().fold(0, u64::saturating_add),
            sum: self.sum.load(Ordering::Relaxed),
            buckets: buckets.map(|(at, count)| (upper(at), *count)).collect(),
        }
    }
}

/// Adds to a counter that no other thread writes to.
#[inline]
pub(super) fn add_alone(counter: &AtomicU64, more: u64) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(more), Ordering::Relaxed);
}

/// The number of the bucket that a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(pub(crate) usize);

impl Class {
    /// Returns the class of a length, which is at most `isize::MAX`.
    #[inline]
    pub(crate) fn of(length: usize) -> Self {
        Self((length << 1 | 1).ilog2() as usize)
    }
}

/// Returns the largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    match bucket {
        at if at >= BUCKETS - 1 => u64::MAX,
        at => (1 << at) - 1,
    }
}

/// The counts of a [`Histogram`] at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct HistogramSnapshot {
    /// How many values were counted.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The largest value of each bucket, up to the last bucket that is not empty, and the bucket's
    /// count.
    pub buckets: Vec<(u64, u64)>,
}

impl HistogramSnapshot {
    /// Returns the largest value of the bucket that holds this quantile, 0 to 1: at most twice the
    /// quantile itself. Returns 0 if nothing was counted.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let times = Histogram::default();
    /// times.record_many(900, 99);
    /// assert_eq!(times.now().quantile(0.5), 1023);
    /// ```
    pub fn quantile(&self, quantile: f64) -> u64 {
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        for (upper, count) in &self.buckets {
            seen = count.saturating_add(seen);
            if seen >= rank {
                return *upper;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_whose_bounds_hold_it() {
        for value in [0, 1, 2, 3, 4, 1_000, (1 << 39) - 1, 1 << 39, u64::MAX] {
            let histogram = Histogram::default();
            histogram.record(value);
            let now = histogram.now();
            let (upper, count) = now.buckets.last().copied().unwrap_or_default();
            assert_eq!(count, 1);
            assert!(value <= upper, "{value} in {upper}");
            assert!(
                upper == u64::MAX || upper / 2 <= value,
                "{value} in {upper}"
            );
            assert_eq!(now.quantile(1.0), upper);
        }
    }

    #[test]
    fn a_class_is_the_bucket_of_its_lengths() {
        for length in [0, 1, 2, 3, 4, 64, 65_535, isize::MAX as usize] {
            let (by_class, by_value) = (Histogram::default(), Histogram::default());
            by_class.add(Class::of(length), (length as u64).wrapping_mul(3), 3);
            by_class.add_alone(Class::of(length), length as u64, 1);
            by_value.record_many(length as u64, 4);
            assert_eq!(by_class.now(), by_value.now(), "{length}");
        }
    }

    #[test]
    fn more_than_can_be_counted_is_the_most_that_can() {
        let histogram = Histogram::default();
        for value in [0, 9] {
            histogram.record_many(value, u64::MAX);
        }
        assert_eq!(histogram.now().count, u64::MAX);
        assert_eq!(histogram.now().quantile(1.0), 0);
    }

    #[test]
    fn quantiles_are_those_of_the_buckets() {
        let histogram = Histogram::default();
        assert_eq!(histogram.now().quantile(0.5), 0);
        histogram.record_many(1, 90);
        histogram.record_many(100, 10);
        let now = histogram.now();
        assert_eq!((now.count, now.sum), (100, 1_090));
        assert_eq!(
            (now.quantile(0.0), now.quantile(0.9), now.quantile(0.91)),
            (1, 1, 127)
        );
    }
}
