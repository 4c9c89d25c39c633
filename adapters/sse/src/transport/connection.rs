use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::Background;
use crossws_core::{CloseFrame, Closed, ClosedBy, Message, Settings};
use crossws_proto::outbox::{Batch, Clock, Outbox};
use event_listener::Event as Notify;

use crate::transport::frame::{EventFrame, put_numbered};
use crate::transport::key::Key;
use crate::transport::retained::Retained;

/// The adapter's time, for the outbox.
pub(crate) struct Time(pub(crate) Arc<dyn Background>);

impl Clock for Time {
    fn now(&self) -> Duration {
        self.0.now()
    }
}

/// Requests that may wait for room for their message, beyond those whose message is queued.
const MOST_WAITING: usize = 16;

/// One connection: what its stream, its posts, its driver and its peer share.
pub(crate) struct Connection {
    pub(crate) outbox: Outbox<EventFrame, Time>,
    /// The up-link's secret.
    pub(crate) secret: Key<32>,
    /// The right to take the stream up again, in the ids of events.
    pub(crate) resume: Key<16>,
    resume_text: String,
    pub(crate) path: String,
    pub(crate) settings: Arc<Settings>,
    state: Mutex<State>,
    /// There is room for a message, or the connection has ended.
    pub(crate) changed: Notify,
}

struct State {
    inbound: VecDeque<Message>,
    inbound_bytes: usize,
    waiting: usize,
    driver: Option<Waker>,
    stream: Option<Waker>,
    /// The stream that writes: the latest.
    attached: Option<u64>,
    streams: u64,
    detached_since: Option<Duration>,
    retained: Retained,
    /// The close frame that was written.
    closed: Option<CloseFrame>,
    closed_by_client: bool,
    terminated: bool,
    over: bool,
}

/// What a stream does next.
pub(crate) enum Write {
    Events(Bytes),
    /// The last events.
    Last(Bytes),
    /// Nothing more: another stream writes, or the connection is over.
    Over,
    /// The stream is cut.
    Cut,
}

/// Why a message from the client was not taken.
pub(crate) enum NotTaken {
    Over,
    Busy,
}

impl Connection {
    pub(crate) fn new(
        (secret, resume): (Key<32>, Key<16>),
        path: String,
        settings: Arc<Settings>,
        background: &Arc<dyn Background>,
        retained: usize,
    ) -> Self {
        Self {
            outbox: Outbox::new(&settings.limits, Time(Arc::clone(background))),
            secret,
            resume,
            resume_text: resume.to_string(),
            path,
            settings,
            state: Mutex::new(State {
                inbound: VecDeque::new(),
                inbound_bytes: 0,
                waiting: 0,
                driver: None,
                stream: None,
                attached: None,
                streams: 0,
                detached_since: Some(background.now()),
                retained: Retained::new(retained),
                closed: None,
                closed_by_client: false,
                terminated: false,
                over: false,
            }),
            changed: Notify::new(),
        }
    }

    /// Returns the id of the events before the first.
    pub(crate) fn first_id(&self) -> String {
        format!("{}.0", self.resume_text)
    }

    /// Makes a new stream the one that writes. Returns its number, and what it must write first:
    /// the events after `last`. `None` if not all of them are there, or the connection is ending.
    pub(crate) fn attach(&self, last: u64) -> Option<(u64, Vec<Bytes>)> {
        let mut state = self.lock();
        if state.over || state.closed.is_some() || state.closed_by_client || state.terminated {
            return None;
        }
        let events = state.retained.after(last)?;
        state.streams += 1;
        state.attached = Some(state.streams);
        state.detached_since = None;
        let stream = state.streams;
        let wakers = [state.stream.take(), state.driver.take()];
        drop(state);
        wake(wakers);
        Some((stream, events))
    }

    /// Notes that a stream is gone.
    pub(crate) fn detach(&self, stream: u64, now: Duration) {
        let mut state = self.lock();
        if state.attached != Some(stream) {
            return;
        }
        state.attached = None;
        state.detached_since = Some(now);
        let wakers = [state.driver.take()];
        drop(state);
        // From here on, the limits judge what waits.
        self.outbox.must_wait();
        wake(wakers);
    }

    /// Takes what a stream must write next.
    pub(crate) fn poll_write(&self, stream: u64, cx: &mut Context<'_>) -> Poll<Write> {
        let mut state = self.lock();
        if state.attached != Some(stream) {
            return Poll::Ready(Write::Over);
        }
        if state.terminated {
            return Poll::Ready(Write::Cut);
        }
        if state.over {
            return Poll::Ready(Write::Over);
        }
        state.stream = Some(cx.waker().clone());
        self.outbox.stay_awake();
        let mut batch = Batch::default();
        // The server asks for more: it has written what it got before.
        self.outbox.written(&batch);
        let taken = self.outbox.take(&mut batch);
        let events = bytes_of(&mut batch);
        let mut numbered = BytesMut::with_capacity(events.len() + 64);
        let first = state.retained.next();
        let count = put_numbered(&mut numbered, &events, &self.resume_text, first);
        let numbered = numbered.freeze();
        if count > 0 {
            state.retained.push(count, numbered.clone());
        }
        state.closed = taken.close;
        state.terminated |= taken.terminated;
        let (is_last, is_cut) = (state.closed.is_some(), state.terminated);
        let wakers = [state.driver.take()];
        drop(state);
        if count > 0 {
            // Until the server asks again.
            self.outbox.must_wait();
        }
        wake(wakers);
        match count {
            _ if is_cut => Poll::Ready(Write::Cut),
            _ if is_last => Poll::Ready(Write::Last(numbered)),
            0 => Poll::Pending,
            _ => Poll::Ready(Write::Events(numbered)),
        }
    }

    /// Wakes the stream, which has something to write, and the driver, which looks at the queue.
    pub(crate) fn wake_stream(&self) {
        let mut state = self.lock();
        let wakers = [state.stream.take(), state.driver.take()];
        drop(state);
        wake(wakers);
    }

    /// Cuts the connection.
    pub(crate) fn terminate(&self) {
        self.outbox.terminate();
        self.lock().terminated = true;
        self.wake_stream();
    }

    /// Queues a message from the client, in order, when there is room for it.
    pub(crate) async fn receive(&self, message: Message) -> Result<(), NotTaken> {
        let mut place = None;
        loop {
            let listener = self.changed.listen();
            {
                let mut state = self.lock();
                if state.over || state.closed_by_client {
                    return Err(NotTaken::Over);
                }
                let limits = &self.settings.limits;
                let bytes = limits.max_message_size.get().saturating_mul(2);
                let has_room = state.inbound.is_empty()
                    || (limits.max_inbound.allows(state.inbound.len() + 1)
                        && state.inbound_bytes.saturating_add(message.len()) <= bytes);
                if has_room {
                    state.inbound_bytes += message.len();
                    state.inbound.push_back(message);
                    let wakers = [state.driver.take()];
                    drop(state);
                    wake(wakers);
                    return Ok(());
                }
                if place.is_none() {
                    if state.waiting >= MOST_WAITING {
                        return Err(NotTaken::Busy);
                    }
                    state.waiting += 1;
                }
            }
            place.get_or_insert(Place(self));
            listener.await;
        }
    }

    /// Returns the next message from the client, unless its reply would have no room.
    pub(crate) fn next_message(&self) -> Option<Message> {
        let mut state = self.lock();
        let next = state.inbound.front()?;
        if self.outbox.is_congested(next.len()) {
            return None;
        }
        let message = state.inbound.pop_front()?;
        state.inbound_bytes -= message.len();
        drop(state);
        self.changed.notify(usize::MAX);
        Some(message)
    }

    /// Notes that the client has closed.
    pub(crate) fn close_by_client(&self) -> bool {
        let mut state = self.lock();
        let first = !state.over && !std::mem::replace(&mut state.closed_by_client, true);
        drop(state);
        self.changed.notify(usize::MAX);
        self.wake_stream();
        first
    }

    /// Returns how the connection has ended, if it has. `closing` says that this side closes.
    pub(crate) fn ended(&self, closing: bool, now: Duration, grace: Duration) -> Option<Closed> {
        let state = self.lock();
        if let Some(frame) = &state.closed {
            return Some(Closed::by_us(frame, ClosedBy::Server, true));
        }
        if state.closed_by_client {
            let frame = CloseFrame::from(crossws_core::CloseCode::NORMAL);
            return Some(Closed::by_client(Some(&frame)));
        }
        if state.terminated {
            return Some(Closed::lost(ClosedBy::Server));
        }
        let since = state.detached_since?;
        drop(state);
        if closing && let Some(frame) = self.outbox.unsent_close() {
            // No stream to write it into.
            return Some(Closed::by_us(&frame, ClosedBy::Server, false));
        }
        (now >= since.saturating_add(grace)).then(|| Closed::lost(ClosedBy::Network))
    }

    /// Returns when [`ended`](Self::ended) must be asked again.
    pub(crate) fn next_due(&self, grace: Duration) -> Option<Duration> {
        let since = self.lock().detached_since?;
        Some(since.saturating_add(grace))
    }

    /// Ends the connection: nothing goes in or out any more.
    pub(crate) fn end(&self) {
        self.outbox.end();
        let mut state = self.lock();
        state.over = true;
        state.inbound.clear();
        state.inbound_bytes = 0;
        let wakers = [state.stream.take()];
        drop(state);
        wake(wakers);
        self.changed.notify(usize::MAX);
    }

    /// Sets the driver's task, which is woken by whatever concerns it.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let old = self.lock().driver.replace(cx.waker().clone());
        drop(old);
    }

    // No user code runs under the lock, so that a panic cannot leave it incomplete.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for room.
struct Place<'a>(&'a Connection);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

fn wake(wakers: impl IntoIterator<Item = Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// Empties a batch.
fn bytes_of(batch: &mut Batch<EventFrame>) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(batch.bytes());
    while !batch.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let count = batch.slices(&mut slices);
        let before = bytes.len();
        for slice in slices.iter().take(count) {
            bytes.extend_from_slice(slice);
        }
        let read = bytes.len() - before;
        if read == 0 {
            break;
        }
        batch.advance(read);
    }
    bytes
}
