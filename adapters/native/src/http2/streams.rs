use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use atomic_waker::AtomicWaker;

use super::MOST_CANCELLED;

/// The streams of a connection, counted.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) live: AtomicUsize,
    pub(super) sockets: AtomicUsize,
    /// The requests that the client has cancelled, less those that got a response.
    cancelled: AtomicIsize,
    pub(super) task: AtomicWaker,
}

impl Streams {
    pub(super) fn is_abused(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) > MOST_CANCELLED
    }
}

/// A stream, until the application is done with it.
#[derive(Debug)]
pub(super) struct Live {
    streams: Arc<Streams>,
    is_socket: bool,
}

impl Live {
    pub(super) fn new(streams: &Arc<Streams>) -> Self {
        streams.live.fetch_add(1, Ordering::Relaxed);
        Self {
            streams: Arc::clone(streams),
            is_socket: false,
        }
    }

    /// Counts a request that the server has responded to.
    pub(super) fn answered(&self) {
        self.streams.cancelled.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a request that the client has cancelled.
    pub(super) fn cancelled(&self) {
        self.streams.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the stream as a WebSocket from now on.
    pub(super) fn into_socket(mut self) -> Self {
        self.is_socket = true;
        self.streams.sockets.fetch_add(1, Ordering::Relaxed);
        self.streams.task.wake();
        self
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.is_socket {
            self.streams.sockets.fetch_sub(1, Ordering::Relaxed);
        }
        // The last one begins the time for which the connection may be idle.
        self.streams.live.fetch_sub(1, Ordering::Release);
        self.streams.task.wake();
    }
}
