//! This crate's lock and atomics: std's, without poisoning, or shuttle's under model checking.
//!
//! Poisoning would let one panicking hook make every later use of the shared state panic too.
//! All state behind these locks is consistent at every point where user code could panic,
//! because no user code runs under them.

#[cfg(crossws_shuttle)]
use shuttle::sync as imp;
#[cfg(not(crossws_shuttle))]
use std::sync as imp;

pub(crate) use imp::{MutexGuard, atomic};

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
