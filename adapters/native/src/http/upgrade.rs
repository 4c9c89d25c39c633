//! Upgrades of an `http::Request`, with hyper 1 and frameworks on it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Accepted, ClaimError, OriginalTarget, UpgradeDoor};
use crossws_core::{
    ConnectionInfo, Hooks, RejectReason, Rejection, Resolve, Sockets, UpgradeRequest,
};
use http::header::{HOST, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::upgrade::{Parts, Upgraded};

use crate::driver::pump::pump_with;
use crate::driver::raw::RawStream;
use crate::driver::server_crew::ServerCrew;
use crate::driver::stage::Stage;
use crate::http::hyper_io::{HyperIo, UpgradedIo};
use crate::http::layer::WebSocketLayer;
use crate::http::way::Way;
use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;
use crate::server::accept::{run_claim, run_upgrade};
use crate::server::acceptor::Acceptor;
use crate::server::response::close_after;
use crossws_proto::handshake::{self, Agreed, Handshake, check_target, convert_target};

impl<R: Resolve, T: ServerRuntime> Acceptor<R, T> {
    /// Responds to a request for a WebSocket: with a 101, after which the connection runs, or with
    /// a refusal, after which the server ends the connection.
    ///
    /// With the feature `http2`, also to an extended CONNECT (RFC 8441): with a 200, after which
    /// the stream is the WebSocket.
    ///
    /// The server must keep upgrades alive: `axum::serve` does, and with hyper's own connection it
    /// is `with_upgrades()`. Over HTTP/2, `axum::serve` with axum's feature `http2` offers extended
    /// CONNECT, and hyper's own connection does with `enable_connect_protocol()`. There the URI names
    /// the host: middleware that replaces the URI must keep its authority.
    ///
    /// The client's address is taken from the request's extensions: a
    /// [`SocketAddr`](std::net::SocketAddr) or, on tokio with the feature `axum`, axum's
    /// `ConnectInfo`. [`handle_upgrade_from`](Self::handle_upgrade_from) takes it as an argument.
    ///
    /// **By default, the namespace is the path of this request.** A router that strips a prefix,
    /// such as axum's `nest`, passes requests for `/staff/orders` and `/public/orders` as
    /// `/orders`. On tokio with the feature `axum`, the hooks and the resolver still get the path
    /// that the client requested. With another framework, or without the feature, the peers of both
    /// would share a namespace: name it with
    /// [`Upgrade::namespace`](crossws_core::Upgrade::namespace) there. Under a
    /// [`Server`](crate::Server), the requested path is known whatever the framework.
    ///
    /// # Errors
    /// Returns the request if it is not an upgrade, or if no hooks claim it: unchanged, except that
    /// its extensions contain the [`ConnectionInfo`], for a service that it is passed on to.
    ///
    /// # Cancel safety
    /// Dropping the future drops the upgrade. The client gets the response that its server then
    /// sends.
    pub async fn handle_upgrade<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Request<B>> {
        let extensions = request.extensions();
        // A `Server` of this crate has stored more than the address.
        let mut info = ConnectionInfo::of(extensions);
        // Middleware may have stored the address that a proxy names.
        info.remote_addr = T::remote_addr(extensions).or(info.remote_addr);
        self.handle_upgrade_from(request, info).await
    }

    /// As [`handle_upgrade`](Self::handle_upgrade), with the facts about the connection from the
    /// caller.
    ///
    /// # Errors
    /// As [`handle_upgrade`](Self::handle_upgrade).
    pub async fn handle_upgrade_from<B>(
        &self,
        request: Request<B>,
        info: ConnectionInfo,
    ) -> Result<Response<Full<Bytes>>, Request<B>> {
        let upgraded = self.upgrade(request, info).await;
        upgraded.map_err(|mut request| {
            info.store(request.extensions_mut());
            request
        })
    }

    async fn upgrade<B>(
        &self,
        request: Request<B>,
        info: ConnectionInfo,
    ) -> Result<Response<Full<Bytes>>, Request<B>> {
        let (mut parts, body) = request.into_parts();
        if !is_upgrade(&parts) {
            return Err(Request::from_parts(parts, body));
        }
        let is_connect = is_connect(&parts);
        // Checked before the resolver runs: such a target has no path to resolve.
        if let Err(rejection) = check_target(&parts.uri) {
            return Ok(self.malformed(rejection, info, is_connect));
        }
        let original = T::original_uri(&parts.extensions).cloned();
        let target = || Some(parts.extensions.get::<OriginalTarget>()?.get().clone());
        let original = original.or_else(target);
        let mut asked = Asked {
            routed: original.map(|original| std::mem::replace(&mut parts.uri, original)),
            connect: None,
        };
        let handshake = match is_connect {
            true => Handshake::check_connect(&parts),
            false => Handshake::check(&parts),
        };
        if is_connect {
            asked.connect = Some(Connect::unify(&mut parts));
        }
        let way = Way::take(&mut parts.extensions);
        let door = parts.extensions.get::<UpgradeDoor>().cloned();
        let mut request = UpgradeRequest::new(parts).with_connection(info);
        if let Some(door) = door {
            door.attach_to(&mut request);
            return self.leave_at(&door, request, handshake, asked, body).await;
        }
        let claim = match run_claim(self.hub(), self.resolver(), request, &T::default()).await {
            Ok(claim) => claim,
            Err(error) => return not_upgraded(error, way, asked, body),
        };
        let handshake = match handshake {
            Ok(handshake) => handshake,
            Err(rejection) => return Ok(self.malformed(rejection, info, is_connect)),
        };
        let Some(way) = way else {
            // A request that was created by hand, or a layer that dropped its extensions.
            let error = "this server's connection cannot be upgraded";
            let rejection = Rejection::internal(error);
            let (path, addr) = (claim.request().path(), info.remote_addr);
            self.hub()
                .rejected(RejectReason::Failed, &rejection, path, addr);
            return Ok(answer(rejection, is_connect));
        };
        let claim = claim.with_raw_streams::<RawStream>();
        let accepted = run_upgrade(claim, &T::default()).await;
        let accepted = accepted.and_then(|accepted| {
            let agreed = handshake.agree(accepted.deflate());
            let agreed = agreed.inspect_err(|it| self.tell_malformed(it, info))?;
            Ok::<_, ClaimError>((accepted, agreed))
        });
        match accepted {
            Ok((accepted, agreed)) => {
                let response = handshake.response(accepted.headers(), &agreed);
                let crew = self.crew();
                match way {
                    Way::Hyper(upgrade) => {
                        let connection = Stage::new(async move {
                            // An error means that the client left before its 101.
                            let (io, early) = unwrap::<T>(upgrade.await.ok()?);
                            Some(connection::<T, _, _>(crew, io, early, accepted, agreed))
                        });
                        self.tasks().spawn(&T::default(), connection);
                    }
                    #[cfg(feature = "http2")]
                    Way::Stream(door) => door.leave(move |io| {
                        connection::<T, _, _>(crew, io, BytesMut::new(), accepted, agreed)
                    }),
                }
                Ok(response.map(Full::new))
            }
            Err(error) => not_upgraded(error, Some(way), asked, body),
        }
    }

    /// Upgrades a request of a server that runs the connection itself: a server in memory, which
    /// also bounds how long this takes.
    async fn leave_at<B>(
        &self,
        door: &UpgradeDoor,
        request: UpgradeRequest,
        handshake: Result<Handshake, Rejection>,
        asked: Asked,
        body: B,
    ) -> Result<Response<Full<Bytes>>, Request<B>> {
        let accepted = async {
            let claim = self.hub().claim(self.resolver(), request).await?;
            let handshake = handshake?;
            let accepted = claim.upgrade().await?;
            // The server in memory negotiates compression itself.
            let agreed = handshake.agree(None)?;
            let response = handshake.response(accepted.headers(), &agreed);
            Ok::<_, ClaimError>((accepted, response))
        };
        match accepted.await {
            Ok((accepted, response)) => {
                door.leave(accepted);
                Ok(response.map(Full::new))
            }
            Err(error) => not_upgraded(error, None, asked, body),
        }
    }

    /// Returns the application's sockets as a tower service, for the middleware of your own server:
    /// what [`ServerBuilder::http_through`](crate::ServerBuilder::http_through) places into its
    /// service. With [`layer`](Self::layer), sockets come before HTTP instead.
    pub fn sockets(&self) -> Sockets {
        let sockets = Sockets::unbound();
        self.clone().bind(&sockets);
        sockets
    }

    fn tell_malformed(&self, rejection: &Rejection, info: ConnectionInfo) {
        self.hub()
            .rejected(RejectReason::Malformed, rejection, "", info.remote_addr);
    }

    fn malformed(
        &self,
        rejection: Rejection,
        info: ConnectionInfo,
        is_connect: bool,
    ) -> Response<Full<Bytes>> {
        self.tell_malformed(&rejection, info);
        answer(rejection, is_connect)
    }

    pub(crate) fn bind(self, sockets: &Sockets) {
        sockets.bind(move |parts| {
            let acceptor = self.clone();
            async move {
                let upgraded = acceptor
                    .handle_upgrade(Request::from_parts(parts, ()))
                    .await;
                let unclaimed = |request: Request<()>| Box::new(request.into_parts().0);
                upgraded
                    .map(|response| response.map(whole))
                    .map_err(unclaimed)
            }
        });
    }

    /// Returns a tower layer that takes the upgrades out of a service's requests.
    pub fn layer(&self) -> WebSocketLayer<R, T> {
        WebSocketLayer::new(self.clone())
    }
}

/// Returns whether a request asks for a WebSocket, well-formed or not: by `Upgrade` in HTTP/1.1 or,
/// with the feature `http2`, by an extended CONNECT. Any other request belongs to the HTTP service,
/// and so does one of HTTP/1.0, in which `Upgrade` is ignored (RFC 9110 section 7.8).
pub fn is_upgrade(parts: &http::request::Parts) -> bool {
    handshake::is_upgrade(parts) || is_connect(parts)
}

/// Returns whether this is an extended CONNECT for a WebSocket (RFC 8441 section 5).
#[cfg(feature = "http2")]
fn is_connect(parts: &http::request::Parts) -> bool {
    let protocol = parts.extensions.get::<hyper::ext::Protocol>();
    let is_ours =
        |protocol: &hyper::ext::Protocol| protocol.as_str().eq_ignore_ascii_case("websocket");
    parts.method == Method::CONNECT && protocol.is_some_and(is_ours)
}

#[cfg(not(feature = "http2"))]
fn is_connect(_: &http::request::Parts) -> bool {
    false
}

/// What must be restored in a request that is not upgraded.
struct Asked {
    /// The target, if a router had stripped a part of it.
    routed: Option<Uri>,
    connect: Option<Connect>,
}

/// The parts of an extended CONNECT in which it differs from the same request over HTTP/1.1.
struct Connect {
    target: Uri,
    hosts: Vec<HeaderValue>,
}

impl Connect {
    /// Turns an extended CONNECT into the `GET` that the client would have sent over HTTP/1.1, except for its version.
    fn unify(parts: &mut http::request::Parts) -> Self {
        let before = Self {
            target: parts.uri.clone(),
            hosts: parts.headers.get_all(HOST).iter().cloned().collect(),
        };
        parts.method = Method::GET;
        convert_target(parts);
        before
    }

    fn restore(self, parts: &mut http::request::Parts) {
        parts.method = Method::CONNECT;
        parts.uri = self.target;
        parts.headers.remove(HOST);
        for host in self.hosts {
            parts.headers.append(HOST, host);
        }
    }
}

/// Returns the refusal, or the request unchanged.
#[expect(clippy::result_large_err, reason = "the caller's request")]
fn not_upgraded<B>(
    refused: ClaimError,
    way: Option<Way>,
    asked: Asked,
    body: B,
) -> Result<Response<Full<Bytes>>, Request<B>> {
    match refused {
        ClaimError::Rejected(rejection) => Ok(answer(rejection, asked.connect.is_some())),
        ClaimError::NotHandled(request) => {
            let mut parts = request.into_parts();
            if let Some(way) = way {
                way.put_back(&mut parts.extensions);
            }
            if let Some(connect) = asked.connect {
                connect.restore(&mut parts);
            }
            if let Some(routed) = asked.routed {
                parts.uri = routed;
            }
            Err(Request::from_parts(parts, body))
        }
        other => Ok(answer(Rejection::internal(other), asked.connect.is_some())),
    }
}

/// Returns a refusal as a response, after which the server ends the connection. A refused CONNECT
/// ends only its stream.
fn answer(rejection: Rejection, is_connect: bool) -> Response<Full<Bytes>> {
    let mut response = rejection.into_response();
    if !is_connect {
        close_after(response.headers_mut());
    }
    response.map(Full::new)
}

/// Returns the bytes of a body that is one piece.
fn whole(body: Full<Bytes>) -> Bytes {
    let mut body = std::pin::pin!(body);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match http_body::Body::poll_frame(body.as_mut(), &mut cx) {
        std::task::Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

/// Builds the upgraded connection.
fn connection<T: ServerRuntime, I: Io, H: Hooks + ?Sized>(
    crew: Option<Arc<ServerCrew>>,
    io: I,
    early: BytesMut,
    mut accepted: Accepted<H>,
    agreed: Agreed,
) -> Stage {
    if let Some(taken) = accepted.taken::<RawStream>() {
        return Stage::last(taken.run(RawStream::new(io, early)));
    }
    let runtime = T::default();
    Stage::last(pump_with(crew, false, io, early, accepted, agreed, runtime))
}

/// Takes the stream of a `Server` of this crate, or of a server that the runtime knows, out of hyper's
/// wrapper, with the bytes that were read ahead: the pump then writes to it directly and can reset
/// it.
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
