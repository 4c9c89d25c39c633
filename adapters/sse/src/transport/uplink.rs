use std::future::poll_fn;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::Unfinished;
use crossws_core::{BoxError, CloseCode, CloseFrame, Message, Utf8Bytes};
use crossws_proto::frame::Violation;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, StatusCode};
use http_body::Body;
use serde::Deserialize;

use crate::stream::LAST_EVENT_ID;
use crate::transport::request::is_of;

/// Returns the token of an `authorization: Bearer` header.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

/// Returns the id of the last event that the client has read.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()
}

/// Reads a body of at most this many bytes, which count as unfinished.
pub(crate) async fn read<B>(
    body: B,
    most: usize,
    unfinished: &mut Unfinished,
) -> Result<Bytes, StatusCode>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let len = whole.len().saturating_add(data.len());
        if len > most {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let held = unfinished.hold_briefly(len);
        held.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The most bytes of a body that closes.
pub(crate) const MOST_CLOSE: usize = 1 << 10;

/// Returns the close frame that a body asks for: `{"code":…,"reason":…}`, `{}` without a code, and 1000
/// for no body. The error is a code that may not be sent, or something else.
pub(crate) fn close(body: &[u8]) -> Result<CloseFrame, StatusCode> {
    #[derive(Deserialize)]
    struct Close {
        code: Option<u16>,
        #[serde(default)]
        reason: String,
    }
    if body.is_empty() {
        return Ok(CloseCode::NORMAL.into());
    }
    let close: Close = serde_json::from_slice(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let Some(code) = close.code else {
        return Ok(CloseFrame::without_code());
    };
    let code = CloseCode::new(code).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(CloseFrame::new(code, close.reason))
}

/// Returns a body as the message that it is: bytes if its type says so, otherwise a text.
pub(crate) fn message(headers: &HeaderMap, body: &Bytes) -> Result<Message, Violation> {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| is_of(kind, b"application/octet-stream")) {
        return Ok(Message::from(body.clone()));
    }
    match Utf8Bytes::try_from(body.clone()) {
        Ok(text) => Ok(Message::Text(text)),
        Err(_) => Err(Violation::new(CloseCode::INVALID, "a text is not UTF-8")),
    }
}
