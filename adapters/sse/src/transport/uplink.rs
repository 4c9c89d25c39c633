use std::future::poll_fn;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::Unfinished;
use crossws_core::{BoxError, Message};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, StatusCode};
use http_body::Body;

use crate::transport::key::Key;

/// Returns the secret of an `authorization: Bearer` header.
pub(crate) fn secret(headers: &HeaderMap) -> Option<Key<32>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Key::parse(token.trim_start()))?
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

/// Returns a body as the message that it is: bytes if its type says so, otherwise a text.
pub(crate) fn message(headers: &HeaderMap, body: Bytes) -> Result<Message, StatusCode> {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/octet-stream")) {
        return Ok(Message::from(body));
    }
    let text = String::from_utf8(body.to_vec()).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(Message::from(text))
}
