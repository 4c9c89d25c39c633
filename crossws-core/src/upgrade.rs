mod getters;
pub(crate) mod origin;
pub(crate) mod path;
pub(crate) mod rejection;
pub(crate) mod request;
pub(crate) mod resolve;
pub(crate) mod swap;
pub(crate) mod take;
pub(crate) mod token;

use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL,
    TRANSFER_ENCODING, UPGRADE,
};

use crate::bounds::{MaybeSend, MaybeSync};
use crate::hooks::output::HookOutput;
use crate::hub::settings::deflate::Deflate;
use crate::peer::context::{ContextCell, PeerContext};
use crate::peer::deadlines::expiry::Expiry;
use crate::peer::extensions::Extensions;
use crate::peer::id::PeerId;
use crate::upgrade::take::{FromConnection, Take};

/// An accepted upgrade, the result of the `upgrade` hook: the contents of the 101, and the peer's
/// initial state. To refuse, the hook returns a [`Rejection`](crate::Rejection) instead; to leave
/// the request to the HTTP service, [`Upgrade::pass`].
///
/// Each setter has a getter, `get_…`, for hooks around the hooks that set it.
///
/// ```
/// # use crossws_core::*;
/// async fn upgrade(request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
///     let name = request.query().ok_or(http::StatusCode::UNAUTHORIZED)?;
///     Ok(Upgrade::new().context(name.to_owned()).topic("news").identity(name))
/// }
/// ```
#[derive(Default)]
pub struct Upgrade {
    pub(crate) headers: HeaderMap,
    /// `None` leaves the choice to the route's list.
    pub(crate) protocol: Option<Option<String>>,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) context: ContextCell,
    pub(crate) extensions: Extensions,
    pub(crate) id: Option<PeerId>,
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) identity: Option<Arc<str>>,
    pub(crate) tags: Vec<Arc<str>>,
    /// The choice of the route, if it has one.
    pub(crate) deflate: Option<Option<Deflate>>,
    pub(crate) expiry: Expiry,
    /// The request is not upgraded here.
    pub(crate) pass: bool,
    /// The code that gets the connection, if hooks do not.
    pub(crate) take: Option<Box<Take>>,
}

impl Upgrade {
    /// Accepts with every default: namespace from the path, a random id, nothing added.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new();
    /// assert_eq!(upgrade.get_namespace(), None);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves the request to the HTTP service, as if no hooks had claimed it. Without a service the
    /// client gets a 404.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert!(Upgrade::pass().is_pass());
    /// ```
    pub fn pass() -> Self {
        Self {
            pass: true,
            ..Self::default()
        }
    }

    /// Returns whether the request is left to the HTTP service.
    pub fn is_pass(&self) -> bool {
        self.pass
    }

    /// Accepts, and passes the connection's stream to other code, such as another WebSocket
    /// library. The stream is that code's from the 101 on, with everything that the client has sent
    /// since.
    ///
    /// The server answers the handshake: with the headers and the subprotocol that are set, and
    /// without extensions, so that messages are not compressed. No peer is created and no hook runs
    /// for the connection. It counts for no limit, and settings for a peer (a context, topics, an
    /// id) are dropped. A shutdown waits for the future up to its grace, then drops it. The
    /// future's error is logged.
    ///
    /// The stream is the adapter's `RawStream`, which natively implements the runtime's own traits
    /// for reading and writing. If the adapter has no such stream
    /// ([`Capabilities::RAW_STREAM`](crate::Capabilities::RAW_STREAM) is absent: in memory, on
    /// Workers), or if the credentials [expire](Self::expires), which no component would watch, the
    /// upgrade is refused with 500 instead.
    ///
    /// A library that answers the handshake itself, such as an HTTP service, gets the request with
    /// [`pass`](Self::pass).
    ///
    /// ```ignore
    /// Ok(Upgrade::take(|stream: crossws::tokio::RawStream| async move {
    ///     let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    ///     while let Some(message) = socket.try_next().await? {
    ///         socket.send(message).await?;
    ///     }
    ///     crossws::ok()
    /// }))
    /// ```
    pub fn take<S, F, Fut>(with: F) -> Self
    where
        S: FromConnection,
        F: FnOnce(S) -> Fut + MaybeSend + 'static,
        Fut: Future<Output: HookOutput> + MaybeSend + 'static,
    {
        Self {
            take: Some(Box::new(Take::new(with))),
            ..Self::default()
        }
    }

    /// Returns whether the connection's stream is passed to other code.
    pub fn is_take(&self) -> bool {
        self.take.is_some()
    }

    /// Appends a header to the 101; several of one name are all kept.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().header("x-server", "blue")?;
    /// assert_eq!(upgrade.get_headers()["x-server"], "blue");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the name or value is not a valid header, or the handshake itself owns the name
    /// (`connection`, `upgrade`, `sec-websocket-*`, `content-length`, `transfer-encoding`).
    pub fn header(mut self, name: impl AsRef<str>, value: &str) -> Result<Self, InvalidHeader> {
        let name = name.as_ref();
        let invalid = |why| InvalidHeader {
            name: name.to_owned(),
            why,
        };
        let header = HeaderName::try_from(name).map_err(|_| invalid("not a header name"))?;
        let value = HeaderValue::try_from(value).map_err(|_| invalid("not a header value"))?;
        if header == SEC_WEBSOCKET_PROTOCOL {
            return Err(invalid("set it with `Upgrade::protocol`"));
        }
        const RESERVED: [HeaderName; 4] = [CONNECTION, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING];
        if RESERVED.contains(&header) || header.as_str().starts_with("sec-websocket-") {
            return Err(invalid("the handshake itself sets it"));
        }
        self.headers.append(header, value);
        Ok(self)
    }

    /// Selects this subprotocol, or none with `None`, regardless of the route's
    /// [list](field@crate::Settings::protocols). The client must have offered it: any other
    /// subprotocol fails the upgrade with 500.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().protocol("chat.v2");
    /// assert_eq!(upgrade.get_protocol(), Some("chat.v2"));
    /// ```
    #[must_use]
    pub fn protocol<'a>(mut self, protocol: impl Into<Option<&'a str>>) -> Self {
        self.protocol = Some(protocol.into().map(str::to_owned));
        self
    }

    /// Puts the peer into this namespace instead of its request's path.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().namespace("lobby");
    /// assert_eq!(upgrade.get_namespace(), Some("lobby"));
    /// ```
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Gives the peer its typed context.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().context("ann".to_owned());
    /// assert_eq!(*upgrade.get_context::<String>()?, "ann");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn context<T: PeerContext>(mut self, context: T) -> Self {
        self.context = ContextCell::new(context);
        self
    }

    /// Gives the peer a volatile value, one per type.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().extension(7_u32);
    /// assert_eq!(upgrade.get_extension::<u32>().as_deref(), Some(&7));
    /// ```
    #[must_use]
    pub fn extension<T: MaybeSend + MaybeSync + 'static>(self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Gives the peer this id instead of a random one. An id in use refuses the upgrade with 409.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().id(PeerId::from_u128(7));
    /// assert_eq!(upgrade.get_id(), Some(PeerId::from_u128(7)));
    /// ```
    #[must_use]
    pub fn id(mut self, id: PeerId) -> Self {
        self.id = Some(id);
        self
    }

    /// Turns compression of this peer's messages on or off, regardless of the hub's setting.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().deflate(Deflate::default());
    /// ```
    #[must_use]
    pub fn deflate(mut self, deflate: impl Into<Option<Deflate>>) -> Self {
        self.deflate = Some(deflate.into());
        self
    }

    /// Subscribes the peer to a topic before `open` runs. More topics than `Limits` allows, or a
    /// name that is too long, fail the upgrade with 500.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().topic("news").topic("sports");
    /// assert_eq!(upgrade.get_topics().len(), 2);
    /// ```
    #[must_use]
    pub fn topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.topics.push(topic.into());
        self
    }

    /// Sets the identity of the connection: a user, a device, an account. Several connections may
    /// have one identity; [`Hub::identity`](crate::Hub::identity) reaches all of them. It replaces
    /// the identity that a layer has [set](crate::UpgradeRequest::set_identity). An identity is
    /// kept when an object sleeps. A name that is longer than `Limits::max_name_len` fails the
    /// upgrade with 500.
    ///
    /// The application vouches for the identity: verify a client's own claim before.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().identity("ann");
    /// assert_eq!(upgrade.get_identity().map(|name| &**name), Some("ann"));
    /// ```
    #[must_use]
    pub fn identity(mut self, identity: impl Into<Arc<str>>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Gives the peer a tag before `open` runs, by which [`Hub::tagged`](crate::Hub::tagged) finds it.
    /// More tags than `Limits` allows, or a name that is too long, fail the upgrade with 500.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let upgrade = Upgrade::new().tag("beta");
    /// assert_eq!(&*upgrade.get_tags()[0], "beta");
    /// ```
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Arc<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Closes the peer with 4401 when the credentials that admitted it end: at a `SystemTime`,
    /// after a `Duration`, or at [`Expiry::unix`] seconds. By default never.
    /// [`Peer::set_expiry`](crate::Peer::set_expiry) sets another time.
    ///
    /// If the credentials have already ended, the client gets its 101 and is closed at once,
    /// because a browser's page sees close codes and no refusals; no hook runs.
    ///
    /// ```
    /// # use crossws_core::*;
    /// use std::time::Duration;
    /// let upgrade = Upgrade::new().expires(Duration::from_secs(3600));
    /// ```
    #[must_use]
    pub fn expires(mut self, expiry: impl Into<Expiry>) -> Self {
        self.expiry = expiry.into();
        self
    }

    /// Takes from `outer` what was not set here: for hooks around other hooks, both of which
    /// accept. Headers, topics, tags and extensions add up, those of `outer` first. If one of them
    /// passes the request on, or takes the stream, so does the result.
    #[must_use]
    pub fn inherit(mut self, outer: Self) -> Self {
        let mut headers = outer.headers;
        // `extend` would replace, and a map's own iterator yields each name once.
        let mut name = None;
        for (next, value) in self.headers {
            name = next.or(name);
            if let Some(name) = &name {
                headers.append(name, value);
            }
        }
        self.headers = headers;
        self.protocol = self.protocol.or(outer.protocol);
        self.namespace = self.namespace.or(outer.namespace);
        if self.context.is_empty() {
            self.context = outer.context;
        }
        outer.extensions.extend(self.extensions);
        self.extensions = outer.extensions;
        self.id = self.id.or(outer.id);
        self.topics.splice(..0, outer.topics);
        self.identity = self.identity.or(outer.identity);
        self.tags.splice(..0, outer.tags);
        self.deflate = self.deflate.or(outer.deflate);
        if self.expiry == Expiry::Never {
            self.expiry = outer.expiry;
        }
        self.pass |= outer.pass;
        self.take = self.take.or(outer.take);
        self
    }
}

/// A header that a hook must not, or cannot, add to the response.
///
/// ```
/// # use crossws_core::*;
/// let refused: Result<Upgrade, InvalidHeader> = Upgrade::new().header("sec-websocket-accept", "x");
/// assert!(refused.is_err_and(|error| error.to_string().contains("sec-websocket-accept")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("header `{name}` cannot be added to the upgrade's answer: {why}")]
pub struct InvalidHeader {
    name: String,
    why: &'static str,
}
