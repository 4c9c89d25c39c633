use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::adapter::{
    Accepted, ClaimError, HttpService, OriginalTarget, Start, UpgradeDoor,
};
use crossws_core::{
    ApiRequest, BoxFuture, Bytes, ConnectionInfo, Hooks, Hub, MaybeSend, MaybeSync, Rejection,
    Resolve, SettingsError, Sockets, UpgradeRequest,
};
use crossws_proto::handshake::Offers;
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{Request, Response, StatusCode, Version};

use crate::client::refusal::ConnectError;
use crate::connection::link::Link;
use crate::connection::pump;
use crate::connection::socket::{Answer, Socket};
use crate::connection::task_handle::TaskHandle;
use crate::connection::transport::MemoryTransport;
use crate::server::background::Virtual;
use crate::time::chance::Chance;

/// An app without its type, so that a hook can hold the server that runs it.
pub(crate) trait App: MaybeSend + MaybeSync {
    /// Runs the `start` hook.
    fn start(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// Runs one connection's whole life.
    fn serve(
        self: Arc<Self>,
        request: UpgradeRequest,
        socket: Arc<Socket>,
    ) -> BoxFuture<'static, ()>;

    /// Whether a connection that has no session is being told so.
    fn is_parting(&self) -> bool;
}

pub(crate) struct Resolved<R> {
    pub(crate) hub: Hub,
    pub(crate) background: Virtual,
    pub(crate) resolver: Arc<R>,
    /// What the builder found wrong with its settings.
    pub(crate) checked: Result<(), SettingsError>,
    pub(crate) start: Start,
    pub(crate) http: Option<Arc<dyn HttpService>>,
    pub(crate) chance: Chance,
    /// Each connection that is being closed without a session holds it too.
    pub(crate) parting: Arc<()>,
}

impl<R: Resolve> App for Resolved<R> {
    fn start(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let checked = self.checked.clone();
            // The error has been logged, and the upgrades that wait for the hook are refused.
            let _ = (self.start)
                .run_checked(checked, &self.resolver, &self.hub)
                .await;
        })
    }

    fn serve(
        self: Arc<Self>,
        request: UpgradeRequest,
        socket: Arc<Socket>,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let socket = Cable(socket);
            let upgrade = self.upgrade(request, &socket.0);
            match until_vanished(&socket.0, upgrade).await {
                Some(Ok(connection)) => connection.await,
                Some(Err(refused)) => socket.0.answer(Err(refusal(refused))),
                None => {}
            }
        })
    }

    fn is_parting(&self) -> bool {
        Arc::strong_count(&self.parting) > 1
    }
}

/// The server's end of a socket. Dropping it drops the connection, whatever happened.
struct Cable(Arc<Socket>);

impl Drop for Cable {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs an upgrade. Returns `None` when the client has gone away.
async fn until_vanished<T>(socket: &Socket, upgrade: impl Future<Output = T>) -> Option<T> {
    let mut upgrade = pin!(upgrade);
    poll_fn(|cx| {
        socket.watch(cx);
        match socket.vanished() {
            true => Poll::Ready(None),
            false => upgrade.as_mut().poll(cx).map(Some),
        }
    })
    .await
}

impl<R: Resolve> Resolved<R> {
    /// Runs the `upgrade` hook. Returns the connection, whose response was sent.
    async fn upgrade(
        &self,
        request: UpgradeRequest,
        socket: &Arc<Socket>,
    ) -> Result<BoxFuture<'static, ()>, ClaimError> {
        // Offers in a request of the test's own are for hooks to read.
        let offers = match socket.may_compress() {
            true => Offers::of(request.headers()),
            false => Offers::default(),
        };
        let hub = &self.hub;
        let accepted = async {
            let claim = async {
                self.start.ready().await?;
                hub.claim(&self.resolver, request).await
            };
            let limit = hub.limits().upgrade_timeout;
            let mut claim = hub.in_time(&self.background, limit, claim).await?;
            if let Some(id) = self.chance.peer_id() {
                claim = claim.with_id(id);
            }
            let limit = claim.deadline();
            hub.in_time(&self.background, limit, claim.upgrade()).await
        };
        match (accepted.await, &self.http) {
            (Ok(accepted), _) => {
                let response = switching_protocols(&accepted);
                self.connect(socket, accepted, response, offers)
            }
            (Err(ClaimError::NotHandled(request)), Some(http)) => {
                self.pass_on(*request, &**http, socket, offers).await
            }
            (Err(refused), _) => Err(refused),
        }
    }

    /// Passes a request that no hooks claim to the HTTP service, which may upgrade it itself. As a
    /// server does, it lets the service take its time.
    async fn pass_on(
        &self,
        mut request: UpgradeRequest,
        http: &dyn HttpService,
        socket: &Arc<Socket>,
        offers: Offers,
    ) -> Result<BoxFuture<'static, ()>, ClaimError> {
        let info = ConnectionInfo::new(request.remote_addr()).with_secure(request.is_secure());
        let door = UpgradeDoor::new();
        door.carry(&mut request);
        let mut parts = request.into_parts();
        if let Some(addr) = info.remote_addr {
            parts.extensions.insert(addr);
        }
        info.store(&mut parts.extensions);
        parts.extensions.insert(self.hub.clone());
        // Routers may strip a prefix.
        let target = OriginalTarget::of(&parts.uri);
        parts.extensions.insert(target);
        parts.extensions.insert(door.clone());
        let request = Request::from_parts(parts, Bytes::new());
        let response = http.call(request, ApiRequest::MAX_BODY).await;
        let response = response.map_err(Rejection::internal)?;
        match door.take() {
            Some(accepted) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.connect(socket, accepted, response.map(drop), offers)
            }
            _ => Err(Rejection::from(response).into()),
        }
    }

    /// Sends the response to an accepted upgrade. Returns the connection.
    fn connect<H: Hooks + ?Sized>(
        &self,
        socket: &Arc<Socket>,
        accepted: Accepted<H>,
        mut response: Response<()>,
        offers: Offers,
    ) -> Result<BoxFuture<'static, ()>, ClaimError> {
        let agreed = offers.agree(accepted.deflate())?;
        if let Ok(value) = HeaderValue::try_from(agreed.extensions())
            && !value.is_empty()
        {
            let headers = response.headers_mut();
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        let handle = TaskHandle::new(socket, &accepted.settings().limits);
        let transport = MemoryTransport::new(Arc::clone(&handle), &agreed);
        let (deflater, chance) = (transport.deflater(), self.chance.clone());
        let mut link = Link::new(handle, &accepted, agreed, deflater, chance);
        let answer = Answer {
            response,
            id: accepted.id(),
        };
        let joined = accepted.join(transport);
        socket.answer(Ok(answer));
        Ok(match joined {
            Ok(joined) => Box::pin(pump::run(link, joined)),
            Err(frame) => {
                let parting = Arc::clone(&self.parting);
                link.refuse(frame);
                Box::pin(async move {
                    link.finish().await;
                    drop(parting);
                })
            }
        })
    }
}

/// Makes upgrades that come through the HTTP service end in these hooks.
pub(crate) fn bind<R: Resolve>(sockets: &Sockets, hub: &Hub, resolver: Arc<R>) {
    let hub = hub.clone();
    sockets.bind(move |mut parts| {
        let (hub, resolver) = (hub.clone(), Arc::clone(&resolver));
        async move {
            // Without it, the request does not come from a client.
            let Some(door) = parts.extensions.get::<UpgradeDoor>().cloned() else {
                return Err(Box::new(parts));
            };
            let info = ConnectionInfo::of(&parts.extensions);
            let target = parts.extensions.get().map(OriginalTarget::get).cloned();
            let routed = target.map(|target| std::mem::replace(&mut parts.uri, target));
            let mut request = UpgradeRequest::new(parts).with_connection(info);
            door.attach_to(&mut request);
            let accepted = async { hub.claim(&resolver, request).await?.upgrade().await };
            match accepted.await {
                Ok(accepted) => {
                    let response = switching_protocols(&accepted);
                    door.leave(accepted);
                    Ok(response.map(|()| Bytes::new()))
                }
                Err(ClaimError::NotHandled(request)) => {
                    let mut parts = request.into_parts();
                    if let Some(routed) = routed {
                        parts.uri = routed;
                    }
                    Err(Box::new(parts))
                }
                Err(refused) => Ok(Rejection::from(refused).into_response()),
            }
        }
    });
}

fn switching_protocols<H: Hooks + ?Sized>(accepted: &Accepted<H>) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.extend(accepted.headers().clone());
    response
}

fn refusal(refused: ClaimError) -> ConnectError {
    match refused {
        ClaimError::NotHandled(request) => ConnectError::unclaimed(request),
        refused => ConnectError::rejected(refused.into()),
    }
}
