use std::sync::{Arc, Condvar, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crossws_core::adapter::sync::Mutex;

/// How long a client waits for what does not come, in real time: for hooks that wait for another
/// thread, or for a runtime's timer. A thread watches the clock, from the moment on at which nothing
/// runs any more: most messages are there by then.
pub(crate) struct Patience {
    limit: Duration,
    watch: Option<Arc<Watch>>,
}

#[derive(Default)]
struct Watch {
    // The models build only core and native: std's `Condvar` takes no guard of the model checker.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waker: Option<Waker>,
    /// The caller has stopped waiting.
    left: bool,
    over: bool,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, watch: None }
    }

    /// Returns whether the time is up; wakes the caller when it is.
    pub(crate) fn is_over(&mut self, waker: &Waker) -> bool {
        let watch = self.watch.get_or_insert_with(|| begin(self.limit));
        let mut state = watch.state.lock();
        state.waker = Some(waker.clone());
        state.over
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.state.lock().left = true;
            watch.changed.notify_all();
        }
    }
}

/// Without threads everything is waited for.
fn begin(limit: Duration) -> Arc<Watch> {
    let watch = Arc::new(Watch::default());
    let watched = Arc::clone(&watch);
    let _ = std::thread::Builder::new()
        .name("crossws-patience".to_owned())
        .spawn(move || watched.run(limit));
    watch
}

impl Watch {
    fn run(&self, limit: Duration) {
        let state = self.state.lock();
        let waited = self
            .changed
            .wait_timeout_while(state, limit, |state| !state.left);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.over = true;
        let waker = state.waker.take();
        let left = state.left;
        drop(state);
        if let Some(waker) = waker
            && !left
        {
            waker.wake();
        }
    }
}
