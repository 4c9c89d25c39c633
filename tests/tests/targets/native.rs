//! Any native adapter as a target: real sockets, real time. They differ only by their runtime.

#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

// Where the table is made, both of its users are there.
#[allow(clippy::duplicate_mod)]
mod taken;

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::net::Local;
use crossws_conformance::{App, Fut, Journal, LONG, Profile, Report, Server, Shutdown, Target};
use crossws_core::{
    Body, BoxFuture, Capabilities, CloseCode, CloseFrame, Hub, Resolve, SharedResolver,
};
use crossws_native::{HeadLimits, Http2, ServerBuilder, ServerRuntime, Tls};
use crossws_sse::EventSockets;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

/// The adapter for the runtime `T`.
pub struct Native<T> {
    name: &'static str,
    way: Way,
    runtime: PhantomData<fn() -> T>,
}

/// How clients reach the hooks.
#[derive(Clone, Copy, Default)]
struct Way {
    secure: bool,
    through: bool,
    http2: bool,
    events: bool,
}

impl<T> Native<T> {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            way: Way::default(),
            runtime: PhantomData,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Way)) -> Self {
        change(&mut self.way);
        self
    }

    /// With sockets through HTTP: inside the middleware of the service.
    pub fn through(name: &'static str) -> Self {
        Self::new(name).with(|way| way.through = true)
    }

    /// With TLS on every connection.
    pub fn secure(name: &'static str) -> Self {
        Self::new(name).with(|way| way.secure = true)
    }

    /// With every client's WebSocket in one connection of HTTP/2, over TLS.
    pub fn http2(name: &'static str) -> Self {
        Self::secure(name).with(|way| way.http2 = true)
    }

    /// Over event streams and posts.
    pub fn events(name: &'static str) -> Self {
        Self::new(name).with(|way| way.events = true)
    }

    /// Over event streams and posts, with TLS.
    pub fn secure_events(name: &'static str) -> Self {
        Self::secure(name).with(|way| way.events = true)
    }
}

/// A certificate that is created for this process, and clients that trust it.
static AUTHORITY: LazyLock<(Tls, Arc<ClientConfig>)> = LazyLock::new(|| {
    let localhost = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(localhost).unwrap();
    let tls = Tls::from_pem(cert.pem(), signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let clients = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (tls, Arc::new(clients))
});

impl<T: ServerRuntime> Target for Native<T> {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        match self.way.events {
            true => crossws_sse::CAPABILITIES,
            false => crossws_native::CAPABILITIES,
        }
    }

    fn speaks_http2(&self) -> bool {
        self.way.http2
    }

    fn reads_events(&self) -> bool {
        self.way.events
    }

    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>> {
        Box::pin(async move { Box::new(self.local(profile).await) as Box<dyn Server> })
    }
}

impl<T: ServerRuntime> Native<T> {
    /// Starts a server, as [`Target::start`] does.
    pub async fn local(&self, profile: Profile) -> Local {
        let journal = Arc::new(Journal::default());
        let app = App::new(&journal).taking(taken::take);
        let mut limits = HeadLimits::default();
        limits.timeout = profile.handshake_timeout.unwrap_or(LONG);
        start::<_, T>(app, profile.hub(), limits, journal, self.way).await
    }
}

/// How long a client may be away. A client that vanishes is gone after it.
const GRACE: Duration = Duration::from_millis(100);

/// Generic, so that the compiler can tell that the server's future is `Send`.
async fn start<R: Resolve, T: ServerRuntime>(
    app: R,
    hub: Hub,
    limits: HeadLimits,
    journal: Arc<Journal>,
    way: Way,
) -> Local {
    let app = SharedResolver::new(app);
    let events = EventSockets::new(app.clone(), &hub).grace(GRACE);
    let server = crossws_native::Server::<SharedResolver, T>::builder(app)
        .hub(hub.clone())
        .head_limits(limits);
    match way {
        Way { through: true, .. } => {
            let through = server.http_through(|sockets| Middleware(sockets.or(Fallback)));
            serve(through, hub, journal, way).await
        }
        Way { events: true, .. } => {
            serve(server.http(events.or(Fallback)), hub, journal, way).await
        }
        _ => serve(server.http(Fallback), hub, journal, way).await,
    }
}

async fn serve<R: Resolve, T: ServerRuntime>(
    mut server: ServerBuilder<R, T>,
    hub: Hub,
    journal: Arc<Journal>,
    way: Way,
) -> Local {
    let mut tls = None;
    if way.secure {
        let (ours, theirs) = &*AUTHORITY;
        server = server.tls(ours.clone());
        tls = Some(Arc::clone(theirs));
    }
    if way.http2 {
        server = server.http2(Http2::default());
        tls = tls.map(|tls| {
            let mut tls = Arc::unwrap_or_clone(tls);
            tls.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(tls)
        });
    }
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let handle = server.handle();
    let addr = server.local_addr();
    T::default().spawn(async { server.run().await.unwrap() });
    Local {
        addr,
        tls,
        http2: way.http2.then(Arc::default),
        events: way.events,
        hub,
        journal,
        stop: Box::new(move |order: Shutdown| {
            let handle = handle.clone();
            Box::pin(async move {
                let mut shutdown = crossws_native::Shutdown::default().grace(order.deadline);
                if let Some((code, reason)) = order.frame {
                    let code = CloseCode::new(code).unwrap();
                    shutdown = shutdown.frame(CloseFrame::new(code, reason));
                }
                let report = handle.shutdown(shutdown).await;
                Report {
                    closed: report.flushed + report.dropped,
                    forced: report.forced,
                }
            })
        }),
    }
}

/// The application's HTTP service.
#[derive(Clone)]
struct Fallback;

impl Service<Request<Body>> for Fallback {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes());
            let request = Request::from_parts(parts, body.unwrap_or_default());
            Ok(App::http(&request).map(Full::new))
        })
    }
}

/// Middleware that marks each response.
#[derive(Clone)]
struct Middleware<S>(S);

impl<S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>>
    Service<Request<Body>> for Middleware<S>
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let response = self.0.call(request);
        Box::pin(async {
            let mut response = response.await?;
            let mark = http::HeaderValue::from_static("passed");
            response.headers_mut().insert("x-middleware", mark);
            Ok(response)
        })
    }
}
