mod post;
mod writing;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::adapter::sync::Mutex;
use crossws_core::adapter::{Background, PeerEvents};
use crossws_core::{CloseFrame, Closed, ClosedBy, Message, Settings};
use crossws_proto::frame::Violation;
use crossws_proto::outbox::{Batch, Clock, Outbox};
use event_listener::Event as Notify;

pub(crate) use self::writing::Write;
use crate::transport::frame::EventFrame;
use crate::transport::key::Key;
use crate::transport::retained::Retained;

/// The adapter's time, for the outbox.
pub(crate) struct Time(pub(crate) Arc<dyn Background>);

impl Clock for Time {
    fn now(&self) -> Duration {
        self.0.now()
    }
}

/// One connection: what its stream, its posts, its pump and its peer share.
pub(crate) struct Connection {
    pub(crate) outbox: Outbox<EventFrame, Time>,
    /// The up-link's secret.
    pub(crate) secret: Key<32>,
    /// The right to take the stream up again, in the ids of events.
    pub(crate) resume: Key<16>,
    pub(crate) path: String,
    pub(crate) settings: Arc<Settings>,
    state: Mutex<State>,
    /// The server has events to write, and has not asked for more.
    is_stalled: AtomicBool,
    /// There is room for a message, or the connection has ended.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct State {
    inbound: VecDeque<Message>,
    inbound_bytes: usize,
    posts: usize,
    /// Those of `posts` whose message is there, and waits for room.
    waiting_posts: usize,
    /// A message has come since the pump last looked.
    was_heard: bool,
    pump: Option<Waker>,
    /// When the pump wakes by itself.
    pump_due: Option<Duration>,
    /// When the pump must look whether the server has asked for more. Events until then need not wake it.
    look_at: Option<Duration>,
    /// The queue has run empty after it had piled up.
    drain_due: bool,
    /// The task of the stream, while it waits for something to write.
    stream: Option<Waker>,
    /// The stream that writes: the latest.
    attached: Option<u64>,
    streams: u64,
    detached_since: Option<Duration>,
    /// Events that another task has taken for the stream.
    handed: VecDeque<Batch<EventFrame>>,
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

impl Connection {
    pub(crate) fn new(
        (secret, resume): (Key<32>, Key<16>),
        resume_text: &str,
        path: &str,
        settings: Arc<Settings>,
        background: &Arc<dyn Background>,
        retained: usize,
    ) -> Self {
        Self {
            outbox: Outbox::new(&settings.limits, Time(Arc::clone(background))),
            secret,
            resume,
            path: path.to_owned(),
            settings,
            state: Mutex::new(State {
                detached_since: Some(background.now()),
                retained: Retained::new(retained, resume_text),
                ..State::default()
            }),
            is_stalled: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Returns whether a request's path is the connection's own.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        path == self.path || path == reference(&self.path)
    }

    /// Makes a new stream the one that writes. Returns its number, and what it must write first:
    /// the events after `last`. `None` if not all of them are there, or the connection is ending.
    pub(crate) fn attach(&self, last: u64) -> Option<(u64, Vec<Bytes>)> {
        let mut state = self.state.lock();
        if state.is_ending() {
            return None;
        }
        let events = state.retained.after(last)?;
        state.streams += 1;
        state.attached = Some(state.streams);
        state.detached_since = None;
        let stream = state.streams;
        drop(state);
        self.wake();
        Some((stream, events))
    }

    /// Notes that a stream is gone.
    pub(crate) fn detach(&self, stream: u64, now: Duration) {
        let mut state = self.state.lock();
        if state.attached != Some(stream) {
            return;
        }
        state.attached = None;
        state.stalled_since = None;
        state.detached_since = Some(now);
        let gone = state.stream.take();
        drop(state);
        drop(gone);
        // From here on, the limits judge what waits.
        self.outbox.must_wait();
        self.wake_pump();
    }

    /// Returns when what the server has taken at this time is too old.
    fn too_late(&self, taken: Duration) -> Option<Duration> {
        taken.checked_add(self.settings.limits.max_queue_age?)
    }

    /// Wakes the stream, which has something to write. Wakes the pump if it has losses to report, or
    /// no stream waits.
    pub(crate) fn wake_stream(&self) {
        let has_lost = self.outbox.has_lost();
        let mut state = self.state.lock();
        let stream = state.stream.take();
        let must_look = has_lost || stream.is_none();
        let pump = must_look.then(|| state.pump.take()).flatten();
        drop(state);
        wake(pump);
        wake(stream);
    }

    /// Wakes the pump, whose deadlines have changed.
    pub(crate) fn wake_pump(&self) {
        let pump = self.state.lock().pump.take();
        wake(pump);
    }

    /// Wakes both.
    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        let wakers = [state.stream.take(), state.pump.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
    }

    /// Returns whether the queue has run empty after it had piled up, once.
    pub(crate) fn take_drained(&self) -> bool {
        self.outbox.take_drained() | std::mem::take(&mut self.state.lock().drain_due)
    }

    /// Cuts the connection of a client that does not even take the close.
    pub(crate) fn close_too_late(&self) {
        let unwritten = self.outbox.unsent_close();
        self.state.lock().unwritten = unwritten;
        self.terminate();
    }

    /// Cuts the connection.
    pub(crate) fn terminate(&self) {
        self.outbox.terminate();
        self.state.lock().terminated = true;
        self.wake();
    }

    /// Returns the next message from the client, unless its reply would have no room. A connection that
    /// has ended has no replies.
    pub(crate) fn next_message(&self, has_ended: bool) -> Option<Message> {
        let mut state = self.state.lock();
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
        let mut state = self.state.lock();
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
        self.state.lock().client_close.is_some()
    }

    /// Notes that the client has broken a rule. The first one counts.
    pub(crate) fn violated(&self, violation: Violation) {
        self.state.lock().violation.get_or_insert(violation);
        self.wake_pump();
    }

    /// Returns what the client did wrong, once.
    pub(crate) fn take_violation(&self) -> Option<Violation> {
        self.state.lock().violation.take()
    }

    /// Returns when what the server has not taken is too old.
    pub(crate) fn too_old_at(&self) -> Option<Duration> {
        let since = self.state.lock().stalled_since?;
        self.too_late(since)
    }

    /// Notes that the queue is too old, once.
    pub(crate) fn too_old(&self) {
        self.state.lock().stalled_since = None;
        self.outbox.too_old();
    }

    /// Returns how the connection has ended, if it has. `closing` says that this side closes.
    pub(crate) fn ended(&self, closing: bool, now: Duration, grace: Duration) -> Option<Closed> {
        let state = self.state.lock();
        if let Some(frame) = &state.client_close {
            // Once the reply is written, or cannot be.
            let is_over = state.closed.is_some() || state.attached.is_none() || state.terminated;
            return is_over.then(|| Closed::by_client(Some(frame)));
        }
        if let Some(frame) = &state.closed {
            return Some(Closed::by_us(frame, ClosedBy::Server, true));
        }
        if state.terminated {
            return Some(match &state.unwritten {
                Some(frame) => Closed::by_us(frame, ClosedBy::Server, false),
                None => Closed::lost(ClosedBy::Server),
            });
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
    pub(crate) fn next_due(&self, grace: Duration, now: Duration) -> Option<Duration> {
        let mut state = self.state.lock();
        state.look_at.take_if(|at| *at <= now);
        let detached = state
            .detached_since
            .map(|since| since.saturating_add(grace));
        detached.into_iter().chain(state.look_at).min()
    }

    /// Ends the connection: nothing goes in or out any more.
    pub(crate) fn end(&self) {
        self.outbox.end();
        let mut state = self.state.lock();
        state.over = true;
        // It has the peer, which has this.
        let events = state.events.take();
        let stream = state.stream.take();
        drop(state);
        drop(events);
        wake(stream);
        self.changed.notify(usize::MAX);
    }

    /// Sets the pump's task, which is woken by whatever concerns it.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut state = self.state.lock();
        // It is not known before it has looked.
        state.pump_due = None;
        let old = state.pump.replace(cx.waker().clone());
        drop(state);
        drop(old);
    }

    /// Notes when the pump wakes by itself.
    pub(crate) fn wakes_at(&self, due: Option<Duration>) {
        self.state.lock().pump_due = due;
    }

    /// Sets the peer that is told of a shorter queue.
    pub(crate) fn tell(&self, events: PeerEvents) {
        self.state.lock().events = Some(events);
    }
}

fn wake(waker: Option<Waker>) {
    waker.into_iter().for_each(Waker::wake);
}

/// Returns a path as a relative reference. By itself, one that begins with two slashes would name another
/// host (RFC 3986 section 4.2), to which a client would send its secret.
pub(crate) fn reference(path: &str) -> Cow<'_, str> {
    match path.as_bytes() {
        [b'/', b'/' | b'\\', ..] => format!("/.{path}").into(),
        _ => path.into(),
    }
}
