use std::sync::atomic::{AtomicBool, Ordering};

use crossws_app::calls::{CallError, CallMessage, PendingCalls, WireForm};
use crossws_core::Message;
use serde_json::Value;

/// The most calls that wait for their answers, or for late answers that nothing waits for any more.
const MOST: usize = 1024;

/// Calls of one client that wait for their answers.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) calls: PendingCalls,
    /// A call was made: until then, no message can be an answer.
    is_used: AtomicBool,
}

impl Pending {
    /// Reserves a place for the answer to a new call. Returns the call's id.
    pub(super) fn begin(&self) -> Result<u64, CallError> {
        // The answer follows what is sent under another lock.
        self.is_used.store(true, Ordering::Relaxed);
        self.calls.begin(MOST)
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
        if self.calls.is_empty() || !message.as_bytes().starts_with(b"{") {
            return Some(message);
        }
        let is_answer = match message.json::<Value>().map(|value| form.read(value)) {
            Ok(CallMessage::Answer { id, result }) => self.calls.answered(&id, result),
            _ => false,
        };
        (!is_answer).then_some(message)
    }
}
