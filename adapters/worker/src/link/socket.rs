use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossws_core::adapter::sync::Mutex;
use crossws_core::adapter::{Publication, Snapshot};
use crossws_core::{CloseFrame, Closed, ClosedBy, Message, PersistError};
use worker::js_sys::{ArrayBuffer, JsString, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys;
use worker::worker_sys::ext::WebSocketExt;

use crate::durable::attachment::{Attachment, Closing};
use crate::error::report;
use crate::link::watch::millis;

/// One connection's JavaScript socket, shared by its transport and its pump.
pub(crate) struct Socket {
    ws: web_sys::WebSocket,
    /// The frame with which this side has closed, why, and until when the client may reply.
    closing: Mutex<Option<(CloseFrame, ClosedBy, Option<u64>)>>,
    /// The messages that wait until the platform has accepted it: those that its topics retain.
    waiting: Mutex<Option<Vec<Message>>>,
    /// Whether state is stored with it, which the object reads after a sleep.
    stores: bool,
    /// When the connection began, in milliseconds since the epoch.
    began: u64,
    /// When the client last sent anything, as far as that is stored.
    heard: Mutex<Option<u64>>,
    /// When it last sent a message, as far as that is stored.
    spoke: Mutex<Option<u64>>,
    /// How long the client may take to reply to our close, in milliseconds.
    close_timeout: AtomicU64,
}

/// A message as the JavaScript value that every subscriber's socket gets.
enum Prepared {
    Text(JsString),
    Binary(ArrayBuffer),
}

impl Prepared {
    fn new(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(JsString::from(&**text)),
            Message::Binary(bytes) => Self::Binary(Uint8Array::from(&bytes[..]).buffer()),
        }
    }
}

impl Socket {
    pub(crate) fn new(ws: web_sys::WebSocket, began: u64) -> Self {
        Self {
            ws,
            closing: Mutex::new(None),
            waiting: Mutex::new(None),
            stores: true,
            began,
            heard: Mutex::new(None),
            spoke: Mutex::new(None),
            close_timeout: AtomicU64::new(0),
        }
    }

    /// Creates the socket of a peer that exists in memory only.
    pub(crate) fn in_memory(ws: web_sys::WebSocket, began: u64) -> Self {
        Self {
            stores: false,
            ..Self::new(ws, began)
        }
    }

    /// Creates the socket of a restored peer.
    pub(crate) fn restored(ws: web_sys::WebSocket, attachment: &Attachment) -> Self {
        let closing = attachment.closing.as_ref();
        let closing = closing.map(|closing| {
            let by = match closing.by_time {
                true => ClosedBy::Timeout,
                false => ClosedBy::Server,
            };
            (closing.frame(), by, Some(closing.until))
        });
        Self {
            closing: Mutex::new(closing),
            heard: Mutex::new(attachment.heard),
            spoke: Mutex::new(attachment.spoke),
            ..Self::new(ws, attachment.began)
        }
    }

    /// Creates the socket of a peer that the platform has not accepted yet: messages wait until
    /// [`accepted`](Self::accepted).
    pub(crate) fn admitted(ws: web_sys::WebSocket, began: u64) -> Self {
        Self {
            waiting: Mutex::new(Some(Vec::new())),
            ..Self::new(ws, began)
        }
    }

    /// Sends what has waited.
    pub(crate) fn accepted(&self) {
        let waiting = self.waiting.lock().take();
        for message in waiting.into_iter().flatten() {
            // Fails if the client has gone: the platform tells of that, too.
            let _ = self.send(&message);
        }
    }

    pub(crate) fn raw(&self) -> &web_sys::WebSocket {
        &self.ws
    }

    pub(crate) fn send(&self, message: &Message) -> Result<(), JsValue> {
        match message {
            Message::Text(text) => self.ws.send_with_str(text),
            // A copy in JavaScript's own memory, because the runtime sends it later.
            Message::Binary(bytes) => {
                let buffer = Uint8Array::from(&bytes[..]).buffer();
                self.ws.send_with_array_buffer(&buffer)
            }
        }
    }

    /// Sends a value that is created once for all subscribers.
    pub(crate) fn publish(&self, publication: &Publication) -> Result<(), JsValue> {
        if let Some(waiting) = &mut *self.waiting.lock() {
            waiting.push(publication.message().clone());
            return Ok(());
        }
        match publication.prepared(Prepared::new) {
            // The only binding of `send` that passes a value unchanged. The binding for text would
            // create a new value for each subscriber.
            Some(Prepared::Text(text)) => self.ws.send_with_array_buffer(text.unchecked_ref()),
            Some(Prepared::Binary(buffer)) => self.ws.send_with_array_buffer(buffer),
            None => self.send(publication.message()),
        }
    }

    /// Closes with this frame. After `until`, a reply is too late.
    pub(crate) fn close(&self, frame: CloseFrame, by: ClosedBy, until: Option<u64>) {
        *self.closing.lock() = Some((frame.clone(), by, until));
        if let Some(until) = until {
            self.amend("a close", |attachment| {
                let by_time = by == ClosedBy::Timeout;
                attachment.closing = Some(Closing::new(&frame, by_time, until));
            });
        }
        // Fails if the client has just closed: there is nothing left to close.
        let _ = match frame.has_code() {
            true => (self.ws).close_with_code_and_reason(frame.status(), frame.reason()),
            false => self.ws.close(),
        };
    }

    /// Records that a deadline has closed the connection, and not the application.
    pub(crate) fn closed_by_time(&self) {
        if let Some((_, by, _)) = &mut *self.closing.lock() {
            *by = ClosedBy::Timeout;
        }
        self.amend("who closed", |attachment| {
            if let Some(closing) = &mut attachment.closing {
                closing.by_time = true;
            }
        });
    }

    /// Returns until when the client may reply to our close.
    pub(crate) fn closing_until(&self) -> Option<u64> {
        (self.closing.lock().as_ref()).and_then(|(_, _, until)| *until)
    }

    /// Sets how long the client may take to reply to our close.
    pub(crate) fn set_close_timeout(&self, time: Duration) {
        self.close_timeout.store(millis(time), Ordering::Relaxed);
    }

    /// Returns when a reply to a close at `now` would be too late, in milliseconds since the epoch.
    pub(crate) fn close_deadline(&self, now: u64) -> u64 {
        now.saturating_add(self.close_timeout.load(Ordering::Relaxed))
    }

    /// Returns when the connection began, in milliseconds since the epoch.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// Returns when the client last sent anything, as far as that is stored.
    pub(crate) fn last_heard(&self) -> Option<u64> {
        *self.heard.lock()
    }

    /// Drops the connection as far as the platform allows.
    pub(crate) fn terminate(&self) {
        let _ = self.ws.close();
    }

    /// Replies to the client's close, which the platform leaves to the application.
    pub(crate) fn answer(&self, code: u16, reason: &str) {
        // The reply to a code that must not be sent (1005, 1006 and the like) has no code. Fails if
        // this side has closed first, or if the connection is lost: then no reply is needed.
        let _ = match crossws_core::CloseCode::new(code) {
            Some(code) => self.ws.close_with_code_and_reason(code.get(), reason),
            None => self.ws.close(),
        };
    }

    /// Returns how the connection ended, from the platform's report.
    pub(crate) fn closed(&self, code: u16, reason: String, clean: bool) -> Closed {
        if let Some((frame, by, _)) = &*self.closing.lock() {
            return Closed::by_us(frame, *by, clean);
        }
        if code == Closed::ABNORMAL {
            return Closed::lost(ClosedBy::Network);
        }
        let mut closed = Closed::by_client(None);
        closed.code = code;
        closed.reason = reason.into();
        closed.clean = clean;
        closed
    }

    /// Returns when the client last sent a message, as far as that is stored.
    pub(crate) fn last_spoke(&self) -> Option<u64> {
        *self.spoke.lock()
    }

    /// Stores that the client sent a message.
    pub(crate) fn spoke(&self, now: u64) {
        *self.spoke.lock() = Some(now);
        self.amend("a peer's last message", |attachment| {
            attachment.spoke = Some(now);
        });
    }

    /// Stores that the client sent something.
    pub(crate) fn heard(&self, now: u64) {
        *self.heard.lock() = Some(now);
        self.amend("a peer's last sign of life", |attachment| {
            attachment.heard = Some(now);
        });
    }

    pub(crate) fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        // Read first: the locks must not be held while the platform is called.
        let (heard, spoke) = (self.last_heard(), self.last_spoke());
        self.store(&Attachment {
            heard,
            spoke,
            ..Attachment::new(snapshot, self.began)
        })
    }

    /// Changes the stored state, if there is any.
    fn amend(&self, what: &str, change: impl FnOnce(&mut Attachment)) {
        let amend = || {
            let Some(mut attachment) = stored(&self.ws)? else {
                return Ok(());
            };
            change(&mut attachment);
            self.store(&attachment)
        };
        if self.stores
            && let Err::<(), PersistError>(error) = amend()
        {
            report(&format!("{what} was not stored"), error);
        }
    }

    fn store(&self, attachment: &Attachment) -> Result<(), PersistError> {
        let bytes = Uint8Array::from(&attachment.encode()?[..]);
        self.ws.serialize_attachment(bytes.into()).map_err(platform)
    }

    /// Deletes the stored state: the connection is over, and must not be restored.
    pub(crate) fn forget(&self) {
        if let Err(error) = self.ws.serialize_attachment(JsValue::NULL) {
            report("a closed peer is still stored", worker::Error::from(error));
        }
    }
}

/// Returns the state that is stored with a socket, or `None` if the connection is over or belongs
/// to other code.
///
/// # Errors
/// When it cannot be decoded, for example because a later version of this crate has stored it.
pub(crate) fn stored(ws: &web_sys::WebSocket) -> Result<Option<Attachment>, PersistError> {
    let value = ws.deserialize_attachment().map_err(platform)?;
    let Ok(bytes) = value.dyn_into::<Uint8Array>() else {
        return Ok(None);
    };
    Attachment::decode(&bytes.to_vec())
        .map(Some)
        .map_err(|error| PersistError::Platform(error.to_string()))
}

fn platform(error: JsValue) -> PersistError {
    PersistError::Platform(worker::Error::from(error).to_string())
}
