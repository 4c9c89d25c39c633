//! One HTTP/2 connection: accepts its streams, and ends it when it is idle, drained or abused.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use crossws_core::Resolve;
use crossws_core::adapter::{HttpApp, Unfinished};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;

use super::Http2;
use super::exchange::exchange;
use super::h2_io::H2Io;
use super::streams::{Live, Streams};
use crate::driver::raw::RawStream;
use crate::driver::stage::Stage;
use crate::driver::timer::{Timer, later, within};
use crate::http::site::Site;
use crate::runtime::ServerRuntime;
use crate::server::accept::CONNECTION_BYTES;
use crate::server::handle::ServerHandle;
use crate::server::response::overloaded;
use crate::server::rest::Rest;

/// Streams that one poll accepts before other tasks run.
const TURN: usize = 64;

/// Serves a connection that has begun with the client's preface.
pub(crate) async fn serve<R, T, S>(rest: Rest<R, T>, settings: &Http2, service: S)
where
    R: Resolve,
    T: ServerRuntime,
    S: HttpApp,
{
    let Rest {
        unclaimed,
        info,
        resolver,
        handle,
    } = rest;
    let limits = handle.0.head.clone();
    let runtime = T::default();
    let mut unfinished = unclaimed.unfinished;
    let base = CONNECTION_BYTES + limits.max_head;
    if unfinished.hold(base).is_err() {
        // Without a response: it would be one of HTTP/1.1.
        overloaded(handle.hub(), info.remote_addr);
        return;
    }
    let io = H2Io::new(RawStream {
        early: unclaimed.read,
        io: unclaimed.io,
    });
    let shaken = settings.builder(limits.max_head).handshake(io);
    let shaken = async { shaken.await.map(Some) };
    let h2 = match within(&runtime, limits.timeout, shaken, || Ok(None)).await {
        Ok(Some(h2)) => h2,
        Ok(None) => return,
        Err(error) => return tracing::debug!(%error, "an HTTP/2 connection failed to begin"),
    };
    let watch = handle.0.stop.watch();
    let mut stop = pin!(watch.stopping());
    let mut serving = Serving {
        h2,
        streams: Arc::default(),
        site: Site::new(resolver, &handle, info, service),
        ends: false,
        idle_since: None,
        timer: Timer::new(),
        unfinished,
        base,
        handle: handle.clone(),
        runtime,
    };
    let served = std::future::poll_fn(|cx| {
        if !serving.ends && stop.as_mut().poll(cx).is_ready() {
            serving.end();
        }
        serving.poll(cx)
    });
    if let Err(error) = served.await {
        tracing::debug!(%error, "an HTTP/2 connection ended early");
    }
}

struct Serving<R, T: ServerRuntime, S> {
    h2: Connection<H2Io, Bytes>,
    streams: Arc<Streams>,
    site: Site<R, T, S>,
    /// The client has been told to open no more streams.
    ends: bool,
    idle_since: Option<Instant>,
    timer: Timer<T>,
    /// A connection without a WebSocket counts as unfinished, as one of HTTP/1.1 does.
    unfinished: Box<Unfinished>,
    base: usize,
    handle: ServerHandle<T>,
    runtime: T,
}

impl<R: Resolve, T: ServerRuntime, S: HttpApp> Serving<R, T, S> {
    /// Tells the client to open no more streams: `GOAWAY`. Those that it has end in their own time.
    fn end(&mut self) {
        self.ends = true;
        self.h2.graceful_shutdown();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        self.streams.task.register(cx.waker());
        loop {
            if self.poll_accept(cx)?.is_ready() {
                return Poll::Ready(Ok(()));
            }
            if self.streams.is_abused() {
                // Written as far as that is possible at once.
                self.h2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                let _ = self.h2.poll_closed(cx);
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_idle(cx));
            if self.ends {
                return Poll::Ready(Ok(()));
            }
            self.end();
            self.idle_since = None;
        }
    }

    /// Accepts the streams that have arrived. Ready when the connection has ended.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        for _ in 0..TURN {
            match ready!(self.h2.poll_accept(cx)?) {
                Some((request, respond)) => self.accept(request, respond),
                None => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn accept(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let live = Live::new(&self.streams);
        let limits = self.handle.0.head.clone();
        let exchange = exchange(self.site.clone(), limits, request, respond, live);
        let tasks = &self.handle.0.tasks;
        tasks.spawn(&self.runtime, Stage::new(exchange));
    }

    /// Ready when the connection has had no streams for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let counted = match self.streams.sockets.load(Ordering::Relaxed) {
            0 => self.base,
            _ => 0,
        };
        if self.unfinished.hold(counted).is_err() {
            // It has no WebSocket any more, and there is no room for what has none.
            return Poll::Ready(());
        }
        let now = self.runtime.now();
        match self.streams.live.load(Ordering::Acquire) {
            0 => _ = self.idle_since.get_or_insert(now),
            _ => self.idle_since = None,
        }
        let most = match self.ends {
            true => self.handle.hub().limits().close_timeout,
            false => self.handle.0.head.keep_alive,
        };
        let deadline = self.idle_since.map(|since| later(since, most));
        self.timer.poll(&self.runtime, now, deadline, cx)
    }
}
