use http::header::{HOST, ORIGIN};

use crate::UpgradeRequest;
use crate::request::text;

/// Which pages may connect. Browsers send the page's origin with every WebSocket request and
/// enforce nothing themselves, so that without a check any page can use a visitor's cookies
/// (RFC 6455 section 10.2).
///
/// A request without an `Origin` header does not come from a browser page and is admitted by
/// every policy. The origin `null` is opaque and only [`Origin::Any`] admits it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origin {
    /// Only pages from the host and port that the request itself names. The default.
    #[default]
    Same,
    /// Pages from the same host, or from one of these origins, written as browsers do:
    /// `https://app.example`, with a port only if it is not the scheme's own.
    Listed(Vec<String>),
    /// Pages from anywhere.
    Any,
}

impl Origin {
    /// Pages from the same host, or from one of `origins`.
    pub fn listed<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::Listed(origins.into_iter().map(Into::into).collect())
    }

    /// Whether this policy admits the request.
    pub fn admits(&self, request: &UpgradeRequest) -> bool {
        let mut origins = request.values(&ORIGIN);
        let origin = match (origins.next(), origins.next()) {
            (None, _) => return true,
            (Some(origin), None) => text(origin),
            // A forgery.
            (Some(_), Some(_)) => None,
        };
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
}

/// Whether the origin's host and port are those the request was sent to. The scheme is left
/// aside: behind a proxy that ends TLS the server does not know it.
fn is_same(origin: &str, request: &UpgradeRequest) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let mut hosts = request.values(&HOST);
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => text(host),
        (None, _) => request.authority(),
        (Some(_), Some(_)) => None,
    };
    let (Some(origin), Some(host)) = (
        HostPort::parse(authority, default_port),
        host.and_then(|host| HostPort::parse(host, default_port)),
    ) else {
        return false;
    };
    origin == host
}

#[derive(PartialEq)]
struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    fn parse(authority: &str, default_port: u16) -> Option<Self> {
        if authority.contains(['/', '@', '?', '#']) {
            return None;
        }
        // An IPv6 address is bracketed, so the last colon outside brackets begins the port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, default_port),
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
    fn a_list_admits_its_entries_and_the_same_host() {
        let list = Origin::listed(["https://app.example"]);
        assert!(list.admits(&request("api.example", &["https://app.example"])));
        assert!(list.admits(&request("api.example", &["https://api.example"])));
        assert!(list.admits(&request("api.example", &[])));
        assert!(!list.admits(&request("api.example", &["https://app.example:444"])));
        assert!(!list.admits(&request("api.example", &["null"])));
    }
}
