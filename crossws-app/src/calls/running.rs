//! The client's calls that are being answered.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use crossws_core::BoxFuture;
use crossws_core::adapter::sync::Mutex;
use serde_json::Value;

use crate::calls::error::Failure;

/// The calls of one connection that run, by their ids.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<String, CallState>>);

/// The number of calls without an id so far.
static NAMELESS: AtomicU64 = AtomicU64::new(0);

enum CallState {
    Running(Option<Waker>),
    Cancelled,
}

impl Running {
    /// Registers a call, if fewer than `most` run and none of them has its id. A call without an id
    /// cannot be withdrawn.
    pub(super) fn begin(self: &Arc<Self>, id: Option<&Value>, most: usize) -> Result<Run, Failure> {
        let id = match id {
            // As JSON: the number 1 and the text "1" are two ids.
            Some(id) => id.to_string(),
            // This text is not JSON.
            None => format!("#{}", NAMELESS.fetch_add(1, Ordering::Relaxed)),
        };
        let mut running = self.0.lock();
        if running.len() >= most {
            return Err(Failure::new(Failure::TOO_MANY, "too many calls at a time"));
        }
        if running.contains_key(&id) {
            let text = "a call with this id runs";
            return Err(Failure::new(Failure::INVALID_REQUEST, text));
        }
        running.insert(id.clone(), CallState::Running(None));
        drop(running);
        let running = Arc::clone(self);
        Ok(Run { running, id })
    }

    /// Withdraws a call for the client.
    pub(super) fn cancel(&self, id: &Value) {
        let mut running = self.0.lock();
        let Some(state) = running.get_mut(&id.to_string()) else {
            return;
        };
        let old = std::mem::replace(state, CallState::Cancelled);
        drop(running);
        if let CallState::Running(Some(waker)) = old {
            waker.wake();
        }
    }
}

/// One running call. Dropping it removes the call.
pub(super) struct Run {
    running: Arc<Running>,
    id: String,
}

impl Run {
    /// Runs the call's future. Returns `None` if the client withdrew it.
    pub(super) async fn until_cancelled<T>(&self, mut future: BoxFuture<'static, T>) -> Option<T> {
        poll_fn(|cx| {
            let mut running = self.running.0.lock();
            match running.get_mut(&self.id) {
                Some(CallState::Running(waker)) => {
                    let old = waker.replace(cx.waker().clone());
                    drop(running);
                    drop(old);
                    future.as_mut().poll(cx).map(Some)
                }
                _ => Poll::Ready(None),
            }
        })
        .await
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let state = self.running.0.lock().remove(&self.id);
        drop(state);
    }
}
