//! The smallest adapter's queues.

mod client;
mod wire;

pub use client::{BrittleClient, EachMessage};
pub use wire::Wire;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crossws_conformance::Event;
use crossws_core::adapter::{MeterCell, Receipt};
use crossws_core::{
    Capabilities, CloseCode, DRAIN_MARK, DropCause, Dropped, Limits, Message, Overflow, SendOptions,
};
use tokio::sync::Notify;

use super::faults::Fault;

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
