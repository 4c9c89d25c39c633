use std::borrow::Cow;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};

use crossws_native::Io;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use crate::error::ConnectError;

/// The longest head of a response, in bytes.
pub const MAX_HEAD: usize = 16 << 10;

/// The most headers of a response.
const MAX_HEADERS: usize = 100;

/// How much one read takes.
const CHUNK: usize = 4096;

/// Writes the head of a request.
///
/// # Errors
/// When the connection fails.
pub(super) async fn write(
    io: &mut impl Io,
    method: &str,
    target: &str,
    headers: &HeaderMap,
) -> Result<(), ConnectError> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        let line: [&[u8]; 4] = [name.as_ref(), b": ", value.as_bytes(), b"\r\n"];
        head.extend(line.concat());
    }
    head.extend_from_slice(b"\r\n");
    let mut rest = head.as_slice();
    while !rest.is_empty() {
        let count = poll_fn(|cx| io.poll_write_vectored(cx, &[IoSlice::new(rest)])).await;
        match count.map_err(ConnectError::Io)? {
            0 => return Err(ConnectError::Io(ErrorKind::WriteZero.into())),
            count => rest = rest.get(count..).unwrap_or_default(),
        }
    }
    poll_fn(|cx| io.poll_flush(cx))
        .await
        .map_err(ConnectError::Io)
}

/// Reads the head of a response. Returns it with the bytes that followed it. Skips interim responses, such as
/// 103, which any request may get first (RFC 9110 section 15.2): all heads together have one bound.
///
/// # Errors
/// When the connection ends, or the head is too long or not HTTP/1.
pub(super) async fn read(io: &mut impl Io) -> Result<(Parts, Vec<u8>), ConnectError> {
    let mut bytes = Vec::new();
    let mut interim = 0;
    loop {
        let have = bytes.len();
        if have >= MAX_HEAD {
            return Err(ConnectError::HeadTooLong(MAX_HEAD));
        }
        bytes.resize(have + CHUNK.min(MAX_HEAD - have), 0);
        let room = bytes.get_mut(have..).unwrap_or_default();
        let count = poll_fn(|cx| io.poll_read(cx, room)).await;
        let count = count.map_err(ConnectError::Io)?;
        bytes.truncate(have + count);
        if count == 0 {
            let error = io::Error::new(ErrorKind::UnexpectedEof, "the server left");
            return Err(ConnectError::Io(error));
        }
        while let Some((parts, end)) = parse(bytes.get(interim..).unwrap_or_default())? {
            let end = interim + end;
            if !parts.status.is_informational() || parts.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok((parts, bytes.split_off(end)));
            }
            interim = end;
        }
    }
}

/// Parses a head; `None` if it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Parts, usize)>, ConnectError> {
    let malformed = |text: Cow<'static, str>| ConnectError::Malformed(text);
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let status = parsed
        .parse(bytes)
        .map_err(|error| malformed(error.to_string().into()))?;
    let httparse::Status::Complete(end) = status else {
        return Ok(None);
    };
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(parsed.code.unwrap_or_default())
        .map_err(|_| malformed("its status is not a status".into()))?;
    parts.version = match parsed.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    for header in parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(header.value);
        match (name, value) {
            (Ok(name), Ok(value)) => parts.headers.append(name, value),
            _ => return Err(malformed("a header is not a header".into())),
        };
    }
    Ok(Some((parts, end)))
}
