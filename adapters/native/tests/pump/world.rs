//! A simulated socket, a clock and a connection between them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crossws_core::{Closed, Deflate, Hooks, HooksBuilder, Hub, Limits, Upgrade, hooks};
use crossws_native::{HeadLimits, Io, Runtime, StreamInfo, serve_stream};

pub(crate) const REQUEST: &[u8] =
    b"GET /room HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Encodes one masked client frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    let masked = payload.iter().zip([1, 2, 3, 4].iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Waits until this is true. The connection is polled by hand, so no task is woken.
pub(crate) fn until(holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    poll_fn(move |_| match holds() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}

/// Both ends of a simulated socket, and the clock.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) now: Duration,
    /// Bytes on their way to the server, one chunk per read.
    pub(crate) input: VecDeque<Vec<u8>>,
    pub(crate) input_ended: bool,
    /// The bytes that the server wrote, and how many more it may write.
    pub(crate) output: Vec<u8>,
    pub(crate) room: usize,
    pub(crate) shut_down: bool,
    pub(crate) aborted: bool,
    /// Whether every write fails.
    pub(crate) broken: bool,
    /// What other tasks do while the server writes.
    pub(crate) meanwhile: Option<Box<dyn Fn() + Send>>,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    pub(crate) read_waker: Option<Waker>,
    pub(crate) write_waker: Option<Waker>,
}

#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>, Instant);

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl Io for Shared {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut world = self.world();
        world.reads += 1;
        if let Some(chunk) = world.input.pop_front() {
            buf[..chunk.len()].copy_from_slice(&chunk);
            return Poll::Ready(Ok(chunk.len()));
        }
        if world.input_ended {
            return Poll::Ready(Ok(0));
        }
        world.read_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut world = self.world();
        if world.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if world.room == 0 {
            world.write_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        world.writes += 1;
        let mut written = 0;
        for buf in bufs {
            let count = buf.len().min(world.room);
            world.output.extend_from_slice(&buf[..count]);
            world.room -= count;
            written += count;
        }
        if let Some(meanwhile) = world.meanwhile.take() {
            drop(world);
            meanwhile();
            self.world().meanwhile = Some(meanwhile);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.world().shut_down = true;
        Poll::Ready(Ok(()))
    }

    fn abort(&mut self) {
        self.world().aborted = true;
    }
}

/// Ready when the clock has advanced far enough. The test polls by hand, so no task is woken.
pub(crate) struct Sleep(Shared, Duration);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.world().now >= self.1 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Runtime for Shared {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        let at = self.world().now + duration;
        Sleep(self.clone(), at)
    }

    fn now(&self) -> Instant {
        self.1 + self.world().now
    }
}

pub(crate) struct Wakes(pub(crate) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A connection that the test polls.
pub(crate) struct Connection {
    pub(crate) shared: Shared,
    pub(crate) hub: Hub,
    pub(crate) task: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(crate) over: bool,
    pub(crate) wakes: Arc<Wakes>,
}

impl Connection {
    /// Opens a connection, and removes the 101 from its output.
    pub(crate) fn open(hooks: impl Hooks, limits: Limits) -> Self {
        Self::open_as(hooks, limits, StreamInfo::default())
    }

    pub(crate) fn open_as(hooks: impl Hooks, limits: Limits, info: StreamInfo) -> Self {
        Self::new_as(hooks, limits, info).opened()
    }

    /// Opens a connection of the same hub.
    pub(crate) fn open_beside(&self, hooks: impl Hooks) -> Self {
        Self::new_in(self.hub.clone(), hooks, StreamInfo::default()).opened()
    }

    fn opened(mut self) -> Self {
        self.receive(REQUEST);
        assert!(self.take().starts_with(b"HTTP/1.1 101"));
        self
    }

    /// Opens a connection whose messages may be compressed.
    pub(crate) fn compressed(hooks: HooksBuilder, config: Deflate) -> Self {
        let hooks = hooks.on_upgrade(move |_| async move { Ok(Upgrade::new().deflate(config)) });
        let mut connection = Self::new(hooks, Limits::default());
        let headers = REQUEST.strip_suffix(b"\r\n").unwrap();
        let offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        connection.receive(&[headers, offer].concat());
        assert!(connection.take().starts_with(b"HTTP/1.1 101"));
        connection
    }

    pub(crate) fn new(hooks: impl Hooks, limits: Limits) -> Self {
        Self::new_as(hooks, limits, StreamInfo::default())
    }

    pub(crate) fn new_as(hooks: impl Hooks, limits: Limits, info: StreamInfo) -> Self {
        let hub = Hub::builder().limits(limits).build();
        Self::new_in(hub, hooks, info)
    }

    fn new_in(hub: Hub, hooks: impl Hooks, info: StreamInfo) -> Self {
        let shared = Shared(Arc::default(), Instant::now());
        shared.world().room = usize::MAX;
        let (io, runtime, its_hub) = (shared.clone(), shared.clone(), hub.clone());
        let hooks = Arc::new(hooks);
        let task = Box::pin(async move {
            let head = HeadLimits::default();
            let served = serve_stream(io, info, &hooks, &its_hub, &runtime, &head).await;
            assert!(served.is_ok());
        });
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        Self {
            shared,
            hub,
            task,
            over: false,
            wakes,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Polls once. Returns whether it must be polled again.
    pub(crate) fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut cx = Context::from_waker(&waker);
        let before = self.wakes.0.load(Ordering::SeqCst);
        if !self.over {
            self.over = self.task.as_mut().poll(&mut cx).is_ready();
        }
        !self.over && self.wakes.0.load(Ordering::SeqCst) != before
    }

    /// Polls until nothing more happens without a new event.
    pub(crate) fn settle(&mut self) {
        while self.poll() {}
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.arrive(bytes);
        self.settle();
    }

    /// Adds bytes without polling the task.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        let waker = {
            let mut world = self.world();
            world.input.push_back(bytes.to_vec());
            world.read_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Adds a chunk whenever there is none left to read. The connection must still let other tasks
    /// run.
    pub(crate) fn arrives_without_end(&mut self, chunk: &[u8]) {
        self.world().input.extend(vec![chunk.to_vec(); 10_000]);
        self.arrive(chunk);
        let reads = self.world().reads;
        assert!(self.poll(), "it comes back");
        let reads = self.world().reads - reads;
        assert!(reads < 200, "{reads} reads in one go");
    }

    pub(crate) fn end_input(&mut self) {
        let waker = {
            let mut world = self.world();
            world.input_ended = true;
            world.read_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.settle();
    }

    pub(crate) fn set_room(&mut self, room: usize) {
        let waker = {
            let mut world = self.world();
            world.room = room;
            world.write_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.settle();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.world().now += time;
        self.settle();
    }

    /// Returns the bytes written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.settle();
        std::mem::take(&mut self.world().output)
    }
}

/// Returns hooks that record how the connection ended.
pub(crate) fn recording() -> (HooksBuilder, Arc<Mutex<Vec<Closed>>>) {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ends);
    let hooks = hooks().on_close(move |_, closed| {
        let seen = Arc::clone(&seen);
        async move { seen.lock().unwrap().push(closed) }
    });
    (hooks, ends)
}

pub(crate) fn echo() -> HooksBuilder {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The payload of a close frame with the code 1000.
pub(crate) const CLOSE: [u8; 2] = [0x03, 0xe8];
