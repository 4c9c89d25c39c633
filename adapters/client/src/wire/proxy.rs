use base64::Engine as _;
use crossws_native::Io;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{HeaderMap, Uri};

use crate::error::ConnectError;
use crate::wire::head;

/// An HTTP proxy that connections go through, by `CONNECT` (RFC 9110 section 9.3.6). The proxy resolves
/// the target's name. TLS and the handshake go through the tunnel, so that it sees neither.
///
/// The environment's variables are not read: an app that wants them passes the value on.
///
/// ```
/// # fn main() -> Result<(), crossws_client::ProxyError> {
/// use crossws_client::{HttpProxy, connect};
///
/// let proxy = HttpProxy::new("http://proxy.internal:3128")?.credentials("ann", "secret")?;
/// let room = connect("wss://example.com/rooms/1").proxy(proxy);
/// # let _ = room;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HttpProxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    authorization: Option<HeaderValue>,
}

/// Why a proxy cannot be used: see [`HttpProxy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The URL is not `http://HOST[:PORT]`.
    #[error("a proxy's URL is http://HOST:PORT")]
    Url,
    /// The name or the password has characters that a header cannot have, or the name has a colon.
    #[error("the proxy's credentials cannot be sent")]
    Credentials,
}

impl HttpProxy {
    /// Creates a proxy from its URL, `http://HOST[:PORT]`. The default port is 80. Credentials in the URL
    /// (`http://USER:PASSWORD@HOST`) are used, with their percent-encoding removed.
    ///
    /// # Errors
    /// When it is another URL.
    pub fn new(url: &str) -> Result<Self, ProxyError> {
        let uri: Uri = url.parse().map_err(|_| ProxyError::Url)?;
        let authority = uri.authority().ok_or(ProxyError::Url)?;
        let is_bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        if uri.scheme_str() != Some("http") || authority.host().is_empty() || !is_bare {
            return Err(ProxyError::Url);
        }
        let proxy = Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authorization: None,
        };
        match authority.as_str().rsplit_once('@') {
            None => Ok(proxy),
            Some((user, _)) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                let plain = |text| {
                    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
                    decoded.map_err(|_| ProxyError::Credentials)
                };
                proxy.credentials(&plain(user)?, &plain(password)?)
            }
        }
    }

    /// Sends this name and password (basic authentication, RFC 7617). The proxy's connection is not
    /// encrypted, so that everyone between can read them.
    ///
    /// # Errors
    /// When a header cannot have them.
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, ProxyError> {
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return Err(ProxyError::Credentials);
        }
        self.authorization = Some(basic(user, password).ok_or(ProxyError::Credentials)?);
        Ok(self)
    }

    /// Asks for the tunnel, on a connection to the proxy.
    pub(crate) async fn tunnel(
        &self,
        io: &mut impl Io,
        host: &str,
        port: u16,
    ) -> Result<(), ConnectError> {
        let authority = format!("{host}:{port}");
        let mut headers = HeaderMap::new();
        let value = HeaderValue::try_from(&authority);
        headers.insert(
            HOST,
            value.map_err(|_| ConnectError::Url("its host is not a host"))?,
        );
        if let Some(authorization) = &self.authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        head::write(io, "CONNECT", &authority, &headers).await?;
        let (response, rest) = head::read(io).await?;
        if !response.status.is_success() {
            return Err(ConnectError::Proxy(response.status));
        }
        // The target's first byte follows ours: TLS, or HTTP, begins with the client.
        match rest.is_empty() {
            true => Ok(()),
            false => Err(ConnectError::Malformed(
                "the proxy sent data before the tunnel's first byte".into(),
            )),
        }
    }
}

crossws_core::opaque_debug!(
    /// Shows no credentials.
    [] HttpProxy, self => (format_args!("{}:{}", self.host, self.port)));

/// Returns the value of a header for basic authentication (RFC 7617).
fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let pair = format!("{user}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_host_a_port_and_credentials() {
        let proxy = HttpProxy::new("http://ann:p%40ss@proxy:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy", 3128));
        let authorization = proxy.authorization.as_ref().unwrap();
        // ann:p@ss
        assert_eq!(authorization, "Basic YW5uOnBAc3M=");
        assert!(authorization.is_sensitive());
        assert_eq!(format!("{proxy:?}"), "HttpProxy(proxy:3128)");
        assert_eq!(HttpProxy::new("http://proxy").unwrap().port, 80);
        for url in [
            "",
            "proxy:3128",
            "https://proxy",
            "socks5://proxy",
            "http://a/b",
        ] {
            assert_eq!(HttpProxy::new(url).unwrap_err(), ProxyError::Url, "{url}");
        }
        let proxy = HttpProxy::new("http://proxy").unwrap();
        for (user, password) in [("a:b", "c"), ("a", "b\r\nx: y")] {
            let refused = proxy.clone().credentials(user, password);
            assert_eq!(refused.unwrap_err(), ProxyError::Credentials);
        }
    }
}
