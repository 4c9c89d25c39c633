//! Several calls in one message, answered in one.

use std::sync::Arc;

use crossws_core::adapter::sync::Mutex;
use crossws_core::{HookResult, Message, Peer};
use serde_json::Value;

/// Where answers go: each into a message of its own, or all of a batch into one when the last of
/// its calls is over.
#[derive(Clone)]
pub(super) enum Answers {
    Single,
    Batch(Arc<Batch>),
}

/// The answers of a batch. It is sent when its last reference is dropped.
pub(super) struct Batch {
    peer: Peer,
    answers: Mutex<Vec<Value>>,
}

impl Answers {
    pub(super) fn batch(peer: &Peer) -> Self {
        Self::Batch(Arc::new(Batch {
            peer: peer.clone(),
            answers: Mutex::default(),
        }))
    }

    pub(super) fn give(&self, peer: &Peer, answer: Value) -> HookResult {
        match self {
            Self::Single => {
                peer.send(Message::from_json(&answer)?)?;
            }
            Self::Batch(batch) => batch.answers.lock().push(answer),
        }
        Ok(())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let answers = std::mem::take(&mut *self.answers.lock());
        if !answers.is_empty()
            && let Ok(message) = Message::from_json(&answers)
        {
            // A client that is gone needs no answers.
            let _ = self.peer.send(message);
        }
    }
}
