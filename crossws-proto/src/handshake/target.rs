//! The target of an upgrade request.

use crossws_core::Rejection;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::uri::Scheme;
use http::{StatusCode, Uri};

/// Returns whether a request's target has a form that a GET may have (RFC 9112 section 3.2): the
/// origin form, or the absolute form of HTTP. `*` and `host:port` are for other methods, and a
/// fragment is part of neither.
pub fn is_target(target: &str) -> bool {
    let absolute = |scheme: &str| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let authority = absolute("http://").or_else(|| absolute("https://"));
    let has_form = match authority {
        Some(authority) => !authority.is_empty() && !authority.starts_with(['/', '?']),
        None => target.starts_with('/'),
    };
    has_form && !target.contains('#')
}

/// Turns the target of a request over HTTP/2 into the one that it would have over HTTP/1.1, so that hooks get one form:
/// a path, with the host in `Host`, as RFC 9113 section 8.3.1 asks of a server that converts a request. User
/// information, which an authority must not have there, is left out.
pub fn convert_target(parts: &mut Parts) {
    let Some(authority) = parts.uri.authority() else {
        return;
    };
    let host = authority.as_str().rsplit('@').next();
    if let Some(Ok(host)) = host.map(HeaderValue::try_from) {
        parts.headers.insert(HOST, host);
    }
    let path = parts.uri.path_and_query().cloned();
    parts.uri = path.map_or_else(Uri::default, Uri::from);
}

/// Checks a parsed target, as [`is_target`] does. The parser has removed a fragment.
///
/// # Errors
/// The response to an invalid target.
pub fn check_target(uri: &Uri) -> Result<(), Rejection> {
    match is_target_uri(uri) {
        true => Ok(()),
        false => Err(Rejection::new(StatusCode::BAD_REQUEST, BAD_TARGET)),
    }
}

fn is_target_uri(uri: &Uri) -> bool {
    // Over HTTP/2 a scheme and a host come with any path, also with that of `OPTIONS *`.
    uri.path().starts_with('/')
        && match uri.scheme() {
            Some(scheme) => *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS,
            None => uri.authority().is_none(),
        }
}

/// The text of the response to an invalid target.
pub const BAD_TARGET: &str = "the request target is neither a path nor a URL of http or https";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_converted_target_is_a_path_beside_its_host() {
        for (uri, path, host) in [
            ("https://example.org/chat?a=b", "/chat?a=b", "example.org"),
            ("https://user:word@example.org:1/", "/", "example.org:1"),
            ("https://example.org", "/", "example.org"),
        ] {
            let request = http::Request::get(uri).header(HOST, "other");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            convert_target(&mut parts);
            assert_eq!(
                (parts.uri.to_string(), &parts.headers[HOST]),
                (path.into(), &HeaderValue::from_static(host))
            );
        }
    }

    #[test]
    fn a_target_is_a_path_or_a_url_of_http() {
        for (target, good) in [
            ("/", true),
            ("/chat?a=b", true),
            ("//chat", true),
            ("/http://example.org", true),
            ("http://example.org", true),
            ("HTTPS://example.org:80/chat", true),
            ("http:///chat", false),
            ("http://", false),
            ("http:/chat", false),
            ("*", false),
            ("chat", false),
            ("example.org:80", false),
            ("ftp://example.org/chat", false),
            ("ws://example.org/chat", false),
            ("?a=b", false),
            ("", false),
            ("/chat#top", false),
            ("http://example.org/#", false),
        ] {
            assert_eq!(is_target(target), good, "{target:?}");
            // Parsing removes the fragment.
            if !target.contains('#')
                && let Ok(uri) = target.parse::<Uri>()
            {
                assert_eq!(is_target_uri(&uri), good, "{target:?}");
            }
        }
        let parts = Uri::builder().scheme("https").authority("example.org");
        let star = parts.path_and_query("*").build().unwrap();
        assert!(!is_target_uri(&star));
    }
}
