//! The process-wide budget for compression contexts that outlive a message.

use std::sync::atomic::{AtomicUsize, Ordering};

static USED: AtomicUsize = AtomicUsize::new(0);

/// Returns about how many bytes a compressor owns: its window twice, a link for each byte of it,
/// and hash and symbol tables.
pub(super) const fn compressor(window_bits: u8) -> usize {
    (4 << window_bits) + (192 << 10)
}

/// A share of the budget, returned on drop.
#[derive(Debug)]
pub(super) struct Reservation(usize);

impl Reservation {
    /// Reserves `bytes`, or returns `None` if more than `most` would be in use.
    pub(super) fn take(bytes: usize, most: usize) -> Option<Self> {
        let more = |used: usize| Some(used + bytes).filter(|used| *used <= most);
        USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Self(bytes))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        USED.fetch_sub(self.0, Ordering::Relaxed);
    }
}
