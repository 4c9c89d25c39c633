//! What a test controls the order of events with: futures that it polls, gates, and logs.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use event_listener::Event;

use super::Mutex;

/// A future that the test polls by hand, and whose wake-ups it can check.
pub struct Hand<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    flag: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a, T> Hand<'a, T> {
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self {
            future: Box::pin(future),
            flag: Arc::new(Flag(AtomicBool::new(true))),
        }
    }

    /// Polls as an executor does: only if woken, and again while it is woken.
    #[track_caller]
    pub fn poll(&mut self) -> Option<T> {
        let waker = Waker::from(Arc::clone(&self.flag));
        while self.flag.0.swap(false, Ordering::SeqCst) {
            let poll = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = poll {
                return Some(output);
            }
        }
        None
    }

    /// Returns whether its waker has been woken since it was polled.
    pub fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::SeqCst)
    }

    #[track_caller]
    pub fn done(&mut self) -> T {
        self.poll().expect("the future is ready, or was not woken")
    }

    #[track_caller]
    pub fn pending(&mut self) {
        assert!(self.poll().is_none(), "the future has ended too early");
    }
}

/// An event that happens once, and that hooks can wait for.
#[derive(Clone, Default)]
pub struct Gate(Arc<(AtomicBool, Event)>);

impl Gate {
    pub fn open(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify(usize::MAX);
    }

    pub async fn passed(&self) {
        loop {
            let listener = self.0.1.listen();
            if self.0.0.load(Ordering::SeqCst) {
                return;
            }
            listener.await;
        }
    }
}

/// A log of events, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Returns the lines since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Logs a line when it is dropped.
pub struct Dropped(pub Log, pub &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}
