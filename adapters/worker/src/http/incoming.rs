use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossws_core::{BoxError, Bytes};
use futures_core::Stream;
use http_body::{Body, Frame};

/// The body of a platform's request. Natively, where this is compiled for lints, it must be `Send`.
pub(crate) struct Incoming(Option<worker::send::SendWrapper<worker::ByteStream>>);

impl Incoming {
    pub(crate) fn of(mut request: worker::Request) -> Self {
        // An error means that there is no body.
        let stream = request.stream().ok();
        Self(stream.map(worker::send::SendWrapper::new))
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let chunk = ready!(Pin::new(&mut stream.0).poll_next(cx));
        // The platform's errors contain handles, which belong to one thread.
        Poll::Ready(chunk.map(|chunk| match chunk {
            Ok(bytes) => Ok(Frame::data(Bytes::from(bytes))),
            Err(error) => Err(error.to_string().into()),
        }))
    }
}
