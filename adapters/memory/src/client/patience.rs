use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::task::Waker;
use std::time::Duration;

use crossws_core::adapter::sync::Mutex;

/// How long a client waits for what does not come, in real time: for hooks that wait for another
/// thread, or for a runtime's timer. A thread watches the clock, from the moment on at which nothing
/// runs any more: most messages are there by then.
pub(crate) struct Patience {
    limit: Duration,
    watch: Option<Watch>,
}

struct Watch {
    state: Arc<Mutex<WatchState>>,
    /// The thread ends when this is dropped.
    _waits: Sender<()>,
}

#[derive(Default)]
struct WatchState {
    waker: Option<Waker>,
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

/// Without threads everything is waited for.
fn begin(limit: Duration) -> Watch {
    let state = Arc::<Mutex<WatchState>>::default();
    let (waits, left) = channel();
    let watched = Arc::clone(&state);
    let run = move || {
        if left.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let mut state = watched.lock();
            state.over = true;
            let waker = state.waker.take();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
    };
    let _ = std::thread::Builder::new()
        .name("crossws-patience".to_owned())
        .spawn(run);
    Watch {
        state,
        _waits: waits,
    }
}
