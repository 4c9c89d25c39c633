//! Observers that send and publish while they are told of a message.

use std::cell::Cell;

/// One hub's observers are told of a message, in this thread, for as long as this lives. Its place in
/// [`TOLD`].
pub(super) struct Telling(usize);

/// Observers of one hub send to another, whose observers do the same, at most so often.
const DEEPEST: usize = 4;

thread_local! {
    /// The addresses of the hubs' watches, the outermost first, or 0.
    static TOLD: [Cell<usize>; DEEPEST] = const { [const { Cell::new(0) }; DEEPEST] };
}

impl Telling {
    /// Begins, for the hub whose watch has this address, unless one of its observers has sent the message
    /// while it was told of another: an observer that answers each message with one would be told
    /// without end.
    #[inline]
    pub(super) fn begin(watch: usize) -> Option<Self> {
        TOLD.with(|told| {
            for (at, known) in told.iter().enumerate() {
                if known.get() == 0 {
                    known.set(watch);
                    return Some(Self(at));
                }
                if known.get() == watch {
                    break;
                }
            }
            None
        })
    }

    /// Returns whether the hub's observers are told of a message, in this thread.
    pub(super) fn is_under_way(watch: usize) -> bool {
        TOLD.with(|told| told.iter().any(|known| known.get() == watch))
    }
}

impl Drop for Telling {
    #[inline]
    fn drop(&mut self) {
        TOLD.with(|told| told[self.0].set(0));
    }
}
