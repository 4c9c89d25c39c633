//! In: from the stream through the input to the decoder.

use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_core::Message;
use crossws_proto::connection::Step;
use futures_task::waker_ref;

use super::{Link, since};
use crate::driver::outlet::{Outlet, hold};
use crate::runtime::Runtime;
use crate::runtime::io::Io;

impl<I: Io, R: Runtime> Link<I, R> {
    /// As [`decode`](Self::decode), for the most frequent case: a short message before which nothing
    /// waits.
    #[inline(always)]
    pub(crate) fn next_message(&mut self) -> Option<Message> {
        // Not by a closure, which the compiler would call.
        let mut rest = self.input.bytes();
        let message = self.connection.next_message(&mut rest)?;
        let left = rest.len();
        self.input.keep(left);
        Some(message)
    }

    /// Returns the next step in the bytes that have been read, if there is one.
    pub(super) fn decode(&mut self) -> Option<Step> {
        if self.connection.is_idle() {
            return None;
        }
        let (runtime, start) = (&self.runtime, self.start);
        let connection = &mut self.connection;
        self.input
            .consume(|input| connection.next(input, || since(runtime, start)))
    }

    /// Reads once, while no hook runs. Returns whether that may bring a step for a hook.
    pub(super) fn read(&mut self) -> bool {
        if self.connection.has_waiting() {
            // The messages wait for the client, which may still ping, answer and leave.
            self.read_ahead();
            return false;
        }
        self.linger();
        let read = self.read_once();
        self.connection.tell();
        read
    }

    /// Reads and decodes while a hook runs, until enough messages wait for the next hooks.
    pub(super) fn read_ahead(&mut self) {
        self.linger();
        loop {
            let (runtime, start) = (&self.runtime, self.start);
            let connection = &mut self.connection;
            let now = || since(runtime, start);
            let decoded = self
                .input
                .consume(|input| connection.read_ahead(input, now));
            if !(decoded && self.read_once()) {
                break;
            }
        }
        self.connection.tell();
    }

    /// Reads once. Returns whether there is anything to decode.
    fn read_once(&mut self) -> bool {
        if !self.connection.wants_read() {
            return false;
        }
        if !self.handle().take_readable() && !self.connection.must_read() {
            return false;
        }
        match self.fill(&mut hold(&Arc::clone(&self.outlet))) {
            Poll::Pending => {
                self.connection.read_nothing();
                false
            }
            Poll::Ready(0) => {
                self.connection.lost();
                false
            }
            Poll::Ready(_) => {
                // The stream wakes the task only after a read has found nothing: there may be more.
                self.handle().set_readable();
                self.connection.received();
                true
            }
        }
    }

    /// Reads and discards, after our end, until the client ends too.
    fn linger(&mut self) {
        if self.connection.is_lingering() {
            self.discard(&mut hold(&Arc::clone(&self.outlet)));
        }
    }

    pub(super) fn discard(&mut self, outlet: &mut Outlet<I>) {
        while self.connection.wants_discard() {
            self.handle().take_readable();
            let read = self.fill(outlet);
            self.input.clear();
            match read {
                Poll::Pending => return,
                Poll::Ready(0) => self.connection.lost(),
                Poll::Ready(count) => self.connection.discarded(count),
            }
        }
        // The turn is over, and there may be more.
        self.handle().set_readable();
    }

    /// Fills the input with one read. Returns 0 if the stream ended or failed.
    pub(super) fn fill(&mut self, outlet: &mut Outlet<I>) -> Poll<usize> {
        let waker = waker_ref(self.connection.queue());
        let mut cx = Context::from_waker(&waker);
        let read = self.input.fill(|room| outlet.io.poll_read(&mut cx, room));
        read.map(Result::unwrap_or_default)
    }
}
