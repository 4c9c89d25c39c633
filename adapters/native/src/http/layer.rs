use std::task::{Context, Poll};

use bytes::Bytes;
use crossws_core::{BoxFuture, Resolve};
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::runtime::ServerRuntime;
use crate::server::acceptor::Acceptor;

/// A layer that takes WebSocket upgrades out of a service's requests. Every other request passes
/// unchanged. Created by [`Acceptor::layer`].
///
/// ```
/// # use crossws_core::SharedResolver;
/// # use crossws_native::{Acceptor, ServerRuntime, WebSocketService};
/// use tower_layer::Layer;
///
/// # type App<S, T> = WebSocketService<SharedResolver, S, T>;
/// # fn example<S, T: ServerRuntime>(acceptor: Acceptor<SharedResolver, T>, pages: S) -> App<S, T> {
/// let app = acceptor.layer().layer(pages); // a service for tower and hyper
/// # app }
/// ```
pub struct WebSocketLayer<R, T> {
    pub(crate) acceptor: Acceptor<R, T>,
}

impl<R, S, T> Layer<S> for WebSocketLayer<R, T> {
    type Service = WebSocketService<R, S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        WebSocketService {
            acceptor: self.acceptor.clone(),
            inner,
        }
    }
}

impl<R, T> Clone for WebSocketLayer<R, T> {
    fn clone(&self) -> Self {
        let acceptor = self.acceptor.clone();
        Self { acceptor }
    }
}

crossws_core::opaque_debug!(WebSocketLayer<R, T>);

/// A service wrapped by a layer: see [`WebSocketLayer`].
pub struct WebSocketService<R, S, T> {
    acceptor: Acceptor<R, T>,
    inner: S,
}

impl<R, S, B, Body, T> Service<Request<B>> for WebSocketService<R, S, T>
where
    R: Resolve,
    T: ServerRuntime,
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, Body>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let acceptor = self.acceptor.clone();
        // The instance that was polled ready must be the one that is called; its clone takes its
        // place.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            match acceptor.handle_upgrade(request).await {
                Ok(response) => Ok(response.map(Either::Left)),
                Err(request) => Ok(inner.call(request).await?.map(Either::Right)),
            }
        })
    }
}

impl<R, S: Clone, T> Clone for WebSocketService<R, S, T> {
    fn clone(&self) -> Self {
        Self {
            acceptor: self.acceptor.clone(),
            inner: self.inner.clone(),
        }
    }
}

crossws_core::opaque_debug!(WebSocketService<R, S, T>);
