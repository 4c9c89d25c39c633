//! Out: from the outbox to the socket.

use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy};

use super::{Link, Phase};
use crate::driver::outlet::{Outlet, hold};
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crossws_proto::outbox::Taken;

/// Most writes in one turn, before the clock is looked at and other tasks run: other tasks may
/// publish meanwhile without an end.
const MOST_WRITES: usize = 64;

impl<I: Io, R: Runtime> Link<I, R> {
    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        let outlet = Arc::clone(&self.outlet);
        let outlet = &mut *hold(&outlet);
        for _ in 0..MOST_WRITES {
            match self.phase {
                Phase::Lingering { .. } if self.outbox.urgent().terminated => {
                    outlet.io.abort();
                    self.phase = Phase::Done;
                    return;
                }
                Phase::Broken | Phase::Lingering { .. } | Phase::Done => return,
                _ => {}
            }
            self.load(outlet);
            if matches!(self.phase, Phase::Done) {
                return;
            }
            if outlet.writing.is_empty() {
                self.not_late(|late| late.stalled = None);
                if std::mem::take(&mut self.ping_due) {
                    self.liveness.pinged(self.ping_arrives());
                }
                match outlet.poll_flush(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) if matches!(self.phase, Phase::Flushing { .. }) => {
                        self.end_writing(outlet, cx);
                    }
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => self.broken(),
                }
                return;
            }
            match outlet.poll_write(cx, &self.outbox) {
                Poll::Pending => {
                    let elapsed = self.elapsed();
                    let late = self.late();
                    late.stalled.get_or_insert(elapsed);
                    late.slow = true;
                    if let Phase::Flushing { settled, .. } = &mut self.phase {
                        *settled = false;
                    }
                    return;
                }
                Poll::Ready(Err(_)) => return self.broken(),
                Poll::Ready(Ok(())) => {
                    self.not_late(|late| {
                        late.stalled = None;
                        late.age_said = false;
                    });
                    self.wrote = true;
                }
            }
        }
        // At once, after the other ready tasks.
        cx.waker().wake_by_ref();
    }

    /// Takes the queued frames once everything taken before is written, and acts on the outbox's
    /// other news.
    pub(super) fn load(&mut self, outlet: &mut Outlet<I>) {
        if !outlet.writing.is_empty() {
            let urgent = self.outbox.urgent();
            self.heed(&urgent, outlet);
            if urgent.overflowed {
                // The frame that has begun is finished; the frames after it are discarded, and the
                // close frame follows.
                let lost = outlet.writing.keep_begun();
                self.outbox.discarded(lost, &outlet.writing);
            }
        }
        if outlet.writing.is_empty() && !matches!(self.phase, Phase::Done) {
            let taken = self.outbox.take(&mut outlet.writing);
            self.heed(&taken, outlet);
        }
    }

    fn heed(&mut self, taken: &Taken, outlet: &mut Outlet<I>) {
        if taken.terminated {
            self.end(Closed::lost(ClosedBy::Server));
            outlet.io.abort();
            self.phase = Phase::Done;
        } else if taken.overflowed {
            let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
            self.end(Closed::by_us(&frame, ClosedBy::Server, false));
            self.inbound.clear();
            self.flush_and_end();
        } else if let Some(frame) = &taken.close {
            match self.phase {
                Phase::Open => {
                    self.inbound.clear();
                    self.phase = Phase::Closing {
                        frame: Box::new(frame.clone()),
                        deadline: self.close_deadline(),
                    };
                }
                // The client's further bytes cannot be decoded, its answers neither.
                Phase::Violated { .. } => {
                    self.inbound.clear();
                    self.end(Closed::by_us(frame, ClosedBy::Server, false));
                    self.flush_and_end();
                }
                _ => {}
            }
        }
    }

    fn end_writing(&mut self, outlet: &mut Outlet<I>, cx: &mut Context<'_>) {
        if self.is_dropped_in_order(outlet) {
            self.phase = Phase::Done;
            return;
        }
        match outlet.io.poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                self.phase = Phase::Lingering {
                    deadline: self.close_deadline(),
                    read: self.input.len(),
                };
                self.input.clear();
                self.linger(outlet);
            }
            Poll::Ready(Err(_)) => self.phase = Phase::Done,
        }
    }
}
