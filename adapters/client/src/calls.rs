use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossws_app::calls::{CallError, CallMessage, Failure, WireForm};
use crossws_core::{BoxFuture, DecodeError, EncodeError, MaybeSend, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ClientHandle;
use crate::platform::Waiting;
use crate::sync::lock;

/// The most calls that wait for their answers, or for late answers that nothing waits for any more.
const MOST: usize = 1024;

/// A call of a method of the server: await it. See [`ClientHandle::call`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use crossws_app::calls::CallError;
/// use crossws_client::{Call, Client};
///
/// async fn add(client: &Client) -> Result<i64, CallError> {
///     let sum: Call<i64> = client.call("add", (40, 2));
///     sum.timeout(Duration::from_secs(2)).await
/// }
/// ```
///
/// # Errors
/// The server's failure; a connection that is not open, or that ends before the answer; no answer in
/// time; arguments or a result of another type.
///
/// # Cancel safety
/// Dropping the future gives the call up. The server is told to cancel it.
#[must_use = "nothing is called until it is awaited"]
pub struct Call<T> {
    handle: ClientHandle,
    method: String,
    args: Result<Value, EncodeError>,
    timeout: Duration,
    result: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Call<T> {
    pub(crate) fn new(handle: ClientHandle, method: String, args: impl Serialize) -> Self {
        Self {
            handle,
            method,
            args: serde_json::to_value(args).map_err(EncodeError::new),
            timeout: Duration::from_secs(10),
            result: PhantomData,
        }
    }

    /// Sets how long to wait for the answer. Default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<T, CallError> {
        let (handle, form) = (&self.handle, self.handle.form());
        let mut place = handle.shared().calls.begin(handle)?;
        let call = form.call(place.id, &self.method, self.args?);
        handle.send(Message::from_json(&call)?)?;
        place.form = Some(form);
        let mut sleep = handle.platform().sleep(self.timeout);
        let mut waiting = Waiting::new(handle.platform());
        let answer = poll_fn(|cx| {
            waiting.drive(cx);
            if let Poll::Ready(answer) = place.poll(cx) {
                return Poll::Ready(answer);
            }
            let late = sleep.as_mut().poll(cx);
            late.map(|()| Err(CallError::Timeout(self.timeout)))
        })
        .await?;
        serde_json::from_value(answer?).map_err(|error| CallError::Decode(DecodeError::new(error)))
    }
}

impl<T: DeserializeOwned + MaybeSend + 'static> IntoFuture for Call<T> {
    type Output = Result<T, CallError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

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
    /// Reserves a place for the answer to a new call.
    fn begin(&self, handle: &ClientHandle) -> Result<Place, CallError> {
        let mut state = lock(&self.state);
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
        Ok(Place {
            handle: handle.clone(),
            id,
            form: None,
        })
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
        if lock(&self.state).slots.is_empty() || !message.as_bytes().starts_with(b"{") {
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
        let mut state = lock(&self.state);
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
        lock(&self.state).slots.retain(|_, slot| {
            if let Slot::Waiting(waker) = slot {
                wakers.extend(waker.take());
                *slot = Slot::Lost;
            }
            !matches!(slot, Slot::Abandoned)
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Where the answer to one call arrives. Dropping it ends the wait.
struct Place {
    handle: ClientHandle,
    id: u64,
    /// Set once the call was sent.
    form: Option<WireForm>,
}

impl Place {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Result<Value, Failure>, CallError>> {
        let mut state = lock(&self.handle.shared().calls.state);
        match state.slots.get_mut(&self.id) {
            Some(Slot::Waiting(waker)) => {
                let old = waker.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
            _ => match state.slots.remove(&self.id) {
                Some(Slot::Answered(answer)) => Poll::Ready(Ok(answer)),
                _ => Poll::Ready(Err(CallError::Closed)),
            },
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.handle.shared().calls.state);
        let Some(slot) = state.slots.get_mut(&self.id) else {
            return;
        };
        match (&slot, self.form) {
            (Slot::Waiting(_), Some(form)) => {
                let old = std::mem::replace(slot, Slot::Abandoned);
                drop(state);
                drop(old);
                if let Ok(cancel) = Message::from_json(&form.cancel(self.id)) {
                    // If it cannot be sent, the connection's end cancels the call.
                    let _ = self.handle.send(cancel);
                }
            }
            _ => {
                let old = state.slots.remove(&self.id);
                drop(state);
                drop(old);
            }
        }
    }
}
