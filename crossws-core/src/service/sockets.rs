//! An application's sockets inside its HTTP service.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::bounds::{BoxError, BoxFuture};
use crate::hooks::dyn_hooks::SharedHooks;
use crate::hooks::output::HookResult;
use crate::hub::Hub;
use crate::opaque_debug;
use crate::service::body::Body;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::{Resolution, Resolve};

/// The application's sockets as a tower service: the target of upgrades that go **through** the
/// HTTP service, with all of its middleware. From `http_through` of a server or a `TestServer`, and
/// `Acceptor::sockets` in a custom server.
///
/// It upgrades the requests that hooks claim, and responds 404 to all others, or [passes them
/// on](Self::or): in a router it is the fallback, or the service of a path. Values that middleware
/// has put into the request's extensions are in `peer.request().parts().extensions`.
///
/// ```
/// # use crossws_core::*;
/// // In a router it is the service of a path; `bind` connects it with the server.
/// let sockets = Sockets::default();
/// let fallback = sockets.clone();
/// ```
#[derive(Clone, Default)]
pub struct Sockets(Arc<OnceLock<Upgrader>>);

type Upgraded = Result<Response<Bytes>, Box<Parts>>;

type Upgrader = Box<dyn Fn(Parts) -> BoxFuture<'static, Upgraded> + Send + Sync + 'static>;

impl Sockets {
    /// Creates the sockets of a server that does not exist yet: they respond 404 until they are
    /// [bound](Self::bind).
    pub fn unbound() -> Self {
        Self::default()
    }

    /// Sets the function that upgrades a request. Its error returns a request that is not an
    /// upgrade, or that no hooks claim. Does nothing the second time.
    pub fn bind<F, Fut>(&self, upgrade: F)
    where
        F: Fn(Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<Bytes>, Box<Parts>>> + Send + 'static,
    {
        let _ = self.0.set(Box::new(move |parts| Box::pin(upgrade(parts))));
    }

    /// Passes the requests that no hooks claim on to another service, with their bodies.
    pub fn or<S>(self, service: S) -> SocketsOr<S> {
        SocketsOr {
            sockets: self,
            service,
        }
    }

    fn upgrade(&self, parts: Parts) -> BoxFuture<'static, Upgraded> {
        match self.0.get() {
            Some(upgrade) => upgrade(parts),
            None => Box::pin(std::future::ready(Err(Box::new(parts)))),
        }
    }
}

impl<B> Service<Request<B>> for Sockets {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // An upgrade has no body (RFC 6455 section 4.1: a `GET`).
        let (parts, _) = request.into_parts();
        let upgraded = self.upgrade(parts);
        Box::pin(async move {
            let not_found = |_| Rejection::from(StatusCode::NOT_FOUND).into_response();
            Ok(upgraded.await.unwrap_or_else(not_found).map(Body::from))
        })
    }
}

opaque_debug!(Sockets);

/// The upgrades before another service, created by [`Sockets::or`]: see [`Sockets`].
#[derive(Debug, Clone)]
pub struct SocketsOr<S> {
    sockets: Sockets,
    service: S,
}

impl<S, B, Answer> Service<Request<B>> for SocketsOr<S>
where
    S: Service<Request<B>, Response = Response<Answer>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    Answer: http_body::Body<Data = Bytes> + Send + 'static,
    Answer::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let upgraded = self.sockets.upgrade(parts);
        // The instance that was polled ready must be the one that is called.
        let next = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, next);
        Box::pin(async move {
            match upgraded.await {
                Ok(response) => Ok(response.map(Body::from)),
                Err(parts) => {
                    let response = service.call(Request::from_parts(*parts, body)).await?;
                    Ok(response.map(Body::new))
                }
            }
        })
    }
}

/// The resolver of a server whose upgrades go through its HTTP service: it starts the application
/// and claims no request, so that a service without its [`Sockets`] upgrades none.
pub struct Through<R>(Arc<R>);

impl<R> Through<R> {
    /// Creates the resolver for hooks inside the service.
    pub fn new(resolver: Arc<R>) -> Self {
        Self(resolver)
    }
}

impl<R: Resolve> Resolve for Through<R> {
    type Hooks = SharedHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        self.0.start(hub).await
    }

    async fn resolve(self: &Arc<Self>, _: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        Resolution::Pass
    }
}

opaque_debug!(Through<R>);

/// The target that the client asked for, in a request's extensions. A router in between may strip a
/// part from the request's own target. A server of this project stores it there.
#[derive(Debug, Clone)]
pub struct OriginalTarget(http::Uri);

impl OriginalTarget {
    /// Creates the target of a request before any router has changed it.
    pub fn of(target: &http::Uri) -> Self {
        Self(target.clone())
    }

    /// Returns the target.
    pub fn get(&self) -> &http::Uri {
        &self.0
    }
}
