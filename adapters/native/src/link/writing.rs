//! Out: from the outbox to the socket.

use std::io::IoSlice;
use std::task::{Context, Poll};

use bytes::BytesMut;
use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy};

use super::{Link, Phase};
use crate::io::Io;
use crate::outbox::Taken;
use crate::runtime::Runtime;
use crate::timer::later;

/// Most slices in one write: a burst of small messages is one slice, a large payload two.
const SLICES: usize = 32;

impl<I: Io, R: Runtime> Link<I, R> {
    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        loop {
            match self.phase {
                Phase::Lingering { .. } if self.outbox.urgent().terminated => {
                    self.io.abort();
                    self.phase = Phase::Done;
                    return;
                }
                Phase::Lingering { .. } | Phase::Done => return,
                _ => {}
            }
            self.load();
            if matches!(self.phase, Phase::Done) {
                return;
            }
            if self.writing.is_empty() {
                self.stalled = None;
                if std::mem::take(&mut self.ping_due) {
                    self.liveness.pinged(self.elapsed());
                }
                if self.poll_flush(cx) && matches!(self.phase, Phase::Flushing { .. }) {
                    self.end_writing(cx);
                }
                return;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.writing.slices(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            match self.io.poll_write_vectored(cx, slices) {
                Poll::Pending => {
                    self.stalled.get_or_insert(self.runtime.now());
                    return;
                }
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return self.lost(),
                Poll::Ready(Ok(count)) => {
                    self.writing.advance(count);
                    self.outbox.written(&self.writing);
                    self.unflushed = true;
                    self.stalled = None;
                    self.age_said = false;
                    if let Some(lifeline) = &self.lifeline {
                        lifeline.drained();
                    }
                }
            }
        }
    }

    /// Takes what is queued, when everything taken before is written, and acts on what the
    /// outbox has to say.
    pub(super) fn load(&mut self) {
        if !self.writing.is_empty() {
            let urgent = self.outbox.urgent();
            self.heed(&urgent);
            if urgent.overflowed {
                // The frame that has begun is finished; its successors are gone, and the close
                // frame follows.
                let lost = self.writing.keep_begun();
                self.outbox.written(&self.writing);
                tracing::debug!(lost, "discarded what a slow consumer had not taken");
            }
        }
        if self.writing.is_empty() && !matches!(self.phase, Phase::Done) {
            let taken = self.outbox.take(&mut self.writing);
            self.heed(&taken);
        }
    }

    fn heed(&mut self, taken: &Taken) {
        if taken.terminated {
            self.end(Closed::lost(ClosedBy::Server));
            self.io.abort();
            self.phase = Phase::Done;
        } else if taken.overflowed {
            let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
            self.end(Closed::by_us(&frame, ClosedBy::Server, false));
            self.forget_inbound();
            self.flush_and_end();
        } else if let (Some(frame), Phase::Open | Phase::Violated { .. }) =
            (&taken.close, &self.phase)
        {
            self.forget_inbound();
            self.phase = Phase::Closing {
                frame: frame.clone(),
                deadline: later(self.runtime.now(), self.limits.close_timeout),
            };
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.unflushed {
            match self.io.poll_flush(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => {
                    self.lost();
                    return false;
                }
            }
        }
        true
    }

    fn end_writing(&mut self, cx: &mut Context<'_>) {
        match self.io.poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                self.phase = Phase::Lingering {
                    deadline: later(self.runtime.now(), self.limits.close_timeout),
                    read: self.backlog.len(),
                };
                self.backlog = BytesMut::new();
                self.linger();
            }
            Poll::Ready(Err(_)) => self.phase = Phase::Done,
        }
    }
}
