//! The HTTP services of any kind that this crate can call.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use tower_service::Service;

use crate::bounds::{BoxError, BoxFuture};
use crate::service::api::response::ApiError;
use crate::service::body::Body;
use crate::service::http_service::HttpService;

/// An application's HTTP service: any tower service of requests with a [`Body`], such as an `axum::Router`.
/// Implemented for all of them, and not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no HTTP service",
    label = "expected a `tower` service for `http::Request<crossws::Body>`, which is `Clone`, `Send` and `Sync`",
    note = "its error must convert into `BoxError`, and the data of its response's body must be `Bytes`"
)]
pub trait HttpApp:
    Service<
        Request<Body>,
        Response = Response<Self::Answer>,
        Error = Self::Failure,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its responses.
    type Answer: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
    /// Its error.
    type Failure: Into<BoxError>;
}

impl<S, B> HttpApp for S
where
    S: Service<
            Request<Body>,
            Response = Response<B>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        >,
    S: Clone + Send + Sync + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Answer = B;
    type Failure = S::Error;
}

/// Wraps a tower service as an [`HttpService`]. `prepare` completes each request, as the server
/// that reads requests from clients does.
pub fn http_service(
    service: impl HttpApp,
    prepare: impl Fn(&mut http::Extensions) + Send + Sync + 'static,
) -> Arc<dyn HttpService> {
    Arc::new(Erased { service, prepare })
}

struct Erased<S, P> {
    service: S,
    prepare: P,
}

impl<S, P> HttpService for Erased<S, P>
where
    S: HttpApp,
    P: Fn(&mut http::Extensions) + Send + Sync + 'static,
{
    fn call(
        &self,
        request: Request<Bytes>,
        max_body: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>> {
        let response = self.stream(request);
        Box::pin(async move {
            let (parts, body) = response.await?.into_parts();
            let body = collect(body, max_body).await?;
            Ok(Response::from_parts(parts, body))
        })
    }

    fn stream(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'static, Result<Response<Body>, ApiError>> {
        let mut service = self.service.clone();
        let mut request = request.map(Body::from);
        (self.prepare)(request.extensions_mut());
        Box::pin(async move {
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            ready.map_err(|error| ApiError::Failed(error.into()))?;
            let response = service.call(request).await;
            let response = response.map_err(|error| ApiError::Failed(error.into()))?;
            Ok(response.map(Body::new))
        })
    }
}

/// Reads a body of at most this many bytes; trailers are skipped.
async fn collect(mut body: Body, most: usize) -> Result<Bytes, ApiError> {
    // Nearly all bodies have one frame, which is not copied.
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ApiError::Failed)?.into_data() else {
            continue;
        };
        if first.len() + joined.len() + data.len() > most {
            return Err(ApiError::TooLarge { most });
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else if !data.is_empty() {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Ok(match joined.is_empty() {
        true => first,
        false => joined.freeze(),
    })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_lite::future::block_on;
    use http_body::Frame;

    use super::*;

    /// Consecutive frames.
    struct Frames(Vec<&'static str>);

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let next = (!self.0.is_empty()).then(|| self.0.remove(0));
            Poll::Ready(next.map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
        }
    }

    #[test]
    fn a_body_is_read_to_its_bound() {
        let read = |frames: &[&'static str], most| {
            block_on(collect(Body::new(Frames(frames.to_vec())), most))
        };
        assert_eq!(read(&[], 0).unwrap(), "");
        assert_eq!(read(&["abc"], 3).unwrap(), "abc");
        assert_eq!(read(&["ab", "", "c", "d"], 4).unwrap(), "abcd");
        let error = read(&["ab", "c"], 2).unwrap_err();
        assert!(matches!(error, ApiError::TooLarge { most: 2 }), "{error}");
    }

    #[test]
    fn a_body_of_one_frame_is_not_copied() {
        let text = "shared";
        let frames = Frames(vec!["", text, ""]);
        let read = block_on(collect(Body::new(frames), text.len())).unwrap();
        assert_eq!(read.as_ptr(), text.as_ptr());
        let shared = Bytes::from(vec![1; 100]);
        let read = block_on(collect(Body::from(shared.clone()), shared.len())).unwrap();
        assert_eq!(read.as_ptr(), shared.as_ptr());
    }
}
