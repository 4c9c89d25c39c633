//! A minimal HTTP/1.1 client that returns whole responses.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, StatusCode};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stream;

/// Returns a key that no connection had before.
pub(super) fn key() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    BASE64_STANDARD.encode((count << 64 | 0xc0ff_ee00).to_be_bytes())
}

/// Encodes an upgrade request, with missing headers added.
pub(super) fn upgrade(request: Request<()>, addr: SocketAddr, key: &str) -> Vec<u8> {
    let (mut parts, ()) = request.into_parts();
    for (name, value) in [
        (HOST, addr.to_string().as_str()),
        (CONNECTION, "Upgrade"),
        (UPGRADE, "websocket"),
        (SEC_WEBSOCKET_KEY, key),
        (SEC_WEBSOCKET_VERSION, "13"),
    ] {
        let value = HeaderValue::from_str(value).unwrap();
        parts.headers.entry(name).or_insert(value);
    }
    head(&Request::from_parts(parts, Bytes::new()))
}

/// Adds the `Host` of this address, if there is none.
pub(super) fn name_host(headers: &mut HeaderMap, addr: SocketAddr) {
    let host = HeaderValue::from_str(&addr.to_string()).unwrap();
    headers.entry(HOST).or_insert(host);
}

/// Encodes a plain request, for a connection of its own.
pub(super) fn plain(mut request: Request<Bytes>, addr: SocketAddr) -> Vec<u8> {
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    kept_alive(request, addr)
}

/// Encodes a plain request, after which its connection may have others.
pub(super) fn kept_alive(mut request: Request<Bytes>, addr: SocketAddr) -> Vec<u8> {
    let len = request.body().len();
    let headers = request.headers_mut();
    name_host(headers, addr);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    let mut bytes = head(&request);
    bytes.extend_from_slice(request.body());
    bytes
}

fn head(request: &Request<Bytes>) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Sends bytes and reads a response, with the bytes after it.
pub(super) async fn exchange(
    stream: &mut Stream,
    bytes: &[u8],
) -> Option<(Response<Bytes>, Vec<u8>)> {
    stream.write_all(bytes).await.ok()?;
    let mut read = Vec::new();
    let response = response(stream, &mut read).await?;
    Some((response, read))
}

/// Sends bytes and reads a response's head. Returns it with the bytes after it, or `None` if the
/// connection ends first.
pub(super) async fn head_of(stream: &mut Stream, bytes: &[u8]) -> Option<(Response<()>, Vec<u8>)> {
    stream.write_all(bytes).await.ok()?;
    let mut read = Vec::new();
    loop {
        if let Some((response, end)) = parse(&read) {
            read.drain(..end);
            return Some((response, read));
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            assert!(read.is_empty(), "half a response: {read:?}");
            return None;
        }
    }
}

/// Reads a response from `read` and the stream. The bytes after it stay in `read`.
pub(super) async fn response(stream: &mut Stream, read: &mut Vec<u8>) -> Option<Response<Bytes>> {
    let response = loop {
        if let Some((response, end)) = parse(read) {
            read.drain(..end);
            break response;
        }
        if stream.read_buf(read).await.ok()? == 0 {
            assert!(read.is_empty(), "half a response: {read:?}");
            return None;
        }
    };
    let headers = response.headers();
    let none = matches!(
        response.status(),
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT
    );
    let length = headers.get(CONTENT_LENGTH).map(|length| {
        let length = length.to_str().unwrap();
        length.parse::<usize>().unwrap()
    });
    let body = match length {
        _ if none => Vec::new(),
        _ if headers.contains_key(TRANSFER_ENCODING) => chunked(stream, read).await,
        Some(length) => {
            while read.len() < length {
                let count = stream.read_buf(read).await.unwrap();
                assert_ne!(count, 0, "half a body");
            }
            read.drain(..length).collect()
        }
        None => {
            while stream.read_buf(read).await.unwrap() > 0 {}
            std::mem::take(read)
        }
    };
    Some(response.map(|()| Bytes::from(body)))
}

/// Reads a chunked body (RFC 9112 section 7.1) to its end.
async fn chunked(stream: &mut Stream, read: &mut Vec<u8>) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let (start, size) = loop {
            match httparse::parse_chunk_size(read).expect("a chunk's size") {
                httparse::Status::Complete((start, size)) => break (start, size as usize),
                httparse::Status::Partial => {
                    assert_ne!(stream.read_buf(read).await.unwrap(), 0, "half a chunk");
                }
            }
        };
        while read.len() < start + size + 2 {
            assert_ne!(stream.read_buf(read).await.unwrap(), 0, "half a chunk");
        }
        body.extend_from_slice(&read[start..start + size]);
        read.drain(..start + size + 2);
        if size == 0 {
            return body;
        }
    }
}

/// Parses a request's head, once it is complete. Returns its end too.
pub(super) fn parse_request(bytes: &[u8]) -> Option<(Request<()>, usize)> {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut slots);
    let httparse::Status::Complete(end) = parsed.parse(bytes).unwrap() else {
        return None;
    };
    let mut request = Request::builder().uri(parsed.path.unwrap());
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    Some((request.body(()).unwrap(), end))
}

fn parse(bytes: &[u8]) -> Option<(Response<()>, usize)> {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut slots);
    let status = parsed.parse(bytes);
    let Ok(status) = status else {
        panic!("not a response: {:?}", String::from_utf8_lossy(bytes));
    };
    let httparse::Status::Complete(end) = status else {
        return None;
    };
    let mut headers = HeaderMap::new();
    for header in parsed.headers.iter() {
        let name: HeaderName = header.name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(header.value).unwrap());
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap()).unwrap();
    *response.headers_mut() = headers;
    Some((response, end))
}

/// Checks that the 101 accepts this key, and contains nothing that was not requested (RFC 6455
/// section 4.1).
pub(super) fn check_101(response: &Response<Bytes>, key: &str) {
    let one = |name: HeaderName| {
        let mut values = response.headers().get_all(&name).into_iter();
        let value = values.next().unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(values.next(), None, "{name} twice");
        value.to_str().unwrap().to_owned()
    };
    assert!(one(UPGRADE).eq_ignore_ascii_case("websocket"));
    assert!(one(CONNECTION).eq_ignore_ascii_case("upgrade"));
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    assert_eq!(
        one(SEC_WEBSOCKET_ACCEPT),
        BASE64_STANDARD.encode(hash.finalize())
    );
    assert!(!response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
}
