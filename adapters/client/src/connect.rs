mod config;
pub(crate) mod dial;
mod options;
mod places;

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crossws_app::calls::WireForm;
use crossws_app::{Decode, Encode, JsonCodec};
use crossws_core::adapter::is_token;
use crossws_core::{BoxFuture, Deflate, HookOutput, Limits, MaybeSend, MaybeSync, Message};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, ORIGIN};

pub(crate) use config::Config;
#[cfg(all(
    any(feature = "tokio", feature = "smol", feature = "async-std"),
    not(target_family = "wasm")
))]
pub(crate) use config::basic;
pub use dial::split_unix_url;
pub use options::{TokenIn, WhenClosed, WhileConnecting};

use crate::ConnectError;
use crate::client::{Client, ClientHandle};
use crate::driver::{Driver, Inbox, Run};
use crate::platform::Platform;
use crate::provider::IntoProvider;
use crate::reconnect::{Disconnected, Reconnect};
use crate::shared::Shared;
use crate::typed::TypedConnect;

/// Returns a client that will connect to this URL (`ws`, `wss`, `http`, `https`, or
/// `ws+unix:FILE:PATH`): a string, or a function that returns it for each try, sync or async.
///
/// Await it for an open [`Client`], or see [`Connect::start`] and [`Connect::run`].
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
            limits: Limits::default(),
            deflate: None,
            reconnect: None,
            connect_timeout: Duration::from_secs(10),
            form: WireForm::default(),
            on_open: None,
            allow: None,
            #[cfg(all(
                any(feature = "tokio", feature = "smol", feature = "async-std"),
                not(target_family = "wasm")
            ))]
            wire: crate::wire::Options::default(),
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
        self.config.token = Some((token.into_provider(), place));
        self
    }

    /// Offers a subprotocol, after the earlier ones. [`ClientHandle::protocol`] returns the server's
    /// choice.
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        let protocol = protocol.into();
        if is_token(&protocol) {
            self.config.protocols.push(protocol);
        } else {
            self.error
                .get_or_insert(ConnectError::Header(format!("subprotocol {protocol:?}")));
        }
        self
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
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Sends a ping this often, ± 10 %, and ends the connection with 3008 if nothing arrives within
    /// [`Limits::pong_timeout`] after it. Default 25 s. Browsers have no pings.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.limits.ping_interval = interval.into();
        self
    }

    /// Offers permessage-deflate with these settings. Off by default. Browsers decide it themselves.
    pub fn deflate(mut self, deflate: Deflate) -> Self {
        self.config.deflate = Some(deflate);
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
        self.config.allow = Some(Box::new(allow));
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
    /// sends waits behind the queued messages.
    pub fn on_open(
        mut self,
        opened: impl Fn(ClientHandle) + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.config.on_open = Some(Box::new(opened));
        self
    }

    /// A client that receives `In` and sends `Out`, as JSON: the server's `Out` and `In`.
    ///
    /// ```
    /// # #[derive(serde::Deserialize)] struct ToPlayer;
    /// # #[derive(serde::Serialize)] struct FromPlayer;
    /// use crossws_client::connect;
    ///
    /// let game = connect("wss://example.com/game").typed::<ToPlayer, FromPlayer>();
    /// # let _ = game;
    /// ```
    pub fn typed<In: 'static, Out: 'static>(self) -> TypedConnect<In, Out>
    where
        JsonCodec: Decode<In> + Encode<Out>,
    {
        self.typed_as(JsonCodec)
    }

    /// As [`typed`](Self::typed), in another format.
    pub fn typed_as<In: 'static, Out: 'static, C>(self, codec: C) -> TypedConnect<In, Out>
    where
        C: Decode<In> + Encode<Out> + Clone,
    {
        TypedConnect::new(self, codec)
    }

    #[cfg(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "memory"
    ))]
    pub(crate) fn with_platform(mut self, platform: Arc<dyn Platform>) -> Self {
        self.platform = Some(platform);
        self
    }

    #[cfg(all(
        any(feature = "tokio", feature = "smol", feature = "async-std"),
        not(target_family = "wasm")
    ))]
    pub(crate) fn wire(&mut self) -> &mut crate::wire::Options {
        &mut self.config.wire
    }

    /// Starts to connect, in a task of the runtime. What is sent meanwhile waits, according to
    /// [`while_connecting`](Self::while_connecting).
    ///
    /// # Errors
    /// When a setting cannot be used, or no runtime is there to run it.
    pub fn start(self) -> Result<Client, ConnectError> {
        let (handle, config) = self.build()?;
        let driver = Driver::new(handle.clone(), config, Inbox);
        handle.platform().spawn(Box::pin(driver));
        Ok(Client::new(handle))
    }

    /// Waits for the first connection.
    pub(crate) async fn open(self) -> Result<Client, ConnectError> {
        let client = self.start()?;
        match client.first_opened().await {
            true => Ok(client),
            false => Err(client.take_failure()),
        }
    }

    /// Connects, and runs this function for each message, one at a time and in order, until the client
    /// ends. No task is spawned, and a message takes no detour through one: the future is the
    /// connection.
    ///
    /// While the function runs, pings are answered, and what was sent is written. If it fails, the
    /// connection is closed with 1011, and the client ends.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// crossws_client::connect("wss://example.com/echo")
    ///     .on_open(|client| drop(client.send("hello")))
    ///     .run(|client, message| async move { client.send(message) })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`start`](Self::start). How the connection ended, or why none opened, is no error of this
    /// function, but its result.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection, without a close frame. Call
    /// [`ClientHandle::close`] to close it in order.
    pub async fn run<F, Fut>(self, handler: F) -> Result<Arc<Disconnected>, ConnectError>
    where
        F: FnMut(ClientHandle, Message) -> Fut,
        Fut: Future<Output: HookOutput>,
    {
        let (_, running) = self.with_handler(handler)?;
        Ok(running.await)
    }

    /// As [`run`](Self::run), for code that sends before the connection is open, or polls it in a task
    /// of its own: returns a handle, and the future that is the connection. Nothing connects until the
    /// future is polled.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with_handler<F, Fut>(
        self,
        handler: F,
    ) -> Result<
        (
            ClientHandle,
            impl Future<Output = Arc<Disconnected>> + use<F, Fut>,
        ),
        ConnectError,
    >
    where
        F: FnMut(ClientHandle, Message) -> Fut,
        Fut: Future<Output: HookOutput>,
    {
        let (handle, config) = self.build()?;
        let mut driver = Driver::new(handle.clone(), config, Run::new(handle.clone(), handler));
        let running = handle.clone();
        Ok((handle, async move {
            let mut waiting = crate::platform::Waiting::new(running.platform());
            poll_fn(|cx| {
                waiting.drive(cx);
                Pin::new(&mut driver).poll(cx)
            })
            .await;
            running.closed().await
        }))
    }

    fn build(self) -> Result<(ClientHandle, Arc<Config>), ConnectError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let platform = match self.platform {
            Some(platform) => platform,
            None => crate::default_platform()?,
        };
        let limits = self.config.limits.clone();
        let shared = Shared::new(limits, self.while_connecting, self.when_closed);
        let form = self.config.form;
        let handle = ClientHandle::new(Arc::new(shared), platform, form);
        Ok((handle, Arc::new(self.config)))
    }
}

/// Returns whether the handshake sets this header itself.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("sec-websocket-")
        || [
            "host",
            "connection",
            "upgrade",
            "content-length",
            "transfer-encoding",
        ]
        .contains(&name)
}

impl IntoFuture for Connect {
    type Output = Result<Client, ConnectError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

/// Shows no URL, header or token, which may be secret.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("protocols", &self.config.protocols)
            .field("reconnect", &self.config.reconnect)
            .finish_non_exhaustive()
    }
}
