use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossws_core::{BoxFuture, Closed};

use crate::client::ClientHandle;
use crate::driver::Deliver;
use crate::platform::Socket;
use crate::shared::State;

/// Messages of one turn. Then other tasks have theirs.
const TURN: u32 = 64;

/// An open connection between a client's queues and its socket.
pub(super) struct Live {
    socket: Box<dyn Socket>,
    start: Duration,
    alarm: Option<Alarm>,
}

struct Alarm {
    at: Duration,
    /// Not polled again: its first poll has registered the wake-up.
    _sleep: BoxFuture<'static, ()>,
    waker: Waker,
}

impl Live {
    pub(super) fn new(socket: Box<dyn Socket>, start: Duration) -> Self {
        Self {
            socket,
            start,
            alarm: None,
        }
    }

    /// Runs the connection. Returns how it ended.
    pub(super) fn poll<D: Deliver>(
        &mut self,
        cx: &mut Context<'_>,
        handle: &ClientHandle,
        deliver: &mut D,
    ) -> Poll<Closed> {
        let shared = handle.shared();
        let now = handle.platform().now().saturating_sub(self.start);
        let mut turn = TURN;
        loop {
            let mut ready = deliver.poll_ready(cx).is_ready();
            while turn > 0
                && let Poll::Ready(message) = self.socket.poll_message(cx, shared, ready, now)
            {
                turn -= 1;
                if let Some(message) = shared.pending.take(handle.form(), message) {
                    deliver.deliver(message);
                }
                ready = deliver.poll_ready(cx).is_ready();
            }
            let closing = shared.lock().closing.is_some();
            let takes = self.socket.poll_write(cx, shared, now).is_ready();
            if let Some(closed) = self.socket.closed() {
                return Poll::Ready(closed);
            }
            let deadline = self.socket.poll_timeout(now);
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.socket.handle_timeout(now);
                continue;
            }
            let rang = !self.set_alarm(cx, handle, now, deadline);
            if self.socket.end_turn() || turn == 0 || rang {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let busy = |state: &State| {
                (takes && !state.out.is_empty())
                    || state.closing.is_some() != closing
                    || (!ready && state.has_new_room)
            };
            if shared.park(cx, busy) {
                return Poll::Pending;
            }
            shared.unpark();
        }
    }

    /// Sets the alarm to the next deadline. Returns `false` if it went off at once.
    fn set_alarm(
        &mut self,
        cx: &mut Context<'_>,
        handle: &ClientHandle,
        now: Duration,
        deadline: Option<Duration>,
    ) -> bool {
        let Some(next) = deadline else {
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
