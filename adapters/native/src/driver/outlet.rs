//! Where an outbox is emptied into: the stream, with the bytes on their way into it.

#[cfg(all(test, crossws_shuttle))]
mod model;

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll, Waker};

use crate::driver::task_handle::{Batch, TaskHandle};
use crate::runtime::io::Io;
use crossws_proto::sync::{Mutex, MutexGuard, thread_local};

/// Most slices in one write: a burst of small messages is one slice, a large payload two.
const SLICES: usize = 32;

/// How often a flush looks whether more was queued while it wrote.
const ROUNDS: usize = 4;

/// A connection's stream. Its own task reads and writes it. While that task sleeps, another task
/// may write publications.
pub(crate) struct Outlet<I> {
    pub(crate) io: I,
    /// Taken out of the outbox, and not yet written.
    pub(crate) writing: Batch,
    unflushed: bool,
    /// How another task's write failed. The connection's own task must learn of it.
    failed: Option<io::Error>,
}

thread_local! {
    /// How many streams this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// A stream that this thread has to itself. Foreign code may run meanwhile: the stream's, and that
/// of a subscriber of the events that the stream logs.
pub(crate) struct Held<'a, I>(MutexGuard<'a, Outlet<I>>);

impl<'a, I> Held<'a, I> {
    #[inline]
    fn new(outlet: MutexGuard<'a, Outlet<I>>) -> Self {
        HELD.with(|held| held.set(held.get() + 1));
        Self(outlet)
    }
}

impl<I> Deref for Held<'_, I> {
    type Target = Outlet<I>;

    #[inline]
    fn deref(&self) -> &Outlet<I> {
        &self.0
    }
}

impl<I> DerefMut for Held<'_, I> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Outlet<I> {
        &mut self.0
    }
}

impl<I> Drop for Held<'_, I> {
    #[inline]
    fn drop(&mut self) {
        HELD.with(|held| held.set(held.get() - 1));
    }
}

/// Holds a stream.
#[inline]
pub(crate) fn hold<I>(outlet: &Mutex<Outlet<I>>) -> Held<'_, I> {
    Held::new(outlet.lock())
}

/// Holds a stream, unless another task does. A thread that holds one waits for no other: it may be the
/// same, or another thread may wait for this one's.
fn hold_if_free<I>(outlet: &Mutex<Outlet<I>>, waits: bool) -> Option<Held<'_, I>> {
    if waits && HELD.with(Cell::get) == 0 {
        return Some(hold(outlet));
    }
    outlet.try_lock().map(Held::new)
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

    /// Writes once from the taken frames. A write of 0 bytes is an error, too.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &TaskHandle,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let written = match self.writing.only_slice() {
            Some(bytes) => self.io.poll_write_vectored(cx, &[IoSlice::new(bytes)]),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = self.writing.slices(&mut slices);
                let slices = slices.get(..count).unwrap_or_default();
                self.io.poll_write_vectored(cx, slices)
            }
        };
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

    /// Ensures that no bytes stay in an inner layer.
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
    fn write_messages(&mut self, outbox: &TaskHandle, wrote: &mut bool) -> bool {
        // Not woken for this stream: the connection's task is woken, and then polls the stream
        // itself.
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..ROUNDS {
            if self.writing.is_empty() && !outbox.take_messages(&mut self.writing) {
                return false;
            }
            if self.writing.is_empty() {
                // The task has a hook to run when the queue has drained.
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

/// The operations on an outlet whose stream's type is erased.
pub(crate) trait Flush: Send + Sync {
    /// Writes the messages that wait, in the caller's task, as far as the client takes them. The
    /// connection's task is woken for the rest and for every failure. Returns whether anything was
    /// written.
    ///
    /// Returns `None` if another task is writing right now; that task then writes these messages.
    /// With `waits`, returns `None` only where this thread is writing into a stream already: a
    /// write never waits for the client, so otherwise this call does not wait for it either.
    fn flush(&self, outbox: &TaskHandle, waits: bool) -> Option<bool>;
}

impl<I: Io> Flush for Mutex<Outlet<I>> {
    fn flush(&self, outbox: &TaskHandle, waits: bool) -> Option<bool> {
        let mut unfinished = Unfinished {
            outbox,
            done: false,
        };
        let mut wrote = false;
        let mut outlet = hold_if_free(self, waits)?;
        unfinished.done = outlet.write_messages(outbox, &mut wrote);
        Some(wrote)
    }
}

/// Wakes the connection's task for the rest, also if its stream panics.
struct Unfinished<'a> {
    outbox: &'a TaskHandle,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.outbox.wake();
        }
    }
}

#[cfg(all(test, not(crossws_shuttle)))]
mod tests {
    use std::sync::Arc;

    use crossws_core::Limits;

    use super::*;
    use crate::testing::FakeStream;

    #[test]
    fn a_thread_that_writes_into_a_stream_waits_for_none() {
        let outbox = TaskHandle::new(&Limits::default());
        let stream = FakeStream::new();
        let outlet = Arc::new(Mutex::new(Outlet::new(stream.clone())));
        // The stream's code publishes to its own connection, as a log's listener may.
        let (own, its_outbox) = (Arc::downgrade(&outlet), Arc::clone(&outbox));
        stream.wire().on_write = Some(Box::new(move || {
            let flushed = own.upgrade().unwrap().flush(&its_outbox, true);
            assert_eq!(flushed, None, "this thread is writing already");
        }));
        outbox.enqueue(1, |batch| batch.push_back(b"x", 1));
        assert_eq!(outlet.flush(&outbox, true), Some(true));
        // And later waits again.
        assert_eq!(HELD.with(Cell::get), 0);
    }
}
