//! Observers that send and publish while they are told of a message.

use std::cell::RefCell;

/// One hub's observers are told of a message, in this thread, for as long as this lives.
pub(super) struct Telling;

thread_local! {
    /// The addresses of the hubs' watches, the innermost last.
    static TOLD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Telling {
    /// Begins, unless an observer of the hub has sent the message while it was told of another: an
    /// observer that answers each message with one would be told without end.
    pub(super) fn begin<W>(watch: &W) -> Option<Self> {
        let address = std::ptr::from_ref(watch).addr();
        TOLD.with_borrow_mut(|told| {
            let is_first = !told.contains(&address);
            is_first.then(|| {
                told.push(address);
                Self
            })
        })
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        TOLD.with_borrow_mut(|told| told.pop());
    }
}
