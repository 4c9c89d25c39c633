pub(crate) mod attached;
mod packed;
mod params;
mod redacted;
mod shed;
mod url;
mod whole;

use std::fmt;
use std::net::SocketAddr;

use http::header::{HeaderMap, HeaderName, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Uri};

use self::packed::{Packed, readable};
use self::whole::Whole;
use crate::peer::extensions::Extensions;
use crate::service::connection_info::ConnectionInfo;

pub(crate) use self::packed::text;
pub use self::params::Params;
pub use self::redacted::Redacted;

/// The method of every packed request.
static GET: Method = Method::GET;

/// The request for a WebSocket, as every hook gets it: the standard `http` parts, and the
/// platform's knowledge of the client.
///
/// A peer stores its request packed, in one allocation of the head's own size. Adapters that parse
/// heads themselves build it so: see [`from_head`](Self::from_head). [`path`](Self::path),
/// [`query`](Self::query), [`header`](Self::header) and the methods that are named after a header
/// read the packed form. [`headers`](Self::headers), [`uri`](Self::uri) and [`parts`](Self::parts)
/// unpack it once, and keep both forms: some 1 KiB more. A form that was unpacked before the end of
/// the `upgrade` hook is freed.
///
/// The `upgrade` hook sees every header. A peer keeps as many as fit into
/// [`Limits::max_kept_head`](field@crate::Limits::max_kept_head), and drops the largest of the
/// others, whole. An `upgrade` hook copies what later hooks need of a large header into the
/// context. [`HubBuilder::keep_headers`](crate::HubBuilder::keep_headers) names those that are
/// dropped last.
///
/// Its `Debug` output is [`redacted`](Self::redacted).
#[derive(Clone)]
pub struct UpgradeRequest {
    head: Head,
    params: Params,
    /// The attached values, which become a peer's volatile values.
    volatile: Extensions,
}

impl UpgradeRequest {
    /// Creates a request from its HTTP parts.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let (parts, ()) = http::Request::get("/chat").body(())?.into_parts();
    /// assert_eq!(UpgradeRequest::new(parts).path(), "/chat");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(parts: Parts) -> Self {
        let secure = parts.uri.scheme_str() == Some("https");
        Self {
            head: Head::Whole(Box::new(Whole {
                parts,
                connection: ConnectionInfo::default().with_secure(secure),
            })),
            params: Params::default(),
            volatile: Extensions::default(),
        }
    }

    /// Creates a packed `GET` by HTTP/1.1 from the pieces of its head: for an adapter that parses
    /// heads itself. Returns `None` for a head that must be built [from its parts](Self::new): one
    /// with a target that is no plain path, with names and values that HTTP does not allow, or that
    /// is too large.
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

    /// Adds what is known about the connection.
    #[must_use]
    pub fn with_connection(mut self, info: ConnectionInfo) -> Self {
        self.set_connection(info);
        self
    }

    /// Adds the client's address.
    #[must_use]
    pub fn with_remote_addr(mut self, addr: Option<SocketAddr>) -> Self {
        self.set_remote_addr(addr);
        self
    }

    /// Replaces the client's address, for a layer that knows a proxy.
    pub fn set_remote_addr(&mut self, addr: Option<SocketAddr>) {
        let mut info = self.connection();
        info.remote_addr = addr;
        self.set_connection(info);
    }

    /// Sets whether the connection is encrypted, so that URLs read `https` and `wss`.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.set_secure(secure);
        self
    }

    /// Sets whether the client's connection is encrypted, for a layer that knows a proxy.
    pub fn set_secure(&mut self, secure: bool) {
        self.set_connection(self.connection().with_secure(secure));
    }

    /// Sets whether the request arrived at a port that a browser would have named in `Host`: at any
    /// but 80 and 443. Then a `Host` without a port means that a proxy, or another port forwarder,
    /// is in front of the server. [`Origin::Same`](crate::Origin::Same) uses it.
    #[must_use]
    pub fn with_forwarded(mut self, forwarded: bool) -> Self {
        self.set_connection(self.connection().with_forwarded(forwarded));
        self
    }

    /// Returns what is known about the connection.
    pub(crate) fn connection(&self) -> ConnectionInfo {
        match &self.head {
            Head::Whole(whole) => whole.connection,
            Head::Packed(packed) => packed.connection(),
        }
    }

    fn set_connection(&mut self, info: ConnectionInfo) {
        match &mut self.head {
            Head::Whole(whole) => whole.connection = info,
            Head::Packed(packed) => packed.set_connection(info),
        }
    }

    pub(crate) fn set_params(&mut self, params: Params) {
        self.params = params;
    }

    /// Shrinks the request to at most `most` bytes, or to its target's size if that is more:
    /// packed, if the request is of the usual kind, and without the headers that do not fit. Those
    /// that `kept` names are dropped last.
    pub(crate) fn settle(&mut self, most: usize, kept: &[HeaderName]) {
        self.pack();
        match &mut self.head {
            Head::Packed(packed) => packed.shed(most, kept),
            Head::Whole(whole) => {
                whole.shed(most, kept);
                // The part that does not fit the packed form may be gone.
                self.pack();
            }
        }
    }

    /// Packs the request, if it is of the usual kind.
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

    /// Returns the HTTP parts: method, URI, version, headers, extensions.
    pub fn parts(&self) -> &Parts {
        match &self.head {
            Head::Whole(whole) => &whole.parts,
            Head::Packed(packed) => packed.parts(),
        }
    }

    /// Returns the HTTP parts, unchanged.
    pub fn into_parts(self) -> Parts {
        match self.head {
            Head::Whole(whole) => whole.parts,
            Head::Packed(packed) => packed.into_parts(),
        }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        match &self.head {
            Head::Whole(whole) => &whole.parts.method,
            Head::Packed(_) => &GET,
        }
    }

    /// Returns the request target as it was sent.
    pub fn uri(&self) -> &Uri {
        &self.parts().uri
    }

    /// Returns the path as it was sent, not percent-decoded.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.path(), "/rooms/7");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn path(&self) -> &str {
        match &self.head {
            Head::Whole(whole) => whole.parts.uri.path(),
            Head::Packed(packed) => packed.path(),
        }
    }

    /// Returns how long path and query are together, in bytes.
    pub(crate) fn target_len(&self) -> usize {
        match &self.head {
            Head::Whole(whole) => {
                let target = whole.parts.uri.path_and_query();
                target.map_or(0, |target| target.as_str().len())
            }
            Head::Packed(packed) => packed.target_len(),
        }
    }

    /// Returns the query as it was sent, without the question mark.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.query(), Some("token=abc&page=2"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn query(&self) -> Option<&str> {
        match &self.head {
            Head::Whole(whole) => whole.parts.uri.query(),
            Head::Packed(packed) => packed.query(),
        }
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts().headers
    }

    /// Returns one header as text; `None` if it is absent or not UTF-8.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.header("host"), Some("example.com"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        let name = HeaderName::try_from(name.as_ref()).ok()?;
        self.values(&name).next().and_then(readable)
    }

    /// Returns the host and port of an absolute target.
    pub(crate) fn authority(&self) -> Option<&str> {
        match &self.head {
            Head::Whole(whole) => whole.parts.uri.authority().map(Authority::as_str),
            Head::Packed(_) => None,
        }
    }

    /// Returns the values of a header, one for each of its lines. They may contain bytes that are no
    /// UTF-8, for which [`header`](Self::header) returns `None`.
    pub fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let (whole, packed) = match &self.head {
            Head::Whole(whole) => (Some(whole.parts.headers.get_all(name)), None),
            Head::Packed(packed) => (None, Some(packed.values(name.as_str()))),
        };
        let whole = whole.into_iter().flatten().map(|value| value.as_bytes());
        whole.chain(packed.into_iter().flatten())
    }

    /// Returns the client's address, if the platform knows it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.connection().remote_addr
    }

    /// Returns whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.connection().secure
    }

    /// Returns the parameters that the route's pattern matched.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Returns the subprotocols the client offers, in its order of preference (RFC 6455 section
    /// 11.3.4; several headers count as one list).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert!(request.protocols().eq(["chat.v2", "chat.v1"]));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.values(&SEC_WEBSOCKET_PROTOCOL)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .filter_map(|item| text(item.trim_ascii()))
            .filter(|item| !item.is_empty())
    }

    /// Returns the first of `supported` that the client offers: the server's preference decides.
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

    /// Returns the request in a form for logs: without the values of the query, and of headers that
    /// may hold secrets: cookies, authorization, subprotocols, and all that are not known to be
    /// harmless. The path is shown.
    ///
    /// ```
    /// # let request = crossws_core::UpgradeRequest::from_head("/a?token=x", []).unwrap();
    /// assert_eq!(request.redacted().to_string(), "GET /a?token=…");
    /// ```
    pub fn redacted(&self) -> Redacted<'_> {
        Redacted(self)
    }

    /// Returns the extensions the client offers, as sent.
    pub fn extensions_offered(&self) -> Option<&str> {
        self.header(SEC_WEBSOCKET_EXTENSIONS)
    }
}

impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redacted().fmt(f)
    }
}

/// The two forms of the request, each with the platform's knowledge of the client.
#[derive(Clone)]
enum Head {
    Whole(Box<Whole>),
    Packed(Packed),
}
