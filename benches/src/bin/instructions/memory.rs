//! Connections without sockets, and a server of them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crossws::http::Request;
use crossws::http::header::ACCEPT;
use crossws::sse::EventSockets;
use crossws::{Body, Hub, Resolve};
use crossws_native::{HeadLimits, Io, Runtime, StreamInfo, serve_stream};
use http_body::Body as _;
use tower_service::Service;

use crate::tasks::Tasks;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

/// The server's end. It has room for everything. It is not the `FakeStream` of `crossws_native`, whose record of
/// what happens would be counted too.
pub(crate) struct Socket(Arc<Mutex<Pipe>>);

impl Socket {
    /// Removes as much of what has arrived as `take` takes of it.
    pub(crate) fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> usize,
    ) -> Poll<usize> {
        let mut pipe = lock(&self.0);
        if pipe.inbound.is_empty() && !pipe.ended {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (bytes, _) = pipe.inbound.as_slices();
        let count = take(bytes);
        pipe.inbound.drain(..count);
        Poll::Ready(count)
    }
}

impl Io for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_take(cx, |mut bytes| {
            io::Read::read(&mut bytes, buf).unwrap_or_default()
        })
        .map(Ok)
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

/// A server without a listener.
pub(crate) struct Server<R> {
    resolver: Arc<R>,
    hub: Hub,
    runtime: Still,
    tasks: Tasks,
}

impl<R: Resolve> Server<R> {
    pub(crate) fn new(resolver: R, hub: Hub) -> Self {
        let tasks = Tasks::default();
        hub.lend_background(tasks.spawned());
        Self {
            resolver: Arc::new(resolver),
            hub,
            runtime: Still(Instant::now()),
            tasks,
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
        self.tasks.spawn(Box::pin(async move {
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
        self.tasks.spawn(Box::pin(async move {
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

    /// Runs all connections until every one of them waits.
    pub(crate) fn settle(&mut self) {
        self.tasks.settle();
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.tasks.open()
    }
}
