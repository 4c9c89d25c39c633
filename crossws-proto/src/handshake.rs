//! The opening handshake's rules (RFC 6455 section 4), on `http` types.

mod client;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crossws_core::{Deflate, Limits, Rejection};
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::Scheme;
use http::{Method, Response, StatusCode, Uri, Version};
use sha1_smol::Sha1;

use crate::deflate::{self, Negotiated};
use crate::frame::{Decoder, Role};

pub use self::client::{AnswerError, ClientHandshake, is_token};

/// Returns whether a request asks for a WebSocket, well-formed or not. Any other request belongs to
/// the HTTP service, and so does one of HTTP/1.0, in which `Upgrade` is ignored (RFC 9110 section
/// 7.8).
pub fn is_upgrade(parts: &Parts) -> bool {
    asks(parts.version == Version::HTTP_11, &parts.headers)
}

/// As [`is_upgrade`], for a parsed head.
pub fn asks<L: Lookup + ?Sized>(version_1_1: bool, headers: &L) -> bool {
    version_1_1 && has_token(headers, &UPGRADE, "websocket")
}

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

/// Checks a parsed target, as [`is_target`] does. The parser has removed a fragment.
///
/// # Errors
/// The response to an invalid target.
pub fn check_target(uri: &Uri) -> Result<(), Rejection> {
    match is_target_uri(uri) {
        true => Ok(()),
        false => Err(bad(StatusCode::BAD_REQUEST, BAD_TARGET)),
    }
}

fn is_target_uri(uri: &Uri) -> bool {
    match uri.scheme() {
        Some(scheme) => *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS,
        None => uri.authority().is_none() && uri.path().starts_with('/'),
    }
}

/// The text of the response to an invalid target.
pub const BAD_TARGET: &str = "the request target is neither a path nor a URL of http or https";

/// Looks up headers.
pub trait Lookup {
    /// Returns the values of a header, line by line.
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]>;
}

impl Lookup for HeaderMap {
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// Headers of a parsed head: finding a few in it is faster than building a map.
impl Lookup for [httparse::Header<'_>] {
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        Values {
            rest: self.iter(),
            name: name.as_str(),
        }
    }
}

/// Like `filter`, but without a closure call for every header.
struct Values<'a, 'n> {
    rest: std::slice::Iter<'a, httparse::Header<'a>>,
    name: &'n str,
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let name = self.name;
        let is_it = |found: &str| found.len() == name.len() && found.eq_ignore_ascii_case(name);
        loop {
            let header = self.rest.next()?;
            if is_it(header.name) {
                return Some(header.value);
            }
        }
    }
}

/// A WebSocket request that follows every rule of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// `None` for an extended CONNECT, which has no key.
    accept: Option<[u8; ACCEPT]>,
    /// The extensions that the client offers, line by line.
    extensions: Vec<HeaderValue>,
}

/// The length of the `Sec-WebSocket-Accept` value: 20 bytes in base64.
const ACCEPT: usize = 28;

/// What a handshake has agreed on for its connection, apart from the decisions of hooks.
#[derive(Debug, Default)]
pub struct Agreed {
    deflate: Option<deflate::Agreed>,
}

impl Agreed {
    /// Returns the extensions as in the response's header; empty for none.
    pub fn extensions(&self) -> &str {
        self.deflate.as_ref().map_or("", |deflate| &deflate.answer)
    }

    /// Returns how messages are compressed, or `None` if they are not.
    pub fn deflate(&self) -> Option<&Negotiated> {
        self.deflate.as_ref().map(|deflate| &deflate.negotiated)
    }

    /// Returns this crate's own engine for the connection, for either role.
    pub fn into_decoder(self, role: Role, limits: &Limits) -> Decoder {
        let inflater = self.deflate.map(|deflate| deflate.inflater);
        Decoder::new(role, limits).with_inflater(inflater)
    }
}

impl Handshake {
    /// Checks a request for which [`is_upgrade`] holds.
    ///
    /// # Errors
    /// The response to a broken rule: 405 for a method other than GET, 426 for a version other than
    /// 13, 400 for everything else.
    pub fn check(parts: &Parts) -> Result<Self, Rejection> {
        check_target(&parts.uri)?;
        let get = parts.method == Method::GET;
        Self::check_headers(get, parts.version == Version::HTTP_11, &parts.headers)
    }

    /// As [`check`](Self::check), for a parsed head: `get` and `version_1_1` say whether its method
    /// is GET and its version HTTP/1.1.
    pub fn check_headers<L: Lookup + ?Sized>(
        get: bool,
        version_1_1: bool,
        headers: &L,
    ) -> Result<Self, Rejection> {
        if !get {
            let mut rejection = bad(
                StatusCode::METHOD_NOT_ALLOWED,
                "a WebSocket begins with GET",
            );
            let headers = rejection.response_mut().headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
            return Err(rejection);
        }
        if !version_1_1 {
            return Err(bad(StatusCode::BAD_REQUEST, "HTTP/1.1 is needed"));
        }
        if headers.values(&HOST).count() != 1 {
            return Err(bad(StatusCode::BAD_REQUEST, "one Host header is needed"));
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(bad(
                StatusCode::BAD_REQUEST,
                "the Connection header does not name Upgrade",
            ));
        }
        let has_body = headers.values(&TRANSFER_ENCODING).next().is_some();
        if has_body || announces_body(headers) {
            return Err(bad(StatusCode::BAD_REQUEST, HAS_BODY));
        }
        if !has_version(headers) {
            let mut rejection = other_version(StatusCode::UPGRADE_REQUIRED);
            // RFC 9110 section 15.5.22 demands `Upgrade` with a 426.
            let headers = rejection.response_mut().headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            return Err(rejection);
        }
        let Some(key) = only(headers, &SEC_WEBSOCKET_KEY) else {
            return Err(bad(
                StatusCode::BAD_REQUEST,
                "one Sec-WebSocket-Key header is needed",
            ));
        };
        if !is_key(key) {
            return Err(bad(
                StatusCode::BAD_REQUEST,
                "the Sec-WebSocket-Key is not 16 bytes in base64",
            ));
        }
        Ok(Self {
            accept: Some(accept(key)),
            extensions: offers(headers)?,
        })
    }

    /// Checks an extended CONNECT whose `:protocol` is `websocket` (RFC 8441 section 5), over
    /// HTTP/2 or HTTP/3. It has no key, and its response is a 200.
    ///
    /// # Errors
    /// The response to a broken rule: 400.
    pub fn check_connect(parts: &Parts) -> Result<Self, Rejection> {
        check_target(&parts.uri)?;
        if announces_body(&parts.headers) {
            return Err(bad(StatusCode::BAD_REQUEST, HAS_BODY));
        }
        if !has_version(&parts.headers) {
            // Not 426, which needs `Upgrade`: a header that these versions of HTTP exclude.
            return Err(other_version(StatusCode::BAD_REQUEST));
        }
        Ok(Self {
            accept: None,
            extensions: offers(&parts.headers)?,
        })
    }

    /// Replies to the client's offers of extensions. Accepts permessage-deflate if it is configured
    /// and an offer is acceptable.
    ///
    /// # Errors
    /// 400 when it is configured and the offers are malformed, or when it is configured strictly
    /// and no offer is acceptable.
    pub fn agree(&self, deflate: Option<&Deflate>) -> Result<Agreed, Rejection> {
        let offers = self.extensions.iter().map(HeaderValue::as_bytes);
        let deflate = match deflate {
            Some(config) => deflate::negotiate(config, offers)?,
            None => None,
        };
        Ok(Agreed { deflate })
    }

    /// Returns the 101, or the 200 to an extended CONNECT, with the headers of the accepted
    /// upgrade.
    pub fn response(&self, accepted: &HeaderMap, agreed: &Agreed) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        if self.accept.is_some() {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        let headers = response.headers_mut();
        self.answer(accepted, agreed, |name, value| {
            // The value comes from a `HeaderValue`, or is base64.
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        });
        response
    }

    /// Passes each of that response's headers to `header`.
    pub fn answer(
        &self,
        accepted: &HeaderMap,
        agreed: &Agreed,
        mut header: impl FnMut(&HeaderName, &[u8]),
    ) {
        if let Some(accept) = &self.accept {
            header(&CONNECTION, b"Upgrade");
            header(&UPGRADE, b"websocket");
            header(&SEC_WEBSOCKET_ACCEPT, accept);
        }
        if !agreed.extensions().is_empty() {
            header(&SEC_WEBSOCKET_EXTENSIONS, agreed.extensions().as_bytes());
        }
        for (name, value) in accepted {
            header(name, value.as_bytes());
        }
    }
}

/// Returns whether this is a nonce of 16 bytes in base64: 22 characters of six bits, and the
/// padding. The last four bits should be zero but need not be: the key that RFC 6455 section 4.1
/// prints has others, and nothing depends on them.
fn is_key(key: &[u8]) -> bool {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let [nonce @ .., b'=', b'='] = key else {
        return false;
    };
    nonce.len() == 22 && nonce.iter().all(in_alphabet)
}

/// Returns the accept value for a key (RFC 6455 section 4.2.2, item 5.4).
fn accept(key: &[u8]) -> [u8; ACCEPT] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = sha1.digest().bytes();
    let mut accept = [0; ACCEPT];
    // The value fits exactly.
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}

const HAS_BODY: &str = "a WebSocket request has no body";

fn announces_body<L: Lookup + ?Sized>(headers: &L) -> bool {
    headers.values(&CONTENT_LENGTH).any(|len| len != b"0")
}

fn has_version<L: Lookup + ?Sized>(headers: &L) -> bool {
    only(headers, &SEC_WEBSOCKET_VERSION).is_some_and(|version| version == b"13")
}

/// Returns the response to another version, with ours (RFC 6455 section 4.4).
fn other_version(status: StatusCode) -> Rejection {
    let mut rejection = bad(status, "WebSocket version 13 is needed");
    let headers = rejection.response_mut().headers_mut();
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    rejection
}

/// Returns the extensions that the client offers.
fn offers<L: Lookup + ?Sized>(headers: &L) -> Result<Vec<HeaderValue>, Rejection> {
    let offers = headers.values(&SEC_WEBSOCKET_EXTENSIONS);
    let offers: Result<_, _> = offers.map(HeaderValue::from_bytes).collect();
    offers.map_err(Rejection::internal)
}

fn bad(status: StatusCode, text: &'static str) -> Rejection {
    Rejection::new(status, text)
}

/// Returns whether a list header, over all of its lines, contains a token.
fn has_token<L: Lookup + ?Sized>(headers: &L, name: &HeaderName, token: &str) -> bool {
    headers
        .values(name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Returns the value of a header that must be present exactly once.
fn only<'a, L: Lookup + ?Sized>(headers: &'a L, name: &'a HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.values(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::alphabet;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    use http::Request;

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("host", "example.org"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/chat");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn with(name: &'static str, values: &[&'static str]) -> Parts {
        let mut headers: Vec<_> = GOOD
            .iter()
            .filter(|(one, _)| *one != name)
            .copied()
            .collect();
        headers.extend(values.iter().map(|value| (name, *value)));
        request("GET", &headers)
    }

    /// Checks the request both as parts and as a parsed head: the results must be equal.
    fn status(parts: &Parts) -> u16 {
        let headers: Vec<_> = parts.headers.iter().collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| httparse::Header {
                name: name.as_str(),
                value: value.as_bytes(),
            })
            .collect();
        let get = parts.method == Method::GET;
        let head = Handshake::check_headers(get, parts.version == Version::HTTP_11, &headers[..]);
        let version_1_1 = parts.version == Version::HTTP_11;
        assert_eq!(asks(version_1_1, &headers[..]), is_upgrade(parts));
        match (Handshake::check(parts), head) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one, other);
                101
            }
            (Err(one), Err(other)) => {
                assert_eq!(one.status(), other.status());
                one.status().as_u16()
            }
            (one, other) => panic!("{one:?} {other:?}"),
        }
    }

    #[test]
    fn the_rfc_example_gets_the_response_that_the_rfc_prints() {
        let handshake = Handshake::check(&request("GET", GOOD)).unwrap();
        let accept = handshake.accept.unwrap();
        assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn an_extended_connect_has_no_key_and_gets_a_200() {
        let connect = |target: &str, headers: &[(&str, &str)]| {
            let mut parts = request("CONNECT", headers);
            parts.uri = target.parse().unwrap();
            parts.version = Version::HTTP_2;
            Handshake::check_connect(&parts)
        };
        let target = "https://example.org/chat";
        let version = ("sec-websocket-version", "13");
        let offer = ("sec-websocket-extensions", "permessage-deflate");
        let handshake = connect(target, &[version, offer]).unwrap();
        let agreed = handshake.agree(Some(&Deflate::default())).unwrap();
        let response = handshake.response(&HeaderMap::new(), &agreed);
        assert_eq!(response.status(), 200);
        let names: Vec<_> = response.headers().keys().collect();
        assert_eq!(names, [SEC_WEBSOCKET_EXTENSIONS]);
        for headers in [
            &[][..],
            &[("sec-websocket-version", "8")],
            &[version, version],
        ] {
            let rejection = connect(target, headers).unwrap_err();
            assert_eq!(rejection.status(), 400);
            let headers = rejection.response().headers();
            assert_eq!(headers["sec-websocket-version"], "13");
            assert!(!headers.contains_key("upgrade"));
        }
        let body = [version, ("content-length", "5")];
        assert_eq!(connect(target, &body).unwrap_err().status(), 400);
        for target in ["example.org:80", "ftp://example.org/"] {
            assert_eq!(connect(target, &[version]).unwrap_err().status(), 400);
        }
    }

    #[test]
    fn every_broken_rule_has_its_status() {
        let cases: &[(&'static str, &[&'static str], u16)] = &[
            ("connection", &["keep-alive, Upgrade"], 101),
            ("connection", &["keep-alive", "upgrade"], 101),
            ("connection", &["keep-alive"], 400),
            ("connection", &["xupgrade"], 400),
            ("connection", &[], 400),
            ("upgrade", &["WebSocket"], 101),
            ("host", &[], 400),
            ("host", &["a", "b"], 400),
            ("sec-websocket-version", &["12"], 426),
            ("sec-websocket-version", &["13", "8"], 426),
            ("sec-websocket-version", &["13, 8"], 426),
            ("sec-websocket-version", &[], 426),
            ("sec-websocket-key", &[], 400),
            (
                "sec-websocket-key",
                &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
                400,
            ),
            ("sec-websocket-key", &["c2hvcnQ="], 400),
            ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"], 400),
            ("sec-websocket-key", &["!!!"], 400),
            ("sec-websocket-key", &["AQIDBAUGBwgJCgsMDQ4PEC=="], 101),
            ("sec-websocket-key", &["AQIDBAUGBwgJCgsMDQ4PE==="], 400),
            ("content-length", &["0"], 101),
            ("content-length", &["5"], 400),
            ("transfer-encoding", &["chunked"], 400),
        ];
        for (name, values, expected) in cases {
            assert_eq!(status(&with(name, values)), *expected, "{name}: {values:?}");
        }
        assert_eq!(status(&request("POST", GOOD)), 405);
        let mut old = request("GET", GOOD);
        old.version = Version::HTTP_10;
        assert_eq!(status(&old), 400);
    }

    #[test]
    fn extensions_are_negotiated_where_they_are_configured() {
        let offer = "permessage-deflate; client_max_window_bits";
        let handshake = Handshake::check(&with("sec-websocket-extensions", &[offer])).unwrap();
        let answer = |agreed: &Agreed| {
            let response = handshake.response(&HeaderMap::new(), agreed);
            let header = response.headers().get("sec-websocket-extensions").cloned();
            assert_eq!(
                header.map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
                agreed.extensions()
            );
            agreed.extensions().to_owned()
        };
        let off = handshake.agree(None).unwrap();
        assert_eq!(answer(&off), "");
        assert!(off.deflate().is_none());
        let config = Deflate::default();
        let on = handshake.agree(Some(&config)).unwrap();
        assert_eq!(
            answer(&on),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        );
        assert!(!on.deflate().unwrap().outgoing.takes_context_over());
        let twice = ["foo", "permessage-deflate; foo"];
        let twice = Handshake::check(&with("sec-websocket-extensions", &twice)).unwrap();
        let strict = config.strict(true);
        assert!(twice.agree(Some(&config)).unwrap().deflate().is_none());
        assert_eq!(twice.agree(Some(&strict)).unwrap_err().status(), 400);
    }

    #[test]
    fn the_response_to_a_wrong_version_names_the_right_one() {
        let rejection = Handshake::check(&with("sec-websocket-version", &["8"])).unwrap_err();
        let headers = rejection.response().headers();
        assert_eq!(headers["sec-websocket-version"], "13");
        assert_eq!(headers["upgrade"], "websocket");
    }

    #[test]
    fn an_upgrade_is_recognized_by_its_token() {
        assert!(is_upgrade(&request(
            "GET",
            &[("upgrade", "h2c, websocket")]
        )));
        assert!(!is_upgrade(&request("GET", &[("upgrade", "h2c")])));
        assert!(!is_upgrade(&request("GET", &[])));
        // RFC 9110 section 7.8.
        let mut old = request("GET", GOOD);
        old.version = Version::HTTP_10;
        assert!(!is_upgrade(&old));
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
    }

    #[test]
    fn a_key_decodes_to_16_bytes_and_its_last_bits_are_ignored() {
        let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
        let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
        let is_16 = |key: &[u8]| engine.decode(key).is_ok_and(|nonce| nonce.len() == 16);
        let good = b"dGhlIHNhbXBsZSBub25jZQ==";
        for at in 0..good.len() {
            for byte in 0..=u8::MAX {
                let mut key = *good;
                key[at] = byte;
                assert_eq!(is_key(&key), is_16(&key), "{:?}", key.escape_ascii());
            }
            assert!(!is_key(&good[..at]));
        }
        for key in [
            &b"dGhlIHNhbXBsZSBub25jZQ==="[..],
            b"dGhlIHNhbXBsZSBub25jZWE=",
            b"",
        ] {
            assert_eq!(is_key(key), is_16(key));
        }
    }
}
