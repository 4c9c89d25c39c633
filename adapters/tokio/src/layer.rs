use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossws_core::{BoxFuture, Resolve};
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::Acceptor;

/// Takes WebSocket upgrades out of a service's requests; everything else passes untouched. From
/// [`Acceptor::layer`].
pub struct WebSocketLayer<R> {
    acceptor: Acceptor<R>,
}

impl<R> WebSocketLayer<R> {
    pub(crate) fn new(acceptor: Acceptor<R>) -> Self {
        Self { acceptor }
    }
}

impl<R, S> Layer<S> for WebSocketLayer<R> {
    type Service = WebSocketService<R, S>;

    fn layer(&self, inner: S) -> Self::Service {
        WebSocketService {
            acceptor: self.acceptor.clone(),
            inner,
        }
    }
}

impl<R> Clone for WebSocketLayer<R> {
    fn clone(&self) -> Self {
        Self::new(self.acceptor.clone())
    }
}

impl<R> fmt::Debug for WebSocketLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketLayer(..)")
    }
}

/// A service behind a [`WebSocketLayer`].
pub struct WebSocketService<R, S> {
    acceptor: Acceptor<R>,
    inner: S,
}

impl<R, S, B, Body> Service<Request<B>> for WebSocketService<R, S>
where
    R: Resolve,
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
        // The instance that was polled ready is the one to be called; its clone waits its turn.
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

impl<R, S: Clone> Clone for WebSocketService<R, S> {
    fn clone(&self) -> Self {
        Self {
            acceptor: self.acceptor.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<R, S> fmt::Debug for WebSocketService<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketService(..)")
    }
}
