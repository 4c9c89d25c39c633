//! The head of an HTTP/1.1 request, read within a deadline and bounds.

mod limits;

use std::mem::MaybeUninit;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::Unfinished;
use crossws_core::{Rejection, UpgradeRequest};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri, Version};

use crate::driver::timer::within;
#[cfg(feature = "http2")]
use crate::http2::PREFACE;
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crossws_proto::handshake::{BAD_TARGET, Handshake, asks, is_target};

pub use self::limits::HeadLimits;

/// A request whose head has been read.
pub(crate) struct Head {
    /// Present if the request asks for a WebSocket.
    pub(crate) ask: Option<Ask>,
    /// All bytes that were read: the head, and what followed it.
    pub(crate) bytes: Bytes,
    /// The end of the head in `bytes`.
    pub(crate) end: usize,
}

/// A request for a WebSocket.
pub(crate) struct Ask {
    pub(crate) request: UpgradeRequest,
    /// The handshake, or the rule that it breaks.
    pub(crate) handshake: Result<Handshake, Rejection>,
}

/// Why reading a head failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// The client left without a request, or the stream failed. There is no one to send a response
    /// to.
    Gone,
    /// The request gets this status.
    Bad(StatusCode, &'static str),
    /// All connections together hold too much that is unfinished.
    Overloaded,
}

/// Reads until the head is complete. `unfinished` counts the arrived bytes in addition to what it
/// already holds.
pub(crate) async fn read_head<I: Io, R: Runtime>(
    io: &mut I,
    runtime: &R,
    limits: &HeadLimits,
    unfinished: &mut Unfinished,
) -> Result<Head, HeadError> {
    let base = unfinished.bytes();
    let mut bytes = BytesMut::new();
    let mut scanned = 0;
    let read = std::future::poll_fn(|cx| {
        loop {
            // On the stack, so that a connection whose bytes arrive slowly owns only those bytes.
            let mut chunk = [0; 2048];
            let read = io.poll_read(cx, &mut chunk);
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Some(Err(HeadError::Gone))),
                Poll::Ready(Ok(count)) => {
                    bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
                    if let Some(head) = take_head(&mut bytes, &mut scanned, limits).transpose() {
                        return Poll::Ready(Some(head));
                    }
                }
                // A TLS handshake may have advanced.
                Poll::Pending => {}
            }
            let held = base + bytes.capacity() + io.buffered();
            if unfinished.hold_briefly(held).is_err() {
                return Poll::Ready(Some(Err(HeadError::Overloaded)));
            }
            if read.is_pending() {
                return Poll::Pending;
            }
        }
    });
    match within(runtime, limits.timeout, read, || None).await {
        Some(head) => head,
        None if bytes.is_empty() => Err(HeadError::Gone),
        None => Err(HeadError::Bad(
            StatusCode::REQUEST_TIMEOUT,
            "the request took too long",
        )),
    }
}

/// Returns the head, with all the bytes, once it is complete.
fn take_head(
    bytes: &mut BytesMut,
    scanned: &mut usize,
    limits: &HeadLimits,
) -> Result<Option<Head>, HeadError> {
    #[cfg(feature = "http2")]
    if limits.http2 && begins_http2(bytes) {
        // Whole before it is passed on, within the same deadline as a head.
        let is_whole = bytes.len() >= PREFACE.len();
        return Ok(is_whole.then(|| Head {
            ask: None,
            bytes: std::mem::take(bytes).freeze(),
            end: 0,
        }));
    }
    if !is_complete(bytes, scanned, limits)? {
        return Ok(None);
    }
    let whole = std::mem::take(bytes).freeze();
    match parse(&whole, limits, to_ask)? {
        Some((ask, end)) => {
            let bytes = whole;
            Ok(Some(Head { ask, bytes, end }))
        }
        None => {
            *bytes = BytesMut::from(whole);
            Ok(None)
        }
    }
}

/// Returns whether the bytes are the beginning of HTTP/2's preface, or begin with all of it.
#[cfg(feature = "http2")]
fn begins_http2(bytes: &[u8]) -> bool {
    let (first, _) = bytes.split_at(bytes.len().min(PREFACE.len()));
    PREFACE.starts_with(first)
}

/// At most this many bytes of blank lines may precede a request.
const MOST_BLANK: usize = 4;

/// Returns whether the head is complete. `scanned` stores how far the search has got, so that a
/// head that is sent byte by byte is not searched repeatedly.
fn is_complete(bytes: &[u8], scanned: &mut usize, limits: &HeadLimits) -> Result<bool, HeadError> {
    let from = scanned.saturating_sub(2);
    *scanned = bytes.len();
    let fresh = bytes.get(from..).unwrap_or_default();
    // A line may end without a CR (RFC 9112 section 2.2), also the line before the last one.
    let complete = fresh.ends_with(b"\n\r\n")
        || fresh.windows(3).any(|end| end == b"\n\r\n")
        || fresh.windows(2).any(|end| end == b"\n\n");
    // RFC 9112 section 2.2 asks servers to ignore an empty line before the request, not a stream of
    // them.
    let blank = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let blank = blank.count();
    if blank > MOST_BLANK {
        return Err(bad("blank lines before the request"));
    }
    let mut line = bytes.iter().skip(blank);
    if line.len() > limits.max_line
        && line
            .position(|byte| *byte == b'\n')
            .is_none_or(|len| len > limits.max_line)
    {
        return Err(HeadError::Bad(
            StatusCode::URI_TOO_LONG,
            "the request line is too long",
        ));
    }
    if !complete && bytes.len() > limits.max_head {
        return Err(too_large());
    }
    if !complete && plainly_not_http(bytes) {
        return Err(bad("not an HTTP request"));
    }
    Ok(complete)
}

/// Parses a head and converts it. Returns `None` if the head continues after its apparent end.
fn parse<T>(
    bytes: &Bytes,
    limits: &HeadLimits,
    make: impl FnOnce(&httparse::Request<'_, '_>, &Bytes) -> Result<T, HeadError>,
) -> Result<Option<(T, usize)>, HeadError> {
    let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::MOST_HEADERS];
    let most = limits.max_headers.min(HeadLimits::MOST_HEADERS);
    let slots = slots.get_mut(..most).unwrap_or_default();
    let mut parsed = httparse::Request::new(&mut []);
    let end = match parsed.parse_with_uninit_headers(bytes, slots) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) if bytes.len() > limits.max_head => return Err(too_large()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
        Err(_) => return Err(bad("malformed request")),
    };
    if end > limits.max_head {
        return Err(too_large());
    }
    Ok(Some((make(&parsed, bytes)?, end)))
}

/// Returns the request if it asks for a WebSocket. The HTTP service gets the other requests and
/// reads their heads itself.
fn to_ask(parsed: &httparse::Request<'_, '_>, head: &Bytes) -> Result<Option<Ask>, HeadError> {
    let headers = &*parsed.headers;
    let version_1_1 = parsed.version == Some(1);
    if !asks(version_1_1, headers) {
        // A malformed request gets its response here, too.
        return to_parts(parsed, head).map(|_| None);
    }
    if !parsed.path.is_some_and(is_target) {
        // Checked before the resolver runs: such a target has no path to resolve.
        return Err(bad(BAD_TARGET));
    }
    let get = parsed.method == Some("GET");
    let packed = parsed.path.filter(|_| get).and_then(|path| {
        let headers = headers.iter().map(|header| (header.name, header.value));
        UpgradeRequest::from_head(path, headers)
    });
    let request = match packed {
        Some(request) => request,
        None => UpgradeRequest::new(to_parts(parsed, head)?),
    };
    let handshake = Handshake::check_headers(get, version_1_1, headers);
    Ok(Some(Ask { request, handshake }))
}

/// Returns the parts. Each is a slice of the head.
fn to_parts(parsed: &httparse::Request<'_, '_>, head: &Bytes) -> Result<Parts, HeadError> {
    let (Some(method), Some(path), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(bad("malformed request"));
    };
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("malformed method"))?;
    parts.uri = Uri::from_maybe_shared(head.slice_ref(path.as_bytes()))
        .map_err(|_| bad("malformed request target"))?;
    parts.version = match version {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    parts.headers = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| bad("malformed header name"))?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(header.value))
            .map_err(|_| bad("malformed header value"))?;
        parts.headers.append(name, value);
    }
    Ok(parts)
}

/// Returns whether the first bytes cannot become a request line: a TLS handshake on a plain port,
/// or noise, gets a response at once instead of at the deadline.
fn plainly_not_http(bytes: &[u8]) -> bool {
    let method = bytes.iter().take_while(|byte| **byte != b' ');
    let is_token =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~\r\n".contains(byte);
    method.clone().count() > 32 || !method.clone().all(is_token)
}

const fn bad(text: &'static str) -> HeadError {
    HeadError::Bad(StatusCode::BAD_REQUEST, text)
}

const fn too_large() -> HeadError {
    HeadError::Bad(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the request's head is too large",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<(Parts, usize)>, HeadError> {
        step(bytes, &mut 0)
    }

    /// Does the work that follows each read.
    fn step(bytes: &[u8], scanned: &mut usize) -> Result<Option<(Parts, usize)>, HeadError> {
        let limits = HeadLimits::default();
        match is_complete(bytes, scanned, &limits)? {
            true => parse(&Bytes::copy_from_slice(bytes), &limits, to_parts),
            false => Ok(None),
        }
    }

    fn status(bytes: &[u8]) -> Option<u16> {
        match read(bytes) {
            Err(HeadError::Bad(status, _)) => Some(status.as_u16()),
            _ => None,
        }
    }

    #[test]
    fn a_head_is_found_whatever_the_steps() {
        let bytes = "GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\nrest";
        // Some lines end without a CR.
        let all_bare = bytes.replace('\r', "");
        let one_bare = bytes.replace("2\r\n", "2\n");
        let last_bare = bytes.replace("\r\nrest", "\nrest");
        let heads = [bytes, &all_bare, &one_bare, &last_bare].map(str::as_bytes);
        let counts = [1, 2, 3, 5, 100];
        for (bytes, count) in heads.into_iter().flat_map(|head| counts.map(|n| (head, n))) {
            let mut scanned = 0;
            let mut seen = 0;
            let (parts, end) = loop {
                seen = (seen + count).min(bytes.len());
                if let Some(head) = step(&bytes[..seen], &mut scanned).unwrap() {
                    break head;
                }
            };
            assert_eq!(end, bytes.len() - 4);
            assert_eq!(parts.uri, "/chat?x=1");
            assert_eq!(parts.headers.get_all("x-a").iter().count(), 2);
        }
    }

    #[test]
    fn bounds_have_their_statuses() {
        let long = "x".repeat(9000);
        assert_eq!(
            status(format!("GET /{long} HTTP/1.1\r\n").as_bytes()),
            Some(414)
        );
        assert_eq!(status(format!("GET /{long}").as_bytes()), Some(414));
        let many = "A: b\r\n".repeat(101);
        assert_eq!(
            status(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()),
            Some(431)
        );
        let large = format!("GET / HTTP/1.1\r\nA: {}\r\nB: {long}", "y".repeat(8000));
        assert_eq!(status(large.as_bytes()), Some(431));
        assert_eq!(status(format!("{large}\r\n\r\n").as_bytes()), Some(431));
    }

    #[test]
    fn noise_is_refused_at_once() {
        assert_eq!(
            status(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            Some(400)
        );
        assert_eq!(status(b"GET / HTTP/9.9\r\n\r\n"), Some(400));
        assert_eq!(status(b"GET\r\n\r\n"), Some(400));
        assert_eq!(status(b"\r\n\r\n\r\n"), Some(400));
        assert_eq!(
            status(b"\r\nGET / HTTP/1.1\r\n\r\n"),
            None,
            "one is forgiven"
        );
        assert_eq!(status(b"GET / HTTP/1.1\r\nno colon\r\n\r\n"), Some(400));
        assert_eq!(status("GET /ä\u{0} HTTP/1.1\r\n\r\n".as_bytes()), Some(400));
    }

    #[test]
    fn unusual_targets_are_parsed() {
        for target in ["*", "http://example.org/chat", "/", "//", "/?"] {
            let head = read(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes());
            assert!(head.unwrap().is_some(), "{target}");
        }
    }
}
