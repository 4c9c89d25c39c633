//! std's lock without poisoning, or shuttle's under model checking. As in core: no user code runs
//! under it, so that a panic cannot leave the state inconsistent.

#[cfg(crossws_shuttle)]
use shuttle::sync as imp;
#[cfg(not(crossws_shuttle))]
use std::sync as imp;

#[cfg(crossws_shuttle)]
pub use shuttle::thread_local;
#[cfg(not(crossws_shuttle))]
pub use std::thread_local;

use std::sync::TryLockError;

pub use imp::{MutexGuard, atomic};

/// A mutex that ignores poisoning.
#[derive(Debug, Default)]
pub struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// `None` while another caller has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
