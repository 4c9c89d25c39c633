//! This crate's lock, atomics and events: std's, without poisoning, or shuttle's under model
//! checking.
//!
//! Poisoning would let one panicking hook make every later use of the shared state panic too.
//! All state behind these locks is consistent at every point where user code could panic,
//! because no user code runs under them.

#[cfg(crossws_shuttle)]
use shuttle::sync as imp;
#[cfg(not(crossws_shuttle))]
use std::sync as imp;

#[cfg(not(crossws_shuttle))]
pub(crate) use event_listener::Event;
pub(crate) use imp::{MutexGuard, atomic};

/// An event whose every call is a point where shuttle may switch threads. What goes on inside
/// stays std's.
#[cfg(crossws_shuttle)]
#[derive(Default)]
pub(crate) struct Event {
    event: event_listener::Event,
    switch: atomic::AtomicBool,
}

#[cfg(crossws_shuttle)]
impl Event {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn listen(&self) -> event_listener::EventListener {
        self.switch.load(atomic::Ordering::SeqCst);
        self.event.listen()
    }

    pub(crate) fn notify(&self, n: usize) {
        self.switch.load(atomic::Ordering::SeqCst);
        self.event.notify(n);
    }
}

/// A mutex that ignores poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
