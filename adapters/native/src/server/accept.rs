//! From a fresh stream to a running connection: head, hooks, response, pump.

use std::fmt;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use crossws_core::adapter::{Accepted, Claim, ClaimError, Unfinished};
use crossws_core::{ConnectionInfo, Hooks, Hub, RejectReason, Rejection, Resolve, UpgradeRequest};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode};

use crate::driver::crew::Crew;
use crate::driver::pump::pump_with;
use crate::driver::raw::RawStream;
use crate::driver::stage::Stage;
use crate::driver::timer::within;
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crate::server::head::{Ask, Head, HeadError, HeadLimits, read_head};
use crossws_proto::handshake::Agreed;

/// A stream whose first request is not for the hooks. An HTTP server must read `read` first, then
/// the stream: no byte is lost.
#[derive(thiserror::Error)]
#[error("the request is not for the hooks: it is not an upgrade, or no hooks claim it")]
#[non_exhaustive]
pub struct NotHandled<I> {
    /// The stream.
    pub io: I,
    /// The bytes that were read from it: the request's head, and what followed.
    pub read: Bytes,
    /// The connection's share of [`Limits::max_unfinished`](field@crossws_core::Limits), until this
    /// is dropped. Boxed, because a claimed connection reserves room for this type too.
    pub(crate) unfinished: Box<Unfinished>,
}

impl<I> fmt::Debug for NotHandled<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotHandled")
            .field("read", &self.read.len())
            .finish_non_exhaustive()
    }
}

/// The bytes that a connection counts for in [`Limits::max_unfinished`](field@crossws_core::Limits)
/// before its upgrade, besides its buffers: its task, its socket, and the result of a single read.
pub(crate) const CONNECTION_BYTES: usize = 4 << 10;

/// Refuses a client that there is no room for, and counts it.
pub(crate) fn overloaded(hub: &Hub, remote_addr: Option<SocketAddr>) -> Rejection {
    let rejection = Rejection::unavailable("the server is overloaded");
    hub.rejected(RejectReason::Unavailable, &rejection, "", remote_addr);
    rejection
}

/// Facts about a stream besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The client's address.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the stream is encrypted.
    pub secure: bool,
    /// Whether the stream arrived at a port that its client would have named in `Host`: see
    /// [`UpgradeRequest::with_forwarded`].
    pub forwarded: bool,
    /// Whether a drop ends the stream in order: see
    /// [`Listen::ends_on_drop`](crate::Listen::ends_on_drop).
    pub ends_on_drop: bool,
}

impl StreamInfo {
    /// Creates the facts about an unencrypted stream from this address.
    pub fn new(remote_addr: Option<SocketAddr>) -> Self {
        Self {
            remote_addr,
            secure: false,
            forwarded: false,
            ends_on_drop: false,
        }
    }

    /// Sets whether the stream is encrypted, so that URLs have `https` and `wss`.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets whether the stream arrived at a port that its client would have named in `Host`: any
    /// port but 80 and 443. See [`UpgradeRequest::with_forwarded`].
    #[must_use]
    pub fn with_forwarded(mut self, forwarded: bool) -> Self {
        self.forwarded = forwarded;
        self
    }

    /// Sets whether a drop ends the stream in order. If so, the stream is dropped at once when both
    /// sides have finished.
    #[must_use]
    pub fn with_ends_on_drop(mut self, ends_on_drop: bool) -> Self {
        self.ends_on_drop = ends_on_drop;
        self
    }
}

/// Its client's end is unknown: `ends_on_drop` is not set.
impl From<ConnectionInfo> for StreamInfo {
    fn from(info: ConnectionInfo) -> Self {
        Self::new(info.remote_addr)
            .with_secure(info.secure)
            .with_forwarded(info.forwarded)
    }
}

impl From<StreamInfo> for ConnectionInfo {
    fn from(info: StreamInfo) -> Self {
        Self::new(info.remote_addr)
            .with_secure(info.secure)
            .with_forwarded(info.forwarded)
    }
}

/// Serves a stream whose first request is for the hooks, to the end of the connection: reads the
/// head, runs the upgrade, sends the response, and pumps. Every refusal gets a response.
///
/// # Errors
/// [`NotHandled`] when the request is not an upgrade, or no hooks claim it.
///
/// # Cancel safety
/// Dropping the future drops the connection.
pub fn serve_stream<I, R, S>(
    io: I,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
    limits: &HeadLimits,
) -> impl Future<Output = Result<(), NotHandled<I>>> + Send
where
    I: Io,
    R: Runtime,
    S: Resolve + ?Sized,
{
    // In a box of its own, which is freed before the connection runs. An `async fn` would keep its
    // arguments too.
    let handshake = Box::pin(shake_hands(None, io, info, resolver, hub, runtime, limits));
    async move {
        if let Some(connection) = handshake.await? {
            connection.await;
        }
        Ok(())
    }
}

/// Reads the head, runs the upgrade and sends the response. Returns the connection, or `None` if
/// the response has ended the stream.
pub(crate) async fn shake_hands<I, R, S>(
    crew: Option<Arc<Crew>>,
    mut io: I,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
    limits: &HeadLimits,
) -> Result<Option<Stage>, NotHandled<I>>
where
    I: Io,
    R: Runtime,
    S: Resolve + ?Sized,
{
    // Lasts to the end of the handshake.
    let mut unfinished = Unfinished::new(hub.clone());
    if unfinished.hold_briefly(CONNECTION_BYTES).is_err() {
        turn_away(&mut io, hub, info.remote_addr).await;
        return Ok(None);
    }
    match read_head(&mut io, runtime, limits, &mut unfinished).await {
        Ok(head) => {
            let answer = answer(crew, io, info, head, unfinished, resolver, runtime);
            Box::pin(answer).await
        }
        Err(HeadError::Gone) => Ok(None),
        Err(HeadError::Overloaded) => {
            refuse(io, runtime, overloaded(hub, info.remote_addr)).await;
            Ok(None)
        }
        Err(HeadError::Bad(status, text)) => {
            let rejection = Rejection::new(status, text);
            hub.rejected(RejectReason::Malformed, &rejection, "", info.remote_addr);
            refuse(io, runtime, rejection).await;
            Ok(None)
        }
    }
}

/// Runs the steps after the head. In a box of its own: a client may take long for the head, and the
/// connection does not own this memory meanwhile.
async fn answer<I, R, S>(
    crew: Option<Arc<Crew>>,
    mut io: I,
    info: StreamInfo,
    head: Head,
    unfinished: Unfinished,
    resolver: &Arc<S>,
    runtime: &R,
) -> Result<Option<Stage>, NotHandled<I>>
where
    I: Io,
    R: Runtime,
    S: Resolve + ?Sized,
{
    let Head { ask, bytes, end } = head;
    let Some(ask) = ask else {
        let read = bytes;
        let unfinished = Box::new(unfinished);
        return Err(NotHandled {
            io,
            read,
            unfinished,
        });
    };
    let hub = unfinished.hub();
    match Box::pin(upgrade(ask, info, resolver, hub, runtime)).await {
        Ok((answer, mut accepted, agreed)) => {
            let time = accepted.settings().limits.close_timeout;
            if !within(runtime, time, write_all(&mut io, answer), || false).await {
                return Ok(None);
            }
            let early = BytesMut::from(bytes.get(end..).unwrap_or_default());
            if let Some(taken) = accepted.taken::<RawStream>() {
                let stream = RawStream::new(io, early);
                return Ok(Some(Stage::last(taken.run(stream))));
            }
            let (ends_on_drop, runtime) = (info.ends_on_drop, runtime.clone());
            let connection = pump_with(crew, ends_on_drop, io, early, accepted, agreed, runtime);
            Ok(Some(Stage::last(connection)))
        }
        Err(ClaimError::Rejected(rejection)) => {
            refuse(io, runtime, rejection).await;
            Ok(None)
        }
        Err(_) => Err(NotHandled {
            io,
            read: bytes,
            unfinished: Box::new(unfinished),
        }),
    }
}

/// Runs the hooks and encodes the 101.
async fn upgrade<R, S>(
    ask: Ask,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
) -> Result<(BytesMut, Accepted<S::Hooks>, Agreed), ClaimError>
where
    R: Runtime,
    S: Resolve + ?Sized,
{
    let Ask { request, handshake } = ask;
    let request = request.with_connection(info.into());
    let malformed = |rejection, path: &str| {
        hub.rejected(RejectReason::Malformed, &rejection, path, info.remote_addr);
        ClaimError::Rejected(rejection)
    };
    let claim = run_claim(hub, resolver, request, runtime).await?;
    let handshake = handshake.map_err(|it| malformed(it, claim.request().path()))?;
    let accepted = run_upgrade(claim.with_raw_streams::<RawStream>(), runtime).await?;
    let agreed = handshake.agree(accepted.deflate());
    let agreed = agreed.map_err(|it| malformed(it, ""))?;
    // Without a `Response`, whose header map would be built only to be read once.
    let mut answer = begin_head(StatusCode::SWITCHING_PROTOCOLS, 0);
    handshake.answer(accepted.headers(), &agreed, |name, value| {
        put_header(&mut answer, name, value);
    });
    answer.extend_from_slice(b"\r\n");
    Ok((answer, accepted, agreed))
}

/// Runs the resolver within the time that an upgrade may take.
///
/// # Errors
/// As [`Hub::claim`]; and 503 when the resolver took too long.
///
/// # Cancel safety
/// As [`Hub::claim`].
pub fn run_claim<'a, R: Runtime, S: Resolve + ?Sized>(
    hub: &'a Hub,
    resolver: &'a Arc<S>,
    request: UpgradeRequest,
    runtime: &'a R,
) -> impl Future<Output = Result<Claim<S::Hooks>, ClaimError>> + 'a {
    let time = hub.limits().upgrade_timeout;
    within(runtime, time, hub.claim(resolver, request), || {
        Err(hub.upgrade_timed_out().into())
    })
}

/// Runs the upgrade of a claimed request within its deadline.
///
/// # Errors
/// As [`Claim::upgrade`]; and 503 when the hook took too long.
///
/// # Cancel safety
/// As [`Claim::upgrade`].
pub fn run_upgrade<R: Runtime, H: Hooks + ?Sized>(
    claim: Claim<H>,
    runtime: &R,
) -> impl Future<Output = Result<Accepted<H>, ClaimError>> {
    let time = claim.deadline();
    let hub = claim.hub().clone();
    within(runtime, time, claim.upgrade(), move || {
        Err(hub.upgrade_timed_out().into())
    })
}

/// Responds to a stream with 404 and ends it: the response to an unclaimed request if there is no
/// HTTP service.
pub async fn not_found<I: Io, R: Runtime>(unclaimed: NotHandled<I>, runtime: &R) {
    let rejection = Rejection::new(StatusCode::NOT_FOUND, "not found");
    let _until_the_end = unclaimed.unfinished;
    refuse(unclaimed.io, runtime, rejection).await;
}

/// Responds with 503 to a connection that there is no room for, as far as the stream takes that at
/// once. Keeps nothing of it.
async fn turn_away<I: Io>(io: &mut I, hub: &Hub, remote_addr: Option<SocketAddr>) {
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
    serialize(&response)
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
fn write_all<I: Io>(io: &mut I, mut bytes: BytesMut) -> impl Future<Output = bool> + Send {
    std::future::poll_fn(move |cx| {
        while !bytes.is_empty() {
            match io.poll_write_vectored(cx, &[IoSlice::new(&bytes)]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(count)) => bytes.advance(count),
            }
        }
        io.poll_flush(cx).map(|flushed| flushed.is_ok())
    })
}

/// Encodes a response as HTTP/1.1.
fn serialize(response: &Response<Bytes>) -> BytesMut {
    let mut bytes = begin_head(response.status(), response.body().len());
    for (name, value) in response.headers() {
        put_header(&mut bytes, name, value.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
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
fn begin_head(status: StatusCode, body: usize) -> BytesMut {
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
fn put_header(bytes: &mut BytesMut, name: &HeaderName, value: &[u8]) {
    bytes.extend_from_slice(spelled(name).as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}
