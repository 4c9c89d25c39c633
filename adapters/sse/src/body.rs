use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossws_core::{BoxError, BoxFuture, MaybeSend};
use http_body::Frame;

use crate::events::Events;
use crate::keep_alive::KeepAlive;
use crate::queue::{Ended, Queue};

/// The body of an event stream's response: see [`EventStream`](crate::EventStream). It runs the stream's
/// function, if it has one, whenever the server asks for more. Dropping it, as servers do when the client
/// is gone, drops the function.
pub struct EventBody {
    queue: Arc<Queue>,
    run: Option<Run>,
    /// What the function failed with, after everything that it pushed.
    failed: Option<BoxError>,
    stopping: Option<BoxFuture<'static, ()>>,
    keep_alive: KeepAlive,
}

/// The function's result, and a handle: the stream ends with the function, and not with the last handle
/// that it drops.
type Run = BoxFuture<'static, (Result<(), BoxError>, Events)>;

impl EventBody {
    pub(crate) fn new(
        queue: Arc<Queue>,
        stopping: Option<BoxFuture<'static, ()>>,
        keep_alive: KeepAlive,
    ) -> Self {
        Self {
            queue,
            run: None,
            failed: None,
            stopping,
            keep_alive,
        }
    }

    /// Sets the function, which runs when the body is first polled.
    pub(crate) fn run<Fut>(&mut self, events: Events, function: Fut)
    where
        Fut: Future<Output = Result<(), BoxError>> + MaybeSend + 'static,
    {
        self.run = Some(Box::pin(async move { (function.await, events) }));
    }

    /// Runs the function as far as it goes.
    fn drive(&mut self, cx: &mut Context<'_>) {
        let stops = |stopping: &mut BoxFuture<'_, ()>| stopping.as_mut().poll(cx).is_ready();
        if self.stopping.as_mut().is_some_and(stops) {
            self.stopping = None;
            self.queue.end(Ended::Finished);
        }
        if let Some(run) = &mut self.run
            && let Poll::Ready((result, _events)) = run.as_mut().poll(cx)
        {
            // Once the stream has ended, an error is only how the function heard of it.
            let already = self.queue.ended() != Ended::No;
            self.run = None;
            self.queue.end(Ended::Finished);
            if let Err(error) = result
                && !already
            {
                tracing::warn!(%error, "the function of an event stream has failed");
                self.failed = Some(error);
            }
        }
    }
}

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        this.drive(cx);
        let keep_alive = &mut this.keep_alive;
        keep_alive.poll_frame(cx, |_, cx| match ready!(this.queue.poll_take(cx)) {
            Some(events) => Poll::Ready(Some(Ok(events))),
            None => {
                // Its cleanup is over before the response is.
                this.run = None;
                Poll::Ready(this.failed.take().map(Err))
            }
        })
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        self.queue.end(Ended::Gone);
    }
}

crossws_core::opaque_debug!(EventBody);
