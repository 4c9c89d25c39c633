//! The server's side of a socket: drives a connection concurrently with hooks, in virtual time.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use crossws_core::adapter::Accepted;
use crossws_core::{CloseFrame, Hooks, Hub};
use crossws_proto::connection::{Connection, Queue, Step, Transmit};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::Role;
use crossws_proto::handshake::Agreed;
use crossws_proto::sync::Mutex;

use crate::connection::hook;
use crate::connection::task_handle::TaskHandle;
use crate::time::chance::Chance;
use crate::time::clock::Alarm;

/// Serves one connection while its hooks run: reads, writes, heartbeats, closes.
pub(crate) struct Link {
    pub(crate) connection: Connection<TaskHandle>,
    /// Bytes that were read and are not decoded yet.
    input: BytesMut,
    /// When the connection began.
    start: Duration,
    alarm: Alarm,
    chance: Chance,
}

impl Link {
    /// Creates the link of an accepted upgrade, with what its handshake has agreed on, and with the
    /// connection's own compression context, if it may have one.
    pub(crate) fn new<H: Hooks + ?Sized>(
        handle: Arc<TaskHandle>,
        accepted: &Accepted<H>,
        agreed: Agreed,
        deflater: Option<Arc<Mutex<Deflater>>>,
        chance: Chance,
    ) -> Self {
        let clock = handle.socket().clock();
        let (start, alarm) = (clock.now(), Alarm::new(clock));
        let decoder = agreed.into_decoder(Role::Server, &accepted.settings().limits);
        let mut connection = Connection::new(handle, accepted, decoder);
        connection.compress_in(deflater);
        Self {
            connection,
            input: BytesMut::new(),
            start,
            alarm,
            chance,
        }
    }

    /// Closes a connection that has no peer.
    pub(crate) fn refuse(&mut self, frame: CloseFrame) {
        self.connection.refuse(frame, self.now());
    }

    pub(crate) fn hub(&self) -> Hub {
        self.connection.hub().clone()
    }

    /// Runs a hook to its end, and the connection concurrently.
    pub(crate) async fn alongside<F: Future>(&mut self, hook: F) -> F::Output {
        let mut hook = pin!(hook);
        let mut pauses = self.chance.pauses();
        let hub = self.hub();
        std::future::poll_fn(|cx| {
            self.turn(cx);
            if let Some(left) = pauses.checked_sub(1) {
                pauses = left;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // A message of the hook wakes this again, so that it is written while the hook waits.
            hook::polled(&hub, || hook.as_mut().poll(cx))
        })
        .await
    }

    /// Returns the next step for the hooks. While the client does not read its replies, its messages
    /// wait.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        self.turn(cx);
        let step = self.decode(|connection, input, now| connection.next(input, || now));
        step.map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits until the client has taken the last frame, or the time for it is over.
    pub(crate) async fn finish(&mut self) {
        std::future::poll_fn(|cx| {
            self.turn(cx);
            match self.connection.is_over() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Does everything that can be done now, and arranges a wake-up for the rest.
    fn turn(&mut self, cx: &mut Context<'_>) {
        self.handle().socket().watch(cx);
        self.handle().outbox().stay_awake();
        let due = loop {
            let read = self.read();
            self.connection.tell();
            let wrote = self.write();
            let now = self.now();
            let handle = Arc::clone(self.handle());
            let deadline = self
                .connection
                .poll_timeout(now, || handle.socket().clock().wall());
            let is_due = deadline.is_some_and(|deadline| deadline <= now);
            if is_due {
                self.connection.handle_timeout(now);
            }
            self.connection.end_transmit();
            self.connection.end_turn();
            if self.connection.is_over() {
                // A stream that must be dropped at once is.
                self.write();
                self.handle().socket().end();
                break None;
            }
            if !read && !wrote && !is_due {
                break deadline;
            }
        };
        let due = due.map(|due| self.start.saturating_add(due));
        self.alarm.set(due, cx.waker());
    }

    /// Decodes what arrived, until enough messages wait for the next hooks. Returns whether there was
    /// anything.
    fn read(&mut self) -> bool {
        let mut any = false;
        loop {
            let decoded =
                self.decode(|connection, input, now| connection.read_ahead(input, || now));
            if !self.connection.wants_read() {
                return any;
            }
            let vanished = self.handle().socket().vanished();
            if !decoded && !vanished {
                return any;
            }
            let received = self.handle().socket().receive();
            if !received.is_empty() {
                self.connection.received();
            }
            self.input.unsplit(received);
            if vanished && (!decoded || self.input.is_empty()) {
                // Nothing can be written any more. What it sent still reaches hooks.
                self.connection.ended();
                return any;
            }
            if self.input.is_empty() {
                return any;
            }
            any = true;
        }
    }

    /// Lets the connection decode some of the input.
    fn decode<T>(
        &mut self,
        decode: impl FnOnce(&mut Connection<TaskHandle>, &mut &mut [u8], Duration) -> T,
    ) -> T {
        let now = self.now();
        let mut rest = &mut self.input[..];
        let decoded = decode(&mut self.connection, &mut rest, now);
        let left = rest.len();
        self.input.advance(self.input.len() - left);
        decoded
    }

    /// Writes what the client takes. Returns whether anything was written.
    fn write(&mut self) -> bool {
        let handle = Arc::clone(self.handle());
        let mut writing = handle.writing();
        let mut any = false;
        loop {
            let now = self.now();
            match self.connection.poll_transmit(&mut writing, || now) {
                Transmit::Write if handle.deliver(&mut writing) => {
                    self.connection.wrote();
                    any = true;
                }
                Transmit::Write => {
                    self.connection.ping_taken(now);
                    self.connection.write_waits(now);
                    return any;
                }
                Transmit::Shutdown => {
                    // The client has everything.
                    self.connection.lost();
                    return true;
                }
                Transmit::Flush | Transmit::Abort | Transmit::Nothing => return any,
            }
        }
    }

    fn handle(&self) -> &Arc<TaskHandle> {
        self.connection.queue()
    }

    /// Returns the connection's time.
    fn now(&self) -> Duration {
        let now = self.handle().socket().clock().now();
        now.saturating_sub(self.start)
    }
}
