use std::borrow::Cow;
use std::net::SocketAddr;

use crossws_core::UpgradeRequest;
use http::header::{HeaderValue, UPGRADE};
use http::request::Parts;

use crate::error::Error;
use crate::http::response::header;

/// The header in which the platform passes the client's address.
const CLIENT_IP: &str = "cf-connecting-ip";

/// Returns whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(request: &worker::Request) -> Result<bool, Error> {
    let upgrade = request.headers().get(UPGRADE.as_str())?;
    Ok(upgrade.is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket")))
}

/// Returns the platform's request as every hook gets it.
pub(crate) fn convert(request: &worker::Request) -> Result<UpgradeRequest, Error> {
    // Not `Request::url`, which would link a URL parser and its tables into the Worker.
    let url = request.inner().url();
    let headers = request.headers().entries();
    let (parts, secure) = parts(request.method().as_ref(), &url, headers)?;
    let remote = parts.headers.get(CLIENT_IP).and_then(|ip| ip.to_str().ok());
    let remote = remote.and_then(|ip| ip.parse().ok());
    let request = UpgradeRequest::new(parts)
        .with_remote_addr(remote.map(|ip| SocketAddr::new(ip, 0)))
        .with_secure(secure);
    Ok(request)
}

/// Returns the HTTP parts of a request with an absolute URL, and whether the URL is secure.
fn parts(
    method: &str,
    url: &str,
    headers: impl Iterator<Item = (String, String)>,
) -> Result<(Parts, bool), Error> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (host, target) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let target = target.split('#').next().unwrap_or("/");
    // Not with the builder, whose code for every kind of part a Worker would have.
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = method.parse().map_err(http::Error::from)?;
    // In origin form, as clients send it and every other adapter shows it.
    let origin_form = match target.starts_with('/') {
        true => Cow::Borrowed(target),
        false => Cow::Owned(format!("/{target}")),
    };
    parts.uri = origin_form.parse().map_err(http::Error::from)?;
    for (name, value) in headers {
        let (name, value) = header(&name, &value)?;
        // Fails with more headers than the map can hold.
        parts
            .headers
            .try_append(name, value)
            .map_err(http::Error::from)?;
    }
    if !parts.headers.contains_key(http::header::HOST)
        && let Ok(host) = HeaderValue::from_str(host)
    {
        parts.headers.insert(http::header::HOST, host);
    }
    Ok((parts, scheme.eq_ignore_ascii_case("https")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::text;

    fn of(url: &str, headers: &[(&str, &str)]) -> (Parts, bool) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        parts("GET", url, headers).unwrap()
    }

    #[test]
    fn an_absolute_url_becomes_the_target_the_client_sent() {
        for (url, target, secure) in [
            (
                "https://example.org/rooms/1?a=b%20c",
                "/rooms/1?a=b%20c",
                true,
            ),
            ("http://example.org:8787/", "/", false),
            ("http://example.org", "/", false),
            ("http://example.org?x=1", "/?x=1", false),
            ("http://example.org/a#b", "/a", false),
            // As the platform's parser leaves them.
            ("http://example.org//a//b/", "//a//b/", false),
            ("http://example.org/a;v=1/b:c@d", "/a;v=1/b:c@d", false),
            ("http://example.org/%2F%3F%C3%BC", "/%2F%3F%C3%BC", false),
            (
                "http://example.org/a|%5E%60?q=|^{}`",
                "/a|%5E%60?q=|^{}`",
                false,
            ),
            (
                "http://example.org/http://b/?c=/d?e",
                "/http://b/?c=/d?e",
                false,
            ),
        ] {
            let (parts, is_secure) = of(url, &[]);
            assert_eq!(
                (parts.uri.to_string().as_str(), is_secure),
                (target, secure),
                "{url}"
            );
        }
    }

    #[test]
    fn the_host_comes_from_the_url_only_where_there_is_none() {
        let host = |parts: &Parts| parts.headers["host"].to_str().unwrap().to_owned();
        assert_eq!(host(&of("http://a.example:1/", &[]).0), "a.example:1");
        assert_eq!(
            host(&of("http://a.example/", &[("host", "b.example")]).0),
            "b.example"
        );
    }

    #[test]
    fn header_values_are_the_bytes_that_were_sent() {
        let (parts, _) = of("http://a/", &[("x-name", "Zażółć é"), ("x-name", "two")]);
        let values: Vec<_> = parts.headers.get_all("x-name").iter().collect();
        assert_eq!(values, ["Zażółć é".as_bytes(), b"two"]);
        // And so are those that the platform sends.
        assert_eq!(text(values[0]), "Zażółć é");
    }
}
