use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use once_cell::race::OnceBox;

/// At most this many threads have a value of their own at a time. The others share one.
const MOST: u8 = u64::BITS as u8;

/// A place for each number that a thread may have, and for those that say that it has none, which stay
/// empty: so a number needs no check.
const PLACES: usize = u8::MAX as usize + 1;

/// A value for each thread, so that threads that count do not wait for each other's caches, and a count
/// needs no atomic read-modify-write.
pub(super) struct PerThread<T> {
    own: [OnceBox<T>; PLACES],
    shared: T,
}

impl<T: Default> Default for PerThread<T> {
    fn default() -> Self {
        Self {
            own: std::array::from_fn(|_| OnceBox::new()),
            shared: T::default(),
        }
    }
}

impl<T: Default> PerThread<T> {
    /// Returns the value that only this thread writes. `None` for a thread without one, which must
    /// write [`shared`](Self::shared).
    #[inline]
    pub(super) fn own(&self) -> Option<&T> {
        match self.own[usize::from(NUMBER.get())].get() {
            None => self.begin(),
            own => own,
        }
    }

    /// Returns the value that several threads write at once.
    pub(super) fn shared(&self) -> &T {
        &self.shared
    }

    /// Returns the values of all threads, also of those that have ended.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        let own = self.own.iter().filter_map(OnceBox::get);
        own.chain([&self.shared])
    }

    #[cold]
    #[inline(never)]
    fn begin(&self) -> Option<&T> {
        let own = &self.own[usize::from(number()?)];
        Some(own.get_or_init(Box::default))
    }
}

/// This thread has not asked for a number.
const UNKNOWN: u8 = u8::MAX;
/// This thread has no number, because it asked for one when there was none, or is ending.
const NONE: u8 = UNKNOWN - 1;

thread_local! {
    /// The number of this thread, or [`UNKNOWN`], or [`NONE`].
    static NUMBER: Cell<u8> = const { Cell::new(UNKNOWN) };
    /// Returns the number at the thread's end.
    static CLAIM: RefCell<Option<TakenNumber>> = const { RefCell::new(None) };
}

/// The numbers that threads have, one bit each.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Returns this thread's number.
fn number() -> Option<u8> {
    // The threads of a model run in one of the system's.
    if cfg!(crossws_shuttle) {
        return None;
    }
    if NUMBER.get() == UNKNOWN {
        // The lowest bit that is not set.
        let claim = |at: u64| at.checked_add(1).map(|next| at | next);
        let before = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, claim);
        let claim = before
            .ok()
            .map(|before| TakenNumber(before.trailing_ones() as u8));
        let number = claim.as_ref().map_or(NONE, |claim| claim.0);
        // `Err` if the thread is ending: the claim is dropped.
        let kept = CLAIM.try_with(|kept| kept.replace(claim));
        NUMBER.set(if kept.is_ok() { number } else { NONE });
    }
    Some(NUMBER.get()).filter(|number| *number < MOST)
}

/// A number that a thread has.
struct TakenNumber(u8);

impl Drop for TakenNumber {
    fn drop(&mut self) {
        NUMBER.set(NONE);
        // The next thread with this number goes on with what this one has written.
        TAKEN.fetch_and(!(1 << self.0), Ordering::AcqRel);
    }
}

#[cfg(all(test, not(crossws_shuttle)))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    /// Counts as the module's users do.
    fn count(counts: &PerThread<AtomicU64>) {
        match counts.own() {
            Some(own) => own.store(own.load(Ordering::Relaxed) + 1, Ordering::Relaxed),
            None => _ = counts.shared().fetch_add(1, Ordering::Relaxed),
        }
    }

    fn sum(counts: &PerThread<AtomicU64>) -> u64 {
        counts.all().map(|it| it.load(Ordering::Relaxed)).sum()
    }

    #[test]
    fn more_threads_than_numbers_lose_no_count() {
        const THREADS: usize = MOST as usize + 20;
        const EACH: u64 = 1_000;
        let counts = PerThread::<AtomicU64>::default();
        let all_live = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    count(&counts);
                    all_live.wait();
                    (1..EACH).for_each(|_| count(&counts));
                });
            }
        });
        assert_eq!(sum(&counts), THREADS as u64 * EACH);
        let shared = counts.shared().load(Ordering::Relaxed);
        assert!(
            shared >= 20 * EACH,
            "{shared} counted by threads without a number"
        );
    }

    #[test]
    fn a_number_is_used_again_when_its_thread_has_ended() {
        const THREADS: usize = MOST as usize;
        let counts = PerThread::<AtomicU64>::default();
        for _ in 0..10 * THREADS {
            thread::scope(|scope| scope.spawn(|| count(&counts)).join()).unwrap();
        }
        assert_eq!(sum(&counts), 10 * THREADS as u64);
    }
}
