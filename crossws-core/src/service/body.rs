//! The body of a request to an HTTP service, of any kind.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

use crate::bounds::BoxError;
use crate::opaque_debug;

/// The body of a request to an application's HTTP service: from a client or, whole, from
/// [`Api`](crate::Api). The same type on every adapter, whichever server reads the request.
///
/// An `axum::Router` is a service for it, as for any other body. A hand-written service names it:
/// `impl Service<Request<Body>> for Pages`.
///
/// ```
/// use crossws_core::{Body, BoxError};
/// use http::{Request, Response};
/// use http_body_util::BodyExt;
///
/// /// With `tower::service_fn(echo)` it is a service.
/// async fn echo(request: Request<Body>) -> Result<Response<Body>, BoxError> {
///     let body = request.into_body().collect().await?.to_bytes();
///     Ok(Response::new(Body::from(body)))
/// }
/// ```
pub struct Body(UnsyncBoxBody<Bytes, BoxError>);

impl Body {
    /// Wraps a body of another type.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self(body.map_err(Into::into).boxed_unsync())
    }
}

/// A whole body.
impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes))
    }
}

/// An empty body.
impl Default for Body {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

opaque_debug!(Body);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_body_knows_its_length() {
        let body = Body::from(Bytes::from("abc"));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(Body::default().is_end_stream());
    }
}
