//! A stream without a socket: the one fake of an [`Io`], for tests and fuzz targets of what drives a
//! connection over a stream. The test plays the network and the other end.
//!
//! ```
//! use std::io::IoSlice;
//! use std::task::{Context, Waker};
//!
//! use crossws_native::Io;
//! use crossws_native::testing::FakeStream;
//!
//! let test = FakeStream::new();
//! let mut driven = test.clone();
//! let mut cx = Context::from_waker(Waker::noop());
//! let mut buf = [0; 8];
//! assert!(driven.poll_read(&mut cx, &mut buf).is_pending());
//! test.arrive("hello");
//! assert!(driven.poll_read(&mut cx, &mut buf).is_ready());
//! assert_eq!(&buf[..5], b"hello");
//!
//! // The client reads three bytes, and no more.
//! test.set_room(3);
//! assert!(driven.poll_write_vectored(&mut cx, &[IoSlice::new(b"world")]).is_ready());
//! assert!(driven.poll_write_vectored(&mut cx, &[IoSlice::new(b"ld")]).is_pending());
//! assert_eq!(test.take(), b"wor");
//! ```

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use crossws_proto::sync::{Mutex, MutexGuard};

use crate::runtime::io::{Io, take_front};

/// A stream that follows a test's script: see the [module](self). The driver of a connection has one clone,
/// and the test another.
#[derive(Clone, Default)]
pub struct FakeStream(Arc<Mutex<Wire>>);

/// What a test sees and decides of a [`FakeStream`].
#[non_exhaustive]
pub struct Wire {
    /// The chunks that have arrived. A read returns bytes of one chunk.
    pub input: VecDeque<Bytes>,
    /// Whether reads find the end after the last chunk.
    pub input_ended: bool,
    /// How many bytes one read returns at most. Default: any number.
    pub piece: usize,
    /// What was written.
    pub output: Vec<u8>,
    /// How many more bytes may be written before writes wait. Default: any number.
    pub room: usize,
    /// How many more bytes may be written before writes fail. Default: any number.
    pub passes: usize,
    /// What runs in each write before it takes bytes, until it panics. It must leave room for a byte.
    pub on_write: Option<Box<dyn FnMut() + Send>>,
    /// The number of reads, including those that had to wait.
    pub reads: usize,
    /// The number of writes that took bytes.
    pub writes: usize,
    /// Whether the writing side has ended.
    pub shut_down: bool,
    /// Whether the drop will reset the connection.
    pub aborted: bool,
    /// The task that waits for input.
    pub read_waker: Option<Waker>,
    /// The task that waits for room.
    pub write_waker: Option<Waker>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            input: VecDeque::new(),
            input_ended: false,
            piece: usize::MAX,
            output: Vec::new(),
            room: usize::MAX,
            passes: usize::MAX,
            on_write: None,
            reads: 0,
            writes: 0,
            shut_down: false,
            aborted: false,
            read_waker: None,
            write_waker: None,
        }
    }
}

impl FakeStream {
    /// Creates a stream on which nothing has arrived and which takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what the test sees and decides. The stream waits while the test holds it.
    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock()
    }

    /// Adds a chunk, if it is not empty, and wakes the task that reads.
    pub fn arrive(&self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.change(|wire| {
            if !bytes.is_empty() {
                wire.input.push_back(bytes);
            }
            wire.read_waker.take()
        });
    }

    /// Ends the other side, after what has arrived.
    pub fn end_input(&self) {
        self.change(|wire| {
            wire.input_ended = true;
            wire.read_waker.take()
        });
    }

    /// Sets how many more bytes may be written, and wakes the task that writes.
    pub fn set_room(&self, room: usize) {
        self.change(|wire| {
            wire.room = room;
            wire.write_waker.take()
        });
    }

    /// Returns what was written since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.wire().output)
    }

    /// Returns whether this is the only clone.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn change(&self, change: impl FnOnce(&mut Wire) -> Option<Waker>) {
        let waker = change(&mut self.wire());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Io for FakeStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let wire = &mut *self.wire();
        wire.reads += 1;
        let Some(chunk) = wire.input.front_mut() else {
            if wire.input_ended {
                return Poll::Ready(Ok(0));
            }
            wire.read_waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let most = buf.len().min(wire.piece);
        let count = take_front(chunk, &mut buf[..most]);
        if chunk.is_empty() {
            wire.input.pop_front();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire();
        if wire.passes == 0 {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if wire.room == 0 {
            wire.write_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some(mut on_write) = wire.on_write.take() {
            drop(wire);
            on_write();
            wire = self.wire();
            wire.on_write = Some(on_write);
        }
        wire.writes += 1;
        let mut written = 0;
        for buf in bufs {
            let count = buf.len().min(wire.room).min(wire.passes);
            wire.output.extend_from_slice(&buf[..count]);
            wire.room -= count;
            wire.passes -= count;
            written += count;
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().shut_down = true;
        Poll::Ready(Ok(()))
    }

    fn abort(&mut self) {
        self.wire().aborted = true;
    }
}

/// Counts how often a task is woken.
#[derive(Debug, Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    /// Returns how often so far.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
