use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

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

impl http_body::Body for Downlink {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        this.keep_alive.poll_frame(cx, |now, cx| {
            if this.is_over {
                return Poll::Ready(None);
            }
            if let Some(first) = this.first.pop_front() {
                return Poll::Ready(Some(Ok(first)));
            }
            Poll::Ready(
                match ready!(this.connection.poll_write(this.stream, now, cx)) {
                    Write::Events(events) => Some(Ok(events)),
                    Write::Last(events) => {
                        this.is_over = true;
                        Some(Ok(events))
                    }
                    Write::Over => None,
                    Write::Cut => {
                        this.is_over = true;
                        Some(Err("the connection was terminated".into()))
                    }
                },
            )
        })
    }
}

impl Drop for Downlink {
    fn drop(&mut self) {
        self.connection.detach(self.stream, self.keep_alive.now());
    }
}

crossws_core::opaque_debug!(Downlink);
