//! Whose hook a thread polls, so that a shutdown that a hook waits for does not wait for that hook.

use std::cell::Cell;

use crossws_core::Hub;

thread_local! {
    /// The address of the hub whose hook this thread polls, or [`NO_HOOK`].
    static HOOK: Cell<usize> = const { Cell::new(NO_HOOK) };
}

const NO_HOOK: usize = 0;

/// Runs what polls a hook of a connection of this hub. A hook may drive another server's hooks.
pub(crate) fn polled<T>(hub: &Hub, poll: impl FnOnce() -> T) -> T {
    let _before = Before(HOOK.replace(hub.address()));
    poll()
}

/// Returns whether a hook of a connection of this hub is polled on this thread right now.
pub(crate) fn is_of(hub: &Hub) -> bool {
    HOOK.get() == hub.address()
}

/// What was polled before, also after a panic.
struct Before(usize);

impl Drop for Before {
    fn drop(&mut self) {
        HOOK.set(self.0);
    }
}
