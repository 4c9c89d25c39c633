//! The server's side of the opening handshake (RFC 6455 section 4.2).

#[cfg(test)]
mod tests;

use bytes::Bytes;
use crossws_core::{Deflate, Rejection};
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};

use super::extensions::offer::negotiate;
use super::lookup::{has_token, only};
use super::{ACCEPT, Agreed, Lookup, accept, check_target};

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

/// A WebSocket request that follows every rule of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// `None` for an extended CONNECT, which has no key.
    accept: Option<[u8; ACCEPT]>,
    offers: Offers,
}

/// The extensions that a client offers, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers(Vec<Vec<u8>>);

impl Offers {
    /// Returns the offers of a request.
    pub fn of<L: Lookup + ?Sized>(headers: &L) -> Self {
        let lines = headers.values(&SEC_WEBSOCKET_EXTENSIONS);
        Self(lines.map(<[u8]>::to_vec).collect())
    }

    /// Replies to the offers: see [`Handshake::agree`].
    ///
    /// # Errors
    /// As [`Handshake::agree`].
    pub fn agree(&self, deflate: Option<&Deflate>) -> Result<Agreed, Rejection> {
        let offers = self.0.iter().map(Vec::as_slice);
        let deflate = deflate.map(|config| negotiate(config, offers));
        Ok(Agreed {
            deflate: deflate.transpose()?.flatten(),
        })
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
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let mut rejection = Rejection::new(status, "a WebSocket begins with GET");
            let headers = rejection.response_mut().headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
            return Err(rejection);
        }
        if !version_1_1 {
            return Err(bad("HTTP/1.1 is needed"));
        }
        if headers.values(&HOST).count() != 1 {
            return Err(bad("one Host header is needed"));
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(bad("the Connection header does not name Upgrade"));
        }
        if headers.values(&TRANSFER_ENCODING).next().is_some() || announces_body(headers) {
            return Err(bad(HAS_BODY));
        }
        if !has_version(headers) {
            let mut rejection = other_version(StatusCode::UPGRADE_REQUIRED);
            // RFC 9110 section 15.5.22 demands `Upgrade` with a 426.
            let headers = rejection.response_mut().headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            return Err(rejection);
        }
        let Some(key) = only(headers, &SEC_WEBSOCKET_KEY) else {
            return Err(bad("one Sec-WebSocket-Key header is needed"));
        };
        if !is_key(key) {
            return Err(bad("the Sec-WebSocket-Key is not 16 bytes in base64"));
        }
        Ok(Self {
            accept: Some(accept(key)),
            offers: Offers::of(headers),
        })
    }

    /// Checks an extended CONNECT whose `:protocol` is `websocket` (RFC 8441 section 5), over
    /// HTTP/2 or HTTP/3. It has no key, and its response is a 200.
    ///
    /// # Errors
    /// The response to a broken rule: 400.
    pub fn check_connect(parts: &Parts) -> Result<Self, Rejection> {
        check_target(&parts.uri)?;
        // RFC 9113 section 8.3.1: `:authority` is without user information, and `Host` counts only without it.
        match parts.uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                return Err(bad("the host must be without user information"));
            }
            None if parts.headers.get_all(HOST).iter().count() != 1 => {
                return Err(bad("one host is needed, in `:authority` or in `Host`"));
            }
            _ => {}
        }
        if announces_body(&parts.headers) {
            return Err(bad(HAS_BODY));
        }
        if !has_version(&parts.headers) {
            // Not 426, which needs `Upgrade`: a header that these versions of HTTP exclude.
            return Err(other_version(StatusCode::BAD_REQUEST));
        }
        Ok(Self {
            accept: None,
            offers: Offers::of(&parts.headers),
        })
    }

    /// Replies to the client's offers of extensions. Accepts permessage-deflate if it is configured
    /// and an offer is acceptable.
    ///
    /// # Errors
    /// 400 when it is configured and the offers are malformed, or when it is configured strictly
    /// and no offer is acceptable.
    pub fn agree(&self, deflate: Option<&Deflate>) -> Result<Agreed, Rejection> {
        self.offers.agree(deflate)
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
    // Without an early return the compiler vectorizes it.
    nonce.len() == 22
        && nonce
            .iter()
            .fold(true, |so_far, byte| so_far & in_alphabet(byte))
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
    let mut rejection = Rejection::new(status, "WebSocket version 13 is needed");
    let headers = rejection.response_mut().headers_mut();
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    rejection
}

fn bad(text: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, text)
}
