//! Calls that wait for their answers: a server's to a client, and a client's.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};

use crossws_core::adapter::sync::Mutex;
use serde_json::Value;

use crate::calls::error::{CallError, Failure};

/// The calls of one connection that wait for their answers.
#[doc(hidden)] // for the client
#[derive(Debug, Default)]
pub struct PendingCalls(Mutex<CallSlots>);

#[derive(Debug, Default)]
struct CallSlots {
    last_id: u64,
    slots: HashMap<u64, CallSlot>,
}

#[derive(Debug)]
enum CallSlot {
    Waiting(Option<Waker>),
    Answered(Result<Value, Failure>),
    /// The connection ended.
    Lost,
    /// No code waits. A late answer is dropped.
    Abandoned,
}

impl PendingCalls {
    /// Reserves a place for the answer to a new call, one of at most `most`. Returns the call's id.
    pub fn begin(&self, most: usize) -> Result<u64, CallError> {
        let mut state = self.0.lock();
        if state.slots.len() >= most {
            let abandoned = |slot: &CallSlot| matches!(slot, CallSlot::Abandoned);
            state.slots.retain(|_, slot| !abandoned(slot));
            if state.slots.len() >= most {
                return Err(CallError::TooMany(most));
            }
        }
        state.last_id += 1;
        let id = state.last_id;
        state.slots.insert(id, CallSlot::Waiting(None));
        Ok(id)
    }

    /// Returns whether no call waits for its answer.
    pub fn is_empty(&self) -> bool {
        self.0.lock().slots.is_empty()
    }

    /// Returns the answer to this call, once it is there.
    pub fn poll(&self, id: u64, cx: &mut Context<'_>) -> Poll<Result<Value, CallError>> {
        let mut state = self.0.lock();
        match state.slots.get_mut(&id) {
            Some(CallSlot::Waiting(waker)) => {
                let old = waker.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
            _ => Poll::Ready(match state.slots.remove(&id) {
                Some(CallSlot::Answered(answer)) => answer.map_err(CallError::Failed),
                _ => Err(CallError::Closed),
            }),
        }
    }

    /// Ends the wait for the answer to this call, and keeps its place for a late one if asked to.
    /// Returns whether there was no answer yet.
    pub fn leave(&self, id: u64, keep: bool) -> bool {
        let mut state = self.0.lock();
        let old = match state.slots.get_mut(&id) {
            Some(slot @ CallSlot::Waiting(_)) if keep => {
                Some(std::mem::replace(slot, CallSlot::Abandoned))
            }
            _ => state.slots.remove(&id),
        };
        // Without the lock: a waker may be the last handle to a task that owns a client.
        drop(state);
        matches!(old, Some(CallSlot::Waiting(_)))
    }

    /// Handles an answer. Returns whether a call has a place for it: an answer may be the second one,
    /// or to a call that was never made.
    pub fn answered(&self, id: &Value, answer: Result<Value, Failure>) -> bool {
        let Some(id) = id.as_u64() else {
            return false;
        };
        let mut state = self.0.lock();
        let old = match state.slots.get_mut(&id) {
            Some(slot @ CallSlot::Waiting(_)) => {
                Some(std::mem::replace(slot, CallSlot::Answered(answer)))
            }
            Some(CallSlot::Abandoned) => state.slots.remove(&id),
            _ => return false,
        };
        drop(state);
        if let Some(CallSlot::Waiting(Some(waker))) = old {
            waker.wake();
        }
        true
    }

    /// Fails every call that waits: its connection has ended, and the other side does not know it on
    /// another one.
    pub fn lose_all(&self) {
        let mut wakers = Vec::new();
        self.0.lock().slots.retain(|_, slot| {
            if let CallSlot::Waiting(waker) = slot {
                wakers.extend(waker.take());
                *slot = CallSlot::Lost;
            }
            !matches!(slot, CallSlot::Abandoned)
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}
