use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "http2")]
use crossws_core::Rejection;
use crossws_core::adapter::{HttpApp, OriginalTarget};
use crossws_core::{Body, BoxError, ConnectionInfo, Resolve, Responded};
use http::{Request, Response};
use http_body_util::{Either, Full};

use crate::runtime::ServerRuntime;
use crate::server::acceptor::Acceptor;
use crate::server::handle::ServerHandle;
#[cfg(feature = "http2")]
use crate::server::response::malformed;

/// A server's application as one HTTP connection sees it: the hooks, then the service.
pub(crate) struct Site<R, T, S> {
    acceptor: Acceptor<R, T>,
    info: ConnectionInfo,
    service: S,
}

impl<R: Resolve, T: ServerRuntime, S: HttpApp> Site<R, T, S> {
    pub(crate) fn new(
        resolver: Arc<R>,
        handle: &ServerHandle<T>,
        info: ConnectionInfo,
        service: S,
    ) -> Self {
        Self {
            acceptor: handle.acceptor(resolver),
            info,
            service,
        }
    }

    /// Stores in a request what the hooks and the service may ask about its connection.
    pub(crate) fn note<B>(&self, request: &mut Request<B>) {
        if let Some(addr) = self.info.remote_addr {
            T::set_remote_addr(request.extensions_mut(), addr);
        }
        self.info.store(request.extensions_mut());
        request.extensions_mut().insert(self.acceptor.hub().clone());
        // Routers may strip a prefix.
        let target = OriginalTarget::of(request.uri());
        request.extensions_mut().insert(target);
    }

    /// Passes a request to the hooks and, if they do not claim it, to the service.
    pub(crate) async fn respond<B>(
        self,
        request: Request<B>,
    ) -> Result<Response<Either<Full<Bytes>, S::Answer>>, Failed>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let claimed = self.acceptor.handle_upgrade_from(request, self.info).await;
        match claimed {
            Ok(response) => Ok(response.map(Either::Left)),
            Err(request) => self.serve(request).await,
        }
    }

    /// Passes a request that the hooks do not claim to the service.
    pub(crate) async fn serve<B>(
        mut self,
        request: Request<B>,
    ) -> Result<Response<Either<Full<Bytes>, S::Answer>>, Failed>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (hub, runtime) = (self.acceptor.hub(), T::default());
        // For the hub's observers.
        let begun = hub.is_watched().then(|| {
            let path = request.uri().path().to_owned();
            (request.method().clone(), path, runtime.now())
        });
        poll_fn(|cx| self.service.poll_ready(cx))
            .await
            .map_err(|error| Failed(error.into()))?;
        let response = self.service.call(request.map(Body::new)).await;
        let response = response.map_err(|error| Failed(error.into()))?;
        if let Some((method, path, since)) = begun {
            let took = runtime.now().saturating_duration_since(since);
            let status = response.status();
            hub.responded(&Responded::new(method.as_str(), &path, status, took));
        }
        Ok(response.map(Either::Right))
    }

    /// Counts a request that broke a rule before the hooks saw it.
    #[cfg(feature = "http2")]
    pub(crate) fn malformed(&self, rejection: Rejection, path: &str) -> Rejection {
        malformed(self.acceptor.hub(), rejection, path, self.info.remote_addr)
    }
}

impl<R, T, S: Clone> Clone for Site<R, T, S> {
    fn clone(&self) -> Self {
        Self {
            acceptor: self.acceptor.clone(),
            info: self.info,
            service: self.service.clone(),
        }
    }
}

/// The service's error, on its way through the server. It has a type of its own, because the
/// compiler cannot prove a future `Send` that converts a boxed error into itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failed(BoxError);
