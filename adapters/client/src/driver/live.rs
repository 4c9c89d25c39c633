use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::{BoxFuture, CloseCode, CloseFrame, Closed, ClosedBy, Limits};

use crate::client::ClientHandle;
use crate::driver::Deliver;
use crate::platform::{Event, Socket};
use crate::shared::Out;

/// Events of one turn. Then other tasks have theirs.
const TURN: u32 = 64;

/// An open connection: what arrives, what is sent, and when it is over.
pub(super) struct Live {
    socket: Box<dyn Socket>,
    limits: Limits,
    /// When data last arrived, and how much had arrived then.
    heard: Duration,
    received: u64,
    /// When the next ping is due.
    ping: Option<Duration>,
    /// When the ping that nothing has answered yet was sent.
    pinged: Option<Duration>,
    /// When the message that is arriving began.
    begun: Option<Duration>,
    /// When a write last made progress, while one waits.
    blocked: Option<(u64, Duration)>,
    /// The control frames of a second.
    controls: (Duration, usize),
    close: Close,
    alarm: Option<Alarm>,
}

/// How far the closing handshake is (RFC 6455 section 7).
#[derive(Debug)]
enum Close {
    Open,
    /// This side has begun: its frame, and the time until which the server may answer.
    Begun {
        frame: CloseFrame,
        until: Duration,
    },
    /// Both sides have sent a frame. The server ends the connection.
    Done {
        closed: Closed,
        until: Duration,
    },
}

struct Alarm {
    at: Duration,
    /// Not polled again: its first poll has registered the wake-up.
    _sleep: BoxFuture<'static, ()>,
    waker: Waker,
}

impl Live {
    pub(super) fn new(
        socket: Box<dyn Socket>,
        limits: &Limits,
        handle: &ClientHandle,
        now: Duration,
    ) -> Self {
        let mut live = Self {
            socket,
            limits: limits.clone(),
            heard: now,
            received: 0,
            ping: None,
            pinged: None,
            begun: None,
            blocked: None,
            controls: (now, 0),
            close: Close::Open,
            alarm: None,
        };
        live.plan_ping(handle, now);
        live
    }

    /// Runs the connection. Returns how it ended.
    pub(super) fn poll<D: Deliver>(
        &mut self,
        cx: &mut Context<'_>,
        handle: &ClientHandle,
        mut deliver: Pin<&mut D>,
    ) -> Poll<Closed> {
        let now = handle.platform().now();
        let mut turn = TURN;
        loop {
            self.begin_close(handle, now);
            let mut ready = deliver.as_mut().poll_ready(cx, handle).is_ready();
            while turn > 0 && (ready || self.discards()) {
                let Poll::Ready(event) = self.socket.poll_event(cx) else {
                    break;
                };
                turn -= 1;
                self.heard = now;
                match event {
                    Event::Message(message) => {
                        let form = handle.form();
                        if let Some(message) = handle.shared().calls.take(form, message)
                            && ready
                        {
                            deliver.as_mut().deliver(handle, message);
                        }
                    }
                    Event::End => return Poll::Ready(self.end(cx, handle)),
                    event => self.control(event, handle, now),
                }
                ready = deliver.as_mut().poll_ready(cx, handle).is_ready();
            }
            match self.socket.poll_write(cx, handle.shared()) {
                Poll::Ready(Ok(())) => self.blocked = None,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "a client cannot write");
                    return Poll::Ready(self.closed(ClosedBy::Network));
                }
                Poll::Pending => {
                    let written = self.socket.written();
                    if self.blocked.is_none_or(|(before, _)| before != written) {
                        self.blocked = Some((written, now));
                    }
                }
            }
            if let Some(closed) = self.check_time(handle, now) {
                return Poll::Ready(closed);
            }
            if turn == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.set_alarm(cx, handle, now) {
                // Its time has come meanwhile.
                cx.waker().wake_by_ref();
            }
            let (blocked, open) = (self.blocked.is_some(), matches!(self.close, Close::Open));
            let busy = |state: &crate::shared::State| {
                (!blocked && !state.out.is_empty())
                    || (open && state.closing.is_some())
                    || (!ready && state.has_new_room)
            };
            if handle.shared().park(cx, busy) {
                return Poll::Pending;
            }
            handle.shared().unpark();
        }
    }

    /// Returns whether messages that have no room are dropped: the client waits for the end, and reads
    /// no messages meanwhile.
    fn discards(&self) -> bool {
        !matches!(self.close, Close::Open)
    }

    /// Begins the close that a handle has asked for.
    fn begin_close(&mut self, handle: &ClientHandle, now: Duration) {
        if !matches!(self.close, Close::Open) {
            return;
        }
        // Released before the frame is queued, which takes the lock again.
        let asked = handle.shared().lock().closing.clone();
        if let Some(frame) = asked {
            self.send_close(frame, handle, now);
        }
    }

    fn send_close(&mut self, frame: CloseFrame, handle: &ClientHandle, now: Duration) {
        let payload = frame.has_code().then(|| frame.clone());
        handle.shared().push_control(Out::Close(payload));
        let until = now.saturating_add(self.limits.close_timeout);
        self.close = Close::Begun { frame, until };
    }

    fn control(&mut self, event: Event, handle: &ClientHandle, now: Duration) {
        match event {
            Event::Ping(data) => {
                self.count_control(handle, now);
                if matches!(self.close, Close::Open) && self.limits.auto_pong {
                    handle.shared().push_control(Out::Pong(data));
                }
            }
            Event::Pong => self.count_control(handle, now),
            Event::Close(frame) => {
                let until = now.saturating_add(self.limits.close_timeout);
                let closed = match &self.close {
                    Close::Begun { frame, .. } => Closed::by_us(frame, ClosedBy::Client, true),
                    _ => {
                        handle.shared().push_control(Out::Close(frame.clone()));
                        let mut closed = Closed::by_client(frame.as_ref());
                        closed.by = ClosedBy::Server;
                        closed
                    }
                };
                self.close = Close::Done { closed, until };
            }
            Event::Violation(frame) if matches!(self.close, Close::Open) => {
                tracing::debug!(%frame, "a server broke a rule");
                self.send_close(frame, handle, now);
            }
            Event::Violation(_) | Event::Message(_) | Event::End => {}
        }
    }

    fn count_control(&mut self, handle: &ClientHandle, now: Duration) {
        let (since, count) = &mut self.controls;
        if now.saturating_sub(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if !self.limits.max_control_rate.allows(*count) && matches!(self.close, Close::Open) {
            let frame = CloseFrame::new(CloseCode::POLICY, "too many control frames");
            self.send_close(frame, handle, now);
        }
    }

    /// Nothing more arrives. What must still be written is tried once.
    fn end(&mut self, cx: &mut Context<'_>, handle: &ClientHandle) -> Closed {
        let _ = self.socket.poll_write(cx, handle.shared());
        self.closed(ClosedBy::Network)
    }

    /// Returns how the connection ended, if it is over now.
    fn closed(&mut self, by: ClosedBy) -> Closed {
        match std::mem::replace(&mut self.close, Close::Open) {
            Close::Open => Closed::lost(by),
            Close::Begun { frame, .. } => Closed::by_us(&frame, ClosedBy::Client, false),
            Close::Done { closed, .. } => closed,
        }
    }

    fn plan_ping(&mut self, handle: &ClientHandle, now: Duration) {
        if !self.socket.can_ping() {
            return;
        }
        self.ping = self.limits.ping_interval.map(|interval| {
            // From 90 % to 110 %, so that clients do not ping at the same moment.
            let tenth = interval / 10;
            let share = (handle.platform().random() >> 44) as u32;
            let spread = tenth
                .saturating_mul(2)
                .mul_f64(f64::from(share) / f64::from(1 << 20));
            now.saturating_add((interval - tenth).saturating_add(spread))
        });
    }

    /// Does what is due. Returns how the connection ended if its time is over.
    fn check_time(&mut self, handle: &ClientHandle, now: Duration) -> Option<Closed> {
        let received = self.socket.received();
        if received != self.received {
            self.received = received;
            self.heard = now;
        }
        match self.socket.is_inside_message() {
            true => {
                self.begun.get_or_insert(now);
            }
            false => self.begun = None,
        }
        if let Close::Begun { until, .. } | Close::Done { until, .. } = &self.close {
            return (now >= *until).then(|| self.closed(ClosedBy::Timeout));
        }
        if self.pinged.is_some_and(|pinged| self.heard >= pinged) {
            self.pinged = None;
        }
        if self.due().is_some_and(|due| now >= due) {
            tracing::debug!("a client's connection is silent, and taken for lost");
            return Some(Closed::lost(ClosedBy::Timeout));
        }
        if self.slow_message().is_some_and(|due| now >= due) {
            let frame = CloseFrame::new(CloseCode::TIMEOUT, "message too slow");
            self.send_close(frame, handle, now);
        }
        if self.ping.is_some_and(|ping| now >= ping) {
            handle.shared().push_control(Out::Ping(Bytes::new()));
            // A pong that has arrived in this turn answers an earlier ping.
            self.pinged
                .get_or_insert(now.saturating_add(Duration::from_nanos(1)));
            self.plan_ping(handle, now);
        }
        None
    }

    /// Returns when the connection is taken for lost.
    fn due(&self) -> Option<Duration> {
        let pong = self
            .pinged
            .map(|at| at.saturating_add(self.limits.pong_timeout));
        let age = self.limits.max_queue_age;
        let write = self
            .blocked
            .zip(age)
            .map(|((_, since), age)| since.saturating_add(age));
        pong.into_iter().chain(write).min()
    }

    fn slow_message(&self) -> Option<Duration> {
        let (begun, most) = self.begun.zip(self.limits.message_timeout)?;
        Some(begun.saturating_add(most))
    }

    /// Sets the alarm to the next deadline. Returns `false` if it went off at once.
    fn set_alarm(&mut self, cx: &mut Context<'_>, handle: &ClientHandle, now: Duration) -> bool {
        let next = match &self.close {
            Close::Begun { until, .. } | Close::Done { until, .. } => Some(*until),
            Close::Open => {
                let all = [self.due(), self.slow_message(), self.ping];
                all.into_iter().flatten().min()
            }
        };
        let Some(next) = next else {
            self.alarm = None;
            return true;
        };
        // A deadline that moves away does not move the alarm: the wake-up sets it again.
        let is_set = self.alarm.as_ref().is_some_and(|alarm| {
            alarm.at <= next && alarm.at > now && alarm.waker.will_wake(cx.waker())
        });
        if is_set {
            return true;
        }
        let mut sleep = handle.platform().sleep(next.saturating_sub(now));
        let pending = sleep.as_mut().poll(cx).is_pending();
        self.alarm = Some(Alarm {
            at: next,
            _sleep: sleep,
            waker: cx.waker().clone(),
        });
        pending
    }
}
