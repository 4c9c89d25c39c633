use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, poisoned or not: no user code runs under this crate's locks, so that what they guard
/// is whole wherever a panic may have begun.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
