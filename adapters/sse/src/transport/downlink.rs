use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_core::BoxError;
use http_body::Frame;

use crate::keep_alive::KeepAlive;
use crate::transport::connection::{Connection, Write};

/// One stream of a connection: the body of a response.
pub(crate) struct Downlink {
    pub(crate) connection: Arc<Connection>,
    pub(crate) stream: u64,
    /// What comes before everything that is queued.
    pub(crate) first: VecDeque<Bytes>,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) is_over: bool,
}

impl Downlink {
    fn poll_bytes(
        &mut self,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.pop_front() {
            return Poll::Ready(Some(Ok(first)));
        }
        match self.connection.poll_write(self.stream, now, cx) {
            Poll::Ready(Write::Events(events)) => Poll::Ready(Some(Ok(events))),
            Poll::Ready(Write::Last(events)) => {
                self.is_over = true;
                Poll::Ready(Some(Ok(events)))
            }
            Poll::Ready(Write::Over) => Poll::Ready(None),
            Poll::Ready(Write::Cut) => {
                self.is_over = true;
                Poll::Ready(Some(Err("the connection was terminated".into())))
            }
            Poll::Pending => self
                .keep_alive
                .poll(now, cx)
                .map(|comment| Some(Ok(comment))),
        }
    }
}

impl http_body::Body for Downlink {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let now = this.keep_alive.now();
        let polled = this.poll_bytes(now, cx);
        if let Poll::Ready(Some(Ok(_))) = &polled {
            this.keep_alive.wrote(now);
        }
        polled.map(|bytes| bytes.map(|bytes| bytes.map(Frame::data)))
    }
}

impl Drop for Downlink {
    fn drop(&mut self) {
        self.connection.detach(self.stream, self.keep_alive.now());
    }
}

impl fmt::Debug for Downlink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Downlink(..)")
    }
}
