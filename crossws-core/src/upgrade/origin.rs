use std::fmt;

use http::StatusCode;
use http::header::{HOST, HeaderName, ORIGIN};

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
    /// Pages from the same host, or from one of these origins, written as browsers do:
    /// `https://app.example`, with a port only if it is not the scheme's own.
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
            Self::Same => is_same(origin, request),
            Self::Listed(list) => {
                is_same(origin, request) || list.iter().any(|one| one.eq_ignore_ascii_case(origin))
            }
        }
    }

    /// Returns the refusal of a request that this policy does not admit.
    pub(crate) fn refusal(request: &UpgradeRequest) -> Rejection {
        let error = ForeignOrigin {
            origins: request.values(&ORIGIN).map(shown).collect(),
            host: host(request).map(|host| shown(host.as_bytes())),
        };
        Rejection::new(StatusCode::FORBIDDEN, format!("{error}\n")).with_source(error)
    }
}

/// A page of an origin that the policy does not admit. The text names the values that were
/// compared, to help find a proxy that changed them.
#[derive(Debug)]
pub(crate) struct ForeignOrigin {
    origins: Vec<String>,
    host: Option<String>,
}

impl fmt::Display for ForeignOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.origins.join("`, `");
        write!(f, "origin not allowed: the page is of `{origins}`, ")?;
        match &self.host {
            Some(host) => write!(f, "the request is for the host `{host}`")?,
            None => f.write_str("the request names no one host")?,
        }
        f.write_str(" (`Origin::listed` on the server admits more origins)")
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

/// Returns whether the origin's host and port are those of the request. The scheme is ignored:
/// behind a proxy that ends TLS the server does not know it.
fn is_same(origin: &str, request: &UpgradeRequest) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let (Some(origin), Some(host)) = (
        HostPort::parse(authority),
        host(request).and_then(HostPort::parse),
    ) else {
        return false;
    };
    let port = |of: &HostPort| of.port.unwrap_or(default_port);
    origin.host == host.host
        && (port(&origin) == port(&host) || host.port.is_none() && has_lost_its_port(request))
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
            request.is_forwarded() || BY_PROXIES.iter().any(has)
        }
    }
}

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

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(host: &str, origins: &[&str]) -> UpgradeRequest {
        let mut request = Request::get("/chat").header("host", host);
        for origin in origins {
            request = request.header("origin", *origin);
        }
        UpgradeRequest::new(request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn same_origin_compares_host_and_port() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("example.org", &[], true),
            ("example.org", &["http://example.org"], true),
            ("example.org", &["https://example.org"], true),
            ("EXAMPLE.org", &["https://example.ORG"], true),
            ("example.org:80", &["http://example.org"], true),
            ("example.org:443", &["https://example.org"], true),
            ("example.org", &["https://example.org:443"], true),
            ("example.org:8080", &["http://example.org:8080"], true),
            ("[::1]:3000", &["http://[::1]:3000"], true),
            ("[::1]", &["http://[::1]"], true),
            ("example.org", &["http://example.org:8080"], false),
            ("example.org:443", &["http://example.org"], false),
            ("example.org", &["http://evil.example"], false),
            ("example.org", &["http://example.org.evil.example"], false),
            ("example.org", &["http://evilexample.org"], false),
            ("example.org", &["http://example.org@evil.example"], false),
            ("example.org", &["http://evil.example/example.org"], false),
            ("example.org", &["null"], false),
            ("example.org", &[""], false),
            ("example.org", &["example.org"], false),
            ("example.org", &["file://"], false),
            ("example.org", &["chrome-extension://example.org"], false),
            (
                "example.org",
                &["http://example.org", "http://evil.example"],
                false,
            ),
            ("example.org:abc", &["http://example.org:abc"], false),
            ("", &["http://"], false),
        ];
        for (host, origins, admitted) in cases {
            assert_eq!(
                Origin::Same.admits(&request(host, origins)),
                *admitted,
                "host {host:?}, origin {origins:?}"
            );
            assert!(Origin::Any.admits(&request(host, origins)));
        }
    }

    #[test]
    fn a_port_that_a_proxy_has_dropped_is_forgiven() {
        let page = ["http://example.org:8080"];
        let plain = || request("example.org", &page);
        let with = |name: &'static str, value: &str| {
            let mut parts = plain().into_parts();
            parts.headers.insert(name, value.parse().unwrap());
            UpgradeRequest::new(parts)
        };
        let admits = |request: &UpgradeRequest| Origin::Same.admits(request);
        assert!(!admits(&plain()), "a browser would have named the port");
        assert!(admits(&plain().with_forwarded(true)));
        for (name, value) in [
            ("forwarded", "for=192.0.2.1"),
            ("via", "1.1 proxy"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert!(admits(&with(name, value)), "{name}");
        }
        for site in ["same-site", "cross-site", "none"] {
            let request = with("sec-fetch-site", site).with_forwarded(true);
            assert!(!admits(&request), "the browser says {site}");
        }
        // Only a port that is missing, of the same host.
        for (host, origin) in [
            ("example.org:80", "http://example.org:8080"),
            ("example.org:8080", "http://example.org"),
            ("example.org", "http://evil.example:8080"),
            ("example.org", "null"),
        ] {
            let request = request(host, &[origin]).with_forwarded(true);
            assert!(!admits(&request), "{host}, {origin}");
        }
    }

    #[test]
    fn a_refusal_names_what_was_compared_and_shows_no_control_characters() {
        let body = |request: &UpgradeRequest| {
            let rejection = Origin::refusal(request);
            assert_eq!(rejection.status(), 403);
            String::from_utf8(rejection.response().body().to_vec()).unwrap()
        };
        let foreign = body(&request("127.0.0.1:3000", &["https://app.example"]));
        for part in [
            "`https://app.example`",
            "`127.0.0.1:3000`",
            "Origin::listed",
        ] {
            assert!(foreign.contains(part), "{foreign}");
        }
        let twice = body(&request("a", &["http://a", "http://b"]));
        assert!(twice.contains("`http://a`, `http://b`"), "{twice}");
        let mut parts = request("a", &[]).into_parts();
        let odd = [&b"\xff\t"[..], &[b'x'; 1000]].concat();
        let odd = http::HeaderValue::from_bytes(&odd).unwrap();
        parts.headers.insert("origin", odd);
        let odd = body(&UpgradeRequest::new(parts));
        assert!(odd.contains("`\\xff\\tx"), "{odd}");
        assert!(odd.len() < 400, "{odd}");
    }

    #[test]
    fn a_list_admits_its_entries_and_the_same_host() {
        let list = Origin::listed(["https://app.example"]);
        assert!(list.admits(&request("api.example", &["https://app.example"])));
        assert!(list.admits(&request("api.example", &["https://api.example"])));
        assert!(list.admits(&request("api.example", &[])));
        assert!(!list.admits(&request("api.example", &["https://app.example:444"])));
        assert!(!list.admits(&request("api.example", &["null"])));
    }
}
