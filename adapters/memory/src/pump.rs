use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, Due, Lifeline, Limits, Liveness, Message, Peer,
};

use crate::clock::{Alarm, Clock};
use crate::control_rate::ControlRate;
use crate::link::{Link, slow_consumer};
use crate::{Frame, Violation};

/// Serves one connection beside its hooks: reads, writes, heartbeats, closes.
pub(crate) struct Pump {
    link: Arc<Link>,
    clock: Arc<Clock>,
    alarm: Alarm,
    peer: Peer,
    lifeline: Lifeline,
    limits: Limits,
    live: Liveness,
    control: ControlRate,
    reading: Reading,
    inbound: VecDeque<Event>,
    drain_due: bool,
    closed: Option<Closed>,
}

/// What a hook is to be told.
pub(crate) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    /// The queue was written to its end.
    Drain,
    /// The client broke a limit; the connection is to be closed with the frame.
    Violation(Violation, CloseFrame),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    On,
    /// A violation waits for its turn.
    Held,
    /// Only the client's close frame matters any more.
    ForClose,
}

impl Pump {
    pub(crate) fn new(link: Arc<Link>, clock: Arc<Clock>, peer: Peer, lifeline: Lifeline) -> Self {
        let limits = peer.hub().limits().clone();
        Self {
            alarm: Alarm::new(&clock),
            live: Liveness::new(&limits, peer.id(), clock.now()),
            control: ControlRate::new(limits.max_control_rate),
            link,
            clock,
            peer,
            lifeline,
            limits,
            reading: Reading::On,
            inbound: VecDeque::new(),
            drain_due: false,
            closed: None,
        }
    }

    /// Runs a hook to its end, and the connection beside it.
    pub(crate) async fn alongside<F: Future>(&mut self, hook: F) -> F::Output {
        let mut hook = pin!(hook);
        std::future::poll_fn(|cx| {
            self.turn(cx);
            let output = hook.as_mut().poll(cx);
            // What it sent before it awaits goes out now.
            self.turn(cx);
            output
        })
        .await
    }

    /// What is next for the hooks, in order of arrival; `Err` when the connection is over.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Closed>> {
        self.turn(cx);
        if std::mem::take(&mut self.drain_due) {
            return Poll::Ready(Ok(Event::Drain));
        }
        if let Some(event) = self.inbound.pop_front() {
            return Poll::Ready(Ok(event));
        }
        match &self.closed {
            Some(closed) => Poll::Ready(Err(closed.clone())),
            None => Poll::Pending,
        }
    }

    /// A violation is being dealt with: what follows it is not read for the hooks any more.
    pub(crate) fn read_only_for_close(&mut self) {
        self.reading = Reading::ForClose;
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        self.link.watch(cx);
        while self.closed.is_none() && self.step() {}
        let due = match self.closed {
            Some(_) => None,
            None => self.next_due(),
        };
        self.alarm.set(due, cx.waker());
    }

    /// One look at everything; whether anything happened.
    fn step(&mut self) -> bool {
        if self.link.vanished() {
            self.lifeline.ended();
        }
        let read = self.read();
        self.watch_limits();
        let watched = self.watch_life();
        let written = self.link.write();
        if written.any {
            self.drain_due |= written.drained;
            self.lifeline.drained();
        }
        self.closed = self.link.outcome();
        if self.closed.is_some() {
            self.lifeline.ended();
            self.link.end();
        }
        read || watched || written.any
    }

    fn read(&mut self) -> bool {
        if self.lifeline.closed_here() {
            self.reading = Reading::ForClose;
            self.inbound.clear();
        }
        let mut any = false;
        while !self.is_stalled() {
            let close_only = self.reading == Reading::ForClose;
            let Some(frame) = self.link.receive(close_only) else {
                break;
            };
            any = true;
            self.live.heard(self.clock.now());
            self.take(frame);
        }
        any
    }

    /// Whether frames have to wait in the network.
    fn is_stalled(&self) -> bool {
        match self.reading {
            Reading::On => {
                let full = !self.limits.max_inbound.allows(self.inbound.len() + 1);
                full && !self.inbound.is_empty()
            }
            Reading::Held => true,
            Reading::ForClose => false,
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Message(message) => {
                let most = self.limits.max_message_size;
                if most.allows(message.len()) {
                    self.inbound.push_back(Event::Message(message));
                } else {
                    let violation = Violation::MessageTooBig {
                        len: message.len(),
                        most: most.get(),
                    };
                    self.violated(violation, CloseCode::TOO_BIG, "message too big");
                }
            }
            Frame::Ping(data) => {
                if self.admits_control() {
                    self.link.answer_ping(data.clone());
                    self.inbound.push_back(Event::Ping(data));
                }
            }
            Frame::Pong(data) => {
                if self.admits_control() {
                    self.inbound.push_back(Event::Pong(data));
                }
            }
            Frame::Close(frame) => {
                self.lifeline.ended();
                self.link.close_heard(frame);
                self.reading = Reading::ForClose;
            }
        }
    }

    fn admits_control(&mut self) -> bool {
        let admitted = self.control.admits(self.clock.now());
        if !admitted {
            let most = self.limits.max_control_rate.get();
            let violation = Violation::TooManyControlFrames { most };
            self.violated(violation, CloseCode::POLICY, "too many control frames");
        }
        admitted
    }

    fn violated(&mut self, violation: Violation, code: CloseCode, reason: &'static str) {
        self.reading = Reading::Held;
        let frame = CloseFrame::new(code, reason);
        self.inbound.push_back(Event::Violation(violation, frame));
    }

    fn watch_limits(&mut self) {
        self.link.expire();
        if self.link.overflowed() {
            let frame = slow_consumer();
            self.peer.close(frame.code(), frame.reason().clone());
            // The peer may have been ending already, by others.
            self.link.close(frame, ClosedBy::Server);
        }
    }

    fn watch_life(&mut self) -> bool {
        if self.link.is_ending() || self.link.vanished() {
            return false;
        }
        let now = self.clock.now();
        if self.is_stalled() && !self.link.network_is_empty() {
            // Frames wait because of us: their sender is not silent.
            self.live.heard(now);
        }
        let Some(due) = self.live.poll(now) else {
            return false;
        };
        match due {
            Due::Ping => {
                // If one is queued already, that one will do.
                let _ = self.link.ping(Bytes::new());
            }
            Due::Expired => {
                let reason = "connection lifetime reached";
                self.peer.close(CloseCode::RESTART, reason);
            }
            // `Silent`, and what core may add.
            _ => {
                self.lifeline.ended();
                self.reading = Reading::ForClose;
                let frame = CloseFrame::new(CloseCode::TIMEOUT, "timeout");
                self.link.close(frame, ClosedBy::Timeout);
            }
        }
        true
    }

    fn next_due(&self) -> Option<Duration> {
        let life = match self.link.is_ending() {
            true => None,
            false => self.live.next_due(),
        };
        [life, self.link.next_due()].into_iter().flatten().min()
    }
}

/// Closes a connection that has no peer: waits for the client's answer, or the time for it.
pub(crate) async fn part(link: &Link, clock: &Arc<Clock>, frame: CloseFrame) {
    let mut alarm = Alarm::new(clock);
    link.close(frame, ClosedBy::Server);
    std::future::poll_fn(|cx| {
        link.watch(cx);
        link.write();
        if let Some(Frame::Close(frame)) = link.receive(true) {
            link.close_heard(frame);
        }
        if link.outcome().is_some() {
            return Poll::Ready(());
        }
        alarm.set(link.next_due(), cx.waker());
        Poll::Pending
    })
    .await;
}
