//! Where an outbox is emptied into: the stream, with what is on its way into it.

#[cfg(all(test, crossws_shuttle))]
mod model;

use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};

use crate::batch::Batch;
use crate::io::Io;
use crate::outbox::Outbox;
use crate::sync::Mutex;

/// Most slices in one write: a burst of small messages is one slice, a large payload two.
const SLICES: usize = 32;

/// How often a flush looks whether more was queued while it wrote.
const ROUNDS: usize = 4;

/// A connection's stream. Its own task reads and writes it; what is published while that sleeps,
/// another may write.
pub(crate) struct Outlet<I> {
    pub(crate) io: I,
    /// Taken out of the outbox, and not yet written.
    pub(crate) writing: Batch,
    unflushed: bool,
    /// How a write failed that another task tried: the connection's own has to know.
    failed: Option<io::Error>,
}

impl<I: Io> Outlet<I> {
    pub(crate) fn new(io: I) -> Self {
        Self {
            io,
            writing: Batch::default(),
            unflushed: false,
            failed: None,
        }
    }

    /// Writes once from what was taken. An answer of 0 is an error, too.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &Outbox,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.writing.slices(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        let written = self.io.poll_write_vectored(cx, slices);
        if written.is_pending() {
            outbox.must_wait();
        }
        written.map(|written| {
            match written? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.writing.advance(count),
            }
            outbox.written(&self.writing);
            self.unflushed = true;
            Ok(())
        })
    }

    /// Sees to it that nothing stays in an inner layer.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if self.unflushed {
            std::task::ready!(self.io.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes and writes messages. Returns whether all is done and the connection's task may sleep on.
    fn write_messages(&mut self, outbox: &Outbox, wrote: &mut bool) -> bool {
        // Not woken for this stream: the connection's task is, which then asks for it itself.
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..ROUNDS {
            if self.writing.is_empty() && !outbox.take_messages(&mut self.writing) {
                return false;
            }
            if self.writing.is_empty() {
                // The task has a hook to run when what had piled up is gone.
                return !outbox.has_piled_up();
            }
            let mut written = self.poll_write(cx, outbox);
            if matches!(written, Poll::Ready(Ok(()))) {
                *wrote = true;
                written = self.poll_flush(cx);
            }
            match written {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    outbox.must_wait();
                    self.failed = Some(error);
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        false
    }
}

/// What is asked of an outlet whose stream's type is not known.
pub(crate) trait Flush: Send + Sync {
    /// Writes the messages that wait, in the caller's task, as far as the client takes them; the rest,
    /// and every failure, is left to the connection's task, which is woken for it. Returns whether
    /// anything was written.
    ///
    /// If another task is writing right now, that one is left to it, unless this `waits`: a write never
    /// waits for the client, so neither does this.
    fn flush(&self, outbox: &Outbox, waits: bool) -> bool;
}

impl<I: Io> Flush for Mutex<Outlet<I>> {
    fn flush(&self, outbox: &Outbox, waits: bool) -> bool {
        let mut unfinished = Unfinished {
            outbox,
            done: false,
        };
        let mut wrote = false;
        let outlet = if waits {
            Some(self.lock())
        } else {
            self.try_lock()
        };
        if let Some(mut outlet) = outlet {
            unfinished.done = outlet.write_messages(outbox, &mut wrote);
        }
        wrote
    }
}

/// Wakes the connection's task for what is left, also if its stream panics.
struct Unfinished<'a> {
    outbox: &'a Outbox,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.outbox.wake_pump();
        }
    }
}
