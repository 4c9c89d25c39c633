//! Timers: a sorted map, and a thread that sleeps until the first of them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::executor::lock;

static TIMERS: LazyLock<Timers> = LazyLock::new(|| {
    thread::spawn(keep_time);
    Timers::default()
});

#[derive(Default)]
struct Timers {
    /// By time; the number tells timers of one instant apart.
    waiting: Mutex<BTreeMap<(Instant, u64), Waker>>,
    sooner: Condvar,
}

/// Ends after a time.
#[derive(Debug)]
pub struct Sleep {
    /// `None` if it is beyond the clock's reach.
    due: Option<(Instant, u64)>,
}

impl Sleep {
    pub(crate) fn new(duration: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let at = Instant::now().checked_add(duration);
        Self {
            due: at.map(|at| (at, number)),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else {
            return Poll::Pending;
        };
        if due.0 <= Instant::now() {
            return Poll::Ready(());
        }
        let mut waiting = lock(&TIMERS.waiting);
        waiting.insert(due, cx.waker().clone());
        if waiting.keys().next() == Some(&due) {
            TIMERS.sooner.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(due) = &self.due {
            // Dropped after the lock: a waker may hold the last of a task.
            let _waker = lock(&TIMERS.waiting).remove(due);
        }
    }
}

fn keep_time() {
    let mut waiting = lock(&TIMERS.waiting);
    loop {
        let now = Instant::now();
        match waiting.keys().next().copied() {
            Some(due) if due.0 <= now => {
                let waker = waiting.remove(&due);
                drop(waiting);
                waker.inspect(Waker::wake_by_ref);
                waiting = lock(&TIMERS.waiting);
            }
            Some((at, _)) => {
                let waited = TIMERS.sooner.wait_timeout(waiting, at - now);
                waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            None => {
                let waited = TIMERS.sooner.wait(waiting);
                waiting = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
