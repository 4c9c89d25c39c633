use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossws_core::{BoxError, Bytes};
use futures_core::Stream;
use http_body::Body;
#[cfg(feature = "sse")]
use http_body::Frame;

use crate::error::Error;
use crate::http::response::with_head;

/// Returns a response as the platform's, whose body arrives later: for event streams, and for
/// handlers that are written for every platform. When the client goes, the platform drops the body.
///
/// ```
/// # use crossws_core::{BoxError, Bytes, http::Response};
/// # use http_body::Body;
/// fn ticks<B: Body<Data = Bytes, Error = BoxError> + 'static>(
///     response: Response<B>,
/// ) -> worker::Result<worker::Response> {
///     Ok(crossws_worker::respond(response)?)
/// }
/// ```
///
/// # Errors
/// When the platform refuses the response, such as a status that is none of its own.
pub fn respond<B>(response: http::Response<B>) -> Result<worker::Response, Error>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    let response = worker::Response::from_stream(Frames(Box::pin(body)))?;
    with_head(response, parts.status.as_u16(), &parts.headers)
}

/// The data of a body. Trailers, which the platform does not have, are dropped.
struct Frames<B>(Pin<Box<B>>);

impl<B> Stream for Frames<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Item = Result<Vec<u8>, worker::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(frame) = ready!(self.0.as_mut().poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let data = match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => Ok(data.to_vec()),
                    Err(_) => continue,
                },
                Err(error) => Err(worker::Error::RustError(error.into().to_string())),
            };
            return Poll::Ready(Some(data));
        }
    }
}

/// The body of a platform's request. Natively, where this is compiled for lints, it must be `Send`.
#[cfg(feature = "sse")]
pub(crate) struct Incoming(Option<worker::send::SendWrapper<worker::ByteStream>>);

#[cfg(feature = "sse")]
impl Incoming {
    pub(crate) fn of(mut request: worker::Request) -> Self {
        // An error means that there is no body.
        let stream = request.stream().ok();
        Self(stream.map(worker::send::SendWrapper::new))
    }
}

#[cfg(feature = "sse")]
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
