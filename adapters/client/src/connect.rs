pub(crate) mod config;
pub(crate) mod dial;
pub(crate) mod options;
mod places;
mod start;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossws_app::calls::WireForm;
use crossws_core::adapter::is_token;
use crossws_core::{Deflate, Limits, MaybeSend, MaybeSync};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, ORIGIN};

pub use dial::split_unix_url;
pub use options::{TokenIn, WhenClosed, WhileConnecting};

use crate::client::ClientHandle;
use crate::connect::config::Config;
use crate::connect::dial::ConnectionSettings;
use crate::error::ConnectError;
use crate::platform::Platform;
use crate::provider::IntoProvider;
use crate::reconnect::Reconnect;

/// Returns a client that will connect to this URL (`ws`, `wss`, `http`, `https`, or
/// `ws+unix:FILE:PATH`): a string, or a function that returns it for each try, sync or async.
///
/// Await it for an open [`Client`](crate::Client), or see [`Connect::start`] and [`Connect::run`].
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut room = crossws_client::connect("wss://example.com/rooms/1").await?;
/// room.send("hello")?;
/// while let Some(message) = room.next().await {
///     println!("{message}");
/// }
/// # Ok(()) }
/// ```
pub fn connect<M>(url: impl IntoProvider<M>) -> Connect {
    Connect {
        config: Config {
            url: url.into_provider(),
            token: None,
            protocols: Vec::new(),
            headers: HeaderMap::new(),
            connection: Arc::default(),
            reconnect: None,
            connect_timeout: Duration::from_secs(10),
            form: WireForm::default(),
            on_open: None,
        },
        while_connecting: WhileConnecting::default(),
        when_closed: WhenClosed::default(),
        platform: None,
        error: None,
    }
}

/// A client that will connect: see [`connect`]. Nothing happens until it is awaited,
/// [started](Self::start) or [run](Self::run).
///
/// # Errors
/// Awaiting it returns the first connection's error. With [`reconnect`](Self::reconnect), it returns an
/// error only when no further try will be made.
///
/// # Cancel safety
/// Dropping the future gives the connection up.
#[must_use = "nothing connects until it is awaited, started or run"]
pub struct Connect {
    config: Config,
    while_connecting: WhileConnecting,
    when_closed: WhenClosed,
    platform: Option<Arc<dyn Platform>>,
    /// The first setting that cannot be used.
    error: Option<ConnectError>,
}

impl Connect {
    /// Sends a bearer token from this provider, which is asked before each try: a string, or a function
    /// that returns one, sync or async. `None` sends no token.
    ///
    /// It is in the header `Authorization`, where the server's `bearer_token()` reads it. Browsers cannot
    /// send headers: see [`token_in`](Self::token_in).
    pub fn token<M>(self, token: impl IntoProvider<M>) -> Self {
        self.token_in(TokenIn::Authorization, token)
    }

    /// Sends a token from this provider in another place.
    pub fn token_in<M>(mut self, place: TokenIn, token: impl IntoProvider<M>) -> Self {
        if let TokenIn::Protocol(marker) = &place {
            self.check_protocol(marker);
        }
        self.config.token = Some((token.into_provider(), place));
        self
    }

    /// Offers a subprotocol, after the earlier ones. [`ClientHandle::protocol`] returns the server's
    /// choice. A client with a name that is not a token (RFC 6455 section 4.1) does not connect: the
    /// error, [`ConnectError::Header`], names it.
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        let protocol = protocol.into();
        self.check_protocol(&protocol);
        self.config.protocols.push(protocol);
        self
    }

    /// Remembers the error of a name that is not a token, with which no handshake can begin.
    fn check_protocol(&mut self, name: &str) {
        if !is_token(name) {
            self.error
                .get_or_insert(ConnectError::Header(format!("subprotocol {name:?}")));
        }
    }

    /// Offers several subprotocols, the preferred one first.
    pub fn protocols<S: Into<String>>(self, protocols: impl IntoIterator<Item = S>) -> Self {
        protocols.into_iter().fold(self, Self::protocol)
    }

    /// Adds a header to the handshake. Browsers cannot send headers: there a client with one does not
    /// connect ([`ConnectError::Unsupported`]).
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        let header = HeaderName::try_from(name.as_ref()).ok();
        let value = HeaderValue::from_bytes(value.as_ref()).ok();
        match header.zip(value) {
            Some((name, value)) if !is_ours(&name) => {
                self.config.headers.append(name, value);
            }
            // The value may be a secret.
            _ => {
                let name = format!("header {:?}", name.as_ref());
                self.error.get_or_insert(ConnectError::Header(name));
            }
        }
        self
    }

    /// Connects as a page of this origin does, such as `https://app.example`. Without it, no origin is
    /// sent, as by every client that is not a browser.
    pub fn origin(self, origin: impl AsRef<str>) -> Self {
        self.header(ORIGIN, origin.as_ref())
    }

    /// Connects again when a connection ends or does not open. Off by default.
    ///
    /// ```
    /// use crossws_client::{Reconnect, connect};
    ///
    /// let room = connect("wss://example.com/rooms/1").reconnect(Reconnect::backoff());
    /// # let _ = room;
    /// ```
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.config.reconnect = Some(reconnect);
        self
    }

    /// Sets the limits of messages, queues, heartbeats and closes, with the names and defaults that a
    /// server has. A client uses `max_message_size`, `max_frame_size`, `max_fragments`,
    /// `message_timeout`, `max_inbound`, `max_control_rate`, `max_buffered`, `max_queued`,
    /// `max_queue_age`, `close_timeout`, `auto_pong`, `ping_interval` and `pong_timeout`. Browsers read frames and
    /// answer pings themselves, so that only the queues' limits apply there.
    ///
    /// A limit of zero that ends every connection is an error of this client: [`ConnectError::Limit`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.connection().limits = limits;
        self
    }

    /// Sends a ping this often, ± 10 %, and ends the connection with 3008 if nothing arrives within
    /// [`Limits::pong_timeout`] after it. Default 25 s. Browsers have no pings.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.connection().limits.ping_interval = interval.into();
        self
    }

    /// Offers permessage-deflate with these settings. Off by default. Browsers decide it themselves.
    pub fn deflate(mut self, deflate: Deflate) -> Self {
        self.connection().deflate = Some(deflate);
        self
    }

    /// Sets how long one try may take: providers, names, the connection, TLS, the proxy and the
    /// handshake together. Default 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// Connects only to addresses for which this holds, after the name was resolved: the address that was
    /// checked is the one that is connected to. For URLs from outside, which may name services of an
    /// internal network.
    ///
    /// Unix-domain sockets are not checked, and in memory there are no addresses. An HTTP proxy or a
    /// browser would resolve the name itself: there, the client does not connect
    /// ([`ConnectError::Unsupported`]).
    pub fn allow_addresses(
        mut self,
        allow: impl Fn(SocketAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.connection().allow = Some(Arc::new(allow));
        self
    }

    /// Sets what happens to messages while no connection is open. Default [`WhileConnecting::Queue`].
    pub fn while_connecting(mut self, policy: WhileConnecting) -> Self {
        self.while_connecting = policy;
        self
    }

    /// Sets what happens to messages after the client's end. Default [`WhenClosed::Fail`].
    pub fn when_closed(mut self, policy: WhenClosed) -> Self {
        self.when_closed = policy;
        self
    }

    /// Sends [calls](ClientHandle::call) as JSON-RPC 2.0, as the route must do too.
    pub fn json_rpc(mut self) -> Self {
        self.config.form = WireForm::JsonRpc;
        self
    }

    /// Runs this function whenever a connection opens, before queued messages are sent on it. What it
    /// sends waits after the queued messages.
    pub fn on_open(
        mut self,
        opened: impl Fn(ClientHandle) + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.config.on_open = Some(Box::new(opened));
        self
    }

    fn connection(&mut self) -> &mut ConnectionSettings {
        Arc::make_mut(&mut self.config.connection)
    }

    #[cfg(any(feature = "memory", feature = "sockets"))]
    pub(crate) fn with_platform(mut self, platform: Arc<dyn Platform>) -> Self {
        self.platform = Some(platform);
        self
    }
}

/// Returns whether the handshake sets this header itself.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("sec-websocket-")
        || matches!(
            name,
            "host" | "connection" | "upgrade" | "content-length" | "transfer-encoding"
        )
}

crossws_core::opaque_debug!(
    /// Shows no URL, header or token, which may be secret.
    [] Connect, self =>
    protocols: self.config.protocols, reconnect: self.config.reconnect);
