use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

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
use crate::time::chance::Chance;
use crate::time::clock::{Alarm, Clock};

/// An app without its type, so that a hook can hold the server that runs it.
pub(crate) trait App: MaybeSend + MaybeSync {
    /// Runs the `start` hook.
    fn start(&self) -> BoxFuture<'static, ()>;

    /// Runs one connection's whole life.
    fn serve(&self, request: UpgradeRequest, socket: Arc<Socket>) -> BoxFuture<'static, ()>;

    /// Whether a connection that has no session is being told so.
    fn is_parting(&self) -> bool;
}

pub(crate) struct Resolved<R: ?Sized> {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<Clock>,
    pub(crate) resolver: Arc<R>,
    /// What the builder found wrong with its settings.
    pub(crate) checked: Result<(), SettingsError>,
    pub(crate) start: Arc<Start>,
    pub(crate) http: Option<Arc<dyn HttpService>>,
    pub(crate) chance: Chance,
    /// How many connections are being closed without a session.
    pub(crate) partings: Arc<AtomicUsize>,
}

impl<R: Resolve> App for Resolved<R> {
    fn start(&self) -> BoxFuture<'static, ()> {
        let (hub, resolver) = (self.hub.clone(), Arc::clone(&self.resolver));
        let start = Arc::clone(&self.start);
        let checked = self.checked.clone();
        Box::pin(async move {
            // The error has been logged, and the upgrades that wait for the hook are refused.
            let _ = start.run_checked(checked, &resolver, &hub).await;
        })
    }

    fn serve(&self, request: UpgradeRequest, socket: Arc<Socket>) -> BoxFuture<'static, ()> {
        let arrival = Arrival {
            socket: Cable(socket),
            clock: Arc::clone(&self.clock),
            http: self.http.clone(),
            chance: self.chance.clone(),
            partings: Arc::clone(&self.partings),
        };
        let hub = self.hub.clone();
        let resolver = Arc::clone(&self.resolver);
        let start = Arc::clone(&self.start);
        Box::pin(async move { arrival.serve(start, hub, resolver, request).await })
    }

    fn is_parting(&self) -> bool {
        self.partings.load(Ordering::Relaxed) > 0
    }
}

/// The server's end of a socket. Dropping it drops the connection, whatever happened.
struct Cable(Arc<Socket>);

impl Drop for Cable {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Counts a connection that is closed without a session, until it is dropped.
struct Parting<'a>(&'a AtomicUsize);

impl<'a> Parting<'a> {
    fn begin(partings: &'a AtomicUsize) -> Self {
        partings.fetch_add(1, Ordering::Relaxed);
        Self(partings)
    }
}

impl Drop for Parting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Arrival {
    socket: Cable,
    clock: Arc<Clock>,
    http: Option<Arc<dyn HttpService>>,
    chance: Chance,
    partings: Arc<AtomicUsize>,
}

impl Arrival {
    async fn serve<R: Resolve>(
        self,
        start: Arc<Start>,
        hub: Hub,
        resolver: Arc<R>,
        request: UpgradeRequest,
    ) {
        // Offers in a request of the test's own are for hooks to read.
        let offers = match self.socket.0.may_compress() {
            true => Offers::of(request.headers()),
            false => Offers::default(),
        };
        let limit = hub.limits().upgrade_timeout;
        let claim = async {
            start.ready().await.map_err(ConnectError::rejected)?;
            Ok(hub.claim(&resolver, request).await)
        };
        let claim = match self.in_time(&hub, claim, limit).await {
            Some(Ok(Ok(claim))) => claim,
            Some(Ok(Err(refused))) => return self.refused(&hub, refused, offers).await,
            Some(Err(refusal)) => return self.socket.0.answer(Err(refusal)),
            None => return,
        };
        let claim = match self.chance.peer_id() {
            Some(id) => claim.with_id(id),
            None => claim,
        };
        let limit = claim.deadline();
        let upgrade = async { Ok(claim.upgrade().await) };
        let accepted = match self.in_time(&hub, upgrade, limit).await {
            Some(Ok(Ok(accepted))) => accepted,
            Some(Ok(Err(refused))) => return self.refused(&hub, refused, offers).await,
            Some(Err(refusal)) => return self.socket.0.answer(Err(refusal)),
            None => return,
        };
        let response = switching_protocols(&accepted);
        self.connect(accepted, response, offers).await;
    }

    fn reject(&self, rejection: Rejection) {
        self.socket.0.answer(Err(ConnectError::rejected(rejection)));
    }

    /// Passes a request that no hooks claim to the HTTP service, which may upgrade it itself.
    async fn refused(self, hub: &Hub, refused: ClaimError, offers: Offers) {
        let (mut request, http) = match (refused, &self.http) {
            (ClaimError::NotHandled(request), Some(http)) => (request, Arc::clone(http)),
            (refused, _) => return self.socket.0.answer(Err(refusal(refused))),
        };
        let info = ConnectionInfo::new(request.remote_addr()).with_secure(request.is_secure());
        let door = UpgradeDoor::new();
        door.carry(&mut request);
        let mut parts = request.into_parts();
        if let Some(addr) = info.remote_addr {
            parts.extensions.insert(addr);
        }
        info.store(&mut parts.extensions);
        parts.extensions.insert(hub.clone());
        // Routers may strip a prefix.
        let target = OriginalTarget::of(&parts.uri);
        parts.extensions.insert(target);
        parts.extensions.insert(door.clone());
        let call = http.call(
            Request::from_parts(parts, Bytes::new()),
            ApiRequest::MAX_BODY,
        );
        let call = async {
            let failed = |error| ConnectError::rejected(Rejection::internal(error));
            call.await.map_err(failed)
        };
        // A server does not limit the time of an HTTP service.
        match self.in_time(hub, call, Duration::MAX).await {
            Some(Ok(response)) => match door.take() {
                Some(accepted) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    self.connect(accepted, response.map(drop), offers).await;
                }
                _ => self.reject(Rejection::from(response)),
            },
            Some(Err(refusal)) => self.socket.0.answer(Err(refusal)),
            None => {}
        }
    }

    /// Sends the response to an accepted upgrade, and runs the connection.
    async fn connect<H: Hooks + ?Sized>(
        self,
        accepted: Accepted<H>,
        mut response: Response<()>,
        offers: Offers,
    ) {
        let agreed = match offers.agree(accepted.deflate()) {
            Ok(agreed) => agreed,
            Err(rejection) => return self.reject(rejection),
        };
        if let Ok(value) = HeaderValue::try_from(agreed.extensions())
            && !value.is_empty()
        {
            let headers = response.headers_mut();
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        let handle = TaskHandle::new(&self.socket.0, &accepted.settings().limits);
        let transport = MemoryTransport::new(Arc::clone(&handle), &agreed);
        let (deflater, chance) = (transport.deflater(), self.chance.clone());
        let mut link = Link::new(handle, &accepted, agreed, deflater, chance);
        let answer = Answer {
            response,
            id: accepted.id(),
        };
        let joined = accepted.join(transport);
        self.socket.0.answer(Ok(answer));
        match joined {
            Ok(joined) => pump::run(link, joined).await,
            Err(frame) => {
                let _parting = Parting::begin(&self.partings);
                link.refuse(frame);
                link.finish().await;
            }
        }
    }

    /// Runs an upgrade within its deadline. Returns `None` when the client has gone away.
    async fn in_time<T>(
        &self,
        hub: &Hub,
        upgrade: impl Future<Output = Result<T, ConnectError>>,
        limit: Duration,
    ) -> Option<Result<T, ConnectError>> {
        let deadline = self.clock.now().saturating_add(limit);
        let mut alarm = Alarm::new(&self.clock);
        let mut upgrade = pin!(upgrade);
        poll_fn(|cx| {
            self.socket.0.watch(cx);
            if self.socket.0.vanished() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(result) = upgrade.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            if self.clock.now() >= deadline {
                let rejection = hub.upgrade_timed_out();
                return Poll::Ready(Some(Err(ConnectError::rejected(rejection))));
            }
            alarm.set(Some(deadline), cx.waker());
            Poll::Pending
        })
        .await
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
                Err(ClaimError::Rejected(rejection)) => Ok(rejection.into_response()),
                Err(other) => Ok(Rejection::internal(other).into_response()),
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
        ClaimError::Rejected(rejection) => ConnectError::rejected(rejection),
        other => {
            let error = format!("{other:?}");
            ConnectError::rejected(Rejection::internal(error))
        }
    }
}
