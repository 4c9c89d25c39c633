use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use event_listener::{Event as Notify, EventListener};

use crossws_core::adapter::sync::Mutex;

use crate::error::PushError;

/// What was pushed and not yet written, between the application and the response's body.
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    /// There is room, or the stream has ended.
    changed: Notify,
    /// The most bytes that wait. One event is always taken.
    most: usize,
}

#[derive(Default)]
struct QueueState {
    waiting: BytesMut,
    ended: Ended,
    body: Option<Waker>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    #[default]
    No,
    /// Nothing is added; what waits is still written.
    Finished,
    /// The client is gone, and the body with it.
    Gone,
}

impl Queue {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Notify::new(),
            most,
        })
    }

    /// Appends encoded events, all of them or nothing.
    pub(crate) fn append(&self, encoded: &[u8]) -> Result<(), PushError> {
        let mut state = self.state.lock();
        if state.ended != Ended::No {
            return Err(PushError::Closed);
        }
        if !state.waiting.is_empty() && state.waiting.len() + encoded.len() > self.most {
            return Err(PushError::Full);
        }
        state.waiting.extend_from_slice(encoded);
        let body = state.body.take();
        drop(state);
        body.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// As [`append`](Self::append), but waits for room.
    pub(crate) async fn append_when_room(&self, encoded: &[u8]) -> Result<(), PushError> {
        loop {
            match self.append(encoded) {
                Err(PushError::Full) => {}
                done => return done,
            }
            let listener = self.listen();
            match self.append(encoded) {
                Err(PushError::Full) => listener.await,
                done => return done,
            }
        }
    }

    /// Returns what waits, or `Pending` if nothing does. `None` when the stream has ended.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() {
            let taken = state.waiting.split().freeze();
            drop(state);
            self.changed.notify(usize::MAX);
            return Poll::Ready(Some(taken));
        }
        if state.ended != Ended::No {
            return Poll::Ready(None);
        }
        let old = state.body.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Ends the stream, if it has not ended yet.
    pub(crate) fn end(&self, ended: Ended) {
        let mut state = self.state.lock();
        if state.ended == Ended::Gone || state.ended == ended {
            return;
        }
        state.ended = ended;
        if ended == Ended::Gone {
            state.waiting = BytesMut::new();
        }
        let body = state.body.take();
        drop(state);
        body.into_iter().for_each(Waker::wake);
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn ended(&self) -> Ended {
        self.state.lock().ended
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    pub(crate) fn listen(&self) -> EventListener {
        self.changed.listen()
    }
}
