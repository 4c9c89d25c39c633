mod packed;
mod params;
mod redacted;
mod shed;
mod whole;

use std::any::type_name;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{HOST, HeaderMap, HeaderName, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Uri};

use self::packed::Packed;
pub(crate) use self::packed::text;
pub use self::params::Params;
pub use self::redacted::Redacted;
use self::whole::Whole;
use crate::bounds::{MaybeSend, MaybeSync};
use crate::peer::extensions::Extensions;

/// The request that asks for a WebSocket, as every hook sees it: the standard `http` parts, and
/// what the platform knows besides.
///
/// A peer keeps its request packed, in one piece of memory of the head's own size, and adapters that
/// read heads themselves make it so: see [`from_head`](Self::from_head). [`path`](Self::path),
/// [`query`](Self::query), [`header`](Self::header) and what is named after a header read it there;
/// [`headers`](Self::headers), [`uri`](Self::uri) and [`parts`](Self::parts) unpack it, once, and it
/// stays unpacked beside that: some 1 KiB. Only what was unpacked up to the end of the `upgrade` hook
/// is let go.
///
/// The `upgrade` hook sees every header. A peer keeps as many as
/// [`Limits::max_kept_head`](field@crate::Limits::max_kept_head) has room for and drops the largest
/// of the others, whole: an `upgrade` hook puts what the later hooks need of a large one into the
/// context, and [`HubBuilder::keep_headers`](crate::HubBuilder::keep_headers) names those that are
/// dropped last.
///
/// Its `Debug` output is [`redacted`](Self::redacted).
#[derive(Clone)]
pub struct UpgradeRequest {
    head: Head,
    params: Params,
    /// What was attached; a peer's volatile values from there on.
    volatile: Extensions,
}

impl UpgradeRequest {
    /// A request from its HTTP parts.
    pub fn new(parts: Parts) -> Self {
        let secure = parts.uri.scheme_str() == Some("https");
        Self {
            head: Head::Whole(Box::new(Whole {
                parts,
                remote_addr: None,
                secure,
                forwarded: false,
            })),
            params: Params::default(),
            volatile: Extensions::default(),
        }
    }

    /// A GET by HTTP/1.1 from the pieces of its head, packed from the beginning: for an adapter that
    /// parses heads itself. `None` for what is to be made [of its parts](Self::new): a target that is
    /// no plain path, names and values that HTTP does not allow, a head that is too large.
    pub fn from_head<'a>(
        target: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Option<Self> {
        Some(Self {
            head: Head::Packed(Packed::of_head(target, headers)?),
            params: Params::default(),
            volatile: Extensions::default(),
        })
    }

    /// Adds the client's address.
    #[must_use]
    pub fn with_remote_addr(mut self, addr: Option<SocketAddr>) -> Self {
        self.set_remote_addr(addr);
        self
    }

    /// Replaces the client's address, as a layer does that knows a proxy.
    pub fn set_remote_addr(&mut self, addr: Option<SocketAddr>) {
        match &mut self.head {
            Head::Whole(whole) => whole.remote_addr = addr,
            Head::Packed(packed) => packed.set_platform(addr, packed.is_secure()),
        }
    }

    /// Says that the connection is encrypted, so that URLs read `https` and `wss`.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.set_secure(secure);
        self
    }

    /// Says whether the client's connection is encrypted, as a layer does that knows a proxy.
    pub fn set_secure(&mut self, secure: bool) {
        match &mut self.head {
            Head::Whole(whole) => whole.secure = secure,
            Head::Packed(packed) => packed.set_platform(packed.remote_addr(), secure),
        }
    }

    /// Sets whether the request arrived at a port that a browser would have named in `Host`: at any
    /// but 80 and 443. Then a `Host` without a port means that a proxy, or something else that
    /// forwards ports, is in front of the server. [`Origin::Same`](crate::Origin::Same) uses it.
    #[must_use]
    pub fn with_forwarded(mut self, forwarded: bool) -> Self {
        match &mut self.head {
            Head::Whole(whole) => whole.forwarded = forwarded,
            Head::Packed(packed) => packed.set_forwarded(forwarded),
        }
        self
    }

    pub(crate) fn is_forwarded(&self) -> bool {
        match &self.head {
            Head::Whole(whole) => whole.forwarded,
            Head::Packed(packed) => packed.is_forwarded(),
        }
    }

    pub(crate) fn set_params(&mut self, params: Params) {
        self.params = params;
    }

    /// Attaches a value for the hooks, one per type: what a layer that runs before the upgrade has
    /// found out. Read it with [`attached`](Self::attached) or
    /// [`Peer::attached`](crate::Peer::attached). Returns the value of the same type that it
    /// replaces.
    ///
    /// A peer's attached values are its [`extensions`](crate::Peer::extensions). They are not
    /// stored when an object sleeps: the layers run again, and attach them again, when it wakes.
    pub fn attach<T: MaybeSend + MaybeSync + 'static>(&mut self, value: T) -> Option<Arc<T>> {
        self.volatile.insert(value)
    }

    /// The attached value of this type.
    ///
    /// # Errors
    /// [`NotAttached`], which names the type, if no layer has attached one.
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.volatile.get().ok_or_else(NotAttached::new::<T>)
    }

    /// Says whose connection this will be, as a layer does that authenticates: see
    /// [`Upgrade::identity`](crate::Upgrade::identity), which replaces it.
    pub fn set_identity(&mut self, identity: impl Into<Arc<str>>) {
        self.attach(Identity(identity.into()));
    }

    /// The identity that a layer has set.
    pub fn identity(&self) -> Option<Arc<str>> {
        let identity: Arc<Identity> = self.volatile.get()?;
        Some(Arc::clone(&identity.0))
    }

    /// Attaches a clone of the value of this type that HTTP middleware has left in the request's
    /// `http` extensions, such as a session's user. Returns whether there was one.
    pub fn adopt<T: Clone + Send + Sync + 'static>(&mut self) -> bool {
        let extensions = match &self.head {
            Head::Whole(whole) => &whole.parts.extensions,
            Head::Packed(packed) => packed.extensions(),
        };
        let value: Option<T> = extensions.get().cloned();
        value.map(|value| self.attach(value)).is_some()
    }

    /// What was attached.
    pub(crate) fn volatile(&self) -> &Extensions {
        &self.volatile
    }

    /// What was attached, without the rest.
    pub(crate) fn into_volatile(self) -> Extensions {
        self.volatile
    }

    /// Takes at most `most` bytes from here on, or what the target takes if that is more: packed, if
    /// the request is of the usual kind, and without the headers that there is no room for. Those
    /// that `kept` names are the last to go.
    pub(crate) fn settle(&mut self, most: usize, kept: &[HeaderName]) {
        self.pack();
        match &mut self.head {
            Head::Packed(packed) => packed.shed(most, kept),
            Head::Whole(whole) => {
                whole.shed(most, kept);
                // What does not fit the packed form may be gone.
                self.pack();
            }
        }
    }

    /// Takes less memory from here on, where the request is of the usual kind.
    fn pack(&mut self) {
        match &mut self.head {
            Head::Whole(whole) => {
                if let Some(packed) = Packed::of(whole) {
                    self.head = Head::Packed(packed);
                }
            }
            Head::Packed(packed) => packed.forget_parts(),
        }
    }

    /// The HTTP parts: method, URI, version, headers, extensions.
    pub fn parts(&self) -> &Parts {
        match &self.head {
            Head::Whole(whole) => &whole.parts,
            Head::Packed(packed) => packed.parts(),
        }
    }

    /// Gives the HTTP parts back, untouched.
    pub fn into_parts(self) -> Parts {
        match self.head {
            Head::Whole(whole) => whole.parts,
            Head::Packed(packed) => packed.into_parts(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        match &self.head {
            Head::Whole(whole) => &whole.parts.method,
            Head::Packed(packed) => packed.method(),
        }
    }

    /// The request target as it was sent.
    pub fn uri(&self) -> &Uri {
        &self.parts().uri
    }

    /// The path as it was sent, not percent-decoded.
    pub fn path(&self) -> &str {
        match &self.head {
            Head::Whole(whole) => whole.parts.uri.path(),
            Head::Packed(packed) => packed.path_and_query().0,
        }
    }

    /// How long path and query are together, in bytes.
    pub(crate) fn target_len(&self) -> usize {
        match &self.head {
            Head::Whole(whole) => {
                let target = whole.parts.uri.path_and_query();
                target.map_or(0, |target| target.as_str().len())
            }
            Head::Packed(packed) => packed.target_len(),
        }
    }

    /// The query as it was sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        match &self.head {
            Head::Whole(whole) => whole.parts.uri.query(),
            Head::Packed(packed) => packed.path_and_query().1,
        }
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts().headers
    }

    /// One header as text; `None` when it is absent or not visible ASCII.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        let name = HeaderName::try_from(name.as_ref()).ok()?;
        self.values(&name).next().and_then(text)
    }

    /// The host and port of an absolute target.
    pub(crate) fn authority(&self) -> Option<&str> {
        match &self.head {
            Head::Whole(whole) => whole.parts.uri.authority().map(Authority::as_str),
            Head::Packed(_) => None,
        }
    }

    /// Returns the values of a header, one for each of its lines. They may hold bytes above ASCII,
    /// where [`header`](Self::header) is `None`.
    pub fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let (whole, packed) = match &self.head {
            Head::Whole(whole) => (Some(whole.parts.headers.get_all(name)), None),
            Head::Packed(packed) => (None, Some(packed.values(name.as_str()))),
        };
        let whole = whole.into_iter().flatten().map(|value| value.as_bytes());
        whole.chain(packed.into_iter().flatten())
    }

    /// The client's address, where the platform knows it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        match &self.head {
            Head::Whole(whole) => whole.remote_addr,
            Head::Packed(packed) => packed.remote_addr(),
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        match &self.head {
            Head::Whole(whole) => whole.secure,
            Head::Packed(packed) => packed.is_secure(),
        }
    }

    /// What the route's pattern matched.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The absolute URL: `http` or `https`, the `Host` header's host and port, path and query as
    /// they were sent.
    pub fn url(&self) -> String {
        self.url_with(if self.is_secure() { "https" } else { "http" })
    }

    /// The absolute URL that the client dialled: as [`url`](Self::url), with `ws` or `wss`.
    pub fn websocket_url(&self) -> String {
        self.url_with(if self.is_secure() { "wss" } else { "ws" })
    }

    fn url_with(&self, scheme: &str) -> String {
        let target = match &self.head {
            Head::Whole(whole) => whole
                .parts
                .uri
                .path_and_query()
                .map_or("/", |all| all.as_str()),
            Head::Packed(packed) => packed.target(),
        };
        let host = self
            .authority()
            .or_else(|| self.header(HOST))
            .unwrap_or("localhost");
        format!("{scheme}://{host}{target}")
    }

    /// The subprotocols the client offers, in its order of preference (RFC 6455 section 11.3.4;
    /// several headers count as one list).
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.values(&SEC_WEBSOCKET_PROTOCOL)
            .filter_map(text)
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }

    /// The first of `supported` that the client offers: the server's preference decides.
    ///
    /// ```
    /// # use crossws_core::{Rejection, Upgrade, UpgradeRequest};
    /// fn upgrade(req: &UpgradeRequest) -> Result<Upgrade, Rejection> {
    ///     Ok(Upgrade::new().protocol(req.choose_protocol(&["chat.v2", "chat.v1"])))
    /// }
    /// ```
    pub fn choose_protocol<'a>(&self, supported: &[&'a str]) -> Option<&'a str> {
        supported
            .iter()
            .copied()
            .find(|supported| self.protocols().any(|offered| offered == *supported))
    }

    /// Returns the request as it may stand in a log: without the values of the query, and of the
    /// headers that may hold secrets: cookies, authorization, subprotocols, and all that is not known
    /// to be harmless. The path is shown.
    ///
    /// ```
    /// # let request = crossws_core::UpgradeRequest::from_head("/a?token=x", []).unwrap();
    /// assert_eq!(request.redacted().to_string(), "GET /a?token=…");
    /// ```
    pub fn redacted(&self) -> Redacted<'_> {
        Redacted(self)
    }

    /// The extensions the client offers, as sent.
    pub fn extensions_offered(&self) -> Option<&str> {
        self.header(SEC_WEBSOCKET_EXTENSIONS)
    }
}

impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redacted().fmt(f)
    }
}

/// Among the attached values: whose connection it will be.
struct Identity(Arc<str>);

/// No value of the type that was asked for is attached: no layer that ran before the upgrade
/// attached one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no `{type_name}` is attached to this request: no layer before the upgrade attached one")]
pub struct NotAttached {
    type_name: &'static str,
}

impl NotAttached {
    fn new<T>() -> Self {
        Self {
            type_name: type_name::<T>(),
        }
    }

    /// The name of the type that was asked for, as [`type_name`] has it.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }
}

/// The request as HTTP knows it, and what the platform knows besides.
#[derive(Clone)]
enum Head {
    Whole(Box<Whole>),
    Packed(Packed),
}
