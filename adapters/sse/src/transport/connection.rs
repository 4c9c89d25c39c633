use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Background, PeerEvents};
use crossws_core::{CloseFrame, Closed, ClosedBy, Message, Settings};
use crossws_proto::frame::Violation;
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

/// Requests of one connection whose message may be on its way, or wait for room, at once. Each may hold
/// a message of the largest size.
const MOST_POSTS: usize = 16;

/// The most bytes that wait for the server besides the queue, as in a socket's buffer: a burst that is
/// sent before the server can run does not make its reader slow.
const MOST_HANDED: usize = 256 << 10;

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
    posts: usize,
    driver: Option<Waker>,
    /// When the driver wakes by itself.
    driver_due: Option<Duration>,
    /// The queue has run empty after it had piled up.
    drain_due: bool,
    stream: Option<Waker>,
    /// The stream that writes: the latest.
    attached: Option<u64>,
    streams: u64,
    detached_since: Option<Duration>,
    /// Numbered events, for the server to take.
    handed: VecDeque<Bytes>,
    handed_bytes: usize,
    retained: Retained,
    events: Option<PeerEvents>,
    /// The close frame that was written.
    closed: Option<CloseFrame>,
    /// The close that the client has asked for.
    client_close: Option<CloseFrame>,
    /// What the client did wrong, until its hooks are told.
    violation: Option<Violation>,
    /// Since when the server has not asked for more.
    stalled_since: Option<Duration>,
    terminated: bool,
    /// The close frame that could not be written in time.
    unwritten: Option<CloseFrame>,
    over: bool,
}

impl State {
    /// Returns whether nothing more comes from the client.
    fn is_ending(&self) -> bool {
        self.over || self.closed.is_some() || self.client_close.is_some() || self.terminated
    }
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
                posts: 0,
                driver: None,
                driver_due: None,
                drain_due: false,
                stream: None,
                attached: None,
                streams: 0,
                detached_since: Some(background.now()),
                handed: VecDeque::new(),
                handed_bytes: 0,
                retained: Retained::new(retained),
                events: None,
                closed: None,
                client_close: None,
                violation: None,
                stalled_since: None,
                terminated: false,
                unwritten: None,
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
        if state.is_ending() {
            return None;
        }
        let events = state.retained.after(last)?;
        state.streams += 1;
        state.attached = Some(state.streams);
        // They are among the retained ones.
        state.handed.clear();
        state.handed_bytes = 0;
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
        state.stalled_since = None;
        state.detached_since = Some(now);
        let wakers = [state.driver.take()];
        drop(state);
        // From here on, the limits judge what waits.
        self.outbox.must_wait();
        wake(wakers);
    }

    /// Takes what a stream must write next.
    pub(crate) fn poll_write(
        &self,
        stream: u64,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Write> {
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
        match &mut state.stream {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        self.outbox.stay_awake();
        // The server asks for more: it has written what it got before.
        self.outbox.written(&Batch::default());
        if state.handed.is_empty() {
            self.hand_over(&mut state);
        }
        let next = state.handed.pop_front();
        state.handed_bytes -= next.as_ref().map_or(0, Bytes::len);
        state.stalled_since = next.is_some().then_some(now);
        let is_last = state.closed.is_some() && state.handed.is_empty();
        let is_cut = state.terminated;
        state.drain_due |= self.outbox.take_drained();
        let must_look = is_last
            || is_cut
            || state.drain_due
            || !state.inbound.is_empty()
            || self.outbox.has_lost()
            // The time runs until the server asks again, which it usually does at once.
            || (next.is_some() && self.too_late(now) < state.driver_due.unwrap_or(Duration::MAX));
        let wakers = [must_look.then(|| state.driver.take()).flatten()];
        let events = state.events.clone();
        drop(state);
        if next.is_some() {
            // Until the server asks again.
            self.outbox.must_wait();
        }
        if let Some(events) = events {
            events.drained();
        }
        wake(wakers);
        match next {
            _ if is_cut => Poll::Ready(Write::Cut),
            next if is_last => Poll::Ready(Write::Last(next.unwrap_or_default())),
            Some(next) => Poll::Ready(Write::Events(next)),
            None => Poll::Pending,
        }
    }

    /// Moves what is queued to what the server takes.
    fn hand_over(&self, state: &mut State) {
        let mut batch = Batch::default();
        let taken = self.outbox.take(&mut batch);
        let events = bytes_of(&mut batch);
        let mut numbered = BytesMut::with_capacity(events.len() + 64);
        let first = state.retained.next();
        let count = put_numbered(&mut numbered, &events, &self.resume_text, first);
        if count > 0 {
            let numbered = numbered.freeze();
            state.handed_bytes += numbered.len();
            state.handed.push_back(numbered.clone());
            state.retained.push(count, numbered);
        }
        if taken.close.is_some() {
            state.closed = taken.close;
        }
        state.terminated |= taken.terminated;
    }

    /// Writes the queue in the server's place, as far as there is room. Returns whether it did.
    pub(crate) fn flush(&self) -> bool {
        let mut state = self.lock();
        if state.attached.is_none() || state.handed_bytes >= MOST_HANDED {
            drop(state);
            self.outbox.must_wait();
            return false;
        }
        self.hand_over(&mut state);
        self.outbox.written(&Batch::default());
        let waker = state.stream.take();
        drop(state);
        wake([waker]);
        true
    }

    /// Returns when what the server takes now is too old.
    fn too_late(&self, now: Duration) -> Duration {
        let limit = self.settings.limits.max_queue_age;
        limit.map_or(Duration::MAX, |limit| now.saturating_add(limit))
    }

    /// Wakes the stream, which has something to write; if it has not asked for more, the driver, which
    /// looks at the queue.
    pub(crate) fn wake_stream(&self) {
        let mut state = self.lock();
        let waker = state.stream.take().or_else(|| state.driver.take());
        drop(state);
        wake([waker]);
    }

    /// Wakes the driver, whose deadlines have changed.
    pub(crate) fn wake_driver(&self) {
        let waker = self.lock().driver.take();
        wake([waker]);
    }

    /// Wakes both.
    pub(crate) fn wake(&self) {
        let mut state = self.lock();
        let wakers = [state.stream.take(), state.driver.take()];
        drop(state);
        wake(wakers);
    }

    /// Returns whether the queue has run empty after it had piled up, once.
    pub(crate) fn take_drained(&self) -> bool {
        self.outbox.take_drained() | std::mem::take(&mut self.lock().drain_due)
    }

    /// Cuts the connection of a client that does not even take the close.
    pub(crate) fn close_too_late(&self) {
        let unwritten = self.outbox.unsent_close();
        self.lock().unwritten = unwritten;
        self.terminate();
    }

    /// Cuts the connection.
    pub(crate) fn terminate(&self) {
        self.outbox.terminate();
        self.lock().terminated = true;
        self.wake();
    }

    /// Begins a request with a message, before its body is read. `None` if there are too many.
    pub(crate) fn begin_post(&self) -> Option<Post<'_>> {
        let mut state = self.lock();
        if state.posts >= MOST_POSTS {
            return None;
        }
        state.posts += 1;
        Some(Post(self))
    }

    /// Returns the next message from the client, unless its reply would have no room. A connection that
    /// has ended has no replies.
    pub(crate) fn next_message(&self, has_ended: bool) -> Option<Message> {
        let mut state = self.lock();
        let next = state.inbound.front()?;
        if !has_ended && self.outbox.is_congested(next.len()) {
            return None;
        }
        let message = state.inbound.pop_front()?;
        state.inbound_bytes -= message.len();
        drop(state);
        self.changed.notify(usize::MAX);
        Some(message)
    }

    /// Notes that the client closes. Returns `false` if the connection is over.
    pub(crate) fn close_by_client(&self, frame: CloseFrame) -> bool {
        let mut state = self.lock();
        if state.over || state.client_close.is_some() {
            return false;
        }
        // The first close counts.
        if state.closed.is_none() && self.outbox.unsent_close().is_none() {
            state.client_close = Some(frame.clone());
            // The reply, after what was queued.
            self.outbox.close_with(Some(frame));
        }
        drop(state);
        self.changed.notify(usize::MAX);
        self.wake();
        true
    }

    /// Returns whether the client has closed.
    pub(crate) fn is_closed_by_client(&self) -> bool {
        self.lock().client_close.is_some()
    }

    /// Notes that the client has broken a rule. The first one counts.
    pub(crate) fn violated(&self, violation: Violation) {
        let mut state = self.lock();
        state.violation.get_or_insert(violation);
        let wakers = [state.driver.take()];
        drop(state);
        wake(wakers);
    }

    /// Returns what the client did wrong, once.
    pub(crate) fn take_violation(&self) -> Option<Violation> {
        self.lock().violation.take()
    }

    /// Returns when what the server has not taken is too old.
    pub(crate) fn too_old_at(&self) -> Option<Duration> {
        let since = self.lock().stalled_since?;
        Some(self.too_late(since)).filter(|due| *due < Duration::MAX)
    }

    /// Notes that the queue is too old, once.
    pub(crate) fn too_old(&self) {
        self.lock().stalled_since = None;
        self.outbox.too_old();
    }

    /// Returns how the connection has ended, if it has. `closing` says that this side closes.
    pub(crate) fn ended(&self, closing: bool, now: Duration, grace: Duration) -> Option<Closed> {
        let state = self.lock();
        if let Some(frame) = &state.client_close {
            // Once the reply is written, or cannot be.
            let is_over = state.closed.is_some() || state.attached.is_none() || state.terminated;
            return is_over.then(|| Closed::by_client(Some(frame)));
        }
        if let Some(frame) = &state.closed {
            return Some(Closed::by_us(frame, ClosedBy::Server, true));
        }
        if state.terminated {
            let lost = || Closed::lost(ClosedBy::Server);
            let unwritten = state.unwritten.as_ref();
            return Some(
                unwritten.map_or_else(lost, |frame| Closed::by_us(frame, ClosedBy::Server, false)),
            );
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
        // It has the peer, which has this.
        let events = state.events.take();
        let wakers = [state.stream.take()];
        drop(state);
        drop(events);
        wake(wakers);
        self.changed.notify(usize::MAX);
    }

    /// Sets the driver's task, which is woken by whatever concerns it.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let old = self.lock().driver.replace(cx.waker().clone());
        drop(old);
    }

    /// Notes when the driver wakes by itself.
    pub(crate) fn wakes_at(&self, due: Option<Duration>) {
        self.lock().driver_due = due;
    }

    /// Sets the peer that is told of a shorter queue.
    pub(crate) fn tell(&self, events: PeerEvents) {
        self.lock().events = Some(events);
    }

    // No user code runs under the lock, so that a panic cannot leave it incomplete.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request with a message from the client.
pub(crate) struct Post<'a>(&'a Connection);

impl Post<'_> {
    /// Queues the message, in order, when there is room for it. Returns `false` if the connection is
    /// over.
    pub(crate) async fn receive(self, message: Message) -> bool {
        let connection = self.0;
        loop {
            let listener = connection.changed.listen();
            {
                let mut state = connection.lock();
                if state.is_ending() {
                    return false;
                }
                let limits = &connection.settings.limits;
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
                    return true;
                }
            }
            listener.await;
        }
    }
}

impl Drop for Post<'_> {
    fn drop(&mut self) {
        self.0.lock().posts -= 1;
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
