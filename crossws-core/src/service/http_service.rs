use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::{Request, Response};

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::service::api::response::ApiError;
#[cfg(feature = "http")]
use crate::service::body::Body;

/// The longest body that is read if a request does not say another length, in bytes.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// The HTTP service of an application, as hooks call it: an adapter wraps the service that a server
/// was given.
pub trait HttpService: MaybeSend + MaybeSync + 'static {
    /// Returns the response to a request, with a body of at most `max_body` bytes.
    ///
    /// # Errors
    /// [`ApiError::Failed`] with the service's own error, [`ApiError::TooLarge`] for a longer body, whose
    /// rest is not read.
    fn call(
        &self,
        request: Request<Bytes>,
        max_body: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>>;

    /// Returns the response when its head is there; its body arrives later, and may have no end. By
    /// default the body is read first, up to [`ApiRequest::MAX_BODY`](crate::ApiRequest::MAX_BODY).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    #[cfg(feature = "http")]
    fn stream(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'static, Result<Response<Body>, ApiError>> {
        let whole = self.call(request, MAX_BODY);
        Box::pin(async move { Ok(whole.await?.map(Body::from)) })
    }
}

/// The place where a hub finds the service.
pub(crate) enum ServiceRef {
    /// Owned by the hub.
    Kept(Arc<dyn HttpService>),
    /// Owned by a server, whose service may hold the hub itself.
    Lent(Weak<dyn HttpService>),
}

impl ServiceRef {
    pub(crate) fn get(&self) -> Option<Arc<dyn HttpService>> {
        match self {
            Self::Kept(service) => Some(Arc::clone(service)),
            Self::Lent(service) => service.upgrade(),
        }
    }
}
