//! How the handles of a peer reach its connection's task, and where its outbox is emptied into.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::Limits;
use crossws_core::adapter::sync::{Mutex, MutexGuard};
use crossws_proto::connection::Queue;
use crossws_proto::frame::ServerFrame;
use crossws_proto::outbox::{Clock, Outbox};

use crate::connection::socket::Socket;
use crate::time::clock;

pub(crate) type Batch = crossws_proto::outbox::Batch<ServerFrame>;

/// What a connection's task shares with its peer's handles: its outbox, its socket, and the bytes on
/// their way from one to the other.
pub(crate) struct TaskHandle {
    outbox: Outbox<ServerFrame, VirtualTime>,
    socket: Arc<Socket>,
    /// Taken out of the outbox, and not yet delivered.
    writing: Mutex<Batch>,
}

/// The time that the test moves.
pub(crate) struct VirtualTime(Arc<clock::Clock>);

impl Clock for VirtualTime {
    fn now(&self) -> Duration {
        self.0.now()
    }
}

impl Queue for TaskHandle {
    type Framing = ServerFrame;
    type Clock = VirtualTime;

    fn outbox(&self) -> &Outbox<ServerFrame, VirtualTime> {
        &self.outbox
    }
}

impl TaskHandle {
    pub(crate) fn new(socket: &Arc<Socket>, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            outbox: Outbox::new(limits, VirtualTime(Arc::clone(socket.clock()))),
            socket: Arc::clone(socket),
            writing: Mutex::default(),
        })
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Wakes the pump.
    pub(crate) fn wake(&self) {
        self.socket.wake_pump();
    }

    /// Locks the bytes that are on their way.
    pub(crate) fn writing(&self) -> MutexGuard<'_, Batch> {
        self.writing.lock()
    }

    /// Delivers all taken frames. Returns `false` if the client takes nothing now.
    pub(crate) fn deliver(&self, writing: &mut Batch) -> bool {
        if !self.socket.takes() {
            self.outbox.must_wait();
            return false;
        }
        let mut bytes = Vec::with_capacity(writing.bytes());
        (writing.pieces()).for_each(|piece| bytes.extend_from_slice(piece));
        writing.advance(bytes.len());
        self.socket.deliver(bytes);
        self.outbox.written(writing);
        true
    }

    /// Writes what the client takes, in the pump's place. Returns whether anything was written.
    pub(crate) fn flush(&self) -> Option<bool> {
        // Otherwise another thread writes it.
        let mut writing = self.writing.try_lock()?;
        let mut wrote = false;
        while !writing.is_empty()
            || (self.outbox.take_messages(&mut writing) && !writing.is_empty())
        {
            if !self.deliver(&mut writing) {
                break;
            }
            wrote = true;
        }
        Some(wrote)
    }
}
