//! Upgrades of an `http::Request`, with hyper 1 and frameworks on it.

use bytes::Bytes;
use crossws_core::adapter::{ClaimError, OriginalTarget, UpgradeDoor};
use crossws_core::{ConnectionInfo, RejectReason, Rejection, Resolve, Sockets, UpgradeRequest};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::upgrade::Upgraded;

use crate::driver::raw::RawStream;
use crate::driver::stage::Stage;
use crate::http::hyper_io::{HyperIo, UpgradedIo};
use crate::http::layer::WebSocketLayer;
use crate::http::way::Way;
use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;
use crate::server::accept::{connect, run_claim, run_upgrade};
use crate::server::acceptor::Acceptor;
use crate::server::response::{close_after, malformed};
use crossws_proto::handshake::{self, Handshake, check_target, convert_target};

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
        let info = info_of::<T>(request.extensions());
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
        let (parts, body) = request.into_parts();
        match self.upgrade(parts, info).await {
            Ok(response) => Ok(response.map(Full::new)),
            Err(parts) => Err(Request::from_parts(*parts, body)),
        }
    }

    /// Responds to an upgrade. Any other request is returned as it was, with the facts about its connection.
    async fn upgrade(
        &self,
        mut parts: Parts,
        info: ConnectionInfo,
    ) -> Result<Response<Bytes>, Box<Parts>> {
        if !is_upgrade(&parts) {
            info.store(&mut parts.extensions);
            return Err(Box::new(parts));
        }
        let is_connect = is_connect(&parts);
        // Checked before the resolver runs: such a target has no path to resolve.
        if let Err(rejection) = check_target(&parts.uri) {
            return Ok(answer(self.malformed(rejection, info), is_connect));
        }
        let before = Before {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: is_connect.then(|| parts.headers.clone()),
            info,
        };
        // What the client asked for, of which a router may have stripped a part.
        let target = || Some(parts.extensions.get::<OriginalTarget>()?.get());
        if let Some(original) = T::original_uri(&parts.extensions).or_else(target) {
            parts.uri = original.clone();
        }
        let handshake = match is_connect {
            true => Handshake::check_connect(&parts),
            false => Handshake::check(&parts),
        };
        if is_connect {
            unify(&mut parts);
        }
        let mut way = Way::take(&mut parts.extensions);
        let door = parts.extensions.get::<UpgradeDoor>().cloned();
        let mut request = UpgradeRequest::new(parts).with_connection(info);
        let upgraded = match door {
            Some(door) => {
                door.attach_to(&mut request);
                self.leave_at(&door, request, handshake).await
            }
            None => self.accept(request, handshake, &mut way, info).await,
        };
        upgraded.or_else(|error| not_upgraded(error, way, before))
    }

    /// Upgrades a request, and runs its connection over the stream that `way` leads to.
    async fn accept(
        &self,
        request: UpgradeRequest,
        handshake: Result<Handshake, Rejection>,
        way: &mut Option<Way>,
        info: ConnectionInfo,
    ) -> Result<Response<Bytes>, ClaimError> {
        let malformed = |rejection| self.malformed(rejection, info);
        let claim = run_claim(self.hub(), &self.resolver, request, &T::default()).await?;
        let handshake = handshake.map_err(malformed)?;
        if way.is_none() {
            // A request that was created by hand, or a layer that dropped its extensions.
            let error = "this server's connection cannot be upgraded";
            let rejection = Rejection::internal(error);
            let (path, addr) = (claim.request().path(), info.remote_addr);
            self.hub()
                .rejected(RejectReason::Failed, &rejection, path, addr);
            return Err(rejection.into());
        }
        let claim = claim.with_raw_streams::<RawStream>();
        let accepted = run_upgrade(claim, &T::default()).await?;
        let agreed = handshake.agree(accepted.deflate()).map_err(malformed)?;
        let response = handshake.response(accepted.headers(), &agreed);
        let crew = self.crew.clone();
        let connect = |io: Box<dyn Io>, early| {
            connect(crew, false, io, early, accepted, agreed, T::default())
        };
        match way.take() {
            Some(Way::Hyper(upgrade)) => {
                let connection = Stage::new(async move {
                    // An error means that the client left before its 101.
                    let (io, early) = unwrap::<T>(upgrade.await.ok()?);
                    Some(connect(io, early))
                });
                self.tasks.spawn(&T::default(), connection);
            }
            #[cfg(feature = "http2")]
            Some(Way::Stream(door)) => door.leave(|io| connect(Box::new(io), Bytes::new())),
            None => {}
        }
        Ok(response)
    }

    /// Upgrades a request of a server that runs the connection itself: a server in memory, which
    /// also bounds how long this takes.
    async fn leave_at(
        &self,
        door: &UpgradeDoor,
        request: UpgradeRequest,
        handshake: Result<Handshake, Rejection>,
    ) -> Result<Response<Bytes>, ClaimError> {
        let claim = self.hub().claim(&self.resolver, request).await?;
        let handshake = handshake?;
        let accepted = claim.upgrade().await?;
        // The server in memory negotiates compression itself.
        let agreed = handshake.agree(None)?;
        let response = handshake.response(accepted.headers(), &agreed);
        door.leave(accepted);
        Ok(response)
    }

    /// Counts a request that broke a rule.
    fn malformed(&self, rejection: Rejection, info: ConnectionInfo) -> Rejection {
        malformed(self.hub(), rejection, "", info.remote_addr)
    }

    /// Returns the application's sockets as a tower service, for the middleware of your own server:
    /// what [`ServerBuilder::http_through`](crate::ServerBuilder::http_through) places into its
    /// service. With [`layer`](Self::layer), sockets come before HTTP instead.
    pub fn sockets(&self) -> Sockets {
        let sockets = Sockets::unbound();
        self.clone().bind(&sockets);
        sockets
    }

    pub(crate) fn bind(self, sockets: &Sockets) {
        sockets.bind(move |parts| {
            let acceptor = self.clone();
            async move {
                let info = info_of::<T>(&parts.extensions);
                acceptor.upgrade(parts, info).await
            }
        });
    }

    /// Returns a tower layer that takes the upgrades out of a service's requests.
    pub fn layer(&self) -> WebSocketLayer<R, T> {
        let acceptor = self.clone();
        WebSocketLayer { acceptor }
    }
}

/// Returns whether a request asks for a WebSocket, well-formed or not: by `Upgrade` in HTTP/1.1 or,
/// with the feature `http2`, by an extended CONNECT. Any other request belongs to the HTTP service,
/// and so does one of HTTP/1.0, in which `Upgrade` is ignored (RFC 9110 section 7.8).
pub fn is_upgrade(parts: &Parts) -> bool {
    handshake::is_upgrade(parts) || is_connect(parts)
}

/// Returns whether this is an extended CONNECT for a WebSocket (RFC 8441 section 5).
#[cfg(feature = "http2")]
fn is_connect(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<hyper::ext::Protocol>();
    let is_ours =
        |protocol: &hyper::ext::Protocol| protocol.as_str().eq_ignore_ascii_case("websocket");
    parts.method == Method::CONNECT && protocol.is_some_and(is_ours)
}

#[cfg(not(feature = "http2"))]
fn is_connect(_: &Parts) -> bool {
    false
}

/// Returns what a request's extensions say about its connection.
fn info_of<T: ServerRuntime>(extensions: &Extensions) -> ConnectionInfo {
    // A `Server` of this crate has stored more than the address.
    let mut info = ConnectionInfo::of(extensions);
    // Middleware may have stored the address that a proxy names.
    info.remote_addr = T::remote_addr(extensions).or(info.remote_addr);
    info
}

/// Turns an extended CONNECT into the `GET` that the client would have sent over HTTP/1.1, except for its version.
fn unify(parts: &mut Parts) {
    parts.method = Method::GET;
    convert_target(parts);
}

/// What must be restored in a request that is not upgraded.
struct Before {
    method: Method,
    uri: Uri,
    /// Those of an extended CONNECT.
    headers: Option<HeaderMap>,
    info: ConnectionInfo,
}

/// Returns the refusal, or the request unchanged.
fn not_upgraded(
    refused: ClaimError,
    way: Option<Way>,
    before: Before,
) -> Result<Response<Bytes>, Box<Parts>> {
    let rejection = match refused {
        ClaimError::Rejected(rejection) => rejection,
        ClaimError::NotHandled(request) => {
            let mut parts = request.into_parts();
            if let Some(way) = way {
                way.put_back(&mut parts.extensions);
            }
            before.info.store(&mut parts.extensions);
            parts.method = before.method;
            parts.uri = before.uri;
            parts.headers = before.headers.unwrap_or(parts.headers);
            return Err(Box::new(parts));
        }
        other => Rejection::internal(other),
    };
    Ok(answer(rejection, before.headers.is_some()))
}

/// Returns a refusal as a response, after which the server ends the connection. A refused CONNECT
/// ends only its stream.
fn answer(rejection: Rejection, is_connect: bool) -> Response<Bytes> {
    let mut response = rejection.into_response();
    if !is_connect {
        close_after(response.headers_mut());
    }
    response
}

/// Takes the stream of a `Server` of this crate, or of a server that the runtime knows, out of hyper's
/// wrapper, with the bytes that were read ahead: the pump then writes to it directly and can reset
/// it.
fn unwrap<T: ServerRuntime>(upgraded: Upgraded) -> (Box<dyn Io>, Bytes) {
    let upgraded = match upgraded.downcast::<HyperIo>() {
        Ok(parts) => {
            let RawStream { early, io } = parts.io.stream;
            return (io, [parts.read_buf, early].concat().into());
        }
        Err(upgraded) => upgraded,
    };
    T::reclaim(upgraded).unwrap_or_else(|other| (Box::new(UpgradedIo(other)), Bytes::new()))
}
