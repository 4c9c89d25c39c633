//! The state that a client's handles share with its driver.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use crossws_core::adapter::sync::{Mutex, MutexGuard};
use crossws_core::{CloseCode, CloseFrame, Limits, Message, SendError, Sent};
use event_listener::{Event, EventListener};
use http::HeaderMap;

use crate::calls::pending::Pending;
use crate::connect::options::{WhenClosed, WhileConnecting};
use crate::reconnect::Disconnected;
use crate::status::Status;

pub(crate) struct Shared {
    state: Mutex<State>,
    /// How many messages are in the queue, for a look without the lock.
    waiting: AtomicUsize,
    /// Notified after each change of the state that tasks wait for.
    changed: Event,
    pub(crate) pending: Pending,
    limits: Limits,
    /// [`FEW`], and at most half of the messages that may wait.
    few: usize,
    while_connecting: WhileConnecting,
    when_closed: WhenClosed,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) status: Status,
    /// Whether a connection has ever been open.
    pub(crate) was_open: bool,
    /// How often the status has changed.
    pub(crate) changes: u64,
    /// Messages that no socket has taken yet.
    pub(crate) out: VecDeque<Message>,
    /// The bytes of their frames.
    pub(crate) out_bytes: usize,
    /// Bytes that a socket has taken and not yet written.
    pub(crate) writing: usize,
    pub(crate) inbox: VecDeque<Message>,
    /// The close frame that a handle asked for. Nothing is sent after it.
    pub(crate) closing: Option<CloseFrame>,
    pub(crate) end: Option<Arc<Disconnected>>,
    pub(crate) protocol: Option<String>,
    pub(crate) headers: HeaderMap,
    /// Topics to subscribe to on each connection.
    pub(crate) topics: BTreeSet<String>,
    driver: Option<Waker>,
    /// Whether the driver waits to be woken.
    parked: bool,
    /// Whether the driver waits for room in the inbox.
    stalled: bool,
    /// Whether the reader has made room since the driver last looked, perhaps before it parked.
    pub(crate) has_new_room: bool,
    reader: Option<Waker>,
}

/// How many messages a connection may leave in the queue while it decodes others. With more, the allocator
/// would need new memory for each, which costs more than to take them.
const FEW: usize = 6;

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        while_connecting: WhileConnecting,
        when_closed: WhenClosed,
    ) -> Self {
        Self {
            state: Mutex::default(),
            waiting: AtomicUsize::new(0),
            changed: Event::new(),
            pending: Pending::default(),
            few: FEW.min(limits.max_queued.get() / 2),
            limits,
            while_connecting,
            when_closed,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Notifies the tasks that wait for a change.
    fn notify(&self) {
        if self.changed.total_listeners() > 0 {
            self.changed.notify(usize::MAX);
        }
    }

    // ---- handles

    pub(crate) fn send(&self, message: Message) -> Result<Sent, SendError> {
        let mut state = self.lock();
        if state.closing.is_some() || state.end.is_some() {
            return match self.when_closed {
                WhenClosed::Fail => Err(SendError::Closed(message)),
                WhenClosed::Drop => Ok(Sent::Dropped),
            };
        }
        if state.status == Status::Connecting {
            match self.while_connecting {
                WhileConnecting::Queue => {}
                WhileConnecting::Fail => return Err(SendError::Closed(message)),
                WhileConnecting::Drop => return Ok(Sent::Dropped),
            }
        }
        let waiting = state.buffered();
        let len = frame_len(&message);
        let bytes = waiting + len;
        // Alone it counts without its header: by default a server takes a message of `max_buffered` bytes.
        let counted = match waiting {
            0 => message.len(),
            _ => bytes,
        };
        let fits = self.limits.max_buffered.allows(counted)
            && self.limits.max_queued.allows(state.out.len() + 1);
        if !fits {
            return Err(SendError::Full(message));
        }
        state.out_bytes += len;
        state.out.push_back(message);
        self.note_waiting(&state);
        wake(state);
        Ok(Sent::Queued { bytes })
    }

    /// Asks for a close, the first time.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let mut state = self.lock();
        if state.closing.is_none() && state.end.is_none() {
            state.closing = Some(frame);
            wake(state);
        }
    }

    /// Asks for a close by a client that was dropped, whose messages no code reads.
    pub(crate) fn abandon(&self) {
        self.lock().inbox.clear();
        self.close(CloseFrame::from(CloseCode::AWAY));
        let mut state = self.lock();
        if state.stalled {
            state.stalled = false;
            state.has_new_room = true;
            wake(state);
        }
    }

    pub(crate) fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.lock();
        match state.inbox.pop_front() {
            Some(message) => {
                if state.stalled {
                    state.stalled = false;
                    state.has_new_room = true;
                    wake(state);
                }
                Poll::Ready(Some(message))
            }
            None if state.end.is_some() => Poll::Ready(None),
            None => {
                let old = put_waker(&mut state.reader, cx);
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    /// Queues a subscription's message for the present connection, if there is one: the driver sends
    /// those of later ones.
    pub(crate) fn set_topic(
        &self,
        topic: &str,
        subscribed: bool,
        message: Message,
    ) -> Result<(), SendError> {
        {
            let mut state = self.lock();
            if state.closing.is_some() || state.end.is_some() {
                return Err(SendError::Closed(message));
            }
            let changed = match subscribed {
                true => state.topics.insert(topic.to_owned()),
                false => state.topics.remove(topic),
            };
            if !changed || state.status != Status::Open {
                return Ok(());
            }
        }
        self.send(message).map(drop)
    }

    // ---- the driver

    /// Changes the status, under the lock, after `change`.
    pub(crate) fn set_status(&self, status: Status, change: impl FnOnce(&mut State)) {
        let reader = {
            let mut state = self.lock();
            change(&mut state);
            if state.status != status {
                state.status = status;
                state.changes += 1;
            }
            state.was_open |= status == Status::Open;
            if status == Status::Closed {
                state.out.clear();
                state.out_bytes = 0;
            }
            state.writing = 0;
            self.note_waiting(&state);
            state.reader.take()
        };
        self.notify();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Gives a message to the client's reader.
    pub(crate) fn deliver(&self, message: Message) {
        let reader = {
            let mut state = self.lock();
            state.inbox.push_back(message);
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Returns whether the inbox has room. If not, the driver is woken when it has.
    pub(crate) fn has_room(&self) -> bool {
        let mut state = self.lock();
        let has_room = self.limits.max_inbound.allows(state.inbox.len() + 1);
        state.stalled = !has_room;
        state.has_new_room = false;
        has_room
    }

    /// Returns whether few messages wait, so that a connection need not take them yet.
    pub(crate) fn has_few(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < self.few
    }

    /// Notes how many messages wait, after the queue has changed.
    pub(crate) fn note_waiting(&self, state: &State) {
        self.waiting.store(state.out.len(), Ordering::Relaxed);
    }

    /// Marks the driver as running: a change does not wake it until it parks.
    pub(crate) fn unpark(&self) {
        self.lock().parked = false;
    }

    /// Makes the next change wake the driver, unless `busy` finds work in the state.
    pub(crate) fn park(&self, cx: &Context<'_>, busy: impl FnOnce(&State) -> bool) -> bool {
        let mut state = self.lock();
        if busy(&state) {
            return false;
        }
        state.parked = true;
        let old = put_waker(&mut state.driver, cx);
        drop(state);
        drop(old);
        true
    }

    /// Reports how many bytes a socket has taken and not written.
    pub(crate) fn set_writing(&self, bytes: usize) {
        let before = std::mem::replace(&mut self.lock().writing, bytes);
        if before != bytes {
            self.notify();
        }
    }
}

impl State {
    pub(crate) fn buffered(&self) -> usize {
        self.out_bytes + self.writing
    }

    /// Takes the next message.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let message = self.out.pop_front()?;
        self.out_bytes -= frame_len(&message);
        Some(message)
    }

    /// Puts the subscriptions of a new connection before the waiting messages.
    pub(crate) fn begin_connection(&mut self, subscriptions: Vec<Message>) {
        for message in subscriptions.into_iter().rev() {
            self.out_bytes += frame_len(&message);
            self.out.push_front(message);
        }
    }
}

/// Returns the length of a message's frame, masked and not compressed.
#[inline]
fn frame_len(message: &Message) -> usize {
    let header = match message.len() {
        0..=125 => 6,
        126..=0xffff => 8,
        _ => 14,
    };
    message.len() + header
}

/// Wakes the driver if it waits.
#[inline(always)]
fn wake(mut state: MutexGuard<'_, State>) {
    if !std::mem::take(&mut state.parked) {
        return;
    }
    let driver = state.driver.clone();
    drop(state);
    if let Some(driver) = driver {
        driver.wake();
    }
}

/// Stores the context's waker. Returns the previous one, which must be dropped after the lock is
/// released: it may be the last handle to a task that owns a client.
fn put_waker(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        place => place.replace(cx.waker().clone()),
    }
}

/// Waits for a change of the state.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    listener: Option<EventListener>,
}

impl Watch {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            listener: None,
        }
    }

    /// Ready once `look` finds a value.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl Fn(&State) -> Option<T>,
    ) -> Poll<T> {
        loop {
            if let Some(listener) = &mut self.listener {
                if Pin::new(listener).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.listener = None;
            }
            if let Some(value) = look(&self.shared.lock()) {
                return Poll::Ready(value);
            }
            self.listener = Some(self.shared.changed.listen());
            // A change between the look and the listener would be missed.
            if let Some(value) = look(&self.shared.lock()) {
                self.listener = None;
                return Poll::Ready(value);
            }
        }
    }
}
