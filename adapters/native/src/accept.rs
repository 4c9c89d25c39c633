//! A fresh stream to a running connection: head, hooks, answer, pump.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use crossws_core::{Accepted, Claim, Hooks, Hub, Refused, Rejection, Resolve, UpgradeRequest};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Response, StatusCode};

use crate::engine::EngineKind;
use crate::handshake::{Agreed, Handshake, is_upgrade};
use crate::head::{Head, HeadError, HeadLimits, read_head};
use crate::io::Io;
use crate::pump::pump;
use crate::runtime::Runtime;
use crate::timer::{later, until};

/// A stream whose first request is not for the hooks. Whoever serves HTTP reads `read` first,
/// then the stream: nothing is lost.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unclaimed<I> {
    /// The stream.
    pub io: I,
    /// What has been read from it: the request's head, and what came behind.
    pub read: Bytes,
}

/// What is known of a stream besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The client's address.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the stream is encrypted.
    pub secure: bool,
    /// Which engine is to decode what arrives.
    pub engine: EngineKind,
}

impl StreamInfo {
    /// A plain stream from this address.
    pub fn new(remote_addr: Option<SocketAddr>) -> Self {
        Self {
            remote_addr,
            secure: false,
            engine: EngineKind::default(),
        }
    }

    /// Says that the stream is encrypted, so that URLs read `https` and `wss`.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Chooses the engine.
    #[must_use]
    pub fn with_engine(mut self, engine: EngineKind) -> Self {
        self.engine = engine;
        self
    }
}

/// Serves a stream whose first request is for the hooks, to the end of the connection: reads the
/// head, runs the upgrade, answers, and pumps. Every refusal is answered.
///
/// # Errors
/// [`Unclaimed`] when the request is no upgrade or no hooks claim it.
///
/// # Cancel safety
/// Dropping the future drops the connection.
pub async fn serve_stream<I, R, S>(
    io: I,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
    limits: &HeadLimits,
) -> Result<(), Unclaimed<I>>
where
    I: Io,
    R: Runtime,
    S: Resolve + ?Sized,
{
    // Boxed, because it is short: the connection that follows need not own its memory.
    let handshake = Box::pin(shake_hands(io, info, resolver, hub, runtime, limits));
    if let Some(Ready {
        io,
        early,
        accepted,
        agreed,
    }) = handshake.await?
    {
        pump(io, early, accepted, agreed, runtime.clone()).await;
    }
    Ok(())
}

/// A stream whose 101 is written.
struct Ready<I, H: Hooks + ?Sized> {
    io: I,
    early: BytesMut,
    accepted: Accepted<H>,
    agreed: Agreed,
}

/// `None` when the stream has been answered and is over.
async fn shake_hands<I, R, S>(
    mut io: I,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
    limits: &HeadLimits,
) -> Result<Option<Ready<I, S::Hooks>>, Unclaimed<I>>
where
    I: Io,
    R: Runtime,
    S: Resolve + ?Sized,
{
    let deadline = later(runtime.now(), limits.timeout);
    let head = match read_head(&mut io, runtime, limits, deadline).await {
        Ok(head) => head,
        Err(HeadError::Gone) => return Ok(None),
        Err(HeadError::Bad(status, text)) => {
            refuse(io, runtime, Rejection::new(status, text)).await;
            return Ok(None);
        }
    };
    let Head {
        parts,
        mut bytes,
        end,
    } = head;
    if !is_upgrade(&parts) {
        let read = bytes.freeze();
        return Err(Unclaimed { io, read });
    }
    let handshake = Handshake::check(&parts);
    let request = UpgradeRequest::new(parts)
        .with_remote_addr(info.remote_addr)
        .with_secure(info.secure);
    let claim = match run_claim(hub, resolver, request, runtime).await {
        Ok(claim) => claim,
        Err(Refused::Rejected(rejection)) => {
            refuse(io, runtime, rejection).await;
            return Ok(None);
        }
        Err(_) => {
            let read = bytes.freeze();
            return Err(Unclaimed { io, read });
        }
    };
    let upgraded = match handshake {
        Ok(handshake) => run_upgrade(claim, runtime).await.and_then(|accepted| {
            let agreed = handshake.agree(accepted.deflate(), info.engine)?;
            let response = handshake.response(accepted.headers(), &agreed);
            Ok((response, accepted, agreed))
        }),
        Err(rejection) => Err(rejection),
    };
    match upgraded {
        Ok((response, accepted, agreed)) => {
            let deadline = later(runtime.now(), accepted.limits().close_timeout);
            if !write_head(&mut io, runtime, &response, deadline).await {
                return Ok(None);
            }
            bytes.advance(end);
            Ok(Some(Ready {
                io,
                early: bytes,
                accepted,
                agreed,
            }))
        }
        Err(rejection) => {
            refuse(io, runtime, rejection).await;
            Ok(None)
        }
    }
}

/// Asks the resolver within the time that an upgrade may take.
///
/// # Errors
/// As [`Hub::claim`]; and 503 when the resolver took too long.
///
/// # Cancel safety
/// As [`Hub::claim`].
pub async fn run_claim<R: Runtime, S: Resolve + ?Sized>(
    hub: &Hub,
    resolver: &Arc<S>,
    request: UpgradeRequest,
    runtime: &R,
) -> Result<Claim<S::Hooks>, Refused> {
    let deadline = later(runtime.now(), hub.limits().upgrade_timeout);
    until(runtime, deadline, pin!(hub.claim(resolver, request)))
        .await
        .unwrap_or_else(|| {
            let rejection = Rejection::unavailable("the upgrade took too long");
            Err(Refused::Rejected(rejection))
        })
}

/// Runs the upgrade of a claimed request within its deadline.
///
/// # Errors
/// The response to refuse with; 503 when the hook took too long.
///
/// # Cancel safety
/// As [`Claim::upgrade`].
pub async fn run_upgrade<R: Runtime, H: Hooks + ?Sized>(
    claim: Claim<H>,
    runtime: &R,
) -> Result<Accepted<H>, Rejection> {
    let deadline = later(runtime.now(), claim.deadline());
    until(runtime, deadline, pin!(claim.upgrade()))
        .await
        .unwrap_or_else(|| Err(Rejection::unavailable("the upgrade took too long")))
}

/// Answers a stream with 404 and ends it: what an unclaimed request gets where no HTTP service
/// is mounted.
pub async fn not_found<I: Io, R: Runtime>(unclaimed: Unclaimed<I>, runtime: &R) {
    let rejection = Rejection::new(StatusCode::NOT_FOUND, "not found");
    refuse(unclaimed.io, runtime, rejection).await;
}

/// How long a refused client may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Writes a refusal and ends the stream so that it arrives.
async fn refuse<I: Io, R: Runtime>(mut io: I, runtime: &R, rejection: Rejection) {
    let mut response = rejection.into_response();
    let len = HeaderValue::from(response.body().len());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, len);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let deadline = later(runtime.now(), LAST_WORDS);
    if write_head(&mut io, runtime, &response, deadline).await {
        until(runtime, deadline, pin!(linger(&mut io))).await;
    }
}

/// Ends the writing side and reads the rest, so that unread bytes do not reset the connection
/// before the answer was read.
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

/// Writes a response, head and body. Answers whether all of it went out in time.
async fn write_head<I: Io, R: Runtime>(
    io: &mut I,
    runtime: &R,
    response: &Response<Bytes>,
    deadline: Instant,
) -> bool {
    let mut bytes = serialize(response);
    let write = pin!(std::future::poll_fn(|cx| {
        while !bytes.is_empty() {
            match io.poll_write_vectored(cx, &[IoSlice::new(&bytes)]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(count)) => bytes.advance(count),
            }
        }
        io.poll_flush(cx).map(|flushed| flushed.is_ok())
    }));
    until(runtime, deadline, write).await.unwrap_or(false)
}

/// A response as HTTP/1.1 bytes. Header values are typed, so that none can hold a line break.
fn serialize(response: &Response<Bytes>) -> BytesMut {
    let status = response.status();
    let mut bytes = BytesMut::with_capacity(256 + response.body().len());
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.extend_from_slice(b" ");
    bytes.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
}
