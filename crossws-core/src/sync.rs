//! The lock, atomics and events of core and of the adapters over `crossws-proto`: std's, without
//! poisoning, or shuttle's under model checking.
//!
//! Poisoning would let one panicking hook make every later use of the shared state panic too. The
//! state inside these locks is consistent at every point where user code could panic, because no
//! user code runs under them.

#[cfg(crossws_shuttle)]
use shuttle::sync as imp;
#[cfg(not(crossws_shuttle))]
use std::sync as imp;

use std::sync::{PoisonError, TryLockError};

pub use imp::{MutexGuard, atomic};
#[cfg(crossws_shuttle)]
pub use shuttle::thread_local;
#[cfg(not(crossws_shuttle))]
pub use std::thread_local;

/// An event that owns no memory until a task listens. Under shuttle every call is a point where it
/// may switch threads; std does the rest.
#[derive(Default)]
pub(crate) struct Event {
    event: event_listener::Event,
    #[cfg(crossws_shuttle)]
    switch: atomic::AtomicBool,
}

impl Event {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn listen(&self) -> event_listener::EventListener {
        self.switch();
        self.event.listen()
    }

    /// Wakes all listeners.
    pub(crate) fn notify_all(&self) {
        // `notify` would allocate the list to find no listener on it.
        if self.has_listeners() {
            self.event.notify(usize::MAX);
        }
    }

    /// Returns whether there are listeners, which may not know of a change before this call.
    pub(crate) fn has_listeners(&self) -> bool {
        self.switch();
        // Between the change and the look at the listeners: `listen` has one between listening and
        // the look at the change.
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        self.event.total_listeners() > 0
    }

    fn switch(&self) {
        #[cfg(crossws_shuttle)]
        self.switch.load(atomic::Ordering::SeqCst);
    }
}

/// A mutex that ignores poisoning.
#[derive(Debug, Default)]
pub struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates a mutex.
    pub const fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// Waits for the lock, and holds it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the lock. Returns `None` while another caller has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Returns the value without locking: the caller has the only reference.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
