use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crossws_app::calls::{CallError, CallMessage, Failure, WireForm};
use crossws_core::Message;
use crossws_core::adapter::sync::Mutex;
use serde_json::Value;

/// The most calls that wait for their answers, or for late answers that nothing waits for any more.
const MOST: usize = 1024;

/// Calls of one client that wait for their answers.
#[derive(Default)]
pub(crate) struct Pending {
    state: Mutex<State>,
    /// A call was made: until then, no message can be an answer.
    is_used: AtomicBool,
}

#[derive(Default)]
struct State {
    last_id: u64,
    slots: HashMap<u64, Slot>,
}

enum Slot {
    Waiting(Option<Waker>),
    Answered(Result<Value, Failure>),
    /// The connection ended.
    Lost,
    /// No code waits. A late answer is dropped and does not reach the app.
    Abandoned,
}

impl Pending {
    /// Reserves a place for the answer to a new call. Returns the call's id.
    pub(super) fn begin(&self) -> Result<u64, CallError> {
        let mut state = self.state.lock();
        if state.slots.len() >= MOST {
            let abandoned = |slot: &Slot| matches!(slot, Slot::Abandoned);
            state.slots.retain(|_, slot| !abandoned(slot));
            if state.slots.len() >= MOST {
                return Err(CallError::TooMany(MOST));
            }
        }
        // The answer follows what is sent under another lock.
        self.is_used.store(true, Ordering::Relaxed);
        state.last_id += 1;
        let id = state.last_id;
        state.slots.insert(id, Slot::Waiting(None));
        Ok(id)
    }

    /// Returns the answer to this call, once it is there.
    pub(super) fn poll(
        &self,
        id: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Result<Value, Failure>, CallError>> {
        let mut state = self.state.lock();
        match state.slots.get_mut(&id) {
            Some(Slot::Waiting(waker)) => {
                let old = waker.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
            _ => match state.slots.remove(&id) {
                Some(Slot::Answered(answer)) => Poll::Ready(Ok(answer)),
                _ => Poll::Ready(Err(CallError::Closed)),
            },
        }
    }

    /// Ends the wait for the answer to this call, which the server knows if it `was_sent`. Returns whether
    /// the server must be told to cancel it.
    pub(super) fn leave(&self, id: u64, was_sent: bool) -> bool {
        let mut state = self.state.lock();
        let Some(slot) = state.slots.get_mut(&id) else {
            return false;
        };
        let cancels = was_sent && matches!(slot, Slot::Waiting(_));
        let old = match cancels {
            true => Some(std::mem::replace(slot, Slot::Abandoned)),
            false => state.slots.remove(&id),
        };
        // Without the lock: a waker may be the last handle to a task that owns a client.
        drop(state);
        drop(old);
        cancels
    }

    /// Takes a message that is the answer to a call. Returns any other message.
    #[inline]
    pub(crate) fn take(&self, form: WireForm, message: Message) -> Option<Message> {
        match self.is_used.load(Ordering::Relaxed) {
            true => self.take_answer(form, message),
            false => Some(message),
        }
    }

    fn take_answer(&self, form: WireForm, message: Message) -> Option<Message> {
        if self.state.lock().slots.is_empty() || !message.as_bytes().starts_with(b"{") {
            return Some(message);
        }
        let Ok(value) = message.json::<Value>() else {
            return Some(message);
        };
        let CallMessage::Answer { id, result } = form.read(value) else {
            return Some(message);
        };
        let Some(id) = id.as_u64() else {
            return Some(message);
        };
        let mut state = self.state.lock();
        let waker = match state.slots.get_mut(&id) {
            Some(slot @ Slot::Waiting(_)) => {
                match std::mem::replace(slot, Slot::Answered(result)) {
                    Slot::Waiting(waker) => waker,
                    _ => None,
                }
            }
            Some(Slot::Abandoned) => {
                state.slots.remove(&id);
                None
            }
            // A second answer, or one to a call that was never made.
            Some(_) | None => return Some(message),
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        None
    }

    /// Fails every call that waits: its connection has ended, and the server does not know it on
    /// another one.
    pub(crate) fn lose_all(&self) {
        let mut wakers = Vec::new();
        self.state.lock().slots.retain(|_, slot| {
            if let Slot::Waiting(waker) = slot {
                wakers.extend(waker.take());
                *slot = Slot::Lost;
            }
            !matches!(slot, Slot::Abandoned)
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}
