use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, poisoned or not. No user code runs under this crate's locks, so a panic cannot
/// leave their contents incomplete.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
