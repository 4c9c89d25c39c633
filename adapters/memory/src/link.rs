//! One connection, seen from both ends: what a socket and two buffers are elsewhere.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, ControlError, Limits, Message, PeerId, Receipt,
    SendError,
};
use http::Response;

use crate::clock::Clock;
use crate::outbox::Outbox;
use crate::sync::lock;
use crate::{Frame, Refusal};

pub(crate) struct Link {
    clock: Arc<Clock>,
    close_timeout: Duration,
    state: Mutex<State>,
}

struct State {
    // The server's end.
    outbox: Outbox,
    ending: Option<Ending>,
    /// When the closing handshake must have ended.
    close_by: Option<Duration>,
    close_written: bool,
    close_heard: bool,
    terminated: bool,
    driver: Option<Waker>,
    // The client's end.
    answer: Option<Result<Answer, Refusal>>,
    received: VecDeque<Frame>,
    reads: bool,
    auto_pong: bool,
    auto_close: bool,
    close_sent: bool,
    close_received: Option<Option<CloseFrame>>,
    over: bool,
    vanished: bool,
    reader: Option<Waker>,
    /// On its way to the server, and not read by it yet.
    network: VecDeque<Frame>,
}

/// Who closed first, and with what.
enum Ending {
    Client(Option<CloseFrame>),
    Us(CloseFrame, ClosedBy),
}

/// The 101, and who the client is now.
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) id: PeerId,
}

/// What writing did to the queue.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) any: bool,
    pub(crate) drained: bool,
}

/// How a connection ended, as the client saw it.
pub(crate) struct Seen {
    pub(crate) received: Option<Option<CloseFrame>>,
    pub(crate) clean: bool,
}

impl Link {
    pub(crate) fn new(clock: Arc<Clock>, limits: &Limits) -> Self {
        Self {
            clock,
            close_timeout: limits.close_timeout,
            state: Mutex::new(State {
                outbox: Outbox::new(limits.clone()),
                ending: None,
                close_by: None,
                close_written: false,
                close_heard: false,
                terminated: false,
                driver: None,
                answer: None,
                received: VecDeque::new(),
                reads: true,
                auto_pong: true,
                auto_close: true,
                close_sent: false,
                close_received: None,
                over: false,
                vanished: false,
                reader: None,
                network: VecDeque::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the state and wakes the server's end.
    fn tell_driver<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waker) = {
            let mut state = self.lock();
            (change(&mut state), state.driver.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Changes the state and wakes the client's end.
    fn tell_reader<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waker) = {
            let mut state = self.lock();
            (change(&mut state), state.reader.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}

/// What the transport does.
impl Link {
    pub(crate) fn send(&self, message: Message) -> Result<(), SendError> {
        let now = self.clock.now();
        self.tell_driver(|state| {
            if state.no_longer_sends() {
                return Err(SendError::Closed(message));
            }
            match state.outbox.push(message, now) {
                Ok(_) => Ok(()),
                Err(full) => Err(SendError::Full(full.message)),
            }
        })
    }

    pub(crate) fn publish(&self, message: &Message) -> Receipt {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.no_longer_sends() {
            return Receipt::closed();
        }
        match state.outbox.push(message.clone(), now) {
            Ok(0) => Receipt::queued(state.driver.is_some()),
            Ok(dropped) => Receipt::replaced(dropped, state.driver.is_some()),
            Err(full) => Receipt::full(full.dropped),
        }
    }

    pub(crate) fn wake_driver(&self) {
        self.tell_driver(|_| ());
    }

    /// Queues a close frame, if neither side has closed yet.
    pub(crate) fn close(&self, frame: CloseFrame, by: ClosedBy) {
        let now = self.clock.now();
        self.tell_driver(|state| {
            if state.ending.is_some() {
                return;
            }
            let frame = match state.outbox.overflowed() {
                true => slow_consumer(),
                false => frame,
            };
            state.close_by = Some(now.saturating_add(self.close_timeout));
            let on_wire = Frame::Close(Some(frame.clone()));
            state.outbox.push_control(on_wire, now);
            state.ending = Some(Ending::Us(frame, by));
        });
    }

    pub(crate) fn terminate(&self) {
        self.tell_driver(|state| {
            state.terminated = true;
            state.outbox.clear();
        });
        self.end();
    }

    pub(crate) fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Outbox::has_ping, Frame::Ping(data))
    }

    pub(crate) fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.control(Outbox::has_pong, Frame::Pong(data))
    }

    fn control(&self, busy: fn(&Outbox) -> bool, frame: Frame) -> Result<(), ControlError> {
        let now = self.clock.now();
        self.tell_driver(|state| {
            if state.no_longer_sends() {
                return Err(ControlError::Closed);
            }
            if busy(&state.outbox) {
                return Err(ControlError::Busy);
            }
            state.outbox.push_control(frame, now);
            Ok(())
        })
    }

    pub(crate) fn buffered(&self) -> usize {
        self.lock().outbox.bytes()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().outbox.dropped()
    }
}

/// What the driver does.
impl Link {
    /// Has the driver woken at the next change.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        self.lock().driver = Some(cx.waker().clone());
    }

    pub(crate) fn answer(&self, answer: Result<Answer, Refusal>) {
        self.tell_reader(|state| state.answer = Some(answer));
    }

    /// Takes the next frame from the network, or the next that is a close frame.
    pub(crate) fn receive(&self, close_only: bool) -> Option<Frame> {
        let mut state = self.lock();
        while let Some(frame) = state.network.pop_front() {
            if !close_only || matches!(frame, Frame::Close(_)) {
                return Some(frame);
            }
        }
        None
    }

    pub(crate) fn network_is_empty(&self) -> bool {
        self.lock().network.is_empty()
    }

    pub(crate) fn vanished(&self) -> bool {
        self.lock().vanished
    }

    pub(crate) fn overflowed(&self) -> bool {
        let state = self.lock();
        state.outbox.overflowed() && state.ending.is_none()
    }

    /// The client's close frame arrived: answers it, unless it is the answer to ours.
    pub(crate) fn close_heard(&self, frame: Option<CloseFrame>) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.close_heard = true;
        state.network.clear();
        if state.ending.is_none() {
            state.close_by = Some(now.saturating_add(self.close_timeout));
            state.outbox.push_control(Frame::Close(frame.clone()), now);
            state.ending = Some(Ending::Client(frame));
        }
    }

    pub(crate) fn answer_ping(&self, data: Bytes) {
        let now = self.clock.now();
        let mut state = self.lock();
        if !state.no_longer_sends() {
            state.outbox.answer_ping(data, now);
        }
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.lock().ending.is_some()
    }

    /// Does what the policy says about messages that wait too long.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.ending.is_none() {
            state.outbox.expire(now);
        }
    }

    /// When the link has something to do without anybody's help.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let state = self.lock();
        match state.ending {
            Some(_) => state.close_by,
            None => state.outbox.next_due(),
        }
    }

    /// Writes everything, if the client reads; it answers pings and close frames as it does.
    pub(crate) fn write(&self) -> Written {
        let mut state = self.lock();
        if !state.reads || state.over || state.vanished || state.outbox.is_empty() {
            return Written::default();
        }
        let (frames, drained) = state.outbox.take();
        for frame in frames {
            state.deliver(frame);
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Written { any: true, drained }
    }

    /// How the connection ended, once it has.
    pub(crate) fn outcome(&self) -> Option<Closed> {
        let now = self.clock.now();
        let state = self.lock();
        let timed_out = state.close_by.is_some_and(|at| at <= now);
        let lost = state.vanished && state.network.is_empty();
        let exchanged = state.close_written && state.close_heard;
        if !(state.terminated || lost || timed_out || exchanged) {
            return None;
        }
        Some(match &state.ending {
            Some(Ending::Client(frame)) => {
                let mut closed = Closed::by_client(frame.as_ref());
                closed.clean = exchanged;
                closed
            }
            Some(Ending::Us(frame, by)) if state.close_written || !state.terminated => {
                Closed::by_us(frame, *by, exchanged)
            }
            Some(Ending::Us(..)) => Closed::lost(ClosedBy::Server),
            None if state.terminated => Closed::lost(ClosedBy::Server),
            None => Closed::lost(ClosedBy::Network),
        })
    }

    /// Drops the connection: the client sees its end after what it has received.
    pub(crate) fn end(&self) {
        self.tell_reader(|state| {
            state.over = true;
            state.outbox.clear();
            state.network.clear();
        });
    }
}

/// What the client does.
impl Link {
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Option<Result<Answer, Refusal>> {
        let mut state = self.lock();
        if state.answer.is_none() && state.over {
            return Some(Err(Refusal::dropped()));
        }
        state.reader = Some(cx.waker().clone());
        state.answer.take()
    }

    pub(crate) fn client_sends(&self, message: Message) -> Result<(), SendError> {
        self.tell_driver(|state| {
            if state.client_no_longer_sends() {
                return Err(SendError::Closed(message));
            }
            state.network.push_back(Frame::Message(message));
            Ok(())
        })
    }

    pub(crate) fn client_controls(&self, frame: Frame) -> Result<(), ControlError> {
        self.tell_driver(|state| {
            if state.client_no_longer_sends() {
                return Err(ControlError::Closed);
            }
            state.network.push_back(frame);
            Ok(())
        })
    }

    pub(crate) fn client_closes(&self, frame: Option<CloseFrame>) {
        self.tell_driver(|state| state.client_closes(frame));
    }

    pub(crate) fn vanish(&self) {
        self.tell_driver(|state| {
            state.vanished = true;
            state.received.clear();
        });
        self.tell_reader(|_| ());
    }

    pub(crate) fn set_reads(&self, reads: bool) {
        self.tell_driver(|state| state.reads = reads);
    }

    pub(crate) fn set_auto_pong(&self, on: bool) {
        self.lock().auto_pong = on;
    }

    pub(crate) fn set_auto_close(&self, on: bool) {
        self.lock().auto_close = on;
    }

    /// The next frame the client received; `Err` when there is none.
    pub(crate) fn take_frame(&self, cx: Option<&Context<'_>>) -> Result<Frame, Nothing> {
        let mut state = self.lock();
        match state.received.pop_front() {
            Some(frame) => Ok(frame),
            None if state.over || state.vanished => Err(Nothing::Ever),
            None => {
                if let Some(cx) = cx {
                    state.reader = Some(cx.waker().clone());
                }
                Err(Nothing::Yet)
            }
        }
    }

    /// How the connection ended, once the client can see that it has.
    pub(crate) fn seen(&self, cx: &Context<'_>) -> Option<Seen> {
        let mut state = self.lock();
        if !(state.over || state.vanished) {
            state.reader = Some(cx.waker().clone());
            return None;
        }
        Some(Seen {
            received: state.close_received.clone(),
            clean: state.close_sent && state.close_received.is_some(),
        })
    }
}

/// Why a client has no frame to take.
pub(crate) enum Nothing {
    Yet,
    Ever,
}

impl State {
    fn no_longer_sends(&self) -> bool {
        self.ending.is_some() || self.terminated || self.over || self.outbox.overflowed()
    }

    fn client_no_longer_sends(&self) -> bool {
        self.close_sent || self.over || self.vanished
    }

    /// One frame reaches the client.
    fn deliver(&mut self, frame: Frame) {
        match &frame {
            Frame::Ping(data) if self.auto_pong && !self.close_sent => {
                self.network.push_back(Frame::Pong(data.clone()));
            }
            Frame::Close(close) => {
                self.close_written = true;
                self.close_received = Some(close.clone());
                if self.auto_close {
                    self.client_closes(close.clone());
                }
            }
            _ => {}
        }
        self.received.push_back(frame);
    }

    fn client_closes(&mut self, frame: Option<CloseFrame>) {
        if !self.client_no_longer_sends() {
            self.close_sent = true;
            self.network.push_back(Frame::Close(frame));
        }
    }
}

pub(crate) fn slow_consumer() -> CloseFrame {
    CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer")
}
