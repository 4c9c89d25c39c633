//! A connection over a fake stream, with a clock, which the test polls.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crossws_core::{Closed, Deflate, Hooks, HooksBuilder, Hub, Limits, Upgrade, hooks};
use crossws_native::testing::{FakeStream, Wakes, Wire};
use crossws_native::{HeadLimits, Runtime, StreamInfo, serve_stream};
use crossws_proto::sync::MutexGuard;

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

/// Time that the test moves on.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Mutex<Duration>>, Instant);

impl Clock {
    fn passed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    pub(crate) fn advance(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

/// Ready when the clock has advanced far enough. The test polls by hand, so no task is woken.
pub(crate) struct Sleep(Clock, Duration);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.passed() >= self.1 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Runtime for Clock {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        let at = self.passed() + duration;
        Sleep(self.clone(), at)
    }

    fn now(&self) -> Instant {
        self.1 + self.passed()
    }
}

/// A connection that the test polls.
pub(crate) struct Connection {
    pub(crate) stream: FakeStream,
    pub(crate) clock: Clock,
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
        let (stream, clock) = (FakeStream::new(), Clock(Arc::default(), Instant::now()));
        let (io, runtime, its_hub) = (stream.clone(), clock.clone(), hub.clone());
        let hooks = Arc::new(hooks);
        let task = Box::pin(async move {
            let head = HeadLimits::default();
            let served = serve_stream(io, info, &hooks, &its_hub, &runtime, &head).await;
            assert!(served.is_ok());
        });
        Self {
            stream,
            clock,
            hub,
            task,
            over: false,
            wakes: Arc::default(),
        }
    }

    pub(crate) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.stream.wire()
    }

    /// Polls once. Returns whether it must be polled again.
    pub(crate) fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut cx = Context::from_waker(&waker);
        let before = self.wakes.count();
        if !self.over {
            self.over = self.task.as_mut().poll(&mut cx).is_ready();
        }
        !self.over && self.wakes.count() != before
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
    pub(crate) fn arrive(&self, bytes: &[u8]) {
        self.stream.arrive(bytes.to_vec());
    }

    /// Adds a chunk whenever there is none left to read. The connection must still let other tasks
    /// run.
    pub(crate) fn arrives_without_end(&mut self, chunk: &[u8]) {
        let chunks = vec![chunk.to_vec().into(); 10_000];
        self.wire().input.extend(chunks);
        self.arrive(chunk);
        let reads = self.wire().reads;
        assert!(self.poll(), "it comes back");
        let reads = self.wire().reads - reads;
        assert!(reads < 200, "{reads} reads in one go");
    }

    pub(crate) fn end_input(&mut self) {
        self.stream.end_input();
        self.settle();
    }

    pub(crate) fn set_room(&mut self, room: usize) {
        self.stream.set_room(room);
        self.settle();
    }

    /// Lets time pass, in steps in which no deadline is found late.
    pub(crate) fn pass(&mut self, mut time: Duration) {
        loop {
            let step = time.min(Duration::from_millis(10));
            self.clock.advance(step);
            self.settle();
            time -= step;
            if time.is_zero() {
                return;
            }
        }
    }

    /// Lets time pass until something is written, and returns it.
    pub(crate) fn until_written(&mut self) -> Vec<u8> {
        for _ in 0..12_000 {
            let written = self.take();
            if !written.is_empty() {
                return written;
            }
            self.pass(Duration::from_millis(10));
        }
        panic!("nothing in two minutes");
    }

    /// Returns the bytes written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.settle();
        self.stream.take()
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
