#[cfg(test)]
mod tests;

use std::fmt;

use http::StatusCode;
use http::header::{HOST, HeaderName, ORIGIN};

use crate::hub::settings::invalid::SettingsError;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::{UpgradeRequest, text};

/// Which origins may connect. Browsers send the page's origin with every WebSocket request and
/// enforce nothing themselves, so that without a check any page can use a visitor's cookies (RFC
/// 6455 section 10.2).
///
/// A request without an `Origin` header does not come from a browser page, and every policy admits
/// it. The origin `null` is opaque and only [`Origin::Any`] admits it.
#[doc(alias = "CORS")]
#[doc(alias = "check_origin")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origin {
    /// Only pages from the host and port that the request itself names. The default.
    ///
    /// Some proxies drop the port from the `Host` header, as nginx's `$host` does; browsers leave
    /// out only the scheme's own. If `Host` has no port and the hosts are equal, a page of another
    /// port is therefore admitted if the browser itself says that it is of the same origin
    /// (`Sec-Fetch-Site`). If the browser does not say, the request must have come through a proxy:
    /// it has a header that only proxies add (`Forwarded`, `Via`, `X-Forwarded-..`, `X-Real-IP`),
    /// or [came by a port](UpgradeRequest::with_forwarded) that a browser would have named. Where
    /// clients reach the server's own port, this admits no page of another one.
    #[default]
    Same,
    /// Pages from the same host, or from one of these origins: `https://app.example`, or
    /// `http://app.example:8080`. The scheme's own port and a slash at the end make no difference. An
    /// entry that no page can have, such as `app.example` or `https://*.example`, keeps the server from
    /// starting, and is an error of a router's routes; of a [`Route`](crate::Route) of your own, the log of each
    /// refusal names it.
    Listed(Vec<String>),
    /// Pages from anywhere.
    Any,
}

impl Origin {
    /// Admits pages from the same host, or from one of `origins`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// let origin = Origin::listed(["https://app.example"]);
    /// assert!(origin.admits(&request)); // no browser's page
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn listed<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::Listed(origins.into_iter().map(Into::into).collect())
    }

    /// Returns whether this policy admits the request.
    pub fn admits(&self, request: &UpgradeRequest) -> bool {
        let mut origins = request.values(&ORIGIN);
        let Some(origin) = origins.next() else {
            return true;
        };
        // A second one is a forgery.
        let origin = text(origin).filter(|_| origins.next().is_none());
        let Some(origin) = origin else {
            return *self == Self::Any;
        };
        match self {
            Self::Any => true,
            Self::Same => is_same(origin, request) == Some(true),
            Self::Listed(list) => {
                let page = Page::parse(origin);
                let is_page = |one: &String| page.is_some() && Page::parse(one) == page;
                is_same(origin, request) == Some(true) || list.iter().any(is_page)
            }
        }
    }

    /// Checks that a page can have each of the listed origins.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let Self::Listed(list) = self else {
            return Ok(());
        };
        match list.iter().find(|one| Page::parse(one).is_none()) {
            Some(one) => Err(SettingsError::Origin(shown(one.as_bytes()))),
            None => Ok(()),
        }
    }

    /// Returns the refusal of a request that this policy does not admit.
    pub(crate) fn refusal(&self, request: &UpgradeRequest) -> Rejection {
        let mut error = ForeignOrigin {
            origins: request.values(&ORIGIN).map(shown).collect(),
            host: host(request).map(|host| shown(host.as_bytes())),
            list: None,
        };
        let body = format!("{error}\n");
        // For the log alone.
        error.list = self.check().err();
        Rejection::new(StatusCode::FORBIDDEN, body).with_source(error)
    }
}

/// What an origin names.
#[derive(PartialEq, Eq)]
struct Page {
    scheme: String,
    at: HostPort,
}

impl Page {
    fn parse(origin: &str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if scheme == "file" && authority.is_empty() {
            // Of the pages of some web views.
            let at = HostPort {
                host: String::new(),
                port: None,
            };
            return Some(Self { scheme, at });
        }
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let mut at = HostPort::parse(authority)?;
        let of_host = |byte: u8| byte.is_ascii_graphic() && byte != b'*';
        if scheme.is_empty() || !scheme.bytes().all(of_scheme) || !at.host.bytes().all(of_host) {
            return None;
        }
        at.port = at.port.or_else(|| default_port(&scheme));
        Some(Self { scheme, at })
    }
}

/// Returns the port that an origin of this scheme leaves out.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A page of an origin that the policy does not admit. The text names the values that were
/// compared, to help find a proxy that changed them.
#[derive(Debug)]
pub(crate) struct ForeignOrigin {
    origins: Vec<String>,
    host: Option<String>,
    /// What is wrong with the list.
    list: Option<SettingsError>,
}

impl fmt::Display for ForeignOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.origins.join("`, `");
        write!(f, "origin not allowed: the page is of `{origins}`, ")?;
        match &self.host {
            Some(host) => write!(f, "the request is for the host `{host}`")?,
            None => f.write_str("the request names no one host")?,
        }
        f.write_str(" (`Origin::listed` on the server admits more origins)")?;
        match &self.list {
            Some(list) => write!(f, "; {list}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ForeignOrigin {}

/// Returns a header's value for a log: without control characters, and of a bounded length.
fn shown(value: &[u8]) -> String {
    const MOST: usize = 128;
    let part = value.get(..MOST).unwrap_or(value);
    let more = if part.len() < value.len() { "…" } else { "" };
    format!("{}{more}", part.escape_ascii())
}

/// Returns the host that the request itself names.
fn host(request: &UpgradeRequest) -> Option<&str> {
    let mut hosts = request.values(&HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => text(host),
        (None, _) => request.authority(),
        (Some(_), Some(_)) => None,
    }
}

/// Returns whether the origin's host and port are those of the request; `None` if one of them has none.
/// The scheme is ignored: behind a proxy that ends TLS the server does not know it.
fn is_same(origin: &str, request: &UpgradeRequest) -> Option<bool> {
    let (scheme, authority) = origin.split_once("://")?;
    let default_port = default_port(&scheme.to_ascii_lowercase())?;
    let origin = HostPort::parse(authority)?;
    let host = HostPort::parse(host(request)?)?;
    let port = |of: &HostPort| of.port.unwrap_or(default_port);
    Some(
        origin.host == host.host
            && (port(&origin) == port(&host) || host.port.is_none() && has_lost_its_port(request)),
    )
}

/// Returns whether a proxy may have dropped the port of a request whose `Host` has none: see
/// [`Origin::Same`].
fn has_lost_its_port(request: &UpgradeRequest) -> bool {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    const BY_PROXIES: [HeaderName; 6] = [
        http::header::FORWARDED,
        http::header::VIA,
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static("x-forwarded-host"),
        HeaderName::from_static("x-forwarded-proto"),
        HeaderName::from_static("x-real-ip"),
    ];
    // Pages can set none of these.
    match request.values(&SITE).next() {
        Some(site) => site == b"same-origin",
        None => {
            let has = |name| request.values(name).next().is_some();
            request.connection().forwarded || BY_PROXIES.iter().any(has)
        }
    }
}

#[derive(PartialEq, Eq)]
struct HostPort {
    host: String,
    port: Option<u16>,
}

impl HostPort {
    fn parse(authority: &str) -> Option<Self> {
        if authority.contains(['/', '@', '?', '#']) {
            return None;
        }
        // An IPv6 address is bracketed, so the last colon outside brackets begins the port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (authority, None),
        };
        (!host.is_empty()).then(|| Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }
}
