use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::adapter::{ControlRate, Liveness, LivenessEvent, PeerEvents};
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, DropCause, Dropped, Error, Limits, Message, Peer,
};

use crate::clock::{Alarm, Clock};
use crate::link::Link;
use crate::{Frame, Violation};

/// Serves one connection while its hooks run: reads, writes, heartbeats, closes.
pub(crate) struct Pump {
    link: Arc<Link>,
    clock: Arc<Clock>,
    alarm: Alarm,
    peer: Peer,
    lifeline: PeerEvents,
    limits: Limits,
    live: Liveness,
    control: ControlRate,
    inbound: VecDeque<Event>,
    inbound_bytes: usize,
    drain_due: bool,
    /// Discarded messages that were reported to the peer, and volatile ones.
    dropped: u64,
    skipped: u64,
    /// How the connection ended, as soon as that is known.
    closed: Option<Closed>,
    over: bool,
}

/// An event that a hook must be notified of.
pub(crate) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    /// The queue was written to its end.
    Drain,
    /// The client broke a limit.
    Failed(Error),
}

impl Event {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Ping(data) | Self::Pong(data) => data.len(),
            Self::Drain | Self::Failed(_) => 0,
        }
    }
}

impl Pump {
    pub(crate) fn new(
        link: Arc<Link>,
        clock: Arc<Clock>,
        peer: Peer,
        lifeline: PeerEvents,
    ) -> Self {
        let limits = peer.settings().limits.clone();
        Self {
            alarm: Alarm::new(&clock),
            live: Liveness::new(&limits, peer.id(), clock.now()),
            control: ControlRate::new(limits.max_control_rate),
            link,
            clock,
            peer,
            lifeline,
            limits,
            inbound: VecDeque::new(),
            inbound_bytes: 0,
            drain_due: false,
            dropped: 0,
            skipped: 0,
            closed: None,
            over: false,
        }
    }

    /// Runs a hook to its end, and the connection concurrently.
    pub(crate) async fn alongside<F: Future>(&mut self, hook: F) -> F::Output {
        let mut hook = pin!(hook);
        std::future::poll_fn(|cx| {
            self.turn(cx);
            // A message of the hook wakes this again, so that it is written while the hook waits.
            hook.as_mut().poll(cx)
        })
        .await
    }

    /// Returns the next event for the hooks, in order of arrival, or `Err` when the connection is
    /// ending and nothing more will come. While the client does not read its replies, its messages
    /// wait.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Closed>> {
        self.turn(cx);
        if std::mem::take(&mut self.drain_due) && self.closed.is_none() {
            return Poll::Ready(Ok(Event::Drain));
        }
        if let Some(Event::Message(next)) = self.inbound.front()
            && self.link.is_congested(next.len())
        {
            return Poll::Pending;
        }
        if let Some(event) = self.inbound.pop_front() {
            self.inbound_bytes -= event.len();
            return Poll::Ready(Ok(event));
        }
        match &self.closed {
            Some(closed) => Poll::Ready(Err(closed.clone())),
            None => Poll::Pending,
        }
    }

    /// Waits until the client has taken the last frame, or the time for it is over.
    pub(crate) async fn finish(&mut self) {
        std::future::poll_fn(|cx| {
            self.turn(cx);
            match self.over {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        self.link.watch(cx);
        while !self.over && self.step() {}
        let due = match self.over {
            true => None,
            false => self.next_due(),
        };
        self.alarm.set(due, cx.waker());
    }

    /// Checks everything once. Returns whether anything happened.
    fn step(&mut self) -> bool {
        let read = self.read();
        let due = self.keep_time();
        let progress = self.link.progress();
        self.drain_due |= progress.drained;
        if progress.dropped > self.dropped {
            let cause = DropCause::Overflow(self.limits.overflow);
            let messages = progress.dropped - self.dropped;
            self.lifeline.dropped(Dropped::new(messages, cause));
            self.dropped = progress.dropped;
        }
        if progress.skipped > self.skipped {
            let messages = progress.skipped - self.skipped;
            self.lifeline
                .dropped(Dropped::new(messages, DropCause::Volatile));
            self.skipped = progress.skipped;
        }
        if progress.shrunk {
            self.lifeline.drained();
        }
        if self.closed.is_none() && progress.closed.is_some() {
            self.closed = progress.closed;
            if progress.overflowed {
                self.forget_inbound();
            }
        }
        if self.closed.is_some() || self.link.vanished() {
            self.lifeline.ended();
        }
        self.over = progress.over;
        read || due || progress.wrote
    }

    fn read(&mut self) -> bool {
        if self.lifeline.closed_here() {
            // A hook gets nothing more from a peer that it has closed.
            self.forget_inbound();
        }
        let mut any = false;
        while !self.is_full()
            && let Some(frame) = self.link.receive()
        {
            any = true;
            self.live.heard(self.clock.now());
            match frame {
                Frame::Message(message) => {
                    self.live.active(self.clock.now());
                    self.message(message);
                }
                Frame::Ping(data) => {
                    if self.limits.auto_pong {
                        self.link.answer_ping(data.clone());
                    }
                    self.control(Event::Ping(data));
                }
                Frame::Pong(data) => {
                    self.link.ponged(&data);
                    self.control(Event::Pong(data));
                }
                Frame::Close(frame) => {
                    self.lifeline.ended();
                    self.link.close_heard(frame);
                }
            }
        }
        any
    }

    /// Returns whether frames must wait in the network.
    fn is_full(&self) -> bool {
        let bytes = self.limits.max_message_size.get().saturating_mul(2);
        let full = !self.limits.max_inbound.allows(self.inbound.len() + 1);
        (full && !self.inbound.is_empty()) || self.inbound_bytes > bytes
    }

    fn message(&mut self, message: Message) {
        let most = self.limits.max_message_size;
        if most.allows(message.len()) {
            self.push(Event::Message(message));
        } else {
            let violation = Violation::MessageTooBig {
                len: message.len(),
                most: most.get(),
            };
            self.violated(violation, CloseCode::TOO_BIG, "message too big");
        }
    }

    fn control(&mut self, event: Event) {
        if self.control.admits(self.clock.now()) {
            self.push(event);
        } else {
            let most = self.limits.max_control_rate.get();
            let violation = Violation::TooManyControlFrames { most };
            self.violated(violation, CloseCode::POLICY, "too many control frames");
        }
    }

    fn push(&mut self, event: Event) {
        self.inbound_bytes += event.len();
        self.inbound.push_back(event);
    }

    /// Closes a client that broke a limit: the close frame names it, and nothing more is read.
    fn violated(&mut self, violation: Violation, code: CloseCode, reason: &'static str) {
        self.lifeline.ended();
        self.link
            .fail(CloseFrame::new(code, reason), ClosedBy::Server);
        self.inbound
            .push_back(Event::Failed(Error::protocol(violation)));
    }

    fn forget_inbound(&mut self) {
        self.inbound.clear();
        self.inbound_bytes = 0;
    }

    /// Acts on the deadlines that have passed. Returns whether there were any.
    fn keep_time(&mut self) -> bool {
        if !self.link.is_open() {
            return false;
        }
        let now = self.clock.now();
        let expires_at = self.lifeline.expires_at();
        let clock = &self.clock;
        self.live.credentials(expires_at, now, || clock.wall());
        if self.is_full() && !self.link.network_is_empty() {
            // While this side does not read, silence proves nothing about the client.
            self.live.heard(now);
            self.live.active(now);
        }
        let Some(due) = self.live.poll(now) else {
            return false;
        };
        match due {
            LivenessEvent::Ping => {
                // If a ping is already queued, that one suffices.
                let _ = self.link.ping(Bytes::new());
                self.live.pinged(now);
            }
            LivenessEvent::Expired => self.peer.close(CloseCode::RESTART, "connection expired"),
            LivenessEvent::CredentialsExpired => {
                if let Some(at) = expires_at {
                    self.lifeline.expired(at);
                }
            }
            LivenessEvent::Inactive => self.lifeline.inactive(),
            // `Silent`, and cases that core may add.
            _ => {
                let frame = CloseFrame::new(CloseCode::TIMEOUT, "silent for too long");
                self.lifeline.ended();
                self.link.fail(frame, ClosedBy::Timeout);
            }
        }
        true
    }

    fn next_due(&self) -> Option<Duration> {
        let life = match self.link.is_open() {
            true => self.live.next_due(),
            false => None,
        };
        [life, self.link.next_due()].into_iter().flatten().min()
    }
}

/// Closes a connection that has no peer.
pub(crate) async fn part(link: &Link, clock: &Arc<Clock>, frame: CloseFrame) {
    let mut alarm = Alarm::new(clock);
    link.fail(frame, ClosedBy::Server);
    std::future::poll_fn(|cx| {
        link.watch(cx);
        if link.progress().over {
            return Poll::Ready(());
        }
        alarm.set(link.next_due(), cx.waker());
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn a_connection_without_a_peer_is_closed_and_dropped_in_time() {
        for reads in [true, false] {
            let clock = Arc::new(Clock::default());
            let link = Link::new(Arc::clone(&clock));
            link.accept(&Limits::default());
            link.set_reads(reads);
            let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "too many namespaces");
            block_on(async {
                let mut parting = pin!(part(&link, &clock, frame.clone()));
                let at_once = poll_once(&mut parting).await.is_some();
                assert_eq!(at_once, reads);
                if reads {
                    let seen = link.take_frame(None).ok();
                    assert_eq!(seen, Some(Frame::Close(Some(frame))));
                } else {
                    clock.step(Duration::from_secs(4));
                    assert!(poll_once(&mut parting).await.is_none());
                    clock.step(Duration::from_secs(5));
                    parting.await;
                }
            });
        }
    }
}
