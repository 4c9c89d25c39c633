use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};

/// The body of a request over HTTP/2. The client may send more once the service has taken what is
/// there.
#[derive(Default)]
pub(super) struct Received {
    /// `None` for a CONNECT, which has none.
    pub(super) stream: Option<RecvStream>,
    /// The announced bytes that have not arrived.
    pub(super) announced: Option<u64>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(None);
        };
        if let Some(data) = ready!(stream.poll_data(cx)) {
            return Poll::Ready(Some(data.map(|data| {
                // An error means that the stream has ended: no room is needed any more.
                let _ = stream.flow_control().release_capacity(data.len());
                if let Some(left) = &mut this.announced {
                    *left = left.saturating_sub(data.len() as u64);
                }
                Frame::data(data)
            })));
        }
        let trailers = ready!(stream.poll_trailers(cx));
        Poll::Ready(
            trailers
                .transpose()
                .map(|trailers| trailers.map(Frame::trailers)),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        self.announced
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
