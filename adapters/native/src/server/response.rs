//! The responses that the server writes itself: the heads of 101s, and refusals.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use crossws_core::{Hub, RejectReason, Rejection};
use http::StatusCode;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};

use crate::driver::timer::within;
use crate::runtime::Runtime;
use crate::runtime::io::{Io, poll_write_all};

/// Refuses a client that there is no room for, and counts it.
pub(crate) fn overloaded(hub: &Hub, remote_addr: Option<SocketAddr>) -> Rejection {
    let rejection = Rejection::unavailable("the server is overloaded");
    hub.rejected(RejectReason::Unavailable, &rejection, "", remote_addr);
    rejection
}

/// Counts a request that broke a rule, and returns the refusal.
pub(crate) fn malformed(
    hub: &Hub,
    rejection: Rejection,
    path: &str,
    remote_addr: Option<SocketAddr>,
) -> Rejection {
    hub.rejected(RejectReason::Malformed, &rejection, path, remote_addr);
    rejection
}

/// Responds with 503 to a connection that there is no room for, as far as the stream takes that at
/// once. Keeps nothing of it.
pub(super) async fn turn_away<I: Io>(io: &mut I, hub: &Hub, remote_addr: Option<SocketAddr>) {
    let response = refusal(overloaded(hub, remote_addr));
    std::future::poll_fn(|cx| {
        let _ = io.poll_write_vectored(cx, &[IoSlice::new(&response)]);
        let _ = io.poll_flush(cx);
        Poll::Ready(())
    })
    .await;
}

/// Makes a refusal the last response of its connection: the next bytes of a client that asked for a
/// WebSocket may be frames. If the refusal has an `Upgrade` header, `Connection` names it too, as
/// RFC 9110 section 7.8 requires.
pub(crate) fn close_after(headers: &mut HeaderMap) {
    let last = match headers.contains_key(UPGRADE) {
        true => "upgrade, close",
        false => "close",
    };
    headers.insert(CONNECTION, HeaderValue::from_static(last));
}

/// How long a refused client may take to read the response.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Writes a refusal and ends the stream so that it arrives.
pub(crate) fn refuse<I: Io, R: Runtime>(
    mut io: I,
    runtime: &R,
    rejection: Rejection,
) -> impl Future<Output = ()> + Send {
    let response = refusal(rejection);
    let refused = async move {
        if write_all(&mut io, response).await {
            linger(&mut io).await;
        }
    };
    within(runtime, LAST_WORDS, refused, || ())
}

/// Encodes a refusal as HTTP/1.1.
fn refusal(rejection: Rejection) -> BytesMut {
    let mut response = rejection.into_response();
    let len = HeaderValue::from(response.body().len());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, len);
    close_after(headers);
    let mut bytes = begin_head(response.status(), response.body().len());
    for (name, value) in response.headers() {
        put_header(&mut bytes, name, value.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
}

/// Ends the writing side and reads the rest, so that unread bytes do not reset the connection
/// before the client has read the response.
async fn linger<I: Io>(io: &mut I) {
    const MOST: usize = 64 << 10;
    if std::future::poll_fn(|cx| io.poll_shutdown(cx))
        .await
        .is_err()
    {
        return;
    }
    let mut read = 0;
    std::future::poll_fn(|cx| {
        let mut chunk = [0; 2048];
        while read < MOST {
            match io.poll_read(cx, &mut chunk) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => break,
                Poll::Ready(Ok(count)) => read += count,
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Writes all bytes. Returns whether all of them were written.
pub(super) fn write_all<I: Io>(
    io: &mut I,
    mut bytes: BytesMut,
) -> impl Future<Output = bool> + Send {
    std::future::poll_fn(move |cx| match ready!(poll_write_all(io, cx, &mut bytes)) {
        Ok(()) => io.poll_flush(cx).map(|flushed| flushed.is_ok()),
        Err(_) => Poll::Ready(false),
    })
}

/// Returns the spelling of a header name that the server itself sends, as RFC 6455 and RFC 9112
/// print it: some clients compare bytes. The app's own names stay as in the app's `HeaderName`, in
/// lower case.
fn spelled(name: &HeaderName) -> &str {
    const SPELLED: [(&HeaderName, &str); 7] = [
        (&CONNECTION, "Connection"),
        (&UPGRADE, "Upgrade"),
        (&SEC_WEBSOCKET_ACCEPT, "Sec-WebSocket-Accept"),
        (&SEC_WEBSOCKET_PROTOCOL, "Sec-WebSocket-Protocol"),
        (&SEC_WEBSOCKET_EXTENSIONS, "Sec-WebSocket-Extensions"),
        (&SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"),
        (&CONTENT_LENGTH, "Content-Length"),
    ];
    let known = SPELLED.iter().find(|(known, _)| *known == name);
    known.map_or(name.as_str(), |(_, spelled)| spelled)
}

/// Encodes a response's status line, with room for its headers and a body.
pub(super) fn begin_head(status: StatusCode, body: usize) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(256 + body);
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.extend_from_slice(b" ");
    bytes.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Appends a header line. The value comes from a `HeaderValue` or is as safe: the types exclude
/// line breaks.
pub(super) fn put_header(bytes: &mut BytesMut, name: &HeaderName, value: &[u8]) {
    bytes.extend_from_slice(spelled(name).as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}
