use std::net::SocketAddr;
use std::sync::Arc;

use crossws_core::{BoxFuture, Deflate, PeerId, UpgradeRequest};
use crossws_proto::handshake::ClientHandshake;
use http::header::{
    CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::{Parts, PathAndQuery, Scheme};
use http::{Method, Request, Response, Uri};

use crate::client::Client;
use crate::client::refusal::ConnectError;
use crate::connection::socket::Socket;
use crate::server::{TestServer, World};

/// The key of RFC 6455's own example. No code checks it, because there is no socket.
const SAMPLE_KEY: HeaderValue = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");

/// A connection to be opened: await it. See [`TestServer::connect`](crate::TestServer::connect).
///
/// # Errors
/// Awaiting it returns a [`ConnectError`] when the server's response is not a 101, and (with status
/// 400) when the target or a header is not valid HTTP.
///
/// # Cancel safety
/// Dropping the future is a client that goes away. During the upgrade, the hook is dropped; after
/// it, the peer is lost as with [`Client::vanish`].
#[must_use = "nothing connects until it is awaited"]
pub struct Connect {
    world: Arc<World>,
    request: Result<Request<()>, http::Error>,
    remote_addr: SocketAddr,
    secure: bool,
    attach: Vec<Attach>,
    deflate: Option<Deflate>,
    raw: bool,
}

/// Attaches a value to a request.
type Attach = Box<dyn FnOnce(&mut UpgradeRequest) + Send>;

impl TestServer {
    /// Returns a client for this target: a path such as `/rooms/1?as=ada`, or a whole URL, whose
    /// host and scheme the request then has. Otherwise the host is `localhost`.
    ///
    /// ```
    /// # use crossws_memory::TestServer;
    /// # futures_lite::future::block_on(async {
    /// let server = TestServer::new(crossws_core::hooks());
    /// let client = server.connect("/rooms/1").header("x-user", "ada").await?;
    /// assert_eq!(client.response().status(), 101);
    /// assert_eq!(&*server.hub().namespaces()[0], "/rooms/1");
    /// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
    /// ```
    pub fn connect(&self, target: &str) -> Connect {
        self.connect_to(Request::get(target).body(()))
    }

    /// Returns a client for your own request. Missing headers of an upgrade are added; present ones
    /// are not checked. The request's extensions reach the hooks, like those that middleware adds
    /// in front of a router.
    pub fn connect_with(&self, request: Request<()>) -> Connect {
        self.connect_to(Ok(request))
    }

    fn connect_to(&self, request: Result<Request<()>, http::Error>) -> Connect {
        Connect {
            world: Arc::clone(&self.world),
            request,
            remote_addr: self.world.next_addr(),
            secure: false,
            attach: Vec::new(),
            deflate: None,
            raw: false,
        }
    }
}

impl Connect {
    /// Adds a header. Several with one name are all sent.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        if let Ok(request) = &mut self.request {
            let name = HeaderName::try_from(name.as_ref()).map_err(http::Error::from);
            let value = HeaderValue::from_bytes(value.as_ref()).map_err(http::Error::from);
            match name.and_then(|name| Ok((name, value?))) {
                Ok((name, value)) => {
                    request.headers_mut().append(name, value);
                }
                Err(error) => self.request = Err(error),
            }
        }
        self
    }

    /// Offers a subprotocol, after the earlier ones.
    pub fn protocol(self, protocol: impl AsRef<str>) -> Self {
        self.header(SEC_WEBSOCKET_PROTOCOL, protocol.as_ref())
    }

    /// Offers several subprotocols, the preferred one first.
    pub fn protocols<S: AsRef<str>>(self, protocols: impl IntoIterator<Item = S>) -> Self {
        protocols.into_iter().fold(self, Self::protocol)
    }

    /// Connects as a page of this origin does, such as `https://app.example`. Without it, the
    /// client is not a browser, and its origin is not checked.
    pub fn origin(self, origin: impl AsRef<str>) -> Self {
        self.header(ORIGIN, origin.as_ref())
    }

    /// Sets the client's address. By default, each client has another port of 127.0.0.1.
    pub fn remote_addr(mut self, addr: impl Into<SocketAddr>) -> Self {
        self.remote_addr = addr.into();
        self
    }

    /// Connects as if through TLS, so that the request's URLs have `https` and `wss`. A target with
    /// one of these schemes has the same effect.
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Connects with this value attached, as a layer attaches the user that it has found out, one per
    /// type: hooks read it with `peer.attached::<T>()`.
    ///
    /// The router's layers that decide who may connect do not run for such a client: `before`,
    /// `authenticate`, and layers of the app's own, unless they say otherwise. What they would attach,
    /// the test attaches. Everything else is as for any client: the `upgrade` hook runs, and typed paths
    /// and queries are read.
    ///
    /// ```
    /// # use crossws_core::{Rejection, UpgradeRequest, hooks, http::StatusCode};
    /// # use crossws_memory::TestServer;
    /// use crossws_app::Router;
    ///
    /// struct User(&'static str);
    ///
    /// async fn signed_in(_: &UpgradeRequest) -> Option<User> {
    ///     None // a test has no database
    /// }
    ///
    /// # futures_lite::future::block_on(async {
    /// let greets = hooks().on_open(|peer| async move {
    ///     peer.send(format!("hello {}", peer.attached::<User>()?.0))?;
    ///     crossws_core::ok()
    /// });
    /// let server = TestServer::new(Router::new().authenticate(signed_in).route("/", greets));
    /// assert_eq!(server.connect("/").await.unwrap_err().status(), 401);
    /// let mut bob = server.connect("/").attach(User("bob")).await?;
    /// bob.expect("hello bob").await;
    /// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
    /// ```
    pub fn attach<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.attach.push(Box::new(|request| {
            request.attach(value);
            request.admit();
        }));
        self
    }

    /// Offers permessage-deflate, as browsers do. By default the client offers no compression. If the
    /// server agrees, both sides compress on the wire; what the test sends and takes is the same.
    ///
    /// ```
    /// # use crossws_core::{Deflate, hooks};
    /// # use crossws_memory::TestServer;
    /// # futures_lite::future::block_on(async {
    /// let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
    /// let server = TestServer::builder(echo).deflate(Deflate::default()).build();
    /// let mut client = server.connect("/").deflate(Deflate::default()).await?;
    /// let agreed = &client.response().headers()["sec-websocket-extensions"];
    /// assert!(agreed.to_str()?.starts_with("permessage-deflate"));
    /// client.send("long, and like itself; ".repeat(100))?;
    /// client.expect("long, and like itself; ".repeat(100)).await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn deflate(mut self, config: impl Into<Option<Deflate>>) -> Self {
        self.deflate = config.into();
        self
    }

    /// Leaves all frames to the test, which sends bytes with [`Client::send_raw`] and takes them with
    /// [`Client::next_raw`]. The client decodes nothing, and answers no ping and no close frame.
    pub fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    async fn run(self) -> Result<Client, ConnectError> {
        let offer = self.deflate.as_ref();
        let offer = offer.map(|config| ClientHandshake::new(Some(config)));
        let offer = offer.transpose().map_err(ConnectError::malformed)?;
        let mut request = self.request.map_err(ConnectError::malformed)?;
        if let Some(value) = offer
            .as_ref()
            .and_then(|offer| offer.headers().remove(SEC_WEBSOCKET_EXTENSIONS))
        {
            request
                .headers_mut()
                .append(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        let mut request = complete(request, self.secure)?.with_remote_addr(Some(self.remote_addr));
        for attach in self.attach {
            attach(&mut request);
        }
        let world = self.world;
        let socket = Arc::new(Socket::new(Arc::clone(&world.clock), offer));
        if self.raw {
            socket.set_raw();
        }
        let serve = Arc::clone(&world.app).serve(request, Arc::clone(&socket));
        world.executor.spawn(serve);
        // From here on, dropping the future means that the client goes away.
        let mut client = Client {
            waiter: world.executor.waiter(),
            world,
            socket,
            response: Response::default(),
            id: PeerId::from_u128(0),
        };
        let answer = client.wait(Socket::poll_answer).await?;
        client.response = answer.response;
        client.id = answer.id;
        Ok(client)
    }
}

/// Completes the upgrade request as a client would: keeps what the caller set, and adds what is
/// missing.
fn complete(request: Request<()>, mut secure: bool) -> Result<UpgradeRequest, ConnectError> {
    let (mut parts, ()) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri).into_parts();
    let host = match &uri.authority {
        Some(_) if uri.scheme.is_none() => {
            return Err(ConnectError::malformed(
                "the target does not begin with `/`",
            ));
        }
        Some(authority) => {
            HeaderValue::try_from(authority.as_str()).map_err(ConnectError::malformed)?
        }
        None => HeaderValue::from_static("localhost"),
    };
    secure |= uri.scheme.as_ref().is_some_and(is_secure);
    let mut target = Parts::default();
    target.path_and_query = uri.path_and_query.or(Some(PathAndQuery::from_static("/")));
    parts.uri = Uri::from_parts(target).map_err(ConnectError::malformed)?;
    let headers = &mut parts.headers;
    let mut default = |name, value| {
        headers.entry(name).or_insert(value);
    };
    default(HOST, host);
    if parts.method == Method::GET {
        default(CONNECTION, HeaderValue::from_static("Upgrade"));
        default(UPGRADE, HeaderValue::from_static("websocket"));
        default(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        default(SEC_WEBSOCKET_KEY, SAMPLE_KEY);
    }
    Ok(UpgradeRequest::new(parts).with_secure(secure))
}

fn is_secure(scheme: &Scheme) -> bool {
    *scheme == Scheme::HTTPS || scheme.as_str().eq_ignore_ascii_case("wss")
}

impl IntoFuture for Connect {
    type Output = Result<Client, ConnectError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

crossws_core::opaque_debug!([] Connect, self =>
    request: self.request, remote_addr: self.remote_addr);
