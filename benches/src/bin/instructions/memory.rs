//! Connections without sockets, and a minimal executor that runs them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crossws::http::Request;
use crossws::http::header::ACCEPT;
use crossws::sse::EventSockets;
use crossws::{Body, BoxFuture, Hub, Resolve};
use crossws_core::adapter::Background;
use crossws_native::{HeadLimits, Io, Runtime, StreamInfo, serve_stream};
use http_body::Body as _;
use tower_service::Service;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The client's end of a connection.
#[derive(Clone, Default)]
pub(crate) struct Client(Arc<Mutex<Pipe>>);

#[derive(Default)]
struct Pipe {
    /// Bytes that the server has not read yet.
    inbound: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
    /// Bytes that the server has written.
    written: u64,
    /// What it has written, of an end that plays an upstream until it has read the request.
    kept: Option<Vec<u8>>,
}

impl Client {
    pub(crate) fn send(&self, bytes: &[u8]) {
        let mut pipe = lock(&self.0);
        pipe.inbound.extend(bytes);
        let reader = pipe.reader.take();
        drop(pipe);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(crate) fn end(&self) {
        lock(&self.0).ended = true;
        self.send(&[]);
    }

    /// Creates the end that plays an upstream, and the other one.
    pub(crate) fn upstream() -> (Self, Socket) {
        let client = Self::default();
        lock(&client.0).kept = Some(Vec::new());
        let socket = Socket(Arc::clone(&client.0));
        (client, socket)
    }

    /// Returns what was written so far, and keeps no more.
    pub(crate) fn kept(&self) -> Vec<u8> {
        lock(&self.0).kept.take().unwrap_or_default()
    }

    /// Returns the number of bytes written since the last call.
    pub(crate) fn written(&self) -> u64 {
        std::mem::take(&mut lock(&self.0).written)
    }
}

/// The server's end. It has room for everything.
pub(crate) struct Socket(Arc<Mutex<Pipe>>);

impl Io for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.0);
        if pipe.inbound.is_empty() && !pipe.ended {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(io::Read::read(&mut pipe.inbound, buf))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        let mut pipe = lock(&self.0);
        pipe.written += length as u64;
        if let Some(kept) = &mut pipe.kept {
            bufs.iter().for_each(|buf| kept.extend_from_slice(buf));
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A clock that stands still, so no timer ever ends.
#[derive(Clone)]
struct Still(Instant);

impl Runtime for Still {
    type Sleep = std::future::Pending<()>;

    fn sleep(&self, _: Duration) -> Self::Sleep {
        std::future::pending()
    }

    fn now(&self) -> Instant {
        self.0
    }
}

/// The same for event streams, with the tasks that they have spawned since the server last settled.
#[derive(Default)]
struct Lent(Mutex<Vec<BoxFuture<'static, ()>>>);

impl Background for Lent {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        lock(&self.0).push(future);
    }
}

type Queue = Arc<Mutex<VecDeque<usize>>>;

struct Woken {
    task: usize,
    queued: AtomicBool,
    queue: Queue,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            lock(&self.queue).push_back(self.task);
        }
    }
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
}

/// A server without a listener.
pub(crate) struct Server<R> {
    resolver: Arc<R>,
    hub: Hub,
    runtime: Still,
    lent: Arc<Lent>,
    tasks: Vec<Task>,
    free: Vec<usize>,
    queue: Queue,
}

impl<R: Resolve> Server<R> {
    pub(crate) fn new(resolver: R, hub: Hub) -> Self {
        let lent = Arc::new(Lent::default());
        hub.lend_background(Arc::<Lent>::clone(&lent));
        Self {
            lent,
            resolver: Arc::new(resolver),
            hub,
            runtime: Still(Instant::now()),
            tasks: Vec::new(),
            free: Vec::new(),
            queue: Queue::default(),
        }
    }

    /// Opens a connection on which nothing has been sent.
    pub(crate) fn accept(&mut self) -> Client {
        let client = Client::default();
        let socket = Socket(Arc::clone(&client.0));
        let (resolver, hub, runtime) = (
            Arc::clone(&self.resolver),
            self.hub.clone(),
            self.runtime.clone(),
        );
        self.spawn(Box::pin(async move {
            let limits = HeadLimits::default();
            let info = StreamInfo::new(None);
            let _ = serve_stream(socket, info, &resolver, &hub, &runtime, &limits).await;
        }));
        client
    }

    /// Opens an event stream. What an HTTP server adds, the framing of chunks, is left out.
    pub(crate) fn stream(&mut self, sockets: &EventSockets, path: &str) -> Client {
        let client = Client::default();
        let pipe = Arc::clone(&client.0);
        let request = Request::get(path).header(ACCEPT, "text/event-stream");
        let mut sockets = sockets.clone();
        self.spawn(Box::pin(async move {
            let Ok(request) = request.body(Body::default()) else {
                return;
            };
            let Ok(response) = sockets.call(request).await;
            let mut body = pin!(response.into_body());
            while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                let written = frame.data_ref().map_or(0, |data| data.len());
                lock(&pipe).written += written as u64;
            }
        }));
        client
    }

    fn spawn(&mut self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let at = self.free.pop().unwrap_or(self.tasks.len());
        let woken = Arc::new(Woken {
            task: at,
            queued: AtomicBool::new(false),
            queue: Arc::clone(&self.queue),
        });
        woken.wake_by_ref();
        let task = Task {
            future: Some(future),
            woken,
        };
        match self.tasks.get_mut(at) {
            Some(place) => *place = task,
            None => self.tasks.push(task),
        }
    }

    /// Runs all connections until every one of them waits.
    pub(crate) fn settle(&mut self) {
        loop {
            let spawned = std::mem::take(&mut *lock(&self.lent.0));
            for future in spawned {
                self.spawn(future);
            }
            let next = lock(&self.queue).pop_front();
            let Some(task) = next.and_then(|at| self.tasks.get_mut(at)) else {
                return;
            };
            task.woken.queued.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(&task.woken));
            let Some(future) = &mut task.future else {
                continue;
            };
            if future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                task.future = None;
                self.free.push(task.woken.task);
            }
        }
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.tasks.len() - self.free.len()
    }
}
