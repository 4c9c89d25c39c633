use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossws_client::Connect;
use crossws_core::{
    CloseCode, Deflate, Hooks, Limits, Peer, SharedHooks, UpgradeRequest, Wrap, forward_hooks,
    hooks,
};
use http::HeaderMap;
use http::header::HeaderName;

use crate::address::is_public;
use crate::connection::Connections;
use crate::ended::Ended;
use crate::headers::Headers;
use crate::hosts::Hosts;
use crate::protocols::Protocols;
use crate::target::IntoTarget;

/// Hooks that connect each client to an upstream, and pass messages both ways.
///
/// The upstream is connected to before the client's upgrade is answered, so that its refusal is a 502,
/// and the subprotocol that it chose is the client's: see [`upgrade_first`](Self::upgrade_first) for the
/// other order. A client that sends more than the upstream takes is not read, and neither is an
/// upstream that sends more than the client takes: nothing is lost, and what waits is bounded.
///
/// Pings and pongs are each connection's own, and so are compression, fragments and limits.
///
/// ```
/// use crossws_app::Router;
/// use crossws_proxy::Proxy;
///
/// let app = Router::new().route("/rooms", Proxy::to("ws://10.0.0.7:9000/rooms"));
/// # let _ = app;
/// ```
#[must_use = "hooks do nothing until a server runs them"]
pub struct Proxy(Connections);

impl Proxy {
    /// Creates a proxy to a target: a URL, or a function of the request that returns one.
    ///
    /// The URL of a function may come from a client. It must name one of the
    /// [allowed hosts](Self::allow_hosts), of which there are none by default, and an address that
    /// [is public](is_public), unless [`allow_addresses`](Self::allow_addresses) says otherwise.
    /// A URL that is the same for every client is not checked.
    pub fn to<M, T: IntoTarget<M>>(target: T) -> Self {
        Self(Connections {
            target: target.into_target().0,
            hosts: Arc::new(Hosts((!T::FIXED).then(Vec::new))),
            addresses: match T::FIXED {
                true => None,
                false => Some(Arc::new(|addr: SocketAddr| is_public(addr.ip()))),
            },
            headers: Headers::default(),
            protocols: Protocols::default(),
            limits: Limits::default(),
            deflate: None,
            connect_timeout: Duration::from_secs(10),
            upgrade_first: false,
            failed_with: CloseCode::BAD_GATEWAY,
            customize: None,
            callbacks: Arc::default(),
            hooks: SharedHooks::new(hooks()),
        })
    }

    /// Allows these hosts: `example.com`, `*.example.com` for all names below it, `*` for every host,
    /// each with a port (`example.com:9000`) or with any; and Unix-domain sockets by their file,
    /// `ws+unix:/run/app.sock`. With a list, a URL that is the same for every client is checked too.
    pub fn allow_hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        let listed = Arc::make_mut(&mut self.0.hosts).0.get_or_insert_default();
        listed.extend(hosts.into_iter().map(S::into));
        self
    }

    /// Connects only to addresses for which this holds, after the name was resolved: the address that
    /// is checked is the one that is connected to, whatever the name resolves to later.
    ///
    /// ```
    /// # use crossws_core::UpgradeRequest;
    /// use crossws_proxy::{Proxy, is_public};
    ///
    /// let inside = Proxy::to(|request: UpgradeRequest| format!("ws://rooms.internal{}", request.path()))
    ///     .allow_hosts(["rooms.internal"])
    ///     .allow_addresses(|addr| addr.ip().is_ipv4() && !is_public(addr.ip()));
    /// # let _ = inside;
    /// ```
    pub fn allow_addresses(
        mut self,
        allow: impl Fn(SocketAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.0.addresses = Some(Arc::new(allow));
        self
    }

    /// Forwards these headers of the client's request. By default, none is forwarded: neither cookies
    /// nor credentials. Headers for one hop (`Connection` and what it names, `TE`, `Upgrade`, …) are
    /// never forwarded. `Via` always is, with this proxy added, so that a target that leads back here
    /// is refused with 508.
    pub fn forward_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.0.headers.forwarded.extend(names);
        self
    }

    /// Sends the headers that this function returns. They replace forwarded ones of the same name.
    ///
    /// ```
    /// # use crossws_core::UpgradeRequest;
    /// # use crossws_proxy::Proxy;
    /// use http::{HeaderMap, HeaderValue};
    ///
    /// let proxy = Proxy::to("ws://10.0.0.7:9000/").headers(|request: &UpgradeRequest| {
    ///     let mut headers = HeaderMap::new();
    ///     if let Some(user) = request.identity().and_then(|user| HeaderValue::from_str(&user).ok()) {
    ///         headers.insert("x-user", user);
    ///     }
    ///     headers
    /// });
    /// # let _ = proxy;
    /// ```
    pub fn headers(
        mut self,
        headers: impl Fn(&UpgradeRequest) -> HeaderMap + Send + Sync + 'static,
    ) -> Self {
        self.0.headers.computed = Some(Box::new(headers));
        self
    }

    /// Offers the upstream only those of the client's subprotocols that are in this list; an empty list
    /// forwards none. By default, all are offered, also one that contains a token.
    pub fn forward_protocols<S: Into<String>>(mut self, list: impl IntoIterator<Item = S>) -> Self {
        self.0.protocols = Protocols(Some(list.into_iter().map(S::into).collect()));
        self
    }

    /// Accepts the client's upgrade before the upstream is connected to. Messages wait meanwhile, up to
    /// `max_buffered` bytes and `max_queued` messages of [`limits`](Self::limits); one more closes the
    /// client with 1009. A failure of the upstream closes it with 1014.
    ///
    /// Of the subprotocols that would be forwarded, the client's first one is answered, and the upstream
    /// is offered only that one.
    pub fn upgrade_first(mut self) -> Self {
        self.0.upgrade_first = true;
        self
    }

    /// Sets the limits of connections to upstreams, by the names that a server's have. `max_buffered`
    /// (default 1 MiB) and `max_queued` (4,096) bound what waits for an upstream, `max_message_size`
    /// (1 MiB) what it may send at once.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Offers permessage-deflate to upstreams. Off by default. Compression with clients is the route's
    /// setting.
    pub fn deflate(mut self, deflate: Deflate) -> Self {
        self.0.deflate = Some(deflate);
        self
    }

    /// Sets how long it may take to connect: the target's function, the name, the connection, TLS and
    /// the handshake together. Default 10 s. A client whose upgrade waits for it waits no longer than
    /// the route's `upgrade_timeout`, whose default is the same.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.0.connect_timeout = timeout;
        self
    }

    /// Sets the close code of a client whose upstream has failed after the upgrade: was not connected
    /// to, was lost, or broke a rule. Default 1014.
    pub fn failed_with(mut self, code: CloseCode) -> Self {
        self.0.failed_with = code;
        self
    }

    /// Changes how upstreams are connected to: TLS, the runtime, an HTTP proxy, or the server for tests.
    /// A proxy never reconnects, and has its own `on_open`: see [`on_open`](Self::on_open).
    ///
    /// ```
    /// use crossws_core::hooks;
    /// use crossws_memory::TestServer;
    /// use crossws_proxy::Proxy;
    ///
    /// # futures_lite::future::block_on(async {
    /// let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
    /// let upstream = TestServer::new(echo);
    /// let proxy = Proxy::to("ws://upstream/").connect_with(move |connect| connect.in_memory(&upstream));
    /// let mut client = TestServer::new(proxy).connect("/").await?;
    /// client.send("hello")?;
    /// client.expect("hello").await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn connect_with(
        mut self,
        customize: impl Fn(Connect) -> Connect + Send + Sync + 'static,
    ) -> Self {
        self.0.customize = Some(Box::new(customize));
        self
    }

    /// Runs this function when a client's upstream is about to be connected to.
    pub fn on_connect(mut self, connect: impl Fn(&UpgradeRequest) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0.callbacks).on_connect = Some(Arc::new(connect));
        self
    }

    /// Runs this function when both connections are open.
    pub fn on_open(mut self, open: impl Fn(&Peer) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0.callbacks).on_open = Some(Arc::new(open));
        self
    }

    /// Runs this function when both connections have ended, or the upstream was not connected to:
    /// exactly once for each run of [`on_connect`](Self::on_connect)'s.
    pub fn on_close(
        mut self,
        close: impl Fn(&UpgradeRequest, &Ended) + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.0.callbacks).on_close = Some(Arc::new(close));
        self
    }

    /// Runs these hooks too, except `message`: messages go to the upstream. Their `upgrade` runs first,
    /// and what it refuses is not connected. What it accepts with (a namespace, a context, headers) is the
    /// client's. Their `open` runs while messages may already pass, and their `close` after the
    /// upstream's end.
    ///
    /// ```
    /// # use crossws_core::{Rejection, Upgrade, hooks, http::StatusCode};
    /// # use crossws_proxy::Proxy;
    /// let checked = hooks().on_upgrade(|request| async move {
    ///     match request.header("x-key") == Some("secret") {
    ///         true => Ok(Upgrade::new()),
    ///         false => Err(StatusCode::UNAUTHORIZED.into()),
    ///     }
    /// });
    /// let proxy = Proxy::to("ws://10.0.0.7:9000/").with_hooks(checked);
    /// # let _ = proxy;
    /// ```
    pub fn with_hooks(mut self, hooks: impl Hooks) -> Self {
        self.0.hooks = SharedHooks::new(hooks);
        self
    }
}

impl Hooks for Proxy {
    forward_hooks!(self => self.0);
}

crossws_core::opaque_debug!(
    /// Shows no target, which may be secret.
    [] Proxy, self =>
    protocols: self.0.protocols, upgrade_first: self.0.upgrade_first);
