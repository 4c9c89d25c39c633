//! Out: from the outbox to the stream.

use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_proto::connection::Transmit;

use super::{Link, since};
use crate::driver::outlet::{Outlet, hold};
use crate::runtime::Runtime;
use crate::runtime::io::Io;

/// Most writes in one turn, before the clock is looked at and other tasks run: other tasks may
/// publish meanwhile without an end.
const MOST_WRITES: usize = 64;

impl<I: Io, R: Runtime> Link<I, R> {
    /// Returns whether writing waits for the next poll, for which the caller wakes the task: bytes
    /// were read, and only publications wait to be written. Other ready tasks may be about to publish
    /// more, and all of it leaves in one write.
    pub(super) fn defers_write(&mut self) -> bool {
        let defers = self.connection.has_heard()
            && !self.deferred
            && self.connection.is_open()
            && self.handle().has_only_published();
        if defers {
            self.deferred = true;
            self.input.park();
        }
        defers
    }

    /// Writes what is queued, and acts on deadlines.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        self.deferred = false;
        self.input.park();
        self.transmit(cx);
        // What was read may have ended the connection, and the end of the writing may have
        // brought the next phase.
        while self.keep_time() {
            self.transmit(cx);
        }
        self.connection.end_transmit();
    }

    fn transmit(&mut self, cx: &mut Context<'_>) {
        let outlet = Arc::clone(&self.outlet);
        let outlet = &mut *hold(&outlet);
        for _ in 0..MOST_WRITES {
            let (runtime, start) = (&self.runtime, self.start);
            let now = || since(runtime, start);
            let next = self.connection.poll_transmit(&mut outlet.writing, now);
            let done = match next {
                Transmit::Nothing => return,
                Transmit::Abort => return outlet.io.abort(),
                Transmit::Write => outlet.poll_write(cx, self.connection.queue()),
                Transmit::Flush | Transmit::Shutdown => outlet.poll_flush(cx),
            };
            match (done, next) {
                (Poll::Ready(Err(_)), _) => return self.connection.write_failed(),
                (Poll::Ready(Ok(())), Transmit::Write) => self.connection.wrote(),
                (Poll::Pending, Transmit::Write) => {
                    return self.connection.write_waits(self.elapsed());
                }
                (Poll::Ready(Ok(())), Transmit::Shutdown) => return self.shut_down(outlet, cx),
                _ => return,
            }
        }
        // At once, after the other ready tasks.
        cx.waker().wake_by_ref();
    }

    fn shut_down(&mut self, outlet: &mut Outlet<I>, cx: &mut Context<'_>) {
        if self.is_dropped_in_order(outlet) {
            return self.connection.lost();
        }
        match outlet.io.poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                let unread = self.input.len();
                self.input.clear();
                self.connection.shut(unread, self.elapsed());
                self.discard(outlet);
            }
            Poll::Ready(Err(_)) => self.connection.lost(),
        }
    }

    /// Returns whether the drop that follows, and nothing before it, ends the stream so that the
    /// client reads all that was written to it and then the end (RFC 6455 section 7.1.1: the server
    /// is the first to close).
    ///
    /// To close a socket on which something is unread, or still arrives, resets the connection, and a
    /// reset destroys what is on its way to the client. Here neither is: the client's close frame was
    /// the first to be sent, nothing may follow it (section 5.5.1) but answers to pings that reach the
    /// client before our close frame does (section 5.5.2), of which none is outstanding, and this read
    /// finds nothing that did. Nor has a write had to wait for the client. What the system has taken
    /// for one that reads no more it keeps without this server, which gives up after `close_timeout`,
    /// until `TCP_USER_TIMEOUT`: see [`tune`](crate::tune). In every other case the writing side is
    /// ended and the rest read. And while a hook runs no drop follows.
    fn is_dropped_in_order(&mut self, outlet: &mut Outlet<I>) -> bool {
        if !(self.ends_on_drop && self.connection.is_settled()) {
            return false;
        }
        let read = self.fill(outlet);
        self.input.clear();
        !matches!(read, Poll::Ready(1..))
    }
}
