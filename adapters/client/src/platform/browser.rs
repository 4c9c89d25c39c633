use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{BoxFuture, CloseCode, CloseFrame, Closed, ClosedBy, Message};
use http::HeaderMap;
use js_sys::{Array, ArrayBuffer, Function, Promise, Reflect, Uint8Array, global};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::convert::FromWasmAbi;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::connect::dial::{Dial, Place};
use crate::error::ConnectError;
use crate::platform::{Opened, Platform, Socket};
use crate::shared::Shared;

/// The most bytes of messages that wait for the app. A browser reads whether or not the app does.
const MOST_WAITING: usize = 64 << 20;

/// A browser, or another host with its `WebSocket` and `setTimeout`.
pub(crate) struct Browser;

impl Platform for Browser {
    fn open(&self, dial: Dial) -> BoxFuture<'static, Result<Opened, ConnectError>> {
        Box::pin(open(dial))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(sleep(time))
    }

    fn now(&self) -> Duration {
        Duration::from_secs_f64(js_sys::Date::now().max(0.0) / 1000.0)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        spawn_local(task);
    }
}

/// Waits by the host's `setTimeout`, which both windows and workers have.
async fn sleep(time: Duration) {
    // The longest time that `setTimeout` knows, about 25 days.
    let millis = time.as_millis().min(i32::MAX as u128) as i32;
    let promise = Promise::new(&mut |resolve: Function, _| {
        let set_timeout = Reflect::get(&global(), &JsValue::from_str("setTimeout"));
        let set_timeout = set_timeout
            .ok()
            .and_then(|set| set.dyn_into::<Function>().ok());
        if let Some(set_timeout) = set_timeout {
            let _ = set_timeout.call2(&JsValue::UNDEFINED, &resolve, &JsValue::from(millis));
        }
    });
    let _ = JsFuture::from(promise).await;
}

async fn open(dial: Dial) -> Result<Opened, ConnectError> {
    if !dial.headers.is_empty() {
        return Err(ConnectError::Unsupported(
            "headers: put the token into the query or a subprotocol",
        ));
    }
    if dial.settings.allow.is_some() {
        return Err(ConnectError::Unsupported("checks of addresses"));
    }
    if matches!(dial.target.place, Place::Unix(_)) {
        return Err(ConnectError::Unsupported("Unix-domain sockets"));
    }
    let protocols: Array = dial
        .protocols
        .iter()
        .map(|one| JsValue::from_str(one))
        .collect();
    let url = dial.target.url();
    let socket = WebSocket::new_with_str_sequence(&url, &protocols)
        .map_err(|_| ConnectError::Url("the browser refuses it"))?;
    let mut socket = BrowserSocket::new(socket, dial.settings.limits.close_timeout);
    if !std::future::poll_fn(|cx| socket.poll_open(cx)).await {
        return Err(ConnectError::Failed);
    }
    let protocol = socket.socket.protocol();
    Ok(Opened {
        socket: Box::new(socket),
        protocol: Some(protocol).filter(|protocol| !protocol.is_empty()),
        headers: HeaderMap::new(),
    })
}

#[derive(Default)]
struct BrowserState {
    open: bool,
    messages: VecDeque<Message>,
    waiting: usize,
    /// The end: whether it was in order, and the server's frame.
    end: Option<(bool, Option<CloseFrame>)>,
    waker: Option<Waker>,
}

/// Returns a function for an event, which changes the state and wakes the client.
fn listener<E: FromWasmAbi + 'static>(
    state: &Rc<RefCell<BrowserState>>,
    mut on: impl FnMut(&mut BrowserState, E) + 'static,
) -> Closure<dyn FnMut(E)> {
    let state = Rc::clone(state);
    Closure::new(move |event: E| {
        let mut state = state.borrow_mut();
        on(&mut state, event);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    })
}

struct BrowserSocket {
    socket: WebSocket,
    state: Rc<RefCell<BrowserState>>,
    /// The close frame that a handle asked for, and the time until which the server may answer.
    closing: Option<(CloseFrame, Duration)>,
    close_timeout: Duration,
    /// Kept as long as the socket calls them.
    _listeners: (
        Closure<dyn FnMut(JsValue)>,
        Closure<dyn FnMut(MessageEvent)>,
        Closure<dyn FnMut(CloseEvent)>,
    ),
}

impl BrowserSocket {
    fn new(socket: WebSocket, close_timeout: Duration) -> Self {
        socket.set_binary_type(BinaryType::Arraybuffer);
        let state = Rc::<RefCell<BrowserState>>::default();
        let opened = listener(&state, |state, _: JsValue| state.open = true);
        let own = socket.clone();
        let message = listener(&state, move |state, event: MessageEvent| {
            let Some(message) = read(&event.data()) else {
                return;
            };
            state.waiting += message.as_bytes().len();
            if state.waiting > MOST_WAITING {
                let _ = own.close_with_code_and_reason(3008, "not read");
                return;
            }
            state.messages.push_back(message);
        });
        let closed = listener(&state, |state, event: CloseEvent| {
            // 1005 is not a code, but the absence of one.
            let code = CloseCode::new(event.code());
            let frame = code.map(|code| CloseFrame::new(code, event.reason()));
            state.end = Some((event.was_clean(), frame));
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Self {
            socket,
            state,
            closing: None,
            close_timeout,
            _listeners: (opened, message, closed),
        }
    }

    /// Ready when the connection is open, or failed.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state.borrow_mut();
        if state.open || state.end.is_some() {
            return Poll::Ready(state.open);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn close(&self, frame: &CloseFrame) {
        let _ = match frame.has_code() {
            false => self.socket.close(),
            true => {
                // The codes that a browser permits.
                let code = match frame.code().get() {
                    code @ (1000 | 3000..=4999) => code,
                    _ => 1000,
                };
                self.socket.close_with_code_and_reason(code, frame.reason())
            }
        };
    }
}

fn read(data: &JsValue) -> Option<Message> {
    if let Some(text) = data.as_string() {
        return Some(Message::from(text));
    }
    let buffer = data.dyn_ref::<ArrayBuffer>()?;
    let bytes = Uint8Array::new(buffer).to_vec();
    Some(Message::from(Bytes::from(bytes)))
}

/// The browser reads frames and answers them.
impl Socket for BrowserSocket {
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        _: &Shared,
        ready: bool,
        _: Duration,
    ) -> Poll<Message> {
        let mut state = self.state.borrow_mut();
        if self.closing.is_some() {
            // No code reads on.
            state.messages.clear();
        }
        state.waker = Some(cx.waker().clone());
        if ready && let Some(message) = state.messages.pop_front() {
            state.waiting -= message.as_bytes().len();
            return Poll::Ready(message);
        }
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, shared: &Shared, now: Duration) -> Poll<()> {
        if self.closing.is_none() {
            // A connection that is over says so by its end.
            while let Some(message) = { shared.lock().pop() } {
                let _ = match message {
                    Message::Text(text) => self.socket.send_with_str(&text),
                    Message::Binary(bytes) => self.socket.send_with_u8_array(&bytes),
                };
            }
            let asked = shared.lock().closing.clone();
            if let Some(frame) = asked {
                self.close(&frame);
                self.closing = Some((frame, now.saturating_add(self.close_timeout)));
            }
        }
        Poll::Ready(())
    }

    fn closed(&self) -> Option<Closed> {
        let state = self.state.borrow();
        let (clean, frame) = state.end.as_ref()?;
        if self.closing.is_none() && !state.messages.is_empty() {
            return None;
        }
        Some(match &self.closing {
            Some((ours, _)) => Closed::by_us(ours, ClosedBy::Client, *clean),
            None if *clean => {
                let mut closed = Closed::by_client(frame.as_ref());
                closed.by = ClosedBy::Server;
                closed
            }
            None => Closed::lost(ClosedBy::Network),
        })
    }

    fn poll_timeout(&mut self, _: Duration) -> Option<Duration> {
        self.closing.as_ref().map(|(_, until)| *until)
    }

    fn handle_timeout(&mut self, _: Duration) {
        // The server has not answered.
        self.state.borrow_mut().end.get_or_insert((false, None));
    }
}

impl Drop for BrowserSocket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}
