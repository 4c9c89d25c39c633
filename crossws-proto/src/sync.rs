//! The lock, atomics and thread-locals of core, which are shuttle's under model checking.

pub use crossws_core::adapter::sync::{Mutex, MutexGuard, atomic, thread_local};
