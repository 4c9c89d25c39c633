use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossws_core::{Accepted, Hooks, Hub, Refused, Rejection, Resolve, UpgradeRequest};
use http::{Request, Response};
use http_body_util::Full;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};

use crate::accept::{StreamInfo, run_claim, run_upgrade};
use crate::engine::EngineKind;
use crate::handshake::{Agreed, Handshake, is_upgrade};
use crate::hyper::{HyperIo, UpgradedIo};
use crate::io::Io;
use crate::layer::WebSocketLayer;
use crate::pump::pump;
use crate::runtime::ServerRuntime;
use crate::shutdown::{Report, Shutdown, shut_down};
use crate::tasks::Tasks;

/// Upgrades requests of somebody else's HTTP server: hyper 1, and whatever builds on it, such as
/// axum. Cheap to clone.
///
/// The server must keep upgrades alive: `axum::serve` does, and with hyper's own connection it is
/// `with_upgrades()`. Connections run as tasks of the runtime `T`; that server's shutdown does not know them,
/// so call [`shutdown`](Self::shutdown) beside it.
pub struct Acceptor<R, T> {
    resolver: Arc<R>,
    hub: Hub,
    tasks: Tasks,
    engine: EngineKind,
    runtime: PhantomData<fn() -> T>,
}

impl<R: Resolve, T: ServerRuntime> Acceptor<R, T> {
    /// For these hooks, or a resolver that chooses among several.
    pub fn new(resolver: R, hub: Hub) -> Self {
        Self::of_server(Arc::new(resolver), hub, Tasks::default())
    }

    /// Decodes with this engine instead of this crate's own.
    #[must_use]
    pub fn engine(mut self, engine: EngineKind) -> Self {
        self.engine = engine;
        self
    }

    /// Answers a request for a WebSocket: with a 101 behind which the connection runs, or with
    /// its refusal. The client's address, if it shall be known, is a [`SocketAddr`] in the
    /// request's extensions; or say it with [`handle_upgrade_from`](Self::handle_upgrade_from).
    ///
    /// # Errors
    /// Gives the request back, untouched, when it is no upgrade or no hooks claim it.
    ///
    /// # Cancel safety
    /// Dropping the future drops the upgrade; the client gets whatever its server then answers.
    pub async fn handle_upgrade<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Request<B>> {
        let addr = request.extensions().get::<SocketAddr>().copied();
        let info = StreamInfo::new(addr).with_engine(self.engine);
        self.handle_upgrade_from(request, info).await
    }

    /// As [`handle_upgrade`](Self::handle_upgrade), with what the caller knows of the connection:
    /// its address, and whether it is encrypted.
    ///
    /// # Errors
    /// As [`handle_upgrade`](Self::handle_upgrade).
    pub async fn handle_upgrade_from<B>(
        &self,
        request: Request<B>,
        info: StreamInfo,
    ) -> Result<Response<Full<Bytes>>, Request<B>> {
        let (mut parts, body) = request.into_parts();
        if !is_upgrade(&parts) {
            return Err(Request::from_parts(parts, body));
        }
        let handshake = Handshake::check(&parts);
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let request = UpgradeRequest::new(parts)
            .with_remote_addr(info.remote_addr)
            .with_secure(info.secure);
        let claim = match run_claim(&self.hub, &self.resolver, request, &T::default()).await {
            Ok(claim) => claim,
            Err(Refused::Rejected(rejection)) => return Ok(answer(rejection)),
            Err(Refused::Unclaimed(request)) => {
                let mut parts = request.into_parts();
                if let Some(upgrade) = upgrade {
                    parts.extensions.insert(upgrade);
                }
                return Err(Request::from_parts(parts, body));
            }
            Err(_) => return Ok(answer(Rejection::internal("unknown refusal"))),
        };
        let handshake = match handshake {
            Ok(handshake) => handshake,
            Err(rejection) => return Ok(answer(rejection)),
        };
        let Some(upgrade) = upgrade else {
            return Ok(answer(Rejection::internal(
                "this server's connection cannot be upgraded",
            )));
        };
        let accepted = run_upgrade(claim, &T::default()).await;
        let accepted = accepted.and_then(|accepted| {
            let agreed = handshake.agree(accepted.deflate(), info.engine)?;
            Ok((accepted, agreed))
        });
        match accepted {
            Ok((accepted, agreed)) => {
                let response = handshake.response(accepted.headers(), &agreed);
                self.tasks.spawn(&T::default(), async move {
                    // An error is a client that left before its 101.
                    if let Ok(upgraded) = upgrade.await {
                        run::<T, _>(upgraded, accepted, agreed).await;
                    }
                });
                Ok(response.map(Full::new))
            }
            Err(rejection) => Ok(answer(rejection)),
        }
    }

    /// A tower layer that takes the upgrades out of a service's requests.
    pub fn layer(&self) -> WebSocketLayer<R, T> {
        WebSocketLayer::new(self.clone())
    }

    /// Refuses further upgrades, tells every peer, waits for their `close` hooks up to the grace,
    /// and drops the rest.
    pub async fn shutdown(&self, shutdown: Shutdown) -> Report {
        let others = std::future::ready(());
        shut_down(&T::default(), &self.hub, &self.tasks, &shutdown, others).await
    }
}

impl<R, T> Acceptor<R, T> {
    pub(crate) fn of_server(resolver: Arc<R>, hub: Hub, tasks: Tasks) -> Self {
        Self {
            resolver,
            hub,
            tasks,
            engine: EngineKind::default(),
            runtime: PhantomData,
        }
    }

    /// Peers, namespaces and topics.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }
}

impl<R, T> Clone for Acceptor<R, T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine,
            ..Self::of_server(
                Arc::clone(&self.resolver),
                self.hub.clone(),
                self.tasks.clone(),
            )
        }
    }
}

impl<R, T> fmt::Debug for Acceptor<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

fn answer(rejection: Rejection) -> Response<Full<Bytes>> {
    rejection.into_response().map(Full::new)
}

/// Runs an upgraded connection. A stream that is known below is taken out of hyper's wrapper, so
/// that the pump writes to it directly and can reset it.
async fn run<T: ServerRuntime, H: Hooks + ?Sized>(
    upgraded: Upgraded,
    accepted: Accepted<H>,
    agreed: Agreed,
) {
    let (io, early) = unwrap::<T>(upgraded);
    pump(io, early, accepted, agreed, T::default()).await;
}

/// The stream of our own server or of one that the runtime knows, with what was read ahead.
fn unwrap<T: ServerRuntime>(upgraded: Upgraded) -> (Box<dyn Io>, BytesMut) {
    let upgraded = match upgraded.downcast::<HyperIo<Box<dyn Io>>>() {
        Ok(Parts { io, read_buf, .. }) => {
            let mut early = BytesMut::from(&read_buf[..]);
            early.extend_from_slice(&io.front);
            return (io.io, early);
        }
        Err(upgraded) => upgraded,
    };
    match T::reclaim(upgraded) {
        Ok((io, early)) => (io, BytesMut::from(&early[..])),
        Err(upgraded) => (Box::new(UpgradedIo(upgraded)), BytesMut::new()),
    }
}
