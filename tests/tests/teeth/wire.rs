use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use crossws_conformance::{Client, Event, Frame, Fut, Gone};
use crossws_core::adapter::{
    MeterCell, OutboundQueue, PeerEvents, Publication, Receipt, Transport,
};
use crossws_core::{
    Capabilities, CloseCode, CloseFrame, ControlError, DRAIN_MARK, DropCause, Dropped, Limits,
    Message, Overflow, SendError, SendOptions, Sent,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::faults::Fault;
use super::pump::Inbound;

/// One connection's queue towards its client.
pub struct Pipe {
    state: Mutex<State>,
    pub changed: Notify,
    capabilities: Capabilities,
    limits: Limits,
    fault: Option<Fault>,
    meter: MeterCell,
    began: Instant,
}

#[derive(Default)]
struct State {
    /// The messages, each with the key by which a later one replaces it.
    queue: VecDeque<(Option<Arc<str>>, Event)>,
    buffered: usize,
    high: bool,
    dropped: u64,
    /// Whether the queue accepts no more.
    closed: bool,
    /// Whether a hook runs. Only a fault uses it.
    busy: bool,
    pings: usize,
    /// The time since which the queue has not moved.
    waiting: Option<Instant>,
    /// It has not moved for too long, and takes nothing more until it does.
    stale: bool,
}

/// The bytes that a socket would hold, which this adapter does not have: a client with at most this
/// many unread bytes is not slow.
const SOCKET: usize = 256 << 10;

impl Pipe {
    pub fn new(capabilities: Capabilities, limits: Limits, fault: Option<Fault>) -> Self {
        Self {
            capabilities,
            state: Mutex::default(),
            changed: Notify::new(),
            limits,
            fault,
            meter: MeterCell::default(),
            began: Instant::now(),
        }
    }

    fn count(&self, event: &Event) {
        let Some(meter) = self.meter.get() else {
            return;
        };
        match event {
            Event::Text(_) | Event::Binary(_) if self.fault == Some(Fault::CountsNothing) => {}
            Event::Text(_) | Event::Binary(_) => meter.sent(1, size(event)),
            Event::Ping(data) => {
                let data = match self.fault {
                    Some(Fault::TakesAnyPong) => Vec::new(),
                    _ => data.clone(),
                };
                meter.pinged(data.into(), self.began.elapsed());
            }
            _ => {}
        }
    }

    pub fn ponged(&self, data: &[u8]) {
        if let Some(meter) = self.meter.get() {
            let data = match self.fault {
                Some(Fault::TakesAnyPong) => &[],
                _ => data,
            };
            meter.ponged(data, self.began.elapsed());
        }
    }

    pub fn busy(&self, busy: bool) {
        self.state.lock().unwrap().busy = busy;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    pub fn push(&self, event: Event) {
        self.state.lock().unwrap().queue.push_back((None, event));
        self.changed.notify_one();
    }

    fn too_many_pings(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.pings += 1;
        !self.limits.max_control_rate.allows(state.pings)
    }

    /// Applies the policy to a queue that has not moved for too long. Returns what was lost if it is closed.
    pub fn too_old(&self) -> Option<Dropped> {
        let mut state = self.state.lock().unwrap();
        let age = state.waiting.map(|since| since.elapsed());
        if state.closed || age <= self.limits.max_queue_age {
            return None;
        }
        if self.limits.overflow != Overflow::Close {
            state.stale = true;
            return None;
        }
        let lost = state.queue.len() as u64;
        state.overflow(lost);
        self.changed.notify_one();
        Some(Dropped::new(lost, DropCause::Overflow(Overflow::Close)))
    }

    /// Occasionally swaps the last two messages.
    fn shuffle(&self) {
        let mut state = self.state.lock().unwrap();
        let last = state.queue.len().saturating_sub(1);
        if last % 2 == 1 {
            state.queue.swap(last, last - 1);
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Appends the end of the connection to the queue.
    pub fn end(&self, event: Event) {
        let mut state = self.state.lock().unwrap();
        state.closed = true;
        state.queue.push_back((None, event));
        drop(state);
        self.changed.notify_one();
    }

    fn message(&self, message: &Message, options: &SendOptions) -> Receipt {
        let mut state = self.state.lock().unwrap();
        if state.closed {
            return Receipt::closed();
        }
        let discards = options.is_volatile() && self.fault != Some(Fault::QueuesWhatIsVolatile);
        if discards && state.buffered >= SOCKET {
            state.dropped += 1;
            return Receipt::discarded(true);
        }
        let key = options.replaces().cloned();
        let slow = state.buffered >= SOCKET && self.fault != Some(Fault::KeepsWhatIsReplaced);
        let has_key = |(old, _): &(Option<Arc<str>>, Event)| key.is_some() && *old == key;
        if slow && let Some(at) = state.queue.iter().position(has_key) {
            let old = state.queue.remove(at);
            state.buffered -= old.map_or(0, |(_, event)| size(&event));
        }
        let mut dropped = 0;
        let unbounded = self.fault == Some(Fault::BuffersWithoutBound);
        let fits = |state: &State| {
            unbounded
                || !(state.stale && state.buffered > 0)
                    && self
                        .limits
                        .max_buffered
                        .allows(state.buffered + framed(message.len()))
                    && (state.buffered < SOCKET
                        || self.limits.max_queued.allows(state.queue.len() + 1))
        };
        while !fits(&state) {
            match self.limits.overflow {
                Overflow::DropOldest if !state.queue.is_empty() => {
                    let old = state.queue.pop_front();
                    state.buffered -= old.as_ref().map_or(0, |(_, event)| size(event));
                    dropped += 1;
                }
                Overflow::DropNewest => {
                    state.dropped += 1;
                    return Receipt::full(1);
                }
                _ => {
                    let lost = state.queue.len() as u64 + 1;
                    state.overflow(lost);
                    return Receipt::full(lost);
                }
            }
        }
        state.dropped += dropped;
        state.buffered += framed(message.len());
        state.waiting.get_or_insert_with(Instant::now);
        state.high |= state.buffered > DRAIN_MARK;
        let event = match message {
            Message::Text(text) => Event::Text(text.to_string()),
            Message::Binary(bytes) => Event::Binary(bytes.to_vec()),
        };
        state.queue.push_back((key, event));
        Receipt::replaced(dropped, true)
    }
}

impl State {
    /// Closes a slow consumer, which loses this many messages.
    fn overflow(&mut self, lost: u64) {
        self.queue.clear();
        self.buffered = 0;
        self.dropped += lost;
        self.closed = true;
        let frame = (CloseCode::TRY_AGAIN.get(), "slow consumer".to_owned());
        self.queue.push_back((None, Event::Close(Some(frame))));
    }
}

fn size(event: &Event) -> usize {
    match event {
        Event::Text(text) => framed(text.len()),
        Event::Binary(bytes) => framed(bytes.len()),
        _ => 0,
    }
}

/// Returns the length of a server's frame with a payload of this length.
fn framed(len: usize) -> usize {
    len + match len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// The transport.
pub struct Wire(pub Arc<Pipe>, pub UnboundedSender<Inbound>);

impl Wire {
    fn after(&self, receipt: Receipt, options: &SendOptions) {
        let overflow = self.0.limits.overflow;
        let cause = match receipt.queued || receipt.dropped != 1 || !options.is_volatile() {
            true => DropCause::Overflow(overflow),
            false => DropCause::Volatile,
        };
        if receipt.dropped > 0 && self.0.fault != Some(Fault::NeverTellsWhatItDrops) {
            let lost = Dropped::new(receipt.dropped, cause);
            let _ = self.1.send(Inbound::Lost(lost));
        }
        let refused = !receipt.queued && receipt.dropped > 0 && cause != DropCause::Volatile;
        if refused && self.0.limits.overflow == Overflow::Close {
            let _ = self.1.send(Inbound::TooSlow);
        }
    }
}

impl Transport for Wire {
    fn capabilities(&self) -> Capabilities {
        if self.0.fault == Some(Fault::PretendsToHaveTopics) {
            return self.0.capabilities.with(Capabilities::PUBSUB);
        }
        self.0.capabilities
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let receipt = self.0.message(&message, options);
        self.after(receipt, options);
        self.0.changed.notify_one();
        if options.is_volatile() && !receipt.queued && receipt.dropped > 0 {
            return Ok(Sent::Dropped);
        }
        if receipt.queued || self.0.limits.overflow == Overflow::Close && receipt.dropped > 0 {
            Ok(Sent::Written)
        } else if receipt.dropped > 0 {
            Err(SendError::Full(message))
        } else {
            Err(SendError::Closed(message))
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let options = publication.options();
        let receipt = self.0.message(publication.message(), options);
        self.after(receipt, options);
        match self.0.fault {
            Some(Fault::DeliversPublicationsTwice) => {
                self.0.message(publication.message(), options);
            }
            Some(Fault::ReordersPublications) => self.0.shuffle(),
            _ => {}
        }
        receipt
    }

    fn wake(&self) {
        self.0.changed.notify_one();
    }

    fn close(&self, frame: CloseFrame) {
        let has_code = frame.has_code();
        let shown = (frame.code().get(), frame.reason().to_string());
        // Sent first, because the client may reply at once.
        let _ = self.1.send(Inbound::Closing(frame));
        if self.0.fault == Some(Fault::ClosesWithoutItsFrame) {
            self.0.end(Event::End);
        } else if self.0.fault == Some(Fault::LosesCloseReasons) {
            let shown = has_code.then(|| (shown.0, String::new()));
            self.0.end(Event::Close(shown));
        } else {
            self.0.end(Event::Close(has_code.then_some(shown)));
        }
    }

    fn terminate(&self) {
        if self.0.fault == Some(Fault::TerminatesWithACloseFrame) {
            self.0.push(Event::Close(Some((1001, String::new()))));
        }
        self.0.end(Event::Cut);
        let _ = self.1.send(Inbound::Terminated);
    }

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.0.push(Event::Ping(data.to_vec()));
        Ok(())
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.0.push(Event::Pong(data.to_vec()));
        Ok(())
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(&self.0.meter)
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(self)
    }
}

impl OutboundQueue for Wire {
    fn buffered_amount(&self) -> usize {
        let state = self.0.state.lock().unwrap();
        match self.0.fault {
            Some(Fault::CountsNoHeaders) => state.buffered.saturating_sub(2 * state.queue.len()),
            _ => state.buffered,
        }
    }

    fn dropped(&self) -> u64 {
        if self.0.fault == Some(Fault::DoesNotCountWhatItDrops) {
            return 0;
        }
        self.0.state.lock().unwrap().dropped
    }

    fn has_room(&self, len: usize) -> bool {
        let state = self.0.state.lock().unwrap();
        let (bytes, messages) = (state.buffered + len, state.queue.len() + 1);
        let limits = &self.0.limits;
        self.0.fault == Some(Fault::AlwaysHasRoom)
            || state.queue.is_empty()
            || (bytes <= limits.max_buffered.get() / 2 && messages <= limits.max_queued.get() / 2)
    }

    fn is_behind(&self) -> bool {
        false
    }
}

/// The client's end.
pub struct BrittleClient {
    pub pipe: Arc<Pipe>,
    pub inbound: UnboundedSender<Inbound>,
    pub lifeline: Option<PeerEvents>,
    pub fault: Option<Fault>,
    pub each_message: Option<EachMessage>,
}

/// The effect of a fault on every message.
pub type EachMessage = Box<dyn Fn() -> Fut<'static, ()>>;

impl BrittleClient {
    fn take(&self) -> Option<Event> {
        let mut state = self.pipe.state.lock().unwrap();
        if self.fault == Some(Fault::BuffersUntilTheHookEnds) && state.busy {
            return None;
        }
        let (_, event) = state.queue.pop_front()?;
        state.buffered -= size(&event);
        state.waiting = (state.buffered > 0).then(Instant::now);
        state.stale = false;
        let drained = state.buffered == 0 && std::mem::take(&mut state.high);
        drop(state);
        self.pipe.count(&event);
        if let Event::Close(frame) = &event {
            // As in every client: a close frame is answered when it is read.
            let _ = self
                .inbound
                .send(Inbound::Frame(Frame::Close(frame.clone())));
        }
        if self.fault != Some(Fault::NeverSaysDrained) {
            if let Some(lifeline) = &self.lifeline {
                lifeline.drained();
            }
            if drained {
                let _ = self.inbound.send(Inbound::Drained);
            }
        }
        Some(event)
    }

    fn ended(&self) {
        if self.fault != Some(Fault::NoticesNothingWhileAHookRuns)
            && let Some(lifeline) = &self.lifeline
        {
            lifeline.ended();
        }
    }
}

impl Client for BrittleClient {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        Box::pin(async move {
            match &frame {
                Frame::Text(_) => {
                    if let Some(each) = &self.each_message {
                        each().await;
                    }
                }
                Frame::Ping(_) if self.pipe.too_many_pings() => {
                    let _ = self.inbound.send(Inbound::Violation(CloseCode::POLICY));
                    return Ok(());
                }
                Frame::Ping(data) => {
                    let answers = match self.fault {
                        Some(Fault::IgnoresPings) => false,
                        Some(Fault::AnswersPingsItself) => true,
                        _ => self.pipe.limits.auto_pong,
                    };
                    if answers {
                        self.pipe.push(Event::Pong(data.clone()));
                    }
                }
                Frame::Pong(data) => self.pipe.ponged(data),
                Frame::Close(_) => self.ended(),
                _ => {}
            }
            let sent = self.inbound.send(Inbound::Frame(frame));
            sent.map_err(|_| Gone)
        })
    }

    fn next(&mut self) -> Fut<'_, Event> {
        Box::pin(async move {
            loop {
                if let Some(event) = self.take() {
                    return event;
                }
                self.pipe.changed.notified().await;
            }
        })
    }

    fn vanish(self: Box<Self>) {
        self.ended();
        let _ = self.inbound.send(Inbound::Vanished);
    }
}

impl Drop for BrittleClient {
    fn drop(&mut self) {
        self.ended();
        let _ = self.inbound.send(Inbound::Vanished);
    }
}
